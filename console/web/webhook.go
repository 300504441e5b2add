package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// webhooksPage lists the webhooks, both ways.
type webhooksPage struct {
	govern.WebhooksView
	Hooks []console.Hook
}

func webhooksShown(c *call) error {
	var p webhooksPage
	var err error
	if p.WebhooksView, err = c.console().Webhooks(c.ctx(), c.caller); err != nil {
		return err
	}
	if p.Hooks, err = c.console().Hooks(c.ctx(), c.caller); err != nil {
		return err
	}
	return c.page("webhooks", "Webhooks", p)
}

// Chip returns the state of a webhook.
func (webhooksPage) Chip(w console.Webhook) chip { return webhookChip(w) }

func webhookChip(w console.Webhook) chip {
	switch {
	case w.State == console.WebhookStopped:
		return chip{"bad", "Stopped"}
	case w.State == console.WebhookPaused:
		return chip{"plain", "Paused"}
	case !w.Failing.IsZero():
		return chip{"warn", "Failing"}
	case w.Delivered.IsZero():
		return chip{"plain", "Nothing sent yet"}
	}
	return chip{"good", "Works"}
}

// eventSummary describes which events a webhook gets.
func eventSummary(events []string) string {
	if len(events) == 0 {
		return "all events"
	}
	const shown = 3
	text := strings.Join(events[:min(len(events), shown)], ", ")
	if n := len(events) - shown; n > 0 {
		text += " and " + strconv.Itoa(n) + " more"
	}
	return text
}

// webhookForm is the form of a new webhook, or of one that is changed.
type webhookForm struct {
	Webhook  console.Webhook // zero for a new one
	Kind     console.WebhookKind
	URL      string
	About    string
	All      bool
	Nouns    []eventNoun
	Problem  *problem
	Provided bool // a URL is stored
}

// Chat reports whether the webhook is for a chat.
func (f webhookForm) Chat() bool { return f.Kind == console.WebhookChat }

// Path is the address of the form.
func (f webhookForm) Path() string {
	if f.Provided {
		return "/settings/webhooks/" + string(f.Webhook.ID) + "/edit"
	}
	return "/settings/webhooks/new"
}

// eventNoun is a group of kinds of events to choose from.
type eventNoun struct {
	console.EventNoun
	All    bool
	Kinds  []eventChoice
	Chosen int
}

type eventChoice struct {
	Name, Words string
	Chosen      bool
}

// eventNouns returns all kinds of events, with those that are chosen.
func eventNouns(chosen []string) (nouns []eventNoun) {
	for _, n := range console.EventNouns {
		g := eventNoun{EventNoun: n, All: slices.Contains(chosen, n.Noun+".*")}
		if g.All {
			g.Chosen = len(n.Kinds)
		}
		for _, k := range n.Kinds {
			x := eventChoice{n.Name(k), strings.ToUpper(k.Words[:1]) + k.Words[1:], slices.Contains(chosen, n.Name(k))}
			if x.Chosen && !g.All {
				g.Chosen++
			}
			g.Kinds = append(g.Kinds, x)
		}
		nouns = append(nouns, g)
	}
	return nouns
}

// chatEvents are the kinds of events that are suggested for a chat: those about which somebody
// should do something.
var chatEvents = []string{"request.asked", "request.stuck", "request.error", "access.came-back", "access.overdue", "operation.manual", "sync.held", "connector.state-changed", "amendment.proposed",
	"login.break-glass", "webhook.stopped"}

func newWebhookPage(c *call) error {
	if err := c.console().Require(c.ctx(), c.caller, console.ManageWebhooks, console.Object{}); err != nil {
		return err
	}
	f := webhookForm{Kind: console.WebhookKind(c.r.FormValue("kind")), All: true}
	if !slices.Contains(console.WebhookKinds(), f.Kind) {
		f.Kind = console.WebhookSigned
	}
	var suggested []string
	if f.Chat() {
		suggested, f.All = chatEvents, false
	}
	f.Nouns = eventNouns(suggested)
	return c.page("webhook-edit", f.title(), f)
}

