package store

import (
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const requirementColumns = "app, entitlement, version, rule, enforced, author, second, weaker, created"

func scanRequirement(r engine.Row) console.Requirement {
	q := console.Requirement{App: console.ID(r.Text(0)), Entitlement: console.EntitlementKey(r.Int(1)), Version: int(r.Int(2)), Enforced: at(r, 4),
		Author: console.ID(r.Text(5)), Second: console.ID(r.Text(6)), Weaker: r.Bool(7), Created: at(r, 8)}
	decode(r.Bytes(3), &q.RequirementRule)
	return q
}

// Requirements returns the versions of the requirement of an entitlement, the newest first; none if
// it was never set.
func (t *Tx) Requirements(app console.ID, e console.EntitlementKey) ([]console.Requirement, error) {
	return list(t, scanRequirement, "SELECT "+requirementColumns+" FROM requirement WHERE app = $1 AND entitlement = $2 ORDER BY version DESC", app, e)
}

// ActiveRequirements returns the newest version of every requirement that asks for something, of one
// app, or of all apps for an empty one.
func (t *Tx) ActiveRequirements(app console.ID) ([]console.Requirement, error) {
	all, err := list(t, scanRequirement, "SELECT "+requirementColumns+` FROM requirement r WHERE ($1 = '' OR app = $1)
		AND version = (SELECT max(o.version) FROM requirement o WHERE o.app = r.app AND o.entitlement = r.entitlement) ORDER BY app, entitlement`, string(app))
	return slices.DeleteFunc(all, func(r console.Requirement) bool { return !r.Active() }), err
}

// AddRequirement adds the next version of a requirement. r.Version is the previous version; Refused
// if it is not the newest. Its holders are checked next.
func (t *Tx) AddRequirement(r console.Requirement) error {
	if _, err := t.LockApp(r.App); err != nil {
		return err
	}
	have, err := t.Requirements(r.App, r.Entitlement)
	if err != nil {
		return err
	}
	newest := console.Requirement{}
	if len(have) > 0 {
		newest = have[0]
	}
	if err := checkVersion("the requirement", int64(newest.Version), int64(r.Version)); err != nil {
		return err
	}
	if err := r.Check(); err != nil {
		return err
	}
	if r.Author == "" {
		r.Author = t.by.Actor.Person()
	}
	r.Version++
	if r.Enforced = (time.Time{}); r.Mode == console.RequirementEnforce && r.Active() {
		// Who meets the same needs as before gets no new grace period.
		if r.Enforced = newest.Enforced; r.Enforced.IsZero() || !r.SameNeeds(newest.RequirementRule) {
			r.Enforced = t.by.At
		}
	}
	if err := t.insert("version", "INSERT INTO requirement ("+requirementColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		r.App, r.Entitlement, r.Version, encode(r.RequirementRule), r.Enforced, string(r.Author), null(r.Second), r.Weaker, t.by.At); err != nil {
		return err
	}
	if _, err := t.e.Exec("DELETE FROM requirement_need WHERE app = $1 AND entitlement = $2", r.App, r.Entitlement); err != nil {
		return err
	}
	for _, n := range r.Needs {
		if err := t.insert("need", "INSERT INTO requirement_need (app, entitlement, need_app, need_entitlement) VALUES ($1, $2, $3, $4)", r.App, r.Entitlement, n.App, n.Entitlement); err != nil {
			return err
		}
	}
	if err := t.requirementChanged(r.App, r.Entitlement); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "requirement.changed", App: r.App, Entitlement: r.Entitlement, Object: string(r.App)},
		map[string]any{"version": r.Version, "rule": r.RequirementRule, "weaker": r.Weaker, "author": r.Author})
}

