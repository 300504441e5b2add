package console

import "time"

// Reason says why an account should hold an entitlement. Access ends with its last open
// reason.
type Reason struct {
	ID          ID
	App         ID
	Account     ResourceKey // 0 while the person has no account yet
	Person      ID          // for whom, while Account is 0
	Entitlement EntitlementKey
	Kind        ReasonKind
	Ref         string // what it comes from: a request, a rule, a campaign
	Created     time.Time
	CreatedBy   Actor
	Until       time.Time // zero when it is open-ended, or Lasts did not begin
	// Lasts is how long it holds once the access takes effect; 0 when Until says its end.
	// It begins when the connector says that the access was granted: that sets Until.
	Lasts    time.Duration
	Ended    time.Time // zero until somebody ended it before its time
	EndedBy  Actor
	EndedWhy string
}

// ReasonKind says what a reason comes from. To keep access in a review is a decision and
// not a reason.
type ReasonKind string

// The kinds of reasons.
const (
	ReasonRequest    ReasonKind = "request"    // an approved request
	ReasonManual     ReasonKind = "manual"     // a person with the right wrote it down
	ReasonBefore     ReasonKind = "before"     // access that stood before the console's own grant
	ReasonProfile    ReasonKind = "profile"    // a profile that the person has
	ReasonAutomation ReasonKind = "automation" // an automation granted it
	ReasonRule       ReasonKind = "rule"       // a rule expects it, for example a group of the identity provider
)

// ByRule reports whether a rule wrote the reason. A bar takes precedence over such reasons.
func (k ReasonKind) ByRule() bool {
	return k == ReasonProfile || k == ReasonAutomation || k == ReasonRule
}

// Open reports whether the reason holds at a time. The end itself is no longer part of it.
func (r Reason) Open(at time.Time) bool {
	return r.Ended.IsZero() && !r.expired(at)
}

func (r Reason) expired(at time.Time) bool { return !r.Until.IsZero() && !at.Before(r.Until) }

// KeepUntil returns the end of a reason after a review said to keep the access until a
// time. It only ever shortens a reason.
func (r Reason) KeepUntil(until time.Time) time.Time {
	if r.Until.IsZero() || until.Before(r.Until) {
		return until
	}
	return r.Until
}

// OpenReasons returns the reasons that hold at a time. Under a bar, reasons that rules
// wrote do not hold.
func OpenReasons(reasons []Reason, bar *Bar, at time.Time) []Reason {
	var open []Reason
	for _, r := range reasons {
		if r.Open(at) && !(bar.Active(at) && r.Kind.ByRule()) {
			open = append(open, r)
		}
	}
	return open
}

// Expiry returns when access ends by time: the latest end of the reasons that are open. ok
// is false when no reason is open, or when one is open-ended.
func Expiry(reasons []Reason, bar *Bar, at time.Time) (end time.Time, ok bool) {
	open := OpenReasons(reasons, bar, at)
	for _, r := range open {
		if r.Until.IsZero() {
			return time.Time{}, false
		}
		if r.Until.After(end) {
			end = r.Until
		}
	}
	return end, len(open) > 0
}

// ExpiredAt returns when access ended by time: the latest end of the reasons that ran out
// before a time and that nobody had ended. It is zero when a reason is open, or when none
// ran out.
func ExpiredAt(reasons []Reason, bar *Bar, at time.Time) time.Time {
	var end time.Time
	for _, r := range reasons {
		switch {
		case r.Open(at) && !(bar.Active(at) && r.Kind.ByRule()):
			return time.Time{}
		case r.Ended.IsZero() && r.expired(at) && r.Until.After(end):
			end = r.Until
		}
	}
	return end
}
