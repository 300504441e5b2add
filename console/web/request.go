package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// catalogRows is the number of entitlements that the catalogue shows of each app at first.
const catalogRows = 10

type requestCatalog struct {
	govern.CatalogView
	Search string
	Path   string
	One    bool // the page shows a single app
	Apps   []catalogApp
	Self   bool
	Email  string // that was entered
	More   string // the next page of apps
}

type catalogApp struct {
	govern.CatalogApp
	Next string
}

func requestCatalogPage(c *call) error {
	q := govern.CatalogQuery{For: console.ID(c.r.FormValue("for")), Email: strings.TrimSpace(c.r.FormValue("email")), App: console.ID(c.r.PathValue("app")),
		Search: strings.TrimSpace(c.r.FormValue("search")), N: catalogRows}
	if q.Email != "" {
		q.For = ""
	}
	if q.App != "" {
		q.N = rowsPerPage
		if err := c.place(&q.After); err != nil {
			return err
		}
	} else if err := c.placeOf("apps", &q.Apps); err != nil {
		return err
	}
	v, err := c.console().RequestCatalog(c.ctx(), c.caller, q)
	if err != nil {
		return err
	}
	p := requestCatalog{CatalogView: v, Search: q.Search, Path: c.r.URL.Path, One: q.App != "", Self: v.Subject.ID == c.caller.Person.ID, Email: q.Email}
	for _, a := range v.Apps {
		row := catalogApp{CatalogApp: a}
		if a.Next != nil && p.One {
			row.Next = c.nextPath(cursor(*a.Next))
		} else if a.Next != nil {
			row.Next = "/request/" + string(a.App.ID) + p.with()
		}
		p.Apps = append(p.Apps, row)
	}
	if v.Next != nil {
		p.More = c.pathWith("apps", cursor(*v.Next))
	}
	return c.page("request-catalog", "Request access", p)
}

