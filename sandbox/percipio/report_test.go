package percipio_test

import (
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/internal/longtest"
	"baton/sandbox/percipio"
)

func TestReportIsPolled(t *testing.T) {
	s := start(t, percipio.Options{PendingPolls: 2})
	r := s.want(200, s.post(allTime))
	id, _ := r.one["id"].(string)
	if id == "" || r.one["status"] != "PENDING" {
		t.Fatalf("%s", r.raw)
	}
	for range 2 {
		if r := s.want(200, s.poll(id)); r.one["id"] != id || r.one["status"] != "IN_PROGRESS" {
			t.Errorf("%s", r.raw)
		}
	}
	if r := s.want(200, s.poll(id)); len(r.list) != 60 || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		t.Errorf("%d rows, %v", len(r.list), r.Header)
	}
	first, again := s.poll(id), s.poll(id)
	if string(first.raw) != string(again.raw) {
		t.Error("two downloads differ")
	}
	st := s.State().Reports
	if len(st) != 1 || st[0].ID != id || st[0].Polls != 5 || st[0].Downloads != 3 || st[0].Request.Start != "2016-01-01T00:00:00Z" {
		t.Errorf("%+v", st)
	}
	s.want(404, s.poll("00000000-0000-4000-8000-000000000000"))
}

func TestReportRows(t *testing.T) {
	s := start(t, percipio.Options{Users: 100, Courses: 50, Rows: 1000})
	pairs, last := map[string]bool{}, "9"
	for _, r := range s.report() {
		for name, v := range r {
			if _, ok := v.(string); !ok {
				t.Fatalf("%s is %v", name, v)
			}
		}
		pair := r["userUuid"].(string) + r["contentUuid"].(string)
		if pairs[pair] {
			t.Errorf("pair %s comes twice", pair)
		}
		pairs[pair] = true
		at := r["lastAccess"].(string)
		if at > last || r["firstAccess"].(string) > at {
			t.Errorf("after %s comes %s, begun %s", last, at, r["firstAccess"])
		}
		last = at
		_, dated := r["completedDate"]
		if open := slices.Contains([]string{"Started", "Active", "Abandoned"}, r["status"].(string)); open == dated {
			t.Errorf("%s is completed at %v", r["status"], r["completedDate"])
		}
	}
	if len(pairs) != 1000 {
		t.Errorf("%d pairs", len(pairs))
	}
}

func TestEveryPairOnce(t *testing.T) {
	s := start(t, percipio.Options{Users: 7, Courses: 6, Rows: 1000})
	rows := s.report()
	pairs := map[string]bool{}
	for _, r := range rows {
		pairs[r["userUuid"].(string)+r["contentUuid"].(string)] = true
	}
	if len(rows) != 42 || len(pairs) != 42 || s.State().Rows != 42 {
		t.Errorf("%d rows, %d pairs, %d in the state", len(rows), len(pairs), s.State().Rows)
	}
}

func TestReportWindowAndFilters(t *testing.T) {
	s := start(t, percipio.Options{Users: 100, Courses: 50, Rows: 1000})
	all := s.report()
	count := func(keep func(map[string]any) bool) int {
		n := 0
		for _, r := range all {
			if keep(r) {
				n++
			}
		}
		return n
	}
	recent := func(days int) func(map[string]any) bool {
		from := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC).AddDate(0, 0, -days).Format(time.RFC3339)
		return func(r map[string]any) bool { return r["lastAccess"].(string) >= from }
	}
	for body, want := range map[string]int{
		`{}`:                          count(recent(30)),
		`{"timeFrame":"THIRTY_DAYS"}`: count(recent(30)),
		`{"timeFrame":"DAY"}`:         0,
		`{"start":"2025-01-01","end":"2025-07-01"}`: count(func(r map[string]any) bool {
			return r["lastAccess"].(string) >= "2025-01-01" && r["lastAccess"].(string) <= "2025-07-01T00:00:00.999Z"
		}),
		`{"start":"2016-01-01","end":"2036-01-01","contentType":"Course,Assessment"}`: count(func(r map[string]any) bool {
			return r["contentType"] == "Course" || r["contentType"] == "Assessment"
		}),
		`{"start":"2016-01-01","end":"2036-01-01","contentType":"Linked Content"}`:   count(func(r map[string]any) bool { return r["contentType"] == "Linked Content" }),
		`{"start":"2016-01-01","end":"2036-01-01","status":"ACHIEVED,ABANDONED"}`:    count(func(r map[string]any) bool { return r["status"] == "Achieved" || r["status"] == "Abandoned" }),
		`{"start":"2016-01-01","end":"2036-01-01","status":"ALL","contentType":" "}`: 1000,
	} {
		id, _ := s.want(200, s.post(body)).one["id"].(string)
		if got := s.poll(id); len(got.list) != want || want == 1000 && body[2] != 's' {
			t.Errorf("%s: %d rows, want %d", body, len(got.list), want)
		}
	}
	for _, bad := range []string{``, `[]`, `{"start":"2025-01-01"}`, `{"start":"2025-01-01","end":"2025-02-01","timeFrame":"DAY"}`, `{"timeFrame":"YEAR"}`,
		`{"start":"x","end":"2025-02-01"}`, `{"start":"2025-01-01","end":"x"}`, `{"start":"2025-02-01","end":"2025-01-01"}`, `{"formatType":"XML"}`,
		`{"sort":{"field":"mood","order":"asc"}}`, `{"sort":{"field":"status","order":"up"}}`} {
		s.want(400, s.post(bad))
	}
}

