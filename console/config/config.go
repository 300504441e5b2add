// Package config reads, compares, applies and writes YAML files that describe the configuration of a
// console: people, sign-in, apps, connectors, policies and requirements. The schema is that of [File].
package config

import (
	"fmt"
	"maps"
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
	People     []Person    `yaml:"people,omitempty"`
	Apps       []App       `yaml:"apps,omitempty"`
	Connectors []Connector `yaml:"connectors,omitempty"`
	Policies   []Policy    `yaml:"policies,omitempty"`
	// Requirements take effect when syncs show everything that they name.
	Requirements []Requirement  `yaml:"requirements,omitempty"`
	Incompatible []Incompatible `yaml:"incompatible,omitempty"`
	Automations  []Automation   `yaml:"automations,omitempty"`
	OIDC         []Provider     `yaml:"oidc,omitempty"`
	Mail         *Mail          `yaml:"mail,omitempty"`
	Retention    *Retention     `yaml:"retention,omitempty"`

	reader Reader
	places map[string][]place // of the objects, by key
}

// Person describes a person. Missing fields are not changed.
type Person struct {
	Email   string                `yaml:"email,omitempty"`
	Name    string                `yaml:"name,omitempty"`
	Roles   []console.ConsoleRole `yaml:"roles,omitempty"`
	Manager string                `yaml:"manager,omitempty"` // e-mail address
	Login   string                `yaml:"login,omitempty"`   // the e-mail address if it is empty
	// PasswordFile holds the first password. Together with the secret of one-time codes, it creates
	// a login for a person without one. An existing login is not changed.
	PasswordFile string `yaml:"password_file,omitempty"`
	TOTPSecret   Secret `yaml:"totp_secret,omitempty"`
}

// App describes an application.
type App struct {
	Name              string           `yaml:"name,omitempty"`
	Key               string           `yaml:"key,omitempty"`                // stays the same when the name changes
	Owners            []string         `yaml:"owners,omitempty"`             // e-mail addresses
	AdminEntitlements []string         `yaml:"admin_entitlements,omitempty"` // ids as the application's connector reports them
	Roles             []Role           `yaml:"roles,omitempty"`              // the most powerful first, in place of AdminEntitlements
	RolePriority      console.Priority `yaml:"role_priority,omitempty"`
	MinimumAdmins     *int             `yaml:"minimum_admins,omitempty"`
	Seats             *Seats           `yaml:"seats,omitempty"`
	// Policies names the policies of the app's entitlements. Missing ones are not changed.
	Policies AppPolicies `yaml:"policies,omitempty"`
}

// AppPolicies names policies of the file or of the console.
type AppPolicies struct {
	Request   string `yaml:"request,omitempty"` // for entitlements without administrator rights
	Emergency string `yaml:"emergency,omitempty"`
	Revoke    string `yaml:"revoke,omitempty"`
	Review    string `yaml:"review,omitempty"`
}

// Policy describes a policy. An existing policy is named by its ID or name, and gets a new version.
type Policy struct {
	Name  string               `yaml:"name,omitempty"`
	Key   string               `yaml:"key,omitempty"`  // stays the same when the name changes
	Kind  console.PolicyKind   `yaml:"kind,omitempty"` // default request
	Rules []console.PolicyRule `yaml:"rules,omitempty"`
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
	Name     string            `yaml:"name,omitempty"`
	Key      string            `yaml:"key,omitempty"` // stays the same when the name changes
	App      string            `yaml:"app,omitempty"`
	Product  string            `yaml:"product,omitempty"` // "baton-perplexity"
	Hosted   bool              `yaml:"hosted,omitempty"`
	Owners   []string          `yaml:"owners,omitempty"` // e-mail addresses
	Settings map[string]Secret `yaml:"settings,omitempty"`
	Interval Duration          `yaml:"interval,omitempty"` // between syncs; 1h if neither it nor cron is given
	Cron     string            `yaml:"cron,omitempty"`     // when it syncs, in place of the interval: "30 2 * * 1-5"
	Zone     string            `yaml:"zone,omitempty"`     // time zone of cron: "Europe/Berlin"; UTC if it is not given
	// Directory says whether its accounts make people.
	Directory *bool `yaml:"directory,omitempty"`
	// Uploaded means that people upload its sync files.
	Uploaded bool `yaml:"uploaded,omitempty"`
}

// hosting returns where the connector runs.
func (c Connector) hosting() console.Hosting {
	switch {
	case c.Hosted:
		return console.Hosted
	case c.Uploaded:
		return console.ByFile
	}
	return console.SelfHosted
}

// interval returns the time between syncs of a new connector.
func (c Connector) interval() time.Duration {
	if c.Interval == 0 && !c.Uploaded {
		return DefaultInterval
	}
	return time.Duration(c.Interval)
}