// with returns the query of the page of one app, for the same person and the same words.
func (p requestCatalog) with() string {
	q := url.Values{}
	if !p.Self {
		q.Set("for", string(p.Subject.ID))
	}
	if p.Search != "" {
		q.Set("search", p.Search)
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

type requestForm struct {
	govern.RequestForm
	For, Email, Duration, Custom, Until, Start, Why string
	Emergency                                       bool
	Presets                                         []preset
	Problem                                         *problem
	RefusedText                                     *problem // why the request would be refused
	Fields                                          []formField
	Path                                            string
	MayEmergency                                    bool
}

type preset struct {
	Value, Label string
	Chosen       bool
}

type formField struct {
	console.RequestField
	Value string
}

// clock is the format of times in forms, in UTC.
const clock = "2006-01-02T15:04"

func readClock(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(clock, text, time.UTC)
	if err != nil {
		return t, baton.Errorf(baton.Invalid, "%s: %q is no time", name, text).WithFix("Write it as 2026-01-31T18:00, in UTC.")
	}
	return t, nil
}

// term decodes the requested or shortened duration.
func (c *call) term() (t console.Term, err error) {
	if t.Until, err = readClock("Until", c.r.FormValue("until")); err != nil || !t.Until.IsZero() {
		return t, err
	}
	text := c.r.FormValue("custom")
	if text == "" {
		text = c.r.FormValue("duration")
	}
	if text == "none" {
		return t, nil
	}
	t.For, err = console.ParseDuration(text)
	return t, err
}

// newRequest decodes the form of a request.
func (c *call) newRequest() (n govern.NewRequest, err error) {
	key, err := c.key("entitlement")
	if err != nil {
		return n, err
	}
	n = govern.NewRequest{App: c.app(), Entitlement: console.EntitlementKey(key), For: console.ID(c.r.FormValue("for")), Email: strings.TrimSpace(c.r.FormValue("email")),
		Why: c.r.FormValue("why"), Emergency: c.r.FormValue("emergency") != ""}
	if n.Email != "" {
		n.For = ""
	} else if n.For == c.caller.Person.ID {
		n.For = ""
	}
	for name, values := range c.r.Form {
		if field, ok := strings.CutPrefix(name, "form."); ok && len(values) > 0 {
			if n.Form == nil {
				n.Form = map[string]string{}
			}
			n.Form[field] = values[0]
		}
	}
	if n.Term, err = c.term(); err != nil {
		return n, err
	}
	n.Start, err = readClock("From", c.r.FormValue("start"))
	return n, err
}

func newRequestPage(c *call) error { return c.showRequestForm(http.StatusOK, nil) }

// showRequestForm shows the form of a request, with an error if there is one.
func (c *call) showRequestForm(status int, problem error) error {
	n, err := c.newRequest()
	if err != nil && problem == nil {
		problem = err
	}
	if err != nil {
		status = statusOf(err)
		n.Term, n.Start = console.Term{}, time.Time{}
	}
	first := c.r.FormValue("duration") == "" && c.r.FormValue("custom") == "" && c.r.FormValue("until") == ""
	v, err := c.console().RequestForm(c.ctx(), c.caller, n)
	if err != nil {
		return err
	}
	if first && len(v.Settings.Presets) > 0 { // the first preset is selected
		n.Term = console.Term{For: v.Settings.Presets[0]}
		if v, err = c.console().RequestForm(c.ctx(), c.caller, n); err != nil {
			return err
		}
	}
	f := requestForm{RequestForm: v, For: string(v.Request.Subject), Email: n.Email, Custom: c.r.FormValue("custom"), Until: c.r.FormValue("until"), Start: c.r.FormValue("start"),
		Why: n.Why, Emergency: n.Emergency, Problem: problemOf(problem), Path: c.r.URL.Path, MayEmergency: v.Settings.Emergency != ""}
	if v.Refused != nil && problem == nil {
		f.RefusedText = problemOf(v.Refused)
	}
	chosen := c.r.FormValue("duration")
	for i, d := range v.Settings.Presets {
		f.Presets = append(f.Presets, preset{d.String(), d.Words(), chosen == d.String() || chosen == "" && i == 0})
	}
	if v.Settings.Longest == 0 {
		f.Presets = append(f.Presets, preset{"none", "Without end", chosen == "none"})
	}
	for _, field := range v.Settings.Form {
		f.Fields = append(f.Fields, formField{field, n.Form[field.Name]})
	}
	return c.show(status, "request-new", "Ask for "+text(v.Entitlement.Name), f)
}

func submitRequest(c *call) error {
	n, err := c.newRequest()
	if err != nil {
		return c.showRequestForm(statusOf(err), err)
	}
	r, err := c.console().SubmitRequest(c.ctx(), c.caller, n)
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused || k == baton.AlreadyExists) {
		return c.showRequestForm(statusOf(err), err)
	}
	if err != nil {
		return err
	}
	return c.redirect("/requests/" + string(r.ID))
}

type requestsList struct {
	Rows   []govern.RequestSummary
	Next   string
	All    bool
	Open   bool
	Review bool
	MayAll bool
}

func requestsPage(c *call) error {
	q := govern.RequestQuery{All: c.r.FormValue("all") != "", Open: c.r.FormValue("open") != "", Review: c.r.FormValue("review") != "", App: console.ID(c.r.FormValue("app")), N: rowsPerPage}
	if s := c.r.FormValue("before"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 {
			return baton.Errorf(baton.Invalid, "the address of this page is damaged").WithFix("Begin the list anew.")
		}
		q.Before = n
	}
	rows, next, err := c.console().Requests(c.ctx(), c.caller, q)
	if err != nil {
		return err
	}
	l := requestsList{Rows: rows, All: q.All, Open: q.Open, Review: q.Review, MayAll: console.SeeRequests.Of(c.caller.Person, console.Object{})}
	if next != 0 {
		l.Next = c.pathWith("before", strconv.FormatInt(next, 10))
	}
	return c.page("requests", "Requests", l)
}

// taskPage redirects from the number of a request, which other clients display, to its page.
func taskPage(c *call) error {
	n, err := strconv.ParseInt(c.r.PathValue("number"), 10, 64)
	if err != nil || n < 1 {
		return notFound(c)
	}
	id, err := c.console().RequestNumber(c.ctx(), c.caller, n)
	if err != nil {
		return err
	}
	return c.redirect("/requests/" + string(id))
}

// requestAt returns the ID in the path.
func (c *call) requestAt() console.ID { return console.ID(c.r.PathValue("request")) }

type requestPage struct {
	govern.RequestView
	LiveVersion govern.Version
	Decision    decisionForm
	Problem     *problem
	Notice      string
	Chip        chip
}

func (c *call) showRequest(status int, problem error, notice string) error {
	v, err := c.console().Request(c.ctx(), c.caller, c.requestAt())
	if err != nil {
		return err
	}
	version, err := c.console().RequestVersion(c.ctx(), c.caller, c.requestAt())
	if err != nil {
		return err
	}
	p := requestPage{LiveVersion: version, RequestView: v, Problem: problemOf(problem), Notice: notice, Chip: requestChip(v)}
	if v.Mine != nil {
		p.Decision = c.decisionForm(v)
	}
	return c.show(status, "request", "Request "+strconv.FormatInt(v.Number, 10), p)
}

// Proved reports whether a sync has shown what was asked for.
func (p requestPage) Proved() bool {
	return p.Outcome == console.OutcomeGranted || p.Outcome == console.OutcomeRevoked && p.Operation != nil && p.Operation.State == console.Verified
}

func (p requestPage) live() live {
	return live{Path: "/live/requests/" + string(p.ID), Version: p.LiveVersion}
}

func requestLive(c *call) error {
	return c.keepUpToDate(func() (govern.Version, error) { return c.console().RequestVersion(c.ctx(), c.caller, c.requestAt()) })
}

func requestShown(c *call) error { return c.showRequest(http.StatusOK, nil, "") }

// requestDone answers a form on the page of a request.
func (c *call) requestDone(problem error) error {
	if problem == nil {
		return c.redirect("/requests/" + string(c.requestAt()))
	}
	if k := baton.KindOf(problem); k != baton.Invalid && k != baton.Refused && k != baton.AlreadyExists {
		return problem
	}
	return c.showRequest(statusOf(problem), problem, "")
}

func commentRequest(c *call) error {
	return c.requestDone(c.console().CommentRequest(c.ctx(), c.caller, c.requestAt(), c.r.PostFormValue("comment")))
}

func cancelRequest(c *call) error {
	return c.requestDone(c.console().CancelRequest(c.ctx(), c.caller, c.requestAt(), c.r.PostFormValue("why")))
}

func reviewEmergency(c *call) error {
	return c.requestDone(c.console().ReviewEmergency(c.ctx(), c.caller, c.requestAt(), c.r.PostFormValue("found")))
}

func extendRequest(c *call) error {
	r, err := c.console().ExtendRequest(c.ctx(), c.caller, c.requestAt())
	if err != nil {
		return c.requestDone(err)
	}
	return c.redirect("/requests/" + string(r.ID))
}

func giveBackRequest(c *call) error {
	v, err := c.console().Request(c.ctx(), c.caller, c.requestAt())
	if err != nil {
		return err
	}
	if !v.MayGiveBack {
		return c.requestDone(baton.Errorf(baton.Refused, "there is nothing that you could give back"))
	}
	r, err := c.console().GiveBackOf(c.ctx(), c.caller, v.Request.App, v.Request.Subject, v.Request.Entitlement, v.Account, "")
	if err != nil {
		return c.requestDone(err)
	}
	return c.redirect("/requests/" + string(r.ID))
}

// giveBackForm is a button that ends access. What cannot be had again at once, or is no click of the
// console's, has a warning first.
type giveBackForm struct {
	App     console.ID
	Key     console.EntitlementKey
	Name    string
	For     console.ID // whose access it is; "" for the caller's own
	Warning string
}

func giveBackOf(app console.ID, h govern.Holding, person console.ID) giveBackForm {
	f := giveBackForm{App: app, Key: h.Entitlement.Key, Name: h.Entitlement.Name, For: person}
	switch {
	case h.ByHand:
		f.Warning = "The connector cannot take it away: an owner of the application is asked to do it by hand."
	case h.Role != nil && h.Role.Admin:
		f.Warning = warnAdmin
	}
	return f
}

const warnAdmin = "It makes an administrator. To have it again, it must be asked for and decided."

func catalogBackOf(app console.ID, r govern.CatalogRow) giveBackForm {
	f := giveBackForm{App: app, Key: r.Entitlement.Key, Name: r.Entitlement.Name}
	switch {
	case r.Entitlement.Key == console.AccountItself:
		f.Warning = "Your account is disabled, and with it everything that it holds. To have it again, ask for it."
	case r.Role != nil && r.Role.Admin:
		f.Warning = warnAdmin
	}
	return f
}

// giveBack ends access from the caller's list, or from that of a person whom the caller manages.
func giveBack(c *call) error {
	key, err := c.key("entitlement")
	if err != nil {
		return err
	}
	person := console.ID(c.r.PostFormValue("for"))
	if person == "" {
		person = c.caller.Person.ID
	}
	r, err := c.console().GiveBackOf(c.ctx(), c.caller, c.app(), person, console.EntitlementKey(key), 0, "")
	if err != nil {
		return err
	}
	return c.redirect("/requests/" + string(r.ID))
}

// requestChip returns the state of a request: what is established, and by what.
func requestChip(v govern.RequestView) chip {
	if v.Stuck {
		return chip{"bad", "Nobody may decide"}
	}
	if v.Mine != nil {
		return chip{"accent", "Waiting for you"}
	}
	return summaryChip(v.RequestSummary)
}

func summaryChip(r govern.RequestSummary) chip {
	switch r.State {
	case console.RequestAsking:
		if len(r.Asked) == 0 {
			return chip{"bad", "Nobody may decide"}
		}
		return chip{"plain", "Waiting for a decision"}
	case console.RequestWaiting:
		if r.Step < len(r.Plan.Steps) && r.Plan.Steps[r.Step].Wait != nil && r.Plan.Steps[r.Step].Wait.Requirement {
			return chip{"warn", "Needs a course"}
		}
		return chip{"plain", "Waiting"}
	case console.RequestScheduled:
		return chip{"plain", "Approved, begins later"}
	case console.RequestCarrying:
		if c := r.Creation; c != nil && c.State != console.Queued && c.State != console.Waiting {
			if c.State == console.Failed || c.State == console.Declined {
				return chip{"bad", "The account was not made"}
			}
			return carryingChip(c)
		}
		return carryingChip(r.Operation)
	}
	switch r.Outcome {
	case console.OutcomeGranted:
		return chip{"good", "Granted"}
	case console.OutcomeRevoked:
		return chip{"good", "Gone"}
	case console.OutcomeDenied:
		return chip{"plain", "Denied"}
	case console.OutcomeCancelled:
		return chip{"plain", "Cancelled"}
	case console.OutcomeTimedOut:
		return chip{"warn", "Timed out"}
	}
	return chip{"bad", "Failed"}
}

// carryingChip returns the state of an approved change. Applied does not mean verified.
func carryingChip(o *console.Operation) chip {
	if o == nil {
		return chip{"plain", "Approved"}
	}
	switch o.State {
	case console.Waiting:
		return chip{"plain", "Approved, waits"}
	case console.Manual:
		return chip{"warn", "To do by hand"}
	case console.Dispatched:
		return chip{"plain", "Under way"}
	case console.Applied:
		return chip{"plain", "Applied, not verified"}
	case console.Unknown:
		return chip{"warn", "No answer yet"}
	case console.Failed, console.Declined:
		return chip{"bad", "Failed"}
	}
	return chip{"plain", "Approved, queued"}
}
