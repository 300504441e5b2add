package writer

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	"baton/c1z/internal/sqlitefile"
)

// principalIndex holds the entries of the index of grants by principal until all grants are
// written. An entry is two numbers: of a principal, in the order of that index, and of a row.
// None is sorted as text, except those of grants that only previous syncs have, whose principals
// have no numbers. These go to the index itself ([sqlitefile.Index.AddAside]).
type principalIndex struct {
	of         *grants
	place      []int // by rank of the principal: its place in the index; nil if they are the same
	at         []int // by place: the rank
	partitions *partitions
	key        []byte // for reuse
}

// newPrincipalIndex puts the principals in the order of the index, which is by type and then by
// id; ranks are by joined id. Each of the syncs is expected to have as many grants as the new one.
func newPrincipalIndex(g *grants, rows, syncs int) *principalIndex {
	h := &principalIndex{of: g}
	kind := func(n int) []byte {
		id, end := g.principal(n)
		return id[:end]
	}
	held := g.held
	for n := 1; n < len(held) && h.place == nil; n++ {
		if bytes.Compare(kind(n-1), kind(n)) > 0 {
			held = h.reorder(kind)
		}
	}
	if syncs > 1 {
		held = slices.Clone(held)
		for i := range held {
			held[i] *= syncs
		}
	}
	h.partitions = newPartitions(g.pool, held, rows*syncs+1, func(int) bool { return false })
	return h
}

// reorder puts principals in the order of their types, and returns how many grants each one
// holds, by place.
func (h *principalIndex) reorder(kind func(n int) []byte) (held []int) {
	h.place, h.at, held = make([]int, len(h.of.held)), make([]int, len(h.of.held)), make([]int, len(h.of.held))
	for n := range h.at {
		h.at[n] = n
	}
	slices.SortStableFunc(h.at, func(a, b int) int { return bytes.Compare(kind(a), kind(b)) })
	for place, n := range h.at {
		h.place[n], held[place] = place, h.of.held[n]
	}
	return held
}

// add adds the row of a principal's grant.
func (h *principalIndex) add(principal int, row int64) error {
	place := principal
	if h.place != nil {
		place = h.place[principal]
	}
	h.key = binary.AppendUvarint(h.key[:0], uint64(place))
	h.key = binary.AppendUvarint(h.key, uint64(row))
	return h.partitions.of(place, int(row)).Add(h.key)
}

// same reports whether a principal, by its rank, has that type and id.
func (h *principalIndex) same(principal int, kind, id []byte) bool {
	text, end := h.of.principal(principal)
	return bytes.Equal(text[:end], kind) && bytes.Equal(text[end+1:], id)
}

// write adds the entries to the index, in order.
func (h *principalIndex) write(ctx context.Context, index *sqlitefile.Index) error {
	var items, spare []partitionItem
	for i, partition := range h.partitions.lists {
		items = items[:0]
		err := partition.Each(ctx, func(b []byte) error {
			place, width := binary.Uvarint(b)
			row, _ := binary.Uvarint(b[width:])
			items = append(items, partitionItem{key: place<<32 | row})
			return nil
		})
		if err != nil {
			return err
		}
		h.partitions.lists[i] = nil
		spare = slices.Grow(spare[:0], len(items))[:len(items)]
		items, spare = byKey(items, spare)
		for n, it := range items {
			if n%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			principal := int(it.key >> 32)
			if h.at != nil {
				principal = h.at[principal]
			}
			id, kind := h.of.principal(principal)
			if err := index.Add(int64(uint32(it.key)), sqlitefile.TextOf(id[:kind]), sqlitefile.TextOf(id[kind+1:])); err != nil {
				return err
			}
		}
	}
	return index.Drain()
}
