package writer

import (
	"context"
	"errors"
	"io"

	"baton"
	"baton/c1z"
	"baton/c1z/internal/database"
	"baton/internal/intern"
)

// Summary counts the rows of a sync after unusable ones were dropped.
type Summary struct {
	Counts map[string]*c1z.Count // by resource type, for types with rows
	// UnknownPrincipals counts the grants dropped by [Writer.DropUnknownPrincipals].
	// UnknownExample is the id of one of them.
	UnknownPrincipals int
	UnknownExample    string
	// Dangling counts the other grants dropped because the sync does not have their
	// entitlement. DanglingExample is the id of one of them.
	Dangling        int
	DanglingExample string
	// Superseded counts, by resource type, the grants dropped because the same principal
	// holds a higher one (Options.Ranks).
	Superseded map[string]int
}

// Principals returns how many different principals the grants so far have, but for some of
// the latest.
func (w *Writer) Principals() int { return w.grants.principals.Len() }

// DropUnknownPrincipals drops the grants whose principal is not known. It is called after the
// last row was added, and calls known once per principal.
func (w *Writer) DropUnknownPrincipals(known func(kind, id []byte) bool) {
	if w.failed == nil {
		w.failed = w.sorting(w.grants.number())
	}
	w.grants.dropUnknownPrincipals(known)
}

// Sort ends the adding of rows: it puts them in order and drops unusable ones. Methods that read
// or compare the sync call it if nobody did. The context also applies to these methods, up to
// Seal, which has its own.
func (w *Writer) Sort(ctx context.Context) (Summary, error) {
	if w.closed {
		return Summary{}, w.over()
	}
	if w.list == nil && w.failed == nil {
		w.ctx = ctx
		w.summary = Summary{Counts: map[string]*c1z.Count{}, Superseded: map[string]int{}}
		w.failed = w.sortAll(ctx)
	}
	return w.summary, w.failed
}

func (w *Writer) sortAll(ctx context.Context) error {
	entitlements, err := w.sort(ctx)
	if err != nil {
		return err
	}
	var kind *c1z.Count // of the last grant
	count := func(entitlement []byte, end, n int) {
		if name := entitlement[:end]; kind == nil || kind.Type != string(name) {
			kind = w.counted(name)
		}
		kind.Grants += n
		w.rows[Grants] += n
	}
	err = w.grants.sortAll(ctx, entitlements, func(r Row) {
		if w.summary.UnknownPrincipals++; w.summary.UnknownExample == "" {
			w.summary.UnknownExample = r.ID()
		}
	}, func(r Row) {
		if w.summary.Dangling++; w.summary.DanglingExample == "" {
			w.summary.DanglingExample = r.ID()
		}
	}, count)
	if err != nil {
		return w.sorting(err)
	}
	ranked := false
	for name, slugs := range w.opt.Ranks {
		c := w.summary.Counts[name]
		ranked = ranked || len(slugs) > 1 && c != nil && c.Grants > 0
	}
	if !ranked {
		return nil
	}
	return w.sorting(w.grants.dropSuperseded(ctx, w.opt.Ranks, func(entitlement []byte, end int) {
		count(entitlement, end, -1)
		w.summary.Superseded[kind.Type]++
	}))
}

// sort puts the rows other than grants into a list, in order and without duplicates, and returns
// the ids of the entitlements.
func (w *Writer) sort(ctx context.Context) (*intern.Table, error) {
	m, err := w.sorter.Merge()
	if err != nil {
		return nil, w.sorting(err)
	}
	list := w.pool.List()
	entitlements := new(intern.Table)
	last := 0 // the length of the part of the last key that identifies the row
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		key, shared, err := m.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, w.sorting(err)
		}
		if last > 0 && shared >= last {
			continue // the same id again: the first row counts
		}
		s, err := parseKey(key)
		if err != nil {
			return nil, err
		}
		r := s.row
		last = s.place
		w.rows[r.Table]++
		switch r.Table {
		case Resources:
			w.counted(r.part(0)).Resources++
		case Entitlements:
			w.counted(r.part(0)).Entitlements++
			entitlements.Add(r.id)
		}
		if err := list.Add(key); err != nil {
			return nil, w.sorting(err)
		}
	}
	w.sorter.Release()
	w.list = list
	return entitlements, nil
}

// counted returns the count of a resource type.
func (w *Writer) counted(kind []byte) *c1z.Count {
	c := w.summary.Counts[string(kind)]
	if c == nil {
		c = &c1z.Count{Type: string(kind)}
		w.summary.Counts[c.Type] = c
	}
	return c
}

// sorting classifies an error of sorting.
func (w *Writer) sorting(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return database.Storage("sort rows for", w.path, err)
}

// over is the error of a call after the end.
func (w *Writer) over() error {
	return baton.Errorf(baton.Internal, "c1z: %s is already sealed or aborted", w.path)
}
