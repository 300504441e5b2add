package perplexity_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"baton/sandbox/perplexity"
)

func TestPatchUser(t *testing.T) {
	const enterprise = `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`
	// The user starts as ada.okafor@acme.example with a primary work address.
	for _, c := range []struct{ name, ops, attribute, want string }{
		{"replace with a path", `{"op":"replace","path":"active","value":false}`, "active", "false"},
		{"Okta, without a path", `{"op":"replace","value":{"id":"x","active":false}}`, "active", "false"},
		{"Entra, as a string", `{"op":"Replace","path":"active","value":"False"}`, "active", "false"},
		{"Entra, dotted names", `{"op":"Add","value":{"name.givenName":"Adah","` + enterprise + `:department":"Ops"}}`, "name", `{"familyName":"Okafor","givenName":"Adah"}`},
		{"name is merged", `{"op":"replace","path":"name","value":{"givenName":"Adah"}}`, "name", `{"familyName":"Okafor","givenName":"Adah"}`},
		{"sub-attribute", `{"op":"add","path":"name.middleName","value":"B."}`, "name", `{"familyName":"Okafor","givenName":"Ada","middleName":"B."}`},
		{"remove a sub-attribute", `{"op":"remove","path":"name.familyName"}`, "name", `{"givenName":"Ada"}`},
		{"remove an attribute", `{"op":"remove","path":"displayName"}`, "displayName", "null"},
		{"remove what is not there", `{"op":"remove","path":"title"}`, "title", "null"},
		{"extension", `{"op":"add","path":"` + enterprise + `:department","value":"Ops"}`, enterprise, `{"department":"Ops"}`},
		{"extension as a whole", `{"op":"add","value":{"` + enterprise + `":{"department":"Ops"}}}`, enterprise, `{"department":"Ops"}`},
		{"unknown extension", `{"op":"add","value":{"urn:acme:custom:1.0:User":{"badge":7}}}`, "urn:acme:custom:1.0:User", `{"badge":7}`},
		{"chosen address", `{"op":"replace","path":"emails[type eq \"work\"].value","value":"a@acme.example"}`, "emails", `[{"primary":true,"type":"work","value":"a@acme.example"}]`},
		{"added through a filter", `{"op":"add","path":"emails[type eq \"home\"].value","value":"h@home.example"}`, "emails",
			`[{"primary":true,"type":"work","value":"ada.okafor@acme.example"},{"primary":false,"type":"home","value":"h@home.example"}]`},
		{"only one is primary", `{"op":"add","path":"emails","value":[{"value":"o@acme.example","type":"other","primary":true}]}`, "emails",
			`[{"primary":false,"type":"work","value":"ada.okafor@acme.example"},{"primary":true,"type":"other","value":"o@acme.example"}]`},
		{"added again", `{"op":"add","path":"emails","value":[{"value":"ada.okafor@acme.example","type":"work","primary":true}]}`, "emails",
			`[{"primary":true,"type":"work","value":"ada.okafor@acme.example"}]`},
		{"removed by filter", `{"op":"add","path":"emails","value":"x@home.example"},{"op":"remove","path":"emails[type eq \"work\"]"}`, "emails",
			`[{"primary":false,"value":"x@home.example"}]`},
		{"in order", `{"op":"add","path":"title","value":"A"},{"op":"replace","path":"title","value":"B"}`, "title", `"B"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, perplexity.Options{})
			path := "/Users/" + s.user("ada.okafor@acme.example").ID
			answered := s.want(200, s.do("PATCH", path, patch(c.ops))).JSON[c.attribute]
			read := s.do("GET", path, "").JSON[c.attribute]
			for _, v := range []any{answered, read} {
				if got, _ := json.Marshal(v); string(got) != c.want {
					t.Errorf("%s is %s, want %s", c.attribute, got, c.want)
				}
			}
		})
	}
}

func TestPatchRefused(t *testing.T) {
	for _, c := range []struct{ name, body, scimType string }{
		{"no schemas", `{"Operations":[{"op":"replace","path":"active","value":false}]}`, "invalidSyntax"},
		{"no operations", patch(), "invalidSyntax"},
		{"operations not a list", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":{}}`, "invalidSyntax"},
		{"unknown op", patch(`{"op":"move","path":"active","value":false}`), "invalidSyntax"},
		{"not an object", patch(`7`), "invalidSyntax"},
		{"bad path", patch(`{"op":"replace","path":"emails[","value":1}`), "invalidPath"},
		{"path not a string", patch(`{"op":"replace","path":7,"value":1}`), "invalidPath"},
		{"filter on a single value", patch(`{"op":"replace","path":"name[givenName eq \"Ada\"]","value":{}}`), "invalidPath"},
		{"no value", patch(`{"op":"replace","path":"active"}`), "invalidValue"},
		{"null", patch(`{"op":"replace","path":"displayName","value":null}`), "invalidSyntax"},
		{"wrong type", patch(`{"op":"replace","path":"active","value":"maybe"}`), "invalidSyntax"},
		{"remove without a path", patch(`{"op":"remove"}`), "noTarget"},
		{"nothing chosen", patch(`{"op":"replace","path":"emails[type eq \"fax\"].value","value":"x"}`), "noTarget"},
		{"id", patch(`{"op":"replace","path":"id","value":"x"}`), "mutability"},
		{"groups", patch(`{"op":"add","path":"groups","value":[{"value":"x"}]}`), "mutability"},
		{"userName away", patch(`{"op":"remove","path":"userName"}`), "invalidValue"},
		{"second operation fails", patch(`{"op":"replace","path":"active","value":false}`, `{"op":"remove"}`), "noTarget"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, perplexity.Options{})
			path := "/Users/" + s.user("ada.okafor@acme.example").ID
			before := s.do("GET", path, "").raw
			r := s.want(400, s.do("PATCH", path, c.body))
			if r.JSON["scimType"] != c.scimType {
				t.Errorf("answer %s", r.raw)
			}
			if after := s.do("GET", path, "").raw; string(before) != string(after) {
				t.Errorf("the user changed to %s", after)
			}
		})
	}
	s := start(t, perplexity.Options{})
	s.want(409, s.do("PATCH", "/Users/"+s.user("ada.okafor@acme.example").ID, patch(`{"op":"replace","path":"userName","value":"`+s.State().Users[3].UserName+`"}`)))
	s.want(404, s.do("PATCH", "/Users/nobody", setActive(false)))
}

