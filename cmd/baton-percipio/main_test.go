package main

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"baton/agent/cli"
	"baton/c1z/c1ztest"
	sandboxed "baton/sandbox/percipio"
	"baton/test/clitest"
)

func run(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return clitest.Run(t, program(), env, args...)
}

func TestDescriptions(t *testing.T) { clitest.Descriptions(t, program()) }

// TestDemo runs the first command of a newcomer.
func TestDemo(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := run(t, nil, "demo")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"synced in", "finishes", "\n  grants: 1 new, 1 gone\n", "no problems", "\nsync.c1z holds the result of the last sync."} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	rows, err := c1ztest.Read("sync.c1z")
	if err != nil {
		t.Fatal(err)
	}
	if accounts := len(rows.ResourcesOf("user")); accounts != 20 {
		t.Errorf("%d accounts in the file", accounts)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
}

// TestSandboxOfAnySize generates organisations of the sizes in the flags.
func TestSandboxOfAnySize(t *testing.T) {
	for _, sizes := range []map[string]int{nil, {"users": 3}, {"courses": 7}, {"users": 3, "rows": 7}} {
		o := cli.SandboxOptions{Sizes: sizes}
		s, err := newSandbox(o)
		if err != nil || s.Mark.ID == "" {
			t.Errorf("%+v: %v, %v", o, s.Mark, err)
		}
	}
	if code, _, stderr := run(t, nil, "sandbox", "--fault", "gremlins"); code != 3 || !strings.Contains(stderr, "--list-faults") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestWhatIsWrong: an error is one line with a fix and a nonzero exit code, and an existing file stays.
func TestWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		name, fault, env, says string
		code                   int
	}{
		{"wrong token", "", "BATON_API_TOKEN=wrong", "API token", 16},
		{"wrong organisation", "", "BATON_ORGANIZATION_ID=00000000-0000-0000-0000-000000000001", "organization-id", 7},
		{"no organisation", "", "BATON_ORGANIZATION_ID=acme", "UUID", 3},
		{"missing permission", "missing-permission=reporting", "", "reporting API", 7},
		{"region of nobody", "", "BATON_BASE_URL=,BATON_REGION=mars", "us or to eu", 3},
		{"plain http", "", "BATON_BASE_URL=http://percipio.example", "https://", 3},
		{"course that does not exist", "", "BATON_LIMITED_COURSES=00000000-0000-0000-0000-000000000002", "skip-missing-courses", 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := sandboxed.New(sandboxed.Options{Token: "sandbox-token-0123456789"})
			if tc.fault != "" {
				if err := server.SetFaults(tc.fault); err != nil {
					t.Fatal(err)
				}
			}
			web := httptest.NewServer(server)
			defer web.Close()
			t.Chdir(t.TempDir())
			env := []string{"BATON_BASE_URL=" + web.URL, "BATON_ORGANIZATION_ID=" + server.OrganizationID(), "BATON_API_TOKEN=" + server.Token(), "BATON_LOG_FORMAT=console"}
			if tc.env != "" {
				env = append(env, strings.Split(tc.env, ",")...)
			}
			code, _, stderr := run(t, env)
			if code != tc.code || !strings.Contains(stderr, tc.says) || strings.Contains(stderr, server.Token()) {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			if _, err := os.Stat("sync.c1z"); err == nil {
				t.Error("there is a file")
			}
		})
	}
}

// TestDemoOfAnySize: each size flag works alone.
func TestDemoOfAnySize(t *testing.T) {
	for args, want := range map[string]string{
		"--users 100":   "user    100 resources\n",
		"--users 1":     "user    1 resource\n",
		"--courses 40":  "user    20 resources\n",
		"--rows 30":     "user    20 resources\n",
		"--courses 1":   "  course ",
		"--users -1":    "",
		"--courses two": "",
	} {
		t.Run(args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			code, stdout, stderr := run(t, []string{"BATON_LOG_FORMAT=console"}, append([]string{"demo"}, strings.Fields(args)...)...)
			if want == "" {
				if code != 3 || stdout != "" {
					t.Errorf("exit code %d: %s%s", code, stdout, stderr)
				}
				return
			}
			if code != 0 || !strings.Contains(stdout, want) {
				t.Errorf("exit code %d, %q is missing in\n%s%s", code, want, stdout, stderr)
			}
		})
	}
}
