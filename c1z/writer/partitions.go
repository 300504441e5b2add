package writer

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	"baton/internal/extsort"
)

// partitions splits pairs of numbers into buckets that each fit in memory. A bucket holds the
// pairs of a range of first numbers or, where a first number has many pairs, a range of its
// second numbers. The number of pairs per first number is known in advance, so one pass fills
// the buckets and a second pass sorts them one by one.
type partitions struct {
	lists []*extsort.Queue
	first []uint16 // by first number: its (first) partition
	parts []int    // by partition: how many follow for the same first number, itself included
	limit int      // second numbers are usually below this
}

// partitionSize is the approximate number of grants in a partition. Tests make it smaller.
var partitionSize = 64 << 10

// maxPartitions bounds the memory that partitions use before they are read. There are fewer than
// four times as many.
const maxPartitions = 256

// newPartitions makes partitions. Many is the number of pairs of each first number; the pairs of
// one stay in one partition if together says so.
func newPartitions(pool *extsort.Pool, many []int, limit int, together func(first int) bool) *partitions {
	p := &partitions{first: make([]uint16, len(many)), limit: limit}
	total := 0
	for _, n := range many {
		total += n
	}
	size := max(partitionSize, total/maxPartitions)
	free := 0 // in the last partition
	for first, n := range many {
		parts := 1
		if n > size && !together(first) {
			parts = (n + size - 1) / size
			free = 0
		} else if n <= free {
			p.first[first] = uint16(len(p.lists) - 1)
			free -= n
			continue
		} else {
			free = size - n
		}
		p.first[first] = uint16(len(p.lists))
		for i := range parts {
			p.lists, p.parts = append(p.lists, pool.Queue()), append(p.parts, parts-i)
		}
	}
	return p
}

// of returns the partition of a pair.
func (p *partitions) of(first, second int) *extsort.Queue {
	partition := int(p.first[first])
	if n := p.parts[partition]; n > 1 {
		partition += min(second*n/p.limit, n-1) // there may be more than expected
	}
	return p.lists[partition]
}

// sort calls each with the grants and their keys, in order and without duplicates. Order is the
// rank of each principal by its number.
func (g *grants) sort(ctx context.Context, order []int32, each func(v grant, key []byte) error) error {
	many := make([]int, len(g.alone)) // by place
	for e, to := range g.given {
		many[g.places[e]] += to.n
	}
	p := newPartitions(g.pool, many, len(g.ends), func(place int) bool { return g.alone[place] < 0 })
	s := sorting{of: g, each: each}
	if len(p.lists) <= 1 {
		return s.partition(ctx, g.added, order)
	}
	err := g.added.Each(ctx, func(b []byte) error {
		e, width := binary.Uvarint(b)
		b = b[width:]
		principal, width := binary.Uvarint(b)
		at := order[principal]
		g.key = binary.AppendUvarint(g.key[:0], e)
		g.key = binary.AppendUvarint(g.key, uint64(at))
		g.key = append(g.key, b[width:]...)
		return p.of(int(g.places[e]), int(at)).Add(g.key)
	})
	if err != nil {
		return err
	}
	for i, partition := range p.lists {
		if err := s.partition(ctx, partition, nil); err != nil {
			return err
		}
		p.lists[i] = nil
	}
	return nil
}

// sorting sorts partitions, one after the other.
type sorting struct {
	of           *grants
	each         func(v grant, key []byte) error
	items, spare []partitionItem
	grants       []byte // of the partition: what the items' keys do not contain
	key          []byte // of the last grant
	last, next   []byte // for whole ids
}

// partitionItem is a grant in a partition. Its key is the place of the entitlement and the rank of
// the principal, or only the place if entitlements share it.
type partitionItem struct {
	key      uint64
	from, to uint32
}

