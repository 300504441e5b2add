package store

import (
	"time"

	"baton"
	"baton/console"
)

// CreateOperation creates an operation, if the guards allow it. It locks the app, checks the guards,
// and compares the operation with the live one on the same access:
//
//   - if it does the same, it is returned and nothing is created;
//   - if it was not dispatched, it is superseded;
//   - if it was dispatched, the new one is Waiting until it ends.
//
// A grant to a person without an account (Account is 0) waits for one: an operation that creates the
// account is created first, unless one is alive. Grants to one person share it. An operation of a
// connector that only takes files is Manual.
//
// The error of a guard is a [*console.Refusal].
func (t *Tx) CreateOperation(o console.Operation, c Circumstances) (console.Operation, error) {
	if o.Account == 0 && (o.Person == "" || o.Verb != console.Grant) {
		return o, baton.Errorf(baton.Invalid, "an operation needs an account, or a person who is to get one")
	}
	p, err := t.Proposal(o, c)
	if err != nil {
		return o, err
	}
	if err := p.Check(); err != nil {
		return o, err
	}
	if o.Account == 0 && o.Entitlement != console.AccountItself {
		creation := console.Operation{App: o.App, Connector: o.Connector, Person: o.Person, Entitlement: console.AccountItself, Verb: console.Grant, Cause: o.Cause}
		if _, err := t.CreateOperation(creation, c); err != nil {
			return o, err
		}
	}
	alive, err := t.aliveOperation(o)
	if err != nil {
		return o, err
	}
	if o.ID == "" {
		o.ID = console.NewID(t.by.At)
	}
	if o.Created = t.by.At; o.Cause.By == (console.Actor{}) {
		o.Cause.By = t.by.Actor
	}
	o.State, o.Trace = console.Queued, t.trace
	encounter := console.Meet(alive, o.Verb)
	switch encounter {
	case console.Same:
		// The waiting operation wanted the opposite, which is obsolete.
		return *alive, t.supersedeWaiting(o)
	case console.Supersede:
		if err := t.moveOperation(*alive, console.Superseded, map[string]any{"by": o.ID}); err != nil {
			return o, err
		}
	case console.Wait:
		if err := t.supersedeWaiting(o); err != nil {
			return o, err
		}
		o.State = console.Waiting
	}
	if o.State == console.Queued {
		byFile, err := t.byFile(o.Connector, c.Ground)
		if err != nil {
			return o, err
		}
		if byFile {
			o.State, o.Answer = console.Manual, noConnector
		}
	}
	if err := t.insertOperation(o); err != nil {
		return o, err
	}
	if held := p.CheckHeld(); held != nil && o.State == console.Queued {
		if err := t.DenyOperation(o, held); err != nil {
			return o, err
		}
	}
	return o, t.DueBy(console.DueOperations, string(o.Connector), t.by.At.Add(console.OverdueAfter))
}

// byFile reports whether a connector only takes uploaded files, so that it makes no changes.
func (t *Tx) byFile(connector console.ID, g *Ground) (bool, error) {
	if g != nil {
		return g.connector.Hosting == console.ByFile, nil
	}
	c, err := t.Connector(connector)
	return c.Hosting == console.ByFile, err
}

func (t *Tx) insertOperation(o console.Operation) error {
	err := t.insert("operation", `INSERT INTO operation (id, app, connector, account, person, entitlement, verb, cause, cause_ref, state, alive, attempt, created, not_before, answer, input, verified, version, trace)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $14, $15, 0, 1, $16)`,
		o.ID, o.App, o.Connector, o.Account, null(o.Person), o.Entitlement, o.Verb, encode(o.Cause), o.Cause.Ref, o.State, o.State.Alive(), o.Created, o.NotBefore, []byte(o.Answer), inputOrNil(o.Input), o.Trace)
	if err != nil {
		return err
	}
	t.moved = append(t.moved, movedOperation{Operation: o})
	t.Wake(OperationTopic(o.Connector))
	data := map[string]any{"verb": o.Verb, "cause": o.Cause.Kind, "ref": o.Cause.Ref}
	if o.Input.Why != "" {
		data["why"] = o.Input.Why
	}
	if o.Input.Late > 0 {
		data["late"] = o.Input.Late
	}
	if o.State == console.Manual {
		return t.manualEvent(o)
	}
	return t.operationEvent(o, "operation."+string(o.State), data)
}

func (t *Tx) supersedeWaiting(o console.Operation) error {
	w, err := t.waitingOperation(o)
	if err != nil || w == nil {
		return err
	}
	return t.moveOperation(*w, console.Superseded, map[string]any{"by": o.ID})
}

// NameAccount records the account that an operation created for a person. It assigns the account to
// the person, and the person's waiting operations and reasons in the app to the account.
func (t *Tx) NameAccount(id console.ID, account console.ResourceKey) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	if o.Account != 0 {
		return baton.Errorf(baton.Refused, "the operation has an account already")
	}
	waiting, err := list(t, scanOperation, "SELECT "+operationColumns+" FROM operation WHERE app = $1 AND person = $2 AND account = 0 AND alive ORDER BY created, id FOR UPDATE", o.App, o.Person)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		w.Account = account
		alive, err := t.aliveOperation(w)
		if err != nil {
			return err
		}
		if alive != nil && w.ID == id {
			return baton.Errorf(baton.AlreadyExists, "operation %s is alive on the account", alive.ID)
		}
		if alive != nil { // the earlier one stays
			w.Account = 0
			if err := t.moveOperation(w, console.Superseded, map[string]any{"by": alive.ID}); err != nil {
				return err
			}
			continue
		}
		if err := t.insert("an operation on the account", "UPDATE operation SET account = $2, version = version + 1 WHERE id = $1", w.ID, account); err != nil {
			return err
		}
		if err := t.operationEvent(w, "operation.account-named", nil); err != nil {
			return err
		}
	}
	reasons, err := list(t, scanReason, "SELECT "+reasonColumns+" FROM reason WHERE app = $1 AND person = $2 AND account = 0", o.App, o.Person)
	if err != nil {
		return err
	}
	if _, err := t.e.Exec("UPDATE request SET account = $3 WHERE app = $1 AND subject = $2 AND account = 0 AND state <> 'closed'", o.App, o.Person, account); err != nil {
		return err
	}
	for _, r := range reasons {
		if err := t.change("reason", "UPDATE reason SET account = $2 WHERE id = $1", r.ID, account); err != nil {
			return err
		}
		if err := t.event(console.Event{Kind: "reason.account-named", App: r.App, Person: r.Person, Account: account, Entitlement: r.Entitlement, Object: string(r.ID)}, nil); err != nil {
			return err
		}
	}
	owner, err := t.AccountOwner(account, time.Time{})
	if err != nil {
		return err
	}
	if owner.Person == "" {
		if err := t.SetAccountOwner(account, o.Person, OwnerCreated); err != nil {
			return err
		}
	} else if owner.Person != o.Person {
		return nil
	}
	return t.accountReady(o, account)
}

// accountReady appends the event that a person got an account: whoever reads it welcomes the
// person, unless the app does.
func (t *Tx) accountReady(o console.Operation, account console.ResourceKey) error {
	said, err := t.Provisioning(o.App)
	if err != nil {
		return err
	}
	return t.event(console.Event{Kind: "account.ready", App: o.App, Connector: o.Connector, Person: o.Person, Account: account, Entitlement: console.AccountItself, Object: string(o.ID)},
		map[string]any{"welcome": !said.NoWelcome, "text": said.Welcome})
}
