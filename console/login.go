package console

import "time"

// Login is a person's name, password and one-time codes for signing in. The secret of the codes is
// stored apart, sealed.
type Login struct {
	Person   ID
	Name     string // normalized by [NormalizeEmail]; unique
	Password string // a hash made by package login; "" until the person has chosen a password
	LastStep int64  // time step of the last accepted one-time code; each code works once
	// BreakGlass marks the one login for emergencies. All super administrators are notified when it
	// is used.
	BreakGlass bool
}

// BreakGlassUse describes the recent use of the emergency login.
type BreakGlassUse struct {
	Since time.Time // when its oldest open session began; zero if there is none
	Last  time.Time // when it was last used to sign in; zero: never
}

// breakGlassShown is how long a use of the emergency login is displayed.
const breakGlassShown = 7 * 24 * time.Hour

// Recent reports whether the emergency login was used recently enough to be displayed.
func (u BreakGlassUse) Recent(now time.Time) bool {
	return !u.Since.IsZero() || !u.Last.IsZero() && now.Before(u.Last.Add(breakGlassShown))
}

// LoginPassword is the login of an event whose person had signed in with a password.
const LoginPassword = "password"

// Session is a signed-in browser.
type Session struct {
	Person  ID
	Began   time.Time
	Proved  time.Time // when the person last authenticated; the zero time if unknown
	Seen    time.Time // when it was last used, to about a minute
	Address string    // network address that the person signed in from
	// Provider is the identity provider that was used; "" for a password.
	Provider string
	Hash     [32]byte // SHA-256 of the token; identifies the session
}

// The limits of a session.
const (
	SessionIdle = 8 * time.Hour  // since its last use
	SessionLife = 24 * time.Hour // since it began
	// StepUp is the greatest age of a login for decisions that require a recent one.
	StepUp = 10 * time.Minute
)

// Ended reports whether a session has ended.
func (s Session) Ended(now time.Time) bool {
	return !now.Before(s.Seen.Add(SessionIdle)) || !now.Before(s.Began.Add(SessionLife))
}

// Recent reports whether the person signed in recently enough for sensitive decisions.
func (s Session) Recent(now time.Time) bool { return now.Before(s.Proved.Add(StepUp)) }

// Attempts counts consecutive failed logins under one name or from one address.
type Attempts struct {
	Failures int
	Last     time.Time
}

// The throttle of logins. A name is delayed from the sixth consecutive failure on, and the delay
// doubles each time. An address may be shared by many people; it is delayed from the 51st failure
// on.
const (
	attemptsPerName    = 5
	attemptsPerAddress = 50
	attemptsWait       = time.Second
	attemptsMaxWait    = 15 * time.Minute
)

// NameOpens returns when the next login under the name is allowed.
func (a Attempts) NameOpens() time.Time { return a.opens(attemptsPerName) }

// AddressOpens returns when the next login from the address is allowed.
func (a Attempts) AddressOpens() time.Time { return a.opens(attemptsPerAddress) }

func (a Attempts) opens(free int) time.Time {
	if a.Failures < free {
		return a.Last
	}
	wait := attemptsMaxWait
	if n := a.Failures - free; n < 10 { // 2^10 seconds are more than the longest delay
		wait = min(wait, attemptsWait<<n)
	}
	return a.Last.Add(wait)
}
