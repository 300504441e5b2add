package percipio_test

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"baton/sandbox/percipio"
)

// wholeRows counts the complete rows.
func wholeRows(raw []byte) int {
	dec, n := json.NewDecoder(strings.NewReader(string(raw))), 0
	dec.Token()
	for dec.More() {
		var row map[string]any
		if dec.Decode(&row) != nil {
			break
		}
		n++
	}
	return n
}

func reportTests() map[string]func(*testing.T, *sandbox) {
	status := func(t *testing.T, r response, want string) {
		t.Helper()
		if r.StatusCode != 200 || r.one["status"] != want {
			t.Errorf("%d %s, want %s", r.StatusCode, r.raw, want)
		}
	}
	brokenOff := func(t *testing.T, s *sandbox, id string, rows int) {
		t.Helper()
		r, err := s.try("GET", s.reportPath(id), "")
		if n := wholeRows(r.raw); !errors.Is(err, io.ErrUnexpectedEOF) || n != rows {
			t.Errorf("%d rows, want %d, then %v", n, rows, err)
		}
	}
	whole := func(t *testing.T, s *sandbox, id string) {
		t.Helper()
		if r := s.want(200, s.poll(id)); len(r.list) != 60 {
			t.Errorf("%d rows", len(r.list))
		}
	}
	return map[string]func(*testing.T, *sandbox){
		"pending": func(t *testing.T, s *sandbox) {
			id := s.request()
			status(t, s.poll(id), "IN_PROGRESS")
			status(t, s.poll(id), "IN_PROGRESS")
			whole(t, s, id)
		},
		"report-never-finishes": func(t *testing.T, s *sandbox) {
			id := s.request()
			for range 5 {
				status(t, s.poll(id), "IN_PROGRESS")
			}
		},
		"report-failed": func(t *testing.T, s *sandbox) {
			id := s.request()
			status(t, s.poll(id), "FAILED")
			status(t, s.poll(id), "FAILED")
			whole(t, s, s.request())
			s.faults("report-failed=0")
			for range 3 {
				status(t, s.poll(s.request()), "FAILED")
			}
		},
		"report-completed-status": func(t *testing.T, s *sandbox) {
			r := s.post(allTime)
			status(t, r, "COMPLETED")
			whole(t, s, r.one["id"].(string))
			s.faults("report-completed-status=FAILED")
			r = s.post(allTime)
			status(t, r, "FAILED")
			status(t, s.poll(r.one["id"].(string)), "FAILED")
		},
		"report-completed-poll": func(t *testing.T, s *sandbox) {
			id := s.request()
			status(t, s.poll(id), "COMPLETED")
			whole(t, s, id)
		},
		"report-vanishes": func(t *testing.T, s *sandbox) {
			s.faults("report-vanishes", "pending=1")
			id := s.request()
			status(t, s.poll(id), "IN_PROGRESS")
			s.want(404, s.poll(id))
			s.want(404, s.poll(id))
			id = s.request()
			s.poll(id)
			whole(t, s, id)
		},
		"report-gone": func(t *testing.T, s *sandbox) {
			s.want(410, s.poll(s.request()))
			whole(t, s, s.request())
			s.faults("report-gone=0")
			s.want(410, s.poll(s.request()))
			s.want(410, s.poll(s.request()))
		},
		"report-expires-mid-body": func(t *testing.T, s *sandbox) {
			id := s.request()
			brokenOff(t, s, id, 10)
			s.want(404, s.poll(id))
			whole(t, s, s.request())
		},
		"truncated-report": func(t *testing.T, s *sandbox) {
			id := s.request()
			brokenOff(t, s, id, 10)
			whole(t, s, id)
			s.faults("truncated-report=3/2")
			brokenOff(t, s, id, 3)
			brokenOff(t, s, id, 3)
			whole(t, s, id)
			s.faults("truncated-report=0/0", "gzip")
			for range 4 {
				brokenOff(t, s, id, 0)
			}
		},
		"truncated-report-clean": func(t *testing.T, s *sandbox) {
			id := s.request()
			if r := s.want(200, s.poll(id)); wholeRows(r.raw) != 10 || json.Valid(r.raw) {
				t.Errorf("%d rows: %s", wholeRows(r.raw), r.raw)
			}
			whole(t, s, id)
		},
		"report-id-only-as-reportId": func(t *testing.T, s *sandbox) {
			s.faults("report-id-only-as-reportId", "pending=1")
			r := s.post(allTime)
			id, _ := r.one["reportId"].(string)
			if _, ok := r.one["id"]; ok || id == "" {
				t.Errorf("%s", r.raw)
			}
			if r := s.poll(id); r.one["id"] != nil || r.one["reportId"] != id {
				t.Errorf("%s", r.raw)
			}
		},
		"status-lower-case": func(t *testing.T, s *sandbox) {
			s.faults("status-lower-case", "pending=1")
			r := s.post(allTime)
			status(t, r, "pending")
			id := r.one["id"].(string)
			status(t, s.poll(id), "in_progress")
			for _, st := range field(s.poll(id).list, "status") {
				if st != strings.ToLower(st) {
					t.Errorf("a row is %s", st)
				}
			}
		},
	}
}

