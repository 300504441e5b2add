package worker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/mail/mailtest"
	"baton/console/siem"
	"baton/console/store"
)

// tlsReceiver takes syslog messages as RFC 5425 says: over TLS, each after its length.
type tlsReceiver struct {
	t     *testing.T
	port  int
	roots *x509.CertPool

	mu       sync.Mutex
	messages []string
	seen     bytes.Buffer // what came in without TLS
}

// receive starts a receiver. plain means that it does not speak TLS.
func receive(t *testing.T, newest uint16, plain bool) *tlsReceiver {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate, which names 127.0.0.1 and not localhost
	t.Cleanup(web.Close)
	r := &tlsReceiver{t: t, roots: x509.NewCertPool()}
	r.roots.AddCert(web.Certificate())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r.port = l.Addr().(*net.TCPAddr).Port
	if !plain {
		l = tls.NewListener(l, &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS10, MaxVersion: newest})
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if plain {
					b := make([]byte, 1<<16)
					n, _ := conn.Read(b)
					r.mu.Lock()
					defer r.mu.Unlock()
					r.seen.Write(b[:n])
					return
				}
				r.read(bufio.NewReader(conn))
			}()
		}
	}()
	return r
}

var frameLength = regexp.MustCompile(`^[1-9][0-9]* $`) // MSG-LEN SP of RFC 5425, section 4.3

func (r *tlsReceiver) read(b *bufio.Reader) {
	for {
		length, err := b.ReadString(' ')
		if err != nil {
			return
		}
		if !frameLength.MatchString(length) {
			r.t.Errorf("%q begins a frame", length)
			return
		}
		n, _ := strconv.Atoi(strings.TrimSpace(length))
		m := make([]byte, n)
		if _, err := io.ReadFull(b, m); err != nil {
			return
		}
		r.mu.Lock()
		r.messages = append(r.messages, string(m))
		r.mu.Unlock()
	}
}

func (r *tlsReceiver) received() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.messages...)
}

// syslogMessage is the form of RFC 5424 with the byte order mark that announces UTF-8.
var syslogMessage = regexp.MustCompile(`(?s)^<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-) \x{feff}(\{.*\})$`)

// TestSyslogOverTLS sends events over TLS to a receiver that checks every frame, header and hash,
// and to receivers that must not get anything: with a certificate that nobody vouches for, one of
// another name, old versions of TLS, and none.
func TestSyslogOverTLS(t *testing.T) {
	x := newPost(t, mailDatabase{SQLite: filepath.Join(t.TempDir(), "console.db")}, 0)
	x.update(func(tx *store.Tx) error {
		tx.Append(console.Event{Kind: "test.happened", Data: json.RawMessage(`{"why":"<b>&\u2028\u00e9 ` + strings.Repeat("long ", 2000) + `"}`)})
		return nil
	})
	send := func(r *tlsReceiver, host string, roots *x509.CertPool) error {
		t.Helper()
		x.w.SIEM = siem.Sender{Allow: mailtest.Allow, Roots: roots, Host: "console.example.com", Timeout: 5 * time.Second}
		x.update(func(tx *store.Tx) error {
			return tx.SetAuditExport(console.AuditExport{Syslog: console.SyslogServer{Host: host, Port: r.port}}, baton.Secret{})
		})
		for _, k := range x.w.kinds() {
			if k.name == console.DueSyslog {
				if n, err := x.w.round(t.Context(), t.Context(), k); n != 1 || err != nil {
					t.Fatalf("%d rows, %v", n, err)
				}
			}
		}
		var problem error
		x.view(func(tx *store.Tx) error {
			p, err := tx.AuditProblem()
			if p != nil {
				problem = errors.New(p.Why)
			}
			return err
		})
		return problem
	}
	unknown, old, none := receive(t, tls.VersionTLS13, false), receive(t, tls.VersionTLS11, false), receive(t, 0, true)
	for _, c := range []struct {
		what  string
		r     *tlsReceiver
		host  string
		roots *x509.CertPool
		want  string
	}{
		{"a certificate that nobody vouches for", unknown, "127.0.0.1", x509.NewCertPool(), "unknown authority"},
		{"a certificate of another name", unknown, "localhost", unknown.roots, "not localhost"},
		{"TLS 1.1", old, "127.0.0.1", old.roots, "protocol version"},
		{"no TLS", none, "127.0.0.1", none.roots, "no TLS with"},
	} {
		if err := send(c.r, c.host, c.roots); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
		if got := c.r.received(); len(got) > 0 {
			t.Errorf("%s: it got %d messages", c.what, len(got))
		}
	}
	if strings.Contains(none.seen.String(), "test.happened") {
		t.Error("an event was sent without TLS")
	}

	good := receive(t, tls.VersionTLS13, false)
	if err := send(good, "127.0.0.1", good.roots); err != nil {
		t.Fatal(err)
	}
	var head console.ChainHead
	x.view(func(tx *store.Tx) (err error) {
		head, err = tx.ChainHead()
		return err
	})
	for end := time.Now().Add(30 * time.Second); int64(len(good.received())) < head.Number; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d events arrived", len(good.received()), head.Number)
		}
	}
	var last console.Link
	warned := false
	for i, m := range good.received() {
		f := syslogMessage.FindStringSubmatch(m)
		if f == nil {
			t.Fatalf("no message of RFC 5424: %.200q", m)
		}
		if _, err := time.Parse(time.RFC3339Nano, f[2]); err != nil || f[3] != "console.example.com" || f[4] != "baton-console" || f[5] != "-" || f[1] != "108" && f[1] != "109" {
			t.Errorf("the header of message %d: %q, %v", i, f[1:8], err)
		}
		var text syslogText
		if err := json.Unmarshal([]byte(f[8]), &text); err != nil {
			t.Fatal(err)
		}
		var e console.Event
		if err := json.Unmarshal(text.Event, &e); err != nil || e.Kind != f[6] {
			t.Errorf("message %d is %q and has an event %q: %v", i, f[6], e.Kind, err)
		}
		warned = warned || e.Kind == "audit.export-failed" && f[1] == "108"
		// The receiver can check the chain by what it got alone.
		link := console.Link{Epoch: text.Epoch, Number: text.Number, Previous: text.Previous}
		if text.Number != int64(i+1) || text.Previous != last.Previous || console.HashEvent(link, text.Event) != text.Hash {
			t.Errorf("message %d does not continue the chain: event %d", i, text.Number)
		}
		last.Previous = text.Hash
	}
	if last.Previous != head.Hash {
		t.Error("the last message is not the head of the chain")
	}
	if !warned {
		t.Error("no warning about the receivers that failed")
	}
	x.w.endSyslog()
}

