package extsort_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"

	"baton"
	"baton/internal/disk/disktest"
	"baton/internal/extsort"
)

func pool(t testing.TB, memory int) *extsort.Pool {
	p := extsort.NewPool(nil, t.TempDir(), memory)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func collect(t testing.TB, s *extsort.Sorter) (keys []string) {
	t.Helper()
	m, err := s.Merge()
	if err != nil {
		t.Fatal(err)
	}
	last := []byte(nil)
	for {
		key, shared, err := m.Next()
		if err == io.EOF {
			return keys
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for n < len(last) && n < len(key) && last[n] == key[n] {
			n++
		}
		if len(keys) > 0 && shared != n {
			t.Fatalf("%q shares %d bytes with %q, not %d", key, n, last, shared)
		}
		last = append(last[:0], key...)
		keys = append(keys, string(key))
	}
}

// TestOrders sorts input in many orders, in memory and beyond, with two sorters at the same time.
func TestOrders(t *testing.T) {
	const n = 5000
	r := rand.New(rand.NewPCG(1, 2))
	ascending := make([]string, n)
	for i := range ascending {
		ascending[i] = fmt.Sprintf("some prefix %08d and %x", i, r.Uint64()>>r.IntN(64))
	}
	shuffle := func(keys []string) { r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] }) }
	for name, disorder := range map[string]func([]string){
		"ascending":       func([]string) {},
		"descending":      func(keys []string) { slices.Reverse(keys) },
		"none":            shuffle,
		"a few misplaced": func(keys []string) { shuffle(keys[100:120]); shuffle(keys[4000:4010]) },
		"in two halves":   func(keys []string) { copy(keys, slices.Concat(keys[n/2:], keys[:n/2])) },
		"by turns": func(keys []string) {
			var out []string
			for i := range n / 20 {
				for j := range 20 {
					out = append(out, keys[j*n/20+i])
				}
			}
			copy(keys, out)
		},
		"each twice": func(keys []string) { copy(keys[n/2:], keys); shuffle(keys) },
		"long ones": func(keys []string) {
			for i := range keys[:20] {
				keys[i] += string(bytes.Repeat([]byte("x"), 100_000))
			}
			shuffle(keys)
		},
	} {
		for _, memory := range []int{0, 100_000, 16 << 20} {
			t.Run(fmt.Sprint(name, " ", memory), func(t *testing.T) {
				keys := slices.Clone(ascending)
				disorder(keys)
				p := pool(t, memory)
				a, b := p.Sorter(), p.Sorter()
				for i, key := range keys {
					if err := a.Add([]byte(key)); err != nil {
						t.Fatal(err)
					}
					if i%3 == 0 {
						if err := b.Add([]byte(key)); err != nil {
							t.Fatal(err)
						}
					}
				}
				var third []string
				for i := 0; i < len(keys); i += 3 {
					third = append(third, keys[i])
				}
				slices.Sort(keys)
				slices.Sort(third)
				if a.Len() != n || !slices.Equal(collect(t, a), keys) {
					t.Error("out of order")
				}
				a.Release()
				if !slices.Equal(collect(t, b), third) {
					t.Error("the second one is out of order")
				}
			})
		}
	}
}

func TestNothing(t *testing.T) {
	if keys := collect(t, pool(t, 0).Sorter()); keys != nil {
		t.Errorf("%q", keys)
	}
	if _, err := pool(t, 0).List().From(nil).Next(); err != io.EOF {
		t.Error(err)
	}
}

// TestList starts reading at every key, with several cursors at a time.
func TestList(t *testing.T) {
	l := pool(t, 0).List()
	const n = 20_000
	key := func(i int) []byte { return fmt.Appendf(nil, "%06d %s", i, bytes.Repeat([]byte{'x'}, i%300)) }
	for i := range n {
		if err := l.Add(key(2 * i)); err != nil {
			t.Fatal(err)
		}
	}
	all := l.From(nil)
	for i := range n {
		got, err := all.Next()
		if err != nil || !bytes.Equal(got, key(2*i)) {
			t.Fatalf("%d: %.20q, %v", i, got, err)
		}
		if i%7 > 0 {
			continue
		}
		for _, from := range []int{2*i - 1, 2 * i} {
			c := l.From(fmt.Appendf(nil, "%06d", max(from, 0)))
			for j := i; j < min(i+3, n); j++ {
				if got, err := c.Next(); err != nil || !bytes.Equal(got, key(2*j)) {
					t.Fatalf("from %d: %.20q, %v", from, got, err)
				}
			}
		}
	}
	if _, err := all.Next(); err != io.EOF {
		t.Error(err)
	}
	if _, err := l.From([]byte("1")).Next(); err != io.EOF {
		t.Error(err)
	}
}

// TestTrouble fails each access to the scratch file in turn.
func TestTrouble(t *testing.T) {
	for _, op := range []disktest.Op{disktest.Open, disktest.Read, disktest.Write} {
		failures := 0
		for n := 1; ; n++ {
			dir := t.TempDir()
			fsys, err := disktest.New(dir, disktest.Fault{Op: op, Nth: n, Err: syscall.ENOSPC})
			if err != nil {
				t.Fatal(err)
			}
			p := extsort.NewPool(fsys, dir, 50_000)
			err = sortSome(p)
			if e := p.Close(); e != nil {
				t.Error(e)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if err == nil {
				break
			}
			failures++
			if !errors.Is(err, syscall.ENOSPC) || baton.KindOf(err) != baton.Storage {
				t.Fatal(err)
			}
		}
		if failures < 1 {
			t.Errorf("%s never failed", op)
		}
	}
}

func sortSome(p *extsort.Pool) error {
	r := rand.New(rand.NewPCG(3, 4))
	s := p.Sorter()
	for range 10_000 {
		if err := s.Add(fmt.Appendf(nil, "%016x", r.Uint64())); err != nil {
			return err
		}
	}
	m, err := s.Merge()
	if err != nil {
		return err
	}
	for {
		if _, _, err := m.Next(); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}