// requirementChanged makes the worker check the requests that wait for a requirement, and its
// holders.
func (t *Tx) requirementChanged(app console.ID, e console.EntitlementKey) error {
	waiting, err := list(t, scanRequest, "SELECT "+requestColumns+" FROM request WHERE state = 'waiting' AND app = $1 AND entitlement = $2 ORDER BY number", app, e)
	if err != nil {
		return err
	}
	for _, r := range waiting {
		if r.Step < len(r.Plan.Steps) && r.Plan.Steps[r.Step].Wait != nil && r.Plan.Steps[r.Step].Wait.Requirement {
			if err := t.DueBy(console.DueRequest, string(r.ID), t.by.At); err != nil {
				return err
			}
		}
	}
	return t.DueBy(console.DueRequirement, console.RequirementRef(app, e), t.by.At)
}

// NeedsChanged makes the worker check the requirements that need something of an app, or whose
// entitlement it has: a sync was applied, or accounts got other owners.
func (t *Tx) NeedsChanged(app console.ID) error {
	refs, err := list(t, func(r engine.Row) console.Need {
		return console.Need{App: console.ID(r.Text(0)), Entitlement: console.EntitlementKey(r.Int(1))}
	}, "SELECT DISTINCT app, entitlement FROM requirement_need WHERE need_app = $1 OR app = $1 ORDER BY app, entitlement", app)
	for _, r := range refs {
		if err == nil {
			err = t.requirementChanged(r.App, r.Entitlement)
		}
	}
	return err
}

// ownersChanged is [Tx.NeedsChanged] for accounts that got other owners, once in a transaction.
func (t *Tx) ownersChanged(app console.ID) error {
	if app == "" || slices.Contains(t.needsChanged, app) {
		return nil
	}
	t.needsChanged = append(t.needsChanged, app)
	return t.NeedsChanged(app)
}

// unmet returns why the requirement of what an operation grants is not met; "" if it is met or there
// is none.
func (t *Tx) unmet(o console.Operation) (string, error) {
	versions, err := t.Requirements(o.App, o.Entitlement)
	if err != nil || len(versions) == 0 {
		return "", err
	}
	person := o.Person
	if person == "" && o.Account != 0 {
		if person, _, err = t.AccountPerson(o.Account, time.Time{}); err != nil {
			return "", err
		}
	}
	s, err := t.RequirementReader().Status(versions, person, t.by.At)
	if err != nil || s.State.Meets() {
		return "", err
	}
	return s.Sentence(), nil
}

const exemptionColumns = "id, app, entitlement, person, until_at, why, author, approver, created, ended"

func scanExemption(r engine.Row) console.Exemption {
	return console.Exemption{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Entitlement: console.EntitlementKey(r.Int(2)), Person: console.ID(r.Text(3)), Until: at(r, 4),
		Why: str(r, 5), Author: console.ID(r.Text(6)), Approver: console.ID(r.Text(7)), Created: at(r, 8), Ended: at(r, 9)}
}

// AddExemption adds an exemption that its approver, the person of the command, approves. It sets the
// ID.
func (t *Tx) AddExemption(x console.Exemption) (console.Exemption, error) {
	if _, err := t.LockApp(x.App); err != nil {
		return x, err
	}
	if x.ID == "" {
		x.ID = console.NewID(t.by.At)
	}
	x.Created, x.Ended = t.by.At, time.Time{}
	if err := x.Check(t.by.At); err != nil {
		return x, err
	}
	if err := t.insert("exemption", "INSERT INTO exemption ("+exemptionColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL)",
		x.ID, x.App, x.Entitlement, x.Person, x.Until, []byte(x.Why), string(x.Author), string(x.Approver), x.Created); err != nil {
		return x, err
	}
	if err := t.requirementChanged(x.App, x.Entitlement); err != nil {
		return x, err
	}
	return x, t.exemptionEvent(x, "exemption.added", map[string]any{"until": x.Until.UTC(), "why": x.Why, "author": x.Author, "approver": x.Approver})
}

