package console

import (
	"errors"

	"baton"
)

// Guard names a rule that refuses changes.
type Guard string

const (
	GuardAdmins   Guard = "minimum-of-admins"
	GuardSelf     Guard = "self-decision"
	GuardAbsence  Guard = "absence-is-no-evidence"
	GuardMastered Guard = "mastered-elsewhere"
	GuardHeld     Guard = "held-sync"
	GuardPaused   Guard = "paused"
	GuardBar      Guard = "bar"
	GuardDirect   Guard = "not-direct"
	GuardNobody   Guard = "nobody-to-decide"
	GuardPolicy   Guard = "policy"
	GuardRequired Guard = "requirement"
	GuardSeats    Guard = "seats"
)

// Refusal is the error of a guard. Its kind is [baton.Refused].
type Refusal struct {
	Guard Guard
	// Waits says that the change is not forbidden, but may not be made now: an operation for
	// it waits.
	Waits bool
	err   *baton.Error
}

func refuse(g Guard, fix, format string, args ...any) *Refusal {
	return &Refusal{Guard: g, err: baton.Errorf(baton.Refused, format, args...).WithFix("%s", fix)}
}

// notNow is refuse for what may be made later.
func notNow(g Guard, fix, format string, args ...any) *Refusal {
	r := refuse(g, fix, format, args...)
	r.Waits = true
	return r
}

func (r *Refusal) Error() string { return r.err.Error() }

func (r *Refusal) Unwrap() error { return r.err }

// Decision is a person's decision about an access.
type Decision struct {
	Actor      ID // the person who decides
	OnBehalfOf ID // the person for whom the actor decides as a delegate; "" without delegation
	Requester  ID // the person who asked; "" if nobody did
	Subject    ID // the person whose access it is; "" for an account without an owner
}

// CheckSelf refuses decisions about one's own access or request, also through a delegate and with
// every right. canonical maps a person to the one it was merged into.
func (d Decision) CheckSelf(canonical func(ID) ID) error {
	for _, who := range []ID{d.Actor, d.OnBehalfOf} {
		if who == "" {
			continue
		}
		switch who = canonical(who); {
		case d.Subject != "" && who == canonical(d.Subject):
			return refuse(GuardSelf, "Let another approver decide.", "nobody decides about their own access")
		case d.Requester != "" && who == canonical(d.Requester):
			return refuse(GuardSelf, "Let another approver decide.", "nobody decides about their own request")
		}
	}
	return nil
}

// Proposal is a change that is about to become an operation, or an operation that is about to be
// dispatched. Both are checked in the transaction that writes it, after it has locked the app's row.
type Proposal struct {
	Change   Change
	Cause    Cause
	Admins   Admins
	Override *Override // lifts the minimum of administrators; usually nil
	Bar      *Bar
	Fact     *Fact // in the head; nil if it is not held, and for [AccountItself]
	// MasteredBy names where it is decided who holds the entitlement, such as the identity provider that
	// controls its group; "" for the app. ComeBacks counts how often removed access came back.
	MasteredBy string
	ComeBacks  int
	// Missing says that the newest sync does not show the account, and that no second one
	// confirms it.
	Missing bool
	// Unmet is why the person does not meet the requirement of the entitlement, or may not; "" if the
	// person does, and for what removes access.
	Unmet string
	// Seats refuses an account that needs a seat which was not purchased; nil if it needs none. See
	// [Seats.CheckSeats].
	Seats error
	// ByHand means that a person makes the change on a page after seeing the warnings.
	ByHand          bool
	ConnectorHeld   bool // the connector's newest sync is held
	ConnectorPaused bool
	WritesPaused    bool // for the whole console
}

// Override lets a change go below the minimum of administrators. It takes two people and a reason.
type Override struct {
	First, Second ID // canonical persons
	Why           string
}

// maxComeBacks is how often removed access may come back before the console stops trying.
const maxComeBacks = 2

