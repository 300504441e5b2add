package perplexity

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"baton/internal/scim"
	"baton/sandbox/fault"
)

// recordFaults returns faults that show other records than the requested ones.
func recordFaults() []Fault {
	return []Fault{
		fault.Row("any-member", "", "", "any id is accepted as a member of a group, and shown as one"),
		fault.Row("create-other", fault.Count, "1", "every Nth creation is answered with the record of another user, and not carried out"),
		fault.Row("create-other-id", "", "", "a creation is answered with the id of another user"),
		fault.Row("create-ignored-body", "", "", "a created user gets a userName of the server's own, and no address"),
		fault.Row("create-suffix", "", "", "a created user gets a userName with a domain appended"),
		fault.Row("create-lower-case", "", "", "a created user gets a userName in lower case"),
		fault.Row("create-id-only", "", "", "a creation is answered with an id and nothing else"),
		fault.Row("create-200", "", "", "a creation is answered 200"),
		fault.Row("borrowed-address", "", "", "the first other user has the name that was last searched for, or created, as a secondary address"),
		fault.Row("look-alike", "", "", "a search that finds nobody shows the first user under a look-alike of the name"),
	}
}

// another returns a visible user with another userName, or nil.
func (x *exchange) another(userName string) *user {
	for _, u := range x.users() {
		if !strings.EqualFold(u.userName, userName) {
			return u
		}
	}
	return nil
}

// misplace changes the user to be created as the faults require.
func (x *exchange) misplace(u *user) {
	f := x.s.faults
	if f.On("create-ignored-body") {
		x.s.inserted++
		u.userName, u.emails, u.externalID = fmt.Sprintf("user-%d", x.s.inserted), nil, ""
	}
	if f.On("create-suffix") {
		u.userName += ".tenant"
	}
	if f.On("create-lower-case") {
		u.userName = strings.ToLower(u.userName)
	}
}

// created answers a creation.
func (x *exchange) created(u *user) *answer {
	f := x.s.faults
	status := http.StatusCreated
	if f.On("create-200") {
		status = http.StatusOK
	}
	doc := x.userDocument(u)
	if f.Has("create-other-id") {
		if other := x.another(u.userName); other != nil && f.On("create-other-id") {
			doc.Set("id", other.id)
		}
	}
	switch {
	case f.On("create-empty"):
		return &answer{status: status, header: http.Header{}}
	case f.On("create-id-only"):
		id, _ := doc.Get("id").(string)
		doc = object{{"id", id}}
		return x.one(status, doc, nil)
	}
	return x.one(status, doc, &u.meta)
}

// searchedFor records the userName of a search or a creation.
func (x *exchange) searchedFor(userName string) {
	if userName != "" {
		x.s.borrowed = userName
	}
}

// noteSearch records the userName of a search, even if the filter is ignored or refused.
func (x *exchange) noteSearch() {
	f, err := scim.ParseFilter(x.query.Get("filter"))
	if err != nil || f.Op != "eq" || f.Path != (scim.Path{Attr: "username"}) {
		return
	}
	if name, ok := f.Value.(string); ok {
		x.searchedFor(name)
	}
}

// borrow adds the last searched address to the user that has borrowed it.
func (x *exchange) borrow(u *user, o *object) {
	name := x.s.borrowed
	if name == "" || x.s.faults.Has("no-email") || !x.s.faults.Has("borrowed-address") || x.another(name) != u || !x.s.faults.On("borrowed-address") {
		return
	}
	emails, _ := o.Get("emails").([]any)
	o.Set("emails", append(slices.Clone(emails), object{{"value", name}, {"type", "other"}, {"primary", false}}))
}

// lookAlike returns the user shown for a search for a userName that nobody has, or nil. It writes the name in
// letters that only look the same.
func (x *exchange) lookAlike(userName string) *user {
	s := x.s
	odd := strings.NewReplacer("k", "\u212a", "s", "\u017f", "o", "\u043e").Replace(userName)
	if !s.faults.Has("look-alike") || odd == userName || s.userByName[strings.ToLower(userName)] != nil {
		return nil
	}
	u := x.another(userName)
	if u == nil || !s.faults.On("look-alike") {
		return nil
	}
	shown := *u
	shown.alias, shown.userName, shown.emails = userName, odd, []email{{value: odd, kind: "work", primary: true}}
	return &shown
}

// unknownIn returns the member ids in a document that no user has.
func (x *exchange) unknownIn(doc object) (ids []string) {
	if !x.s.faults.Has("any-member") {
		return nil
	}
	for _, v := range scim.Elements(doc.Get("members")) {
		if o, ok := v.(object); ok {
			if id := scim.ValueOf(o); id != "" && x.s.userByID[id] == nil && x.userByValue(id) == nil && !slices.Contains(ids, id) && x.s.faults.On("any-member") {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// setUnknownMembers sets the unknown members of the group and reports whether that changes them.
func (s *Server) setUnknownMembers(g *group, ids []string) bool {
	if slices.Equal(g.unknownMembers, ids) {
		return false
	}
	s.remember(g, nil)
	for _, id := range ids {
		if !slices.Contains(g.unknownMembers, id) {
			s.effect("+group:%s:member:user:%s", g.id, id)
		}
	}
	for _, id := range g.unknownMembers {
		if !slices.Contains(ids, id) {
			s.effect("-group:%s:member:user:%s", g.id, id)
		}
	}
	g.unknownMembers = ids
	return true
}
