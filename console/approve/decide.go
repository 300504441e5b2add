package approve

import (
	"maps"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Decision is a decision about the current step of a request.
type Decision struct {
	Request console.ID
	Step    console.ID
	Version int64 // of the request as the approver saw it; 0: any
	Approve bool
	Term    console.Term // the shortened term; the zero value keeps it
	Comment string
	Recent  bool // the person signed in recently
}

// ErrRecent is the error of a decision that needs a recent login.
var ErrRecent = baton.Errorf(baton.PermissionDenied, "this decision needs a recent login")

// maxComment limits comments, in bytes.
const maxComment = 4000

// Decided is the result of a decision.
type Decided struct {
	Request console.Request
	// Reset means that the decision did not count: its basis had changed, and the approvers are
	// asked again.
	Reset bool
}

// Decide records a decision of the person who runs the command. The error is NotFound for a step of
// another request, Refused if the step is no longer current or the request has changed, and a
// [*console.Refusal] if the person may not decide.
func Decide(t *store.Tx, d Decision) (Decided, error) {
	s, r, err := open(t, d.Request)
	if err != nil {
		return Decided{}, err
	}
	step, err := openStep(t, r, d.Step)
	if err != nil {
		return Decided{}, err
	}
	if d.Version != 0 && d.Version != r.Version {
		return Decided{}, baton.Errorf(baton.Refused, "the request was changed meanwhile").WithFix("Look at it again, then decide.")
	}
	if len(d.Comment) > maxComment {
		return Decided{}, baton.Errorf(baton.Invalid, "the comment is longer than %d bytes", maxComment)
	}
	entries, err := t.Entries(r.ID)
	if err != nil {
		return Decided{}, err
	}
	who, err := step.WhoDecides(s.Case(), s.Decided(entries))
	if err != nil {
		return Decided{}, err
	}
	asked, err := s.mayDecide(t.By().Actor.Person(), who)
	if err != nil {
		return Decided{}, err
	}
	if (step.StepUp || s.Admin) && !d.Recent {
		return Decided{}, ErrRecent
	}
	if step.Comment && strings.TrimSpace(d.Comment) == "" {
		return Decided{}, baton.Errorf(baton.Invalid, "this step needs a comment")
	}
	if s.Material() != r.Material {
		r, err := s.reset("What is asked for has changed since.")
		return Decided{r, true}, err
	}
	entry := console.RequestEntry{Request: r.ID, Kind: console.EntryDenied, Round: r.Round, Step: step.ID, OnBehalfOf: asked.For, Text: d.Comment, Sync: s.Data}
	if !d.Approve {
		if err := t.AddEntry(entry); err != nil {
			return Decided{}, err
		}
		if err := t.CloseRequest(s.r, console.OutcomeDenied, d.Comment); err != nil {
			return Decided{}, err
		}
		r, err := t.Request(r.ID)
		return Decided{Request: r}, err
	}
	term, err := r.Term.ShortenTo(d.Term, later(r.Start, t.By().At))
	if err != nil {
		return Decided{}, err
	}
	if entry.Kind = console.EntryApproved; term != r.Term {
		entry.Term, s.r.Term = &term, term
	}
	if err := t.AddEntry(entry); err != nil {
		return Decided{}, err
	}
	s.r.Step++
	if s.r, err = t.ChangeRequest(s.r, "decided", map[string]any{"step": step.ID, "approved": true, "on_behalf_of": asked.For, "term": s.r.Term, "sync": s.Data}); err != nil {
		return Decided{}, err
	}
	r, err = s.begin()
	return Decided{Request: r}, err
}

// open locks the app and the request, and returns the request with current facts.
func open(t *store.Tx, id console.ID) (*Situation, console.Request, error) {
	r, err := t.Request(id)
	if err != nil {
		return nil, r, err
	}
	if _, err := t.LockApp(r.App); err != nil {
		return nil, r, err
	}
	if r, err = t.LockRequest(id); err != nil {
		return nil, r, err
	}
	s, err := Look(t, r, t.By().At)
	return s, r, err
}

// openStep returns the current step of a request if it is the named one.
func openStep(t *store.Tx, r console.Request, id console.ID) (console.PlanStep, error) {
	if r.State == console.RequestAsking && r.Plan.Steps[r.Step].ID == id {
		return r.Plan.Steps[r.Step], nil
	}
	mine := false
	for _, s := range r.Plan.Steps {
		mine = mine || s.ID == id
	}
	entries, err := t.Entries(r.ID)
	if err != nil {
		return console.PlanStep{}, err
	}
	var last *console.RequestEntry
	for i, e := range entries {
		mine = mine || e.Step != "" && e.Step == id
		if e.Kind == console.EntryApproved || e.Kind == console.EntryDenied {
			last = &entries[i]
		}
	}
	if !mine {
		return console.PlanStep{}, baton.Errorf(baton.NotFound, "no such step of this request")
	}
	if last != nil {
		p, err := t.Person(last.Actor.Person())
		if err != nil {
			return console.PlanStep{}, err
		}
		return console.PlanStep{}, baton.Errorf(baton.Refused, "%s %s it already, at %s", p.Name, last.Kind, last.At.UTC().Format("15:04 UTC"))
	}
	return console.PlanStep{}, baton.Errorf(baton.Refused, "this step is not open")
}

// mayDecide returns a person's entry in the step, or why the person may not decide.
func (s *Situation) mayDecide(me console.ID, who console.StepAsked) (console.Asked, error) {
	if asked := who.Has(me); asked != nil {
		d := console.Decision{Actor: me, OnBehalfOf: asked.For, Requester: s.Requester.ID, Subject: s.Subject.ID}
		return *asked, d.CheckSelf(s.canonical)
	}
	d := console.Decision{Actor: me, Requester: s.Requester.ID, Subject: s.Subject.ID}
	if err := d.CheckSelf(s.canonical); err != nil {
		return console.Asked{}, s.denied(err)
	}
	for _, e := range who.Excluded {
		if e.Person == me {
			return console.Asked{}, baton.Errorf(baton.PermissionDenied, "you may not decide this step: whoever does %s", e.Why).WithFix("Let another approver decide.")
		}
	}
	return console.Asked{}, baton.Errorf(baton.PermissionDenied, "you are not an approver of this step").WithFix("The page of the request names its approvers.")
}

func (s *Situation) canonical(id console.ID) console.ID {
	if c, err := s.tx.Canonical(id); err == nil {
		return c
	}
	return id
}

// reset restarts the decisions about a request because their basis has changed. It also selects the
// policy again.
func (s *Situation) reset(why string) (console.Request, error) {
	again, plan, err := s.again()
	if err != nil {
		return s.r, err
	}
	return s.restart(again, plan, why)
}

// again evaluates the request as if it were filed now.
func (s *Situation) again() (*Situation, console.Plan, error) {
	fresh := s.r
	fresh.Policy, fresh.PolicyVersion, fresh.Material = "", 0, ""
	if fresh.Removal == "" { // about one account
		fresh.Account = 0
	}
	again, err := Look(s.tx, fresh, s.now)
	if err != nil {
		return nil, console.Plan{}, err
	}
	plan, err := again.plan(again.Case(), func() console.ID { return console.NewID(s.now) })
	return again, plan, err
}

// restart begins a new round of decisions with a new plan.
func (s *Situation) restart(again *Situation, plan console.Plan, why string) (console.Request, error) {
	before := s.r.Material
	var err error
	if s.r.Subject == "" && again.Subject.ID != "" { // the account has an owner by now
		open, err := s.tx.OpenRequests(s.App.ID, again.Subject.ID, s.r.Entitlement)
		if err != nil {
			return s.r, err
		}
		for _, o := range open {
			if o.Kind == s.r.Kind && o.State.Deciding() {
				return s.r, endRequest(s.tx, s.r, duplicate(o).Error())
			}
		}
		again.r.Subject, again.r.Whose = again.Subject.ID, ""
	}
	again.r.Policy, again.r.PolicyVersion, again.r.Plan = again.Policy.ID, again.Policy.Version, plan
	again.r.Round, again.r.Step, again.r.Material, again.r.State = s.r.Round+1, 0, again.Material(), console.RequestWaiting
	if again.Account != nil {
		again.r.Account = again.Account.Key
	}
	if again.r, err = s.tx.ChangeRequest(again.r, "reset", map[string]any{"before": before, "now": again.r.Material}); err != nil {
		return s.r, err
	}
	if err := s.tx.AddEntry(console.RequestEntry{Request: s.r.ID, Kind: console.EntryReset, Round: again.r.Round, Text: why}); err != nil {
		return s.r, err
	}
	if plan.Outcome == console.OutcomeDeny {
		return again.r, s.tx.CloseRequest(again.r, console.OutcomeDenied, denialText(plan))
	}
	return again.begin()
}

// Escalate makes an undecided request an emergency request: its decisions start again under the
// emergency policy. It fails without a change if nobody could decide then.
func Escalate(t *store.Tx, request console.ID, why string) (console.Request, error) {
	s, r, err := open(t, request)
	if err != nil {
		return r, err
	}
	switch {
	case len(why) > maxComment:
		return r, baton.Errorf(baton.Invalid, "the comment is longer than %d bytes", maxComment)
	case r.Kind != console.RequestGrant:
		return r, baton.Errorf(baton.Refused, "only a request for access can become an emergency")
	case !r.State.Deciding():
		return r, baton.Errorf(baton.Refused, "the request is decided already")
	case r.Emergency:
		return r, baton.Errorf(baton.Refused, "it is an emergency request already")
	case s.Settings.Emergency == "":
		return r, baton.Errorf(baton.Refused, "there are no emergency requests for this")
	}
	s.r.Emergency = true
	again, plan, err := s.again()
	if err != nil {
		return r, err
	}
	now := again.Case()
	now.LastResort = nil // would be refused if it were filed now
	if _, err := plan.Preview(now); err != nil {
		return r, again.denied(err)
	}
	text := "It became an emergency request."
	if why = strings.TrimSpace(why); why != "" {
		text += " " + why
	}
	return s.restart(again, plan, text)
}

// Answer adds answers to the form of an undecided request. The policy is evaluated again, because it
// may depend on them, and earlier decisions no longer count.
func Answer(t *store.Tx, request console.ID, answers map[string]string) (console.Request, error) {
	s, r, err := open(t, request)
	if err != nil {
		return r, err
	}
	switch {
	case !r.State.Deciding():
		return r, baton.Errorf(baton.Refused, "the request is decided already")
	case r.Kind != console.RequestGrant || len(s.Settings.Form) == 0:
		return r, baton.Errorf(baton.Refused, "the request has no questions")
	}
	next, err := r.Answer(s.Settings.Form, answers)
	if err != nil {
		return r, err
	}
	if maps.Equal(next.Form, r.Form) {
		return r, nil
	}
	s.r.Form = next.Form
	again, plan, err := s.again()
	if err != nil {
		return r, err
	}
	if _, err := plan.Preview(again.Case()); err != nil {
		return r, again.denied(err)
	}
	return s.restart(again, plan, "The questions were answered.")
}

// Reassign reassigns the current step of a request to a person whom the policy allows.
func Reassign(t *store.Tx, request, step, to console.ID, why string) (console.Request, error) {
	s, r, err := open(t, request)
	if err != nil {
		return r, err
	}
	current, err := openStep(t, r, step)
	if err != nil {
		return r, err
	}
	if strings.TrimSpace(why) == "" || len(why) > maxComment {
		return r, baton.Errorf(baton.Invalid, "say why it is passed on, in at most %d bytes", maxComment)
	}
	entries, err := t.Entries(r.ID)
	if err != nil {
		return r, err
	}
	decided := s.Decided(entries)
	who, err := current.WhoDecides(s.Case(), decided)
	if err != nil {
		return r, err
	}
	if _, err := s.mayDecide(t.By().Actor.Person(), who); err != nil {
		return r, err
	}
	allowed := false
	for _, a := range current.Reassign {
		people, err := s.approvers(a)
		if err != nil {
			return r, err
		}
		for _, p := range people {
			allowed = allowed || p == s.canonical(to)
		}
	}
	if !allowed {
		return r, baton.Errorf(baton.Refused, "the policy does not allow to pass it on to this person")
	}
	next := current
	next.Passed, next.Fallback = []console.Approver{{Kind: console.ApproverPerson, Person: s.canonical(to)}}, nil
	only := s.Case()
	only.LastResort = nil // the person, or nobody
	after, err := next.WhoDecides(only, decided)
	if err != nil {
		return r, err
	}
	if len(after.Asked) == 0 {
		reason := "is not active"
		if len(after.Excluded) > 0 {
			reason = "may not decide: " + after.Excluded[0].Why
		}
		d := console.Decision{Actor: s.canonical(to), Requester: s.Requester.ID, Subject: s.Subject.ID}
		if err := d.CheckSelf(s.canonical); err != nil {
			return r, s.denied(err)
		}
		return r, baton.Errorf(baton.Refused, "the person %s", reason)
	}
	if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryReassigned, Round: r.Round, Step: step, Text: why, To: []console.ID{s.canonical(to)}}); err != nil {
		return r, err
	}
	s.r.Plan.Steps[r.Step].Passed, s.r.Plan.Steps[r.Step].Fallback = next.Passed, current.Fallback
	return s.ask()
}

