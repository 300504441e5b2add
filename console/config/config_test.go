package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/config"
	"baton/console/schedule"
	"baton/console/store"
	"baton/console/store/sqlite"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

const whole = `
people:
  - {email: Ana@Example.test, name: Ana, roles: [super-administrator, auditor], login: ana, password_file: password, totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}
  - {email: ben@example.test, name: Ben, manager: ana@example.test}
apps:
  - {name: App, owners: [ben@example.test], admin_entitlements: [b, a, a], minimum_admins: 2}
connectors:
  - {name: one, app: App, product: baton-x, owners: [ana@example.test], interval: 90s}
  - {name: two, app: App}
`

// desk is a store, with a folder for files to apply.
type desk struct {
	t   *testing.T
	dir string
	s   *store.Store
}

func newDesk(t *testing.T) desk {
	t.Helper()
	keys, err := store.NewKeyring("k", map[string][]byte{"k": store.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	d := desk{t: t, dir: t.TempDir()}
	if d.s, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(d.dir, "console.db"), Now: noon, NoFlush: true}, keys); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.s.Close() })
	d.write("password", "correct horse battery staple\n")
	return d
}

func (d desk) write(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

func (d desk) apply(text string) (config.Applied, error) {
	d.t.Helper()
	f, err := config.Read(d.write("console.yaml", text), time.Minute, nil)
	if err != nil {
		return nil, err
	}
	applied, _, err := f.Apply(d.t.Context(), d.s, console.By{At: noon, Actor: console.Console}, config.Options{Source: console.BootstrapSource})
	return applied, err
}

func (d desk) events() (n int64) {
	d.t.Helper()
	d.view(func(t *store.Tx) error {
		h, err := t.ChainHead()
		n = h.Number
		return err
	})
	return n
}

func (d desk) view(fn func(*store.Tx) error) {
	d.t.Helper()
	if err := d.s.View(d.t.Context(), fn); err != nil {
		d.t.Fatal(err)
	}
}

// TestApply creates what a file names, changes nothing the second time, and then changes what
// differs.
func TestApply(t *testing.T) {
	d := newDesk(t)
	applied, err := d.apply(whole)
	if err != nil || len(applied) != 2 || applied["one"].Interval != 90*time.Second || applied["two"].Interval != config.DefaultInterval {
		t.Fatalf("%+v, %v", applied, err)
	}
	n := d.events()
	if _, err := d.apply(whole); err != nil {
		t.Fatal(err)
	}
	if d.events() != n {
		t.Errorf("applied again, %d events more", d.events()-n)
	}
	d.view(func(tx *store.Tx) error {
		ana, err := tx.PersonByEmail("ana@example.test")
		if err != nil {
			return err
		}
		ben, err := tx.PersonByEmail("ben@example.test")
		if err != nil {
			return err
		}
		app, err := tx.AppByName("App")
		if err != nil {
			return err
		}
		l, err := tx.LoginByName("ana")
		if err != nil || l.Person != ana.ID || l.Password == "" {
			t.Errorf("%+v, %v", l, err)
		}
		missing, err := config.MissingAdmins(tx, app.ID)
		if ben.Manager != ana.ID || !slices.Equal(app.Owners, []console.ID{ben.ID}) || app.MinimumAdmins != 2 || !slices.Equal(missing, []string{"a", "b"}) {
			t.Errorf("%+v, %+v, %q", ben, app, missing)
		}
		return err
	})
	changed := strings.NewReplacer("Ben,", "Benjamin,", "interval: 90s", "interval: 2h", "minimum_admins: 2", "minimum_admins: 1", "[super-administrator, auditor]", "[super-administrator]").Replace(whole)
	if _, err := d.apply(changed); err != nil {
		t.Fatal(err)
	}
	d.view(func(tx *store.Tx) error {
		ana, err1 := tx.PersonByEmail("ana@example.test")
		ben, err2 := tx.PersonByEmail("ben@example.test")
		app, err3 := tx.AppByName("App")
		one, err4 := tx.ConnectorByName("one")
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil || len(ana.Roles) != 1 || ben.Name != "Benjamin" || app.MinimumAdmins != 1 || one.Interval != 2*time.Hour || len(one.Owners) != 1 {
			t.Errorf("%+v, %+v, %+v, %+v", ana, ben, app, one)
		}
		return nil
	})
	// Objects that the file does not name stay. The only event is that the file describes less.
	d.describesLess("people: [{email: ana@example.test, name: Ana}]\napps: [{name: App}]\nconnectors: [{name: one, app: App}]\n")
}

// describesLess applies a file that changes nothing, and describes less than the one before.
func (d desk) describesLess(text string) {
	d.t.Helper()
	for _, want := range []int64{1, 0} {
		n := d.events()
		if _, err := d.apply(text); err != nil || d.events() != n+want {
			d.t.Errorf("%s: %v, %d events, want %d", text, err, d.events()-n, want)
		}
	}
	d.view(func(tx *store.Tx) error {
		last, err := tx.EventsBefore(store.EventFilter{}, 0, 1)
		if err != nil || len(last) != 1 || last[0].Kind != "configuration.applied" {
			d.t.Errorf("%s: the event is %+v, %v", text, last, err)
		}
		return err
	})
}

// TestSchedules sets when connectors sync, and which are directories.
func TestSchedules(t *testing.T) {
	d := newDesk(t)
	type want struct {
		schedule  schedule.Schedule
		directory bool
	}
	hour := time.Hour
	for _, tt := range []struct {
		text string
		want want
	}{
		{"", want{schedule.Schedule{Every: hour}, false}},
		{", cron: '30 2 * * 1-5', zone: Europe/Berlin, directory: true", want{schedule.Schedule{Every: hour, Cron: "30 2 * * 1-5", Zone: "Europe/Berlin"}, true}},
		{"", want{schedule.Schedule{Every: hour, Cron: "30 2 * * 1-5", Zone: "Europe/Berlin"}, true}},
		{", cron: '0 3 * * *'", want{schedule.Schedule{Every: hour, Cron: "0 3 * * *"}, true}},
		{", interval: 2h, directory: false", want{schedule.Schedule{Every: 2 * hour}, false}},
	} {
		for again := range 2 {
			before := d.events()
			if _, err := d.apply("apps: [{name: A}]\nconnectors: [{name: a, app: A" + tt.text + "}]\n"); err != nil {
				t.Fatal(err)
			}
			if again == 1 && d.events() != before {
				t.Errorf("%q: applied again, it makes %d events", tt.text, d.events()-before)
			}
		}
		d.view(func(tx *store.Tx) error {
			c, err := tx.ConnectorByName("a")
			if err != nil {
				return err
			}
			if got := (want{schedule.Of(c), c.Directory}); got != tt.want {
				t.Errorf("%q: %+v, want %+v", tt.text, got, tt.want)
			}
			_, due, err := tx.DueAt(console.DueDirectory, string(c.ID))
			if due != tt.want.directory {
				t.Errorf("%q: the directory is due: %t", tt.text, due)
			}
			return err
		})
	}
}

// TestMail sets the mail server, and changes nothing the second time.
func TestMail(t *testing.T) {
	d := newDesk(t)
	for text, want := range map[string]console.MailSettings{
		"mail: {host: smtp.example.com, from: a@example.com, user: u, password_file: password}": {Host: "smtp.example.com", Port: 587, TLS: console.MailSTARTTLS, User: "u", From: "a@example.com"},
		"mail: {host: smtp.example.com, from: a@example.com, user: u, tls: tls, password: correct horse battery staple, reply_to: b@example.com}": {Host: "smtp.example.com", Port: 465, TLS: console.MailImplicit,
			User: "u", From: "a@example.com", ReplyTo: "b@example.com"},
	} {
		if _, err := d.apply(text); err != nil {
			t.Fatal(err)
		}
		n := d.events()
		if _, err := d.apply(text); err != nil || d.events() != n {
			t.Errorf("applied again: %v, %d events more", err, d.events()-n)
		}
		d.describesLess("people: []")
		d.view(func(tx *store.Tx) error {
			got, err := tx.MailSettings()
			if err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
			password, err := tx.MailPassword()
			if password.Reveal() != "correct horse battery staple" {
				t.Errorf("the password is %q", password.Reveal())
			}
			return err
		})
	}
}

// TestRetention sets how long records are kept, and changes nothing the second time.
func TestRetention(t *testing.T) {
	d := newDesk(t)
	want := console.DefaultRetention()
	want.TaskDays, want.HistoryDays = 90, 400
	const text = "retention: {task_days: 90, history_days: 400}"
	if _, err := d.apply(text); err != nil {
		t.Fatal(err)
	}
	n := d.events()
	if _, err := d.apply(text); err != nil || d.events() != n {
		t.Errorf("applied again: %v, %d events more", err, d.events()-n)
	}
	d.describesLess("people: []")
	d.view(func(tx *store.Tx) error {
		got, err := tx.Retention()
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		return err
	})
}

// TestRefused checks that nothing of a file is applied if nobody could administer the console
// afterwards, or if it contradicts the store.
func TestRefused(t *testing.T) {
	d := newDesk(t)
	if _, err := d.apply(whole); err != nil {
		t.Fatal(err)
	}
	n := d.events()
	for name, tt := range map[string]struct {
		text string
		kind baton.Kind
	}{
		"the last administrator loses the role": {"people: [{email: ana@example.test, name: Ana, roles: [auditor]}]", baton.Refused},
		"a connector of another app":            {"apps: [{name: Other}]\nconnectors: [{name: one, app: Other}]", baton.Refused},
		"an app that is not there":              {"connectors: [{name: three, app: None}]", baton.Invalid},
		"an owner who is not there":             {"apps: [{name: New, owners: [nobody@example.test]}]", baton.Invalid},
		"somebody new, then something wrong":    {"people: [{email: new@example.test, name: New, manager: nobody@example.test}]", baton.Invalid},
	} {
		if _, err := d.apply(tt.text + "\n"); baton.KindOf(err) != tt.kind || baton.FixOf(err) == "" {
			t.Errorf("%s: %v (%v), want %v and a fix", name, err, baton.KindOf(err), tt.kind)
		}
		if d.events() != n {
			t.Fatalf("%s: something was applied", name)
		}
	}
}

// TestWrongFiles checks that the error lists all problems of a file, with line numbers if possible.
func TestWrongFiles(t *testing.T) {
	d := newDesk(t)
	for text, want := range map[string]string{
		"people: [{email: a@b.c, name: A, rolls: []}]": "line 1: field rolls is not known",
		"people: {}":                                                                              "line 1",
		"retention: {history_days: 3}":                                                            "history cannot be kept for 3 days",
		"retention: {history: 3}":                                                                 "field history is not known",
		"connectors: [{name: a, app: A, interval: often}]":                                        `"often" is no time span`,
		"people: [{email: nobody, name: A}]":                                                      "person 1 has no e-mail address",
		"people: [{email: a@b.c, name: A, roles: [boss]}]":                                        `no role "boss"`,
		"people: [{email: a@b.c, name: A}, {email: A@b.c, name: B}]":                              "is there twice",
		"people: [{email: a@b.c, name: A, password_file: x}]":                                     "without totp_secret",
		"people: [{email: a@b.c, name: A, password_file: x, totp_secret: '1'}]":                   "totp_secret",
		"mail: {host: 'a b', port: 25, from: a@b.c}":                                              "no name of a server",
		"mail: {host: a, from: a}":                                                                "no e-mail address",
		"mail: {host: a, from: a@b.c, tls: ssl}":                                                  "no way to encrypt",
		"mail: {host: a, from: a@b.c, user: u}":                                                   "user and password belong together",
		"mail: {host: a, from: a@b.c, password: p}":                                               "user and password belong together",
		"mail: {host: a, from: a@b.c, user: u, password: p, tls: none}":                           "over TLS only",
		"mail: {host: a, from: a@b.c, user: u, password: p, password_file: p}":                    "exclude each other",
		"apps: [{name: A, minimum_admins: -1}]":                                                   "minimum_admins is -1",
		"apps: [{name: A}]\nconnectors: [{name: a-b, app: A}, {name: a_b, app: A}]":               "A_B_CLIENT_ID",
		"apps: [{name: A}]\nconnectors: [{name: a, app: A, interval: 1s}]":                        "shorter than 1m",
		"apps: [{name: A}]\nconnectors: [{name: a, app: A, zone: Europe/Berlin}]":                 "zone belongs to cron",
		"apps: [{name: A}]\nconnectors: [{name: a, app: A, interval: 1h, cron: '0 3 * * *'}]":     "exclude each other",
		"apps: [{name: A}]\nconnectors: [{name: a, app: A, cron: daily}]":                         `the cron expression "daily" is none`,
		"apps: [{name: A}]\nconnectors: [{name: a, app: A, cron: '0 3 * * *', zone: Mars/Base}]":  `no time zone "Mars/Base"`,
		"apps: [{name: A}]\n---\napps: []":                                                        "more than one document",
		"people: [{name: A}]\napps: [{}]":                                                         "console.yaml: line 2: app 1 has no name",
		"people: [{email: a@b.c, name: A, password_file: x, totp_secret: [JBSWY3DPEHPK3PXPJBS]}]": "line 1: a plain value is needed",
	} {
		if _, err := d.apply(text + "\n"); baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), want) || baton.FixOf(err) == "" || strings.Contains(err.Error(), "config.") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestPolicies adds the policy versions that a file describes, only once, and assigns them to an
// app.
func TestPolicies(t *testing.T) {
	d := newDesk(t)
	file := whole + `
policies:
  - name: Two eyes
    rules:
      - {when: 'request.duration <= duration("1h")', outcome: approve}
      - outcome: ask
        steps:
          - {name: Ana, ask: [ana@example.test, "group:App/a"], fallback: [manager], limit: 2d, escalate: ["role:security-officer"]}
  - {name: standard, kind: request, rules: [{outcome: ask, steps: [{ask: [app-owner], fallback: [], limit: 3d}]}]}
  - {name: Asked removal, kind: revoke, rules: [{outcome: ask, steps: [{ask: [app-owner]}]}]}
`
	file = strings.Replace(file, "minimum_admins: 2}", "minimum_admins: 2, policies: {request: Two eyes, emergency: emergency, revoke: asked removal, review: review}}", 1)
	if _, err := d.apply(file); err != nil {
		t.Fatal(err)
	}
	n := d.events()
	if _, err := d.apply(file); err != nil {
		t.Fatal(err)
	}
	if d.events() != n {
		t.Errorf("applied again, %d events more", d.events()-n)
	}
	d.view(func(tx *store.Tx) error {
		app, err := tx.AppByName("App")
		if err != nil {
			return err
		}
		ana, err := tx.PersonByEmail("ana@example.test")
		if err != nil {
			return err
		}
		settings, err := tx.RequestSettings(app.ID, console.WholeApp)
		if err != nil || len(settings) != 1 || settings[0].Author != "" {
			t.Fatalf("%+v, %v", settings, err)
		}
		s := settings[0].Settings
		own, err := tx.Policy(s.Policy)
		if err != nil || own.Name != "Two eyes" || own.Kind != console.PolicyRequest || own.Version != 1 || own.Author != "" || own.Weaker {
			t.Errorf("%+v, %v", own, err)
		}
		step := own.Rules[1].Steps[0]
		if step.Ask[0] != (console.Approver{Kind: console.ApproverPerson, Person: ana.ID}) || step.Ask[1] != (console.Approver{Kind: console.ApproverGroup, App: app.ID, Entitlement: "a"}) {
			t.Errorf("%+v", step)
		}
		if s.Emergency != console.EmergencyPolicy || s.Review != console.ReviewPolicy {
			t.Errorf("%+v", s)
		}
		standard, err := tx.Policy(console.StandardPolicy)
		if err != nil || standard.Version != 1 || standard.Name != "Standard" || !standard.Weaker {
			t.Errorf("%+v, %v", standard, err)
		}
		revoke, err := tx.Policy(s.Revoke)
		if err != nil || revoke.Kind != console.PolicyRevoke {
			t.Errorf("%+v, %v", revoke, err)
		}
		return nil
	})
	if _, err := d.apply(strings.Replace(file, "limit: 2d", "limit: 4d", 1)); err != nil {
		t.Fatal(err)
	}
	d.view(func(tx *store.Tx) error {
		all, err := tx.Policies()
		for _, p := range all {
			if p.Name == "Two eyes" && p.Version != 2 {
				t.Errorf("%+v", p)
			}
		}
		return err
	})
	for what, bad := range map[string]string{
		"nobody":              strings.Replace(file, "ask: [ana@example.test", "ask: [cem@example.test", 1),
		"no application":      strings.Replace(file, "group:App", "group:Other", 1),
		"a wrong condition":   strings.Replace(file, "request.duration", "request.size", 1),
		"another approver":    strings.Replace(file, "fallback: [manager]", "fallback: [boss]", 1),
		"a name twice":        strings.Replace(file, "Asked removal, kind", "two eyes, kind", 1),
		"no name":             strings.Replace(file, "name: standard, kind", "kind", 1),
		"another kind":        strings.Replace(file, "name: standard, kind: request", "name: standard, kind: revoke", 1),
		"no policy":           strings.Replace(file, "revoke: asked removal", "revoke: nothing", 1),
		"a policy of another": strings.Replace(file, "revoke: asked removal", "revoke: Two eyes", 1),
		"another key":         strings.Replace(file, "escalate:", "pass:", 1),
	} {
		if _, err := d.apply(bad); err == nil || baton.FixOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
}
