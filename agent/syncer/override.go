package syncer

import (
	"baton/c1z/writer"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"

	"baton"
)

// Override allows one held sync, and others only as far as they are similar. It is void once
// another sync has become the previous one, so it can stay set. It contains hashes and
// counts, and no secrets.
//
// Its text is, in base64url: a version; a hash of the id of the previous sync; for each
// subject that ran short its table, a hash of its name, how many of how many rows were
// left, and hashes of some of the missing ids; for each subject of the held sync its table,
// a hash of its name and its count; and the beginning of the SHA-256 of all this.
type Override struct {
	text     string
	previous [8]byte
	items    []overrideItem
	totals   map[overrideKey]int
}

// overrideKey is a subject with the hash of its name.
type overrideKey struct {
	table writer.Table
	name  [4]byte
}

type overrideItem struct {
	overrideKey
	now, before int
	gone        [][3]byte
}

const (
	overrideVersion = 2
	overrideSample  = 6 // hashes of missing ids in an item
	overrideCheck   = 3 // bytes of the checksum
	maxOverride     = 4 << 10
	maxOverrides    = 16
)

// IsZero reports whether there is no override.
func (o Override) IsZero() bool { return o.text == "" }

// String returns the text that ParseOverrides parses.
func (o Override) String() string { return o.text }

// newOverride returns the override for a held sync with these totals and shortfalls.
func newOverride(previous string, short []shortfall, totals map[subject]int) Override {
	o := Override{previous: hash8(previous), totals: map[overrideKey]int{}}
	b := append([]byte{overrideVersion}, o.previous[:]...)
	key := func(k overrideKey) {
		b = append(append(b, byte(k.table)), k.name[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(short)))
	for _, f := range short {
		i := overrideItem{overrideKey: f.key(), now: f.now, before: f.before}
		for _, id := range f.sample[:min(len(f.sample), overrideSample)] {
			i.gone = append(i.gone, hash3(id))
		}
		o.items = append(o.items, i)
		key(i.overrideKey)
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(i.now)), uint64(i.before))
		b = append(b, byte(len(i.gone)))
		for _, h := range i.gone {
			b = append(b, h[:]...)
		}
	}
	for _, of := range sortedSubjects(totals) {
		o.totals[of.key()] = totals[of]
		key(of.key())
		b = binary.AppendUvarint(b, uint64(totals[of]))
	}
	sum := sha256.Sum256(b)
	o.text = base64.RawURLEncoding.EncodeToString(append(b, sum[:overrideCheck]...))
	return o
}

// ParseOverrides parses overrides that are separated by commas or blanks.
func ParseOverrides(text string) (list []Override, err error) {
	texts := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' })
	if len(texts) > maxOverrides {
		return nil, baton.Errorf(baton.Invalid, "there are %d overrides, more than %d", len(texts), maxOverrides).WithFix("Leave out those that were used.")
	}
	for _, text := range texts {
		o, ok := parseOverride(text)
		if !ok {
			return nil, baton.Errorf(baton.Invalid, "this is not the override of a held sync").
				WithFix("Copy it whole from the message that said the sync is held; one from another version of this program is not accepted.")
		}
		list = append(list, o)
	}
	return list, nil
}

