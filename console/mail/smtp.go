// Package mail writes mails and sends them through the company's mail server.
package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"baton"
	"baton/console"
	"baton/internal/output"
)

// Sender sends mails through a mail server.
type Sender struct {
	// Allow checks the address of a connection, after names were resolved. nil allows none.
	Allow func(netip.Addr) error
	// Public reports whether an address is on the public internet, where TLS is required. nil: every
	// address except loopback.
	Public func(netip.Addr) bool
	// Roots are the authorities for certificates of mail servers; nil: those of the system.
	Roots *x509.CertPool
	// Timeout limits one attempt; 0: one minute.
	Timeout time.Duration
}

// maxAnswer limits what a mail server may send in one connection, in bytes.
const maxAnswer = 1 << 20

// Send sends a mail to the server. No error means that the server accepted the mail. The error is
// Refused if the server permanently refuses this mail or its recipient, and of another kind if it
// may work later or with other settings.
func (s Sender) Send(ctx context.Context, settings console.MailSettings, password baton.Secret, m Message) error {
	if err := Check(settings); err != nil {
		return err
	}
	timeout := s.Timeout
	if timeout == 0 {
		timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := s.send(ctx, settings, password, m)
	if baton.KindOf(err) == baton.Unavailable && ctx.Err() != nil {
		err = baton.Errorf(baton.Unavailable, "the mail server %s did not answer in time", settings.Host).WithFix("%s", baton.FixOf(err))
	}
	return err
}

func (s Sender) send(ctx context.Context, settings console.MailSettings, password baton.Secret, m Message) error {
	body, from, to, err := m.encode(settings)
	if err != nil {
		return err
	}
	client, end, err := s.connect(ctx, settings, password)
	if err != nil {
		return err
	}
	defer end()
	if err := client.Mail(from); err != nil {
		return senderError(settings, err, from)
	}
	if err := client.Rcpt(to); err != nil {
		return final(answered(settings, err, "did not accept the recipient "+to), err)
	}
	w, err := client.Data()
	if err != nil {
		return final(answered(settings, err, "did not accept the mail"), err)
	}
	if _, err := w.Write(body); err != nil {
		return answered(settings, err, "broke off while the mail was sent")
	}
	if err := w.Close(); err != nil {
		return final(answered(settings, err, "did not accept the mail"), err)
	}
	client.Quit() // the server has accepted the mail
	return nil
}

// connect returns a connection that is ready to send mail, and a function that closes it.
func (s Sender) connect(ctx context.Context, settings console.MailSettings, password baton.Secret) (client *smtp.Client, end func(), err error) {
	conn, err := s.dial(ctx, settings)
	if err != nil {
		return nil, nil, err
	}
	raw := conn
	stop := context.AfterFunc(ctx, func() { raw.Close() }) // also ends the wait for a server that hangs
	shut := func() {
		stop()
		raw.Close()
	}
	defer func() {
		if err != nil {
			shut()
		}
	}()
	config := &tls.Config{ServerName: settings.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	if settings.TLS == console.MailImplicit {
		encrypted := tls.Client(conn, config)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return nil, nil, tlsError(settings, err)
		}
		conn = encrypted
	}
	if client, err = smtp.NewClient(conn, settings.Host); err != nil {
		e := answered(settings, err, "did not greet")
		if settings.TLS != console.MailImplicit && code(err) == 0 {
			e = e.WithFix("If the server expects TLS from the beginning, as usual on port 465, choose that.")
		}
		return nil, nil, e
	}
	// The console's own name is of no use to the server.
	if err := client.Hello("localhost"); err != nil {
		return nil, nil, answered(settings, err, "did not greet")
	}
	if settings.TLS == console.MailSTARTTLS {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return nil, nil, baton.Errorf(baton.Unavailable, "the mail server %s offers no STARTTLS on port %d", settings.Host, settings.Port).
				WithFix("Choose TLS with port 465, or another port.")
		}
		if err := client.StartTLS(config); err != nil {
			return nil, nil, tlsError(settings, err)
		}
	}
	if settings.User != "" {
		if err := logIn(client, settings, password); err != nil {
			return nil, nil, err
		}
	}
	return client, shut, nil
}

// dial connects to the server.
func (s Sender) dial(ctx context.Context, settings console.MailSettings) (net.Conn, error) {
	var refused error
	d := net.Dialer{ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err == nil {
			err = s.allow(settings, a.Addr().Unmap().WithZone(""))
		}
		if err != nil {
			refused = err
		}
		return err
	}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(settings.Host, strconv.Itoa(settings.Port)))
	switch {
	case err == nil:
		deadline, _ := ctx.Deadline()
		conn.SetDeadline(deadline)
		return &limitedConn{Conn: conn, left: maxAnswer}, nil
	case refused != nil:
		return nil, refused
	}
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		return nil, baton.Errorf(baton.Unavailable, "the mail server %s cannot be found: %s", settings.Host, dns.Err).WithFix("Check its name.")
	}
	return nil, baton.Errorf(baton.Unavailable, "the mail server %s cannot be reached on port %d: %s", settings.Host, settings.Port, cause(err)).
		WithFix("Check name and port, and that the network lets the console connect.")
}

