//go:build unix

package worker

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"baton/console"
	"baton/console/ingest"
	"baton/console/store"
	"baton/console/webhook"
	"baton/internal/longtest"
)

// webhookVariable holds the configuration of a process that TestWebhookKilled starts, as JSON.
const webhookVariable = "BATON_TEST_WEBHOOK_WORKER"

func init() {
	text := os.Getenv(webhookVariable)
	if text == "" {
		return
	}
	var p webhookProcess
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// webhookProcess is a process that delivers to webhooks.
type webhookProcess struct {
	Database mailDatabase
	Root     []byte // certificate of the receiver, DER
	Scratch  string
	Now      time.Time
}

func (p webhookProcess) run(ctx context.Context) error {
	s, err := p.Database.open(ctx)
	if err != nil {
		return err
	}
	root, err := x509.ParseCertificate(p.Root)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	began := time.Now()
	now := func() time.Time { return p.Now.Add(time.Since(began)) }
	w := New(Config{Store: s, Ingester: &ingest.Ingester{Store: s, Now: now, Scratch: p.Scratch}, Owner: fmt.Sprint(os.Getpid()), Now: now, URL: mailURL,
		Webhooks: webhook.Sender{Allow: func(netip.Addr) error { return nil }, Roots: roots, Timeout: 5 * time.Second},
		Log:      slog.New(slog.DiscardHandler), Lease: time.Minute, Poll: 20 * time.Millisecond})
	w.Run(ctx)
	return nil
}

// TestWebhookKilled kills the delivering process at every step, including after the receiver has
// answered and before that is recorded. Every event arrives; one that arrives twice has the same id.
func TestWebhookKilled(t *testing.T) {
	steps := []string{"before", "after", "before", "after", "after"}
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newHooked(t, d)
		id := x.add("/", console.WebhookSigned, "app.*")
		p := webhookProcess{Database: d, Root: x.r.Certificate().Raw, Scratch: t.TempDir()}
		var mu sync.Mutex
		var process *exec.Cmd
		kills := map[string]int{}
		round, kill := 0, 0
		want := len(steps) * longtest.Pick(1, 5)
		step := func(name string) bool {
			mu.Lock()
			defer mu.Unlock()
			if kill >= want || name != steps[kill%len(steps)] {
				return false
			}
			kills[name]++
			kill++
			process.Process.Signal(syscall.SIGKILL)
			return true
		}
		x.r.mu.Lock()
		x.r.now = func() time.Time { mu.Lock(); defer mu.Unlock(); return p.Now }
		x.r.before = func(string) int { step("before"); return 200 }
		x.r.after = func(string) { step("after") }
		x.r.mu.Unlock()
		events := 0
		for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); {
			mu.Lock()
			// Each process begins an hour later, when the previous leases have expired.
			round++
			p.Now = noon.Add(time.Duration(round) * time.Hour)
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			process = exec.CommandContext(t.Context(), os.Args[0])
			process.Env = append(os.Environ(), webhookVariable+"="+string(text))
			process.Stderr = os.Stderr
			if err := process.Start(); err != nil {
				t.Fatal(err)
			}
			now, done := process, kill >= want
			mu.Unlock()
			x.clock.Store(p.Now.UnixMicro())
			x.happen("app.changed", "app.changed")
			events += 2
			if !done {
				now.Wait()
				continue
			}
			for time.Now().Before(deadline) {
				waiting := 0
				x.update(func(tx *store.Tx) error {
					counts, err := tx.CountDeliveries(id)
					waiting = events - counts[console.DeliveryDone]
					return err
				})
				if waiting == 0 {
					break
				}
				time.Sleep(50 * time.Millisecond) // for the process
			}
			now.Process.Kill()
			now.Wait()
			break
		}
		ids, numbers, twice := map[string]int64{}, map[int64]string{}, 0
		for _, p := range x.r.received("/") {
			if p.right != 1 {
				t.Errorf("not signed: %+v", p)
			}
			if ids[p.id] != 0 {
				twice++
			}
			if n := ids[p.id]; n != 0 && n != p.number || numbers[p.number] != "" && numbers[p.number] != p.id {
				t.Errorf("the event %d has the ids %s and %s", p.number, p.id, numbers[p.number])
			}
			ids[p.id], numbers[p.number] = p.number, p.id
		}
		if len(numbers) != events {
			t.Errorf("%d of %d events arrived", len(numbers), events)
		}
		if kill != want || kills["before"] < 2 || kills["after"] < 2 {
			t.Errorf("kills %v", kills)
		}
		if twice == 0 {
			t.Error("no event came twice: the kills came too late")
		}
		t.Logf("%d kills, %d events, %d of them sent again", kill, events, twice)
	})
}
