package govern

import (
	"context"

	"baton"
	"baton/console"
	"baton/console/store"
)

// ErasureView is whether the personal data of a person was, or can be, erased. All of it is zero if
// the caller may not erase.
type ErasureView struct {
	May      bool
	Done     *console.Erasure // nil if it was not
	Proposed bool             // it waits for a second person
	Refusal  string           // why it cannot be erased yet; "" if it can
	Fix      string
	Rest     store.ErasureRest
}

// ErasureOf returns whether the personal data of a person was, or can be, erased.
func (c *Console) ErasureOf(ctx context.Context, caller Caller, person console.ID) (v ErasureView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) (err error) {
		v = ErasureView{}
		if !console.ErasePeople.Of(me, console.Object{}) || !c.at.IsZero() {
			return nil
		}
		if v.Done, err = tx.Erasure(person); err != nil {
			return err
		}
		if v.Done == nil {
			refusal := tx.CheckErasable(person)
			if refusal != nil && baton.KindOf(refusal) != baton.Refused {
				return refusal
			}
			p, err := tx.Person(person)
			if err != nil {
				return err
			}
			// Nothing is offered for people who work here.
			v.May = p.Status != console.PersonActive && !p.Service && p.MergedInto == ""
			if refusal != nil {
				v.Refusal, v.Fix = refusal.Error()+".", baton.FixOf(refusal)
			}
			if v.Proposed, err = erasureProposed(tx, person); err != nil {
				return err
			}
		}
		v.Rest, err = tx.ErasureRest(person)
		return err
	})
	return v, err
}

func erasureProposed(tx *store.Tx, person console.ID) (bool, error) {
	open, err := tx.OpenAmendments()
	for _, a := range open {
		if a.Kind == console.AmendErasure && a.Object == string(person) {
			return true, err
		}
	}
	return false, err
}

// ProposeErasure proposes to erase the personal data of a person. It takes effect when a second
// person confirms it: see [Console.DecideAmendment].
func (c *Console) ProposeErasure(ctx context.Context, caller Caller, person console.ID, why string) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ErasePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		p, err := tx.HoldPerson(person)
		if err != nil {
			return err
		}
		if why, err = because(why); err != nil {
			return err
		}
		if err := tx.CheckErasable(person); err != nil {
			return err
		}
		proposed, err := erasureProposed(tx, person)
		if err != nil {
			return err
		}
		if proposed {
			return baton.Errorf(baton.Refused, "erasing this person is proposed already").WithFix("A second person confirms it, under Policies.")
		}
		return amend(tx, console.AmendErasure, "", string(person), nil, map[string]string{"person": string(person), "name": p.Name}, why)
	})
}
