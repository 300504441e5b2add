package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"baton/console/store/internal/engine"
)

// content is everything in a database, and its schema.
type content struct {
	migrations int
	tables     map[string]*contentTable
}

type contentTable struct {
	columns []contentColumn
	refers  []reference
	self    string             // the column by which it references itself, or ""
	rows    []map[string]value // by column
}

// reference is a column that holds the value of a column of another table.
type reference struct{ column, table, to string }

type contentColumn struct {
	name, kind     string // integer, boolean, text, blob
	null, defaults bool   // it may be NULL, or is filled in
}

// value is a value of a row.
type value struct {
	null bool
	int  int64
	text string // or bytes
}

// read returns the content of a database.
func read(e engine.DB) (content, error) {
	c := content{tables: map[string]*contentTable{}}
	err := e.Read(ctx, func(tx engine.Tx) error {
		if err := c.readSchema(tx, e.Name()); err != nil {
			return err
		}
		for name, table := range c.tables {
			if err := table.read(tx, name); err != nil {
				return err
			}
		}
		return tx.Query(func(r engine.Row) error {
			c.migrations = int(r.Int(0))
			return nil
		}, "SELECT max(number) FROM schema_migration")
	})
	return c, err
}

// readSchema reads the names and kinds of the columns, and the references.
func (c content) readSchema(tx engine.Tx, database string) error {
	columns := `SELECT m.name, c.name, lower(c.type), c."notnull" = 0 AND c.pk = 0, c.dflt_value IS NOT NULL
		FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name <> 'schema_migration' AND m.name NOT LIKE 'sqlite%' ORDER BY 1, c.cid`
	references := `SELECT m.name, f."table", f."from", f."to" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	if database == "postgres" {
		columns = `SELECT table_name::text, column_name::text, CASE data_type WHEN 'bigint' THEN 'integer' WHEN 'bytea' THEN 'blob' ELSE data_type END,
				CASE is_nullable WHEN 'YES' THEN 1::bigint ELSE 0 END, CASE WHEN column_default IS NULL THEN 0::bigint ELSE 1 END
			FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'schema_migration' ORDER BY 1, ordinal_position`
		references = `SELECT a.relname::text, b.relname::text, k.attname::text, l.attname::text FROM pg_constraint f JOIN pg_class a ON a.oid = f.conrelid JOIN pg_class b ON b.oid = f.confrelid
			JOIN pg_attribute k ON k.attrelid = f.conrelid AND k.attnum = f.conkey[1]
			JOIN pg_attribute l ON l.attrelid = f.confrelid AND l.attnum = f.confkey[1] WHERE f.contype = 'f' AND f.connamespace = current_schema()::regnamespace`
	}
	err := tx.Query(func(r engine.Row) error {
		t := c.tables[r.Text(0)]
		if t == nil {
			t = &contentTable{}
			c.tables[r.Text(0)] = t
		}
		t.columns = append(t.columns, contentColumn{name: r.Text(1), kind: r.Text(2), null: r.Int(3) == 1, defaults: r.Int(4) == 1})
		return nil
	}, columns)
	if err != nil {
		return err
	}
	return tx.Query(func(r engine.Row) error {
		if from, to := r.Text(0), r.Text(1); from == to {
			c.tables[from].self = r.Text(2)
		} else {
			c.tables[from].refers = append(c.tables[from].refers, reference{r.Text(2), to, r.Text(3)})
		}
		return nil
	}, references)
}

// read reads the rows of a table.
func (t *contentTable) read(tx engine.Tx, name string) error {
	return tx.Query(func(r engine.Row) error {
		row := map[string]value{}
		for i, c := range t.columns {
			v := value{null: r.Null(i)}
			switch {
			case v.null:
			case c.kind == "blob":
				v.text = string(r.Bytes(i))
			case c.kind == "text":
				v.text = r.Text(i)
			case c.kind == "boolean":
				if r.Bool(i) {
					v.int = 1
				}
			default:
				v.int = r.Int(i)
			}
			row[c.name] = v
		}
		t.rows = append(t.rows, row)
		return nil
	}, fmt.Sprintf("SELECT %s FROM %s", strings.Join(t.quoted(), ", "), name))
}

func (t *contentTable) quoted() (names []string) {
	for _, c := range t.columns {
		names = append(names, `"`+c.name+`"`)
	}
	return names
}

// ordered returns the names of the tables, each after those that it references.
func (c content) ordered() (names []string) {
	for len(names) < len(c.tables) {
		before := len(names)
		for _, name := range slices.Sorted(maps.Keys(c.tables)) {
			if !slices.Contains(names, name) && !slices.ContainsFunc(c.tables[name].refers, func(r reference) bool { return !slices.Contains(names, r.table) }) {
				names = append(names, name)
			}
		}
		if len(names) == before {
			break // tables refer to each other in a circle; writing fails
		}
	}
	return names
}

// write writes the rows into a database with an earlier schema, as far as its tables and columns exist.
func (c content) write(e engine.DB) error {
	target, err := read(e)
	if err != nil {
		return err
	}
	counters := map[string]bool{} // a later migration adds the others
	for _, row := range target.tables["counter"].rows {
		counters[row["name"].text] = true
	}
	return e.Write(ctx, func(tx engine.Tx) error {
		order := target.ordered()
		for _, name := range slices.Backward(order) {
			if _, err := tx.Exec("DELETE FROM " + name); err != nil {
				return err
			}
		}
		for _, name := range order {
			source := c.tables[name]
			if source == nil {
				continue
			}
			rows := slices.DeleteFunc(slices.Clone(source.rows), func(row map[string]value) bool {
				switch {
				case name == "counter":
					return !counters[row["name"].text]
				case name == "lookup" && target.migrations < 9: // migration 9 adds these lists
					return row["list"].int > 6
				case name == "request" && target.migrations < 27: // since migration 27 it may be unknown whom a request is for
					return row["subject"].null
				}
				return false
			})
			if err := target.tables[name].write(tx, name, rows); err != nil {
				return fmt.Errorf("table %s: %w", name, err)
			}
		}
		return nil
	})
}

// write inserts rows. Columns that a later migration removed get a value that stands for none.
func (t *contentTable) write(tx engine.Tx, name string, rows []map[string]value) error {
	if t.self != "" { // rows that are referred to come first
		slices.SortStableFunc(rows, func(a, b map[string]value) int {
			return strings.Compare(a[t.self].text, b[t.self].text)
		})
	}
	return tx.Copy(name, t.quoted(), func(w engine.Writer) error {
		for _, row := range rows {
			for _, c := range t.columns {
				v, known := row[c.name]
				switch {
				case v.null && c.null, !known && c.null:
					w.Null()
				case c.kind == "blob":
					w.Bytes([]byte(v.text))
				case c.kind == "text":
					w.Text(v.text)
				case c.kind == "boolean":
					w.Bool(v.int != 0)
				default:
					w.Int(v.int)
				}
			}
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
}

// fill adds a row to every table without one. Its columns refer to rows of other tables, or have the
// smallest values.
func fill(e engine.DB) error {
	c, err := read(e)
	if err != nil {
		return err
	}
	return e.Write(ctx, func(tx engine.Tx) error {
		for _, name := range c.ordered() {
			t := c.tables[name]
			if len(t.rows) > 0 {
				continue
			}
			row := map[string]value{}
			for _, column := range t.columns {
				row[column.name] = value{null: column.null, int: 1, text: "x"}
			}
			for _, r := range t.refers {
				row[r.column] = c.tables[r.table].rows[0][r.to]
			}
			t.rows = append(t.rows, row)
			if err := t.write(tx, name, t.rows); err != nil {
				return fmt.Errorf("table %s: %w", name, err)
			}
		}
		return nil
	})
}

// compare checks that another content has the same rows in the tables and columns that both have.
func (c content) compare(t *testing.T, after content) {
	t.Helper()
	for name, table := range c.tables {
		other := after.tables[name]
		if other == nil {
			if len(table.rows) > 0 {
				t.Errorf("the table %s is gone, with %d rows", name, len(table.rows))
			}
			continue
		}
		var both []string
		for _, x := range table.columns {
			if slices.ContainsFunc(other.columns, func(y contentColumn) bool { return y.name == x.name }) {
				both = append(both, x.name)
			}
		}
		have, want := other.print(both), table.print(both)
		if name == "counter" { // later migrations add some
			have = slices.DeleteFunc(have, func(s string) bool { return !slices.Contains(want, s) })
		}
		if name == "lookup" && c.migrations < 9 || name == "changed" {
			continue // filled from other tables
		}
		if !slices.Equal(have, want) {
			t.Errorf("table %s had the rows\n%s\nand has\n%s", name, strings.Join(want, "\n"), strings.Join(have, "\n"))
		}
	}
}

// print returns the rows as lines, sorted.
func (t *contentTable) print(columns []string) (lines []string) {
	for _, row := range t.rows {
		var b strings.Builder
		for _, c := range columns {
			fmt.Fprintf(&b, "%s=%v ", c, row[c])
		}
		lines = append(lines, b.String())
	}
	slices.Sort(lines)
	return lines
}
