package api

import (
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/review"
	"baton/console/store"
)

type campaignReasonRequest struct {
	Reason string `json:"reason"`
}

// prepareCampaign freezes what a review is about. A reason overrides the accuracy gate.
func prepareCampaign(c *call, r campaignReasonRequest) (*campaignView, error) {
	if err := c.Console.PrepareCampaign(c.ctx(), c.caller, c.path("campaign"), r.Reason); err != nil {
		return nil, err
	}
	return getCampaign(c)
}

func cancelCampaign(c *call, r campaignReasonRequest) (*campaignView, error) {
	if err := c.Console.CancelCampaign(c.ctx(), c.caller, c.path("campaign"), r.Reason); err != nil {
		return nil, err
	}
	return getCampaign(c)
}

func resetCampaign(c *call) (*campaignView, error) {
	if err := c.Console.ResetCampaign(c.ctx(), c.caller, c.path("campaign")); err != nil {
		return nil, err
	}
	return getCampaign(c)
}

func startCampaign(c *call) (*campaignView, error) {
	if err := c.Console.StartCampaign(c.ctx(), c.caller, c.path("campaign")); err != nil {
		return nil, err
	}
	return getCampaign(c)
}

func closeCampaign(c *call) (*campaignView, error) {
	if err := c.Console.CloseCampaign(c.ctx(), c.caller, c.path("campaign")); err != nil {
		return nil, err
	}
	return getCampaign(c)
}

type sampleCampaignRequest struct {
	Percent int    `json:"percent"`
	UserID  string `json:"userId"` // who reviews them again
}

type countResponse struct {
	Count int `json:"count"`
}

func sampleCampaign(c *call, r sampleCampaignRequest) (*countResponse, error) {
	n, err := c.Console.SampleCampaign(c.ctx(), c.caller, c.path("campaign"), r.Percent, console.ID(r.UserID))
	return &countResponse{n}, err
}

// reviewItem is an item of a review.
type reviewItem struct {
	Number           int                    `json:"number"`
	Kind             string                 `json:"kind"`
	AppID            string                 `json:"appId"`
	AppUserID        string                 `json:"appUserId"`
	AppEntitlementID string                 `json:"appEntitlementId"`
	Object           string                 `json:"object"`
	UserID           string                 `json:"userId"`
	Admin            bool                   `json:"admin"`
	Shown            console.ReviewShown    `json:"shown"`
	Hash             string                 `json:"hash"`
	SyncNumber       int64                  `json:"syncNumber,string"`
	Choices          list[string]           `json:"choices"` // that can be made
	Outcome          string                 `json:"outcome"`
	OutcomeUntil     stamp                  `json:"outcomeUntil"`
	SettledAt        stamp                  `json:"settledAt"`
	Sampled          bool                   `json:"sampled"`
	GoneAt           stamp                  `json:"goneAt"`
	Gone             bool                   `json:"gone"` // the newest syncs do not show it
	Result           string                 `json:"result"`
	OperationID      string                 `json:"operationId"`
	Detail           string                 `json:"detail"`
	Assignments      list[reviewAssignment] `json:"assignments"`
}

type reviewAssignment struct {
	UserID      string `json:"userId"`
	UserName    string `json:"userName"`
	ForUserID   string `json:"forUserId"` // of the person for whom a delegate decides
	Reason      string `json:"reason"`
	AskedAt     stamp  `json:"askedAt"`
	EndedAt     stamp  `json:"endedAt"`
	EndedReason string `json:"endedReason"`
	Choice      string `json:"choice"`
	Until       stamp  `json:"until"`
	Note        string `json:"note"`
	DecidedAt   stamp  `json:"decidedAt"`
	SubmittedAt stamp  `json:"submittedAt"`
	Seconds     int    `json:"seconds"`
	Batch       int    `json:"batch"`
}

func itemOf(v govern.ItemView, names govern.Names) reviewItem {
	m := reviewItem{Number: v.Number, Kind: string(v.Kind), AppID: string(v.App), Object: v.Object, UserID: string(v.Person), Admin: v.Admin, Shown: v.Shown, Hash: v.Hash.String(), SyncNumber: int64(v.Sync), Choices: texts(v.Offers),
		SettledAt: stamp(v.Settled), Sampled: v.Sampled, GoneAt: stamp(v.Gone), Gone: v.GoneNow || !v.Gone.IsZero(), Result: string(v.Result), OperationID: string(v.Operation), Detail: v.Detail}
	if v.Kind == console.ReviewAccess {
		m.AppUserID, m.AppEntitlementID = key(v.Account), key(v.Entitlement)
	}
	if v.Outcome != nil {
		m.Outcome, m.OutcomeUntil = string(v.Outcome.Choice), stamp(v.Outcome.Until)
	}
	for _, a := range v.Assignments {
		x := reviewAssignment{UserID: string(a.Reviewer), UserName: names.Of(a.Reviewer), ForUserID: string(a.For), Reason: a.Why, AskedAt: stamp(a.At), EndedAt: stamp(a.Ended), EndedReason: a.EndedWhy}
		if d := a.Decision; d != nil {
			x.Choice, x.Until, x.Note, x.DecidedAt, x.SubmittedAt, x.Seconds, x.Batch = string(d.Choice), stamp(d.Until), d.Note, stamp(d.At), stamp(d.Submitted), d.Seconds, d.Batch
		}
		m.Assignments = append(m.Assignments, x)
	}
	return m
}

