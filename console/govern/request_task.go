package govern

import (
	"cmp"
	"context"
	"slices"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// RequestTask is a request for programs, without the context for approvers.
type RequestTask struct {
	RequestSummary
	Entries                                                   []console.RequestEntry
	Policy                                                    console.Policy
	Settings                                                  console.RequestSettings // of the entitlement; zero if it is gone
	MayDecide, MayCancel, MayEscalate, MayReassign, MayAnswer bool                    // the caller's rights
}

// RequestTask returns a request that the caller may see.
func (c *Console) RequestTask(ctx context.Context, caller Caller, id console.ID) (t RequestTask, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		r, err := seeRequest(tx, me, id)
		if err != nil {
			return err
		}
		t, err = c.requestTask(tx, me, r)
		return err
	})
	return t, err
}

func (c *Console) requestTask(tx *store.Tx, me console.Person, r console.Request) (t RequestTask, err error) {
	if t.RequestSummary, err = summarizeRequest(tx, r); err != nil {
		return t, err
	}
	if t.Entries, err = tx.Entries(r.ID); err != nil {
		return t, err
	}
	for _, e := range t.Entries {
		if err := t.Names.add(tx, e.Actor.Person(), e.OnBehalfOf); err != nil {
			return t, err
		}
	}
	if t.Policy, err = tx.PolicyVersion(r.Policy, r.PolicyVersion); err != nil && baton.KindOf(err) != baton.NotFound {
		return t, err
	}
	s, err := approve.Look(tx, r, c.now())
	if err == nil {
		t.Settings = s.Settings
	} else if k := baton.KindOf(err); k != baton.NotFound && k != baton.Refused {
		return t, err
	}
	mine := r.Subject == me.ID || r.Requester == me.ID
	open := r.State == console.RequestAsking
	t.MayDecide = open && slices.ContainsFunc(t.Asked, func(a store.AskedRequest) bool { return a.Person == me.ID })
	t.MayReassign = t.MayDecide && r.Step < len(r.Plan.Steps) && len(r.Plan.Steps[r.Step].Reassign) > 0
	t.MayEscalate = mine && r.Kind == console.RequestGrant && r.State.Deciding() && !r.Emergency && t.Settings.Emergency != ""
	t.MayAnswer = mine && r.Kind == console.RequestGrant && r.State.Deciding() && len(t.Settings.Form) > 0
	if t.MayCancel = mine && r.State.Open(); !mine && r.State.Open() {
		a, err := tx.App(r.App)
		if err != nil {
			return t, err
		}
		t.MayCancel = console.CancelRequests.Of(me, console.Object{App: &a})
	}
	return t, nil
}

// RequestTaskQuery selects requests. Empty fields select all.
type RequestTaskQuery struct {
	Apps, Subjects, Requesters, Asked, IDs []console.ID
	Open                                   bool
	// Selected is a further filter that reads no other rows; nil: all.
	Selected func(RequestSummary) bool
	Before   int64 // number before which the page begins; 0 for the first page
	N        int
}

// maxTasksLooked limits the requests that are examined for one page.
const maxTasksLooked = 2000

// RequestTasks returns up to q.N requests that the caller may see, the newest first, and where the
// next page begins; 0 at the end. A page may be short before the end.
func (c *Console) RequestTasks(ctx context.Context, caller Caller, q RequestTaskQuery) (tasks []RequestTask, next int64, err error) {
	err = c.read(ctx, caller, readingRequests, func(tx *store.Tx, me console.Person) error {
		tasks, next = nil, 0
		if q.N < 1 || q.N >= store.PageSize {
			return baton.Errorf(baton.Invalid, "a page has 1 to %d requests", store.PageSize-1)
		}
		found, err := q.sources(tx, me)
		if err != nil {
			return err
		}
		for looked := 0; ; looked++ {
			r, err := found.next()
			if err != nil || r == nil {
				return err
			}
			if len(tasks) == q.N || looked == maxTasksLooked {
				next = r.Number + 1
				return nil
			}
			if !q.match(*r) {
				continue
			}
			if _, err := seeRequest(tx, me, r.ID); baton.KindOf(err) == baton.NotFound {
				continue
			} else if err != nil {
				return err
			}
			s, err := summarizeRequest(tx, *r)
			if err != nil {
				return err
			}
			if len(q.Asked) > 0 && !slices.ContainsFunc(s.Asked, func(a store.AskedRequest) bool { return slices.Contains(q.Asked, a.Person) }) {
				continue
			}
			if q.Selected != nil && !q.Selected(s) {
				continue
			}
			t, err := c.requestTask(tx, me, *r)
			if err != nil {
				return err
			}
			tasks = append(tasks, t)
		}
	})
	return tasks, next, err
}

