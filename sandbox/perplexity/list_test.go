package perplexity_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"baton/internal/longtest"
	"baton/sandbox/perplexity"
)

// order returns the ids of all users in list order, from one page.
func (s *sandbox) order() []string {
	s.t.Helper()
	return ids(s.want(200, s.do("GET", "/Users?count=1000", "")).resources())
}

func TestPages(t *testing.T) {
	s := start(t, perplexity.Options{Users: 250})
	all := s.order()
	for _, c := range []struct {
		query string
		want  []string
		start int
	}{
		{"", all[:100], 1},
		{"?count=40", all[:40], 1},
		{"?startIndex=1&count=40", all[:40], 1},
		{"?startIndex=41&count=40", all[40:80], 41},
		{"?startIndex=241&count=40", all[240:], 241},
		{"?startIndex=251", nil, 251},
		{"?startIndex=0&count=2", all[:2], 1},
		{"?startIndex=-5&count=2", all[:2], 1},
		{"?count=0", nil, 1},
		{"?count=-1", nil, 1},
	} {
		r := s.want(200, s.do("GET", "/Users"+c.query, ""))
		if got := ids(r.resources()); !slices.Equal(got, c.want) {
			t.Errorf("%s: %d rows, want %d", c.query, len(got), len(c.want))
		}
		if r.total() != 250 || r.JSON["itemsPerPage"] != float64(len(c.want)) || r.JSON["startIndex"] != float64(c.start) {
			t.Errorf("%s: total %v, itemsPerPage %v, startIndex %v", c.query, r.JSON["totalResults"], r.JSON["itemsPerPage"], r.JSON["startIndex"])
		}
	}
	for _, query := range []string{"?startIndex=x", "?count=ten"} {
		if r := s.want(400, s.do("GET", "/Users"+query, "")); r.JSON["scimType"] != "invalidValue" {
			t.Errorf("%s: %s", query, r.raw)
		}
	}
}