// EndExemption ends an exemption early.
func (t *Tx) EndExemption(id console.ID) error {
	x, err := t.Exemption(id)
	if err != nil {
		return err
	}
	if !x.Active(t.by.At) {
		return baton.Errorf(baton.Refused, "the exemption has ended already")
	}
	if err := t.change("exemption", "UPDATE exemption SET ended = $2 WHERE id = $1", id, t.by.At); err != nil {
		return err
	}
	if err := t.requirementChanged(x.App, x.Entitlement); err != nil {
		return err
	}
	return t.exemptionEvent(x, "exemption.ended", nil)
}

func (t *Tx) exemptionEvent(x console.Exemption, kind string, data any) error {
	return t.event(console.Event{Kind: kind, App: x.App, Person: x.Person, Entitlement: x.Entitlement, Object: string(x.ID)}, data)
}

// Exemption returns an exemption.
func (t *Tx) Exemption(id console.ID) (console.Exemption, error) {
	return get(t, scanExemption, "exemption", "SELECT "+exemptionColumns+" FROM exemption WHERE id = $1", id)
}

// Exemptions returns all exemptions from the requirement of an entitlement, also those that ended,
// the oldest first.
func (t *Tx) Exemptions(app console.ID, e console.EntitlementKey) ([]console.Exemption, error) {
	return list(t, scanExemption, "SELECT "+exemptionColumns+" FROM exemption WHERE app = $1 AND entitlement = $2 ORDER BY created, id", app, e)
}

const evidenceColumns = "id, app, entitlement, person, request, reason, at, body"

func scanEvidence(r engine.Row) console.RequirementEvidence {
	var e console.RequirementEvidence
	decode(r.Bytes(7), &e)
	e.ID, e.App, e.Entitlement, e.Person = console.ID(r.Text(0)), console.ID(r.Text(1)), console.EntitlementKey(r.Int(2)), console.ID(r.Text(3))
	e.Request, e.Reason, e.At = console.ID(r.Text(4)), console.ID(r.Text(5)), at(r, 6)
	return e
}

// AddRequirementEvidence stores what met a requirement, and keeps the sync files that prove it. It
// cannot be changed.
func (t *Tx) AddRequirementEvidence(e console.RequirementEvidence) error {
	e.ID, e.At = console.NewID(t.by.At), t.by.At
	if err := t.insert("evidence", "INSERT INTO requirement_evidence ("+evidenceColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		e.ID, e.App, e.Entitlement, e.Person, null(e.Request), null(e.Reason), e.At, encode(e)); err != nil {
		return err
	}
	for _, p := range e.Proofs {
		s, err := t.Sync(p.Sync)
		if err != nil {
			return err
		}
		if s.File == "" {
			continue // the hash remains
		}
		if err := t.KeepFile(s.File, "requirement evidence "+string(e.ID)); err != nil && baton.KindOf(err) != baton.Refused {
			return err
		}
	}
	return t.event(console.Event{Kind: "requirement.evidence", App: e.App, Person: e.Person, Entitlement: e.Entitlement, Object: string(e.ID)},
		map[string]any{"request": e.Request, "reason": e.Reason, "evidence": e})
}

// RequirementEvidence returns what met the requirement of an entitlement when a person got it, the
// oldest first.
func (t *Tx) RequirementEvidence(person, app console.ID, e console.EntitlementKey) ([]console.RequirementEvidence, error) {
	return list(t, scanEvidence, "SELECT "+evidenceColumns+" FROM requirement_evidence WHERE person = $1 AND app = $2 AND entitlement = $3 ORDER BY at, id", person, app, e)
}

const lackColumns = "app, entitlement, account, person, state, why, since, ends, ready, refused, found, confirmed"

func scanLack(r engine.Row) console.RequirementLack {
	return console.RequirementLack{App: console.ID(r.Text(0)), Entitlement: console.EntitlementKey(r.Int(1)), Account: console.ResourceKey(r.Int(2)), Person: console.ID(r.Text(3)),
		State: console.RequirementState(r.Text(4)), Why: str(r, 5), Since: at(r, 6), Ends: at(r, 7), Ready: r.Bool(8), Refused: str(r, 9), Found: at(r, 10), Confirmed: console.ID(r.Text(11))}
}

