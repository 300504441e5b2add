package store

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// AddNotice adds a notice to be mailed. It sets an empty ID. It does nothing if the person already
// has a notice of the event.
func (t *Tx) AddNotice(n console.Notice) error {
	if n.ID == "" {
		n.ID = console.NewID(t.by.At)
	}
	_, err := t.e.Exec("INSERT INTO notice (id, event, person, class, created, content) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event, person) DO NOTHING",
		n.ID, n.Event, n.Person, n.Class, n.Created, encode(n))
	return err
}

func scanNotice(r engine.Row) (n console.Notice) {
	decode(r.Bytes(5), &n)
	n.ID, n.Event, n.Person, n.Class, n.Created = console.ID(r.Text(0)), r.Int(1), console.ID(r.Text(2)), console.NoticeClass(r.Text(3)), engine.Time(r.Int(4))
	return n
}

const noticeColumns = "SELECT id, event, person, class, created, content FROM notice WHERE "

// WaitingNotices returns up to n notices of a person that are not in a mail yet, oldest first.
func (t *Tx) WaitingNotices(person console.ID, n int) ([]console.Notice, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanNotice, noticeColumns+"person = $1 AND mail IS NULL ORDER BY created, event LIMIT $2", person, n)
}

// NoticesOf returns the notices of a mail, oldest first.
func (t *Tx) NoticesOf(mail console.ID) ([]console.Notice, error) {
	return list(t, scanNotice, noticeColumns+"mail = $1 ORDER BY created, event", mail)
}

// RemoveNotice removes a notice that must not be mailed.
func (t *Tx) RemoveNotice(id console.ID) error {
	return t.change("notice", "DELETE FROM notice WHERE id = $1", id)
}

// MailChoice returns when a person wants ordinary notices.
func (t *Tx) MailChoice(person console.ID) (console.MailChoice, error) {
	c, err := find(t, func(r engine.Row) console.MailChoice { return console.MailChoice(r.Text(0)) }, "SELECT choice FROM mail_choice WHERE person = $1", person)
	if err != nil || c == nil {
		return console.MailEach, err
	}
	return *c, nil
}

// SetMailChoice sets when a person wants ordinary notices.
func (t *Tx) SetMailChoice(person console.ID, choice console.MailChoice) error {
	if _, err := t.Person(person); err != nil {
		return err
	}
	if choice != console.MailEach && choice != console.MailDaily && choice != console.MailNone {
		return baton.Errorf(baton.Invalid, "mail comes each, daily or none")
	}
	_, err := t.e.Exec("INSERT INTO mail_choice (person, choice) VALUES ($1, $2) ON CONFLICT (person) DO UPDATE SET choice = excluded.choice", person, choice)
	if err != nil {
		return err
	}
	if err := t.EarlierDue(console.DueMail, string(person), t.by.At); err != nil { // waiting notices may be ready under the new choice
		return err
	}
	return t.event(console.Event{Kind: "person.mail-chosen", Person: person, Object: string(person)}, map[string]any{"choice": choice})
}

// EarlierDue adds a due row, or moves the one with the same kind and ref to an earlier time. It does
// not change a claimed row: its worker locks the row and looks for further work before it finishes.
func (t *Tx) EarlierDue(kind, ref string, when time.Time) error {
	type row struct {
		id      string
		ready   time.Time
		claimed bool
	}
	for {
		have, err := find(t, func(r engine.Row) row { return row{r.Text(0), at(r, 1), !r.Null(2)} }, "SELECT id, ready, owner FROM due WHERE kind = $1 AND ref = $2 FOR UPDATE", kind, ref)
		if err != nil {
			return err
		}
		if have != nil && (have.claimed || !when.Before(have.ready)) {
			return nil
		}
		t.Wake(DueTopic(kind))
		if have != nil {
			return t.change("due row", "UPDATE due SET at = $2, ready = $2 WHERE id = $1", have.id, when)
		}
		n, err := t.e.Exec(`INSERT INTO due (id, kind, ref, at, ready, payload, attempts, lease) VALUES ($1, $2, $3, $4, $4, $5, 0, 0) ON CONFLICT (kind, ref) DO NOTHING`,
			console.NewID(t.by.At), kind, ref, when, []byte{})
		if err != nil || n == 1 {
			return err
		}
		// Another command has added the row in the meantime.
	}
}
