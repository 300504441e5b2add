package web

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

func TestCredentials(t *testing.T) {
	f := withPeople(t)
	b := f.as("user")
	page := b.get("/credentials")
	page.wants(t, "no credential", 200, "You have none.", "Decide", `value="read" checked`)
	if strings.Contains(page.body, "Roles of the service") || strings.Contains(page.body, "Configure one application only") {
		t.Error("a user is offered what only others may")
	}
	b.post("/credentials", url.Values{"name": {"laptop"}, "scope": {"read", "superpowers"}, "days": {"7"}}).wants(t, "an unknown scope", 400, "There is no scope", `value="laptop"`, `value="7" selected`)
	b.post("/credentials", url.Values{"name": {"laptop"}, "scope": {"read"}, "days": {"36500"}}).wants(t, "a hundred years", 400, "is good for up to")
	made := b.post("/credentials", url.Values{"name": {"laptop " + hostileTyped}, "scope": {"read", "decide"}, "days": {"7"}, "roles": {"super-administrator"}, "service": {"true"}})
	made.wants(t, "a credential", 200, "shown once", "/pcc</code>", "secret-token:console.example.com:v1:", "read, decide", "Works until")
	made.checkSafe(t, "/credentials")
	if again := b.get("/credentials"); strings.Contains(again.body, "secret-token") || !strings.Contains(again.body, "/pcc</code>") {
		t.Error("the secret is shown again, or the credential is not listed")
	}
	var clients []console.Client
	f.check(f.store.View(t.Context(), func(tx *store.Tx) (err error) {
		clients, err = tx.Clients("", "", 10)
		return err
	}))
	if len(clients) != 1 || clients[0].Person != f.people["user"] || clients[0].Service || !clients[0].Expires.Equal(f.now.Add(7*24*time.Hour)) {
		t.Fatalf("what was made: %+v", clients)
	}
	key, err := rpc.PublicKeyOf(baton.NewSecret(secretOf(t, made)))
	if err != nil || !bytes.Equal(key, clients[0].PublicKey) {
		t.Errorf("the secret that is shown does not belong to the stored key: %v", err)
	}

	// Others see it in the settings, and only the super administrator can revoke it.
	f.as("auditor").get("/settings/api-credentials").wants(t, "as an auditor", 200, "laptop", "user")
	super := f.as("super")
	super.get("/settings/api-credentials").wants(t, "as super administrator", 200, "Add a service", "Roles of the service", "Configure one application only", "Revoke")
	service := super.post("/settings/api-credentials", url.Values{"name": {"Terraform"}, "scope": {"configure:" + string(f.app)}, "role": {"connector-administrator"}, "days": {"90"}})
	service.wants(t, "a service", 200, "shown once", "/spc</code>", "configure:"+string(f.app))
	super.post("/settings/api-credentials", url.Values{"name": {"Robot"}, "scope": {"decide"}, "days": {"90"}}).wants(t, "a service that decides", 400, "A service does not decide.")
	if people := super.get("/people"); strings.Contains(people.body, "Terraform") {
		t.Error("the service is in the list of people")
	}
	revoke := "/credentials/" + string(clients[0].ID) + "/revoke"
	f.as("owner").post(revoke, nil).wants(t, "of somebody else", 404)
	if r := super.post(revoke, url.Values{"next": {"/settings/api-credentials"}}); r.location != "/settings/api-credentials" {
		t.Errorf("revoke: %d %s", r.status, r.location)
	}
	b.get("/credentials").wants(t, "revoked", 200, "Revoked")

	// An old login must be confirmed first.
	f.now = f.now.Add(console.StepUp)
	if r := b.post("/credentials", url.Values{"name": {"x"}, "scope": {"read"}, "days": {"7"}}); r.status != http.StatusSeeOther || !strings.HasPrefix(r.location, "/confirm") {
		t.Errorf("a login of some time ago: %d %s", r.status, r.location)
	}
}

func secretOf(t *testing.T, a answer) string {
	t.Helper()
	_, rest, ok := strings.Cut(a.body, "secret-token:")
	secret, _, _ := strings.Cut(rest, "<")
	if !ok {
		t.Fatalf("no secret is shown: %s", a.body)
	}
	return "secret-token:" + secret
}
