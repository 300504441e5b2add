// Package config reads and applies YAML files that describe people, sign-in, apps and connectors.
// The schema is that of [File].
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/login"
	"baton/console/mail"
	"baton/console/schedule"
	"baton/internal/english"
)

// File describes people, apps and connectors.
type File struct {
	People     []Person    `yaml:"people"`
	Apps       []App       `yaml:"apps"`
	Connectors []Connector `yaml:"connectors"`
	Policies   []Policy    `yaml:"policies"`
	// Requirements take effect when syncs show everything that they name.
	Requirements []Requirement `yaml:"requirements"`
	OIDC         []Provider    `yaml:"oidc"`
	Mail         *Mail         `yaml:"mail"`
	Retention    *Retention    `yaml:"retention"`

	dir      string // folder of the file, to which other file names in it are relative
	products []govern.Product
}

// Person describes a person. Missing fields are not changed.
type Person struct {
	Email   string                `yaml:"email"`
	Name    string                `yaml:"name"`
	Roles   []console.ConsoleRole `yaml:"roles"`
	Manager string                `yaml:"manager"` // e-mail address
	Login   string                `yaml:"login"`   // the e-mail address if it is empty
	// PasswordFile holds the first password. Together with the secret of one-time codes, it creates
	// a login for a person without one. An existing login is not changed.
	PasswordFile string `yaml:"password_file"`
	TOTPSecret   Secret `yaml:"totp_secret"`
}

// App describes an application.
type App struct {
	Name              string   `yaml:"name"`
	Owners            []string `yaml:"owners"`             // e-mail addresses
	AdminEntitlements []string `yaml:"admin_entitlements"` // ids as the application's connector reports them
	MinimumAdmins     *int     `yaml:"minimum_admins"`
	Seats             *Seats   `yaml:"seats"`
	// Policies names the policies of the app's entitlements. Missing ones are not changed.
	Policies AppPolicies `yaml:"policies"`
}

// AppPolicies names policies of the file or of the console.
type AppPolicies struct {
	Request   string `yaml:"request"` // for entitlements without administrator rights
	Emergency string `yaml:"emergency"`
	Revoke    string `yaml:"revoke"`
	Review    string `yaml:"review"`
}

// Policy describes a policy. An existing policy is named by its ID or name, and gets a new version.
type Policy struct {
	Name  string               `yaml:"name"`
	Kind  console.PolicyKind   `yaml:"kind"` // default request
	Rules []console.PolicyRule `yaml:"rules"`
}

// policy returns the described policy.
func (p Policy) policy() console.Policy {
	c := console.Policy{Name: p.Name, Kind: p.Kind, Rules: p.Rules}
	if c.Kind == "" {
		c.Kind = console.PolicyRequest
	}
	return c
}

// Connector describes a connector of an app.
type Connector struct {
	Name     string            `yaml:"name"`
	App      string            `yaml:"app"`
	Product  string            `yaml:"product"` // "baton-perplexity"
	Hosted   bool              `yaml:"hosted"`
	Owners   []string          `yaml:"owners"` // e-mail addresses
	Settings map[string]Secret `yaml:"settings"`
	Interval Duration          `yaml:"interval"` // between syncs; 1h if neither it nor cron is given
	Cron     string            `yaml:"cron"`     // when it syncs, in place of the interval: "30 2 * * 1-5"
	Zone     string            `yaml:"zone"`     // time zone of cron: "Europe/Berlin"; UTC if it is not given
	// Directory says whether its accounts make people.
	Directory *bool `yaml:"directory"`
}

// Mail describes the mail server. If it is missing, the settings are not changed.
type Mail struct {
	Host         string          `yaml:"host"`
	Port         int             `yaml:"port"` // default 587, or 465 with tls
	TLS          console.MailTLS `yaml:"tls"`  // default starttls
	User         string          `yaml:"user"`
	Password     Secret          `yaml:"password"` // or
	PasswordFile string          `yaml:"password_file"`
	From         string          `yaml:"from"`
	ReplyTo      string          `yaml:"reply_to"`
}

// settings returns the settings that the file describes.
func (m Mail) settings() console.MailSettings {
	s := console.MailSettings{Host: m.Host, Port: m.Port, TLS: m.TLS, User: m.User, From: m.From, ReplyTo: m.ReplyTo}
	if s.TLS == "" {
		s.TLS = console.MailSTARTTLS
	}
	if s.Port == 0 {
		s.Port = 587
		if s.TLS == console.MailImplicit {
			s.Port = 465
		}
	}
	return s
}

