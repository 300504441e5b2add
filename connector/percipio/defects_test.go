package percipio_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"baton"
	"baton/agent/syncer"
	"baton/connector/connectortest"
	"baton/connector/percipio"
	"baton/connector/rest"
	sandbox "baton/sandbox/percipio"
)

// Each test here is named after a defect found in the official connector, D1 to D27, and fails with that
// connector's behaviour. Two apply in part: D2 is about workers, which this program does not have, so its
// test runs syncs at the same time. D26 is about documentation, so its test reads ours.

// inBubble runs fn in a synctest bubble whose clock shows the time of the organisations.
func inBubble(t *testing.T, fn func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now))
		fn(t)
	})
}

func organisation(t *testing.T, opts sandbox.Options, faults ...string) *sandbox.Server {
	t.Helper()
	opts.Token = cmp.Or(opts.Token, "sandbox-token-0123456789")
	server := sandbox.New(opts)
	if err := server.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
	return server
}

// holds syncs and compares the result with the truth.
func holds(t *testing.T, server *sandbox.Server, c *baton.Connector, limited ...string) syncer.Result {
	t.Helper()
	path := file(t)
	res := mustSync(t, c, path)
	if diff := gocmp.Diff(truth(server.State(), limited...), found(t, path)); diff != "" {
		t.Errorf("facts differ (-truth +found):\n%s", diff)
	}
	return res
}

func excluded(res syncer.Result, reason string) int {
	for _, e := range res.Excluded {
		if strings.Contains(e.Reason, reason) {
			return e.Count
		}
	}
	return 0
}

func posts(server *sandbox.Server) int {
	return server.Requests()["POST /report-requests/learning-activity"]
}

func TestD01FreshReportEverySync(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{})
		c := connectTo(t, server)
		holds(t, server, c)
		for p := range server.State().Expected() {
			if p.Status == sandbox.InProgress {
				server.Record(p.User, p.Course, "Completed")
				break
			}
		}
		holds(t, server, c)
		if n := posts(server); n != 2 {
			t.Errorf("%d reports for two syncs", n)
		}
	})
}

func TestD02SyncsSideBySide(t *testing.T) {
	t.Parallel()
	o := start(t, sandbox.Options{Faults: []string{"pending=1"}})
	c := o.connect(t)
	want := truth(o.State())
	var wg gosync.WaitGroup
	for range 4 {
		path := file(t)
		wg.Go(func() {
			if _, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: path}); err != nil {
				t.Error(err)
			} else if diff := gocmp.Diff(want, found(t, path)); diff != "" {
				t.Errorf("facts differ:\n%s", diff)
			}
		})
	}
	wg.Wait()
	if n := posts(o.Server); n != 4 {
		t.Errorf("%d reports for four syncs", n)
	}
}

func TestD03RequestAnsweredCompletedOrFailed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "report-completed-status=COMPLETED")
		holds(t, server, connectTo(t, server))
	})
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "report-completed-status=FAILED")
		path := file(t)
		_, err := syncer.Run(t.Context(), syncer.Config{Connector: connectTo(t, server), Path: path})
		if baton.KindOf(err) != baton.Incomplete || posts(server) != 3 {
			t.Errorf("%v after %d reports; want Incomplete after 3", err, posts(server))
		}
		isClear(t, server, err)
	})
}

func TestD04FailedSearchFailsTheSync(t *testing.T) {
	few := listed(sandbox.New(sandbox.Options{}).State(), 3)
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "search-429=2")
		holds(t, server, connectTo(t, server, limitTo(few...)), few...)
	})
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{})
		c, path := connectTo(t, server, limitTo(few...)), file(t)
		mustSync(t, c, path)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		server.SetFaults("search-fail")
		if _, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: path}); baton.KindOf(err) != baton.Unavailable {
			t.Errorf("%v, want Unavailable", err)
		}
		if after, err := os.ReadFile(path); err != nil || !slices.Equal(before, after) {
			t.Errorf("the file changed (%v)", err)
		}
	})
}

