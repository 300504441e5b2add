package perplexity

import (
	"net/http"
	"slices"

	"baton/internal/scim"
)

// member is one entry of a group's members, or of a user's groups, in the form that the server writes.
type member struct{ value, display, kind, ref string }

func (g *group) ident() string { return g.id }

func (g *group) size() int { return 500 + 110*len(g.members) }

// attribute returns the value for filters. The name is in lower case.
func (g *group) attribute(name string) any {
	switch name {
	case "id":
		return g.id
	case "displayname":
		return g.displayName
	case "externalid":
		return g.externalID
	case "members":
		return g.memberList(func(u *user) string { return u.id })
	case "meta":
		return g.meta.object("Group", "")
	}
	return g.extra.Get(name)
}

// memberList returns the members with value as the function for their ids.
func (g *group) memberList(value func(*user) string) []any {
	l := make([]any, len(g.members))
	for i, u := range g.members {
		l[i] = object{{"value", value(u)}, {"display", u.label()}, {"type", "User"}}
	}
	for _, id := range g.unknownMembers {
		l = append(l, object{{"value", id}, {"type", "User"}})
	}
	return l
}

// label returns the name of the user in other resources.
func (u *user) label() string {
	if u.displayName != "" {
		return u.displayName
	}
	return u.userName
}

// writable returns the document to which a PATCH is applied.
func (g *group) writable(value func(*user) string) object {
	o := object{{"displayName", g.displayName}, {"members", g.memberList(value)}}
	if g.externalID != "" {
		o = append(o, attr{"externalId", g.externalID})
	}
	return append(o, g.extra...)
}

// groupDocument returns the group as the server shows it, in a list or alone.
func (x *exchange) groupDocument(g *group, listed bool) object {
	f := x.s.faults
	o := object{{"schemas", []any{scim.GroupURN}}, {"id", g.id}}
	if g.externalID != "" {
		o = append(o, attr{"externalId", g.externalID})
	}
	o = append(o, attr{"displayName", g.displayName})
	o = append(o, g.extra...)
	absent := f.On("members-absent-everywhere") || listed && f.On("members-absent")
	if !absent && x.fields.Wants("members") {
		shown := x.shownMembers(g, listed)
		if n := len(shown); n > 0 && f.On("members-miscounted") {
			o = append(o, attr{"membersCount", n + 1})
		}
		if n := f.Number("members-linked"); n > 0 && n < len(shown) {
			shown = shown[:n]
			o = append(o, attr{"members@odata.nextLink", x.base + "/Groups/" + g.id + "/members?page=2"})
		}
		o = append(o, attr{"members", memberList(shown)})
	}
	if f.On("null-values") {
		o = withNulls(o, "externalId")
	}
	return append(o, attr{"meta", g.meta.object("Group", x.base+"/Groups/"+g.id)})
}

func (x *exchange) shownMembers(g *group, listed bool) []member {
	f := x.s.faults
	if f.On("members-empty-everywhere") || listed && f.On("members-empty") {
		return nil
	}
	shown := make([]member, 0, len(g.members)+2)
	for _, u := range g.members {
		if x.visible(u) {
			m := member{value: x.s.memberValue(u), display: u.label(), kind: "User"}
			if f.On("odd-kind") {
				m.kind = "value"
			}
			shown = append(shown, m)
		}
	}
	if len(shown) > 0 {
		for _, name := range [...]string{"members-by-user-name", "members-in-other-case", "members-by-display-name", "members-by-membership"} {
			f.On(name) // memberValue has applied it
		}
	}
	if f.Has("members-truncated") {
		shown = shown[:min(len(shown), f.Number("members-truncated"))]
	}
	if f.On("nested-groups") {
		at := slices.Index(x.s.groups, g) + 1 // after the last group comes the first one
		if nested := x.s.groups[at%len(x.s.groups)]; nested != g {
			shown = append(shown, member{value: nested.id, display: nested.displayName, kind: "Group", ref: x.base + "/Groups/" + nested.id})
		}
	}
	shown = append(shown, x.others(g)...)
	for _, id := range g.unknownMembers {
		shown = append(shown, member{value: id, kind: "User"})
	}
	if f.On("unknown-members") {
		shown = append(shown, member{value: x.s.opts.IDs.unknown(), kind: "User"})
	}
	return shown
}

// group returns a group in the state that the request sees, or nil.
func (x *exchange) group(id string) *group {
	if x.past != nil {
		if old, changed := x.past.groups[id]; changed {
			return old
		}
	}
	return x.s.groupByID[id]
}

func (x *exchange) listGroups() *answer {
	rows := x.s.groups
	x.s.faults.On("second-admin-group")
	if x.past != nil {
		rows = restore(rows, x.past.groups, func(g *group) bool { return g == nil })
	}
	if slices.ContainsFunc(rows, x.tooBig) {
		return tooBig().answer()
	}
	candidates := func(path scim.Path, value string) ([]*group, bool) {
		if path.Attr != "members" || !path.NamesValue() || x.past != nil {
			return nil, false
		}
		if u := x.s.userByID[value]; u != nil && x.visible(u) {
			return u.groups, true
		}
		return nil, true
	}
	a, _ := listOf(x, rows, candidates, func(g *group) object { return x.groupDocument(g, true) })
	return a
}

