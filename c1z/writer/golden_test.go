package writer_test

import (
	"baton/c1z/internal/c1ztest"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden pins the schema and every byte of the rows.
func TestGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
	got := c1ztest.Dump(t, path)
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
	c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), nil)
	want := append(c1ztest.Query(t, c1ztest.Recorded(t, "percipio-v1.c1z"), shape),
		"table v1_sync_runs v1_sync_runs ingest_invariant_coverage",
		"table v1_sync_runs v1_sync_runs ingest_invariant_generation",
		"table v1_sync_runs v1_sync_runs ingest_invariant_mode")
	slices.Sort(want)
	if diff := cmp.Diff(want, c1ztest.Query(t, path, shape)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
