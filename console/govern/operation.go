package govern

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// OperationRow is an operation with the names that people know it by.
type OperationRow struct {
	console.Operation
	console.Names
	Subject  console.Person // zero when the account is matched to nobody
	By       string         // who caused it
	Sentence string
}

// OperationFilter selects operations of an app. The zero value selects all.
type OperationFilter string

// The filters of operations.
const (
	AllOperations     OperationFilter = ""
	OpenOperations    OperationFilter = "open"
	FailedOperations  OperationFilter = "failed"
	UnknownOperations OperationFilter = "unknown"
	ManualOperations  OperationFilter = "manual"
	OverdueAccess     OperationFilter = "overdue"
)

// OperationFilters lists the filters of operations.
func OperationFilters() []OperationFilter {
	return []OperationFilter{AllOperations, OpenOperations, FailedOperations, UnknownOperations, ManualOperations, OverdueAccess}
}

var operationStates = map[OperationFilter][]console.OperationState{
	AllOperations:     nil,
	OpenOperations:    {console.Waiting, console.Queued, console.Dispatched, console.Applied},
	FailedOperations:  {console.Failed, console.Declined, console.Contradicted},
	UnknownOperations: {console.Unknown},
	ManualOperations:  {console.Manual},
}

// OverdueRow is access that outlived its time.
type OverdueRow struct {
	console.Overdue
	console.Names
	Subject console.Person
}

// OperationPage is a part of a list of operations. Next is where the list goes on; nil at its
// end.
type OperationPage struct {
	Rows    []OperationRow
	Overdue []OverdueRow // with the filter for it
	Late    int          // accesses that are overdue
	Next    *store.OperationBefore
}

// Operations returns up to n operations of an app, the newest first.
func (c *Console) Operations(ctx context.Context, caller Caller, app console.ID, filter OperationFilter, before store.OperationBefore, n int) (p OperationPage, err error) {
	if !slices.Contains(OperationFilters(), filter) {
		return p, baton.Errorf(baton.Invalid, "there is no filter of that name")
	}
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		p = OperationPage{}
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		if p.Late, err = tx.CountOverdue(a.ID); err != nil {
			return err
		}
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		if filter == OverdueAccess {
			all, err := tx.AllOverdue(a.ID, n)
			if err != nil {
				return err
			}
			for _, o := range all {
				row := OverdueRow{Overdue: o}
				row.Names, row.Subject, err = c.names(tx, m, a, console.Operation{Account: o.Account, Entitlement: o.Entitlement})
				if err != nil {
					return err
				}
				p.Overdue = append(p.Overdue, row)
			}
			return nil
		}
		all, err := tx.OperationsOf(store.OperationFilter{App: a.ID, States: operationStates[filter]}, before, n+1)
		if err != nil {
			return err
		}
		for i, o := range all {
			if i == n {
				last := all[i-1]
				p.Next = &store.OperationBefore{Created: last.Created, ID: last.ID}
				break
			}
			row, err := c.operationRow(tx, m, a, o)
			if err != nil {
				return err
			}
			p.Rows = append(p.Rows, row)
		}
		return nil
	})
	return p, err
}

func (c *Console) operationRow(tx *store.Tx, m store.Moment, a console.App, o console.Operation) (row OperationRow, err error) {
	row.Operation, row.Sentence = o, o.Sentence(c.now())
	if row.Names, row.Subject, err = c.names(tx, m, a, o); err != nil {
		return row, err
	}
	switch o.Cause.By.Kind {
	case console.ActorPerson:
		people := personNames{tx: tx, known: map[console.ID]string{}}
		people.add(o.Cause.By.Person())
		row.By, err = people.known[o.Cause.By.Person()], people.err
	case console.ActorAutomation:
		row.By = "an automation"
	case console.ActorConnector:
		row.By = "the connector"
	default:
		row.By = "the console"
	}
	return row, err
}