func parseOverride(text string) (Override, bool) {
	if len(text) > maxOverride {
		return Override{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+overrideCheck || b[0] != overrideVersion {
		return Override{}, false
	}
	body, check := b[:len(b)-overrideCheck], b[len(b)-overrideCheck:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:overrideCheck], check) {
		return Override{}, false
	}
	r := &overrideReader{Reader: bytes.NewReader(body[1:])}
	o := Override{text: text, totals: map[overrideKey]int{}}
	r.fill(o.previous[:])
	for n := r.number(); n > 0 && !r.bad; n-- {
		o.items = append(o.items, r.item())
	}
	for !r.bad && r.Len() > 0 {
		k := r.key()
		o.totals[k] = r.number()
	}
	return o, !r.bad
}

// overrideReader reads the parts of an override. Once a part is missing or invalid, bad is
// set and all further parts are zero.
type overrideReader struct {
	*bytes.Reader
	bad bool
}

func (r *overrideReader) fill(b []byte) {
	if n, _ := r.Read(b); n < len(b) {
		r.bad = true
	}
}

func (r *overrideReader) number() int {
	n, err := binary.ReadUvarint(r)
	if err != nil || n > 1<<40 {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *overrideReader) key() (k overrideKey) {
	table, _ := r.ReadByte()
	k.table = writer.Table(table)
	r.fill(k.name[:])
	return k
}

func (r *overrideReader) item() (i overrideItem) {
	i.overrideKey, i.now, i.before = r.key(), r.number(), r.number()
	n, err := r.ReadByte()
	if err != nil || n > overrideSample {
		r.bad = true
		return i
	}
	i.gone = make([][3]byte, n)
	for k := range i.gone {
		r.fill(i.gone[k][:])
	}
	return i
}

// allows reports whether a sync with these totals and shortfalls may be sealed. It must be
// about as large as the held sync.
func (o Override) allows(previous string, short []shortfall, totals map[subject]int, maxRemovals int) bool {
	if o.IsZero() || o.previous != hash8(previous) {
		return false
	}
	held, ok := o.totalsOf(totals)
	for of, before := range held {
		ok = ok && (of.table == floorTable || bearableSince(before-totals[of], before, maxRemovals))
	}
	return ok && !slices.ContainsFunc(short, func(f shortfall) bool { return !o.covers(f, held, totals, maxRemovals) })
}

// covers reports whether a shortfall was one of the held sync as well: the same rows are
// gone, and few of those that were left then.
func (o Override) covers(f shortfall, held, totals map[subject]int, maxRemovals int) bool {
	at := slices.IndexFunc(o.items, func(i overrideItem) bool { return i.overrideKey == f.key() })
	if at < 0 {
		return false
	}
	item := o.items[at]
	switch f.table {
	case floorTable:
		return f.now >= item.now
	case previousSync.table:
		for of, before := range held {
			if of.table == floorTable && totals[of] < before {
				return false
			}
		}
		return true
	}
	left := f.before - (item.before - item.now)
	return sameGone(item.gone, f.sample) && bearableSince(left-f.now, left, maxRemovals)
}

// totalsOf returns the counts of the held sync for the subjects. It fails when they are of
// resource types that the held sync did not have.
func (o Override) totalsOf(totals map[subject]int) (held map[subject]int, ok bool) {
	held = map[subject]int{}
	for of := range totals {
		n, known := o.totals[of.key()]
		if !known && of.table != floorTable {
			return nil, false
		}
		held[of] = n
	}
	return held, len(held) > 0
}

// bearableSince reports whether so many of the rows that were left in the held sync may be
// gone.
func bearableSince(more, left, maxRemovals int) bool {
	return more <= 0 || more < left && more*100 <= left*maxRemovals
}

// sameGone reports whether at least half of the ids in an override are missing again. Without a comparison of
// rows there are no ids.
func sameGone(known [][3]byte, sample []string) bool {
	if len(known) == 0 && len(sample) == 0 {
		return true
	}
	same := 0
	for _, id := range sample {
		if slices.Contains(known, hash3(id)) {
			same++
		}
	}
	return same*2 >= len(known) && same > 0
}

func (of subject) key() overrideKey {
	sum := sha256.Sum256([]byte("name " + of.name))
	return overrideKey{of.table, [4]byte(sum[:4])}
}

func hash8(s string) [8]byte {
	sum := sha256.Sum256([]byte("previous " + s))
	return [8]byte(sum[:8])
}

func hash3(s string) [3]byte {
	sum := sha256.Sum256([]byte("gone " + s))
	return [3]byte(sum[:3])
}
