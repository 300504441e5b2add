package console

import "time"

// Login is how a person signs in with a name, a password and one-time codes. The secret of
// the codes is sealed apart from it.
type Login struct {
	Person   ID
	Name     string // normalized by [NormalizeEmail]; unique
	Password string // as package login hashes it; "" until the person has chosen one
	LastStep int64  // of the last one-time code that was accepted: each works once
	// BreakGlass marks the one login for emergencies. Its use is reported to everybody
	// who is super administrator.
	BreakGlass bool
}

// BreakGlassUse is how the login for emergencies is used.
type BreakGlassUse struct {
	Since time.Time // when the oldest of its sessions began; zero if it has none
	Last  time.Time // when somebody signed in with it last; zero if nobody ever did
}

// breakGlassShown is how long a use of the login for emergencies is shown.
const breakGlassShown = 7 * 24 * time.Hour

// Recent reports whether the login for emergencies was used so recently that people are to
// know of it.
func (u BreakGlassUse) Recent(now time.Time) bool {
	return !u.Since.IsZero() || !u.Last.IsZero() && now.Before(u.Last.Add(breakGlassShown))
}

// Session is what a browser has after its person signed in.
type Session struct {
	Person  ID
	Began   time.Time
	Proved  time.Time // when the person last proved who it is; the zero time if that is not known
	Seen    time.Time // when it was last used, to about a minute
	Address string    // network address that the person signed in from
	// Provider is the provider that the person signed in with; "" for a password.
	Provider string
	Hash     [32]byte // of its token; it names the session
}

// The ends of a session.
const (
	SessionIdle = 8 * time.Hour  // after its last use
	SessionLife = 24 * time.Hour // after it began
	// StepUp is how old a login may be for a decision that asks for a recent one.
	StepUp = 10 * time.Minute
)

// Ended reports whether a session has ended.
func (s Session) Ended(now time.Time) bool {
	return !now.Before(s.Seen.Add(SessionIdle)) || !now.Before(s.Began.Add(SessionLife))
}

// Recent reports whether the person signed in so recently that sensitive decisions are
// allowed.
func (s Session) Recent(now time.Time) bool { return now.Before(s.Proved.Add(StepUp)) }

// Attempts counts the failed logins in a row of one login name, or from one address.
type Attempts struct {
	Failures int
	Last     time.Time
}

// The throttle of logins. A name waits from the sixth failure in a row on, twice as long
// each time; an address, which many people may share, from the fifty-first on.
const (
	attemptsPerName    = 5
	attemptsPerAddress = 50
	attemptsWait       = time.Second
	attemptsMaxWait    = 15 * time.Minute
)

// NameOpens returns when the next login under a name is allowed.
func (a Attempts) NameOpens() time.Time { return a.opens(attemptsPerName) }

// AddressOpens returns when the next login from an address is allowed.
func (a Attempts) AddressOpens() time.Time { return a.opens(attemptsPerAddress) }

func (a Attempts) opens(free int) time.Time {
	if a.Failures < free {
		return a.Last
	}
	wait := attemptsMaxWait
	if n := a.Failures - free; n < 10 { // 2^10 seconds are more than the longest wait
		wait = min(wait, attemptsWait<<n)
	}
	return a.Last.Add(wait)
}
