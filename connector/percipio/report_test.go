package percipio_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"baton"
	"baton/agent/syncer"
	"baton/connector/percipio"
	"baton/connector/rest"
	"baton/internal/longtest"
	sandbox "baton/sandbox/percipio"
)

// large returns an organisation whose report has several pages of rows.
func large(rows int) sandbox.Options {
	return sandbox.Options{Users: 200, Courses: 100, Rows: rows}
}

// TestD13MemoryDoesNotGrowWithRows reads a report of a million rows, fewer in a short run, and checks the
// heap after every page.
func TestD13MemoryDoesNotGrowWithRows(t *testing.T) {
	rows := longtest.Pick(150_000, 1_000_000)
	filler := strings.Repeat(`"custom":"All Users; Employees Only",`, 8)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			io.WriteString(w, `{"id":"r1","status":"PENDING"}`)
		case strings.HasSuffix(r.URL.Path, "/catalog-content"):
			io.WriteString(w, `[{"id":"c1"}]`)
		default:
			io.WriteString(w, "[")
			for i := range rows {
				fmt.Fprintf(w, `{"userUuid":"user %d",%s"contentUuid":"course %d","status":"Started"}%c`, i%10_007, filler, i%2003, ",]"[(i+1)/rows])
			}
		}
	}))
	defer web.Close()
	client, err := rest.New(rest.Config{BaseURL: web.URL})
	if err != nil {
		t.Fatal(err)
	}
	var least, most uint64
	s := &sink{}
	pages := 0
	s.read(t, percipio.New(percipio.Config{REST: client, OrganizationID: "o"}), func() {
		pages++
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if pages == 2 { // the request, and the first page
			least, most = m.HeapAlloc, m.HeapAlloc
		}
		most = max(most, m.HeapAlloc)
	})
	if s.n != rows || pages < rows/10_000 {
		t.Fatalf("%d grants in %d pages", s.n, pages)
	}
	if grown := most - least; grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes over %d rows", grown, rows)
	}
}

// TestCutOnAnyPage: wherever a download breaks off, in a page or between two, another one delivers the rest,
// each row once.
func TestCutOnAnyPage(t *testing.T) {
	for _, cut := range longtest.Pick([]int{10_001}, []int{1, 9_999, 10_000, 10_001, 10_500}) {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				server := organisation(t, large(14_000), fmt.Sprintf("truncated-report=%d/2", cut))
				counted := &sink{}
				counted.read(t, connectTo(t, server), func() {})
				server.SetFaults()
				whole := &sink{}
				whole.read(t, connectTo(t, server), func() {})
				if counted.n != whole.n || posts(server) != 2 {
					t.Errorf("%d grants in place of %d; %d reports", counted.n, whole.n, posts(server))
				}
			})
		})
	}
}

// TestExpiresAfterAPage: if a report vanishes after one of its pages was committed, no row remains that the
// next report does not have.
func TestExpiresAfterAPage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, large(14_000), "report-expires-mid-body=10500/1")
		holds(t, server, connectTo(t, server))
		if n := posts(server); n != 2 {
			t.Errorf("%d reports, want 2", n)
		}
	})
}

// TestResumesTheDownload stops a sync between two pages of rows and goes on in another
// connector: the same report, no row twice, none missing.
func TestResumesTheDownload(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, large(14_000))
		path := file(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := syncer.Run(ctx, syncer.Config{Connector: connectTo(t, server), Path: path, Progress: func(p syncer.Progress) {
			if p.Feed == "report" && p.Pages == 2 {
				cancel()
			}
		}})
		if baton.KindOf(err) != baton.Canceled {
			t.Fatal(err)
		}
		res := mustSync(t, connectTo(t, server), path)
		if diff := gocmp.Diff(truth(server.State()), found(t, path)); diff != "" || !res.Resumed || posts(server) != 1 {
			t.Errorf("resumed: %v, %d reports, facts:\n%s", res.Resumed, posts(server), diff)
		}
	})
}

// TestResumesInTheSameProcess: a response left open by an earlier sync does not affect the next one.
func TestResumesInTheSameProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, large(14_000))
		c, path := connectTo(t, server), file(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := syncer.Run(ctx, syncer.Config{Connector: c, Path: path, Progress: func(p syncer.Progress) {
			if p.Feed == "report" && p.Pages == 2 {
				cancel()
			}
		}})
		if baton.KindOf(err) != baton.Canceled {
			t.Fatal(err)
		}
		mustSync(t, c, path)
		if diff := gocmp.Diff(truth(server.State()), found(t, path)); diff != "" || posts(server) != 1 {
			t.Errorf("%d reports, facts:\n%s", posts(server), diff)
		}
	})
}