// Comment adds a comment to a request.
func Comment(t *store.Tx, request console.ID, text string) error {
	if strings.TrimSpace(text) == "" || len(text) > maxComment {
		return baton.Errorf(baton.Invalid, "a comment has 1 to %d bytes", maxComment)
	}
	r, err := t.LockRequest(request)
	if err != nil {
		return err
	}
	if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryComment, Round: r.Round, Text: text}); err != nil {
		return err
	}
	return t.NoteRequest(r, "commented", nil)
}

// Reviewed records the review of an emergency request. The requester, the subject and the approvers
// may not review it.
func Reviewed(t *store.Tx, request console.ID, text string) error {
	s, r, err := open(t, request)
	if err != nil {
		return err
	}
	if r.Review != console.ReviewDue {
		return baton.Errorf(baton.Refused, "nobody has to look at this request afterwards")
	}
	me := t.By().Actor.Person()
	d := console.Decision{Actor: me, Requester: s.Requester.ID, Subject: s.Subject.ID}
	if err := d.CheckSelf(s.canonical); err != nil {
		return s.denied(err)
	}
	entries, err := t.Entries(r.ID)
	if err != nil {
		return err
	}
	for _, p := range s.Decided(entries) {
		if p == me {
			return baton.Errorf(baton.PermissionDenied, "you approved it: somebody else looks at it afterwards")
		}
	}
	if strings.TrimSpace(text) == "" || len(text) > maxComment {
		return baton.Errorf(baton.Invalid, "say what you found, in at most %d bytes", maxComment)
	}
	if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryReviewed, Round: r.Round, Text: text}); err != nil {
		return err
	}
	r.Review = console.ReviewDone
	_, err = t.ChangeRequest(r, "reviewed", nil)
	return err
}

