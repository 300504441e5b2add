package scim_test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/connector/scim"
)

var update = flag.Bool("update", false, "write the golden files")

// recorder is a server that records requests and answers them by a function.
type recorder struct {
	requests []string
	answer   func(w http.ResponseWriter, r *http.Request)
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.RequestURI)
	var names []string
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name != "Accept-Encoding" { // the transport's own
			fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.Header[name], ", "))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", body)
	rec.requests = append(rec.requests, b.String())
	rec.answer(w, r)
}

// status returns a handler that sends a status and no body.
func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// golden compares got with testdata/name, byte for byte.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestWritesAsSent(t *testing.T) {
	const awkward = `u"1\/é<&>`
	created := func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 201, `{"id":"u9","userName":"ann@example.com"}`)
	}
	for name, tt := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		do     func(t *testing.T, c *scim.Client) error
	}{
		"create-user": {created, func(t *testing.T, c *scim.Client) error {
			u, _, err := c.CreateUser(t.Context(), scim.NewUser{UserName: "ann@example.com", ExternalID: "e9", DisplayName: "Ann de <Lee>",
				GivenName: "Ann", FamilyName: "de <Lee>", Email: "ann@example.com"})
			if err == nil && u.ID != "u9" {
				t.Errorf("%+v", u)
			}
			return err
		}},
		"create-user-least": {created, func(t *testing.T, c *scim.Client) error {
			_, _, err := c.CreateUser(t.Context(), scim.NewUser{UserName: "ann@example.com"})
			return err
		}},
		"create-user-one-name": {created, func(t *testing.T, c *scim.Client) error {
			_, _, err := c.CreateUser(t.Context(), scim.NewUser{UserName: "ann@example.com", DisplayName: "Ann", GivenName: "Ann"})
			return err
		}},
		"disable":       {status(204), func(t *testing.T, c *scim.Client) error { return c.SetActive(t.Context(), "u1", false) }},
		"enable":        {status(204), func(t *testing.T, c *scim.Client) error { return c.SetActive(t.Context(), awkward, true) }},
		"add-member":    {status(204), func(t *testing.T, c *scim.Client) error { return c.AddMember(t.Context(), "g/1", awkward) }},
		"remove-member": {status(204), func(t *testing.T, c *scim.Client) error { return c.RemoveMember(t.Context(), "g/1", awkward) }},
		"disable-without-path": {
			func(w http.ResponseWriter, r *http.Request) {
				scimError(w, 400, "invalidPath", "path is not supported")
			},
			func(t *testing.T, c *scim.Client) error {
				wantError(t, c.SetActive(t.Context(), "u1", false), baton.Invalid, "path is not supported", "")
				return nil
			}},
	} {
		t.Run(name, func(t *testing.T) {
			rec := &recorder{answer: tt.answer}
			if err := tt.do(t, serve(t, 0, rec.ServeHTTP)); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".golden", strings.Join(rec.requests, "\n"))
		})
	}
}

func TestAnswersToPatch(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		kind   baton.Kind
		text   string
	}{
		"204":             {status(204), 0, ""},
		"200, no body":    {status(200), 0, ""},
		"200, the group":  {func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, `{"id":"g1"}`) }, 0, ""},
		"200, some text":  {func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, `OK`) }, 0, ""},
		"200, a web page": {func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, `<html>`) }, baton.Invalid, "HTML page"},
		"202":             {status(202), baton.Unavailable, "accepted the change, but has not made it yet"},
		"400":             {func(w http.ResponseWriter, _ *http.Request) { scimError(w, 400, "noTarget", "no such value") }, baton.Invalid, "no such value"},
		"404":             {status(404), baton.Incomplete, "404 Not Found (this is no SCIM answer)"},
		"409":             {status(409), baton.AlreadyExists, "409"},
		"412":             {status(412), baton.Refused, "412"},
		"413":             {status(413), baton.Invalid, "413"},
		"501":             {status(501), baton.Unsupported, "501"},
		"503":             {status(503), baton.Unavailable, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, 0, tt.answer)
			for doing, err := range map[string]error{
				"add member":    c.AddMember(t.Context(), "g1", "u1"),
				"remove member": c.RemoveMember(t.Context(), "g1", "u1"),
				"set active":    c.SetActive(t.Context(), "u1", true),
			} {
				if tt.text == "" && err != nil {
					t.Error(err)
				}
				if tt.text != "" {
					wantError(t, err, tt.kind, tt.text, "")
					if !strings.Contains(err.Error(), doing) {
						t.Errorf("%q does not say %s", err, doing)
					}
				}
			}
		})
	}
}

// TestRefusalsHaveAdvice checks that every refused request comes with advice.
func TestRefusalsHaveAdvice(t *testing.T) {
	for _, code := range []int{400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 418, 422, 429, 500, 501, 502, 503, 504} {
		c := serve(t, 0, status(code))
		_, _, created := c.CreateUser(t.Context(), scim.NewUser{UserName: "ann@example.com"})
		_, read := c.GetGroup(t.Context(), "g1")
		for doing, err := range map[string]error{
			"add":    c.AddMember(t.Context(), "g1", "u1"),
			"remove": c.RemoveMember(t.Context(), "g1", "u1"),
			"set":    c.SetActive(t.Context(), "u1", false),
			"create": created,
			"read":   read,
		} {
			if err != nil && (baton.FixOf(err) == "" || baton.KindOf(err) == baton.Internal) {
				t.Errorf("%s, %d: %v (%v) says nobody what to do", doing, code, err, baton.KindOf(err))
			}
		}
	}
}

