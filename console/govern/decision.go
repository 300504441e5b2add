package govern

import (
	"context"
	"errors"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// Effect tells an approver the change and its context.
type Effect struct {
	RoleBefore, RoleAfter     console.EffectiveRole
	AdminsBefore, AdminsAfter int
	Minimum                   int
	CountsAdmins              bool // the change concerns an administrator role of the app
	Holds                     []Holding
	MoreHolds                 bool            // the account holds more than Holds lists
	Access                    *console.Access // to the requested entitlement; nil without an account
	AccessState               console.State
	AccessUntil               time.Time // when it expires
	AskedBefore, Approved     int       // earlier requests for the same entitlement
	Bar                       *console.Bar
	Warnings                  []string
	// Seat holds the effect on the purchased seats; nil if there is none, or nobody typed seats in.
	Seat *console.SeatChange
	// Requirement is whether the person meets the requirement of the entitlement.
	Requirement store.RequirementStatus
	// NewAccount is how an account is made first, for somebody who has none; nil where none is
	// made, or it is not known what the connector can do.
	NewAccount *rpcstore.AccountPlan
}

// maxConsequence limits the other entitlements and the earlier requests that an approver sees.
const maxConsequence = 20

// effect returns what a request would lead to.
func (c *Console) effect(tx *store.Tx, s *approve.Situation, r console.Request) (Effect, error) {
	m, err := tx.Moment(s.App.ID, time.Time{})
	if err != nil {
		return Effect{}, err
	}
	master, err := c.masterOf(tx, m, s.App.ID, s.Entitlement, s.On.Type)
	if err != nil {
		return Effect{}, err
	}
	e, err := consequence(tx, s, r, master, m, c.now())
	if err != nil {
		return e, err
	}
	if e.Seat, err = c.seatChange(tx, s, r); e.Seat != nil {
		e.Warnings = append(e.Warnings, e.Seat.Warnings()...)
	}
	return e, err
}

// consequence returns the effect of a request.
func consequence(tx *store.Tx, s *approve.Situation, r console.Request, master string, m store.Moment, now time.Time) (c Effect, err error) {
	c.Minimum, c.Requirement = s.App.MinimumAdmins, s.Requirement
	o := console.Operation{App: s.App.ID, Connector: s.Connector.ID, Person: s.Subject.ID, Entitlement: r.Entitlement, Verb: console.Grant,
		Cause: console.Cause{Kind: console.CauseApproval, Evidence: console.EvidenceDecision}}
	if r.Kind == console.RequestRevoke {
		o.Verb = console.Revoke
	}
	var held []console.EntitlementKey
	if s.Account == nil && s.MakesAccounts && o.Verb == console.Grant {
		plan, ok, err := rpcstore.PlanAccount(tx, s.Connector.ID, s.App, s.Subject, nil)
		if err != nil {
			return c, err
		}
		if ok {
			c.NewAccount = &plan
		}
	}
	if s.Account != nil {
		o.Account = s.Account.Key
		a, err := tx.Access(s.App.ID, s.Account.Key, r.Entitlement, now)
		if err != nil {
			return c, err
		}
		c.Access, c.AccessState, c.Bar = &a, a.State(now), a.Bar
		c.AccessUntil, _ = console.Expiry(a.Reasons, a.Bar, now)
		if held, err = heldOfRoles(tx, m, s.App.Roles, s.Account.Key); err != nil {
			return c, err
		}
		if err := c.holds(tx, s, m, now); err != nil {
			return c, err
		}
	}
	c.RoleBefore = s.App.Roles.Effective(held)
	after := slices.DeleteFunc(slices.Clone(held), func(e console.EntitlementKey) bool { return e == r.Entitlement })
	if o.Verb == console.Grant {
		after = append(after, r.Entitlement)
	}
	c.RoleAfter = s.App.Roles.Effective(after)
	if o.Verb == console.Revoke && o.Entitlement == console.AccountItself {
		c.RoleAfter = s.App.Roles.Effective(nil) // a disabled account has no role, whatever it is a member of
	}
	if err := c.admins(tx, s, o, after, master); err != nil {
		return c, err
	}
	earlier, err := tx.RequestsFor(s.App.ID, s.Subject.ID, r.Entitlement, maxConsequence)
	for _, e := range earlier {
		if e.ID == r.ID || e.Kind != r.Kind {
			continue
		}
		c.AskedBefore++
		if e.Outcome == console.OutcomeGranted || e.State == console.RequestCarrying || e.State == console.RequestScheduled {
			c.Approved++
		}
	}
	return c, err
}

// holds adds the other entitlements of the account.
func (c *Effect) holds(tx *store.Tx, s *approve.Situation, m store.Moment, now time.Time) error {
	facts, err := tx.HeldBy(m, s.Account.Key, 0, maxConsequence+1)
	if err != nil {
		return err
	}
	f := newFiller(tx, s.App, m, now)
	for i, fact := range facts {
		if i == maxConsequence {
			c.MoreHolds = true
			break
		}
		h := Holding{Account: *s.Account, Sources: fact.Sources}
		if h.Entitlement, err = tx.Entitlement(m, fact.Entitlement); err != nil {
			return err
		}
		if h.On, err = tx.Resource(m, h.Entitlement.Entitlement.Resource); err != nil && baton.KindOf(err) != baton.NotFound {
			return err
		}
		if err := f.fill(&h); err != nil {
			return err
		}
		c.Holds = append(c.Holds, h)
	}
	return nil
}

// admins counts the administrators before and after the change.
func (c *Effect) admins(tx *store.Tx, s *approve.Situation, o console.Operation, after []console.EntitlementKey, master string) error {
	p, err := tx.Foresee(o, store.Circumstances{MasteredBy: master})
	if err != nil {
		return err
	}
	c.Warnings = p.Warnings()
	if c.CountsAdmins = slices.Contains(s.App.Roles.Entitlements(), o.Entitlement) || o.Entitlement == console.AccountItself; !c.CountsAdmins {
		return nil
	}
	admins, err := tx.Admins(s.App.ID)
	if err != nil {
		return err
	}
	c.AdminsBefore, c.AdminsAfter = admins.Count(), adminsAfter(admins, o, s.Subject, s.Account, after)
	return nil
}

// adminsAfter returns how many administrators there are after a change, after which the subject's
// account holds the entitlements of the role map that are given. account is nil if it is made first.
func adminsAfter(admins console.Admins, o console.Operation, subject console.Person, account *store.Resource, after []console.EntitlementKey) int {
	change := o.Change()
	i := slices.IndexFunc(admins.Holders, func(h console.RoleHolder) bool { return h.Account == o.Account && o.Account != 0 })
	admins.Holders = slices.Clone(admins.Holders)
	if i < 0 && o.Verb == console.Grant {
		h := console.RoleHolder{Account: o.Account, Person: subject.ID, PersonActive: subject.Status == console.PersonActive, Enabled: true, Held: after}
		if account != nil {
			h.Kind = account.Account.Kind
		}
		admins.Holders = append(admins.Holders, h)
	} else if i >= 0 {
		h := admins.Holders[i]
		h.Held = after
		if o.Entitlement == console.AccountItself {
			h.Enabled = o.Verb == console.Grant
		}
		admins.Holders[i] = h
	}
	admins.InFlight = slices.DeleteFunc(slices.Clone(admins.InFlight), func(f console.Change) bool { return f == change })
	return admins.Count()
}

// StepView is a step of a request's plan.
type StepView struct {
	console.PlanStep
	Done, Open bool
	Who        console.StepAsked // only for the current step and later ones
	Since      map[console.ID]time.Time
}

// RequestView is a request with everything that its page displays.
type RequestView struct {
	RequestSummary
	App     console.App
	On      store.Resource
	Role    *console.AppRole
	Policy  console.Policy
	Steps   []StepView
	Entries []console.RequestEntry
	Reason  *console.Reason
	Gone    bool // no sync shows the requested entitlement any more
	Held    bool // the newest sync of the connector is held
	Data    time.Time
	Stuck   bool // it waits for a decision, and nobody may decide
	Effect
	// Mine is the caller's entry in the current step; nil if the caller is not asked.
	Mine         *console.Asked
	Why          string // why the caller may not decide, if that needs an explanation
	Reassignable []console.Person
	MayCancel    bool
	MayExtend    bool
	Holding      bool // the subject holds the access now
	MayGiveBack  bool
	MayReview    bool
	Settings     console.RequestSettings
	Changed      bool // the basis of earlier decisions has changed
}

// Request returns a request that the caller may see.
func (c *Console) Request(ctx context.Context, caller Caller, id console.ID) (v RequestView, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		r, err := seeRequest(tx, me, id)
		if err != nil {
			return err
		}
		v, err = c.requestView(tx, me, r)
		return err
	})
	return v, err
}