func TestD05UnknownStatusGrantsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		up := small{rows: `{"userUuid":"u1","contentUuid":"c1","status":"Achieved"},{"userUuid":"u2","contentUuid":"c1","status":"ACTIVE"},
			{"userUuid":"u3","contentUuid":"c1","status":"Abandoned"},{"userUuid":"u4","contentUuid":"c1","status":"Passed"},{"userUuid":"u5","contentUuid":"c1"}`}
		path := file(t)
		res := mustSync(t, up.connect(t), path)
		want := []string{"course:c1", "course:c1:completed", "course:c1:completed:user:u1", "course:c1:in_progress", "course:c1:in_progress:user:u2"}
		if got := slices.DeleteFunc(found(t, path), func(id string) bool { return strings.HasPrefix(id, "user:") }); !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		for _, reason := range []string{`the unknown status "Passed"`, `the unknown status ""`, "abandoned"} {
			if excluded(res, reason) != 1 {
				t.Errorf("%q is not counted once: %+v", reason, res.Excluded)
			}
		}
	})
	inBubble(t, func(t *testing.T) {
		var rows []string
		for i := range 50 {
			rows = append(rows, fmt.Sprintf(`{"userUuid":"u1","contentUuid":"c1","status":"Status %d"}`, i))
		}
		rows = append(rows, `{"userUuid":"u1","contentUuid":"c1","status":"Started"}`)
		res := mustSync(t, small{rows: strings.Join(rows, ",")}.connect(t), file(t))
		if len(res.Excluded) != 9 || excluded(res, "other unknown statuses") != 42 {
			t.Errorf("50 statuses in %d reasons", len(res.Excluded))
		}
	})
}

func TestD06OddDates(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "odd-dates")
		path := file(t)
		mustSync(t, connectTo(t, server), path)
		if diff := gocmp.Diff(dateless(truth(server.State())), dateless(found(t, path))); diff != "" {
			t.Errorf("facts differ:\n%s", diff)
		}
	})
}

func TestD07CatalogueWithoutLinks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, faults := range [][]string{{"no-link"}, {"odd-link"}, {"no-link", "no-total"}, {"no-link", "no-total", "no-paging-id"}} {
			server := organisation(t, sandbox.Options{Users: 10, Courses: 1100, Rows: 100}, faults...)
			holds(t, server, connectTo(t, server))
		}
	})
}

func TestD08UsersWithoutTotal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{Users: 1100, Courses: 10, Rows: 100}, "no-total")
		holds(t, server, connectTo(t, server))
	})
}

func TestD09ValidateSaysWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		fault string
		kind  baton.Kind
		fix   string
	}{
		{"token-revoked-after=0", baton.Unauthenticated, "API token"},
		{"foreign-org", baton.PermissionDenied, "organization-id"},
		{"missing-permission=users", baton.PermissionDenied, "user-management"},
		{"missing-permission=content", baton.PermissionDenied, "content-discovery"},
		{"html-200", baton.Invalid, "base-url"},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				server := organisation(t, sandbox.Options{}, tc.fault)
				err := connectTo(t, server).Validate(t.Context())
				if baton.KindOf(err) != tc.kind || !strings.Contains(baton.FixOf(err), tc.fix) {
					t.Errorf("%v (%v; fix: %s)", err, baton.KindOf(err), baton.FixOf(err))
				}
				if posts(server) != 0 {
					t.Error("it requested a report")
				}
			})
		})
	}
}

func TestD10PollsSoon(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "pending=1")
		begun := time.Now()
		holds(t, server, connectTo(t, server))
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("a report that was ready at the second look took %v", took)
		}
	})
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "pending=100")
		begun := time.Now()
		holds(t, server, connectTo(t, server))
		if took := time.Since(begun); took < 40*time.Minute || took > 50*time.Minute {
			t.Errorf("101 looks took %v; they should be 30 s apart in the end", took)
		}
	})
}

func TestD11CancelledWhileWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "report-never-finishes")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour+time.Second, cancel)
		begun, path := time.Now(), file(t)
		_, err := syncer.Run(ctx, syncer.Config{Connector: connectTo(t, server), Path: path})
		if took := time.Since(begun); baton.KindOf(err) != baton.Canceled || took != time.Hour+time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("there is a file")
		}
	})
}

func TestD12SameReportAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "pending=20")
		path := file(t)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if _, err := syncer.Run(ctx, syncer.Config{Connector: connectTo(t, server), Path: path}); baton.KindOf(err) != baton.DeadlineExceeded {
				t.Fatal(err)
			}
			cancel()
		}
		mustSync(t, connectTo(t, server), path)
		if diff := gocmp.Diff(truth(server.State()), found(t, path)); diff != "" || posts(server) != 1 {
			t.Errorf("%d reports; facts:\n%s", posts(server), diff)
		}
	})
	for _, fault := range []string{"report-failed=2", "report-vanishes=2", "report-gone=2"} {
		inBubble(t, func(t *testing.T) {
			server := organisation(t, sandbox.Options{}, fault)
			holds(t, server, connectTo(t, server))
			if n := posts(server); n != 3 {
				t.Errorf("%s: %d reports, want 3", fault, n)
			}
		})
	}
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "report-failed=0")
		_, err := syncer.Run(t.Context(), syncer.Config{Connector: connectTo(t, server), Path: file(t)})
		if baton.KindOf(err) != baton.Incomplete || !strings.Contains(err.Error(), "FAILED") || posts(server) != 3 {
			t.Errorf("%v after %d reports", err, posts(server))
		}
		isClear(t, server, err)
	})
}

