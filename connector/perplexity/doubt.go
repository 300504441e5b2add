package perplexity

import (
	"sync"

	"baton/internal/intern"
)

// doubts are the members of role groups of which it is not certain that they are accounts.
// They are not counted as admins who must remain.
type doubts struct {
	mu     sync.Mutex
	groups map[string]*intern.Table // nil for a group of which an earlier process knew more
}

// maxDoubts is how many are kept for one group. Beyond, all its members are in doubt.
const maxDoubts = 100_000

// reset forgets the doubts; a new list of groups is being read.
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

// has reports whether it is in doubt that the member of the group is an account.
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

// alias has an account in doubt wherever the name is that groups list it by.
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

// restore takes over the groups that an earlier process had doubts about. All their members
// are in doubt then.
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
