package perplexity_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"baton/sandbox/perplexity"
)

// visit sends a request to the console, without a token.
func visit(t *testing.T, s *perplexity.Server, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(text)
}

func TestAdminPage(t *testing.T) {
	s := perplexity.New(perplexity.Options{Faults: []string{"page-cap=3"}})
	s.AddUser(perplexity.Person{UserName: "evil@acme.example", GivenName: `<script>alert("x")</script>`})
	code, page := visit(t, s, "GET", "/", "")
	for _, want := range []string{`<html lang="en">`, "25 of 100 seats", "2 effective admins", "SCIM (locked here)", "this console", "page-cap=3", "excluded", "Björn Tanaka", "&lt;script&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if code != 200 || strings.Contains(page, "<script") || strings.Contains(page, s.Token()) {
		t.Errorf("status %d, or markup or the token came through", code)
	}
	if n := strings.Count(page, "<form"); n != 2 {
		t.Errorf("%d people can be changed, want those of the console only", n)
	}
	if strings.Contains(page, "locked itself out") {
		t.Error("a warning without a reason")
	}
	for _, id := range s.State().Admins {
		s.SetActive(id, false)
	}
	if _, page := visit(t, s, "GET", "/", ""); !strings.Contains(page, "locked itself out") {
		t.Error("no warning without an admin")
	}
	big := perplexity.New(perplexity.Options{Users: 700})
	if _, page := visit(t, big, "GET", "/", ""); !strings.Contains(page, "the first 500 of 702") || strings.Count(page, "<form") != 2 {
		t.Error("a big organisation is not cut off")
	}
}

func TestAdminJSON(t *testing.T) {
	s := perplexity.New(perplexity.Options{})
	code, text := visit(t, s, "GET", "/admin.json", "")
	var got perplexity.State
	if err := json.Unmarshal([]byte(text), &got); err != nil || code != 200 {
		t.Fatalf("status %d: %v", code, err)
	}
	want, _ := json.Marshal(s.State())
	if again, _ := json.Marshal(got); !reflect.DeepEqual(again, want) || len(got.Users) != 27 {
		t.Errorf("%d users", len(got.Users))
	}
}

func TestConsoleRemoves(t *testing.T) {
	s := perplexity.New(perplexity.Options{})
	form := "Content-Type: application/x-www-form-urlencoded"
	managed, _ := s.State().User("ada.okafor@acme.example")
	founder, _ := s.State().User("founder@acme.example")
	for _, c := range []struct {
		user   string
		header string
		status int
	}{
		{managed.ID, form, http.StatusForbidden},
		{"nobody", form, http.StatusNotFound},
		{"founder@acme.example", form, http.StatusNotFound},
		{founder.ID, form, http.StatusSeeOther},
		{founder.ID, form, http.StatusNotFound},
	} {
		if code, text := visit(t, s, "POST", "/admin/remove", "user="+url.QueryEscape(c.user), c.header); code != c.status {
			t.Errorf("%s: status %d: %s", c.user, code, text)
		}
	}
	office, _ := s.State().User("office@acme.example")
	if code, _ := visit(t, s, "POST", "/admin/remove", "user="+office.ID, form, "Sec-Fetch-Site: cross-site"); code != http.StatusForbidden {
		t.Errorf("another site's form: status %d", code)
	}
	if n := len(s.State().Users); n != 26 {
		t.Errorf("%d users are left", n)
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	s := perplexity.New(perplexity.Options{})
	var shown struct {
		Active []string
		Faults []perplexity.Fault
	}
	read := func(code int, text string) {
		t.Helper()
		shown.Active, shown.Faults = nil, nil
		if err := json.Unmarshal([]byte(text), &shown); err != nil || code != 200 {
			t.Fatalf("status %d: %s", code, text)
		}
	}
	read(visit(t, s, "GET", "/sandbox/faults", ""))
	if len(shown.Active) != 0 || !reflect.DeepEqual(shown.Faults, perplexity.Faults()) {
		t.Errorf("shown %v", shown)
	}
	read(visit(t, s, "PUT", "/sandbox/faults", `["page-cap=2","patch-204"]`))
	if !reflect.DeepEqual(shown.Active, []string{"page-cap=2", "patch-204"}) {
		t.Errorf("active %v", shown.Active)
	}
	for _, wrong := range []string{`["nonsense"]`, `{`, `"page-cap"`} {
		if code, _ := visit(t, s, "PUT", "/sandbox/faults", wrong); code != 400 {
			t.Errorf("%s: status %d", wrong, code)
		}
	}
	if code, _ := visit(t, s, "PUT", "/sandbox/faults", `[]`, "Sec-Fetch-Site: cross-site"); code != http.StatusForbidden {
		t.Errorf("another site: status %d", code)
	}
	read(visit(t, s, "GET", "/sandbox/faults", ""))
	if len(shown.Active) != 2 {
		t.Errorf("active %v", shown.Active)
	}
	read(visit(t, s, "DELETE", "/sandbox/faults", ""))
	if len(shown.Active) != 0 {
		t.Errorf("active %v", shown.Active)
	}
}
