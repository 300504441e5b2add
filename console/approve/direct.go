package approve

import (
	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// Unasked reports whether access to an entitlement is removed without a decision of others, whoever
// removes it and whoever holds it.
func Unasked(t *store.Tx, app console.ID, e console.EntitlementKey) (bool, error) {
	var settings [2]console.RequestSettings
	for i, key := range []console.EntitlementKey{console.WholeApp, e} {
		versions, err := t.RequestSettings(app, key)
		if err != nil {
			return false, err
		}
		for _, v := range versions {
			if v.Weaker { // it does not count for its authors
				return false, nil
			}
		}
		settings[i] = console.SettingsFor(versions, func(console.ID) bool { return false })
	}
	r := console.Request{Kind: console.RequestRevoke, Removal: console.CauseManual}
	id, _ := settings[1].Resolve(settings[0], false).Deciding(r, settings[1], settings[0])
	policies, err := t.PolicyVersions(id)
	if err != nil || len(policies) == 0 {
		return false, err
	}
	for _, p := range policies {
		if p.Weaker {
			return false, nil
		}
	}
	rules := policies[0].Rules
	return len(rules) > 0 && rules[0].When == "" && rules[0].Outcome == console.OutcomeApprove && len(rules[0].Steps) == 0, nil
}

// Able reports whether a connector can grant and remove an entitlement, or has to leave that to a
// person. What an action does is found out when it is dispatched.
func Able(t *store.Tx, connector console.ID, m store.Moment, e console.EntitlementKey) (bool, error) {
	if e == console.AccountItself {
		return true, nil
	}
	found, err := t.Entitlement(m, e)
	if err != nil {
		return false, err
	}
	on, err := t.Resource(m, found.Entitlement.Resource)
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return false, err
	}
	able, err := Abilities(t, connector)
	return able(on.Type, found), err
}

// Abilities returns [Able] of a connector for entitlements that are at hand, with the types of their
// resources.
func Abilities(t *store.Tx, connector console.ID) (able func(on string, e store.Entitlement) bool, err error) {
	hello, err := helloOf(t, connector)
	return func(on string, e store.Entitlement) bool { return hello.can(on, rpc.CanProvision) && !e.Immutable }, err
}

// Removal is an access that was decided to be removed.
type Removal struct {
	Operation console.Operation // the revocation
	Access    console.Access
	Able      bool          // see [Able]
	Ground    *store.Ground // of the connector; nil: read it
}

// RemoveNow removes an access without asking anybody: it creates the operation, ends all reasons and
// bars the access. The error is a [*console.Refusal], and nothing was written, if a guard forbids it.
func RemoveNow(t *store.Tx, r Removal) (console.Operation, error) {
	o, err := t.CreateOperation(r.Operation, store.Circumstances{Ground: r.Ground})
	if err != nil {
		return o, err
	}
	if err := endAll(t, r.Access, r.Operation); err != nil {
		return o, err
	}
	return o, leaveToPerson(t, o, r.Able)
}

// Lower is the grant of a lower role to an account whose higher one is removed. The reason of the
// access is why; it has no end.
func Lower(t *store.Tx, grant Removal, reason console.Reason) (console.Operation, error) {
	o, err := t.CreateOperation(grant.Operation, store.Circumstances{Ground: grant.Ground})
	if err != nil {
		return o, err
	}
	if len(console.OpenReasons(grant.Access.Reasons, nil, t.By().At)) == 0 {
		if _, err := t.AddReason(reason); err != nil {
			return o, err
		}
	}
	return o, leaveToPerson(t, o, grant.Able)
}

func leaveToPerson(t *store.Tx, o console.Operation, able bool) error {
	if able || o.State != console.Queued {
		return nil
	}
	return t.DoByHand(o.ID, "The connector cannot make this change.")
}
