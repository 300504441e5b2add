package storm

import (
	percipio "baton/sandbox/percipio"
	perplexity "baton/sandbox/perplexity"

	"baton/sandbox/fault"
)

// table is all faults of the upstream.
func (s *syncing) table() []fault.Fault { return Table(s.run.Upstream) }

// Table is all faults of an upstream.
func Table(upstream string) []fault.Fault {
	if upstream == "percipio" {
		return percipio.Faults()
	}
	return perplexity.Faults()
}

// blind reports whether the server could hide rows from every client. A list without a
// credible total that leaves rows out looks like one that does not have them:
//
//   - the server ignores startIndex, or counts it from 0, or leaves a row or a page out;
//   - its cursors are offsets, or its pages have one row each, and rows move meanwhile.
//
// And where one row is left out although it is counted, while somebody goes who was read
// already, and somebody comes, as many are read as there are said to be.
func blind(t *truth, changed bool) bool {
	uncounted := t.on("total-missing", "total-is-page-size", "total-lies-low", "total-zero-past-end", "cursor-only", "no-total")
	moved := changed || t.on("rows-shift-delete", "rows-shift-insert", "rows-shift-both", "users-shift-delete", "users-shift-insert", "users-shift-both", "soft-delete-off")
	cursors := t.on("cursor", "cursor-only", "expire-cursor", "cursor-loops")
	single := t.on("page-cap=1")
	hides := t.on("short-page", "zero-based-start")
	return hides && moved || uncounted && t.on("ignore-start-index", "zero-based-start", "short-page", "empty-page") || (cursors || single) && moved
}
