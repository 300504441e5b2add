// Package settings resolves a program's settings from flags, environment variables, a file and defaults. A
// setting has the same value from every source, and all problems are reported together.
package settings

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"baton"
	"baton/internal/english"
)

// Option is a setting with its command-line properties.
type Option struct {
	baton.Setting
	OneOf  []string // allowed values of a string
	Env    string   // an additional environment variable
	FileOf string   // the secret whose value is in the file that this option names
}

// Place is a source of values. A higher place takes precedence.
type Place int

// The places.
const (
	FromDefault Place = iota
	FromFile
	FromEnv
	FromFlag
)

// Given is a value before parsing, with its source.
type Given struct {
	Place Place
	Label string   // for messages: "--scim-url", "BATON_SCIM_URL", ".baton.yaml line 3"
	texts []string // one, or one for each use of a repeated flag
	items []string // a YAML sequence
	list  bool     // items counts, not texts
}

func (g Given) empty() bool {
	if g.list {
		return len(g.items) == 0
	}
	return !slices.ContainsFunc(g.texts, func(t string) bool { return t != "" })
}

// Resolved holds the settings of one run.
type Resolved struct {
	Values  baton.Values
	From    map[string]Given // given values by option name; others have defaults
	Secrets []string         // values that must not be printed
}

// Has reports whether the option was given anywhere.
func (r Resolved) Has(name string) bool { return r.From[name].Place != FromDefault }

// Typed reports whether the option was given as a flag.
func (r Resolved) Typed(name string) bool { return r.From[name].Place == FromFlag }

// Names defines the external names of a program's settings.
type Names struct {
	Prefix string   // of environment variables, "BATON_"
	Others []string // variables with the prefix that are not settings
}

