package percipio_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/agent/syncer"
	"baton/connector/percipio"
	sandbox "baton/sandbox/percipio"
)

const orgID = "12345678-90AB-cdef-1234-567890abcdef"

func TestConfigure(t *testing.T) {
	cfg, err := percipio.Configure(baton.Values{
		"api-token": baton.NewSecret("t"), "organization-id": " " + orgID + " ", "limited-courses": []string{" a", "b", "a", ""},
		"content-types": []string{"course", "Video", "COURSE"}, "report-lookback-days": 30, "report-timeout": 5, "skip-missing-courses": true, "check-report": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.OrganizationID != strings.ToLower(orgID) || !slices.Equal(cfg.LimitedCourses, []string{"a", "b"}) || !slices.Equal(cfg.ContentTypes, []string{"COURSE", "VIDEO"}) ||
		cfg.Lookback != 30*24*time.Hour || cfg.ReportTimeout != 5*time.Minute || !cfg.SkipMissing || !cfg.CheckReport || cfg.Token.Reveal() != "t" {
		t.Errorf("%+v", cfg)
	}
	for name, v := range map[string]baton.Values{
		"no organisation":      {},
		"name of one":          {"organization-id": "acme"},
		"path":                 {"organization-id": "../" + orgID},
		"unknown content type": {"organization-id": orgID, "content-types": []string{"COURSES"}},
	} {
		if _, err := percipio.Configure(v); baton.KindOf(err) != baton.Invalid || baton.FixOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestScope: an interrupted sync is resumed only by a sync of the same scope.
func TestScope(t *testing.T) {
	o := start(t, sandbox.Options{})
	origins := map[string]bool{}
	for _, edit := range []func(*percipio.Config){
		func(cfg *percipio.Config) { cfg.Lookback = 0 },
		func(cfg *percipio.Config) { cfg.Lookback = time.Hour },
		func(cfg *percipio.Config) { cfg.LimitedCourses = []string{"a", "b"} },
		func(cfg *percipio.Config) { cfg.LimitedCourses = []string{"a b"} },
		func(cfg *percipio.Config) { cfg.ContentTypes = []string{"VIDEO"} },
		func(cfg *percipio.Config) { cfg.OrganizationID = orgID },
	} {
		origins[o.connect(t, edit).Origin] = true
	}
	if len(origins) != 6 {
		t.Errorf("%v", origins)
	}
	same := func(cfg *percipio.Config) { cfg.Lookback, cfg.ContentTypes = 0, []string{"ASSESSMENT", "COURSE"} }
	if origin := o.connect(t, same).Origin; !origins[origin] || strings.Contains(origin, "#") {
		t.Errorf("the default has the origin %s", origin)
	}
}

// TestMissingCourses: a limited course that does not exist is named and nothing is written, unless
// skip-missing-courses is set. A course that exists but is not synced causes no error.
func TestMissingCourses(t *testing.T) {
	const absent = "00000000-1111-2222-3333-444444444444"
	var retired, video string
	for _, c := range sandbox.New(sandbox.Options{}).State().Courses {
		if !c.Active && (c.Type == "COURSE" || c.Type == "ASSESSMENT") {
			retired = c.ID
		} else if c.Type == "VIDEO" {
			video = c.ID
		}
	}
	few := append(listed(sandbox.New(sandbox.Options{}).State(), 2), absent, retired, video)
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{})
		_, err := syncer.Run(t.Context(), syncer.Config{Connector: connectTo(t, server, limitTo(few...)), Path: file(t)})
		if baton.KindOf(err) != baton.NotFound || !strings.Contains(err.Error(), absent) || strings.Contains(err.Error(), few[0]) || strings.Contains(err.Error(), retired) {
			t.Errorf("%v (%v)", err, baton.KindOf(err))
		}
		isClear(t, server, err)
	})
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{})
		skip := func(cfg *percipio.Config) { cfg.SkipMissing = true }
		res := holds(t, server, connectTo(t, server, limitTo(few...), skip), few...)
		if excluded(res, "does not exist") != 1 || excluded(res, "not active") != 1 || excluded(res, "type that is not synced") != 1 {
			t.Errorf("%+v", res.Excluded)
		}
	})
	inBubble(t, func(t *testing.T) {
		// The course was licensed after the first attempt: the next one finds it.
		server := organisation(t, sandbox.Options{})
		path, c := file(t), connectTo(t, server, limitTo(absent))
		if _, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: path}); baton.KindOf(err) != baton.NotFound {
			t.Fatal(err)
		}
		id := server.AddCourse(sandbox.Item{Title: "New"})
		if _, err := syncer.Run(t.Context(), syncer.Config{Connector: connectTo(t, server, limitTo(id)), Path: path, AllowEmpty: true}); err != nil {
			t.Error(err)
		}
	})
}

// TestOtherContent: with other content types, other items are courses, and the report covers them.
func TestOtherContent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{Users: 30, Courses: 40, Rows: 400})
		path := file(t)
		mustSync(t, connectTo(t, server, func(cfg *percipio.Config) { cfg.ContentTypes = []string{"VIDEO", "BOOK"} }), path)
		want := map[string]bool{}
		for _, c := range server.State().Courses {
			if c.Active && (c.Type == "VIDEO" || c.Type == "BOOK") {
				want[c.ID] = true
			}
		}
		got := resources(t, path, "course")
		for _, r := range got {
			if !want[r.ID.ID] {
				t.Errorf("%s is %v", r.ID, r.Profile["content_type"])
			}
		}
		if r := server.State().Reports[0].Request; len(got) != len(want) || r.ContentType != "Video,Book" {
			t.Errorf("%d of %d items; the report is about %s", len(got), len(want), r.ContentType)
		}
	})
}

