package c1z

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"slices"

	"baton"
	"baton/extsort"
	"baton/symbols"
)

// grants puts the grants of the new sync in the order of their external ids. A tenant has
// many of them and few things that they are made of, so that each is two numbers: of an
// entitlement and of a principal.
//
// As they are added, numbers are given in the order of coming, and grants are noted in a
// list. Once all are there, the numbers are put in the order of their texts, and the
// grants are sorted as keys. An entitlement whose id, with a colon, begins no other's has
// a place of its own, and its grants go by the order of principals:
//
//	the place (4 bytes, highest first)
//	the order of the principal (4 bytes, highest first)
//	how many came before (5 bytes, highest first)
//	the tail
//
// Entitlements of which one begins another share a place; their grants lie between each
// other and go by their whole ids:
//
//	the place; the id, its zero bytes followed by 0xff; 0x00 0x01
//	how many came before (5 bytes, highest first)
//	the numbers of entitlement and principal (4 bytes each)
//	the tail
//
// A tail is how many bytes it shares with the tail of the entitlement's first grant, as an
// unsigned varint, and what is different.
type grants struct {
	pool                     *extsort.Pool
	entitlements, principals symbols.Table
	tails                    [][]byte // of the first grant of each entitlement
	strangers                []bool   // by principal; nil when all are known
	added                    *extsort.List
	sorted                   *extsort.List // settled; nil before

	places []int32 // of each entitlement
	alone  []int32 // by place: the entitlement; -1 where there are several
	order  []int32 // of each principal
	ranked []int32 // principals in that order

	lastEntitlement, lastPrincipal int    // of the grant that was added last
	key, symbol                    []byte // for reuse
}

// cameSize is how many bytes say how many came before.
const cameSize = 5

func newGrants(pool *extsort.Pool) *grants { return &grants{pool: pool, added: pool.List()} }

// grant is a grant as numbers, and what is different in its tail.
type grant struct {
	entitlement, principal int
	shared                 int
	rest                   []byte
}

// add notes a grant.
func (g *grants) add(r Row) error {
	e, p := g.addEntitlement(r), g.addPrincipal(r)
	b := binary.AppendUvarint(g.key[:0], uint64(e))
	b = binary.AppendUvarint(b, uint64(p))
	first := g.tails[e]
	shared := 0
	for shared < min(len(first), len(r.data)) && first[shared] == r.data[shared] {
		shared++
	}
	b = binary.AppendUvarint(b, uint64(shared))
	g.key = append(b, r.data[shared:]...)
	return g.added.Add(g.key)
}

// addEntitlement is the number of the entitlement that a grant gives. Many in a row give
// the same one.
func (g *grants) addEntitlement(r Row) int {
	g.symbol = appendEntitlement(g.symbol[:0], r.ends[0], r.ends[1], r.entitlement())
	if last := g.lastEntitlement; last < g.entitlements.Len() && bytes.Equal(g.entitlements.Text(last), g.symbol) {
		return last
	}
	e, fresh := g.entitlements.Add(g.symbol)
	if fresh {
		g.tails = append(g.tails, bytes.Clone(r.data))
	}
	g.lastEntitlement = e
	return e
}

// addPrincipal is the number of the principal of a grant.
func (g *grants) addPrincipal(r Row) int {
	g.symbol = binary.AppendUvarint(g.symbol[:0], uint64(r.ends[3]-r.ends[2]-1))
	g.symbol = append(g.symbol, r.id[r.ends[2]+1:]...)
	if last := g.lastPrincipal; last < g.principals.Len() && bytes.Equal(g.principals.Text(last), g.symbol) {
		return last
	}
	g.lastPrincipal, _ = g.principals.Add(g.symbol)
	return g.lastPrincipal
}

// leaveOut has settle leave out the grants of those that are not known.
func (g *grants) leaveOut(known func(kind, id []byte) bool) {
	g.strangers = make([]bool, g.principals.Len())
	for n := range g.strangers {
		id, kind := g.principal(n)
		g.strangers[n] = !known(id[:kind], id[kind+1:])
	}
}