func TestD14NoTimeLimitOnTheReport(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{Users: 50, Courses: 20, Rows: 400}, "slow-body=5s", "page-cap=5")
		client := restTo(t, server, rest.Config{BaseURL: "http://localhost", Transport: connectortest.Serve(t, server), Timeout: 20 * time.Second, RetryFor: -1})
		begun := time.Now()
		holds(t, server, connector(client, server))
		if took := time.Since(begun); took < time.Minute {
			t.Errorf("the report took %v: too little to prove anything", took)
		}
	})
}

func TestD15NewestRowHoldsAndCompletedBeats(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		up := small{rows: `{"userUuid":"u1","contentUuid":"c1","status":"Completed","completedDate":"2025-01-01T01:00:00+01:00"},
			{"userUuid":"u1","contentUuid":"c1","status":"Completed","completedDate":"2024-01-01T00:00:00Z"},
			{"userUuid":"u1","contentUuid":"c1","status":"Started"},
			{"userUuid":"u2","contentUuid":"c1","status":"Started"},{"userUuid":"u2","contentUuid":"c1","status":"Completed"}`}
		path := file(t)
		mustSync(t, up.connect(t), path)
		grants := slices.DeleteFunc(found(t, path), func(id string) bool { return !strings.Contains(id, ":user:") })
		if want := []string{"course:c1:completed:user:u1 2025-01-01T00:00:00Z", "course:c1:completed:user:u2"}; !slices.Equal(grants, want) {
			t.Errorf("got %q", grants)
		}
	})
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "dup-pairs=2")
		holds(t, server, connectTo(t, server))
		if sort := server.State().Reports[0].Request.Sort; sort == nil || sort.Field != "lastAccessDate" || sort.Order != "desc" {
			t.Errorf("the order asked for is %+v", sort)
		}
	})
}

func TestD16WindowAndNoFile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{})
		mustSync(t, connectTo(t, server, func(cfg *percipio.Config) { cfg.Lookback = 3 * 365 * 24 * time.Hour }), file(t))
		r := server.State().Reports[0].Request
		begun, err := time.Parse(time.RFC3339, r.Start)
		if err != nil || now.Sub(begun).Round(time.Hour) != 3*365*24*time.Hour {
			t.Errorf("the window begins %s (%v)", r.Start, err)
		}
		if r.FileRequiredInSFTP == nil || *r.FileRequiredInSFTP || server.State().SFTPFiles != 0 {
			t.Errorf("a file for SFTP was asked for, or not refused: %+v", r)
		}
		if r.ContentType != "Course,Assessment" || r.FormatType != "JSON" || r.TimeFrame != "" {
			t.Errorf("asked for %+v", r)
		}
	})
}

func TestD17EuropeanOrganisations(t *testing.T) {
	for _, tc := range []struct{ region, base, want string }{
		{"", "", "https://api.percipio.com"},
		{"US", "", "https://api.percipio.com"},
		{" eu", "", "https://dew1-api.percipio.com"},
		{"eu", "https://percipio.example", "https://percipio.example"},
	} {
		got, err := percipio.BaseURL(baton.Values{"region": tc.region, "base-url": tc.base})
		if err != nil || got != tc.want {
			t.Errorf("region %q, base-url %q: %q, %v", tc.region, tc.base, got, err)
		}
	}
	if _, err := percipio.BaseURL(baton.Values{"region": "mars"}); baton.KindOf(err) != baton.Invalid {
		t.Errorf("mars: %v", err)
	}
}

func TestD18LimitedCoursesOutsideTheSearch(t *testing.T) {
	for _, fault := range []string{"search-locale", "search-crowded"} {
		inBubble(t, func(t *testing.T) {
			server := organisation(t, sandbox.Options{Users: 20, Courses: 60, Rows: 300}, fault)
			all := listed(server.State(), 60)
			holds(t, server, connectTo(t, server, limitTo(all...)), all...)
		})
	}
}

