package report_test

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton"
	"baton/c1z"
	"baton/c1z/c1ztest"
	"baton/report"
)

// TestOpaqueIDs reports a file with free-form ids of entitlements and grants and with slim grants: the report
// shows the same accounts with the same access.
func TestOpaqueIDs(t *testing.T) {
	dir := t.TempDir()
	plain, odd := filepath.Join(dir, "plain.c1z"), filepath.Join(dir, "odd.c1z")
	for _, path := range []string{plain, odd} {
		write(t, path, first, club())
		write(t, path, second, club())
	}
	if err := c1ztest.Rewrite(odd, `create table names as select distinct external_id as old, 'Ent ' || id as new from v1_entitlements where sync_id = '`+first+`'`,
		`update v1_grants set data = x'', external_id = 'odd ' || replace(external_id, ':', '~'), entitlement_id = (select new from names where old = entitlement_id)`); err != nil {
		t.Fatal(err)
	}
	p, o := options(t, clubhouse(), plain), options(t, clubhouse(), odd)
	held := func(o report.Options) (lines []string) {
		for _, r := range table(t, o, "access")[1:] {
			if r[11] != "" && strings.HasPrefix(r[11], "odd ") != (o.AfterSource.Name == "odd.c1z") {
				t.Errorf("grant id %q in %s", r[11], o.AfterSource.Name)
			}
			lines = append(lines, strings.Join([]string{r[0], r[1], r[2], r[6], r[7]}, "|"))
		}
		return lines
	}
	want, got := held(p), held(o)
	if len(got) != len(want) || len(got) < 5 {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	count := map[string]int{}
	for i := range want {
		count[want[i]]++
		count[got[i]]--
	}
	for line, n := range count {
		if n != 0 {
			t.Errorf("%s: %d times more in the plain file", line, n)
		}
	}
	page(t, o)
	if rows := table(t, o, "changes"); len(rows) != 1 {
		t.Errorf("changes %q", rows)
	}
}

// TestForeignForms reports files of official programs and compares the counts with their facts.
func TestForeignForms(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "shared", "recorded", "c1z-forms", "*.c1z"))
	if err != nil || len(files) == 0 {
		t.Skip("the recorded files are not here")
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, source, err := report.Open(t.Context(), path, t.TempDir())
			if strings.Contains(path, "pebble") {
				if baton.KindOf(err) != baton.Unsupported || !strings.Contains(err.Error(), "pebble3") {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			s, err := f.Latest()
			if strings.HasSuffix(path, "sqlite-unfinished.c1z") {
				if baton.KindOf(err) != baton.NotFound {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			o := report.Options{Connector: clubhouse(), After: s, AfterSource: source}
			page(t, o)
			facts, err := os.ReadFile(strings.TrimSuffix(path, ".c1z") + ".facts")
			if err != nil {
				t.Fatal(err)
			}
			if s.Type != c1z.Full || !strings.Contains(string(facts), s.ID) {
				return // the facts describe a partial sync in the same file
			}
			got := map[string]int{}
			for line := range strings.Lines(text(t, func(w io.Writer) error { return report.JSONLines(t.Context(), w, o) })) {
				var record struct{ Record string }
				if err := json.Unmarshal([]byte(line), &record); err != nil {
					t.Fatal(err)
				}
				got[record.Record]++
			}
			for record, name := range map[string]string{"resource_type": "type", "resource": "resource", "entitlement": "entitlement", "grant": "grant"} {
				if want := strings.Count(string(facts), "\n"+name+"\t"); got[record] != want {
					t.Errorf("%d records %q, want %d", got[record], record, want)
				}
			}
		})
	}
}
