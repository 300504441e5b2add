package govern

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"iter"
	"os"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/evidence"
	"baton/console/review"
	"baton/console/store"
)

// AuditReport makes a signed report for auditors: who was administrator at a moment, and what happened
// from a time on. Without a moment it is about now, and without a time about the last year. It records that.
func (c *Console) AuditReport(ctx context.Context, caller Caller, at, from time.Time) (*EvidencePack, error) {
	now := c.now()
	if at.IsZero() || at.After(now) && at.Before(now.Add(24*time.Hour)) {
		at = now // the end of today
	}
	if from.IsZero() {
		from = now.AddDate(-1, 0, 0)
	}
	switch {
	case at.After(now):
		return nil, baton.Errorf(baton.Invalid, "the day is in the future").WithFix("Choose today or a day before.")
	case from.After(now):
		return nil, baton.Errorf(baton.Invalid, "the period begins in the future").WithFix("Choose today or a day before.")
	}
	var m evidence.AuditManifest
	return c.signed(ctx, caller, signedFile{
		see: func(_ *store.Tx, me console.Person) error { return console.SeeAudit.Check(me, console.Object{}) },
		build: func(tx *store.Tx, me console.Person, f *os.File, key ed25519.PrivateKey) (size int64, err error) {
			m, size, err = evidence.BuildAudit(ctx, f, &auditReport{tx: tx, at: at, from: from, now: now, by: me.Canonical()}, key)
			return size, err
		},
		name: func() string { return "audit-" + at.UTC().Format(time.DateOnly) + ".zip" },
		record: func(tx *store.Tx, p *EvidencePack) error {
			return exported(tx, console.Event{Kind: "audit.reported"}, map[string]any{"sha256": p.SHA256, "size": p.Size, "last_event": m.Chain.Last, "at": at.UTC(), "from": from.UTC()})
		},
	})
}

// auditReport implements [evidence.AuditSource].
type auditReport struct {
	tx            *store.Tx
	at, from, now time.Time
	by            console.ID
}

// Audit implements [evidence.AuditSource].
func (r *auditReport) Audit() (a evidence.Audit, err error) {
	a = evidence.Audit{At: r.at, From: r.from, By: r.by}
	a.Head, err = r.tx.ChainHead()
	return a, err
}

