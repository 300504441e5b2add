package perplexity

import (
	"sync"

	"baton/internal/intern"
)

// doubts holds the members of role groups that may not be accounts. They do not count as remaining admins.
type doubts struct {
	mu     sync.Mutex
	groups map[string]*intern.Table // nil for a group whose doubtful members only an earlier process knew
}

// maxDoubts limits the doubtful members held for one group. Beyond it, all members of the group are doubtful.
const maxDoubts = 100_000

// reset removes all doubts. It is called when the list of groups starts over.
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
			return // the whole group is doubtful
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

// has reports whether the member of the group is doubtful.
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

// alias makes an account doubtful in each group in which the name that identifies it is.
func (d *doubts) alias(name, userID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.groups {
		if t == nil || t.Len() == maxDoubts {
			continue // the whole group is doubtful
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

// restore adds the groups in which an earlier process had doubts. All their members are then doubtful.
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
