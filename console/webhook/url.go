package webhook

import (
	"net/netip"
	"net/url"
	"strings"

	"baton"
	"baton/console"
)

// CheckURL returns the part of a webhook's URL that may be displayed, or an Invalid error.
// URLs begin with https. http is accepted for this machine itself.
func CheckURL(kind console.WebhookKind, text string) (address string, err error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return "", baton.Errorf(baton.Invalid, "the URL of the webhook is not valid").WithFix("Write it as https://example.com/path.")
	case len(text) > maxURL:
		return "", baton.Errorf(baton.Invalid, "the URL of the webhook is longer than %d characters", maxURL)
	case u.User != nil:
		return "", baton.Errorf(baton.Invalid, "the URL of the webhook has a user or a password in it").WithFix("Leave it out: the receiver checks the signature.")
	case u.Fragment != "":
		return "", baton.Errorf(baton.Invalid, "the URL of the webhook has a fragment, which is never sent").WithFix("Leave out # and what follows.")
	case u.Scheme != "https" && !(u.Scheme == "http" && localHost(u.Hostname())):
		return "", baton.Errorf(baton.Invalid, "the URL of the webhook does not begin with https://").WithFix("Events leave the console over TLS only.")
	}
	address = u.Scheme + "://" + u.Host
	switch {
	case kind == console.WebhookChat: // whoever knows the rest of it can post to the channel
		return address + "/…", nil
	case u.RawQuery != "":
		return address + u.EscapedPath() + "?…", nil
	}
	return address + u.EscapedPath(), nil
}

const maxURL = 2000

// localHost reports whether a host is this machine.
func localHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || host == "localhost"
}
