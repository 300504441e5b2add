package scim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"baton/connector/rest"
	"baton/connector/scim"
)

// TestMediaTypes: a server that rejects the media type of SCIM gets requests with that of JSON, after the
// first failure of each request and then always. A creation that may have been carried out is not repeated.
func TestMediaTypes(t *testing.T) {
	for name, tt := range map[string]struct {
		refuse func(*http.Request) int
		want   []string // method, Accept, Content-Type
		failed string   // the operation that fails
	}{
		"knows it": {func(*http.Request) int { return 0 }, []string{
			"GET application/scim+json, application/json ", "GET application/scim+json, application/json ",
			"PATCH application/scim+json, application/json application/scim+json", "POST application/scim+json, application/json application/scim+json"}, ""},
		"415 for bodies": {func(r *http.Request) int {
			if strings.Contains(r.Header.Get("Content-Type"), "scim") {
				return 415
			}
			return 0
		}, []string{
			"GET application/scim+json, application/json ", "GET application/scim+json, application/json ",
			"PATCH application/scim+json, application/json application/scim+json", "PATCH application/json application/json", "POST application/json application/json"}, ""},
		"406 for everything": {func(r *http.Request) int {
			if strings.Contains(r.Header.Get("Accept"), "scim") {
				return 406
			}
			return 0
		}, []string{
			"GET application/scim+json, application/json ", "GET application/json ", "GET application/json ", "PATCH application/json application/json", "POST application/json application/json"}, ""},
		"406 for a creation": {func(r *http.Request) int {
			if r.Method == "POST" {
				return 406
			}
			return 0
		}, []string{
			"GET application/scim+json, application/json ", "GET application/scim+json, application/json ",
			"PATCH application/scim+json, application/json application/scim+json", "POST application/scim+json, application/json application/scim+json"}, "may have been carried out"},
		"415 whatever comes": {func(r *http.Request) int {
			if r.Method == "PATCH" {
				return 415
			}
			return 0
		}, []string{
			"GET application/scim+json, application/json ", "GET application/scim+json, application/json ",
			"PATCH application/scim+json, application/json application/scim+json", "PATCH application/json application/json", "POST application/scim+json, application/json application/scim+json"}, "415"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = append(got, fmt.Sprintf("%s %s %s", r.Method, r.Header.Get("Accept"), r.Header.Get("Content-Type")))
				if status := tt.refuse(r); status != 0 {
					reply(w, status, `{"detail":"no"}`)
					return
				}
				reply(w, 200, `{"id":"u1","userName":"ann"}`)
			}))
			defer server.Close()
			client, err := rest.New(rest.Config{BaseURL: server.URL, RetryFor: -1})
			if err != nil {
				t.Fatal(err)
			}
			c := scim.New(scim.Config{REST: client})
			var failed string
			for _, op := range []func() error{
				func() error { _, err := c.GetUser(t.Context(), "u1"); return err },
				func() error { _, err := c.GetUser(t.Context(), "u1"); return err },
				func() error { return c.AddMember(t.Context(), "g1", "u1") },
				func() error { _, _, err := c.CreateUser(t.Context(), scim.NewUser{UserName: "ann"}); return err },
			} {
				if err := op(); err != nil {
					failed += err.Error()
				}
			}
			if (tt.failed == "") != (failed == "") || !strings.Contains(failed, tt.failed) {
				t.Errorf("failed with %q, want %q", failed, tt.failed)
			}
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("requests\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}
