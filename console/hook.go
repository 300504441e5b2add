package console

import "time"

// Hook is an address of the console, /hooks/ID, to which another system posts what happens there. It
// signs as the Standard Webhooks specification describes it. Its secrets are stored apart, sealed.
type Hook struct {
	ID            ID
	Name          string
	On            bool
	Created       time.Time
	Creator       ID
	PreviousUntil time.Time // how long the previous secret is accepted too; zero if there is none
	Received      time.Time // when the last message was accepted; zero before the first
	Messages      int64     // number of accepted messages
	Refused       time.Time // when a message was last refused, to within a minute; zero: never
	Why           string    // why it was refused
	Version       int64
}

// HookMessage is a message that a hook accepted.
type HookMessage struct {
	ID       ID
	Hook     ID
	Sender   string    // the id that the sender gave it
	Sent     time.Time // the signed time of the attempt that was accepted
	Received time.Time
	Type     string // the type in its JSON; "" if it has none
	Body     []byte // JSON as it was received; it and the id are kept for [HookMessageKept]
	SHA256   []byte // of the body
	Size     int64
}

// HookReceived is the kind of the event for an accepted message. Its object is the hook.
const HookReceived = "webhook.received"

// The limits of hooks.
const (
	HookTolerance = 5 * time.Minute // between the clock of the sender and that of the console
	MaxHookBody   = 64 << 10        // bytes
	MaxHookSender = 256             // of the sender's id, in bytes
	MaxHooks      = 100
	// Ids are remembered for longer than a sender tries again.
	HookMessageKept = 30 * 24 * time.Hour
)

// MaxHookType limits the type of a message, in characters.
const MaxHookType = 200
