package approve

import (
	"errors"
	"strings"
	"time"

	"baton/console"
	"baton/console/store"
)

// requirement finds out whether the subject meets the requirement of the entitlement.
func (s *Situation) requirement() error {
	s.Requirement.State = console.RequirementMet
	if s.r.Kind != console.RequestGrant {
		return nil
	}
	var err error
	s.Requirement, err = s.tx.RequirementStatus(s.Subject.ID, s.App.ID, s.r.Entitlement, s.now)
	return err
}

// plan evaluates the policy. Nobody is asked before the requirement is met.
func (s *Situation) plan(c console.Case, newID func() console.ID) (console.Plan, error) {
	plan, err := s.Policy.Plan(c, newID)
	if err != nil || plan.Outcome == console.OutcomeDeny || s.Requirement.State.Meets() {
		return plan, err
	}
	return plan.Await(0, newID()), nil
}

// awaitRequirement lets an approved request wait: its requirement is not met, or not any more.
func (s *Situation) awaitRequirement() error {
	s.r.Step = len(s.r.Plan.Steps)
	s.r.Plan = s.r.Plan.Await(s.r.Step, console.NewID(s.now))
	_, err := s.begin()
	return err
}

// keepEvidence stores what meets the requirement, with the reason of the request.
func (s *Situation) keepEvidence() error {
	if !s.Requirement.Requirement.Active() {
		return nil
	}
	e := s.Requirement.Evidence()
	e.Person, e.Request, e.Reason = s.Subject.ID, s.r.ID, s.r.Reason
	return s.tx.AddRequirementEvidence(e)
}

// metText returns by what a requirement is met, for the timeline.
func metText(s store.RequirementStatus) string {
	if s.State == console.RequirementExempt {
		return "Exempt until " + s.Exemption.Until.UTC().Format("2 Jan 2006") + ": " + s.Exemption.Why
	}
	var met []string
	for _, n := range s.Needs {
		if n.State != console.RequirementMet {
			continue
		}
		text := n.Course + ": first seen in the sync of " + n.Shown.First.UTC().Format("2 Jan 2006 15:04 UTC")
		if !n.Shown.Completed.IsZero() {
			text = n.Course + ": completed on " + n.Shown.Completed.UTC().Format("2 Jan 2006")
		}
		met = append(met, text)
	}
	return strings.Join(met, "; ")
}

// EndUnmet ends the access of a holder who does not meet an enforced requirement: it judges again,
// ends the reasons and creates the operation. A guard may refuse; then the refusal is stored with the
// holder. ended is false if the access stays.
func EndUnmet(t *store.Tx, l console.RequirementLack) (ended bool, err error) {
	if _, err := t.LockApp(l.App); err != nil {
		return false, err
	}
	now := t.By().At
	c, err := CheckHolder(t, t.RequirementReader(), l.App, l.Entitlement, l.Account, now)
	if err != nil {
		return false, err
	}
	if c.Lack == nil {
		return false, t.RemoveLack(l.App, l.Entitlement, l.Account)
	}
	if !c.Lack.Ready {
		return false, t.SetLack(*c.Lack)
	}
	why := "The requirement is not met: " + c.Lack.Why
	o := console.Operation{App: l.App, Connector: c.connector, Account: l.Account, Person: c.Lack.Person, Entitlement: l.Entitlement, Verb: console.Revoke,
		Cause: console.Cause{Kind: console.CauseUnmet, Ref: console.RequirementRef(l.App, l.Entitlement), By: t.By().Actor, Evidence: console.EvidenceShown}, Input: console.Input{Why: why}}
	_, err = t.CreateOperation(o, store.Circumstances{})
	if refusal := (*console.Refusal)(nil); errors.As(err, &refusal) {
		c.Lack.Refused = refusal.Error()
		if l.Refused != c.Lack.Refused {
			if err := t.DenyOperation(o, refusal); err != nil {
				return false, err
			}
		}
		return false, t.SetLack(*c.Lack)
	}
	if err != nil {
		return false, err
	}
	for _, r := range c.Access.Reasons {
		if r.Open(now) {
			if err := t.EndReason(r.ID, why); err != nil {
				return false, err
			}
		}
	}
	return true, t.SetLack(*c.Lack)
}

// CheckedHolder is the result of a check of a holder.
type CheckedHolder struct {
	Lack   *console.RequirementLack // nil if the requirement is met, or the account holds it no more
	Access console.Access
	// Next is when the result may change without a sync; zero: never.
	Next      time.Time
	connector console.ID
}

// CheckHolder judges one holder of an entitlement with a requirement.
func CheckHolder(t *store.Tx, q *store.RequirementReader, app console.ID, e console.EntitlementKey, account console.ResourceKey, now time.Time) (c CheckedHolder, err error) {
	versions, err := t.Requirements(app, e)
	if err != nil || len(versions) == 0 {
		return c, err
	}
	m, err := t.Moment(app, time.Time{})
	if err != nil {
		return c, err
	}
	if c.Access, err = t.AccessIn(m, app, account, e, 0, now); err != nil || !c.Access.Held {
		return c, err
	}
	if c.connector, err = t.LastConnector(account); err != nil {
		return c, err
	}
	person, _, err := t.AccountPerson(account, time.Time{})
	if err != nil {
		return c, err
	}
	s, err := q.Status(versions, person, now)
	if err != nil {
		return c, err
	}
	if c.Next = s.Until; s.State.Meets() {
		return c, nil
	}
	first, err := t.SyncByNumber(c.Access.From)
	if err != nil {
		return c, err
	}
	l := s.Lack(account, person, first.Began, now)
	if person == "" {
		l.Why = "the account belongs to nobody"
	}
	if o := c.Access.Operation; o != nil && o.Verb == console.Revoke {
		l.Ready = false // it is being removed
	}
	c.Lack = &l
	if l.Ends.After(now) {
		c.Next = l.Ends
	}
	return c, nil
}