func (f webhookForm) title() string {
	switch {
	case f.Provided:
		return "Change the webhook"
	case f.Chat():
		return "Add a chat"
	}
	return "Add a webhook"
}

// webhookInput decodes the form.
func (c *call) webhookInput() (in govern.WebhookInput, f webhookForm, err error) {
	f = webhookForm{Kind: console.WebhookKind(c.r.PostFormValue("kind")), URL: c.r.PostFormValue("url"), About: c.r.PostFormValue("description"), All: c.r.PostFormValue("all") == "true"}
	events := c.r.PostForm["event"]
	f.Nouns = eventNouns(events)
	in = govern.WebhookInput{Kind: f.Kind, URL: baton.NewSecret(strings.TrimSpace(f.URL)), Description: f.About}
	if !f.All {
		if in.Events = events; len(events) == 0 {
			err = baton.Errorf(baton.Invalid, "no kind of events is chosen").WithFix("Choose some, or all events.")
		}
	}
	return in, f, err
}

func addWebhook(c *call) error {
	in, f, err := c.webhookInput()
	if err != nil {
		if e := c.console().Require(c.ctx(), c.caller, console.ManageWebhooks, console.Object{}); e != nil {
			return e
		}
	}
	var made govern.MadeWebhook
	if err == nil {
		made, err = c.console().AddWebhook(c.ctx(), c.caller, in)
	}
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "webhook-edit", f.title(), f)
	}
	return c.webhookPage(made.ID, &made, nil)
}

func (c *call) webhookEditForm() (f webhookForm, err error) {
	if err := c.console().Require(c.ctx(), c.caller, console.ManageWebhooks, console.Object{}); err != nil {
		return f, err
	}
	v, err := c.console().Webhook(c.ctx(), c.caller, console.ID(c.r.PathValue("webhook")))
	return webhookForm{Webhook: v.Webhook, Kind: v.Kind, About: v.Description, All: len(v.Events) == 0, Nouns: eventNouns(v.Events), Provided: true}, err
}

func editWebhookPage(c *call) error {
	f, err := c.webhookEditForm()
	if err != nil {
		return err
	}
	return c.page("webhook-edit", f.title(), f)
}

func editWebhook(c *call) error {
	before, err := c.webhookEditForm()
	if err != nil {
		return err
	}
	in, f, err := c.webhookInput()
	if err == nil {
		version, _ := strconv.ParseInt(c.r.PostFormValue("version"), 10, 64) // a wrong one is refused
		err = c.console().ChangeWebhook(c.ctx(), c.caller, before.Webhook.ID, max(version, 1), in)
	}
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		f.Webhook, f.Kind, f.Provided, f.Problem = before.Webhook, before.Kind, true, problemOf(err)
		return c.show(statusOf(err), "webhook-edit", f.title(), f)
	}
	return c.redirect("/settings/webhooks/" + string(before.Webhook.ID))
}

// webhookPage shows a webhook with its deliveries.
type webhookPage struct {
	govern.WebhookView
	Made    *govern.MadeWebhook // the new secret
	State   console.DeliveryState
	States  []console.DeliveryState
	Rows    []console.WebhookDelivery
	Next    string
	Since   string // suggestion for a replay
	Notice  string
	Problem *problem
}

// Chip returns the state of the webhook.
func (p webhookPage) Chip() chip { return webhookChip(p.Webhook) }

// Chat reports whether the webhook is for a chat.
func (p webhookPage) Chat() bool { return p.Kind == console.WebhookChat }

// Title returns what the webhook is called.
func (p webhookPage) Title() string { return webhookTitle(p.Webhook) }

func webhookTitle(w console.Webhook) string {
	if w.Description != "" {
		return w.Description
	}
	return w.Address
}

// Delivery returns the state of a delivery.
func (webhookPage) Delivery(s console.DeliveryState) chip {
	switch s {
	case console.DeliveryDone:
		return chip{"good", "Delivered"}
	case console.DeliveryFailed:
		return chip{"bad", "Given up"}
	}
	return chip{"plain", "Waits"}
}