// added returns the rows that faults add to a faultless report, and checks that no row of that report is
// missing.
func added(t *testing.T, s *sandbox) (more []map[string]any) {
	t.Helper()
	plain := map[string]bool{}
	for _, r := range start(t, percipio.Options{}).report() {
		plain[spelt(r)] = true
	}
	for _, r := range s.report() {
		if !plain[spelt(r)] {
			more = append(more, r)
		}
		delete(plain, spelt(r))
	}
	if len(plain) > 0 {
		t.Errorf("%d rows are lost", len(plain))
	}
	return more
}

func spelt(row map[string]any) string {
	b, _ := json.Marshal(row) // sorts keys
	return string(b)
}

func rowTests() map[string]func(*testing.T, *sandbox) {
	return map[string]func(*testing.T, *sandbox){
		"report-reversed": func(t *testing.T, s *sandbox) {
			if dates := field(s.report(), "lastAccess"); len(dates) != 60 || !slices.IsSorted(dates) {
				t.Errorf("%v", dates)
			}
		},
		"report-unsorted": func(t *testing.T, s *sandbox) {
			id := s.request()
			first, second := field(s.poll(id).list, "lastAccess"), field(s.poll(id).list, "lastAccess")
			if slices.Equal(first, second) || slices.IsSorted(first) {
				t.Errorf("%v", first)
			}
			slices.Sort(first)
			slices.Sort(second)
			if !slices.Equal(first, second) || len(slices.Compact(first)) != 60 {
				t.Error("two downloads have different rows")
			}
		},
		"dup-pairs":      dupPairs,
		"unknown-status": unknownStatus,
		"unknown-users": func(t *testing.T, s *sandbox) {
			more := added(t, s)
			for _, id := range field(more, "userUuid") {
				if id == "" || slices.Contains(userIDs(s.State()), id) {
					t.Errorf("user %q", id)
				}
			}
			if len(more) != 12 {
				t.Errorf("%d rows more", len(more))
			}
		},
		"unknown-courses": func(t *testing.T, s *sandbox) {
			more := added(t, s)
			for _, id := range field(more, "contentUuid") {
				if id == "" || slices.Contains(courseIDs(s.State()), id) {
					t.Errorf("item %q", id)
				}
			}
			if len(more) != 12 {
				t.Errorf("%d rows more", len(more))
			}
		},
		"empty-ids": func(t *testing.T, s *sandbox) {
			ways := map[any]int{}
			for _, r := range added(t, s) {
				for _, name := range []string{"userUuid", "contentUuid"} {
					if id, there := r[name]; !there {
						ways["no "+name]++
					} else if id == "" {
						ways["empty "+name]++
					}
				}
			}
			if len(ways) != 4 {
				t.Errorf("%v", ways)
			}
		},
		"odd-dates":                 oddDates,
		"null-values":               nullValues,
		"custom-attributes-collide": collide,
	}
}

