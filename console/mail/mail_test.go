package mail_test

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/mail"
	"baton/console/mail/mailtest"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func message() mail.Message {
	return mail.Message{ID: "2abc", At: noon, To: "ana@example.com", Name: "Ana", Subject: "Connector x: Error", Text: "It failed.\n.\nReally.", HTML: "<p>It failed.</p>"}
}

func sender(s *mailtest.Server) mail.Sender {
	return mail.Sender{Allow: mailtest.Allow, Roots: s.Roots, Timeout: 10 * time.Second}
}

// parsed is a mail as a reader shows it.
type parsed struct {
	header     netmail.Header
	text, html string
}

func parse(t *testing.T, data string) (p parsed) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	p.header = m.Header
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("the mail is %q, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			p.html = string(b)
		} else {
			p.text = string(b)
		}
	}
}

// TestSend sends over STARTTLS, over TLS and without encryption, with and without login.
func TestSend(t *testing.T) {
	for name, o := range map[string]mailtest.Options{"starttls": {}, "tls": {TLS: true}, "none": {NoTLS: true, NoLogin: true}, "starttls without login": {NoLogin: true}} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Start(t, o)
			if err := sender(s).Send(t.Context(), s.Settings(o), mailtest.Secret(), message()); err != nil {
				t.Fatal(err)
			}
			got := s.Received()
			if len(got) != 1 || got[0].From != "baton@example.com" || got[0].To != "ana@example.com" {
				t.Fatalf("received %+v", got)
			}
			m := parse(t, got[0].Data)
			for field, want := range map[string]string{"Message-Id": "<2abc@example.com>", "From": `"Baton Console" <baton@example.com>`, "To": `"Ana" <ana@example.com>`,
				"Subject": "Connector x: Error", "Date": "Sun, 29 Nov 2026 12:00:00 +0000", "Auto-Submitted": "auto-generated"} {
				if m.header.Get(field) != want {
					t.Errorf("%s: %q, want %q", field, m.header.Get(field), want)
				}
			}
			if text := strings.ReplaceAll(m.text, "\r\n", "\n"); text != "It failed.\n.\nReally." || m.html != "<p>It failed.</p>" {
				t.Errorf("text %q, html %q", m.text, m.html)
			}
		})
	}
}

// TestSendFails checks for each failure whether the mail itself was refused, and the advice.
func TestSendFails(t *testing.T) {
	at := func(step string, err error) func(string, string) error {
		return func(s, _ string) error {
			if s == step {
				return err
			}
			return nil
		}
	}
	for _, tt := range []struct {
		name   string
		fault  func(string, string) error
		change func(*console.MailSettings)
		kind   baton.Kind
		says   string
	}{
		{"busy", at("connect", mailtest.Answer(421, "too busy")), nil, baton.Unavailable, "too busy"},
		{"wrong password", at("auth", mailtest.Answer(535, "bad credentials")), nil, baton.Unauthenticated, "does not accept user and password"},
		{"login later", at("auth", mailtest.Answer(454, "try later")), nil, baton.Unavailable, "try later"},
		{"sender", at("mail", mailtest.Answer(550, "not your domain")), nil, baton.Unavailable, "not your domain"},
		{"greylisted", at("rcpt", mailtest.Answer(451, "come back")), nil, baton.Unavailable, "come back"},
		{"no such recipient", at("rcpt", mailtest.Answer(550, "no such user")), nil, baton.Refused, "no such user"},
		{"content", at("accepted", mailtest.Answer(554, "looks like spam")), nil, baton.Refused, "looks like spam"},
		{"disk full", at("accepted", mailtest.Answer(452, "no space")), nil, baton.Unavailable, "no space"},
		{"dies at greeting", at("connect", mailtest.ErrDie), nil, baton.Unavailable, "broke off"},
		{"dies in data", at("data", mailtest.ErrDie), nil, baton.Unavailable, "broke off"},
		{"dies before its answer", at("accepted", mailtest.ErrDie), nil, baton.Unavailable, "broke off"},
		{"hangs", at("rcpt", mailtest.ErrHang), nil, baton.Unavailable, "in time"},
		{"wrong mode", nil, func(s *console.MailSettings) { s.TLS = console.MailImplicit }, baton.Unavailable, "no TLS"},
		{"nobody listens", nil, func(s *console.MailSettings) { s.Port = 1 }, baton.Unavailable, "port 1"},
		{"no such server", nil, func(s *console.MailSettings) { s.Host = "nothing.invalid" }, baton.Unavailable, "cannot be found"},
		{"another host's certificate", nil, func(s *console.MailSettings) { s.Host = "127.0.0.2" }, baton.Unavailable, "no TLS"},
		{"bad settings", nil, func(s *console.MailSettings) { s.From = "x" }, baton.Invalid, "no e-mail address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.Start(t, mailtest.Options{})
			s.Fault(tt.fault)
			settings := s.Settings(mailtest.Options{})
			if tt.change != nil {
				tt.change(&settings)
			}
			from := sender(s)
			if tt.name == "hangs" {
				from.Timeout = 300 * time.Millisecond
			}
			if tt.name == "another host's certificate" {
				l, err := net.Listen("tcp", "127.0.0.2:0")
				if err != nil {
					t.Skip("the system has no 127.0.0.2")
				}
				defer l.Close()
				go pipe(l, s.Port)
				settings.Port = l.Addr().(*net.TCPAddr).Port
			}
			err := from.Send(t.Context(), settings, mailtest.Secret(), message())
			if baton.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v: %v, want %v with %q", baton.KindOf(err), err, tt.kind, tt.says)
			}
		})
	}
}

