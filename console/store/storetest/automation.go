package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/console"
	"baton/console/store"
)

// testAutomation follows an automation and its executions through their states.
func testAutomation(t *testing.T, db Database) {
	s := open(t, db)
	people := addPersons(t, s, "Ana", "Ben")
	ana, ben := people[0], people[1]
	w := newWorld(t, s)
	rule := console.AutomationRule{Trigger: console.AutomationTrigger{Kind: console.TriggerOnDemand}, Steps: []console.AutomationStep{{ID: "a", Kind: console.StepDisable}}}
	var a console.Automation
	update(t, s, byPerson(1, ana), func(tx *store.Tx) (err error) {
		a, err = tx.AddAutomation(console.Automation{App: w.app, Name: "Leaver", Owner: ana, Author: ana, Draft: rule})
		return err
	})
	get := func() (a2 console.Automation) {
		t.Helper()
		view(t, s, func(tx *store.Tx) (err error) { a2, err = tx.Automation(a.ID); return err })
		return a2
	}
	want := console.Automation{ID: a.ID, App: w.app, Name: "Leaver", Owner: ana, State: console.AutomationOn, Changed: at(1), Counted: at(1), Draft: rule, Author: ana, Edited: at(1), Created: at(1), Version: 1}
	if d := cmp.Diff(want, get()); d != "" {
		t.Error(d)
	}
	fails(t, s, byPerson(1, ana), "an automation without a name", baton.Invalid, func(tx *store.Tx) error {
		_, err := tx.AddAutomation(console.Automation{App: w.app, Name: " ", Owner: ana, Author: ana})
		return err
	})

	// A draft does not run; a published version never changes.
	a.Version, a.Draft.Steps = 1, append(a.Draft.Steps, console.AutomationStep{ID: "b", Kind: console.StepWait, For: hours(1)})
	update(t, s, byPerson(2, ben), func(tx *store.Tx) error {
		a.Author = ben
		return tx.ChangeAutomation(a)
	})
	fails(t, s, byPerson(2, ben), "an old version", baton.Refused, func(tx *store.Tx) error { return tx.ChangeAutomation(a) })
	fails(t, s, byPerson(2, ana), "to publish an old draft", baton.Refused, func(tx *store.Tx) error {
		_, err := tx.PublishAutomation(a.ID, 1, ana)
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		if all, err := tx.PublishedAutomations(); err != nil || len(all) != 0 {
			t.Errorf("published: %+v, %v", all, err)
		}
		return nil
	})
	publish := func(minute int) {
		t.Helper()
		version := get().Version
		update(t, s, byPerson(minute, ana), func(tx *store.Tx) error {
			_, err := tx.PublishAutomation(a.ID, version, ana)
			return err
		})
	}
	publish(3)
	publish(4)
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.AutomationVersions(a.ID)
		want := []console.AutomationVersion{{Automation: a.ID, Version: 2, AutomationRule: a.Draft, Author: ben, Publisher: ana, At: at(4)}, {Automation: a.ID, Version: 1, AutomationRule: a.Draft, Author: ben, Publisher: ana, At: at(3)}}
		if d := cmp.Diff(want, all); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		now, err := tx.PublishedAutomations()
		if d := cmp.Diff(want[:1], now); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		if all, err := tx.Automations(""); err != nil || len(all) != 1 || all[0].Published != 2 {
			t.Errorf("%+v, %v", all, err)
		}
		if all, err := tx.Automations("x"); err != nil || len(all) != 0 {
			t.Errorf("of another app: %+v, %v", all, err)
		}
		return nil
	})
	testExecutions(t, s, w, a.ID, ana, ben)

	update(t, s, byPerson(40, ana), func(tx *store.Tx) error { return tx.RemoveAutomation(a.ID) })
	fails(t, s, byPerson(41, ana), "a removed one", baton.NotFound, func(tx *store.Tx) error { return tx.RemoveAutomation(a.ID) })
	view(t, s, func(tx *store.Tx) error {
		if all, err := tx.PublishedAutomations(); err != nil || len(all) != 0 || get().Removed.IsZero() {
			t.Errorf("removed: %+v, %v", all, err)
		}
		if open, err := tx.CountExecutions(a.ID); err != nil || len(open) != 0 {
			t.Errorf("what a removed one was to do: %v, %v", open, err)
		}
		return nil
	})
}

