package scim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// TestTokens rotates and revokes tokens.
func TestTokens(t *testing.T) {
	f := newFixture(t)
	for _, header := range []string{"", "Bearer", "Bearer x", "Basic " + f.token.Reveal()} {
		a := f.refused(401, "", "GET", "/Users", "", "Authorization", header)
		if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
			t.Errorf("WWW-Authenticate %q", got)
		}
	}
	old := f.token
	f.want(200, "GET", "/Users", "")
	f.pass(30 * time.Second)
	f.want(200, "GET", "/Users", "", "Authorization", "bearer  "+old.Reveal())
	var err error
	f.token, err = f.govern.AddSCIMToken(t.Context(), f.super, f.source)
	f.check(err)
	if _, err := f.govern.AddSCIMToken(t.Context(), f.super, f.source); err == nil {
		t.Error("a third token")
	}
	v, err := f.govern.SCIMSource(t.Context(), f.super, f.source)
	f.check(err)
	if len(v.Working()) != 2 || !v.LastUsed.Equal(noon) || v.Error != "" {
		t.Errorf("%+v", v)
	}
	f.want(200, "GET", "/Users", "")
	f.check(f.govern.RevokeSCIMToken(t.Context(), f.super, f.source, v.Tokens[1].ID))
	f.want(200, "GET", "/Users", "")
	f.refused(401, "", "GET", "/Users", "", "Authorization", "Bearer "+old.Reveal())
	v, err = f.govern.SCIMSource(t.Context(), f.super, f.source)
	f.check(err)
	if len(v.Working()) != 1 || !strings.Contains(v.Error, "revoked") {
		t.Errorf("%+v", v)
	}
	f.view(func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, store.PageSize)
		for _, e := range events {
			if strings.Contains(string(e.Payload), f.token.Reveal()) || strings.Contains(string(e.Payload), old.Reveal()) {
				t.Errorf("a token is in event %s", e.Payload)
			}
		}
		return err
	})
}

