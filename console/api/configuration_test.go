package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestConfigurationCalls plans, applies and exports files over the REST interface. Changes of roles wait
// for a second person, and nothing is read from the machine of the console.
func TestConfigurationCalls(t *testing.T) {
	f := newFixture(t)
	super := f.as("super")
	request := func(text, more string) string {
		b, err := json.Marshal(text)
		f.check(err)
		return fmt.Sprintf(`{"files":[{"name":"a.yaml","text":%s}]%s}`, b, more)
	}
	const plan, apply = "/api/v1/configuration/action/plan", "/api/v1/configuration/action/apply"
	f.fails("without files", super, "POST", plan, `{}`, 400, 3, "no files")
	f.fails("a wrong file", super, "POST", plan, request("apps:\n  - {colour: red}\n", ""), 400, 3, "a.yaml: line 2: field colour is not known")
	f.fails("a wrong source", super, "POST", plan, request("apps: []", `,"source":"bootstrap"`), 400, 3, "bootstrap")
	f.fails("a file of the machine", super, "POST", plan, request("mail: {host: a.example.test, from: a@b.c, user: u, password_file: /etc/passwd}", ""), 400, 3, "files cannot be read here")
	f.fails("an identity provider", super, "POST", apply, request("oidc: [{name: okta, issuer: 'https://okta.example.test', client_id: c}]", ""), 403, 7, "how people sign in")
	f.fails("a body of more than 1 MiB", super, "POST", plan, request(strings.Repeat("#", 1<<20), ""), 400, 3, "The body of the request is larger than 1048576 bytes. Send less at once.")
	f.fails("a name with an escape sequence", super, "POST", plan, `{"files":[{"name":"a\u001b.yaml","text":""}]}`, 400, 3, "cannot name a configuration file")
	text := "people:\n  - {email: new@example.test, name: New, roles: [super-administrator]}\napps:\n  - {name: Made by files, owners: [new@example.test]}\n"
	planned := f.ok(super, "POST", plan, request(text, ""))
	if at(planned, "changes.0.do") != "create" || at(planned, "changes.0.fields.2.waits") != "second-person" || at(planned, "changes.1.name") != "Made by files" {
		t.Errorf("%v", planned)
	}
	f.fails("another plan", super, "POST", apply, request(text, `,"plan":"x"`), 400, 9, "changed since the plan")
	applied := f.ok(super, "POST", apply, request(text, fmt.Sprintf(`,"plan":%q`, planned["digest"])))
	if fmt.Sprint(applied["changes"]) != fmt.Sprint(planned["changes"]) && at(applied, "digest") != planned["digest"] {
		t.Errorf("%v", applied)
	}
	state := f.ok(super, "GET", "/api/v1/configuration", "")
	if at(state, "list.0.source") != "files" || at(state, "list.0.drift.0.fields.0.field") != "roles" {
		t.Errorf("%v", state)
	}
	export := f.call(super, "GET", "/api/v1/configuration/export", "")
	if export.status != 200 || !strings.Contains(export.body, "Made by files") || strings.Contains(export.body, "New\n    roles") {
		t.Errorf("%d %s", export.status, export.body)
	}
}