func (q RequestTaskQuery) match(r console.Request) bool {
	one := func(ids []console.ID, id console.ID) bool { return len(ids) == 0 || slices.Contains(ids, id) }
	return one(q.Apps, r.App) && one(q.Subjects, r.Subject) && one(q.Requesters, r.Requester) && one(q.IDs, r.ID) && (!q.Open || r.State.Open())
}

// sources returns the shortest lists that together contain all matching requests that the person may
// see.
func (q RequestTaskQuery) sources(tx *store.Tx, me console.Person) (*taskSources, error) {
	m := &taskSources{}
	switch {
	case len(q.IDs) > 0:
		return m, m.these(tx, q)
	case len(q.Asked) == 1:
		return m, m.asked(tx, q.Asked[0], q.Before)
	case len(q.Subjects) == 1:
		m.add(tx, store.RequestFilter{Person: q.Subjects[0], Open: q.Open}, q.Before)
		return m, nil
	case len(q.Requesters) == 1:
		m.add(tx, store.RequestFilter{Person: q.Requesters[0], Open: q.Open}, q.Before)
		return m, nil
	case len(q.Apps) > 0 && len(q.Apps) <= maxTaskApps:
		for _, a := range q.Apps {
			m.add(tx, store.RequestFilter{App: a, Open: q.Open}, q.Before)
		}
		return m, nil
	case console.SeeRequests.Of(me, console.Object{}):
		m.add(tx, store.RequestFilter{Open: q.Open}, q.Before)
		return m, nil
	}
	m.add(tx, store.RequestFilter{Person: me.ID, Open: q.Open}, q.Before)
	if err := m.asked(tx, me.ID, q.Before); err != nil {
		return nil, err
	}
	for after := (store.NameAfter{}); ; {
		apps, err := tx.Apps(after, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, a := range apps {
			after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
			if console.SeeRequests.Of(me, console.Object{App: &a}) {
				m.add(tx, store.RequestFilter{App: a.ID, Open: q.Open}, q.Before)
			}
		}
		if len(apps) < store.PageSize {
			return m, nil
		}
	}
}

// maxTaskApps limits the apps whose lists are merged.
const maxTaskApps = 20

// taskSources merges lists of requests, each sorted by number, descending.
type taskSources struct {
	lists []*taskList
	last  int64
}

// taskList is a partly read list of requests.
type taskList struct {
	rows []console.Request
	more func(before int64) ([]console.Request, error) // nil if all rows are read
	done bool
}

const taskPage = 50

func (m *taskSources) add(tx *store.Tx, f store.RequestFilter, before int64) {
	at := before
	m.lists = append(m.lists, &taskList{more: func(last int64) ([]console.Request, error) {
		if last != 0 {
			at = last
		}
		return tx.Requests(f, at, taskPage)
	}})
}

// asked adds the requests that wait for a person's decision.
func (m *taskSources) asked(tx *store.Tx, person console.ID, before int64) error {
	var all []console.Request
	for after := int64(0); ; {
		page, err := tx.AskedOf(person, after, store.PageSize)
		if err != nil {
			return err
		}
		for _, a := range page {
			if after = a.Request.Number; before == 0 || after < before {
				all = append(all, a.Request)
			}
		}
		if len(page) < store.PageSize {
			break
		}
	}
	slices.Reverse(all)
	m.lists = append(m.lists, &taskList{rows: all, done: true})
	return nil
}

// these adds the requests with given numbers.
func (m *taskSources) these(tx *store.Tx, q RequestTaskQuery) error {
	var all []console.Request
	for _, id := range q.IDs {
		r, err := tx.Request(id)
		if baton.KindOf(err) == baton.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		if q.Before == 0 || r.Number < q.Before {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b console.Request) int { return cmp.Compare(b.Number, a.Number) })
	m.lists = append(m.lists, &taskList{rows: all, done: true})
	return nil
}

// next returns the newest request that was not returned yet; nil at the end.
func (m *taskSources) next() (*console.Request, error) {
	var newest *taskList
	for _, l := range m.lists {
		for len(l.rows) > 0 && m.last != 0 && l.rows[0].Number >= m.last {
			if err := l.pop(); err != nil { // a duplicate from another list
				return nil, err
			}
		}
		if len(l.rows) == 0 && !l.done {
			if err := l.fill(m.last); err != nil {
				return nil, err
			}
		}
		if len(l.rows) > 0 && (newest == nil || l.rows[0].Number > newest.rows[0].Number) {
			newest = l
		}
	}
	if newest == nil {
		return nil, nil
	}
	r := newest.rows[0]
	m.last = r.Number
	return &r, newest.pop()
}

func (l *taskList) pop() error {
	last := l.rows[0].Number
	if l.rows = l.rows[1:]; len(l.rows) > 0 || l.done {
		return nil
	}
	return l.fill(last)
}

func (l *taskList) fill(before int64) (err error) {
	l.rows, err = l.more(before)
	l.done = len(l.rows) < taskPage
	return err
}
