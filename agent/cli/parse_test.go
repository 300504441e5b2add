package cli

import (
	"strings"
	"testing"

	"baton"
)

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
