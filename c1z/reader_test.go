package c1z_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/c1z"
	"baton/internal/longtest"
)

// TestReadRecorded reads every row of files of official programs.
func TestReadRecorded(t *testing.T) {
	for name, want := range map[string][]c1z.Count{
		"scim-v1.c1z":     {{Type: "group", Resources: 3, Entitlements: 3, Grants: 15}, {Type: "user", Resources: 20}},
		"percipio-v1.c1z": {{Type: "course", Resources: 6, Entitlements: 12, Grants: 36}, {Type: "user", Resources: 20}},
	} {
		t.Run(name, func(t *testing.T) {
			s := fixture.Latest(t, fixture.Recorded(t, name))
			counts, err := s.Counts(t.Context())
			if diff := cmp.Diff(want, counts); err != nil || diff != "" {
				t.Errorf("counts: %v (-want +got):\n%s", err, diff)
			}
			for _, c := range want {
				if name == "percipio-v1.c1z" && c.Type == "course" {
					c.Grants-- // one is of an entitlement that the file does not list
				}
				if got := readAll(t, s, c.Type); got != c {
					t.Errorf("read %+v, want %+v", got, c)
				}
			}
			if s.Type != c1z.Full || s.Ended.Before(s.Started) {
				t.Errorf("sync %+v", s.SyncInfo)
			}
		})
	}
}

// readAll counts the readable rows of a type: its resources, and through them the entitlements in the file
// and their grants.
func readAll(t *testing.T, s *c1z.Sync, resourceType string) c1z.Count {
	ctx := t.Context()
	c := c1z.Count{Type: resourceType}
	for _, r := range fixture.All(t, s.ResourcesOfType(ctx, resourceType)) {
		if r.ID.Type != resourceType || r.DisplayName == "" || (r.User != nil) != (resourceType == "user") {
			t.Errorf("resource %+v", r)
		}
		if r.User != nil && (r.Status == baton.StatusUnspecified || r.Profile["first_name"] == nil || len(r.User.Emails) == 0) {
			t.Errorf("account %+v", r)
		}
		if again, err := s.Resource(ctx, r.ID); err != nil || !cmp.Equal(r, again) {
			t.Errorf("resource %+v, %v", again, err)
		}
		c.Resources++
		for _, e := range fixture.All(t, s.EntitlementsOn(ctx, r.ID)) {
			if again, err := s.Entitlement(ctx, e.ID); err != nil || !cmp.Equal(e, again) || !slices.Equal(e.GrantableTo, []string{"user"}) {
				t.Errorf("entitlement %+v, %v", again, err)
			}
			c.Entitlements++
			for _, g := range fixture.All(t, s.GrantsOf(ctx, e.ID)) {
				if again, err := s.Grant(ctx, g.ID); err != nil || !cmp.Equal(g, again) {
					t.Errorf("grant %+v, %v", again, err)
				}
				held := fixture.All(t, s.GrantsTo(ctx, g.Principal))
				if !slices.ContainsFunc(held, func(other c1z.Grant) bool { return other.ID == g.ID }) {
					t.Errorf("%s is not among the grants to %s", g.ID, g.Principal)
				}
				c.Grants++
			}
		}
	}
	return c
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.c1z")
	fixture.Write(t, good, fixture.Full(fixture.First), fixture.SmallSync())
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	db := fixture.Database(t, good)
	// A zstd frame header with a window of 2^41 bytes, or a content of 2^40 bytes.
	window := "C1ZF\x00\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00"
	size := "C1ZF\x00\x28\xb5\x2f\xfd\xc0\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x00"
	tests := map[string]struct {
		content string
		kind    baton.Kind
		says    string
	}{
		"empty":           {"", baton.NotFound, "is empty"},
		"v3":              {"C1Z3\x00\x00\x00\x00\x58", baton.Unsupported, `written by storage engine`},
		"foreign":         {"PK\x03\x04 and so on", baton.Corrupt, "is not a c1z file"},
		"short foreign":   {"PK", baton.Corrupt, "is not a c1z file"},
		"part of magic":   {"C1Z", baton.Corrupt, "is cut short"},
		"magic only":      {"C1ZF\x00", baton.Corrupt, "is cut short"},
		"no frame":        {"C1ZF\x00 this is not zstd at all", baton.Corrupt, "is damaged"},
		"half":            {string(whole[:len(whole)/2]), baton.Corrupt, "is cut short"},
		"all but a byte":  {string(whole[:len(whole)-1]), baton.Corrupt, "is cut short"},
		"more":            {string(whole) + "more", baton.Corrupt, "is damaged"},
		"not a database":  {string(fixture.Contain(t, []byte("hello, world, hello, world"))), baton.Corrupt, "does not hold a SQLite database"},
		"nothing inside":  {string(fixture.Contain(t, nil)), baton.Corrupt, "does not hold a SQLite database"},
		"half a database": {string(fixture.Contain(t, db[:len(db)/2])), baton.Corrupt, ""},
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
			f, err := c1z.Opener{TempDir: dir}.Open(t.Context(), path)
			if err == nil {
				err = errors.Join(readEverything(f), f.Close())
			}
			refused(t, err, test.kind, test.says, path)
			if name != "empty" { // a writer treats an empty file as missing
				if w, err := writer.Create(path, fixture.Full(fixture.Second)); err != nil {
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
		_, err := c1z.Open(t.Context(), path)
		refused(t, err, baton.NotFound, "does not exist", path)
	})
	t.Run("directory", func(t *testing.T) {
		_, err := c1z.Open(t.Context(), dir)
		refused(t, err, baton.Invalid, "is not a regular file", dir)
		_, err = writer.Create(dir, fixture.Full(fixture.First))
		refused(t, err, baton.Invalid, "is not a regular file", dir)
	})
	t.Run("recorded v3", func(t *testing.T) {
		path := fixture.Recorded(t, "percipio-v3.c1z")
		_, err := c1z.Open(t.Context(), path)
		refused(t, err, baton.Unsupported, `written by storage engine`, path)
	})
}

// refused checks that the error has that kind, names the problem and the file on one line, and has advice.
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

// readEverything reads each table of the latest sync, and of all syncs.
func readEverything(f *c1z.File) error {
	_, err := f.Latest()
	for _, s := range f.Syncs() {
		_, e := s.Counts(context.Background())
		err = errors.Join(err, e)
		for _, e := range []error{drain(s.ResourceTypes(context.Background())), drain(s.Resources(context.Background())),
			drain(s.Entitlements(context.Background())), drain(s.Grants(context.Background()))} {
			if err == nil {
				err = e
			}
		}
	}
	return err
}

func drain[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestEveryByteFlipped: every single damaged byte is detected, except bits that zstd does not use.
func TestEveryByteFlipped(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	db, bad := fixture.Database(t, path), filepath.Join(dir, "bad.c1z")
	for i := range whole {
		if i > 64 && (i < 8000 && i%32 > 0 || i%longtest.Pick(8, 1) > 0) {
			continue // the first pages are not compressed, so their bytes are equivalent
		}
		b := slices.Clone(whole)
		b[i] ^= 0x10
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := c1z.Opener{TempDir: dir}.Open(t.Context(), bad)
		if err == nil {
			f.Close()
			if !bytes.Equal(fixture.Database(t, bad), db) {
				t.Fatalf("byte %d of %d", i, len(whole))
			}
			continue
		}
		if k := baton.KindOf(err); k != baton.Corrupt && k != baton.Unsupported || strings.Contains(err.Error(), "\n") {
			t.Fatalf("byte %d: %v: %v", i, k, err)
		}
	}
}

// TestWriteAheadLog: a database whose header claims a write-ahead log can be read without one.
func TestWriteAheadLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	db := fixture.Database(t, path)
	db[18], db[19] = 2, 2
	if err := os.WriteFile(path, fixture.Contain(t, db), 0o600); err != nil {
		t.Fatal(err)
	}
	fixture.CheckSmallSync(t, fixture.Latest(t, path).Facts(t.Context()))
	fixture.Write(t, path, fixture.Full(fixture.Second), fixture.SmallSync())
	if n := len(fixture.Open(t, path).Syncs()); n != 2 {
		t.Errorf("%d syncs", n)
	}
}

// TestUnfinished: a sync without an end does not count.
func TestUnfinished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	db := fixture.Database(t, path)
	fixture.Edit(t, path, db, `update v1_sync_runs set ended_at = null`)
	f := fixture.Open(t, path)
	syncs := f.Syncs()
	if len(syncs) != 1 || syncs[0].Finished() {
		t.Errorf("syncs %+v", syncs)
	}
	_, err := f.Latest()
	refused(t, err, baton.NotFound, "holds no finished sync", path)
	if !errors.Is(err, c1z.ErrNoSync) {
		t.Errorf("%v is not ErrNoSync", err)
	}
	if s, err := f.Sync(fixture.First); err != nil || len(fixture.All(t, s.Grants(t.Context()))) != 2 {
		t.Errorf("the unfinished sync cannot be read: %v", err)
	}
	if sealed := fixture.Write(t, path, fixture.Full(fixture.Second), fixture.SmallSync()); sealed.Changes != nil {
		t.Errorf("changes since a sync that was not finished: %+v", sealed.Changes)
	}
	if s := fixture.Open(t, path).Syncs(); len(s) != 1 || s[0].ID != fixture.Second {
		t.Errorf("syncs %+v", s)
	}
}