// TestRefused sends what a server must refuse.
func TestRefused(t *testing.T) {
	f := newFixture(t)
	id := f.want(201, "POST", "/Users", newUser("ana@example.com")).id()
	f.want(201, "POST", "/Users", newUser("ben@example.com"))
	group := f.want(201, "POST", "/Groups", `{"displayName":"Team"}`).id()
	f.want(201, "POST", "/Groups", `{"displayName":"Other"}`)
	user, team := "/Users/"+id, "/Groups/"+group
	nobody := string(console.NewID(noon))
	for _, tt := range []struct {
		status               int
		scimType             string
		method, path, body   string
		headerName, headerIs string
	}{
		{400, "invalidSyntax", "POST", "/Users", `{`, "", ""},
		{400, "invalidSyntax", "POST", "/Users", `[]`, "", ""},
		{400, "invalidSyntax", "POST", "/Users", `{} {}`, "", ""},
		{400, "invalidSyntax", "POST", "/Users", "{\"userName\":\"\xff\"}", "", ""},
		{400, "invalidSyntax", "POST", "/Users", `{"userName":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, "", ""},
		{400, "invalidValue", "POST", "/Users", `{}`, "", ""},
		{400, "invalidValue", "POST", "/Users", newUser("  "), "", ""},
		{400, "invalidValue", "POST", "/Users", `{"userName":7}`, "", ""},
		{400, "invalidValue", "POST", "/Users", newUser(strings.Repeat("x", 1001)), "", ""},
		{400, "invalidValue", "POST", "/Users", newUser("x", `"active":"perhaps"`), "", ""},
		{400, "invalidValue", "POST", "/Users", newUser("x", `"active":{}`), "", ""},
		{400, "invalidValue", "POST", "/Users", newUser("x", `"name":"x"`), "", ""},
		{400, "invalidValue", "POST", "/Users", newUser("x", `"emails":[7]`), "", ""},
		{400, "invalidValue", "POST", "/Users", newUser("x", `"emails":[`+strings.Repeat(`"a@b",`, 50)+`"a@b"]`), "", ""},
		{400, "invalidValue", "POST", "/Users", newUser("x", `"`+enterprise+`":{"manager":["a","b"]}`), "", ""},
		{415, "", "POST", "/Users", newUser("x"), "Content-Type", "text/xml"},
		{413, "", "POST", "/Users", newUser("x", `"title":"`+strings.Repeat("x", 1<<20)+`"`), "", ""},
		{409, "uniqueness", "PUT", user, newUser("BEN@example.com"), "", ""},
		{409, "uniqueness", "PATCH", user, patch(`{"op":"replace","path":"userName","value":"ben@example.com"}`), "", ""},
		{400, "invalidValue", "PATCH", user, patch(`{"op":"remove","path":"userName"}`), "", ""},
		{400, "invalidValue", "PATCH", user, patch(`{"op":"replace","path":"active"}`), "", ""},
		{400, "invalidSyntax", "PATCH", user, `{"Operations":[{"op":"replace","path":"active","value":false}]}`, "", ""},
		{400, "invalidSyntax", "PATCH", user, patch(), "", ""},
		{400, "invalidSyntax", "PATCH", user, patch(`{"op":"move","path":"active"}`), "", ""},
		{400, "invalidPath", "PATCH", user, patch(`{"op":"replace","path":"emails[type eq","value":"x"}`), "", ""},
		{400, "noTarget", "PATCH", user, patch(`{"op":"replace","path":"emails[type eq \"fax\"].value","value":"x"}`), "", ""},
		{400, "noTarget", "PATCH", user, patch(`{"op":"remove"}`), "", ""},
		{400, "mutability", "PATCH", user, patch(`{"op":"replace","path":"id","value":"x"}`), "", ""},
		{400, "tooMany", "PATCH", user, patch(strings.Repeat(`{"op":"replace","path":"title","value":"x"},`, 1000) + `{"op":"replace","path":"title","value":"y"}`), "", ""},
		{404, "", "PUT", "/Users/" + nobody, newUser("x"), "", ""},
		{404, "", "PATCH", "/Users/%00%ff", patch(`{"op":"replace","path":"active","value":false}`), "", ""},
		{404, "", "GET", "/Users/%00", "", "", ""},
		{404, "", "GET", "/Nothing", "", "", ""},
		{405, "", "DELETE", "/Users", "", "", ""},
		{405, "", "POST", "/Schemas", "", "", ""},
		{501, "", "POST", "/Bulk", `{}`, "", ""},
		{412, "", "PUT", user, newUser("ana@example.com", `"title":"x"`), "If-Match", `W/"9"`},
		{412, "", "DELETE", user, "", "If-Match", `W/"9"`},
		{412, "", "PATCH", team, patch(`{"op":"replace","path":"displayName","value":"x"}`), "If-Match", `W/"9"`},
		{400, "invalidFilter", "GET", `/Users?filter=userName`, "", "", ""},
		{400, "invalidFilter", "GET", `/Users?filter=userName eq "a" or groups.value eq "b"`, "", "", ""},
		{400, "invalidFilter", "GET", `/Users?filter=groups.value eq "` + group + `" and not (groups.value eq "` + group + `")`, "", "", ""},
		{400, "invalidFilter", "GET", `/Groups?filter=members co "x"`, "", "", ""},
		{400, "invalidFilter", "GET", `/Users?filter=` + strings.Repeat("(", 1000), "", "", ""},
		{400, "invalidValue", "GET", `/Users?count=many`, "", "", ""},
		{400, "invalidValue", "GET", `/Users?attributes=a[b`, "", "", ""},
		{400, "invalidValue", "POST", "/Groups", `{"displayName":""}`, "", ""},
		{400, "invalidValue", "POST", "/Groups", `{"displayName":"New","members":[{"value":"` + nobody + `"}]}`, "", ""},
		{400, "invalidValue", "POST", "/Groups", `{"displayName":"New","members":[{"value":"\u0000"}]}`, "", ""},
		{400, "invalidValue", "POST", "/Groups", `{"displayName":"New","members":[{"value":"` + group + `","type":"Group"}]}`, "", ""},
		{400, "invalidValue", "POST", "/Groups", `{"displayName":"New","members":[{}]}`, "", ""},
		{409, "uniqueness", "POST", "/Groups", `{"displayName":"TEAM"}`, "", ""},
		{409, "uniqueness", "PATCH", team, patch(`{"op":"replace","path":"displayName","value":"other"}`), "", ""},
		{400, "mutability", "PATCH", team, patch(`{"op":"replace","path":"members[value eq \"x\"].display","value":"x"}`), "", ""},
		{400, "invalidFilter", "PATCH", team, patch(`{"op":"remove","path":"members[display eq \"x\"]"}`), "", ""},
		{404, "", "GET", "/Groups/" + nobody, "", "", ""},
		{404, "", "DELETE", "/Groups/x", "", "", ""},
	} {
		header := []string{}
		if tt.headerName != "" {
			header = []string{tt.headerName, tt.headerIs}
		}
		f.refused(tt.status, tt.scimType, tt.method, tt.path, tt.body, header...)
	}
	if a := f.want(200, "GET", user, ""); a.json["userName"] != "ana@example.com" || a.header.Get("ETag") != `W/"1"` {
		t.Errorf("something changed: %s", a.body)
	}
	if a := f.want(200, "GET", "/Groups", ""); a.json["totalResults"] != 2.0 || a.at("Resources/0/meta/version") != `W/"1"` {
		t.Errorf("something changed: %s", a.body)
	}
	v, err := f.govern.SCIMSource(t.Context(), f.super, f.source)
	f.check(err)
	if !strings.Contains(v.Error, "PATCH /Groups/{id}") || !v.ErrorAt.Equal(noon) {
		t.Errorf("the last error is %q, at %v", v.Error, v.ErrorAt)
	}
}

// TestVersions reads and writes with versions.
func TestVersions(t *testing.T) {
	f := newFixture(t)
	made := f.want(201, "POST", "/Users", newUser("ana@example.com"))
	tag := made.header.Get("ETag")
	if tag != made.at("meta/version") {
		t.Errorf("ETag %q, version %v", tag, made.at("meta/version"))
	}
	if a := f.want(304, "GET", "/Users/"+made.id(), "", "If-None-Match", tag); a.body != "" {
		t.Errorf("%q", a.body)
	}
	f.pass(time.Minute)
	changed := f.want(200, "PATCH", "/Users/"+made.id(), patch(`{"op":"add","path":"title","value":"Tester"}`), "If-Match", tag)
	if changed.header.Get("ETag") == tag || changed.at("meta/created") == changed.at("meta/lastModified") {
		t.Errorf("changed %v", changed.json["meta"])
	}
	f.want(200, "GET", "/Users/"+made.id(), "", "If-None-Match", tag)
	f.want(204, "DELETE", "/Users/"+made.id(), "", "If-Match", changed.header.Get("ETag"))
}

// TestLists pages through users, and chooses attributes.
func TestLists(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for i := range 25 {
			f.want(201, "POST", "/Users", newUser(fmt.Sprintf("user%02d@example.com", i), `"title":"T`+fmt.Sprint(i%5)+`"`, `"emails":[{"value":"e`+fmt.Sprint(i)+`@example.com","type":"work"}]`))
		}
		seen := map[string]bool{}
		for start := 1; start <= 25; start += 10 {
			a := f.want(200, "GET", fmt.Sprintf("/Users?startIndex=%d&count=10", start), "")
			if a.json["totalResults"] != 25.0 || a.json["startIndex"] != float64(start) || a.json["itemsPerPage"] != float64(len(a.json["Resources"].([]any))) {
				t.Errorf("%s", a.body)
			}
			for _, r := range a.json["Resources"].([]any) {
				seen[r.(map[string]any)["userName"].(string)] = true
			}
		}
		if len(seen) != 25 {
			t.Errorf("%d users on the pages", len(seen))
		}
		for query, want := range map[string]string{
			"count=0": "25 0", "startIndex=0&count=2": "25 2", "startIndex=-5&count=-5": "25 0", "startIndex=26": "25 0", "startIndex=9223372036854775807": "25 0", "count=100000": "25 25",
			`filter=title eq "t3"`: "5 5", `filter=title eq "T3"&startIndex=4`: "5 2", `filter=title eq "T3"&startIndex=2&count=1`: "5 1", `filter=not (title pr)`: "0 0",
			`filter=userName co "user0" and (title eq "t1" or title eq "t2")`: "4 4", `filter=meta.lastModified ge "2026-01-01T00:00:00Z"`: "25 25", `filter=id eq "nothing"`: "0 0",
			`filter=emails.value ew "7@example.com"`: "2 2", `filter=userName sw "USER1"`: "10 10", `filter=active eq false`: "0 0", `filter=active eq "True"`: "25 25", "sortBy=userName": "25 25",
		} {
			a := f.want(200, "GET", "/Users?"+query, "")
			if got := fmt.Sprintf("%v %d", a.json["totalResults"], len(a.json["Resources"].([]any))); got != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
		for query, want := range map[string]string{
			"attributes=userName": "id schemas userName", "attributes=EMAILS.value": "emails id schemas", "excludedAttributes=emails,meta,title,active": "groups id schemas userName",
			"attributes=urn:ietf:params:scim:schemas:core:2.0:User:title": "id schemas title", "attributes=" + enterprise + ":department": "id schemas",
		} {
			a := f.want(200, "GET", "/Users?count=1&"+query, "")
			var names []string
			for name := range a.at("Resources/0").(map[string]any) {
				names = append(names, name)
			}
			if got := sorted(names); got != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
	})
}

// TestLargeGroup pushes more members than are read at once.
func TestLargeGroup(t *testing.T) {
	f := newFixture(t)
	var ids []string
	f.update(func(tx *store.Tx) error { // a request for each takes long
		source, err := tx.SCIMSource(f.source)
		for i := 0; i < 1100 && err == nil; i++ {
			name := fmt.Sprintf("user%d@example.com", i)
			var u console.SCIMUser
			u, err = tx.AddSCIMUser(source, console.SCIMUser{UserName: name, Document: []byte(`{"userName":"` + name + `"}`)})
			ids = append(ids, `{"value":"`+string(u.ID)+`"}`)
		}
		return err
	})
	group := f.want(201, "POST", "/Groups", `{"displayName":"All","members":[`+strings.Join(ids, ",")+`]}`)
	for _, a := range []answer{group, f.want(200, "GET", "/Groups/"+group.id(), "")} {
		if n := len(a.json["members"].([]any)); n != 1100 {
			t.Errorf("%d members", n)
		}
	}
	f.want(200, "PUT", "/Groups/"+group.id(), `{"displayName":"All","members":[`+strings.Join(ids[100:], ",")+`]}`)
	if n := len(f.want(200, "GET", "/Groups", "").at("Resources/0/members").([]any)); n != 1000 {
		t.Errorf("%d members", n)
	}
	before := f.do("GET", "/Groups/"+group.id(), "").header.Get("ETag")
	f.want(204, "PATCH", "/Groups/"+group.id(), patch(`{"op":"add","path":"members","value":[`+strings.Join(ids[100:], ",")+`]}`))
	if after := f.do("GET", "/Groups/"+group.id(), "").header.Get("ETag"); after != before {
		t.Errorf("version %s after %s, and nothing changed", after, before)
	}
}

// TestRate makes more requests than the limit.
func TestRate(t *testing.T) {
	f := newFixture(t)
	limited := 0
	for range 210 {
		if a := f.do("GET", "/Schemas", ""); a.status == 429 {
			limited++
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
	}
	if limited != 10 {
		t.Errorf("%d of 210 requests in no time are refused, want 10", limited)
	}
	f.pass(time.Second)
	f.want(200, "GET", "/Schemas", "")
}

// TestDiscovery reads what the server says about itself.
func TestDiscovery(t *testing.T) {
	f := newFixture(t)
	if a := f.want(200, "GET", "/ServiceProviderConfig", ""); a.at("bulk/supported") != false || a.at("patch/supported") != true || a.at("filter/maxResults") != 200.0 || a.at("etag/supported") != true || a.at("authenticationSchemes/0/type") != "oauthbearertoken" {
		t.Errorf("%s", a.body)
	}
	if a := f.want(200, "GET", "/ResourceTypes/User", ""); a.at("schemaExtensions/0/schema") != enterprise || a.json["endpoint"] != "/Users" {
		t.Errorf("%s", a.body)
	}
	for _, path := range []string{"/ResourceTypes", "/Schemas", "/Schemas/"} {
		a := f.want(200, "GET", path, "")
		for _, r := range a.json["Resources"].([]any) {
			id := r.(map[string]any)["id"].(string)
			if one := f.want(200, "GET", strings.TrimSuffix(path, "/")+"/"+id, ""); one.id() != id {
				t.Errorf("%s", one.body)
			}
		}
	}
	f.refused(404, "", "GET", "/Schemas/x", "")
}