func (c *call) webhookPage(id console.ID, made *govern.MadeWebhook, problem error) error {
	p := webhookPage{Made: made, States: console.DeliveryStates(), Problem: problemOf(problem)}
	var before int64
	if c.r.Method == http.MethodGet {
		p.State = console.DeliveryState(c.r.FormValue("state"))
		if err := c.place(&before); err != nil {
			return err
		}
	}
	var err error
	if p.WebhookView, err = c.console().Webhook(c.ctx(), c.caller, id); err != nil {
		return err
	}
	var more bool
	if p.Rows, more, err = c.console().Deliveries(c.ctx(), c.caller, id, p.State, before, rowsPerPage); err != nil {
		return err
	}
	if more {
		p.Next = "/settings/webhooks/" + string(id) + "?state=" + string(p.State) + "&after=" + cursor(p.Rows[len(p.Rows)-1].Event)
	}
	p.Notice = webhookNotices[c.r.FormValue("done")]
	if since := c.console().Now().UTC().Add(-24 * time.Hour); p.WebhookView.State == console.WebhookStopped || !p.Failing.IsZero() {
		p.Since = p.Changed.UTC().Format(minuteFormat)
		if !p.Failing.IsZero() {
			p.Since = p.Failing.UTC().Format(minuteFormat)
		}
	} else {
		p.Since = since.Format(minuteFormat)
	}
	status := http.StatusOK
	if problem != nil {
		status = statusOf(problem)
	}
	return c.show(status, "webhook", p.Title(), p)
}

// minuteFormat is the format of a time in a form, in UTC.
const minuteFormat = "2006-01-02T15:04"

// webhookNotices tell what was done.
var webhookNotices = map[string]string{
	"tested":   "A test is on its way. Load this page again to see what became of it.",
	"replayed": "The events are on their way again, in the order of the log.",
}

func webhookShown(c *call) error {
	return c.webhookPage(console.ID(c.r.PathValue("webhook")), nil, nil)
}

// webhookDone shows the webhook after a command.
func (c *call) webhookDone(err error, done string) error {
	id := c.r.PathValue("webhook")
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		return c.webhookPage(console.ID(id), nil, err)
	}
	path := "/settings/webhooks/" + id
	if done != "" {
		path += "?done=" + done
	}
	return c.redirect(path)
}

func rotateWebhook(c *call) error {
	id := console.ID(c.r.PathValue("webhook"))
	made, err := c.console().RotateWebhook(c.ctx(), c.caller, id)
	if err != nil {
		return c.webhookDone(err, "")
	}
	return c.webhookPage(id, &made, nil)
}

func pauseWebhook(c *call) error {
	return c.webhookDone(c.console().PauseWebhook(c.ctx(), c.caller, console.ID(c.r.PathValue("webhook")), c.r.PostFormValue("pause") == "true"), "")
}

func testWebhook(c *call) error {
	return c.webhookDone(c.console().TestWebhook(c.ctx(), c.caller, console.ID(c.r.PathValue("webhook"))), "tested")
}

func replayDelivery(c *call) error {
	return c.webhookDone(c.console().ReplayDelivery(c.ctx(), c.caller, console.ID(c.r.PathValue("webhook")), console.ID(c.r.PathValue("delivery"))), "replayed")
}

func replayWebhook(c *call) error {
	since, err := time.Parse(minuteFormat, c.r.PostFormValue("since"))
	if err != nil {
		since = time.Time{} // refused
	}
	_, err = c.console().ReplayWebhook(c.ctx(), c.caller, console.ID(c.r.PathValue("webhook")), since, c.r.PostFormValue("what") != "all")
	return c.webhookDone(err, "replayed")
}

func removeWebhook(c *call) error {
	if err := c.console().RemoveWebhook(c.ctx(), c.caller, console.ID(c.r.PathValue("webhook"))); err != nil {
		return err
	}
	return c.redirect("/settings/webhooks")
}
