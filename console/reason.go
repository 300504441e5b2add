package console

import "time"

// Reason is why an account should hold an entitlement. Access ends with its last open reason.
type Reason struct {
	ID          ID
	App         ID
	Account     ResourceKey // 0 while the person has no account yet
	Person      ID          // set while Account is 0
	Entitlement EntitlementKey
	Kind        ReasonKind
	Ref         string // its source: a request, a rule, a campaign
	Created     time.Time
	CreatedBy   Actor
	Until       time.Time // zero if it has no end, or if Lasts has not started
	// Lasts is the duration once the access takes effect; 0 if Until is the end. When the connector
	// reports the grant, Until is set from it.
	Lasts    time.Duration
	Ended    time.Time // when somebody ended it early; else zero
	EndedBy  Actor
	EndedWhy string
}

// ReasonKind is the source of a reason. A review that keeps an access is a decision, not a reason.
type ReasonKind string

const (
	ReasonRequest    ReasonKind = "request"    // an approved request
	ReasonManual     ReasonKind = "manual"     // a person with the right added it
	ReasonBefore     ReasonKind = "before"     // the access existed before the console granted it
	ReasonProfile    ReasonKind = "profile"    // a profile of the person
	ReasonAutomation ReasonKind = "automation" // an automation granted it
	ReasonRule       ReasonKind = "rule"       // a rule expects it, for example a group of the identity provider
)

// ByRule reports whether a rule added the reason. A bar takes precedence over such reasons.
func (k ReasonKind) ByRule() bool {
	return k == ReasonProfile || k == ReasonAutomation || k == ReasonRule
}

// Open reports whether the reason is in force at a time, which excludes the end itself.
func (r Reason) Open(at time.Time) bool {
	return r.Ended.IsZero() && !r.expired(at)
}

func (r Reason) expired(at time.Time) bool { return !r.Until.IsZero() && !at.Before(r.Until) }

// KeepUntil returns the end of a reason after a review decided to keep the access until a time. It
// only shortens a reason.
func (r Reason) KeepUntil(until time.Time) time.Time {
	if r.Until.IsZero() || until.Before(r.Until) {
		return until
	}
	return r.Until
}

// OpenReasons returns the reasons in force at a time. A bar excludes those from rules.
func OpenReasons(reasons []Reason, bar *Bar, at time.Time) []Reason {
	var open []Reason
	for _, r := range reasons {
		if r.Open(at) && !(bar.Active(at) && r.Kind.ByRule()) {
			open = append(open, r)
		}
	}
	return open
}

// Expiry returns when access expires: the latest end of the open reasons. ok is false if no reason
// is open, or if one has no end.
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

// ExpiredAt returns when access expired: the latest end of the reasons that ran out before a time
// without being ended early. It is zero if a reason is open, or if none ran out.
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
