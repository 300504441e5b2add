package console

import "time"

// Sync is one reading of an upstream by a connector.
type Sync struct {
	ID         ID
	Number     SyncNumber // 0 until its rows are written
	Connector  ID
	Stream     Stream // of the connector when the sync was received
	Task       ID     // "" for uploads and imports
	Kind       SyncKind
	State      SyncState
	Dispatched time.Time // when the task was handed out, by the console's clock; zero for uploads
	Began      time.Time // as the file says
	Received   time.Time
	Applied    time.Time
	File       ID // raw file; "" when it was deleted
	SHA256     []byte
	Size       int64
	Counts     Counts
	Holds      []Hold
	Why        string // why it was refused, discarded or failed
	// Scope lists the entitlements that a targeted sync speaks about.
	Scope []EntitlementKey
}

// SyncKind says how much of an upstream a sync shows, and how it came here.
type SyncKind string

// The kinds of syncs.
const (
	SyncFull     SyncKind = "full"
	SyncTargeted SyncKind = "targeted" // the grants of some resources
	SyncPartial  SyncKind = "partial"  // other partial files; stored and not applied
	SyncUpload   SyncKind = "upload"   // a full file that a person uploaded
	SyncImport   SyncKind = "import"   // a full file from before the connector's first live sync
)

// Full reports whether syncs of the kind show everything the connector reads.
func (k SyncKind) Full() bool { return k == SyncFull || k == SyncUpload || k == SyncImport }

// SyncState is how far a sync is.
type SyncState string

// The states of a sync.
const (
	SyncReceived   SyncState = "received"   // the file is stored and not read yet
	SyncStaging    SyncState = "staging"    // its rows are being written
	SyncApplied    SyncState = "applied"    // its rows are visible
	SyncHeld       SyncState = "held"       // it removes too much; a person must confirm it
	SyncConfirmed  SyncState = "confirmed"  // a person confirmed it; its rows are not written yet
	SyncDiscarded  SyncState = "discarded"  // a person discarded it
	SyncSuperseded SyncState = "superseded" // it began before a sync that is applied, or a newer one replaced it while held
	SyncRefused    SyncState = "refused"    // the file is damaged, foreign or too large
	SyncStored     SyncState = "stored"     // partial; kept and not applied
)

// Counts are the rows of a sync and its difference from the connector's head.
type Counts struct {
	Resources    int64 `json:"resources"`
	Accounts     int64 `json:"accounts"`
	Entitlements int64 `json:"entitlements"`
	Facts        int64 `json:"facts"`
	Opened       int64 `json:"opened"` // facts that the head does not show
	Closed       int64 `json:"closed"` // facts that only the head shows
	Dangling     int64 `json:"dangling"`
	Missing      int64 `json:"missing,omitempty"` // rows that the file's writer stated and that are not in it
}

// Order says what may become of a sync, given what is applied.
type Order int

// The orders.
const (
	Applicable Order = iota
	TooOld           // began before the head: kept, never applied
	TooLate          // an import after the first live sync: refused
	Stored           // partial: kept, not applied
)

// OrderOf returns what may become of a sync. head is the newest applied sync of its
// connector, live the newest one that did not come from an import; nil when there is none.
func OrderOf(s Sync, head, live *Sync) Order {
	switch {
	case s.Kind == SyncPartial:
		return Stored
	case s.Kind == SyncImport && live != nil:
		return TooLate
	case s.Kind == SyncTargeted && head == nil:
		return Stored // nothing to change yet
	case head != nil && s.Began.Before(head.Began):
		return TooOld
	}
	return Applicable
}

// GoneAfter is how many full syncs in a row must miss something before the absence counts
// for ownership and requirements.
const GoneAfter = 2

// Gone reports whether something that the last full syncs did not show counts as gone for
// ownership and requirements.
func Gone(missedInARow int) bool { return missedInARow >= GoneAfter }

// IsBaseline reports whether a fact that a sync first showed was there when its connector,
// type or course was shown for the first time. Such a fact is no change, and its first sync
// proves no date.
func IsBaseline(from, firstShown SyncNumber) bool { return from <= firstShown }

// DueIngest is the kind of the due rows of syncs that are to be applied. They refer to the
// sync.
const DueIngest = "ingest"
