package govern

import (
	"context"
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/siem"
	"baton/console/store"
)

// AuditExportView is where events and heads go by themselves, and how far they are.
type AuditExportView struct {
	Export           console.AuditExport
	HasAuthorization bool
	Sent             int64 // the last event that the syslog server got
	Head             console.ChainHead
	Problem          *store.AuditProblem // why events do not leave; nil if they do
	Key              string              // fingerprint of the key that signs heads; "" before the first
	Readers          []store.AuditReader // of the stream
	MayChange        bool
}

// AuditExport returns where events and heads go by themselves.
func (c *Console) AuditExport(ctx context.Context, caller Caller) (v AuditExportView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) (err error) {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		v = AuditExportView{MayChange: console.ConfigureSettings.Of(me, console.Object{})}
		if v.Export, err = tx.AuditExport(); err != nil {
			return err
		}
		authorization, err := tx.HasAuditAuthorization()
		if err != nil {
			return err
		}
		v.HasAuthorization = authorization
		if v.Sent, err = tx.SyslogPosition(); err != nil {
			return err
		}
		if v.Head, err = tx.ChainHead(); err != nil {
			return err
		}
		if v.Problem, err = tx.AuditProblem(); err != nil {
			return err
		}
		key, err := tx.SigningPublicKey()
		if err != nil {
			return err
		}
		if key != nil {
			v.Key = console.Fingerprint(key)
		}
		v.Readers, err = tx.AuditReaders()
		return err
	})
	return v, err
}

// ConfigureAuditExport sets where events and heads go by themselves; the zero value: nowhere. An
// authorization that is not given is kept, unless the URL changes.
func (c *Console) ConfigureAuditExport(ctx context.Context, caller Caller, x console.AuditExport, authorization baton.Secret) error {
	x.Syslog.Host, x.HeadURL = strings.TrimSpace(x.Syslog.Host), strings.TrimSpace(x.HeadURL)
	if x.Syslog.Host == "" {
		x.Syslog = console.SyslogServer{}
	}
	var mails []string
	for _, m := range x.HeadMails {
		if m = console.NormalizeEmail(m); m != "" && !slices.Contains(mails, m) {
			mails = append(mails, m)
		}
	}
	x.HeadMails = mails
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ConfigureSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		if len(x.HeadMails) > maxHeadMails {
			return baton.Errorf(baton.Invalid, "heads are mailed to at most %d addresses", maxHeadMails)
		}
		if err := siem.Check(x); err != nil {
			return err
		}
		return tx.SetAuditExport(x, authorization)
	})
}

const maxHeadMails = 20
