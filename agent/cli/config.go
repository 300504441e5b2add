package cli

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
)

// place ranks where a value can come from. A higher place wins.
type place int

const (
	fromDefault place = iota
	fromFile
	fromEnv
	fromFlag
)

// given is a value before it is parsed, and where it stands.
type given struct {
	place place
	label string   // for messages: "--scim-url", "BATON_SCIM_URL", ".baton.yaml line 3"
	texts []string // one, or one for each time a flag was repeated
	items []string // a YAML sequence
	list  bool     // items counts, not texts
}

func (g given) empty() bool {
	if g.list {
		return len(g.items) == 0
	}
	return !slices.ContainsFunc(g.texts, func(t string) bool { return t != "" })
}

// configuration is what one run is told.
type configuration struct {
	values baton.Values
	from   map[string]given // what was given, by option name; the rest are defaults
	secret []string         // values that must not be printed
}

// has reports whether the option was given anywhere.
func (c configuration) has(name string) bool { return c.from[name].place != fromDefault }

// typed reports whether the option was given as a flag.
func (c configuration) typed(name string) bool { return c.from[name].place == fromFlag }

// envName is the environment variable of an option.
func envName(option string) string {
	return "BATON_" + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

// problems collects everything that is wrong with a configuration, so that one run
// tells it all.
type problems struct {
	texts, fixes []string
}

func (p *problems) add(fix, format string, args ...any) {
	p.texts = append(p.texts, fmt.Sprintf(format, args...))
	if fix != "" && !slices.Contains(p.fixes, fix) {
		p.fixes = append(p.fixes, fix)
	}
}

// err is nil when there are no problems.
func (p *problems) err() error {
	if len(p.texts) == 0 {
		return nil
	}
	e := baton.Errorf(baton.Invalid, "configuration: %s", strings.Join(p.texts, "; "))
	if len(p.fixes) > 0 {
		e = e.WithFix("%s", strings.Join(p.fixes, "; "))
	}
	return e
}

// resolve finds the value of every option. An option with a problem has its
// default.
func resolve(all []option, flags map[string][]string, env map[string]string, file map[string]given, bad *problems) configuration {
	c := configuration{values: baton.Values{}, from: map[string]given{}}
	for _, o := range all {
		c.values[o.Name] = defaultValue(o.Setting)
		g, ok := pick(o, flags, env, file)
		if !ok {
			continue
		}
		value, err := parse(o, g)
		if err != nil {
			bad.add("", "%s: %v", g.label, err)
			continue
		}
		c.values[o.Name], c.from[o.Name] = value, g
	}
	for _, o := range all {
		if o.FileOf != "" && c.has(o.Name) {
			c.readSecret(o, bad)
		}
	}
	for _, o := range all {
		if s := c.values.Secret(o.Name); !s.IsZero() {
			c.secret = append(c.secret, s.Reveal())
		}
	}
	return c
}

// maxSlips is how many letters a misspelt variable may differ in. Another connector's token, which the
// same environment may hold, differs in three.
const maxSlips = 2

// misspelt notes the variables that are named almost like a setting: a value that is not read is worse than
// one that is refused. Variables of other names are somebody else's.
func misspelt(all []option, env map[string]string, bad *problems) {
	known, names := map[string]bool{"BATON_CONFIG_PATH": true, settingsDirEnv: true}, []string{"CONFIG_PATH", "SETTINGS_DIR"}
	for _, o := range all {
		known[envName(o.Name)], known[o.Env] = true, true
		names = append(names, strings.TrimPrefix(envName(o.Name), "BATON_"))
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		word, ours := strings.CutPrefix(strings.ToUpper(name), "BATON_")
		if !ours || env[name] == "" || known[name] {
			continue
		}
		var meant []string
		for _, candidate := range near(word, names) {
			if distance(word, candidate, maxSlips) <= maxSlips {
				meant = append(meant, "BATON_"+candidate)
			}
		}
		if len(meant) > 0 {
			bad.add("write it as it is meant, or unset it", "%s is not a setting; did you mean %s?", name, orList(meant))
		}
	}
}

// pick takes the value of the highest place. An empty value is no value.
func pick(o option, flags map[string][]string, env map[string]string, file map[string]given) (given, bool) {
	candidates := []given{
		{place: fromFlag, label: "--" + o.Name, texts: flags[o.Name]},
		{place: fromEnv, label: envName(o.Name), texts: []string{env[envName(o.Name)]}},
		{place: fromEnv, label: o.Env, texts: []string{env[o.Env]}},
		file[o.Name],
	}
	for _, g := range candidates {
		if !g.empty() {
			return g, true
		}
	}
	return given{}, false
}

// defaultValue is the default as the kind's Go type, never nil.
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

// parse turns what was given into a value of the option's kind.
func parse(o option, g given) (any, error) {
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
		return nil, fmt.Errorf("%q is not %s", text, orList(o.OneOf))
	}
	return text, nil
}

// parseSecret trims one line ending, which editors and echo leave behind. It never
// repeats the text in an error.
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

// maxSecretFile is far above any token; a larger file is the wrong file.
const maxSecretFile = 64 << 10

// readSecret fills a secret from the file that the option names. Flags and the
// environment count as one place: whoever starts the program must not give both.
func (c *configuration) readSecret(o option, bad *problems) {
	value, file := c.from[o.FileOf], c.from[o.Name]
	started := value.place >= fromEnv && file.place >= fromEnv
	if started || value.place == fromFile && file.place == fromFile {
		bad.add("give one of them", "%s and %s are both set", value.label, file.label)
		return
	}
	if value.place > file.place {
		return
	}
	secret, err := secretFrom(c.values.String(o.Name))
	if err != nil {
		bad.add("", "%s: %v", file.label, err)
		return
	}
	c.values[o.FileOf], c.from[o.FileOf] = secret, given{place: file.place, label: file.label}
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

// require notes the required settings that are missing.
func (c configuration) require(p Program, bad *problems) {
	complete := true
	for _, s := range p.Settings {
		if !s.Required || c.has(s.Name) {
			continue
		}
		if s.Kind == baton.SecretSetting && c.has(s.Name+"-file") {
			complete = false
			continue // what is wrong with the file was said
		}
		complete = false
		fix := fmt.Sprintf("set --%s or %s", s.Name, envName(s.Name))
		if s.Kind == baton.SecretSetting {
			fix = fmt.Sprintf("set %s, or --%s-file to a file that holds it", envName(s.Name), s.Name)
		}
		bad.add(fix, "%s is required", s.Name)
	}
	if !complete && p.Sandbox != nil {
		bad.fixes = append(bad.fixes, fmt.Sprintf("or see it work without an account: %s demo", p.Name))
	}
}