// names returns what people know the access of an operation by.
func (c *Console) names(tx *store.Tx, m store.Moment, a console.App, o console.Operation) (n console.Names, subject console.Person, err error) {
	n.App = a.Name
	if o.Account != 0 {
		r, _, err := lastAccount(tx, m, o.Account)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return n, subject, err
		}
		n.Account = r.Name
		if r.Account != nil {
			n.Login = r.Account.Login
		}
		if n.Account == "" {
			n.Account = r.ID
		}
		if subject, err = ownerOf(tx, o.Account); err != nil {
			return n, subject, err
		}
	} else if o.Person != "" {
		if subject, err = tx.Person(o.Person); err != nil {
			return n, subject, err
		}
		n.Account = subject.Name
		if len(subject.Emails) > 0 {
			n.Login = subject.Emails[0]
		}
	}
	if o.Entitlement == console.AccountItself {
		n.Entitlement = "Account"
		return n, subject, nil
	}
	e, _, err := c.entitlementOf(tx, m, a, o.Entitlement)
	if baton.KindOf(err) == baton.NotFound {
		return n, subject, nil
	}
	if n.Entitlement = e.Name; n.Entitlement == "" {
		n.Entitlement = e.ID
	}
	if e.Resource.ID != "" {
		n.On = e.Resource.Type + " " + e.Resource.Name
	}
	return n, subject, err
}

// OperationView is one operation.
type OperationView struct {
	OperationRow
	App       console.App
	Connector console.Connector
	Steps     []string // for a person, if the connector cannot carry it out
	Overdue   *console.Overdue
	Timeline  Timeline
	MayChange bool
}

// Operation returns an operation of an app.
func (c *Console) Operation(ctx context.Context, caller Caller, app, id console.ID, at TimelineAt, n int) (v OperationView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		a, o, err := seeOperation(tx, me, app, id, console.SeeAccess)
		if err != nil {
			return err
		}
		v = OperationView{App: a, MayChange: console.ChangeAccess.Of(me, console.Object{App: &a})}
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		if v.OperationRow, err = c.operationRow(tx, m, a, o); err != nil {
			return err
		}
		if v.Connector, err = tx.Connector(o.Connector); err != nil {
			return err
		}
		if o.State == console.Manual {
			v.Steps = o.Steps(v.Names)
		}
		if v.Overdue, err = tx.Overdue(o.Account, o.Entitlement); err != nil {
			return err
		}
		if console.SeeAudit.Of(me, console.Object{App: &a}) {
			v.Timeline, err = c.timeline(tx, timelineOf{events: []store.EventFilter{{Object: string(o.ID)}}}, at, n)
		}
		return err
	})
	return v, err
}

// seeOperation returns an operation of an app that the person may see.
func seeOperation(tx *store.Tx, me console.Person, app, id console.ID, right console.Right) (console.App, console.Operation, error) {
	a, err := seeApp(tx, me, app, console.SeeAccess)
	if err != nil {
		return a, console.Operation{}, err
	}
	o, err := tx.Operation(id)
	if err == nil && o.App != a.ID {
		err = baton.Errorf(baton.NotFound, "no operation")
	}
	if err != nil {
		return a, o, err
	}
	return a, o, right.Check(me, console.Object{App: &a})
}

// maxWhy limits reasons that people give, in characters.
const maxWhy = 2000

// because checks the reason that somebody gives.
func because(why string) (string, error) {
	why = strings.TrimSpace(why)
	if why == "" {
		return why, baton.Errorf(baton.Invalid, "a reason is missing").WithFix("Say why, for those who read it later.")
	}
	if utf8.RuneCountInString(why) > maxWhy {
		return why, baton.Errorf(baton.Invalid, "the reason is longer than %d characters", maxWhy)
	}
	return why, nil
}

