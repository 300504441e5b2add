package web

import (
	"net/url"
	"strings"
	"testing"

	"baton/console"
)

// TestDevice gives a program a credential on its page.
func TestDevice(t *testing.T) {
	f := withPeople(t)
	b := f.as("user")
	b.get("/device").wants(t, "before a code", 200, "Eight letters", `name="code"`)
	b.post("/device", url.Values{"code": {"BCDF-GHJK"}}).wants(t, "a code of nobody", 400, "No program shows this code")
	start := func() string {
		n, err := f.govern.StartDevice(t.Context(), "cli", "192.0.2.7")
		f.check(err)
		return n.Typed
	}
	code := start()
	shown := b.post("/device", url.Values{"code": {strings.ToLower(code)}})
	shown.wants(t, "a code", 200, "192.0.2.7", "only if you started it yourself", `value="ask" checked`, "Connect", "Refuse")
	if strings.Contains(shown.body, `value="configure" checked`) {
		t.Error("configure is chosen before anybody chose it")
	}
	b.post("/device", url.Values{"code": {code}, "decision": {"connect"}}).wants(t, "without a scope", 400, "has no scope")
	b.post("/device", url.Values{"code": {code}, "decision": {"maybe"}}).wants(t, "another decision", 400, "no decision")
	b.post("/device", url.Values{"code": {code}, "decision": {"connect"}, "scope": {"ask"}}).wants(t, "connected", 200, "is connected")
	b.post("/device", url.Values{"code": {code}}).wants(t, "the code again", 400, "No program shows this code")
	code = start()
	b.post("/device", url.Values{"code": {code}, "decision": {"refuse"}}).wants(t, "refused", 200, "gets nothing")

	// An old login must be confirmed before the code is typed.
	f.now = f.now.Add(console.StepUp)
	if r := b.get("/device"); r.status != 303 || !strings.HasPrefix(r.location, "/confirm?next=%2Fdevice") {
		t.Errorf("a login of some time ago: %d %s", r.status, r.location)
	}
}
