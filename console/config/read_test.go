package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/config"
	"baton/console/store"
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

// TestLoad reads the files of a folder. What is no file, leads out of the folder or has a name that cannot
// be printed is refused by its name.
func TestLoad(t *testing.T) {
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "outside.yaml")
	write(outside, "apps: [{name: Outside}]")
	for name, tt := range map[string]struct {
		add  func(dir string) error
		want string // "" if it is read
	}{
		"a link out of the folder":       {func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "b.yaml")) }, "b.yaml is a link that leads out"},
		"a relative link out of it":      {func(dir string) error { return os.Symlink("../../b.yaml", filepath.Join(dir, "b.yaml")) }, "b.yaml is a link that leads out"},
		"a link to nothing":              {func(dir string) error { return os.Symlink("none.yaml", filepath.Join(dir, "b.yaml")) }, "b.yaml is a link that leads out"},
		"a link to itself":               {func(dir string) error { return os.Symlink("b.yaml", filepath.Join(dir, "b.yaml")) }, "b.yaml is a link that leads out"},
		"a link to a device":             {func(dir string) error { return os.Symlink("/dev/zero", filepath.Join(dir, "b.yaml")) }, "b.yaml is a link that leads out"},
		"a folder":                       {func(dir string) error { return os.Mkdir(filepath.Join(dir, "b.yml"), 0o700) }, "b.yml is no file"},
		"a pipe":                         {func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "b.yaml"), 0o600) }, "b.yaml is no file"},
		"a name with an escape sequence": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "b\x1b[2J.yaml"), nil, 0o600) }, `"b\x1b[2J.yaml" cannot name`},
		"a name with a line break":       {func(dir string) error { return os.WriteFile(filepath.Join(dir, "b\n.yaml"), nil, 0o600) }, `"b\n.yaml" cannot name`},
		"a name that is not UTF-8":       {func(dir string) error { return os.WriteFile(filepath.Join(dir, "b\xff.yaml"), nil, 0o600) }, `"b\xff.yaml" cannot name`},
		"a program": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "b.yaml"), []byte("\x7fELF\x02\x01\x01\x00"), 0o600)
		}, "b.yaml: line 1: there is a control character"},
		"a huge file": {func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "b.yaml"), nil, 0o600), os.Truncate(filepath.Join(dir, "b.yaml"), 1<<40))
		}, "b.yaml is larger than"},
		"a link to a file beside it":       {func(dir string) error { return os.Symlink("a.yaml", filepath.Join(dir, "c.txt")) }, ""},
		"a file that begins with a dot":    {func(dir string) error { return os.Symlink(outside, filepath.Join(dir, ".b.yaml")) }, ""},
		"a folder whose name says nothing": {func(dir string) error { return os.Mkdir(filepath.Join(dir, "sub"), 0o700) }, ""},
	} {
		dir := filepath.Join(t.TempDir(), "configuration")
		if err := errors.Join(os.Mkdir(dir, 0o700), tt.add(dir)); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(dir, "a.yaml"), "apps: [{name: A}]")
		f, err := config.Read(dir, time.Minute, nil)
		switch {
		case tt.want == "" && (err != nil || len(f.Apps) != 1):
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), tt.want) || baton.FixOf(err) == ""):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	// A mounted ConfigMap of Kubernetes is made of links within the folder.
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "..2026"), 0o700), os.Symlink("..2026", filepath.Join(dir, "..data")), os.Symlink("..data/a.yaml", filepath.Join(dir, "a.yaml"))); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, "..2026", "a.yaml"), "apps: [{name: A}]")
	if f, err := config.Read(dir, time.Minute, nil); err != nil || len(f.Apps) != 1 {
		t.Errorf("a ConfigMap: %v", err)
	}
	for _, name := range []string{"", "a\nb", strings.Repeat("n", 300)} {
		if _, err := reader.Read([]console.ConfigurationFile{{Name: name, Text: "apps: []"}}); baton.KindOf(err) != baton.Invalid || len(err.Error()) > 1000 {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestAllOrNothing applies files of which the last part is wrong. Nothing of them stays.
func TestAllOrNothing(t *testing.T) {
	r, people := newCompany(t)
	r.update(console.Console, func(tx *store.Tx) error {
		return tx.SetLogin(console.Login{Person: people["ana"].Person(), Name: "ana", Password: "hash"}, baton.NewSecret("secret"))
	})
	before, n := r.export(), r.events()
	good := strings.Replace(strings.Replace(automated, "minimum_admins: 2", "minimum_admins: 3", 1), "apps:\n", "  - {email: new@example.test, name: New}\napps:\n  - {name: New}\n", 1)
	for name, text := range map[string]string{
		"a requirement of no app":             good + "requirements: [{app: None, entitlement: e, needs: [App/a]}]\n",
		"an automation with no connector":     strings.Replace(good, "run, automation: By hand", "action, connector: none, action: run", 1),
		"a hosted connector with a wrong URL": strings.Replace(good, "automations:", "  - {name: c, app: New, product: thing, hosted: true, settings: {colour: red}}\nautomations:", 1),
		"a pair of no app":                    good + "incompatible: [{entitlements: [None/a, App/b], why: w}]\n",
		"nobody could administer":             strings.Replace(good, "roles: [super-administrator]", "roles: []", 1),
	} {
		f, err := reader.Read([]console.ConfigurationFile{{Name: "all.yaml", Text: text}})
		if err == nil {
			_, _, err = f.Apply(t.Context(), r.s, console.By{At: r.now(), Actor: people["ana"]}, planned)
		}
		if err == nil || baton.FixOf(err) == "" || !strings.Contains(err.Error(), "all.yaml: line ") && name != "nobody could administer" || r.events() != n || r.export() != before {
			t.Errorf("%s: %v, %d events", name, err, r.events()-n)
		}
	}
}

// FuzzRead reads files. An error names the file; a file that is read can be planned.
func FuzzRead(f *testing.F) {
	f.Add(company)
	f.Add(whole)
	f.Add(oidc)
	f.Add(automated)
	f.Add("apps: [{name: A, key: a, roles: [{name: R, admin: true, entitlements: [e]}], role_priority: highest}]\nincompatible: [{entitlements: [A/e, A/f], why: w}]\n")
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
			t.Fatal("no file and no error")
		}
	})
}

var planned = config.Options{Source: "files"}
