package c1z

import (
	"bytes"
	"slices"

	"zombiezen.com/go/sqlite"

	"baton"
	"baton/wire"
)

// CompareResources calls fn for each resource that is not the same in two syncs, in the
// order of ids; before or after is nil where the sync has none. The two may be of one
// file or of two. Rows that are the same byte for byte are not decoded.
func CompareResources(before, after *File, fn func(before, after *baton.Resource) error) error {
	return compare(before, after, Resources, wire.UnmarshalResource, fn)
}

// CompareEntitlements is CompareResources for entitlements.
func CompareEntitlements(before, after *File, fn func(before, after *baton.Entitlement) error) error {
	return compare(before, after, Entitlements, wire.UnmarshalEntitlement, fn)
}

// CompareGrants is CompareResources for grants.
func CompareGrants(before, after *File, fn func(before, after *baton.Grant) error) error {
	return compare(before, after, Grants, wire.UnmarshalGrant, fn)
}

// compare walks both tables side by side in the order of external ids, so that it
// holds two rows and no more.
func compare[T any](before, after *File, t Table, decode func([]byte) (T, error), fn func(before, after *T) error) (err error) {
	if err := before.check(); err != nil {
		return err
	}
	if err := after.check(); err != nil {
		return err
	}
	var old, now sorted
	defer func() { old.close(); now.close() }()
	if old, err = before.view.sorted(t); err != nil {
		return err
	}
	if now, err = after.view.sorted(t); err != nil {
		return err
	}
	row := func(s *sorted) (*T, error) {
		v, err := decode(s.data)
		if err != nil {
			return nil, damaged(s.view.path, err)
		}
		return &v, nil
	}
	for old.more || now.more {
		var b, a *T
		order := bytes.Compare(old.id, now.id)
		switch {
		case !now.more:
			order = -1
		case !old.more:
			order = +1
		}
		if order != 0 || !bytes.Equal(old.data, now.data) {
			if order <= 0 {
				if b, err = row(&old); err != nil {
					return err
				}
			}
			if order >= 0 {
				if a, err = row(&now); err != nil {
					return err
				}
			}
			if err := fn(b, a); err != nil {
				return err
			}
		}
		if order <= 0 {
			if err := old.next(); err != nil {
				return err
			}
		}
		if order >= 0 {
			if err := now.next(); err != nil {
				return err
			}
		}
	}
	return nil
}

// sorted is a walk through a table in the order of external ids, and the row where it
// stands. It shares nothing with other walks.
type sorted struct {
	view     view
	stmt     *sqlite.Stmt // nil when there is no such table
	more     bool
	id, data []byte
}

func (v view) sorted(t Table) (sorted, error) {
	s := sorted{view: v}
	if v.has[t.name()] == nil {
		return s, nil
	}
	stmt, _, err := v.conn.PrepareTransient(`select external_id, data from ` + t.name() + ` where sync_id = ?1 order by external_id`)
	if err != nil {
		return s, unreadable(v.path, err)
	}
	stmt.BindText(1, v.syncID)
	s.stmt = stmt
	return s, s.next()
}

// next goes to the next row. Of rows that repeat an id the first counts.
func (s *sorted) next() error {
	for s.stmt != nil {
		more, err := s.stmt.Step()
		if err != nil {
			return unreadable(s.view.path, err)
		}
		if !more {
			s.more = false
			return nil
		}
		id := columnBytes(s.stmt, 0, nil)
		if s.more && bytes.Equal(id, s.id) {
			continue
		}
		s.more, s.id = true, id
		s.data = columnBytes(s.stmt, 1, s.data)
		return nil
	}
	return nil
}

func (s *sorted) close() {
	if s.stmt != nil {
		s.stmt.Finalize()
	}
}

// columnBytes is the column's value, in buf's memory where it fits.
func columnBytes(stmt *sqlite.Stmt, column int, buf []byte) []byte {
	buf = slices.Grow(buf[:0], stmt.ColumnLen(column))[:stmt.ColumnLen(column)]
	stmt.ColumnBytes(column, buf)
	return buf
}
