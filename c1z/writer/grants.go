package writer

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"slices"

	"baton"
	"baton/internal/extsort"
	"baton/internal/intern"
)

// grants puts the grants of the new sync in the order of their external ids. A tenant has
// many of them and few things that they are made of, so that each is two numbers: of an
// entitlement and of a principal.
//
// As they are added, numbers are given in the order of coming, and grants are noted in a
// list. Once all are there, the numbers are put in the order of their texts, grants are
// sorted partition by partition ([partitions]), and are listed as keys. An entitlement whose id, with a
// colon, begins no other's has a place of its own, and its grants go by the order of
// principals:
//
//	the place (4 bytes, highest first)
//	the order of the principal (4 bytes, highest first)
//	the tail
//
// Entitlements of which one begins another share a place; their grants lie between each
// other and go by their whole ids:
//
//	the place; the id, its zero bytes followed by 0xff; 0x00 0x01
//	the number of the entitlement and the order of the principal (4 bytes each)
//	the tail
//
// A tail is how many bytes it shares with the beginning of the tail of the entitlement's
// first grant, as an unsigned varint, and what is different.
type grants struct {
	pool                     *extsort.Pool
	entitlements, principals intern.Table
	given                    []given // by entitlement
	unknown                  []bool  // by the number of the principal; nil when all are known
	pending                  pending
	added                    *extsort.Queue
	sorted                   *extsort.List // summary; nil before

	places []int32 // of each entitlement
	alone  []int32 // by place: the entitlement; -1 where there are several
	// Once they are in order, principals are known by it, and by nothing else: their texts
	// lie one behind the other.
	names []byte
	ends  []uint32

	held []int // by the order of the principal, of the summary grants

	key []byte // for reuse
}

// given is what is known of an entitlement from its grants.
type given struct {
	tail []byte // of the first one, the beginning
	n    int    // how many were added
}

const maxShared = 512 // how much of a tail is kept for others

func newGrants(pool *extsort.Pool) *grants { return &grants{pool: pool, added: pool.Queue()} }

// grant is a grant as numbers, and what is different in its tail.
type grant struct {
	entitlement, principal int // the principal by its order
	shared                 int
	rest                   []byte
}

