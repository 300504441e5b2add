package scim

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"baton/internal/jsonscan"
)

// MemberKind is the kind of a group member.
type MemberKind uint8

// The kinds of members.
const (
	// UserMember is an account. The entry says so, or names no kind: servers that name none mean accounts.
	UserMember MemberKind = iota
	// LikelyUser is a member of a kind that this package does not know. PingFederate sends "type":"value" for
	// accounts.
	LikelyUser
	// GroupMember is a nested group.
	GroupMember
	// OtherMember is neither an account nor a group, such as a device.
	OtherMember
	// UnreadableMember is an entry that does not identify the member, or contradicts itself. The members of
	// its group are then unknown.
	UnreadableMember
)

// Member is one entry of a group's members.
type Member struct {
	// Value is the member's id as the server writes it; see [Members.Find]. It is empty for an unreadable
	// entry, and may be empty for a member that is not an account.
	Value string
	Kind  MemberKind
	// Detail says why the entry is unreadable, or, for kinds other than UserMember, which words of the server
	// decided the kind.
	Detail string
}

// IsUser reports whether the member counts as an account.
func (m Member) IsUser() bool { return m.Kind == UserMember || m.Kind == LikelyUser }

// maxID limits an id in bytes. A longer one is rejected, because many of them would take unbounded memory.
const maxID = 4 << 10

// reference is an entry that refers to another resource: a member of a group, or a group
// of a user (RFC 7643 sections 4.1.2 and 4.2).
type reference struct {
	value   string
	kind    string // type, or an attribute used in its place
	ref     string // $ref
	display string

	id      string // used where there is neither value nor $ref
	inside  string // name of the attribute whose object held the id: user, group, member
	foreign bool   // there are attributes of unknown meaning
	problem string // why the entry cannot be read
}

// The attributes of a reference.
const (
	refValue = iota
	refType
	refRef
	refDisplay
	refID
	refPlainRef
	refResourceType
	refObjectType
	refKind
	refMemberType
	refODataType
	refMeta
	refUser
	refGroup
	refMember
	refParts

	refForeign = refParts
)

var refNames = [refParts]string{
	refValue: "value", refType: "type", refRef: "$ref", refDisplay: "display", refID: "id", refPlainRef: "ref",
	refResourceType: "resourcetype", refObjectType: "objecttype", refKind: "kind", refMemberType: "membertype", refODataType: "@odata.type",
	refMeta: "meta", refUser: "user", refGroup: "group", refMember: "member",
}

// describing lists attributes that describe the resource an id refers to. An id beside any other attribute
// may be that of the membership.
var describing = map[string]bool{
	"displayname": true, "name": true, "username": true, "externalid": true, "email": true, "emails": true,
	"active": true, "schemas": true, "primary": true,
}

// referenceReader reads references. Objects inside an entry are read one level deep.
type referenceReader struct {
	names, inner, meta *jsonscan.Names
}

func newReferenceReader() *referenceReader {
	names := func() *jsonscan.Names {
		return jsonscan.NewFolded(refNames[:]).Others(func(name []byte) int {
			if describing[string(name)] {
				return -1
			}
			return refForeign
		})
	}
	return &referenceReader{names: names(), inner: names(), meta: jsonscan.NewFolded([]string{"resourcetype"})}
}

// read reads one entry. A bare id counts as an entry, too.
func (r *referenceReader) read(s *jsonscan.Scanner) (ref reference) {
	switch s.Kind() {
	case '{':
		r.object(s, r.names, &ref)
	case '[':
		s.Skip()
		ref.problem = "it is a list"
	case 'n':
		s.Skip()
		ref.problem = "it is null"
	case 't', 'f':
		s.Skip()
		ref.problem = "it is true or false"
	default:
		if text(s, &ref.value); ref.value == "" {
			ref.problem = "it is empty"
		}
	}
	return ref
}

func (r *referenceReader) object(s *jsonscan.Scanner, names *jsonscan.Names, ref *reference) {
	for s.Object(); s.Known(names); {
		r.attribute(s, names.Field, names == r.names, ref)
	}
}

