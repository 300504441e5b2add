package config_test

import (
	"fmt"
	"strings"
	"testing"

	"baton"
	"baton/console"
	"baton/console/config"
)

// TestHostileFiles refuses files that are made to harm, by name and line.
func TestHostileFiles(t *testing.T) {
	bomb := "a: &a [x, x]\n"
	for i := range 20 {
		bomb += fmt.Sprintf("b%d: &b%d [*%s, *%s]\n", i, i, []string{"a", fmt.Sprintf("b%d", i-1)}[min(i, 1)], []string{"a", fmt.Sprintf("b%d", i-1)}[min(i, 1)])
	}
	for name, tt := range map[string]struct {
		files []string
		want  string
	}{
		"a bomb":                       {[]string{bomb}, "0.yaml: line 1: anchors and aliases"},
		"an anchor":                    {[]string{"people:\n  - &a {email: a@b.c, name: A}\n  - *a\n"}, "0.yaml: line 2: anchors and aliases"},
		"a merge":                      {[]string{"apps:\n  - {name: A, <<: {owners: []}}\n"}, "0.yaml: line 2: the tag"},
		"a tag":                        {[]string{"apps:\n  - name: !!binary aGVsbG8=\n"}, "0.yaml: line 2: the tag"},
		"a tag of a type":              {[]string{"apps:\n  - !ruby/object:A {name: A}\n"}, "0.yaml: line 2: the tag"},
		"a key twice":                  {[]string{"apps:\n  - name: A\n    name: B\n"}, `0.yaml: line 3: mapping key "name" already defined at line 2`},
		"a section twice":              {[]string{"apps: []\npeople: []\napps: []\n"}, `0.yaml: line 3: mapping key "apps" already defined at line 1`},
		"an unknown field":             {[]string{"apps:\n  - {name: A}\n", "apps:\n  - name: B\n    colour: red\n"}, "1.yaml: line 3: field colour is not known"},
		"a list for a text":            {[]string{"apps:\n  - name: [A]\n"}, "0.yaml: line 2: cannot unmarshal !!seq does not fit"},
		"a text for a number":          {[]string{"apps:\n  - {name: A, minimum_admins: two}\n"}, "0.yaml: line 2: cannot unmarshal !!str `two` does not fit"},
		"a number for a list":          {[]string{"\n\npeople: 7\n"}, "0.yaml: line 3: cannot unmarshal !!int `7` does not fit"},
		"a list as a whole":            {[]string{"- a\n"}, "0.yaml: line 1: cannot unmarshal !!seq does not fit"},
		"NUL":                          {[]string{"apps:\n  - name: \"A\x00\"\n"}, "0.yaml: line 2: there is a control character"},
		"NUL, escaped":                 {[]string{"apps:\n  - name: \"A\\0\"\n"}, "0.yaml: line 2: the value has a control character"},
		"an escape sequence":           {[]string{"apps:\n  - name: \"A\\e[2J\"\n"}, "0.yaml: line 2: the value has a control character"},
		"not UTF-8":                    {[]string{"apps:\n  - name: \xff\n"}, "0.yaml: line 2: the text is not UTF-8"},
		"deep nesting":                 {[]string{"apps: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000)}, "0.yaml: line 1: it is nested more than 32 levels deep"},
		"deeper nesting":               {[]string{"apps: " + strings.Repeat("[", 200000)}, "0.yaml: line 1"},
		"many values":                  {[]string{"apps: [" + strings.Repeat("1,", 600_000) + "]"}, "0.yaml: line 1: the file holds more than"},
		"too large":                    {[]string{strings.Repeat("#", 5<<20)}, "0.yaml is larger than"},
		"too large together":           {[]string{strings.Repeat("#", 4<<20), strings.Repeat("#", 4<<20), strings.Repeat("#", 4<<20), strings.Repeat("#", 4<<20), "apps: []"}, "4.yaml is larger than"},
		"two documents":                {[]string{"apps: []\n---\napps: []\n"}, "the file holds more than one document"},
		"an app in two files":          {[]string{"apps:\n  - {name: A}\n", "\napps:\n  - {name: A}\n"}, `1.yaml: line 3: the app "A" is there twice, before in 0.yaml: line 2`},
		"a person in two files":        {[]string{"people:\n  - {email: a@b.c, name: A}\n", "people:\n  - {email: ' A@B.C', name: B}\n"}, "before in 0.yaml: line 2"},
		"a policy in two files":        {[]string{"policies:\n  - {name: P, rules: [{outcome: approve}]}\n", "policies:\n  - {name: p, rules: [{outcome: approve}]}\n"}, "before in 0.yaml: line 2"},
		"a requirement in two files":   {[]string{"requirements:\n  - {app: A, entitlement: e, needs: [C/c]}\n", "requirements:\n  - {app: A, entitlement: e, needs: [C/d]}\n"}, "before in 0.yaml: line 2"},
		"the mail server in two files": {[]string{"mail: {host: a, from: a@b.c}\n", "\nmail: {host: b, from: a@b.c}\n"}, "1.yaml: line 2: mail is there twice, before in 0.yaml: line 1"},
		"many problems":                {[]string{"people:\n" + strings.Repeat("  - {name: A}\n", 100)}, "and 80 more"},
		"a file with a secret":         {[]string{"people:\n  - {email: a@b.c, name: A, password_file: /etc/passwd, totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}\n"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var files []console.ConfigurationFile
			for i, text := range tt.files {
				files = append(files, console.ConfigurationFile{Name: fmt.Sprintf("%d.yaml", i), Text: text})
			}
			f, err := reader.Read(files)
			if tt.want == "" { // it is refused when it is applied: nothing is read here
				if err == nil {
					_, err = f.Plan(t.Context(), engines[0].open(t), console.By{At: noon, Actor: console.Console}, planned)
				}
				tt.want = "files cannot be read here"
			}
			if baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), tt.want) || baton.FixOf(err) == "" || len(err.Error()) > 8000 {
				t.Errorf("%.300v\nwant %q", err, tt.want)
			}
		})
	}
}

// FuzzRead reads files. An error names the file; a file that is read can be planned.
func FuzzRead(f *testing.F) {
	f.Add(company)
	f.Add(whole)
	f.Add(oidc)
	f.Add("apps: [{name: &a A, owners: [*a]}]")
	f.Add("mail: {host: a, from: a@b.c}\nretention: {task_days: 90}\nrequirements: [{app: A, entitlement: e, needs: [B/b], grace: 1d}]\n")
	f.Add("apps: [{name: \"\\u0000\"}]\n? [a]\n: b")
	f.Add("connectors: [{name: c, app: A, product: thing, hosted: true, settings: {base-url: a, api-token: b}, interval: 1h30m}]")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := reader.Read([]console.ConfigurationFile{{Name: "f.yaml", Text: text}})
		if err != nil {
			if !strings.Contains(err.Error(), "f.yaml") || baton.KindOf(err) != baton.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		if file == nil {
			t.Error("no file and no error")
		}
	})
}

var planned = config.Options{Source: "files"}
