package scim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"baton"
	"baton/connector/paging"
	"baton/connector/rest"
	"baton/connector/scim"
)

const token = "s3cr3t-t0k3n"

// connect returns a client of a real server or of a transport.
func connect(t testing.TB, baseURL string, transport http.RoundTripper, pageSize int) *scim.Client {
	t.Helper()
	c, err := rest.New(rest.Config{BaseURL: baseURL, Token: baton.NewSecret(token), Transport: transport, RetryFor: -1})
	if err != nil {
		t.Fatal(err)
	}
	return scim.New(scim.Config{REST: c, PageSize: pageSize})
}

// serve starts a SCIM server below /scim/v2 and returns a client of it.
func serve(t *testing.T, pageSize int, handler http.HandlerFunc) *scim.Client {
	t.Helper()
	server := httptest.NewServer(http.StripPrefix("/scim/v2", handler))
	t.Cleanup(server.Close)
	return connect(t, server.URL+"/scim/v2", nil, pageSize)
}

// inProcess answers requests without a socket, for tests with very many of them.
type inProcess http.HandlerFunc

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h(w, r)
	return w.Result(), nil
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	if text, ok := body.(string); ok {
		fmt.Fprint(w, text)
		return
	}
	_ = json.NewEncoder(w).Encode(body)
}

func scimError(w http.ResponseWriter, status int, scimType, detail string) {
	body := map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": fmt.Sprint(status), "detail": detail}
	if scimType != "" {
		body["scimType"] = scimType
	}
	reply(w, status, body)
}

// wantError checks kind, text and advice, and that the token does not appear.
func wantError(t testing.TB, err error, kind baton.Kind, text, fix string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s: %s", kind, text)
	}
	if got := baton.KindOf(err); got != kind {
		t.Errorf("kind %q, want %q: %v", got, kind, err)
	}
	if !strings.Contains(err.Error(), text) || !strings.HasPrefix(err.Error(), "scim: ") {
		t.Errorf("error %q lacks %q or its prefix", err, text)
	}
	if !strings.Contains(baton.FixOf(err), fix) {
		t.Errorf("fix %q lacks %q", baton.FixOf(err), fix)
	}
	if strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error leaks the token or spans lines: %q", err)
	}
}

func TestErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		status    int
		body      string
		kind      baton.Kind
		text, fix string
		scimType  string
	}{
		"wrong token":  {401, `{"detail":"bad token ` + token + `"}`, baton.Unauthenticated, "401 Unauthorized: bad token REDACTED", "check the SCIM token", ""},
		"wrong scope":  {403, `{}`, baton.PermissionDenied, "403", "SCIM is switched on", ""},
		"wrong URL":    {404, `not here`, baton.Incomplete, "404 Not Found: not here (this is no SCIM answer)", "Check the SCIM URL, which ends above /Users", ""},
		"login page":   {200, `<!doctype html>`, baton.Invalid, "HTML page", "check the SCIM URL", ""},
		"count":        {400, `{"scimType":"invalidCount","detail":"too many"}`, baton.Invalid, "400 Bad Request: too many", "", "invalidCount"},
		"conflict":     {409, `{"scimType":null}`, baton.AlreadyExists, "409", "", ""},
		"down":         {503, ``, baton.Unavailable, "503", "", ""},
		"throttled":    {429, ``, baton.RateLimited, "429", "", ""},
		"odd scimType": {400, `{"SCIMTYPE":["x"]}`, baton.Invalid, "400", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, 0, func(w http.ResponseWriter, _ *http.Request) { reply(w, tt.status, tt.body) })
			_, err := listUsers(c, t.Context(), paging.Position{}, nil, func(scim.User) {})
			wantError(t, err, tt.kind, tt.text, tt.fix)
			if got := scim.ErrorType(err); got != tt.scimType {
				t.Errorf("scimType %q, want %q", got, tt.scimType)
			}
		})
	}
	if scim.ErrorType(errors.New("x")) != "" || scim.ErrorType(nil) != "" {
		t.Error("scimType of an error without one")
	}
}

func TestHeadersOfReads(t *testing.T) {
	var got http.Header
	c := serve(t, 7, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		if want := "count=7&startIndex=1"; strings.HasSuffix(r.URL.Path, "/Groups") && r.URL.RawQuery != want {
			t.Errorf("query %q, want %q", r.URL.RawQuery, want)
		}
		reply(w, 200, `{`+listSchema+`"totalResults":0}`)
	})
	if _, err := listGroups(c, t.Context(), paging.Position{}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if accept := got.Get("Accept"); accept != "application/scim+json, application/json" {
		t.Errorf("Accept: %s", accept)
	}
	if _, ok := got["Cache-Control"]; ok {
		t.Error("a list asks to bypass caches")
	}
	_, _ = c.GetUser(t.Context(), "1")
	if got.Get("Cache-Control") != "no-cache" {
		t.Error("a read of one user may come from a cache")
	}
	_, _ = c.GetGroup(t.Context(), "1")
	if got.Get("Cache-Control") != "no-cache" {
		t.Error("a read of one group may come from a cache")
	}
}

