package c1z_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/c1z"
)

// TestReadRecorded reads every row of files that official programs have written.
func TestReadRecorded(t *testing.T) {
	for name, want := range map[string][]c1z.Count{
		"scim-v1.c1z":     {{Type: "group", Resources: 3, Entitlements: 3, Grants: 15}, {Type: "user", Resources: 20}},
		"percipio-v1.c1z": {{Type: "course", Resources: 6, Entitlements: 12, Grants: 36}, {Type: "user", Resources: 20}},
	} {
		t.Run(name, func(t *testing.T) {
			path := recorded(t, name)
			f := open(t, path)
			counts, err := f.Counts()
			if diff := cmp.Diff(want, counts); err != nil || diff != "" {
				t.Errorf("counts: %v (-want +got):\n%s", err, diff)
			}
			types, err := f.ResourceTypes()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]c1z.Count{}
			for _, rt := range types {
				got[rt.ID] = readAll(t, f, path, rt.ID)
			}
			for _, c := range want {
				if name == "percipio-v1.c1z" && c.Type == "course" {
					c.Grants-- // one is of an entitlement that the file does not list
				}
				if got[c.Type] != c {
					t.Errorf("read %+v, want %+v", got[c.Type], c)
				}
			}
			if s := f.Syncs(); len(s) != 1 || s[0].Type != c1z.Full || s[0].Ended.Before(s[0].Started) {
				t.Errorf("syncs %+v", s)
			}
		})
	}
}

