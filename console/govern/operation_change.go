package govern

import (
	"context"
	"strings"
	"time"

	"baton/console"
	"baton/console/store"
)

// changeOperation runs a command on an operation of an app.
func (c *Console) changeOperation(ctx context.Context, caller Caller, app, id console.ID, fn func(*store.Tx, console.Person, console.Operation) error) error {
	return c.guarded(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) (console.Operation, error) {
		_, o, err := seeOperation(tx, me, app, id, console.ChangeAccess)
		if err != nil {
			return o, err
		}
		return o, fn(tx, me, o)
	})
}

// RetryOperation hands an operation that failed, was declined, or waits for a person to the
// connector again. The guards are asked first.
func (c *Console) RetryOperation(ctx context.Context, caller Caller, app, id console.ID) error {
	return c.changeOperation(ctx, caller, app, id, func(tx *store.Tx, _ console.Person, o console.Operation) error {
		p, err := tx.Proposal(o, store.Circumstances{ByHand: true})
		if err == nil {
			err = p.Check()
		}
		if err != nil {
			return err
		}
		return tx.RetryOperation(id, time.Time{})
	})
}

// CancelOperation stops an operation that was not handed out.
func (c *Console) CancelOperation(ctx context.Context, caller Caller, app, id console.ID, why string) error {
	return c.changeOperation(ctx, caller, app, id, func(tx *store.Tx, _ console.Person, _ console.Operation) error {
		why, err := because(why)
		if err != nil {
			return err
		}
		return tx.CancelOperation(id, why)
	})
}

// DoByHand lets a person do what the connector does not: the operation waits until somebody
// says that it is done.
func (c *Console) DoByHand(ctx context.Context, caller Caller, app, id console.ID, why string) error {
	return c.changeOperation(ctx, caller, app, id, func(tx *store.Tx, _ console.Person, _ console.Operation) error {
		why, err := because(why)
		if err != nil {
			return err
		}
		return tx.DoByHand(id, why)
	})
}

// DoneByHand says that an operation was done by hand. The guards are asked as if it were
// handed out, so that nobody is told to do what is forbidden; only a sync proves it.
func (c *Console) DoneByHand(ctx context.Context, caller Caller, app, id console.ID, why string) error {
	return c.changeOperation(ctx, caller, app, id, func(tx *store.Tx, me console.Person, o console.Operation) error {
		if o.Verb == console.Grant && o.Account != 0 {
			if err := notOneself(tx, me, o.Account); err != nil {
				return err
			}
		}
		p, err := tx.Proposal(o, store.Circumstances{ByHand: true})
		if err == nil {
			err = p.Check()
		}
		if err != nil {
			return err
		}
		return tx.DoneByHand(id, strings.TrimSpace(why))
	})
}
