package settings

import (
	"slices"
	"strings"
	"testing"

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
		again, err := parseList(FormatList(items))
		if err != nil || !slices.Equal(items, again) {
			t.Errorf("%q gives %q, which is written %q and read as %q (%v)", text, items, FormatList(items), again, err)
		}
	})
}

func FuzzFormattedList(f *testing.F) {
	f.Add("a", "b,c", `"`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		items := []string{a, b, c}
		got, err := parseList(FormatList(items))
		if err != nil || !slices.Equal(items, got) {
			t.Errorf("%q is written %q and read as %q (%v)", items, FormatList(items), got, err)
		}
	})
}

func FuzzYAML(f *testing.F) {
	for _, s := range []string{"", "file: x", "file: [a]", "sync-resource-types: [a, 1, null]", "a: &x b\nfile: *x", "file: {a: b}",
		"---\n---\n", "? [a]\n: b", "file: !!binary aGk=", "<<: {file: x}", "file: |\n  a\n  b\n", "[", "# only\n", "workers: 1\nworkers: 2"} {
		f.Add([]byte(s))
	}
	all := []Option{{Setting: baton.Setting{Name: "file"}}, {Setting: baton.Setting{Name: "sync-resource-types", Kind: baton.StringsSetting}},
		{Setting: baton.Setting{Name: "workers", Kind: baton.IntSetting, Min: -1, Max: 1000}}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var bad Problems
		values := parseYAML("c.yaml", text, all, &bad)
		for name, g := range values {
			if g.Place != FromFile || !strings.HasPrefix(g.Label, "c.yaml line ") {
				t.Errorf("%s: %+v", name, g)
			}
		}
		Names{}.Resolve(all, nil, nil, values, &bad)
		for _, problem := range bad.Texts {
			if !strings.HasPrefix(problem, "c.yaml") {
				t.Errorf("problem %q does not name the file", problem)
			}
		}
	})
}
