package figures

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Dimensions of the plot, in pixels.
const (
	plotWidth, plotHeight  = 890, 720
	panelWidth, panelHeigh = 270, 230
	panelLeft, panelTop    = 74, 96
	panelRight, panelDown  = 430, 330
)

// looks holds the classes and names of the programs' lines. The style sheet uses the classes.
var looks = []struct{ program, class, name string }{
	{Official, "official", "official"},
	{Decode, "decode", "floor, decode"},
	{Ours, "ours", "ours"},
	{Fast, "fast", "floor, fast"},
}

const style = `
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #3d444d }
.title { font-size: 17px; font-weight: 600; fill: #1f2328 }
.head { font-size: 13px; font-weight: 600; fill: #1f2328 }
.end, .tick.y { text-anchor: end } .tick.x, .axis { text-anchor: middle }
.tick { font-size: 11px } .axis { font-size: 11px }
.grid { stroke: #d1d9e0; stroke-width: 1 } .frame { stroke: #818b98; stroke-width: 1; fill: none }
polyline { fill: none; stroke-width: 2.2; stroke-linejoin: round }
.ours { stroke: #0969da } .official { stroke: #bc4c00 } .fast { stroke: #1a7f37; stroke-dasharray: 6 3 } .decode { stroke: #8250df; stroke-dasharray: 2 3 }
circle { stroke: none } circle.ours { fill: #0969da } circle.official { fill: #bc4c00 } circle.fast { fill: #1a7f37 } circle.decode { fill: #8250df }
text.ours, text.official, text.fast, text.decode { stroke: none; font-size: 11px }
text.ours { fill: #0969da; font-weight: 600 } text.official { fill: #bc4c00 } text.fast { fill: #1a7f37 } text.decode { fill: #8250df }
.ground { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #b7bdc8 } .title, .head { fill: #f0f6fc } .grid { stroke: #2f353d } .frame { stroke: #656c76 } .ground { fill: #0d1117 }
.ours { stroke: #58a6ff } .official { stroke: #f0883e } .fast { stroke: #3fb950 } .decode { stroke: #bc8cff }
circle.ours, text.ours { fill: #58a6ff } circle.official, text.official { fill: #f0883e } circle.fast, text.fast { fill: #3fb950 } circle.decode, text.decode { fill: #bc8cff }
}
`

