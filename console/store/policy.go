package store

import (
	"errors"

	"cmp"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const policyColumns = "policy, version, kind, name, rules, author, second, weaker, created"

func scanPolicy(r engine.Row) console.Policy {
	p := console.Policy{ID: console.ID(r.Text(0)), Version: int(r.Int(1)), Kind: console.PolicyKind(r.Text(2)), Name: str(r, 3),
		Author: console.ID(r.Text(5)), Second: console.ID(r.Text(6)), Weaker: r.Bool(7), Created: at(r, 8)}
	decode(r.Bytes(4), &p.Rules)
	return p
}

// Policy returns the newest version of a policy. NotFound if it was removed.
func (t *Tx) Policy(id console.ID) (console.Policy, error) {
	if removed, err := find(t, func(r engine.Row) bool { return true }, "SELECT 1 FROM policy_removed WHERE policy = $1", id); err != nil || removed != nil {
		return console.Policy{}, cmp.Or(err, error(baton.Errorf(baton.NotFound, "no policy")))
	}
	p, err := find(t, scanPolicy, "SELECT "+policyColumns+" FROM policy_version WHERE policy = $1 ORDER BY version DESC LIMIT 1", id)
	if err != nil {
		return console.Policy{}, err
	}
	if p != nil {
		return *p, nil
	}
	return t.PolicyVersion(id, 0)
}

// PolicyVersion returns a version of a policy.
func (t *Tx) PolicyVersion(id console.ID, version int) (console.Policy, error) {
	if p, ok := console.BuiltInPolicy(id); ok && version == 0 {
		return p, nil
	}
	return get(t, scanPolicy, "policy", "SELECT "+policyColumns+" FROM policy_version WHERE policy = $1 AND version = $2", id, version)
}

// PolicyVersions returns the versions of a policy, the newest first.
func (t *Tx) PolicyVersions(id console.ID) ([]console.Policy, error) {
	all, err := list(t, scanPolicy, "SELECT "+policyColumns+" FROM policy_version WHERE policy = $1 ORDER BY version DESC", id)
	if p, ok := console.BuiltInPolicy(id); ok {
		all = append(all, p)
	}
	if err == nil && len(all) == 0 {
		err = baton.Errorf(baton.NotFound, "no policy")
	}
	return all, err
}

// Policies returns the newest version of every policy, the built-in ones first.
func (t *Tx) Policies() ([]console.Policy, error) {
	all := console.BuiltInPolicies()
	stored, err := list(t, scanPolicy, "SELECT "+policyColumns+` FROM policy_version v
		WHERE version = (SELECT max(version) FROM policy_version o WHERE o.policy = v.policy) AND NOT EXISTS (SELECT 1 FROM policy_removed r WHERE r.policy = v.policy) ORDER BY policy`)
	for _, p := range stored {
		if i := slices.IndexFunc(all, func(b console.Policy) bool { return b.ID == p.ID }); i >= 0 {
			all[i] = p
		} else {
			all = append(all, p)
		}
	}
	return all, err
}

// AddPolicyVersion adds the next version of a policy. It sets an empty ID. before is the previous
// version; Refused if it is not the newest.
func (t *Tx) AddPolicyVersion(p console.Policy, before int) (console.Policy, error) {
	if p.ID == "" {
		p.ID = console.NewID(t.by.At)
	} else if have, err := t.Policy(p.ID); err != nil {
		return p, err
	} else if err := checkVersion("the policy", int64(have.Version), int64(before)); err != nil {
		return p, err
	}
	p.Version, p.Created = before+1, t.by.At
	if p.Author == "" {
		p.Author = t.by.Actor.Person()
	}
	err := t.insert("version of the policy", "INSERT INTO policy_version ("+policyColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		p.ID, p.Version, p.Kind, []byte(p.Name), encode(p.Rules), string(p.Author), null(p.Second), p.Weaker, p.Created)
	if err != nil {
		return p, err
	}
	return p, t.event(console.Event{Kind: "policy.changed", Object: string(p.ID)},
		map[string]any{"version": p.Version, "name": p.Name, "weaker": p.Weaker, "author": p.Author, "rules": p.Rules})
}

// RemovePolicy removes a policy. Its versions stay, for the requests that followed them.
func (t *Tx) RemovePolicy(id console.ID) error {
	p, err := t.Policy(id)
	if err != nil {
		return err
	}
	if err := t.insert("removal", "INSERT INTO policy_removed (policy, at) VALUES ($1, $2)", id, t.by.At); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "policy.removed", Object: string(id)}, map[string]any{"name": p.Name, "version": p.Version})
}

// ChoosingSettings returns the current settings that choose a policy, at most one for each app and
// entitlement.
func (t *Tx) ChoosingSettings(policy console.ID) (chosen []console.SettingsVersion, err error) {
	all, err := list(t, scanSettings, "SELECT "+settingColumns+` FROM request_setting s
		WHERE version = (SELECT max(version) FROM request_setting o WHERE o.app = s.app AND o.entitlement = s.entitlement)
		AND NOT EXISTS (SELECT 1 FROM app a WHERE a.id = s.app AND a.removed IS NOT NULL) ORDER BY app, entitlement`)
	for _, s := range all {
		if s.Settings.Chooses(policy) {
			chosen = append(chosen, s)
		}
	}
	return chosen, err
}