func TestReportSort(t *testing.T) {
	s := start(t, percipio.Options{})
	body := func(order string) []string {
		id, _ := s.want(200, s.post(strings.TrimSuffix(allTime, "}")+`,"sort":{"field":"lastAccessDate","order":"`+order+`"}}`)).one["id"].(string)
		return field(s.poll(id).list, "lastAccess")
	}
	if up := body("asc"); len(up) != 60 || !slices.IsSorted(up) {
		t.Errorf("%v", up)
	}
	down := body("DESC")
	slices.Reverse(down)
	if !slices.IsSorted(down) {
		t.Errorf("%v", down)
	}
}

func TestReportAsCSV(t *testing.T) {
	s := start(t, percipio.Options{})
	s.Record(s.State().Users[0].ID, s.AddCourse(percipio.Item{Title: `Say "hello", twice`}), "Completed")
	want := s.report()
	for format, comma := range map[string]rune{"CSV": ',', "TXT": '\t'} {
		id, _ := s.want(200, s.post(strings.TrimSuffix(allTime, "}")+`,"formatType":"`+format+`"}`)).one["id"].(string)
		r := s.want(200, s.poll(id))
		reader := csv.NewReader(strings.NewReader(string(r.raw)))
		reader.Comma = comma
		lines, err := reader.ReadAll()
		if err != nil || len(lines) != 62 || len(lines[0]) != 34 {
			t.Fatalf("%s: %d lines, %v", format, len(lines), err)
		}
		for i, line := range lines[1:] {
			got := map[string]any{}
			for j, v := range line {
				if v != "" {
					got[lines[0][j]] = v
				}
			}
			if !maps.Equal(got, want[i]) {
				t.Fatalf("%s line %d: %v, want %v", format, i, got, want[i])
			}
		}
	}
}

func TestFilesOnSFTP(t *testing.T) {
	s := start(t, percipio.Options{})
	for i, body := range []string{`{}`, `{"isFileRequiredInSftp":true}`, `{"isFileRequiredInSftp":false}`} {
		s.want(200, s.post(body))
		if n := s.State().SFTPFiles; n != min(i+1, 2) {
			t.Errorf("after %s: %d files", body, n)
		}
	}
	if r := s.State().Reports[2].Request.FileRequiredInSFTP; r == nil || *r {
		t.Errorf("%v", r)
	}
}

// found returns the result of a careful client from the lists and the report.
func (s *sandbox) found() map[string]percipio.Progress {
	s.t.Helper()
	users, courses, all := map[any]bool{}, map[any]bool{}, map[string]percipio.Progress{}
	for _, u := range s.users("").list {
		users[u["id"]] = true
	}
	for _, c := range s.catalogue("").list {
		kind := c["contentType"].(map[string]any)["percipioType"]
		courses[c["id"]] = c["lifecycle"].(map[string]any)["status"] == "ACTIVE" && (kind == "COURSE" || kind == "ASSESSMENT")
	}
	for _, r := range s.report() {
		p := percipio.Progress{Status: percipio.Completed}
		status, _ := r["status"].(string)
		switch strings.ToLower(status) {
		case "completed", "achieved", "listened", "read", "watched":
			date, _ := r["completedDate"].(string)
			if at, err := time.Parse(time.RFC3339, date); err == nil {
				p.At = at.UTC()
			}
		case "started", "active":
			p.Status = percipio.InProgress
		default:
			continue
		}
		if !users[r["userUuid"]] || !courses[r["contentUuid"]] {
			continue
		}
		p.User, p.Course = r["userUuid"].(string), r["contentUuid"].(string)
		if all[p.User+p.Course].Status != percipio.Completed {
			all[p.User+p.Course] = p
		}
	}
	return all
}

func (s *sandbox) expected(limited ...string) map[string]percipio.Progress {
	s.t.Helper()
	all := map[string]percipio.Progress{}
	for p := range s.State().Expected(limited...) {
		if _, twice := all[p.User+p.Course]; twice {
			s.t.Errorf("%+v comes twice", p)
		}
		all[p.User+p.Course] = p
	}
	return all
}

