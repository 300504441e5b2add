package intern_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"baton/internal/intern"
)

func TestTable(t *testing.T) {
	var table intern.Table
	if _, ok := table.Find([]byte("a")); ok {
		t.Error("an empty table has a string")
	}
	text := func(n int) string {
		switch {
		case n == 0:
			return ""
		case n%1000 == 1:
			return strings.Repeat("long", 30_000) + fmt.Sprint(n) // more than a block
		}
		return fmt.Sprint(n, "\x00é")
	}
	const count = 5_000
	buf := []byte{}
	for n := range count {
		buf = append(buf[:0], text(n)...)
		if got, fresh := table.Add(buf); got != n || !fresh {
			t.Fatalf("string %d: number %d, fresh %v", n, got, fresh)
		}
		clear(buf) // it is not kept
	}
	for n := range count {
		if got, fresh := table.Add([]byte(text(n))); got != n || fresh {
			t.Fatalf("string %d again: number %d, fresh %v", n, got, fresh)
		}
		if got, ok := table.Find([]byte(text(n))); got != n || !ok {
			t.Fatalf("string %d: found %d, %v", n, got, ok)
		}
		if got := table.Text(n); string(got) != text(n) {
			t.Fatalf("string %d is %.40q", n, got)
		}
		if _, ok := table.Find([]byte(text(n) + "?")); ok {
			t.Fatalf("string %d with more at its end is found", n)
		}
	}
	if table.Len() != count {
		t.Errorf("%d strings", table.Len())
	}
	table.Clear()
	if _, ok := table.Find([]byte("")); ok || table.Len() != 0 {
		t.Error("a cleared table has strings")
	}
}

// TestTextStays: a returned text does not change when other strings are added.
func TestTextStays(t *testing.T) {
	var table intern.Table
	table.Add([]byte("first"))
	first := table.Text(0)
	for n := range 10_000 {
		table.Add(fmt.Append(nil, n))
	}
	if _ = append(first, "!!!!!!!!"...); !bytes.Equal(first, []byte("first")) || string(table.Text(1)) != "0" {
		t.Errorf("%q, %q", first, table.Text(1))
	}
}

// BenchmarkAdd adds 100,000 identities and finds them again in the same order and in another one, there one
// by one and together.
func BenchmarkAdd(b *testing.B) {
	ids := make([][]byte, 100_000)
	for n := range ids {
		ids[n] = fmt.Appendf(nil, "user:%032x", n*7919)
	}
	b.Run("in order", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var table intern.Table
			for range 2 {
				for _, id := range ids {
					table.Add(id)
				}
			}
		}
	})
	var table intern.Table
	var texts []byte
	var ends, numbers []int
	for _, id := range ids {
		table.Add(id)
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(ids)) {
		texts = append(texts, ids[i]...)
		ends = append(ends, len(texts))
	}
	b.Run("in another order, one by one", func(b *testing.B) {
		for b.Loop() {
			start := 0
			for _, end := range ends {
				table.Add(texts[start:end])
				start = end
			}
		}
	})
	b.Run("in another order, together", func(b *testing.B) {
		for b.Loop() {
			numbers = table.AddAll(numbers[:0], texts, ends)
		}
	})
}

// TestTruncate removes strings, which get other numbers when they are added again.
func TestTruncate(t *testing.T) {
	text := func(n int) []byte { return fmt.Append(nil, strings.Repeat("x", n%200*n%1000), n) }
	for _, keep := range []int{0, 1, 17, 999, 4_000, 5_000, 6_000} {
		var table intern.Table
		for n := range 5_000 {
			table.Add(text(n))
		}
		table.Truncate(keep)
		keep = min(keep, 5_000)
		if table.Len() != keep {
			t.Fatalf("%d of %d strings are left", table.Len(), keep)
		}
		for n := range 5_000 {
			if got, ok := table.Find(text(n)); ok != (n < keep) || ok && got != n {
				t.Fatalf("kept %d: string %d is found as %d, %v", keep, n, got, ok)
			}
		}
		for n := 4_999; n >= keep; n-- {
			if got, fresh := table.Add(text(n)); got != keep+4_999-n || !fresh {
				t.Fatalf("kept %d: string %d comes back as %d, %v", keep, n, got, fresh)
			}
		}
		for n := range 5_000 {
			want := n
			if n >= keep {
				want = keep + 4_999 - n
			}
			if got := table.Text(want); !bytes.Equal(got, text(n)) {
				t.Fatalf("kept %d: string %d is %.40q", keep, want, got)
			}
		}
	}
}

// TestAddAll adds strings several at a time, with duplicates, to a table that has some of them. Each gets the
// number that Add would give it.
func TestAddAll(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	var table, single intern.Table
	for range 500 {
		var texts []byte
		var ends, want []int
		for range r.IntN(150) {
			text := fmt.Append(nil, strings.Repeat("x", r.IntN(3)), r.IntN(3_000))
			if r.IntN(20) == 0 {
				text = nil
			}
			texts = append(texts, text...)
			ends = append(ends, len(texts))
			n, _ := single.Add(text)
			want = append(want, n)
		}
		got := table.AddAll([]int{-1}, texts, ends)
		if got[0] != -1 || !slices.Equal(got[1:], want) {
			t.Fatalf("%v\nwant %v", got, want)
		}
		clear(texts) // they are not kept
		if r.IntN(5) == 0 {
			n := r.IntN(table.Len() + 1)
			table.Truncate(n)
			single.Truncate(n)
		}
	}
	for n := range single.Len() {
		if string(table.Text(n)) != string(single.Text(n)) {
			t.Fatalf("string %d is %q, want %q", n, table.Text(n), single.Text(n))
		}
	}
}
