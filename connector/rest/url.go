package rest

import (
	"net"
	"net/url"
	"strings"

	"baton"
)

// parseBase checks and normalises a base URL. Errors do not repeat it: people
// paste credentials into URLs.
func parseBase(raw string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	if raw == "" {
		return nil, baton.Errorf(baton.Invalid, "the URL is missing")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, baton.Errorf(baton.Invalid, "the URL cannot be parsed").
			WithFix("copy the URL again; it looks like https://host/path")
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case u.User != nil:
		return nil, baton.Errorf(baton.Invalid, "the URL holds a user name or password").
			WithFix("remove what stands before the @; the token is configured on its own")
	case u.Scheme == "http" && host != "" && !isLoopback(host):
		return nil, baton.Errorf(baton.Invalid, "refusing http:// to %s: the token would travel unencrypted", host).
			WithFix("use https://; plain http:// is for localhost only")
	case u.Scheme != "https" && u.Scheme != "http" || host == "":
		return nil, baton.Errorf(baton.Invalid, "the URL is not an https:// address").
			WithFix("give the whole URL, such as https://%s/path", "host")
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
	return url.Parse(u.Scheme + "://" + authority + path)
}

// isLoopback accepts literals and "localhost" only: any other name may resolve to
// anywhere.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Join makes a path of segments, each escaped, so that an identifier can neither
// leave its segment nor add a query.
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

// target is the URL of a request below the base.
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
	// A space as %20: not every server takes the form encoding's plus sign.
	u.RawQuery = strings.ReplaceAll(req.Query.Encode(), "+", "%20")
	return u, nil
}
