package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// applyPolicies adds a new version of each policy whose description differs from the newest version,
// and assigns policies to apps. The console is the author of these versions, because access to its
// files is controlled elsewhere.
func (f *File) applyPolicies(t *store.Tx) error {
	for _, p := range f.Policies {
		want, err := govern.ResolvePolicy(t, p.policy())
		if err != nil {
			return baton.Errorf(baton.Invalid, "policy %s: %w", p.Name, err).WithFix("Add the person to people, or the application to apps.")
		}
		have, err := policyOf(t, p.Name)
		if baton.KindOf(err) == baton.NotFound {
			_, err = t.AddPolicyVersion(want, 0)
		} else if err == nil {
			err = changePolicy(t, have, want)
		}
		if err != nil {
			return err
		}
	}
	for _, a := range f.Apps {
		if err := applyAppPolicies(t, a); err != nil {
			return err
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

func changePolicy(t *store.Tx, have, want console.Policy) error {
	if want.Kind != have.Kind {
		return baton.Errorf(baton.Refused, "policy %s is for kind %s, which is not changed", have.Name, have.Kind).WithFix("Give the policy of kind %s another name.", want.Kind)
	}
	if same, err := sameRules(have.Rules, want.Rules); err != nil || same {
		return err
	}
	want.ID, want.Name, want.Weaker = have.ID, have.Name, !want.AtLeast(have)
	_, err := t.AddPolicyVersion(want, have.Version)
	return err
}

// sameRules reports whether the stored forms of rules are equal.
func sameRules(a, b []console.PolicyRule) (bool, error) {
	x, err := json.Marshal(a)
	if err != nil {
		return false, baton.Errorf(baton.Internal, "encode policy: %w", err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		return false, baton.Errorf(baton.Internal, "encode policy: %w", err)
	}
	return bytes.Equal(x, y), nil
}

// applyAppPolicies assigns policies to an app's entitlements.
func applyAppPolicies(t *store.Tx, a App) error {
	if a.Policies == (AppPolicies{}) {
		return nil
	}
	app, err := t.AppByName(a.Name)
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
	}{{a.Policies.Request, console.PolicyRequest, &next.Settings.Policy}, {a.Policies.Emergency, console.PolicyRequest, &next.Settings.Emergency},
		{a.Policies.Revoke, console.PolicyRevoke, &next.Settings.Revoke}, {a.Policies.Review, console.PolicyReview, &next.Settings.Review}} {
		if chosen.name == "" {
			continue
		}
		p, err := policyOf(t, chosen.name)
		if baton.KindOf(err) == baton.NotFound || err == nil && p.Kind != chosen.kind {
			return baton.Errorf(baton.Invalid, "app %s: there is no policy %q of kind %s", a.Name, chosen.name, chosen.kind).WithFix("Add it to policies.")
		}
		if err != nil {
			return err
		}
		*chosen.to = p.ID
	}
	if reflect.DeepEqual(before, next.Settings) {
		return nil
	}
	next.Weaker = !next.Settings.AtLeast(before)
	return t.AddRequestSettings(next)
}
