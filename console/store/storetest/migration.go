package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// A Database of the suite returns the error of opening it.
type tryOpener interface {
	TryOpen(t testing.TB) (engine.DB, error)
}

// testMigrations checks that a database with a newer or changed schema is refused without a change,
// and that several processes may open a new one at once.
func testMigrations(t *testing.T, db Database) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := db.(tryOpener).TryOpen(t); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	e := db.Open(t)
	exec := func(sql string) {
		t.Helper()
		err := e.Write(ctx, func(tx engine.Tx) error {
			_, err := tx.Exec(sql)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what, name string) {
		t.Helper()
		_, err := db.(tryOpener).TryOpen(t)
		if baton.KindOf(err) != baton.Refused || !strings.Contains(err.Error(), name) || baton.FixOf(err) == "" {
			t.Errorf("%s: %v (%v), want a refusal that names %s and says what to do", what, err, baton.KindOf(err), name)
		}
	}
	exec("INSERT INTO schema_migration (number, name, sum, applied) SELECT number + 1, '9999_future.sql', sum, applied FROM schema_migration WHERE number = (SELECT max(number) FROM schema_migration)")
	refused("a newer schema", "9999_future.sql")
	exec("DELETE FROM schema_migration WHERE name = '9999_future.sql'")
	if _, err := db.(tryOpener).TryOpen(t); err != nil {
		t.Errorf("the schema of this program: %v", err)
	}
	exec("UPDATE schema_migration SET name = '0001_other.sql' WHERE number = 1")
	refused("another migration", "0001_other.sql")
	exec("UPDATE schema_migration SET name = '0001_base.sql', sum = (SELECT previous FROM event UNION ALL SELECT hash FROM chain LIMIT 1) WHERE number = 1")
	refused("a changed migration", "0001_base.sql")
}

// CompareSchemas checks that two databases have the same tables, columns, and indexes by
// name.
func CompareSchemas(t *testing.T, a, b engine.DB) {
	t.Helper()
	x, err := tables(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := tables(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(x, y); d != "" {
		t.Errorf("%s and %s differ:\n%s", a.Name(), b.Name(), d)
	}
}

// tables returns every column of every table, as "table.column kind nullable", and every
// index that is not a constraint's, sorted.
func tables(db engine.DB) (all []string, err error) {
	columns := `SELECT m.name || '.' || c.name || ' ' || lower(c.type) || CASE WHEN c."notnull" = 1 OR c.pk > 0 THEN '' ELSE ' null' END
		FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name <> 'schema_migration'`
	indexes := "SELECT 'index ' || name || ' on ' || tbl_name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
	if db.Name() == "postgres" {
		columns = `SELECT table_name || '.' || column_name || ' ' || CASE data_type WHEN 'bigint' THEN 'integer' WHEN 'boolean' THEN 'integer' WHEN 'bytea' THEN 'blob' ELSE data_type END
			|| CASE is_nullable WHEN 'YES' THEN ' null' ELSE '' END
			FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'schema_migration'`
		indexes = "SELECT 'index ' || indexname || ' on ' || tablename FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key'"
	}
	err = db.Read(ctx, func(tx engine.Tx) error {
		for _, sql := range []string{columns, indexes} {
			err := tx.Query(func(r engine.Row) error {
				all = append(all, r.Text(0))
				return nil
			}, sql)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(all) < 150 {
		err = errors.New("few columns were found")
	}
	slices.Sort(all)
	return all, err
}

// SearchMigration checks that the search migration indexes existing names like a sync or a command
// indexes new ones, for names that are split at spaces.
func SearchMigration(t *testing.T, db Database, migration string) {
	t.Helper()
	e := db.Open(t)
	s := store.New(e, keyring(t, "first"))
	update(t, s, by(0), func(tx *store.Tx) error {
		_, err := tx.AddPerson(console.Person{Name: "Ana Lucía Ortiz"})
		return err
	})
	w := newWorld(t, s)
	m := model{accounts: []string{"ann", "bob", "cat"}, groups: []string{"a", "b"}, grants: pairs("a", "ann"),
		statuses: map[string]console.Status{"bob": console.StatusDisabled}, kinds: map[string]console.AccountKind{"cat": console.AccountService}}
	w.sync(1, m)
	m.statuses = nil
	w.sync(2, m)
	rows := func() (all []string) {
		err := e.Read(ctx, func(tx engine.Tx) error {
			scan := func(r engine.Row) error {
				all = append(all, fmt.Sprintf("%d %d %q %d %d", r.Int(0), r.Int(1), r.Bytes(2), r.Int(3), r.Int(4)))
				return nil
			}
			if err := tx.Query(scan, "SELECT stream, list, value, key, opened FROM lookup ORDER BY stream, list, value, key, opened"); err != nil {
				return err
			}
			return tx.Query(func(r engine.Row) error {
				all = append(all, fmt.Sprintf("%q %s", r.Bytes(0), r.Text(1)))
				return nil
			}, "SELECT word, person FROM person_word ORDER BY word, person")
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	want := rows()
	_, fill, ok := strings.Cut(migration, "-- Names that are here already")
	if !ok {
		t.Fatal("the migration has another text")
	}
	fill = "--" + fill
	err := e.Write(ctx, func(tx engine.Tx) error {
		for _, sql := range append([]string{"DELETE FROM lookup WHERE list > 6", "DELETE FROM person_word"}, strings.Split(strings.TrimSpace(fill), ";\n")...) {
			if _, err := tx.Exec(strings.TrimSuffix(sql, ";")); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, rows()); d != "" || len(want) < 20 {
		t.Errorf("the migration writes other rows:\n%s", d)
	}
}
