package percipio

import (
	"iter"
	"strings"
	"time"
)

// Status is the progress of a user in a course.
type Status string

// The statuses of a sync. Completed replaces InProgress.
const (
	Completed  Status = "completed"
	InProgress Status = "in_progress"
)

// outcome returns the status that corresponds to a row's status, or "".
func outcome(rowStatus string) Status {
	switch strings.ToLower(rowStatus) {
	case "completed", "achieved", "listened", "read", "watched":
		return Completed
	case "started", "active":
		return InProgress
	}
	return ""
}

// State is a snapshot of the organisation, regardless of what the API shows.
type State struct {
	Users   []UserState
	Courses []CourseState // the whole catalogue
	Rows    int           // rows of learning activity of all time, without those of faults
	Reports []ReportState // in the order of the requests
	// SFTPFiles counts the files that reports left on the organisation's SFTP.
	SFTPFiles int

	org *organisation
}

// UserState is a user.
type UserState struct {
	ID, ExternalID, Email, LoginName, FirstName, LastName, Role string

	Active bool
}

// CourseState is an item of the catalogue.
type CourseState struct {
	ID, Code, Title, Locale string
	Type                    string // COURSE, ASSESSMENT, VIDEO, ...
	Active                  bool
	// Listed reports whether the item is an active course or assessment, which a sync of courses has.
	Listed bool
}

// ReportState is a requested report.
type ReportState struct {
	ID        string        `json:"id"`
	Requested time.Time     `json:"requested"`
	Request   ReportRequest `json:"request"`
	Polls     int           `json:"polls"`     // number of polls, including downloads
	Downloads int           `json:"downloads"` // number of downloads, including incomplete ones
}

// Progress is one grant that a sync should find.
type Progress struct {
	User, Course string // ids
	Status       Status
	At           time.Time // of the completion; zero if in progress
}

// State returns a snapshot of the organisation.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.org
	st := State{Users: make([]UserState, 0, len(o.listed)), Courses: make([]CourseState, 0, len(o.shelf)), SFTPFiles: s.files,
		Rows: o.plan.rows - len(o.moved) + len(o.events), org: o, Reports: make([]ReportState, 0, len(s.made))}
	for _, n := range o.listed {
		u := o.people[n]
		st.Users = append(st.Users, UserState{u.id, u.externalID, u.email, u.loginName, u.firstName, u.lastName, u.role, !u.inactive})
	}
	for _, n := range o.shelf {
		c := o.items[n]
		st.Courses = append(st.Courses, CourseState{c.id, c.code, c.title, c.locale, c.kind.name, !c.retired, c.becomesCourse()})
	}
	for _, rep := range s.made {
		st.Reports = append(st.Reports, ReportState{rep.id, rep.requested, rep.request, rep.polls, rep.downloads})
	}
	return st
}

// Expected returns what a sync without a time limit should find: for each pair of an existing user and a
// Listed course, the status, where Completed replaces InProgress. Each pair appears once, the newest first.
// If limitedCourses are given, by id, only those count. Faults make no difference, except that a date spoiled
// by odd-dates cannot be read.
func (st State) Expected(limitedCourses ...string) iter.Seq[Progress] {
	limited := map[string]bool{}
	for _, id := range limitedCourses {
		limited[id] = true
	}
	return func(yield func(Progress) bool) {
		if st.org == nil {
			return
		}
		for r := range st.org.rows(order{}) {
			status := outcome(r.status)
			if status == "" || r.user.gone || !r.item.becomesCourse() || len(limited) > 0 && !limited[r.item.id] {
				continue
			}
			p := Progress{User: r.user.id, Course: r.item.id, Status: status}
			if r.done != 0 {
				p.At = unix(r.done)
			}
			if !yield(p) {
				return
			}
		}
	}
}