const settingColumns = "app, entitlement, version, settings, author, second, weaker, created"

func scanSettings(r engine.Row) console.SettingsVersion {
	s := console.SettingsVersion{App: console.ID(r.Text(0)), Entitlement: console.EntitlementKey(r.Int(1)), Version: int(r.Int(2)),
		Author: console.ID(r.Text(4)), Second: console.ID(r.Text(5)), Weaker: r.Bool(6), Created: at(r, 7)}
	decode(r.Bytes(3), &s.Settings)
	return s
}

// RequestSettings returns the versions of the request settings of an entitlement or a whole app, the
// newest first; none if they were never set.
func (t *Tx) RequestSettings(app console.ID, e console.EntitlementKey) ([]console.SettingsVersion, error) {
	return list(t, scanSettings, "SELECT "+settingColumns+" FROM request_setting WHERE app = $1 AND entitlement = $2 ORDER BY version DESC", app, e)
}

// EntitlementsWithSettings returns the entitlements of an app of which somebody said what may
// be asked for.
func (t *Tx) EntitlementsWithSettings(app console.ID) ([]console.EntitlementKey, error) {
	return list(t, func(r engine.Row) console.EntitlementKey { return console.EntitlementKey(r.Int(0)) },
		"SELECT DISTINCT entitlement FROM request_setting WHERE app = $1 AND entitlement <> $2 ORDER BY entitlement", app, console.WholeApp)
}

// AddRequestSettings adds the next version of request settings. s.Version is the previous version;
// Refused if it is not the newest.
func (t *Tx) AddRequestSettings(s console.SettingsVersion) error {
	if _, err := t.LockApp(s.App); err != nil {
		return err
	}
	have, err := t.RequestSettings(s.App, s.Entitlement)
	if err != nil {
		return err
	}
	newest := 0
	if len(have) > 0 {
		newest = have[0].Version
	}
	if err := checkVersion("what may be asked for", int64(newest), int64(s.Version)); err != nil {
		return err
	}
	for _, o := range s.Settings.Owners {
		if _, err := t.Person(o); err != nil {
			return err
		}
	}
	if s.Author == "" {
		s.Author = t.by.Actor.Person()
	}
	err = t.insert("version", "INSERT INTO request_setting ("+settingColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		s.App, s.Entitlement, s.Version+1, encode(s.Settings), string(s.Author), null(s.Second), s.Weaker, t.by.At)
	if err != nil {
		return err
	}
	if err := t.Recheck(); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "request-settings.changed", App: s.App, Object: string(s.App)},
		map[string]any{"entitlement": s.Entitlement, "version": s.Version + 1, "settings": s.Settings, "weaker": s.Weaker, "author": s.Author})
}

const amendmentColumns = "id, kind, app, object, before, after, why, author, created, state, decided, decided_by"

func scanAmendment(r engine.Row) console.Amendment {
	return console.Amendment{ID: console.ID(r.Text(0)), Kind: console.AmendmentKind(r.Text(1)), App: console.ID(r.Text(2)), Object: r.Text(3), Before: r.Bytes(4), After: r.Bytes(5),
		Why: str(r, 6), Author: console.ID(r.Text(7)), Created: at(r, 8), State: console.AmendmentState(r.Text(9)), Decided: at(r, 10), DecidedBy: console.ID(r.Text(11))}
}

// AddAmendment adds a change that a second person has to confirm. Its author is whoever runs the
// command, unless it names another one.
func (t *Tx) AddAmendment(a console.Amendment) (console.ID, error) {
	a.ID = console.NewID(t.by.At)
	if a.Author == "" {
		a.Author = t.by.Actor.Person()
	}
	err := t.insert("change", "INSERT INTO amendment ("+amendmentColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, NULL)",
		a.ID, a.Kind, null(a.App), a.Object, bytesOf(a.Before), bytesOf(a.After), []byte(a.Why), string(a.Author), t.by.At, console.AmendmentOpen)
	if err != nil {
		return "", err
	}
	return a.ID, t.event(console.Event{Kind: "amendment.proposed", App: a.App, Object: string(a.ID)}, map[string]any{"kind": a.Kind, "object": a.Object, "why": a.Why})
}

// Amendment returns a change that needs, or needed, a second person.
func (t *Tx) Amendment(id console.ID) (console.Amendment, error) {
	return get(t, scanAmendment, "change", "SELECT "+amendmentColumns+" FROM amendment WHERE id = $1", id)
}