// appendEntitlement appends what tells entitlements apart: where their parts end, and
// their id.
func appendEntitlement(dst []byte, kind, resource int, id []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(kind))
	dst = binary.AppendUvarint(dst, uint64(resource))
	return append(dst, id...)
}

// entitlement is an entitlement's id, and where its first two parts end.
func (g *grants) entitlement(n int) (id []byte, kind, resource int) {
	b := g.entitlements.Text(n)
	k, width := binary.Uvarint(b)
	b = b[width:]
	r, width := binary.Uvarint(b)
	return b[width:], int(k), int(r)
}

// principal is a principal's id, and where its type ends.
func (g *grants) principal(n int) (id []byte, kind int) {
	b := g.principals.Text(n)
	k, width := binary.Uvarint(b)
	return b[width:], int(k)
}

// find is the number of an entitlement that some grant gives.
func (g *grants) find(e baton.EntitlementID) (n int, ok bool) {
	kind := len(e.Resource.Type)
	return g.entitlements.Find(appendEntitlement(nil, kind, kind+1+len(e.Resource.ID), []byte(e.String())))
}

// settle sorts the grants, each once. Stranger is told of those that are left out for their
// principal, orphan of the others whose entitlement is not known, and keep of the rest.
func (g *grants) settle(ctx context.Context, known *symbols.Table, stranger, orphan func(Row), keep func(entitlement []byte, kind int)) error {
	g.rank()
	s := g.pool.Sorter()
	c := g.added.From(nil)
	for n := uint64(0); ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		b, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		e, width := binary.Uvarint(b)
		b = b[width:]
		p, width := binary.Uvarint(b)
		if err := s.Add(g.appendKey(g.key[:0], int(e), int(p), n, b[width:])); err != nil {
			return err
		}
	}
	g.added = nil
	m, err := s.Merge()
	if err != nil {
		return err
	}
	entitled := make([]bool, g.entitlements.Len())
	for n := range entitled {
		id, _, _ := g.entitlement(n)
		_, entitled[n] = known.Find(id)
	}
	list := g.pool.List()
	var at reading
	last := 0 // the length of the last grant's place
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, shared, err := m.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if last > 0 && shared >= last {
			continue // of grants with the same id the first one holds
		}
		var v grant
		if v, last, err = g.parse(key); err != nil {
			return err
		}
		if g.strangers != nil && g.strangers[v.principal] {
			stranger(g.row(&at, v))
			continue
		}
		if !entitled[v.entitlement] {
			orphan(g.row(&at, v))
			continue
		}
		id, kind, _ := g.entitlement(v.entitlement)
		keep(id, kind)
		if err := list.Add(key); err != nil {
			return err
		}
	}
	s.Release()
	g.sorted = list
	return nil
}

// rank puts the numbers in the order of their texts.
func (g *grants) rank() {
	g.ranked = inOrder(&g.principals, func(a, b int) int {
		x, kindX := g.principal(a)
		y, kindY := g.principal(b)
		return cmp.Or(bytes.Compare(x, y), cmp.Compare(kindX, kindY))
	})
	g.order = make([]int32, len(g.ranked))
	alike := false // there are two with the same id and other parts: only whole ids tell
	for i, n := range g.ranked {
		g.order[n] = int32(i)
		if i > 0 {
			x, _ := g.principal(int(g.ranked[i-1]))
			y, _ := g.principal(int(n))
			alike = alike || bytes.Equal(x, y)
		}
	}
	ordered := inOrder(&g.entitlements, func(a, b int) int {
		x, _, _ := g.entitlement(a)
		y, _, _ := g.entitlement(b)
		return compareWithColon(x, y)
	})
	g.places = make([]int32, len(ordered))
	g.alone = g.alone[:0]
	var first []byte // the id of the first one in the last place
	for _, n := range ordered {
		id, _, _ := g.entitlement(int(n))
		if last := len(g.alone) - 1; last >= 0 && begins(id, first) {
			g.alone[last] = -1
		} else if g.alone, first = append(g.alone, n), id; alike {
			g.alone[last+1] = -1
		}
		g.places[n] = int32(len(g.alone) - 1)
	}
}

