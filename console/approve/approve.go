// Package approve moves requests along their policies: it files them, asks approvers, records
// decisions and carries out what was approved. Its functions run within a command's transaction. It
// does not check the caller's rights: package govern does that for people, and the worker acts as
// the console.
package approve

import (
	"encoding/json"
	"errors"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// guardsIn returns the guards in an amendment of an app.
func guardsIn(a console.Amendment) (before, after console.AppGuards, err error) {
	if err = json.Unmarshal(a.Before, &before); err == nil {
		err = json.Unmarshal(a.After, &after)
	}
	if err != nil {
		err = baton.Errorf(baton.Corrupt, "change %s: %w", a.ID, err)
	}
	return before, after, err
}

// Preview is the expected result of filing a request.
type Preview struct {
	*Situation
	Plan  console.Plan
	Steps []console.StepAsked // of Plan
	// Refused is why the request would be refused; nil if it would be accepted.
	Refused error
}

// Consider returns what filing a request would lead to, without writing anything.
func Consider(t *store.Tx, r console.Request, now time.Time) (Preview, error) {
	return consider(t, r, now, t.Foresee)
}

func consider(t *store.Tx, r console.Request, now time.Time, propose proposer) (Preview, error) {
	s, err := Look(t, r, now)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Situation: s}
	refuse := func(err error) error {
		if k := baton.KindOf(err); k != baton.Refused && k != baton.Invalid && k != baton.AlreadyExists {
			return err
		}
		if p.Refused == nil {
			p.Refused = err
		}
		return nil
	}
	checks := []func() error{func() error { return s.check(now) }, s.free, func() error { return s.guards(propose) }}
	for _, check := range checks {
		if err := check(); err != nil {
			if err := refuse(err); err != nil {
				return p, err
			}
		}
	}
	c := s.Case()
	newID := func() console.ID { return console.NewID(now) }
	if r.AnswersLater && r.Kind == console.RequestGrant && r.Unanswered(s.Settings.Form) {
		p.Plan = console.AnswersPlan(newID) // the policy may depend on the answers
	} else if p.Plan, err = s.plan(c, newID); err != nil {
		return p, refuse(err)
	}
	if p.Steps, err = p.Plan.Preview(c); err != nil {
		return p, refuse(err)
	}
	return p, nil
}

// check returns an error if the request is invalid.
func (s *Situation) check(now time.Time) error {
	if s.r.Kind != console.RequestGrant {
		return nil // including people who left
	}
	if s.Subject.Status != console.PersonActive {
		return baton.Errorf(baton.Refused, "%s is not active", s.Subject.Name)
	}
	if err := s.r.Check(s.Settings, now); err != nil {
		return err
	}
	switch {
	case !s.Able && !s.Settings.Manual:
		return baton.Errorf(baton.Refused, "the connector cannot give this").WithFix("An owner of the application can choose to do it by hand.")
	case s.Account == nil && s.missing != 0:
		return nil // the guard says it
	case s.Account == nil && !s.MakesAccounts && !s.Settings.Manual:
		return baton.Errorf(baton.Refused, "%s has no account, and the connector cannot make one", s.Subject.Name).WithFix("Somebody makes the account in the application.")
	case s.Account != nil && s.r.Entitlement != console.AccountItself && !console.HasAccount(true, s.Account.Status):
		return baton.Errorf(baton.Refused, "the account of %s is disabled", s.Subject.Name).WithFix("Ask for “%s” of the application first.", AccountName)
	}
	return nil
}

// free refuses the request while another one for the same access is undecided.
func (s *Situation) free() error {
	open, err := s.open()
	if err != nil {
		return err
	}
	for _, o := range open {
		if o.Kind != s.r.Kind || o.State == console.RequestCarrying {
			continue
		}
		if s.r.Removal == "" && o.Removal != "" {
			s.removal = &o // giving access back does not wait for a pending removal
			continue
		}
		return duplicate(o)
	}
	return nil
}

// open returns the open requests for the same access.
func (s *Situation) open() ([]console.Request, error) {
	var open, unowned []console.Request
	var err error
	if s.Subject.ID != "" {
		open, err = s.tx.OpenRequests(s.App.ID, s.Subject.ID, s.r.Entitlement)
	}
	if err == nil && s.Account != nil {
		unowned, err = s.tx.OpenRequestsUnowned(s.Account.Key, s.r.Entitlement)
	}
	return append(open, unowned...), err
}

