package perplexity

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"baton/internal/scim"
)

// nameParts lists the attributes of a name in the order in which they are written.
var nameParts = [...]string{"formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"}

const (
	familyName = 1
	givenName  = 2
)

func (u *user) ident() string { return u.id }

func (u *user) size() int { return 800 + 100*len(u.groups) }

// attribute returns the value for filters. The name is in lower case.
func (u *user) attribute(name string) any {
	switch name {
	case "id":
		return u.id
	case "username":
		return cmp.Or(u.alias, u.userName)
	case "externalid":
		return u.externalID
	case "displayname":
		return u.displayName
	case "active":
		return u.active
	case "emails":
		return u.emailList()
	case "name":
		return u.nameObject()
	case "groups":
		return u.groupList()
	case "meta":
		return u.meta.object("User", "")
	}
	return u.extra.Get(name)
}

// writable returns the attributes that a client may change. A PATCH is applied to them.
func (u *user) writable() object { return u.appendWritable(nil) }

func (u *user) appendWritable(o object) object {
	if u.externalID != "" {
		o = append(o, attr{"externalId", u.externalID})
	}
	o = append(o, attr{"userName", u.userName})
	if n := u.nameObject(); len(n) > 0 {
		o = append(o, attr{"name", n})
	}
	if u.displayName != "" {
		o = append(o, attr{"displayName", u.displayName})
	}
	if len(u.emails) > 0 {
		o = append(o, attr{"emails", u.emailList()})
	}
	o = append(o, attr{"active", u.active})
	return append(o, u.extra...)
}

func (u *user) nameObject() object {
	o := make(object, 0, 2)
	for i, part := range u.name {
		if part != "" {
			o = append(o, attr{nameParts[i], part})
		}
	}
	return o
}

func (u *user) emailList() []any {
	l := make([]any, len(u.emails))
	for i, e := range u.emails {
		o := object{{"value", e.value}}
		if e.kind != "" {
			o = append(o, attr{"type", e.kind})
		}
		if e.display != "" {
			o = append(o, attr{"display", e.display})
		}
		l[i] = append(o, attr{"primary", e.primary})
	}
	return l
}

func (u *user) groupList() []any {
	l := make([]any, len(u.groups))
	for i, g := range u.groups {
		l[i] = object{{"value", g.id}, {"display", g.displayName}, {"type", "direct"}}
	}
	return l
}

