package cli

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"baton"
)

func FuzzList(f *testing.F) {
	for _, s := range []string{"", "a", "a,b", `"a,b", c`, `"a""b"`, `"a`, `"a" b`, `a"b`, " , ,x", "\"\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		items, err := parseList(text)
		if err != nil {
			return
		}
		again, err := parseList(formatList(items))
		if err != nil || !slices.Equal(items, again) {
			t.Errorf("%q gives %q, which is written %q and read as %q (%v)", text, items, formatList(items), again, err)
		}
	})
}

func FuzzFormattedList(f *testing.F) {
	f.Add("a", "b,c", `"`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		items := []string{a, b, c}
		got, err := parseList(formatList(items))
		if err != nil || !slices.Equal(items, got) {
			t.Errorf("%q is written %q and read as %q (%v)", items, formatList(items), got, err)
		}
	})
}

func FuzzYAML(f *testing.F) {
	for _, s := range []string{"", "file: x", "file: [a]", "sync-resource-types: [a, 1, null]", "a: &x b\nfile: *x", "file: {a: b}",
		"---\n---\n", "? [a]\n: b", "file: !!binary aGk=", "<<: {file: x}", "file: |\n  a\n  b\n", "[", "# only\n", "workers: 1\nworkers: 2"} {
		f.Add([]byte(s))
	}
	all := options(nil)
	f.Fuzz(func(t *testing.T, text []byte) {
		var bad problems
		values := parseYAML("c.yaml", text, all, &bad)
		for name, g := range values {
			if g.place != fromFile || !strings.HasPrefix(g.label, "c.yaml line ") {
				t.Errorf("%s: %+v", name, g)
			}
		}
		resolve(all, nil, nil, values, &bad)
		for _, problem := range bad.texts {
			if !strings.HasPrefix(problem, "c.yaml") {
				t.Errorf("problem %q does not name the file", problem)
			}
		}
	})
}

func TestParseResource(t *testing.T) {
	for text, want := range map[string]baton.ResourceID{
		"user:u1":                     {Type: "user", ID: "u1"},
		"user:a:b":                    {Type: "user", ID: "a:b"},
		"bid:r:user/u1":               {Type: "user", ID: "u1"},
		`bid:r:user/a\/b\:c\\d`:       {Type: "user", ID: `a/b:c\d`},
		"bid:r:org/o1/user/u1":        {Type: "user", ID: "u1"},
		"user":                        {},
		":u1":                         {},
		"user:":                       {},
		"bid:g:user/u1":               {},
		"bid:r:user":                  {},
		"bid:r:user/":                 {},
		"bid:r:a/b/c":                 {},
		`bid:r:user/u\1`:              {},
		`bid:r:user/u1\`:              {},
		"bid:r:user/u:1":              {},
		"bid:r:user/ünï":              {Type: "user", ID: "ünï"},
		"bid:r:org/o/team/t/user/u1/": {},
	} {
		got, err := parseResource(text)
		if got != want || (err == nil) != (want != baton.ResourceID{}) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

func FuzzResource(f *testing.F) {
	f.Add("user", `a/b:\c`)
	f.Fuzz(func(t *testing.T, kind, id string) {
		if kind == "" || id == "" {
			return
		}
		escape := strings.NewReplacer(`\`, `\\`, ":", `\:`, "/", `\/`)
		got, err := parseResource("bid:r:" + escape.Replace(kind) + "/" + escape.Replace(id))
		if want := (baton.ResourceID{Type: kind, ID: id}); err != nil || got != want {
			t.Errorf("%q/%q: got %v, %v", kind, id, got, err)
		}
	})
}

func TestNear(t *testing.T) {
	for _, c := range []struct {
		word string
		in   []string
		want string
	}{
		{"scim-tokn", []string{"scim-token", "scim-url"}, "scim-token"},
		{"SCIM-TOKEN", []string{"scim-token"}, "scim-token"},
		{"file", []string{"fail", "tile", "filed", "field", "xxxx"}, "filed or tile"},
		{"x", nil, ""},
		{"something", []string{"else"}, ""},
	} {
		if got := strings.Join(near(c.word, c.in), " or "); got != c.want {
			t.Errorf("near %q: got %s, want %s", c.word, got, c.want)
		}
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ünï 界":             "plain, ünï 界",
		"a\nb\tc":                  "a b c",
		"\x1b]0;title\x07":         `\x1b]0;title\x07`,
		"\u009b31m":                `\x9b31m`,
		"abc\u202edef":             `abc\u202edef`,
		"zero\u200bwidth":          `zero\u200bwidth`,
		"bad \xff utf-8":           `bad \ufffd utf-8`,
		"line\u2028separator\x7f.": `line\u2028separator\x7f.`,
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[2J\r\n\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		got := clean(text)
		if strings.ContainsFunc(got, unsafeRune) || !utf8.ValidString(got) {
			t.Errorf("%q is cleaned to %q", text, got)
		}
	})
}

func TestRedactor(t *testing.T) {
	var b bytes.Buffer
	r := newRedactor(&b, []string{`abc"def<`, "tiny"})
	io.WriteString(r, `plain abc"def< quoted abc\"def\u003c tiny`)
	if got, want := b.String(), "plain REDACTED quoted REDACTED tiny"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{"http://127.0.0.1:1/x": "http://127.0.0.1:1/x", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'"} {
		if got := shellQuote(word); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{1: "1 B", 999: "999 B", 1000: "1.0 KiB", 1024: "1.0 KiB", 1023 << 10: "1.0 MiB", 999 << 10: "999.0 KiB", 5 << 30: "5.0 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: got %s", n, got)
		}
	}
}

// TestRoff keeps text that means something to the formatter from meaning it.
func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		"plain":           "plain",
		".so /etc/passwd": `\&.so /etc/passwd`,
		"a\n'br\n.sp":     "a\n\\&'br\n\\&.sp",
		`C:\fBx -f`:       `C:\efBx \-f`,
		"a\r\n.b":         "a\n\\&.b",
	} {
		if got := roff(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
