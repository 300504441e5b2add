package figures

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Tables returns the sections of the document by name.
func (r *Record) Tables() map[string]string {
	return map[string]string{"targets": r.targetTable(), "runs": r.runTable(), "growth": r.growthTable()}
}

// runTable formats every case with all its programs.
func (r *Record) runTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Machine)
	for _, c := range r.ordered() {
		fmt.Fprintf(&b, "\n%s, %s, %s\n\n", c.Upstream, c.Label, latencyName(c.Latency))
		b.WriteString("| program | runs | wall s | CPU s | memory MB | written MB | file MB | requests | upstream's CPU s | CPU of ours to it | wall | memory |\n")
		b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
		ours := c.series(Ours)
		for _, s := range c.Series {
			fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s | %s | %s |", s.Program, len(s.Runs), seconds(s.of(wall)), seconds(s.of(cpu)),
				megabytes(s.of(memory)), megabytes(s.of(written)), megabytes(s.of(file)), number(s.of(requests).median), digits(s.of(upstream).median))
			for _, m := range []measure{cpu, wall, memory} {
				b.WriteString(" " + against(ours, s, m) + " |")
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func latencyName(d time.Duration) string {
	if d == 0 {
		return "no latency"
	}
	return d.String() + " before each answer"
}

// against formats the cost of ours as a share of the other's: 1/12 or 1.8.
func against(ours, other *Series, m measure) string {
	if ours == other {
		return ""
	}
	r, paired, ok := ratio(ours, other, m)
	if !ok {
		return ""
	}
	mark := ""
	if !paired {
		mark = " †"
	}
	if r.least == r.most {
		return share(r.median) + mark
	}
	return fmt.Sprintf("%s (%s to %s)%s", share(r.median), share(r.least), share(r.most), mark)
}

// share formats a ratio, as a fraction if it is far below 1.
func share(x float64) string {
	if x > 0 && x < 0.5 {
		return "1/" + digits(1/x)
	}
	return digits(x)
}

// digits formats a number with two or three significant digits.
func digits(x float64) string {
	switch abs := math.Abs(x); {
	case x == 0:
		return "0"
	case abs < 0.1:
		return fmt.Sprintf("%.3f", x)
	case abs < 10:
		return fmt.Sprintf("%.2f", x)
	case abs < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return number(x)
}

// number formats a whole number with grouped digits.
func number(x float64) string {
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

func seconds(s spread) string { return spelt(s, 1) }

func megabytes(s spread) string { return spelt(s, 1e6) }

// spelt formats the median, with the extremes if they differ visibly.
func spelt(s spread, unit float64) string {
	middle, least, most := digits(s.median/unit), digits(s.least/unit), digits(s.most/unit)
	if least == most {
		return middle
	}
	return fmt.Sprintf("%s (%s–%s)", middle, least, most)
}

// Headline returns the table of the README: ours beside the official connectors at the large size.
func (r *Record) Headline() string {
	var b strings.Builder
	b.WriteString("| first sync of | connector | time | CPU time | memory | requests |\n|---|---|--:|--:|--:|--:|\n")
	for _, upstream := range []string{Percipio, Perplexity} {
		c := r.Find(upstream, "large", 0)
		ours, official := c.series(Ours), c.series(Official)
		if ours == nil || official == nil {
			continue
		}
		label := upstream + ": " + c.Label
		for _, s := range []*Series{ours, official} {
			fmt.Fprintf(&b, "| %s | %s | %s s | %s s | %s MB | %s |\n", label, map[bool]string{true: "this one", false: "official"}[s == ours],
				digits(s.of(wall).median), digits(s.of(cpu).median), digits(s.of(memory).median/1e6), number(s.of(requests).median))
			label = ""
		}
	}
	return b.String()
}

// growthTable formats the cost per row at each size.
func (r *Record) growthTable() string {
	var b strings.Builder
	b.WriteString("| upstream | size | rows | CPU of ours, µs a row | of the fast floor | of the official connector | memory of ours, MB |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, c := range r.ordered() {
		if c.Latency != 0 || c.Rows == 0 {
			continue
		}
		each := func(program string) string {
			if s := c.series(program); s != nil {
				return digits(s.of(cpu).median / float64(c.Rows) * 1e6)
			}
			return ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", c.Upstream, c.Size, number(float64(c.Rows)), each(Ours), each(Fast), each(Official), digits(c.series(Ours).of(memory).median/1e6))
	}
	return b.String()
}
