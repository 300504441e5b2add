package console

import "time"

// Connector is one source of an app's data: a Baton connector that runs elsewhere, one that runs
// inside the console, or uploaded files.
type Connector struct {
	ID       ID
	App      ID
	Name     string // used in client ids and logs
	Product  string // the connector's own name for itself; "" until its first Hello
	Hosting  Hosting
	Owners   []ID // persons
	Interval time.Duration
	Cron     string // when it syncs, instead of Interval; see package schedule
	Zone     string // time zone of Cron; "" means UTC
	Paused   bool
	// Directory makes the connector's accounts people. Accounts of other connectors are only matched
	// to people.
	Directory bool
	// Stream identifies the rows that the connector's syncs show. A connector that replaces another
	// one takes over its stream, and so its rows.
	Stream  Stream
	Version int64
	Removed time.Time // zero if it is there; its history stays
}

// Stream numbers a sequence of syncs whose rows continue each other.
type Stream int64

// Hosting is where a connector runs.
type Hosting string

const (
	SelfHosted Hosting = "self-hosted" // a service that speaks the Baton protocol to the console
	Hosted     Hosting = "hosted"      // inside the console
	ByFile     Hosting = "file"        // people upload sync files
)

// DueSync is the kind of the due rows for scheduled syncs. They refer to the connector.
const DueSync = "sync.schedule"
