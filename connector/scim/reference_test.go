package scim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"baton/connector/paging"
	"baton/connector/scim"
	"baton/internal/jsonscan"
)

// This file reads lists with encoding/json, one page at a time. Tests compare the streaming reader of the
// package with it.

var errNotList = errors.New("not a ListResponse")

// referenceList returns the rows of a ListResponse, each once, and whether the body is one.
func referenceList[T any](body []byte, decode func(json.RawMessage) (string, T, error)) (rows []T, total int, ok bool) {
	var l struct {
		TotalResults number          `json:"totalResults"`
		Schemas      json.RawMessage `json:"schemas"`
		Resources    json.RawMessage `json:"Resources"`
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, &l) != nil {
		return nil, 0, false
	}
	resources := bytes.TrimSpace(l.Resources)
	var raw []json.RawMessage
	switch {
	case len(resources) == 0 || string(resources) == "null":
		if !l.TotalResults.set {
			return nil, 0, false
		}
	case resources[0] == '{':
		raw = []json.RawMessage{resources}
	case resources[0] != '[' || json.Unmarshal(resources, &raw) != nil:
		return nil, 0, false
	}
	if len(raw) == 0 && l.TotalResults.n == 0 && !listSchemaIn(l.Schemas) {
		return nil, 0, false
	}
	seen := map[string]bool{}
	for _, b := range raw {
		id, v, err := decode(b)
		if err != nil || id == "" {
			return nil, 0, false
		}
		if !seen[id] {
			seen[id] = true
			rows = append(rows, v)
		}
	}
	return rows, len(raw), true
}

// listSchemaIn reports whether one of the schemas is that of a list.
func listSchemaIn(schemas json.RawMessage) bool {
	var one string
	var several []json.RawMessage
	if json.Unmarshal(schemas, &several) != nil {
		several = []json.RawMessage{schemas}
	}
	return slices.ContainsFunc(several, func(b json.RawMessage) bool {
		one = ""
		return json.Unmarshal(b, &one) == nil &&
			(strings.EqualFold(one, "urn:ietf:params:scim:api:messages:2.0:ListResponse") || strings.EqualFold(one, "urn:scim:schemas:core:1.0"))
	})
}