// guarded runs a command that may create an operation. What a guard refuses is recorded as an
// event of its own, because the command leaves nothing behind.
func (c *Console) guarded(ctx context.Context, caller Caller, p permit, fn func(tx *store.Tx, me console.Person) (console.Operation, error)) error {
	var tried console.Operation
	err := c.change(ctx, caller, p, func(tx *store.Tx, me console.Person) (err error) {
		tried, err = fn(tx, me)
		return err
	})
	if refusal := (*console.Refusal)(nil); !errors.As(err, &refusal) {
		return err
	}
	if tried.Cause.By == (console.Actor{}) {
		tried.Cause.By = c.by(caller).Actor
	}
	if e := c.store.Update(context.WithoutCancel(ctx), c.by(caller), func(tx *store.Tx) error { return tx.DenyOperation(tried, err) }); e != nil {
		return e
	}
	return err
}

// byHand returns an operation that somebody asks for on a page.
func byHand(a console.App, connector console.ID, account console.ResourceKey, e console.EntitlementKey, verb console.Verb, why string) console.Operation {
	return console.Operation{App: a.ID, Connector: connector, Account: account, Entitlement: e, Verb: verb, Input: console.Input{Why: why},
		Cause: console.Cause{Kind: console.CauseManual, Evidence: console.EvidenceDecision}}
}

// showing returns the connector whose syncs show an account of an app.
func showing(tx *store.Tx, a console.App, account console.ResourceKey) (console.ID, store.Resource, error) {
	m, err := tx.Moment(a.ID, time.Time{})
	if err != nil {
		return "", store.Resource{}, err
	}
	r, err := tx.Account(m, account)
	if err != nil {
		return "", r, err
	}
	for _, s := range m.Streams {
		if s.Stream == r.Stream {
			return s.Connector, r, nil
		}
	}
	return "", r, baton.Errorf(baton.NotFound, "no account")
}

// RemoveAccess removes an access: every reason for it ends, a bar keeps rules from bringing it
// back, and an operation revokes it. For [console.AccountItself] the account is disabled. It
// returns the operation.
func (c *Console) RemoveAccess(ctx context.Context, caller Caller, app console.ID, account console.ResourceKey, e console.EntitlementKey, why string) (id console.ID, err error) {
	err = c.guarded(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) (o console.Operation, err error) {
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return o, err
		}
		if err := console.ChangeAccess.Check(me, console.Object{App: &a}); err != nil {
			return o, err
		}
		if why, err = because(why); err != nil {
			return o, err
		}
		connector, _, err := showing(tx, a, account)
		if err != nil {
			return o, err
		}
		access, err := tx.Access(a.ID, account, e, c.now())
		if err != nil {
			return o, err
		}
		if !access.Held && access.Operation == nil {
			return o, baton.Errorf(baton.Refused, "the account does not hold it").WithFix("Nothing has to be done.")
		}
		o = byHand(a, connector, account, e, console.Revoke, why)
		created, err := tx.CreateOperation(o, store.Circumstances{ByHand: true})
		if err != nil {
			return o, err
		}
		id = created.ID
		return o, endAll(tx, a, access, account, e, why)
	})
	return id, err
}

// endAll ends the reasons of an access and bars it.
func endAll(tx *store.Tx, a console.App, access console.Access, account console.ResourceKey, e console.EntitlementKey, why string) error {
	for _, r := range access.Reasons {
		if r.Open(tx.By().At) {
			if err := tx.EndReason(r.ID, why); err != nil {
				return err
			}
		}
	}
	if access.Bar != nil {
		return nil
	}
	_, err := tx.AddBar(console.Bar{App: a.ID, Account: account, Entitlement: e, Why: why})
	return err
}

