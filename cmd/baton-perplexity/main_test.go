package main

import (
	"os"
	"strings"
	"testing"

	"baton/c1z/c1ztest"
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
	for _, want := range []string{"synced in", "\ngranted group:", "\nalready granted: ", "\n  grants: 1 new\n", "\nrevoked group:",
		"would leave no enabled admin", "\nsync.c1z holds the result of the last sync."} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	rows, err := c1ztest.Read("sync.c1z")
	if err != nil {
		t.Fatal(err)
	}
	if accounts := len(rows.ResourcesOf("user")); accounts != 25 {
		t.Errorf("%d accounts in the file", accounts)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
}

func TestSettingsAreCheckedTogether(t *testing.T) {
	code, _, stderr := run(t, []string{"BATON_SCIM_URL=http://scim.example/v2", "BATON_SCIM_TOKEN=x", "BATON_ROLE_PRIORITY=owner", "BATON_LOG_FORMAT=console"})
	if code != 3 || !strings.Contains(stderr, "role-priority") || !strings.Contains(stderr, "scim.example") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestUnknownFault(t *testing.T) {
	if code, _, stderr := run(t, nil, "sandbox", "--fault", "gremlins"); code != 3 || !strings.Contains(stderr, "--list-faults") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestDemoOfAnySize: each size flag works alone, and a size without effect is refused.
func TestDemoOfAnySize(t *testing.T) {
	for args, want := range map[string]string{
		"--users 100":                                "group  12 resources, 12 entitlements, 199 grants",
		"--users 1":                                  "user   1 resource\n",
		"--users 2":                                  "  Admin ",
		"--groups 4":                                 "user   100 resources\n  group  4 resources, 4 entitlements",
		"--users 60 --groups 3":                      "group  3 resources, 3 entitlements",
		"--users 60 --groups 3 --members-min 9":      "group  3 resources, 3 entitlements",
		"--users 10 --groups 1 --members-max 1":      "group  1 resource, 1 entitlement, 1 grant\n",
		"--members-max 5":                            "",
		"--users 10 --members-min 5":                 "",
		"--groups 2 --members-min 5 --members-max 4": "",
		"--users -1":                                 "",
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