func TestGetOne(t *testing.T) {
	c := serve(t, 0, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.EscapedPath() {
		case "/Users/a%2Fb%3F":
			reply(w, 200, `{"id":"a/b?","userName":"ann"}`)
		case "/Users/other":
			reply(w, 200, `{"id":"Other"}`)
		case "/Users/none":
			reply(w, 200, `{}`)
		case "/Users/list":
			reply(w, 200, `[]`)
		case "/Users/null", "/Groups/null":
			reply(w, 200, `null`)
		case "/Users/empty":
			w.WriteHeader(200)
		case "/Groups/7":
			reply(w, 200, `{"id":7,"displayName":"Seven","members":[{"value":"u1"}]}`)
		default:
			scimError(w, 404, "", "Resource not found")
		}
	})
	u, err := c.GetUser(t.Context(), "a/b?")
	if err != nil || u.UserName != "ann" {
		t.Errorf("%+v, %v", u, err)
	}
	g, err := c.GetGroup(t.Context(), "7")
	if err != nil || g.Label() != "Seven" || g.Members.Entries() != 1 {
		t.Errorf("%+v, %v", g, err)
	}
	for _, id := range []string{"other", "none"} {
		_, err := c.GetUser(t.Context(), id)
		wantError(t, err, baton.Incomplete, "not the user that was asked for", "")
	}
	for _, id := range []string{"list", "null", "empty"} {
		_, err := c.GetUser(t.Context(), id)
		wantError(t, err, baton.Incomplete, "not a JSON object", "")
	}
	_, err = c.GetGroup(t.Context(), "null")
	wantError(t, err, baton.Incomplete, "not a JSON object", "")
	_, err = c.GetUser(t.Context(), "")
	wantError(t, err, baton.Invalid, "no id given", "")
	_, err = c.GetUser(t.Context(), "gone")
	wantError(t, err, baton.Incomplete, "get user: GET /Users/gone: 404 Not Found: Resource not found", "")
	_, err = c.GetGroup(t.Context(), "gone")
	wantError(t, err, baton.Incomplete, "get group", "")
}

func TestServiceProviderConfig(t *testing.T) {
	body := `{"documentationUri":"https://x","patch":{"supported":true},"bulk":{"supported":"False","maxOperations":0},
		"filter":{"supported":1,"maxResults":"200"},"sort":null,"etag":"no","Pagination":{"cursor":true,"index":true,
		"defaultPaginationMethod":"index","defaultPageSize":100,"maxPageSize":250,"cursorTimeout":3600},
		"authenticationSchemes":[{"type":"oauthbearertoken","name":"Bearer"},{"name":"Basic"},"odd",null]}`
	c := serve(t, 0, func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, body) })
	got, err := c.ServiceProviderConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(got)
	want := `{"DocumentationURI":"https://x","Patch":true,"Bulk":false,"Filter":true,"FilterMaxResults":200,"ChangePassword":null,` +
		`"Sort":null,"ETag":null,"CursorPaging":true,"IndexPaging":true,"DefaultPaging":"index","DefaultPageSize":100,` +
		`"MaxPageSize":250,"CursorTimeout":3600,"Authentication":["oauthbearertoken","Basic"]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	body = `[]`
	_, err = c.ServiceProviderConfig(t.Context())
	wantError(t, err, baton.Unsupported, "not a JSON object", "")
}

func TestCancellationBetweenPages(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	requests := 0
	list := honest(250, 100)
	c := serve(t, 100, func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests == 2 {
			cancel()
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		list.ServeHTTP(w, r)
	})
	seen := map[string]bool{}
	step, err := listUsers(c, ctx, paging.Position{}, nil, func(u scim.User) { seen[u.ID] = true })
	if err != nil {
		t.Fatal(err)
	}
	at := step.Next
	_, err = listUsers(c, ctx, at, nil, func(scim.User) { t.Error("a row after cancellation") })
	wantError(t, err, baton.Canceled, "list users", "")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
	// The position is still valid.
	for !step.Done {
		step, err = listUsers(c, t.Context(), step.Next, func(id string) bool { return seen[id] }, func(u scim.User) { seen[u.ID] = true })
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 250 {
		t.Errorf("%d users", len(seen))
	}
}

// rows buffers the rows of a page, because they count only if the whole page does.
type rows[T any] []T

func (r *rows[T]) sink(seen func(string) bool) paging.Sink[T] {
	return paging.Sink[T]{Seen: seen, Row: func(v T) { *r = append(*r, kept(v)) }, Void: func() { *r = nil }}
}

// kept returns a row with its own slices, nil where they are empty.
func kept[T any](row T) T {
	if u, ok := any(&row).(*scim.User); ok {
		u.Emails, u.Groups = append([]scim.Email(nil), u.Emails...), append([]scim.GroupRef(nil), u.Groups...)
	}
	return row
}

func (r *rows[T]) count(step scim.ListStep, err error, each func(T)) (scim.ListStep, error) {
	if err == nil && !step.Restart {
		for _, v := range *r {
			each(v)
		}
	}
	return step, err
}

func listUsers(c *scim.Client, ctx context.Context, at paging.Position, seen func(string) bool, each func(scim.User)) (scim.ListStep, error) {
	var r rows[scim.User]
	step, err := c.ListUsers(ctx, at, r.sink(seen))
	return r.count(step, err, each)
}

func listGroups(c *scim.Client, ctx context.Context, at paging.Position, seen func(string) bool, each func(referenceGroup)) (scim.ListStep, error) {
	var got assembled
	sink := got.sink(nil)
	sink.Seen = seen
	step, err := c.ListGroups(ctx, at, sink)
	if err == nil && !step.Restart {
		for _, g := range got.groups {
			each(g)
		}
	}
	return step, err
}
