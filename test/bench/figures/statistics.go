package figures

import (
	"cmp"
	"slices"
)

// spread is the median of some values, with the smallest and the largest.
type spread struct{ median, least, most float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		middle = (sorted[len(sorted)/2-1] + middle) / 2
	}
	return spread{middle, sorted[0], sorted[len(sorted)-1]}
}

// measure returns one figure of a run.
type measure func(Run) float64

func wall(r Run) float64     { return r.Wall.Seconds() }
func cpu(r Run) float64      { return r.CPU.Seconds() }
func memory(r Run) float64   { return float64(r.Memory) }
func written(r Run) float64  { return float64(r.Written) }
func file(r Run) float64     { return float64(r.File) }
func requests(r Run) float64 { return float64(r.Requests) }
func upstream(r Run) float64 { return r.Upstream.Seconds() }

func (s *Series) of(m measure) spread {
	if s == nil {
		return spread{}
	}
	values := make([]float64, len(s.Runs))
	for i, r := range s.Runs {
		values[i] = m(r)
	}
	return spreadOf(values)
}

// ratio returns a's cost divided by b's. Runs that took turns are compared in pairs, because a machine's
// speed drifts. Otherwise only the medians are compared.
func ratio(a, b *Series, m measure) (r spread, paired, ok bool) {
	if a == nil || b == nil {
		return spread{}, false, false
	}
	if a.Began != b.Began {
		x, y := a.of(m).median, b.of(m).median
		return spread{x / y, x / y, x / y}, false, y > 0
	}
	var ratios []float64
	for i := range min(len(a.Runs), len(b.Runs)) {
		if y := m(b.Runs[i]); y > 0 {
			ratios = append(ratios, m(a.Runs[i])/y)
		}
	}
	return spreadOf(ratios), true, len(ratios) > 0
}

// sizes returns the sizes in ascending order.
func sizes() []string { return []string{"small", "medium", "large"} }

// ordered returns the cases by upstream, latency and size.
func (r *Record) ordered() []*Case {
	return slices.SortedStableFunc(slices.Values(r.Cases), func(a, b *Case) int {
		return cmp.Or(cmp.Compare(a.Upstream, b.Upstream), cmp.Compare(a.Latency, b.Latency),
			cmp.Compare(slices.Index(sizes(), a.Size), slices.Index(sizes(), b.Size)))
	})
}