// Check applies every guard, the most serious first, and returns the first refusal. No cause is
// exempt from a guard.
func (p Proposal) Check() error {
	removes := p.Change.Verb == Revoke
	if removes && p.Cause.Evidence == EvidenceAbsence {
		return refuse(GuardAbsence, "Let a person decide.", "something missing, unused or not read is no evidence: it never removes access by itself")
	}
	if p.Missing {
		return notNow(GuardAbsence, "Wait for the next sync.", "the newest sync does not show the account, and one sync alone is no evidence that it is gone")
	}
	if before, after, below := p.Admins.lowers(p.Change); below && !p.Override.valid() {
		return refuse(GuardAdmins, "Make somebody else an administrator first, or let two people confirm an exception.",
			"it would leave %d of %d administrators; the minimum is %d", after, before, p.Admins.Minimum)
	}
	if !removes && p.Cause.byRule() && p.Bar != nil && p.Bar.Lifted.IsZero() {
		return refuse(GuardBar, "A person must lift the bar first.", "somebody removed this access: a rule cannot grant it again")
	}
	if !removes && p.Unmet != "" {
		return notNow(GuardRequired, "Meet the requirement, or let somebody approve an exemption.", "the requirement is not met: %s", p.Unmet)
	}
	if !removes && p.Seats != nil {
		return p.Seats
	}
	if removes && p.Fact != nil && p.Fact.Immutable {
		return refuse(GuardMastered, "Remove it in the application.", "the connector says that it cannot be revoked")
	}
	if removes && p.Fact != nil && !p.Fact.Direct() {
		return refuse(GuardDirect, "Remove it where it comes from.", "it is not held directly but through another entitlement")
	}
	if removes && p.ComeBacks >= maxComeBacks {
		by := p.MasteredBy
		if by == "" {
			by = "the identity provider, or whatever else manages it"
		}
		return refuse(GuardMastered, "Remove it in "+by+".", "it came back %d times, because %s puts it back", p.ComeBacks, by)
	}
	return nil
}

// CheckDispatch applies [Proposal.Check] and the guards that delay an operation without ending it.
func (p Proposal) CheckDispatch() error {
	err := p.Check()
	if refusal := (*Refusal)(nil); err != nil && !(errors.As(err, &refusal) && refusal.Waits) {
		return err
	}
	switch {
	case p.WritesPaused:
		return notNow(GuardPaused, "Resume writes in the settings.", "all writes are paused")
	case p.ConnectorPaused:
		return notNow(GuardPaused, "Resume the connector.", "the connector is paused")
	}
	if held := p.CheckHeld(); held != nil {
		return held
	}
	return err
}

// CheckHeld refuses what waits while the connector's newest sync is held. A person may still
// disable an account.
func (p Proposal) CheckHeld() error {
	if p.ConnectorHeld && !(p.ByHand && p.Change.Verb == Revoke && p.Change.Entitlement == AccountItself) {
		return notNow(GuardHeld, "Confirm or discard the held sync.", "the connector's newest sync is held")
	}
	return nil
}

// CheckRetry refuses to hand an operation out again of which nobody knows yet what became: a
// missing answer is no evidence that nothing was done.
func (o Operation) CheckRetry() error {
	if o.State == Dispatched || o.State == Unknown {
		return notNow(GuardAbsence, "Wait for the sync that shows what became of it.", "no answer came yet, and that is no evidence that it was not carried out")
	}
	return nil
}

// Warnings returns what a person should know before confirming the change.
func (p Proposal) Warnings() []string {
	var w []string
	if p.MasteredBy != "" {
		w = append(w, "Who holds this is decided in "+p.MasteredBy+". A change made here may be undone there; one made there stays.")
	}
	if p.ConnectorHeld {
		w = append(w, "The connector's newest sync is held. What is shown here may be out of date.")
	}
	if before, after, below := p.Admins.lowers(p.Change); !below && after < before {
		w = append(w, "One administrator fewer will remain.")
	}
	return w
}

func (c Cause) byRule() bool { return c.Kind == CauseAutomation }

// valid reports whether two different people confirmed the override with a reason.
func (o *Override) valid() bool {
	return o != nil && o.First != "" && o.Second != "" && o.First != o.Second && o.Why != ""
}
