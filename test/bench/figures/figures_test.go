package figures

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{5, 1, 3}, spread{3, 1, 5}},
		{[]float64{8, 1, 3, 5}, spread{4, 1, 8}},
	} {
		if got := spreadOf(tt.values); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.values, got, tt.want)
		}
	}
}

func series(program, began string, cpus ...int) *Series {
	s := &Series{Program: program, Began: began}
	for _, c := range cpus {
		s.Runs = append(s.Runs, Run{CPU: time.Duration(c) * time.Second, Wall: time.Duration(2*c) * time.Second, Memory: int64(c) * 10e6, Requests: 7})
	}
	return s
}

// TestRatiosArePaired: when the machine becomes three times slower, both programs do, and the ratio stays the
// same.
func TestRatiosArePaired(t *testing.T) {
	r, paired, ok := ratio(series(Ours, "s", 2, 6, 2), series(Fast, "s", 1, 3, 1), cpu)
	if !ok || !paired || r != (spread{2, 2, 2}) {
		t.Errorf("%v %v %v", r, paired, ok)
	}
	r, paired, ok = ratio(series(Ours, "s", 2, 6, 2), series(Official, "another", 20), cpu)
	if !ok || paired || r.median != 0.1 {
		t.Errorf("of two times: %v %v %v", r, paired, ok)
	}
	if _, _, ok := ratio(series(Ours, "s", 2), nil, cpu); ok {
		t.Error("there is a ratio to nothing")
	}
	if _, _, ok := ratio(series(Ours, "s", 2), series(Fast, "s", 0), cpu); ok {
		t.Error("there is a ratio to 0")
	}
}

func TestSpelling(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.0123: "0.012", 0.25: "0.25", 7.036: "7.04", 15.23: "15.2", 164: "164", 103011: "103 011", 1234567: "1 234 567"} {
		if got := digits(x); got != want {
			t.Errorf("%v is written %q, want %q", x, got, want)
		}
	}
	for x, want := range map[float64]string{1.0 / 12: "1/12.0", 2: "2.00", 0.75: "0.75"} {
		if got := share(x); got != want {
			t.Errorf("%v is written %q, want %q", x, got, want)
		}
	}
}

// sample returns a record with every kind of entry.
func sample() *Record {
	r := &Record{Machine: "2 × <made up> & fast", Small: &Small{Linked: 12, Idle: Dwell{8 * time.Second, []Sized{{"baton-x", 20e6}}},
		Binary: []Program{{"baton-x", 15e6, []time.Duration{4e6, 5e6, 6e6}}}}}
	for _, upstream := range []string{Perplexity, Percipio} {
		for i, size := range []string{"large", "small", "medium"} {
			n := []int{100, 1, 10}[i]
			r.Add(&Case{Upstream: upstream, Size: size, Label: size + " & such", Rows: n * 10_000, Pages: 7,
				Series: []*Series{series(Ours, "s", n, n, n), series(Steady, "s", 2*n, n, n), series(Fast, "s", n, n, 2*n), series(Decode, "s", n), series(Official, "s", 40*n)}})
		}
	}
	return r
}

func TestTargets(t *testing.T) {
	r := sample()
	table := r.targetTable()
	for _, want := range []string{
		"| Percipio, large: CPU of the official connector's | 1/10.0 | 1/40.0 | yes |",
		"| Percipio, large: CPU of the fast floor's | 1.50 | 1.00 (0.50 to 1.00) | yes |",
		"| Percipio, large: memory | 90.0 MB | 1 000 MB | no |",
		"| Percipio, large: CPU of a steady sync, of a first one | 1.40 | 1.00 (1.00 to 2.00) | yes |",
		"| Perplexity, large: requests of the number of pages | 1.02 | 1.00 (7 of 7) | yes |",
		"| Percipio: CPU of a row at 1M rows, of that at 100k | 1.15 | 1.00 | yes |",
		"| modules linked by each connector | 21 | 12 | yes |",
	} {
		if !strings.Contains(table, want+"\n") {
			t.Errorf("no line %q in\n%s", want, table)
		}
	}
	for line := range strings.Lines((&Record{}).targetTable()) {
		if strings.Contains(line, "| yes |") || strings.Contains(line, "| no |") {
			t.Errorf("nothing was measured, and yet: %s", line)
		}
	}
}

// TestAdd replaces a case and keeps results that were not measured again.
func TestAdd(t *testing.T) {
	r := sample()
	r.Add(&Case{Upstream: Percipio, Size: "large", Label: "again", Rows: 5, Series: []*Series{series(Ours, "later", 1)}})
	c := r.Find(Percipio, "large", 0)
	if c.Label != "again" || c.series(Official) == nil || c.series(Fast) != nil || len(r.Cases) != 6 {
		t.Errorf("%+v", c)
	}
	if table := r.runTable(); !strings.Contains(table, "1/4 000 †") {
		t.Errorf("the unpaired ratio is not marked:\n%s", table)
	}
}

func TestSavedAndPublished(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if empty, err := Load(path("none.json")); err != nil || len(empty.Cases) != 0 {
		t.Errorf("%v %v", empty, err)
	}
	if err := sample().Save(path("record.json")); err != nil {
		t.Fatal(err)
	}
	r, err := Load(path("record.json"))
	if err != nil {
		t.Fatal(err)
	}
	text := "# X\n<!-- targets -->\nold\n<!-- /targets -->\nkept\n<!-- runs -->\n<!-- /runs -->\n<!-- growth -->\n<!-- /growth -->\n"
	if err := os.WriteFile(path("x.md"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		if err := r.Publish(path("x.md"), path("x.svg")); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path("x.md"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b); strings.Contains(got, "old") || !strings.Contains(got, "\nkept\n") || strings.Count(got, "modules linked") != 1 {
		t.Errorf("the document is\n%s", got)
	}
	if _, err := r.Fill("no marks"); err == nil {
		t.Error("a document without sections is filled")
	}
}

// TestPlotIsWellFormed draws an empty, a partial and a full record.
func TestPlotIsWellFormed(t *testing.T) {
	one := &Record{}
	one.Add(&Case{Upstream: Percipio, Size: "small", Rows: 10, Series: []*Series{series(Ours, "s", 3)}})
	for name, r := range map[string]*Record{"empty": {}, "one": one, "all": sample()} {
		svg := r.Plot()
		lines := 0
		for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, svg)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
				lines++
			}
		}
		if want := map[string]int{"empty": 0, "one": 2, "all": 16}[name]; lines != want {
			t.Errorf("%s: %d lines, want %d", name, lines, want)
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s: there is no such place\n%s", name, svg)
		}
	}
	var b strings.Builder
	label(&b, "x", 1, 2, `a < b & "c"`)
	if !strings.Contains(b.String(), "a &lt; b &amp; ") {
		t.Errorf("%s", b.String())
	}
}