func (c *Console) requestView(tx *store.Tx, me console.Person, r console.Request) (v RequestView, err error) {
	if v.RequestSummary, err = summarizeRequest(tx, r); err != nil {
		return v, err
	}
	if v.Entries, err = tx.Entries(r.ID); err != nil {
		return v, err
	}
	for _, e := range v.Entries {
		if err := v.Names.add(tx, append(slices.Clone(e.To), e.Actor.Person(), e.OnBehalfOf)...); err != nil {
			return v, err
		}
	}
	if v.App, err = tx.App(r.App); err != nil {
		return v, err
	}
	if v.Policy, err = tx.PolicyVersion(r.Policy, r.PolicyVersion); err != nil && baton.KindOf(err) != baton.NotFound {
		return v, err
	}
	if r.Reason != "" {
		reason, err := tx.Reason(r.Reason)
		if err != nil {
			return v, err
		}
		v.Reason = &reason
	}
	mine := r.Subject == me.ID || r.Requester == me.ID
	v.MayCancel = r.State.Open() && (mine || console.CancelRequests.Of(me, console.Object{App: &v.App}))
	v.MayReview = r.Review == console.ReviewDue && console.ReviewEmergencies.Of(me, console.Object{}) && !mine
	s, err := approve.Look(tx, r, c.now())
	if baton.KindOf(err) == baton.NotFound || baton.KindOf(err) == baton.Refused {
		v.Gone = true
		return v, v.planned()
	}
	if err != nil {
		return v, err
	}
	v.On, v.Role, v.Settings, v.Held = s.On, s.Role, s.Settings, s.Held
	v.Changed = r.State.Deciding() && s.Material() != r.Material
	if s.Data != 0 {
		sync, err := tx.SyncByNumber(s.Data)
		if err != nil {
			return v, err
		}
		v.Data = sync.Began
	}
	if v.Effect, err = c.effect(tx, s, r); err != nil {
		return v, err
	}
	held := v.Access != nil && v.Access.Held
	v.MayGiveBack = console.GiveBack.Of(me, console.Object{Person: &v.RequestSummary.Subject}) && r.Kind == console.RequestGrant && (held || r.State == console.RequestCarrying)
	v.Holding = held
	v.MayExtend = mine && r.Kind == console.RequestGrant && (held || r.Outcome == console.OutcomeGranted)
	return v, c.steps(tx, me, s, &v)
}