// Cancel ends a request before it takes effect.
func Cancel(t *store.Tx, request console.ID, why string) error {
	r, err := t.Request(request)
	if err != nil {
		return err
	}
	if _, err := t.LockApp(r.App); err != nil {
		return err
	}
	if r, err = t.LockRequest(request); err != nil {
		return err
	}
	if !r.State.Open() {
		return baton.Errorf(baton.Refused, "the request is closed")
	}
	if r.State == console.RequestCarrying {
		o, err := t.Operation(r.Operation)
		if err != nil {
			return err
		}
		switch o.State {
		case console.Dispatched, console.Applied, console.Unknown:
			return baton.Errorf(baton.Refused, "the connector has the change already").WithFix("Give the access back instead.")
		}
		shared, err := t.RequestsOfOperation(o.ID)
		if err != nil {
			return err
		}
		if err := endRequest(t, r, why); err != nil {
			return err
		}
		if len(shared) > 1 || !o.State.CanBecome(console.Cancelled) {
			return nil
		}
		return t.CancelOperation(o.ID, why)
	}
	return endRequest(t, r, why)
}

func endRequest(t *store.Tx, r console.Request, why string) error {
	if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryCancelled, Round: r.Round, Text: why}); err != nil {
		return err
	}
	return t.CloseRequest(r, console.OutcomeCancelled, why)
}

