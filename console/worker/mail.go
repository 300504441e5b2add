package worker

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/mail"
	"baton/console/store"
)

// MailSender sends a mail; see [mail.Sender].
type MailSender interface {
	Send(context.Context, console.MailSettings, baton.Secret, mail.Message) error
}

// serverPause is how long no mail is sent after the mail server failed. Without it, every other mail
// would wait for a timeout.
const serverPause = time.Minute

// downServer is a mail server that failed.
type downServer struct {
	settings console.MailSettings
	until    time.Time
	why      string
}

// job is a mail to be sent now.
type job struct {
	mail       console.Mail
	message    mail.Message
	settings   console.MailSettings
	password   baton.Secret
	invitation bool
}

// mail sends a person's queued mail, or a new one with the waiting notices. It records the mail
// before and after sending: if the process dies in between, the mail is sent again with the same
// Message-ID.
func (w *Worker) mail(ctx context.Context, d store.Due) error {
	j, err := w.prepareMail(ctx, d)
	if err != nil || j == nil {
		return err
	}
	sent := w.Mail.Send(ctx, j.settings, j.password, j.message)
	if sent != nil && ctx.Err() != nil {
		return ctx.Err() // stopped: the next process sends it
	}
	if k := baton.KindOf(sent); sent != nil && k != baton.Refused {
		w.down = downServer{j.settings, w.Now().Add(serverPause), sent.Error()}
	}
	return w.mailEnded(context.WithoutCancel(ctx), d, *j, sent)
}

// prepareMail returns the mail to send now; nil if there is none.
func (w *Worker) prepareMail(ctx context.Context, d store.Due) (j *job, err error) {
	now := w.Now()
	err = w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		j = nil
		if err := t.ExtendDue(d, w.Lease); err != nil {
			return err
		}
		pauses, err := t.Pauses()
		if err != nil {
			return err
		}
		settings, err := t.MailSettings()
		if err != nil {
			return err
		}
		if pauses.Mail || !settings.Configured() || w.Mail == nil {
			return t.RetryDue(d, now.Add(serverPause))
		}
		if w.down.settings == settings && now.Before(w.down.until) {
			return t.RetryDue(d, w.down.until)
		}
		m, person, err := w.nextMail(t, console.ID(d.Ref))
		if err != nil {
			return err
		}
		if m == nil {
			return w.nextDue(t, d)
		}
		password, err := t.MailPassword()
		if err != nil {
			return err
		}
		j = &job{mail: *m, settings: settings, password: password}
		why, err := w.compose(t, j, person)
		if err != nil {
			return err
		}
		if why == "" {
			j.mail.Attempts++ // counted before the attempt, in case it kills the process
			j.mail.Address = j.message.To
			return t.ChangeMail(j.mail)
		}
		j.mail.State, j.mail.Ended, j.mail.Detail = console.MailFailed, now, why
		if err := t.ChangeMail(j.mail); err != nil {
			return err
		}
		j = nil
		return w.nextDue(t, d)
	})
	return j, err
}

// nextMail returns the mail to send to a person now: the queued one, or a new one with the notices
// that are ready; nil if there is none.
func (w *Worker) nextMail(t *store.Tx, id console.ID) (*console.Mail, console.Person, error) {
	p, err := t.Person(id)
	if err == nil && p.MergedInto != "" {
		p, err = t.Person(p.MergedInto)
	}
	if err != nil {
		return nil, p, err
	}
	m, err := t.QueuedMail(id)
	if err != nil || m != nil {
		return m, p, err
	}
	last, err := t.LastMail(id)
	if err != nil || !last.IsZero() && w.Now().Before(last.Add(console.MailGap)) {
		return nil, p, err
	}
	waiting, err := w.waiting(t, id, p)
	if err != nil {
		return nil, p, err
	}
	var ready []console.Notice
	for _, n := range waiting {
		if !n.at.After(w.Now()) && len(ready) < console.MailNotices {
			ready = append(ready, n.Notice)
		}
	}
	if len(ready) == 0 {
		return nil, p, nil
	}
	made, err := t.AddMail(console.Mail{Person: id, Subject: mail.Subject(ready)}, ready)
	if err != nil {
		return nil, p, err
	}
	created, err := t.Mail(made)
	return &created, p, err
}

// waitingNotice is a notice with the time at which it is mailed.
type waitingNotice struct {
	console.Notice
	at time.Time
}

// waiting returns the waiting notices of a person. It removes those that must not be mailed any
// more: the person is not active or does not want them, or they are old.
func (w *Worker) waiting(t *store.Tx, id console.ID, p console.Person) (all []waitingNotice, err error) {
	choice, err := t.MailChoice(id)
	if err != nil {
		return nil, err
	}
	notices, err := t.WaitingNotices(id, store.PageSize)
	for _, n := range notices {
		if err != nil {
			return nil, err
		}
		at, ok := choice.Ready(n)
		if ok && n.Invitation {
			token, err := w.invitation(t, p)
			if err != nil {
				return nil, err
			}
			ok = !token.IsZero()
		}
		if ok {
			if ok, err = asked(t, n, p); err != nil {
				return nil, err
			}
		}
		if !ok || p.Status != console.PersonActive || at.Add(console.MailLife).Before(w.Now()) {
			err = t.RemoveNotice(n.ID)
			continue
		}
		all = append(all, waitingNotice{n, at})
	}
	return all, err
}