func duplicate(o console.Request) error {
	return &Duplicate{Request: o.ID, Number: o.Number, err: baton.Errorf(baton.AlreadyExists, "request %d asks for the same and is not decided yet", o.Number)}
}

// Duplicate is the error of a request for access that another undecided request asks for.
type Duplicate struct {
	Request console.ID
	Number  int64
	err     error
}

func (d *Duplicate) Error() string { return d.err.Error() }

func (d *Duplicate) Unwrap() error { return d.err }

// operation returns the operation that carries out the request.
func (s *Situation) operation() console.Operation {
	o := console.Operation{App: s.App.ID, Connector: s.Connector.ID, Person: s.Subject.ID, Entitlement: s.r.Entitlement, Verb: console.Grant,
		Cause: console.Cause{Kind: console.CauseApproval, Ref: string(s.r.ID), By: s.tx.By().Actor, Evidence: console.EvidenceDecision}}
	if s.Account != nil {
		o.Account = s.Account.Key
	} else {
		o.Account = s.missing
	}
	if s.r.Kind == console.RequestRevoke {
		o.Verb, o.Cause.Kind = console.Revoke, console.CauseRequest
	}
	if s.r.Removal != "" {
		o.Cause.Kind, o.Input.Why = s.r.Removal, s.r.Why
	}
	return o
}

// proposer returns the facts for the guards.
type proposer func(console.Operation, store.Circumstances) (console.Proposal, error)

// guards applies the guards to the change that the request asks for.
func (s *Situation) guards(propose proposer) error {
	o := s.operation()
	if s.r.Kind == console.RequestReview || o.Account == 0 && o.Verb == console.Revoke {
		return nil
	}
	p, err := propose(o, store.Circumstances{ByHand: s.r.Removal != ""})
	if err != nil {
		return err
	}
	p.Unmet = "" // the request waits for it
	return p.Check()
}

// Denied is the error of a request or a decision that a guard refused, with the refused change. It
// must be recorded after the transaction was rolled back.
type Denied struct {
	Operation console.Operation
	err       error
}

func (d *Denied) Error() string { return d.err.Error() }

func (d *Denied) Unwrap() error { return d.err }

// denied adds the change to the error of a guard.
func (s *Situation) denied(err error) error {
	if refusal := (*console.Refusal)(nil); errors.As(err, &refusal) {
		return &Denied{s.operation(), err}
	}
	return err
}

// CheckHeld refuses to decide about the request together with others while the newest sync is
// held: what is shown may be out of date.
func (s *Situation) CheckHeld() error {
	return s.denied(console.Proposal{Change: s.operation().Change(), ConnectorHeld: s.Held}.CheckHeld())
}

// File files a request and asks its first approvers. The error is a [*console.Refusal] if a guard
// forbids it or nobody may decide, and a [*Duplicate] if the same access is requested already.
func File(t *store.Tx, r console.Request) (console.Request, error) {
	now := t.By().At
	if r.ID == "" {
		r.ID = console.NewID(now)
	}
	if _, err := t.LockApp(r.App); err != nil {
		return r, err
	}
	filed := r
	filed.ID = "" // the caller's request must be complete before defaults are added
	p, err := consider(t, filed, now, t.Proposal)
	if err != nil {
		return r, err
	}
	p.Situation.r.ID = r.ID
	if p.Refused != nil {
		return r, p.denied(p.Refused)
	}
	if r.Subject, r.Requester = p.Subject.ID, p.Requester.ID; r.Subject == "" && p.Account != nil {
		r.Whose = nameless(*p.Account)
	}
	if r.What = valid(p.Entitlement.Name); r.What == "" {
		r.What = valid(p.Entitlement.ID)
	}
	r.Asked, r.Policy, r.PolicyVersion, r.Plan, r.Round, r.Step, r.StepBegan = r.Term, p.Policy.ID, p.Policy.Version, p.Plan, 1, 0, now
	r.Material, r.State = p.Material(), console.RequestWaiting
	if p.Account != nil {
		r.Account = p.Account.Key
	}
	if o := p.Situation.removal; o != nil {
		if p.Plan.Outcome != console.OutcomeApprove {
			return r, duplicate(*o)
		}
		if err := endRequest(t, *o, "given back"); err != nil {
			return r, err
		}
	}
	if r, err = t.AddRequest(r); err != nil {
		return r, err
	}
	p.Situation.r = r
	if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryAsked, Round: 1, Text: r.Why, Sync: p.Data}); err != nil {
		return r, err
	}
	switch p.Plan.Outcome {
	case console.OutcomeDeny:
		if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryRules, Round: 1, Text: p.Plan.Why}); err != nil {
			return r, err
		}
		return r, t.CloseRequest(r, console.OutcomeDenied, denialText(p.Plan))
	case console.OutcomeApprove:
		if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryRules, Round: 1}); err != nil {
			return r, err
		}
	}
	return p.Situation.begin()
}

