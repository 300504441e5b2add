package c1z_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
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
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	first  = "2d59idiJblyjTYN6gSeESlyJKtz"
	second = "2d5H156amZCr4RtkRHTNCLb448Z"
	third  = "2d5OJX5sT43IQvs03cpDlLetuzP"
)

var (
	started  = time.Date(2024, 3, 1, 10, 0, 0, 120_000_000, time.UTC)
	userType = baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true}
	groups   = baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}
	member   = baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: "g1"}, Slug: "member"}
)

func row(r c1z.Row, err error) c1z.Row {
	if err != nil {
		panic(err)
	}
	return r
}

func account(id, name string) baton.Resource {
	return baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: name,
		Status: baton.StatusEnabled, CreatedAt: started,
		Profile: baton.Profile{"first_name": name, "last_name": "Lee", "user_id": id},
		User:    &baton.User{Login: id + "@example.com", Emails: []baton.Email{{Address: id + "@example.com", Primary: true}}}}
}

func membership(user string) baton.Grant {
	return baton.Grant{ID: baton.GrantID{Entitlement: member, Principal: baton.ResourceID{Type: "user", ID: user}}, ResourceName: "Admins"}
}

var admins = baton.Resource{ID: member.Resource, DisplayName: "Admins", Group: &baton.Group{},
	Parent: baton.ResourceID{Type: "org", ID: "o1"}}

var adminsMember = baton.Entitlement{ID: member, ResourceName: "Admins", DisplayName: "Admins member",
	Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}

// smallSync is two accounts, a group, its entitlement and two grants.
func smallSync() []c1z.Row {
	since := membership("u2")
	since.Metadata = baton.Profile{"since": "2024"}
	return []c1z.Row{
		row(c1z.ResourceTypeRow(groups)), row(c1z.ResourceTypeRow(userType)),
		row(c1z.ResourceRow(account("u1", "Ann"))), row(c1z.ResourceRow(account("u2", "Bob"))),
		row(c1z.ResourceRow(admins)), row(c1z.EntitlementRow(adminsMember, []baton.ResourceType{userType})),
		row(c1z.GrantRow(membership("u1"))), row(c1z.GrantRow(since)),
	}
}

func full(id string) c1z.Options {
	return c1z.Options{SyncID: id, SyncType: c1z.Full, Started: started}
}

func create(t testing.TB, path string, opt c1z.Options, rows []c1z.Row) *c1z.Writer {
	t.Helper()
	w, err := c1z.Create(path, opt)
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

// write seals a sync.
func write(t testing.TB, path string, opt c1z.Options, rows []c1z.Row) c1z.Sealed {
	t.Helper()
	sealed, err := create(t, path, opt, rows).Seal(context.Background(), ended(opt.SyncID))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// ended is an hour later for each next sync.
func ended(syncID string) time.Time {
	hours := slices.Index([]string{first, second, third}, syncID)
	return started.Add(time.Duration(hours) * time.Hour)
}

func open(t testing.TB, path string) *c1z.File {
	t.Helper()
	f, err := c1z.Open(path, t.TempDir())
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

// database is what a file holds, unpacked.
func database(t testing.TB, path string) []byte {
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

// contain is a file around a database.
func contain(t testing.TB, db []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	return enc.EncodeAll(db, []byte("C1ZF\x00"))
}

// query runs a statement on the database of a file and returns its rows as text.
func query(t testing.TB, path, statement string) (lines []string) {
	t.Helper()
	tmp := filepath.Join(t.TempDir(), "q.db")
	if err := os.WriteFile(tmp, database(t, path), 0o600); err != nil {
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

// edit replaces the file by one around db, changed by a statement.
func edit(t testing.TB, path string, db []byte, statement string) {
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
	if err := os.WriteFile(path, contain(t, db), 0o600); err != nil {
		t.Fatal(err)
	}
}

// dump is everything in a file, as text.
func dump(t testing.TB, path string) string {
	t.Helper()
	var b strings.Builder
	for _, pragma := range []string{"page_size", "user_version", "encoding", "journal_mode", "auto_vacuum", "integrity_check"} {
		fmt.Fprintf(&b, "%s %s\n", pragma, query(t, path, "pragma "+pragma))
	}
	for _, sql := range query(t, path, `select sql from sqlite_schema order by type desc, name`) {
		fmt.Fprintln(&b, sql)
	}
	for _, table := range query(t, path, `select name from sqlite_schema where type = 'table' order by name`) {
		for _, line := range query(t, path, `select * from `+table+` order by id`) {
			fmt.Fprintf(&b, "%s|%s\n", table, line)
		}
	}
	return b.String()
}

// TestGolden pins the schema and every byte of the rows.
func TestGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	write(t, path, full(first), smallSync())
	got := dump(t, path)
	golden := filepath.Join("testdata", "small.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// recorded is a file that an official program has written; tests that need one skip
// where it is absent.
func recorded(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "recorded", name)
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	return path
}

// TestSchemaAsRecorded compares the names of all tables, columns and indexes with
// those of an official file. Columns that are newer than it are named here.
func TestSchemaAsRecorded(t *testing.T) {
	const shape = `select m.type || ' ' || m.tbl_name || ' ' || m.name || ' ' || c.name
		from sqlite_schema m join pragma_table_info(m.name) c
		union all
		select 'index ' || m.tbl_name || ' ' || m.name || ' ' || c.name || ' ' || (m.sql like '%unique%') || ' ' || (m.sql like '%where%')
		from sqlite_schema m join pragma_index_info(m.name) c where m.type = 'index'
		order by 1`
	path := filepath.Join(t.TempDir(), "sync.c1z")
	write(t, path, full(first), nil)
	want := append(query(t, recorded(t, "percipio-v1.c1z"), shape),
		"table v1_sync_runs v1_sync_runs ingest_invariant_coverage",
		"table v1_sync_runs v1_sync_runs ingest_invariant_generation",
		"table v1_sync_runs v1_sync_runs ingest_invariant_mode")
	slices.Sort(want)
	if diff := cmp.Diff(want, query(t, path, shape)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
