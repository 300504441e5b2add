package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"baton"
)

const (
	maxErrorBody = 64 << 10
	maxDetail    = 300 // runes
)

// StatusError is an answer whose status is not 2xx. Nothing in it holds the token,
// even if the upstream repeated it.
type StatusError struct {
	Status     int
	Detail     string        // what the upstream says, on one line of at most 300 runes; may be empty
	Body       []byte        // at most 64 KiB of it
	RetryAfter time.Duration // how long the upstream asks to wait, 0 if it does not
}

func (e *StatusError) Error() string {
	if e.Detail == "" {
		return statusText(e.Status)
	}
	return statusText(e.Status) + ": " + e.Detail
}

func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// statusFailure classifies an answer that is not 2xx.
func (c *Client) statusFailure(resp *http.Response, body []byte) *failure {
	body = []byte(c.redact.Replace(string(body)))
	body = body[:min(len(body), maxErrorBody)]
	f := &failure{status: resp.StatusCode}
	throttled := resp.StatusCode == http.StatusTooManyRequests || hiddenThrottling(resp.StatusCode, body)
	f.ask.wait, f.ask.said = RetryAfter(resp.Header, time.Now(), throttled)
	f.err = &StatusError{Status: resp.StatusCode, Detail: c.detail(body), Body: body, RetryAfter: f.ask.wait}
	f.kind, f.fix = kindOfStatus(resp.StatusCode)
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		f.retry = retryAlways
	case http.StatusServiceUnavailable:
		f.retry = retryIfSafe
		if f.ask.said {
			f.retry = retryAlways
		}
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		f.retry = retryIfSafe
	}
	if throttled {
		f.kind, f.fix = baton.RateLimited, ""
		if resp.StatusCode < 500 {
			f.retry = retryAlways
		}
	}
	return f
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
	case http.StatusRequestTimeout:
		return baton.Unavailable, ""
	case http.StatusRequestEntityTooLarge:
		return baton.Invalid, "send or ask for less at a time"
	}
	if status >= 500 {
		return baton.Unavailable, ""
	}
	return baton.Invalid, ""
}

// hiddenThrottling recognises upstreams that report throttling as a 400 or 500
// and say so in the body only.
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

// detail is what an error body says, in one line: the text of the first field
// that APIs use for it, or the body itself when it is plain text.
func (c *Client) detail(body []byte) string {
	var v any
	switch {
	case json.Unmarshal(body, &v) == nil:
		// Again, for JSON can spell a secret in many ways.
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

// oneLine makes text safe to print: no control or formatting characters, runs of
// white space as one space, at most limit runes.
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