// attribute reads the value of one attribute. outer means that the entry itself has it.
func (r *referenceReader) attribute(s *jsonscan.Scanner, field int, outer bool, ref *reference) {
	switch field {
	case refValue:
		r.identifier(s, outer, "value", ref)
	case refType, refResourceType, refObjectType, refKind, refMemberType, refODataType:
		readKind(s, ref)
	case refRef:
		text(s, &ref.ref)
	case refPlainRef:
		if ref.ref == "" {
			text(s, &ref.ref)
		} else {
			s.Skip()
		}
	case refDisplay:
		text(s, &ref.display)
	case refID:
		text(s, &ref.id)
	case refMeta:
		if isObject(s) {
			for s.Object(); s.Known(r.meta); {
				readKind(s, ref)
			}
		}
	case refUser, refGroup, refMember:
		name := refNames[field]
		if s.Kind() != '{' || !outer {
			ref.foreign = true
			s.Skip()
			return
		}
		r.identifier(s, outer, name, ref)
	default:
		ref.foreign = true
		s.Skip()
	}
}

// identifier reads an id, also one inside an object.
func (r *referenceReader) identifier(s *jsonscan.Scanner, outer bool, name string, ref *reference) {
	switch s.Kind() {
	case '{':
		if !outer {
			ref.problem = "its " + name + " is an object inside an object"
			s.Skip()
			return
		}
		var inner reference
		r.object(s, r.inner, &inner)
		inner.foreign = false // the name of the attribute says what the id refers to
		if inner.identify(); inner.value == "" && inner.problem == "" {
			inner.problem = "its " + name + " is an object without an id"
		}
		ref.value, ref.inside = inner.value, name
		if ref.problem == "" {
			ref.problem = inner.problem
		}
		if ref.kind == "" {
			ref.kind = inner.kind
		}
		if ref.ref == "" {
			ref.ref = inner.ref
		}
	case '[', 't', 'f':
		ref.problem = "its " + name + " is a list, true or false"
		s.Skip()
	default:
		text(s, &ref.value)
	}
}

// addKind adds a word for the kind of the resource. A known word replaces an unknown one. Two other different
// words are both kept, and the result matches no kind.
func (r *reference) addKind(word string) {
	was, is := kindOf(r.kind), kindOf(word)
	switch {
	case is == noKind, was == is, was != noKind && is == unknownKind:
	case was == noKind, was == unknownKind:
		r.kind = word
	default:
		r.kind += " and " + word
	}
}

func readKind(s *jsonscan.Scanner, ref *reference) {
	var word string
	text(s, &word)
	ref.addKind(word)
}

// identify sets the id: the value, else the id in $ref, else the attribute id, unless another attribute shows
// that this id belongs to something else.
func (r *reference) identify() {
	if r.value != "" {
		return
	}
	if _, id := splitRef(r.ref, ""); id != "" {
		r.value = id
		return
	}
	if r.id != "" && !r.foreign {
		r.value = r.id
	}
}

// wordKind classifies a word for a kind.
type wordKind int

const (
	noKind wordKind = iota
	userKind
	groupKind
	otherKind
	unknownKind
)

// otherKinds holds words for resources that are neither accounts nor groups, in the form that plain returns.
var otherKinds = map[string]bool{}

func init() {
	for _, word := range []string{"serviceaccount", "serviceprincipal", "serviceidentity", "serviceuser", "device", "application", "app",
		"appregistration", "bot", "robot", "agent", "machine", "machineidentity", "managedidentity", "computer", "workload", "workloadidentity",
		"contact", "orgcontact", "role", "entitlement", "license", "organization", "organizationalunit", "workspace", "tenant", "team",
		"apikey", "apitoken", "client", "oauthclient", "mailbox", "policy", "permission", "permissionset", "project", "department"} {
		otherKinds[word], otherKinds[word+"s"] = true, true
	}
}

// kindOf classifies the value of type: "User", "urn:…:User", "#microsoft.graph.user".
func kindOf(word string) wordKind {
	switch word { // as nearly all spell it
	case "":
		return noKind
	case "User":
		return userKind
	case "Group":
		return groupKind
	}
	if i := strings.LastIndexAny(word, ".:#/"); i >= 0 {
		word = word[i+1:]
	}
	switch word = plain(word); {
	case word == "user" || word == "users":
		return userKind
	case word == "group" || word == "groups":
		return groupKind
	case otherKinds[word]:
		return otherKind
	}
	return unknownKind
}

// kindOfEndpoint classifies the endpoint in a reference. A resource under any endpoint but Users is not a
// user.
func kindOfEndpoint(endpoint string) wordKind {
	switch {
	case endpoint == "":
		return noKind
	case strings.EqualFold(endpoint, "users"):
		return userKind
	case strings.EqualFold(endpoint, "groups"):
		return groupKind
	}
	return otherKind
}

