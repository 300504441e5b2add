package syncer

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/c1z"
)

// Pass names a sync that was held, by what it showed gone, and lets one like it
// through. It says all that it needs, so that any replica can honour it; it holds
// hashes and counts, and nothing secret. It is no standing exception: once a sync has
// passed, the sync before is a newer one than the hold, and the pass is void.
//
// Its text is, in base64url: a version, when the sync was held, and for each thing that
// ran short its table, a hash of its name, how much is left of how much, and hashes of
// some of the ids that are gone; then the beginning of the SHA-256 of all this.
type Pass struct {
	text  string
	held  time.Time
	items []passItem
}

type passItem struct {
	table       c1z.Table
	name        [4]byte
	now, before int
	gone        [][3]byte
}

const (
	passVersion = 1
	passSample  = 6 // of the ids that are gone
	passCheck   = 3 // bytes against slips
	maxPass     = 4 << 10
)

// IsZero reports whether there is no pass.
func (p Pass) IsZero() bool { return p.text == "" }

// String is the text that ParsePass takes.
func (p Pass) String() string { return p.text }

// passFor names the sync that shows this short.
func passFor(short []shortfall, now time.Time) Pass {
	p := Pass{held: now.UTC()}
	b := binary.AppendUvarint([]byte{passVersion}, uint64(p.held.UnixMicro()))
	for _, f := range short {
		i := passItem{table: f.table, name: hash4(f.name), now: f.now, before: f.before}
		for _, id := range f.sample[:min(len(f.sample), passSample)] {
			i.gone = append(i.gone, hash3(id))
		}
		p.items = append(p.items, i)
		b = append(append(b, byte(i.table)), i.name[:]...)
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(i.now)), uint64(i.before))
		b = append(b, byte(len(i.gone)))
		for _, h := range i.gone {
			b = append(b, h[:]...)
		}
	}
	sum := sha256.Sum256(b)
	p.text = base64.RawURLEncoding.EncodeToString(append(b, sum[:passCheck]...))
	return p
}

// ParsePass reads the text of a pass; none is the zero Pass.
func ParsePass(text string) (Pass, error) {
	if text = strings.TrimSpace(text); text == "" {
		return Pass{}, nil
	}
	bad := baton.Errorf(baton.Invalid, "this is not the pass of a sync that was held").
		WithFix("Copy it whole from the message that said the sync is held.")
	if len(text) > maxPass || strings.ContainsAny(text, "\r\n") { // which base64 would skip
		return Pass{}, bad
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+passCheck || b[0] != passVersion {
		return Pass{}, bad
	}
	body, check := b[:len(b)-passCheck], b[len(b)-passCheck:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:passCheck], check) {
		return Pass{}, bad
	}
	r := bytes.NewReader(body[1:])
	micros, err := binary.ReadUvarint(r)
	if err != nil || micros > 1<<60 {
		return Pass{}, bad
	}
	p := Pass{text: text, held: time.UnixMicro(int64(micros)).UTC()}
	for r.Len() > 0 {
		i, ok := readItem(r)
		if !ok {
			return Pass{}, bad
		}
		p.items = append(p.items, i)
	}
	return p, nil
}

func readItem(r *bytes.Reader) (i passItem, ok bool) {
	table, _ := r.ReadByte()
	i.table = c1z.Table(table)
	if n, _ := r.Read(i.name[:]); n < len(i.name) {
		return i, false
	}
	now, err1 := binary.ReadUvarint(r)
	before, err2 := binary.ReadUvarint(r)
	n, err3 := r.ReadByte()
	if err1 != nil || err2 != nil || err3 != nil || n > passSample || now > 1<<40 || before > 1<<40 {
		return i, false
	}
	i.now, i.before = int(now), int(before)
	i.gone = make([][3]byte, n)
	for k := range i.gone {
		if n, _ := r.Read(i.gone[k][:]); n < len(i.gone[k]) {
			return i, false
		}
	}
	return i, true
}

// covers reports whether what runs short is what the pass was made for: the same rows
// are gone, and of what was left then no more than a tenant loses as time goes by. The
// sync before must be older than the hold.
func (p Pass) covers(f shortfall, previous time.Time, maxRemovals int) bool {
	if p.IsZero() || previous.After(p.held) {
		return false
	}
	at := slices.IndexFunc(p.items, func(i passItem) bool { return i.table == f.table && i.name == hash4(f.name) })
	if at < 0 {
		return false
	}
	item := p.items[at]
	if f.table == floor {
		return f.now >= item.now
	}
	left := f.before - (item.before - item.now)
	more := left - f.now
	return sameGone(item.gone, f.sample) && (more <= 0 || more < left && more*100 <= left*maxRemovals)
}

// sameGone reports whether at least half of the ids that a pass knows are gone again.
func sameGone(known [][3]byte, sample []string) bool {
	same := 0
	for _, id := range sample {
		if slices.Contains(known, hash3(id)) {
			same++
		}
	}
	return same*2 >= len(known) && same > 0
}

func hash4(s string) (h [4]byte) {
	sum := sha256.Sum256([]byte("name " + s))
	copy(h[:], sum[:])
	return h
}

func hash3(s string) (h [3]byte) {
	sum := sha256.Sum256([]byte("gone " + s))
	copy(h[:], sum[:])
	return h
}