type reviewItemsResponse struct {
	List          list[reviewItem] `json:"list"`
	NextPageToken string           `json:"nextPageToken"`
}

// itemFilter reads the filter of items from the query.
func itemFilter(c *call) (f store.ItemFilter, err error) {
	q := c.r.URL.Query()
	f = store.ItemFilter{App: console.ID(q.Get("app_id")), Person: console.ID(q.Get("user_id")), Undecided: q.Get("undecided") == "true", Admins: q.Get("admins") == "true", Gone: q.Get("gone") == "true",
		Unassigned: q.Get("unassigned") == "true", Sampled: q.Get("sampled") == "true"}
	if v := q.Get("outcome"); v != "" {
		f.Choices = []console.ReviewChoice{console.ReviewChoice(v)}
	}
	if v := q.Get("result"); v != "" {
		f.Results = []console.ReviewResult{console.ReviewResult(v)}
	}
	for name, set := range map[string]func(int64){"entitlement_id": func(n int64) { e := console.EntitlementKey(n); f.Entitlement = &e }, "app_user_id": func(n int64) { f.Account = console.ResourceKey(n) }} {
		v := q.Get(name)
		if v == "" {
			continue
		}
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return f, baton.Errorf(baton.Invalid, "%s is %q", name, v)
		}
		set(n)
	}
	return f, nil
}

func listReviewItems(c *call) (*reviewItemsResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	var after store.AssignmentPlace
	if err := p.place("items", &after); err != nil {
		return nil, err
	}
	f, err := itemFilter(c)
	if err != nil {
		return nil, err
	}
	q := c.r.URL.Query()
	var page govern.ItemsPage
	if q.Get("mine") == "true" {
		page, err = c.Console.MyReviewItems(c.ctx(), c.caller, c.path("campaign"), store.ReviewerFilter{ItemFilter: f, Pending: q.Get("pending") == "true", Submitted: q.Get("submitted") == "true", ByPerson: q.Get("by_person") == "true"}, after, p.size())
	} else {
		page, err = c.Console.CampaignItems(c.ctx(), c.caller, c.path("campaign"), f, after.Item, p.size())
	}
	out := &reviewItemsResponse{}
	for _, v := range page.Items {
		out.List = append(out.List, itemOf(v, page.Names))
	}
	if page.Next != nil {
		out.NextPageToken = token("items", *page.Next)
	}
	return out, err
}

type reviewItemResponse struct {
	Item reviewItem `json:"item"`
}

func getReviewItem(c *call) (*reviewItemResponse, error) {
	n, err := strconv.Atoi(string(c.path("item")))
	if err != nil {
		return nil, baton.Errorf(baton.NotFound, "no item")
	}
	page, err := c.Console.ReviewItem(c.ctx(), c.caller, c.path("campaign"), n)
	if err != nil {
		return nil, err
	}
	return &reviewItemResponse{itemOf(page.Items[0], page.Names)}, nil
}

type decideReviewRequest struct {
	Decisions list[reviewChoice] `json:"decisions"`
	Typed     int                `json:"typed"`       // the number of removals, if they are more than 25
	Skip      bool               `json:"skipBlocked"` // makes those that can be made
}

type reviewChoice struct {
	Number  int    `json:"number"`
	Choice  string `json:"choice"`
	Until   string `json:"until"`
	Note    string `json:"note"`
	Seconds int    `json:"seconds"`
	Hash    string `json:"hash"` // of what was shown; another one is refused
}

type blockedItem struct {
	Number int    `json:"number"`
	Reason string `json:"reason"`
}

type decidedResponse struct {
	Made    int               `json:"made"`
	Blocked list[blockedItem] `json:"blocked"`
}

func decidedOf(made int, blocked []review.Blocked) *decidedResponse {
	out := &decidedResponse{Made: made}
	for _, b := range blocked {
		out.Blocked = append(out.Blocked, blockedItem{b.Item, b.Err.Error()})
	}
	return out
}

func decideReview(c *call, r decideReviewRequest) (*decidedResponse, error) {
	var choices []review.Choice
	for _, d := range r.Decisions {
		x := review.Choice{Item: d.Number, Choice: console.ReviewChoice(d.Choice), Note: d.Note, Seconds: d.Seconds}
		var err error
		if d.Until != "" {
			if x.Until, err = untilOf(d.Until); err != nil {
				return nil, err
			}
		}
		if d.Hash != "" {
			if err := x.Hash.UnmarshalText([]byte(d.Hash)); err != nil {
				return nil, baton.Errorf(baton.Invalid, "%v", err)
			}
		}
		choices = append(choices, x)
	}
	d, err := c.Console.DecideReview(c.ctx(), c.caller, c.path("campaign"), choices, r.Typed, r.Skip)
	return decidedOf(d.Made, d.Blocked), err
}

