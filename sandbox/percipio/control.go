package percipio

import (
	"net/http"

	"baton/sandbox/fault"
)

// control adds the control of faults and a summary of the organisation. They need no token: they are for the
// person who runs the sandbox, and bound to loopback. Requests from a web page of another origin are refused.
func (s *Server) control(mux *http.ServeMux) {
	guard := http.NewCrossOriginProtection()
	handle := func(pattern string, f http.HandlerFunc) { mux.Handle(pattern, guard.Handler(f)) }
	handle("GET /sandbox/state", s.showState)
	for pattern, f := range fault.Control(s, Faults(), `["pending=2","no-link"]`) {
		handle(pattern, f)
	}
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
