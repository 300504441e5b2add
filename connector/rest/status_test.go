package rest_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"baton"
	"baton/connector/rest"
)

// once sends one request to a transport that returns one response.
func once(t testing.TB, status int, body string, header ...string) error {
	c := client(t, rest.Config{BaseURL: "https://scim.example.com", RetryFor: -1,
		Transport: &script{steps: steps{answer(status, body, header...)}}})
	_, err := c.Do(t.Context(), rest.Request{Method: "PATCH", Path: "/Users/1", Retry: rest.RetrySafe})
	return err
}

func TestKinds(t *testing.T) {
	for status, want := range map[int]struct {
		kind baton.Kind
		fix  string
	}{
		302: {baton.Invalid, "check the URL"},
		304: {baton.Invalid, "check the URL"},
		400: {baton.Invalid, ""},
		401: {baton.Unauthenticated, "check the token"},
		403: {baton.PermissionDenied, "allowed to do"},
		404: {baton.NotFound, ""},
		405: {baton.Unsupported, ""},
		407: {baton.Invalid, "HTTPS_PROXY"},
		425: {baton.Unavailable, ""},
		511: {baton.Unavailable, "sign in to the network"},
		520: {baton.Unavailable, ""},
		408: {baton.Unavailable, ""},
		409: {baton.AlreadyExists, ""},
		410: {baton.NotFound, ""},
		412: {baton.Refused, ""},
		413: {baton.Invalid, "of this size"},
		422: {baton.Invalid, ""},
		429: {baton.RateLimited, ""},
		500: {baton.Unavailable, ""},
		501: {baton.Unsupported, ""},
		503: {baton.Unavailable, ""},
		599: {baton.Unavailable, ""},
	} {
		wantError(t, once(t, status, ""), want.kind, fmt.Sprintf("PATCH /Users/1: %d", status), want.fix)
	}
	for _, status := range []int{400, 500} {
		wantError(t, once(t, status, "Request THROTTLED"), baton.RateLimited, fmt.Sprint(status), "")
	}
}

// TestSomethingInBetween: a response that is not from the API is described by its visible sender, and says
// nothing about the token.
func TestSomethingInBetween(t *testing.T) {
	const cloudflare = "<!DOCTYPE html>\n<html lang=\"en-US\"><head><title>Attention Required! | Cloudflare</title></head>"
	for name, tt := range map[string]struct {
		status int
		body   string
		header []string
		kind   baton.Kind
		text   string
		fix    string
	}{
		"Cloudflare":            {403, cloudflare, []string{"Server", "cloudflare"}, baton.Unavailable, `403 Forbidden: got an HTML page titled "Attention Required! | Cloudflare" (Server: cloudflare), not an answer of the API`, "something between"},
		"Zscaler":               {403, "<html><head><title>Internet Security by Zscaler</title>", []string{"Server", "Zscaler/6.2"}, baton.Unavailable, `"Internet Security by Zscaler" (Server: Zscaler/6.2)`, "something between"},
		"a login page":          {401, "<!doctype html><title>Sign in &amp; go on</title>", nil, baton.Unavailable, `401 Unauthorized: got an HTML page titled "Sign in & go on", not`, "something between"},
		"a page without html":   {401, "<h1>Access  denied\n</h1>", []string{"Content-Type", "text/html"}, baton.Unavailable, `titled "Access denied"`, "something between"},
		"a comment first":       {403, "<!-- " + strings.Repeat("x", 2000) + " -->\n<html><body>no</body></html>", []string{"Via", "1.1 proxy.acme.example (squid)"}, baton.Unavailable, "an HTML page (Via: 1.1 proxy.acme.example (squid))", "something between"},
		"a basic proxy":         {401, "<html>", []string{"WWW-Authenticate", `Basic realm="Proxy"`}, baton.Unavailable, "an HTML page", "something between"},
		"XML":                   {403, "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", []string{"Server", "AmazonS3"}, baton.Unavailable, "an XML document (Server: AmazonS3)", "something between"},
		"a challenge":           {403, "", []string{"Cf-Mitigated", "challenge", "Server", "cloudflare"}, baton.Unavailable, "a challenge (Server: cloudflare)", "something between"},
		"text of Cloudflare":    {403, "error code: 1020", []string{"Server", "cloudflare"}, baton.Unavailable, "an error of a proxy (Server: cloudflare), not an answer of the API: error code: 1020", "something between"},
		"Squid":                 {403, "no", []string{"X-Squid-Error", "ERR_ACCESS_DENIED 0"}, baton.Unavailable, "an error of a Squid proxy", "something between"},
		"the API's own page":    {401, "<html><title>HTTP Status 401</title>", []string{"WWW-Authenticate", `Bearer realm="scim"`}, baton.Unauthenticated, `"HTTP Status 401"`, "check the token"},
		"the API":               {401, `{"detail":"bad token"}`, []string{"Server", "cloudflare"}, baton.Unauthenticated, "401 Unauthorized: bad token", "check the token"},
		"the API, without body": {403, "", []string{"Server", "cloudflare"}, baton.PermissionDenied, "403 Forbidden", "allowed to do"},
		"text":                  {403, "forbidden", nil, baton.PermissionDenied, "403 Forbidden: forbidden", "allowed to do"},
		"another status":        {400, "<html><title>Bad</title>", nil, baton.Invalid, `400 Bad Request: got an HTML page titled "Bad"`, ""},
		"a proxy":               {407, "<html><title>Proxy</title>", []string{"Proxy-Authenticate", "Basic"}, baton.Invalid, "407 Proxy Authentication Required", "user:password@host:port"},
		"a gateway":             {522, "<html><title>522: Connection timed out</title>", nil, baton.Unavailable, "522 Connection Timed Out: got an HTML page", ""},
		"the token in it":       {403, "<html><title>Bearer " + token + "</title>", nil, baton.Unavailable, "an HTML page titled", "something between"},
		"a terminal's codes":    {403, "<html><title>\x1b[31mred\u202e</title>", []string{"Server", "x\x1b[2J"}, baton.Unavailable, `titled "[31mred"`, "something between"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, once(t, tt.status, tt.body, tt.header...), tt.kind, tt.text, tt.fix)
		})
	}
	// A 2xx response can be such a page, too.
	err := once(t, 200, "<html><title>Sign in</title>", "Server", "nginx")
	wantError(t, err, baton.Invalid, `got an HTML page titled "Sign in" (Server: nginx) instead of an answer of the API`, "something between")
	if !errors.Is(err, rest.ErrHTML) {
		t.Errorf("%v is not ErrHTML", err)
	}
}

