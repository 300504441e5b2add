package cli_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"baton/agent/cli"
	"baton/c1z/c1ztest"
	"baton/test/script"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"baton-fake": func() { os.Exit(cli.Main(program())) }})
}

// TestScripts runs the command lines in testdata/script. FAKE_URL points to the script's own upstream.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			u := newUpstream()
			server := httptest.NewServer(u)
			env.Defer(server.Close)
			env.Values["upstream"] = u
			env.Setenv("FAKE_URL", server.URL)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": script.Exits, "upstream": breakUpstream, "events": events, "configure": configure, "override": override,
			"opaque": opaque,
		},
	})
}

// configure sets the environment for the upstream.
func configure(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Setenv("BATON_FAKE_URL", ts.Getenv("FAKE_URL"))
	ts.Setenv("BATON_FAKE_TOKEN", "secret-token")
	ts.Setenv("BATON_LOG_FORMAT", "console")
}

// override stores the override of the last message in a variable: "override NAME".
func override(ts *testscript.TestScript, _ bool, args []string) {
	m := regexp.MustCompile(`--allow-held ([\w-]+)`).FindStringSubmatch(ts.ReadFile("stderr"))
	if m == nil {
		ts.Fatalf("no override was named")
	}
	ts.Setenv(args[0], m[1])
}

// opaque gives the entitlement of g1 and its grant ids of another form.
func opaque(ts *testscript.TestScript, _ bool, args []string) {
	err := c1ztest.Rewrite(ts.MkAbs(args[0]),
		`update v1_entitlements set external_id = 'custom-ent-id-1', data = unhex(replace(hex(data), hex('group:g1:member'), hex('custom-ent-id-1'))) where external_id = 'group:g1:member'`,
		`update v1_grants set external_id = 'custom grant/1', entitlement_id = 'custom-ent-id-1', data = x'' where external_id = 'group:g1:member:user:u1'`)
	ts.Check(err)
}

// breakUpstream changes the upstream's behaviour: "upstream fail", "upstream well"; or the members of a
// group: "upstream group g1 u1 u2".
func breakUpstream(ts *testscript.TestScript, _ bool, args []string) {
	u := ts.Value("upstream").(*upstream)
	u.mu.Lock()
	defer u.mu.Unlock()
	if args[0] == "group" {
		u.members[args[1]] = args[2:]
		return
	}
	u.fail = map[string]int{"fail": 503, "forbid": 403, "well": 0}[args[0]]
}

// events checks that every line of stderr is a JSON event with the expected keys.
func events(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			ts.Fatalf("%q is not JSON: %v", line, err)
		}
		for _, key := range append([]string{"level", "ts", "msg"}, args...) {
			if event[key] == nil {
				ts.Fatalf("%q has no %s", line, key)
			}
		}
	}
}
