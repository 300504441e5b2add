package writer_test

import (
	"baton/c1z/internal/fixture"
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compares the schema and every byte of the rows with golden files.
func TestGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	got := fixture.Dump(t, path)
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

// TestSchemaAsRecorded compares the names of all tables, columns and indexes with those of an official file.
// Newer columns are listed here.
func TestSchemaAsRecorded(t *testing.T) {
	const shape = `select m.type || ' ' || m.tbl_name || ' ' || m.name || ' ' || c.name
		from sqlite_schema m join pragma_table_info(m.name) c
		union all
		select 'index ' || m.tbl_name || ' ' || m.name || ' ' || c.name || ' ' || (m.sql like '%unique%') || ' ' || (m.sql like '%where%')
		from sqlite_schema m join pragma_index_info(m.name) c where m.type = 'index'
		order by 1`
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), nil)
	want := append(fixture.Query(t, fixture.Recorded(t, "percipio-v1.c1z"), shape),
		"table v1_sync_runs v1_sync_runs ingest_invariant_coverage",
		"table v1_sync_runs v1_sync_runs ingest_invariant_generation",
		"table v1_sync_runs v1_sync_runs ingest_invariant_mode")
	slices.Sort(want)
	if diff := cmp.Diff(want, fixture.Query(t, path, shape)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestGoldenBytes compares the databases of files with unusual rows byte for byte: one sync, and two in one
// file.
func TestGoldenBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	r := rand.New(rand.NewPCG(11, 12))
	var got []string
	for _, id := range []string{fixture.First, fixture.Second, fixture.Third} {
		opt := fixture.Full(id)
		opt.Ranks = ranks
		fixture.Write(t, path, opt, oddRows(r, 400))
		got = append(got, fmt.Sprintf("%x", sha256.Sum256(fixture.Database(t, path))))
	}
	want := []string{
		"fa47d6a0636b5a0ce7175693738b4cfe1bb619ee5c8a816413ca2e8f976aebba",
		"5dd738f507ea0bbd875d814c4070397932e18b0ca4a1a29a6a2884b6ac0795b2",
		"0c184a176c5f33a4eaf56716ebcccbf70686ec9df44a997453852e6c96813865",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