// TestOddDatabases: the error describes whatever is missing or unusual in the database.
func TestOddDatabases(t *testing.T) {
	for statement, kind := range map[string]baton.Kind{
		`alter table v1_sync_runs drop column ended_at`:                  baton.Corrupt,
		`alter table v1_entitlements drop column data`:                   baton.Corrupt,
		`drop table v1_sync_runs`:                                        baton.Corrupt,
		`update v1_sync_runs set started_at = 'yesterday'`:               baton.Corrupt,
		`update v1_sync_runs set ended_at = 'soon'`:                      baton.Corrupt,
		`update v1_resources set data = x'ff'`:                           baton.Corrupt,
		`update v1_grants set data = x'0a'`:                              baton.Corrupt,
		`update v1_grants set data = x''`:                                -1, // the columns say the same
		`update v1_resource_types set data = 'text'`:                     baton.Corrupt,
		`delete from v1_sync_runs`:                                       baton.NotFound,
		`drop table v1_grants; drop table v1_assets`:                     -1,
		`drop index idx_grants_external_sync_v1`:                         -1,
		`update v1_sync_runs set ended_at = '2024-03-01T10:00:00.5Z'`:    -1,
		`update v1_sync_runs set ended_at = '2024-03-01 10:00:00+01:00'`: -1,
	} {
		t.Run(statement, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sync.c1z")
			fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
			fixture.Edit(t, path, fixture.Database(t, path), statement)
			f, err := c1z.Open(t.Context(), path)
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

// unchanged checks that the file has these bytes and is alone in its directory.
func unchanged(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != string(want) {
		t.Errorf("the file was touched (%v)", err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