// Advance does the due work of a request: its time limit or its wait is over, or it begins.
func Advance(t *store.Tx, request console.ID) error {
	s, r, err := open(t, request)
	if baton.KindOf(err) == baton.NotFound && r.ID != "" && r.State.Open() {
		return t.CloseRequest(r, console.OutcomeError, "What it asked for is gone from the application.")
	}
	if err != nil {
		return err
	}
	now := t.By().At
	if r.State.Deciding() || r.State == console.RequestScheduled {
		if changed, err := s.resetIfChanged(); changed || err != nil {
			return err
		}
	}
	switch r.State {
	case console.RequestScheduled:
		if r.Start.After(now) {
			return nil
		}
		return s.carryOrClose()
	case console.RequestAsking, console.RequestWaiting:
	default:
		return nil
	}
	step := r.Plan.Steps[r.Step]
	if w := step.Wait; w != nil {
		over, text := !w.Ends(r.StepBegan).IsZero() && !w.Ends(r.StepBegan).After(now), ""
		if w.Requirement {
			over, text = s.Requirement.State.Meets(), metText(s.Requirement)
		}
		if w.Until != "" {
			if over, err = s.match(w.Until); err != nil {
				over = false // unknown counts as not met; the time limit ends it
			}
		}
		if over {
			if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryWaited, Round: r.Round, Step: step.ID, Text: text}); err != nil {
				return err
			}
			s.r.Step++
			_, err := s.begin()
			return s.closeRefused(err)
		}
	}
	if step.Limit == 0 || r.StepBegan.Add(time.Duration(step.Limit)).After(now) {
		return t.SkipRequest(r.ID)
	}
	if len(step.Escalate) > 0 {
		if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryEscalated, Round: r.Round, Step: step.ID, Text: "Nobody decided within " + step.Limit.Words() + "."}); err != nil {
			return err
		}
		s.r.Plan.Steps[r.Step].Passed, s.r.Plan.Steps[r.Step].Escalate = step.Escalate, nil
		s.r.StepBegan = now
		_, err := s.ask()
		return err
	}
	if err := t.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryTimedOut, Round: r.Round, Step: step.ID}); err != nil {
		return err
	}
	return t.CloseRequest(s.r, console.OutcomeTimedOut, timedOut(step))
}