// FuzzReference checks that the package accepts a response as a list exactly if encoding/json does, with the
// same rows, whether members come with their group or one by one. Text that is not valid Unicode is an error;
// encoding/json replaces it.
func FuzzReference(f *testing.F) {
	for _, seed := range []string{
		`{` + listSchema + `"totalResults":0}`, `{"totalResults":"0","Resources":null,"Schemas":"urn:scim:schemas:core:1.0"}`, `{"RESOURCES":[],` + listSchema + `"x":1}`,
		`{"totalResults":0}`, `{"totalResults":"0","Resources":null}`, `{"RESOURCES":[]}`, `{}`, `[]`, ``, `{"Resources":"x"}`, `{"Resources":[1]}`, `{"Resources":[{}]}`,
		`{"totalResults":2,"Resources":[{"id":"1","userName":"ann","emails":[{"value":" a@b.c ","primary":"TRUE"},null,"x",[1]],"active":1,"meta":{"created":"2026-03-01"}},{"id":"1"}]}`,
		`{"Resources":[{"ID":7,"name":{"givenName":"A","GivenName":null},"name":5,"groups":[{"$ref":"/Groups/a%2Fb"},"g",null],"groups":"h","active":"no"}]}`,
		`{"Resources":[{"id":"g","displayName":"G","members":["u",{"value":1,"type":"Group"}],"members":{"value":"v"},"members":null},{"members":[[]],"id":"h"}]}`,
		`{"Resources":[{"id":"g","displayName":"G","members":["u"],"displayName":"H","id":"g2"}]}`,
		`{"Resources":[{"id":"g","members":{"0":"u","2":{"$ref":"/Devices/7"},"x":1}},{"members":{"value":{"id":"u"},"type":"device","k":1},"membersCount":3,"members@odata.nextLink":"x"}]}`,
		`{"Resources":[{"id":"g","members":[{"id":"u","type":"value"},{"user":{"id":1,"k":2},"$ref":"Users/2"},{"value":[1]},{"ref":"Users/7/"},{"value":"7","$ref":"Groups/7","type":"user"},true,null,""]}]}`,
		`{"Resources":[{"id":"u","groups":[{"value":"3","$ref":"Roles/3"},{"display":"G","type":"direct"},{"group":{"id":"g"}},{"meta":{"resourceType":"Group"}}]}]}`, `{"Resources":{"id":"1","\u0130d":"2","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"m","department":true}}}`,
		"{\"Resources\":[{\"id\":\"\xff\",\"di\u017fplayName\":\"folded\"}]} ", `{"Resources":[{"id":"1"}]}{}`, `{"Resources":[{"id":"1"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if isMarkup := bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")); isMarkup || len(body) > 1<<20 || twice(body) || bytes.IndexByte(body[:min(len(body), 2)], 0) >= 0 {
			return // other checks come first; two values of Resources are refused; UTF-16 is read
		}
		c := connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, string(body)) }), 100)
		users, n, isList := referenceList(body, decodeUser)
		compare(t, body, users, n, isList, func() (got []scim.User, step scim.ListStep, err error) {
			step, err = listUsers(c, t.Context(), paging.Position{}, nil, func(u scim.User) { got = append(got, u) })
			return got, step, err
		})
		groups, n, isList := referenceList(body, decodeGroup)
		compare(t, body, groups, n, isList, func() ([]referenceGroup, scim.ListStep, error) {
			var got assembled
			step, err := c.ListGroups(t.Context(), paging.Position{}, got.sink(t))
			return got.groups, step, err
		})
	})
}

// compare compares rows with those that encoding/json finds. Errors about completeness are ignored.
func compare[T any](t *testing.T, body []byte, want []T, n int, isList bool, read func() ([]T, scim.ListStep, error)) {
	t.Helper()
	got, step, err := read()
	if err != nil && strings.Contains(err.Error(), "the list ended after") {
		return
	}
	if encoding := (*jsonscan.EncodingError)(nil); errors.As(err, &encoding) {
		if utf8.Valid(body) && !bytes.Contains(body, []byte(`\u`)) {
			t.Fatalf("%q: %v", body, err)
		}
		return
	}
	if isList != (err == nil) {
		t.Fatalf("%q: encoding/json finds a list: %v; the error is %v", body, isList, err)
	}
	if isList && (step.Rows != n || step.Fresh != len(want) || !cmp.Equal(want, got)) {
		t.Fatalf("%q: %+v, want %d rows\n%s", body, step, n, cmp.Diff(want, got))
	}
}

// twice reports whether an object has more than one attribute Resources, in any spelling.
func twice(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	n := 0
	for {
		token, err := d.Token()
		if err != nil {
			return n > 1
		}
		if name, ok := token.(string); ok && strings.EqualFold(name, "resources") {
			n++
		}
	}
}

// text reads a string, also one sent as a number or boolean.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = text(s)
	case 'n', '{', '[':
	default:
		*t = text(b)
	}
	return nil
}

// referenceFlag reads a boolean, also one sent as "True", "false", 1 or "0".
type referenceFlag struct{ set, value bool }

func (f *referenceFlag) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(string(t))) {
	case "true", "1":
		*f = referenceFlag{set: true, value: true}
	case "false", "0":
		*f = referenceFlag{set: true}
	}
	return nil
}

func (f referenceFlag) pointer() *bool {
	if !f.set {
		return nil
	}
	return &f.value
}

// number reads a count, also one sent as a string.
type number struct {
	set bool
	n   int
}

func (n *number) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(string(t)), 64)
	if err == nil && v >= 0 && v <= 1<<40 && v == math.Trunc(v) {
		*n = number{set: true, n: int(v)}
	}
	return nil
}

// moment reads a time. A time without a zone is UTC.
type moment time.Time

func (m *moment) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	s := strings.TrimSpace(string(t))
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700",
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02"} {
		if at, err := time.Parse(layout, s); err == nil {
			*m = moment(at.UTC())
			break
		}
	}
	return nil
}

// object reads a complex attribute and ignores anything but an object.
type object[T any] struct{ v T }

func (o *object[T]) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		return nil
	}
	return json.Unmarshal(b, &o.v)
}

// list reads a multi-valued attribute, also a single value in place of the array.
type list[T any] struct {
	listed bool // there and not null
	items  []T
}

func (l *list[T]) UnmarshalJSON(b []byte) error {
	if b[0] == 'n' {
		return nil
	}
	rows := []json.RawMessage{b}
	if b[0] == '[' {
		if err := json.Unmarshal(b, &rows); err != nil {
			return err
		}
	}
	l.listed = true
	for _, row := range rows {
		var v T
		if string(row) == "null" {
			continue
		}
		if err := json.Unmarshal(row, &v); err != nil {
			return err
		}
		l.items = append(l.items, v)
	}
	return nil
}

// referenceValue is one value of a multi-valued attribute (RFC 7643 section 2.4), also one sent as a bare string.
type referenceValue struct {
	Value, Type string
	Primary     bool
}

func (v *referenceValue) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		var t text
		err := t.UnmarshalJSON(b)
		v.Value = string(t)
		return err
	}
	var w struct {
		Value   text          `json:"value"`
		Type    text          `json:"type"`
		Primary referenceFlag `json:"primary"`
	}
	err := json.Unmarshal(b, &w)
	*v = referenceValue{Value: string(w.Value), Type: string(w.Type), Primary: w.Primary.value}
	return err
}

type metaRow struct {
	Created moment `json:"created"`
}

type nameRow struct {
	Formatted  text `json:"formatted"`
	FamilyName text `json:"familyName"`
	GivenName  text `json:"givenName"`
	MiddleName text `json:"middleName"`
}

type enterpriseRow struct {
	EmployeeNumber text `json:"employeeNumber"`
	Department     text `json:"department"`
}

type userRow struct {
	ID          text                  `json:"id"`
	ExternalID  text                  `json:"externalId"`
	UserName    text                  `json:"userName"`
	DisplayName text                  `json:"displayName"`
	Name        object[nameRow]       `json:"name"`
	Emails      list[referenceValue]  `json:"emails"`
	Active      referenceFlag         `json:"active"`
	Title       text                  `json:"title"`
	UserType    text                  `json:"userType"`
	Groups      referenceRefs         `json:"groups"`
	Meta        object[metaRow]       `json:"meta"`
	Enterprise  object[enterpriseRow] `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
}

// decodeUser reads a user and its id.
func decodeUser(b json.RawMessage) (string, scim.User, error) {
	var r userRow
	if err := decodeRow(b, &r); err != nil {
		return "", scim.User{}, err
	}
	u := scim.User{
		ID: string(r.ID), ExternalID: string(r.ExternalID), UserName: string(r.UserName),
		DisplayName: string(r.DisplayName), Active: r.Active.pointer(),
		Name: scim.Name{
			Formatted: string(r.Name.v.Formatted), FamilyName: string(r.Name.v.FamilyName), GivenName: string(r.Name.v.GivenName),
			MiddleName: string(r.Name.v.MiddleName),
		},
		Title: string(r.Title), UserType: string(r.UserType),
		EmployeeNumber: string(r.Enterprise.v.EmployeeNumber), Department: string(r.Enterprise.v.Department),
		GroupsListed: r.Groups.listed, Created: time.Time(r.Meta.v.Created),
	}
	for _, e := range r.Emails.items {
		if address := strings.TrimSpace(e.Value); address != "" {
			u.Emails = append(u.Emails, scim.Email{Value: address, Type: e.Type, Primary: e.Primary})
		}
	}
	for _, g := range r.Groups.items {
		_, group := g.refer()
		u.Groups = append(u.Groups, group)
	}
	return u.ID, u, nil
}

// referenceGroup is a group with its members in the order in which they are listed.
type referenceGroup struct {
	scim.Group
	Members []scim.Member
}

// decodeGroup reads a group and its id.
func decodeGroup(b json.RawMessage) (string, referenceGroup, error) {
	var r struct {
		ID          text            `json:"id"`
		ExternalID  text            `json:"externalId"`
		DisplayName text            `json:"displayName"`
		Members     referenceRefs   `json:"members"`
		Meta        object[metaRow] `json:"meta"`
	}
	if err := decodeRow(b, &r); err != nil {
		return "", referenceGroup{}, err
	}
	g := referenceGroup{Group: scim.Group{ID: string(r.ID), ExternalID: string(r.ExternalID), DisplayName: string(r.DisplayName),
		MembersListed: r.Members.listed, Created: time.Time(r.Meta.v.Created)}}
	for _, m := range r.Members.items {
		member, _ := m.refer()
		g.Members = append(g.Members, member)
	}
	counted, more := 0, ""
	for _, f := range fieldsOf(b) {
		var link text
		switch count, leads := scim.About(f.name); {
		case f.raw[0] == '{' || f.raw[0] == '[':
		case leads:
			if json.Unmarshal(f.raw, &link); link != "" && link != "0" && !strings.EqualFold(string(link), "false") {
				more = f.name
			}
		case count:
			var n number
			json.Unmarshal(f.raw, &n)
			counted = max(counted, n.n)
		}
	}
	if problem := scim.Disagree(len(g.Members), counted, more); problem != "" {
		g.Members = append(g.Members, scim.Member{Kind: scim.UnreadableMember, Detail: problem})
		g.MembersListed = true
	}
	return g.ID, g, nil
}

// field is one attribute of an object; its name is in lower case.
type field struct {
	name string
	raw  json.RawMessage
}

// fieldsOf returns an object's attributes in order, including duplicates.
func fieldsOf(b []byte) (all []field) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.Token()
	for d.More() {
		name, err := d.Token()
		var raw json.RawMessage
		if err != nil || d.Decode(&raw) != nil {
			return all
		}
		all = append(all, field{lower(name.(string)), raw})
	}
	return all
}

