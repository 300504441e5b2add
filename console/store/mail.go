package store

import (
	"encoding/json"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const (
	mailSetting  = "mail"
	mailOwner    = "mail"
	mailPassword = "password"
)

// MailSettings returns the mail server settings; the zero value if mail is not configured.
func (t *Tx) MailSettings() (s console.MailSettings, err error) {
	b, err := t.Setting(mailSetting)
	if baton.KindOf(err) == baton.NotFound {
		return s, nil
	}
	if err == nil && json.Unmarshal(b, &s) != nil {
		err = baton.Errorf(baton.Corrupt, "the settings of mail cannot be read").WithFix("Enter them again.")
	}
	return s, err
}

// MailPassword returns the password of the mail server; zero if none is set.
func (t *Tx) MailPassword() (baton.Secret, error) {
	password, err := t.Secret(mailOwner, mailPassword)
	if baton.KindOf(err) == baton.NotFound {
		return baton.Secret{}, nil
	}
	return password, err
}

// HasMailPassword reports whether a password for the mail server is set.
func (t *Tx) HasMailPassword() (bool, error) {
	names, err := t.SecretNames(mailOwner)
	return len(names) > 0, err
}

// SetMailSettings sets the mail server, or turns mail off with the zero value. A zero password keeps
// the existing one, unless the server or user changes: then the password is removed.
func (t *Tx) SetMailSettings(s console.MailSettings, password baton.Secret) error {
	before, err := t.MailSettings()
	if err != nil && baton.KindOf(err) != baton.Corrupt {
		return err
	}
	have, err := t.SecretNames(mailOwner)
	if err != nil {
		return err
	}
	if err := t.writeSetting(mailSetting, encode(s)); err != nil {
		return err
	}
	switch {
	case !password.IsZero():
		err = t.writeSecret(mailOwner, mailPassword, []byte(password.Reveal()))
	case len(have) > 0 && (s.User == "" || !s.SameServer(before)):
		_, err = t.e.Exec("DELETE FROM secret WHERE owner = $1", mailOwner)
	case before == s:
		return nil
	}
	if err != nil {
		return err
	}
	return t.event(console.Event{Kind: "mail.configured", Object: mailSetting}, map[string]any{"before": before, "after": s, "password_changed": !password.IsZero()})
}

// invitationOwner is the owner under which an invitation link is sealed until it is mailed.
func invitationOwner(person console.ID) string { return "invitation/" + string(person) }

const invitationToken = "token"

// KeepInvitationToken stores the token of a person's invitation until it is mailed.
func (t *Tx) KeepInvitationToken(person console.ID, token baton.Secret) error {
	return t.writeSecret(invitationOwner(person), invitationToken, []byte(token.Reveal()))
}

// InvitationToken returns the token of a person's invitation that has not been mailed. NotFound if
// there is none.
func (t *Tx) InvitationToken(person console.ID) (baton.Secret, error) {
	return t.Secret(invitationOwner(person), invitationToken)
}

// ForgetInvitationToken removes the stored token of a person's invitation.
func (t *Tx) ForgetInvitationToken(person console.ID) error {
	_, err := t.e.Exec("DELETE FROM secret WHERE owner = $1", invitationOwner(person))
	return err
}

// AddMail adds a mail that contains the given notices. It sets an empty ID.
func (t *Tx) AddMail(m console.Mail, notices []console.Notice) (console.ID, error) {
	if m.ID == "" {
		m.ID = console.NewID(t.by.At)
	}
	err := t.insert("mail", "INSERT INTO mail (id, person, state, subject, address, created, attempts, detail) VALUES ($1, $2, $3, $4, $5, $6, 0, $5)",
		m.ID, m.Person, console.MailQueued, []byte(m.Subject), []byte{}, t.by.At)
	for _, n := range notices {
		if err == nil {
			err = t.change("notice that waits", "UPDATE notice SET mail = $2 WHERE id = $1 AND mail IS NULL", n.ID, m.ID)
		}
	}
	return m.ID, err
}

const mailColumns = "id, person, state, subject, address, created, ended, attempts, detail"

func scanMail(r engine.Row) console.Mail {
	return console.Mail{ID: console.ID(r.Text(0)), Person: console.ID(r.Text(1)), State: console.MailState(r.Text(2)), Subject: str(r, 3), Address: str(r, 4),
		Created: at(r, 5), Ended: at(r, 6), Attempts: int(r.Int(7)), Detail: str(r, 8)}
}

// Mail returns a mail.
func (t *Tx) Mail(id console.ID) (console.Mail, error) {
	return get(t, scanMail, "mail", "SELECT "+mailColumns+" FROM mail WHERE id = $1", id)
}

// QueuedMail returns the oldest queued mail to a person; nil if there is none.
func (t *Tx) QueuedMail(person console.ID) (*console.Mail, error) {
	return find(t, scanMail, "SELECT "+mailColumns+" FROM mail WHERE person = $1 AND state = $2 ORDER BY created, id LIMIT 1", person, console.MailQueued)
}

// LastMail returns when the newest mail to a person was created; zero if there is none.
func (t *Tx) LastMail(person console.ID) (when time.Time, err error) {
	last, err := find(t, func(r engine.Row) time.Time { return at(r, 0) }, "SELECT created FROM mail WHERE person = $1 ORDER BY created DESC LIMIT 1", person)
	if last != nil {
		when = *last
	}
	return when, err
}

// ChangeMail updates the delivery of a mail: state, address, end, attempts and detail.
func (t *Tx) ChangeMail(m console.Mail) error {
	return t.change("mail", "UPDATE mail SET state = $2, address = $3, ended = $4, attempts = $5, detail = $6 WHERE id = $1",
		m.ID, m.State, []byte(m.Address), m.Ended, m.Attempts, []byte(m.Detail))
}

// RetryMail queues a failed mail again.
func (t *Tx) RetryMail(id console.ID) error {
	m, err := get(t, scanMail, "mail", "SELECT "+mailColumns+" FROM mail WHERE id = $1 FOR UPDATE", id)
	if err != nil {
		return err
	}
	if m.State != console.MailFailed {
		return baton.Errorf(baton.Refused, "the mail is %s", m.State).WithFix("Only mail that was given up is sent again.")
	}
	if err := t.change("mail", "UPDATE mail SET state = $2, created = $3, ended = NULL, attempts = 0 WHERE id = $1", id, console.MailQueued, t.by.At); err != nil {
		return err
	}
	if err := t.EarlierDue(console.DueMail, string(m.Person), t.by.At); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "mail.retried", Person: m.Person, Object: string(id)}, nil)
}