// apps returns the applications that were there at the moment.
func (r *auditReport) apps() iter.Seq2[console.App, error] {
	return func(yield func(console.App, error) bool) {
		for after := (store.NameAfter{}); ; {
			page, err := r.tx.Apps(after, store.PageSize)
			if err != nil {
				yield(console.App{}, err)
				return
			}
			for _, a := range page {
				after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
				if a.ThereAt(r.at) && !a.ID.Time().After(r.at) && !yield(a, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// Applications implements [evidence.AuditSource].
func (r *auditReport) Applications() iter.Seq2[evidence.AuditedApp, error] {
	return func(yield func(evidence.AuditedApp, error) bool) {
		for a, err := range r.apps() {
			if err != nil {
				yield(evidence.AuditedApp{}, err)
				return
			}
			rows, err := r.application(a)
			if err != nil {
				yield(evidence.AuditedApp{}, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// application returns a row for each connector of an application, or one without.
func (r *auditReport) application(a console.App) (all []evidence.AuditedApp, err error) {
	row := evidence.AuditedApp{App: a.ID, Name: a.Name, Owners: a.Owners}
	roles, minimum, err := r.tx.RoleMapAt(a.ID, r.at)
	if err != nil {
		return nil, err
	}
	if row.Minimum = minimum; len(roles.AdminEntitlements()) == 0 {
		row.Unknown = "nobody has said what makes an administrator"
	}
	connectors, err := r.tx.ConnectorsAt(a.ID, r.at)
	if err != nil {
		return nil, err
	}
	for _, con := range connectors {
		one := row
		one.Connector, one.ConnectorName = con.ID, con.Name
		s, err := r.tx.StreamAt(con.Stream, r.at)
		switch {
		case baton.KindOf(err) == baton.NotFound:
			one.Unknown = "what it showed then is not kept any more"
		case err != nil:
			return nil, err
		case s.Sync == 0:
			one.Unknown = "no sync had been applied"
		default:
			sync, err := r.tx.SyncByNumber(s.Sync)
			if err != nil {
				return nil, err
			}
			one.Sync, one.Began, one.SHA256 = sync.ID, sync.Began, hex.EncodeToString(sync.SHA256)
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		row.Unknown = "it had no connector"
		all = append(all, row)
	}
	return all, nil
}

// Administrators implements [evidence.AuditSource].
func (r *auditReport) Administrators() iter.Seq2[evidence.Administrator, error] {
	return func(yield func(evidence.Administrator, error) bool) {
		for a, err := range r.apps() {
			var rows []evidence.Administrator
			if err == nil {
				rows, err = r.administrators(a)
			}
			if err != nil {
				yield(evidence.Administrator{}, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

func (r *auditReport) administrators(a console.App) (all []evidence.Administrator, err error) {
	m, err := r.tx.Moment(a.ID, r.at)
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil // [auditReport.application] says so
	}
	if err != nil {
		return nil, err
	}
	admins, err := r.tx.AdminsAt(a.ID, m)
	if err != nil {
		return nil, err
	}
	for _, h := range admins.Holders {
		account, err := r.tx.Account(m, h.Account)
		if err != nil {
			return nil, err
		}
		for _, key := range h.Held {
			if !admins.Roles.GivesAdmin(key) {
				continue
			}
			e, err := r.tx.Entitlement(m, key)
			if err != nil {
				return nil, err
			}
			access, err := r.tx.AccessIn(m, a.ID, h.Account, key, 0, r.at)
			if err != nil {
				return nil, err
			}
			row := evidence.Administrator{App: a.ID, AppName: a.Name, Account: h.Account, AccountID: account.ID, AccountName: account.Name, Login: account.Account.Login, Enabled: h.Enabled, Entitlement: e.ID,
				EntitlementName: e.Name, Person: h.Person, Active: h.PersonActive, State: access.State(r.at)}
			until, timed := console.Expiry(access.Reasons, access.Bar, r.at)
			row.Until, row.Permanent = until, !timed
			for _, reason := range console.OpenReasons(access.Reasons, access.Bar, r.at) {
				row.Reasons = append(row.Reasons, string(reason.Kind)+" "+reason.Ref)
			}
			for _, s := range m.Streams {
				if s.Stream == account.Stream {
					sync, err := r.tx.SyncByNumber(s.Sync)
					if err != nil {
						return nil, err
					}
					row.Sync = sync.ID
				}
			}
			all = append(all, row)
		}
	}
	return all, nil
}

// maxRoleHolders limits the people with one role of the console.
const maxRoleHolders = 100_000

// Roles implements [evidence.AuditSource].
func (r *auditReport) Roles() iter.Seq2[evidence.ConsoleRole, error] {
	return func(yield func(evidence.ConsoleRole, error) bool) {
		for _, role := range console.ConsoleRoles() {
			people, err := r.tx.PersonsWithRole(role, maxRoleHolders)
			if err != nil {
				yield(evidence.ConsoleRole{}, err)
				return
			}
			for _, p := range people {
				if !yield(evidence.ConsoleRole{Role: role, Person: p}, nil) {
					return
				}
			}
		}
	}
}

// Leavers implements [evidence.AuditSource]. The account that stayed longest is first.
func (r *auditReport) Leavers() iter.Seq2[evidence.Leaver, error] {
	return func(yield func(evidence.Leaver, error) bool) {
		left, err := r.tx.Left(r.from)
		var all []evidence.Leaver
		for _, l := range left {
			if err == nil {
				var rows []evidence.Leaver
				rows, err = r.leaver(l)
				all = append(all, rows...)
			}
		}
		if err != nil {
			yield(evidence.Leaver{}, err)
			return
		}
		slices.SortStableFunc(all, func(a, b evidence.Leaver) int { return cmp.Compare(b.Hours, a.Hours) })
		for _, l := range all {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// leaver returns the accounts of somebody who left, or one row without an account.
func (r *auditReport) leaver(l store.StatusChange) (all []evidence.Leaver, err error) {
	row := evidence.Leaver{Person: l.Person, Status: l.Status, Left: l.At}
	accounts, err := r.tx.AccountsOfAt(l.Person, l.At)
	if err != nil {
		return nil, err
	}
	for _, account := range accounts {
		end, err := r.tx.AccountEnd(account)
		if err != nil {
			return nil, err
		}
		if !end.Ever {
			continue
		}
		one := row
		one.App, one.Account, one.Name, one.Ended, one.Open = end.App, account, end.Name, end.Ended, end.Ended.IsZero()
		until := end.Ended
		if one.Open {
			until = r.now
		}
		one.Hours = max(until.Sub(l.At).Round(time.Minute).Hours(), 0)
		all = append(all, one)
	}
	if len(all) == 0 {
		all = append(all, row)
	}
	return all, nil
}

// Reciprocal implements [evidence.AuditSource].
func (r *auditReport) Reciprocal() iter.Seq2[evidence.Reciprocal, error] {
	return func(yield func(evidence.Reciprocal, error) bool) {
		all, err := r.reciprocal()
		if err != nil {
			yield(evidence.Reciprocal{}, err)
			return
		}
		for _, row := range all {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// decided names who decided about whose access.
type decided struct{ by, about console.ID }

func (r *auditReport) reciprocal() (all []evidence.Reciprocal, err error) {
	requests, reviews := map[decided]int{}, map[decided]int{}
	for e, err := range r.chain() {
		if err != nil {
			return nil, err
		}
		if by := cmp.Or(e.OnBehalfOf, e.Actor.Person()); e.Kind == "request.decided" && by != "" && e.Person != "" {
			requests[decided{by, e.Person}]++
		}
	}
	counted, err := r.tx.ReviewedBy(r.from)
	if err != nil {
		return nil, err
	}
	both := map[decided]bool{}
	for _, x := range counted {
		reviews[decided{x.Reviewer, x.Subject}] = x.Decisions
		both[decided{x.Reviewer, x.Subject}] = true
	}
	for x := range requests {
		both[x] = true
	}
	for x := range both {
		if back := (decided{x.about, x.by}); x.by < x.about && both[back] {
			all = append(all, evidence.Reciprocal{First: x.by, Second: x.about, RequestsByFirst: requests[x], RequestsBySecond: requests[back], ReviewsByFirst: reviews[x], ReviewsBySecond: reviews[back]})
		}
	}
	slices.SortFunc(all, func(a, b evidence.Reciprocal) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Second, b.Second))
	})
	return all, nil
}

// chain returns the events of the period; at least the last one.
func (r *auditReport) chain() iter.Seq2[store.Event, error] {
	return func(yield func(store.Event, error) bool) {
		after, err := r.tx.EventAt(r.from.Add(-time.Microsecond))
		head, e := r.tx.ChainHead()
		if err = cmp.Or(err, e); err != nil {
			yield(store.Event{}, err)
			return
		}
		for after = min(after, head.Number-1); ; {
			page, err := r.tx.Events(store.EventFilter{}, after, store.PageSize)
			if err != nil {
				yield(store.Event{}, err)
				return
			}
			for _, e := range page {
				if after = e.Number; !yield(e, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// chainKinds are the kinds of events about the chain itself, which every report contains.
var chainKinds = []string{"audit.head-downloaded", "audit.head-sent", "audit.key-made", "epoch.began", console.PayloadsErased}

// Events implements [evidence.AuditSource].
func (r *auditReport) Events() iter.Seq2[evidence.Event, error] {
	return func(yield func(evidence.Event, error) bool) {
		for e, err := range r.chain() {
			shown := evidence.SectionOf(e.Kind) != "" || slices.Contains(chainKinds, e.Kind)
			if !yield(evidence.Event{Link: e.Link, Hash: e.Hash, Payload: e.Payload, Disclosed: shown}, err) || err != nil {
				return
			}
		}
	}
}

// Records implements [evidence.AuditSource].
func (r *auditReport) Records() iter.Seq2[evidence.Record, error] {
	return func(yield func(evidence.Record, error) bool) {
		for e, err := range r.chain() {
			if err == nil && evidence.SectionOf(e.Kind) == "" {
				continue
			}
			if !yield(evidence.RecordOf(e.Number, e.Event), err) || err != nil {
				return
			}
		}
	}
}

// Person implements [evidence.AuditSource].
func (r *auditReport) Person(id console.ID) (evidence.Person, error) {
	return review.PackPerson(r.tx, id)
}