// TestExpectedIsWhatIsFound compares the oracle with a client that only uses HTTP, under every fault that
// affects rows.
func TestExpectedIsWhatIsFound(t *testing.T) {
	for _, faults := range [][]string{nil, {"report-unsorted"}, {"report-reversed", "dup-pairs=1"}, {"dup-pairs=2", "unknown-status=1", "status-lower-case"},
		{"unknown-users=1", "unknown-courses=1", "empty-ids=1", "dup-pairs=3", "unknown-status=2", "report-unsorted"}, {"null-values", "gzip"}, {"odd-dates"}} {
		t.Run(fmt.Sprint(faults), func(t *testing.T) {
			s := start(t, percipio.Options{Users: 100, Courses: 60, Rows: 1200, Faults: faults})
			st := s.State()
			// The last row of one user, the first of another, and pairs without a row.
			for i := range 40 {
				s.Record(st.Users[i].ID, st.Courses[i%7].ID, []string{"Completed", "Started", "Abandoned", "Passed", "Read"}[i%5])
			}
			s.Record(s.AddUser(percipio.Person{Email: "new@acme.example"}), s.AddCourse(percipio.Item{Title: "New", Type: "ASSESSMENT"}), "Achieved")
			s.Forget(st.Users[2].ID, st.Courses[2].ID)
			s.RemoveUser(st.Users[5].ID)
			s.RemoveCourse(st.Courses[4].ID)
			s.RetireCourse(st.Courses[6].ID)
			got, want := s.found(), s.expected()
			for k, p := range want {
				if faults != nil && faults[0] == "odd-dates" {
					p.At = time.Time{}
				}
				p.At = p.At.Truncate(time.Millisecond)
				if got[k] != p {
					t.Fatalf("found %+v, want %+v", got[k], p)
				}
			}
			if len(got) != len(want) || len(want) < 500 {
				t.Errorf("found %d pairs, want %d", len(got), len(want))
			}
		})
	}
}

func TestExpectedOfLimitedCourses(t *testing.T) {
	s := start(t, percipio.Options{})
	one, two := s.State().Courses[0].ID, s.State().Courses[3].ID // a course and a video
	n := 0
	for _, p := range s.expected() {
		if p.Course == one {
			n++
		}
	}
	if got := s.expected(one, two); len(got) != n || n == 0 {
		t.Errorf("%d pairs, want %d", len(got), n)
	}
	for range (percipio.State{}).Expected() {
		t.Error("an empty state expects something")
	}
	for range s.State().Expected() {
		break
	}
}

// TestReportIsASnapshot: events after the request are only in the next report.
func TestReportIsASnapshot(t *testing.T) {
	s := start(t, percipio.Options{})
	var open percipio.Progress
	for p := range s.State().Expected() {
		if p.Status == percipio.InProgress {
			open = p
		}
	}
	id := s.request()
	before := s.poll(id)
	if !s.Record(open.User, open.Course, "Completed") {
		t.Fatal("not recorded")
	}
	if string(s.poll(id).raw) != string(before.raw) {
		t.Error("an old report knows what happened later")
	}
	p := s.found()[open.User+open.Course]
	if p.Status != percipio.Completed || !p.At.Equal(time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("found %+v", p)
	}
	if n := s.State().Rows; n != 60 {
		t.Errorf("%d rows", n)
	}
	s.Record(open.User, open.Course, "Started")
	if p := s.found()[open.User+open.Course]; p.Status != percipio.InProgress || len(s.report()) != 60 {
		t.Errorf("found %+v", p)
	}
	s.Forget(open.User, open.Course)
	if _, ok := s.found()[open.User+open.Course]; ok || len(s.report()) != 59 {
		t.Error("not forgotten")
	}
}

func TestChangesOfNobody(t *testing.T) {
	s := start(t, percipio.Options{})
	u, c := s.State().Users[0].ID, s.State().Courses[0].ID
	if s.RemoveUser("x") || s.SetActive("x", true) || s.RetireCourse("x") || s.RemoveCourse("x") || s.Record("x", c, "Started") || s.Record(u, "x", "Started") || s.Forget(u, "x") {
		t.Error("changed what is not there")
	}
	if !s.RemoveUser(u) || s.RemoveUser(u) || !s.RemoveCourse(c) || s.RemoveCourse(c) {
		t.Error("removed twice, or not at all")
	}
	if len(s.users("").list) != 19 || len(s.catalogue("").list) != 9 {
		t.Error("still listed")
	}
	if len(start(t, percipio.Options{Empty: true}).report()) != 0 {
		t.Error("an empty organisation has rows")
	}
}

// TestTogether is for the race detector.
func TestTogether(t *testing.T) {
	s := start(t, percipio.Options{Users: 50, Courses: 30, Rows: 600, Faults: []string{"dup-pairs", "users-shift-insert=100", "users-shift-delete=100"}})
	st := s.State()
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for range longtest.Pick(2, 5) {
				s.users("?max=10")
				s.catalogue("?max=10")
				s.poll(s.request())
				s.Record(st.Users[i].ID, st.Courses[i].ID, "Completed")
				s.SetActive(st.Users[i].ID, false)
				s.RetireCourse(st.Courses[i].ID)
				for range s.State().Expected() {
				}
				s.SetFaults("dup-pairs", "page-cap=7")
			}
		})
	}
	group.Wait()
}
