package installation_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/installation"
	"baton/console/store"
	"baton/console/store/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func config(dir string) installation.Config {
	return installation.Config{Data: dir, Create: true, Now: func() time.Time { return noon }}
}

func open(t *testing.T, c installation.Config) *installation.Installation {
	t.Helper()
	in, err := installation.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in
}

// fill adds rows to many tables, with values that databases treat differently: bytes that are not
// text, NULL, booleans, and references to the same table.
func fill(t *testing.T, in *installation.Installation) {
	t.Helper()
	by := console.By{At: noon, Actor: console.Console}
	err := in.Store.Update(t.Context(), by, func(tx *store.Tx) error {
		boss, err := tx.AddPerson(console.Person{Name: "Boss\x00\xff", Emails: []string{"boss@example.test"}, Roles: []console.ConsoleRole{console.SuperAdministrator}})
		if err != nil {
			return err
		}
		twin, err := tx.AddPerson(console.Person{Name: "Twin"})
		if err != nil {
			return err
		}
		if err := tx.MergePersons(twin, boss); err != nil {
			return err
		}
		app, err := tx.AddApp(console.App{Name: "App", Owners: []console.ID{boss}})
		if err != nil {
			return err
		}
		for i := range 3 {
			if _, err := tx.AddConnector(console.Connector{App: app, Name: fmt.Sprint("c", i), Directory: i == 0, Paused: i == 1, Interval: time.Hour}); err != nil {
				return err
			}
		}
		if err := tx.SetSecret("connector/x", "token", baton.NewSecret("value")); err != nil {
			return err
		}
		if err := tx.BeginFile("2d59idiJblyjTYN6gSeESlyJKtz"); err != nil {
			return err
		}
		return tx.BeginSession([32]byte{1}, console.Session{Person: boss, Began: noon, Proved: noon, Seen: noon})
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 { // more than one batch of a copy
		err := in.Store.Update(t.Context(), by, func(tx *store.Tx) error {
			return tx.AppendFile("2d59idiJblyjTYN6gSeESlyJKtz", i, []byte(strings.Repeat(string(rune('a'+i)), store.MaxChunk)))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func head(t *testing.T, in *installation.Installation) (h console.ChainHead) {
	t.Helper()
	err := in.Store.View(t.Context(), func(tx *store.Tx) (err error) {
		h, err = tx.ChainHead()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func pauses(t *testing.T, in *installation.Installation) (p console.Pauses) {
	t.Helper()
	err := in.Store.View(t.Context(), func(tx *store.Tx) (err error) {
		p, err = tx.Pauses()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func identify(t *testing.T, in *installation.Installation, want bool) {
	t.Helper()
	if copied, err := in.Identify(t.Context()); err != nil || copied != want {
		t.Errorf("taken for a copy: %v, %v; want %v", copied, err, want)
	}
}

// TestCopiedFolder detects a copy: it begins one new epoch, and is paused. A renamed folder is not a
// copy.
func TestCopiedFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no number here")
	}
	dir := t.TempDir()
	original := open(t, config(filepath.Join(dir, "original")))
	fill(t, original)
	identify(t, original, false)
	identify(t, original, false)
	before := head(t, original)
	if err := original.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "copy"), os.DirFS(filepath.Join(dir, "original"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "original"), filepath.Join(dir, "renamed")); err != nil {
		t.Fatal(err)
	}
	renamed := open(t, config(filepath.Join(dir, "renamed")))
	identify(t, renamed, false)
	if pauses(t, renamed).Any() || head(t, renamed) != before {
		t.Error("the renamed folder is treated as a copy")
	}
	copied := open(t, config(filepath.Join(dir, "copy")))
	identify(t, copied, true)
	identify(t, copied, false)
	if h := head(t, copied); h.Epoch != before.Epoch+1 || !pauses(t, copied).Writes {
		t.Errorf("the copy: %+v, %+v", h, pauses(t, copied))
	}
	if r, err := copied.Store.VerifyChain(t.Context(), before); err != nil || len(r.Faults) > 0 {
		t.Errorf("%+v, %v", r.Faults, err)
	}
}

// TestMove moves an installation to PostgreSQL, makes a backup there, and restores it.
func TestMove(t *testing.T) {
	database := pgtest.New(t)
	dir := t.TempDir()
	c := config(filepath.Join(dir, "data"))
	in := open(t, c)
	fill(t, in)
	identify(t, in, false)
	before := head(t, in)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	done, err := installation.Move(t.Context(), c, database)
	if err != nil {
		t.Fatal(err)
	}
	if done.Head != before || done.Tables["file_chunk"] != 6 || done.Tables["person"] != 2 || done.Tables["session"] != 1 || done.Rows < 30 {
		t.Errorf("%+v", done)
	}
	if _, err := installation.Open(t.Context(), c); baton.KindOf(err) != baton.Refused || !strings.Contains(baton.FixOf(err), "--database") {
		t.Errorf("the old database: %v", err)
	}
	if _, err := installation.Move(t.Context(), config(filepath.Join(dir, "data")), database); baton.KindOf(err) != baton.Refused {
		t.Errorf("moved twice: %v", err)
	}
	c.Database = database
	moved := open(t, c)
	identify(t, moved, false)
	check := func(in *installation.Installation, sessions bool) {
		t.Helper()
		err := in.Store.View(t.Context(), func(tx *store.Tx) error {
			boss, err := tx.PersonByEmail("boss@example.test")
			if err != nil || boss.Name != "Boss\x00\xff" {
				t.Errorf("%+v, %v", boss, err)
			}
			first, err := tx.ConnectorByName("c0")
			second, err2 := tx.ConnectorByName("c1")
			if err != nil || err2 != nil || !first.Directory || first.Paused || !second.Paused || second.Directory {
				t.Errorf("%+v, %+v, %v, %v", first, second, err, err2)
			}
			if v, err := tx.Secret("connector/x", "token"); err != nil || v.Reveal() != "value" {
				t.Errorf("the secret: %v", err)
			}
			if _, _, err := tx.Session([32]byte{1}, noon); (err == nil) != sessions {
				t.Errorf("the session: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if r, err := in.Store.VerifyChain(t.Context(), before); err != nil || len(r.Faults) > 0 {
			t.Errorf("%+v, %v", r.Faults, err)
		}
	}
	check(moved, true)
	// New rows get new numbers, because the counters moved too.
	if err := moved.Store.Update(t.Context(), console.By{At: noon, Actor: console.Console}, func(tx *store.Tx) error {
		app, err := tx.AppByName("App")
		if err == nil {
			_, err = tx.AddConnector(console.Connector{App: app.ID, Name: "new"})
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	backup := filepath.Join(dir, "backup")
	if _, err := moved.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info, err)
	}
	restore := config(filepath.Join(dir, "restored"))
	restore.Keys = filepath.Join(dir, "data", "keys")
	r, err := restoreFile(t, restore, backup)
	if err != nil || len(r.Lost) > 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	restored := open(t, restore)
	identify(t, restored, false)
	check(restored, false)
	if !pauses(t, restored).Writes || head(t, restored).Epoch != before.Epoch+1 {
		t.Error("the restored console goes on as the original")
	}
	// Nothing is restored to a database with a console.
	again := config(filepath.Join(dir, "again"))
	again.Database = database
	if _, err := restoreFile(t, again, backup); baton.KindOf(err) != baton.Refused {
		t.Errorf("restored over another: %v", err)
	}
}

func restoreFile(t *testing.T, c installation.Config, backup string) (installation.Restored, error) {
	t.Helper()
	f, err := os.Open(backup)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return installation.Restore(t.Context(), c, f, backup, nil)
}

// TestAlteredBackup refuses a backup with a changed event.
func TestAlteredBackup(t *testing.T) {
	dir := t.TempDir()
	in := open(t, config(filepath.Join(dir, "data")))
	fill(t, in)
	backup := filepath.Join(dir, "backup")
	if _, err := in.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	altered := strings.ReplaceAll(string(text), `"name":"c0"`, `"name":"cX"`) // some of them are in unused pages
	if altered == string(text) {
		t.Fatal("the event was not found")
	}
	if err := os.WriteFile(backup, []byte(altered), 0o600); err != nil {
		t.Fatal(err)
	}
	restore := config(filepath.Join(dir, "restored"))
	if _, err := restoreFile(t, restore, backup); baton.KindOf(err) != baton.Corrupt || !strings.Contains(err.Error(), "altered") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "restored", "console.db")); err == nil {
		t.Error("half a console is left behind")
	}
}

// TestBackupHidesSecrets looks for a secret in a backup, and in the folder that it is of, in every spelling
// that a reader would try. What it finds without the keys is not the secret.
func TestBackupHidesSecrets(t *testing.T) {
	dir := t.TempDir()
	in := open(t, config(filepath.Join(dir, "data")))
	fill(t, in)
	secret := []byte(rand.Text())
	if err := in.Store.Update(t.Context(), console.By{At: noon, Actor: console.Console}, func(tx *store.Tx) error {
		return tx.SetSecret("connector/x", "token", baton.NewSecret(string(secret)))
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Backup(t.Context(), filepath.Join(dir, "backup")); err != nil {
		t.Fatal(err)
	}
	backup, files := int64(0), 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if filepath.Base(path) == "backup" {
			backup = int64(len(text))
		}
		for _, spelling := range [][]byte{secret, []byte(base64.StdEncoding.EncodeToString(secret)), []byte(hex.EncodeToString(secret))} {
			if bytes.Contains(text, spelling) {
				t.Errorf("%s has the secret in clear, as %s", d.Name(), spelling)
			}
		}
		return nil
	})
	if err != nil || backup < 4096 || files < 3 {
		t.Errorf("looked at %d files, with a backup of %d bytes: %v", files, backup, err)
	}
}

// TestReadOnlyFolder names the read-only folder and what to do.
func TestReadOnlyFolder(t *testing.T) {
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("permissions do not stop this user")
	}
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := installation.Open(t.Context(), config(dir))
	if baton.KindOf(err) != baton.Storage || !strings.Contains(err.Error(), dir) || baton.FixOf(err) == "" {
		t.Errorf("%v (fix: %s)", err, baton.FixOf(err))
	}
}

// TestTwoProcesses: one process at a time serves an SQLite database. The second is refused, and nothing of the first is touched;
// after the first ended, the second may.
func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	first := open(t, config(dir))
	if err := first.Lock(); err != nil {
		t.Fatal(err)
	}
	scratch, _, err := first.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	second := open(t, config(dir))
	if err := second.Lock(); baton.KindOf(err) != baton.Refused || !strings.Contains(err.Error(), dir) || baton.FixOf(err) == "" {
		t.Errorf("a second process: %v (%v)", err, baton.KindOf(err))
	}
	if _, err := os.Stat(scratch); err != nil {
		t.Errorf("the second process removed temporary files of the first: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Lock(); err != nil {
		t.Errorf("after the first process: %v", err)
	}
}