// pipe forwards the connections of a listener to a port.
func pipe(l net.Listener, port int) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			to, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
			if err != nil {
				return
			}
			defer to.Close()
			go io.Copy(to, from)
			io.Copy(from, to)
		}()
	}
}

// TestLogins logs in with each mechanism that mail servers offered (docs/peers.md).
func TestLogins(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "LOGIN", "CRAM-MD5"} {
		s := mailtest.Start(t, mailtest.Options{Mechanism: mechanism})
		settings := s.Settings(mailtest.Options{})
		if err := sender(s).Send(t.Context(), settings, mailtest.Secret(), message()); err != nil || len(s.Received()) != 1 {
			t.Errorf("%s: %v", mechanism, err)
		}
		if err := sender(s).Send(t.Context(), settings, baton.NewSecret("wrong"), message()); baton.KindOf(err) != baton.Unauthenticated {
			t.Errorf("%s with a wrong password: %v", mechanism, err)
		}
	}
	s := mailtest.Start(t, mailtest.Options{Mechanism: "XOAUTH2"})
	err := sender(s).Send(t.Context(), s.Settings(mailtest.Options{}), mailtest.Secret(), message())
	if baton.KindOf(err) != baton.Unavailable || !strings.Contains(err.Error(), "no login that the console knows") || !strings.Contains(baton.FixOf(err), "XOAUTH2") {
		t.Errorf("an unknown mechanism: %v", err)
	}
}

// TestAdvice checks the advice for servers that want TLS, from the beginning or before mail, or a login.
func TestAdvice(t *testing.T) {
	for _, tt := range []struct {
		what   string
		server mailtest.Options
		answer error // to MAIL
		tls    console.MailTLS
		fix    string
	}{
		{"TLS from the beginning", mailtest.Options{TLS: true}, nil, console.MailSTARTTLS, "TLS from the beginning"},
		{"TLS from the beginning", mailtest.Options{TLS: true}, nil, console.MailPlain, "TLS from the beginning"},
		{"STARTTLS", mailtest.Options{NoLogin: true}, mailtest.Answer(530, "Must issue a STARTTLS command first"), console.MailPlain, "Choose STARTTLS"},
		{"a login", mailtest.Options{NoLogin: true}, mailtest.Answer(530, "Authentication required"), console.MailSTARTTLS, "Enter user and password"},
		{"another sender", mailtest.Options{NoLogin: true}, mailtest.Answer(550, "not yours"), console.MailSTARTTLS, "Choose a sender"},
	} {
		s := mailtest.Start(t, tt.server)
		if tt.answer != nil {
			s.Fault(func(step, _ string) error {
				if step == "mail" {
					return tt.answer
				}
				return nil
			})
		}
		settings := s.Settings(mailtest.Options{NoLogin: true})
		settings.TLS = tt.tls
		from := sender(s)
		if tt.server.TLS {
			from.Timeout = 300 * time.Millisecond // the server is silent
		}
		err := from.Send(t.Context(), settings, baton.Secret{}, message())
		if baton.KindOf(err) != baton.Unavailable || !strings.Contains(baton.FixOf(err), tt.fix) {
			t.Errorf("%s wanted, set to %s: %v (%s)", tt.what, tt.tls, err, baton.FixOf(err))
		}
	}
}