// Variable returns the environment variable of an option.
func (n Names) Variable(option string) string {
	return n.Prefix + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

// Problems collects all problems of a configuration, so that one run reports them all.
type Problems struct {
	Texts, Fixes []string
}

// Add adds a problem and, unless it is empty, its advice.
func (p *Problems) Add(fix, format string, args ...any) {
	p.Texts = append(p.Texts, fmt.Sprintf(format, args...))
	if fix != "" && !slices.Contains(p.Fixes, fix) {
		p.Fixes = append(p.Fixes, fix)
	}
}

// Err returns nil if there are no problems.
func (p *Problems) Err() error {
	if len(p.Texts) == 0 {
		return nil
	}
	e := baton.Errorf(baton.Invalid, "configuration: %s", strings.Join(p.Texts, "; "))
	if len(p.Fixes) > 0 {
		e = e.WithFix("%s", strings.Join(p.Fixes, "; "))
	}
	return e
}

// Resolve finds the value of every option: that of its flag, its environment variable, the file, or its
// default, in this order. An option with a problem gets its default.
func (n Names) Resolve(all []Option, flags map[string][]string, env map[string]string, file map[string]Given, bad *Problems) Resolved {
	c := Resolved{Values: baton.Values{}, From: map[string]Given{}}
	for _, o := range all {
		c.Values[o.Name] = defaultValue(o.Setting)
		g, ok := n.pick(o, flags, env, file)
		if !ok {
			continue
		}
		value, err := parse(o, g)
		if err != nil {
			bad.Add("", "%s: %v", g.Label, err)
			continue
		}
		c.Values[o.Name], c.From[o.Name] = value, g
	}
	for _, o := range all {
		if o.FileOf != "" && c.Has(o.Name) {
			c.readSecret(o, bad)
		}
	}
	for _, o := range all {
		if s := c.Values.Secret(o.Name); !s.IsZero() {
			c.Secrets = append(c.Secrets, s.Reveal())
		}
	}
	return c
}

// maxSlips limits the letters in which a misspelt variable may differ. The token of another connector, which
// may be in the same environment, differs in three.
const maxSlips = 2

// Misspelt adds a problem for each variable whose name is almost that of a setting, because an ignored value
// is worse than a refused one. Variables with other names belong to other programs.
func (n Names) Misspelt(all []Option, env map[string]string, bad *Problems) {
	known, words := map[string]bool{}, []string{}
	for _, name := range n.Others {
		known[name] = true
		words = append(words, strings.TrimPrefix(name, n.Prefix))
	}
	for _, o := range all {
		known[n.Variable(o.Name)], known[o.Env] = true, true
		words = append(words, strings.TrimPrefix(n.Variable(o.Name), n.Prefix))
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		word, ours := strings.CutPrefix(strings.ToUpper(name), n.Prefix)
		if !ours || env[name] == "" || known[name] {
			continue
		}
		var meant []string
		for _, candidate := range english.Near(word, words) {
			if english.Distance(word, candidate, maxSlips) <= maxSlips {
				meant = append(meant, n.Prefix+candidate)
			}
		}
		if len(meant) > 0 {
			bad.Add("write it as it is meant, or unset it", "%s is not a setting; did you mean %s?", name, english.Or(meant))
		}
	}
}

// pick takes the value of the highest place. An empty value counts as unset.
func (n Names) pick(o Option, flags map[string][]string, env map[string]string, file map[string]Given) (Given, bool) {
	candidates := []Given{
		{Place: FromFlag, Label: "--" + o.Name, texts: flags[o.Name]},
		{Place: FromEnv, Label: n.Variable(o.Name), texts: []string{env[n.Variable(o.Name)]}},
		{Place: FromEnv, Label: o.Env, texts: []string{env[o.Env]}},
		file[o.Name],
	}
	for _, g := range candidates {
		if !g.empty() {
			return g, true
		}
	}
	return Given{}, false
}

// defaultValue returns the default as the kind's Go type, never nil.
func defaultValue(s baton.Setting) any {
	if s.Default != nil {
		return s.Default
	}
	switch s.Kind {
	case baton.BoolSetting:
		return false
	case baton.IntSetting:
		return 0
	case baton.StringsSetting:
		return []string(nil)
	case baton.SecretSetting:
		return baton.Secret{}
	}
	return ""
}

// parse converts a given value to the option's kind.
func parse(o Option, g Given) (any, error) {
	if o.Kind == baton.StringsSetting {
		if g.list {
			return g.items, nil
		}
		var items []string
		for _, text := range g.texts {
			more, err := parseList(text)
			if err != nil {
				return nil, err
			}
			items = append(items, more...)
		}
		return items, nil
	}
	if g.list {
		return nil, errors.New("takes one value, not a list")
	}
	text := g.texts[len(g.texts)-1]
	switch o.Kind {
	case baton.BoolSetting:
		b, err := strconv.ParseBool(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%q is not true or false", text)
		}
		return b, nil
	case baton.IntSetting:
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		if o.Max != 0 && (n < o.Min || n > o.Max) {
			return nil, fmt.Errorf("%d is not between %d and %d", n, o.Min, o.Max)
		}
		return n, nil
	case baton.SecretSetting:
		return parseSecret(text)
	}
	if len(o.OneOf) > 0 && !slices.Contains(o.OneOf, text) {
		return nil, fmt.Errorf("%q is not %s", text, english.Or(o.OneOf))
	}
	return text, nil
}

// parseSecret trims one line ending, which editors and echo add. Its errors never repeat the text.
func parseSecret(text string) (baton.Secret, error) {
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" {
		return baton.Secret{}, errors.New("it is empty")
	}
	if strings.ContainsAny(text, "\r\n") {
		return baton.Secret{}, errors.New("it has more than one line")
	}
	return baton.NewSecret(text), nil
}

// maxSecretFile is far above the size of any token; a larger file must be the wrong one.
const maxSecretFile = 64 << 10

// readSecret reads a secret from the file in the option. Flags and the environment count as one place: it is
// an error to set both there.
func (c *Resolved) readSecret(o Option, bad *Problems) {
	value, file := c.From[o.FileOf], c.From[o.Name]
	started := value.Place >= FromEnv && file.Place >= FromEnv
	if started || value.Place == FromFile && file.Place == FromFile {
		bad.Add("give one of them", "%s and %s are both set", value.Label, file.Label)
		return
	}
	if value.Place > file.Place {
		return
	}
	secret, err := secretFrom(c.Values.String(o.Name))
	if err != nil {
		bad.Add("", "%s: %v", file.Label, err)
		return
	}
	c.Values[o.FileOf], c.From[o.FileOf] = secret, Given{Place: file.Place, Label: file.Label}
}

func secretFrom(path string) (baton.Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return baton.Secret{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return baton.Secret{}, err
	}
	if len(text) > maxSecretFile {
		return baton.Secret{}, fmt.Errorf("%s is too large for a secret", path)
	}
	secret, err := parseSecret(string(text))
	if err != nil {
		return baton.Secret{}, fmt.Errorf("%s does not hold a secret: %w", path, err)
	}
	return secret, nil
}
