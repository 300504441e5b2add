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
	Paused   bool
	// Directory says that the connector's accounts make people. Accounts of other
	// connectors are only matched to people.
	Directory bool
	// Rows numbers the rows that the connector's syncs show. A connector that continues
	// another one takes over its number, and with it the rows.
	Rows    int64
	Version int64
}

// Hosting says where a connector runs.
type Hosting string

// The kinds of hosting.
const (
	SelfHosted Hosting = "self-hosted" // a service that speaks the Baton protocol to the console
	Hosted     Hosting = "hosted"      // inside the console
	ByFile     Hosting = "file"        // people upload sync files
)

// Credential is a key of a connector. Only the public half is kept.
type Credential struct {
	ClientID  string
	Connector ID
	PublicKey []byte // Ed25519
	Created   time.Time
	CreatedBy ID        // person; "" for the console itself
	Expires   time.Time // zero when it does not
	Revoked   time.Time // zero while it is accepted
	LastUsed  time.Time
	LastHost  string
}

// Accepts reports whether the credential is accepted at a time.
func (c Credential) Accepts(at time.Time) bool {
	return (c.Revoked.IsZero() || at.Before(c.Revoked)) && (c.Expires.IsZero() || at.Before(c.Expires))
}
