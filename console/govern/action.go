package govern

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// ActionsView lists the actions that a connector offers, and their runs.
type ActionsView struct {
	ConnectorSummary
	rpcstore.Offer
	Runs   []console.ActionRun
	People map[console.ID]string
	May    bool
}

// Actions returns the actions of a connector and their newest runs.
func (c *Console) Actions(ctx context.Context, caller Caller, connector console.ID) (v ActionsView, err error) {
	err = c.read(ctx, caller, reading.at(connector), func(tx *store.Tx, me console.Person) error {
		con, a, err := seeConnector(tx, me, connector, console.SeeConnectors)
		if err != nil {
			return err
		}
		v = ActionsView{People: map[console.ID]string{}, May: console.RunActions.Of(me, console.Object{App: &a, Connector: &con})}
		if v.ConnectorSummary, err = c.connectorSummary(tx, con, a); err != nil {
			return err
		}
		if v.Offer, err = rpcstore.Actions(tx, string(connector)); err != nil {
			return err
		}
		if !console.SeeAccess.Of(me, console.Object{App: &a}) {
			return nil // the runs name accounts
		}
		if v.Runs, err = tx.ActionRuns(connector, 50); err != nil {
			return err
		}
		people := personNames{tx: tx, known: v.People}
		for _, r := range v.Runs {
			people.add(r.CreatedBy.Person())
		}
		return people.err
	})
	return v, err
}

// AskActions makes a connector report its actions.
func (c *Console) AskActions(ctx context.Context, caller Caller, connector console.ID) error {
	return c.change(ctx, caller, configuring.at(connector), func(tx *store.Tx, me console.Person) error {
		_, _, err := seeConnector(tx, me, connector, console.RunActions)
		if err != nil {
			return err
		}
		return rpcstore.AskActions(tx, string(connector))
	})
}

// ActionAsked is the result of RunAction: an operation if the action disables or enables an account,
// or a request if people are asked about that first; else a run.
type ActionAsked struct {
	App       console.ID
	Operation console.ID
	Request   console.ID
	Run       console.ID
}

// RunAction runs an action of a connector with the entered arguments. An action that disables or
// enables an account becomes an operation on it, which the guards check.
func (c *Console) RunAction(ctx context.Context, caller Caller, connector console.ID, name, resourceType string, entered map[string]string, why string) (asked ActionAsked, err error) {
	err = c.guarded(ctx, caller, configuring.at(connector), func(tx *store.Tx, me console.Person) (o console.Operation, err error) {
		con, a, err := seeConnector(tx, me, connector, console.RunActions)
		if err != nil {
			return o, err
		}
		if why, err = because(why); err != nil {
			return o, err
		}
		asked = ActionAsked{App: a.ID}
		offer, err := rpcstore.Actions(tx, string(connector))
		if err != nil {
			return o, err
		}
		action, ok := offer.Action(name, resourceType)
		if !ok {
			return o, baton.Errorf(baton.NotFound, "the connector offers no action %q", name)
		}
		if con.Paused {
			return o, baton.Errorf(baton.Refused, "the connector is paused").WithFix("Resume it first.")
		}
		pauses, err := tx.Pauses()
		if err != nil {
			return o, err
		}
		if pauses.Writes {
			return o, baton.Errorf(baton.Refused, "all writes are paused").WithFix("Resume writes in the settings.")
		}
		values, err := rpcstore.FieldValues(action.Arguments, entered)
		if err != nil {
			return o, err
		}
		if verb, ok := rpcstore.ActionVerb(action); ok {
			o, done, err := c.accountAction(tx, me, a, con, action, verb, values, why)
			asked.Operation, asked.Request = done.Operation, done.Request
			return o, err
		}
		recorded, err := json.Marshal(rpcstore.WithoutSecrets(action.Arguments, values))
		if err != nil {
			return o, baton.Errorf(baton.Invalid, "the arguments cannot be recorded: %w", err)
		}
		asked.Run, err = rpcstore.RunAction(tx, console.ActionRun{App: a.ID, Connector: con.ID, Name: name, ResourceType: resourceType, Arguments: recorded, Why: why}, values)
		return o, err
	})
	return asked, err
}

// accountAction creates the operation for an action that disables or enables an account.
func (c *Console) accountAction(tx *store.Tx, me console.Person, a console.App, con console.Connector, action rpc.Action, verb console.Verb, values baton.Profile, why string) (o console.Operation, done approve.Removed, err error) {
	argument, ok := rpcstore.AccountArgument(action)
	if !ok {
		return o, done, baton.Errorf(baton.Unsupported, "the action %q needs more than an account, and the console cannot tell whom it is about", action.Name)
	}
	s, err := tx.StreamAt(con.Stream, time.Time{})
	if err != nil {
		return o, done, err
	}
	upstream, _ := values[argument].(string)
	account, err := rpcstore.AccountByID(tx, store.Moment{Streams: []store.StreamAt{s}}, action.ResourceType, upstream)
	if err != nil {
		o, err = missingByID(tx, a, con, action.ResourceType, upstream, byHand(a, con.ID, 0, console.AccountItself, verb, why), err)
		return o, done, err
	}
	o = byHand(a, con.ID, account.Key, console.AccountItself, verb, why)
	o.Cause.Kind = console.CauseAction
	if verb == console.Grant {
		if err := notOneself(tx, me, account.Key); err != nil {
			return o, done, err
		}
		bar, err := tx.Bar(account.Key, console.AccountItself)
		if err == nil && bar != nil {
			err = tx.LiftBar(bar.ID, why)
		}
		if err != nil {
			return o, done, err
		}
	}
	if verb == console.Revoke {
		done, err = approve.Remove(tx, o)
		return o, done, err
	}
	created, err := tx.CreateOperation(o, store.Circumstances{ByHand: true})
	return o, approve.Removed{Operation: created.ID}, err
}

// missingByID returns the refusal of an action on an account that the newest sync alone does
// not show; else the error as it is.
func missingByID(tx *store.Tx, a console.App, con console.Connector, resourceType, id string, o console.Operation, err error) (console.Operation, error) {
	types := []string{resourceType}
	if resourceType == "" {
		all, e := tx.ResourceTypes(con.Stream)
		if e != nil {
			return o, e
		}
		types = all
	}
	for _, t := range types {
		key, e := tx.LastResource(con.Stream, t, id)
		if e != nil {
			return o, e
		}
		if key == 0 {
			continue
		}
		if missing, e := tx.Missing(key); e != nil || !missing {
			return o, cmp.Or(e, err)
		}
		o.Account, o.Cause.Kind = key, console.CauseAction
		return whileMissing(tx, o, baton.Errorf(baton.NotFound, "%w", err))
	}
	return o, err
}