// partition sorts one partition. It identifies principals by rank, or by number if order is not
// nil.
func (s *sorting) partition(ctx context.Context, partition *extsort.Queue, order []int32) error {
	s.items, s.grants = s.items[:0], s.grants[:0]
	err := partition.Each(ctx, func(b []byte) error {
		e, width := binary.Uvarint(b)
		principal, n := binary.Uvarint(b[width:])
		tail := b[width+n:]
		if order != nil {
			principal = uint64(order[principal])
		}
		place := s.of.places[e]
		it := partitionItem{key: uint64(place) << 32, from: uint32(len(s.grants))}
		if s.of.alone[place] >= 0 {
			it.key |= principal
		} else {
			s.grants = binary.AppendUvarint(s.grants, e)
			s.grants = binary.AppendUvarint(s.grants, principal)
		}
		s.grants = append(s.grants, tail...)
		it.to = uint32(len(s.grants))
		s.items = append(s.items, it)
		return nil
	})
	if err != nil {
		return err
	}
	s.spare = slices.Grow(s.spare[:0], len(s.items))[:len(s.items)]
	s.items, s.spare = byKey(s.items, s.spare)
	for rest := s.items; len(rest) > 0; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n := 1 // items with the same key: of a shared place, or duplicates
		for n < len(rest) && rest[n].key == rest[0].key {
			n++
		}
		same := rest[:n]
		rest = rest[n:]
		shared := s.of.alone[same[0].key>>32] < 0
		if !shared {
			same = same[:1] // of duplicates the first one counts
		} else {
			slices.SortStableFunc(same, func(a, b partitionItem) int {
				s.last, s.next = s.place(s.last, a), s.place(s.next, b)
				return bytes.Compare(s.last, s.next)
			})
		}
		for i, it := range same {
			if shared && i > 0 {
				s.last, s.next = s.place(s.last, same[i-1]), s.place(s.next, it)
				if bytes.Equal(s.last, s.next) {
					continue
				}
			}
			v, tail := s.grant(it)
			s.key = s.of.appendKey(s.key[:0], v.entitlement, v.principal, tail)
			shared, width := binary.Uvarint(tail)
			v.shared, v.rest = int(shared), tail[width:]
			if err := s.each(v, s.key); err != nil {
				return err
			}
		}
	}
	return nil
}

// grant returns a grant of the partition, and its encoded tail.
func (s *sorting) grant(it partitionItem) (v grant, tail []byte) {
	b := s.grants[it.from:it.to]
	if e := s.of.alone[it.key>>32]; e >= 0 {
		return grant{entitlement: int(e), principal: int(uint32(it.key))}, b
	}
	e, width := binary.Uvarint(b)
	principal, n := binary.Uvarint(b[width:])
	return grant{entitlement: int(e), principal: int(principal)}, b[width+n:]
}

// place returns what appendPlace appends for the grant.
func (s *sorting) place(dst []byte, it partitionItem) []byte {
	v, _ := s.grant(it)
	return s.of.appendPlace(dst[:0], v.entitlement, v.principal)
}

// byKey sorts items by key with a stable radix sort, a byte at a time. It skips bytes that are
// the same in all keys. Spare is memory of the same length; the sorted items may be in either.
func byKey(items, spare []partitionItem) (sorted, other []partitionItem) {
	if len(items) == 0 {
		return items, spare
	}
	differ := uint64(0)
	for i := range items {
		differ |= items[i].key ^ items[0].key
	}
	for shift := 0; shift < 64; shift += 8 {
		if byte(differ>>shift) == 0 {
			continue
		}
		var ends [257]int // by byte: where its items begin, then where the next one goes
		for i := range items {
			ends[int(byte(items[i].key>>shift))+1]++
		}
		for i := 1; i < len(ends); i++ {
			ends[i] += ends[i-1]
		}
		for i := range items {
			b := byte(items[i].key >> shift)
			spare[ends[b]] = items[i]
			ends[b]++
		}
		items, spare = spare, items
	}
	return items, spare
}