// EnableAccount enables an account by hand. A bar on it is lifted. Nobody enables their own.
func (c *Console) EnableAccount(ctx context.Context, caller Caller, app console.ID, account console.ResourceKey, why string) (id console.ID, err error) {
	err = c.guarded(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) (o console.Operation, err error) {
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return o, err
		}
		if err := console.ChangeAccess.Check(me, console.Object{App: &a}); err != nil {
			return o, err
		}
		if why, err = because(why); err != nil {
			return o, err
		}
		connector, r, err := showing(tx, a, account)
		if err != nil {
			return o, err
		}
		o = byHand(a, connector, account, console.AccountItself, console.Grant, why)
		if err := notOneself(tx, me, account); err != nil {
			return o, err
		}
		bar, err := tx.Bar(account, console.AccountItself)
		if err != nil {
			return o, err
		}
		if console.HasAccount(true, r.Status) && bar == nil {
			return o, baton.Errorf(baton.Refused, "the account is enabled already").WithFix("Nothing has to be done.")
		}
		if bar != nil {
			if err := tx.LiftBar(bar.ID, why); err != nil {
				return o, err
			}
		}
		created, err := tx.CreateOperation(o, store.Circumstances{ByHand: true})
		id = created.ID
		return o, err
	})
	return id, err
}

// notOneself refuses what somebody would do for their own account.
func notOneself(tx *store.Tx, me console.Person, account console.ResourceKey) error {
	subject, _, err := tx.AccountPerson(account, time.Time{})
	if err != nil {
		return err
	}
	return console.Decision{Actor: me.Canonical(), Subject: subject}.CheckSelf(func(id console.ID) console.ID { return id })
}

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

// Consequence is what a change by hand would mean.
type Consequence struct {
	May      bool // the caller has the right
	Refusal  string
	Fix      string
	Warnings []string
	Back     []string // what an account holds again when it is enabled
}

// consequence returns what a change by hand would mean.
func (c *Console) consequence(tx *store.Tx, me console.Person, a console.App, account console.ResourceKey, e console.EntitlementKey, verb console.Verb) (q Consequence, err error) {
	if q.May = console.ChangeAccess.Of(me, console.Object{App: &a}); !q.May {
		return q, nil
	}
	connector, _, err := showing(tx, a, account)
	if baton.KindOf(err) == baton.NotFound {
		q.May = false
		return q, nil
	}
	if err != nil {
		return q, err
	}
	o := byHand(a, connector, account, e, verb, "")
	o.Cause.By = console.ByPerson(me.Canonical())
	p, err := tx.Foresee(o, store.Circumstances{ByHand: true})
	if err != nil {
		return q, err
	}
	if refusal := p.Check(); refusal != nil {
		q.Refusal, q.Fix = refusal.Error(), baton.FixOf(refusal)
	}
	q.Warnings = p.Warnings()
	if e == console.AccountItself && verb == console.Grant {
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return q, err
		}
		facts, err := tx.HeldBy(m, account, 0, 20)
		if err != nil {
			return q, err
		}
		for _, f := range facts {
			held, err := tx.Entitlement(m, f.Entitlement)
			if err != nil {
				return q, err
			}
			q.Back = append(q.Back, held.Name)
		}
	}
	return q, nil
}

// ActionsView is what a connector can be asked to do by hand.
type ActionsView struct {
	ConnectorSummary
	rpcstore.Offer
	Runs   []console.ActionRun
	People map[console.ID]string
	May    bool
}

// Actions returns which actions a connector offers, and the newest runs of them.
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
			return nil // runs name accounts
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

// AskActions asks a connector which actions it offers.
func (c *Console) AskActions(ctx context.Context, caller Caller, connector console.ID) error {
	return c.change(ctx, caller, configuring.at(connector), func(tx *store.Tx, me console.Person) error {
		_, _, err := seeConnector(tx, me, connector, console.RunActions)
		if err != nil {
			return err
		}
		return rpcstore.AskActions(tx, string(connector))
	})
}

// ActionAsked is what became of a call to run an action: an operation if it disables or
// enables an account, else a run of the action.
type ActionAsked struct {
	App       console.ID
	Operation console.ID
	Run       console.ID
}