type bulkReviewRequest struct {
	AppID         string `json:"appId"`
	EntitlementID string `json:"appEntitlementId"`
	UserID        string `json:"userId"`
	Choice        string `json:"choice"`
	Until         string `json:"until"`
	Note          string `json:"note"`
	Seconds       int    `json:"seconds"`
	Expect        int    `json:"expect"` // the number of items that were shown
	Typed         int    `json:"typed"`
	Skip          bool   `json:"skipBlocked"`
	DryRun        bool   `json:"dryRun"`
}

func bulkReview(c *call, r bulkReviewRequest) (*decidedResponse, error) {
	b := govern.ReviewBulk{Choice: console.ReviewChoice(r.Choice), Note: r.Note, Seconds: r.Seconds, Expect: r.Expect, Typed: r.Typed, Skip: r.Skip, DryRun: r.DryRun,
		Filter: store.ReviewerFilter{ItemFilter: store.ItemFilter{App: console.ID(r.AppID), Person: console.ID(r.UserID)}}}
	if r.EntitlementID != "" {
		n, err := strconv.ParseInt(r.EntitlementID, 10, 64)
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "appEntitlementId is %q", r.EntitlementID)
		}
		e := console.EntitlementKey(n)
		b.Filter.Entitlement = &e
	}
	var err error
	if r.Until != "" {
		if b.Until, err = untilOf(r.Until); err != nil {
			return nil, err
		}
	}
	d, err := c.Console.DecideReviewBulk(c.ctx(), c.caller, c.path("campaign"), b)
	return decidedOf(d.Made, d.Blocked), err
}

type reviewNumbersRequest struct {
	Numbers list[int] `json:"numbers"`
}

func withdrawReview(c *call, r reviewNumbersRequest) (*countResponse, error) {
	return &countResponse{len(r.Numbers)}, c.Console.WithdrawReview(c.ctx(), c.caller, c.path("campaign"), r.Numbers)
}

type submission struct {
	ID          string         `json:"id"`
	UserID      string         `json:"userId"`
	UserName    string         `json:"userName"`
	SubmittedAt stamp          `json:"submittedAt"`
	Counts      map[string]int `json:"counts"`
	Digest      string         `json:"digest"`
	Settled     int            `json:"settled"`
}

func submissionOf(s console.ReviewSubmission, name string) submission {
	m := submission{string(s.ID), string(s.Reviewer), name, stamp(s.At), map[string]int{}, s.Digest.String(), s.Settled}
	for choice, n := range s.Counts {
		m.Counts[string(choice)] = n
	}
	return m
}

type submissionResponse struct {
	Submission submission `json:"submission"`
}

func submitReview(c *call) (*submissionResponse, error) {
	s, err := c.Console.SubmitReview(c.ctx(), c.caller, c.path("campaign"))
	if err != nil {
		return nil, err
	}
	return &submissionResponse{submissionOf(s, c.caller.Person.Name)}, nil
}

type submissionsResponse struct {
	List          list[submission] `json:"list"`
	NextPageToken string           `json:"nextPageToken"`
}

// submissionPlace is a place in a list of submissions.
type submissionPlace struct {
	At time.Time
	ID console.ID
}

func listSubmissions(c *call) (*submissionsResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	var after submissionPlace
	if err := p.place("submissions", &after); err != nil {
		return nil, err
	}
	all, err := c.Console.CampaignSubmissions(c.ctx(), c.caller, c.path("campaign"), console.ReviewSubmission{At: after.At, ID: after.ID}, p.size())
	out := &submissionsResponse{}
	for _, s := range all {
		out.List = append(out.List, submissionOf(s.ReviewSubmission, s.Name))
	}
	if len(all) == p.size() {
		last := all[len(all)-1]
		out.NextPageToken = token("submissions", submissionPlace{last.At, last.ID})
	}
	return out, err
}

type reassignReviewRequest struct {
	Numbers list[int] `json:"numbers"`
	From    string    `json:"fromUserId"` // empty: somebody in addition
	To      string    `json:"toUserId"`
	Reason  string    `json:"reason"`
}

func reassignReview(c *call, r reassignReviewRequest) (*decidedResponse, error) {
	blocked, err := c.Console.ReassignReview(c.ctx(), c.caller, c.path("campaign"), r.Numbers, console.ID(r.From), console.ID(r.To), r.Reason)
	return decidedOf(len(r.Numbers)-len(blocked), blocked), err
}

type escalateReviewRequest struct {
	Numbers list[int] `json:"numbers"`
	From    string    `json:"fromUserId"` // empty: the caller
	Reason  string    `json:"reason"`
}

func escalateReview(c *call, r escalateReviewRequest) (*countResponse, error) {
	return &countResponse{len(r.Numbers)}, c.Console.EscalateReview(c.ctx(), c.caller, c.path("campaign"), r.Numbers, console.ID(r.From), r.Reason)
}