// plain returns a word in lower case, without separators.
func plain(word string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '_' || r == '-' || r == '\t':
			return -1
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, word)
}

// splitRef returns the endpoint and the id in a reference such as "https://host/scim/v2/Users/7",
// "../Users/7" and "Users/7/?x". value is the id beside the reference, if any: it may contain a slash. Both
// results are empty if the reference has no endpoint.
func splitRef(ref, value string) (endpoint, id string) {
	if i := strings.IndexAny(ref, "?#"); i >= 0 {
		ref = ref[:i]
	}
	ref = strings.TrimRight(ref, "/")
	i := strings.LastIndexByte(ref, '/')
	if value != "" {
		for _, spelt := range [...]string{value, url.PathEscape(value)} {
			if head, ok := strings.CutSuffix(ref, "/"+spelt); ok {
				return lastSegment(head), value
			}
			if spelt == value && strings.IndexFunc(value, needsEscape) < 0 {
				break
			}
		}
	}
	if last := ref[i+1:]; strings.EqualFold(last, "users") || strings.EqualFold(last, "groups") {
		return last, "" // the URL of the collection itself
	}
	if i <= 0 {
		return "", ""
	}
	endpoint = lastSegment(ref[:i])
	id, err := url.PathUnescape(ref[i+1:])
	if err != nil || endpoint == "" || strings.HasSuffix(endpoint, ":") || endpoint == ".." || endpoint == "." {
		return "", ""
	}
	return endpoint, id
}

// UserInPath returns the user id in a path or URL, or "".
func UserInPath(path string) string {
	if endpoint, id := splitRef(path, ""); kindOfEndpoint(endpoint) == userKind {
		return id
	}
	return ""
}

