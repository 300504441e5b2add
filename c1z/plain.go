package c1z

import (
	"bytes"
	"context"
	"iter"
	"math"
	"slices"

	"baton/c1z/internal/database"
	"baton/c1z/internal/sqlitefile"
	"baton/wire"
)

// plainScan reads the rows of the sync in a table without the SQLite library, which takes several
// times as long. It stops at anything unusual, which the library then handles: a table that is not a
// [database.PlainTable], a row without a column, a value of another type, a malformed page.
type plainScan struct {
	ctx              context.Context
	scan             *sqlitefile.Scan
	syncID           []byte
	idAt, dataAt     int
	rowidAt, syncAt  int
	columnsAt        []int // of row.columns; -1 for one that the table does not have
	row              row
	unusual, started bool
	last             int64 // rowid of the newest row
	steps            int
}

// plainScan begins to read a table; nil if the library must read it.
func (s *Sync) plainScan(ctx context.Context, table string, columns []string) (*plainScan, error) {
	db := s.file.db
	if db.Conn == nil || db.Columns[table] == nil {
		return nil, nil
	}
	plain, err := db.Plain(table)
	if plain == nil || err != nil {
		return nil, err
	}
	in, size, err := db.Scratch()
	if err != nil {
		return nil, err
	}
	scan, err := sqlitefile.NewScan(in, size, plain.Root)
	if err != nil {
		return nil, nil
	}
	at := func(column string) int { return slices.Index(plain.Columns, column) }
	p := &plainScan{ctx: ctx, scan: scan, syncID: []byte(s.ID), idAt: at(externalID), dataAt: at("data"), rowidAt: at("id"), syncAt: at("sync_id"),
		row: row{columns: columns, values: make([][]byte, len(columns))}, last: math.MinInt64}
	for _, c := range columns {
		p.columnsAt = append(p.columnsAt, at(c))
	}
	return p, nil
}

// next goes to the next row. At the end, unusual reports whether the library must continue.
func (p *plainScan) next() (more bool, err error) {
	for p.scan.Next() {
		if p.steps++; p.steps%64 == 1 && p.ctx.Err() != nil {
			return false, p.ctx.Err()
		}
		if p.started && p.scan.Rowid <= p.last {
			p.unusual = true
			return false, nil
		}
		columns := p.scan.Row
		if len(columns) <= max(p.syncAt, p.rowidAt) || !columns[p.syncAt].IsText() || !columns[p.rowidAt].IsNull() {
			p.unusual = true
			return false, nil
		}
		if !bytes.Equal(columns[p.syncAt].Bytes(), p.syncID) {
			p.started, p.last = true, p.scan.Rowid
			continue
		}
		if !p.take(columns) {
			p.unusual = true
			return false, nil
		}
		p.started, p.last = true, p.scan.Rowid
		return true, nil
	}
	p.unusual = p.scan.Err() != nil
	return false, p.ctx.Err()
}

// take fills in the row. It returns false if a value is unusual.
func (p *plainScan) take(columns []sqlitefile.Value) (ok bool) {
	if p.row.id, ok = bytesAt(columns, p.idAt); !ok {
		return false
	}
	if p.row.data, ok = bytesAt(columns, p.dataAt); !ok {
		return false
	}
	for i, at := range p.columnsAt {
		if p.row.values[i], ok = bytesAt(columns, at); !ok {
			return false
		}
	}
	return true
}

// bytesAt returns the text or blob in a column; nil for NULL, and for at < 0. ok is false if the row
// was written without the column, or if it holds a number.
func bytesAt(columns []sqlitefile.Value, at int) (b []byte, ok bool) {
	switch {
	case at < 0:
		return nil, true
	case at >= len(columns):
		return nil, false
	}
	v := &columns[at]
	if v.IsText() || v.IsBlob() {
		if b = v.Bytes(); b == nil {
			b = []byte{}
		}
		return b, true
	}
	return nil, v.IsNull()
}

// plainRows yields the rows of a table that can be read without the library. If done is false, the
// library must continue after the row with the id last, or at the start if last is nil.
func plainRows[T any](ctx context.Context, s *Sync, t table[T], yield func(T, error) bool) (done bool, last *int64) {
	var zero T
	p, err := s.plainScan(ctx, t.name, t.columns)
	if err != nil {
		yield(zero, err)
		return true, nil
	}
	if p == nil {
		return false, nil
	}
	for {
		more, err := p.next()
		if err == nil && !more {
			return !p.unusual, p.after()
		}
		var one T
		if err == nil {
			if one, err = t.decode(&p.row); err != nil {
				err = database.Damaged(s.file.db.Name, err)
			}
		}
		if !yield(one, err) || err != nil {
			return true, nil
		}
	}
}

func (p *plainScan) after() *int64 {
	if !p.started {
		return nil
	}
	return &p.last
}

// GrantRow is an encoded grant. Its bytes are valid until the next row.
type GrantRow struct {
	Entitlement                []byte // id
	PrincipalType, PrincipalID []byte
	ID                         []byte
	// Plain means that the grant only consists of ids: it has no annotations, metadata or sources,
	// and is not expandable.
	Plain bool

	grant  Grant // if it is decoded already
	decode func() (Grant, error)
}

// Grant decodes the row.
func (r *GrantRow) Grant() (Grant, error) {
	if r.decode == nil {
		return r.grant, nil
	}
	return r.decode()
}

// RowOf returns a grant as a row.
func RowOf(g Grant) GrantRow {
	return GrantRow{Entitlement: []byte(g.Entitlement), PrincipalType: []byte(g.Principal.Type), PrincipalID: []byte(g.Principal.ID), ID: []byte(g.ID), grant: g}
}

// GrantRows iterates over all grants like Grants, but only decodes their ids. For a sync with
// millions of grants, that takes a fraction of the time.
func (s *Sync) GrantRows(ctx context.Context) iter.Seq2[*GrantRow, error] {
	undecoded := table[*GrantRow]{grants.name, grants.columns, nil}
	var g GrantRow
	var current *row
	decode := func() (Grant, error) {
		one, err := decodeGrant(current)
		if err != nil {
			return one, database.Damaged(s.file.db.Name, err)
		}
		return one, nil
	}
	at := func(r *row, column string) []byte { return r.values[slices.Index(r.columns, column)] }
	expansionAt := slices.Index(grants.columns, expansion)
	undecoded.decode = func(r *row) (*GrantRow, error) {
		current = r
		o, ok := wire.OutlineGrant(r.data)
		if !ok || r.stmt != nil {
			one, err := decodeGrant(r)
			g = RowOf(one)
			return &g, err
		}
		g = GrantRow{Entitlement: o.Entitlement, PrincipalType: o.PrincipalType, PrincipalID: o.PrincipalID, ID: o.ID, Plain: o.Plain && r.values[expansionAt] == nil, decode: decode}
		if len(g.ID) == 0 {
			g.ID = at(r, externalID)
		}
		if len(g.Entitlement) == 0 {
			g.Entitlement = at(r, entitlementID)
		}
		if len(g.PrincipalType) == 0 || len(g.PrincipalID) == 0 {
			g.PrincipalType, g.PrincipalID = at(r, principalTypeID), at(r, principalID)
		}
		return &g, nil
	}
	return rows(ctx, s, undecoded)
}
