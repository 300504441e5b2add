package writer_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/internal/longtest"
)

// model is the expected sync, computed with maps from rows in the order of adding.
type model struct {
	rows       map[string]writer.Row // by table and external id
	dangling   int
	superseded int
	entitled   map[string]bool
}

var ranks = map[string][]string{"course": {"completed", "passed", "in_progress"}}

func modelOf(rows []writer.Row) *model {
	m := &model{rows: map[string]writer.Row{}, entitled: map[string]bool{}}
	key := func(t writer.Table, id string) string { return fmt.Sprint(int(t), " ", id) }
	all := map[string]writer.Row{}
	for _, r := range rows {
		if _, ok := all[key(r.Table, r.ID())]; !ok {
			all[key(r.Table, r.ID())] = r
		}
		if r.Table == writer.Entitlements {
			m.entitled[r.ID()] = true
		}
	}
	for k, r := range all {
		if r.Table == writer.Grants {
			if !m.entitled[r.EntitlementID()] {
				m.dangling++
				continue
			}
			res := r.ResourceID()
			slugs := ranks[res.Type]
			at := slices.Index(slugs, strings.TrimPrefix(r.EntitlementID(), res.String()+":"))
			holder := strings.TrimPrefix(r.ID(), r.EntitlementID())
			higher := false
			for _, slug := range slugs[:max(at, 0)] {
				e := res.String() + ":" + slug
				_, there := all[key(writer.Grants, e+holder)]
				higher = higher || there && m.entitled[e]
			}
			if higher {
				m.superseded++
				continue
			}
		}
		m.rows[k] = r
	}
	return m
}

