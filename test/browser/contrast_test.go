package browser

import (
	"maps"
	"slices"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// minContrast is the contrast that WCAG 1.4.11 asks of controls and of the mark of the focus,
// against what is around them.
const minContrast = 3

// contrast is the lowest of many, and where it was measured.
type contrast struct {
	Ratio float64
	What  string
	Count int
}

// contrasts is a script that measures controls: the edge of fields and buttons, or their fill
// where that stands out more, and the ring around everything that can have the focus, which
// the keyboard gave it.
const contrasts = `(() => {
	const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return {rgb: m.slice(0, 3), alpha: m.length > 3 ? m[3] : 1}; };
	const luminance = (rgb) => rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
	const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)]; return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
	const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.alpha === 1) return c.rgb; } return null; };
	const found = {};
	const note = (kind, ratio, e) => {
		const f = found[kind] ??= {Ratio: ratio, What: "", Count: 0};
		f.Count++;
		if (ratio <= f.Ratio) Object.assign(f, {Ratio: ratio, What: e.tagName.toLowerCase() + " " + (e.id || e.name || e.textContent.trim().slice(0, 40))});
	};
	for (const e of document.querySelectorAll("input:not([type=hidden]):not([type=checkbox]):not([type=radio]), select, textarea, button, .button")) {
		if (!e.checkVisibility() || e.disabled) continue;
		const s = getComputedStyle(e), around = ground(e.parentElement);
		const edge = parseFloat(s.borderTopWidth) > 0 && parse(s.borderTopColor).alpha === 1 ? contrast(parse(s.borderTopColor).rgb, around) : 0;
		const fill = parse(s.backgroundColor).alpha === 1 ? contrast(parse(s.backgroundColor).rgb, around) : 0;
		if (edge === 0 && fill === 0) continue; // looks like a link: axe-core measures its text
		note(["BUTTON", "A"].includes(e.tagName) ? "buttons" : "fields", Math.max(edge, fill), e);
	}
	const place = [scrollX, scrollY];
	for (const e of document.querySelectorAll("a[href], input:not([type=hidden]), select, textarea, button, summary, [tabindex='0']")) {
		if (!e.checkVisibility() || e.disabled) continue;
		e.focus({preventScroll: true});
		if (document.activeElement !== e) continue;
		const s = getComputedStyle(e);
		const ring = e.matches(":focus-visible") && s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && parse(s.outlineColor).alpha === 1;
		note("focus", ring ? contrast(parse(s.outlineColor).rgb, ground(parseFloat(s.outlineOffset) < 0 ? e : e.parentElement)) : 0, e);
	}
	document.activeElement?.blur();
	scrollTo(...place);
	return found;
})()`

// measure measures the contrast of the page's controls in a theme.
func (b *browser) measure(name, theme string) {
	b.t.Helper()
	var measured map[string]contrast
	b.run("the keyboard is used", chromedp.KeyEvent(kb.Tab))
	if err := b.eval(contrasts, &measured); err != nil {
		b.t.Fatalf("%s: contrasts: %v", name, err)
	}
	for kind, c := range measured {
		if c.Ratio < minContrast {
			b.t.Errorf("%s: the contrast of %s is %.2f, below %d: %s", name, kind, c.Ratio, minContrast, c.What)
		}
		key := kind + ", " + theme
		lowest, ok := b.contrasts[key]
		c.Count += lowest.Count
		if ok && lowest.Ratio <= c.Ratio {
			c.Ratio, c.What = lowest.Ratio, lowest.What
		} else {
			c.What += " of " + name
		}
		b.contrasts[key] = c
	}
}

// logContrasts prints the lowest contrasts that were measured.
func (b *browser) logContrasts() {
	for _, key := range slices.Sorted(maps.Keys(b.contrasts)) {
		c := b.contrasts[key]
		b.t.Logf("contrast of %s: at least %.2f of %d (%s)", key, c.Ratio, c.Count, c.What)
	}
}
