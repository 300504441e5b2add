package perplexity

import (
	"bytes"
	"compress/gzip"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"baton/internal/scim"
	"baton/sandbox/fault"
)

const (
	scimType     = "application/scim+json"
	errorURN     = "urn:ietf:params:scim:api:messages:2.0:Error"
	maxBodyBytes = 2000 << 10 // the limit of WorkOS
)

// failure is a SCIM error (RFC 7644 section 3.12).
type failure struct {
	status           int
	scimType, detail string
	bare             bool // no body
}

func fail(status int, scimType, format string, args ...any) *failure {
	return &failure{status: status, scimType: scimType, detail: fmt.Sprintf(format, args...)}
}

// refused returns the failure for a request that cannot be carried out.
func refused(err *scim.Error) *failure { return fail(400, err.Type, "%s", err.Detail) }

func (f *failure) answer() *answer {
	if f.bare {
		return &answer{status: f.status, header: http.Header{}}
	}
	o := object{{"schemas", []any{errorURN}}, {"status", strconv.Itoa(f.status)}}
	if f.scimType != "" {
		o = append(o, attr{"scimType", f.scimType})
	}
	e := encoder{}
	e.value(append(o, attr{"detail", f.detail}))
	return &answer{status: f.status, header: scimHeader(), body: e.buf}
}

// answer is a response before it is sent, with the faults of its delivery.
type answer struct {
	status int
	header http.Header
	body   []byte

	wait     time.Duration
	stall    bool // never send it
	breakOff bool // close the connection in the middle
	padMiB   int  // blanks after the body
	gzipMiB  int  // blanks after the body, compressed
	inserts  []insert
}

func scimHeader() http.Header { return http.Header{"Content-Type": {scimType}} }

// exchange is one SCIM request while it is handled, under the server's lock.
type exchange struct {
	s      *Server
	r      *http.Request
	query  url.Values
	body   []byte
	base   string // absolute URL of the SCIM root, for locations
	fields scim.Fields
	past   *past
}

func (s *Server) serveSCIM(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.total++
	n, limit := s.total, int64(maxBodyBytes)
	if r.ContentLength != 0 && s.faults.Has("body-limit") {
		limit = int64(s.faults.Number("body-limit"))
	}
	s.mu.Unlock()
	if s.opts.OnRequest != nil {
		s.opts.OnRequest(n, r)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if tooLarge := (*http.MaxBytesError)(nil); err != nil && !errors.As(err, &tooLarge) {
		return // the client closed the connection
	}
	deliver(w, r, s.answer(r, body, err != nil))
}

// answer handles a request.
func (s *Server) answer(r *http.Request, body []byte, tooLarge bool) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	resource, id, route := s.route(r)
	s.requests[r.Method+" "+route]++
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	x := &exchange{s: s, r: r, query: r.URL.Query(), body: body, base: scheme + r.Host + s.base}
	done := s.audit(x)
	a := s.gate(r)
	if a == nil {
		a = s.foreign(r, resource, id)
	}
	if a == nil {
		a = x.otherTenant()
	}
	switch {
	case a != nil:
	case tooLarge:
		a = &answer{status: http.StatusRequestEntityTooLarge, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: []byte("request entity too large\n")}
	default:
		a = x.carryOut(resource, id)
	}
	s.spoil(a, r)
	done(a)
	return a
}

// carryOut dispatches a request and applies the faults of that step.
func (x *exchange) carryOut(resource, id string) *answer {
	f := x.s.faults
	reading := x.r.Method == http.MethodGet
	if reading && id != "" && f.Has("crossed-answers") {
		if other := x.s.neighbour(resource, id); other != "" && f.Every("crossed-answers") {
			id = other
		}
	}
	a := x.dispatch(resource, id)
	if reading {
		return a
	}
	if f.On("duplicate-delivery") {
		a = x.dispatch(resource, id)
	}
	if a.status < 300 && f.Every("error-after-work") {
		a = fail(500, "", "something went wrong").answer()
	}
	return a
}

// route splits the path below the SCIM root. Empty parts are ignored, so that a base URL may
// end in a slash.
func (s *Server) route(r *http.Request) (resource, id, route string) {
	var parts []string
	for _, p := range strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), (&url.URL{Path: s.base}).EscapedPath()), "/") {
		if p, err := url.PathUnescape(p); err == nil && p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 || len(parts) > 2 {
		return "", "", "other"
	}
	resource, route = parts[0], "/"+parts[0]
	switch resource {
	case "Users", "Groups", "ServiceProviderConfig", "ResourceTypes", "Schemas":
	default:
		return "", "", "other"
	}
	if len(parts) == 2 {
		id, route = parts[1], route+"/{id}"
	}
	return resource, id, route
}

