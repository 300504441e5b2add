package storm

import (
	"fmt"
	"slices"
	"strings"
)

// snapshot holds the data of a sandbox at one moment: the identities of all rows, and where a reader can see
// each row. A membership may be visible through the group, through the account, or both.
type snapshot struct {
	rows  map[string]bool
	sides [2]map[string]bool
	names map[string][]string // acceptable display names of accounts, by their rows
}

// truth holds the facts that a sync must find, gathered from snapshots during the sync.
type truth struct {
	snapshots int
	ever      map[string]bool
	always    [2]map[string]bool // visible on that side in all snapshots
	names     map[string]map[string]bool
	faults    map[string]bool // all faults that were active, by name and with the value
}

// rows holds the rows of a sync file: their identities, and the display names of accounts.
type rows struct {
	ids   map[string]bool
	names map[string]string
}

func newTruth() *truth {
	return &truth{ever: map[string]bool{}, names: map[string]map[string]bool{}, faults: map[string]bool{}}
}

// add adds a snapshot.
func (t *truth) add(l snapshot, settings []string) {
	t.snapshots++
	for _, s := range settings {
		t.faults[nameOf(s)], t.faults[s] = true, true
	}
	for id := range l.rows {
		t.ever[id] = true
	}
	for id, names := range l.names {
		if t.names[id] == nil {
			t.names[id] = map[string]bool{}
		}
		for _, name := range names {
			t.names[id][name] = true
		}
	}
	for i, side := range l.sides {
		if t.always[i] == nil {
			t.always[i] = side
			continue
		}
		both := map[string]bool{}
		for id := range t.always[i] {
			if side[id] {
				both[id] = true
			}
		}
		t.always[i] = both
	}
}

func (t *truth) on(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return t.faults[n] })
}

// against describes the errors in the rows that a sync found, or returns "".
func (t *truth) against(r rows, blind bool) string {
	var missing, extra []string
	found := r.ids
	for id, name := range r.names {
		if known := t.names[id]; known != nil && !known[name] {
			return fmt.Sprintf("%s is called %q, which is garbled", id, name)
		}
	}
	if !blind {
		for _, side := range t.always {
			for id := range side {
				if !found[id] && t.known(id, found) && !slices.Contains(missing, id) {
					missing = append(missing, id)
				}
			}
		}
	}
	for id := range found {
		if !t.ever[id] {
			extra = append(extra, id)
		}
		if user, entitlement, ok := holder(id); ok && (!found[user] || !found[entitlement]) {
			extra = append(extra, id+" (which points at nothing)")
		}
	}
	if len(missing)+len(extra) == 0 {
		return ""
	}
	slices.Sort(missing)
	slices.Sort(extra)
	return fmt.Sprintf("of %d rows, %d are missing %q and %d are extra %q", len(found), len(missing), some(missing), len(extra), some(extra))
}

// known returns false for a membership whose account or group was missing, or not visible, in
// some snapshot.
func (t *truth) known(id string, found map[string]bool) bool {
	user, entitlement, ok := holder(id)
	return !ok || (t.always[0][user] || t.always[1][user]) && (t.always[0][entitlement] || t.always[1][entitlement])
}

func some(ids []string) []string { return ids[:min(len(ids), 3)] }

// holder splits the identity of a grant.
func holder(id string) (user, entitlement string, ok bool) {
	i := strings.Index(id, ":user:")
	if i < 0 || strings.HasPrefix(id, "user:") {
		return "", "", false
	}
	return id[i+1:], id[:i], true
}