// TestUntrusted sends nothing to a server with an untrusted certificate.
func TestUntrusted(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{})
	from := sender(s)
	from.Roots = nil
	err := from.Send(t.Context(), s.Settings(mailtest.Options{}), mailtest.Secret(), message())
	if baton.KindOf(err) != baton.Unavailable || !strings.Contains(baton.FixOf(err), "SSL_CERT_FILE") || s.Asked("auth") != 0 {
		t.Errorf("%v (%s)", err, baton.FixOf(err))
	}
}

// TestStripped sends no password to a server that no longer offers STARTTLS.
func TestStripped(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{NoTLS: true})
	err := sender(s).Send(t.Context(), s.Settings(mailtest.Options{}), mailtest.Secret(), message())
	if baton.KindOf(err) != baton.Unavailable || !strings.Contains(err.Error(), "no STARTTLS") || s.Asked("mail") != 0 {
		t.Error(err)
	}
}

// TestAddresses checks that the address of the connection is checked, not the name.
func TestAddresses(t *testing.T) {
	o := mailtest.Options{NoTLS: true, NoLogin: true}
	s := mailtest.Start(t, o)
	from := sender(s)
	from.Allow = func(a netip.Addr) error { return baton.Errorf(baton.PermissionDenied, "%s is in a private network", a) }
	err := from.Send(t.Context(), s.Settings(o), baton.Secret{}, message())
	if baton.KindOf(err) != baton.PermissionDenied || s.Asked("connect") != 0 {
		t.Errorf("a private address: %v", err)
	}
	from.Allow = mailtest.Allow
	from.Public = func(netip.Addr) bool { return true }
	err = from.Send(t.Context(), s.Settings(o), baton.Secret{}, message())
	if baton.KindOf(err) != baton.PermissionDenied || s.Asked("connect") != 0 {
		t.Errorf("a public address without TLS: %v", err)
	}
	from.Allow = nil
	if err := from.Send(t.Context(), s.Settings(o), baton.Secret{}, message()); baton.KindOf(err) != baton.PermissionDenied {
		t.Errorf("without rules: %v", err)
	}
}

// TestHostile writes hostile names and addresses.
func TestHostile(t *testing.T) {
	o := mailtest.Options{NoTLS: true, NoLogin: true}
	s := mailtest.Start(t, o)
	hostile := "x\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\u202e\xff"
	p := console.Person{Name: hostile, Emails: []string{"ana@example.com"}}
	base := &url.URL{Scheme: "https", Host: "console.example.com"}
	m, err := mail.Compose(base, console.Mail{ID: "2abc", Created: noon, Subject: hostile}, p, []mail.Item{
		{Notice: console.Notice{Subject: hostile, Text: hostile, Created: noon}, Link: "https://console.example.com/connectors/x?a=\"><script>"},
		{Notice: console.Notice{Subject: "Second", Text: "Two", Created: noon}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender(s).Send(t.Context(), s.Settings(o), baton.Secret{}, m); err != nil {
		t.Fatal(err)
	}
	got := s.Received()[0]
	r := parse(t, got.Data)
	if r.header.Get("Bcc") != "" || got.To != "ana@example.com" {
		t.Errorf("a header was smuggled in: %q", got.Data)
	}
	if strings.Contains(r.html, "<script>") || strings.Contains(r.html, `?a=">`) {
		t.Errorf("the HTML has markup of others: %s", r.html)
	}
	for _, want := range []string{"Second", "https://console.example.com/me/mail"} {
		if !strings.Contains(r.text, want) || !strings.Contains(r.html, want) {
			t.Errorf("the mail lacks %q: %s", want, r.text)
		}
	}
	for _, to := range []string{"ana@example.com\r\nRCPT TO:<eve@example.com>", "ana@example.com>\r\nDATA", "nobody", ""} {
		m.To = to
		if err := sender(s).Send(t.Context(), s.Settings(o), baton.Secret{}, m); baton.KindOf(err) != baton.Refused {
			t.Errorf("to %q: %v", to, err)
		}
	}
	if len(s.Received()) != 1 {
		t.Errorf("received %d mails", len(s.Received()))
	}
}

func TestSubject(t *testing.T) {
	a, b := console.Notice{Subject: "A"}, console.Notice{Subject: "B"}
	for want, notices := range map[string][]console.Notice{"": nil, "A": {a}, "A, and 1 more": {a, b}} {
		if got := mail.Subject(notices); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestNoSecretInErrors checks that errors do not contain the password.
func TestNoSecretInErrors(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{})
	err := sender(s).Send(t.Context(), s.Settings(mailtest.Options{}), baton.NewSecret("another password"), message())
	if baton.KindOf(err) != baton.Unauthenticated || strings.Contains(err.Error(), "another") {
		t.Error(err)
	}
}