// timedOut returns why a request ended when the time limit of a step passed.
func timedOut(step console.PlanStep) string {
	if step.Wait != nil && step.Wait.Answers {
		return "Nobody answered the questions within " + step.Limit.Words() + "."
	}
	if step.Wait != nil && step.Wait.Requirement {
		return "The requirement was not met within " + step.Limit.Words() + "."
	}
	return "Nobody decided within " + step.Limit.Words() + "."
}

// resetIfChanged restarts the decisions about a request if their basis has changed.
func (s *Situation) resetIfChanged() (changed bool, err error) {
	if s.Material() == s.r.Material {
		return false, nil
	}
	_, err = s.reset("What is asked for has changed since.")
	return true, s.closeRefused(err)
}

// Recheck determines the approvers of a request again.
func Recheck(t *store.Tx, request console.ID) error {
	s, r, err := open(t, request)
	if baton.KindOf(err) == baton.NotFound {
		return nil // its object is gone, or not shown at the moment
	}
	if err != nil || r.State != console.RequestAsking {
		return err
	}
	if changed, err := s.resetIfChanged(); changed || err != nil {
		return err
	}
	entries, err := t.Entries(r.ID)
	if err != nil {
		return err
	}
	step := r.Plan.Steps[r.Step]
	who, err := step.WhoDecides(s.Case(), s.Decided(entries))
	if err != nil {
		return err
	}
	before, err := t.AskedAbout(r.ID)
	if err != nil {
		return err
	}
	more, err := t.SetAsked(r.ID, who.Asked)
	if err != nil || !more && (len(who.Asked) > 0 || len(before) == 0) {
		return err
	}
	// People who were asked before are not notified again.
	fresh := slices.DeleteFunc(people(who.Asked), func(id console.ID) bool {
		return slices.ContainsFunc(before, func(a store.AskedRequest) bool { return a.Person == id })
	})
	if err := s.escalated(step, who); err != nil {
		return err
	}
	return t.NoteRequest(r, askedKind(who), s.askedData(step, who, fresh))
}