// RequirementLacks returns up to n holders who do not, or may not, meet a requirement, with greater
// account keys than the given one.
func (t *Tx) RequirementLacks(app console.ID, e console.EntitlementKey, after console.ResourceKey, n int) ([]console.RequirementLack, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanLack, "SELECT "+lackColumns+" FROM requirement_lack WHERE app = $1 AND entitlement = $2 AND account > $3 ORDER BY account LIMIT $4", app, e, after, n)
}

// LackCounts counts the rows of [Tx.RequirementLacks] by state, and those whose access may end.
type LackCounts struct {
	Missing, Lapsed, Unknown, Exempt, Ready int
}

// CountLacks counts the holders who do not, or may not, meet a requirement.
func (t *Tx) CountLacks(app console.ID, e console.EntitlementKey) (c LackCounts, err error) {
	err = t.e.Query(func(r engine.Row) error {
		n := int(r.Int(2))
		switch console.RequirementState(r.Text(0)) {
		case console.RequirementMissing:
			c.Missing += n
		case console.RequirementLapsed:
			c.Lapsed += n
		case console.RequirementExempt:
			c.Exempt += n
		default:
			c.Unknown += n
		}
		if r.Bool(1) {
			c.Ready += n
		}
		return nil
	}, "SELECT state, ready, count(*) FROM requirement_lack WHERE app = $1 AND entitlement = $2 GROUP BY state, ready", app, e)
	return c, err
}

// ReadyLacks returns the holders whose access may end, ordered by account, at most n.
func (t *Tx) ReadyLacks(app console.ID, e console.EntitlementKey, n int) ([]console.RequirementLack, error) {
	return list(t, scanLack, "SELECT "+lackColumns+" FROM requirement_lack WHERE app = $1 AND entitlement = $2 AND ready ORDER BY account LIMIT $3", app, e, n)
}

