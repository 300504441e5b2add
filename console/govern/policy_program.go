package govern

import (
	"context"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// ConfigurePolicy writes the next version of a policy for a program; without an ID, a new policy.
// before is the version that the caller saw. A version that asks for less is refused: on the pages, a
// second person can confirm it.
func (c *Console) ConfigurePolicy(ctx context.Context, caller Caller, p console.Policy, before int) (saved console.Policy, err error) {
	err = c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePolicies.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := CheckPolicy(p); err != nil {
			return err
		}
		if p, err = ResolvePolicy(tx, p); err != nil {
			return err
		}
		if err := checkGroups(tx, p); err != nil {
			return err
		}
		if err := checkPolicyName(tx, p); err != nil {
			return err
		}
		p.Author, p.Second, p.Weaker = me.ID, "", false
		if p.ID == "" {
			saved, err = tx.AddPolicyVersion(p, 0)
			return err
		}
		have, err := tx.Policy(p.ID)
		switch {
		case err != nil:
			return err
		case have.Version != before:
			return baton.Errorf(baton.Refused, "the policy was changed meanwhile").WithFix("Load it again.")
		case have.Kind != p.Kind:
			return baton.Errorf(baton.Invalid, "the type of a policy cannot be changed")
		case !p.AtLeast(have):
			return errSecond
		}
		saved, err = tx.AddPolicyVersion(p, before)
		return err
	})
	return saved, err
}

// PolicyGroups returns the keys of the entitlements whose holders policies ask. One that the newest
// syncs do not show is missing.
func (c *Console) PolicyGroups(ctx context.Context, caller Caller, policies ...console.Policy) (keys map[console.Approver]console.EntitlementKey, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		keys = map[console.Approver]console.EntitlementKey{}
		if err := seesPolicies(tx, me); err != nil {
			return err
		}
		for _, p := range policies {
			for _, r := range p.Rules {
				for _, s := range r.Steps {
					for _, a := range slices.Concat(s.Ask, s.Fallback, s.Reassign, s.Escalate) {
						if a.Kind != console.ApproverGroup {
							continue
						}
						m, err := tx.Moment(a.App, time.Time{})
						if err != nil {
							return err
						}
						switch e, err := tx.EntitlementByID(m, a.Entitlement); {
						case err == nil:
							keys[a] = e.Key
						case baton.KindOf(err) != baton.NotFound:
							return err
						}
					}
				}
			}
		}
		return nil
	})
	return keys, err
}