// Plot draws the growth of the cost: CPU time and memory over the number of rows, for both upstreams without
// latency, on logarithmic scales.
func (r *Record) Plot() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-label="What a sync costs at three sizes">`, plotWidth, plotHeight)
	fmt.Fprintf(&b, "<style>%s</style>\n<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", style, plotWidth, plotHeight)
	label(&b, "title", panelLeft-50, 34, "What a sync costs, by size")
	label(&b, "", panelLeft-50, 56, "medians without latency; both axes are logarithmic: a line that rises as fast as it runs is a constant cost per row")
	for row, m := range []struct {
		name string
		of   measure
		unit float64
	}{{"CPU, seconds", cpu, 1}, {"peak memory, MB", memory, 1e6}} {
		for column, upstream := range []string{Percipio, Perplexity} {
			p := panel{x: panelLeft + float64(column*panelRight-column*10), y: panelTop + float64(row*panelDown), head: upstream + ": " + m.name}
			p.along = map[string]string{Percipio: "rows of activity", Perplexity: "memberships"}[upstream]
			for _, look := range looks {
				p.lines = append(p.lines, r.line(upstream, look.program, m.of, m.unit))
			}
			p.draw(&b)
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// point is a point on a plot, in the units of its axes.
type point struct{ x, y float64 }

func (r *Record) line(upstream, program string, m measure, unit float64) []point {
	var line []point
	for _, size := range sizes() {
		c := r.Find(upstream, size, 0)
		if s := c.series(program); s != nil && c.Rows > 0 {
			if y := s.of(m).median / unit; y > 0 {
				line = append(line, point{float64(c.Rows), y})
			}
		}
	}
	return line
}

// panel is one pair of axes.
type panel struct {
	x, y        float64 // of its upper left corner
	head, along string
	lines       [][]point // in the order of looks
}

func (p *panel) draw(b *strings.Builder) {
	label(b, "head", p.x, p.y-10, p.head)
	low, high := p.bounds()
	across := scale{low.x, high.x, p.x, p.x + panelWidth}
	up := scale{low.y, high.y, p.y + panelHeigh, p.y}
	for e := math.Ceil(math.Log10(low.x)); e <= math.Log10(high.x); e++ {
		at := across.place(math.Pow(10, e))
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %.1fV%.1f"/>`, at, p.y, p.y+panelHeigh)
		label(b, "tick x", at, p.y+panelHeigh+17, short(math.Pow(10, e)))
	}
	for e := math.Ceil(math.Log10(low.y)); e <= math.Log10(high.y); e++ {
		at := up.place(math.Pow(10, e))
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %.1fH%.1f"/>`, p.x, at, p.x+panelWidth)
		label(b, "tick y", p.x-7, at+4, short(math.Pow(10, e)))
	}
	fmt.Fprintf(b, "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>\n", p.x, p.y, panelWidth, panelHeigh)
	label(b, "axis", p.x+panelWidth/2, p.y+panelHeigh+35, p.along)
	order := []int{}
	for i, line := range p.lines {
		if len(line) > 0 {
			order = append(order, i)
		}
	}
	end := func(i int) point { return p.lines[i][len(p.lines[i])-1] }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(end(b).y, end(a).y) }) // labels from top to bottom
	taken := []float64{}
	for _, i := range order {
		line := p.lines[i]
		var at []string
		for _, q := range line {
			at = append(at, fmt.Sprintf("%.1f,%.1f", across.place(q.x), up.place(q.y)))
			fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="3.2"/>`, looks[i].class, across.place(q.x), up.place(q.y))
		}
		fmt.Fprintf(b, "<polyline class=\"%s\" points=\"%s\"/>\n", looks[i].class, strings.Join(at, " "))
		last, text := end(i), looks[i].name+" "+digits(end(i).y)
		if last.x < high.x/2 { // it ends before the others do
			label(b, looks[i].class, across.place(last.x)+7, up.place(last.y)+4, text)
			continue
		}
		y := apart(up.place(last.y)+4, taken)
		taken = append(taken, y)
		label(b, looks[i].class, p.x+panelWidth+6, y, text)
	}
}

// apart moves a label down until it overlaps no other.
func apart(y float64, taken []float64) float64 {
	for moved := true; moved; {
		moved = false
		for _, t := range taken {
			if math.Abs(y-t) < 13 {
				y, moved = t+13, true
			}
		}
	}
	return y
}

// bounds returns the corners of the drawing, slightly beyond the points.
func (p *panel) bounds() (low, high point) {
	low, high = point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, line := range p.lines {
		for _, q := range line {
			low.x, low.y = min(low.x, q.x), min(low.y, q.y)
			high.x, high.y = max(high.x, q.x), max(high.y, q.y)
		}
	}
	if low.x > high.x {
		return point{1, 1}, point{10, 10} // nothing was measured
	}
	return point{low.x / 1.5, low.y / 1.5}, point{high.x * 1.5, high.y * 1.5}
}

// scale is a logarithmic axis: values from low to high lie between from and to.
type scale struct{ low, high, from, to float64 }

func (s scale) place(v float64) float64 {
	return s.from + (s.to-s.from)*math.Log(v/s.low)/math.Log(s.high/s.low)
}

// short writes a power of ten.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%g", v)
}

func label(b *strings.Builder, class string, x, y float64, text string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f">`, class, x, y)
	xml.EscapeText(b, []byte(text)) // a Builder returns no errors
	b.WriteString("</text>\n")
}
