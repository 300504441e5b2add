package main

import (
	"strings"
	"testing"
)

// TestReportKnowsTheRoles: the settings that say which group means Admin hold for a
// report, too, without any that lead to the upstream.
func TestReportKnowsTheRoles(t *testing.T) {
	t.Chdir(t.TempDir())
	if code, _, stderr := run(t, nil, "demo"); code != 0 {
		t.Fatal(stderr)
	}
	for _, tt := range []struct{ setting, want string }{
		{"BATON_ROLE_PRIORITY=admin", "Admin (also Member)"},
		{"BATON_ROLE_PRIORITY=member", "Member (also Admin)"},
		{"", "Admin and Member"},
		{"BATON_ADMIN_GROUP=Engineering", "Engineering,group:"},
	} {
		code, stdout, stderr := run(t, []string{tt.setting}, "report", "--format", "csv")
		if code != 0 || !strings.Contains(stdout, tt.want) {
			t.Errorf("%s: exit code %d, %s: %q is missing", tt.setting, code, stderr, tt.want)
		}
	}
	_, stdout, _ := run(t, []string{"BATON_ADMIN_GROUP=Engineering"}, "report")
	if !strings.Contains(stdout, ">Engineering member<") {
		t.Error("the page does not say which group carries the role")
	}
	if code, _, stderr := run(t, []string{"BATON_ROLE_PRIORITY=owner", "BATON_LOG_FORMAT=console"}, "report"); code != 3 || !strings.Contains(stderr, "role-priority") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
