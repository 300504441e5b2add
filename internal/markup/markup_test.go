package markup_test

import (
	"errors"
	"strings"
	"testing"

	"baton/internal/markup"
)

func write(do func(*markup.Writer)) (string, error) {
	var b strings.Builder
	w := markup.New(&b)
	do(w)
	err := w.Flush()
	return b.String(), err
}

func TestElements(t *testing.T) {
	got, err := write(func(w *markup.Writer) {
		w.Literal("<!doctype html>\n")
		w.Start("p", markup.Class("lead"), markup.Class(""), markup.Flag("hidden", false), markup.Flag("data-large", true))
		w.Element("a", "a & b", markup.Attr("href", "#c1"))
		w.Void("br")
		w.End()
	})
	const want = "<!doctype html>\n<p class=\"lead\" data-large=\"\"><a href=\"#c1\">a &amp; b</a><br/></p>"
	if got != want || err != nil {
		t.Errorf("got %s (%v)\nwant %s", got, err, want)
	}
}

func TestMisuseIsAnError(t *testing.T) {
	for name, do := range map[string]func(*markup.Writer){
		"not ended":        func(w *markup.Writer) { w.Start("p") },
		"not begun":        func(w *markup.Writer) { w.End() },
		"a script address": func(w *markup.Writer) { w.Element("a", "x", markup.Attr("href", "javascript:alert(1)")) },
		"another host":     func(w *markup.Writer) { w.Element("a", "x", markup.Attr("href", "//evil.example/")) },
		"another, aslant":  func(w *markup.Writer) { w.Element("a", "x", markup.Attr("href", `/\evil.example/`)) },
		"a handler":        func(w *markup.Writer) { w.Void("img", markup.Attr("onerror", "alert(1)")) },
		"a style":          func(w *markup.Writer) { w.Void("p", markup.Attr("style", "x")) },
	} {
		got, err := write(do)
		if err == nil || strings.Contains(got, "alert") || strings.Contains(got, "evil") {
			t.Errorf("%s: got %s (%v)", name, got, err)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestErrorsOfWritingComeBack(t *testing.T) {
	w := markup.New(full{})
	w.Text("x")
	if err := w.Flush(); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v", err)
	}
}

// FuzzTextStaysText: no text can change the markup of the program.
func FuzzTextStaysText(f *testing.F) {
	for _, s := range []string{"Ann", `"><script>alert(1)</script>`, "a\x00b", "'", "&lt;", "</p>", "\u202e", "\xff<"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := write(func(w *markup.Writer) { w.Element("p", text, markup.Attr("title", text)) })
		if err != nil {
			t.Fatal(err)
		}
		inner, ok := strings.CutPrefix(got, `<p title="`)
		inner, ok2 := strings.CutSuffix(inner, "</p>")
		if !ok || !ok2 || strings.Count(inner, `">`) != 1 || strings.ContainsAny(strings.Replace(inner, `">`, "", 1), "<>\"'\x00") {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// TestJSON: no JSON value can end its element.
func TestJSON(t *testing.T) {
	got, err := write(func(w *markup.Writer) {
		w.JSON([]string{"</script><!--", "a&b", "\u2028"})
	})
	if want := `["\u003c/script\u003e\u003c!--","a\u0026b","\u2028"]`; got != want || err != nil {
		t.Errorf("got %s (%v)\nwant %s", got, err, want)
	}
	if _, err := write(func(w *markup.Writer) { w.JSON(make(chan int)) }); err == nil {
		t.Error("what JSON cannot hold is no error")
	}
}
