package console

import "time"

// Verdict is the evidence of a later sync about an operation.
type Verdict int

const (
	NoEvidence  Verdict = iota // nothing
	Verifies                   // the change happened
	Contradicts                // the change did not happen
)

// Sighting is an applied sync's view of the account and entitlement of an operation.
type Sighting struct {
	Kind       SyncKind
	Dispatched time.Time // when the sync's task was dispatched
	Covers     bool      // the sync contains the entitlement's resource, or the accounts for [AccountItself]
	Held       bool      // the entitlement is held; for [AccountItself] the account counts as present and enabled
	Direct     bool      // it is held directly; meaningless unless Held
}

// SettleTime is how long a sync may show the state before a change: upstreams answer from replicas, and
// connectors from caches.
const SettleTime = time.Minute

// Verify returns what a sync proves about an operation.
//
// Only a sync whose task was dispatched after the operation had finished counts; it contradicts the
// operation only if it was dispatched after [SettleTime]. Without an answer,
// a sync that was dispatched after the operation's task verifies it if it shows the wanted state. It
// contradicts the operation only if it was dispatched after the lease had ended, because until then
// the change could still be made. Uploaded files prove nothing, and neither do syncs that do not
// contain the resource.
//
// Revoking an entitlement that is still held through another one is verified: the direct grant is
// gone.
func Verify(o Operation, s Sighting) Verdict {
	if s.Kind == SyncUpload || !s.Covers || s.Dispatched.IsZero() || o.Dispatched.IsZero() && o.State != Manual {
		return NoEvidence
	}
	wanted := s.Held == (o.Verb == Grant)
	if o.Verb == Revoke && s.Held && !s.Direct && o.Entitlement != AccountItself {
		wanted = true
	}
	switch o.State {
	case Applied:
		switch {
		case o.Finished.IsZero() || !s.Dispatched.After(o.Finished):
			return NoEvidence
		case wanted:
			return Verifies
		case !s.Dispatched.After(o.Finished.Add(SettleTime)):
			return NoEvidence
		}
		return Contradicts
	case Failed, Declined:
		// Another person, or a retry by the connector, made the change.
		if wanted && !o.Finished.IsZero() && s.Dispatched.After(o.Finished) {
			return Verifies
		}
	case Manual:
		if wanted && s.Dispatched.After(o.Created) {
			return Verifies
		}
	case Dispatched, Unknown:
		switch {
		case !s.Dispatched.After(o.Dispatched):
		case wanted:
			return Verifies
		case !o.LeaseUntil.IsZero() && s.Dispatched.After(o.LeaseUntil):
			return Contradicts
		}
	}
	return NoEvidence
}

// MayResend reports whether the task of an operation without an answer may be dispatched again: the
// lease has ended, and a sync dispatched after that shows that the change was not made.
func MayResend(o Operation, s Sighting) bool {
	return (o.State == Unknown || o.State == Dispatched) && Verify(o, s) == Contradicts
}

// WantsSync reports whether a sync is needed to find out the result of an operation, and the
// earliest dispatch time with which it would prove something.
func (o Operation) WantsSync(now time.Time) (after time.Time, ok bool) {
	switch o.State {
	case Applied:
		return o.Finished, !o.Finished.IsZero()
	case Dispatched, Unknown:
		switch {
		case o.Dispatched.IsZero() || now.Before(o.lastSign().Add(AskAfter)):
		case now.After(o.LeaseUntil):
			return o.LeaseUntil, true
		default:
			return o.Dispatched, true
		}
	}
	return time.Time{}, false
}

// NextLook returns when an operation that waits for an answer or a sync must be looked at again;
// zero: never.
func (o Operation) NextLook() time.Time {
	switch o.State {
	case Queued:
		return o.Created.Add(OverdueAfter)
	case Dispatched:
		return o.lastSign().Add(UnknownAfter)
	case Unknown:
		return o.lastSign().Add(AskAfter)
	case Applied:
		return o.Finished
	}
	return time.Time{}
}
