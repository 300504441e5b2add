package fault

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Switched is a server with faults.
type Switched interface {
	// SetFaults replaces the active faults.
	SetFaults(names ...string) error
	// ActiveFaults returns the active faults.
	ActiveFaults() []string
}

// Control returns the handlers of /sandbox/faults by pattern: GET lists the faults, PUT replaces the active
// ones by a JSON list of names, and DELETE switches all off. example is such a list, for error messages.
func Control(s Switched, table []Fault, example string) map[string]http.HandlerFunc {
	show := func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, struct {
			Active []string `json:"active"`
			Faults []Fault  `json:"faults"`
		}{s.ActiveFaults(), table})
	}
	set := func(w http.ResponseWriter, r *http.Request, names []string) {
		if err := s.SetFaults(names...); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		show(w, r)
	}
	return map[string]http.HandlerFunc{
		"GET /sandbox/faults": show,
		"PUT /sandbox/faults": func(w http.ResponseWriter, r *http.Request) {
			var names []string
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&names); err != nil {
				http.Error(w, fmt.Sprintf("send a JSON list of names, such as %s: %v", example, err), http.StatusBadRequest)
				return
			}
			set(w, r, names)
		},
		"DELETE /sandbox/faults": func(w http.ResponseWriter, r *http.Request) { set(w, r, nil) },
	}
}

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