func TestD19CustomAttributesCannotOverwrite(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "custom-attributes-collide")
		path := file(t)
		mustSync(t, connectTo(t, server), path)
		users := map[string]sandbox.UserState{}
		for _, u := range server.State().Users {
			users[u.ID] = u
		}
		for _, r := range resources(t, path, "user") {
			u := users[r.ID.ID]
			if r.Profile["id"] != u.ID || r.Profile["email"] != u.Email || r.Profile["role"] != u.Role || r.Profile["is_active"] != u.Active {
				t.Errorf("%s: %v", u.ID, r.Profile)
			}
			for _, key := range []string{"custom_id", "custom_email", "custom_role", "custom_is_active"} {
				if _, ok := r.Profile[key]; !ok {
					t.Errorf("%s: the attribute %s is lost", u.ID, key)
				}
			}
		}
	})
}

// TestCustomAttributesOfOneAfterTheOther: the profile keys of an account do not depend on the accounts before
// it.
func TestCustomAttributesOfOneAfterTheOther(t *testing.T) {
	lists := []string{
		`{"name":"A","value":"1"},{"name":"job_role","value":"2"},{"name":"A","value":"3"},{"value":"4"},{"id":"x","value":"5"}`,
		`{"name":"A","value":"6"},{"name":"job_role","value":"7"},{"name":"A","value":"8"},{"value":"9"},{"id":"x","value":null}`,
		`{"name":"A","value":"10"},{"name":"job_role","value":"11"}`,
		`{"name":"job_role","value":"12"},{"name":"A","value":"13"}`,
		``,
		`{"name":"A","value":"14"},{"name":"custom_A","value":"15"},{"name":"A","value":"16"},{"name":"email","value":"17"}`,
	}
	want := []baton.Profile{
		{"A": "1", "custom_job_role": "2", "custom_A": "3", "x": "5"},
		{"A": "6", "custom_job_role": "7", "custom_A": "8", "x": ""},
		{"A": "10", "custom_job_role": "11"},
		{"custom_job_role": "12", "A": "13"},
		{},
		{"A": "14", "custom_A": "15", "custom_custom_A": "16", "custom_email": "17"},
	}
	var users []string
	for i, list := range lists {
		role := ""
		if i%2 == 1 {
			role = `"jobRole":"r","isActive":true,`
		}
		users = append(users, fmt.Sprintf(`{"id":"u%d",%s"customAttributes":[%s]}`, i, role, list))
	}
	inBubble(t, func(t *testing.T) {
		path := file(t)
		mustSync(t, small{users: strings.Join(users, ","), rows: `{"userUuid":"u1","contentUuid":"c1","status":"Started"}`}.connect(t), path)
		for _, r := range resources(t, path, "user") {
			for _, key := range []string{"id", "external_id", "login_name", "email", "first_name", "last_name", "role", "job_title", "approval_manager", "job_role",
				"is_instructor", "has_coaching", "has_enterprise_coaching", "has_enterprise_coaching_dashboard", "is_active"} {
				delete(r.Profile, key)
			}
			i, _ := strconv.Atoi(r.ID.ID[1:])
			if !maps.Equal(r.Profile, want[i]) {
				t.Errorf("account %d has %v, want %v", i, r.Profile, want[i])
			}
		}
	})
}

func TestD20CoachingDashboardIsItsOwnField(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path := file(t)
		mustSync(t, small{users: `{"id":"u1","hasEnterpriseCoaching":true,"hasEnterpriseCoachingDashboard":false},{"id":"u2","hasEnterpriseCoaching":false,"hasEnterpriseCoachingDashboard":true}`,
			rows: `{"userUuid":"u1","contentUuid":"c1","status":"Started"}`}.connect(t), path)
		for _, r := range resources(t, path, "user") {
			if first := r.ID.ID == "u1"; r.Profile["has_enterprise_coaching"] != first || r.Profile["has_enterprise_coaching_dashboard"] != !first {
				t.Errorf("%s: %v", r.ID, r.Profile)
			}
		}
	})
}

func TestD21DanglingRowsAreCounted(t *testing.T) {
	for _, fault := range []string{"unknown-users=2", "unknown-courses=2"} {
		inBubble(t, func(t *testing.T) {
			server := organisation(t, sandbox.Options{})
			usual := holds(t, server, connectTo(t, server))
			server.SetFaults(fault)
			res := holds(t, server, connectTo(t, server))
			reason := map[string]string{"unknown-users=2": "an account that", "unknown-courses=2": "something that"}[fault]
			if excluded(res, reason) <= excluded(usual, reason) {
				t.Errorf("%s: %+v", fault, res.Excluded)
			}
		})
	}
}

