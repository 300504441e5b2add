package symbols_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"baton/symbols"
)

func TestTable(t *testing.T) {
	var table symbols.Table
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

// TestTextStays: a text that was handed out does not change when others come.
func TestTextStays(t *testing.T) {
	var table symbols.Table
	table.Add([]byte("first"))
	first := table.Text(0)
	for n := range 10_000 {
		table.Add(fmt.Append(nil, n))
	}
	if _ = append(first, "!!!!!!!!"...); !bytes.Equal(first, []byte("first")) || string(table.Text(1)) != "0" {
		t.Errorf("%q, %q", first, table.Text(1))
	}
}

// BenchmarkAdd adds 100,000 identities and finds them.
func BenchmarkAdd(b *testing.B) {
	ids := make([][]byte, 100_000)
	for n := range ids {
		ids[n] = fmt.Appendf(nil, "user:%032x", n*7919)
	}
	b.ReportAllocs()
	for b.Loop() {
		var table symbols.Table
		for range 2 {
			for _, id := range ids {
				table.Add(id)
			}
		}
	}
}

// TestTruncate forgets strings, which come back with other numbers.
func TestTruncate(t *testing.T) {
	text := func(n int) []byte { return fmt.Append(nil, strings.Repeat("x", n%200*n%1000), n) }
	for _, keep := range []int{0, 1, 17, 999, 4_000, 5_000, 6_000} {
		var table symbols.Table
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
