package docs

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"baton/test/bench/figures"
)

// sizingTable formats the cost of our syncs at each measured size: the median time and the peak of everything
// else.
func sizingTable(t *testing.T) string {
	t.Helper()
	record, err := figures.Load("performance.json")
	if err != nil {
		t.Fatal(err)
	}
	s := "| upstream | organisation | time | processor | memory | `sync.c1z` |\n|---|---|--:|--:|--:|--:|\n"
	most := int64(0)
	for _, upstream := range []string{figures.Perplexity, figures.Percipio} {
		for _, size := range []string{"small", "medium", "large"} {
			c := record.Find(upstream, size, 0)
			if c == nil {
				t.Fatalf("%s, %s, was not measured", upstream, size)
			}
			ours := c.Series[slices.IndexFunc(c.Series, func(s *figures.Series) bool { return s.Program == figures.Ours })].Runs
			wall := median(ours, func(r figures.Run) time.Duration { return r.Wall })
			cpu := median(ours, func(r figures.Run) time.Duration { return r.CPU })
			memory, file := int64(0), int64(0)
			for _, r := range ours {
				memory, file = max(memory, r.Memory), max(file, r.File)
			}
			most = max(most, memory)
			s += fmt.Sprintf("| %s | %s | %s s | %s s | %s MB | %s MB |\n", upstream, c.Label,
				digits(wall.Seconds()), digits(cpu.Seconds()), digits(float64(memory)/1e6), digits(float64(file)/1e6))
		}
	}
	if limit := int64(256 << 20); most > limit*8/10 {
		t.Errorf("a sync took %d bytes of memory: 256 MiB is no longer enough for all that was measured, as operate.md and the manifests say", most)
	}
	return s
}

func median[T cmp.Ordered](runs []figures.Run, of func(figures.Run) T) T {
	var list []T
	for _, r := range runs {
		list = append(list, of(r))
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// digits formats the first two digits of a number, or all digits before the point.
func digits(x float64) string {
	switch {
	case x >= 10:
		return fmt.Sprintf("%.0f", x)
	case x >= 1:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}
