package govern

import (
	"context"
	"fmt"
	"strings"

	"baton"
	"baton/console"
	"baton/console/mail"
	"baton/console/store"
)

// MailView is the mail configuration, and the number of mails.
type MailView struct {
	Settings    console.MailSettings
	HasPassword bool
	Paused      bool // nothing is sent until mail is resumed
	Counts      map[console.MailState]int
	MayChange   bool
}

func (c *Console) Mail(ctx context.Context, caller Caller) (v MailView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		v = MailView{MayChange: console.ConfigureSettings.Of(me, console.Object{})}
		var err error
		if v.Settings, err = tx.MailSettings(); err != nil {
			return err
		}
		if v.HasPassword, err = tx.HasMailPassword(); err != nil {
			return err
		}
		pauses, err := tx.Pauses()
		if err != nil {
			return err
		}
		v.Paused = pauses.Mail
		v.Counts, err = tx.CountMails()
		return err
	})
	return v, err
}

// ConfigureMail sets the mail server; the zero value turns mail off. A password that is not given is
// kept, unless server, port or user change: it is only sent to the server it was entered for.
func (c *Console) ConfigureMail(ctx context.Context, caller Caller, s console.MailSettings, password baton.Secret) error {
	s.Host, s.User, s.From, s.ReplyTo = strings.TrimSpace(s.Host), strings.TrimSpace(s.User), strings.TrimSpace(s.From), strings.TrimSpace(s.ReplyTo)
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ConfigureSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		if s == (console.MailSettings{}) {
			return tx.SetMailSettings(s, baton.Secret{})
		}
		if err := mail.Check(s); err != nil {
			return err
		}
		if s.User != "" && password.IsZero() {
			before, err := tx.MailSettings()
			if err != nil {
				return err
			}
			has, err := tx.HasMailPassword()
			switch {
			case err != nil:
				return err
			case !has:
				return baton.Errorf(baton.Invalid, "the password of %q is missing", s.User).WithFix("Enter it, or leave out the user if the server asks for no login.")
			case !s.SameServer(before):
				return baton.Errorf(baton.Invalid, "server, port or user changed, and the password was not given again").
					WithFix("Enter the password: it is not sent to another server than the one that it was entered for.")
			}
		}
		return tx.SetMailSettings(s, password)
	})
}

// TestMail sends a mail to the caller with the stored settings, and returns the address.
func (c *Console) TestMail(ctx context.Context, caller Caller) (to string, err error) {
	var settings console.MailSettings
	var password baton.Secret
	var m mail.Message
	err = c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		if err := console.ConfigureSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		pauses, err := tx.Pauses()
		if err != nil {
			return err
		}
		if settings, err = tx.MailSettings(); err != nil {
			return err
		}
		switch {
		case pauses.Mail:
			return baton.Errorf(baton.Refused, "mail is paused: this console was restored or copied").WithFix("baton-console resume ends that, when the original does not run any more.")
		case !settings.Configured():
			return baton.Errorf(baton.Refused, "mail is not set up").WithFix("Save the settings first.")
		case len(me.Emails) == 0:
			return baton.Errorf(baton.Refused, "you have no e-mail address").WithFix("Add one to yourself under People.")
		}
		m = mail.Message{ID: string(console.NewID(c.now())), At: c.now(), To: me.Emails[0], Name: me.Name, Subject: "Test of mail from the Baton Console",
			Text: fmt.Sprintf("%s asked the Baton Console to send this mail. It arrived: mail works.\n", me.Name)}
		password, err = tx.MailPassword()
		return err
	})
	if err != nil {
		return "", err
	}
	return m.To, c.mail.Send(ctx, settings, password, m)
}

// OutboxRow is a mail in a list.
type OutboxRow struct {
	console.Mail
	To console.Person
}

// Outbox returns up to n mails in a state, or in all of them, the newest first, and whether
// there are more.
func (c *Console) Outbox(ctx context.Context, caller Caller, state console.MailState, before store.MailBefore, n int) (rows []OutboxRow, more bool, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		rows, more = nil, false
		mails, err := tx.Mails(state, before, n+1)
		if err != nil {
			return err
		}
		if more = len(mails) > n; more {
			mails = mails[:n]
		}
		for _, m := range mails {
			p, err := tx.Person(m.Person)
			if err != nil {
				return err
			}
			rows = append(rows, OutboxRow{m, p})
		}
		return nil
	})
	return rows, more, err
}

// RetryMail queues a failed mail again.
func (c *Console) RetryMail(ctx context.Context, caller Caller, id console.ID) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ConfigureSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		return tx.RetryMail(id)
	})
}

// MailChoice returns when the caller wants ordinary notices.
func (c *Console) MailChoice(ctx context.Context, caller Caller) (choice console.MailChoice, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		choice, err = tx.MailChoice(me.ID)
		return err
	})
	return choice, err
}

// SetMailChoice sets when the caller wants ordinary notices.
func (c *Console) SetMailChoice(ctx context.Context, caller Caller, choice console.MailChoice) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error { return tx.SetMailChoice(me.ID, choice) })
}