// MailBefore is a place in a list of mails, the newest first: before the last row of the previous
// page. The zero value is the beginning.
type MailBefore struct {
	Created time.Time
	ID      console.ID
}

// Mails returns up to n mails in a state, the newest first; in all states if state is empty.
func (t *Tx) Mails(state console.MailState, before MailBefore, n int) ([]console.Mail, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	if before.Created.IsZero() {
		before.Created = time.UnixMicro(1<<62 - 1)
	}
	where, args := "", []any{before.Created, before.ID, n}
	if state != "" {
		where, args = " AND state = $4", append(args, state)
	}
	return list(t, scanMail, "SELECT "+mailColumns+" FROM mail WHERE (created, id) < ($1, $2)"+where+" ORDER BY created DESC, id DESC LIMIT $3", args...)
}

// CountMails returns the number of mails in each state.
func (t *Tx) CountMails() (map[console.MailState]int, error) {
	counts := map[console.MailState]int{}
	err := t.e.Query(func(r engine.Row) error {
		counts[console.MailState(r.Text(0))] = int(r.Int(1))
		return nil
	}, "SELECT state, count(*) FROM mail GROUP BY state")
	return counts, err
}

// ForgetMails removes up to n mails that ended before a time, with their notices.
func (t *Tx) ForgetMails(before time.Time, n int) (removed int, err error) {
	ids, err := list(t, func(r engine.Row) string { return r.Text(0) }, "SELECT id FROM mail WHERE state <> $1 AND created < $2 AND ended < $2 ORDER BY created LIMIT $3", console.MailQueued, before, n)
	for _, id := range ids {
		for _, sql := range []string{"DELETE FROM notice WHERE mail = $1", "DELETE FROM mail WHERE id = $1"} {
			if err == nil {
				_, err = t.e.Exec(sql, id)
			}
		}
	}
	return len(ids), err
}