func (x *post) view(fn func(*store.Tx) error) {
	x.t.Helper()
	if err := x.s.View(context.Background(), fn); err != nil {
		x.t.Fatal(err)
	}
}

// TestAlarming compares which events a server gets as warnings.
func TestAlarming(t *testing.T) {
	for kind, want := range map[string]bool{"login.break-glass": true, "call.denied": true, "operation.denied": true, "audit.export-failed": true, "sync.applied": false, "login.set": false} {
		if got := alarming(kind); got != want {
			t.Errorf("%s: %t, want %t", kind, got, want)
		}
	}
}

// TestHeadsByMail mails a signed head each day, through a mail server that fails first, and checks
// that the text of the mail verifies the chain.
func TestHeadsByMail(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 0)
		x.w.SIEM = siem.Sender{Host: "console.example.com"}
		x.update(func(tx *store.Tx) error {
			return tx.SetAuditExport(console.AuditExport{HeadMails: []string{"auditor@example.com", "officer@example.com"}}, baton.Secret{})
		})
		heads := func() {
			t.Helper()
			for _, k := range x.w.kinds() {
				for n := 1; k.name == console.DueHead && n > 0; {
					var err error
					if n, err = x.w.round(t.Context(), t.Context(), k); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		x.server.Fault(func(step, _ string) error {
			if step == "data" {
				return mailtest.Answer(451, "later")
			}
			return nil
		})
		heads()
		if got := x.received(); len(got) > 0 {
			t.Fatalf("%d mails of a server that refuses them", len(got))
		}
		x.server.Fault(nil)
		x.later(time.Minute)
		heads()
		heads() // nothing is due
		got := x.received()
		if len(got) != 2 || got[0].To == got[1].To || !strings.HasSuffix(got[0].To, "@example.com") {
			t.Fatalf("%d mails: %v", len(got), got)
		}
		var kept []console.ChainHead
		for _, m := range got {
			h := headIn(t, m)
			if err := h.Verify(); err != nil {
				t.Error(err)
			}
			kept = append(kept, h.ChainHead)
			if altered := h; altered.Key != nil {
				altered.At = altered.At.Add(time.Second)
				if altered.Verify() == nil {
					t.Error("a head of another time verifies")
				}
			}
		}
		if r, err := x.s.VerifyChain(t.Context(), kept...); err != nil || len(r.Faults) > 0 {
			t.Errorf("the mailed heads do not fit the chain: %+v, %v", r, err)
		}
		other := kept[0]
		other.Hash[0] ^= 1
		if r, err := x.s.VerifyChain(t.Context(), other); err != nil || len(r.Faults) == 0 || r.Faults[0].Number != other.Number {
			t.Errorf("a head of another chain fits: %+v, %v", r, err)
		}
		x.later(console.HeadEvery)
		heads()
		if got := x.received(); len(got) != 4 {
			t.Errorf("%d mails after a day, want 4", len(got))
		}
	})
}

// headIn returns the head that a mail contains as one line of JSON.
func headIn(t *testing.T, r mailtest.Received) (h console.SignedHead) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(r.Data))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.Header.Get("Subject"), "console.example.com") {
		t.Errorf("the subject %q", m.Header.Get("Subject"))
	}
	body := m.Body
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "{") {
			if err := json.Unmarshal([]byte(line), &h); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if !strings.Contains(string(b), console.Fingerprint(h.Key)) {
				t.Error("the mail does not name the fingerprint of the key")
			}
			return h
		}
	}
	t.Fatalf("no head in %s", b)
	return h
}