func TestD22EmptyIDs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "empty-ids=2")
		res := holds(t, server, connectTo(t, server))
		if excluded(res, "without an account or a course") == 0 {
			t.Errorf("they are not counted: %+v", res.Excluded)
		}
	})
}

func TestD23CoursesHaveProfiles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path := file(t)
		c := small{items: `{"id":"c1","code":"it_go","link":"https://share.example/c1","duration":"PT15M","contentType":{"percipioType":"COURSE"},"localeCodes":["de","en-US"],
			"lifecycle":{"status":"ACTIVE","publishDate":"2020-04-02T12:24:33Z","lastUpdatedDate":"garbage","retiredDate":null},
			"localizedMetadata":[{"localeCode":"de","title":"Los"},{"localeCode":"en-US","title":"Go","description":"A language."}]}`,
			rows: `{"userUuid":"u1","contentUuid":"c1","status":"Started"}`}.connect(t)
		mustSync(t, c, path)
		want := baton.Profile{"id": "c1", "content_type": "COURSE", "code": "it_go", "link": "https://share.example/c1", "duration": "PT15M", "status": "ACTIVE",
			"publish_date": "2020-04-02T12:24:33Z", "locale": "en-US"}
		r := resources(t, path, "course")[0]
		locales := fmt.Sprint(r.Profile["locales"])
		delete(r.Profile, "locales")
		if diff := gocmp.Diff(want, r.Profile); diff != "" || locales != "[de en-US]" || r.DisplayName != "Go" || r.Description != "A language." || r.Status != baton.StatusEnabled {
			t.Errorf("%+v\n%s", r, diff)
		}
		if rt, _ := c.ResourceType("course"); rt.DisplayName != "Course" {
			t.Errorf("the type is called %q", rt.DisplayName)
		}
	})
}

func TestD24SameOrderEveryTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{Users: 100, Courses: 50, Rows: 1000})
		first := grantsOf(t, connectTo(t, server))
		if second := grantsOf(t, connectTo(t, server)); len(first) < 500 || !slices.Equal(first, second) {
			t.Errorf("%d grants, and their order changes", len(first))
		}
	})
}

func TestD25AnswersAreClosed(t *testing.T) {
	t.Parallel()
	server := organisation(t, sandbox.Options{}, "pending=1", "page-cap=2")
	var opened, requests atomic.Int64
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		server.ServeHTTP(w, r)
	}))
	web.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	web.Start()
	defer web.Close()
	mustSync(t, connector(restTo(t, server, rest.Config{BaseURL: web.URL}), server), file(t))
	// Sometimes a connection is returned just after the next request has left.
	if n, of := opened.Load(), requests.Load(); of < 12 || n > of/2 {
		t.Errorf("%d connections for %d requests of three feeds: answers stay open", n, of)
	}
}

func TestD26DocumentationNamesTheSettings(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "percipio.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range percipio.Settings() {
		if name := "BATON_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_")); !strings.Contains(string(page), name) {
			t.Errorf("docs/percipio.md does not name %s", name)
		}
	}
	for _, wrong := range []string{"BATON_DOMAIN_URL", "BATON_USERNAME", "baton: true"} {
		if strings.Contains(string(page), wrong) {
			t.Errorf("docs/percipio.md says %s", wrong)
		}
	}
}

func TestD27CutShortResumes(t *testing.T) {
	for _, fault := range []string{"truncated-report=30/1", "truncated-report-clean=30/1", "truncated-report=30/3"} {
		inBubble(t, func(t *testing.T) {
			server := organisation(t, sandbox.Options{}, fault)
			holds(t, server, connectTo(t, server))
			if n := posts(server); n != 1 {
				t.Errorf("%s: %d reports", fault, n)
			}
		})
	}
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "truncated-report=30/0")
		_, err := syncer.Run(t.Context(), syncer.Config{Connector: connectTo(t, server), Path: file(t)})
		if baton.KindOf(err) != baton.Incomplete {
			t.Errorf("%v, want Incomplete", err)
		}
		isClear(t, server, err)
		downloads := 0
		for _, r := range server.State().Reports {
			downloads += r.Downloads
		}
		if downloads > 15 || posts(server) != 3 {
			t.Errorf("%d downloads of %d reports", downloads, posts(server))
		}
	})
	inBubble(t, func(t *testing.T) {
		// The second download has different rows, so no row of the first counts.
		server := organisation(t, sandbox.Options{}, "truncated-report=30/1", "report-unsorted")
		holds(t, server, connectTo(t, server))
		if n := posts(server); n != 2 {
			t.Errorf("%d reports", n)
		}
	})
}
