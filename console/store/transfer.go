package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// Transferred counts the rows that [Transfer] copied.
type Transferred struct {
	Tables map[string]int64 // number of rows by table
	Rows   int64
	Head   console.ChainHead
}

// ephemeral lists the tables whose rows are only valid in one installation: sessions, and links that
// work once.
var ephemeral = []string{"session", "invitation", "token", "client_token", "assertion", "attempt", "sign_in", "device"}

// Transfer copies all rows of a store, from one snapshot, to a new store. One of the two must be an
// SQLite database. It compares the row counts and chain heads of both. If live is false, it leaves
// out sessions, tokens and invitations.
//
// It writes to PostgreSQL in one transaction, and to SQLite in several. After an error an SQLite
// database is unusable.
func Transfer(ctx context.Context, from, to *Store, live bool) (Transferred, error) {
	sqlite, postgres := from, to
	if from.Database() != "sqlite" {
		sqlite, postgres = to, from
	}
	if sqlite.Database() != "sqlite" {
		return Transferred{}, baton.Errorf(baton.Invalid, "transfer: one of the databases must be SQLite")
	}
	tables, err := tablesOf(ctx, sqlite, postgres)
	if err != nil {
		return Transferred{}, fmt.Errorf("transfer: %w", err)
	}
	if !live {
		tables = slices.DeleteFunc(tables, func(t table) bool { return slices.Contains(ephemeral, t.name) })
	}
	if err := checkNew(ctx, to); err != nil {
		return Transferred{}, err
	}
	var done Transferred
	err = from.View(ctx, func(source *Tx) error {
		done = Transferred{Tables: map[string]int64{}}
		head, err := source.ChainHead()
		if err != nil {
			return err
		}
		done.Head = head
		steps := [][]table{tables} // one transaction for each step
		if to.Database() == "sqlite" {
			steps = steps[:0]
			for i := range tables {
				steps = append(steps, tables[i:i+1])
			}
		}
		if err := clearTables(ctx, to, tables); err != nil {
			return err
		}
		for _, step := range steps {
			err := to.db.Write(ctx, func(target engine.Tx) error {
				for _, t := range step {
					n, err := t.copy(source.e, target)
					if err != nil {
						return fmt.Errorf("copy table %s: %w", t.name, err)
					}
					done.Tables[t.name] = n
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = done.compare(ctx, to)
	}
	if err != nil {
		return done, fmt.Errorf("transfer: %w", err)
	}
	return done, nil
}

// compare checks that the target has the copied rows.
func (d *Transferred) compare(ctx context.Context, to *Store) error {
	return to.View(ctx, func(t *Tx) error {
		d.Rows = 0
		for name, want := range d.Tables {
			n, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, name, "SELECT count(*) FROM "+name)
			if err != nil {
				return err
			}
			if n != want {
				return baton.Errorf(baton.Corrupt, "table %s has %d rows after the copy, and %d before", name, n, want)
			}
			d.Rows += n
		}
		head, err := t.ChainHead()
		if err == nil && (head.Epoch != d.Head.Epoch || head.Number != d.Head.Number || head.Hash != d.Head.Hash) {
			err = baton.Errorf(baton.Corrupt, "the chain ends with event %d after the copy, and with event %d before", head.Number, d.Head.Number)
		}
		return err
	})
}

// checkNew refuses a target with data.
func checkNew(ctx context.Context, to *Store) error {
	return to.View(ctx, func(t *Tx) error {
		head, err := t.ChainHead()
		if err == nil && head.Number > 0 {
			err = baton.Errorf(baton.Refused, "the database holds a console already").WithFix("Name an empty one.")
		}
		return err
	})
}

// clearTables removes the rows that migrations inserted.
func clearTables(ctx context.Context, to *Store, tables []table) error {
	return to.db.Write(ctx, func(e engine.Tx) error {
		for _, t := range slices.Backward(tables) {
			if _, err := e.Exec("DELETE FROM " + t.name); err != nil {
				return err
			}
		}
		return nil
	})
}

// table is a table of the schema.
type table struct {
	name    string
	columns []string
	kinds   []columnKind
	refers  []string // tables that it references
	self    string   // the column that references the same table, or ""
}

type columnKind int

const (
	intColumn columnKind = iota
	boolColumn
	textColumn
	bytesColumn
)

// tablesOf returns the tables, each after the tables that it references.
func tablesOf(ctx context.Context, sqlite, postgres *Store) ([]table, error) {
	boolean := map[string]bool{} // "table.column"
	if postgres.Database() == "postgres" {
		err := postgres.View(ctx, func(t *Tx) error {
			return t.e.Query(func(r engine.Row) error {
				boolean[r.Text(0)] = true
				return nil
			}, `SELECT table_name::text || '.' || column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND data_type = 'boolean'`)
		})
		if err != nil {
			return nil, err
		}
	}
	byName := map[string]*table{}
	var names []string
	err := sqlite.View(ctx, func(t *Tx) error {
		err := t.e.Query(func(r engine.Row) error {
			name := r.Text(0)
			if byName[name] == nil {
				byName[name] = &table{name: name}
				names = append(names, name)
			}
			kind := map[string]columnKind{"TEXT": textColumn, "BLOB": bytesColumn}[strings.ToUpper(r.Text(2))]
			if boolean[name+"."+r.Text(1)] {
				kind = boolColumn
			}
			byName[name].columns = append(byName[name].columns, r.Text(1))
			byName[name].kinds = append(byName[name].kinds, kind)
			return nil
		}, `SELECT m.name, c.name, c.type FROM sqlite_schema m JOIN pragma_table_info(m.name) c
			WHERE m.type = 'table' AND m.name <> 'schema_migration' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid`)
		if err != nil {
			return err
		}
		return t.e.Query(func(r engine.Row) error {
			if from, to := r.Text(0), r.Text(1); from == to {
				byName[from].self = r.Text(2)
			} else if byName[from] != nil {
				byName[from].refers = append(byName[from].refers, to)
			}
			return nil
		}, `SELECT m.name, f."table", f."from" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`)
	})
	if err != nil {
		return nil, err
	}
	var ordered []table
	placed := map[string]bool{}
	for len(ordered) < len(names) {
		before := len(ordered)
		for _, name := range names {
			t := byName[name]
			if !placed[name] && !slices.ContainsFunc(t.refers, func(other string) bool { return !placed[other] }) {
				ordered, placed[name] = append(ordered, *t), true
			}
		}
		if len(ordered) == before {
			return nil, baton.Errorf(baton.Internal, "tables refer to each other in a circle")
		}
	}
	return ordered, nil
}

// copyBatch is the size of a batch in bytes.
const copyBatch = 4 << 20

type value struct {
	null  bool
	int   int64
	bytes []byte
}

// copy copies the rows of a table and returns their number.
func (t table) copy(from, to engine.Tx) (n int64, err error) {
	quoted := make([]string, len(t.columns))
	for i, c := range t.columns {
		quoted[i] = `"` + c + `"`
	}
	var batch [][]value
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := to.Copy(t.name, quoted, func(w engine.Writer) error {
			for _, row := range batch {
				if err := t.write(w, row); err != nil {
					return err
				}
			}
			return nil
		})
		n += int64(len(batch))
		batch, size = batch[:0], 0
		return err
	}
	sql := "SELECT " + strings.Join(quoted, ", ") + " FROM " + t.name
	if t.self != "" { // referenced rows come first
		sql += ` ORDER BY CASE WHEN "` + t.self + `" IS NULL THEN 0 ELSE 1 END`
	}
	err = from.Query(func(r engine.Row) error {
		row := make([]value, len(t.columns))
		for i, kind := range t.kinds {
			switch {
			case r.Null(i):
				row[i].null = true
			case kind == intColumn:
				row[i].int = r.Int(i)
			case kind == boolColumn:
				if r.Bool(i) {
					row[i].int = 1
				}
			case kind == textColumn:
				row[i].bytes = []byte(r.Text(i))
			default:
				row[i].bytes = r.Bytes(i)
			}
			size += 16 + len(row[i].bytes)
		}
		if batch = append(batch, row); size < copyBatch {
			return nil
		}
		return flush()
	}, sql)
	if err == nil {
		err = flush()
	}
	return n, err
}

func (t table) write(w engine.Writer, row []value) error {
	for i, v := range row {
		switch {
		case v.null:
			w.Null()
		case t.kinds[i] == intColumn:
			w.Int(v.int)
		case t.kinds[i] == boolColumn:
			w.Bool(v.int != 0)
		case t.kinds[i] == textColumn:
			w.Text(string(v.bytes))
		default:
			w.Bytes(v.bytes)
		}
	}
	return w.End()
}

// LostSecret is a secret whose key is missing.
type LostSecret struct {
	Owner, Name, Key string
}

// ForgetLostSecrets removes and returns the secrets that no key of this process opens. They must be
// entered again. A person whose secret of one-time codes is lost must be invited again.
func (t *Tx) ForgetLostSecrets() (lost []LostSecret, err error) {
	all, err := list(t, scanSecret, "SELECT owner, name, key_name, sealed FROM secret ORDER BY owner, name")
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if _, err := t.s.keys.open(s.owner, s.name, s.key, s.value); err == nil {
			continue
		}
		if _, err := t.e.Exec("DELETE FROM secret WHERE owner = $1 AND name = $2", s.owner, s.name); err != nil {
			return nil, err
		}
		if s.owner == probeOwner {
			continue
		}
		lost = append(lost, LostSecret{s.owner, s.name, s.key})
		if s.name == codeSecret {
			if _, err := t.e.Exec("UPDATE login SET password = '' WHERE person = $1", strings.TrimPrefix(s.owner, personOwner(""))); err != nil {
				return nil, err
			}
		}
		if err := t.event(console.Event{Kind: "secret.lost", Object: s.owner}, map[string]any{"name": s.name, "key": s.key}); err != nil {
			return nil, err
		}
	}
	return lost, nil
}
