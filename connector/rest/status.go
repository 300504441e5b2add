package rest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"baton"
)

const (
	maxErrorBody = 64 << 10
	maxDetail    = 300 // runes
)

// StatusError is a response whose status is not 2xx. It never contains the token, even if the upstream
// repeated it.
type StatusError struct {
	Status     int
	Detail     string        // the upstream's message on one line of at most 300 runes; may be empty
	Body       []byte        // at most 64 KiB of it
	RetryAfter time.Duration // the wait that the upstream requests, or 0
	// Page describes a response that does not come from the API: "an HTML page titled "Sign in" (Server:
	// nginx)". It is empty for all others.
	Page string
}

func (e *StatusError) Error() string {
	text := statusText(e.Status)
	if e.Page != "" {
		text += ": got " + e.Page + ", not an answer of the API"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// statusNames names statuses that gateways send and package net/http does not know.
var statusNames = map[int]string{
	520: "Web Server Returned an Unknown Error", 521: "Web Server Is Down", 522: "Connection Timed Out", 523: "Origin Is Unreachable",
	524: "A Timeout Occurred", 525: "SSL Handshake Failed", 526: "Invalid SSL Certificate", 527: "Railgun Error", 529: "Site Is Overloaded", 530: "Origin DNS Error",
}

func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, cmp.Or(http.StatusText(status), statusNames[status])))
}

// statusFailure classifies a response that is not 2xx.
func (c *Client) statusFailure(resp *http.Response, body []byte) *failure {
	body = []byte(c.redact.Replace(string(body)))
	body = body[:min(len(body), maxErrorBody)]
	f := &failure{status: resp.StatusCode}
	throttled := resp.StatusCode == http.StatusTooManyRequests || hiddenThrottling(resp.StatusCode, body)
	f.ask.wait, f.ask.found = RetryAfter(resp.Header, time.Now(), throttled)
	page := pageOf(resp.Header, body)
	f.err = &StatusError{Status: resp.StatusCode, Detail: c.detail(body), Body: body, RetryAfter: f.ask.wait, Page: page}
	f.kind, f.fix = kindOfStatus(resp.StatusCode)
	f.retry = retryOfStatus(resp.StatusCode)
	f.slow = resp.StatusCode == http.StatusGatewayTimeout || resp.StatusCode == 524
	if resp.StatusCode == http.StatusServiceUnavailable && f.ask.found {
		f.retry = retryAlways
	}
	switch {
	case throttled:
		f.kind, f.fix = baton.RateLimited, ""
		if resp.StatusCode < 500 {
			f.retry = retryAlways
		}
	case page != "" && (f.kind == baton.Unauthenticated || f.kind == baton.PermissionDenied):
		if asksForBearer(resp.Header) {
			f.fix += "; if the page is not the upstream's, have what sent it let these requests through"
			break
		}
		// This says nothing about the token: the sender may not be the API.
		f.kind, f.fix = baton.Unavailable, "something between here and the upstream answered, such as a proxy, a firewall or a login page: have it let these requests through; if the page is the upstream's own, check the token"
	}
	return f
}

// retryOfStatus says when a request is repeated after a status. From 500 on, it is repeated unless the status
// says that the request will never be carried out.
func retryOfStatus(status int) retryWhen {
	switch status {
	case http.StatusTooManyRequests:
		return retryAlways
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return retryIfSafe
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusVariantAlsoNegotiates,
		http.StatusLoopDetected, http.StatusNotExtended, http.StatusNetworkAuthenticationRequired:
		return retryNo
	}
	if status >= 500 {
		return retryIfSafe
	}
	return retryNo
}

// asksForBearer reports whether a 401 asks for a bearer token. The API does; a proxy or a login page does
// not.
func asksForBearer(h http.Header) bool {
	return slices.ContainsFunc(h.Values("WWW-Authenticate"), func(challenge string) bool {
		return strings.Contains(strings.ToLower(challenge), "bearer")
	})
}

func kindOfStatus(status int) (kind baton.Kind, fix string) {
	switch status {
	case http.StatusUnauthorized:
		return baton.Unauthenticated, "check the token; it may have expired, been rotated or been revoked"
	case http.StatusForbidden:
		return baton.PermissionDenied, "check what the token is allowed to do"
	case http.StatusNotFound, http.StatusGone:
		return baton.NotFound, ""
	case http.StatusConflict:
		return baton.AlreadyExists, ""
	case http.StatusPreconditionFailed:
		return baton.Refused, ""
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return baton.Unsupported, ""
	case http.StatusTooManyRequests:
		return baton.RateLimited, ""
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return baton.Unavailable, ""
	case http.StatusProxyAuthRequired:
		return baton.Invalid, "a proxy wants a user name and a password: set HTTPS_PROXY to http://user:password@host:port"
	case http.StatusNetworkAuthenticationRequired:
		return baton.Unavailable, "sign in to the network that this machine is in; its portal answered in place of the upstream"
	case http.StatusRequestEntityTooLarge:
		return baton.Invalid, "have whoever runs the upstream, or a proxy in front of it, allow a request or an answer of this size"
	}
	if status >= 500 {
		return baton.Unavailable, ""
	}
	return baton.Invalid, ""
}

// hiddenThrottling recognises throttling that an upstream reports as a 400 or 500 and only explains in the
// body.
func hiddenThrottling(status int, body []byte) bool {
	if status != http.StatusBadRequest && status != http.StatusInternalServerError {
		return false
	}
	text := bytes.ToLower(body)
	for _, word := range []string{"rate limit", "ratelimit", "rate_limit", "throttl", "request_limit_exceeded", "too many requests"} {
		if bytes.Contains(text, []byte(word)) {
			return true
		}
	}
	return false
}

// detail returns the message in an error body on one line: the text of the first field that APIs use for it,
// or the body itself if it is plain text.
func (c *Client) detail(body []byte) string {
	var v any
	switch {
	case json.Unmarshal(body, &v) == nil:
		// Redact again, because JSON can spell a secret in many ways.
		return oneLine(c.redact.Replace(message(v, 0)), maxDetail)
	case isMarkup(body):
		return ""
	}
	return oneLine(string(body), maxDetail)
}

func message(v any, depth int) string {
	if depth > 4 {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case []any:
		if len(v) > 0 {
			return message(v[0], depth+1)
		}
	case map[string]any:
		lower := make(map[string]any, len(v))
		for k, child := range v {
			lower[strings.ToLower(k)] = child
		}
		for _, k := range []string{"detail", "message", "error_description", "description", "error", "errors", "title"} {
			if text := message(lower[k], depth+1); text != "" {
				return text
			}
		}
	}
	return ""
}

// oneLine makes text safe to print: no control or formatting characters, white space collapsed to single
// spaces, and at most limit runes.
func oneLine(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}
