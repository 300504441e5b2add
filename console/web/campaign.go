package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

var campaignChips = map[console.CampaignState]string{
	console.CampaignPreparing: "accent", console.CampaignStaged: "accent", console.CampaignRunning: "accent", console.CampaignClosing: "warn",
	console.CampaignRemediating: "accent", console.CampaignVerifying: "accent", console.CampaignComplete: "good",
}

func campaignChip(s console.CampaignState) chip {
	kind := campaignChips[s]
	if kind == "" {
		kind = "plain"
	}
	return chip{kind, s.Label()}
}

var reviewResultChips = map[console.ReviewResult]chip{
	console.ItemKept:         {"plain", "Kept"},
	console.ItemUnanswered:   {"warn", "Unanswered"},
	console.ItemShortened:    {"plain", "Shortened"},
	console.ItemAcknowledged: {"plain", "Acknowledged"},
	console.ItemPlanned:      {"accent", "Planned"},
	console.ItemBlocked:      {"bad", "Blocked"},
	console.ItemLeftOut:      {"warn", "Left out"},
	console.ItemApplying:     {"accent", "Applying"},
	console.ItemApplied:      {"accent", "Applied, not verified"},
	console.ItemVerified:     {"good", "Verified"},
	console.ItemNotEffective: {"bad", "Not effective"},
	console.ItemCameBack:     {"bad", "Came back"},
	console.ItemFailed:       {"bad", "Failed"},
	console.ItemGone:         {"plain", "Was gone before"},
}

// reviewResults are the results in the order in which pages list them: what needs somebody first.
var reviewResults = []console.ReviewResult{console.ItemNotEffective, console.ItemCameBack, console.ItemFailed, console.ItemBlocked, console.ItemLeftOut, console.ItemPlanned, console.ItemApplying,
	console.ItemApplied, console.ItemVerified, console.ItemShortened, console.ItemAcknowledged, console.ItemGone}

func reviewResultChip(r console.ReviewResult) chip { return reviewResultChips[r] }

// stillHeld are the results of access that was to be removed and is still held.
var stillHeld = []console.ReviewResult{console.ItemNotEffective, console.ItemCameBack, console.ItemFailed, console.ItemBlocked}

// heldOnPage is how many of them the page of a campaign lists.
const heldOnPage = 10

type campaignsList struct {
	govern.CampaignsPage
	Templates bool
	NextPage  string
}

func campaignsPage(c *call) error { return c.campaigns(false) }
func templatesPage(c *call) error { return c.campaigns(true) }

func (c *call) campaigns(templates bool) error {
	q := govern.CampaignsQuery{N: rowsPerPage}
	title := "Campaigns"
	if templates {
		q.States, title = []console.CampaignState{console.CampaignTemplate}, "Templates of campaigns"
	}
	if err := c.place(&q.Before); err != nil {
		return err
	}
	p, err := c.console().Campaigns(c.ctx(), c.caller, q)
	if err != nil {
		return err
	}
	l := campaignsList{CampaignsPage: p, Templates: templates}
	if p.Next != "" {
		l.NextPage = c.nextPath(cursor(p.Next))
	}
	return c.page("campaigns", title, l)
}

func (c *call) campaign() console.ID { return console.ID(c.r.PathValue("campaign")) }

func campaignPath(id console.ID) string { return "/campaigns/" + string(id) }

type campaignDetail struct {
	govern.CampaignView
	Path        string
	Settings    []fact
	Reviewers   []reviewerRow
	Days        []burnDay
	Choices     []choiceCount
	Listed      []resultCount
	Held        []itemRow // the first that were to be removed and are still held
	AllHeld     int
	Submissions []govern.SubmissionView
	MorePath    string // of further submissions
	Problem     *problem
	Why         string
}

func (p campaignDetail) live() live {
	if p.State.Ended() || p.Shows == "" {
		return live{}
	}
	return live{Path: "/live" + p.Path, Version: p.Shows}
}

// Draft reports whether the settings can still change.
func (p campaignDetail) Draft() bool { return p.State == console.CampaignDraft }

// ClosedDecisions reports whether decisions have ended.
func (p campaignDetail) ClosedDecisions() bool {
	return p.State == console.CampaignClosing || p.State == console.CampaignRemediating || p.State == console.CampaignVerifying || p.State == console.CampaignComplete
}

// MineOpen returns the number of the caller's items that are not submitted.
func (p campaignDetail) MineOpen() int { return p.Mine.Total - p.Mine.Submitted }

// Open returns the number of items that nobody decided.
func (p campaignDetail) Open() int { return p.Progress.Total - p.Progress.Decided }

type fact struct{ Label, Text string }

// reviewerRow is a reviewer with the progress and, unless the campaign leaves that out, the time.
type reviewerRow struct {
	store.ReviewerProgress
	Name string
	Left bool // is not active any more
	// Each is the time per submitted decision; Share is how many of them were made several at once.
	Each, Share string
}

// burnDay is a day with the items that were open at its end.
type burnDay struct {
	store.BurnDay
	Open int
}

type choiceCount struct {
	Choice console.ReviewChoice
	Count  int
}

