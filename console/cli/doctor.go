package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"time"

	"baton"
	"baton/console"
	"baton/console/config"
	"baton/console/installation"
	"baton/console/store"
	"baton/internal/english"
	"baton/internal/output"
)

// doctor checks an installation.
type doctor struct {
	run    *run
	failed int
	err    error // of printing
}

func (d *doctor) say(level, check, detail, fix string) {
	if level == "failure" {
		d.failed++
	}
	text := fmt.Sprintf("%-8s %s: %s\n", level, check, output.Clean(detail))
	if fix != "" {
		text += fmt.Sprintf("%-8s fix: %s\n", "", output.Clean(fix))
	}
	if _, err := fmt.Fprint(d.run.stdout, text); err != nil && d.err == nil {
		d.err = toStdout(err)
	}
}

// check prints the result of a check.
func (d *doctor) check(check string, err error, ok string) bool {
	if err != nil {
		d.say("failure", check, err.Error(), baton.FixOf(err))
		return false
	}
	d.say("ok", check, ok, "")
	return true
}

func (d *doctor) examine(ctx context.Context) error {
	r := d.run
	d.settings()
	in, err := installation.Open(ctx, r.installation())
	if !d.check("installation", err, "the folder, the keys and the database fit together") {
		return d.err
	}
	defer in.Close()
	d.check("folder", writable(in.Dir), in.Dir+" can be written to")
	d.say("ok", "database", in.Store.Database()+", of this version", "")
	report, err := in.Store.VerifyChain(ctx)
	if err == nil && len(report.Faults) > 0 {
		err = baton.Errorf(baton.Corrupt, "%s", report.Faults[0].Detail).WithFix("See baton-console audit verify.")
	}
	d.check("audit chain", err, english.Count(int(report.Events), "event")+", sound")
	if err := in.Store.View(ctx, d.contents); err != nil {
		return err
	}
	return d.err
}

// settings checks the settings without opening the installation.
func (d *doctor) settings() {
	v := d.run.Values
	if path := v.String("bootstrap"); path != "" {
		_, err := config.Read(path, time.Minute, d.run.Products)
		d.check("bootstrap file", err, path+" can be read")
	}
	if text := v.String("url"); text != "" {
		u, err := url.Parse(text)
		if err == nil && (u.Scheme != "https" || u.Host == "") {
			err = baton.Errorf(baton.Invalid, "%s is no https address: connectors speak TLS only", text).WithFix("Write it as https://console.example.com.")
		}
		d.check("address", err, text)
	}
	if path := v.String("tls-cert"); path != "" {
		cert, err := tls.LoadX509KeyPair(path, v.String("tls-key"))
		if err != nil {
			err = baton.Errorf(baton.Invalid, "%w", err).WithFix("Name a certificate chain and its key, both as PEM.")
		} else if left := cert.Leaf.NotAfter.Sub(d.run.now()); left < 0 {
			err = baton.Errorf(baton.Invalid, "the certificate ended on %s", cert.Leaf.NotAfter.UTC().Format(time.DateOnly)).WithFix("Renew it.")
		} else if left < 14*24*time.Hour {
			d.say("warning", "certificate", "it ends on "+cert.Leaf.NotAfter.UTC().Format(time.DateOnly), "Renew it.")
			return
		}
		d.check("certificate", err, path)
	}
}

// contents checks the contents of the database.
func (d *doctor) contents(t *store.Tx) error {
	some, err := t.HasLogins()
	if err != nil {
		return err
	}
	if !some {
		d.say("warning", "administrator", "nobody can sign in yet", "Set up the first administrator; baton-console setup-token prints a token.")
	}
	pauses, err := t.Pauses()
	if err != nil {
		return err
	}
	if pauses.Any() {
		d.say("warning", "paused", "writes, mail or webhooks are paused: "+pauses.Why, "Resume them with baton-console resume when the original does not run any more.")
	}
	apps, err := t.Apps(store.NameAfter{}, store.PageSize)
	if err != nil {
		return err
	}
	for _, a := range apps {
		missing, err := config.MissingAdmins(t, a.ID)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			d.say("warning", "app "+a.Name, fmt.Sprintf("no sync shows the admin entitlement %s", english.Or(missing)), "Correct admin_entitlements in the bootstrap file, or let its connector sync.")
		}
	}
	connectors, err := t.Connectors("")
	if err != nil {
		return err
	}
	for _, c := range connectors {
		if err := d.connector(t, c); err != nil {
			return err
		}
	}
	return nil
}

func (d *doctor) connector(t *store.Tx, c console.Connector) error {
	name := "connector " + c.Name
	held, err := t.HeldSync(c.ID)
	if err != nil {
		return err
	}
	head, err := t.HeadSync(c.Stream)
	if err != nil {
		return err
	}
	now := d.run.now()
	switch {
	case held != nil:
		d.say("warning", name, "its newest sync is held", fmt.Sprintf("Look at it with baton-console sync list, then sync confirm or sync discard %s.", held.ID))
	case c.Paused:
		d.say("warning", name, "it is paused", "Resume it when it should sync again.")
	case head == nil:
		d.say("warning", name, "no sync was applied yet", "Start the connector as a service with its client id and secret.")
	case c.Hosting != console.ByFile && c.Interval > 0 && now.Sub(head.Began) > 3*c.Interval+10*time.Minute:
		d.say("warning", name, fmt.Sprintf("its newest sync began %s ago, and it should sync every %s", now.Sub(head.Began).Round(time.Minute), c.Interval), "See whether the connector runs, and its log.")
	default:
		shown, err := t.CountsAt(c.Stream, head.Number)
		if err != nil {
			return err
		}
		d.say("ok", name, fmt.Sprintf("%s as of %s", english.Count(int(shown.Accounts), "account"), head.Began.UTC().Format(time.RFC3339)), "")
	}
	return nil
}