// needsEscape reports whether a path may spell the rune in another way.
func needsEscape(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// plainUser reports whether the entry has the most common form of an account.
func (r *reference) plainUser() bool {
	const users = "/Users/"
	head := len(r.ref) - len(r.value)
	return r.value != "" && len(r.value) <= maxID && r.problem == "" && r.inside == "" && (r.kind == "" || r.kind == "User") &&
		(r.ref == "" || head >= len(users) && r.ref[head:] == r.value && r.ref[head-len(users):head] == users)
}

// member classifies an entry of a group's members. The endpoint of $ref and the words for
// kinds decide:
//
//	$ref    type      member
//	Users   other     LikelyUser: the account is the one referred to
//	Users   group     UnreadableMember
//	Users   else      UserMember
//	Groups  User      UnreadableMember
//	Groups  else      GroupMember
//	else    User      UnreadableMember
//	else    else      OtherMember
//	none    none      UserMember
//	none    User      UserMember
//	none    Group     GroupMember
//	none    other     OtherMember
//	none    unknown   LikelyUser
//
// A value and a $ref that name two accounts make the entry unreadable.
func (r *reference) member() Member {
	if r.plainUser() {
		return Member{Value: r.value}
	}
	endpoint, refID := splitRef(r.ref, r.value)
	refers, says := kindOfEndpoint(endpoint), kindOf(r.kind)
	if refers == noKind && (r.inside == "user" || r.inside == "group") {
		refers, endpoint = kindOf(r.inside), r.inside
	}
	r.identify()
	m := Member{Value: r.value}
	switch {
	case refers == userKind && says == groupKind, refers == groupKind && says == userKind, refers == otherKind && says == userKind:
		return unreadable("its type is " + clip(r.kind) + ", and it refers to " + clip(endpoint))
	case refers == groupKind, refers == noKind && says == groupKind:
		m.Kind = GroupMember
	case refers == otherKind, refers == noKind && says == otherKind:
		m.Kind, m.Detail = OtherMember, clip(firstText(endpoint, r.kind))
	case refers == userKind && says == otherKind, refers == noKind && says == unknownKind:
		m.Kind, m.Detail = LikelyUser, clip(r.kind)
	}
	switch {
	case !m.IsUser():
		if len(m.Value) > maxID {
			m.Value = ""
		}
		return m
	case r.problem != "":
		return unreadable(r.problem)
	case len(r.value) > maxID:
		return unreadable("its id is too long")
	case r.value == "" && r.id != "":
		return unreadable("it has an id and nothing that says what the id refers to")
	case r.value == "":
		return unreadable("it has neither a value nor a $ref with an id")
	case refID != "" && refID != r.value && !SameUUID(refID, r.value):
		return unreadable("its value and its $ref are two different ids")
	}
	return m
}

func unreadable(why string) Member { return Member{Kind: UnreadableMember, Detail: why} }

// clip shortens a server's word and makes it printable.
func clip(word string) string {
	const most = 40
	word = strings.Join(strings.FieldsFunc(word, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	if runes := []rune(word); len(runes) > most {
		word = string(runes[:most-1]) + "…"
	}
	return word
}

// SameUUID reports whether two ids are the same UUID, ignoring case. It is false for ids that are not UUIDs.
func SameUUID(a, b string) bool { return IsUUID(a) && len(a) == len(b) && strings.EqualFold(a, b) }

// IsUUID reports whether an id has the form of a UUID (RFC 9562).
func IsUUID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch dash := i == 8 || i == 13 || i == 18 || i == 23; {
		case dash != (c == '-'), !dash && !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'):
			return false
		}
	}
	return true
}

// list reads a list of references and calls each for every entry. It reports whether there was a list, even
// an empty one. An object with numbers as names, which PHP writes for an array with gaps, counts as a list.
func (r *referenceReader) list(s *jsonscan.Scanner, each func(reference)) (listed bool) {
	switch s.Kind() {
	case 'n', 'f':
		s.Skip()
		return false
	case '[':
		for s.Array(); s.Element(); {
			each(r.read(s))
		}
	case '{':
		r.indexed(s, each)
	case '"':
		var bare reference
		switch text(s, &bare.value); {
		case strings.TrimSpace(bare.value) == "":
			return false
		case allDigits(bare.value):
			bare.problem = "a number stands in place of the list"
		}
		each(bare)
	default:
		s.Skip()
		each(reference{problem: "a number or true stands in place of the list"})
	}
	return true
}

// indexed reads an object in place of the list: one member, or a list with indexes as names.
func (r *referenceReader) indexed(s *jsonscan.Scanner, each func(reference)) {
	var single reference
	alone, list, strange := false, false, ""
	for s.Object(); s.Field(); {
		name := s.Lower()
		if allDigits(string(name)) {
			list = true
			each(r.read(s))
			continue
		}
		field := refForeign
		for i, known := range refNames {
			if string(name) == known {
				field = i
			}
		}
		switch {
		case describing[string(name)]:
			alone = true
			s.Skip()
		case field == refForeign:
			if strange == "" {
				strange = clip(string(name))
			}
			s.Skip()
		default:
			alone = true
			r.attribute(s, field, true, &single)
		}
	}
	switch {
	case s.Err() != nil:
	case alone && list, !alone && strange != "":
		each(reference{problem: fmt.Sprintf("an object with the attribute %s stands in place of the list", firstText(strange, "value"))})
	case alone:
		single.foreign = strange != ""
		each(single)
	}
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// memberTally compares the members that a group lists with its other attributes. Servers that list only some
// of the members say so in non-standard attributes.
type memberTally struct {
	listed  int
	counted int    // the number in another attribute; -1 if there is none
	more    string // attribute that leads to further members
}

// aboutMembers reports whether an attribute of a group, in lower case, may hold the number of members or a
// link to more of them.
func aboutMembers(name []byte) bool {
	return bytes.Contains(name, []byte("member")) && (isCount(name) || isMore(name))
}

func isCount(name []byte) bool {
	return containsAny(name, "count", "total", "num", "size") && !containsAny(name, "account", "max", "min", "limit", "quota")
}

func isMore(name []byte) bool {
	return containsAny(name, "next", "more", "cursor", "trunc", "partial", "incomplete")
}

func containsAny(name []byte, words ...string) bool {
	for _, w := range words {
		if bytes.Contains(name, []byte(w)) {
			return true
		}
	}
	return false
}

// read reads an attribute for which aboutMembers returned true.
func (t *memberTally) read(s *jsonscan.Scanner, name string) {
	var n int
	switch kind := s.Kind(); {
	case kind == '{' || kind == '[':
		s.Skip()
	case isMore([]byte(name)):
		var link string
		if text(s, &link); link != "" && link != "0" && !strings.EqualFold(link, "false") {
			t.more = name
		}
	default:
		if number(s, &n) {
			t.counted = max(t.counted, n)
		}
	}
}

// problem says why the list is incomplete, or is empty.
func (t *memberTally) problem() string {
	switch {
	case t.more != "":
		return fmt.Sprintf("the attribute %s says that there are further members", clip(t.more))
	case t.counted > t.listed:
		return fmt.Sprintf("the group lists %d members and says that there are %d", t.listed, t.counted)
	}
	return ""
}
