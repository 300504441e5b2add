//go:build unix

package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"baton/console"
	"baton/console/automate"
	"baton/console/ingest"
	"baton/console/store"
	"baton/internal/longtest"
)

// automationVariable holds the configuration of a process that TestAutomationKilled starts, as JSON.
const automationVariable = "BATON_TEST_AUTOMATION_WORKER"

func init() {
	text := os.Getenv(automationVariable)
	if text == "" {
		return
	}
	var p automationProcess
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// automationProcess is a process that runs automations.
type automationProcess struct {
	Database mailDatabase
	Scratch  string
	Now      time.Time
}

func (p automationProcess) run(ctx context.Context) error {
	s, err := p.Database.open(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	now := func() time.Time { return p.Now.Add(time.Since(began) * 600) } // a minute in 100 ms
	w := New(Config{Store: s, Ingester: &ingest.Ingester{Store: s, Now: now, Scratch: p.Scratch}, Owner: fmt.Sprint(os.Getpid()), Now: now, URL: mailURL,
		Log: slog.New(slog.DiscardHandler), Lease: time.Minute, Poll: 20 * time.Millisecond})
	w.Run(ctx)
	return nil
}

// TestAutomationKilled kills the process that runs automations whenever one of their steps is done.
// Every step of every run is done exactly once, also in the automations that they run.
func TestAutomationKilled(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		s, err := d.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		runs, kills := 3, longtest.Pick(6, 40)
		parent, child := automationsToKill(t, s, runs)
		mailed := func() map[string]int {
			counts := map[string]int{}
			err := s.View(t.Context(), func(tx *store.Tx) error {
				for _, id := range []console.ID{parent, child} {
					all, err := tx.Events(store.EventFilter{Object: string(id)}, 0, store.PageSize)
					if err != nil {
						return err
					}
					for _, e := range all {
						var data struct{ Execution, Subject string }
						if e.Kind == "automation.mailed" && json.Unmarshal(e.Data, &data) == nil {
							counts[data.Execution+" "+data.Subject]++
						}
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return counts
		}
		p := automationProcess{Database: d, Scratch: t.TempDir()}
		want := runs * 4
		for round, deadline := 1, time.Now().Add(5*time.Minute); ; round++ {
			p.Now = noon.Add(time.Duration(round) * time.Hour) // the leases of the previous process have expired
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), automationVariable+"="+string(text))
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			before := len(mailed())
			for n := before; n < want && (round > kills || n == before); n = len(mailed()) {
				if time.Now().After(deadline) {
					t.Fatalf("%d of %d steps after %d processes", n, want, round)
				}
				time.Sleep(5 * time.Millisecond) // for the process
			}
			if len(mailed()) == want && finished(t, s, parent, runs) {
				cmd.Process.Kill()
				cmd.Wait()
				t.Logf("%d processes", round)
				break
			}
			if round <= kills {
				cmd.Process.Signal(syscall.SIGKILL)
			} else {
				for !finished(t, s, parent, runs) && time.Now().Before(deadline) {
					time.Sleep(20 * time.Millisecond) // for the process
				}
				cmd.Process.Kill()
			}
			cmd.Wait()
		}
		for what, n := range mailed() {
			if n != 1 {
				t.Errorf("%s was done %d times", what, n)
			}
		}
		if n := len(mailed()); n != want || !finished(t, s, parent, runs) || !finished(t, s, child, runs) {
			t.Errorf("%d steps, want %d", n, want)
		}
	})
}

// automationsToKill starts runs of an automation with steps of several kinds.
func automationsToKill(t *testing.T, s *store.Store, runs int) (parent, child console.ID) {
	t.Helper()
	mail := func(subject string) console.AutomationStep {
		return console.AutomationStep{ID: subject, Kind: console.StepMail, To: console.MailOwner, Subject: subject}
	}
	err := s.Update(t.Context(), console.By{At: noon, Actor: console.Console}, func(tx *store.Tx) error {
		owner, err := tx.AddPerson(console.Person{Name: "Robot owner", Emails: []string{"robots@example.test"}})
		if err != nil {
			return err
		}
		app, err := tx.AddApp(console.App{Name: "Robots", Owners: []console.ID{owner}})
		if err != nil {
			return err
		}
		publish := func(name string, steps ...console.AutomationStep) (console.AutomationVersion, error) {
			a, err := tx.AddAutomation(console.Automation{App: app, Name: name, Owner: owner, Author: owner, Draft: demand(steps...)})
			if err != nil {
				return console.AutomationVersion{}, err
			}
			return tx.PublishAutomation(a.ID, 1, owner)
		}
		c, err := publish("child", mail("inner"))
		if err != nil {
			return err
		}
		v, err := publish("parent", mail("one"), console.AutomationStep{ID: "wait", Kind: console.StepWait, For: console.Duration(time.Minute)}, mail("two"),
			console.AutomationStep{ID: "run", Kind: console.StepRun, Automation: c.Automation}, mail("three"))
		if err != nil {
			return err
		}
		parent, child = v.Automation, c.Automation
		for range runs {
			if _, err := automate.RunNow(tx, v, console.AutomationExecution{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return parent, child
}

// finished reports whether so many runs of an automation are done, and no other was begun.
func finished(t *testing.T, s *store.Store, automation console.ID, runs int) (done bool) {
	t.Helper()
	err := s.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Executions(automation, "", store.ExecutionBefore{}, store.PageSize)
		done = len(all) == runs
		for _, x := range all {
			done = done && x.State == console.ExecutionDone
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return done
}
