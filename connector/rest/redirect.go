package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"baton"
)

// slashes records the paths that the upstream wants with the other ending: with a trailing slash, or without.
// It is safe for concurrent use.
type slashes struct {
	mu    sync.Mutex
	other map[string]bool
}

// maxSlashes limits the recorded paths. Further ones are redirected each time.
const maxSlashes = 10_000

// path returns the path in the form that the upstream wants.
func (s *slashes) path(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.other[path] {
		return otherEnding(path)
	}
	return path
}

// remember records the form of the path that the upstream wants.
func (s *slashes) remember(path, wanted string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case path == wanted:
		delete(s.other, path)
	case s.other == nil:
		s.other = map[string]bool{path: true}
	case len(s.other) < maxSlashes:
		s.other[path] = true
	}
}

func otherEnding(path string) string {
	if without, ok := strings.CutSuffix(path, "/"); ok {
		return without
	}
	return path + "/"
}

// mayTurn reports whether the response redirects the request to its own address with the other ending, and
// the request may be sent there. No part of Location is used for that, so that the token goes nowhere else.
//
// A server that redirects has not carried out the request. Clients may turn a write into a GET when they
// follow a 301 or 302, so servers do not expect the write to be repeated: only an idempotent request is. A
// 303 answers a request that was carried out.
func (r Request) mayTurn(out *http.Request, in *http.Response) bool {
	switch in.StatusCode {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	case http.StatusMovedPermanently, http.StatusFound:
		if !r.safe() {
			return false
		}
	default:
		return false
	}
	return isOtherEnding(out.URL, location(out, in))
}

// location returns the address that a response redirects to, or nil if it has no valid one.
func location(out *http.Request, in *http.Response) *url.URL {
	text := in.Header.Get("Location")
	if text == "" {
		return nil
	}
	to, err := out.URL.Parse(text)
	if err != nil || to.Host == "" {
		return nil
	}
	return to
}

// isOtherEnding reports whether to equals from on the same origin except for a trailing slash in the path.
// The query may be missing, because the client sends it again; a different query makes a different address.
func isOtherEnding(from, to *url.URL) bool {
	return to != nil && sameOrigin(from, to) && to.User == nil && to.Path == otherEnding(from.Path) && (to.RawQuery == "" || sameQuery(from, to))
}

func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func sameQuery(a, b *url.URL) bool {
	x, errX := url.ParseQuery(a.RawQuery)
	y, errY := url.ParseQuery(b.RawQuery)
	return errX == nil && errY == nil && x.Encode() == y.Encode()
}

// redirectFailure refuses a redirect. It names only the host: the rest of a location may repeat parts of the
// request.
func (c *Client) redirectFailure(out *http.Request, in *http.Response) *failure {
	f := &failure{kind: baton.Invalid, status: in.StatusCode}
	status := &StatusError{Status: in.StatusCode}
	to := location(out, in)
	switch {
	case to == nil:
		f.err = fmt.Errorf("%w: the upstream redirects to nowhere", status)
	case !sameOrigin(out.URL, to):
		f.err = fmt.Errorf("%w: the upstream redirects to %s, which is not followed because the token would go there", status, to.Scheme+"://"+to.Host)
	case isOtherEnding(out.URL, to):
		f.err = fmt.Errorf("%w: the upstream redirects a %s to the same path with or without a slash at its end, and it cannot be sent there", status, out.Method)
		f.fix = "have the server take the path with and without a slash at its end, or redirect with 308"
		return f
	default:
		f.err = fmt.Errorf("%w: the upstream redirects to another path of its own, which is not followed", status)
	}
	f.fix = "check the URL; use the address that the redirect leads to if that is the right one"
	return f
}