type resultCount struct {
	Result console.ReviewResult
	Count  int
}

func campaignPage(c *call) error { return c.showCampaign(nil) }

// showCampaign shows a review, with the error of a form if there is one.
func (c *call) showCampaign(wrong error) error {
	v, err := c.console().Campaign(c.ctx(), c.caller, c.campaign())
	if err != nil {
		return err
	}
	if !v.All { // a reviewer's page
		return c.redirect("/reviews/" + string(v.ID))
	}
	p := campaignDetail{CampaignView: v, Path: campaignPath(v.ID), Settings: campaignFacts(v), Problem: problemOf(wrong)}
	for _, r := range v.Progress.Reviewers {
		p.Reviewers = append(p.Reviewers, reviewerOf(r, v))
	}
	open := v.Progress.Total
	for _, d := range v.Burn {
		open -= d.Decided
		p.Days = append(p.Days, burnDay{d, max(open, 0)})
	}
	for _, choice := range console.ReviewChoices() {
		if n := v.Progress.Choices[choice]; n > 0 {
			p.Choices = append(p.Choices, choiceCount{choice, n})
		}
	}
	for _, r := range reviewResults {
		if n := v.Results[r]; n > 0 {
			p.Listed = append(p.Listed, resultCount{r, n})
		}
	}
	for _, r := range stillHeld {
		p.AllHeld += v.Results[r]
	}
	if p.AllHeld > 0 {
		page, err := c.console().CampaignItems(c.ctx(), c.caller, v.ID, store.ItemFilter{Results: stillHeld}, 0, heldOnPage)
		if err != nil {
			return err
		}
		p.Held = itemRows(page, c.caller.Person.Canonical())
	}
	var after console.ReviewSubmission
	if err := c.placeOf("submissions", &after); err != nil {
		return err
	}
	if p.Submissions, err = c.console().CampaignSubmissions(c.ctx(), c.caller, v.ID, after, submissionsPerPage); err != nil {
		return err
	}
	if n := len(p.Submissions); n == submissionsPerPage {
		last := p.Submissions[n-1]
		p.MorePath = c.pathWith("submissions", cursor(console.ReviewSubmission{ID: last.ID, At: last.At}))
	}
	status := http.StatusOK
	if wrong != nil {
		status, p.Why = statusOf(wrong), c.r.PostFormValue("why")
	}
	return c.show(status, "campaign", text(v.Name), p)
}

const submissionsPerPage = 20

func reviewerOf(r store.ReviewerProgress, v govern.CampaignView) reviewerRow {
	row := reviewerRow{ReviewerProgress: r, Name: v.Names.Of(r.Reviewer), Left: slices.Contains(v.Left, r.Reviewer)}
	if r.Submitted > 0 {
		if row.Each = "under a second"; r.Seconds >= r.Submitted {
			row.Each = console.Duration(time.Duration(r.Seconds/r.Submitted) * time.Second).Words()
		}
		row.Share = strconv.Itoa((100*r.Bulk+r.Submitted/2)/r.Submitted) + " %"
	}
	return row
}

func campaignLive(c *call) error {
	return c.keepUpToDate(func() (govern.Version, error) { return c.console().CampaignVersion(c.ctx(), c.caller, c.campaign()) })
}

// onCampaign answers a form on the page of a review.
func (c *call) onCampaign(err error) error {
	if shown(err) {
		return c.showCampaign(err)
	}
	if err != nil {
		return err
	}
	return c.redirect(campaignPath(c.campaign()))
}

func prepareCampaign(c *call) error {
	return c.onCampaign(c.console().PrepareCampaign(c.ctx(), c.caller, c.campaign(), c.r.PostFormValue("why")))
}

func resetCampaign(c *call) error {
	return c.onCampaign(c.console().ResetCampaign(c.ctx(), c.caller, c.campaign()))
}

func startCampaign(c *call) error {
	return c.onCampaign(c.console().StartCampaign(c.ctx(), c.caller, c.campaign()))
}

func closeCampaign(c *call) error {
	return c.onCampaign(c.console().CloseCampaign(c.ctx(), c.caller, c.campaign()))
}

func cancelCampaign(c *call) error {
	return c.onCampaign(c.console().CancelCampaign(c.ctx(), c.caller, c.campaign(), c.r.PostFormValue("why")))
}

func carryOutCampaign(c *call) error {
	return c.onCampaign(c.console().CarryOutConsoleRemovals(c.ctx(), c.caller, c.campaign()))
}

func sampleCampaign(c *call) error {
	percent, _ := strconv.Atoi(strings.TrimSpace(c.r.PostFormValue("percent"))) // 0 is refused
	_, err := c.console().SampleCampaign(c.ctx(), c.caller, c.campaign(), percent, console.ID(strings.TrimSpace(c.r.PostFormValue("email"))))
	return c.onCampaign(err)
}

// campaignPack sends the evidence pack of a review.
func campaignPack(c *call) error {
	p, err := c.console().EvidencePack(c.ctx(), c.caller, c.campaign())
	if err != nil {
		return err
	}
	return c.sendPack(p)
}