func diagnose(t *testing.T, c *baton.Connector) string {
	t.Helper()
	var b strings.Builder
	c.Diagnose(t.Context(), func(f baton.Finding) {
		fmt.Fprintf(&b, "%s %s: %s", f.Level, f.Check, f.Detail)
		if f.Level != baton.OK {
			fmt.Fprintf(&b, " FIX %s", f.Fix)
		}
		b.WriteByte('\n')
	})
	return b.String()
}

func TestDiagnose(t *testing.T) {
	for _, tc := range []struct {
		name   string
		faults []string
		edit   func(*percipio.Config)
		want   []string
		posts  int
	}{
		{"well", nil, nil, []string{"ok accounts: may be read; it has 20 rows", "ok catalogue", "ok report: may be read; none was requested"}, 0},
		{"no totals", []string{"no-total"}, nil, []string{"ok accounts: may be read; the API gives no total"}, 0},
		{"asked to request", nil, func(cfg *percipio.Config) { cfg.CheckReport = true }, []string{"ok report: may be requested"}, 1},
		{"no reports", []string{"missing-permission=reporting"}, nil, []string{"ok accounts", "failure report: ", "FIX Give the service account the permission for the reporting API"}, 0},
		{"no users", []string{"missing-permission=users"}, nil, []string{"failure accounts: ", "permission for the user-management API", "ok catalogue", "ok report"}, 0},
		{"refused", []string{"token-revoked-after=0"}, nil, []string{"failure accounts: ", "FIX Check the API token"}, 0},
		{"expiring", []string{"token-expiring=48h"}, nil, []string{"warning token: says that it expires on 2026-05-03", "FIX Have a new token issued"}, 0},
		{"limited", nil, limitTo("nope"), []string{"warning limited courses: the search does not find nope"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				server := sandbox.New(sandbox.Options{Faults: tc.faults})
				got := diagnose(t, connectTo(t, server, append([]func(*percipio.Config){}, edits(tc.edit)...)...))
				for _, want := range tc.want {
					if !strings.Contains(got, want) {
						t.Errorf("%q is missing in\n%s", want, got)
					}
				}
				if posts(server) != tc.posts || strings.Contains(got, server.Token()) {
					t.Errorf("%d reports were requested:\n%s", posts(server), got)
				}
			})
		})
	}
}

func edits(edit func(*percipio.Config)) []func(*percipio.Config) {
	if edit == nil {
		return nil
	}
	return []func(*percipio.Config){edit}
}

// TestTokenNeedNotBeAJWT: an unreadable token causes no finding.
func TestTokenNeedNotBeAJWT(t *testing.T) {
	jwt := func(payload string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	}
	inBubble(t, func(t *testing.T) {
		for token, want := range map[string]string{
			"opaque":                          "",
			"a.b.c":                           "",
			jwt(`{}`):                         "",
			jwt(`{"exp":"soon"}`):             "",
			jwt(`{"exp":1e300}`):              "",
			jwt(`{"exp":-5}`):                 "",
			jwt(`[1]`):                        "",
			jwt(`{"exp":1777680000}`):         "warning token: says that it expires on 2026-05-02",
			jwt(`{"exp":1777600000.5}`):       "warning token: says that it expired on 2026-05-01",
			jwt(`{"exp":1900000000,"iat":1}`): "ok token: says that it expires on 2030-03-17",
		} {
			server := organisation(t, sandbox.Options{})
			got := diagnose(t, connectTo(t, server, func(cfg *percipio.Config) { cfg.Token = baton.NewSecret(token) }))
			first, _, _ := strings.Cut(got, "\n")
			if want == "" && strings.Contains(got, " token: ") || !strings.HasPrefix(first, want) {
				t.Errorf("%s: %s, want %q", token, first, want)
			}
		}
	})
}

func TestReview(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		res := mustSync(t, small{
			users: `{"id":"u1","firstName":"Ann","isActive":true},{"id":"u2","firstName":"Bob","isActive":false},{"id":"u3"}`,
			items: `{"id":"c1","contentType":{"percipioType":"COURSE"},"localizedMetadata":[{"title":"Go"}]},{"id":"c2","code":"RUST","contentType":{"percipioType":"COURSE"}},
				{"id":"c3","contentType":{"percipioType":"COURSE"}}`,
			rows: `{"userUuid":"u1","contentUuid":"c1","status":"Completed"},{"userUuid":"u2","contentUuid":"c1","status":"Started"},{"userUuid":"u3","contentUuid":"c2","status":"Started"},
				{"userUuid":"u3","contentUuid":"c2","status":"Completed"}`,
		}.connect(t), file(t))
		var got []string
		for _, n := range res.Notes {
			got = append(got, n.Label+": "+n.Text)
		}
		want := []string{"Progress: 3 courses: 2 completions, 1 in progress; 1 course without progress", "Go: 1 completed, 1 in progress", "RUST: 1 completed, 0 in progress",
			"Accounts: 2 not disabled, 1 disabled", "Disabled, with progress: 1, such as Bob"}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}
