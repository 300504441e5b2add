package config

import (
	"reflect"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// applyPolicies adds a new version of each policy whose description differs from the newest version,
// and assigns policies to apps. The console itself applies weaker versions, because access to the file
// that it starts with is controlled elsewhere. Those of a person wait for a second one.
func (a *applying) applyPolicies() error {
	t := a.t
	for i, p := range a.Policies {
		want, err := govern.ResolvePolicy(t, p.policy())
		if err != nil {
			return baton.Errorf(baton.Invalid, "%s: policy %s: %w", a.at("policies", i), p.Name, err).WithFix("Add the person to people, or the application to apps.")
		}
		have, err := policyOf(t, p.Name)
		if baton.KindOf(err) == baton.NotFound {
			_, err = t.AddPolicyVersion(want, 0)
		} else if err == nil {
			err = a.changePolicy(have, want)
		}
		if err != nil {
			return placed(a.at("policies", i), err)
		}
	}
	for i, d := range a.Apps {
		if err := a.applyAppPolicies(d); err != nil {
			return placed(a.at("apps", i), err)
		}
	}
	return nil
}

// policyOf returns the policy with a name, or the built-in policy with an ID.
func policyOf(t *store.Tx, name string) (console.Policy, error) {
	all, err := t.Policies()
	if err != nil {
		return console.Policy{}, err
	}
	for _, p := range all {
		if strings.EqualFold(p.Name, name) || string(p.ID) == name {
			return p, nil
		}
	}
	return console.Policy{}, baton.Errorf(baton.NotFound, "there is no policy %q", name)
}

func (a *applying) changePolicy(have, want console.Policy) error {
	if want.Kind != have.Kind {
		return baton.Errorf(baton.Refused, "policy %s is for kind %s, which is not changed", have.Name, have.Kind).WithFix("Give the policy of kind %s another name.", want.Kind)
	}
	if same, err := sameJSON(have.Rules, want.Rules); err != nil || same {
		return err
	}
	want.ID, want.Name, want.Weaker = have.ID, have.Name, !want.AtLeast(have)
	if want.Weaker && a.byPerson() {
		want.Version, want.Author = have.Version, a.t.By().Actor.Person()
		a.policies[want.ID] = want
		return a.propose(reference{console.ConfiguredPolicy, string(want.ID)}, console.Amendment{Kind: console.AmendPolicy, Object: string(want.ID)}, have, want)
	}
	_, err := a.t.AddPolicyVersion(want, have.Version)
	return err
}

// byPerson reports whether a person applies the files, and not the console itself.
func (a *applying) byPerson() bool { return a.t.By().Actor.Person() != "" }

// applyAppPolicies assigns policies to an app's entitlements.
func (a *applying) applyAppPolicies(d App) error {
	t := a.t
	if d.Policies == (AppPolicies{}) {
		return nil
	}
	app, err := t.AppByName(d.Name)
	if err != nil {
		return err
	}
	next := console.SettingsVersion{App: app.ID, Entitlement: console.WholeApp}
	versions, err := t.RequestSettings(app.ID, console.WholeApp)
	if err != nil {
		return err
	}
	if len(versions) > 0 {
		next.Version, next.Settings = versions[0].Version, versions[0].Settings
	}
	before := next.Settings
	for _, chosen := range []struct {
		name string
		kind console.PolicyKind
		to   *console.ID
	}{{d.Policies.Request, console.PolicyRequest, &next.Settings.Policy}, {d.Policies.Emergency, console.PolicyRequest, &next.Settings.Emergency},
		{d.Policies.Revoke, console.PolicyRevoke, &next.Settings.Revoke}, {d.Policies.Review, console.PolicyReview, &next.Settings.Review}} {
		if chosen.name == "" {
			continue
		}
		p, err := policyOf(t, chosen.name)
		if baton.KindOf(err) == baton.NotFound || err == nil && p.Kind != chosen.kind {
			return baton.Errorf(baton.Invalid, "app %s: there is no policy %q of kind %s", d.Name, chosen.name, chosen.kind).WithFix("Add it to policies.")
		}
		if err != nil {
			return err
		}
		*chosen.to = p.ID
	}
	if reflect.DeepEqual(before, next.Settings) {
		return nil
	}
	key := reference{console.ConfiguredApp, string(app.ID)}
	next.Weaker = !next.Settings.AtLeast(before) && !a.created[key] // nothing was asked for of a new app
	if next.Weaker && a.byPerson() {
		a.settings[app.ID] = next.Settings
		have := next
		have.Settings, have.Weaker = before, false
		next.Author = t.By().Actor.Person()
		return a.propose(key, console.Amendment{Kind: console.AmendSettings, App: app.ID, Object: string(app.ID)}, have, next)
	}
	return t.AddRequestSettings(next)
}
