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

// grants puts the grants of the new sync in the order of their external ids. A tenant has many
// more grants than entitlements and principals, so a grant is stored as two numbers and a tail.
//
// While grants are added, entitlements and principals get numbers as they appear, and grants go
// to a queue. After the last one, entitlements and principals are ranked by their ids, and the
// grants are sorted in [partitions] and listed as keys. Usually the id of an entitlement,
// with a colon, does not begin the id of another one. Its place in the order is its own, and its
// grants are in the order of their principals:
//
//	place of the entitlement (4 bytes, big-endian)
//	rank of the principal (4 bytes, big-endian)
//	tail
//
// Where one id begins another, the entitlements share a place, their grants are mixed, and the
// keys contain whole ids:
//
//	place; external id, each zero byte followed by 0xff; 0x00 0x01
//	number of the entitlement, rank of the principal (4 bytes each, big-endian)
//	tail
//
// The tail is the part of the encoding of a grant after its id. It is stored as the number of bytes
// (an unsigned varint) that it shares with the tail of the entitlement's first grant, and the
// bytes that differ.
type grants struct {
	pool                     *extsort.Pool
	entitlements, principals intern.Table
	given                    []given // by number of the entitlement
	unknown                  []bool  // by number of the principal, then by rank; nil when all are known
	pending                  pending
	added                    *extsort.Queue
	sorted                   *extsort.List // nil before sortAll

	places []int32 // by number of the entitlement
	alone  []int32 // by place: the number of the entitlement, -1 if several share it
	// The ids of principals in the order of their ranks, one after the other. They replace the
	// table of principals once that is ranked.
	names []byte
	ends  []uint32

	held []int // by rank of the principal: how many grants it holds

	key []byte // for reuse
}

// given describes the grants of an entitlement.
type given struct {
	tail []byte // the beginning of the first one's tail
	n    int    // how many were added
}

const maxShared = 512 // bytes of a first tail that are kept

func newGrants(pool *extsort.Pool) *grants { return &grants{pool: pool, added: pool.Queue()} }

// grant is a grant as numbers, and its tail.
type grant struct {
	entitlement, principal int // number of the entitlement, rank of the principal
	shared                 int
	rest                   []byte
}

// dropUnknownPrincipals makes sortAll drop the grants of unknown principals. No grant may be
// pending.
func (g *grants) dropUnknownPrincipals(known func(kind, id []byte) bool) {
	g.unknown = make([]bool, g.principals.Len())
	for n := range g.unknown {
		id, kind := cutKind(g.principals.Text(n))
		g.unknown[n] = !known(id[:kind], id[kind+1:])
	}
}

// appendEntitlement appends what identifies an entitlement: where the first two parts of its id
// end, and the id.
func appendEntitlement(dst []byte, kind, resource int, id []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(kind))
	dst = binary.AppendUvarint(dst, uint64(resource))
	return append(dst, id...)
}

// entitlement returns the id of an entitlement, and where its first two parts end.
func (g *grants) entitlement(n int) (id []byte, kind, resource int) {
	b := g.entitlements.Text(n)
	k, width := binary.Uvarint(b)
	b = b[width:]
	r, width := binary.Uvarint(b)
	return b[width:], int(k), int(r)
}

// principal returns the id of a principal by its rank, and where its type ends.
func (g *grants) principal(n int) (id []byte, kind int) {
	start := uint32(0)
	if n > 0 {
		start = g.ends[n-1]
	}
	return cutKind(g.names[start:g.ends[n]])
}

// cutKind splits the text of a principal into the length of its type and its id.
func cutKind(b []byte) (id []byte, kind int) {
	k, width := binary.Uvarint(b)
	return b[width:], int(k)
}

// find returns the number of an entitlement that has grants.
func (g *grants) find(e baton.EntitlementID) (n int, ok bool) {
	kind := len(e.Resource.Type)
	return g.entitlements.Find(appendEntitlement(nil, kind, kind+1+len(e.Resource.ID), []byte(e.String())))
}

// sortAll sorts the grants and removes duplicates. It calls dropUnknown for each grant that is
// dropped because of its principal, dropDangling for each other one whose entitlement is not in
// known, and keep with the number of grants that remain of an entitlement.
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
	last, kept := -1, 0 // the last entitlement, and how many grants remain of it
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