// lower folds a name as encoding/json does.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case r == '\u212a':
			return 'k'
		case r == '\u017f':
			return 's'
		}
		return r
	}, name)
}

// referenceRefs is a list of references, in any of the forms that servers use.
type referenceRefs struct {
	listed bool
	items  []referenceRef
}

func (l *referenceRefs) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case 'n', 'f':
		return nil
	case '[':
		var rows []json.RawMessage
		if err := json.Unmarshal(b, &rows); err != nil {
			return err
		}
		for _, row := range rows {
			l.items = append(l.items, newReferenceRef(row))
		}
	case '"':
		r := newReferenceRef(b)
		if strings.TrimSpace(r.value) == "" {
			return nil
		}
		if digits(r.value) {
			r.problem = "a number stands in place of the list"
		}
		l.items = append(l.items, r)
	case '{':
		l.items = append(l.items, indexed(b)...)
	default:
		l.items = append(l.items, referenceRef{problem: "a number or true stands in place of the list"})
	}
	l.listed = true
	return nil
}

// indexed reads an object in place of a list.
func indexed(b []byte) (items []referenceRef) {
	var single referenceRef
	alone, strange := false, ""
	for _, f := range fieldsOf(b) {
		switch {
		case digits(f.name):
			items = append(items, newReferenceRef(f.raw))
		case scim.Describes(f.name):
			alone = true
		case single.attribute(f.name, f.raw, true):
			alone = true
		case strange == "":
			strange = f.name
		}
	}
	if strange != "" {
		strange = strings.Join(strings.FieldsFunc(strange, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
		if runes := []rune(strange); len(runes) > 40 {
			strange = string(runes[:39]) + "…"
		}
	}
	switch {
	case alone && len(items) > 0, !alone && strange != "":
		name := strings.TrimSpace(strange)
		if name == "" {
			name = "value"
		}
		return append(items, referenceRef{problem: "an object with the attribute " + name + " stands in place of the list"})
	case alone:
		single.foreign = strange != "" || single.foreign
		return []referenceRef{single}
	}
	return items
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// referenceRef is an entry that refers to an account or a group.
type referenceRef struct {
	value, kind, ref, display, id, inside, problem string
	foreign                                        bool
}

func (r referenceRef) refer() (scim.Member, scim.GroupRef) {
	return scim.Refer(r.value, r.kind, r.ref, r.display, r.id, r.inside, r.foreign, r.problem)
}

func newReferenceRef(b json.RawMessage) (r referenceRef) {
	switch b[0] {
	case '{':
		for _, f := range fieldsOf(b) {
			if !r.attribute(f.name, f.raw, true) && !scim.Describes(f.name) {
				r.foreign = true
			}
		}
	case '[':
		r.problem = "it is a list"
	case 'n':
		r.problem = "it is null"
	case 't', 'f':
		r.problem = "it is true or false"
	default:
		if r.value = string(textOf(b)); r.value == "" {
			r.problem = "it is empty"
		}
	}
	return r
}

func textOf(b []byte) (t text) {
	json.Unmarshal(b, &t)
	return t
}

// attribute reads an attribute of the entry and reports whether it matters.
func (r *referenceRef) attribute(name string, raw json.RawMessage, outer bool) bool {
	set := func(to *string) {
		if t := textOf(raw); t != "" || raw[0] == '"' {
			*to = string(t)
		}
	}
	switch name {
	case "value":
		r.identifier(name, raw, outer)
	case "type", "resourcetype", "objecttype", "kind", "membertype", "@odata.type":
		r.kind = scim.JoinKinds(r.kind, string(textOf(raw)))
	case "$ref":
		set(&r.ref)
	case "ref":
		if r.ref == "" {
			set(&r.ref)
		}
	case "display":
		set(&r.display)
	case "id":
		set(&r.id)
	case "meta":
		if raw[0] == '{' {
			for _, f := range fieldsOf(raw) {
				if f.name == "resourcetype" {
					r.kind = scim.JoinKinds(r.kind, string(textOf(f.raw)))
				}
			}
		}
	case "user", "group", "member":
		if raw[0] != '{' || !outer {
			r.foreign = true
			return true
		}
		r.identifier(name, raw, outer)
	default:
		return false
	}
	return true
}

func (r *referenceRef) identifier(name string, raw json.RawMessage, outer bool) {
	switch {
	case raw[0] == '[' || raw[0] == 't' || raw[0] == 'f':
		r.problem = "its " + name + " is a list, true or false"
	case raw[0] != '{':
		if t := textOf(raw); t != "" || raw[0] == '"' {
			r.value = string(t)
		}
	case !outer:
		r.problem = "its " + name + " is an object inside an object"
	default:
		var inner referenceRef
		for _, f := range fieldsOf(raw) {
			inner.attribute(f.name, f.raw, false)
		}
		value := scim.Inner(inner.value, inner.ref, inner.id)
		if value == "" && inner.problem == "" {
			inner.problem = "its " + name + " is an object without an id"
		}
		r.value, r.inside = value, name
		if r.problem == "" {
			r.problem = inner.problem
		}
		if r.kind == "" {
			r.kind = inner.kind
		}
		if r.ref == "" {
			r.ref = inner.ref
		}
	}
}

// decodeRow reads one resource. The error quotes nothing of it.
func decodeRow(b json.RawMessage, into any) error {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '{' || json.Unmarshal(b, into) != nil {
		return errNotList
	}
	return nil
}
