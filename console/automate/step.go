package automate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// outcome holds the result of a step.
type outcome struct {
	state   console.StepState
	changes []console.AutomationChange
	input   map[string]string
	result  map[string]any // for later steps, once the step is done
	why     string
	trip    bool // the refusal of a guard trips the circuit breaker
	// What it waits for: one of these, or a time.
	operation, run, child console.ID
	until                 time.Time
	// retry means that nothing was done yet, and that the step is tried again.
	retry bool
	// denied is the change that a guard refused with refusal.
	denied  console.Operation
	refusal *console.Refusal
	nested  []console.AutomationChange // of automations that a dry run ran
}

func failed(format string, args ...any) outcome {
	return outcome{state: console.StepFailed, why: fmt.Sprintf(format, args...)}
}

// once does a step. An error is one of the store: what is wrong with the step is part of the outcome.
func (r *run) once(s console.AutomationStep) (outcome, error) {
	if s.Skip != "" {
		skip, err := r.holds(s.Skip)
		if o, err := wrong(err, "whether it is skipped cannot be told"); o != nil || err != nil {
			return orZero(o), err
		}
		if skip {
			return outcome{state: console.StepSkipped, result: map[string]any{"skipped": true}}, nil
		}
	}
	do := map[console.StepKind]func(console.AutomationStep) (outcome, error){
		console.StepAction: r.action, console.StepGrant: r.grant, console.StepRevoke: r.revoke, console.StepDisable: r.revoke, console.StepCreate: r.create,
		console.StepWait: r.wait, console.StepCondition: r.condition, console.StepMail: r.mail, console.StepWebhook: r.webhook, console.StepCampaign: r.campaign, console.StepRun: r.another}[s.Kind]
	if do == nil {
		return failed("This version of the console has no step %q.", s.Kind), nil
	}
	o, err := do(s)
	for i := range o.changes {
		o.changes[i].Step = s.ID
	}
	return o, err
}

func orZero(o *outcome) outcome {
	if o == nil {
		return outcome{}
	}
	return *o
}

// wrong turns an error about a step's texts, or about what they name, into a failed outcome.
func wrong(err error, what string) (*outcome, error) {
	if err == nil {
		return nil, nil
	}
	switch baton.KindOf(err) {
	case baton.Invalid, baton.NotFound, baton.Refused, baton.Unsupported, baton.AlreadyExists:
		text := err.Error()
		if what != "" {
			text = what + ": " + text
		}
		o := failed("%s", sentence(text))
		return &o, nil
	}
	return nil, err
}

// maxSentence limits what is stored about a step, in characters: texts may come from a message.
const maxSentence = 500

func sentence(text string) string {
	runes := []rune(text)
	if len(runes) == 0 {
		return text
	}
	if len(runes) > maxSentence {
		runes = append(runes[:maxSentence], '…')
	}
	if 'a' <= runes[0] && runes[0] <= 'z' {
		runes[0] -= 'a' - 'A'
	}
	if last := runes[len(runes)-1]; last != '.' && last != '!' && last != '?' && last != '…' {
		runes = append(runes, '.')
	}
	return string(runes)
}

func (r *run) wait(s console.AutomationStep) (outcome, error) {
	return outcome{state: console.StepWaiting, until: r.now.Add(time.Duration(s.For)), result: map[string]any{}}, nil
}

func (r *run) condition(s console.AutomationStep) (outcome, error) {
	holds, err := r.holds(s.When)
	if o, err := wrong(err, "the condition cannot be evaluated"); o != nil || err != nil {
		return orZero(o), err
	}
	if !holds {
		return outcome{state: console.StepEnds, why: "The condition does not hold."}, nil
	}
	return outcome{state: console.StepDone, result: map[string]any{"holds": true}}, nil
}

// operation returns the operation of a step on the account or the person of the execution.
func (r *run) operation(connector console.ID, account console.ResourceKey, e console.EntitlementKey, verb console.Verb) console.Operation {
	return console.Operation{App: r.app.ID, Connector: connector, Account: account, Person: r.subject.ID, Entitlement: e, Verb: verb, Input: console.Input{Why: r.why()},
		Cause: console.Cause{Kind: console.CauseAutomation, Ref: string(r.x.ID), By: r.t.By().Actor, Evidence: r.evidence()}}
}

// why is the reason that is recorded with what the automation does.
func (r *run) why() string {
	text := "The automation “" + r.a.Name + "” does it."
	if r.x.Trigger.Why != "" {
		text += " " + r.x.Trigger.Why
	}
	return text
}

