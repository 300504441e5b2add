package sqlitefile_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"zombiezen.com/go/sqlite"

	"baton/c1z/internal/sqlitefile"
	"baton/internal/extsort"
)

// BenchmarkGrants writes a million grants with their seven indexes, with this package and with the library in
// its fastest way: one transaction, and the indexes after the rows. Peak memory is that of the process, so
// run one of the two at a time.
func BenchmarkGrants(b *testing.B) {
	const n = 1_000_000
	for _, way := range []struct {
		name  string
		write func(b *testing.B, path string, source *grantSource, n int)
	}{
		{"laid/64MiB", layGrants(64 << 20)},
		{"laid/32MiB", layGrants(32 << 20)},
		{"laid/16MiB", layGrants(16 << 20)},
		{"library", storeGrants},
	} {
		b.Run(way.name, func(b *testing.B) {
			cpu := 0.0
			for b.Loop() {
				b.StopTimer()
				source := newGrantSource(n)
				path := filepath.Join(b.TempDir(), "grants.db")
				runtime.GC()
				b.StartTimer()
				before := usage(b)
				way.write(b, path, source, n)
				after := usage(b)
				cpu += float64(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano()) / 1e9
				b.ReportMetric(float64(after.Maxrss)/1024, "peak-MiB")
				info, err := os.Stat(path)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(info.Size())/1e6, "MB")
				os.Remove(path)
			}
			b.ReportMetric(cpu/float64(b.N), "cpu-s/op")
		})
	}
}

func usage(b *testing.B) (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

func layGrants(memory int) func(*testing.B, string, *grantSource, int) {
	return func(b *testing.B, path string, source *grantSource, n int) {
		f, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		w := sqlitefile.New(f, extsort.NewPool(nil, filepath.Dir(path), memory))
		defer w.Close()
		fillGrants(b, w, source, n)
	}
}

func fillGrants(b *testing.B, w *sqlitefile.Writer, source *grantSource, n int) {
	table := w.Table(grants.sql)
	var indexes []*sqlitefile.Index
	for _, ix := range grants.indexes {
		indexes = append(indexes, w.Index(ix.sql))
	}
	var g grant
	var key [3]sqlitefile.Value
	text := sqlitefile.Text
	row := make([]sqlitefile.Value, len(grants.columns))
	for i := range n {
		source.next(&g)
		row[1], row[2], row[3], row[4], row[5] = text("course"), text(g.course), text(g.entitlement), text("user"), text(g.user)
		row[6], row[8], row[9], row[10], row[11] = text(g.external), sqlitefile.Int(0), sqlitefile.Blob(g.data), text(syncID), text(discovered)
		id := int64(i) + 1
		err := table.Append(id, row...)
		row[0] = sqlitefile.Int(id)
		for i := range 5 {
			if err != nil {
				b.Fatal(err)
			}
			for j, c := range grants.indexes[i].columns {
				key[j] = row[c]
			}
			err = indexes[i].Add(id, key[:len(grants.indexes[i].columns)]...)
		}
		row[0] = sqlitefile.Value{}
	}
	if _, err := w.Finish(); err != nil {
		b.Fatal(err)
	}
}

func storeGrants(b *testing.B, path string, source *grantSource, n int) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	exec(b, conn, "pragma locking_mode = exclusive", "pragma journal_mode = memory", "pragma synchronous = off",
		"pragma cache_size = -32768", "begin", grants.sql)
	stmt, err := conn.Prepare(`insert into v1_grants (resource_type_id, resource_id, entitlement_id, principal_resource_type_id,
		principal_resource_id, external_id, data, sync_id, discovered_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		b.Fatal(err)
	}
	var g grant
	for range n {
		source.next(&g)
		for i, s := range []string{"course", g.course, g.entitlement, "user", g.user, g.external, "", syncID, discovered} {
			stmt.BindText(i+1, s)
		}
		stmt.BindBytes(7, g.data)
		if _, err := stmt.Step(); err != nil {
			b.Fatal(err)
		}
		if err := stmt.Reset(); err != nil {
			b.Fatal(err)
		}
	}
	for _, ix := range grants.indexes {
		exec(b, conn, ix.sql)
	}
	exec(b, conn, "commit")
}