// dropUnknownPrincipals has sortAll leave out the grants of those that are not known. All grants have
// their numbers.
func (g *grants) dropUnknownPrincipals(known func(kind, id []byte) bool) {
	g.unknown = make([]bool, g.principals.Len())
	for n := range g.unknown {
		id, kind := cutKind(g.principals.Text(n))
		g.unknown[n] = !known(id[:kind], id[kind+1:])
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

// principal is the id of a principal by its order, and where its type ends.
func (g *grants) principal(n int) (id []byte, kind int) {
	start := uint32(0)
	if n > 0 {
		start = g.ends[n-1]
	}
	return cutKind(g.names[start:g.ends[n]])
}

// cutKind cuts the length of a principal's type off its text.
func cutKind(b []byte) (id []byte, kind int) {
	k, width := binary.Uvarint(b)
	return b[width:], int(k)
}

// find is the number of an entitlement that some grant gives.
func (g *grants) find(e baton.EntitlementID) (n int, ok bool) {
	kind := len(e.Resource.Type)
	return g.entitlements.Find(appendEntitlement(nil, kind, kind+1+len(e.Resource.ID), []byte(e.String())))
}

// sortAll sorts the grants, each once. UnknownExample is told of those that are left out for their
// principal, dropDangling of the others whose entitlement is not known, and keep of how many more
// of one entitlement there are.
func (g *grants) sortAll(ctx context.Context, known *intern.Table, dropUnknown, dropDangling func(Row), keep func(entitlement []byte, kind, n int)) error {
	if err := g.number(); err != nil {
		return err
	}
	order, err := g.rank()
	if err != nil {
		return err
	}
	entitled := make([]bool, g.entitlements.Len())
	for n := range entitled {
		id, _, _ := g.entitlement(n)
		_, entitled[n] = known.Find(id)
	}
	g.held = make([]int, len(g.ends))
	list := g.pool.List()
	var at reading
	last, kept := -1, 0 // the entitlement that grants are kept of, and how many so far
	tell := func() {
		if kept > 0 {
			id, kind, _ := g.entitlement(last)
			keep(id, kind, kept)
		}
	}
	err = g.sort(ctx, order, func(v grant, key []byte) error {
		switch {
		case g.unknown != nil && g.unknown[v.principal]:
			dropUnknown(g.row(&at, v))
			return nil
		case !entitled[v.entitlement]:
			dropDangling(g.row(&at, v))
			return nil
		case v.entitlement != last:
			tell()
			last, kept = v.entitlement, 0
		}
		kept++
		g.held[v.principal]++
		return list.Add(key)
	})
	if err != nil {
		return err
	}
	tell()
	g.added, g.sorted = nil, list
	return nil
}

// rank puts entitlements and principals in the order of their ids, and returns the order
// of each principal.
func (g *grants) rank() (order []int32, err error) {
	order = make([]int32, g.principals.Len())
	size := 0
	for n := range order {
		size += len(g.principals.Text(n))
	}
	if size > math.MaxUint32 {
		return nil, baton.Errorf(baton.Internal, "c1z: the ids of %d principals take %d bytes, which is more than can be told apart", len(order), size)
	}
	g.names, g.ends = make([]byte, 0, size), make([]uint32, 0, len(order))
	unknown := g.unknown
	if unknown != nil {
		g.unknown = make([]bool, 0, len(order))
	}
	alike := false // there are two with the same id and other parts: only whole ids tell
	err = g.inOrder(len(order), func(dst []byte, n int) []byte {
		id, _ := cutKind(g.principals.Text(n))
		return appendEscaped(dst, id)
	}, func(n int, same bool) {
		alike = alike || same
		order[n] = int32(len(g.ends))
		g.names = append(g.names, g.principals.Text(n)...)
		g.ends = append(g.ends, uint32(len(g.names)))
		if unknown != nil {
			g.unknown = append(g.unknown, unknown[n])
		}
	})
	if err != nil {
		return nil, err
	}
	g.principals.Clear()
	g.places = make([]int32, g.entitlements.Len())
	var first []byte // the id of the first one in the last place
	err = g.inOrder(len(g.places), func(dst []byte, n int) []byte {
		id, _, _ := g.entitlement(n)
		return append(appendEscaped(dst, id), ':')
	}, func(n int, _ bool) {
		id, _, _ := g.entitlement(n)
		if last := len(g.alone) - 1; last >= 0 && begins(id, first) {
			g.alone[last] = -1
		} else if g.alone, first = append(g.alone, int32(n)), id; alike {
			g.alone[last+1] = -1
		}
		g.places[n] = int32(len(g.alone) - 1)
	})
	return order, err
}

// inOrder calls fn with the numbers below count in the order of what appendText appends,
// and with whether that is the same as for the number before.
func (g *grants) inOrder(count int, appendText func(dst []byte, n int) []byte, fn func(n int, same bool)) error {
	s := g.pool.Sorter()
	for n := range count {
		g.key = append(appendText(g.key[:0], n), 0, keyEnd)
		g.key = binary.BigEndian.AppendUint32(g.key, uint32(n))
		if err := s.Add(g.key); err != nil {
			return err
		}
	}
	m, err := s.Merge()
	if err != nil {
		return err
	}
	for i := range count {
		key, shared, err := m.Next()
		if err != nil {
			return err
		}
		fn(int(binary.BigEndian.Uint32(key[len(key)-4:])), i > 0 && shared >= len(key)-4)
	}
	s.Release()
	return nil
}

// begins reports whether first is the id, or begins it with a colon behind.
func begins(id, first []byte) bool {
	return bytes.HasPrefix(id, first) && (len(id) == len(first) || id[len(first)] == ':')
}

// appendPlace appends the part of a key that says where a grant is; p is the order of the
// principal.
func (g *grants) appendPlace(dst []byte, e, p int) []byte {
	dst = g.appendBegin(dst, e)
	if g.alone[g.places[e]] >= 0 {
		return binary.BigEndian.AppendUint32(dst, uint32(p))
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

func (g *grants) appendKey(dst []byte, e, p int, tail []byte) []byte {
	dst = g.appendPlace(dst, e, p)
	if g.alone[g.places[e]] < 0 {
		dst = binary.BigEndian.AppendUint32(dst, uint32(e))
		dst = binary.BigEndian.AppendUint32(dst, uint32(p))
	}
	return append(dst, tail...)
}

// parse reads a key, whose memory the grant shares. Place is how many bytes of it the
// order goes by.
func (g *grants) parse(key []byte) (v grant, place int, err error) {
	if len(key) < 8 {
		return v, 0, badKey()
	}
	at := binary.BigEndian.Uint32(key)
	if at >= uint32(len(g.alone)) {
		return v, 0, badKey()
	}
	rest := key[8:]
	if v.entitlement = int(g.alone[at]); v.entitlement >= 0 {
		place = 8
		if v.principal = int(binary.BigEndian.Uint32(key[4:])); v.principal >= len(g.ends) {
			return v, 0, badKey()
		}
	} else {
		for place = 4; ; place += 2 {
			i := bytes.IndexByte(key[place:], 0)
			if i < 0 || place+i+2+8 > len(key) {
				return v, 0, badKey()
			}
			if place += i; key[place+1] == keyEnd {
				break
			}
		}
		place += 2
		numbers := key[place:]
		e, p := binary.BigEndian.Uint32(numbers), binary.BigEndian.Uint32(numbers[4:])
		if e >= uint32(len(g.places)) || p >= uint32(len(g.ends)) {
			return v, 0, badKey()
		}
		v.entitlement, v.principal, rest = int(e), int(p), numbers[8:]
	}
	shared, width := binary.Uvarint(rest)
	if width <= 0 || shared > uint64(len(g.given[v.entitlement].tail)) {
		return v, 0, badKey()
	}
	v.shared, v.rest = int(shared), rest[width:]
	return v, place, nil
}

// reading is what a row is put together in.
type reading struct{ id, data []byte }

// row is the whole grant. It shares the memory of the reading.
func (g *grants) row(in *reading, v grant) Row {
	id, kind := g.principal(v.principal)
	return g.rowTo(in, v, id, kind)
}

// rowTo is the whole grant to a principal.
func (g *grants) rowTo(in *reading, v grant, principal []byte, principalKind int) Row {
	id, kind, resource := g.entitlement(v.entitlement)
	in.id = append(append(in.id[:0], id...), ':')
	r := Row{Table: Grants, ends: [4]int{kind, resource, len(id), len(in.id) + principalKind}}
	in.id = append(in.id, principal...)
	in.data = append(append(in.data[:0], g.given[v.entitlement].tail[:v.shared]...), v.rest...)
	r.id, r.data = in.id, in.data
	return r
}

// grantReader reads sorted grants, several ahead: the texts of their principals lie far apart in
// memory, and are waited for together.
type grantReader struct {
	of     *grants
	cursor *extsort.Cursor
	ahead  []aheadGrant
	at     int
	rests  []byte
	room   reading
}

type aheadGrant struct {
	grant
	id   []byte // of the principal
	kind int
}

// next is the next grant, and the number of its principal, or io.EOF.
func (r *grantReader) next() (Row, int, error) {
	if r.at == len(r.ahead) {
		if err := r.read(); err != nil {
			return Row{}, 0, err
		}
	}
	v := &r.ahead[r.at]
	r.at++
	return r.of.rowTo(&r.room, v.grant, v.id, v.kind), v.principal, nil
}

func (r *grantReader) read() error {
	const most = 32
	r.ahead, r.at, r.rests = r.ahead[:0], 0, r.rests[:0]
	for len(r.ahead) < most {
		key, err := r.cursor.Next()
		if err == io.EOF && len(r.ahead) > 0 {
			break
		}
		if err != nil {
			return err
		}
		v, _, err := r.of.parse(key)
		if err != nil {
			return err
		}
		start := len(r.rests)
		r.rests = append(r.rests, v.rest...)
		v.rest = r.rests[start:]
		r.ahead = append(r.ahead, aheadGrant{grant: v})
	}
	for i := range r.ahead {
		v := &r.ahead[i]
		v.id, v.kind = r.of.principal(v.principal)
	}
	return nil
}

// dropSuperseded leaves out the grants whose principal holds one that ranks higher on the same
// resource. Drop is told of each.
func (g *grants) dropSuperseded(ctx context.Context, ranks map[string][]string, drop func(entitlement []byte, kind int)) error {
	list := g.pool.List()
	h := higher{of: g, entitlement: -1}
	err := g.sorted.Each(ctx, func(key []byte) error {
		v, _, err := g.parse(key)
		if err != nil {
			return err
		}
		superseded, err := h.holds(v, ranks)
		if err != nil {
			return err
		}
		if !superseded {
			return list.Add(key)
		}
		id, kind, _ := g.entitlement(v.entitlement)
		drop(id, kind)
		g.held[v.principal]--
		return nil
	})
	if err != nil {
		return err
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