// evidence is the basis of the changes: what a sync or a directory shows, or what a person started.
func (r *run) evidence() console.Evidence {
	switch r.x.Trigger.Kind {
	case console.TriggerOnDemand, console.TriggerRequest:
		return console.EvidenceDecision
	case console.TriggerSchedule:
		return console.EvidenceTime
	}
	return console.EvidenceShown
}

// guarded applies the guards to an operation. The outcome is nil if they allow it.
func (r *run) guarded(o console.Operation, c console.AutomationChange) (*outcome, error) {
	p, err := r.t.Proposal(o, store.Circumstances{})
	if err != nil {
		return nil, err
	}
	return r.refused(o, c, p.Check())
}

// refused returns the outcome of a step that a guard refuses; nil if it does not. A change below the
// minimum of administrators trips the circuit breaker.
func (r *run) refused(o console.Operation, c console.AutomationChange, err error) (*outcome, error) {
	refusal := (*console.Refusal)(nil)
	if err == nil || !errors.As(err, &refusal) {
		return nil, err
	}
	c.Refused = sentence(refusal.Error())
	out := outcome{state: console.StepFailed, why: c.Refused, changes: []console.AutomationChange{c}, retry: refusal.Waits, trip: refusal.Guard == console.GuardAdmins, denied: o, refusal: refusal}
	return &out, nil
}

// operate creates an operation that the guards allow.
func (r *run) operate(o console.Operation, c console.AutomationChange, input map[string]string) (outcome, error) {
	created, err := r.t.CreateOperation(o, store.Circumstances{})
	if refused, err := r.refused(o, c, err); refused != nil || err != nil {
		return orZero(refused), err
	}
	return outcome{state: console.StepWaiting, operation: created.ID, changes: []console.AutomationChange{c}, input: input, result: map[string]any{"state": string(console.Verified)}}, nil
}

// nothing is the outcome of a change that is so already.
func nothing(c console.AutomationChange, why string) outcome {
	c.Nothing = why
	return outcome{state: console.StepDone, changes: []console.AutomationChange{c}, result: map[string]any{"nothing": why}}
}

// look returns the facts about an entitlement for the person of the execution.
func (r *run) look(e console.EntitlementKey) (*approve.Situation, error) {
	q := console.Request{Kind: console.RequestGrant, App: r.app.ID, Entitlement: e, Subject: r.subject.ID}
	if r.x.Account != 0 && r.account != nil {
		q.Account = r.x.Account
	}
	return approve.Look(r.t, q, r.now)
}

func (r *run) grant(s console.AutomationStep) (outcome, error) {
	e := s.Entitlement
	c := console.AutomationChange{Do: "grant", Person: r.subject.ID, Account: r.x.Account, Entitlement: &e, For: s.For}
	if r.subject.ID == "" {
		return failed("It is not known whose access it is: the account belongs to nobody."), nil
	}
	q, err := r.look(e)
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	c.Connector = q.Connector.ID
	o := r.operation(q.Connector.ID, 0, e, console.Grant)
	if refused, err := r.refused(o, c, r.gives()); refused != nil || err != nil {
		return orZero(refused), err
	}
	switch {
	case r.subject.Status != console.PersonActive:
		return failed("%s is not active.", r.subject.Name), nil
	case q.Account == nil && !q.MakesAccounts:
		return failed("%s has no account, and the connector makes none.", r.subject.Name), nil
	case q.Account != nil && !console.HasAccount(true, q.Account.Status):
		return failed("The account of %s is disabled.", r.subject.Name), nil
	}
	if q.Account != nil {
		o.Account = q.Account.Key
		access, err := r.t.Access(r.app.ID, o.Account, e, r.now)
		if err != nil {
			return outcome{}, err
		}
		if access.Held && (access.Operation == nil || access.Operation.Verb == console.Grant) {
			return nothing(c, "It is held already."), nil
		}
	}
	if refused, err := r.guarded(o, c); refused != nil || err != nil {
		return orZero(refused), err
	}
	reason, err := r.t.AddReason(console.Reason{App: r.app.ID, Account: o.Account, Person: r.subject.ID, Entitlement: e, Kind: console.ReasonAutomation, Ref: string(r.a.ID), Lasts: time.Duration(s.For)})
	if err != nil {
		return outcome{}, err
	}
	if q.Requirement.Requirement.Active() {
		proof := q.Requirement.Evidence()
		proof.Person, proof.Reason = r.subject.ID, reason
		if err := r.t.AddRequirementEvidence(proof); err != nil {
			return outcome{}, err
		}
	}
	return r.operate(o, c, nil)
}

