package extsort_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestQueue reads keys of all sizes, some empty or equal, in the order in which they were added, and again
// while more are added.
func TestQueue(t *testing.T) {
	p := pool(t, 0)
	r := rand.New(rand.NewPCG(1, 7))
	q, other := p.Queue(), p.Queue()
	var want [][]byte
	read := func() {
		t.Helper()
		n := 0
		err := q.Each(t.Context(), func(key []byte) error {
			if n >= len(want) || !bytes.Equal(key, want[n]) {
				return fmt.Errorf("key %d is %.40q", n, key)
			}
			n++
			return nil
		})
		if err != nil || n != len(want) {
			t.Fatalf("%d keys, %v; want %d", n, err, len(want))
		}
	}
	read()
	for n := range 30_000 {
		key := []byte(fmt.Sprint(r.IntN(1000)))
		switch r.IntN(1000) {
		case 0:
			key = nil
		case 1:
			key = bytes.Repeat(key, 20_000) // more than a chunk
		}
		want = append(want, bytes.Clone(key))
		if err := errors.Join(q.Add(key), other.Add([]byte("other"))); err != nil {
			t.Fatal(err)
		}
		clear(key) // it is not kept
		if n%7_000 == 0 {
			read()
		}
	}
	read()
	stop := errors.New("stop")
	if err := q.Each(t.Context(), func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("what the caller failed with: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Each(ctx, func([]byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context has ended: %v", err)
	}
}
