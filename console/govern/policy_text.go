package govern

import (
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/condition"
	"baton/console/store"
)

// CheckPolicy returns an error if a policy is invalid by itself.
func CheckPolicy(p console.Policy) error { return p.Check(condition.Check) }

// ResolvePolicy replaces e-mail addresses of people and names of applications in a policy by IDs.
// Invalid if one does not exist.
func ResolvePolicy(tx *store.Tx, p console.Policy) (console.Policy, error) {
	return eachApprover(p, func(a *console.Approver) error {
		switch {
		case strings.Contains(string(a.Person), "@"):
			person, err := tx.PersonByEmail(string(a.Person))
			if baton.KindOf(err) == baton.NotFound {
				return baton.Errorf(baton.Invalid, "nobody has the address %q", a.Person)
			}
			a.Person = person.Canonical()
			return err
		case a.Person != "":
			_, err := tx.Person(a.Person)
			if baton.KindOf(err) == baton.NotFound {
				return baton.Errorf(baton.Invalid, "there is no person %q", a.Person)
			}
			return err
		case a.App != "":
			app, err := tx.App(a.App)
			if baton.KindOf(err) == baton.NotFound {
				app, err = tx.AppByName(string(a.App))
			}
			if baton.KindOf(err) == baton.NotFound {
				return baton.Errorf(baton.Invalid, "there is no application %q", a.App)
			}
			a.App = app.ID
			return err
		}
		return nil
	})
}

// NamePolicy replaces IDs in a policy by e-mail addresses of people and names of applications; see
// [ResolvePolicy].
func NamePolicy(tx *store.Tx, p console.Policy) (console.Policy, error) {
	return eachApprover(p, func(a *console.Approver) error {
		switch {
		case a.Person != "":
			person, err := tx.Person(a.Person)
			if err == nil && len(person.Emails) > 0 {
				a.Person = console.ID(person.Emails[0])
			}
			return ignoreMissing(err)
		case a.App != "":
			app, err := tx.App(a.App)
			if err != nil || strings.ContainsAny(app.Name, "/") {
				return ignoreMissing(err)
			}
			if named, err := tx.AppByName(app.Name); err != nil || named.ID != app.ID {
				return ignoreMissing(err) // another application has the same name
			}
			a.App = console.ID(app.Name)
		}
		return nil
	})
}

func ignoreMissing(err error) error {
	if baton.KindOf(err) == baton.NotFound {
		return nil
	}
	return err
}

// eachApprover returns a copy of a policy with fn applied to every approver.
func eachApprover(p console.Policy, change func(*console.Approver) error) (console.Policy, error) {
	p.Rules = slices.Clone(p.Rules)
	for i := range p.Rules {
		steps := slices.Clone(p.Rules[i].Steps)
		for j := range steps {
			for _, list := range []*[]console.Approver{&steps[j].Ask, &steps[j].Fallback, &steps[j].Reassign, &steps[j].Escalate} {
				*list = slices.Clone(*list)
				for k := range *list {
					if err := change(&(*list)[k]); err != nil {
						if baton.KindOf(err) == baton.Invalid {
							return p, baton.Errorf(baton.Invalid, "rule %d: step %d: %w", i+1, j+1, err)
						}
						return p, err
					}
				}
			}
		}
		p.Rules[i].Steps = steps
	}
	return p, nil
}

// checkGroups refuses groups that the syncs of an application do not show. Before the first sync,
// every group is accepted.
func checkGroups(tx *store.Tx, p console.Policy) error {
	_, err := eachApprover(p, func(a *console.Approver) error {
		if a.Kind != console.ApproverGroup {
			return nil
		}
		m, err := tx.Moment(a.App, time.Time{})
		if err != nil || len(m.Streams) == 0 {
			return err
		}
		if _, err = tx.EntitlementByID(m, a.Entitlement); baton.KindOf(err) == baton.NotFound {
			return baton.Errorf(baton.Invalid, "the application has no entitlement %q", a.Entitlement).WithFix("Write its id, as the page of the entitlement shows it.")
		}
		return err
	})
	return err
}