// nameless returns what to call an account that nobody owns.
func nameless(a store.Resource) string {
	name := a.Name
	if name == "" && a.Account != nil {
		name = a.Account.Login
	}
	if name == "" {
		name = a.ID
	}
	return "The account “" + valid(name) + "” of nobody"
}

func denialText(p console.Plan) string {
	if p.Why != "" {
		return p.Why
	}
	return "The policy does not allow it."
}

// begin begins the next step of the request, or carries it out after the last one.
func (s *Situation) begin() (console.Request, error) {
	now := s.tx.By().At
	for s.r.Step < len(s.r.Plan.Steps) {
		step := s.r.Plan.Steps[s.r.Step]
		s.r.StepBegan = now
		if step.Wait == nil {
			return s.ask()
		}
		if step.Wait.Requirement && s.Requirement.State.Meets() {
			s.r.Step++
			continue
		}
		if step.Wait.Until != "" {
			holds, err := s.match(step.Wait.Until)
			if err == nil && holds {
				s.r.Step++
				continue
			}
		}
		s.r.State = console.RequestWaiting
		if err := s.tx.AddEntry(console.RequestEntry{Request: s.r.ID, Kind: console.EntryStep, Round: s.r.Round, Step: step.ID, Text: step.Sentence()}); err != nil {
			return s.r, err
		}
		var err error
		s.r, err = s.tx.ChangeRequest(s.r, "waiting", map[string]any{"step": step.ID})
		return s.r, err
	}
	return s.approved()
}

// ask asks the approvers of the current step.
func (s *Situation) ask() (console.Request, error) {
	entries, err := s.tx.Entries(s.r.ID)
	if err != nil {
		return s.r, err
	}
	step := s.r.Plan.Steps[s.r.Step]
	who, err := step.WhoDecides(s.Case(), s.Decided(entries))
	if err != nil {
		return s.r, err
	}
	s.r.State = console.RequestAsking
	if s.r, err = s.tx.ChangeRequest(s.r, askedKind(who), s.askedData(step, who, people(who.Asked))); err != nil {
		return s.r, err
	}
	if _, err := s.tx.SetAsked(s.r.ID, who.Asked); err != nil {
		return s.r, err
	}
	if err := s.tx.AddEntry(console.RequestEntry{Request: s.r.ID, Kind: console.EntryStep, Round: s.r.Round, Step: step.ID, Text: step.Sentence(), To: people(who.Asked)}); err != nil {
		return s.r, err
	}
	return s.r, s.escalated(step, who)
}

// escalated records that nobody whom a step names may decide any more.
func (s *Situation) escalated(step console.PlanStep, who console.StepAsked) error {
	if !who.LastResort {
		return nil
	}
	text := "Nobody whom the policy names may decide any more."
	if len(who.Asked) == 0 {
		refusal := step.Nobody(who, s.r.Step+1)
		text = "It waits, because " + refusal.Error() + ". " + baton.FixOf(refusal)
	}
	return s.tx.AddEntry(console.RequestEntry{Request: s.r.ID, Kind: console.EntryEscalated, Round: s.r.Round, Step: step.ID, Text: text, To: people(who.Asked)})
}

// askedData returns the data of the event for an open step.
func (s *Situation) askedData(step console.PlanStep, who console.StepAsked, told []console.ID) map[string]any {
	data := map[string]any{"step": step.ID, "asked": told}
	if len(who.Asked) == 0 {
		refusal := step.Nobody(who, s.r.Step+1)
		data["why"], data["fix"] = refusal.Error(), baton.FixOf(refusal)
	}
	return data
}

// askedKind returns the kind of the event for a step that asks people.
func askedKind(who console.StepAsked) string {
	if len(who.Asked) == 0 {
		return "stuck"
	}
	return "asked"
}

func people(asked []console.Asked) []console.ID {
	ids := []console.ID{}
	for _, a := range asked {
		ids = append(ids, a.Person)
	}
	return ids
}
