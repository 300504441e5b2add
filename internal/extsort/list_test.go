package extsort_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"baton/internal/extsort"
)

// TestSeek moves back and forth in a list, and reads a few keys in each place.
func TestSeek(t *testing.T) {
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 5))
		pool := extsort.NewPool(nil, t.TempDir(), 1<<20)
		defer pool.Close()
		var keys []string
		for range 1 + r.IntN(8_000) {
			key := fmt.Sprintf("%0*d", 1+r.IntN(3)*40, r.IntN(100_000))
			keys = append(keys, key+"\x01") // no key is a prefix of another
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
		list := pool.List()
		for _, key := range keys {
			if err := list.Add([]byte(key)); err != nil {
				t.Fatal(err)
			}
		}
		c, at := list.From(nil), 0
		for range 600 {
			switch r.IntN(3) {
			case 0: // near the current key
				at = min(max(at+r.IntN(7)-3, 0), len(keys)-1)
			case 1:
				at = r.IntN(len(keys))
			}
			from := keys[at]
			if r.IntN(2) == 0 {
				from = from[:1+r.IntN(len(from))]
			}
			c.Seek([]byte(from))
			at, _ = slices.BinarySearch(keys, from)
			for range r.IntN(6) {
				key, err := c.Next()
				if at == len(keys) {
					if err != io.EOF {
						t.Fatalf("seed %d: after the end %.20q, %v", seed, key, err)
					}
					break
				}
				if err != nil || string(key) != keys[at] {
					t.Fatalf("seed %d: from %.50q: %.50q, %v; want %.50q", seed, from, key, err, keys[at])
				}
				at++
			}
			at = min(at, len(keys)-1)
		}
	}
}
