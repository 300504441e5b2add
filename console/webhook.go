package console

import (
	"encoding/json"
	"time"
)

// Webhook is an address outside of the console to which events are posted. Its URL is stored apart,
// sealed, because URLs of chats are secrets; so are the secrets that sign what is posted.
type Webhook struct {
	ID          ID
	Kind        WebhookKind
	Address     string // the URL as far as it may be displayed
	Description string
	Events      []string // the kinds of events, "noun.verb" or "noun.*"; nil for all
	State       WebhookState
	Changed     time.Time // when the state changed
	Why         string    // why it is stopped; "" otherwise
	Since       int64     // number of the last event before the webhook was added
	Created     time.Time
	Creator     ID
	Version     int64

	// PreviousUntil is how long the previous secret signs too; zero if there is none.
	PreviousUntil time.Time
	// Delivered is the time of the last successful delivery; zero if there was none.
	Delivered time.Time
	// Failing is the time of the first failure after it; zero if the last attempt succeeded. Failures
	// counts the failed attempts since then, and Ready is when the next attempt may be made.
	Failing  time.Time
	Failures int
	Ready    time.Time
}

// WebhookKind is the form of what is posted to a webhook.
type WebhookKind string

const (
	WebhookSigned WebhookKind = "standard" // signed JSON, as the Standard Webhooks specification describes it
	WebhookChat   WebhookKind = "chat"     // sentences for a channel of a chat
)

// WebhookKinds lists the kinds.
func WebhookKinds() []WebhookKind { return []WebhookKind{WebhookSigned, WebhookChat} }

// WebhookState is the state of a webhook.
type WebhookState string

const (
	WebhookOn      WebhookState = "on"
	WebhookPaused  WebhookState = "paused"  // a person paused it: deliveries wait
	WebhookStopped WebhookState = "stopped" // the console stopped it: nothing is delivered until a person resumes it
)

// WebhookTested is the kind of the event that goes to one webhook only, whatever it subscribes to.
const WebhookTested = "webhook.tested"

// Wants reports whether the webhook subscribes to an event.
func (w Webhook) Wants(e Event) bool {
	if e.Kind == WebhookTested {
		return e.Object == string(w.ID)
	}
	if e.Kind == AutomationPosted {
		var data struct{ Webhook ID }
		return json.Unmarshal(e.Data, &data) == nil && data.Webhook == w.ID
	}
	return len(w.Events) == 0 || chosenKind(w.Events, e.Kind)
}

// WebhookDelivery is one event for one webhook. There is at most one for each event and webhook: a
// replay tries the same delivery again.
type WebhookDelivery struct {
	ID       ID
	Webhook  ID
	Event    int64  // number of the event
	Kind     string // of the event
	State    DeliveryState
	Created  time.Time
	Next     time.Time // when it is tried next; zero unless it waits
	Ended    time.Time // zero while it waits
	Attempts int
	Last     time.Time // of the last attempt; zero before the first
	Status   int       // HTTP status of the last answer; 0 if there was none
	Answer   string    // beginning of its body, made printable
	Detail   string    // the problem, for display
}

// DeliveryState is the state of a delivery.
type DeliveryState string

const (
	DeliveryWaiting DeliveryState = "waiting"   // for its first or next attempt
	DeliveryDone    DeliveryState = "delivered" // the receiver answered 2xx
	DeliveryFailed  DeliveryState = "failed"    // was given up; a person can replay it
)

// DeliveryStates lists the states.
func DeliveryStates() []DeliveryState {
	return []DeliveryState{DeliveryWaiting, DeliveryDone, DeliveryFailed}
}

// deliveryDelays are the times between attempts, as the Standard Webhooks specification suggests
// them. The last attempt is made after a little more than three days.
var deliveryDelays = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour,
	14 * time.Hour, 20 * time.Hour, 24 * time.Hour}

// Retry returns when a delivery is tried again. ok is false if it is given up. spread, from 0 to 1,
// makes the time up to a tenth later, so that deliveries that failed together are not repeated
// together. after is how long the receiver asked to wait.
func (d WebhookDelivery) Retry(now time.Time, spread float64, after time.Duration) (when time.Time, ok bool) {
	if d.Attempts > len(deliveryDelays) {
		return time.Time{}, false
	}
	delay := deliveryDelays[max(d.Attempts, 1)-1]
	delay += time.Duration(float64(delay) / 10 * spread)
	return now.Add(max(delay, min(after, maxRetryAfter))), true
}

const maxRetryAfter = 24 * time.Hour

// The limits of webhooks.
const (
	WebhookLife    = 76 * time.Hour      // how long a delivery waits at most, also while its webhook is paused
	WebhookKept    = 30 * 24 * time.Hour // how long deliveries are listed
	WebhookOverlap = 24 * time.Hour      // how long the previous secret signs too
	// A webhook is stopped after this many failures in a row over this long.
	WebhookFailures = 5
	WebhookFails    = 3 * 24 * time.Hour
	MaxWebhooks     = 100
)

// Pause returns how long a webhook is left alone after the given number of failures in a row. A
// receiver that is down is not asked for every event.
func (w Webhook) Pause() time.Duration {
	return min(time.Second<<min(max(w.Failures, 1), 10), 5*time.Minute)
}

// Broken reports whether a webhook has failed for so long that it is stopped.
func (w Webhook) Broken(now time.Time) bool {
	return !w.Failing.IsZero() && w.Failures >= WebhookFailures && now.Sub(w.Failing) >= WebhookFails
}

// The kinds of the due rows of webhooks. They refer to the webhook.
const (
	DueWebhook = "webhook"        // has deliveries that wait
	DueReplay  = "webhook.replay" // past events are to be delivered
)