// planned adds the steps of a request without the people who would be asked.
func (v *RequestView) planned() error {
	for i, s := range v.Plan.Steps {
		v.Steps = append(v.Steps, StepView{PlanStep: s, Done: i < v.Step, Open: i == v.Step && v.State.Open() && v.State.Deciding()})
	}
	return nil
}

// steps adds the steps of a request, and the caller's entry in the current one.
func (c *Console) steps(tx *store.Tx, me console.Person, s *approve.Situation, v *RequestView) error {
	decided := s.Decided(v.Entries)
	for i, step := range v.Plan.Steps {
		sv := StepView{PlanStep: step, Done: i < v.Step || !v.State.Deciding(), Open: i == v.Step && v.State.Deciding(), Since: map[console.ID]time.Time{}}
		if step.Wait == nil && !sv.Done {
			var err error
			if sv.Who, err = step.WhoDecides(s.Case(), decided); err != nil {
				return err
			}
			for _, a := range sv.Who.Asked {
				if err := v.Names.add(tx, a.Person, a.For); err != nil {
					return err
				}
			}
			for _, e := range sv.Who.Excluded {
				if err := v.Names.add(tx, e.Person); err != nil {
					return err
				}
			}
		}
		if sv.Open {
			for _, a := range v.Asked {
				sv.Since[a.Person] = a.Since
			}
			if v.State == console.RequestAsking {
				v.Stuck = len(sv.Who.Asked) == 0
				v.Mine = sv.Who.Has(me.ID)
				for _, e := range sv.Who.Excluded {
					if e.Person == me.ID {
						v.Why = e.Why
					}
				}
			}
			if v.Mine != nil {
				if err := c.reassignable(tx, me, s, step, v); err != nil {
					return err
				}
			}
		}
		v.Steps = append(v.Steps, sv)
	}
	return nil
}