func dupPairs(t *testing.T, s *sandbox) {
	type place struct {
		at     int
		status string
	}
	pairs := map[string][]place{}
	for i, r := range s.report() {
		pair := r["userUuid"].(string) + r["contentUuid"].(string)
		pairs[pair] = append(pairs[pair], place{i, r["status"].(string)})
	}
	twice, completedFirst, completedLast, apart := 0, 0, 0, 0
	for _, rows := range pairs {
		if len(rows) < 2 {
			continue
		}
		twice++
		first, second := rows[0], rows[1]
		begun := []string{"Started", "Active"}
		switch {
		case slices.Contains(begun, second.status) && !slices.Contains(begun, first.status):
			completedFirst++
		case slices.Contains(begun, first.status) && !slices.Contains(begun, second.status):
			completedLast++
		}
		if second.at-first.at > 1 {
			apart++
		}
	}
	if twice < 10 || completedFirst == 0 || completedLast == 0 || apart == 0 {
		t.Errorf("%d pairs twice, %d completed first, %d completed last, %d apart", twice, completedFirst, completedLast, apart)
	}
	added(t, s)
}

func unknownStatus(t *testing.T, s *sandbox) {
	seen := map[string]bool{}
	for _, status := range field(added(t, s), "status") {
		seen[status] = true
	}
	if len(seen) != 4 || !seen["Passed"] || !seen[""] || seen["Completed"] {
		t.Errorf("%v", seen)
	}
}

func oddDates(t *testing.T, s *sandbox) {
	odd := func(what string, rows []map[string]any, names ...string) {
		seen := map[any]bool{}
		for _, r := range rows {
			for _, name := range names {
				v, there := r[name]
				if text, _ := v.(string); !there || strings.HasSuffix(text, "Z") {
					t.Errorf("%s: %s is %v", what, name, v)
				}
				seen[v] = true
			}
		}
		if len(seen) != 5 || !seen[""] || !seen[nil] {
			t.Errorf("%s: %v", what, seen)
		}
	}
	odd("rows", s.report(), "firstAccess", "lastAccess", "completedDate")
	odd("users", s.users("").list, "updatedAt")
	var cycles []map[string]any
	for _, c := range s.catalogue("").list {
		cycles = append(cycles, c["lifecycle"].(map[string]any))
	}
	odd("items", cycles, "publishDate", "lastUpdatedDate")
}

func nullValues(t *testing.T, s *sandbox) {
	for _, r := range s.report() {
		if len(r) != 34 {
			t.Errorf("a row has %d fields", len(r))
		}
	}
	nulls := func(rows []map[string]any) map[string]bool {
		all := map[string]bool{}
		for _, r := range rows {
			for name, v := range r {
				if v == nil {
					all[name] = true
				}
			}
		}
		return all
	}
	if n := nulls(s.report()); !n["completedDate"] || !n["firstScore"] || n["userUuid"] {
		t.Errorf("rows: %v", n)
	}
	if n := nulls(s.users("").list); !n["email"] || !n["approvalManager"] || !n["customAttributes"] || !n["firstName"] || n["id"] || n["isActive"] {
		t.Errorf("users: %v", n)
	}
	if n := nulls(s.catalogue("").list); !n["localizedMetadata"] || !n["link"] || !n["code"] || !n["duration"] || n["id"] || n["lifecycle"] {
		t.Errorf("items: %v", n)
	}
}

func collide(t *testing.T, s *sandbox) {
	for _, u := range s.users("").list {
		names := map[any]any{}
		for _, a := range u["customAttributes"].([]any) {
			names[a.(map[string]any)["name"]] = a.(map[string]any)["value"]
		}
		for _, name := range []string{"id", "email", "role", "is_active"} {
			if v, there := names[name]; !there || v == u[name] {
				t.Errorf("%s is %v", name, v)
			}
		}
	}
}
