// Package c1ztest helps tests to make c1z files and to look into them.
package c1ztest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/c1z"
	"baton/c1z/writer"
)

// Ids of three syncs, of which each ended an hour after the one before.
const (
	First  = "2d59idiJblyjTYN6gSeESlyJKtz"
	Second = "2d5H156amZCr4RtkRHTNCLb448Z"
	Third  = "2d5OJX5sT43IQvs03cpDlLetuzP"
)

var (
	Started   = time.Date(2024, 3, 1, 10, 0, 0, 120_000_000, time.UTC)
	UserType  = baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true}
	GroupType = baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}
	Member    = baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: "g1"}, Slug: "member"}
)

// Row returns a row that must not fail.
func Row(r writer.Row, err error) writer.Row {
	if err != nil {
		panic(err)
	}
	return r
}

// Account is a user.
func Account(id, name string) baton.Resource {
	return baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: name,
		Status: baton.StatusEnabled, CreatedAt: Started,
		Profile: baton.Profile{"first_name": name, "last_name": "Lee", "user_id": id},
		User:    &baton.User{Login: id + "@example.com", Emails: []baton.Email{{Address: id + "@example.com", Primary: true}}}}
}

// Membership is the grant of Member to a user.
func Membership(user string) baton.Grant {
	return baton.Grant{ID: baton.GrantID{Entitlement: Member, Principal: baton.ResourceID{Type: "user", ID: user}}, ResourceName: "Admins"}
}

var Admins = baton.Resource{ID: Member.Resource, DisplayName: "Admins", Group: &baton.Group{},
	Parent: baton.ResourceID{Type: "org", ID: "o1"}}

var AdminsMember = baton.Entitlement{ID: Member, ResourceName: "Admins", DisplayName: "Admins member",
	Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}

// SmallSync is two accounts, a group, its entitlement and two grants.
func SmallSync() []writer.Row {
	since := Membership("u2")
	since.Metadata = baton.Profile{"since": "2024"}
	return []writer.Row{
		Row(writer.ResourceTypeRow(GroupType)), Row(writer.ResourceTypeRow(UserType)),
		Row(writer.ResourceRow(Account("u1", "Ann"))), Row(writer.ResourceRow(Account("u2", "Bob"))),
		Row(writer.ResourceRow(Admins)), Row(writer.EntitlementRow(AdminsMember, []baton.ResourceType{UserType})),
		Row(writer.GrantRow(Membership("u1"))), Row(writer.GrantRow(since)),
	}
}

// Full returns the options of a full sync.
func Full(id string) writer.Options {
	return writer.Options{SyncID: id, SyncType: c1z.Full, Started: Started}
}

// Create begins a sync with rows.
func Create(t testing.TB, path string, opt writer.Options, rows []writer.Row) *writer.Writer {
	t.Helper()
	w, err := writer.Create(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Abort() })
	for _, r := range rows {
		if err := w.Add(r); err != nil {
			t.Fatalf("add %s: %v", r.ID(), err)
		}
	}
	return w
}

