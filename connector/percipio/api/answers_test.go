package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton"
	"baton/connector/paging"
	"baton/connector/percipio/api"
	"baton/connector/rest"
)

// always answers every request in the same way.
type always func(w http.ResponseWriter)

func (a always) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a(w)
	return w.Result(), nil
}

// FuzzAnswers gives every call the same response, whatever it is: the call accepts it or returns a one-line
// error.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []struct {
		status              int
		body, total, handle string
	}{
		{200, rows("a", "b"), "2", "h1"}, {200, `[]`, "0", ""}, {200, `[{"id":"a","customAttributes":[{"name":"x","value":{}}]}]`, "1e9", "h\x1b"},
		{200, `{"id":"r1","status":"PENDING"}`, "", ""}, {202, `{"id":"../../r1","status":"COMPLETED"}`, "-1", ""}, {200, `<html>`, "", ""},
		{500, `{"message":"no"}`, "9223372036854775808", ""}, {200, "[" + strings.Repeat("[", 100) + "]", "", ""}, {200, `[{"id":"a"},{"id":"a"}]`, "2", ""},
		{401, `{"message":"sk-secret-0123456789"}`, "", ""},
	} {
		f.Add(seed.status, seed.body, seed.total, seed.handle, "")
		f.Add(seed.status, seed.body, seed.total, seed.handle, `{"received":10,"distinct":9,"total":20,"first":"a","handle":"h"}`)
	}
	f.Fuzz(func(t *testing.T, status int, body, total, handle, position string) {
		at, err := paging.ParsePosition(position)
		if err != nil || status < 200 || status > 599 {
			return
		}
		synctest.Test(t, func(t *testing.T) { tryAnswer(t, at, status, body, total, handle) }) // waits take no time
	})
}

func tryAnswer(t *testing.T, at paging.Position, status int, body, total, handle string) {
	client, err := rest.New(rest.Config{BaseURL: "https://percipio.example", Token: baton.NewSecret("sk-secret-0123456789"), RetryFor: -1,
		Transport: always(func(w http.ResponseWriter) {
			w.Header().Set("X-Total-Count", total)
			w.Header().Set("X-Paging-Request-Id", handle)
			w.Header().Set("Link", `<https://elsewhere.example/steal>; rel="next"`)
			w.WriteHeader(status)
			io.WriteString(w, body)
		})})
	if err != nil {
		t.Fatal(err)
	}
	c, ctx := api.New(client, "o"), t.Context()
	for name, call := range map[string]func() error{
		"ListUsers": func() error {
			step, err := c.ListUsers(ctx, at, paging.Sink[api.User]{Row: func(api.User) {}})
			if err == nil && step.Next.Received < at.Received && !step.Restart && !step.Done {
				t.Errorf("it goes back from %+v to %+v", at, step.Next)
			}
			return err
		},
		"ListCatalog": func() error {
			_, err := c.ListCatalog(ctx, at, paging.Sink[api.Item]{Row: func(api.Item) {}})
			return err
		},
		"FindItem":   func() error { _, _, err := c.FindItem(ctx, "c1"); return err },
		"ReadReport": func() error { _, err := c.ReadReport(ctx, "r1"); return err },
		"RequestReport": func() error {
			_, err := c.RequestReport(ctx, api.ReportRequest{Start: time.Unix(0, 0), End: time.Unix(1, 0)})
			return err
		},
		"CheckUsers": func() error { _, err := c.CheckUsers(ctx); return err },
	} {
		err := call()
		switch {
		case err == nil:
		case strings.Contains(err.Error(), "sk-secret-0123456789"), strings.ContainsAny(err.Error(), "\r\n\x1b\x00"):
			t.Errorf("%s: %q", name, err)
		case baton.KindOf(err) == baton.Internal:
			t.Errorf("%s is taken for a defect: %v", name, err)
		}
	}
}