// readAll counts what can be read of a type: its resources, and by them the
// entitlements that the file lists and their grants.
func readAll(t *testing.T, f *c1z.File, path, resourceType string) c1z.Count {
	c := c1z.Count{Type: resourceType}
	err := f.Resources(resourceType, func(r baton.Resource) error {
		if r.ID.Type != resourceType || r.DisplayName == "" || (r.User != nil) != (resourceType == "user") {
			t.Errorf("resource %+v", r)
		}
		if r.User != nil && (r.Status == baton.StatusUnspecified || r.Profile["first_name"] == nil || len(r.User.Emails) == 0) {
			t.Errorf("account %+v", r)
		}
		c.Resources++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range query(t, path, `select external_id from v1_entitlements where resource_type_id = '`+resourceType+`'`) {
		e, err := f.Entitlement(id)
		if err != nil || e.ID.String() != id || !slices.Equal(e.GrantableTo, []string{"user"}) {
			t.Errorf("entitlement %+v, %v", e, err)
		}
		c.Entitlements++
		err = f.Grants(e.ID, func(g baton.Grant) error {
			c.Grants++
			again, err := f.Grant(g.ID.String())
			if diff := cmp.Diff(g, again); diff != "" {
				t.Errorf("grant (-want +got):\n%s", diff)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.c1z")
	write(t, good, full(first), smallSync())
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	db := database(t, good)
	// A zstd frame header that asks for 2^41 bytes of window, or promises 2^40 bytes.
	window := "C1ZF\x00\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00"
	size := "C1ZF\x00\x28\xb5\x2f\xfd\xc0\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x00"
	tests := map[string]struct {
		content string
		kind    baton.Kind
		says    string
	}{
		"empty":           {"", baton.NotFound, "is empty"},
		"v3":              {"C1Z3\x00\x00\x00\x00\x58", baton.Unsupported, "v3 (Pebble)"},
		"foreign":         {"PK\x03\x04 and so on", baton.Corrupt, "is not a c1z file"},
		"short foreign":   {"PK", baton.Corrupt, "is not a c1z file"},
		"part of magic":   {"C1Z", baton.Corrupt, "is cut short"},
		"magic only":      {"C1ZF\x00", baton.Corrupt, "is cut short"},
		"no frame":        {"C1ZF\x00 this is not zstd at all", baton.Corrupt, "is damaged"},
		"half":            {string(whole[:len(whole)/2]), baton.Corrupt, "is cut short"},
		"all but a byte":  {string(whole[:len(whole)-1]), baton.Corrupt, "is cut short"},
		"more":            {string(whole) + "more", baton.Corrupt, "is damaged"},
		"not a database":  {string(contain(t, []byte("hello, world, hello, world"))), baton.Corrupt, "does not hold a SQLite database"},
		"nothing inside":  {string(contain(t, nil)), baton.Corrupt, "does not hold a SQLite database"},
		"half a database": {string(contain(t, db[:len(db)/2])), baton.Corrupt, ""},
		"window":          {window, baton.Unsupported, "2199023255552 bytes to unpack, the limit is 134217728"},
		"size":            {size, baton.Unsupported, "1099511627776 bytes, the limit is 10737418240"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "sync.c1z")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := c1z.Open(path, dir)
			if err == nil {
				err = errors.Join(readEverything(f), f.Close())
			}
			refused(t, err, test.kind, test.says, path)
			if name != "empty" { // which is as good as no file for a writer
				if w, err := c1z.Create(path, full(second)); err != nil {
					refused(t, err, test.kind, test.says, path)
				} else if name != "half a database" {
					t.Errorf("the writer took it")
					w.Abort()
				} else if err := w.Abort(); err != nil {
					t.Error(err)
				}
			}
			unchanged(t, path, []byte(test.content))
		})
	}
	t.Run("missing", func(t *testing.T) {
		path := filepath.Join(dir, "none.c1z")
		_, err := c1z.Open(path, dir)
		refused(t, err, baton.NotFound, "does not exist", path)
	})
	t.Run("directory", func(t *testing.T) {
		_, err := c1z.Open(dir, dir)
		refused(t, err, baton.Invalid, "is not a regular file", dir)
		_, err = c1z.Create(dir, full(first))
		refused(t, err, baton.Invalid, "is not a regular file", dir)
	})
	t.Run("recorded v3", func(t *testing.T) {
		path := recorded(t, "percipio-v3.c1z")
		_, err := c1z.Open(path, dir)
		refused(t, err, baton.Unsupported, "v3 (Pebble)", path)
	})
}

// refused: the error is of that kind, says that and which file, on one line, and what
// to do.
func refused(t *testing.T, err error, kind baton.Kind, says, path string) {
	t.Helper()
	if baton.KindOf(err) != kind || err == nil {
		t.Fatalf("got %v (%v), want %v", err, baton.KindOf(err), kind)
	}
	text := err.Error()
	if !strings.Contains(text, says) || !strings.Contains(text, path) || strings.Contains(text, "\n") || baton.FixOf(err) == "" {
		t.Errorf("got %q, fix %q; want it to say %q and %q", text, baton.FixOf(err), says, path)
	}
}

func readEverything(f *c1z.File) error {
	types, err := f.ResourceTypes()
	if err != nil {
		return err
	}
	if _, err := f.Counts(); err != nil {
		return err
	}
	for _, rt := range types {
		if err := f.Resources(rt.ID, func(baton.Resource) error { return nil }); err != nil {
			return err
		}
	}
	return f.Grants(member, func(baton.Grant) error { return nil })
}

// TestEveryByteFlipped: no single damaged byte goes unnoticed, but for one with a bit
// that zstd leaves unused.
func TestEveryByteFlipped(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	write(t, path, full(first), smallSync())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	db, bad := database(t, path), filepath.Join(dir, "bad.c1z")
	for i := range whole {
		if i > 64 && i < 8000 && i%32 > 0 {
			continue // the first pages lie there as they are; one byte is like the other
		}
		b := slices.Clone(whole)
		b[i] ^= 0x10
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := c1z.Open(bad, dir)
		if err == nil {
			f.Close()
			if !bytes.Equal(database(t, bad), db) {
				t.Fatalf("byte %d of %d", i, len(whole))
			}
			continue
		}
		if k := baton.KindOf(err); k != baton.Corrupt && k != baton.Unsupported || strings.Contains(err.Error(), "\n") {
			t.Fatalf("byte %d: %v: %v", i, k, err)
		}
	}
}

// TestWriteAheadLog: a database whose header says that there is a log, though it has
// none, can be read.
func TestWriteAheadLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	write(t, path, full(first), smallSync())
	db := database(t, path)
	db[18], db[19] = 2, 2
	if err := os.WriteFile(path, contain(t, db), 0o600); err != nil {
		t.Fatal(err)
	}
	checkSmallSync(t, open(t, path))
	write(t, path, full(second), smallSync())
	if n := len(open(t, path).Syncs()); n != 2 {
		t.Errorf("%d syncs", n)
	}
}

// TestUnfinished: a sync without an end is none.
func TestUnfinished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	write(t, path, full(first), smallSync())
	db := database(t, path)
	edit(t, path, db, `update v1_sync_runs set ended_at = null`)
	f := open(t, path)
	if s := f.Syncs(); len(s) != 1 || !s[0].Ended.IsZero() {
		t.Errorf("syncs %+v", s)
	}
	_, err := f.Resource(baton.ResourceID{Type: "user", ID: "u1"})
	refused(t, err, baton.NotFound, "holds no finished sync", path)
	if sealed := write(t, path, full(second), smallSync()); sealed.Changes != nil {
		t.Errorf("changes since a sync that was not finished: %+v", sealed.Changes)
	}
	if s := open(t, path).Syncs(); len(s) != 1 || s[0].ID != second {
		t.Errorf("syncs %+v", s)
	}
}

// TestOddDatabases: whatever is missing or strange inside, the error says so.
func TestOddDatabases(t *testing.T) {
	for statement, kind := range map[string]baton.Kind{
		`alter table v1_sync_runs drop column ended_at`:                  baton.Corrupt,
		`alter table v1_entitlements drop column data`:                   baton.Corrupt,
		`drop table v1_sync_runs`:                                        baton.Corrupt,
		`update v1_sync_runs set started_at = 'yesterday'`:               baton.Corrupt,
		`update v1_sync_runs set ended_at = 'soon'`:                      baton.Corrupt,
		`update v1_resources set data = x'ff'`:                           baton.Corrupt,
		`update v1_grants set data = x''`:                                baton.Corrupt,
		`update v1_resource_types set data = 'text'`:                     baton.Corrupt,
		`delete from v1_sync_runs`:                                       baton.NotFound,
		`drop table v1_grants; drop table v1_assets`:                     -1,
		`drop index idx_grants_external_sync_v1`:                         -1,
		`update v1_sync_runs set ended_at = '2024-03-01T10:00:00.5Z'`:    -1,
		`update v1_sync_runs set ended_at = '2024-03-01 10:00:00+01:00'`: -1,
	} {
		t.Run(statement, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sync.c1z")
			write(t, path, full(first), smallSync())
			edit(t, path, database(t, path), statement)
			f, err := c1z.Open(path, t.TempDir())
			if err == nil {
				err = readEverything(f)
				f.Close()
			}
			if kind != -1 {
				refused(t, err, kind, "", path)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
