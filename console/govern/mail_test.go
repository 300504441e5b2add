package govern_test

import (
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/mail"
	"baton/console/mail/mailtest"
	"baton/console/store"
)

// TestMailSettings configures mail and sends a test to a real server.
func TestMailSettings(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{})
	f := newFixture(t)
	f.Console = govern.New(govern.Config{Store: f.store, Allow: mailtest.Allow, Mail: mail.Sender{Roots: server.Roots, Timeout: 10 * time.Second}, Now: func() time.Time { return f.now }})
	root, _ := f.signIn(f.setUp())
	_, err := f.TestMail(ctx, root)
	wantKind(t, "a test before mail is set up", err, baton.Refused)

	s := server.Settings(mailtest.Options{})
	wantKind(t, "a user without password", f.ConfigureMail(ctx, root, s, baton.Secret{}), baton.Invalid)
	wrong := s
	wrong.Port = 0
	wantKind(t, "no port", f.ConfigureMail(ctx, root, wrong, mailtest.Secret()), baton.Invalid)
	plain := s
	plain.TLS = console.MailPlain
	wantKind(t, "a password without TLS", f.ConfigureMail(ctx, root, plain, mailtest.Secret()), baton.Invalid)
	if err := f.ConfigureMail(ctx, root, s, mailtest.Secret()); err != nil {
		t.Fatal(err)
	}
	to, err := f.TestMail(ctx, root)
	if err != nil || to != "root@example.com" || len(server.Received()) != 1 || !strings.Contains(server.Received()[0].Data, "mail works") {
		t.Fatalf("%q, %v, %+v", to, err, server.Received())
	}

	// The password is kept for the same server, and required again for another one.
	s.From, s.ReplyTo = "Other <other@example.com>", "it@example.com"
	if err := f.ConfigureMail(ctx, root, s, baton.Secret{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.TestMail(ctx, root); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*console.MailSettings){"host": func(s *console.MailSettings) { s.Host = "evil.example.com" },
		"port": func(s *console.MailSettings) { s.Port = 2525 }, "user": func(s *console.MailSettings) { s.User = "other" }} {
		moved := s
		change(&moved)
		err := f.ConfigureMail(ctx, root, moved, baton.Secret{})
		if baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), "password") {
			t.Errorf("another %s: %v", name, err)
		}
	}

	// The rights.
	view, err := f.Mail(ctx, root)
	if err != nil || !view.HasPassword || !view.MayChange || view.Settings != s {
		t.Errorf("%+v, %v", view, err)
	}
	f.later(11 * time.Minute)
	wantKind(t, "an old login", f.ConfigureMail(ctx, root, s, baton.Secret{}), baton.PermissionDenied)
	people := map[console.ConsoleRole]govern.Caller{}
	f.update(func(tx *store.Tx) error {
		for _, r := range []console.ConsoleRole{console.Auditor, console.Helpdesk} {
			p := console.Person{Name: string(r), Roles: []console.ConsoleRole{r}}
			var err error
			if p.ID, err = tx.AddPerson(p); err != nil {
				return err
			}
			people[r] = govern.Caller{Person: p}
		}
		return nil
	})
	if view, err := f.Mail(ctx, people[console.Auditor]); err != nil || view.MayChange {
		t.Errorf("an auditor: %+v, %v", view, err)
	}
	_, err = f.Mail(ctx, people[console.Helpdesk])
	wantKind(t, "helpdesk", err, baton.PermissionDenied)
	_, err = f.TestMail(ctx, people[console.Auditor])
	wantKind(t, "a test by an auditor", err, baton.PermissionDenied)

	// Nothing is sent while mail is paused.
	f.update(func(tx *store.Tx) error { return tx.SetPauses(console.Pauses{Mail: true}) })
	before := len(server.Received())
	_, err = f.TestMail(ctx, root)
	wantKind(t, "a test while mail is paused", err, baton.Refused)
	if len(server.Received()) != before {
		t.Error("it was sent")
	}
}

// TestMailAddresses refuses a mail server in a private network, unless the operator allows it.
func TestMailAddresses(t *testing.T) {
	o := mailtest.Options{NoTLS: true, NoLogin: true}
	server := mailtest.Start(t, o)
	f := newFixture(t)
	root, _ := f.signIn(f.setUp())
	if err := f.ConfigureMail(ctx, root, server.Settings(o), baton.Secret{}); err != nil {
		t.Fatal(err)
	}
	_, err := f.TestMail(ctx, root)
	wantKind(t, "loopback", err, baton.PermissionDenied)
	if !strings.Contains(baton.FixOf(err), "--allow-network") || server.Asked("connect") != 0 {
		t.Errorf("%v: %s", err, baton.FixOf(err))
	}
}
