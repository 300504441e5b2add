package rest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"baton"
)

// parseBase checks and normalises a base URL. Errors begin with name, the setting, and do not repeat the URL,
// because people paste credentials into URLs. The URL must not have the reserved query parameters.
func parseBase(raw, name string, reserved []string) (*url.URL, error) {
	invalid := func(problem string, args ...any) *baton.Error {
		return baton.Errorf(baton.Invalid, "%s"+problem, append([]any{prefix(name)}, args...)...)
	}
	raw = strings.TrimSpace(raw)
	switch {
	case raw == "":
		return nil, invalid("the URL is missing")
	case isQuoted(raw):
		return nil, invalid("the URL is in quotes").WithFix("remove the quotes")
	case isPlaceholder(raw):
		return nil, invalid("the URL is a placeholder").WithFix("set it to the address itself")
	}
	u, err := url.Parse(raw)
	if err != nil || strings.ContainsFunc(raw, unicode.IsSpace) {
		return nil, invalid("the URL cannot be parsed").WithFix("copy the URL again; it looks like https://host/path")
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case u.User != nil:
		return nil, invalid("the URL holds a user name or password").
			WithFix("remove what stands before the @; the token is configured on its own")
	case u.Scheme == "http" && host != "" && !isLoopback(host):
		return nil, invalid("refusing http:// to %s: the token would travel unencrypted", host).
			WithFix("use https://; plain http:// is for localhost only")
	case u.Scheme != "https" && u.Scheme != "http" || host == "":
		return nil, invalid("the URL is not an https:// address").WithFix("give the whole URL, such as https://%s/path", "host")
	case strings.Contains(raw, "#"):
		return nil, invalid("the URL has a fragment, which is never sent").WithFix("remove the # and what follows it")
	}
	query, err := parseQuery(u.RawQuery, reserved)
	if err != nil {
		return nil, invalid("%w", err).WithFix("copy the URL again, without a query unless the server needs it")
	}
	port := u.Port()
	if u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		port = ""
	}
	authority := host
	if strings.Contains(host, ":") {
		authority = "[" + host + "]"
	}
	if port != "" {
		authority = net.JoinHostPort(host, port)
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	base, err := url.Parse(u.Scheme + "://" + authority + path)
	if err != nil {
		return nil, invalid("the URL cannot be parsed")
	}
	base.RawQuery = query
	return base, nil
}

// parseQuery checks the query of a base URL and returns it in the form in which requests send it.
func parseQuery(raw string, reserved []string) (string, error) {
	raw = strings.Trim(raw, "&")
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", errors.New("the query of the URL cannot be parsed")
	}
	for key := range values {
		if slices.ContainsFunc(reserved, func(name string) bool { return strings.EqualFold(name, key) }) {
			return "", fmt.Errorf("the query of the URL sets %q, which the requests set themselves", oneLine(key, 40))
		}
	}
	for i := range len(raw) {
		if b := raw[i]; b <= ' ' || b >= 0x7f || strings.IndexByte("\"<>\\^`{|}", b) >= 0 {
			return values.Encode(), nil
		}
	}
	return raw, nil
}

// prefix returns the beginning of a message about a setting.
func prefix(setting string) string {
	if setting == "" {
		return ""
	}
	return setting + ": "
}

func isQuoted(value string) bool {
	first, _ := utf8.DecodeRuneInString(value)
	last, _ := utf8.DecodeLastRuneInString(value)
	return strings.ContainsRune("\"'`\u201c\u201d\u201e\u2018\u2019\u00ab", first) || strings.ContainsRune("\"'`\u201c\u201d\u2018\u2019\u00bb", last)
}

// isPlaceholder recognises the placeholders of templates and documentation.
func isPlaceholder(value string) bool {
	for _, ends := range [][2]string{{"<", ">"}, {"${", "}"}, {"$(", ")"}, {"{{", "}}"}, {"%", "%"}} {
		if strings.HasPrefix(value, ends[0]) && strings.HasSuffix(value, ends[1]) {
			return true
		}
	}
	return false
}

// tokenProblem says why a bearer token is invalid, or returns "". It quotes no part of the token.
func tokenProblem(token string) string {
	trimmed := strings.TrimSpace(token)
	switch word, _, _ := strings.Cut(trimmed, " "); {
	case token == "":
		return ""
	case trimmed == "":
		return "the token is blank"
	case strings.HasPrefix(token, "\ufeff"), strings.Contains(token, "\x00"):
		return "the token begins with a byte order mark or is in UTF-16, as some editors save files"
	case strings.EqualFold(word, "bearer"), strings.EqualFold(word, "bearer:"), strings.EqualFold(word, "authorization:"):
		return "the token begins with the word " + word
	case strings.ContainsAny(trimmed, "\r\n"):
		return "the token has a line break in it"
	case trimmed != token:
		return "the token begins or ends with a blank or a line break"
	case isQuoted(token):
		return "the token is in quotes"
	case isPlaceholder(token):
		return "the token is a placeholder"
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "the token holds a space or another character that no token has"
	}
	return ""
}

// isLoopback accepts only literal addresses and "localhost": any other name may resolve to anything.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Join joins escaped segments to a path, so that an identifier can neither leave its segment nor add a query.
func Join(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		switch s {
		case ".", "..":
			b.WriteString(strings.ReplaceAll(s, ".", "%2E"))
		default:
			b.WriteString(url.PathEscape(s))
		}
	}
	return b.String()
}

// target returns the URL of a request below the base URL.
func target(base *url.URL, req Request) (*url.URL, error) {
	path := req.Path
	if path != "" && !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if strings.ContainsAny(path, "?#") {
		return nil, baton.Errorf(baton.Internal, "request path %q holds a query", path)
	}
	u, err := url.Parse(base.Scheme + "://" + base.Host + base.EscapedPath() + path)
	if err != nil {
		return nil, baton.Errorf(baton.Internal, "request path %q is not escaped", path)
	}
	// Encode spaces as %20: not every server accepts the plus sign of form encoding.
	own := strings.ReplaceAll(req.Query.Encode(), "+", "%20")
	u.RawQuery = strings.Trim(base.RawQuery+"&"+own, "&")
	return u, nil
}
