package approve

import (
	"errors"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// approved carries the request out after its last approval, now or when it begins.
func (s *Situation) approved() (console.Request, error) {
	if s.r.Start.After(s.tx.By().At) {
		s.r.State = console.RequestScheduled
		var err error
		s.r, err = s.tx.ChangeRequest(s.r, "approved", map[string]any{"start": s.r.Start.UTC()})
		return s.r, err
	}
	err := s.carry()
	return s.r, s.denied(err)
}

// carryOrClose carries a request out, or closes it if a guard refuses.
func (s *Situation) carryOrClose() error { return s.closeRefused(s.carry()) }

// closeRefused closes the request if a guard refused to carry it out.
func (s *Situation) closeRefused(err error) error {
	refusal := (*console.Refusal)(nil)
	if !errors.As(err, &refusal) {
		return err
	}
	// The failed attempt wrote nothing: guards run before the first change.
	r, err := s.tx.Request(s.r.ID)
	if err != nil {
		return err
	}
	if err := s.tx.DenyOperation(s.operation(), refusal); err != nil {
		return err
	}
	if err := s.tx.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryRefused, Round: r.Round, Text: refusal.Error()}); err != nil {
		return err
	}
	return s.tx.CloseRequest(r, console.OutcomeError, refusal.Error())
}

// carry carries out an approved request: it writes the reason and the operation in the transaction
// of the decision.
func (s *Situation) carry() error {
	if s.Material() != s.r.Material {
		return s.tx.CloseRequest(s.r, console.OutcomeError, "What was approved has changed since. Ask for it again.")
	}
	if s.r.Kind == console.RequestGrant && !s.Requirement.State.Meets() {
		return s.awaitRequirement()
	}
	if err := s.guards(s.tx.Proposal); err != nil {
		return err
	}
	if s.r.Removal != "" {
		return s.remove()
	}
	if s.r.Kind == console.RequestRevoke {
		return s.giveBack()
	}
	now := s.tx.By().At
	if !s.r.Term.Until.IsZero() && !s.r.Term.Until.After(now) {
		return s.tx.CloseRequest(s.r, console.OutcomeTimedOut, "The time until which it was asked for has passed.")
	}
	reason := console.Reason{App: s.App.ID, Person: s.Subject.ID, Entitlement: s.r.Entitlement, Kind: console.ReasonRequest, Ref: string(s.r.ID),
		Until: s.r.Term.Until, Lasts: time.Duration(s.r.Term.For)}
	done := false // no change in the application is needed
	if s.Account != nil {
		reason.Account, s.r.Account = s.Account.Key, s.Account.Key
		a, err := s.tx.Access(s.App.ID, s.Account.Key, s.r.Entitlement, now)
		if err != nil {
			return err
		}
		done = a.Held && (a.Operation == nil || a.Operation.Verb == console.Grant)
		if done || a.Operation != nil && a.Operation.Verb == console.Grant && a.Operation.State == console.Applied {
			reason.Until, reason.Lasts = s.r.Term.End(now), 0 // it is in effect now
		}
		if a.Held && len(console.OpenReasons(a.Reasons, nil, now)) == 0 && console.ExpiredAt(a.Reasons, nil, now).IsZero() {
			// The access existed before and must not end with the new reason.
			if _, err := s.tx.AddReason(console.Reason{App: s.App.ID, Account: s.Account.Key, Entitlement: s.r.Entitlement, Kind: console.ReasonBefore, Ref: string(s.r.ID)}); err != nil {
				return err
			}
		}
	}
	var err error
	if s.r.Reason, err = s.tx.AddReason(reason); err != nil {
		return err
	}
	if err := s.keepEvidence(); err != nil {
		return err
	}
	if s.r.Emergency {
		if err := s.reviewDue(); err != nil {
			return err
		}
	}
	if done {
		return s.tx.CloseRequest(s.r, console.OutcomeGranted, "")
	}
	return s.operate()
}

// reviewDue lets somebody look at an emergency afterwards who had no part in it.
func (s *Situation) reviewDue() error {
	entries, err := s.tx.Entries(s.r.ID)
	if err != nil {
		return err
	}
	s.r.Review = console.ReviewDue
	part := append([]console.ID{s.Subject.ID, s.Requester.ID}, console.Decided(entries, s.r.Round)...)
	return s.tx.NoteRequest(s.r, "review-due", map[string]any{"part": part})
}

// operate creates the operation, or uses a live one that does the same.
func (s *Situation) operate() error {
	o, err := s.tx.CreateOperation(s.operation(), store.Circumstances{ByHand: s.r.Removal != ""})
	if err != nil {
		return err
	}
	s.r.Operation, s.r.State = o.ID, console.RequestCarrying
	if s.r, err = s.tx.ChangeRequest(s.r, "carried", map[string]any{"operation": o.ID, "reason": s.r.Reason}); err != nil {
		return err
	}
	if err := s.tx.AddEntry(console.RequestEntry{Request: s.r.ID, Kind: console.EntryCarried, Round: s.r.Round}); err != nil {
		return err
	}
	disables := s.r.Kind == console.RequestRevoke && s.r.Entitlement == console.AccountItself // by an action that the connector may have
	switch {
	case o.State == console.Manual:
		return s.tx.TellByHand(s.r, o)
	case !s.Able && !disables && o.State == console.Queued:
		return s.tx.DoByHand(o.ID, "The connector cannot make this change.")
	}
	return nil
}

// giveBack ends the manual reasons of an access, and the access too unless a rule also gives it.
func (s *Situation) giveBack() error {
	if s.Account == nil {
		return s.giveBackWaiting()
	}
	now := s.tx.By().At
	a, err := s.tx.Access(s.App.ID, s.Account.Key, s.r.Entitlement, now)
	if err != nil {
		return err
	}
	for _, r := range console.OpenReasons(a.Reasons, a.Bar, now) {
		if r.Kind.ByRule() {
			return baton.Errorf(baton.Refused, "a rule gives this access, too").WithFix("Ask an owner of the application to end the rule.")
		}
		if err := s.tx.EndReason(r.ID, "given back"); err != nil {
			return err
		}
	}
	// A reason whose duration has not started has no end yet; it waits for its operation.
	if !a.Held && (a.Operation == nil || a.Operation.Verb != console.Grant) {
		return s.tx.CloseRequest(s.r, console.OutcomeRevoked, "")
	}
	return s.operate()
}

// giveBackWaiting stops an approved request that waits for an account.
func (s *Situation) giveBackWaiting() error {
	waiting, err := s.tx.OpenRequests(s.App.ID, s.Subject.ID, s.r.Entitlement)
	if err != nil {
		return err
	}
	for _, r := range waiting {
		if r.Kind == console.RequestGrant && r.ID != s.r.ID {
			if err := Cancel(s.tx, r.ID, "given back"); err != nil {
				return err
			}
		}
	}
	return s.tx.CloseRequest(s.r, console.OutcomeRevoked, "")
}