// inOrder are the numbers of a table, sorted.
func inOrder(t *symbols.Table, compare func(a, b int) int) []int32 {
	list := make([]int32, t.Len())
	for n := range list {
		list[n] = int32(n)
	}
	slices.SortFunc(list, func(a, b int32) int { return compare(int(a), int(b)) })
	return list
}

// compareWithColon compares two ids as if each had a colon behind it.
func compareWithColon(a, b []byte) int {
	n := min(len(a), len(b))
	if c := bytes.Compare(a[:n], b[:n]); c != 0 || len(a) == len(b) {
		return c
	}
	if len(a) < len(b) {
		return cmp.Or(cmp.Compare(':', b[n]), -1)
	}
	return cmp.Or(cmp.Compare(a[n], ':'), 1)
}

// begins reports whether first is the id, or begins it with a colon behind.
func begins(id, first []byte) bool {
	return bytes.HasPrefix(id, first) && (len(id) == len(first) || id[len(first)] == ':')
}

// appendPlace appends the part of a key that says where a grant is.
func (g *grants) appendPlace(dst []byte, e, p int) []byte {
	dst = g.appendBegin(dst, e)
	if g.alone[g.places[e]] >= 0 {
		return binary.BigEndian.AppendUint32(dst, uint32(g.order[p]))
	}
	id, _ := g.principal(p)
	return append(appendEscaped(dst, id), 0, keyEnd)
}

// appendBegin appends what the keys of an entitlement's grants begin with, and perhaps
// those of others.
func (g *grants) appendBegin(dst []byte, e int) []byte {
	place := g.places[e]
	dst = binary.BigEndian.AppendUint32(dst, uint32(place))
	if g.alone[place] >= 0 {
		return dst
	}
	id, _, _ := g.entitlement(e)
	return append(appendEscaped(dst, id), ':')
}

func (g *grants) appendKey(dst []byte, e, p int, came uint64, tail []byte) []byte {
	dst = g.appendPlace(dst, e, p)
	dst = append(dst, byte(came>>32), byte(came>>24), byte(came>>16), byte(came>>8), byte(came))
	if g.alone[g.places[e]] < 0 {
		dst = binary.BigEndian.AppendUint32(dst, uint32(e))
		dst = binary.BigEndian.AppendUint32(dst, uint32(p))
	}
	g.key = append(dst, tail...)
	return g.key
}

// parse reads a key, whose memory the grant shares. Place is how many bytes of it the
// order goes by.
func (g *grants) parse(key []byte) (v grant, place int, err error) {
	if len(key) < 8+cameSize {
		return v, 0, badKey()
	}
	at := binary.BigEndian.Uint32(key)
	if at >= uint32(len(g.alone)) {
		return v, 0, badKey()
	}
	rest := key[8+cameSize:]
	if v.entitlement = int(g.alone[at]); v.entitlement >= 0 {
		place = 8
		p := binary.BigEndian.Uint32(key[4:])
		if p >= uint32(len(g.ranked)) {
			return v, 0, badKey()
		}
		v.principal = int(g.ranked[p])
	} else {
		for place = 4; ; place += 2 {
			i := bytes.IndexByte(key[place:], 0)
			if i < 0 || place+i+2+cameSize+8 > len(key) {
				return v, 0, badKey()
			}
			if place += i; key[place+1] == keyEnd {
				break
			}
		}
		place += 2
		numbers := key[place+cameSize:]
		e, p := binary.BigEndian.Uint32(numbers), binary.BigEndian.Uint32(numbers[4:])
		if e >= uint32(len(g.places)) || p >= uint32(len(g.order)) {
			return v, 0, badKey()
		}
		v.entitlement, v.principal, rest = int(e), int(p), numbers[8:]
	}
	shared, width := binary.Uvarint(rest)
	if width <= 0 || shared > uint64(len(g.tails[v.entitlement])) {
		return v, 0, badKey()
	}
	v.shared, v.rest = int(shared), rest[width:]
	return v, place, nil
}

