package api

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// webhookMessage is a webhook.
type webhookMessage struct {
	ID                   string       `json:"id"`
	Kind                 string       `json:"kind"`    // "standard" or "chat"
	Address              string       `json:"address"` // the URL without what is secret in it
	Description          string       `json:"description"`
	Events               list[string] `json:"events"` // "*" for all
	State                string       `json:"state"`
	StateSince           stamp        `json:"stateSince"`
	Why                  string       `json:"why"`
	CreatedAt            stamp        `json:"createdAt"`
	CreatorID            string       `json:"creatorId"`
	DeliveredAt          stamp        `json:"deliveredAt"`
	FailingSince         stamp        `json:"failingSince"`
	PreviousSecretWorks  stamp        `json:"previousSecretWorksUntil"`
	DeliveriesWaiting    int64        `json:"deliveriesWaiting,string"`
	DeliveriesDelivered  int64        `json:"deliveriesDelivered,string"`
	DeliveriesFailed     int64        `json:"deliveriesFailed,string"`
	DeliveriesPausedHere bool         `json:"paused"` // nothing leaves the console, which was restored or copied
}

// allEvents stands for all kinds of events.
const allEvents = "*"

func webhookOf(v govern.WebhookView) webhookMessage {
	m := webhookMessage{ID: string(v.ID), Kind: string(v.Kind), Address: v.Address, Description: v.Description, Events: v.Events, State: string(v.State), StateSince: stamp(v.Changed), Why: v.Why,
		CreatedAt: stamp(v.Created), CreatorID: string(v.Creator), DeliveredAt: stamp(v.Delivered), FailingSince: stamp(v.Failing), PreviousSecretWorks: stamp(v.PreviousUntil),
		DeliveriesWaiting: int64(v.Counts[console.DeliveryWaiting]), DeliveriesDelivered: int64(v.Counts[console.DeliveryDone]), DeliveriesFailed: int64(v.Counts[console.DeliveryFailed]),
		DeliveriesPausedHere: v.Paused}
	if len(m.Events) == 0 {
		m.Events = list[string]{allEvents}
	}
	return m
}

// chosenEvents returns the kinds of events that a client named.
func chosenEvents(events []string) ([]string, error) {
	if len(events) == 0 {
		return nil, baton.Errorf(baton.Invalid, "events is missing").WithFix(`Name the kinds of events, for example ["request.granted","access.*"], or ["*"] for all.`)
	}
	for _, e := range events {
		if e == allEvents {
			return nil, nil
		}
	}
	return events, nil
}

type webhookResponse struct {
	Webhook webhookMessage `json:"webhook"`
}

// webhookSecretResponse has the secret, which is shown once.
type webhookSecretResponse struct {
	Webhook webhookMessage `json:"webhook"`
	Secret  string         `json:"secret"` // "" for a chat
}

// webhooksResponse is the list of webhooks. There are at most [console.MaxWebhooks].
type webhooksResponse struct {
	List          list[webhookMessage] `json:"list"`
	NextPageToken string               `json:"nextPageToken"`
}

func listWebhooks(c *call) (*webhooksResponse, error) {
	v, err := c.Console.Webhooks(c.ctx(), c.caller)
	var out webhooksResponse
	for _, w := range v.Webhooks {
		out.List = append(out.List, webhookOf(w))
	}
	return &out, err
}

func getWebhook(c *call) (*webhookResponse, error) {
	v, err := c.Console.Webhook(c.ctx(), c.caller, c.path("webhook"))
	return &webhookResponse{webhookOf(v)}, err
}

type createWebhookRequest struct {
	Kind        string   `json:"kind"`
	URL         string   `json:"url"`
	Description string   `json:"description"`
	Events      []string `json:"events"`
}

func createWebhook(c *call, r createWebhookRequest) (*webhookSecretResponse, error) {
	events, problem := chosenEvents(r.Events)
	kind := console.WebhookKind(r.Kind)
	if kind == "" {
		kind = console.WebhookSigned
	}
	if problem != nil { // whoever may not add any learns that first
		if _, err := c.Console.AddWebhook(c.ctx(), c.caller, govern.WebhookInput{}); baton.KindOf(err) != baton.Invalid {
			return nil, err
		}
		return nil, problem
	}
	made, err := c.Console.AddWebhook(c.ctx(), c.caller, govern.WebhookInput{Kind: kind, URL: baton.NewSecret(r.URL), Description: r.Description, Events: events})
	if err != nil {
		return nil, err
	}
	return c.madeWebhook(made)
}

func (c *call) madeWebhook(m govern.MadeWebhook) (*webhookSecretResponse, error) {
	v, err := c.Console.Webhook(c.ctx(), c.caller, m.ID)
	if err != nil { // the caller may change webhooks, so may see them
		return nil, err
	}
	return &webhookSecretResponse{webhookOf(v), m.Secret.Reveal()}, nil
}

