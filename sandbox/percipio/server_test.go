package percipio_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"baton/internal/longtest"
	"baton/sandbox/percipio"
)

// sandbox is a running server with a client that has the token.
type sandbox struct {
	*percipio.Server
	t   testing.TB
	url string
}

func start(t testing.TB, opts percipio.Options) *sandbox {
	t.Helper()
	if opts.Now == nil {
		opts.Now = func() time.Time { return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) }
	}
	s := percipio.New(opts)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return &sandbox{s, t, web.URL}
}

// response is an HTTP response with decoded JSON.
type response struct {
	*http.Response
	raw  []byte
	list []map[string]any
	one  map[string]any
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
	res, err := s.open(method, path, body, headers...)
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	r := response{Response: res, raw: raw}
	if strings.HasPrefix(string(raw), "[") {
		json.Unmarshal(raw, &r.list)
	} else {
		json.Unmarshal(raw, &r.one)
	}
	return r, err
}

func (s *sandbox) open(method, path, body string, headers ...string) (*http.Response, error) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token())
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return client.Do(req)
}

// want checks the status and returns the response.
func (s *sandbox) want(status int, r response) response {
	s.t.Helper()
	if r.StatusCode != status {
		s.t.Fatalf("%s %s: status %d, want %d\n%s", r.Request.Method, r.Request.URL.RequestURI(), r.StatusCode, status, r.raw)
	}
	return r
}

func (s *sandbox) path(api, rest string) string {
	return "/" + api + "/organizations/" + s.OrganizationID() + rest
}

func (s *sandbox) users(query string, headers ...string) response {
	s.t.Helper()
	return s.do("GET", s.path("user-management/v1", "/users"+query), "", headers...)
}

func (s *sandbox) catalogue(query string) response {
	s.t.Helper()
	return s.do("GET", s.path("content-discovery/v2", "/catalog-content"+query), "")
}

func (s *sandbox) search(query string) response {
	s.t.Helper()
	return s.do("GET", s.path("content-discovery/v1", "/search-content"+query), "")
}

const allTime = `{"start":"2016-01-01T00:00:00Z","end":"2036-01-01T00:00:00Z","isFileRequiredInSftp":false}`

func (s *sandbox) post(body string) response {
	s.t.Helper()
	return s.do("POST", s.path("reporting/v1", "/report-requests/learning-activity"), body)
}

func (s *sandbox) reportPath(id string) string {
	return s.path("reporting/v1", "/report-requests/"+id)
}

// request requests a report without a time limit and returns its id.
func (s *sandbox) request() string {
	s.t.Helper()
	r := s.want(200, s.post(allTime))
	for _, key := range []string{"id", "reportId"} {
		if id, ok := r.one[key].(string); ok {
			return id
		}
	}
	s.t.Fatalf("no id: %s", r.raw)
	return ""
}

func (s *sandbox) poll(id string) response {
	s.t.Helper()
	return s.do("GET", s.reportPath(id), "")
}

// report returns the rows of a report without a time limit.
func (s *sandbox) report() []map[string]any {
	s.t.Helper()
	r := s.want(200, s.poll(s.request()))
	if !json.Valid(r.raw) {
		s.t.Fatalf("no JSON: %s", r.raw)
	}
	return r.list
}

func field(rows []map[string]any, name string) []string {
	var all []string
	for _, r := range rows {
		v, _ := r[name].(string)
		all = append(all, v)
	}
	return all
}

func TestDemoOrganisation(t *testing.T) {
	s := start(t, percipio.Options{})
	st := s.State()
	// Golden files of other packages depend on these ids.
	if st.Users[0].ID != "7cc443d4-8dcd-4a89-b0e6-eafefed05468" || st.Users[0].Email != "ada.okafor@acme.example" {
		t.Errorf("the first user is %+v", st.Users[0])
	}
	if c := st.Courses[0]; c.ID != "6177c46d-8a9d-48b3-8ab6-f3d4ebb91a3b" || c.Title != "Introduction to Kubernetes" {
		t.Errorf("the first item is %+v", c)
	}
	listed, done, begun := 0, 0, 0
	for _, c := range st.Courses {
		if c.Listed {
			listed++
		}
	}
	for p := range st.Expected() {
		if p.Status == percipio.Completed && !p.At.IsZero() {
			done++
		} else if p.Status == percipio.InProgress && p.At.IsZero() {
			begun++
		}
	}
	got := []int{len(st.Users), len(st.Courses), st.Rows, listed, done, begun}
	for i, want := range []int{20, 10, 60, 7, 25, 15} {
		if got[i] != want {
			t.Fatalf("users, items, rows, courses, completed, in progress: %v", got)
		}
	}
	statuses := map[string]int{}
	for _, status := range field(s.report(), "status") {
		statuses[status]++
	}
	for _, want := range []string{"Started", "Completed", "Achieved", "Active", "Abandoned"} {
		if statuses[want] == 0 {
			t.Errorf("no row is %s: %v", want, statuses)
		}
	}
}

