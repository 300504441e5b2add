package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"

	"baton"
)

// Health asks the console that listens on an address of this machine whether it serves, and
// returns what it says of itself ("ok"). The error says why it does not. An address without a
// host, or with an unspecified one, is asked on the loopback interface.
func Health(ctx context.Context, listen string, encrypted bool) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", errListen(err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if encrypted {
		scheme = "https"
	}
	url := scheme + "://" + net.JoinHostPort(host, port) + "/health"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", errListen(err)
	}
	// Without a proxy. The certificate is for the console's public name, and nothing secret is
	// sent: whoever answers on this port of this machine is the one that is asked about.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return "", baton.Errorf(baton.Unavailable, "health check: %w", err).WithFix("Is the console running, with the same --listen and TLS settings?")
	}
	defer resp.Body.Close()
	var body struct{ Status, Problem string }
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || json.Unmarshal(text, &body) != nil || body.Status == "" {
		return "", baton.Errorf(baton.Unavailable, "health check: the answer of %s is not that of a console (%s)", url, resp.Status)
	}
	if resp.StatusCode != http.StatusOK {
		return "", baton.Errorf(baton.Unavailable, "%s: %s", body.Status, body.Problem)
	}
	return body.Status, nil
}