// revoke ends an access of the account, or disables the account. All reasons for it end, as they do
// when a person removes it; no bar is added.
func (r *run) revoke(s console.AutomationStep) (outcome, error) {
	e := s.Entitlement
	c := console.AutomationChange{Do: "revoke", Person: r.subject.ID, Account: r.x.Account, Entitlement: &e}
	if s.Kind == console.StepDisable {
		c.Do, e = "disable", console.AccountItself
	}
	if r.account == nil {
		return r.withoutAccount(c)
	}
	connector, err := r.t.LastConnector(r.account.Key)
	if err != nil {
		return outcome{}, err
	}
	c.Connector = connector
	return r.remove(r.operation(connector, r.account.Key, e, console.Revoke), c, nil)
}

// withoutAccount is the outcome of a removal if no sync shows the account.
func (r *run) withoutAccount(c console.AutomationChange) (outcome, error) {
	if r.x.Account != 0 {
		missing, err := r.t.Missing(r.x.Account)
		if err != nil {
			return outcome{}, err
		}
		if missing {
			return outcome{state: console.StepFailed, retry: true, why: "The newest sync does not show the account, and no second one confirms that it is gone."}, nil
		}
	}
	return nothing(c, "There is no account."), nil
}

// remove carries out a revocation.
func (r *run) remove(o console.Operation, c console.AutomationChange, input map[string]string) (outcome, error) {
	access, err := r.t.Access(r.app.ID, o.Account, o.Entitlement, r.now)
	if err != nil {
		return outcome{}, err
	}
	if !access.Held && access.Operation == nil {
		if o.Entitlement == console.AccountItself {
			return nothing(c, "The account is disabled already."), nil
		}
		return nothing(c, "It is not held."), nil
	}
	if refused, err := r.guarded(o, c); refused != nil || err != nil {
		return orZero(refused), err
	}
	for _, reason := range access.Reasons {
		if reason.Open(r.now) {
			if err := r.t.EndReason(reason.ID, o.Input.Why); err != nil {
				return outcome{}, err
			}
		}
	}
	return r.operate(o, c, input)
}

func (r *run) create(s console.AutomationStep) (outcome, error) {
	c := console.AutomationChange{Do: "create", Person: r.subject.ID}
	if r.subject.ID == "" {
		return failed("It is not known who is to get the account."), nil
	}
	q, err := r.look(console.AccountItself)
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	c.Connector = q.Connector.ID
	o := r.operation(q.Connector.ID, 0, console.AccountItself, console.Grant)
	if refused, err := r.refused(o, c, r.gives()); refused != nil || err != nil {
		return orZero(refused), err
	}
	if r.subject.Status != console.PersonActive {
		return failed("%s is not active.", r.subject.Name), nil
	}
	if q.Account != nil && console.HasAccount(true, q.Account.Status) {
		return nothing(c, "There is an account already."), nil
	}
	if q.Account != nil {
		return failed("The account of %s is disabled. A person enables it.", r.subject.Name), nil
	}
	fields, err := r.values(s.Fields)
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	c.Arguments = fields
	plan, ok, err := rpcstore.PlanAccount(r.t, q.Connector.ID, r.app, r.subject, fields)
	if err != nil {
		return outcome{}, err
	}
	if ok && q.MakesAccounts && len(plan.Missing) > 0 {
		return failed("%s", plan.Missing[0]), nil
	}
	if len(fields) > 0 {
		o.Input.Fields = fields
	}
	if refused, err := r.guarded(o, c); refused != nil || err != nil {
		return orZero(refused), err
	}
	if _, err := r.t.AddReason(console.Reason{App: r.app.ID, Person: r.subject.ID, Entitlement: console.AccountItself, Kind: console.ReasonAutomation, Ref: string(r.a.ID)}); err != nil {
		return outcome{}, err
	}
	return r.operate(o, c, fields)
}

