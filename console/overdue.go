package console

import "time"

// Overdue is an access whose time is over and which is still held, because the console could not
// remove it.
type Overdue struct {
	App         ID
	Connector   ID
	Account     ResourceKey
	Entitlement EntitlementKey
	Reason      ID // the reason that ran out last
	Expired     time.Time
	Since       time.Time // when it was found to be overdue
	Why         string    // for display
}

// OverdueAfter is how long the removal of expired access may take before the access is overdue.
const OverdueAfter = time.Minute

// DueOverdue is the kind of the due rows of apps with overdue access. They refer to the app.
const DueOverdue = "access.overdue"

// RetryOverdue is the interval at which the console tries again to remove overdue access.
const RetryOverdue = 30 * time.Second