// Secret is a string that is never printed.
type Secret struct{ baton.Secret }

// UnmarshalYAML implements [yaml.Unmarshaler].
func (s *Secret) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: a plain value is needed", n.Line)
	}
	if n.Tag != "!!null" {
		s.Secret = baton.NewSecret(n.Value)
	}
	return nil
}

// Duration is a duration such as 90m; zero if missing.
type Duration time.Duration

// UnmarshalYAML implements [yaml.Unmarshaler].
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %q is no time span such as 90m or 1h", n.Line, n.Value)
	}
	*d = Duration(v)
	return nil
}

// DefaultInterval is the default interval between syncs.
const DefaultInterval = time.Hour

// maxFile limits the size of a file, in bytes.
const maxFile = 4 << 20

// Read reads and checks a file. minInterval is the shortest allowed interval between syncs; products
// are the connectors in the catalogue. The error lists all problems.
func Read(path string, minInterval time.Duration, products []govern.Product) (*File, error) {
	in, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, baton.Errorf(baton.NotFound, "%s does not exist", path).WithFix("Name another file.")
	}
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "read %s: %w", path, err)
	}
	defer in.Close()
	f := &File{dir: filepath.Dir(path), products: products}
	decoder := yaml.NewDecoder(io.LimitReader(in, maxFile))
	decoder.KnownFields(true)
	if err := decoder.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return nil, baton.Errorf(baton.Invalid, "%s: %s", path, plain(err)).WithFix("The keys are people, apps, connectors, policies, requirements, oidc, mail and retention; docs/console.md lists what each may hold.")
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, baton.Errorf(baton.Invalid, "%s holds more than one document", path).WithFix("Write one document.")
	}
	var bad []string
	f.check(minInterval, func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) })
	if len(bad) > 0 {
		return nil, baton.Errorf(baton.Invalid, "%s: %s", path, strings.Join(bad, "; ")).WithFix("Correct the file and start again.")
	}
	return f, nil
}

var (
	goType = regexp.MustCompile(` not found in type \S+`)
	into   = regexp.MustCompile(` into \S+`)
)

// plain returns the text of a YAML error without names of Go types.
func plain(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n")
	text = goType.ReplaceAllString(text, " is not known")
	text = into.ReplaceAllString(text, " does not fit")
	return strings.Join(strings.Fields(text), " ")
}

// check reports the problems of the file itself.
func (f *File) check(minInterval time.Duration, bad func(format string, args ...any)) {
	emails, logins, apps, connectors, variables := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]string{}
	once := func(seen map[string]bool, what, value string) {
		if seen[value] {
			bad("%s %q is there twice", what, value)
		}
		seen[value] = true
	}
	for i, p := range f.People {
		email := console.NormalizeEmail(p.Email)
		if !strings.Contains(email, "@") {
			bad("person %d has no e-mail address", i+1)
			continue
		}
		once(emails, "the person", email)
		if p.Name == "" {
			bad("%s has no name", email)
		}
		for _, r := range p.Roles {
			if !slices.Contains(console.ConsoleRoles(), r) {
				bad("%s: there is no role %q: write %s", email, r, roleNames())
			}
		}
		if p.PasswordFile == "" {
			if p.Login != "" || !p.TOTPSecret.IsZero() {
				bad("%s has a login without password_file", email)
			}
			continue
		}
		once(logins, "the login", console.NormalizeEmail(p.loginName()))
		if p.TOTPSecret.IsZero() {
			bad("%s has a password_file without totp_secret: every login needs a second factor", email)
		} else if err := login.CheckCodeSecret(p.TOTPSecret.Secret); err != nil {
			bad("%s: totp_secret: %v", email, err)
		}
	}
	f.checkProviders(bad)
	for i, a := range f.Apps {
		if a.Name == "" {
			bad("app %d has no name", i+1)
		}
		once(apps, "the app", a.Name)
		if a.MinimumAdmins != nil && *a.MinimumAdmins < 0 {
			bad("app %s: minimum_admins is %d", a.Name, *a.MinimumAdmins)
		}
	}
	f.checkSeats(bad)
	if f.Mail != nil {
		f.checkMail(bad)
	}
	if f.Retention != nil {
		if err := f.Retention.retention().Check(); err != nil {
			bad("retention: %v", err)
		}
	}
	for i, r := range f.Requirements {
		if r.App == "" || r.Entitlement == "" {
			bad("requirement %d names no app or no entitlement", i+1)
		} else if err := r.rule().Check(); err != nil {
			bad("the requirement of %s of %s: %v", r.Entitlement, r.App, err)
		}
	}
	policies := map[string]bool{}
	for i, p := range f.Policies {
		if p.Name == "" {
			bad("policy %d has no name", i+1)
			continue
		}
		once(policies, "the policy", strings.ToLower(p.Name))
		if err := govern.CheckPolicy(p.policy()); err != nil {
			bad("policy %s: %v", p.Name, err)
		}
	}
	for i, c := range f.Connectors {
		if c.Name == "" || c.App == "" {
			bad("connector %d needs a name and an app", i+1)
			continue
		}
		once(connectors, "the connector", c.Name)
		v := Variable(c.Name)
		if other, taken := variables[v]; taken && other != c.Name {
			bad("the connectors %q and %q would have the same variable %s_CLIENT_ID", other, c.Name, v)
		}
		variables[v] = c.Name
		if strings.Trim(v, "_") == "" {
			bad("the name of connector %q needs a letter or digit", c.Name)
		}
		if d := time.Duration(c.Interval); d != 0 && d < minInterval {
			bad("connector %s: the interval %s is shorter than %s", c.Name, d, minInterval)
		}
		switch {
		case c.Cron == "" && c.Zone != "":
			bad("connector %s: zone belongs to cron", c.Name)
		case c.Cron != "" && c.Interval != 0:
			bad("connector %s: interval and cron exclude each other", c.Name)
		case c.Cron != "":
			if err := (schedule.Schedule{Cron: c.Cron, Zone: c.Zone}).Check(minInterval); err != nil {
				bad("connector %s: %v", c.Name, err)
			}
		}
		if c.Hosted {
			if err := f.checkHosted(c); err != nil {
				bad("connector %s: %v", c.Name, err)
			}
		} else if len(c.Settings) > 0 {
			bad("connector %s: settings are for hosted connectors: give them to the connector where it runs", c.Name)
		}
	}
}