// action runs an action of a connector. One that disables or enables an account becomes an operation.
func (r *run) action(s console.AutomationStep) (outcome, error) {
	con, err := r.t.Connector(s.Connector)
	if err == nil && con.App != r.app.ID {
		err = baton.Errorf(baton.NotFound, "no connector")
	}
	if baton.KindOf(err) == baton.NotFound {
		return failed("The application has no such connector any more."), nil
	}
	if err != nil {
		return outcome{}, err
	}
	c := console.AutomationChange{Do: "action", Connector: con.ID, Person: r.subject.ID, Account: r.x.Account, Action: s.Action}
	action, why, err := offered(r.t, con, s)
	if err != nil || why != "" {
		return failed("%s", why), err
	}
	fields, err := r.values(s.Fields)
	var values baton.Profile
	if err == nil {
		values, err = rpcstore.FieldValues(action.Arguments, fields)
	}
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	for name := range fields {
		if !slices.ContainsFunc(action.Arguments, func(f rpc.Field) bool { return f.Name == name }) {
			return failed("The action %q has no field %q any more.", s.Action, name), nil
		}
	}
	c.Arguments = fields
	if verb, ok := rpcstore.ActionVerb(action); ok {
		return r.accountAction(con, action, verb, values, c)
	}
	return r.otherAction(con, action, values, c)
}

// offered returns the action of a step as its connector offers it; why says what is wrong.
func offered(t *store.Tx, con console.Connector, s console.AutomationStep) (action rpc.Action, why string, err error) {
	offer, err := rpcstore.Actions(t, string(con.ID))
	if err != nil {
		return action, "", err
	}
	if !offer.Known {
		return action, fmt.Sprintf("It is not known yet which actions the connector “%s” offers.", con.Name), nil
	}
	action, ok := offer.Action(s.Action, s.ResourceType)
	if !ok {
		return action, fmt.Sprintf("The connector “%s” does not offer the action %q.", con.Name, s.Action), nil
	}
	for _, f := range action.Arguments {
		if f.Secret && s.Fields[f.Name] != "" {
			return action, fmt.Sprintf("The field %q is secret: an automation cannot fill it.", f.Name), nil
		}
	}
	return action, "", nil
}

func (r *run) accountAction(con console.Connector, action rpc.Action, verb console.Verb, values baton.Profile, c console.AutomationChange) (outcome, error) {
	argument, ok := rpcstore.AccountArgument(action)
	if !ok {
		return failed("The action %q needs more than an account, and the console cannot tell whom it is about.", action.Name), nil
	}
	m, err := r.momentOf(con)
	if err != nil {
		return outcome{}, err
	}
	upstream, _ := values[argument].(string)
	account, err := rpcstore.AccountByID(r.t, m, action.ResourceType, upstream)
	if baton.KindOf(err) == baton.Invalid && r.x.Account != 0 && r.account == nil {
		return r.withoutAccount(c)
	}
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	o := r.operation(con.ID, account.Key, console.AccountItself, verb)
	if o.Person, _, err = r.t.AccountPerson(account.Key, time.Time{}); err != nil {
		return outcome{}, err
	}
	if verb == console.Revoke {
		return r.remove(o, c, c.Arguments)
	}
	subject := r.subject
	if r.subject = (console.Person{ID: o.Person}); o.Person == subject.ID {
		r.subject = subject
	}
	err = r.gives()
	r.subject = subject
	if refused, err := r.refused(o, c, err); refused != nil || err != nil {
		return orZero(refused), err
	}
	if console.HasAccount(true, account.Status) {
		return nothing(c, "The account is enabled already."), nil
	}
	if refused, err := r.guarded(o, c); refused != nil || err != nil {
		return orZero(refused), err
	}
	return r.operate(o, c, c.Arguments)
}

func (r *run) momentOf(con console.Connector) (store.Moment, error) {
	s, err := r.t.StreamAt(con.Stream, time.Time{})
	return store.Moment{Streams: []store.StreamAt{s}}, err
}

// otherAction queues an action whose effect the console does not know. As far as the minimum of
// administrators goes, it may take the access of every account that its arguments name.
func (r *run) otherAction(con console.Connector, action rpc.Action, values baton.Profile, c console.AutomationChange) (outcome, error) {
	m, err := r.momentOf(con)
	if err != nil {
		return outcome{}, err
	}
	for _, id := range namedIDs(values) {
		account, err := rpcstore.AccountByID(r.t, m, "", id)
		if baton.KindOf(err) == baton.Invalid {
			continue
		}
		if err != nil {
			return outcome{}, err
		}
		o := r.operation(con.ID, account.Key, console.AccountItself, console.Revoke)
		p, err := r.t.Proposal(o, store.Circumstances{})
		if err != nil {
			return outcome{}, err
		}
		refusal := (*console.Refusal)(nil)
		if err := p.Check(); errors.As(err, &refusal) && refusal.Guard == console.GuardAdmins {
			refused, err := r.refused(o, c, err)
			return orZero(refused), err
		}
	}
	pauses, err := r.t.Pauses()
	if err != nil {
		return outcome{}, err
	}
	if !r.dry && (pauses.Writes || con.Paused) {
		return outcome{state: console.StepFailed, retry: true, why: "Writes, or the connector, are paused."}, nil
	}
	recorded, err := json.Marshal(rpcstore.WithoutSecrets(action.Arguments, values))
	if err != nil {
		return failed("The arguments cannot be recorded."), nil
	}
	run, err := rpcstore.RunAction(r.t, console.ActionRun{App: r.app.ID, Connector: con.ID, Name: action.Name, ResourceType: action.ResourceType, Arguments: recorded, Why: r.why()}, values)
	if err != nil {
		return outcome{}, err
	}
	return outcome{state: console.StepWaiting, run: run, changes: []console.AutomationChange{c}, input: c.Arguments, result: map[string]any{"state": string(console.Applied), "returned": map[string]any{}}}, nil
}

