package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/mail"
	"baton/console/store"
)

const (
	syslogPoll  = 2 * time.Second
	syslogRetry = time.Minute // at most, after an error
	exportPause = time.Minute
)

// syslogText is an event as the syslog server gets it.
type syslogText struct {
	Number   int64           `json:"number"`
	Epoch    int64           `json:"epoch"`
	Previous console.Hash    `json:"previous"`
	Hash     console.Hash    `json:"hash"`
	Event    json.RawMessage `json:"event"`
}

// alarming reports whether an event is worth a warning.
func alarming(kind string) bool {
	return kind == "call.denied" || kind == "operation.denied" || kind == "login.break-glass" || strings.HasSuffix(kind, "-failed")
}

// syslog sends the events that the syslog server has not got yet. The position moves after they were
// sent, so that a process that dies in between sends them again.
func (w *Worker) syslog(ctx context.Context, d store.Due) error {
	for {
		var x console.AuditExport
		var pauses console.Pauses
		var events []store.Event
		err := w.Store.View(ctx, func(t *store.Tx) (err error) {
			if x, err = t.AuditExport(); err != nil {
				return err
			}
			if pauses, err = t.Pauses(); err != nil {
				return err
			}
			after, err := t.SyslogPosition()
			if err == nil {
				events, err = t.Events(store.EventFilter{}, after, store.PageSize)
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case x.Syslog.Host == "":
			w.endSyslog()
			return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.FinishDue(d) })
		case pauses.Webhooks: // a copy: the original sends
			return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.RetryDue(d, w.Now().Add(exportPause)) })
		case len(events) == 0:
			return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
				if err := t.SetAuditProblem(""); err != nil {
					return err
				}
				return t.RetryDue(d, w.Now().Add(syslogPoll))
			})
		}
		if err := w.sendEvents(ctx, x.Syslog, events); err != nil {
			w.endSyslog()
			w.Log.WarnContext(ctx, "events did not reach the syslog server", "error", err)
			return w.Store.Update(context.WithoutCancel(ctx), w.by(), func(t *store.Tx) error {
				if err := t.SetAuditProblem(err.Error()); err != nil {
					return err
				}
				return t.RetryDue(d, w.Now().Add(min(retryAfter(d.Attempts), syslogRetry)))
			})
		}
		err = w.Store.Update(context.WithoutCancel(ctx), w.by(), func(t *store.Tx) error {
			if err := t.ExtendDue(d, w.Lease); err != nil {
				return err
			}
			return t.SentToSyslog(events[len(events)-1].Number)
		})
		if err != nil {
			return err
		}
	}
}

// sendEvents sends events over the connection that is open, or a new one.
func (w *Worker) sendEvents(ctx context.Context, server console.SyslogServer, events []store.Event) (err error) {
	if w.syslogConn != nil && w.syslogConn.Server() != server {
		w.endSyslog()
	}
	if w.syslogConn == nil {
		if w.syslogConn, err = w.SIEM.Dial(ctx, server); err != nil {
			return err
		}
	}
	messages := make([][]byte, len(events))
	for i, e := range events {
		if messages[i], err = w.SIEM.Message(e.At, e.Kind, alarming(e.Kind), syslogText{e.Number, e.Epoch, e.Previous, e.Hash, e.Payload}); err != nil {
			return err
		}
	}
	return w.syslogConn.Send(messages)
}

func (w *Worker) endSyslog() {
	if w.syslogConn != nil {
		w.syslogConn.Close()
		w.syslogConn = nil
	}
}

// head sends a signed head of the chain to where d refers to, once a day.
func (w *Worker) head(ctx context.Context, d store.Due) error {
	var x console.AuditExport
	var signed console.SignedHead
	var authorization, password baton.Secret
	var settings console.MailSettings
	wait := false
	err := w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		signed, wait = console.SignedHead{}, false
		var err error
		if x, err = t.AuditExport(); err != nil {
			return err
		}
		if !slices.Contains(x.HeadTargets(), d.Ref) {
			return t.FinishDue(d)
		}
		pauses, err := t.Pauses()
		if err != nil {
			return err
		}
		if settings, err = t.MailSettings(); err != nil {
			return err
		}
		isMail := strings.HasPrefix(d.Ref, console.HeadToMail)
		if wait = pauses.Webhooks || isMail && (pauses.Mail || !settings.Configured() || w.Mail == nil); wait {
			return t.RetryDue(d, w.Now().Add(exportPause))
		}
		if err := t.ExtendDue(d, w.Lease); err != nil {
			return err
		}
		key, err := t.SigningKey()
		if err != nil {
			return err
		}
		if isMail {
			password, err = t.MailPassword()
		} else {
			authorization, err = t.AuditAuthorization()
		}
		if err != nil {
			return err
		}
		head, err := t.ChainHead()
		signed = head.Sign(key)
		return err
	})
	if err != nil || wait || signed.Key == nil {
		return err
	}
	switch {
	case d.Ref == console.HeadToSyslog:
		err = w.headToSyslog(ctx, x.Syslog, signed)
	case d.Ref == console.HeadToURL:
		err = w.SIEM.Put(ctx, x.HeadURL, authorization, signed)
	default:
		err = w.Mail.Send(ctx, settings, password, w.headMail(strings.TrimPrefix(d.Ref, console.HeadToMail), signed))
	}
	if err != nil {
		return baton.Errorf(baton.KindOf(err), "a signed head did not leave: %w", err)
	}
	return w.Store.Update(context.WithoutCancel(ctx), w.by(), func(t *store.Tx) error {
		if err := t.HeadSent(signed.ChainHead, d.Ref); err != nil {
			return err
		}
		return t.RetryDue(d, w.Now().Add(console.HeadEvery))
	})
}

func (w *Worker) headToSyslog(ctx context.Context, server console.SyslogServer, head console.SignedHead) error {
	conn, err := w.SIEM.Dial(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close()
	m, err := w.SIEM.Message(w.Now(), "audit.head", false, head)
	if err != nil {
		return err
	}
	return conn.Send([][]byte{m})
}

func (w *Worker) headMail(to string, head console.SignedHead) mail.Message {
	b, _ := json.Marshal(head) // a plain struct
	return mail.Message{ID: string(console.NewID(w.Now())), At: w.Now(), To: to, Subject: fmt.Sprintf("Audit log of %s: event %d", w.SIEM.Host, head.Number),
		Text: fmt.Sprintf("This is the signed head of the audit log of the Baton Console at %s, of %s. Keep it: it proves later that nothing before event %d was altered.\n\n%s\n\n"+
			"To check the log against it, paste the line above under Audit > Check the chain, or save it and run:\n\nbaton-console audit verify --head FILE\n\nFingerprint of the key: %s\n",
			w.SIEM.Host, w.Now().UTC().Format("2 Jan 2006 15:04 UTC"), head.Number, b, console.Fingerprint(head.Key))}
}