func TestAttributes(t *testing.T) {
	s := start(t, perplexity.Options{})
	u := s.State().Users[0].ID
	g := s.group("Engineering").ID
	for _, c := range []struct{ path, want string }{
		{"/Users/" + u + "?attributes=userName", "id schemas userName"},
		{"/Users/" + u + "?attributes=USERNAME,meta", "id meta schemas userName"},
		{"/Users/" + u + "?attributes=urn:ietf:params:scim:schemas:core:2.0:User:active", "active id schemas"},
		{"/Users/" + u + "?attributes=name.givenName", "id name schemas"},
		{"/Users/" + u + "?excludedAttributes=groups,meta,id", "active displayName emails externalId id name schemas userName"},
		{"/Groups/" + g + "?excludedAttributes=members", "displayName id meta schemas"},
		{"/Groups/" + g + "?attributes=displayName", "displayName id schemas"},
		{"/Groups/" + g + "?attributes=members.value", "id members schemas"},
	} {
		got := keys(s.want(200, s.do("GET", c.path, "")).JSON)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	name := s.do("GET", "/Users/"+u+"?attributes=name.givenName", "").JSON["name"]
	if fmt.Sprint(name) != "map[givenName:Ada]" {
		t.Errorf("name %v", name)
	}
	name = s.do("GET", "/Users/"+u+"?excludedAttributes=name.givenName", "").JSON["name"]
	if fmt.Sprint(name) != "map[familyName:Okafor]" {
		t.Errorf("name %v", name)
	}
	s.want(400, s.do("GET", "/Users?attributes=%22", ""))
	if row := s.do("GET", "/Groups?excludedAttributes=members", "").resources()[0]; row["members"] != nil {
		t.Errorf("members in the list: %v", row)
	}
}

func keys(m map[string]any) string {
	var names []string
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestFilters(t *testing.T) {
	s := start(t, perplexity.Options{Empty: true})
	s.want(201, s.do("POST", "/Users", `{"userName":"Ann@acme.example","displayName":"Ann \"A\" Lee","externalId":"X1","name":{"familyName":"Lee"},"badge":7}`))
	s.want(201, s.do("POST", "/Users", `{"userName":"bob@acme.example","displayName":"Bob","active":false,
		"emails":[{"value":"bob@acme.example","type":"work","primary":true},{"value":"b@home.example","type":"home"}]}`))
	s.want(201, s.do("POST", "/Users", `{"userName":"cy@acme.example","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Ops"}}`))
	ann := s.user("ann@acme.example").ID
	s.want(201, s.do("POST", "/Groups", `{"displayName":"Team","members":[{"value":"`+ann+`"}]}`))
	team := s.group("Team").ID
	for _, c := range []struct{ filter, want string }{
		{`userName eq "ANN@acme.example"`, "ann"},
		{`UserName Eq "ann@acme.example"`, "ann"},
		{`userName eq "nobody"`, ""},
		{`id eq "` + ann + `"`, "ann"},
		{`id eq "` + strings.ToLower(ann) + `"`, ""},
		{`externalId eq "X1"`, "ann"},
		{`externalId eq "x1"`, ""},
		{`externalId pr`, "ann"},
		{`not (externalId pr)`, "bob cy"},
		{`externalId eq null`, "bob cy"},
		{`displayName co "\"A\""`, "ann"},
		{`displayName sw "b"`, "bob"},
		{`userName ew ".EXAMPLE"`, "ann bob cy"},
		{`active eq true`, "ann cy"},
		{`active eq False`, "bob"},
		{`active eq "false"`, "bob"},
		{`active ne true`, "bob"},
		{`name.familyName eq "lee"`, "ann"},
		{`emails.value eq "B@home.example"`, "bob"},
		{`emails eq "b@home.example"`, "bob"},
		{`emails[type eq "home"]`, "bob"},
		{`emails[type eq "work" and value co "b@home"]`, ""},
		{`emails[type eq "home" and value co "home"] and active eq false`, "bob"},
		{`userName gt "b"`, "bob cy"},
		{`userName le "bob@acme.example"`, "ann bob"},
		{`meta.created ge "2026-03-01T11:00:00Z"`, "ann bob cy"},
		{`meta.created lt "2026-03-01T13:00:00.000+02:00"`, ""},
		{`badge eq 7.0`, "ann"},
		{`badge gt 7`, ""},
		{`groups.value eq "` + team + `"`, "ann"},
		{`groups eq "` + team + `"`, "ann"},
		{`groups.value eq "nothing"`, ""},
		{`groups.display eq "team"`, "ann"},
		{`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "cy"`, "cy"},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "ops"`, "cy"},
		{`userName sw "a" or userName sw "b" and active eq true`, "ann"},
		{`(userName sw "a" or userName sw "b") and active eq false`, "bob"},
		{`not (userName sw "a") and not (userName sw "b")`, "cy"},
		{`unheardOf eq "x"`, ""},
		{`userName co "é"`, ""},
	} {
		r := s.want(200, s.do("GET", "/Users?filter="+url.QueryEscape(c.filter), ""))
		var got []string
		for _, row := range r.resources() {
			name, _, _ := strings.Cut(strings.ToLower(row["userName"].(string)), "@")
			got = append(got, name)
		}
		if strings.Join(got, " ") != c.want || r.total() != len(got) {
			t.Errorf("%s: %v, want %s", c.filter, got, c.want)
		}
	}
	for filter, want := range map[string]int{`displayName eq "team"`: 1, `members.value eq "` + ann + `"`: 1, `members eq "` + ann + `"`: 1,
		`members.value eq "x"`: 0, `members[display sw "ann"]`: 1, `id eq "` + team + `"`: 1, `meta.resourceType eq "Group"`: 1} {
		if n := s.want(200, s.do("GET", "/Groups?filter="+url.QueryEscape(filter), "")).total(); n != want {
			t.Errorf("groups: %s: %d", filter, n)
		}
	}
	for _, filter := range []string{`userName`, `userName eq`, `userName is "x"`, `eq "x"`, `userName eq x`, `userName eq "x`, `(userName pr`, `userName pr)`,
		`not userName pr`, `emails[type eq "work"`, `userName eq "a" and`, `userName eq "a" "b"`, `active gt true`, `active co true`, `userName eq "\x"`,
		`a.b.c eq 1`, `1a eq 1`, `urn:x: eq 1`, strings.Repeat("(", 200) + "id pr" + strings.Repeat(")", 200), " "} {
		if r := s.want(400, s.do("GET", "/Users?filter="+url.QueryEscape(filter), "")); r.JSON["scimType"] != "invalidFilter" || r.detail() == "" {
			t.Errorf("%s: %s", filter, r.raw)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{`userName eq "a"`, `not (a pr) and b.c gt 1 or emails[type eq "x" and not (primary eq true)]`,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName co "é\"\u00e9"`, `a eq null`, `((((`, `a eq -1.5e+3`, `meta.created le "2026-01-01T00:00:00Z"`} {
		f.Add(seed)
	}
	s := perplexity.New(perplexity.Options{})
	f.Fuzz(func(t *testing.T, filter string) {
		for _, resource := range []string{"/Users", "/Groups"} {
			code, body := serve(s, "GET", resource+"?filter="+url.QueryEscape(filter), "")
			if code != 200 && code != 400 || !json.Valid(body) {
				t.Fatalf("%q: status %d: %s", filter, code, body)
			}
		}
	})
}

// serve calls the server without a network.
func serve(s *perplexity.Server, method, path, body string) (int, []byte) {
	r := httptest.NewRequest(method, s.URLPath()+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+s.Token())
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

// TestMadeUpOrganisation: a seed determines everything, and the generated organisation has the requested
// sizes.
func TestMadeUpOrganisation(t *testing.T) {
	opts := perplexity.Options{Users: 500, Groups: 12, MembersMin: 20, MembersMax: 60, Seed: 7, Token: "t"}
	a, b := perplexity.New(opts).State(), perplexity.New(opts).State()
	if !reflect.DeepEqual(a, b) {
		t.Error("the same seed made two organisations")
	}
	opts.Seed++
	if c := perplexity.New(opts).State(); c.Users[0].ID == a.Users[0].ID {
		t.Error("another seed made the same ids")
	}
	if len(a.Groups) != 12 || a.Groups[0].DisplayName != "PPLX_Admin" || a.Groups[1].DisplayName != "PPLX_Members" {
		t.Errorf("%d groups, the first are %s and %s", len(a.Groups), a.Groups[0].DisplayName, a.Groups[1].DisplayName)
	}
	groups := map[string]bool{}
	for _, g := range a.Groups {
		groups[g.DisplayName] = true
		members := map[string]bool{}
		for _, id := range g.Members {
			members[id] = true
		}
		if len(members) != len(g.Members) || len(members) < 20 || len(members) > 60 {
			t.Errorf("%s has %d members, %d of them different", g.DisplayName, len(g.Members), len(members))
		}
	}
	names, seen := map[string]bool{}, map[string]int{}
	for _, u := range a.Users {
		names[u.UserName] = true
		switch {
		case u.DisplayName == "":
			seen["no displayName"]++
		case u.Managed && u.FamilyName == "":
			seen["single word"]++
		case u.Role == perplexity.Excluded:
			seen["excluded"]++
		case !u.Active:
			seen["disabled"]++
		}
		if strings.ContainsFunc(u.DisplayName, func(r rune) bool { return r > 127 }) {
			seen["not ASCII"]++
		}
		if strings.ContainsFunc(u.UserName, func(r rune) bool { return r > 127 || r == '\'' || r == '|' }) {
			t.Errorf("userName %q", u.UserName)
		}
	}
	if len(names) != len(a.Users) || len(groups) != len(a.Groups) {
		t.Errorf("%d users have %d names, %d groups %d", len(a.Users), len(names), len(a.Groups), len(groups))
	}
	if seen["no displayName"] != 1 || seen["single word"] != 1 || seen["excluded"] != 1 || seen["disabled"] != 20 || seen["not ASCII"] < 50 {
		t.Errorf("special users: %v", seen)
	}
}

// TestEncoding compares the encoder with encoding/json.
func TestEncoding(t *testing.T) {
	s := start(t, perplexity.Options{})
	s.want(201, s.do("POST", "/Users", `{"userName":"e@acme.example","displayName":"tab\t quote\" <é> \u2028 back\\","badge":1.50,"list":[1,true,{"a":[]}]}`))
	r := s.do("GET", "/Users/"+s.user("e@acme.example").ID, "")
	if !json.Valid(r.raw) || r.JSON["displayName"] != "tab\t quote\" <é> \u2028 back\\" || r.JSON["badge"] != 1.5 {
		t.Errorf("read back %s", r.raw)
	}
	if fmt.Sprint(r.JSON["list"]) != "[1 true map[a:[]]]" {
		t.Errorf("list %v", r.JSON["list"])
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		perplexity.New(perplexity.Options{Users: 100_000, Groups: 1000, MembersMin: 100, MembersMax: 1000})
	}
}

func BenchmarkPages(b *testing.B) {
	s := perplexity.New(perplexity.Options{Users: 100_000, Groups: 1000, MembersMin: 100, MembersMax: 1000})
	for _, path := range []string{"/Users?startIndex=50001&count=100", "/Groups?startIndex=501&count=100", "/Users?filter=userName+sw+%22zoe%22&count=10"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				if code, _ := serve(s, http.MethodGet, path, ""); code != 200 {
					b.Fatal(code)
				}
			}
		})
	}
}

// TestBigOrganisation: the last page of a long list is as cheap as the first, measured in allocations.
// BenchmarkNew and BenchmarkPages measure times.
func TestBigOrganisation(t *testing.T) {
	users, groups := longtest.Pick(5_000, 100_000), longtest.Pick(150, 1000)
	s := perplexity.New(perplexity.Options{Users: users, Groups: groups, MembersMin: 100, MembersMax: 1000})
	for list, rows := range map[string]int{"/Users": users, "/Groups": groups} {
		page := func(start int) float64 {
			path := fmt.Sprintf("%s?startIndex=%d&count=100", list, start)
			return testing.AllocsPerRun(3, func() {
				code, body := serve(s, "GET", path, "")
				var answer struct {
					TotalResults int
					Resources    []json.RawMessage
				}
				if err := json.Unmarshal(body, &answer); err != nil || code != 200 || answer.TotalResults != rows || len(answer.Resources) != 100 {
					t.Errorf("%s: status %d, %d of %d, %v", path, code, len(answer.Resources), answer.TotalResults, err)
				}
			})
		}
		if begin, end := page(1), page(rows-99); end > 2*begin {
			t.Errorf("%s: %v allocations for the first page, %v for the last", list, begin, end)
		}
	}
}
