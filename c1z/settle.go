package c1z

import (
	"bytes"
	"context"
	"io"
	"slices"

	"baton"
	"baton/extsort"
)

// Settled is what the rows that were added come to.
type Settled struct {
	Counts map[string]*Count // by resource type, of those that have any rows
	// Orphans counts the grants that were left out because the sync has no such
	// entitlement; Orphan is the id of one.
	Orphans int
	Orphan  string
	// Outranked counts, by resource type, the grants that were left out because the
	// same principal holds one that ranks higher.
	Outranked map[string]int
}

// Settle ends the adding of rows: it puts them in order and drops those that do not
// count. What looks at the sync does it where need be. The context bounds what follows,
// too, up to Seal.
func (w *Writer) Settle(ctx context.Context) (Settled, error) {
	if w.closed {
		return Settled{}, w.over()
	}
	if w.list == nil && w.failed == nil {
		w.ctx = ctx
		w.settled = Settled{Counts: map[string]*Count{}, Outranked: map[string]int{}}
		if w.failed = w.sort(ctx); w.failed == nil {
			w.failed = w.rank(ctx)
		}
	}
	return w.settled, w.failed
}

// sort lists the rows in order, each once, without orphans.
func (w *Writer) sort(ctx context.Context) error {
	m, err := w.sorter.Merge()
	if err != nil {
		return storage("sort rows for", w.path, err)
	}
	list := w.pool.List()
	entitlements := map[string]struct{}{}
	last := 0       // the length of the last row's place
	var held []byte // the last entitlement that there is
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, shared, err := m.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return storage("sort rows for", w.path, err)
		}
		if last > 0 && shared >= last {
			continue // of rows with the same id the first one holds
		}
		r, place, err := parseKey(key)
		if err != nil {
			return err
		}
		last = place
		switch r.Table {
		case Entitlements:
			entitlements[string(r.id)] = struct{}{}
		case Grants:
			e := r.entitlement()
			if bytes.Equal(e, held) {
				break
			}
			if _, ok := entitlements[string(e)]; !ok {
				if w.settled.Orphans++; w.settled.Orphan == "" {
					w.settled.Orphan = r.ID()
				}
				continue
			}
			held = append(held[:0], e...)
		}
		w.count(r, 1)
		if err := list.Add(key); err != nil {
			return storage("sort rows for", w.path, err)
		}
	}
	w.sorter.Release()
	w.list = list
	return nil
}

// count counts a row of the new sync.
func (w *Writer) count(r Row, n int) {
	w.rows[r.Table] += n
	if r.Table == ResourceTypes {
		return
	}
	c := w.settled.Counts[string(r.part(0))]
	if c == nil {
		kind := string(r.part(0))
		c = &Count{Type: kind}
		w.settled.Counts[kind] = c
	}
	*c.of(r.Table) += n
}

// rank makes a list without the grants that are outranked, if there can be any.
func (w *Writer) rank(ctx context.Context) error {
	ranked := false
	for kind, slugs := range w.opt.Ranks {
		c := w.settled.Counts[kind]
		ranked = ranked || len(slugs) > 1 && c != nil && c.Grants > 0
	}
	if !ranked {
		return nil
	}
	list := w.pool.List()
	var h higher
	for n, c := 0, w.list.From(nil); ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return storage("sort rows for", w.path, err)
		}
		if r, _, err := parseKey(key); err != nil {
			return err
		} else if r.Table == Grants {
			kind := string(r.part(0))
			outranked, err := h.holds(w.list, r, w.opt.Ranks[kind])
			if err != nil {
				return storage("sort rows for", w.path, err)
			}
			if outranked {
				w.count(r, -1)
				w.settled.Outranked[kind]++
				continue
			}
		}
		if err := list.Add(key); err != nil {
			return storage("sort rows for", w.path, err)
		}
	}
	w.list = list
	return nil
}

// higher looks for higher grants beside a list that is read in order: those of one
// resource are in the same order for each slug.
type higher struct {
	entitlement []byte // that the cursors stand beside
	beside      []*beside
	id, place   []byte // for reuse
}

// beside is the grants of one entitlement.
type beside struct {
	cursor *extsort.Cursor
	prefix []byte
	place  []byte // of the next row; nil after the end
}

// holds reports whether the principal of the grant holds a higher one, too.
func (h *higher) holds(list *extsort.List, r Row, slugs []string) (bool, error) {
	e := r.entitlement()
	at := slices.Index(slugs, string(r.part(2)))
	if at <= 0 {
		return false, nil
	}
	holder := r.id[len(e):]
	if !bytes.Equal(e, h.entitlement) {
		h.entitlement = append(h.entitlement[:0], e...)
		for i, slug := range slugs[:at] {
			if i == len(h.beside) {
				h.beside = append(h.beside, &beside{cursor: list.From(nil)})
			}
			b := h.beside[i]
			b.prefix = append(append(append(b.prefix[:0], r.id[:r.ends[1]+1]...), slug...), ':')
			b.cursor.Seek(h.at(b, holder))
			if err := b.next(); err != nil {
				return false, err
			}
		}
	}
	for _, b := range h.beside[:at] {
		want := h.at(b, holder)
		for b.place != nil && bytes.Compare(b.place, want) < 0 {
			if err := b.next(); err != nil {
				return false, err
			}
		}
		if bytes.Equal(b.place, want) {
			return true, nil
		}
	}
	return false, nil
}

// at is the place of the higher grant of the holder, whose id begins with a colon here.
func (h *higher) at(b *beside, holder []byte) []byte {
	h.id = append(append(h.id[:0], b.prefix...), holder[1:]...)
	h.place = appendPlace(h.place[:0], Grants, h.id)
	return h.place
}

func (b *beside) next() error {
	key, err := b.cursor.Next()
	if err == io.EOF {
		b.place = nil
		return nil
	}
	if err != nil {
		return err
	}
	_, place, err := parseKey(key)
	b.place = key[:place]
	return err
}

// over is the error of whoever comes after the end.
func (w *Writer) over() error {
	return baton.Errorf(baton.Internal, "c1z: %s is already sealed or given up", w.path)
}