// gate makes the checks that precede every request: the token, the plan, and the faults that affect every
// request.
func (s *Server) gate(r *http.Request) *answer {
	f := s.faults
	switch {
	case f.On("redirect"):
		status := http.StatusTemporaryRedirect
		if r.Method == http.MethodGet {
			status = http.StatusFound
		}
		return &answer{status: status, header: http.Header{"Location": {f.Value("redirect")}}}
	case f.On("html-200"):
		return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
			body: []byte("<!doctype html><html lang=en><title>Sign in</title><h1>Sign in</h1><p>This is not SCIM.</p></html>\n")}
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	good := strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare([]byte(strings.TrimSpace(token)), []byte(s.opts.Token)) == 1
	if good {
		good = !f.Past("token-revoked-after")
	}
	if !good {
		a := fail(401, "", "the bearer token is missing, wrong or revoked").answer()
		a.header.Set("WWW-Authenticate", `Bearer realm="SCIM"`)
		return a
	}
	if f := s.planAllows(); f != nil {
		return f.answer()
	}
	return s.interrupt()
}

// spoil applies faults to an answer.
func (s *Server) spoil(a *answer, r *http.Request) {
	f := s.faults
	a.wait = f.Wait("slow")
	if a.status >= 400 && f.On("bare-errors") {
		a.body = nil
		a.header.Del("Content-Type")
	}
	if len(a.body) > 0 && f.On("odd-content-type") {
		a.header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	if f.Has("latin-1") || f.Has("latin-1-undeclared") {
		s.encodeLatin1(a)
	}
	if f.Every("truncated-body") {
		a.body, a.inserts = a.body[:len(a.body)/2], nil
	}
	a.breakOff = f.Every("drop-connection")
	if len(a.body) > 0 {
		a.padMiB = f.Number("huge-body")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			a.gzipMiB = f.Number("gzip-bomb")
		}
	}
}

// encodeLatin1 encodes the body in ISO-8859-1.
func (s *Server) encodeLatin1(a *answer) {
	encoded, changed := fault.Latin1(a.body)
	if !changed || len(a.inserts) > 0 {
		return
	}
	a.body = encoded
	if s.faults.On("latin-1") {
		a.header.Set("Content-Type", a.header.Get("Content-Type")+"; charset=ISO-8859-1")
	} else {
		s.faults.On("latin-1-undeclared")
	}
}

