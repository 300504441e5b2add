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
