package worker_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/siem"
	"baton/console/store"
	"baton/console/store/sqlite"
	"baton/console/worker"
)

// syslogServer is a server that reads messages with their lengths before them.
type syslogServer struct {
	t        *testing.T
	mu       sync.Mutex
	listener net.Listener
	messages []string
}

func (s *syslogServer) listen(address string) {
	s.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.listener = l
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.read(conn)
		}
	}()
}

func (s *syslogServer) read(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		length, err := r.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		if err != nil {
			s.t.Errorf("%q is no length", length)
			return
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		s.mu.Lock()
		s.messages = append(s.messages, string(b))
		s.mu.Unlock()
	}
}

// numbers returns the numbers of the events that arrived, and the heads.
func (s *syslogServer) numbers() (events []int64, heads []console.SignedHead) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		header, text, _ := strings.Cut(m, "\xef\xbb\xbf")
		if f := strings.Fields(header); len(f) != 7 || !strings.HasPrefix(f[0], "<10") || f[2] != "console.example.com" || f[3] != "baton-console" {
			s.t.Errorf("the header %q", header)
		}
		if strings.Contains(header, " audit.head ") {
			var h console.SignedHead
			if err := json.Unmarshal([]byte(text), &h); err != nil {
				s.t.Error(err)
			}
			heads = append(heads, h)
			continue
		}
		var e struct{ Number int64 }
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			s.t.Error(err)
		}
		events = append(events, e.Number)
	}
	return events, heads
}

// TestAuditLeaves sends events to a syslog server that is away for a while, through a worker that is
// stopped and begins again, and signed heads to it and to a URL.
func TestAuditLeaves(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	keys, err := store.NewKeyring("test", map[string][]byte{"test": store.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: now, NoFlush: true}, keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	update := func(fn func(*store.Tx) error) {
		t.Helper()
		if err := s.Update(context.Background(), console.By{At: time.Now(), Actor: console.Console}, fn); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	put := map[string]string{}
	bucket := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		put[r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")] = string(b)
	}))
	defer bucket.Close()
	server := &syslogServer{t: t}
	server.listen("127.0.0.1:0")
	address := server.listener.Addr().(*net.TCPAddr)
	update(func(tx *store.Tx) error {
		return tx.SetAuditExport(console.AuditExport{Syslog: console.SyslogServer{Host: "127.0.0.1", Port: address.Port, Plain: true}, HeadURL: bucket.URL + "/head-{number}.json"}, baton.NewSecret("Bearer x"))
	})
	work := func() (stop func()) {
		w := worker.New(worker.Config{Store: s, Owner: "test", Poll: 20 * time.Millisecond, SIEM: siem.Sender{Allow: func(netip.Addr) error { return nil }, Host: "console.example.com", Timeout: 5 * time.Second}})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Run(ctx)
		}()
		return func() {
			cancel()
			<-done
		}
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not within a minute", what)
			}
		}
	}
	head := func() (n int64) {
		update(func(tx *store.Tx) error {
			h, err := tx.ChainHead()
			n = h.Number
			return err
		})
		return n
	}
	has := func(n int64) func() bool {
		return func() bool {
			events, _ := server.numbers()
			return len(events) > 0 && events[len(events)-1] >= n
		}
	}
	happens := func(n int) {
		for i := range n {
			update(func(tx *store.Tx) error { return tx.SetSetting(fmt.Sprint("x", i), nil) })
		}
	}
	happens(5)
	stop := work()
	until("all events arrive", has(head()))
	until("a head arrives", func() bool { _, heads := server.numbers(); return len(heads) == 1 })
	until("a head is put", func() bool { mu.Lock(); defer mu.Unlock(); return len(put) == 1 })

	// The server goes away, and is there again: everything arrives, in order.
	server.listener.Close()
	stop()
	happens(5)
	stop = work()
	until("the problem is known", func() bool {
		var p *store.AuditProblem
		update(func(tx *store.Tx) (err error) {
			p, err = tx.AuditProblem()
			return err
		})
		return p != nil && strings.Contains(p.Why, "127.0.0.1")
	})
	server.listen(address.String())
	update(func(tx *store.Tx) error { return tx.SetDue(console.DueSyslog, "syslog", time.Now(), nil) }) // instead of waiting
	until("the rest arrives", has(head()))
	until("there is no problem any more", func() bool {
		var p *store.AuditProblem
		update(func(tx *store.Tx) (err error) {
			p, err = tx.AuditProblem()
			return err
		})
		return p == nil
	})
	stop()
	events, heads := server.numbers()
	for i, n := range events {
		if n != int64(i+1) {
			t.Fatalf("events arrived as %v", events)
		}
	}
	if err := heads[0].Verify(); err != nil {
		t.Error(err)
	}
	altered := heads[0]
	altered.Number++
	if altered.Verify() == nil {
		t.Error("a head with another number verifies")
	}
	for name, body := range put {
		var h console.SignedHead
		if err := json.Unmarshal([]byte(body), &h); err != nil || h.Verify() != nil || name != fmt.Sprintf("PUT /head-%d.json Bearer x", h.Number) {
			t.Errorf("%s: %s, %v", name, body, err)
		}
		if r, err := s.VerifyChain(t.Context(), h.ChainHead); err != nil || len(r.Faults) > 0 {
			t.Errorf("the head does not fit the chain: %+v, %v", r, err)
		}
	}
}