// RunAction performs an action of a connector, with what somebody entered for its arguments.
// An action that disables or enables an account is an operation on it, under its guards.
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
		if verb, ok := verbOf(action); ok {
			o, asked.Operation, err = c.accountAction(tx, me, a, con, action, verb, values, why)
			return o, err
		}
		recorded, err := json.Marshal(withoutSecrets(action.Arguments, values))
		if err != nil {
			return o, baton.Errorf(baton.Invalid, "the arguments cannot be recorded: %w", err)
		}
		asked.Run, err = rpcstore.RunAction(tx, console.ActionRun{App: a.ID, Connector: con.ID, Name: name, ResourceType: resourceType, Arguments: recorded, Why: why}, values)
		return o, err
	})
	return asked, err
}

// verbOf returns what an action does to having an account.
func verbOf(a rpc.Action) (console.Verb, bool) {
	switch {
	case slices.Contains(a.Types, baton.ActionAccountDisable):
		return console.Revoke, true
	case slices.Contains(a.Types, baton.ActionAccountEnable):
		return console.Grant, true
	}
	return "", false
}

// accountAction creates the operation for an action that disables or enables an account.
func (c *Console) accountAction(tx *store.Tx, me console.Person, a console.App, con console.Connector, action rpc.Action, verb console.Verb, values baton.Profile, why string) (o console.Operation, id console.ID, err error) {
	argument, ok := rpcstore.AccountArgument(action)
	if !ok {
		return o, "", baton.Errorf(baton.Unsupported, "the action %q needs more than an account, and the console cannot tell whom it is about", action.Name)
	}
	s, err := tx.StreamAt(con.Stream, time.Time{})
	if err != nil {
		return o, "", err
	}
	upstream, _ := values[argument].(string)
	account, err := accountByID(tx, store.Moment{Streams: []store.StreamAt{s}}, action.ResourceType, upstream)
	if err != nil {
		return o, "", err
	}
	o = byHand(a, con.ID, account.Key, console.AccountItself, verb, why)
	o.Cause.Kind = console.CauseAction
	if verb == console.Grant {
		if err := notOneself(tx, me, account.Key); err != nil {
			return o, "", err
		}
		bar, err := tx.Bar(account.Key, console.AccountItself)
		if err == nil && bar != nil {
			err = tx.LiftBar(bar.ID, why)
		}
		if err != nil {
			return o, "", err
		}
	}
	created, err := tx.CreateOperation(o, store.Circumstances{ByHand: true})
	if err != nil || verb == console.Grant {
		return o, created.ID, err
	}
	access, err := tx.Access(a.ID, account.Key, console.AccountItself, c.now())
	if err == nil {
		err = endAll(tx, a, access, account.Key, console.AccountItself, why)
	}
	return o, created.ID, err
}

// accountByID returns the account with an upstream id.
func accountByID(tx *store.Tx, m store.Moment, resourceType, id string) (store.Resource, error) {
	types := []string{resourceType}
	if resourceType == "" {
		types = nil
		for _, s := range m.Streams {
			all, err := tx.ResourceTypes(s.Stream)
			if err != nil {
				return store.Resource{}, err
			}
			types = append(types, all...)
		}
	}
	var found []store.Resource
	for _, t := range types {
		r, err := tx.ResourceByID(m, t, id)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return r, err
		}
		if err == nil && r.Account != nil {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return store.Resource{}, baton.Errorf(baton.Invalid, "no sync shows an account with the id %q", id).WithFix("Enter the id as the account's page shows it.")
	}
	return found[0], nil
}

// withoutSecrets returns arguments as they are kept for people.
func withoutSecrets(fields []rpc.Field, values baton.Profile) baton.Profile {
	kept := baton.Profile{}
	for name, v := range values {
		if i := slices.IndexFunc(fields, func(f rpc.Field) bool { return f.Name == name }); i >= 0 && fields[i].Secret {
			v = "not recorded"
		}
		kept[name] = v
	}
	return kept
}
