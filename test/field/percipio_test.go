package field

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"baton/internal/longtest"
)

// TestReportThatStaysCompleted: a report that is called done but never has rows ends the sync within two
// minutes, with Percipio's status in the error.
func TestReportThatStaysCompleted(t *testing.T) {
	longtest.Only(t)
	t.Run("for ever", func(t *testing.T) {
		a := newAcademy()
		a.status = func(int) string { return "COMPLETED" }
		p := percipio(t, serveUpstream(t, a).URL)
		p.refuses(t, p.run(t), "COMPLETED", "sends no rows")
		if a.reports != 2 {
			t.Errorf("%d reports were requested, want 2", a.reports)
		}
	})
	t.Run("the first", func(t *testing.T) {
		a := newAcademy()
		a.status = func(int) string {
			if a.reports == 1 {
				return "Completed"
			}
			return ""
		}
		percipio(t, serveUpstream(t, a).URL).run(t).succeeds(t)
	})
}

// TestReportThatIsCompletedBeforeItsRows: the rows may come shortly after the status.
func TestReportThatIsCompletedBeforeItsRows(t *testing.T) {
	a := newAcademy()
	a.status = func(poll int) string { return []string{"IN_PROGRESS", "COMPLETED", ""}[min(poll, 3)-1] }
	p := percipio(t, serveUpstream(t, a).URL)
	p.run(t).succeeds(t)
	if a.reports != 1 || len(p.synced(t)) != 1 {
		t.Errorf("%d reports, %q", a.reports, p.synced(t))
	}
}

