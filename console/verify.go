package console

import "time"

// Evidence of a later sync about an operation.

// Verdict is the evidence that a sync gives about an operation.
type Verdict int

// The verdicts.
const (
	NoEvidence  Verdict = iota // the sync proves nothing about it
	Verifies                   // the sync shows what the operation was to bring about
	Contradicts                // the sync shows the opposite
)

// Sighting is what an applied sync shows about the account and entitlement of an
// operation.
type Sighting struct {
	Kind       SyncKind
	Dispatched time.Time // when the console handed out the sync's task
	Covers     bool      // the sync contains the entitlement's resource, or the accounts for [AccountItself]
	Held       bool      // the entitlement is held; for [AccountItself] the account counts as present and enabled
	Direct     bool      // it is held directly; meaningless unless Held
}

// Verify returns what a sync says about an operation.
//
// Only a sync whose task was handed out after the operation had finished counts. When no
// answer came, a sync handed out after the operation's task verifies it if it shows the
// wanted state. It contradicts the operation only if it was handed out after the lease had
// ended, because until then the change could still be made. Uploaded files prove nothing,
// and neither do syncs that do not contain the resource.
//
// A revoked entitlement that is still held through another one is verified: what could be
// revoked is gone.
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
		}
		return Contradicts
	case Failed, Declined:
		// Somebody else, or a retry that the connector made, brought it about.
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

// MayResend reports whether the task of an operation without an answer may be handed out
// again: the lease has ended, and a sync handed out after that shows that the change was
// not made.
func MayResend(o Operation, s Sighting) bool {
	return (o.State == Unknown || o.State == Dispatched) && Verify(o, s) == Contradicts
}

// WantsSync reports whether a sync is to be asked for, to find out what became of an
// operation, and from when on its task must be handed out to say something.
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

// NextLook returns when something is to be done about an operation that waits for an answer
// or for a sync; zero when nothing is.
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
