package console

import "time"

// Connector is one source of an app's rows: a Baton connector that runs elsewhere, one
// that runs inside the console, or files that people upload.
type Connector struct {
	ID       ID
	App      ID
	Name     string // as in client ids and logs
	Product  string // what the connector says it is; "" until its first Hello
	Hosting  Hosting
	Owners   []ID // persons
	Interval time.Duration
	Cron     string // when it syncs, in place of Interval; see package schedule
	Zone     string // time zone of Cron; "" means UTC
	Paused   bool
	// Directory says that the connector's accounts make people. Accounts of other
	// connectors are only matched to people.
	Directory bool
	// Stream numbers the rows that the connector's syncs show. A connector that continues
	// another one takes over its stream, and with it the rows.
	Stream  Stream
	Version int64
}

// Stream numbers a sequence of syncs whose rows continue each other.
type Stream int64

// Hosting says where a connector runs.
type Hosting string

// The kinds of hosting.
const (
	SelfHosted Hosting = "self-hosted" // a service that speaks the Baton protocol to the console
	Hosted     Hosting = "hosted"      // inside the console
	ByFile     Hosting = "file"        // people upload sync files
)

// DueSync is the kind of the due rows of connectors that are to sync. They refer to the
// connector.
const DueSync = "sync.schedule"