// cause returns the innermost error, without addresses.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func (s Sender) allow(settings console.MailSettings, a netip.Addr) error {
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
	if settings.TLS == console.MailPlain && public {
		return baton.Errorf(baton.PermissionDenied, "the mail server %s is in the public internet, where nothing is sent without TLS", settings.Host).WithFix("Choose STARTTLS or TLS.")
	}
	return nil
}

// limitedConn fails after a limit of received bytes.
type limitedConn struct {
	net.Conn
	left int
}

func (c *limitedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the answer is too long")
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// logIn authenticates the sender. It runs over TLS only.
func logIn(client *smtp.Client, settings console.MailSettings, password baton.Secret) error {
	_, offered := client.Extension("AUTH")
	var auth smtp.Auth
	for _, way := range []struct {
		name string
		auth smtp.Auth
	}{
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(settings.User, password.Reveal())},
		{"PLAIN", smtp.PlainAuth("", settings.User, password.Reveal(), settings.Host, false)},
		{"LOGIN", smtp.LoginAuth(settings.User, password.Reveal(), settings.Host, false)},
		{"CRAM-MD5", smtp.CRAMMD5Auth(settings.User, password.Reveal())},
	} {
		if auth == nil && hasWord(offered, way.name) {
			auth = way.auth
		}
	}
	if auth == nil {
		return baton.Errorf(baton.Unavailable, "the mail server %s offers no login that the console knows", settings.Host).
			WithFix("If it asks for none, leave out the user. It offers: %s.", printable(offered))
	}
	err := client.Auth(auth)
	if err == nil {
		return nil
	}
	if code(err)/100 == 5 {
		return baton.Errorf(baton.Unauthenticated, "the mail server %s does not accept user and password: %s", settings.Host, printable(err.Error())).
			WithFix("Enter the password again under Settings > Mail.")
	}
	return answered(settings, err, "did not let the console log in")
}

func hasWord(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// code returns the SMTP code of an error; 0 if it is not a reply of the server.
func code(err error) int {
	if p := (*textproto.Error)(nil); errors.As(err, &p) {
		return p.Code
	}
	return 0
}

// answered returns an error with the server's reply, if there was one.
func answered(settings console.MailSettings, err error, what string) *baton.Error {
	var net net.Error
	switch {
	case code(err) != 0:
		return baton.Errorf(baton.Unavailable, "the mail server %s %s: %s", settings.Host, what, printable(err.Error()))
	case errors.As(err, &net) && net.Timeout():
		return baton.Errorf(baton.Unavailable, "the mail server %s did not answer in time", settings.Host)
	}
	return baton.Errorf(baton.Unavailable, "the mail server %s %s: the connection broke off", settings.Host, what)
}

// senderError returns the error for a server that accepts no mail from the sender. A server that
// wants TLS or a login first says so here (RFC 3207 section 4, RFC 4954 section 6).
func senderError(settings console.MailSettings, err error, from string) *baton.Error {
	e := answered(settings, err, "did not accept the sender "+from)
	switch {
	case code(err) == 0:
		return e
	case code(err) != 530:
		return e.WithFix("Choose a sender that %s may use.", settings.Host)
	case settings.TLS == console.MailPlain:
		return answered(settings, err, "accepts no mail without TLS or login").WithFix("Choose STARTTLS, and enter user and password if the server asks for them.")
	case settings.User == "":
		return answered(settings, err, "accepts no mail without login").WithFix("Enter user and password.")
	}
	return e
}

// final makes an error Refused if the server's reply is permanent.
func final(e *baton.Error, err error) error {
	if code(err)/100 != 5 {
		return e
	}
	return baton.Errorf(baton.Refused, "%s", e.Error()).WithFix("Correct what the server complains about, then send the mail again.")
}

func tlsError(settings console.MailSettings, err error) error {
	e := baton.Errorf(baton.Unavailable, "no TLS with the mail server %s: %s", settings.Host, printable(err.Error()))
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		e = e.WithFix("Its certificate is from an authority that the console does not know. Add that to the system's, or name its file in SSL_CERT_FILE.")
	case settings.TLS == console.MailImplicit:
		e = e.WithFix("If the server expects STARTTLS, as usual on port 587, choose that.")
	}
	return e
}

// maxPrintable limits the displayed text of a server's reply, in characters.
const maxPrintable = 300

func printable(text string) string {
	text = output.Clean(strings.ToValidUTF8(text, "?"))
	if r := []rune(text); len(r) > maxPrintable {
		text = string(r[:maxPrintable-1]) + "…"
	}
	return strings.TrimSuffix(text, ".")
}

// path returns an address in the form of SMTP.
func path(address string) (string, error) {
	if strings.ContainsFunc(address, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("it has a control character")
	}
	a, err := netmail.ParseAddress(address)
	if err != nil {
		return "", err
	}
	return (&netmail.Address{Address: a.Address}).String(), nil
}

// encode returns the encoded mail, its sender and its recipient.
func (m Message) encode(settings console.MailSettings) (body []byte, from, to string, err error) {
	if from, err = path(settings.From); err != nil {
		return nil, "", "", baton.Errorf(baton.Invalid, "the sender %q is no e-mail address", settings.From)
	}
	if to, err = path(m.To); err != nil {
		return nil, "", "", baton.Errorf(baton.Refused, "%q is no e-mail address", m.To).WithFix("Correct the address of the person.")
	}
	var buf bytes.Buffer
	err = m.write(&buf, settings)
	return buf.Bytes(), from, to, err
}
