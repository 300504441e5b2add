//go:build unix

package worker

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"baton/console/ingest"
	"baton/console/mail"
	"baton/console/mail/mailtest"
	"baton/internal/longtest"
)

// mailVariable holds the configuration of a process that TestMailKilled starts, as JSON.
const mailVariable = "BATON_TEST_MAIL_WORKER"

func init() {
	text := os.Getenv(mailVariable)
	if text == "" {
		return
	}
	var p mailProcess
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// mailProcess is a process that creates notices and sends mails.
type mailProcess struct {
	Database mailDatabase
	Roots    []byte // certificate of the mail server, DER
	Scratch  string
	Now      time.Time
}

func (p mailProcess) run(ctx context.Context) error {
	s, err := p.Database.open(ctx)
	if err != nil {
		return err
	}
	root, err := x509.ParseCertificate(p.Roots)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	began := time.Now()
	now := func() time.Time { return p.Now.Add(time.Since(began) * 600) } // a minute in 100 ms, so that mails are not delayed
	w := New(Config{Store: s, Ingester: &ingest.Ingester{Store: s, Now: now, Scratch: p.Scratch}, Owner: fmt.Sprint(os.Getpid()), Now: now, URL: mailURL,
		Mail: mail.Sender{Allow: mailtest.Allow, Roots: roots, Timeout: 5 * time.Second}, Log: slog.New(slog.DiscardHandler), Lease: time.Minute, Poll: 20 * time.Millisecond})
	w.Run(ctx)
	return nil
}

// TestMailKilled kills the sending process at every step, including after the server has accepted
// the mail and before that is recorded. Everybody gets every notice in one mail: a mail that is sent
// twice has the same Message-ID.
func TestMailKilled(t *testing.T) {
	steps := []string{"connect", "rcpt", "data", "accepted", "accepted"}
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 3)
		p := mailProcess{Database: d, Roots: x.server.Certificate, Scratch: t.TempDir()}
		var mu sync.Mutex
		var process *exec.Cmd
		kills := map[string]int{}
		var round, kill int
		x.server.Fault(func(step, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			if kill >= len(steps)*longtest.Pick(1, 5) || step != steps[kill%len(steps)] {
				return nil
			}
			kills[step]++
			kill++
			process.Process.Signal(syscall.SIGKILL)
			return mailtest.ErrDie
		})
		start := func() *exec.Cmd {
			// Each process begins an hour later, when the previous leases have expired.
			round++
			p.Now = noon.Add(time.Duration(round) * time.Hour)
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), mailVariable+"="+string(text))
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			return cmd
		}
		events := 0
		for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
			mu.Lock()
			process = start()
			now := process
			done := kill >= len(steps)*longtest.Pick(1, 5)
			mu.Unlock()
			for range 2 {
				x.happen(x.owners...)
				events++
			}
			if !done {
				now.Wait()
				continue
			}
			for told := 0; told < events*len(x.owners) && time.Now().Before(deadline); {
				time.Sleep(50 * time.Millisecond) // for the process
				told = distinct(x.received())
			}
			now.Process.Kill()
			now.Wait()
			break
		}
		checkTold(t, x.received(), x.owners, events)
		if kills["accepted"] < 2 || kills["rcpt"] < 1 {
			t.Errorf("kills %v", kills)
		}
		twice := map[string]int{}
		for _, r := range x.received() {
			twice[header(r, "Message-Id")]++
		}
		again := 0
		for _, n := range twice {
			if n > 1 {
				again++
			}
		}
		if again == 0 {
			t.Error("no mail was sent twice: the kill came too late")
		}
		t.Logf("%d kills, %d mails, %d of them sent twice", kill, len(twice), again)
	})
}

// distinct returns the number of different notices by person.
func distinct(all []mailtest.Received) int {
	seen := map[string]bool{}
	for _, r := range all {
		for _, m := range toldLine.FindAllStringSubmatch(text(r), -1) {
			seen[r.To+" "+m[1]] = true
		}
	}
	return len(seen)
}
