package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/rpc"
	"baton/console/store"
)

// form posts a form, and returns the status and the response.
func (f *fixture) form(path string, values url.Values) (int, map[string]any) {
	f.t.Helper()
	resp, err := http.PostForm(f.server.URL+path, values)
	f.check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	f.check(err)
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" {
		f.t.Fatalf("%s: %s %s, %v", path, resp.Status, b, err)
	}
	return resp.StatusCode, v
}

// browser returns a person who has just signed in to the pages.
func (f *fixture) browser(name string) govern.Caller {
	f.t.Helper()
	var p console.Person
	f.check(f.store.View(f.t.Context(), func(tx *store.Tx) (err error) {
		p, err = tx.Person(f.people[name])
		return err
	}))
	return govern.Caller{Person: p, Session: console.Session{Person: p.ID, Began: f.now, Proved: f.now, Seen: f.now}}
}

const deviceClient = "2RGdOS94VDferT9e80mdgntl36K" // the client id of an official client

// TestDeviceLogin connects a program like an official client does.
func TestDeviceLogin(t *testing.T) {
	f := newFixture(t)
	start := func() (code, typed string) {
		status, v := f.form("/auth/v1/device_authorization", url.Values{"client_id": {deviceClient}})
		code, typed = fmt.Sprint(v["device_code"]), fmt.Sprint(v["user_code"])
		if status != 200 || code == "" || len(typed) != 9 || v["expires_in"] != 600.0 || v["interval"] != 2.0 || v["verification_uri_complete"] != "https://console.example.com/device" {
			t.Fatalf("started: %d %v", status, v)
		}
		return code, typed
	}
	poll := func(code string) (int, map[string]any) {
		return f.form(rpc.TokenPath, url.Values{"client_id": {deviceClient}, "device_code": {code}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}})
	}
	pending := func(what, code, want string) {
		t.Helper()
		if status, v := poll(code); status != 400 || v["error"] != want || v["error_description"] == "" {
			t.Errorf("%s: %d %v", what, status, v)
		}
	}
	code, typed := start()
	pending("nobody typed it", code, "authorization_pending")
	pending("again", code, "authorization_pending")
	pending("an unknown code", "x", "expired_token")
	if strings.Contains(code, strings.ReplaceAll(typed, "-", "")) {
		t.Error("the typed code is in the other")
	}

	// A person with a recent login types it, in any case and with any separators.
	caller := f.browser("user")
	old := caller
	old.Session.Proved = f.now.Add(-time.Hour)
	if err := f.govern.CheckDevice(t.Context(), old); err != govern.ErrStepUp {
		t.Errorf("with a login of an hour ago: %v", err)
	}
	if _, err := f.govern.Device(t.Context(), old, typed); err != govern.ErrStepUp {
		t.Errorf("with a login of an hour ago: %v", err)
	}
	scopes := []console.Scope{console.ScopeRead, console.ScopeAsk, console.ScopeDecide}
	if err := f.govern.DecideDevice(t.Context(), old, typed, true, scopes); err != govern.ErrStepUp {
		t.Errorf("with a login of an hour ago: %v", err)
	}
	d, err := f.govern.Device(t.Context(), caller, " "+strings.ToLower(strings.ReplaceAll(typed, "-", " ")))
	if err != nil || d.Client != deviceClient || d.Address != "127.0.0.1" {
		t.Errorf("%+v, %v", d, err)
	}
	if err := f.govern.DecideDevice(t.Context(), caller, "BCDF-GHJK", true, scopes); baton.KindOf(err) != baton.Invalid {
		t.Errorf("another code: %v", err)
	}
	for _, wrong := range [][]console.Scope{nil, {"everything"}, {console.ScopeConfigureApp(f.app)}} {
		if err := f.govern.DecideDevice(t.Context(), caller, typed, true, wrong); baton.KindOf(err) != baton.Invalid {
			t.Errorf("the scopes %v: %v", wrong, err)
		}
	}
	f.check(f.govern.DecideDevice(t.Context(), caller, typed, true, scopes))
	if err := f.govern.DecideDevice(t.Context(), caller, typed, true, scopes); baton.KindOf(err) != baton.Invalid {
		t.Errorf("typed twice: %v", err)
	}

	// Its token creates one credential, and nothing else.
	status, v := poll(code)
	token := fmt.Sprint(v["access_token"])
	if status != 200 || v["token_type"] != "Bearer" || token == "" {
		t.Fatalf("the token: %d %v", status, v)
	}
	pending("a second token", code, "expired_token")
	f.fails("the token as a credential", token, "GET", "/api/v1/auth/introspect", "", 401, 16)
	f.fails("a credential without a token", "", "POST", "/api/v1/iam/personal_clients", `{"display_name":"x"}`, 401, 16)
	f.fails("a credential by another credential", f.as("super"), "POST", "/api/v1/iam/personal_clients", `{"display_name":"x"}`, 401, 16)
	made := f.ok(token, "POST", "/api/v1/iam/personal_clients", `{"display_name":"Created by Cone"}`)
	f.fails("a second credential", token, "POST", "/api/v1/iam/personal_clients", `{"display_name":"Created by Cone"}`, 401, 16)
	id, secret := fmt.Sprint(at(made, "client.clientId")), fmt.Sprint(made["clientSecret"])
	if !strings.HasSuffix(id, "@console.example.com/pcc") || !strings.HasPrefix(secret, "secret-token:console.example.com:v1:") {
		t.Errorf("the credential: %v", made)
	}
	mine := f.token(govern.MadeClient{Client: console.Client{ClientID: id}, Secret: baton.NewSecret(secret)})
	who := f.ok(mine, "GET", "/api/v1/auth/introspect", "")
	if who["userId"] != string(f.people["user"]) || len(who["permissions"].([]any)) != 3 {
		t.Errorf("who it is: %v", who)
	}
	f.check(f.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.EventsBefore(store.EventFilter{Person: f.people["user"]}, 0, 2)
		if len(events) != 2 || events[0].Kind != "client.added" || events[0].Actor.Person() != f.people["user"] || events[1].Kind != "device.allowed" {
			t.Errorf("the events: %+v", events)
		}
		return err
	}))

	// Refused, expired, or of a person who was disabled in the meantime.
	code, typed = start()
	f.check(f.govern.DecideDevice(t.Context(), caller, typed, false, scopes))
	pending("refused", code, "access_denied")
	code, typed = start()
	f.now = f.now.Add(console.DeviceLife)
	caller = f.browser("user")
	if _, err := f.govern.Device(t.Context(), caller, typed); baton.KindOf(err) != baton.Invalid {
		t.Errorf("too late: %v", err)
	}
	pending("too late", code, "expired_token")
	code, typed = start()
	f.check(f.govern.DecideDevice(t.Context(), caller, typed, true, scopes))
	_, v = poll(code)
	f.update(func(tx *store.Tx) error {
		p, err := tx.Person(f.people["user"])
		p.Status = console.PersonDisabled
		if err == nil {
			err = tx.ChangePerson(p)
		}
		return err
	})
	f.fails("of somebody who was disabled", fmt.Sprint(v["access_token"]), "POST", "/api/v1/iam/personal_clients", `{"displayName":"x"}`, 401, 16)

	for _, values := range []url.Values{nil, {"client_id": {"a\nb"}}, {"client_id": {strings.Repeat("x", 101)}}} {
		if status, v := f.form("/auth/v1/device_authorization", values); status != 400 || v["error"] == nil {
			t.Errorf("%v: %d %v", values, status, v)
		}
	}
	resp, err := http.Get(f.server.URL + "/auth/v1/device_authorization")
	f.check(err)
	resp.Body.Close()
	if resp.StatusCode != 405 {
		t.Errorf("a GET: %s", resp.Status)
	}
}
