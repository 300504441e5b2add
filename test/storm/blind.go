package storm

import (
	percipio "baton/sandbox/percipio"
	perplexity "baton/sandbox/perplexity"

	"baton/sandbox/fault"
)

// table returns all faults of the upstream.
func (s *syncing) table() []fault.Fault { return Table(s.run.Upstream) }

// Table returns all faults of an upstream.
func Table(upstream string) []fault.Fault {
	if upstream == "percipio" {
		return percipio.Faults()
	}
	return perplexity.Faults()
}

// readable holds faults that only write the same data in another form, or add data that is easily recognised.
// With no other faults, a sync must end with the right facts.
var readable = map[string]bool{
	"page-cap": true, "gzip": true, "odd-content-type": true, "string-numbers": true, "string-booleans": true, "upper-case-attributes": true,
	"single-object-arrays": true, "bare-members": true, "members-by-reference": true, "members-by-ref": true, "members-as-object": true,
	"members-by-id": true, "members-by-object": true, "members-by-user-name": true, "repeated-members": true,
	"nested-groups": true, "unknown-members": true, "device-members": true, "principal-members": true, "odd-kind": true, "odd-kind-members": true,
	"role-groups": true, "second-admin-group": true, "similar-ids": true, "latin-1": true, "tenant-in-query": true,
}

// harmless reports whether all active faults were in readable.
func (t *truth) harmless() bool {
	for setting := range t.faults {
		if !readable[nameOf(setting)] {
			return false
		}
	}
	return true
}

// blind reports whether the server answers as one with fewer rows would, so that no client can tell. There are these cases:
//
//   - The list has no credible total, and the server leaves a row or a page out, or counts from 0. With a total that is the
//     size of the page, or too low, a server that ignores startIndex and caps its pages looks like one that has no other rows.
//     With pages of one row that begin with the row before, and start over behind the end, the last row is on no page.
//   - A row is counted and not shown, or startIndex is ignored, while somebody goes who was read already and somebody
//     comes: as many different rows are read as there are said to be.
//   - Cursors are offsets, and rows move meanwhile.
//   - The list has no credible total, pages have one row each, or begin with the last row of the page before by themselves,
//     and rows move back and forth between two requests. Package paging asks for a row that is alone once more after the
//     next one was read; that shows every move but one that is undone in between.
//
// A server whose places do not count rows is no blind spot by itself: package paging notices that places repeat rows, and
// demands a total that is not merely the size of a page.
func blind(t *truth, changed bool) bool {
	uncounted := t.on("total-missing", "total-is-page-size", "total-lies-low", "cursor-only", "no-total")
	moved := changed || t.on("rows-shift-delete", "rows-shift-insert", "rows-shift-both", "users-shift-delete", "users-shift-insert", "users-shift-both", "soft-delete-off")
	cursors := t.on("cursor", "cursor-only", "expire-cursor", "cursor-loops")
	hides := t.on("short-page", "zero-based-start", "ignore-start-index")
	return hides && moved ||
		uncounted && t.on("zero-based-start", "short-page", "empty-page") ||
		t.on("total-is-page-size", "total-lies-low") && t.on("ignore-start-index") ||
		cursors && moved ||
		uncounted && t.on("page-cap=1", "overlap-pages") && moved ||
		uncounted && t.on("page-cap=1") && t.on("overlap-pages") && t.on("wrap-around")
}