// Mail describes the mail server. If it is missing, the settings are not changed.
type Mail struct {
	Host         string          `yaml:"host,omitempty"`
	Port         int             `yaml:"port,omitempty"` // default 587, or 465 with tls
	TLS          console.MailTLS `yaml:"tls,omitempty"`  // default starttls
	User         string          `yaml:"user,omitempty"`
	Password     Secret          `yaml:"password,omitempty"` // or
	PasswordFile string          `yaml:"password_file,omitempty"`
	From         string          `yaml:"from,omitempty"`
	ReplyTo      string          `yaml:"reply_to,omitempty"`
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

// Secret is a string that is never printed, unless plain says that it is none: settings of connectors
// hold both.
type Secret struct {
	baton.Secret
	plain bool
}

// MarshalYAML implements [yaml.Marshaler].
func (s Secret) MarshalYAML() (any, error) {
	if !s.plain {
		return nil, baton.Errorf(baton.Internal, "a secret is not written")
	}
	return s.Reveal(), nil
}

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

// MarshalYAML implements [yaml.Marshaler]: 90m is 1h30m.
func (d Duration) MarshalYAML() (any, error) {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text, nil
}

// DefaultInterval is the default interval between syncs.
const DefaultInterval = time.Hour

// seen holds where objects are described, by kind and name.
type seen map[string]place

// once reports an object that is described twice.
func (s seen) once(bad *problems, at place, what, value string) {
	if first, twice := s[what+value]; twice {
		bad.add(at, "%s %q is there twice, before in %s", what, value, first)
		return
	}
	s[what+value] = at
}

// check reports the problems of the files themselves.
func (f *File) check(bad *problems) {
	all := seen{}
	f.checkPeople(bad, all)
	f.checkProviders(bad)
	f.checkApps(bad, all)
	f.checkConnectors(bad, all)
	if f.Mail != nil {
		f.checkMail(bad)
	}
	if f.Retention != nil {
		if err := f.Retention.retention().Check(); err != nil {
			bad.add(f.at("retention", 0), "retention: %v", err)
		}
	}
	for i, r := range f.Requirements {
		at := f.at("requirements", i)
		if r.App == "" || r.Entitlement == "" {
			bad.add(at, "requirement %d names no app or no entitlement", i+1)
			continue
		}
		all.once(bad, at, "the requirement of", r.Entitlement+" of "+r.App)
		if err := r.rule().Check(); err != nil {
			bad.add(at, "the requirement of %s of %s: %v", r.Entitlement, r.App, err)
		}
	}
	for i, p := range f.Policies {
		at := f.at("policies", i)
		if p.Name == "" {
			bad.add(at, "policy %d has no name", i+1)
			continue
		}
		all.once(bad, at, "the policy", strings.ToLower(p.Name))
		if err := govern.CheckPolicy(p.policy()); err != nil {
			bad.add(at, "policy %s: %v", p.Name, err)
		}
	}
	f.checkIncompatible(bad, all)
	f.checkAutomations(bad, all)
	f.checkKeys(bad, all)
}

// checkPeople reports the problems of the people.
func (f *File) checkPeople(bad *problems, all seen) {
	for i, p := range f.People {
		at := f.at("people", i)
		email := console.NormalizeEmail(p.Email)
		if !strings.Contains(email, "@") {
			bad.add(at, "person %d has no e-mail address", i+1)
			continue
		}
		all.once(bad, at, "the person", email)
		if p.Name == "" {
			bad.add(at, "%s has no name", email)
		}
		for _, r := range p.Roles {
			if !slices.Contains(console.ConsoleRoles(), r) {
				bad.add(at, "%s: there is no role %q: write %s", email, r, roleNames())
			}
		}
		if p.PasswordFile == "" {
			if p.Login != "" || !p.TOTPSecret.IsZero() {
				bad.add(at, "%s has a login without password_file", email)
			}
			continue
		}
		all.once(bad, at, "the login", console.NormalizeEmail(p.loginName()))
		if p.TOTPSecret.IsZero() {
			bad.add(at, "%s has a password_file without totp_secret: every login needs a second factor", email)
		} else if err := login.CheckCodeSecret(p.TOTPSecret.Secret); err != nil {
			bad.add(at, "%s: totp_secret: %v", email, err)
		}
	}
}

// checkApps reports the problems of the apps.
func (f *File) checkApps(bad *problems, all seen) {
	for i, a := range f.Apps {
		at := f.at("apps", i)
		if strings.TrimSpace(a.Name) == "" {
			bad.add(at, "app %d has no name", i+1)
			continue
		}
		all.once(bad, at, "the app", a.Name)
		if a.MinimumAdmins != nil && *a.MinimumAdmins < 0 {
			bad.add(at, "app %s: minimum_admins is %d", a.Name, *a.MinimumAdmins)
		}
		checkSeats(bad, at, a)
		checkRoleMap(bad, at, a)
	}
}

// checkConnectors reports the problems of the connectors.
func (f *File) checkConnectors(bad *problems, all seen) {
	variables := map[string]string{}
	for i, c := range f.Connectors {
		at := f.at("connectors", i)
		if c.Name == "" || c.App == "" {
			bad.add(at, "connector %d needs a name and an app", i+1)
			continue
		}
		all.once(bad, at, "the connector", c.Name)
		v := Variable(c.Name)
		if other, taken := variables[v]; taken && other != c.Name {
			bad.add(at, "the connectors %q and %q would have the same variable %s_CLIENT_ID", other, c.Name, v)
		}
		variables[v] = c.Name
		if strings.Trim(v, "_") == "" {
			bad.add(at, "the name of connector %q needs a letter or digit", c.Name)
		}
		if d := time.Duration(c.Interval); d != 0 && d < f.reader.MinInterval {
			bad.add(at, "connector %s: the interval %s is shorter than %s", c.Name, d, f.reader.MinInterval)
		}
		switch {
		case c.Cron == "" && c.Zone != "":
			bad.add(at, "connector %s: zone belongs to cron", c.Name)
		case c.Cron != "" && c.Interval != 0:
			bad.add(at, "connector %s: interval and cron exclude each other", c.Name)
		case c.Cron != "":
			if err := (schedule.Schedule{Cron: c.Cron, Zone: c.Zone}).Check(f.reader.MinInterval); err != nil {
				bad.add(at, "connector %s: %v", c.Name, err)
			}
		}
		if c.Hosted && c.Uploaded {
			bad.add(at, "connector %s: hosted and uploaded exclude each other", c.Name)
		}
		if c.Hosted {
			if err := f.checkHosted(at, c); err != nil {
				bad.add(at, "connector %s: %v", c.Name, err)
			}
		} else if len(c.Settings) > 0 {
			bad.add(at, "connector %s: settings are for hosted connectors: give them to the connector where it runs", c.Name)
		}
	}
}

// checkMail reports the problems of the mail settings.
func (f *File) checkMail(bad *problems) {
	at := f.at("mail", 0)
	if err := mail.Check(f.Mail.settings()); err != nil {
		bad.add(at, "mail: %v", err)
	}
	given := !f.Mail.Password.IsZero() || f.Mail.PasswordFile != ""
	switch {
	case !f.Mail.Password.IsZero() && f.Mail.PasswordFile != "":
		bad.add(at, "mail: password and password_file exclude each other")
	case given != (f.Mail.User != ""):
		bad.add(at, "mail: user and password belong together")
	}
}

// product returns the product of a hosted connector.
func (f *File) product(c Connector) (govern.Product, error) {
	var names []string
	for _, p := range f.reader.Products {
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

// checkHosted reports the problems of a hosted connector's settings. Secrets that are not given stay as
// they are, so only values are checked without them.
func (f *File) checkHosted(at place, c Connector) error {
	p, err := f.product(c)
	if err != nil {
		return err
	}
	values, secrets, err := f.hostedSettings(at, p, c)
	if err != nil {
		return err
	}
	for _, s := range p.Settings {
		if s.Kind == baton.SecretSetting && secrets[s.Name].IsZero() {
			return nil
		}
	}
	return p.Check(values, secrets)
}

// fileSuffix marks the setting that names a file with the value of a secret.
const fileSuffix = "-file"

// hostedSettings returns the settings of a connector without its secrets, and the given secrets.
func (f *File) hostedSettings(at place, p govern.Product, c Connector) (values map[string]string, secrets map[string]baton.Secret, err error) {
	values, secrets = map[string]string{}, map[string]baton.Secret{}
	for _, name := range slices.Sorted(maps.Keys(c.Settings)) {
		v := c.Settings[name]
		of, inFile := strings.CutSuffix(name, fileSuffix)
		i := slices.IndexFunc(p.Settings, func(s baton.Setting) bool { return s.Name == name })
		if i < 0 && inFile {
			i = slices.IndexFunc(p.Settings, func(s baton.Setting) bool { return s.Name == of && s.Kind == baton.SecretSetting })
		}
		switch {
		case i < 0:
			return nil, nil, fmt.Errorf("%s has no setting %q", p.DisplayName, name)
		case p.Settings[i].Kind == baton.SecretSetting:
			if !secrets[p.Settings[i].Name].IsZero() {
				return nil, nil, fmt.Errorf("%s and %s exclude each other", of, name)
			}
			if inFile && p.Settings[i].Name == of {
				if v.Secret, err = f.secret(at, name, v.Reveal()); err != nil {
					return nil, nil, err
				}
			}
			secrets[p.Settings[i].Name] = v.Secret
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