// asked reports whether a notice about a decision still reaches somebody who may decide.
// Other notices do in any case.
func asked(t *store.Tx, n console.Notice, p console.Person) (bool, error) {
	if n.Asked == "" {
		return true, nil
	}
	now, err := t.AskedAbout(n.Asked)
	return slices.ContainsFunc(now, func(a store.AskedRequest) bool { return a.Person == p.ID }), err
}

// invitation returns the token of a person's invitation; the zero secret if it was used, has
// expired, or was displayed to somebody.
func (w *Worker) invitation(t *store.Tx, p console.Person) (token baton.Secret, err error) {
	if token, err = t.InvitationToken(p.ID); err == nil {
		_, err = t.Invited(sha256.Sum256([]byte(token.Reveal())), w.Now())
	}
	if baton.KindOf(err) == baton.NotFound {
		return baton.Secret{}, nil
	}
	return token, err
}

// compose writes the mail. why is set if it cannot be sent at all.
func (w *Worker) compose(t *store.Tx, j *job, p console.Person) (why string, err error) {
	switch {
	case p.Status != console.PersonActive:
		return p.Name + " is not active.", nil
	case len(p.Emails) == 0:
		return p.Name + " has no e-mail address.", nil
	}
	notices, err := t.NoticesOf(j.mail.ID)
	if err != nil {
		return "", err
	}
	var items []mail.Item
	var told []console.Notice
	decided := 0
	for _, n := range notices {
		still, err := asked(t, n, p)
		if err != nil {
			return "", err
		}
		if !still {
			decided++
			continue
		}
		item := mail.Item{Notice: n, Link: w.URL.JoinPath(n.Path).String()}
		if n.Invitation {
			token, err := w.invitation(t, p)
			if err != nil {
				return "", err
			}
			if token.IsZero() {
				continue
			}
			item.Link, j.invitation = w.URL.JoinPath("invitation", token.Reveal()).String(), true
		}
		items, told = append(items, item), append(told, n)
	}
	switch {
	case len(items) == 0 && decided > 0:
		return "Somebody decided meanwhile: nobody waits for " + p.Name + " any more.", nil
	case len(items) == 0:
		return "The invitation has ended, or its link was shown to whoever invited.", nil
	case decided > 0:
		j.mail.Subject = mail.Subject(told)
	}
	j.message, err = mail.Compose(w.URL, j.mail, p, items)
	return "", err
}

// mailEnded records the result of an attempt.
func (w *Worker) mailEnded(ctx context.Context, d store.Due, j job, sent error) error {
	now := w.Now()
	if sent == nil {
		w.Log.InfoContext(ctx, "a mail was sent", "mail", j.mail.ID, "person", j.mail.Person)
	} else {
		w.Log.WarnContext(ctx, "a mail was not sent", "mail", j.mail.ID, "person", j.mail.Person, "error", sent)
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		// The row is locked before notices are read, so that none is missed. If the lease was lost,
		// the result still counts, and the other worker continues.
		err := t.ExtendDue(d, w.Lease)
		lost := baton.KindOf(err) == baton.Refused
		if err != nil && !lost {
			return err
		}
		m, err := t.Mail(j.mail.ID)
		if err != nil || m.State != console.MailQueued {
			return err
		}
		var again time.Time
		switch {
		case sent == nil:
			m.State, m.Ended, m.Detail = console.MailSent, now, ""
			if j.invitation {
				if err := t.ForgetInvitationToken(m.Person); err != nil {
					return err
				}
			}
		case baton.KindOf(sent) == baton.Refused:
			m.State, m.Ended, m.Detail = console.MailFailed, now, problem(sent)
		default:
			m.Detail = problem(sent)
			var ok bool
			if again, ok = m.Retry(now); !ok {
				m.State, m.Ended = console.MailFailed, now
			}
		}
		if err := t.ChangeMail(m); err != nil || lost {
			return err
		}
		if m.State == console.MailQueued {
			return t.RetryDue(d, again)
		}
		return w.nextDue(t, d)
	})
}

// problem returns an error and its fix as sentences.
func problem(err error) string {
	text := err.Error() + "."
	if fix := baton.FixOf(err); fix != "" {
		text += " " + fix
	}
	return text
}

// nextDue finishes the claim of a person's row, or reschedules it for the next mail.
func (w *Worker) nextDue(t *store.Tx, d store.Due) error {
	id := console.ID(d.Ref)
	if m, err := t.QueuedMail(id); err != nil || m != nil {
		if err != nil {
			return err
		}
		return t.RetryDue(d, w.Now())
	}
	p, err := t.Person(id)
	if err != nil {
		return err
	}
	waiting, err := w.waiting(t, id, p)
	if err != nil {
		return err
	}
	if len(waiting) == 0 {
		return t.FinishDue(d)
	}
	next := waiting[0].at
	for _, n := range waiting {
		if n.at.Before(next) {
			next = n.at
		}
	}
	last, err := t.LastMail(id)
	if gap := last.Add(console.MailGap); !last.IsZero() && gap.After(next) {
		next = gap
	}
	if err != nil {
		return err
	}
	return t.RetryDue(d, next)
}
