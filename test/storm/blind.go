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

// readable holds faults that only write the same in another form, or add what is easily told
// apart. With no other faults, a sync must end with the right facts.
var readable = map[string]bool{
	"page-cap": true, "gzip": true, "odd-content-type": true, "string-numbers": true, "string-booleans": true, "upper-case-attributes": true,
	"single-object-arrays": true, "bare-members": true, "members-by-reference": true, "members-by-ref": true, "members-as-object": true,
	"members-by-id": true, "members-by-object": true, "members-by-user-name": true, "repeated-members": true,
	"nested-groups": true, "unknown-members": true, "device-members": true, "principal-members": true, "odd-kind": true, "odd-kind-members": true,
	"role-groups": true, "second-admin-group": true, "similar-ids": true, "latin-1": true, "tenant-in-query": true,
}

// harmless reports whether all faults that were on are in readable.
func (t *truth) harmless() bool {
	for setting := range t.faults {
		if !readable[nameOf(setting)] {
			return false
		}
	}
	return true
}

// blind reports whether the server could hide rows from every client. A list without a
// credible total that leaves rows out looks like one that does not have them:
//
//   - the server ignores startIndex, or counts it from 0, or leaves a row or a page out;
//   - its cursors are offsets, or its pages have one row each, and rows move meanwhile.
//
// The same holds where one row is counted and left out, while one that was read goes and
// another one comes: then as many rows are read as the total says.
func blind(t *truth, changed bool) bool {
	uncounted := t.on("total-missing", "total-is-page-size", "total-lies-low", "total-zero-past-end", "cursor-only", "no-total")
	moved := changed || t.on("rows-shift-delete", "rows-shift-insert", "rows-shift-both", "users-shift-delete", "users-shift-insert", "users-shift-both", "soft-delete-off")
	cursors := t.on("cursor", "cursor-only", "expire-cursor", "cursor-loops")
	single := t.on("page-cap=1")
	hides := t.on("short-page", "zero-based-start")
	return hides && moved || uncounted && t.on("ignore-start-index", "zero-based-start", "short-page", "empty-page") || (cursors || single) && moved
}