func TestNothingIsSentWithoutIDs(t *testing.T) {
	rec := &recorder{answer: status(204)}
	c := serve(t, 0, rec.ServeHTTP)
	_, _, created := c.CreateUser(t.Context(), scim.NewUser{UserName: " "})
	for text, err := range map[string]error{
		"create user: a user needs a userName": created,
		"set active: no id given":              c.SetActive(t.Context(), "", false),
		"add member: no id given":              c.AddMember(t.Context(), "", "u1"),
		"add member: no":                       c.AddMember(t.Context(), "g1", ""),
		"remove member: no id given":           c.RemoveMember(t.Context(), "", "u1"),
		"remove member: no":                    c.RemoveMember(t.Context(), "g1", ""),
	} {
		wantError(t, err, baton.Invalid, text, "")
	}
	if len(rec.requests) > 0 {
		t.Errorf("sent %q", rec.requests)
	}
}

func TestSetActiveWithoutPath(t *testing.T) {
	rec := &recorder{}
	rec.answer = func(w http.ResponseWriter, r *http.Request) {
		if len(rec.requests) == 1 {
			scimError(w, 400, "invalidPath", "unsupported")
			return
		}
		w.WriteHeader(204)
	}
	c := serve(t, 0, rec.ServeHTTP)
	if err := c.SetActive(t.Context(), "u1", false); err != nil {
		t.Fatal(err)
	}
	if len(rec.requests) != 2 || !strings.Contains(rec.requests[1], `"Operations":[{"op":"replace","value":{"active":false}}]`) {
		t.Errorf("sent %q", rec.requests)
	}
}

func TestSetActiveThrottled(t *testing.T) {
	rec := &recorder{answer: func(w http.ResponseWriter, _ *http.Request) { scimError(w, 400, "", "Too many requests") }}
	err := serve(t, 0, rec.ServeHTTP).SetActive(t.Context(), "u1", false)
	wantError(t, err, baton.RateLimited, "Too many requests", "")
	if len(rec.requests) != 1 {
		t.Errorf("%d requests: throttling was taken for a refusal of the form", len(rec.requests))
	}
}

func TestCreateUserAnswers(t *testing.T) {
	ann := `{"id":"u9","userName":"ann@example.com"}`
	find := func(post func(http.ResponseWriter), found string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				post(w)
				return
			}
			reply(w, 200, found)
		}
	}
	for name, tt := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		kind   baton.Kind
		text   string
	}{
		"201":                   {find(func(w http.ResponseWriter) { reply(w, 201, ann) }, ""), 0, ""},
		"200":                   {find(func(w http.ResponseWriter) { reply(w, 200, ann) }, ""), 0, ""},
		"201, no body":          {find(func(w http.ResponseWriter) { w.WriteHeader(201) }, `{"totalResults":1,"Resources":[`+ann+`]}`), 0, ""},
		"201, not found":        {find(func(w http.ResponseWriter) { reply(w, 201, `{}`) }, `{`+listSchema+`"totalResults":0}`), baton.Incomplete, "shows no user with that userName"},
		"202":                   {find(func(w http.ResponseWriter) { reply(w, 202, ann) }, ""), baton.Unavailable, "has not made it yet"},
		"409 without scimType":  {find(func(w http.ResponseWriter) { scimError(w, 409, "", "Another user already exists") }, ""), baton.AlreadyExists, "Another user"},
		"400 without a body":    {find(func(w http.ResponseWriter) { w.WriteHeader(400) }, ""), baton.Invalid, "400 Bad Request"},
		"502, perhaps received": {find(func(w http.ResponseWriter) { w.WriteHeader(502) }, ""), baton.Unavailable, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			u, _, err := serve(t, 0, tt.answer).CreateUser(t.Context(), scim.NewUser{UserName: "ann@example.com"})
			if tt.text != "" {
				wantError(t, err, tt.kind, tt.text, "")
			} else if err != nil || u.ID != "u9" {
				t.Errorf("%+v, %v", u, err)
			}
		})
	}
}

// TestLostAnswers drops the response to the first write of each kind: a repeatable change is sent again, a
// creation is not.
func TestLostAnswers(t *testing.T) {
	got := make(chan string, 9)
	server := func(w http.ResponseWriter, r *http.Request) {
		got <- r.Method + " " + r.URL.Path
		if len(got) == 2 {
			w.WriteHeader(204)
			return
		}
		panic(http.ErrAbortHandler)
	}
	c := serveRetrying(t, server)
	if err := c.AddMember(t.Context(), "g1", "u1"); err != nil {
		t.Error(err)
	}
	_, _, err := c.CreateUser(t.Context(), scim.NewUser{UserName: "ann"})
	wantError(t, err, baton.Unavailable, "may have been carried out", "")
	var all []string
	for range len(got) {
		all = append(all, <-got)
	}
	if want := "PATCH /Groups/g1, PATCH /Groups/g1, POST /Users"; strings.Join(all, ", ") != want {
		t.Errorf("got %q", all)
	}
}
