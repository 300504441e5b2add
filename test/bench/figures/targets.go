package figures

import (
	"fmt"
	"strings"
	"time"
)

// Names of the upstreams in records.
const (
	Percipio   = "Percipio"
	Perplexity = "Perplexity"
)

// target is a promised limit with the measured result.
type target struct {
	name, limit, measured string
	met                   bool
}

// targetTable formats the targets.
func (r *Record) targetTable() string {
	var b strings.Builder
	b.WriteString("| target | at most | measured | met |\n|---|--:|--:|---|\n")
	for _, t := range r.targets() {
		met := "no"
		if t.met {
			met = "yes"
		}
		if t.measured == "" {
			t.measured, met = "not measured", ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.name, t.limit, t.measured, met)
	}
	return b.String()
}

func (r *Record) targets() []target {
	all := r.percipioTargets()
	all = append(all, r.perplexityTargets()...)
	all = append(all, r.tenantTargets()...)
	return append(all, r.Small.targets()...)
}

func (r *Record) percipioTargets() []target {
	large := r.Find(Percipio, "large", 0)
	return []target{
		large.ratioTarget("Percipio, large: CPU of the official connector's", Official, cpu, 1.0/10),
		large.ratioTarget("Percipio, large: memory of the official connector's", Official, memory, 1.0/40),
		large.ratioTarget("Percipio, large: CPU of the fast floor's", Fast, cpu, 1.5),
		large.memoryTarget("Percipio, large: memory", 90),
		large.steadyTarget("Percipio, large: CPU of a steady sync, of a first one"),
		r.growthTarget("Percipio: CPU of a row at 1M rows, of that at 100k", Percipio),
	}
}

func (r *Record) perplexityTargets() []target {
	large := r.Find(Perplexity, "large", 0)
	return []target{
		large.requestTarget("Perplexity, large: requests of the number of pages", 1.02),
		large.ratioTarget("Perplexity, large: CPU of the official connector's", Official, cpu, 1.0/60),
		large.ratioTarget("Perplexity, large: wall time of the official connector's", Official, wall, 1.0/30),
		large.ratioTarget("Perplexity, large: CPU of the floor's (decode)", Decode, cpu, 2),
		large.memoryTarget("Perplexity, large: memory", 90),
		large.steadyTarget("Perplexity, large: CPU of a steady sync, of a first one"),
	}
}

// tenantTargets returns the targets of small tenants.
func (r *Record) tenantTargets() []target {
	var all []target
	for _, upstream := range []string{Percipio, Perplexity} {
		t := target{name: upstream + ", small: from the start of the process to the saved file", limit: "0.3 s"}
		if s := r.Find(upstream, "small", 0).series(Ours); s != nil {
			t.measured, t.met = seconds(s.of(wall))+" s", s.of(wall).median < 0.3
		}
		all = append(all, t)
	}
	return all
}

func (c *Case) ratioTarget(name, program string, m measure, limit float64) target {
	t := target{name: name, limit: share(limit)}
	if r, _, ok := ratio(c.series(Ours), c.series(program), m); ok {
		t.measured, t.met = against(c.series(Ours), c.series(program), m), r.median <= limit
	}
	return t
}

// steadyTarget limits the cost of a sync into a file that holds two syncs.
func (c *Case) steadyTarget(name string) target {
	const limit = 1.4
	t := target{name: name, limit: digits(limit)}
	if r, _, ok := ratio(c.series(Steady), c.series(Ours), cpu); ok {
		t.measured, t.met = against(c.series(Steady), c.series(Ours), cpu), r.median <= limit
	}
	return t
}

func (c *Case) memoryTarget(name string, limit float64) target {
	t := target{name: name, limit: digits(limit) + " MB"}
	if s := c.series(Ours); s != nil {
		t.measured, t.met = megabytes(s.of(memory))+" MB", s.of(memory).most <= limit*1e6
	}
	return t
}

func (c *Case) requestTarget(name string, limit float64) target {
	t := target{name: name, limit: digits(limit)}
	if s := c.series(Ours); s != nil && c.Pages > 0 {
		n := s.of(requests).most
		t.measured, t.met = fmt.Sprintf("%s (%s of %d)", digits(n/float64(c.Pages)), number(n), c.Pages), n <= limit*float64(c.Pages)
	}
	return t
}

func (r *Record) growthTarget(name, upstream string) target {
	t := target{name: name, limit: "1.15"}
	medium, large := r.Find(upstream, "medium", 0), r.Find(upstream, "large", 0)
	if a, b := medium.series(Ours), large.series(Ours); a != nil && b != nil {
		x := b.of(cpu).median / float64(large.Rows) / (a.of(cpu).median / float64(medium.Rows))
		t.measured, t.met = digits(x), x <= 1.15
	}
	return t
}

func (s *Small) targets() []target {
	if s == nil {
		return nil
	}
	var all []target
	for _, p := range s.Binary {
		all = append(all, target{p.Name + ": binary, stripped", "20 MB", digits(float64(p.Bytes)/1e6) + " MB", p.Bytes <= 20e6})
		times := make([]float64, len(p.Version))
		for i, d := range p.Version {
			times[i] = d.Seconds() * 1e3
		}
		took := spreadOf(times)
		all = append(all, target{p.Name + ": `--version`", "10 ms", spelt(took, 1) + " ms", took.median < 10})
	}
	for _, m := range s.Idle.Memory {
		name := fmt.Sprintf("%s: idle as a service, after %s", m.Name, s.Idle.After.Round(time.Second))
		all = append(all, target{name, "25 MB", digits(float64(m.Bytes)/1e6) + " MB", m.Bytes <= 25e6})
	}
	return append(all, target{"modules linked by each connector", "21", fmt.Sprint(s.Linked), s.Linked <= 21})
}
