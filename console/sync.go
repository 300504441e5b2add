package console

import "time"

// Sync is one reading of an upstream by a connector.
type Sync struct {
	ID         ID
	Number     SyncNumber // 0 until its rows are written
	Connector  ID
	Stream     Stream // the connector's stream when the sync was received
	Task       ID     // "" for uploads and imports
	Kind       SyncKind
	State      SyncState
	Dispatched time.Time // when the task was dispatched, by the console's clock; zero for uploads
	Began      time.Time // according to the file
	Received   time.Time
	Applied    time.Time
	File       ID // raw file; "" when it was deleted
	SHA256     []byte
	Size       int64
	Counts     Counts
	Holds      []Hold
	Why        string // why it was refused, discarded or failed
	// Scope lists the entitlements that a targeted sync covers.
	Scope []EntitlementKey
}

// SyncKind is how much of an upstream a sync covers, and how it was received.
type SyncKind string

const (
	SyncFull     SyncKind = "full"
	SyncTargeted SyncKind = "targeted" // the grants of some resources
	SyncPartial  SyncKind = "partial"  // other partial files; stored and not applied
	SyncUpload   SyncKind = "upload"   // a full file that a person uploaded
	SyncImport   SyncKind = "import"   // a full file from before the connector's first live sync
)

// Full reports whether syncs of the kind show everything the connector reads.
func (k SyncKind) Full() bool { return k == SyncFull || k == SyncUpload || k == SyncImport }

// SyncState is the state of a sync.
type SyncState string

const (
	SyncReceived   SyncState = "received"   // the file is stored and not read yet
	SyncStaging    SyncState = "staging"    // its rows are being written
	SyncApplied    SyncState = "applied"    // its rows are visible
	SyncHeld       SyncState = "held"       // it removes too much; a person must confirm it
	SyncConfirmed  SyncState = "confirmed"  // a person confirmed it; its rows are not written yet
	SyncDiscarded  SyncState = "discarded"  // a person discarded it
	SyncSuperseded SyncState = "superseded" // it began before a sync that is applied, or a newer one replaced it while held
	SyncRefused    SyncState = "refused"    // the file is damaged, foreign or too large
	SyncStored     SyncState = "stored"     // a partial file: kept and not applied
)

// Counts are the numbers of rows of a sync, and its difference from the connector's head.
type Counts struct {
	Resources    int64 `json:"resources"`
	Accounts     int64 `json:"accounts"`
	Entitlements int64 `json:"entitlements"`
	Facts        int64 `json:"facts"`
	Opened       int64 `json:"opened"` // facts that the head does not show
	Closed       int64 `json:"closed"` // facts that only the head shows
	Dangling     int64 `json:"dangling"`
	Missing      int64 `json:"missing,omitempty"` // rows that the file's writer stated and that are missing
}

// Order tells whether a sync may be applied, given the applied ones.
type Order int

const (
	Applicable Order = iota
	TooOld           // began before the head: kept, never applied
	TooLate          // an import after the first live sync: refused
	Stored           // partial: kept, not applied
)

// OrderOf returns what may happen to a sync. head is the newest applied sync of its connector, live
// the newest one that is not an import; nil if there is none.
func OrderOf(s Sync, head, live *Sync) Order {
	switch {
	case s.Kind == SyncPartial:
		return Stored
	case s.Kind == SyncImport && live != nil:
		return TooLate
	case s.Kind == SyncTargeted && head == nil:
		return Stored // there is nothing to change yet
	case head != nil && s.Began.Before(head.Began):
		return TooOld
	}
	return Applicable
}

// GoneAfter is how many consecutive full syncs must miss something before it counts as absent for
// ownership and requirements.
const GoneAfter = 2

// Gone reports whether something counts as absent after the given number of consecutive full syncs
// without it.
func Gone(missedInARow int) bool { return missedInARow >= GoneAfter }

// IsBaseline reports whether a fact was already in the sync that showed its connector, type or
// course for the first time. Such a fact is not a change, and its first sync proves no date.
func IsBaseline(from, firstShown SyncNumber) bool { return from <= firstShown }

// DueIngest is the kind of the due rows of syncs that must be applied. They refer to the sync.
const DueIngest = "ingest"
