package writer

import (
	"slices"
	"strings"
	"sync"

	"baton/c1z/internal/schema"
	"baton/c1z/internal/sqlitefile"
)

// layout describes a table, as its statements declare it.
type layout struct {
	sql     string
	name    string
	columns []column
	indexes []indexed
}

// column is a column of a table. Its kind is the first word of the type.
type column struct {
	name     string
	kind     string
	required bool
	absent   sqlitefile.Value // the default, for rows of a writer that has no such column
	optional bool             // there is a default
}

// indexed is an index of a table.
type indexed struct {
	sql     string
	name    string
	columns []int
	has     func(row []sqlitefile.Value) bool // nil: all rows
}

// layouts parses the statements of the schema. Their form is that of package schema, nothing more.
var layouts = sync.OnceValue(func() []layout {
	var all []layout
	for _, sql := range schema.Tables {
		lines := strings.Split(sql, "\n")
		t := layout{sql: sql, name: strings.Fields(lines[0])[2]}
		for _, line := range lines[1 : len(lines)-1] {
			t.columns = append(t.columns, columnOf(strings.Fields(strings.TrimSuffix(line, ","))))
		}
		for _, index := range schema.Indexes {
			if ix, ok := t.indexOf(index); ok {
				t.indexes = append(t.indexes, ix)
			}
		}
		all = append(all, t)
	}
	return all
})

// columnOf parses "name type [not null] [default value]".
func columnOf(words []string) column {
	c := column{name: words[0], kind: words[1]}
	c.required = slices.Contains(words, "not")
	c.optional = !c.required
	if i := slices.Index(words, "default"); i >= 0 {
		c.optional = true
		if text, quoted := strings.CutPrefix(words[i+1], "'"); quoted {
			c.absent = sqlitefile.Text(strings.TrimSuffix(text, "'"))
		} else {
			c.absent = sqlitefile.Int(0) // the only number among the defaults
		}
	}
	return c
}

// indexOf parses "create [unique] index name on table (columns) [where condition]".
func (t *layout) indexOf(sql string) (indexed, bool) {
	head, rest, _ := strings.Cut(sql, " (")
	if !strings.HasSuffix(head, " on "+t.name) {
		return indexed{}, false
	}
	words := strings.Fields(head)
	ix := indexed{sql: sql, name: words[len(words)-3]}
	list, where, _ := strings.Cut(rest, ")")
	for name := range strings.SplitSeq(list, ", ") {
		ix.columns = append(ix.columns, t.column(name))
	}
	switch strings.TrimSpace(where) {
	case "":
	case "where expansion is not null":
		at := t.column("expansion")
		ix.has = func(row []sqlitefile.Value) bool { return !row[at].IsNull() }
	case "where needs_expansion = 1":
		at := t.column("needs_expansion")
		ix.has = func(row []sqlitefile.Value) bool { return row[at].IsInt(1) }
	default:
		panic("c1z: unknown condition of index " + sql)
	}
	return ix, true
}

// ofRows reports whether the table holds rows of syncs, and not syncs, assets or sessions.
func (t *layout) ofRows() bool {
	for of := ResourceTypes; of <= Grants; of++ {
		if of.name() == t.name {
			return true
		}
	}
	return false
}

func (t *layout) column(name string) int {
	return slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
}

// laying writes the tables of a database.
type laying struct {
	w                  *sqlitefile.Writer
	tables             map[string]*table
	syncID, discovered sqlitefile.Value  // of the new rows
	principalIndex     *sqlitefile.Index // of grants by principal: its entries come last
	syncIndex          *syncIndex        // of grants by entitlement and sync; nil if its entries come with the rows
}

// table is a table that is being written.
type table struct {
	layout
	rows    int64
	table   *sqlitefile.Table
	indexed []*sqlitefile.Index // nil: the entries are added by other means
	row     []sqlitefile.Value  // for reuse

	principal []int // of grants: the columns of the index by principal
}

// lay begins the tables for the rows of the syncs, whose ids are in order. The entries of the
// indexes of rows are expected to come in order, as the rows do, but for those of the indexes
// that are named as disordered. The entries of the index by principal come after all rows.
func lay(w *sqlitefile.Writer, disordered map[string]bool, syncs []string) *laying {
	l := &laying{w: w, tables: map[string]*table{}}
	for _, known := range layouts() {
		t := &table{layout: known, table: w.Table(known.sql), row: make([]sqlitefile.Value, len(known.columns))}
		l.tables[known.name] = t
	}
	for _, known := range layouts() {
		for _, ix := range known.indexes {
			index := w.Index(ix.sql)
			if ix.name == byPrincipal {
				l.tables[known.name].principal = ix.columns
			}
			if known.ofRows() && !disordered[ix.name] {
				index.InOrder()
				switch {
				case ix.name == byPrincipal:
					l.principalIndex, index = index, nil
				case ix.name == byEntitlementSync && len(syncs) > 1:
					l.syncIndex, index = newSyncIndex(index, ix.columns, syncs), nil
				}
			}
			l.tables[known.name].indexed = append(l.tables[known.name].indexed, index)
		}
	}
	return l
}

// add adds a row with the next rowid, and its index entries.
func (t *table) add(row []sqlitefile.Value) error {
	t.rows++
	row[0] = sqlitefile.Value{}
	if err := t.table.Append(t.rows, row...); err != nil {
		return err
	}
	row[0] = sqlitefile.Int(t.rows)
	for i, ix := range t.indexes {
		if t.indexed[i] == nil || ix.has != nil && !ix.has(row) {
			continue
		}
		if err := t.indexed[i].AddRow(t.rows, row, ix.columns); err != nil {
			return err
		}
	}
	return nil
}
