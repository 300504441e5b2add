package writer_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"baton"
	"baton/internal/longtest"
)

// TestPastAsTheLibrary seals a sync beside two others, whose tables are scanned if possible, and beside the
// same ones in a file that only the library reads. The results are the same, whatever changes were made to
// the tables.
func TestPastAsTheLibrary(t *testing.T) {
	respelt := []string{"pragma writable_schema = on", "update sqlite_schema set sql = replace(sql, 'CREATE TABLE v1', 'CREATE TABLE  v1')"}
	r := rand.New(rand.NewPCG(4, 4))
	n := longtest.Pick(40, 120)
	two := filepath.Join(t.TempDir(), "two.c1z")
	for _, id := range []string{fixture.First, fixture.Second} {
		opt := fixture.Full(id)
		opt.Ranks, opt.KeepSyncs = ranks, 3
		fixture.Write(t, two, opt, oddRows(r, n))
	}
	now := oddRows(r, n)
	seal := func(script ...string) (db []byte, changes writer.Changes, scans bool, err error) {
		path := filepath.Join(t.TempDir(), "sync.c1z")
		if err := os.WriteFile(path, fixture.Contain(t, fixture.Edited(t, two, script...)), 0o600); err != nil {
			t.Fatal(err)
		}
		opt := fixture.Full(fixture.Third)
		opt.Ranks, opt.KeepSyncs = ranks, 3
		w := fixture.Create(t, path, opt, now)
		c, err := w.Changes()
		if err != nil {
			return nil, changes, false, err
		}
		scans = w.Scans()
		if _, err := w.Seal(context.Background(), fixture.Ended(fixture.Third)); err != nil {
			return nil, changes, scans, err
		}
		return fixture.Database(t, path), *c, scans, nil
	}
	for name, test := range map[string]struct {
		script []string
		scans  bool
	}{
		"as they are":              {nil, true},
		"rows deleted":             {[]string{"delete from v1_grants where id % 3 = 1", "delete from v1_resources where id % 2 = 1"}, true},
		"no rows":                  {[]string{"delete from v1_grants", "delete from v1_entitlements"}, true},
		"one sync":                 {[]string{"delete from v1_grants where sync_id = '" + fixture.Second + "'"}, true},
		"packed":                   {[]string{"delete from v1_grants where id % 3 = 1", "vacuum"}, true},
		"rows that overflow":       {[]string{"update v1_resources set data = cast(data || printf('%.*c', id * 997 % 20000, 'x') as blob)"}, true},
		"expansions":               {[]string{"update v1_grants set expansion = x'0a0b', needs_expansion = id % 2 where id % 3 = 0"}, true},
		"large rowids":             {[]string{"update v1_grants set id = id + 9000000000000000000"}, true},
		"rows the other way round": {[]string{"update v1_grants set id = -id"}, false},
		"rows at the end":          {[]string{"update v1_resources set id = id + 100000 where id % 5 = 0"}, false},
		"numbers for text":         {[]string{"update v1_grants set discovered_at = 5 where id % 7 = 0"}, false},
		"reals":                    {[]string{"update v1_resources set discovered_at = 1.5"}, false},
		"blobs for text":           {[]string{"update v1_entitlements set resource_id = cast(resource_id as blob)"}, false},
		"text for blobs":           {[]string{"update v1_grants set data = cast('text' as text)"}, false},
		"another column":           {[]string{"alter table v1_grants add column more text default 'x'"}, true}, // other tables are scanned
		"larger pages":             {[]string{"pragma page_size = 8192", "vacuum"}, false},
		"smaller pages":            {[]string{"pragma page_size = 512", "vacuum"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, changes, scans, err := seal(test.script...)
			want, wantChanges, never, wantErr := seal(append(append([]string{}, test.script...), respelt...)...)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%v; by the library: %v", err, wantErr)
			}
			if never {
				t.Error("what is spelt in another way is scanned")
			}
			if err == nil && scans != test.scans {
				t.Errorf("scans: %v, want %v", scans, test.scans)
			}
			if changes != wantChanges || !bytes.Equal(got, want) {
				t.Errorf("changes %+v and %d bytes, by the library %+v and %d", changes, len(got), wantChanges, len(want))
			}
		})
	}
}

// TestCreateTakesOver: an open file is not unpacked again, unless another file has replaced it.
func TestCreateTakesOver(t *testing.T) {
	for name, between := range map[string]struct {
		change func(path string)
		kept   string
	}{
		"as it was": {func(string) {}, fixture.First},
		"replaced":  {func(path string) { fixture.Write(t, path, fixture.Full(fixture.Second), fixture.SmallSync()) }, fixture.Second},
		"gone":      {func(path string) { os.Remove(path) }, ""},
		"another":   {func(path string) { os.Rename(path, path+".old") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "sync.c1z")
			fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
			f, err := writer.OpenPrevious(t.Context(), nil, path, dir)
			if err != nil {
				t.Fatal(err)
			}
			between.change(path)
			opt := fixture.Full(fixture.Third)
			opt.Opened, opt.TempDir = f, dir
			w := fixture.Create(t, path, opt, fixture.SmallSync())
			if got := w.Previous().ID; got != between.kept {
				t.Errorf("it is compared with %q, want %q", got, between.kept)
			}
			if _, err := w.Seal(context.Background(), fixture.Ended(fixture.Third)); err != nil {
				t.Fatal(err)
			}
			if got := len(fixture.Open(t, path).Syncs()); got != min(2, 1+len(between.kept)) {
				t.Errorf("%d syncs", got)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "sync.c1z")
		fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
		f, err := writer.OpenPrevious(t.Context(), nil, path, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		opt := fixture.Full("not an id")
		opt.Opened = f
		if _, err := writer.Create(path, opt); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%v", err)
		}
		if !f.Closed() {
			t.Error("it was left open")
		}
	})
}
