package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"baton/console"
	"baton/console/govern"
	"baton/console/store"
	"baton/internal/scim"
)

// listURN is the schema of lists.
const listURN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

// The number of resources on a page.
const (
	defaultCount = 100
	maxCount     = 200
)

// window reads startIndex and count.
func (c *call) window() (start int64, count int, err error) {
	query := c.r.URL.Query()
	number := func(name string, otherwise int64) int64 {
		text := query.Get(name)
		if text == "" || err != nil {
			return otherwise
		}
		n, e := strconv.ParseInt(text, 10, 64)
		if e != nil {
			err = invalid("%s is %.64q, and must be a number", name, text)
		}
		return n
	}
	start = max(number("startIndex", 1), 1) - 1
	count = int(min(max(number("count", defaultCount), 0), maxCount))
	return start, count, err
}

// filter parses the parameter filter; nil if there is none.
func (c *call) filter() (*scim.Filter, error) {
	text := c.r.URL.Query().Get("filter")
	if text == "" {
		return nil, nil
	}
	f, err := scim.ParseFilter(text)
	if err != nil {
		return nil, badFilter("%v", err)
	}
	return f, nil
}

func badFilter(format string, args ...any) error {
	return &scim.Error{Type: "invalidFilter", Detail: fmt.Sprintf(format, args...)}
}

// equalities calls yield for each comparison with eq of which a match must fulfil all. It ends if yield
// returns true.
func equalities(f *scim.Filter, yield func(scim.Path, string) bool) bool {
	switch f.Op {
	case "and":
		return equalities(f.Left, yield) || equalities(f.Right, yield)
	case "eq":
		if s, ok := f.Value.(string); ok {
			return yield(f.Path, s)
		}
	case "[]":
		return f.Path.Sub == "" && equalities(f.Left, func(inner scim.Path, s string) bool {
			return inner.Sub == "" && yield(scim.Path{Attr: f.Path.Attr, Sub: inner.Attr}, s)
		})
	}
	return false
}

// mentions counts the comparisons of an attribute.
func mentions(f *scim.Filter, attribute string) (n int) {
	if f == nil {
		return 0
	}
	if f.Path.Attr == attribute {
		n++
	}
	if f.Op != "[]" { // inside, names are those of parts
		n += mentions(f.Left, attribute) + mentions(f.Right, attribute)
	}
	return n
}

// nothing is an id that no row has.
const nothing console.ID = "-"

// known returns an id that a row may have.
func known(id string) console.ID {
	if console.ID(id).Valid() {
		return console.ID(id)
	}
	return nothing
}

// userFilter returns what the database can choose by. The whole filter is evaluated afterwards.
func userFilter(f *scim.Filter) (chosen store.SCIMUserFilter, err error) {
	if f == nil {
		return chosen, nil
	}
	groups := mentions(f, "groups")
	equalities(f, func(p scim.Path, value string) bool {
		name := console.SCIMName(value)
		switch {
		case groups > 0 && (p.Attr != "groups" || !p.NamesValue()):
		case p.Attr == "groups":
			if chosen.Group = known(value); chosen.Group == nothing {
				chosen = store.SCIMUserFilter{ID: nothing}
			}
			groups--
		case p == scim.Path{Attr: "id"}:
			chosen.ID = known(value)
		case p == scim.Path{Attr: "username"} && name != "":
			chosen.UserName = name
		case p == scim.Path{Attr: "externalid"} && value != "":
			chosen.ExternalID = value
		case p.Attr == "emails" && p.NamesValue() && name != "":
			chosen.Address = name
		}
		return chosen != store.SCIMUserFilter{}
	})
	if groups > 0 {
		return chosen, badFilter(`groups are compared once, and in this form only: groups.value eq "id"`)
	}
	return chosen, nil
}

// groupFilter is userFilter for groups. member is the id of a user who must be a member.
func groupFilter(f *scim.Filter) (chosen store.SCIMGroupFilter, member console.ID, err error) {
	if f == nil {
		return chosen, "", nil
	}
	members := mentions(f, "members")
	equalities(f, func(p scim.Path, value string) bool {
		switch {
		case members > 0 && (p.Attr != "members" || !p.NamesValue()):
		case p.Attr == "members":
			member = known(value)
			members--
		case p == scim.Path{Attr: "id"}:
			chosen.ID = known(value)
		case p == scim.Path{Attr: "displayname"} && console.SCIMName(value) != "":
			chosen.Name = console.SCIMName(value)
		case p == scim.Path{Attr: "externalid"} && value != "":
			chosen.ExternalID = value
		}
		return member != "" || chosen != store.SCIMGroupFilter{}
	})
	if members > 0 {
		return chosen, member, badFilter(`members are compared once, and in this form only: members.value eq "id"`)
	}
	return chosen, member, nil
}

func listUsers(c *call) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	q := govern.PushedUsers{}
	if q.Start, q.Count, err = c.window(); err != nil {
		return err
	}
	if q.Filter, err = userFilter(f); err != nil {
		return err
	}
	var failed error
	if f != nil {
		q.Match = func(u console.SCIMUser) bool {
			doc, err := stored(u)
			if err != nil {
				failed = err
				return false
			}
			return f.Matches(func(name string) any {
				switch name {
				case "id":
					return string(u.ID)
				case "meta":
					return meta("User", c.base+"/Users/"+string(u.ID), u.Created, u.Modified, u.Version)
				case "groups":
					return scim.Object{{"value", string(q.Filter.Group)}}
				}
				return doc.Get(name)
			}, false)
		}
	}
	users, total, err := c.Console.PushedUsers(c.ctx(), c.pusher, q)
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	return c.list(total, q.Start, len(users), func(w *bytes.Buffer, i int, _ func() error) error {
		o, err := c.userDocument(users[i])
		if err != nil {
			return err
		}
		return json.NewEncoder(w).Encode(c.fields.Apply(o))
	})
}

func listGroups(c *call) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	q := govern.PushedGroups{}
	if q.Start, q.Count, err = c.window(); err != nil {
		return err
	}
	if q.Filter, q.Member, err = groupFilter(f); err != nil {
		return err
	}
	if f != nil {
		q.Match = func(g console.SCIMGroup) bool {
			return f.Matches(func(name string) any {
				if name == "members" {
					return scim.Object{{"value", string(q.Member)}}
				}
				return c.groupDocument(g).Get(name)
			}, false)
		}
	}
	groups, total, err := c.Console.PushedGroups(c.ctx(), c.pusher, q)
	if err != nil {
		return err
	}
	return c.list(total, q.Start, len(groups), func(w *bytes.Buffer, i int, flush func() error) error { return c.writeGroup(w, groups[i], flush) })
}

// list responds with a page of n resources, which write writes one by one.
func (c *call) list(total, start int64, n int, write func(w *bytes.Buffer, i int, flush func() error) error) error {
	return c.stream(http.StatusOK, func(w *bytes.Buffer, flush func() error) error {
		fmt.Fprintf(w, `{"schemas":[%q],"totalResults":%d,"startIndex":%d,"itemsPerPage":%d,"Resources":[`, listURN, total, start+1, n)
		for i := range n {
			if i > 0 {
				w.WriteByte(',')
			}
			if err := write(w, i, flush); err != nil {
				return err
			}
			if w.Len() >= flushSize {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		w.WriteString("]}")
		return nil
	})
}