func testExecutions(t *testing.T, s *store.Store, w *world, id, ana, ben console.ID) {
	add := func(minute int, key string) (x console.AutomationExecution, known bool) {
		t.Helper()
		update(t, s, byPerson(minute, ana), func(tx *store.Tx) (err error) {
			x, known, err = tx.AddExecution(console.AutomationExecution{Automation: id, Version: 2, Key: key, Person: ben, Account: 7, Chain: []console.ID{id},
				Trigger: console.TriggerData{Kind: console.TriggerOnDemand, Form: map[string]string{"a": "b"}, Message: []byte(`{"x":1}`)}})
			return err
		})
		return x, known
	}
	state := func(x console.ID, want console.ExecutionState) (got console.AutomationExecution) {
		t.Helper()
		view(t, s, func(tx *store.Tx) (err error) { got, err = tx.Execution(x); return err })
		if got.State != want {
			t.Errorf("the execution is %s, want %s: %+v", got.State, want, got)
		}
		return got
	}
	x, known := add(10, "one")
	if _, again := add(10, "one"); known || !again {
		t.Error("a cause has two executions")
	}
	if d := cmp.Diff(x, state(x.ID, console.ExecutionQueued)); d != "" {
		t.Error(d)
	}
	view(t, s, func(tx *store.Tx) error {
		if when, due, err := tx.DueAt(console.DueExecution, string(x.ID)); err != nil || !due || !when.Equal(at(10)) {
			t.Errorf("due %t at %s, %v", due, when, err)
		}
		return nil
	})

	// It begins, waits in a step, and ends. What it did counts.
	update(t, s, by(11), func(tx *store.Tx) error {
		x, err := tx.BeginExecution(x)
		if err != nil {
			return err
		}
		x.Changes = 2
		if err := tx.ChangeExecution(x); err != nil {
			return err
		}
		return tx.PutAutomationStep(console.AutomationStepRun{Execution: x.ID, Step: "a", Kind: console.StepDisable, State: console.StepWaiting, Began: at(11), Operation: "op", Run: "run",
			Changes: []console.AutomationChange{{Step: "a", Do: "disable", Account: 7}}})
	})
	for _, what := range []console.ID{"op", "run"} {
		update(t, s, by(12), func(tx *store.Tx) error { return tx.RemoveDue(console.DueExecution, string(x.ID)) })
		update(t, s, by(12), func(tx *store.Tx) error { return tx.WakeExecution(what) })
		view(t, s, func(tx *store.Tx) error {
			if _, due, err := tx.DueAt(console.DueExecution, string(x.ID)); err != nil || !due {
				t.Errorf("nothing continues after %s: %v", what, err)
			}
			return nil
		})
	}
	update(t, s, by(13), func(tx *store.Tx) error {
		step := console.AutomationStepRun{Execution: x.ID, Step: "a", Kind: console.StepDisable, State: console.StepDone, Began: at(11), Ended: at(13), Result: []byte(`{"state":"verified"}`), Why: "\x00<b>"}
		if err := tx.PutAutomationStep(step); err != nil {
			return err
		}
		x, err := tx.Execution(x.ID)
		if err != nil {
			return err
		}
		return tx.EndExecution(x, console.ExecutionDone, "")
	})
	view(t, s, func(tx *store.Tx) error {
		steps, err := tx.AutomationSteps(x.ID)
		want := []console.AutomationStepRun{{Execution: x.ID, Step: "a", Kind: console.StepDisable, State: console.StepDone, Began: at(11), Ended: at(13), Input: []byte("{}"), Result: []byte(`{"state":"verified"}`), Why: "\x00<b>"}}
		if d := cmp.Diff(want, steps); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		for since, want := range map[int]console.AutomationCount{10: {Runs: 1, Changes: 2}, 11: {}} {
			if got, err := tx.AutomationCount(id, at(since)); err != nil || got != want {
				t.Errorf("since %d: %+v, %v", since, got, err)
			}
		}
		return nil
	})

	// While the automation does not run, executions wait for a person, who lets them run or cancels them.
	update(t, s, byPerson(20, ana), func(tx *store.Tx) error {
		return tx.SetAutomationState(id, console.AutomationTripped, "too many")
	})
	held, _ := add(21, "two")
	other, _ := add(22, "three")
	if got := state(held.ID, console.ExecutionHeld); got.Waits != "too many" {
		t.Errorf("%+v", got)
	}
	update(t, s, byPerson(23, ben), func(tx *store.Tx) error {
		n, err := tx.ReleaseHeld(id, true, "", 1)
		if n != 1 {
			t.Errorf("%d run", n)
		}
		return err
	})
	if got := state(held.ID, console.ExecutionQueued); got.Confirmed != ben {
		t.Errorf("%+v", got)
	}
	update(t, s, byPerson(24, ben), func(tx *store.Tx) error {
		_, err := tx.ReleaseHeld(id, false, "not needed", 9)
		return err
	})
	if got := state(other.ID, console.ExecutionCancelled); got.Why != "not needed" || !got.Finished.Equal(at(24)) {
		t.Errorf("%+v", got)
	}
	update(t, s, byPerson(25, ben), func(tx *store.Tx) error { return tx.SetAutomationState(id, console.AutomationOn, "") })
	view(t, s, func(tx *store.Tx) error {
		if a, err := tx.Automation(id); err != nil || a.State != console.AutomationOn || a.Why != "" || !a.Counted.Equal(at(25)) {
			t.Errorf("resumed: %+v, %v", a, err)
		}
		for n := 1; n < 4; n++ {
			var keys string
			for before := (store.ExecutionBefore{}); ; {
				page, err := tx.Executions(id, "", before, n)
				if err != nil || len(page) == 0 {
					break
				}
				for _, x := range page {
					keys += x.Key + " "
					before = store.ExecutionBefore{Created: x.Created, ID: x.ID}
				}
			}
			if keys != "three two one " {
				t.Errorf("pages of %d: %s", n, keys)
			}
		}
		if done, err := tx.Executions(id, console.ExecutionDone, store.ExecutionBefore{}, 9); err != nil || len(done) != 1 || done[0].ID != x.ID {
			t.Errorf("%+v, %v", done, err)
		}
		if open, err := tx.CountExecutions(id); err != nil || fmt.Sprint(open) != "map[queued:1]" {
			t.Errorf("%v, %v", open, err)
		}
		return nil
	})
}
