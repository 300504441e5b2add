package govern

import (
	"context"
	"strings"
	"time"

	"baton/console"
	"baton/console/store"
)

func (c *Console) changeOperation(ctx context.Context, caller Caller, app, id console.ID, fn func(*store.Tx, console.Person, console.Operation) error) error {
	return c.guarded(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) (console.Operation, error) {
		_, o, err := seeOperation(tx, me, app, id, console.ChangeAccess)
		if err != nil {
			return o, err
		}
		return o, fn(tx, me, o)
	})
}

// RetryOperation queues an operation again that failed, was declined, or waits for a person. The
// guards check it first.
func (c *Console) RetryOperation(ctx context.Context, caller Caller, app, id console.ID) error {
	return c.changeOperation(ctx, caller, app, id, func(tx *store.Tx, me console.Person, o console.Operation) error {
		if err := notForOneself(tx, me, o); err != nil {
			return err
		}
		if err := o.CheckRetry(); err != nil {
			return err
		}
		p, err := tx.Proposal(o, store.Circumstances{ByHand: true})
		if err == nil {
			err = p.Check()
		}
		if err != nil {
			return err
		}
		if err := tx.RetryOperation(id, time.Time{}); err != nil {
			return err
		}
		if held := p.CheckHeld(); held != nil {
			return tx.DenyOperation(o, held)
		}
		return nil
	})
}

// notForOneself refuses what somebody would do about a grant of their own access.
func notForOneself(tx *store.Tx, me console.Person, o console.Operation) error {
	switch {
	case o.Verb != console.Grant:
		return nil
	case o.Account != 0:
		return notOneself(tx, me, o.Account)
	}
	subject, err := tx.Canonical(o.Person)
	if err != nil {
		return err
	}
	return console.Decision{Actor: me.Canonical(), Subject: subject}.CheckSelf(func(id console.ID) console.ID { return id })
}

// CancelOperation stops an operation that was not dispatched.
func (c *Console) CancelOperation(ctx context.Context, caller Caller, app, id console.ID, why string) error {
	return c.changeOperation(ctx, caller, app, id, func(tx *store.Tx, _ console.Person, _ console.Operation) error {
		why, err := because(why)
		if err != nil {
			return err
		}
		return tx.CancelOperation(id, why)
	})
}

// DoByHand assigns an operation to a person, if the connector cannot carry it out.
func (c *Console) DoByHand(ctx context.Context, caller Caller, app, id console.ID, why string) error {
	return c.changeOperation(ctx, caller, app, id, func(tx *store.Tx, _ console.Person, _ console.Operation) error {
		why, err := because(why)
		if err != nil {
			return err
		}
		return tx.DoByHand(id, why)
	})
}

// DoneByHand records that a person carried out an operation. The guards check it as if it were
// dispatched, so that nobody carries out a forbidden change. Only a later sync verifies it.
func (c *Console) DoneByHand(ctx context.Context, caller Caller, app, id console.ID, why string) error {
	return c.changeOperation(ctx, caller, app, id, func(tx *store.Tx, me console.Person, o console.Operation) error {
		if err := notForOneself(tx, me, o); err != nil {
			return err
		}
		p, err := tx.Proposal(o, store.Circumstances{ByHand: true})
		if err == nil {
			err = p.Check()
		}
		if err == nil {
			err = p.CheckHeld()
		}
		if err != nil {
			return err
		}
		return tx.DoneByHand(id, strings.TrimSpace(why))
	})
}