func (x *exchange) tooBig(g *group) bool {
	n := x.s.faults.Number("big-group-500")
	return n > 0 && len(g.members) > n && x.fields.Wants("members")
}

func tooBig() *failure { return fail(500, "", "reading the members took too long") }

func (x *exchange) getGroup(g *group) *answer {
	if x.tooBig(g) {
		return tooBig().answer()
	}
	return x.one(http.StatusOK, x.groupDocument(g, false), &g.meta)
}

func (x *exchange) createGroup() *answer {
	doc, f := x.document()
	if f != nil {
		return f.answer()
	}
	now := x.s.now()
	next := &group{}
	if f := next.fill(doc, x.user); f != nil {
		return f.answer()
	}
	identity := next.externalID
	if identity == "" {
		identity = next.displayName
	}
	if slices.ContainsFunc(x.s.groups, func(g *group) bool { return g.identity == identity }) {
		return x.s.duplicate("Another group already exists with this ID").answer()
	}
	g := &group{id: x.s.ids.group(), identity: identity, externalID: next.externalID, displayName: next.displayName, extra: next.extra, meta: meta{now, now, 1}}
	x.s.insertGroup(g)
	for _, u := range next.members {
		x.s.link(g, u)
	}
	return x.one(http.StatusCreated, x.groupDocument(g, false), &g.meta)
}

func (x *exchange) replaceGroup(g *group) *answer {
	doc, f := x.document()
	if f != nil {
		return f.answer()
	}
	next := &group{}
	if f := next.fill(doc, x.user); f != nil {
		return f.answer()
	}
	x.s.updateGroup(g, next)
	return x.getGroup(g)
}

func (x *exchange) patchGroup(g *group) *answer {
	p, f := x.patched(g.writable(x.s.memberValue).Clone())
	if f != nil {
		return f.answer()
	}
	faults := x.s.faults
	switch {
	case p.Repeated > 0 && faults.On("duplicate-add-409"):
		return fail(409, "uniqueness", "the user is already a member of the group").answer()
	case p.Missing > 0 && faults.On("absent-remove-404"):
		return fail(404, "", "the user is not a member of the group").answer()
	case p.Missing > 0 && faults.On("absent-remove-412"):
		return fail(412, "", "the user is not a member of the group").answer()
	}
	next := &group{}
	if f := next.fill(p.Doc, x.member(g)); f != nil {
		return f.answer()
	}
	next.members = x.s.faultyChange(g.members, next.members)
	next.unknownMembers = x.unknownIn(p.Doc)
	if x.s.carriesOut() {
		x.s.updateGroup(g, next)
	}
	return x.afterPatch(x.getGroup(g))
}

// member resolves a member of a patched document. It keeps members of the group even if they are not visible.
func (x *exchange) member(g *group) func(string) *user {
	return func(id string) *user {
		if u := x.s.userByID[id]; u != nil && u.in(g) {
			return u
		}
		for _, u := range g.members {
			if x.s.memberValue(u) == id {
				return u
			}
		}
		return x.userByValue(id)
	}
}

// faultyChange applies faults to a change of members and returns the resulting members.
func (s *Server) faultyChange(before, after []*user) []*user {
	was, is := setOf(before), setOf(after)
	removed := slices.ContainsFunc(before, func(u *user) bool { return !is[u] })
	kept := func(u *user) bool { return was[u] }
	if s.faults.On("drop-member-on-add") {
		after = slices.DeleteFunc(after, func(u *user) bool { return !was[u] })
	}
	if removed && s.faults.On("remove-wipes-all") {
		after = slices.DeleteFunc(after, kept)
	}
	if i := slices.IndexFunc(after, kept); removed && i >= 0 && s.faults.On("remove-collateral") {
		after = slices.Delete(after, i, i+1)
	}
	return after
}

func setOf(users []*user) map[*user]bool {
	set := make(map[*user]bool, len(users))
	for _, u := range users {
		set[u] = true
	}
	return set
}

func (s *Server) updateGroup(g, next *group) {
	changed := g.displayName != next.displayName || g.externalID != next.externalID || !scim.Equal(g.extra, next.extra)
	if changed {
		s.remember(g, nil)
		g.displayName, g.externalID, g.extra = next.displayName, next.externalID, next.extra
	}
	changed = s.setUnknownMembers(g, next.unknownMembers) || changed
	stay := setOf(next.members)
	for _, u := range slices.Clone(g.members) {
		if !stay[u] {
			changed = s.unlink(g, u) || changed
		}
	}
	for _, u := range next.members {
		changed = s.link(g, u) || changed
	}
	if changed {
		g.touch(s.now())
	}
}
