package zblock

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// compress passes a content through a ring, in blocks of sizes that come one after the other.
func compress(e *Encoder, content []byte, sizes ...int) []byte {
	out := binary.LittleEndian.AppendUint32(nil, 0xfd2fb528)
	out = append(out, 0, (20-10)<<3)
	for i := 0; len(content) > 0; i++ {
		n := min(sizes[i%len(sizes)], len(content), len(e.ring)-e.at)
		copy(e.ring[e.at:], content[:n])
		content = content[n:]
		out = e.Append(out, n)
	}
	return AppendEnd(out)
}

func check(t *testing.T, e *Encoder, content []byte, sizes ...int) (compressed []byte) {
	t.Helper()
	compressed = compress(e, content, sizes...)
	got, err := decoder.DecodeAll(compressed, nil)
	if err != nil {
		t.Fatalf("%d bytes are %d compressed: %v", len(content), len(compressed), err)
	}
	if !bytes.Equal(got, content) {
		t.Fatalf("%d bytes became %d others", len(content), len(got))
	}
	return compressed
}

var decoder = func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return d
}()

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// rows are like the pages of a table: much of a row is what was there before.
func rows(r *rand.Rand, n int) (b []byte) {
	kind := "course:"
	for i := 0; len(b) < n; i++ {
		if i%50 == 0 {
			kind = fmt.Sprintf("course:%016x:", r.Uint64())
		}
		id := fmt.Sprintf("%016x", r.Uint64())
		b = binary.BigEndian.AppendUint16(b, uint16(i))
		b = append(b, kind+"user:"+id+kind+"\x08"+id+"2026-01-02 15:04:05"...)
		if i%7 == 0 {
			b = append(b, make([]byte, r.IntN(2000))...)
		}
	}
	return b[:n]
}

// pieces are made of what was there before, from any place and of any length, and of noise
// between.
func pieces(r *rand.Rand, n, symbols int) (b []byte) {
	for len(b) < n {
		for range r.IntN(1 << r.IntN(12)) {
			b = append(b, byte(r.IntN(symbols)))
		}
		for range r.IntN(30) {
			if far := min(len(b), 1+r.IntN(1<<(1+r.IntN(21)))); far > 0 {
				for range 1 + r.IntN(1<<r.IntN(14)) {
					b = append(b, b[len(b)-far])
				}
			}
		}
	}
	return b[:n]
}

// TestBlocks: package zstd reads what comes out, whatever goes in.
func TestBlocks(t *testing.T) {
	for name, content := range map[string]func(r *rand.Rand, n int) []byte{
		"noise":   noise,
		"zeros":   func(_ *rand.Rand, n int) []byte { return make([]byte, n) },
		"rows":    rows,
		"pieces":  func(r *rand.Rand, n int) []byte { return pieces(r, n, 256) },
		"letters": func(r *rand.Rand, n int) []byte { return pieces(r, n, 20) },
		"two":     func(r *rand.Rand, n int) []byte { return pieces(r, n, 2) },
		"by turns": func(r *rand.Rand, n int) (b []byte) {
			for len(b) < n {
				b = append(append(b, noise(r, 200_000)...), rows(r, 300_000)...)
			}
			return b[:n]
		},
		"far apart": func(r *rand.Rand, n int) []byte {
			return bytes.Repeat(noise(r, Window-1), n/(Window-1)+1)[:n]
		},
		"too far apart": func(r *rand.Rand, n int) []byte {
			return bytes.Repeat(noise(r, Window), n/Window+1)[:n]
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 8))
			for n := range 40 {
				check(t, New(new([Ring]byte)), content(r, n), BlockSize)
			}
			for _, n := range []int{4096, BlockSize - 1, BlockSize, BlockSize + 1, 3*Window + 77, 3 * Ring} {
				b := content(r, n)
				check(t, New(new([Ring]byte)), b, BlockSize)
				if n > 4096 {
					check(t, New(new([Ring]byte)), b, 4096, 1+r.IntN(BlockSize), 8192, 1+r.IntN(64))
				}
			}
		})
	}
}

