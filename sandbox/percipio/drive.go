package percipio

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// Person describes a user for AddUser.
type Person struct {
	Email, LoginName, FirstName, LastName string

	ExternalID string // Email if empty
	Role       string // LEARNER if empty
	Inactive   bool
}

// Item describes an item of the catalogue for AddCourse.
type Item struct {
	Title  string
	Type   string // COURSE if empty
	Locale string // en-US if empty
}

// AddUser adds a user and returns the id. The user is last in lists.
func (s *Server) AddUser(p Person) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addUser(p, len(s.org.listed))
}

func (s *Server) addUser(p Person, at int) string {
	o := s.change()
	n := len(o.people)
	u := &user{id: identifier(s.opts.Seed, kindInserted, uint64(n)), number: n, noise: mix(s.opts.Seed, kindInserted, uint64(n)), manager: -1,
		externalID: p.ExternalID, email: p.Email, loginName: p.LoginName, firstName: p.FirstName, lastName: p.LastName, role: p.Role,
		inactive: p.Inactive, updated: s.now()}
	if u.externalID == "" {
		u.externalID = p.Email
	}
	if u.role == "" {
		u.role = "LEARNER"
	}
	o.people = append(o.people, u)
	o.listed = slices.Insert(o.listed, at, int32(n))
	return u.id
}

// RemoveUser removes a user and reports whether it existed. Rows of the user stay in reports, as history.
func (s *Server) RemoveUser(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removeUser(id)
}

func (s *Server) removeUser(id string) bool {
	n, ok := s.org.user(id)
	if !ok {
		return false
	}
	o := s.change()
	u := *o.people[n]
	u.gone = true
	o.people[n] = &u
	o.listed = slices.DeleteFunc(o.listed, func(i int32) bool { return int(i) == n })
	return true
}

// SetActive disables or enables a user and reports whether it exists.
func (s *Server) SetActive(id string, active bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.org.user(id)
	if !ok {
		return false
	}
	o := s.change()
	u := *o.people[n]
	u.inactive, u.updated = !active, s.now()
	o.people[n] = &u
	return true
}

// AddCourse adds an item to the catalogue and returns its id.
func (s *Server) AddCourse(i Item) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.change()
	n := len(o.items)
	c := &item{id: identifier(s.opts.Seed, kindInserted, uint64(n)<<32), number: n, noise: mix(s.opts.Seed, kindInserted, uint64(n)<<32),
		title: i.Title, locale: i.Locale, code: "added_" + strconv.Itoa(n), kind: kindNamed(i.Type), made: s.now(), updated: s.now()}
	if c.locale == "" {
		c.locale = "en-US"
	}
	o.items = append(o.items, c)
	o.shelf = append(o.shelf, int32(n))
	return c.id
}

// RetireCourse makes an item of the catalogue inactive and reports whether it exists.
func (s *Server) RetireCourse(id string) bool {
	return s.changeItem(id, func(o *organisation, c *item) { c.retired, c.updated = true, s.now() })
}

// RemoveCourse removes an item from the catalogue and reports whether it existed. Rows about it stay in
// reports, as history.
func (s *Server) RemoveCourse(id string) bool {
	return s.changeItem(id, func(o *organisation, c *item) {
		c.gone = true
		o.shelf = slices.DeleteFunc(o.shelf, func(i int32) bool { return int(i) == c.number })
	})
}

func (s *Server) changeItem(id string, change func(*organisation, *item)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.org.item(id)
	if !ok {
		return false
	}
	o := s.change()
	c := *o.items[n]
	change(o, &c)
	o.items[n] = &c
	return true
}

// Record sets the current status of a user in an item, such as "Started" or "Completed". It replaces an
// earlier status and reports whether user and item exist. Earlier reports do not show it.
func (s *Server) Record(userID, courseID, status string) bool {
	return s.RecordAt(userID, courseID, status, s.now())
}

// RecordAt is [Server.Record] for something that happened at a time in the past.
func (s *Server) RecordAt(userID, courseID, status string, at time.Time) bool {
	return s.record(userID, courseID, func(o *organisation, e event) {
		e.status, e.at, e.first = status, at.Unix(), min(e.first, at.Unix())
		o.events = append(o.events, e)
	})
}

// Forget removes the status of a user in an item, and reports whether both exist.
func (s *Server) Forget(userID, courseID string) bool {
	return s.record(userID, courseID, func(*organisation, event) {})
}

func (s *Server) record(userID, courseID string, add func(*organisation, event)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, okUser := s.org.user(userID)
	c, okItem := s.org.item(courseID)
	if !okUser || !okItem {
		return false
	}
	o := s.change()
	now := s.now().Unix()
	e := event{user: u, item: c, first: now, at: now}
	if i, ok := o.plan.row(u, c); ok {
		o.moved = maps.Clone(o.moved)
		o.moved[i] = true
		e.first = o.planned(i).first
	}
	o.events = slices.DeleteFunc(o.events, func(old event) bool { return old.user == u && old.item == c })
	add(o, e)
	return true
}

// change returns a new state of the organisation, which the caller may change until it releases the lock.
// Reports keep the old state.
func (s *Server) change() *organisation {
	o := *s.org
	o.people, o.items, o.listed, o.shelf, o.events = slices.Clone(o.people), slices.Clone(o.items), slices.Clone(o.listed), slices.Clone(o.shelf), slices.Clone(o.events)
	s.org = &o
	return &o
}

func (o *organisation) user(id string) (int, bool) {
	i := slices.IndexFunc(o.people, func(u *user) bool { return u.id == id && !u.gone })
	return i, i >= 0
}

func (o *organisation) item(id string) (int, bool) {
	i := slices.IndexFunc(o.items, func(c *item) bool { return c.id == id && !c.gone })
	return i, i >= 0
}