// reading is what a row is put together in.
type reading struct{ id, data []byte }

// row is the whole grant. It shares the memory of the reading.
func (g *grants) row(in *reading, v grant) Row {
	id, kind, resource := g.entitlement(v.entitlement)
	in.id = append(append(in.id[:0], id...), ':')
	r := Row{Table: Grants, ends: [4]int{kind, resource, len(id)}}
	id, kind = g.principal(v.principal)
	r.ends[3] = len(in.id) + kind
	in.id = append(in.id, id...)
	in.data = append(append(in.data[:0], g.tails[v.entitlement][:v.shared]...), v.rest...)
	r.id, r.data = in.id, in.data
	return r
}

// outrank leaves out the grants whose principal holds one that ranks higher on the same
// resource. Drop is told of each.
func (g *grants) outrank(ctx context.Context, ranks map[string][]string, drop func(entitlement []byte, kind int)) error {
	list := g.pool.List()
	h := higher{of: g, entitlement: -1}
	for n, c := 0, g.sorted.From(nil); ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		v, _, err := g.parse(key)
		if err != nil {
			return err
		}
		outranked, err := h.holds(v, ranks)
		if err != nil {
			return err
		}
		if outranked {
			id, kind, _ := g.entitlement(v.entitlement)
			drop(id, kind)
		} else if err := list.Add(key); err != nil {
			return err
		}
	}
	g.sorted = list
	return nil
}

// higher looks for higher grants beside a list that is read in order: those of one
// resource have their principals in the same order for each slug.
type higher struct {
	of          *grants
	entitlement int // that the cursors stand beside; -1 at first
	beside      []*beside
	used        int    // of these
	place       []byte // for reuse
}

// beside is the grants of one entitlement.
type beside struct {
	entitlement int
	cursor      *extsort.Cursor
	place       []byte // of the grant that comes next; nil after the end
}

// holds reports whether the principal of the grant holds a higher one, too.
func (h *higher) holds(v grant, ranks map[string][]string) (bool, error) {
	g := h.of
	if v.entitlement != h.entitlement {
		h.entitlement, h.used = v.entitlement, 0
		id, kind, resource := g.entitlement(v.entitlement)
		slugs := ranks[string(id[:kind])]
		at := slices.Index(slugs, string(id[resource+1:]))
		for _, slug := range slugs[:max(at, 0)] {
			n, ok := g.entitlements.Find(append(appendEntitlement(nil, kind, resource, id[:resource+1]), slug...))
			if !ok {
				continue // nobody holds it
			}
			if h.used == len(h.beside) {
				h.beside = append(h.beside, &beside{cursor: g.sorted.From(nil)})
			}
			b := h.beside[h.used]
			h.used++
			b.entitlement = n
			b.cursor.Seek(g.appendPlace(h.place[:0], n, v.principal))
			if err := b.next(g); err != nil {
				return false, err
			}
		}
	}
	for _, b := range h.beside[:h.used] {
		h.place = g.appendPlace(h.place[:0], b.entitlement, v.principal)
		for b.place != nil && bytes.Compare(b.place, h.place) < 0 {
			if err := b.next(g); err != nil {
				return false, err
			}
		}
		if bytes.Equal(b.place, h.place) {
			return true, nil
		}
	}
	return false, nil
}

func (b *beside) next(g *grants) error {
	key, err := b.cursor.Next()
	if err == io.EOF {
		b.place = nil
		return nil
	}
	if err != nil {
		return err
	}
	_, place, err := g.parse(key)
	b.place = key[:place]
	return err
}
