package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"baton"
	"baton/connector/rest"
	"baton/internal/output"
)

// Sender posts messages.
type Sender struct {
	// Allow judges each address before a connection; nil allows none.
	Allow func(netip.Addr) error
	// Roots are the authorities that vouch for receivers; nil: those of the system.
	Roots   *x509.CertPool
	Timeout time.Duration // of one attempt; 0: 20 seconds
}

const (
	attemptTime = 20 * time.Second
	// excerptTime limits the wait for a body after the header said what became of the message.
	excerptTime = 2 * time.Second
	maxExcerpt  = 500     // of a body, in bytes
	maxHeader   = 8 << 10 // of an answer, in bytes
)

// Answer is the answer to a message.
type Answer struct {
	Status  int           // 0 if there was none
	Excerpt string        // beginning of the body, made printable
	After   time.Duration // how long the receiver asks to wait; 0 if it does not
}

// OK reports whether the receiver took the message.
func (a Answer) OK() bool { return a.Status/100 == 2 }

// Line is a connection to a receiver, for messages in a row.
type Line struct {
	client  *http.Client
	url     *url.URL
	timeout time.Duration
}

// Open returns a line to a URL. Each connection is to an address that is allowed at its time, also
// after the name has got another one. Redirects are not followed, and proxies not used.
func (s Sender) Open(address baton.Secret) (*Line, error) {
	u, err := url.Parse(address.Reveal())
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, baton.Errorf(baton.Invalid, "the URL of the webhook is not valid").WithFix("Enter it again.")
	}
	l := &Line{url: u, timeout: s.Timeout}
	if l.timeout == 0 {
		l.timeout = attemptTime
	}
	plain := u.Scheme == "http"
	dialer := rest.Dialer(func(a netip.Addr) error {
		if s.Allow == nil {
			return baton.Errorf(baton.PermissionDenied, "no address is allowed")
		}
		if err := s.Allow(a); err != nil {
			return err
		}
		if plain && !a.IsLoopback() {
			return baton.Errorf(baton.PermissionDenied, "the address is not this machine, and events leave it over TLS only")
		}
		return nil
	})
	l.client = &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12},
			MaxResponseHeaderBytes: maxHeader, DisableCompression: true, MaxConnsPerHost: 1, IdleConnTimeout: l.timeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return l, nil
}

// Close closes the connection.
func (l *Line) Close() { l.client.CloseIdleConnections() }

// Post posts a message. The error says why there is no answer.
func (l *Line) Post(ctx context.Context, h http.Header, body []byte) (a Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url.String(), bytes.NewReader(body))
	if err != nil {
		return a, baton.Errorf(baton.Invalid, "the URL of the webhook is not valid").WithFix("Enter it again.")
	}
	r.Header = h.Clone()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "baton-console")
	resp, err := l.client.Do(r)
	if err != nil {
		return a, l.explain(err)
	}
	a = Answer{Status: resp.StatusCode, After: retryAfter(resp.Header.Get("Retry-After"))}
	a.Excerpt = excerpt(resp.Body, cancel)
	return a, nil
}

// excerpt reads the beginning of a body. The result is known without it, so that a body that breaks
// off, or comes slowly, changes nothing.
func excerpt(body io.ReadCloser, cancel context.CancelFunc) string {
	defer body.Close()
	defer time.AfterFunc(excerptTime, cancel).Stop()
	b := make([]byte, maxExcerpt+1)
	n, err := io.ReadFull(body, b)
	if err == nil {
		n = maxExcerpt
		for n > 0 && !utf8.RuneStart(b[n]) {
			n--
		}
	}
	return strings.TrimSpace(output.Clean(strings.ToValidUTF8(string(b[:n]), "\ufffd")))
}

// retryAfter returns the wait that a Retry-After header asks for in seconds; 0 if it does not.
func retryAfter(text string) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// explain says why there is no answer. It leaves out the URL, which may be a secret.
func (l *Line) explain(err error) error {
	host := l.url.Host
	var (
		wrapped *url.Error
		dns     *net.DNSError
		timeout net.Error
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
	)
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case baton.KindOf(err) == baton.PermissionDenied:
		return err
	case errors.As(err, &dns) && dns.IsNotFound:
		return baton.Errorf(baton.Unavailable, "there is no host %s", l.url.Hostname())
	case errors.As(err, &cert):
		return baton.Errorf(baton.Unavailable, "the certificate of %s is not valid: %w", host, cert.Err)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return baton.Errorf(baton.Unavailable, "%s does not speak TLS", host)
	case errors.As(err, &timeout) && timeout.Timeout():
		return baton.Errorf(baton.Unavailable, "%s did not answer within %d seconds", host, int(l.timeout.Seconds()))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return baton.Errorf(baton.Unavailable, "%s closed the connection without an answer", host)
	}
	return baton.Errorf(baton.Unavailable, "%s cannot be reached: %s", host, output.Clean(strings.ToValidUTF8(err.Error(), "?")))
}
