package store

import (
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const (
	exportSetting = "audit.export"
	exportProblem = "audit.problem"
	exportKey     = "audit.key" // the public key
	exportOwner   = "audit"
	exportSigning = "signing-key"
	exportAuth    = "authorization"
	syslogReader  = "syslog"
)

// AuditExport returns where events and heads go by themselves; the zero value: nowhere.
func (t *Tx) AuditExport() (x console.AuditExport, err error) {
	b, err := t.Setting(exportSetting)
	if baton.KindOf(err) == baton.NotFound {
		return x, nil
	}
	if err == nil && json.Unmarshal(b, &x) != nil {
		err = baton.Errorf(baton.Corrupt, "the settings of what leaves the audit log cannot be read").WithFix("Enter them again.")
	}
	return x, err
}

// SetAuditExport sets where events and heads go. The first head leaves at once. Events begin with
// the first one that there is, if none went to a server before. A zero authorization keeps the
// existing one, unless the URL changes.
func (t *Tx) SetAuditExport(x console.AuditExport, authorization baton.Secret) error {
	before, err := t.AuditExport()
	if err != nil && baton.KindOf(err) != baton.Corrupt {
		return err
	}
	if err := t.writeSetting(exportSetting, encode(x)); err != nil {
		return err
	}
	if !authorization.IsZero() {
		err = t.writeSecret(exportOwner, exportAuth, []byte(authorization.Reveal()))
	} else if x.HeadURL != before.HeadURL {
		_, err = t.e.Exec("DELETE FROM secret WHERE owner = $1 AND name = $2", exportOwner, exportAuth)
	}
	if err != nil {
		return err
	}
	for _, target := range before.HeadTargets() {
		if !slices.Contains(x.HeadTargets(), target) {
			if err := t.RemoveDue(console.DueHead, target); err != nil {
				return err
			}
		}
	}
	for _, target := range x.HeadTargets() {
		if !slices.Contains(before.HeadTargets(), target) || moved(x, before, target) {
			if err := t.SetDue(console.DueHead, target, t.by.At, nil); err != nil {
				return err
			}
		}
	}
	if x.Syslog != before.Syslog {
		if err := t.writeSetting(exportProblem, nil); err != nil {
			return err
		}
		if x.Syslog.Host == "" {
			err = t.RemoveDue(console.DueSyslog, syslogReader)
		} else {
			if _, err = t.e.Exec("INSERT INTO follower (name, number) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING", syslogReader); err == nil {
				err = t.SetDue(console.DueSyslog, syslogReader, t.by.At, nil)
			}
		}
		if err != nil {
			return err
		}
	}
	return t.event(console.Event{Kind: "audit.export-configured", Object: exportSetting}, map[string]any{"syslog_before": before.Syslog, "syslog": x.Syslog, "head_url_before": before.HeadURL, "head_url": x.HeadURL, "head_mails": len(x.HeadMails), "authorization_changed": !authorization.IsZero()})
}

// moved reports whether a target is another place than before.
func moved(x, before console.AuditExport, target string) bool {
	return target == console.HeadToSyslog && x.Syslog != before.Syslog || target == console.HeadToURL && x.HeadURL != before.HeadURL
}

// AuditAuthorization returns what heads are put with; zero for nothing.
func (t *Tx) AuditAuthorization() (baton.Secret, error) {
	s, err := t.Secret(exportOwner, exportAuth)
	if baton.KindOf(err) == baton.NotFound {
		return baton.Secret{}, nil
	}
	return s, err
}

// SigningKey returns the key that signs heads, and makes it the first time.
func (t *Tx) SigningKey() (ed25519.PrivateKey, error) {
	s, err := t.Secret(exportOwner, exportSigning)
	if err == nil {
		seed := []byte(s.Reveal())
		if len(seed) != ed25519.SeedSize {
			return nil, baton.Errorf(baton.Corrupt, "the key that signs heads has %d bytes", len(seed))
		}
		return ed25519.NewKeyFromSeed(seed), nil
	}
	if baton.KindOf(err) != baton.NotFound {
		return nil, err
	}
	public, key, err := ed25519.GenerateKey(nil)
	if err == nil {
		err = t.writeSecret(exportOwner, exportSigning, key.Seed())
	}
	if err == nil {
		err = t.writeSetting(exportKey, public)
	}
	if err == nil {
		err = t.event(console.Event{Kind: "audit.key-made", Object: exportKey}, map[string]any{"fingerprint": console.Fingerprint(public)})
	}
	return key, err
}

// SigningPublicKey returns the public key of heads; nil before the first.
func (t *Tx) SigningPublicKey() ([]byte, error) {
	b, err := t.Setting(exportKey)
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil
	}
	return b, err
}

// SyslogPosition returns the number of the last event that went to the syslog server.
func (t *Tx) SyslogPosition() (int64, error) {
	n, err := find(t, func(r engine.Row) int64 { return r.Int(0) }, "SELECT number FROM follower WHERE name = $1", syslogReader)
	if err != nil || n == nil {
		return 0, err
	}
	return *n, nil
}

// SentToSyslog records that events up to a number went to the server.
func (t *Tx) SentToSyslog(number int64) error {
	return t.change("position of the syslog server", "UPDATE follower SET number = $2 WHERE name = $1", syslogReader, number)
}

// AuditProblem is why events do not leave.
type AuditProblem struct {
	Since time.Time `json:"since"`
	Why   string    `json:"why"`
}

// AuditProblem returns why events do not leave; nil if they do.
func (t *Tx) AuditProblem() (*AuditProblem, error) {
	b, err := t.Setting(exportProblem)
	if baton.KindOf(err) == baton.NotFound || err == nil && len(b) == 0 {
		return nil, nil
	}
	var p AuditProblem
	decode(b, &p)
	return &p, err
}

// SetAuditProblem records why events do not leave, and when that began; "" when they do again.
func (t *Tx) SetAuditProblem(why string) error {
	before, err := t.AuditProblem()
	if err != nil || before == nil && why == "" {
		return err
	}
	if why == "" {
		return t.writeSetting(exportProblem, nil)
	}
	p := AuditProblem{t.by.At, why}
	if before != nil {
		p.Since = before.Since
	}
	if before == nil {
		if err := t.event(console.Event{Kind: "audit.export-failed", Object: exportSetting}, map[string]any{"why": why}); err != nil {
			return err
		}
	}
	return t.writeSetting(exportProblem, encode(p))
}

// HeadSent records that a head left.
func (t *Tx) HeadSent(head console.ChainHead, target string) error {
	if strings.HasPrefix(target, console.HeadToMail) {
		target = "mail" // addresses are no part of events
	}
	if err := t.writeSetting(lastHeadSent, encode(t.by.At)); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "audit.head-sent", Object: target}, map[string]any{"epoch": head.Epoch, "number": head.Number, "hash": head.Hash.String()})
}

// HasAuditAuthorization reports whether heads are put with an authorization.
func (t *Tx) HasAuditAuthorization() (bool, error) {
	names, err := t.SecretNames(exportOwner)
	return slices.Contains(names, exportAuth), err
}