// consistent checks the invariants of every state.
func consistent(t *testing.T, st perplexity.State) {
	t.Helper()
	in := map[[2]string]int{}
	for _, g := range st.Groups {
		for _, m := range g.Members {
			in[[2]string{m, g.ID}]++
		}
	}
	names := map[string]bool{}
	for _, u := range st.Users {
		for _, g := range u.Groups {
			in[[2]string{u.ID, g}] += 2
		}
		if names[strings.ToLower(u.UserName)] || u.UserName == "" {
			t.Errorf("userName %q is used twice", u.UserName)
		}
		names[strings.ToLower(u.UserName)] = true
	}
	for pair, n := range in {
		if n != 3 {
			t.Errorf("membership %v is not known to both once: %d", pair, n)
		}
	}
	if st.SeatsUsed > st.Seats {
		t.Errorf("%d of %d seats", st.SeatsUsed, st.Seats)
	}
}

func FuzzPatch(f *testing.F) {
	opts := perplexity.Options{Token: "t"}
	st := perplexity.New(opts).State()
	user, group := st.Users[0].ID, st.Groups[0].ID
	for _, ops := range []string{addOp(st.Users[9].ID), removeOp(user), `{"op":"remove","path":"members"}`, `{"op":"Replace","value":{"active":"False","name.givenName":"x"}}`,
		`{"op":"add","path":"emails[type eq \"home\" and primary eq true].value","value":"x"}`, `{"op":"remove","path":"emails[not (value co \"@\")].type"}`,
		`{"op":"replace","path":"members","value":[{"value":"` + user + `"},"x",7]}`, `{"op":"add","value":{"urn:a:b":{"c":[1]}}}`} {
		f.Add(patch(ops))
	}
	f.Fuzz(func(t *testing.T, body string) {
		s := perplexity.New(opts)
		for _, path := range []string{"/Users/" + user, "/Groups/" + group} {
			code, answer := serve(s, "PATCH", path, body)
			if code >= 500 || code < 300 && code != 200 || !json.Valid(answer) {
				t.Fatalf("status %d: %s", code, answer)
			}
			if code, answer := serve(s, "GET", path, ""); code != 200 || !json.Valid(answer) {
				t.Fatalf("then GET: status %d: %s", code, answer)
			}
		}
		consistent(t, s.State())
	})
}