// SetLack stores what a check found about a holder. A holder who newly lacks a need, or whose access
// now has an end for that, gets an event.
func (t *Tx) SetLack(l console.RequirementLack) error {
	before, err := find(t, scanLack, "SELECT "+lackColumns+" FROM requirement_lack WHERE app = $1 AND entitlement = $2 AND account = $3", l.App, l.Entitlement, l.Account)
	if err != nil {
		return err
	}
	l.Found = t.by.At
	if before != nil && before.State == l.State {
		l.Found = before.Found
	}
	if before != nil && l.Ready && before.Ready && l.Ends.Equal(before.Ends) {
		l.Confirmed = before.Confirmed
	}
	if before != nil && *before == l {
		return nil
	}
	_, err = t.e.Exec("INSERT INTO requirement_lack ("+lackColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (app, entitlement, account) DO UPDATE SET person = excluded.person, state = excluded.state, why = excluded.why, since = excluded.since, ends = excluded.ends,
		ready = excluded.ready, refused = excluded.refused, found = excluded.found, confirmed = excluded.confirmed`,
		l.App, l.Entitlement, l.Account, null(l.Person), l.State, []byte(l.Why), l.Since, l.Ends, l.Ready, []byte(l.Refused), l.Found, null(l.Confirmed))
	limited := before != nil && before.Ends.IsZero() && !l.Ends.IsZero() // enforced now
	if err != nil || !l.State.Lacks() || before != nil && before.State.Lacks() && !limited {
		return err
	}
	return t.event(console.Event{Kind: "requirement.lacking", App: l.App, Person: l.Person, Account: l.Account, Entitlement: l.Entitlement},
		map[string]any{"state": l.State, "why": l.Why, "ends": timeOrNil(l.Ends)})
}

// RemoveLack removes a holder who meets the requirement again, or holds the entitlement no more.
func (t *Tx) RemoveLack(app console.ID, e console.EntitlementKey, account console.ResourceKey) error {
	_, err := t.e.Exec("DELETE FROM requirement_lack WHERE app = $1 AND entitlement = $2 AND account = $3", app, e, account)
	return err
}

// ConfirmLacks records that a person confirmed that the access of all ready holders ends. The worker
// ends it next.
func (t *Tx) ConfirmLacks(app console.ID, e console.EntitlementKey) (int, error) {
	n, err := t.e.Exec("UPDATE requirement_lack SET confirmed = $3 WHERE app = $1 AND entitlement = $2 AND ready", app, e, t.by.Actor.Person())
	if err != nil {
		return 0, err
	}
	if err := t.DueBy(console.DueRequirement, console.RequirementRef(app, e), t.by.At); err != nil {
		return 0, err
	}
	return int(n), t.event(console.Event{Kind: "requirement.confirmed", App: app, Entitlement: e, Object: string(app)}, map[string]any{"holders": n})
}

// EndedByRequirement returns how many accesses a requirement ended since a time.
func (t *Tx) EndedByRequirement(app console.ID, e console.EntitlementKey, since time.Time) (int, error) {
	return get(t, func(r engine.Row) int { return int(r.Int(0)) }, "operations",
		"SELECT count(*) FROM operation WHERE cause_ref = $1 AND created > $2 AND state NOT IN ('superseded', 'cancelled')", console.RequirementRef(app, e), since)
}

// HolderKeys returns up to n accounts that hold an entitlement at a moment, in the order of their
// keys.
func (t *Tx) HolderKeys(m Moment, e console.EntitlementKey, after console.ResourceKey, n int) ([]console.ResourceKey, error) {
	sql := `SELECT f.principal FROM fact f JOIN resource_version v ON v.resource = f.principal AND v.opened <= $2 AND v.closed > $2
		WHERE f.stream = $1 AND f.entitlement = $5 AND f.opened <= $2 AND f.closed > $2 AND f.principal > $3 AND v.account ORDER BY f.principal LIMIT $4`
	args := []any{e}
	if e == console.AccountItself {
		sql = `SELECT r.key FROM resource r JOIN resource_version v ON v.resource = r.key AND v.opened <= $2 AND v.closed > $2
			WHERE r.stream = $1 AND r.key > $3 AND v.account AND v.status NOT IN ($5, $6) ORDER BY r.key LIMIT $4`
		args = []any{console.StatusDisabled, console.StatusDeleted}
	}
	var all []console.ResourceKey
	for _, s := range m.Streams {
		part, err := list(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) }, sql, append([]any{s.Stream, s.Sync, after, n}, args...)...)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	slices.Sort(all)
	return all[:min(n, len(all))], nil
}

// LacksBetween returns the holders of [Tx.RequirementLacks] whose accounts lie after one key and up
// to another.
func (t *Tx) LacksBetween(app console.ID, e console.EntitlementKey, after, last console.ResourceKey) ([]console.RequirementLack, error) {
	return list(t, scanLack, "SELECT "+lackColumns+" FROM requirement_lack WHERE app = $1 AND entitlement = $2 AND account > $3 AND account <= $4 ORDER BY account", app, e, after, last)
}

// TellCapped appends the event that more holders are to lose access than the cap allows. It is told
// once in the window of the cap.
func (t *Tx) TellCapped(app console.ID, e console.EntitlementKey, holders int) error {
	name := "requirement.capped " + console.RequirementRef(app, e)
	said, err := t.Setting(name)
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return err
	}
	var last time.Time
	if decode(said, &last); t.by.At.Before(last.Add(console.RequirementWindow)) {
		return nil
	}
	if err := t.writeSetting(name, encode(t.by.At.UTC())); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "requirement.capped", App: app, Entitlement: e, Object: string(app)}, map[string]any{"holders": holders})
}