// namedIDs returns the texts in the arguments of an action, which may be ids of accounts.
func namedIDs(values baton.Profile) (all []string) {
	for _, v := range values {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []string:
			all = append(all, v...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *run) mail(s console.AutomationStep) (outcome, error) {
	to, err := r.people(s.To)
	if o, err := wrong(err, "to"); o != nil || err != nil {
		return orZero(o), err
	}
	subject, err := r.value(s.Subject)
	var text string
	if err == nil {
		text, err = r.value(s.Text)
	}
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	c := console.AutomationChange{Do: "mail", To: to, Text: subject}
	if len(to) == 0 {
		return nothing(c, "Nobody is to get it."), nil
	}
	data, err := json.Marshal(map[string]any{"to": to, "subject": subject, "text": text, "execution": r.x.ID, "name": r.a.Name})
	if err != nil {
		return failed("The mail cannot be written."), nil
	}
	r.t.Append(console.Event{Kind: "automation.mailed", App: r.app.ID, Person: r.subject.ID, Object: string(r.a.ID), Data: data})
	return outcome{state: console.StepDone, changes: []console.AutomationChange{c}, input: map[string]string{"subject": subject, "text": text}, result: map[string]any{"people": len(to)}}, nil
}

func (r *run) webhook(s console.AutomationStep) (outcome, error) {
	hook, err := r.t.Webhook(s.Webhook)
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	c := console.AutomationChange{Do: "webhook", Object: hook.ID}
	if hook.State == console.WebhookStopped {
		return failed("The webhook is stopped."), nil
	}
	data, err := json.Marshal(map[string]any{"webhook": hook.ID, "automation": r.a.ID, "execution": r.x.ID, "name": r.a.Name})
	if err != nil {
		return failed("The call cannot be written."), nil
	}
	r.t.Append(console.Event{Kind: console.AutomationPosted, App: r.app.ID, Person: r.subject.ID, Object: string(r.a.ID), Data: data})
	return outcome{state: console.StepDone, changes: []console.AutomationChange{c}, result: map[string]any{}}, nil
}

// another starts another automation of the same application for the same person and account.
func (r *run) another(s console.AutomationStep) (outcome, error) {
	a, err := r.t.Automation(s.Automation)
	if err == nil && (a.App != r.app.ID || !a.Removed.IsZero()) {
		err = baton.Errorf(baton.NotFound, "the application has no such automation any more")
	}
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	if a.Published == 0 {
		return failed("The automation “%s” is not published.", a.Name), nil
	}
	if echo := console.Echo(a.ID, r.x.Chain); echo != "" {
		return failed("It does not run “%s”. %s", a.Name, echo), nil
	}
	form, err := r.values(s.Fields)
	if o, err := wrong(err, ""); o != nil || err != nil {
		return orZero(o), err
	}
	x := console.AutomationExecution{Automation: a.ID, Version: a.Published, Key: "parent/" + string(r.x.ID) + "/" + s.ID, Person: r.x.Person, Account: r.x.Account, Parent: r.x.ID,
		Chain: append(slices.Clone(r.x.Chain), a.ID), Trigger: r.x.Trigger}
	x.Trigger.Form = form
	c := console.AutomationChange{Do: "run", Person: r.subject.ID, Account: r.x.Account, Object: a.ID, Arguments: form}
	o := outcome{state: console.StepWaiting, changes: []console.AutomationChange{c}, input: form, result: map[string]any{"state": string(console.ExecutionDone)}}
	if r.dry {
		return r.dryChild(a, x, o)
	}
	added, _, err := r.t.AddExecution(x)
	o.child = added.ID
	return o, err
}
