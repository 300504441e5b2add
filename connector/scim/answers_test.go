package scim_test

import (
	"net/http"
	"strings"
	"testing"

	"baton"
	"baton/connector/scim"
)

// FuzzAnswers gives every call except those for pages the same response, whatever it is: the call accepts it
// or returns a one-line error without the token.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []struct {
		status int
		body   string
	}{
		{200, `{"id":"u1","userName":"a@x.y","active":true}`}, {204, ``}, {200, ``}, {200, `{"id":"g1","members":[{"value":"u1"}]}`},
		{200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"Resources":[{"id":"u1","userName":"a@x.y"}]}`},
		{409, `{"detail":"s3cr3t-t0k3n","scimType":"uniqueness"}`}, {400, `{"scimType":"invalidFilter","detail":"no\r\n\u001b[2J"}`}, {200, `<html>login</html>`},
		{200, `{"filter":{"supported":true,"maxResults":2},"pagination":{"cursor":true,"index":false}}`}, {302, ``}, {200, "{\"id\":\"u\x00\",\"members\":{\"value\":[]}}"},
	} {
		f.Add(seed.status, seed.body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		c := connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example/steal")
			w.WriteHeader(status)
			w.Write([]byte(body))
		}), 100)
		ctx := t.Context()
		for name, call := range map[string]func() error{
			"AddMember":             func() error { return c.AddMember(ctx, "g1", "u1") },
			"RemoveMember":          func() error { return c.RemoveMember(ctx, "g1", "u1") },
			"SetActive":             func() error { return c.SetActive(ctx, "u1", false) },
			"CreateUser":            func() error { _, _, err := c.CreateUser(ctx, scim.NewUser{UserName: "a@x.y"}); return err },
			"GetUser":               func() error { _, err := c.GetUser(ctx, "u1"); return err },
			"GetGroup":              func() error { _, err := c.GetGroup(ctx, "g1"); return err },
			"LookUpUser":            func() error { _, _, err := c.LookUpUser(ctx, "u1"); return err },
			"LookUpGroup":           func() error { _, _, err := c.LookUpGroup(ctx, "g1"); return err },
			"FindUsers":             func() error { _, err := c.FindUsers(ctx, "a@x.y"); return err },
			"ServiceProviderConfig": func() error { _, err := c.ServiceProviderConfig(ctx); return err },
		} {
			err := call()
			switch {
			case err == nil && status/100 != 2:
				t.Errorf("%s takes a %d for success", name, status)
			case baton.KindOf(err) == baton.NotFound:
				t.Errorf("%s takes a %d for proof: %v", name, status, err)
			case err == nil:
			case strings.Contains(err.Error(), token), strings.ContainsAny(err.Error(), "\r\n\x1b\x00"):
				t.Errorf("%s: %q", name, err)
			case baton.KindOf(err) == baton.Internal:
				t.Errorf("%s is taken for a defect: %v", name, err)
			}
		}
	})
}
