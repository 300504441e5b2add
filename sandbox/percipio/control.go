package percipio

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"baton/sandbox/fault"
)

// control adds the control of faults and a summary of the organisation. They need no token: they are for the
// person who runs the sandbox, and bound to loopback. Requests from a web page of another origin are refused.
func (s *Server) control(mux *http.ServeMux) {
	guard := http.NewCrossOriginProtection()
	handle := func(pattern string, f http.HandlerFunc) { mux.Handle(pattern, guard.Handler(f)) }
	handle("GET /sandbox/state", s.showState)
	handle("PUT /sandbox/progress", s.putProgress)
	for pattern, f := range fault.Control(s, Faults(), `["pending=2","no-link"]`) {
		handle(pattern, f)
	}
}

// putProgress sets what a user has done in a course: {"user": an address, "course": a title,
// "status": "Completed", "at": a time}. A user or course that does not exist is added. An empty status
// forgets it.
func (s *Server) putProgress(w http.ResponseWriter, r *http.Request) {
	p := struct {
		User   string    `json:"user"`
		Course string    `json:"course"`
		Status string    `json:"status"`
		At     time.Time `json:"at"`
	}{At: s.now()}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&p); err != nil || p.User == "" || p.Course == "" {
		http.Error(w, `send an object such as {"user": "ana@acme.example", "course": "Security Basics", "status": "Completed"}`, http.StatusBadRequest)
		return
	}
	st := s.State()
	user, course := "", ""
	for _, u := range st.Users {
		if strings.EqualFold(u.Email, p.User) {
			user = u.ID
		}
	}
	for _, c := range st.Courses {
		if c.Title == p.Course || c.ID == p.Course {
			course = c.ID
		}
	}
	if user == "" {
		user = s.AddUser(Person{Email: p.User, LoginName: p.User, FirstName: p.User})
	}
	if course == "" {
		course = s.AddCourse(Item{Title: p.Course})
	}
	if p.Status == "" {
		s.Forget(user, course)
	} else {
		s.RecordAt(user, course, p.Status, p.At)
	}
	fault.WriteJSON(w, map[string]string{"user": user, "course": course})
}

// showState answers with counts only, because the organisation may be large.
func (s *Server) showState(w http.ResponseWriter, _ *http.Request) {
	st := s.State()
	sum := struct {
		Users      int           `json:"users"`
		Catalogue  int           `json:"catalogue"`
		Courses    int           `json:"courses"`
		Completed  int           `json:"completed"`
		InProgress int           `json:"inProgress"`
		SFTPFiles  int           `json:"sftpFiles"`
		Reports    []ReportState `json:"reports"`
	}{Users: len(st.Users), Catalogue: len(st.Courses), SFTPFiles: st.SFTPFiles, Reports: st.Reports}
	for _, c := range st.Courses {
		if c.Listed {
			sum.Courses++
		}
	}
	for p := range st.Expected() {
		if p.Status == Completed {
			sum.Completed++
		} else {
			sum.InProgress++
		}
	}
	fault.WriteJSON(w, sum)
}
