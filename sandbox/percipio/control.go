package percipio

import (
	"encoding/json"
	"net/http"
)

// control adds the control of faults and a summary of the organisation. They need no
// token: they are for whoever runs the sandbox, who binds it to loopback. Requests
// that a web page of another origin makes are refused.
func (s *Server) control(mux *http.ServeMux) {
	guard := http.NewCrossOriginProtection()
	handle := func(pattern string, f http.HandlerFunc) { mux.Handle(pattern, guard.Handler(f)) }
	handle("GET /sandbox/state", s.showState)
	handle("GET /sandbox/faults", s.showFaults)
	handle("PUT /sandbox/faults", s.putFaults)
	handle("DELETE /sandbox/faults", func(w http.ResponseWriter, r *http.Request) {
		s.SetFaults() // no names, no error
		s.showFaults(w, r)
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (s *Server) showFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, struct {
		Active []string `json:"active"`
		Faults []Fault  `json:"faults"`
	}{s.ActiveFaults(), Faults()})
}

// putFaults replaces the faults that are on by a JSON list of names.
func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) {
	var names []string
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&names); err != nil {
		http.Error(w, `send a JSON list of names, such as ["pending=2","no-link"]: `+err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.SetFaults(names...); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.showFaults(w, r)
}

// showState answers with counts, not with the organisation, which may be large.
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
	writeJSON(w, sum)
}