// TestSmaller holds what comes out against package zstd's at its fastest.
func TestSmaller(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	content := rows(r, 16<<20)
	got := len(check(t, New(new([Ring]byte)), content, BlockSize))
	var want bytes.Buffer
	w, err := zstd.NewWriter(&want, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(Window))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got > want.Len()*102/100 {
		t.Errorf("%d bytes are %d compressed, and %d by the other", len(content), got, want.Len())
	}
}

// TestLastCode: a code that the reader was not told of is not used again, be it that literals
// hardly became shorter by it, or that the block did not.
func TestLastCode(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	ring := new([Ring]byte)
	for range 6000 {
		// The same letters in other orders have the same code, which is worth more when it
		// need not be written.
		often, most := 1+r.IntN(3), 20+r.IntN(200)
		letters := make([]byte, 30+r.IntN(300))
		for i := range letters {
			letters[i] = byte(min(r.IntN(most), r.IntN(most*often)))
		}
		var b []byte
		var sizes []int
		for range 8 {
			start := len(b)
			r.Shuffle(len(letters), func(i, j int) { letters[i], letters[j] = letters[j], letters[i] })
			b = append(b, letters...)
			for range r.IntN(4) { // matches, which are hardly worth it when they are short
				at := start + r.IntN(len(b)-start-6)
				b = append(append(b, b[at:at+4+r.IntN(2)]...), letters[r.IntN(len(letters))])
			}
			b = append(b, letters[:margin]...)
			sizes = append(sizes, len(b)-start)
		}
		check(t, New(ring), b, sizes...)
	}
}

// TestTables: shares of every kind are read as they were meant.
func TestTables(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for range 20_000 {
		var c coder
		total := 0
		for range 2 + r.IntN(52) {
			s := r.IntN(53)
			n := 1 + r.IntN(1<<r.IntN(15))
			c.count[s] += uint32(n)
			total += n
		}
		if c.count[52] == uint32(total) || c.count[0] == uint32(total) {
			continue
		}
		different := 0
		for _, n := range c.count {
			if n > 0 {
				different++
			}
		}
		if different < 2 {
			continue
		}
		c.build(total)
		sum := int32(0)
		for s, share := range c.share[:c.used] {
			if sum += share; (share > 0) != (c.count[s] > 0) {
				t.Fatalf("%d of %d are a share of %d", c.count[s], total, share)
			}
		}
		if sum != 1<<c.log {
			t.Fatalf("shares are %d, not %d", sum, 1<<c.log)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	e := New((*[Ring]byte)(rows(r, Ring)))
	out := make([]byte, 0, 2*Ring)
	for range 64 {
		e.Append(out, BlockSize)
	}
	if n := testing.AllocsPerRun(64, func() { e.Append(out, BlockSize) }); n > 1 {
		t.Errorf("%v allocations for a block", n)
	}
}

func FuzzBlocks(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, []byte("some text, some more text, some text"), uint32(seed*70_000), uint32(1+seed*9_999))
	}
	ring := new([Ring]byte)
	f.Fuzz(func(t *testing.T, seed uint64, text []byte, size, block uint32) {
		r := rand.New(rand.NewPCG(seed, 0))
		content := bytes.Clone(text)
		for n := int(size % (3 << 19)); len(content) < n; {
			switch r.IntN(4) {
			case 0:
				content = append(content, text...)
			case 1:
				content = append(content, pieces(r, r.IntN(20_000), 1+r.IntN(256))...)
			case 2:
				content = append(content, content[r.IntN(len(content)+1):]...)
			case 3:
				content = append(content, rows(r, r.IntN(20_000))...)
			}
		}
		check(t, New(ring), content[:min(len(content), 6<<20)], 1+int(block%BlockSize))
	})
}

func BenchmarkAppend(b *testing.B) {
	e := New((*[Ring]byte)(rows(rand.New(rand.NewPCG(19, 20)), Ring)))
	out := make([]byte, 0, 2*BlockSize)
	b.SetBytes(BlockSize)
	for b.Loop() {
		e.Append(out, BlockSize)
	}
}
