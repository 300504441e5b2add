package api

import (
	"strconv"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// planMessage is a plan to remove access.
type planMessage struct {
	ID          string        `json:"id"`
	Number      int64         `json:"number,string"`
	Cause       string        `json:"cause"` // "campaign", "unexplained", "both-roles", "leaving", "selection"
	CauseID     string        `json:"causeId"`
	DisplayName text          `json:"displayName"`
	Reason      text          `json:"reason"`
	State       string        `json:"state"` // "draft", "ready", "stale", "applying", "verifying", "complete", "discarded"
	Cap         int           `json:"cap"`   // 0: none
	Rows        int           `json:"rows"`
	Hash        string        `json:"hash"` // SHA-256 of its lines, which applying it names; "" for a draft
	CreatedAt   stamp         `json:"createdAt"`
	CreatedBy   string        `json:"createdBy"` // id of the person
	ComputedAt  stamp         `json:"computedAt"`
	AppliedAt   stamp         `json:"appliedAt"`
	AppliedBy   string        `json:"appliedBy"`
	EndedAt     stamp         `json:"endedAt"`
	Planned     int           `json:"planned"` // rows that applying it carries out
	Blocked     int           `json:"blocked"`
	People      int           `json:"people"` // who lose something
	Asks        int           `json:"asks"`   // planned rows about which people decide first
	Manual      int           `json:"manual"` // planned rows that a person carries out
	Apps        list[planApp] `json:"apps"`
}

// planApp is the consequence of a plan for an application.
type planApp struct {
	AppID        string `json:"appId"`
	Planned      int    `json:"planned"`
	Blocked      int    `json:"blocked"`
	AdminsBefore int    `json:"adminsBefore"`
	AdminsAfter  int    `json:"adminsAfter"`
	Minimum      int    `json:"minimumAdmins"`
	SeatsBefore  int    `json:"seatsBefore"` // enabled accounts
	SeatsAfter   int    `json:"seatsAfter"`
	Held         bool   `json:"held"` // a sync is held, so that the operations wait
}

func planOf(p console.RemovalPlan) planMessage {
	s := p.Summary
	m := planMessage{ID: string(p.ID), Number: p.Number, Cause: string(p.Cause.Kind), CauseID: p.Cause.Ref, DisplayName: text(p.Title), Reason: text(p.Why), State: string(p.State), Cap: p.Cap, Rows: p.Rows,
		CreatedAt: stamp(p.Created), CreatedBy: string(p.By.Person()), ComputedAt: stamp(p.Computed), AppliedAt: stamp(p.Applied), AppliedBy: string(p.AppliedBy), EndedAt: stamp(p.Ended),
		Planned: s.Planned, Blocked: s.Blocked, People: s.People, Asks: s.Asks, Manual: s.Manual}
	if p.Hash != (console.Hash{}) {
		m.Hash = p.Hash.String()
	}
	for _, a := range s.Apps {
		m.Apps = append(m.Apps, planApp{string(a.App), a.Planned, a.Blocked, a.AdminsBefore, a.AdminsAfter, a.Minimum, a.SeatsBefore, a.SeatsAfter, a.Held})
	}
	return m
}

// planRow is one access of a plan.
type planRow struct {
	AppID            string `json:"appId"`
	AccountID        string `json:"accountId"`
	AppEntitlementID string `json:"appEntitlementId"` // "0": the account itself
	Do               string `json:"do"`               // "remove" or "lower"
	DisplayName      text   `json:"displayName"`
	AccountName      text   `json:"accountName"`
	UserID           string `json:"userId"` // the owner of the account
	GrantedID        string `json:"grantedAppEntitlementId"`
	Result           string `json:"result"`
	Said             text   `json:"said"` // why nothing is, or was, done
	Guard            string `json:"guard"`
	MasteredIn       text   `json:"masteredIn"`
	Administrator    string `json:"administrator"` // "yes", "perhaps" or ""
	OperationID      string `json:"operationId"`
	RequestID        string `json:"requestId"`
}

func planRowOf(r govern.PlanRowView) planRow {
	m := planRow{AppID: string(r.App), AccountID: key(r.Account), AppEntitlementID: strconv.FormatInt(int64(r.Entitlement), 10), Do: string(r.Do), DisplayName: text(r.Names.Entitlement), AccountName: text(r.Names.Account),
		UserID: string(r.Owner.ID), Result: string(r.Result), Said: text(r.Said), Guard: string(r.Facts.Guard), MasteredIn: text(r.Mastered), Administrator: r.Facts.Admin, OperationID: string(r.Operation), RequestID: string(r.Request)}
	if r.Facts.To != 0 {
		m.GrantedID = key(r.Facts.To)
	}
	return m
}

type plansResponse struct {
	List          list[planMessage] `json:"list"`
	NextPageToken string            `json:"nextPageToken"`
}

func listPlans(c *call) (*plansResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	before := int64(0)
	if err := p.place("plans", &before); err != nil {
		return nil, err
	}
	page, err := c.Console.Plans(c.ctx(), c.caller, c.r.URL.Query().Get("open") == "true", before, p.size())
	out := &plansResponse{}
	for _, p := range page.Plans {
		out.List = append(out.List, planOf(p))
	}
	if page.Next != 0 {
		out.NextPageToken = token("plans", page.Next)
	}
	return out, err
}

type planResponse struct {
	Plan    planMessage    `json:"plan"`
	Results map[string]int `json:"results"` // number of rows by result
}

func getPlan(c *call) (*planResponse, error) { return c.plan(c.path("plan")) }

func (c *call) plan(id console.ID) (*planResponse, error) {
	v, err := c.Console.Plan(c.ctx(), c.caller, id, store.PlanRowFilter{}, 0, 1)
	if err != nil {
		return nil, err
	}
	out := &planResponse{planOf(v.RemovalPlan), map[string]int{}}
	for r, n := range v.Results {
		out.Results[string(r)] = n
	}
	return out, nil
}

type planRowsResponse struct {
	List          list[planRow] `json:"list"`
	NextPageToken string        `json:"nextPageToken"`
}

func listPlanRows(c *call) (*planRowsResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	after, q := 0, c.r.URL.Query()
	if err := p.place("plan rows", &after); err != nil {
		return nil, err
	}
	f := store.PlanRowFilter{Result: console.PlanResult(q.Get("result")), App: console.ID(q.Get("app_id") + q.Get("appId")), Person: console.ID(q.Get("user_id") + q.Get("userId"))}
	v, err := c.Console.Plan(c.ctx(), c.caller, c.path("plan"), f, after, p.size())
	if err != nil {
		return nil, err
	}
	out := &planRowsResponse{}
	for _, r := range v.Rows {
		out.List = append(out.List, planRowOf(r))
	}
	if v.Next != 0 {
		out.NextPageToken = token("plan rows", v.Next)
	}
	return out, nil
}

// planLines writes the lines of a plan, whose hash is that of the plan.
func planLines(c *call) error {
	begun := false
	return c.Console.PlanLines(c.ctx(), c.caller, c.path("plan"), func(lines []byte) error {
		if !begun {
			c.w.Header().Set("Content-Type", "application/jsonl")
			c.w.Header().Set("Content-Disposition", `attachment; filename="plan-`+string(c.path("plan"))+`.jsonl"`)
		}
		begun = true
		_, err := c.w.Write(lines)
		return err
	})
}

// createPlanRequest is the body of a call that makes a plan: of rows, or of what its cause says.
type createPlanRequest struct {
	Cause       string       `json:"cause"`   // default "selection"
	CauseID     string       `json:"causeId"` // an application for "unexplained" and "both-roles", a user for "leaving"
	DisplayName string       `json:"displayName"`
	Reason      string       `json:"reason"`
	Cap         int          `json:"cap"`
	Rows        []newPlanRow `json:"rows"`
	From        string       `json:"from"` // for "unexplained": RFC 3339
	To          string       `json:"to"`   // default now
	Keep        string       `json:"keep"` // for "both-roles": the role that stays
}

type newPlanRow struct {
	AppID            string `json:"appId"`
	AccountID        string `json:"accountId"`
	AppEntitlementID string `json:"appEntitlementId"` // "0": disable the account
	Do               string `json:"do"`               // default "remove"
}

func createPlan(c *call, r createPlanRequest) (*planResponse, error) {
	n := govern.NewPlan{Cause: console.PlanCause{Kind: console.PlanCauseKind(r.Cause), Ref: r.CauseID}, Title: r.DisplayName, Why: r.Reason, Cap: r.Cap, Keep: r.Keep}
	if r.Cause == "" {
		n.Cause.Kind = console.PlanSelection
	}
	for _, row := range r.Rows {
		made, err := govern.ParsePlanRow(row.AppID + "/" + row.AccountID + "/" + row.AppEntitlementID)
		if err != nil {
			return nil, err
		}
		if row.Do != "" {
			made.Do = console.PlanDo(row.Do)
		}
		n.Rows = append(n.Rows, made)
	}
	if n.Cause.Kind == console.PlanUnexplained && len(n.Rows) == 0 {
		var err error
		if n.Changes.From.At, err = console.ParseMoment(r.From, c.Console.Now()); err == nil && r.To != "" {
			n.Changes.To.At, err = console.ParseMoment(r.To, c.Console.Now())
		}
		if err != nil {
			return nil, err
		}
	}
	id, err := c.Console.CreatePlan(c.ctx(), c.caller, n)
	if err != nil {
		return nil, err
	}
	return c.plan(id)
}

// applyPlanRequest is the body of a call that applies a plan.
type applyPlanRequest struct {
	Hash string `json:"hash"` // of the plan that was looked at
	// Planned is the number of rows that are carried out; it is needed for more than 25.
	Planned int `json:"planned"`
}

func applyPlan(c *call, r applyPlanRequest) (*planResponse, error) {
	var hash console.Hash
	if err := hash.UnmarshalText([]byte(r.Hash)); err != nil {
		return nil, baton.Errorf(baton.Invalid, "the hash of the plan is missing").WithFix("Read the plan, and send its hash.")
	}
	if err := c.Console.ApplyPlan(c.ctx(), c.caller, c.path("plan"), hash, strconv.Itoa(r.Planned)); err != nil {
		return nil, err
	}
	return getPlan(c)
}

func recomputePlan(c *call) (*planResponse, error) {
	if err := c.Console.RecomputePlan(c.ctx(), c.caller, c.path("plan")); err != nil {
		return nil, err
	}
	return getPlan(c)
}

func discardPlan(c *call) (*planResponse, error) {
	if err := c.Console.DiscardPlan(c.ctx(), c.caller, c.path("plan")); err != nil {
		return nil, err
	}
	return getPlan(c)
}

type stopPlanRequest struct {
	Reason string `json:"reason"`
}

func stopPlan(c *call, r stopPlanRequest) (*planResponse, error) {
	if err := c.Console.StopPlan(c.ctx(), c.caller, c.path("plan"), r.Reason); err != nil {
		return nil, err
	}
	return getPlan(c)
}
