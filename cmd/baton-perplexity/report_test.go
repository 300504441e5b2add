package main

import (
	"regexp"
	"strings"
	"testing"
)

// TestReportKnowsTheRoles: the settings of the Admin group apply to a report, too, without the settings of
// the upstream.
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

// TestOneCountOfAdmins: the summary of a sync, the page and the table agree on the number of accounts with
// each role, whatever is known about the priority.
func TestOneCountOfAdmins(t *testing.T) {
	for _, args := range [][]string{{"demo"}, {"demo", "--users", "400"}, {"demo", "--users", "300", "--groups", "5"}} {
		for _, priority := range []string{"", "admin", "member"} {
			t.Run(strings.Join(args, " ")+" "+priority, func(t *testing.T) {
				t.Chdir(t.TempDir())
				env := []string{"BATON_LOG_FORMAT=console"}
				if code, _, stderr := run(t, env, args...); code != 0 {
					t.Fatal(stderr)
				}
				env = append(env, "BATON_ROLE_PRIORITY="+priority)
				_, page, _ := run(t, env, "report")
				_, records, _ := run(t, env, "report", "--format", "jsonl")
				for _, role := range []string{"Admin", "Member"} {
					noted := regexp.MustCompile(`"label":"` + role + `","text":"([0-9,]+|nobody)`).FindStringSubmatch(records)
					shown := regexp.MustCompile(`Who is ` + role + `\?</h3><p class="figure"><a [^>]*>([0-9,]+)</a>`).FindStringSubmatch(page)
					bar := regexp.MustCompile(role + ` <b>([0-9,]+)</b>`).FindStringSubmatch(page)
					if noted == nil || shown == nil || bar == nil {
						t.Fatalf("%s: %q, %q, %q", role, noted, shown, bar)
					}
					if noted[1] == "nobody" {
						noted[1] = "0"
					}
					if noted[1] != shown[1] || bar[1] != shown[1] {
						t.Errorf("%s: %s in the review, %s on the page, %s in its bar", role, noted[1], shown[1], bar[1])
					}
				}
			})
		}
	}
}
