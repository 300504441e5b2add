package console

import "time"

// Denial is a call that was refused because its caller lacks a right.
type Denial struct {
	Route  string // of the page or call, for example "GET /people/new"
	Object string // the path that was asked for, with escapes (RFC 3986)
	Why    string
	Hidden bool // the caller was told that there is no such thing
}

const (
	// DenialQuiet is how long repeats of a denial are counted and not written as events.
	DenialQuiet = 24 * time.Hour
	// MaxDenials limits the denials of one actor, within an hour, that are told apart. More
	// are counted as one of their route, so that somebody who tries every address fills no
	// database.
	MaxDenials = 100
	// DenialKept is how long counts are kept after the last denial.
	DenialKept = 30 * 24 * time.Hour
)