// DecideAmendment confirms or discards a change. Refused if that was done before.
func (t *Tx) DecideAmendment(id console.ID, state console.AmendmentState) error {
	a, err := get(t, scanAmendment, "change", "SELECT "+amendmentColumns+" FROM amendment WHERE id = $1 FOR UPDATE", id)
	if err != nil {
		return err
	}
	if a.State != console.AmendmentOpen {
		return baton.Errorf(baton.Refused, "the change was %s already", a.State)
	}
	if err := t.change("change", "UPDATE amendment SET state = $2, decided = $3, decided_by = $4 WHERE id = $1", id, state, t.by.At, null(t.by.Actor.Person())); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "amendment." + string(state), App: a.App, Object: string(id)}, map[string]any{"kind": a.Kind, "object": a.Object, "author": a.Author})
}

// OpenAmendments returns the changes that wait for a second person, the oldest first.
func (t *Tx) OpenAmendments() ([]console.Amendment, error) {
	return list(t, scanAmendment, "SELECT "+amendmentColumns+" FROM amendment WHERE state = 'open' ORDER BY created, id")
}

// AmendmentsBy returns the confirmed changes of an app that a person wrote, the oldest first.
func (t *Tx) AmendmentsBy(author, app console.ID) ([]console.Amendment, error) {
	return list(t, scanAmendment, "SELECT "+amendmentColumns+" FROM amendment WHERE author = $1 AND app = $2 AND state = 'confirmed' ORDER BY created, id", author, app)
}

// LastAmendment returns the newest change of a kind that was proposed for an object; nil if there is
// none.
func (t *Tx) LastAmendment(kind console.AmendmentKind, object string) (*console.Amendment, error) {
	return find(t, scanAmendment, "SELECT "+amendmentColumns+" FROM amendment WHERE kind = $1 AND object = $2 ORDER BY created DESC, id DESC LIMIT 1", kind, object)
}

// SetDelegation sets who decides for a person during a period; an empty delegate ends the
// delegation.
func (t *Tx) SetDelegation(d console.Delegation) error {
	before, err := t.Delegation(d.Person)
	if err != nil {
		return err
	}
	if _, err := t.e.Exec("DELETE FROM delegation WHERE person = $1", d.Person); err != nil {
		return err
	}
	if d.Delegate != "" {
		if d.Delegate == d.Person || !d.Until.After(d.From) {
			return baton.Errorf(baton.Invalid, "a delegate is somebody else, for a time that ends after it begins")
		}
		if _, err := t.Person(d.Delegate); err != nil {
			return err
		}
		if err := t.insert("delegate", "INSERT INTO delegation (person, delegate, from_at, until_at) VALUES ($1, $2, $3, $4)", d.Person, d.Delegate, d.From, d.Until); err != nil {
			return err
		}
	}
	if err := errors.Join(t.Recheck(), t.reviewersChange(d.Person, before.Delegate)); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "delegation.changed", Person: d.Person, Object: string(d.Person)},
		map[string]any{"delegate": d.Delegate, "from": timeOrNil(d.From), "until": timeOrNil(d.Until)})
}

// endDelegations ends what a person delegates, and what is delegated to the person.
func (t *Tx) endDelegations(person console.ID) error {
	ids, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT person FROM delegation WHERE person = $1 OR delegate = $1 ORDER BY person", person)
	for _, id := range ids {
		if err == nil {
			err = t.SetDelegation(console.Delegation{Person: id})
		}
	}
	return err
}

// Delegation returns the delegation of a person; the zero value if there is none.
func (t *Tx) Delegation(person console.ID) (console.Delegation, error) {
	d, err := find(t, func(r engine.Row) console.Delegation {
		return console.Delegation{Person: console.ID(r.Text(0)), Delegate: console.ID(r.Text(1)), From: at(r, 2), Until: at(r, 3)}
	}, "SELECT person, delegate, from_at, until_at FROM delegation WHERE person = $1", person)
	if err != nil || d == nil {
		return console.Delegation{}, err
	}
	return *d, nil
}

// PersonsWithRole returns up to n active people with a role in the console.
func (t *Tx) PersonsWithRole(role console.ConsoleRole, n int) ([]console.ID, error) {
	return list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, `SELECT p.id FROM person_role r JOIN person p ON p.id = r.person
		WHERE r.role = $1 AND p.status = $2 AND p.merged_into IS NULL ORDER BY p.sort_key, p.id LIMIT $3`, role, console.PersonActive, n)
}

// Reports returns the active people whose manager is a person, ordered by name.
func (t *Tx) Reports(manager console.ID) ([]console.Person, error) {
	return list(t, scanPerson, "SELECT "+personColumns+" FROM person WHERE manager = $1 AND status = $2 AND merged_into IS NULL ORDER BY sort_key, id", manager, console.PersonActive)
}

// OwnersSince returns everybody who owned an account at some time after since.
func (t *Tx) OwnersSince(account console.ResourceKey, since time.Time) ([]console.ID, error) {
	return list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) },
		"SELECT DISTINCT person FROM account_owner WHERE account = $1 AND person IS NOT NULL AND (until_at IS NULL OR until_at > $2) ORDER BY person", account, since)
}