func TestDetail(t *testing.T) {
	long := strings.Repeat("ü", 400)
	for body, want := range map[string]string{
		``:                              "",
		`{}`:                            "",
		`{"detail":"No such user"}`:     "No such user",
		`{"Detail":"any\ncase"}`:        "any case",
		`{"message":"m","detail":""}`:   "m",
		`{"error":{"message":"inner"}}`: "inner",
		`{"error":"e","error_description":"said"}`:            "said",
		`{"Errors":{"description":"odd","code":404}}`:         "odd",
		`{"errors":[{"detail":"first"},{"detail":"second"}]}`: "first",
		`["a","b"]`:        "a",
		`"just text"`:      "just text",
		`{"detail":["a"]}`: "a",
		`{"detail":{"detail":{"detail":{"detail":{"detail":{"detail":"deep"}}}}}}`: "",
		`{"detail":7,"title":"t"}`:   "t",
		"plain\r\n\ttext\x1b[31m":    "plain text [31m",
		"<html><h1>Oops</h1></html>": "",
		"\ufeff{\"detail\":\"bom\"}": "bom",
		"\u202eevil\u200b":           "evil",
		"bad \xff utf-8":             "bad \ufffd utf-8",
		long:                         strings.Repeat("ü", 299) + "…",
	} {
		err := once(t, 400, body)
		var status *rest.StatusError
		if !errors.As(err, &status) {
			t.Fatalf("%q: %v", body, err)
		}
		if status.Detail != want {
			t.Errorf("detail of %q = %q, want %q", body, status.Detail, want)
		}
	}
}

func TestErrorBodyIsBounded(t *testing.T) {
	// The token straddles the limit: neither half may remain.
	body := strings.Repeat("a", 64<<10-5) + token + strings.Repeat("b", 1<<20)
	var status *rest.StatusError
	if err := once(t, 400, body); !errors.As(err, &status) {
		t.Fatal(err)
	}
	if len(status.Body) != 64<<10 || bytes.Contains(status.Body, []byte(token[:4])) {
		t.Errorf("%d bytes, ending in %q", len(status.Body), status.Body[len(status.Body)-10:])
	}
}

func TestTokenIsNeverRepeated(t *testing.T) {
	quoted := strings.ReplaceAll(token, "/", `\/`)
	for name, step := range map[string]func(*http.Request) (*http.Response, error){
		"detail":      answer(400, `{"detail":"bad token `+token+`"}`),
		"escaped":     answer(400, `{"detail":"bad token `+quoted+`"}`),
		"unicode":     answer(400, `{"detail":"bad token \u0073`+token[1:]+`"}`),
		"in a URL":    answer(400, "/x?t="+url.QueryEscape(token)+"&u="+url.PathEscape(token)),
		"base64":      answer(400, base64.StdEncoding.EncodeToString([]byte(token))),
		"plain":       answer(500, "Authorization: Bearer "+token),
		"redirect":    answer(302, "", "Location", "https://"+strings.ReplaceAll(token, "/", ".")+"/?"+token),
		"transport":   broken(errors.New(`malformed MIME header line: Bearer ` + token)),
		"retry after": answer(429, token, "Retry-After", token),
	} {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			cfg := rest.Config{Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))}
			secrets := []string{token, quoted, url.QueryEscape(token), url.PathEscape(token), base64.StdEncoding.EncodeToString([]byte(token))}
			play(t, cfg, rest.Request{Path: "/x"}, steps{step, step}, func(err error, attempts []rest.Attempt, _ time.Duration) {
				if err == nil {
					t.Fatal("no error")
				}
				out := logged.String()
				for e := err; e != nil; e = errors.Unwrap(e) {
					out += fmt.Sprintf("%v %+v\n", e, e)
				}
				for _, a := range attempts {
					out += fmt.Sprintf("%+v\n", a)
				}
				var status *rest.StatusError
				if !errors.As(err, &status) && attempts[0].Status >= 400 {
					t.Error("the status was lost with the secret")
				}
				if status != nil && name != "unicode" { // JSON can spell it in too many ways
					out += string(status.Body)
				}
				for _, s := range secrets {
					if strings.Contains(out, s) {
						t.Errorf("%q in:\n%s", s, out)
					}
				}
			})
		})
	}
}

func FuzzErrorBody(f *testing.F) {
	for _, seed := range []string{"", `{"detail":"x"}`, "<html>", `{"errors":[{"message":"` + token + `"}]}`, "\xff\x00", "[[[[[[]]]]]]"} {
		f.Add(400, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 300 || status > 999 {
			return
		}
		err := once(t, status, string(body))
		if err == nil {
			t.Fatal("no error")
		}
		text := err.Error()
		if strings.Contains(text, token) || !utf8.ValidString(text) || utf8.RuneCountInString(text) > 500 ||
			strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("%q", text)
		}
	})
}
