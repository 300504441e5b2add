package syncfile

import (
	"context"
	"iter"

	"baton/c1z"
)

// GrantRows iterates over the grants. If the file's engine allows it, it only decodes what a grant
// connects.
func (s Sync) GrantRows(ctx context.Context) iter.Seq2[*c1z.GrantRow, error] {
	if rows, ok := s.Rows.(interface {
		GrantRows(context.Context) iter.Seq2[*c1z.GrantRow, error]
	}); ok {
		return rows.GrantRows(ctx)
	}
	return func(yield func(*c1z.GrantRow, error) bool) {
		for g, err := range s.Grants(ctx) {
			row := c1z.RowOf(g)
			if !yield(&row, err) || err != nil {
				return
			}
		}
	}
}

// Stated returns the numbers of rows that the writer of the sync stated; ok is false if it stated
// none.
func (s Sync) Stated(ctx context.Context) (t c1z.Totals, ok bool, err error) {
	if rows, has := s.Rows.(interface {
		Stated(context.Context) (c1z.Totals, bool, error)
	}); has {
		return rows.Stated(ctx)
	}
	return t, false, nil
}
