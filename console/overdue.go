package console

import "time"

// Overdue says that the time of an access is over, and that it is still held because the
// console cannot remove it.
type Overdue struct {
	App         ID
	Connector   ID
	Account     ResourceKey
	Entitlement EntitlementKey
	Reason      ID // that ran out last
	Expired     time.Time
	Since       time.Time // when it was found to be overdue
	Why         string    // for people
}

// OverdueAfter is how long the removal of access whose time is over may take before it is
// overdue.
const OverdueAfter = time.Minute

// DueOverdue is the kind of the due rows of apps with overdue access. They refer to the app.
const DueOverdue = "access.overdue"

// RetryOverdue is how often the console tries again to remove overdue access.
const RetryOverdue = 30 * time.Second
