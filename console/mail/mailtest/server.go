// Package mailtest provides an SMTP server for tests, with STARTTLS, TLS and logins. It keeps the
// mails that it accepts, and fails at chosen steps.
package mailtest

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"baton"
	"baton/console"
)

// User and Password are the login that the server accepts.
const (
	User     = "baton"
	Password = "the password for mail"
)

// Options define how the server behaves.
type Options struct {
	TLS     bool // implicit TLS; otherwise STARTTLS is offered, unless NoTLS
	NoTLS   bool // no encryption at all
	NoLogin bool // it requires no login
	// Mechanism is the only way to log in: PLAIN, if it is empty, LOGIN, CRAM-MD5, or one that the console does not know.
	Mechanism string
}

// Received is a mail that the server accepted.
type Received struct {
	From, To string
	Data     string
}

// Server is an SMTP server on the loopback interface.
type Server struct {
	Port        int
	Roots       *x509.CertPool // trust it
	Certificate []byte         // its own, DER

	mu       sync.Mutex
	received []Received
	fault    func(step, argument string) error
	conns    []net.Conn
	asked    map[string]int
}

// Allow allows loopback addresses, where the server is.
func Allow(a netip.Addr) error {
	if !a.IsLoopback() {
		return errors.New("not the loopback interface")
	}
	return nil
}

// Start starts a server that stops when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{asked: map[string]int{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Port = l.Addr().(*net.TCPAddr).Port
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		if err := s.step("connect", "", c.Conn()); err != nil {
			return nil, err
		}
		x := &session{s: s, conn: c.Conn(), in: o.NoLogin, mechanism: cmp.Or(o.Mechanism, sasl.Plain)}
		if o.NoLogin {
			return x, nil
		}
		return loginSession{x}, nil
	}))
	server.Domain = "mail.example.com"
	server.ErrorLog = discard{}
	server.AllowInsecureAuth = false
	server.EnableSMTPUTF8 = true
	cert, roots := certificate(t)
	s.Roots, s.Certificate = roots, cert.Certificate[0]
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	switch {
	case o.TLS:
		l = tls.NewListener(l, config)
	case !o.NoTLS:
		server.TLSConfig = config
	}
	ended := make(chan struct{})
	go func() {
		server.Serve(l)
		close(ended)
	}()
	t.Cleanup(func() {
		s.Release()
		server.Close()
		l.Close() // needed if Serve has not run yet
		<-ended
	})
	return s
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

// Settings returns settings for which the server accepts mail.
func (s *Server) Settings(o Options) console.MailSettings {
	m := console.MailSettings{Host: "localhost", Port: s.Port, TLS: console.MailSTARTTLS, User: User, From: "Baton Console <baton@example.com>"}
	switch {
	case o.TLS:
		m.TLS = console.MailImplicit
	case o.NoTLS:
		m.TLS = console.MailPlain
	}
	if o.NoLogin {
		m.User = ""
	}
	return m
}

// Fault sets what happens at the steps of a session: connect, hello (again after STARTTLS), auth,
// mail, rcpt, data, and accepted, when the server has the mail and has not replied yet. An error is
// the reply; [ErrDie] closes the connection, [ErrHang] delays the reply until [Server.Release].
func (s *Server) Fault(f func(step, argument string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// ErrDie and ErrHang are special results of faults.
var (
	ErrDie  = errors.New("die")
	ErrHang = errors.New("hang")
)

// Answer returns a reply of the server.
func Answer(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 0, 0}, Message: text}
}

// Release ends hanging connections.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// Received returns the mails that the server accepted.
func (s *Server) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

// Asked returns how often a step was reached.
func (s *Server) Asked(step string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[step]
}

func (s *Server) step(name, argument string, conn net.Conn) error {
	s.mu.Lock()
	s.asked[name]++
	fault := s.fault
	s.mu.Unlock()
	if fault == nil {
		return nil
	}
	err := fault(name, argument)
	switch {
	case errors.Is(err, ErrDie):
		conn.Close()
	case errors.Is(err, ErrHang):
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		io.Copy(io.Discard, conn) // until the client gives up, or Release
		conn.Close()
	}
	return err
}

type session struct {
	s        *Server
	conn     net.Conn
	in       bool
	from, to string

	mechanism string
}

type loginSession struct{ *session }

func (x loginSession) AuthMechanisms() []string { return []string{x.mechanism} }

func (x loginSession) Auth(string) (sasl.Server, error) {
	switch x.mechanism {
	case sasl.Login:
		return &login{x: x}, nil
	case "CRAM-MD5":
		return &cram{x: x}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return x.enter(user, password == Password) }), nil
}

// enter logs a user in whose password is right or not.
func (x loginSession) enter(user string, right bool) error {
	if err := x.s.step("auth", user, x.conn); err != nil {
		return err
	}
	if user != User || !right {
		return smtp.ErrAuthFailed
	}
	x.in = true
	return nil
}

// login asks for the user, then for the password.
type login struct {
	x     loginSession
	asked bool
	user  string
}

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	case l.user == "":
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.x.enter(l.user, string(response) == Password)
}

// cram asks for the HMAC of a challenge (RFC 2195).
type cram struct {
	x     loginSession
	asked bool
}

func (c *cram) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge = []byte("<1896.697170952@mail.example.com>")
	if !c.asked {
		c.asked = true
		return challenge, false, nil
	}
	user, digest, _ := strings.Cut(string(response), " ")
	h := hmac.New(md5.New, []byte(Password))
	h.Write(challenge)
	return nil, true, c.x.enter(user, digest == hex.EncodeToString(h.Sum(nil)))
}

func (x *session) Mail(from string, _ *smtp.MailOptions) error {
	if !x.in {
		return smtp.ErrAuthRequired
	}
	x.from = from
	return x.s.step("mail", from, x.conn)
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.to = to
	return x.s.step("rcpt", to, x.conn)
}

func (x *session) Data(r io.Reader) error {
	if err := x.s.step("data", x.to, x.conn); err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	x.s.received = append(x.s.received, Received{x.from, x.to, string(b)})
	x.s.mu.Unlock()
	return x.s.step("accepted", x.to, x.conn)
}

func (x *session) Reset()        {}
func (x *session) Logout() error { return nil }

// certificate returns a certificate for localhost and its authority.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// Secret returns the password that the server accepts.
func Secret() baton.Secret { return baton.NewSecret(Password) }
