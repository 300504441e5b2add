package perplexity

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"baton/sandbox/fault"
)

// formFaults returns faults that write members in another form than that of the standard (RFC 7643 section
// 4.2).
func formFaults() []Fault {
	return []Fault{
		fault.Row("members-as-object", "", "", "the members of a group are an object with numbers for names, and gaps between them"),
		fault.Row("members-by-id", "", "", "members of groups have an id instead of a value"),
		fault.Row("members-by-ref", "", "", "members of groups are given by ref alone, without the dollar sign"),
		fault.Row("members-by-object", "", "", "the value of a member is an object with an id"),
		fault.Row("members-by-user-name", "", "", "the value of a member is a userName"),
		fault.Row("members-in-other-case", "", "", "the ids of members are in small letters, or in capitals if they have no capitals"),
		fault.Row("members-by-display-name", "", "", "the value of a member is a display name"),
		fault.Row("members-by-membership", "", "", "members of groups have the id of the membership, and no value"),
		fault.Row("members-nameless", "", "", "the last member of every group has a display name only"),
		fault.Row("members-as-text", "", "", "the members of a group are one text, ids with commas between"),
		fault.Row("members-in-envelope", "", "", "the members of a group are an object like a list response"),
		fault.Row("members-linked", fault.Count, "2", "groups show their first N members and a link to the others"),
		fault.Row("members-miscounted", "", "", "every group says that it has one member more than it shows"),
		fault.Row("shared-names", "", "", "the first user has the userName of the second for an externalId"),
		fault.Row("crowded-group", fault.Count, "8", "the first group of an answer has N MiB of further members with ids of one letter"),
		fault.Row("repeated-members", fault.Count, "8", "the first group of an answer lists its members again and again, N MiB of them"),
	}
}

// kindFaults returns faults that show members and groups of other kinds, and objects that are easily
// confused.
func kindFaults() []Fault {
	return []Fault{
		fault.Row("device-members", "", "", "every group also has a device, whose id is that of a user who is not in the group"),
		fault.Row("principal-members", "", "", "every group also has a service principal, by $ref alone, whose id is that of a user who is not in the group"),
		fault.Row("odd-kind", "", "", `the type of every member is "value"`),
		fault.Row("odd-kind-members", "", "", "every group also has a member of an unknown type, whose id is that of a user who is not in the group"),
		fault.Row("crossed-kinds", "", "", "every group also has a member whose type is User and whose $ref is that of a group"),
		fault.Row("role-groups", "", "", "every user also has a role among the groups, with the id of a group"),
		fault.Row("second-admin-group", "", "", "another group has the name of the Admin group in small letters, and no role"),
		fault.Row("similar-ids", "", "", `two more users have the id of the first, with "user:" in front and with a blank behind`),
		fault.Row("latin-1", "", "", "answers are in ISO-8859-1, and say so"),
		fault.Row("latin-1-undeclared", "", "", "answers are in ISO-8859-1, and do not say so"),
		fault.Row("tenant-in-query", "", "", "requests without tenant=acme in their query see another organisation"),
	}
}

// memberValue returns the user's value among the members of a group.
func (s *Server) memberValue(u *user) string {
	f := s.faults
	switch {
	case f.Has("members-by-user-name"):
		return u.userName
	case f.Has("members-by-display-name"):
		return u.label()
	case f.Has("members-by-membership"):
		return "membership-" + u.id[len(u.id)/2:]
	case f.Has("members-in-other-case"):
		return otherCase(u.id)
	}
	return u.id
}

func otherCase(id string) string {
	if lower := strings.ToLower(id); lower != id {
		return lower
	}
	return strings.ToUpper(id)
}

// userByValue returns the visible user with that member value, or nil.
func (x *exchange) userByValue(value string) *user {
	if u := x.user(value); u != nil {
		return u
	}
	for _, u := range x.users() {
		if x.s.memberValue(u) == value {
			return u
		}
	}
	return nil
}

// outsider returns the first active user who is not in the group, else the first user.
func (s *Server) outsider(g *group) *user {
	for _, u := range s.users {
		if u.active && !u.in(g) {
			return u
		}
	}
	if len(s.users) > 0 {
		return s.users[0]
	}
	return nil
}

// others returns the members of a group that are not users, or not marked as users.
func (x *exchange) others(g *group) (members []member) {
	f := x.s.faults
	u := x.s.outsider(g)
	if u == nil || f.Has("bare-members") {
		return nil // bare ids have no kind
	}
	if f.On("device-members") {
		members = append(members, member{value: u.id, display: "Laptop", kind: "Device"})
	}
	if f.On("principal-members") {
		members = append(members, member{value: u.id, ref: x.base + "/ServicePrincipals/" + u.id})
	}
	if f.On("odd-kind-members") {
		members = append(members, member{value: u.id, kind: "Somebody"})
	}
	if f.On("crossed-kinds") {
		members = append(members, member{value: u.id, kind: "User", ref: x.base + "/Groups/" + u.id})
	}
	return members
}

// roleOf returns the role in the groups of a user.
func (x *exchange) roleOf(u *user) []member {
	f := x.s.faults
	if !f.Has("role-groups") || f.Has("bare-members") {
		return nil
	}
	i := slices.IndexFunc(x.s.groups, func(g *group) bool { return !u.in(g) })
	if i < 0 || !f.On("role-groups") {
		return nil
	}
	return []member{{value: x.s.groups[i].id, display: "Auditor", ref: x.base + "/Roles/" + x.s.groups[i].id}}
}