func (c *Console) reassignable(tx *store.Tx, me console.Person, s *approve.Situation, step console.PlanStep, v *RequestView) error {
	cas := s.Case()
	for _, a := range step.Reassign {
		people, err := cas.People(a)
		if err != nil {
			return err
		}
		for _, id := range people {
			if id == me.ID || id == cas.Subject || id == cas.Requester || cas.Barred[id] != "" || slices.ContainsFunc(v.Reassignable, func(p console.Person) bool { return p.ID == id }) {
				continue
			}
			p, err := tx.Person(id)
			if err != nil {
				return err
			}
			v.Reassignable = append(v.Reassignable, p)
		}
	}
	return nil
}

// NewDecision is a decision of an approver.
type NewDecision struct {
	Request console.ID
	Step    console.ID
	Version int64 // of the request as displayed; 0: any
	Approve bool
	Term    console.Term // the shortened term; the zero value keeps it
	Comment string
}

// Decide records the caller's decision in the current step of a request.
func (c *Console) Decide(ctx context.Context, caller Caller, d NewDecision) (done approve.Decided, err error) {
	err = c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		if err := stays(tx, me); err != nil {
			return err
		}
		if _, err := seeRequest(tx, me, d.Request); err != nil {
			return err
		}
		done, err = approve.Decide(tx, approve.Decision{Request: d.Request, Step: d.Step, Version: d.Version, Approve: d.Approve, Term: d.Term, Comment: d.Comment,
			Recent: c.recent(caller) == nil})
		if errors.Is(err, approve.ErrRecent) {
			return c.recent(caller)
		}
		return err
	})
	return done, c.refused(ctx, caller, err)
}

// stays prevents the caller from leaving until the transaction ends, so that a decision counts only
// if it came before that.
func stays(tx *store.Tx, me console.Person) error {
	p, err := tx.HoldPerson(me.ID)
	if err == nil && (p.Status != console.PersonActive || p.MergedInto != "") {
		err = baton.Errorf(baton.Unauthenticated, "%s is not active", p.Name)
	}
	return err
}

// Reassign reassigns the current step of a request to somebody else.
func (c *Console) Reassign(ctx context.Context, caller Caller, request, step, to console.ID, why string) error {
	return c.refused(ctx, caller, c.change(ctx, caller, deciding, func(tx *store.Tx, me console.Person) error {
		if err := stays(tx, me); err != nil {
			return err
		}
		if _, err := seeRequest(tx, me, request); err != nil {
			return err
		}
		_, err := approve.Reassign(tx, request, step, to, why)
		return err
	}))
}

// Approval is a request that waits for the caller's decision.
type Approval struct {
	RequestView
	Since   time.Time
	Open    console.PlanStep
	Blocker string // why it cannot be part of a bulk decision; "" if it can
}

