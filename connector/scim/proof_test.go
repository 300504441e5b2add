package scim_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"baton"
	"baton/connector/scim"
)

const listSchema = `"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],`

// cast answers reads by path with a status and a body, or by a function.
type cast map[string]any

func (c cast) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch a := c[r.URL.Path].(type) {
	case int:
		w.WriteHeader(a)
	case string:
		status := 200
		if n, err := fmt.Sscanf(a, "%d ", &status); n == 1 && err == nil {
			a = a[4:]
		}
		reply(w, status, a)
	case func(http.ResponseWriter, *http.Request):
		a(w, r)
	default:
		scimError(w, 404, "", "Resource not found")
	}
}

// TestProof: each case ends as shown, gone or an error, for a user and for a group.
func TestProof(t *testing.T) {
	const shown, gone = "shown", "gone"
	row := func(id string) string {
		return fmt.Sprintf(`{"id":%q,"userName":"%s@acme.example","displayName":"The %s","members":[{"value":"m1"},{"value":"m2"}]}`, id, id, id)
	}
	listOf := func(ids ...string) string {
		var rows []string
		for _, id := range ids {
			rows = append(rows, row(id))
		}
		return fmt.Sprintf(`{%s"totalResults":%d,"Resources":[%s]}`, listSchema, len(ids), strings.Join(rows, ","))
	}
	without := func(what, list string) string { return strings.ReplaceAll(list, what, "") }
	for name, tt := range map[string]struct {
		one, list, other any // answers to GET of the object, of its list, and of the other list
		want             string
	}{
		"shown":                                    {one: row("x"), want: shown},
		"another is shown":                         {one: row("y"), list: listOf("x"), want: "is not the"},
		"its id in another case":                   {one: row("X"), list: listOf("x"), want: "is not the"},
		"an error with status 200":                 {one: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404"}`, list: listOf("y"), want: "is not the"},
		"a web page":                               {one: `<html>`, list: listOf("y"), want: "HTML page"},
		"refused":                                  {one: 403, list: listOf("y"), want: "403"},
		"broken":                                   {one: 500, list: listOf("y"), want: "500"},
		"gone, says the list":                      {one: 404, list: listOf("y", "z"), want: gone},
		"gone with 410, says the list":             {one: 410, list: listOf("y", "z"), want: gone},
		"gone in SCIM's form, says the list":       {list: listOf("y"), want: gone},
		"gone, says a list of SCIM 1.1":            {list: strings.Replace(listOf("y"), "urn:ietf:params:scim:api:messages:2.0:ListResponse", "urn:scim:schemas:core:1.0", 1), want: gone},
		"gone, the schema in other case":           {list: strings.Replace(listOf("y"), "ListResponse", "listresponse", 1), want: gone},
		"gone, the schema is no list":              {list: strings.NewReplacer(`["urn`, `"urn`, `e"],`, `e",`).Replace(listOf("y")), want: gone},
		"gone, rows speak for the list":            {list: without(listSchema, listOf("y", "z")), want: gone},
		"the list has it":                          {one: 404, list: listOf("y", "x"), want: shown},
		"the list has another in its case":         {one: 404, list: listOf("X"), want: gone},
		"the list is denied":                       {one: 404, list: 404, want: "404"},
		"the list is refused":                      {one: 404, list: 403, want: "403"},
		"the list breaks":                          {one: 404, list: 500, want: "500"},
		"the list is a web page":                   {one: 404, list: `<html>`, want: "HTML page"},
		"the list is an error":                     {one: 404, list: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404"}`, want: "not a SCIM list"},
		"the list is shorter than its total":       {one: 404, list: strings.Replace(listOf("y"), `s":1`, `s":2`, 1), want: "1 of 2 were received"},
		"the list is empty, and nothing is shown":  {one: 404, list: listOf(), other: listOf(), want: "shows no users and no groups at all"},
		"the list is empty, and the other is bad":  {one: 404, list: listOf(), other: 404, want: "404"},
		"the list is empty, and others are shown":  {one: 404, list: listOf(), other: listOf("y"), want: gone},
		"empty, without Resources, others shown":   {one: 404, list: `{` + listSchema + `"totalResults":0}`, other: listOf("y"), want: gone},
		"an empty list without a schema":           {one: 404, list: `{"totalResults":0,"Resources":[]}`, other: listOf("y"), want: "not a SCIM list"},
		"a total without a schema":                 {one: 404, list: `{"totalResults":0}`, other: listOf("y"), want: "not a SCIM list"},
		"rows without names and without a schema":  {one: 404, list: `{"totalResults":1,"Resources":[{"id":"y"}]}`, want: "not a SCIM list"},
		"a list with the schema of something else": {one: 404, list: `{"schemas":["urn:x:Page"],"totalResults":1,"Resources":[{"id":"y"}]}`, want: "not a SCIM list"},
	} {
		for _, kind := range []string{"user", "group"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					answers := cast{"/Users/x": tt.one, "/Users": tt.list, "/Groups": tt.other}
					if kind == "group" {
						answers = cast{"/Groups/x": tt.one, "/Groups": tt.list, "/Users": tt.other}
					}
					c := connect(t, "https://scim.example.com", inProcess(answers.ServeHTTP), 100)
					var id string
					var there bool
					var err error
					if kind == "user" {
						var u scim.User
						u, there, err = c.LookUpUser(t.Context(), "x")
						id = u.ID
					} else {
						var g scim.Group
						if g, there, err = c.LookUpGroup(t.Context(), "x"); there && g.Members.Entries() != 2 {
							t.Errorf("%d members", g.Members.Entries())
						}
						id = g.ID
					}
					switch {
					case tt.want == shown && (err != nil || !there || id != "x"):
						t.Errorf("%q, %v, %v; want it shown", id, there, err)
					case tt.want == gone && (err != nil || there || id != ""):
						t.Errorf("%q, %v, %v; want it gone", id, there, err)
					case tt.want != shown && tt.want != gone:
						if err == nil || there || id != "" {
							t.Fatalf("%q, %v, %v; want an error", id, there, err)
						}
						if !strings.Contains(err.Error(), tt.want) || baton.FixOf(err) == "" {
							t.Errorf("%v (fix %q), want %q", err, baton.FixOf(err), tt.want)
						}
						if k := baton.KindOf(err); k == baton.NotFound || k == baton.Internal {
							t.Errorf("an unknown object is an error of kind %v", k)
						}
					}
				})
			})
		}
	}
}