// memberList holds the members of a group as shown.
type memberList []member

// members writes the members of a group in the form that the faults select.
func (e *encoder) members(l memberList) {
	f := e.faults
	if len(l) > 0 {
		_, _ = f.On("members-by-id"), f.On("members-by-object") // count them once; memberID checks them for each member
		if f.On("members-nameless") {
			l = slices.Clone(l)
			l[len(l)-1].value, l[len(l)-1].ref = "", ""
		}
	}
	switch {
	case f.On("members-as-object"):
		e.buf = append(e.buf, '{')
		for i, m := range l {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			e.buf = append(strconv.AppendInt(append(e.buf, '"'), int64(2*i), 10), `":`...)
			e.member(m)
		}
		e.buf = append(e.buf, '}')
	case f.On("members-as-text"):
		var ids []string
		for _, m := range l {
			ids = append(ids, m.value)
		}
		e.buf = appendString(e.buf, strings.Join(ids, ",")+",")
	case f.On("members-in-envelope"):
		e.buf = append(strconv.AppendInt(append(e.buf, `{"totalResults":`...), int64(len(l)), 10), `,"Resources":`...)
		list(e, l, e.member)
		e.buf = append(e.buf, '}')
	default:
		list(e, l, e.member)
		e.crowd(l)
	}
}

// crowd adds the insert of crowded-group or repeated-members to the list of members just written, once per
// answer.
func (e *encoder) crowd(l memberList) {
	f := e.faults
	if len(e.inserts) > 0 || len(l) == 0 || e.buf[len(e.buf)-1] != ']' || !f.Has("crowded-group") && !f.Has("repeated-members") {
		return
	}
	text := &encoder{faults: f, bareMembers: e.bareMembers, upper: e.upper, references: e.references}
	mib := f.Number("crowded-group")
	if mib > 0 {
		for c := 'a'; c <= 'z'; c++ {
			text.buf = append(text.buf, ',', '"', byte(c), '"')
		}
	} else {
		mib = f.Number("repeated-members")
		for _, m := range l {
			text.buf = append(text.buf, ',')
			text.member(m)
		}
	}
	part := bytes.Repeat(text.buf, 1+(64<<10)/len(text.buf))
	e.inserts = append(e.inserts, insert{at: len(e.buf) - 1, part: part, times: 1 + mib<<20/len(part)})
}

// insert is a text repeated at an offset of an answer. It is generated while the answer is sent, because it
// is too large to hold.
type insert struct {
	at    int
	part  []byte
	times int
}

// reference returns the $ref of a member that has nothing else.
func (e *encoder) reference(m member) string {
	switch {
	case m.ref != "":
		return m.ref
	case m.kind == "Group" || m.kind == "Device":
		return e.references + "/" + m.kind + "s/" + m.value
	}
	return e.references + "/Users/" + m.value
}

// arrange adds the groups and users that belong to active faults, and removes those of inactive ones.
func (s *Server) arrange(set fault.Set) {
	s.past = past{}
	on, was := set.Has("second-admin-group"), s.secondAdmin
	switch {
	case on && was == nil:
		s.secondAdmin = s.makeSecondAdminGroup()
	case !on && was != nil:
		if s.groupByID[was.id] == was {
			s.deleteGroup(was)
		}
		s.secondAdmin = nil
	}
	on = set.Has("similar-ids")
	switch {
	case on && s.similar == nil && len(s.users) > 0:
		first := s.users[0].id
		for i, id := range []string{"user:" + first, first + " "} {
			u := s.newPerson(Person{UserName: s.address("similar", i+1), GivenName: "Similar", FamilyName: strconv.Itoa(i + 1)})
			u.id = id
			s.insertUser(u, len(s.users))
			s.similar = append(s.similar, u)
		}
	case !on:
		for _, u := range s.similar {
			if s.userByID[u.id] == u {
				s.deleteUser(u)
			}
		}
		s.similar = nil
	}
}

// makeSecondAdminGroup creates a group that resembles the Admin group only by its name, with two members who
// are not Admin.
func (s *Server) makeSecondAdminGroup() *group {
	name := ""
	for _, rule := range s.opts.Roles {
		if rule.Role == Admin {
			name = otherCase(rule.Group)
			break
		}
	}
	now := s.now()
	g := &group{id: s.ids.group(), displayName: name, identity: "second " + name, unmapped: true, meta: meta{now, now, 1}}
	s.insertGroup(g)
	rules := s.rules()
	for _, u := range s.users {
		if u.active && len(g.members) < 2 && effectiveRole(u, rules) != Admin {
			s.link(g, u)
		}
	}
	return g
}

// otherTenant answers a request without a tenant, or returns nil.
func (x *exchange) otherTenant() *answer {
	s := x.s
	if !s.faults.On("tenant-in-query") || x.query.Get("tenant") == "acme" {
		return nil
	}
	if s.other == nil {
		s.other = New(Options{Seed: s.opts.Seed + 1, Key: s.opts.Key, Token: s.opts.Token, Now: s.opts.Now})
	}
	return s.other.answer(x.r, x.body, false)
}