// TestConcurrentPatches adds all users to one group concurrently, while others leave and are read: no update
// is lost.
func TestConcurrentPatches(t *testing.T) {
	s := start(t, perplexity.Options{})
	crowd := s.AddGroup("Crowd")
	leaving := s.group("PPLX_Members")
	var all []string
	for _, u := range s.State().Users {
		if u.Managed {
			all = append(all, u.ID)
		}
	}
	var wg sync.WaitGroup
	for _, id := range all {
		wg.Go(func() {
			if code, body := serve(s.Server, "PATCH", "/Groups/"+crowd, patch(addOp(id))); code != 200 {
				t.Errorf("add: %d %s", code, body)
			}
		})
		wg.Go(func() {
			if code, body := serve(s.Server, "PATCH", "/Groups/"+leaving.ID, patch(removeOp(id))); code != 200 {
				t.Errorf("remove: %d %s", code, body)
			}
		})
		wg.Go(func() { serve(s.Server, "GET", "/Users?count=5&startIndex=3", "") })
		wg.Go(func() { s.State(); s.Requests(); s.ActiveFaults() })
		wg.Go(func() { s.SetFaults("page-cap=7", "stale-reads") })
	}
	wg.Wait()
	st := s.State()
	got, _ := st.Group("Crowd")
	slices.Sort(got.Members)
	slices.Sort(all)
	if !slices.Equal(got.Members, all) {
		t.Errorf("%d of %d members", len(got.Members), len(all))
	}
	if left := s.group("PPLX_Members").Members; len(left) != 0 {
		t.Errorf("%d members did not leave", len(left))
	}
	consistent(t, st)
}

func TestDriving(t *testing.T) {
	s := start(t, perplexity.Options{})
	id := s.AddUser(perplexity.Person{UserName: "zed@acme.example", GivenName: "Zed", ExternalID: "z"})
	hidden := s.AddUser(perplexity.Person{UserName: "hid@acme.example", Console: true})
	away := s.AddUser(perplexity.Person{UserName: "away@acme.example", Elsewhere: true})
	group := s.AddGroup("New")
	if !s.AddMember(group, id) || s.AddMember(group, id) || s.AddMember(group, hidden) || s.AddMember("none", id) {
		t.Error("AddMember reports wrongly")
	}
	r := s.want(200, s.do("GET", "/Users/"+id, ""))
	if fmt.Sprint(r.JSON["groups"]) != "[map[display:New type:direct value:"+group+"]]" {
		t.Errorf("groups %v", r.JSON["groups"])
	}
	s.want(404, s.do("GET", "/Users/"+hidden, ""))
	if s.user(away).Role != perplexity.Excluded || s.user(hidden).Managed {
		t.Error("people of other places")
	}
	if !s.SetActive(id, false) || s.SetActive("none", false) || s.user(id).Active {
		t.Error("SetActive")
	}
	if !s.RemoveMember(group, id) || s.RemoveMember(group, id) {
		t.Error("RemoveMember reports wrongly")
	}
	s.AddMember(group, id)
	if !s.RemoveUser(id) || s.RemoveUser(id) || !s.RemoveUser(hidden) || !s.RemoveGroup(group) || s.RemoveGroup(group) {
		t.Error("removals report wrongly")
	}
	s.want(404, s.do("GET", "/Users/"+id, ""))
	s.want(404, s.do("GET", "/Groups/"+group, ""))
	consistent(t, s.State())
}