// TestDownloadsSideBySide: two downloads read page by page on one connector do not mix.
func TestDownloadsSideBySide(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, large(14_000))
		c := connectTo(t, server)
		var first, second sink
		step := func(s *sink, at baton.Cursor) baton.Step {
			next, err := c.Feeds[0].Next(t.Context(), at, s)
			if err != nil {
				t.Fatal(err)
			}
			return next
		}
		var a, b baton.Step
		for !a.Done || !b.Done {
			a, b = step(&first, a.Cursor), step(&second, b.Cursor)
		}
		for _, r := range server.State().Reports {
			if r.Downloads != 1 {
				t.Errorf("report %s was downloaded %d times", r.ID, r.Downloads)
			}
		}
		if first.n != second.n || first.n < 10_000 {
			t.Errorf("%d and %d grants", first.n, second.n)
		}
	})
}

// TestNeverFinishes: the sync fails with one line of advice when the time is up, and the next sync does not
// wait for the same report.
func TestNeverFinishes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{}, "report-never-finishes")
		c := connectTo(t, server, func(cfg *percipio.Config) { cfg.ReportTimeout = 10 * time.Minute })
		path := file(t)
		begun := time.Now()
		_, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: path})
		if took := time.Since(begun); took < 10*time.Minute || took > 11*time.Minute {
			t.Errorf("it took %v", took)
		}
		if baton.KindOf(err) != baton.Incomplete || !strings.Contains(err.Error(), "IN_PROGRESS") || !strings.Contains(baton.FixOf(err), "report-timeout") {
			t.Errorf("%v (fix: %s)", err, baton.FixOf(err))
		}
		isClear(t, server, err)
		server.SetFaults()
		mustSync(t, c, path)
		if posts(server) != 2 {
			t.Errorf("%d reports, want another", posts(server))
		}
	})
}

// TestNothingToReportOn: an empty catalogue needs no report.
func TestNothingToReportOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{Empty: true})
		c := connectTo(t, server)
		if _, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: file(t), AllowEmpty: true}); err != nil {
			t.Fatal(err)
		}
		if posts(server) != 0 {
			t.Error("a report was requested")
		}
	})
}

// TestOddReports: a response that is not a list of rows is requested again, and then an error.
func TestOddReports(t *testing.T) {
	for name, tc := range map[string]struct {
		rows  string
		kind  baton.Kind
		holds bool
	}{
		"not rows": {`1, 2`, baton.Incomplete, false},
		"garbage":  {`{"userUuid":"u1","contentUuid":"c1","status":"Started"},{]`, baton.Incomplete, false},
		"more":     {`{"userUuid":"u1","contentUuid":"c1","status":"Started"}] [`, baton.Incomplete, false},
		"a number": {`{"userUuid":"u1","contentUuid":"c1","status":"Started","completedDate":12}`, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				_, err := syncer.Run(t.Context(), syncer.Config{Connector: small{rows: tc.rows}.connect(t), Path: file(t)})
				if tc.holds != (err == nil) || err != nil && baton.KindOf(err) != tc.kind {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestCursorsOfSomebodyElse(t *testing.T) {
	c := percipio.New(percipio.Config{})
	limited := percipio.New(percipio.Config{LimitedCourses: []string{"c1"}})
	for _, tc := range []struct {
		feed baton.Feed
		at   []baton.Cursor
	}{
		{c.Feeds[0], []baton.Cursor{"x", "{}x", `{"rows":-1}`, `{"attempt":3}`, `{"id":7}`}},
		{c.Feeds[1], []baton.Cursor{"x", "{}x", `{"received":-1}`, `{"restarts":4}`, `{"rows":1}`, `{"received":1,"distinct":2}`}},
		{c.Feeds[2], []baton.Cursor{"x", `{"received":-1}`}},
		{limited.Feeds[2], []baton.Cursor{"x", `{"next":-1}`, `{"next":2}`, `{"next":0,"absent":[0]}`, `{"next":1,"absent":[-1]}`}},
	} {
		for _, at := range tc.at {
			if _, err := tc.feed.Next(t.Context(), at, &sink{}); baton.KindOf(err) != baton.Corrupt {
				t.Errorf("feed %s at %s: %v, want Corrupt", tc.feed.Name, at, err)
			}
		}
	}
}

// TestActivityOfThisVerySecond: the report includes activity during the request, also by a clock that is
// slightly ahead.
func TestActivityOfThisVerySecond(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		server := organisation(t, sandbox.Options{})
		mustSync(t, connectTo(t, server), file(t))
		end, err := time.Parse(time.RFC3339, server.State().Reports[0].Request.End)
		if err != nil || !end.After(time.Now().Add(30*time.Second)) {
			t.Errorf("the window ends at %v (%v), now is %v", end, err, time.Now())
		}
	})
}