type updateWebhookRequest struct {
	Webhook struct {
		URL         string   `json:"url"`
		Description string   `json:"description"`
		Events      []string `json:"events"`
	} `json:"webhook"`
	UpdateMask mask `json:"updateMask"`
}

func updateWebhook(c *call, r updateWebhookRequest) (*webhookResponse, error) {
	fields, err := r.UpdateMask.fields(c.body, "webhook", "url", "description", "events")
	if err != nil {
		return nil, err
	}
	v, err := c.Console.Webhook(c.ctx(), c.caller, c.path("webhook"))
	if err != nil {
		return nil, err
	}
	in := govern.WebhookInput{Description: v.Description, Events: v.Events}
	for _, f := range fields {
		switch f {
		case "url":
			in.URL = baton.NewSecret(r.Webhook.URL)
		case "description":
			in.Description = r.Webhook.Description
		case "events":
			if in.Events, err = chosenEvents(r.Webhook.Events); err != nil {
				return nil, err
			}
		}
	}
	if err := c.Console.ChangeWebhook(c.ctx(), c.caller, v.ID, v.Version, in); err != nil {
		return nil, err
	}
	return getWebhook(c)
}

func rotateWebhook(c *call) (*webhookSecretResponse, error) {
	made, err := c.Console.RotateWebhook(c.ctx(), c.caller, c.path("webhook"))
	if err != nil {
		return nil, err
	}
	return c.madeWebhook(made)
}

func pauseWebhook(c *call) (*webhookResponse, error)  { return c.webhookPaused(true) }
func resumeWebhook(c *call) (*webhookResponse, error) { return c.webhookPaused(false) }

func (c *call) webhookPaused(pause bool) (*webhookResponse, error) {
	if err := c.Console.PauseWebhook(c.ctx(), c.caller, c.path("webhook"), pause); err != nil {
		return nil, err
	}
	return getWebhook(c)
}

func testWebhook(c *call) (*empty, error) {
	return &empty{}, c.Console.TestWebhook(c.ctx(), c.caller, c.path("webhook"))
}

func deleteWebhook(c *call) (*empty, error) {
	return &empty{}, c.Console.RemoveWebhook(c.ctx(), c.caller, c.path("webhook"))
}

// deliveryMessage is a delivery of an event to a webhook.
type deliveryMessage struct {
	ID        string `json:"id"`
	WebhookID string `json:"webhookId"`
	Event     int64  `json:"event,string"` // its number in the audit log
	Type      string `json:"type"`
	State     string `json:"state"`
	CreatedAt stamp  `json:"createdAt"`
	NextAt    stamp  `json:"nextAt"`
	EndedAt   stamp  `json:"endedAt"`
	Attempts  int    `json:"attempts"`
	LastAt    stamp  `json:"lastAt"`
	Status    int    `json:"status"`
	Answer    string `json:"answer"`
	Detail    string `json:"detail"`
}

type deliveriesResponse struct {
	List          list[deliveryMessage] `json:"list"`
	NextPageToken string                `json:"nextPageToken"`
}

func listDeliveries(c *call) (*deliveriesResponse, error) {
	p, err := c.query()
	if err != nil {
		return nil, err
	}
	var before int64
	if err := p.place("deliveries", &before); err != nil {
		return nil, err
	}
	all, more, err := c.Console.Deliveries(c.ctx(), c.caller, c.path("webhook"), console.DeliveryState(c.r.URL.Query().Get("state")), before, p.size())
	var out deliveriesResponse
	for _, d := range all {
		out.List = append(out.List, deliveryMessage{string(d.ID), string(d.Webhook), d.Event, d.Kind, string(d.State), stamp(d.Created), stamp(d.Next), stamp(d.Ended), d.Attempts, stamp(d.Last), d.Status, d.Answer, d.Detail})
	}
	if more {
		out.NextPageToken = token("deliveries", all[len(all)-1].Event)
	}
	return &out, err
}

func replayDelivery(c *call) (*empty, error) {
	return &empty{}, c.Console.ReplayDelivery(c.ctx(), c.caller, c.path("webhook"), c.path("delivery"))
}

type replayWebhookRequest struct {
	Since      string `json:"since"`      // RFC 3339
	Everything bool   `json:"everything"` // also what was delivered
}

type replayWebhookResponse struct {
	Events int64 `json:"events,string"` // number of events that are looked at
}

func replayWebhook(c *call, r replayWebhookRequest) (*replayWebhookResponse, error) {
	since, err := time.Parse(time.RFC3339, r.Since)
	if err != nil && r.Since != "" {
		return nil, baton.Errorf(baton.Invalid, "%q is no time", r.Since).WithFix("Write it like 2026-03-01T12:00:00Z.")
	}
	n, err := c.Console.ReplayWebhook(c.ctx(), c.caller, c.path("webhook"), since, !r.Everything)
	return &replayWebhookResponse{n}, err
}