// Write seals a sync.
func Write(t testing.TB, path string, opt writer.Options, rows []writer.Row) writer.Sealed {
	t.Helper()
	sealed, err := Create(t, path, opt, rows).Seal(context.Background(), Ended(opt.SyncID))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// Ended is an hour later for each next sync.
func Ended(syncID string) time.Time {
	hours := slices.Index([]string{First, Second, Third}, syncID)
	return Started.Add(time.Duration(hours) * time.Hour)
}

// Open opens a file for reading.
func Open(t testing.TB, path string) *c1z.File {
	t.Helper()
	f, err := c1z.Opener{TempDir: t.TempDir()}.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// Database is the unpacked database of a file.
func Database(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := bytes.CutPrefix(b, []byte("C1ZF\x00"))
	if !ok {
		t.Fatalf("%s begins with %x", path, b[:min(len(b), 5)])
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	db, err := dec.DecodeAll(rest, nil)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// Contain is a file around a database.
func Contain(t testing.TB, db []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	return enc.EncodeAll(db, []byte("C1ZF\x00"))
}

// Query runs a statement on the database of a file and returns its rows as text.
func Query(t testing.TB, path, statement string) (lines []string) {
	t.Helper()
	tmp := filepath.Join(t.TempDir(), "q.db")
	if err := os.WriteFile(tmp, Database(t, path), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.OpenConn(tmp, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = sqlitex.ExecuteTransient(conn, statement, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		var cells []string
		for i := range s.ColumnCount() {
			switch s.ColumnType(i) {
			case sqlite.TypeNull:
				cells = append(cells, "NULL")
			case sqlite.TypeBlob:
				blob := make([]byte, s.ColumnLen(i))
				s.ColumnBytes(i, blob)
				cells = append(cells, "x"+hex.EncodeToString(blob))
			default:
				cells = append(cells, s.ColumnText(i))
			}
		}
		lines = append(lines, strings.Join(cells, "|"))
		return nil
	}})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return lines
}

// Edit replaces the file by one around db, changed by a statement.
func Edit(t testing.TB, path string, db []byte, statement string) {
	t.Helper()
	tmp := filepath.Join(t.TempDir(), "e.db")
	if err := os.WriteFile(tmp, db, 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.OpenConn(tmp, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sqlitex.ExecuteScript(conn, statement+";", nil), conn.Close()); err != nil {
		t.Fatal(err)
	}
	db, err = os.ReadFile(tmp)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, Contain(t, db), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Dump is everything in a file, as text.
func Dump(t testing.TB, path string) string {
	t.Helper()
	var b strings.Builder
	for _, pragma := range []string{"page_size", "user_version", "encoding", "journal_mode", "auto_vacuum", "integrity_check"} {
		fmt.Fprintf(&b, "%s %s\n", pragma, Query(t, path, "pragma "+pragma))
	}
	for _, sql := range Query(t, path, `select sql from sqlite_schema order by type desc, name`) {
		fmt.Fprintln(&b, sql)
	}
	for _, table := range Query(t, path, `select name from sqlite_schema where type = 'table' order by name`) {
		for _, line := range Query(t, path, `select * from `+table+` order by id`) {
			fmt.Fprintf(&b, "%s|%s\n", table, line)
		}
	}
	return b.String()
}

// Recorded is a file that an official program has written. Tests that need it skip where
// it is absent.
func Recorded(t testing.TB, name string) string {
	t.Helper()
	up := ".."
	for range 5 {
		path := filepath.Join(up, "shared", "recorded", name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		up = filepath.Join(up, "..")
	}
	t.Skipf("the recorded file %s is not here", name)
	return ""
}

// CheckSmallSync reads one row while it is reading others, as a review does.
func CheckSmallSync(t *testing.T, facts baton.Facts) {
	t.Helper()
	var got []string
	err := facts.Resources("group", func(r baton.Resource) error {
		return facts.Grants(baton.EntitlementID{Resource: r.ID, Slug: "member"}, func(g baton.Grant) error {
			return facts.Resources("user", func(u baton.Resource) error {
				if u.ID == g.ID.Principal {
					got = append(got, r.DisplayName+" "+u.DisplayName)
				}
				return nil
			})
		})
	})
	if diff := cmp.Diff([]string{"Admins Ann", "Admins Bob"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// Edited is the database of a file after some statements.
func Edited(t testing.TB, path string, script ...string) []byte {
	t.Helper()
	tmp := filepath.Join(t.TempDir(), "e.db")
	if err := os.WriteFile(tmp, Database(t, path), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.OpenConn(tmp, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, s := range script {
		if err := sqlitex.ExecuteTransient(conn, s, nil); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(tmp)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Latest is the latest sync of a file.
func Latest(t testing.TB, path string) *c1z.Sync {
	t.Helper()
	s, err := Open(t, path).Latest()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// All is what an iterator yields.
func All[T any](t testing.TB, seq iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for one, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}