// deliver sends the answer.
func deliver(w http.ResponseWriter, r *http.Request, a *answer) {
	if a.wait > 0 {
		timer := time.NewTimer(a.wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	if a.stall {
		<-r.Context().Done()
		return
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.breakOff {
		if len(a.body) > 0 {
			w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
			w.WriteHeader(a.status)
			w.Write(a.body[:len(a.body)/2])
			http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler) // net/http's way to close the connection
	}
	if a.gzipMiB > 0 {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(a.status)
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level exists
		z.Write(a.body)
		blanks(z, a.gzipMiB)
		z.Close()
		return
	}
	if a.padMiB == 0 && len(a.inserts) == 0 && a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	at := 0
	for _, in := range a.inserts {
		w.Write(a.body[at:in.at])
		at = in.at
		for range in.times {
			if _, err := w.Write(in.part); err != nil {
				return // the client closed the connection
			}
		}
	}
	w.Write(a.body[at:])
	blanks(w, a.padMiB)
}

// blanks writes MiBs of spaces until the client closes the connection.
func blanks(w io.Writer, mib int) {
	if mib == 0 {
		return
	}
	chunk := bytes.Repeat([]byte(" "), 64<<10)
	for range mib << 4 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// dispatch calls the handler of the route.
func (x *exchange) dispatch(resource, id string) *answer {
	if f := x.parseFields(); f != nil {
		return f.answer()
	}
	switch resource {
	case "Users", "Groups":
		if x.r.Method == http.MethodGet {
			x.past = x.s.seen(strings.Contains(strings.ToLower(x.r.Header.Get("Cache-Control")), "no-cache"))
		}
		if id == "" {
			return x.collection(resource)
		}
		return x.resource(resource, id)
	case "ServiceProviderConfig", "ResourceTypes", "Schemas":
		if !x.s.faults.On("no-provider-config") {
			return x.discovery(resource, id)
		}
	}
	return fail(404, "", "there is no such endpoint").answer()
}

func (x *exchange) collection(resource string) *answer {
	switch x.r.Method + " " + resource {
	case "GET Users":
		return x.listUsers()
	case "POST Users":
		return x.createUser()
	case "GET Groups":
		return x.listGroups()
	case "POST Groups":
		return x.createGroup()
	}
	return notAllowed("GET, POST")
}

func (x *exchange) resource(resource, id string) *answer {
	u, g := x.user(id), x.group(id)
	if resource == "Users" && u == nil || resource == "Groups" && g == nil {
		return fail(404, "", "Resource %s not found", id).answer()
	}
	var m *meta
	if resource == "Users" {
		m = &u.meta
	} else {
		m = &g.meta
	}
	if want := x.r.Header.Get("If-Match"); want != "" && want != "*" && !strings.Contains(want, m.etag()) {
		return fail(412, "", "the resource has changed: its version is %s", m.etag()).answer()
	}
	switch x.r.Method + " " + resource {
	case "GET Users":
		return x.getUser(u)
	case "PUT Users":
		return x.replaceUser(u)
	case "PATCH Users":
		if x.s.faults.On("patch-unsupported") {
			return fail(501, "", "PATCH is not supported").answer()
		}
		return x.patchUser(u)
	case "DELETE Users":
		return x.deleteUser(u)
	case "GET Groups":
		return x.getGroup(g)
	case "PUT Groups":
		return x.replaceGroup(g)
	case "PATCH Groups":
		if x.s.faults.On("patch-unsupported") {
			return fail(501, "", "PATCH is not supported").answer()
		}
		return x.patchGroup(g)
	case "DELETE Groups":
		x.s.deleteGroup(g)
		return &answer{status: http.StatusNoContent, header: http.Header{}}
	}
	return notAllowed("GET, PUT, PATCH, DELETE")
}

func notAllowed(allow string) *answer {
	a := fail(405, "", "the method is not allowed here").answer()
	a.header.Set("Allow", allow)
	return a
}

// one returns the answer with one resource.
func (x *exchange) one(status int, doc object, m *meta) *answer {
	a := &answer{status: status, header: scimHeader()}
	if m != nil {
		a.header.Set("ETag", m.etag())
		if x.r.Method == http.MethodGet && strings.Contains(x.r.Header.Get("If-None-Match"), m.etag()) {
			return &answer{status: http.StatusNotModified, header: http.Header{"Etag": {m.etag()}}}
		}
		location, _ := doc.Get("meta").(object).Get("location").(string)
		a.header.Set("Location", location)
	}
	e := x.encoder()
	e.value(x.fields.Apply(doc))
	a.body, a.inserts = e.buf, e.inserts
	return a
}

func (m *meta) etag() string { return `W/"` + strconv.Itoa(m.version) + `"` }

func (x *exchange) encoder() *encoder {
	f := x.s.faults
	e := &encoder{faults: f, upper: f.On("upper-case-attributes"), stringBools: f.On("string-booleans"), single: f.On("single-object-arrays"), bareMembers: f.On("bare-members")}
	if f.On("members-by-reference") {
		e.references, e.refName = x.base, "$ref"
	} else if f.On("members-by-ref") {
		e.references, e.refName = x.base, "ref"
	}
	return e
}

// document reads the body of a request as a JSON object.
func (x *exchange) document() (object, *failure) {
	media, _, _ := strings.Cut(strings.ToLower(x.r.Header.Get("Content-Type")), ";")
	if media = strings.TrimSpace(media); media != "" && media != "application/json" && !strings.HasSuffix(media, "+json") {
		return nil, fail(415, "", "the body is %s; send %s", media, scimType)
	}
	v, err := scim.Parse(x.body)
	if err != nil {
		return nil, fail(400, "invalidSyntax", "the body is not JSON: %v", err)
	}
	o, ok := v.(object)
	if !ok {
		return nil, fail(400, "invalidSyntax", "the body is not a JSON object")
	}
	return o, nil
}

// patched applies the body of a PATCH to a document.
func (x *exchange) patched(doc object) (*scim.Patcher, *failure) {
	body, f := x.document()
	if f != nil {
		return nil, f
	}
	ops, err := scim.ParsePatch(body)
	if err != nil {
		return nil, refused(err)
	}
	for _, op := range ops {
		switch faults := x.s.faults; {
		case op.Path != nil && op.Path.Filter != nil && faults.On("patch-no-filter"):
			return nil, fail(400, "invalidPath", "filters in paths are not supported")
		case op.Path != nil && op.Path.Attr != "members" && faults.On("patch-no-path"):
			return nil, fail(400, "invalidPath", "paths are not supported")
		}
	}
	p := &scim.Patcher{Doc: doc}
	for _, op := range ops {
		if err := p.Apply(op); err != nil {
			return nil, refused(err)
		}
	}
	return p, nil
}

// carriesOut reports whether a valid PATCH changes anything.
func (s *Server) carriesOut() bool { return !s.faults.On("patch-ignored") && !s.faults.On("patch-202") }

// afterPatch returns the answer to a PATCH whose normal answer is a, with the faults applied.
func (x *exchange) afterPatch(a *answer) *answer {
	f := x.s.faults
	switch {
	case a.status >= 300:
	case f.On("patch-202"):
		a.status, a.body = http.StatusAccepted, nil
	case f.On("patch-204"):
		a.status, a.body = http.StatusNoContent, nil
	case f.On("patch-200-empty"):
		a.body = nil
	default:
		return a
	}
	if a.body == nil {
		a.header.Del("Content-Type")
	}
	return a
}