// store writes syncs with the library, in the schema of a file.
func store(t *testing.T, like string, syncs map[string]*model) *sqlite.Conn {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(t.TempDir(), "oracle.db"), sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	run := func(sql string, args ...any) {
		t.Helper()
		if err := sqlitex.ExecuteTransient(conn, sql, &sqlitex.ExecOptions{Args: args}); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	run("begin")
	for _, sql := range fixture.Query(t, like, "select sql from sqlite_schema order by rowid") {
		run(sql)
	}
	const at = "2024-03-01 10:00:00.12"
	for id, m := range syncs {
		for _, k := range slices.Sorted(maps.Keys(m.rows)) {
			r := m.rows[k]
			res, p := r.ResourceID(), r.PrincipalID()
			switch r.Table {
			case writer.ResourceTypes:
				run(`insert into v1_resource_types (external_id, data, sync_id, discovered_at) values (?, ?, ?, ?)`, r.ID(), r.Data(), id, at)
			case writer.Resources:
				run(`insert into v1_resources (resource_type_id, external_id, data, sync_id, discovered_at) values (?, ?, ?, ?, ?)`,
					res.Type, r.ID(), r.Data(), id, at)
			case writer.Entitlements:
				run(`insert into v1_entitlements (resource_type_id, resource_id, external_id, data, sync_id, discovered_at) values (?, ?, ?, ?, ?, ?)`,
					res.Type, res.ID, r.ID(), r.Data(), id, at)
			case writer.Grants:
				run(`insert into v1_grants (resource_type_id, resource_id, entitlement_id, principal_resource_type_id, principal_resource_id,
					external_id, data, sync_id, discovered_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
					res.Type, res.ID, r.EntitlementID(), p.Type, p.ID, r.ID(), r.Data(), id, at)
			}
		}
	}
	run("commit")
	return conn
}

// oddRows returns rows whose ids are prefixes of each other, contain separators, or repeat.
func oddRows(r *rand.Rand, n int) (rows []writer.Row) {
	id := func() string {
		s := fmt.Sprint(r.IntN(n))
		switch r.IntN(12) {
		case 0:
			return s + ":" + fmt.Sprint(r.IntN(3))
		case 1:
			return s + "\x00" + s
		case 2:
			return s + "é/ -" + strings.Repeat("x", r.IntN(900))
		}
		return s
	}
	rows = append(rows, fixture.Row(writer.ResourceTypeRow(fixture.GroupType)), fixture.Row(writer.ResourceTypeRow(fixture.UserType)))
	split := r.IntN(2) == 0
	slugs := []string{"completed", "in_progress", "passed", "in_progress:1", "member"}
	var courses []string
	for range n {
		rows = append(rows, fixture.Row(writer.ResourceRow(fixture.Account(id(), fmt.Sprint("Ann ", r.IntN(3))))))
		courses = append(courses, id())
	}
	for range 4 * n {
		e := baton.EntitlementID{Resource: baton.ResourceID{Type: "course", ID: courses[r.IntN(min(n, 20))]}, Slug: slugs[r.IntN(len(slugs))]}
		rows = append(rows, fixture.Row(writer.EntitlementRow(baton.Entitlement{ID: e, DisplayName: fmt.Sprint(r.IntN(2))}, nil)))
	}
	for range 8 * n {
		e := baton.EntitlementID{Resource: baton.ResourceID{Type: "course", ID: courses[r.IntN(min(n, 8))]}, Slug: slugs[r.IntN(len(slugs))]}
		g := baton.Grant{ID: baton.GrantID{Entitlement: e, Principal: baton.ResourceID{Type: "user", ID: id()}}, ResourceName: fmt.Sprint(r.IntN(2))}
		if split && r.IntN(10) == 0 {
			g.ID.Principal = baton.ResourceID{Type: "user:" + id(), ID: fmt.Sprint(r.IntN(3))} // an ambiguous id
		}
		if r.IntN(3) == 0 {
			g.Metadata = baton.Profile{"date": strings.Repeat("long ", r.IntN(1500))}
		}
		rows = append(rows, fixture.Row(writer.GrantRow(g)))
	}
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

// changed returns the difference of two syncs in a table.
func changed(t writer.Table, before, now *model) (c writer.Change) {
	for k, r := range now.rows {
		old, there := before.rows[k]
		switch {
		case r.Table != t:
		case !there:
			c.Created++
		case string(old.Data()) != string(r.Data()):
			c.Modified++
		}
	}
	for k, r := range before.rows {
		if _, there := now.rows[k]; r.Table == t && !there {
			c.Deleted++
		}
	}
	return c
}

// TestLibraryAgrees seals unusual rows beside previous syncs and compares the file with a file that the
// library wrote from the model: every row of every table, and the content of each index.
func TestLibraryAgrees(t *testing.T) {
	dangling, superseded := 0, 0
	for seed := range longtest.Pick[uint64](3, 6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			writer.SetPartitionSize(t, 1+r.IntN(30)) // rarely all in one
			path := filepath.Join(t.TempDir(), "sync.c1z")
			syncs, before := map[string]*model{}, (*model)(nil)
			for _, id := range []string{fixture.First, fixture.Second, fixture.Third} {
				rows := oddRows(r, 30+r.IntN(longtest.Pick(150, 300)))
				m := modelOf(rows)
				dangling, superseded = dangling+m.dangling, superseded+m.superseded
				syncs[id] = m
				opt := fixture.Full(id)
				opt.Ranks, opt.KeepSyncs = ranks, 3
				w := fixture.Create(t, path, opt, rows)
				summary, err := w.Sort(context.Background())
				if err != nil || summary.Dangling != m.dangling || summary.Superseded["course"] != m.superseded {
					t.Fatalf("%d dangling, %d superseded, %v; want %d and %d", summary.Dangling, summary.Superseded["course"], err, m.dangling, m.superseded)
				}
				sealed, err := w.Seal(context.Background(), fixture.Ended(id))
				if err != nil {
					t.Fatal(err)
				}
				if before != nil {
					want := writer.Changes{Resources: changed(writer.Resources, before, m),
						Entitlements: changed(writer.Entitlements, before, m), Grants: changed(writer.Grants, before, m)}
					if *sealed.Changes != want {
						t.Errorf("changes %+v, want %+v", *sealed.Changes, want)
					}
				}
				before = m
				if id != fixture.Second {
					agrees(t, path, syncs)
				}
			}
		})
	}
	if dangling == 0 || superseded == 0 {
		t.Errorf("%d dangling, %d superseded: these rows test little", dangling, superseded)
	}
}

// agrees compares a file with the one that the library writes from the syncs.
func agrees(t *testing.T, path string, syncs map[string]*model) {
	t.Helper()
	const rowsOf = `select external_id, sync_id, data, discovered_at, resource_type_id`
	tables := map[string]string{
		"v1_resource_types": `select external_id, sync_id, data, discovered_at from v1_resource_types`,
		"v1_resources":      rowsOf + `, parent_resource_type_id, parent_resource_id from v1_resources`,
		"v1_entitlements":   rowsOf + `, resource_id from v1_entitlements`,
		"v1_grants":         rowsOf + `, resource_id, entitlement_id, principal_resource_type_id, principal_resource_id, expansion, needs_expansion from v1_grants`,
	}
	conn := store(t, path, syncs)
	ours := filepath.Join(t.TempDir(), "ours.db")
	if err := os.WriteFile(ours, fixture.Database(t, path), 0o600); err != nil {
		t.Fatal(err)
	}
	laid, err := sqlite.OpenConn(ours, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer laid.Close()
	if got := lines(t, laid, "pragma integrity_check"); !slices.Equal(got, []string{"ok|"}) {
		t.Fatalf("integrity: %.2000s", got)
	}
	for table, sql := range tables {
		if diff := cmp.Diff(lines(t, conn, sql+" order by 1, 2"), lines(t, laid, sql+" order by 1, 2")); diff != "" {
			t.Fatalf("%s (-library +laid out):\n%.3000s", table, diff)
		}
	}
}

func lines(t *testing.T, conn *sqlite.Conn, sql string) (out []string) {
	t.Helper()
	err := sqlitex.ExecuteTransient(conn, sql, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		var b strings.Builder
		for i := range s.ColumnCount() {
			data := make([]byte, s.ColumnLen(i))
			s.ColumnBytes(i, data)
			if s.ColumnType(i) == sqlite.TypeBlob {
				fmt.Fprintf(&b, "%x|", data)
			} else {
				fmt.Fprintf(&b, "%s|", s.ColumnText(i))
			}
		}
		out = append(out, b.String())
		return nil
	}})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}
