package perplexity_test

import (
	"fmt"
	"strings"
	"testing"

	"baton/sandbox/perplexity"
)

func TestCreateUser(t *testing.T) {
	s := start(t, perplexity.Options{Elsewhere: []string{"Busy@acme.example"}})
	r := s.want(201, s.do("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
		"userName":"New.Person@acme.example","name":{"givenName":"New"},"active":true,"title":"Clerk",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Ops"}}`))
	id, _ := r.JSON["id"].(string)
	if !strings.HasPrefix(id, "directory_user_01") || r.Header.Get("Location") != s.url+"/Users/"+id || r.Header.Get("ETag") != `W/"1"` {
		t.Errorf("id %q, headers %v", id, r.Header)
	}
	if ct := r.Header.Get("Content-Type"); ct != "application/scim+json" {
		t.Errorf("content type %q", ct)
	}
	got := s.want(200, s.do("GET", "/Users/"+id, "")).JSON
	if got["title"] != "Clerk" || got["displayName"] != nil {
		t.Errorf("read back %v", got)
	}
	emails := fmt.Sprint(got["emails"])
	if emails != "[map[primary:true type:work value:New.Person@acme.example]]" {
		t.Errorf("the address was not taken from userName: %s", emails)
	}
	if !strings.Contains(fmt.Sprint(got["schemas"]), "enterprise") {
		t.Errorf("schemas %v", got["schemas"])
	}
	if u := s.user("new.person@acme.example"); u.Role != perplexity.NoRole || !u.Managed || u.FamilyName != "" {
		t.Errorf("state %+v", u)
	}

	s.want(201, s.do("POST", "/Users", `{"userName":"busy@acme.example"}`))
	if u := s.user("busy@acme.example"); u.Role != perplexity.Excluded {
		t.Errorf("somebody of another organisation is %s", u.Role)
	}
}

func TestCreateUserRefused(t *testing.T) {
	console := "founder@acme.example"
	for _, c := range []struct {
		name, body string
		status     int
		scimType   string
		detail     string
	}{
		{"no userName", `{"emails":[{"value":"a@acme.example"}]}`, 400, "invalidValue", "'userName' is required"},
		{"blank userName", `{"userName":" "}`, 400, "invalidValue", "'userName' is required"},
		{"no emails", `{"userName":"jim"}`, 400, "invalidValue", "missing: emails"},
		{"blank email", `{"userName":"jim","emails":[{"value":" "}]}`, 400, "invalidValue", "missing: emails"},
		{"null", `{"userName":"x@acme.example","externalId":null}`, 400, "invalidSyntax", "'externalId' is expected string, received null"},
		{"nested null", `{"userName":"x@acme.example","name":{"familyName":null}}`, 400, "invalidSyntax", "name.familyName"},
		{"active as string", `{"userName":"x@acme.example","active":"true"}`, 400, "invalidSyntax", "'active' is expected boolean"},
		{"emails as string", `{"userName":"x@acme.example","emails":"x@acme.example"}`, 400, "invalidSyntax", "'emails'"},
		{"other schema", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"userName":"x@acme.example"}`, 400, "invalidSyntax", "schemas"},
		{"not JSON", `{"userName":`, 400, "invalidSyntax", "not JSON"},
		{"not an object", `[]`, 400, "invalidSyntax", "not a JSON object"},
		{"two values", `{"userName":"x@acme.example"} {}`, 400, "invalidSyntax", "not JSON"},
		{"same userName", `{"userName":"ADA.Okafor@acme.example"}`, 409, "uniqueness", "Another user already exists with this username"},
		{"same email", `{"userName":"ada","emails":[{"value":"ADA.okafor@acme.example"}]}`, 409, "uniqueness", "Another user already exists with this email"},
		{"console user", `{"userName":"` + console + `"}`, 409, "uniqueness", "exists but is not visible"},
		{"other domain", `{"userName":"x@elsewhere.example"}`, 400, "invalidValue", "not verified"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, perplexity.Options{})
			before := len(s.State().Users)
			r := s.want(c.status, s.do("POST", "/Users", c.body))
			if got, _ := r.JSON["scimType"].(string); got != c.scimType || !strings.Contains(r.detail(), c.detail) {
				t.Errorf("answer %s", r.raw)
			}
			if r.JSON["status"] != fmt.Sprint(c.status) || !strings.Contains(fmt.Sprint(r.JSON["schemas"]), "messages:2.0:Error") {
				t.Errorf("not a SCIM error: %s", r.raw)
			}
			if after := len(s.State().Users); after != before {
				t.Errorf("%d users became %d", before, after)
			}
		})
	}
	t.Run("console user is hidden", func(t *testing.T) {
		s := start(t, perplexity.Options{})
		u := s.user(console)
		s.want(404, s.do("GET", "/Users/"+u.ID, ""))
		if n := s.do("GET", "/Users?filter=userName+eq+%22"+console+"%22", "").total(); n != 0 {
			t.Errorf("a filter finds %d", n)
		}
	})
	t.Run("content type", func(t *testing.T) {
		s := start(t, perplexity.Options{})
		s.want(415, s.do("POST", "/Users", `{"userName":"x@acme.example"}`, "Content-Type: text/xml"))
		s.want(201, s.do("POST", "/Users", `{"userName":"x@acme.example"}`, "Content-Type: application/json; charset=utf-8"))
	})
	t.Run("too large", func(t *testing.T) {
		s := start(t, perplexity.Options{})
		r := s.want(413, s.do("POST", "/Users", `{"userName":"`+strings.Repeat("x", 2000<<10)+`"}`))
		if r.JSON != nil {
			t.Errorf("a SCIM body: %s", r.raw)
		}
	})
	t.Run("malformed email is accepted", func(t *testing.T) {
		s := start(t, perplexity.Options{})
		s.want(201, s.do("POST", "/Users", `{"userName":"jim","emails":[{"value":"not an address","primary":true}]}`))
		if u := s.user("jim"); u.Email != "" {
			t.Errorf("primary e-mail %q", u.Email)
		}
	})
	t.Run("inactive duplicate email is accepted", func(t *testing.T) {
		s := start(t, perplexity.Options{})
		s.SetActive(s.user("ada.okafor@acme.example").ID, false)
		s.want(201, s.do("POST", "/Users", `{"userName":"ada","emails":[{"value":"ada.okafor@acme.example","primary":true}]}`))
	})
}

func TestSeats(t *testing.T) {
	s := start(t, perplexity.Options{Empty: true, Seats: 51, Elsewhere: []string{"busy@acme.example"}})
	for i := range 51 {
		s.AddUser(perplexity.Person{UserName: fmt.Sprintf("u%d@acme.example", i)})
	}
	off := s.AddUser(perplexity.Person{UserName: "off@acme.example", Disabled: true})
	if r := s.want(403, s.do("POST", "/Users", `{"userName":"one.more@acme.example"}`)); !strings.Contains(r.detail(), "no seat") {
		t.Errorf("detail %q", r.detail())
	}
	s.want(403, s.do("PATCH", "/Users/"+off, setActive(true)))
	if s.user(off).Active {
		t.Error("enabled without a seat")
	}
	s.want(201, s.do("POST", "/Users", `{"userName":"idle@acme.example","active":false}`))
	s.want(201, s.do("POST", "/Users", `{"userName":"busy@acme.example"}`))
	s.want(200, s.do("PATCH", "/Users/"+s.user("u0@acme.example").ID, setActive(false)))
	s.want(200, s.do("PATCH", "/Users/"+off, setActive(true)))
	if st := s.State(); st.SeatsUsed != st.Seats {
		t.Errorf("%d of %d seats", st.SeatsUsed, st.Seats)
	}
}

func TestPlanGate(t *testing.T) {
	small := start(t, perplexity.Options{Seats: 49})
	if r := small.want(403, small.do("GET", "/Users", "")); !strings.Contains(r.detail(), "at least 50 seats") {
		t.Errorf("detail %q", r.detail())
	}
	small.want(401, small.do("GET", "/Users", "", "Authorization: Bearer wrong"))
	enough := start(t, perplexity.Options{Seats: 49, EnterpriseMax: true})
	enough.want(200, enough.do("GET", "/Users", ""))
}

func setActive(on bool) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":%t}]}`, on)
}

func TestReplaceUser(t *testing.T) {
	s := start(t, perplexity.Options{})
	u := s.user("ada.okafor@acme.example")
	s.want(400, s.do("PUT", "/Users/"+u.ID, `{"userName":"ada"}`))
	s.want(400, s.do("PUT", "/Users/"+u.ID, `{"userName":"ada.okafor@acme.example","active":"False"}`))
	s.want(409, s.do("PUT", "/Users/"+u.ID, `{"userName":"grace.rossi@acme.example","emails":[{"value":"`+s.State().Users[3].UserName+`"}]}`))
	r := s.want(200, s.do("PUT", "/Users/"+u.ID, `{"userName":"ada@acme.example","displayName":"Ada","active":false}`))
	if r.JSON["name"] != nil || r.JSON["externalId"] != nil || r.JSON["active"] != false || r.Header.Get("ETag") != `W/"2"` {
		t.Errorf("replaced %s", r.raw)
	}
	if got := s.user("ada@acme.example"); got.ID != u.ID || len(got.Groups) != len(u.Groups) || got.Role != perplexity.Disabled {
		t.Errorf("state %+v", got)
	}
	s.want(404, s.do("PUT", "/Users/nobody", `{"userName":"n@acme.example"}`))
}

func TestDeleteUser(t *testing.T) {
	s := start(t, perplexity.Options{})
	id := s.user("ada.okafor@acme.example").ID
	if r := s.want(405, s.do("DELETE", "/Users/"+id, "")); !strings.Contains(r.detail(), "set active to false") || r.Header.Get("Allow") == "" {
		t.Errorf("answer %s", r.raw)
	}
	s.want(200, s.do("GET", "/Users/"+id, ""))

	s = start(t, perplexity.Options{HardDelete: true})
	s.want(204, s.do("DELETE", "/Users/"+id, ""))
	s.want(404, s.do("GET", "/Users/"+id, ""))
	for _, g := range s.State().Groups {
		for _, m := range g.Members {
			if m == id {
				t.Errorf("%s keeps a deleted member", g.DisplayName)
			}
		}
	}
}

func TestVersions(t *testing.T) {
	s := start(t, perplexity.Options{})
	path := "/Users/" + s.user("ada.okafor@acme.example").ID
	etag := s.do("GET", path, "").Header.Get("ETag")
	s.want(304, s.do("GET", path, "", "If-None-Match: "+etag))
	s.want(412, s.do("PATCH", path, setActive(false), `If-Match: W/"7"`))
	s.want(200, s.do("PATCH", path, setActive(true), "If-Match: "+etag))
	if now := s.do("GET", path, "").Header.Get("ETag"); now != etag {
		t.Errorf("a PATCH without effect made %s of %s", now, etag)
	}
	s.want(200, s.do("PATCH", path, setActive(false), "If-Match: "+etag))
	s.want(412, s.do("PATCH", path, setActive(true), "If-Match: "+etag))
}

func TestAuthorization(t *testing.T) {
	s := start(t, perplexity.Options{Token: "right"})
	for _, header := range []string{"Bearer wrong", "Bearer ", "right", "Basic right", "Bearer right right"} {
		r := s.want(401, s.do("GET", "/Users", "", "Authorization: "+header))
		if !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") || r.JSON["detail"] == nil {
			t.Errorf("%q: %v %s", header, r.Header, r.raw)
		}
	}
	s.want(200, s.do("GET", "/Users", "", "Authorization: bearer right"))
}

func TestRoutes(t *testing.T) {
	s := start(t, perplexity.Options{Key: "org-7"})
	if s.URLPath() != "/scim/v2.0/org-7" {
		t.Errorf("path %s", s.URLPath())
	}
	id := s.user("ada.okafor@acme.example").ID
	s.want(200, s.do("GET", "//Users/", ""))
	s.want(200, s.do("GET", "/Users/"+id+"/", ""))
	for _, path := range []string{"", "/", "/Bulk", "/Me", "/users", "/Users/" + id + "/name", "/Schemas/none"} {
		s.want(404, s.do("GET", path, ""))
	}
	s.want(405, s.do("PATCH", "/Users", "{}"))
	s.want(405, s.do("POST", "/Users/"+id, "{}"))
	s.want(405, s.do("POST", "/Schemas", "{}"))
	for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group"} {
		s.want(200, s.do("GET", path, ""))
	}
	if n := s.do("GET", "/Schemas", "").total(); n != 2 {
		t.Errorf("%d schemas", n)
	}
	counts := s.Requests()
	if counts["GET /Users"] != 1 || counts["GET /Users/{id}"] != 1 || counts["PATCH /Users"] != 1 {
		t.Errorf("counts %v", counts)
	}
	s.ResetRequests()
	if len(s.Requests()) != 0 {
		t.Error("counts stay")
	}
}