func (m *meta) object(kind, location string) object {
	o := object{{"resourceType", kind}, {"created", timestamp(m.created)}, {"lastModified", timestamp(m.modified)}}
	if location != "" {
		o = append(o, attr{"location", location})
	}
	return append(o, attr{"version", m.etag()})
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// userDocument returns a user as the server shows it.
func (x *exchange) userDocument(u *user) object {
	f := x.s.faults
	o := make(object, 0, 16+len(u.extra))
	o = append(o, attr{"schemas", []any{scim.UserURN}}, attr{"id", u.id})
	o = u.appendWritable(o)
	for _, a := range u.extra {
		if strings.HasPrefix(a.Name, "urn:") {
			o[0].Value = append(o[0].Value.([]any), a.Name)
		}
	}
	if f.On("missing-active") {
		o.Remove("active")
	}
	if f.On("no-email") {
		o.Remove("emails")
	}
	x.borrow(u, &o)
	if s := x.s; s.faults.Has("shared-names") && len(s.users) > 1 && u == s.users[0] && s.faults.On("shared-names") {
		o.Set("externalId", s.users[1].userName)
	}
	if !f.On("no-groups-attribute") && x.fields.Wants("groups") {
		memberships := make([]member, len(u.groups))
		for i, g := range u.groups {
			memberships[i] = member{value: g.id, display: g.displayName, kind: "direct"}
		}
		o = append(o, attr{"groups", append(memberships, x.roleOf(u)...)})
	}
	if f.On("null-values") {
		o = withNulls(o, "externalId", "name", "displayName", "emails", "title")
	}
	return append(o, attr{"meta", u.meta.object("User", x.base+"/Users/"+u.id)})
}

func withNulls(o object, names ...string) object {
	for _, name := range names {
		if o.Find(name) < 0 {
			o = append(o, attr{name, nil})
		}
	}
	return o
}

// visible reports whether SCIM shows the user.
func (x *exchange) visible(u *user) bool { return u.active || !x.s.faults.On("soft-delete-off") }

// user returns a visible user in the state that the request sees, or nil.
func (x *exchange) user(id string) *user {
	u := x.s.userByID[id]
	if x.past != nil {
		if old, changed := x.past.users[id]; changed {
			u = old
		}
	}
	if u == nil || !x.visible(u) {
		return nil
	}
	return u
}

func (x *exchange) users() []*user {
	all := x.s.users
	if x.past != nil {
		all = restore(all, x.past.users, func(u *user) bool { return u == nil })
	}
	if !x.s.faults.Has("soft-delete-off") {
		return all
	}
	var shown []*user
	for _, u := range all {
		if x.visible(u) {
			shown = append(shown, u)
		}
	}
	return shown
}

func (x *exchange) listUsers() *answer {
	x.noteSearch()
	x.s.faults.On("similar-ids")
	rows := x.users()
	candidates := func(path scim.Path, value string) ([]*user, bool) {
		switch {
		case path == scim.Path{Attr: "username"} && x.past == nil:
			if u := x.lookAlike(value); u != nil {
				return []*user{u}, true
			}
			u := x.s.userByName[strings.ToLower(value)]
			if u == nil || !x.visible(u) {
				return nil, true
			}
			return []*user{u}, true
		case path.Attr == "groups" && path.NamesValue() && x.past == nil:
			g := x.s.groupByID[value]
			if g == nil {
				return nil, true
			}
			return slices.DeleteFunc(slices.Clone(g.members), func(u *user) bool { return !x.visible(u) }), true
		}
		return nil, false
	}
	a, first := listOf(x, rows, candidates, x.userDocument)
	if first != nil && len(first) < len(rows) {
		x.s.shiftRows(first)
	}
	return a
}

// shiftRows changes the list while it is read, as another client might.
func (s *Server) shiftRows(first []*user) {
	if s.faults.First("rows-shift-delete") {
		s.deleteUser(first[len(first)-1])
	}
	if s.faults.First("rows-shift-insert") {
		s.shiftIn(0)
	}
	if s.faults.First("rows-shift-both") {
		s.deleteUser(first[0])
		s.shiftIn(len(s.users))
	}
}

func (s *Server) shiftIn(at int) {
	s.inserted++
	s.insertUser(s.newPerson(Person{UserName: s.address("shifted.in", s.inserted), GivenName: "Shifted", FamilyName: "In"}), at)
}

func (x *exchange) getUser(u *user) *answer { return x.one(http.StatusOK, x.userDocument(u), &u.meta) }

func (x *exchange) createUser() *answer {
	s := x.s
	doc, f := x.document()
	if f != nil {
		return f.answer()
	}
	now := s.now()
	u := &user{active: true, meta: meta{now, now, 1}}
	if f := u.fill(doc, false, "invalidValue"); f != nil {
		return x.refuseCreation(doc, f)
	}
	if !u.active && s.faults.On("soft-delete-off") {
		return x.refuseCreation(doc, &failure{status: 400, bare: true})
	}
	x.searchedFor(u.userName)
	if other := x.another(u.userName); other != nil && s.faults.Every("create-other") {
		return x.one(http.StatusCreated, x.userDocument(other), &other.meta)
	}
	x.misplace(u)
	s.place(u)
	// With soft deletion off, a disabled user is invisible. If it is created again, it comes back with the
	// same id and all memberships.
	existing := s.userByName[strings.ToLower(u.userName)]
	if existing != nil && x.visible(existing) {
		existing = nil
	}
	for _, check := range []func() *failure{
		func() *failure { return s.conflict(u, existing) },
		func() *failure { return s.domainAllowed(u) },
		func() *failure { return s.seatFor(u) },
	} {
		if f := check(); f != nil {
			return x.refuseCreation(doc, f)
		}
	}
	if existing != nil {
		s.update(existing, u)
		u = existing
	} else {
		u.id = s.ids.user()
		s.insertUser(u, len(s.users))
	}
	delete(s.held, strings.ToLower(u.userName))
	return x.created(u)
}

func (x *exchange) refuseCreation(doc object, f *failure) *answer {
	name, _ := doc.Get("userName").(string)
	if x.s.faults.On("held-row-on-reject") && name != "" && f.status == 400 {
		x.s.held[strings.ToLower(name)] = true
	}
	return f.answer()
}

// place sets whether the user belongs to another organisation.
func (s *Server) place(u *user) {
	u.elsewhere = s.elsewhere[strings.ToLower(u.userName)] || s.elsewhere[strings.ToLower(u.primaryEmail())]
}

// conflict refuses a userName that another user has, or an address that another active user has. Users of the
// console count, although SCIM does not show them.
func (s *Server) conflict(u, self *user) *failure {
	byEmail := s.faults.On("conflict-by-email")
	other := s.userByName[strings.ToLower(u.userName)]
	sameName := other != nil && other != self
	if sameName && !byEmail {
		return s.duplicate("Another user already exists with this username '%s'", u.userName)
	}
	for _, o := range s.users {
		if o != self && (o.active || byEmail) && sharesEmail(o, u) {
			return s.duplicate("Another user already exists with this email '%s'", u.emails[0].value)
		}
	}
	if sameName {
		return s.duplicate("Another user already exists with this username '%s'", u.userName)
	}
	for _, o := range s.hidden {
		if strings.EqualFold(o.userName, u.userName) || sharesEmail(o, u) {
			return s.duplicate("Another user already exists with this username or email '%s': it exists but is not visible through SCIM, because it was created in the console", u.userName)
		}
	}
	return nil
}

func (s *Server) duplicate(format string, args ...any) *failure {
	if s.faults.On("conflict-without-scimtype") {
		return fail(409, "", format, args...)
	}
	return fail(409, "uniqueness", format, args...)
}

func sharesEmail(a, b *user) bool {
	for _, e := range a.emails {
		for _, o := range b.emails {
			if strings.EqualFold(e.value, o.value) {
				return true
			}
		}
	}
	return false
}

func (x *exchange) replaceUser(u *user) *answer {
	doc, f := x.document()
	if f != nil {
		return f.answer()
	}
	next := &user{active: u.active}
	if f := next.fill(doc, false, "invalidSyntax"); f != nil {
		return f.answer()
	}
	if f := x.s.change(u, next); f != nil {
		return f.answer()
	}
	return x.getUser(u)
}

func (x *exchange) patchUser(u *user) *answer {
	p, f := x.patched(u.writable().Clone())
	if f != nil {
		return f.answer()
	}
	next, missing := &user{}, "invalidValue"
	if len(u.emails) == 0 {
		missing = "" // unchanged
	}
	if f := next.fill(p.Doc, true, missing); f != nil {
		return f.answer()
	}
	if x.s.carriesOut() {
		if f := x.s.change(u, next); f != nil {
			return f.answer()
		}
	}
	return x.afterPatch(x.getUser(u))
}

// change gives a user new values, if the organisation's rules allow them.
func (s *Server) change(u, next *user) *failure {
	s.place(next)
	next.elsewhere = next.elsewhere || u.elsewhere
	if f := s.conflict(next, u); f != nil {
		return f
	}
	if next.primaryEmail() != u.primaryEmail() {
		if f := s.domainAllowed(next); f != nil {
			return f
		}
	}
	if !takesSeat(u) {
		if f := s.seatFor(next); f != nil {
			return f
		}
	}
	s.update(u, next)
	return nil
}

func (s *Server) update(u, next *user) {
	if scim.Equal(u.writable(), next.writable()) {
		return
	}
	s.remember(nil, u)
	if u.active && !next.active && s.faults.On("deactivated-loses-groups") {
		for _, g := range slices.Clone(u.groups) {
			s.unlink(g, u)
			g.touch(s.now())
		}
	}
	delete(s.userByName, strings.ToLower(u.userName))
	s.userByName[strings.ToLower(next.userName)] = u
	u.userName, u.externalID, u.displayName, u.name = next.userName, next.externalID, next.displayName, next.name
	switch {
	case u.active == next.active:
		s.effect("=user:%s", u.id)
	case next.active:
		s.effect("=user:%s enabled", u.id)
	default:
		s.effect("=user:%s disabled", u.id)
	}
	u.emails, u.active, u.extra, u.elsewhere = next.emails, next.active, next.extra, next.elsewhere
	u.touch(s.now())
}

func (x *exchange) deleteUser(u *user) *answer {
	if !x.s.opts.HardDelete {
		a := fail(405, "", "users cannot be deleted over SCIM; set active to false instead").answer()
		a.header.Set("Allow", "GET, PUT, PATCH")
		return a
	}
	x.s.deleteUser(u)
	return &answer{status: http.StatusNoContent, header: http.Header{}}
}
