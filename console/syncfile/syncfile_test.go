package syncfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/c1z"
	"baton/c1z/writer"
	"baton/console/syncfile"
)

// sound writes a file with one account, one group and one grant.
func sound(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sync.c1z")
	started := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	w, err := writer.Create(path, writer.Options{SyncID: "2pAAAAAAAAAAAAAAAAAAAAAAAAA", SyncType: c1z.Full, Started: started})
	if err != nil {
		t.Fatal(err)
	}
	user := baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}
	member := baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: "g"}, Slug: "member"}
	for _, row := range []func() (writer.Row, error){
		func() (writer.Row, error) { return writer.ResourceTypeRow(user) },
		func() (writer.Row, error) {
			return writer.ResourceTypeRow(baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}})
		},
		func() (writer.Row, error) {
			return writer.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u"}, DisplayName: "U", User: &baton.User{Login: "u"}})
		},
		func() (writer.Row, error) {
			return writer.ResourceRow(baton.Resource{ID: member.Resource, DisplayName: "G", Group: &baton.Group{}})
		},
		func() (writer.Row, error) {
			return writer.EntitlementRow(baton.Entitlement{ID: member, DisplayName: "member", GrantableTo: []string{"user"}}, []baton.ResourceType{user})
		},
		func() (writer.Row, error) {
			return writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member, Principal: baton.ResourceID{Type: "user", ID: "u"}}})
		},
	} {
		r, err := row()
		if err == nil {
			err = w.Add(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Seal(t.Context(), started.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read opens bytes as a file and reads all rows of all its syncs.
func read(t *testing.T, b []byte) (rows int, err error) {
	t.Helper()
	dir := t.TempDir()
	path, scratch := filepath.Join(dir, "sync.c1z"), t.TempDir()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := syncfile.Open(t.Context(), path, "the file", scratch)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(scratch); len(left) > 0 {
			t.Errorf("%d files are left behind", len(left))
		}
	}()
	if _, err := f.Any(); err != nil {
		return 0, err
	}
	var out bytes.Buffer
	for _, s := range f.Syncs {
		for g, err := range s.GrantRows(t.Context()) {
			if err == nil {
				_, err = g.Grant()
			}
			if err != nil {
				return rows, err
			}
			rows++
		}
		if _, _, err := s.Stated(t.Context()); err != nil {
			return rows, err
		}
	}
	return rows, f.WriteFacts(t.Context(), &out, t.TempDir())
}

// TestOpen reads a sound file of each version, and refuses other files with the right kind of error.
func TestOpen(t *testing.T) {
	if rows, err := read(t, sound(t)); rows != 1 || err != nil {
		t.Errorf("version 1: %d grants, %v", rows, err)
	}
	if recorded, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "recorded", "percipio-v3.c1z")); len(recorded) == 1 {
		b, err := os.ReadFile(recorded[0])
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := read(t, b); rows == 0 || err != nil {
			t.Errorf("version 3: %d grants, %v", rows, err)
		}
	}
	for name, tt := range map[string]struct {
		content string
		want    baton.Kind
	}{
		"empty":           {"", baton.NotFound},
		"text":            {"no sync file", baton.Corrupt},
		"cut off":         {string(sound(t)[:200]), baton.Corrupt},
		"version 3, none": {"C1Z3\x00", baton.Corrupt},
	} {
		if _, err := read(t, []byte(tt.content)); baton.KindOf(err) != tt.want {
			t.Errorf("%s: %v (%v), want %v", name, err, baton.KindOf(err), tt.want)
		}
	}
	if _, err := syncfile.Open(t.Context(), filepath.Join(t.TempDir(), "none"), "the file", t.TempDir()); baton.KindOf(err) != baton.NotFound {
		t.Errorf("no file: %v", err)
	}
	if _, err := syncfile.Open(t.Context(), t.TempDir(), "the file", t.TempDir()); baton.KindOf(err) != baton.Invalid {
		t.Errorf("a folder: %v", err)
	}
}

// FuzzOpen reads arbitrary files: each is read, or refused with a classified error on one line.
func FuzzOpen(f *testing.F) {
	f.Add(sound(f))
	f.Add([]byte("C1Z3\x00\x00\x00\x00\x0b\x0a\x07pebble3\x20\x02"))
	f.Add([]byte("C1ZF\x00\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := read(t, b)
		if err == nil {
			return
		}
		switch kind := baton.KindOf(err); kind {
		case baton.NotFound, baton.Corrupt, baton.Unsupported:
		default:
			t.Errorf("%v (%v)", err, kind)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %q", err)
		}
	})
}
