// Package siem sends events of the audit log, and signed heads of their chain, to systems outside
// the console: to a syslog server (RFC 5424 over TCP or TLS, RFC 5425 and 6587), and to a URL.
package siem

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/connector/rest"
	"baton/console"
)

// Sender sends to servers.
type Sender struct {
	// Allow judges each address before a connection; nil allows none.
	Allow func(netip.Addr) error
	// Public reports whether an address belongs to the public internet, where nothing is sent without
	// TLS. nil: every one that is not loopback.
	Public func(netip.Addr) bool
	// Roots are the authorities that vouch for servers; nil: those of the system.
	Roots   *x509.CertPool
	Host    string        // name of the console in messages
	Timeout time.Duration // of one connection or batch; 0: 30 seconds
}

func (s Sender) timeout() time.Duration {
	if s.Timeout == 0 {
		return 30 * time.Second
	}
	return s.Timeout
}

// Check returns an Invalid error if a target is not valid.
func Check(x console.AuditExport) error {
	if s := x.Syslog; s != (console.SyslogServer{}) {
		switch {
		case s.Host == "" || strings.ContainsFunc(s.Host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/@[]", r) }):
			return baton.Errorf(baton.Invalid, "%q is no name of a syslog server", s.Host).WithFix("Enter a name or an address without a port.")
		case s.Port < 1 || s.Port > 65535:
			return baton.Errorf(baton.Invalid, "%d is no port", s.Port).WithFix("Most syslog servers take TLS on port 6514, and TCP without it on 601.")
		}
	}
	for _, m := range x.HeadMails {
		if at := strings.LastIndex(m, "@"); at < 1 || at == len(m)-1 || strings.ContainsFunc(m, func(r rune) bool { return r <= ' ' || r == ',' || r == '<' }) {
			return baton.Errorf(baton.Invalid, "%q is no e-mail address", m)
		}
	}
	if x.HeadURL != "" {
		if u, err := url.Parse(x.HeadURL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
			return baton.Errorf(baton.Invalid, "%q is no address to put heads to", x.HeadURL).WithFix("Write it as https://bucket.example.com/head-{number}.json, without a password in it.")
		}
	}
	return nil
}

// Conn is a connection to a syslog server.
type Conn struct {
	conn   net.Conn
	server console.SyslogServer
	sender Sender
}

// Dial connects to a syslog server.
func (s Sender) Dial(ctx context.Context, server console.SyslogServer) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	d := rest.Dialer(func(a netip.Addr) error { return s.allow(a, server.Host, server.Plain) })
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(server.Host, strconv.Itoa(server.Port)))
	if err != nil {
		if baton.KindOf(err) == baton.PermissionDenied {
			return nil, err
		}
		return nil, baton.Errorf(baton.Unavailable, "the syslog server %s cannot be reached on port %d: %w", server.Host, server.Port, err)
	}
	if !server.Plain {
		encrypted := tls.Client(conn, &tls.Config{ServerName: server.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12})
		if err := encrypted.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, baton.Errorf(baton.Unavailable, "no TLS with the syslog server %s: %w", server.Host, err)
		}
		conn = encrypted
	}
	return &Conn{conn, server, s}, nil
}

func (s Sender) allow(a netip.Addr, host string, plain bool) error {
	if s.Allow == nil {
		return baton.Errorf(baton.PermissionDenied, "no address is allowed")
	}
	if err := s.Allow(a); err != nil {
		return err
	}
	public := !a.IsLoopback()
	if s.Public != nil {
		public = s.Public(a)
	}
	if plain && public {
		return baton.Errorf(baton.PermissionDenied, "%s is in the public internet, where nothing is sent without TLS", host).WithFix("Choose TLS.")
	}
	return nil
}

// Server returns the server that it is connected to.
func (c *Conn) Server() console.SyslogServer { return c.server }

// Close ends the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// settle is how long it takes to notice that a server has closed the connection.
const settle = 50 * time.Millisecond

// Send sends messages, and returns an error unless the connection is still open afterwards. A server
// does not say what it has taken: what it had not read when it died is lost, and shows as a gap in
// the numbers of events.
func (c *Conn) Send(messages [][]byte) error {
	c.conn.SetDeadline(time.Now().Add(c.sender.timeout()))
	var b bytes.Buffer
	for _, m := range messages {
		fmt.Fprintf(&b, "%d ", len(m)) // RFC 5425 section 4.3, RFC 6587 section 3.4.1
		b.Write(m)
	}
	if _, err := c.conn.Write(b.Bytes()); err != nil {
		return baton.Errorf(baton.Unavailable, "the syslog server %s broke off: %w", c.server.Host, err)
	}
	return c.open()
}

// open returns an error if the server has closed the connection. It never sends anything.
func (c *Conn) open() error {
	c.conn.SetReadDeadline(time.Now().Add(settle))
	var b [1]byte
	_, err := c.conn.Read(b[:])
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return baton.Errorf(baton.Unavailable, "the syslog server %s ended the connection", c.server.Host)
}

// The header of messages: facility "log audit", and how severe they are.
const (
	facility = 13
	notice   = 5
	warning  = 4
)

// Message returns an RFC 5424 message with a JSON object as its text.
func (s Sender) Message(at time.Time, id string, alarming bool, text any) ([]byte, error) {
	body, err := json.Marshal(text)
	if err != nil {
		return nil, baton.Errorf(baton.Internal, "encode the message %s: %w", id, err)
	}
	severity := notice
	if alarming {
		severity = warning
	}
	return fmt.Appendf(nil, "<%d>1 %s %s baton-console - %s - \xef\xbb\xbf%s", facility*8+severity, at.UTC().Format("2006-01-02T15:04:05.000000Z"),
		field(s.Host, 255), field(id, 32), body), nil
}

// field returns a header field: printable ASCII without spaces, or "-".
func field(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
	if text == "" {
		return "-"
	}
	return text[:min(len(text), most)]
}

// maxAnswer limits what is read of an answer, in bytes.
const maxAnswer = 4096

// Put puts a signed head to a URL, which takes each under its own name if it has "{number}" in it.
func (s Sender) Put(ctx context.Context, address string, authorization baton.Secret, head console.SignedHead) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	body, err := json.Marshal(head)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode the head: %w", err)
	}
	u, err := url.Parse(strings.ReplaceAll(address, "{number}", strconv.FormatInt(head.Number, 10)))
	if err != nil {
		return baton.Errorf(baton.Invalid, "%q is no address", address)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), bytes.NewReader(append(body, '\n')))
	if err != nil {
		return baton.Errorf(baton.Invalid, "%q is no address", address)
	}
	r.Header.Set("Content-Type", "application/json")
	if !authorization.IsZero() {
		r.Header.Set("Authorization", authorization.Reveal())
	}
	plain := u.Scheme == "http"
	transport := &http.Transport{DialContext: rest.Dialer(func(a netip.Addr) error { return s.allow(a, u.Hostname(), plain) }).DialContext,
		TLSClientConfig: &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return baton.Errorf(baton.Unavailable, "%s cannot be reached: %w", u.Host, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 != 2 {
		return baton.Errorf(baton.Unavailable, "%s does not take the head: %s", u.Host, resp.Status)
	}
	return nil
}