// Approvals returns up to n requests that wait for the caller's decision, the oldest first, and
// where the next page begins; 0 at the end.
func (c *Console) Approvals(ctx context.Context, caller Caller, after int64, n int) (rows []Approval, next int64, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		rows, next = nil, 0
		if n < 1 || n >= store.PageSize {
			return baton.Errorf(baton.Invalid, "a page has 1 to %d requests", store.PageSize-1)
		}
		asked, err := tx.AskedOf(me.ID, after, n+1)
		if err != nil {
			return err
		}
		for i, a := range asked {
			if i == n {
				next = asked[i-1].Request.Number
				break
			}
			v, err := c.requestView(tx, me, a.Request)
			if err != nil {
				return err
			}
			row := Approval{RequestView: v, Since: a.Since}
			if v.Step < len(v.Plan.Steps) {
				row.Open = v.Plan.Steps[v.Step]
			}
			row.Blocker = c.blocker(caller, v, row.Open)
			rows = append(rows, row)
		}
		return nil
	})
	return rows, next, err
}

// blocker returns why a request cannot be part of a bulk decision; "" if it can.
func (c *Console) blocker(caller Caller, v RequestView, step console.PlanStep) string {
	switch {
	case v.Gone:
		return "What it asks for is gone."
	case v.Mine == nil && v.Why != "":
		return "You may not decide: " + v.Why + "."
	case v.Mine == nil:
		return "You are not asked any more."
	case v.Changed:
		return "What is asked for has changed since."
	case step.Comment:
		return "It needs a comment of its own."
	case (step.StepUp || v.Role != nil && v.Role.Admin) && c.recent(caller) != nil:
		return "It needs a recent login."
	case v.Held:
		return "The newest sync is held: look at it by itself."
	case v.Bar != nil:
		return "Somebody removed this access before: look at it by itself."
	}
	return ""
}

// Bulk is the result for one request of a bulk decision.
type Bulk struct {
	Request console.ID
	Number  int64
	Err     error
}

// DecideMany makes the same decision for several requests, each in a transaction of its own. count
// is the number of requests that the caller confirmed.
func (c *Console) DecideMany(ctx context.Context, caller Caller, all []NewDecision, count int) ([]Bulk, error) {
	if err := c.read(ctx, caller, deciding, func(*store.Tx, console.Person) error { return nil }); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, baton.Errorf(baton.Invalid, "no request is selected")
	}
	if len(all) != count {
		return nil, baton.Errorf(baton.Invalid, "%d requests are selected, and %d were typed", len(all), count).WithFix("Type how many you decide about.")
	}
	var done []Bulk
	for _, d := range all {
		b := Bulk{Request: d.Request}
		b.Err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
			r, err := seeRequest(tx, me, d.Request)
			if err != nil {
				return err
			}
			b.Number = r.Number
			v, err := c.requestView(tx, me, r)
			if err != nil {
				return err
			}
			if v.Step >= len(v.Plan.Steps) || !r.State.Deciding() {
				return nil // Decide returns the exact error
			}
			if v.Mine != nil && v.Held {
				s, err := approve.Look(tx, r, c.now())
				if err != nil {
					return err
				}
				return s.CheckHeld()
			}
			if why := c.blocker(caller, v, v.Plan.Steps[v.Step]); why != "" && v.Mine != nil {
				return baton.Errorf(baton.Refused, "%s", why)
			}
			return nil
		})
		b.Err = c.refused(ctx, caller, b.Err)
		if b.Err == nil {
			decided, err := c.Decide(ctx, caller, d)
			if b.Err = err; err == nil && decided.Reset {
				b.Err = errReset
			}
		}
		done = append(done, b)
	}
	return done, nil
}

var errReset = baton.Errorf(baton.Refused, "what is asked for has changed since: whoever decides is asked again")

// CountApprovals returns the number of requests that wait for the caller's decision. It may count
// some that do not any more.
func (c *Console) CountApprovals(ctx context.Context, caller Caller) (n int, err error) {
	err = c.read(ctx, caller, own, func(tx *store.Tx, me console.Person) error {
		n, err = tx.CountAsked(me.ID)
		return err
	})
	return n, err
}
