package perplexity_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"baton/sandbox/perplexity"
)

// sandbox is a running server with a client that has the token.
type sandbox struct {
	*perplexity.Server
	t   *testing.T
	url string // of the SCIM root
}

func start(t *testing.T, opts perplexity.Options) *sandbox {
	t.Helper()
	if opts.Now == nil {
		opts.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	}
	s := perplexity.New(opts)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return &sandbox{s, t, web.URL + s.URLPath()}
}

func withFaults(t *testing.T, faults ...string) *sandbox {
	t.Helper()
	return start(t, perplexity.Options{Faults: faults})
}

// response is an HTTP response with decoded JSON.
type response struct {
	*http.Response
	raw  []byte
	JSON map[string]any
}

// do sends a request. Headers are "Name: value".
func (s *sandbox) do(method, path, body string, headers ...string) response {
	s.t.Helper()
	res, err := s.try(method, path, body, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res
}

func (s *sandbox) try(method, path, body string, headers ...string) (response, error) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token())
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	r := response{Response: res, raw: raw}
	if err == nil && len(bytes.TrimSpace(raw)) > 0 && raw[0] == '{' {
		json.Unmarshal(raw, &r.JSON)
	}
	return r, err
}

// want checks the status and returns the response.
func (s *sandbox) want(status int, r response) response {
	s.t.Helper()
	if r.StatusCode != status {
		s.t.Fatalf("%s %s: status %d, want %d\n%s", r.Request.Method, r.Request.URL.RequestURI(), r.StatusCode, status, r.raw)
	}
	return r
}

// resources returns the rows of a list.
func (r response) resources() []map[string]any {
	l, _ := r.JSON["Resources"].([]any)
	rows := make([]map[string]any, len(l))
	for i, v := range l {
		rows[i], _ = v.(map[string]any)
	}
	return rows
}

func (r response) total() int { n, _ := r.JSON["totalResults"].(float64); return int(n) }

func (r response) detail() string { s, _ := r.JSON["detail"].(string); return s }

func ids(rows []map[string]any) []string {
	var all []string
	for _, r := range rows {
		id, _ := r["id"].(string)
		all = append(all, id)
	}
	return all
}

func (s *sandbox) user(name string) perplexity.UserState {
	s.t.Helper()
	u, ok := s.State().User(name)
	if !ok {
		s.t.Fatalf("there is no user %s", name)
	}
	return u
}

func (s *sandbox) group(name string) perplexity.GroupState {
	s.t.Helper()
	g, ok := s.State().Group(name)
	if !ok {
		s.t.Fatalf("there is no group %s", name)
	}
	return g
}

func TestDemoOrganisation(t *testing.T) {
	s := start(t, perplexity.Options{})
	st := s.State()
	// Golden files of other packages depend on these ids.
	if st.Users[0].ID != "directory_user_01FF4P3BDG16B2GP40WCCWJ588" || st.Users[0].UserName != "ada.okafor@acme.example" {
		t.Errorf("the first user is %+v", st.Users[0])
	}
	roles := map[perplexity.Role]int{}
	console := 0
	for _, u := range st.Users {
		if !u.Managed {
			console++
			continue
		}
		roles[u.Role]++
	}
	want := map[perplexity.Role]int{perplexity.Admin: 2, perplexity.Member: 19, perplexity.NoRole: 1, perplexity.Excluded: 1, perplexity.Disabled: 2}
	for r, n := range want {
		if roles[r] != n {
			t.Errorf("%d users are %s, want %d", roles[r], r, n)
		}
	}
	if console != 2 || len(st.Admins) != 2 || len(st.Groups) != 3 {
		t.Errorf("%d console users, %d admins, %d groups", console, len(st.Admins), len(st.Groups))
	}
	if st.SeatsUsed != 24 { // 25 without two disabled and one excluded, and two of the console
		t.Errorf("%d seats are taken", st.SeatsUsed)
	}
	if n := s.want(200, s.do("GET", "/Users", "")).total(); n != 25 {
		t.Errorf("SCIM shows %d users", n)
	}
}
