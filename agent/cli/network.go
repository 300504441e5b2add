package cli

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"baton"
	"baton/internal/output"
	"baton/internal/settings"
)

// checkNetwork refuses variables for proxies and certificate authorities that the Go libraries
// would ignore silently: if they cannot parse a proxy, they connect directly.
func checkNetwork(env map[string]string) error {
	var bad settings.Problems
	names := []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}
	if name, _ := anyOf(env, names[:2]...); name == "" {
		names = append(names, "ALL_PROXY", "all_proxy")
	}
	for _, name := range names {
		if value := env[name]; value != "" {
			if problem := proxyProblem(value); problem != "" {
				bad.Add("write it as http://host:port or http://user:password@host:port, with characters such as % @ # ? / of the password as %25 %40 %23 %3F %2F; or unset it", "%s %s", name, problem)
			}
		}
	}
	if runtime.GOOS != "windows" && runtime.GOOS != "darwin" { // where Go does not read them
		checkAuthorities(env, &bad)
	}
	return bad.Err()
}

// anyOf returns the first of the variables that is set, and its value.
func anyOf(env map[string]string, names ...string) (name, value string) {
	for _, name := range names {
		if env[name] != "" {
			return name, env[name]
		}
	}
	return "", ""
}

// proxyProblem describes the problem of a proxy address, or returns "". It does not repeat the
// address, which may contain a password.
func proxyProblem(value string) string {
	switch trimmed := strings.TrimSpace(value); {
	case trimmed == "":
		return "contains only blanks"
	case strings.TrimLeftFunc(value, unicode.IsSpace) != value:
		return "begins with a blank or a line break"
	case trimmed != value:
		return "ends with a blank or a line break"
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return "contains a blank or a line break"
	case strings.ContainsAny(value, "\"'`"):
		return "contains a quote"
	}
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	if err != nil {
		return "is not the address of a proxy"
	}
	port, numeric := 0, error(nil)
	if u.Port() != "" {
		port, numeric = strconv.Atoi(u.Port())
	}
	switch {
	case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme):
		return fmt.Sprintf("begins with %.12q, which is not a supported kind of proxy (http, https, socks5, socks5h)", u.Scheme+"://")
	case u.Hostname() == "" || numeric != nil || port > 65535 || port == 0 && u.Port() != "":
		return "is not the address of a proxy"
	case strings.TrimRight(u.Path, "/") != "" || u.RawQuery != "" || strings.Contains(value, "#"):
		return "has a path, a query or a fragment after host and port"
	}
	return ""
}

// checkAuthorities checks the variables that replace the certificate authorities of the
// system. Where Go cannot read them, it silently uses those of the system, or none.
func checkAuthorities(env map[string]string, bad *settings.Problems) {
	const fix = "point it to certificates in PEM, or unset it"
	if file := env["SSL_CERT_FILE"]; file != "" {
		if pem, err := os.ReadFile(file); err != nil {
			bad.Add(fix, "SSL_CERT_FILE: %v", err)
		} else if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			bad.Add(fix, "SSL_CERT_FILE: %s holds no certificate", file)
		}
	}
	if list := env["SSL_CERT_DIR"]; list != "" {
		found := false
		for _, dir := range strings.Split(list, ":") {
			entries, err := os.ReadDir(dir)
			if err != nil {
				bad.Add(fix, "SSL_CERT_DIR: %v", err)
				return
			}
			for _, e := range entries {
				if found {
					break
				}
				pem, err := os.ReadFile(filepath.Join(dir, e.Name()))
				found = err == nil && x509.NewCertPool().AppendCertsFromPEM(pem)
			}
		}
		if !found {
			bad.Add(fix, "SSL_CERT_DIR: no file in %s holds a certificate", list)
		}
	}
}

// checkRoute refuses variables that are meant for the connection to host and would not apply:
// ALL_PROXY, which the Go libraries do not read, and entries of NO_PROXY in a form that they
// do not match.
func checkRoute(env map[string]string, host string) error {
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil // never through a proxy
	}
	noProxyName, noProxy := anyOf(env, "NO_PROXY", "no_proxy")
	entry, matched := bypass(noProxy, host)
	proxyName, _ := anyOf(env, "HTTPS_PROXY", "https_proxy")
	all, _ := anyOf(env, "ALL_PROXY", "all_proxy")
	switch {
	case proxyName == "" && all == "" || entry != "" && matched:
		return nil
	case entry != "":
		return baton.Errorf(baton.Invalid, "%s has %q, which seems to mean %s and does not match it", noProxyName, output.Clean(entry), host).
			WithFix("write its entries as host, .domain, address or network/bits, separated by commas")
	case proxyName == "":
		return baton.Errorf(baton.Invalid, "%s is set and is not read; the connection to %s would not go through that proxy", all, host).
			WithFix("set HTTPS_PROXY to the proxy, or add the host to NO_PROXY")
	}
	return nil
}

var usualEntry = regexp.MustCompile(`^(\*\.|\.)?[\pL\pN_-]+(\.[\pL\pN_-]+)*(:[0-9]+)?$`)

// bypass returns the entry of NO_PROXY that means host, and whether the Go libraries match it.
// It also recognises entries in other forms: separated by blanks or semicolons, with a scheme,
// or with a star in any position.
func bypass(noProxy, host string) (entry string, matched bool) {
	host = strings.ToLower(host)
	for field := range strings.SplitSeq(noProxy, ",") {
		field = strings.ToLower(strings.TrimSpace(field))
		_, network, err := net.ParseCIDR(field)
		ip := net.ParseIP(host)
		switch name := strings.TrimPrefix(strings.TrimPrefix(field, "*"), "."); {
		case field == "*":
			return field, true
		case err == nil:
			if ip != nil && network.Contains(ip) {
				return field, true
			}
		case usualEntry.MatchString(field), usualAddress(field):
			if h, _, err := net.SplitHostPort(name); err == nil {
				name = h
			}
			if host == strings.Trim(name, "[]") && !strings.HasPrefix(field, "*.") && !strings.HasPrefix(field, ".") || strings.HasSuffix(host, "."+name) {
				return field, true
			}
		default:
			for word := range strings.FieldsFuncSeq(field, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(";|\"'", r) }) {
				if _, rest, ok := strings.Cut(word, "://"); ok {
					word = rest
				}
				word, _, _ = strings.Cut(word, "/")
				if h, _, err := net.SplitHostPort(word); err == nil {
					word = h
				}
				word = strings.Trim(word, ".")
				if like, err := path.Match(word, host); word != "" && err == nil && (like || strings.HasSuffix(host, "."+word)) {
					entry = field
				}
			}
		}
	}
	return entry, false
}

// usualAddress reports whether an entry of NO_PROXY is an address, with or without a port.
func usualAddress(field string) bool {
	if host, _, err := net.SplitHostPort(field); err == nil {
		field = host
	}
	return net.ParseIP(strings.Trim(field, "[]")) != nil
}

// hostOf returns the host of an origin, without the port.
func hostOf(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
