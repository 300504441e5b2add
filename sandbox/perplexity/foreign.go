package perplexity

import (
	"net/http"

	"baton/sandbox/fault"
)

// foreignFaults returns faults of components between a client and the server, and answers that look like
// proof that an object is gone.
func foreignFaults() []Fault {
	return []Fault{
		fault.Row("foreign-404", fault.Count, "3", "every Nth request is answered 404 with plain text by something that is not SCIM, and not carried out"),
		fault.Row("foreign-404-html", fault.Count, "3", "every Nth request is answered 404 with an HTML page, and not carried out"),
		fault.Row("foreign-404-writes", "", "", "every write is answered 404 with plain text, and not carried out"),
		fault.Row("foreign-404-one", fault.Count, "2", "every Nth read of one user or group is answered 404 with plain text"),
		fault.Row("denied-one", fault.Count, "2", "every Nth read of one user or group is answered with a SCIM 404, though it exists"),
		fault.Row("lookalike-list", fault.Count, "3", "every Nth list is an empty one that does not have the schema of a SCIM list"),
	}
}

// foreign returns the answer of a component in front of the server, or nil.
func (s *Server) foreign(r *http.Request, resource, id string) *answer {
	f := s.faults
	reading := r.Method == http.MethodGet
	object := resource == "Users" || resource == "Groups"
	switch {
	case f.Every("foreign-404"):
		return plain404()
	case f.Every("foreign-404-html"):
		return &answer{status: http.StatusNotFound, header: http.Header{"Content-Type": {"text/html"}},
			body: []byte("<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1><hr>gateway</body></html>\n")}
	case !object:
	case !reading && f.On("foreign-404-writes"):
		return plain404()
	case reading && id != "" && f.Every("foreign-404-one"):
		return plain404()
	case reading && id != "" && f.Every("denied-one"):
		return fail(404, "", "Resource %s not found", id).answer()
	case reading && id == "" && f.Every("lookalike-list"):
		return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: []byte(`{"totalResults":0,"Resources":[]}`)}
	}
	return nil
}

func plain404() *answer {
	return &answer{status: http.StatusNotFound, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: []byte("default backend - 404")}
}