// rank puts entitlements and principals in the order of their ids, and returns the rank of each
// principal by its number.
func (g *grants) rank() (order []int32, err error) {
	order = make([]int32, g.principals.Len())
	size := 0
	for n := range order {
		size += len(g.principals.Text(n))
	}
	if size > math.MaxUint32 {
		return nil, baton.Errorf(baton.Internal, "c1z: the ids of %d principals take %d bytes, the limit is 4 GiB", len(order), size)
	}
	g.names, g.ends = make([]byte, 0, size), make([]uint32, 0, len(order))
	unknown := g.unknown
	if unknown != nil {
		g.unknown = make([]bool, 0, len(order))
	}
	alike := false // two principals have the same joined id: then keys contain whole ids
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
	var first []byte // id of the entitlement that began the current place
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

// inOrder calls fn with the numbers below count, in the order of the texts that appendText
// appends for them, and with whether the text is that of the previous number, too.
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

// begins reports whether id is first, or begins with first and a colon.
func begins(id, first []byte) bool {
	return bytes.HasPrefix(id, first) && (len(id) == len(first) || id[len(first)] == ':')
}

// appendPlace appends the part of a key that the order depends on, for an entitlement by its
// number and a principal by its rank.
func (g *grants) appendPlace(dst []byte, e, p int) []byte {
	dst = g.appendBegin(dst, e)
	if g.alone[g.places[e]] >= 0 {
		return binary.BigEndian.AppendUint32(dst, uint32(p))
	}
	id, _ := g.principal(p)
	return append(appendEscaped(dst, id), 0, keyEnd)
}

// appendBegin appends the common prefix of the keys of an entitlement's grants. Grants of other
// entitlements at the same place may have it, too.
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

// parse parses a key. The grant shares its memory. Place is the length of the part of the key
// that the order depends on.
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

// reading is memory that rows are assembled in.
type reading struct{ id, data []byte }

// row returns the row of a grant. It is in the memory of the reading.
func (g *grants) row(in *reading, v grant) Row {
	id, kind := g.principal(v.principal)
	return g.rowTo(in, v, id, kind)
}

// rowTo is row, for a principal that was looked up.
func (g *grants) rowTo(in *reading, v grant, principal []byte, principalKind int) Row {
	id, kind, resource := g.entitlement(v.entitlement)
	in.id = append(append(in.id[:0], id...), ':')
	r := Row{Table: Grants, ends: [4]int{kind, resource, len(id), len(in.id) + principalKind}}
	in.id = append(in.id, principal...)
	in.data = append(append(in.data[:0], g.given[v.entitlement].tail[:v.shared]...), v.rest...)
	r.id, r.data = in.id, in.data
	return r
}

// grantReader reads sorted grants, 32 at a time: the ids of their principals are far apart in
// memory, and looking them up together hides cache misses.
type grantReader struct {
	of     *grants
	cursor *extsort.Cursor
	ahead  []aheadGrant
	at     int
	rests  []byte
	row    reading
}

type aheadGrant struct {
	grant
	id   []byte // of the principal
	kind int
}

// next returns the next grant and the rank of its principal, or io.EOF.
func (r *grantReader) next() (Row, int, error) {
	if r.at == len(r.ahead) {
		if err := r.read(); err != nil {
			return Row{}, 0, err
		}
	}
	v := &r.ahead[r.at]
	r.at++
	return r.of.rowTo(&r.row, v.grant, v.id, v.kind), v.principal, nil
}

func (r *grantReader) read() error {
	const batch = 32
	r.ahead, r.at, r.rests = r.ahead[:0], 0, r.rests[:0]
	for len(r.ahead) < batch {
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

// dropSuperseded drops the grants whose principal holds a higher one on the same resource, and
// calls drop for each.
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

// higher finds higher grants while a list is read in order. The grants of each slug of a resource
// are in the order of their principals, so a cursor per higher slug moves along.
type higher struct {
	of          *grants
	entitlement int // that the cursors belong to; -1 at first
	beside      []*beside
	used        int    // of these
	place       []byte // for reuse
}

// beside reads the grants of a higher entitlement.
type beside struct {
	entitlement int
	cursor      *extsort.Cursor
	place       []byte // of the next grant; nil after the last one
}

// holds reports whether the principal of the grant also holds a higher one.
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
				continue // it has no grants
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