// TestLimitedCoursesInOtherCase: UUIDs have no case.
func TestLimitedCoursesInOtherCase(t *testing.T) {
	for _, hidden := range []bool{false, true} { // from the search
		a := newAcademy()
		a.courses = "[" + course(courseID, "Safety", "ACTIVE") + "," + course(otherID, "Other", "ACTIVE") + "]"
		u := serveUpstream(t, a, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if hidden && strings.HasSuffix(r.URL.Path, "/search-content") {
					w.Write([]byte("[]"))
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		p := percipio(t, u.URL, "BATON_LIMITED_COURSES="+strings.ToUpper(courseID))
		p.run(t).succeeds(t)
		if courses := p.resources(t, "course"); len(courses) != 1 || courses[courseID].DisplayName != "Safety" || len(p.synced(t)) != 1 {
			t.Errorf("%v, %q", courses, p.synced(t))
		}
	}
}

// TestLimitedCourseThatIsInactive: an inactive course is distinguished from a missing one.
func TestLimitedCourseThatIsInactive(t *testing.T) {
	a := newAcademy()
	a.courses = "[" + course(courseID, "Safety", "ACTIVE") + "," + course(otherID, "Old", "INACTIVE") + "]"
	u := serveUpstream(t, a)
	p := percipio(t, u.URL, "BATON_LIMITED_COURSES="+courseID+","+otherID)
	p.run(t).succeeds(t, "limited course that is not active", otherID)
	p.run(t, "doctor").succeeds(t, "limited course that is not active", otherID)
	q := percipio(t, u.URL, "BATON_LIMITED_COURSES="+otherID)
	q.refuses(t, q.run(t), "limited course that is not active", otherID)
}

// row returns one row of the report, from three JSON values.
func row(user, content, status string) string {
	return fmt.Sprintf(`{"userUuid":%s,"contentUuid":%s,"status":%s}`, user, content, status)
}

func text(s string) string { return `"` + s + `"` }

// unreadableRows holds rows that grant nothing, with the reasons.
var unreadableRows = map[string]struct{ row, why string }{
	"a status that nobody knows": {row(text(learnerID), text(courseID), `"Enlightened"`), `unknown status \"Enlightened\"`},
	"a status that is an object": {row(text(learnerID), text(courseID), `{"code":"COMPLETED"}`), "unknown status"},
	"a status that is null":      {row(text(learnerID), text(courseID), `null`), "unknown status"},
	"a user that is an object":   {row(`{"id":"`+learnerID+`"}`, text(courseID), `"Completed"`), "without an account or a course"},
	"a course that is a list":    {row(text(learnerID), `["`+courseID+`"]`, `"Completed"`), "without an account or a course"},
	"other names of fields":      {`{"user_uuid":"` + learnerID + `","content_uuid":"` + courseID + `","status":"Completed"}`, "without an account or a course"},
	"a user who is not listed":   {row(`"nobody"`, text(courseID), `"Completed"`), "account that the upstream does not list"},
	"a course that is not there": {row(text(learnerID), `"nothing"`, `"Completed"`), "the upstream does not list"},
	"abandoned":                  {row(text(learnerID), text(courseID), `"Abandoned"`), "abandoned"},
}

// TestUnreadableRows: rows that grant nothing are counted by reason. If all rows are like that, the error
// gives the reason.
func TestUnreadableRows(t *testing.T) {
	for name, tt := range unreadableRows {
		t.Run(name, func(t *testing.T) {
			a := newAcademy()
			good := strings.Trim(a.rows, "[]")
			u := serveUpstream(t, a)
			a.rows = "[" + good + "," + tt.row + "]"
			p := percipio(t, u.URL)
			p.run(t).succeeds(t, tt.why)
			if got := p.synced(t); len(got) != 1 {
				t.Errorf("%q", got)
			}
			a.rows = "[" + tt.row + "," + tt.row + "]"
			q := percipio(t, u.URL)
			q.refuses(t, q.run(t), "no grant", tt.why, "dropped")
		})
	}
	for name, bad := range map[string]string{"null": "null", "a text": `"x"`, "a list": "[]"} {
		t.Run("a row that is "+name, func(t *testing.T) {
			longtest.Only(t)
			a := newAcademy()
			a.rows = strings.TrimSuffix(a.rows, "]") + "," + bad + "]"
			p := percipio(t, serveUpstream(t, a).URL)
			p.refuses(t, p.run(t), "after 1 rows")
		})
	}
}

// TestPercipio404ProvesNothing: a 404 on any path never removes rows from a sync.
func TestPercipio404ProvesNothing(t *testing.T) {
	for _, path := range []string{"/users", "/catalog-content", "/search-content", "/report-requests/r"} {
		for form, deny := range map[string]answering{"text": text404, "JSON": json404} {
			t.Run(path+" "+form, func(t *testing.T) {
				if form == "text" {
					longtest.Only(t)
				}
				u := serveUpstream(t, newAcademy(), func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if !strings.Contains(r.URL.Path, path) || !deny(w, r) {
							next.ServeHTTP(w, r)
						}
					})
				})
				p := percipio(t, u.URL, "BATON_LIMITED_COURSES="+courseID, "BATON_SKIP_MISSING_COURSES=true")
				if path == "/catalog-content" {
					p = percipio(t, u.URL)
				}
				p.refuses(t, p.run(t), "404")
			})
		}
	}
	t.Run("now and then", func(t *testing.T) {
		var n atomic.Int64
		u := serveUpstream(t, newAcademy(), func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || n.Add(1)%3 != 0 || !text404(w, r) {
					next.ServeHTTP(w, r)
				}
			})
		})
		p := percipio(t, u.URL)
		p.run(t).succeeds(t)
		if got := p.synced(t); len(got) != 1 {
			t.Errorf("%q", got)
		}
	})
	t.Run("doctor", func(t *testing.T) {
		u := serveUpstream(t, newAcademy(), func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.URL.Path, "/report-requests/") || !text404(w, r) {
					next.ServeHTTP(w, r)
				}
			})
		})
		got := percipio(t, u.URL).run(t, "doctor")
		got.succeeds(t, "report: unknown")
		if strings.Contains(got.stdout, "none was requested") {
			t.Errorf("doctor claims that reports may be read:\n%s", got.stdout)
		}
	})
}
