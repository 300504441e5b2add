package baton

import (
	"context"
	"time"
)

// Cursor is where a feed stands. It is opaque to everybody but the feed, survives
// the process, and is empty at the start. It stays small (a few hundred bytes):
// it is written with every page.
type Cursor string

// Feed is a resumable stream of pages.
type Feed struct {
	Name string
	// Types are the resource types whose resources or grants the feed delivers;
	// a sync that is limited to other types leaves the feed out.
	Types []string
	// Next reads one page from the upstream, beginning at the cursor, writes its
	// rows to the page and says where the feed now stands. It may be called again
	// with the same cursor after an error or in a new process, and then yields the
	// same facts. It retries what is worth retrying itself; an error ends the sync,
	// which stays resumable. It returns promptly when ctx ends.
	Next func(ctx context.Context, at Cursor, page Page) (Step, error)
}

// Step is the state of a feed after a page.
type Step struct {
	Cursor Cursor
	// Done says that the feed has delivered everything and can prove it. A feed
	// that cannot prove it returns an error of kind Incomplete instead.
	Done bool
	// Restart voids every row that the feed has delivered so far in this sync, this
	// page included; the feed begins anew at Cursor. For lists that shifted while
	// they were read and reports that vanished half-way. The feed bounds how often,
	// by a count in the cursor.
	Restart bool
	// Wait, when positive, says that the upstream is not ready: nothing was learnt,
	// and Next is worth calling again after this long.
	Wait time.Duration
}

// Page takes the rows of one page. Rows are kept only if Next returns without an
// error. They are written as they come: what they are made of, such as a profile, may be
// changed afterwards. It is not safe for concurrent use.
type Page interface {
	// Seen reports whether this feed has already delivered the resource in this
	// sync, in an earlier page (also one of an earlier process) or in this one.
	Seen(ResourceID) bool
	Resource(Resource)
	Entitlement(Entitlement)
	Grant(Grant)
	// Exclude counts a row that was left out on purpose. The reason is a short
	// phrase, the same for every such row; example identifies one of them.
	Exclude(reason, example string)
	// Void drops what this call of Next has written so far. Rows are written while the
	// answer that they come from is still arriving; when it breaks off and is asked for
	// again, they are written again.
	Void()
	// Expect says how many resources the feed will deliver in all, when the
	// upstream says so. It serves progress only, never completeness.
	Expect(total int)
}
