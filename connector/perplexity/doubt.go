package perplexity

import (
	"sync"

	"baton/internal/intern"
)

// doubts holds the members of role groups that are not certain to be accounts. They do not
// count as admins who remain.
type doubts struct {
	mu     sync.Mutex
	groups map[string]*intern.Table // nil for a group of which an earlier process knew more
}

// maxDoubts limits how many are kept for one group. Beyond it, all members of the group are in
// doubt.
const maxDoubts = 100_000

// reset forgets all doubts. It is called when the list of groups is read anew.
func (d *doubts) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.groups = nil
}

func (d *doubts) add(groupID, userID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.groups[groupID]
	if t == nil {
		if ok {
			return // in doubt as a whole
		}
		t = new(intern.Table)
		if d.groups == nil {
			d.groups = map[string]*intern.Table{}
		}
		d.groups[groupID] = t
	}
	if t.Len() < maxDoubts {
		t.Add([]byte(userID))
	}
}

// has reports whether the member of the group is in doubt.
func (d *doubts) has(groupID, userID string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.groups[groupID]
	if t == nil {
		return ok
	}
	_, ok = t.Find([]byte(userID))
	return ok || t.Len() == maxDoubts
}

// alias puts an account in doubt in each group where the name that stands for it is.
func (d *doubts) alias(name, userID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.groups {
		if t == nil || t.Len() == maxDoubts {
			continue // in doubt as a whole
		}
		if _, ok := t.Find([]byte(name)); ok {
			t.Add([]byte(userID))
		}
	}
}

// in returns the groups with doubts, sorted.
func (d *doubts) in() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return sorted(d.groups)
}

// restore adds the groups about which an earlier process had doubts. All their members are in
// doubt then.
func (d *doubts) restore(groups []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range groups {
		if _, ok := d.groups[id]; ok {
			continue
		}
		if d.groups == nil {
			d.groups = map[string]*intern.Table{}
		}
		d.groups[id] = nil
	}
}