func TestSeedDecidesAll(t *testing.T) {
	body := func(seed uint64) string {
		s := start(t, percipio.Options{Users: 30, Courses: 20, Rows: 100, Seed: seed})
		return string(s.users("").raw) + string(s.catalogue("").raw) + string(s.poll(s.request()).raw)
	}
	one := body(1)
	if body(1) != one {
		t.Error("the same seed made another organisation")
	}
	if body(2) == one {
		t.Error("another seed made the same organisation")
	}
}

func TestShareOfCourses(t *testing.T) {
	listed := 0
	for _, c := range percipio.New(percipio.Options{Courses: 2000}).State().Courses {
		if c.Listed {
			listed++
		}
	}
	if share := float64(listed) / 2000; share < .72 || share > .75 {
		t.Errorf("%.3f of the items are courses", share)
	}
}

func TestAccess(t *testing.T) {
	s := start(t, percipio.Options{})
	paths := []string{s.path("user-management/v1", "/users"), s.path("content-discovery/v2", "/catalog-content"),
		s.path("content-discovery/v1", "/search-content?q=x"), s.reportPath("x"), "/nothing"}
	for _, path := range paths {
		for _, header := range []string{"Authorization: Bearer wrong", "Authorization: Basic eDp4", "Authorization: Bearer " + s.Token()[1:], "Authorization: "} {
			r := s.want(401, s.do("GET", path, "", header))
			if r.Header.Get("WWW-Authenticate") == "" || r.one["message"] == "" {
				t.Errorf("%v %s", r.Header, r.raw)
			}
		}
	}
	s.want(403, s.do("GET", "/user-management/v1/organizations/00000000-0000-4000-8000-000000000000/users", ""))
	s.want(404, s.do("GET", "/nothing", ""))
	s.want(404, s.do("GET", s.path("user-management/v9", "/users"), ""))
	s.want(200, s.do("GET", strings.Replace(paths[0], s.OrganizationID(), strings.ToUpper(s.OrganizationID()), 1), ""))
	if n := s.Requests(); n["GET /users"] != 6 || n["GET /search-content"] != 4 || n["GET other"] != 6 {
		t.Errorf("counted %v", n)
	}
	s.ResetRequests()
	if n := s.Requests(); len(n) != 0 {
		t.Errorf("counted %v", n)
	}
}

// claims returns the claims of a token.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q has %d parts", token, len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTokenExpires(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	s := start(t, percipio.Options{TokenExpires: now.Add(time.Hour), Now: func() time.Time { return now }})
	if exp := claims(t, s.Token())["exp"]; exp != float64(now.Add(time.Hour).Unix()) {
		t.Errorf("it says %v", exp)
	}
	s.want(200, s.users(""))
	now = now.Add(time.Hour)
	s.want(401, s.users(""))
	if exp, ok := claims(t, start(t, percipio.Options{}).Token())["exp"]; ok {
		t.Errorf("a token for ever says that it expires at %v", exp)
	}
	own := start(t, percipio.Options{Token: "my own"})
	own.want(200, own.users(""))
	if own.Token() != "my own" {
		t.Errorf("the token is %q", own.Token())
	}
}

func TestOnRequestChangesTheOrganisation(t *testing.T) {
	var s *sandbox
	s = start(t, percipio.Options{OnRequest: func(n int, r *http.Request) {
		if n == 2 {
			s.AddUser(percipio.Person{Email: "late@acme.example"})
		}
	}})
	if n, m := len(s.users("").list), len(s.users("").list); n != 20 || m != 21 {
		t.Errorf("%d users, then %d", n, m)
	}
}

// TestLargeReportInBoundedMemory downloads a report of 285 MB and watches the heap.
func TestLargeReportInBoundedMemory(t *testing.T) {
	rows := longtest.Pick(60_000, 250_000)
	s := start(t, percipio.Options{Users: 10_000, Courses: 1000, Rows: rows})
	res, err := s.open("GET", s.reportPath(s.request()), "", "Accept-Encoding: identity")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	lines, size, buf := 0, 0, make([]byte, 1<<20)
	for looked := false; ; {
		n, err := res.Body.Read(buf)
		size += n
		lines += bytes.Count(buf[:n], []byte("\n"))
		if !looked && lines > rows/2 {
			looked = true
			runtime.GC()
			runtime.ReadMemStats(&during)
		}
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if lines != rows+1 {
		t.Errorf("%d lines", lines)
	}
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if perRow := size / rows; perRow < 1100 || perRow > 1300 {
		t.Errorf("%d bytes a row", perRow)
	}
}

func BenchmarkReport(b *testing.B) {
	const rows = 200_000
	s := start(b, percipio.Options{Users: 10_000, Courses: 1000, Rows: rows})
	id := s.request()
	for b.Loop() {
		res, err := s.open("GET", s.reportPath(id), "", "Accept-Encoding: identity")
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(n)
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
