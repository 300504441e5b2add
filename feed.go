package baton

import (
	"context"
	"time"
)

// Cursor is a position in a feed. It is opaque to everything but the feed, outlives the process, and is empty
// at the start. It is small (a few hundred bytes), because it is stored with every page.
type Cursor string

// Feed is a resumable stream of pages.
type Feed struct {
	Name string
	// Types lists the resource types whose resources or grants the feed delivers. A sync of other types skips
	// the feed.
	Types []string
	// Next reads one page from the upstream at the cursor, writes its rows to the page and returns the new
	// position. It may be called again with the same cursor after an error or in a new process, and then
	// yields the same facts. It retries temporary failures itself; an error ends the sync, which stays
	// resumable. It returns promptly when ctx ends.
	Next func(ctx context.Context, at Cursor, page Page) (Step, error)
}

// Step is the state of a feed after a page.
type Step struct {
	Cursor Cursor
	// Done reports that the feed has delivered everything and can prove it. A feed that cannot prove it
	// returns an error of kind Incomplete.
	Done bool
	// Restart voids every row that the feed has delivered in this sync, including this page. The feed starts
	// over at Cursor. It is for lists that changed during the read and for reports that vanished. The feed
	// limits the number of restarts with a counter in the cursor.
	Restart bool
	// Wait, if positive, means that the upstream is not ready: the page has no rows, and Next should be
	// called again after this time.
	Wait time.Duration
}

// Page receives the rows of one page. Rows count only if Next returns without an error. A page keeps no
// references, so the caller may reuse parts of a row, such as its profile. It is not safe for concurrent use.
type Page interface {
	// Seen reports whether this feed has already delivered the resource in this sync, in this page or an
	// earlier one (even of an earlier process).
	Seen(ResourceID) bool
	Resource(Resource)
	Entitlement(Entitlement)
	Grant(Grant)
	// Exclude counts a row that is left out on purpose. The reason is a short phrase, the same for all such
	// rows; example identifies one of them.
	Exclude(reason, example string)
	// Void drops the rows that this call of Next has written so far. Rows are written while their response is
	// still arriving; if it breaks off and is requested again, they are written again.
	Void()
	// Expect reports the total number of resources that the feed will deliver, if the upstream states it. It
	// is used for progress, never to decide completeness.
	Expect(total int)
}
