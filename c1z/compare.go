package c1z

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"baton/c1z/internal/database"
)

// Difference is a row that differs between two syncs. Before or After is nil if that sync does not
// have the row.
type Difference[T any] struct{ Before, After *T }

// CompareResources iterates over the resources that differ between two syncs, in the order of
// their ids. The syncs may be in the same file or in two. Rows with equal bytes are not decoded.
// The iteration holds one row of each sync at a time, and ends with the first error.
func CompareResources(ctx context.Context, before, after *Sync) iter.Seq2[Difference[Resource], error] {
	return compare(ctx, before, after, resources)
}

// CompareEntitlements iterates over the entitlements that differ, as CompareResources does.
func CompareEntitlements(ctx context.Context, before, after *Sync) iter.Seq2[Difference[Entitlement], error] {
	return compare(ctx, before, after, entitlements)
}

// CompareGrants iterates over the grants that differ, as CompareResources does.
func CompareGrants(ctx context.Context, before, after *Sync) iter.Seq2[Difference[Grant], error] {
	return compare(ctx, before, after, grants)
}

// compare reads both tables in the order of external ids.
func compare[T any](ctx context.Context, before, after *Sync, t table[T]) iter.Seq2[Difference[T], error] {
	return func(yield func(Difference[T], error) bool) {
		err := func() error {
			b, err := newSide(ctx, before, t)
			if err != nil {
				return err
			}
			defer b.close()
			a, err := newSide(ctx, after, t)
			if err != nil {
				return err
			}
			defer a.close()
			for b.more || a.more {
				order := bytes.Compare(b.id(), a.id())
				switch {
				case !a.more:
					order = -1
				case !b.more:
					order = +1
				}
				var d Difference[T]
				differs := order != 0 || !bytes.Equal(b.scan.row.data, a.scan.row.data)
				if order <= 0 {
					if d.Before, err = b.take(differs); err != nil {
						return err
					}
				}
				if order >= 0 {
					if d.After, err = a.take(differs); err != nil {
						return err
					}
				}
				if differs && !yield(d, nil) {
					return nil
				}
			}
			return nil
		}()
		if err != nil {
			yield(Difference[T]{}, err)
		}
	}
}

// side is one of the two syncs.
type side[T any] struct {
	table table[T]
	scan  *scan // nil: the file has no such table
	more  bool
	last  []byte
}

func newSide[T any](ctx context.Context, sync *Sync, t table[T]) (s *side[T], err error) {
	s = &side[T]{table: t}
	if s.scan, err = sync.scan(ctx, t.name, t.columns, `external_id`); err != nil || s.scan == nil {
		return s, err
	}
	if err := s.next(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *side[T]) id() []byte {
	if s.scan == nil {
		return nil
	}
	return s.scan.row.id
}

// take returns the current row, if it is wanted, and goes to the next one.
func (s *side[T]) take(wanted bool) (one *T, err error) {
	if wanted {
		value, err := s.table.decode(&s.scan.row)
		if err != nil {
			return nil, database.Damaged(s.scan.db.Name, err)
		}
		one = &value
	}
	return one, s.next()
}

// next goes to the next row. It skips rows that repeat an id.
func (s *side[T]) next() (err error) {
	for {
		first := !s.more
		if s.more, err = s.scan.next(); err != nil || !s.more {
			return err
		}
		order := bytes.Compare(s.scan.row.id, s.last)
		if first || order > 0 {
			s.last = append(s.last[:0], s.scan.row.id...)
			return nil
		}
		if order < 0 {
			return database.Damaged(s.scan.db.Name, errors.New("rows are not in the order of their ids"))
		}
	}
}

func (s *side[T]) close() {
	if s.scan != nil {
		s.scan.close()
	}
}