// TestPagesThatDoNotVouch: the schema must be on every page or on none.
func TestPagesThatDoNotVouch(t *testing.T) {
	page := func(schema string, first, n, total int) string {
		var rows []string
		for i := range n {
			rows = append(rows, fmt.Sprintf(`{"id":"y%d","userName":"y%d@acme.example"}`, first+i, first+i))
		}
		return fmt.Sprintf(`{%s"totalResults":%d,"Resources":[%s]}`, schema, total, strings.Join(rows, ","))
	}
	for name, tt := range map[string]struct {
		first, second string
		gone          bool
	}{
		"both":        {listSchema, listSchema, true},
		"neither":     {"", "", true},
		"one of them": {listSchema, "", false},
		"the other":   {"", listSchema, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, 2, cast{"/Users": func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("startIndex") == "1" {
					reply(w, 200, page(tt.first, 1, 2, 3))
				} else {
					reply(w, 200, page(tt.second, 2, 2, 3)) // overlaps by the last row
				}
			}}.ServeHTTP)
			_, shown, err := c.LookUpUser(t.Context(), "x")
			if shown || (err == nil) != tt.gone {
				t.Errorf("shown %v, %v", shown, err)
			}
		})
	}
}

// TestAGroupThatIsShownLate: the list has the group without members, and the group itself is shown at the
// third request.
func TestAGroupThatIsShownLate(t *testing.T) {
	for _, answersAt := range []int{2, 3, 5, 6} {
		t.Run(fmt.Sprint(answersAt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				c := connect(t, "https://scim.example.com", inProcess(cast{
					"/Groups": `{` + listSchema + `"totalResults":1,"Resources":[{"id":"x","displayName":"X"}]}`,
					"/Groups/x": func(w http.ResponseWriter, _ *http.Request) {
						if requests++; requests < answersAt {
							w.WriteHeader(404)
							return
						}
						reply(w, 200, `{"id":"x","displayName":"X","members":[{"value":"m1"}]}`)
					},
				}.ServeHTTP), 100)
				members := 0
				_, shown, err := c.StreamGroup(t.Context(), "x", func(*scim.Group, scim.Member) { members++ }, func() { members = 0 })
				if want := answersAt < 6; shown != want || (err == nil) != want || (members == 1) != want {
					t.Errorf("shown %v, %d members, %v", shown, members, err)
				}
				if err != nil && !errors.Is(err, scim.ErrNotShown) {
					t.Error(err)
				}
			})
		})
	}
}

// TestListsAreAskedForAgain: a 404 that is not SCIM, in the middle of a list, is a temporary failure of a
// proxy. A 404 from the server itself is not, and neither is the very first response.
func TestListsAreAskedForAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		bad      []int // numbers of the requests that fail
		form     func(http.ResponseWriter)
		complete bool
	}{
		"the second once":           {[]int{2}, func(w http.ResponseWriter) { w.WriteHeader(404) }, true},
		"the second three times":    {[]int{2, 3, 4}, func(w http.ResponseWriter) { reply(w, 404, "default backend - 404") }, true},
		"the second four times":     {[]int{2, 3, 4, 5}, func(w http.ResponseWriter) { reply(w, 404, "default backend - 404") }, false},
		"the second, by the server": {[]int{2}, func(w http.ResponseWriter) { scimError(w, 404, "", "no") }, false},
		"the first":                 {[]int{1}, func(w http.ResponseWriter) { w.WriteHeader(404) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				c := connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, r *http.Request) {
					n++
					for _, bad := range tt.bad {
						if n == bad {
							tt.form(w)
							return
						}
					}
					var start int
					fmt.Sscan(r.URL.Query().Get("startIndex"), &start)
					row := ""
					if start <= 3 {
						row = fmt.Sprintf(`{"id":"%d","userName":"p%d"}`, start, start)
					}
					reply(w, 200, fmt.Sprintf(`{"totalResults":3,"Resources":[%s]}`, row))
				}), 1)
				users := 0
				err := c.AllUsers(t.Context(), func(scim.User) { users++ })
				if (err == nil) != tt.complete || tt.complete && users != 3 {
					t.Errorf("%d users, %v", users, err)
				}
			})
		})
	}
}