// checkMail reports the problems of the mail settings.
func (f *File) checkMail(bad func(format string, args ...any)) {
	if err := mail.Check(f.Mail.settings()); err != nil {
		bad("mail: %v", err)
	}
	given := !f.Mail.Password.IsZero() || f.Mail.PasswordFile != ""
	switch {
	case !f.Mail.Password.IsZero() && f.Mail.PasswordFile != "":
		bad("mail: password and password_file exclude each other")
	case given != (f.Mail.User != ""):
		bad("mail: user and password belong together")
	}
}

// product returns the product of a hosted connector.
func (f *File) product(c Connector) (govern.Product, error) {
	var names []string
	for _, p := range f.products {
		if !p.Hostable() {
			continue
		}
		if p.Name == strings.TrimPrefix(c.Product, "baton-") {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return govern.Product{}, fmt.Errorf("the console cannot host product %q, only %s", c.Product, english.Or(names))
}

// checkHosted reports the problems of a hosted connector's settings.
func (f *File) checkHosted(c Connector) error {
	p, err := f.product(c)
	if err != nil {
		return err
	}
	values, secrets, err := hostedSettings(p, c)
	if err != nil {
		return err
	}
	return p.Check(values, secrets)
}

// hostedSettings returns the settings of a connector without its secrets.
func hostedSettings(p govern.Product, c Connector) (values map[string]string, secrets map[string]baton.Secret, err error) {
	values, secrets = map[string]string{}, map[string]baton.Secret{}
	for name, v := range c.Settings {
		i := slices.IndexFunc(p.Settings, func(s baton.Setting) bool { return s.Name == name })
		switch {
		case i < 0:
			return nil, nil, fmt.Errorf("%s has no setting %q", p.DisplayName, name)
		case p.Settings[i].Kind == baton.SecretSetting:
			secrets[name] = v.Secret
		case !v.IsZero():
			values[name] = v.Reveal()
		}
	}
	return values, secrets, nil
}

func roleNames() string {
	var names []string
	for _, r := range console.ConsoleRoles() {
		names = append(names, string(r))
	}
	return english.Or(names)
}

func (p Person) loginName() string {
	if p.Login != "" {
		return p.Login
	}
	return p.Email
}

// Variable converts a connector's name to a part of the name of an environment variable.
func Variable(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
}

// password reads a password file.
func (f *File) password(path, what string) (baton.Secret, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(f.dir, path)
	}
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > 64<<10) {
		err = errors.New("it is no file, or too large for a password")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return baton.Secret{}, baton.Errorf(baton.Invalid, "password_file of %s: %w", what, err).WithFix("Name a file that holds the password on one line.")
	}
	return baton.NewSecret(strings.TrimRight(string(text), "\r\n")), nil
}
