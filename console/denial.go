package console

import "time"

// Denial is a call that was refused because its caller lacks a right.
type Denial struct {
	Route  string // the pattern of the page or call, for example "GET /people/new"
	Object string // the requested path, with escapes (RFC 3986)
	Why    string
	Hidden bool // the caller was told that the object does not exist
}

// RefusedLogin is a login with a provider that the console refused.
type RefusedLogin struct {
	Provider string // name
	Issuer   string // of the identity; "" if the provider's answer proved none
	Subject  string
	Email    string // as the provider says
	Person   ID     // whom it was for; "" if nobody known
	Why      string
}

const (
	// DenialQuiet is how long repeated denials are counted instead of written as events.
	DenialQuiet = 24 * time.Hour
	// MaxDenials limits how many different denials of one actor are recorded within an hour. Further
	// ones are counted by their route only, so that trying every address does not fill the database.
	MaxDenials = 100
	// DenialKept is how long the counts are kept after the last denial.
	DenialKept = 30 * 24 * time.Hour
)
