package perplexity

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
)

// routes are the console's pages and the control of faults. They need no token:
// they are for whoever runs the sandbox, who binds it to loopback. Requests that a
// web page of another origin makes are refused.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.adminPage())
	mux.HandleFunc("GET /admin.json", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, s.State()) })
	mux.HandleFunc("POST /admin/remove", s.adminRemove)
	mux.HandleFunc("GET /sandbox/faults", s.showFaults)
	mux.HandleFunc("PUT /sandbox/faults", s.putFaults)
	mux.HandleFunc("DELETE /sandbox/faults", func(w http.ResponseWriter, r *http.Request) {
		s.SetFaults() // no names, no error
		s.showFaults(w, r)
	})
	return http.NewCrossOriginProtection().Handler(mux)
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
		http.Error(w, `send a JSON list of names, such as ["page-cap=5","patch-204"]: `+err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.SetFaults(names...); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.showFaults(w, r)
}

// adminRemove is the console's button. It works on people of the console only:
// whoever SCIM manages is locked.
func (s *Server) adminRemove(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("user")
	u, ok := s.State().User(id)
	switch {
	case !ok || u.ID != id:
		http.Error(w, "there is no such user", http.StatusNotFound)
	case u.Managed:
		http.Error(w, "this user is managed through SCIM and cannot be changed here", http.StatusForbidden)
	default:
		s.RemoveUser(id)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

//go:embed admin.html
var adminHTML string

// adminRows bounds the page, not the organisation.
const adminRows = 500

// adminPage shows the organisation to a person, the people of the console first.
func (s *Server) adminPage() http.HandlerFunc {
	page := template.Must(template.New("admin").Parse(adminHTML))
	return func(w http.ResponseWriter, r *http.Request) {
		st := s.State()
		names := map[string]string{}
		for _, g := range st.Groups {
			names[g.ID] = g.DisplayName
		}
		shown := slices.Clone(st.Users)
		slices.SortStableFunc(shown, func(a, b UserState) int {
			switch {
			case a.Managed == b.Managed:
				return 0
			case b.Managed:
				return -1
			}
			return 1
		})
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
		page.Execute(w, map[string]any{"State": st, "Shown": shown[:min(len(shown), adminRows)], "Names": names, "SCIM": s.base, "Faults": s.ActiveFaults()})
	}
}
