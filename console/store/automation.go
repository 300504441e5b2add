package store

import (
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const automationColumns = "id, app, name, owner, state, why, refused, changed, counted, draft, author, edited, published, created, removed, version"

func scanAutomation(r engine.Row) console.Automation {
	a := console.Automation{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Name: str(r, 2), Owner: console.ID(r.Text(3)), State: console.AutomationState(r.Text(4)), Why: str(r, 5),
		Refused: r.Bool(6), Changed: at(r, 7), Counted: at(r, 8), Author: console.ID(r.Text(10)), Edited: at(r, 11), Published: int(r.Int(12)), Created: at(r, 13), Removed: at(r, 14), Version: r.Int(15)}
	decode(r.Bytes(9), &a.Draft)
	return a
}

func (t *Tx) automationEvent(a console.Automation, kind string, data any) error {
	return t.event(console.Event{Kind: kind, App: a.App, Object: string(a.ID)}, data)
}

// AddAutomation adds an automation with a draft. It sets an empty ID. Refused if there are too many.
func (t *Tx) AddAutomation(a console.Automation) (console.Automation, error) {
	if err := checkAutomationName(a.Name); err != nil {
		return a, err
	}
	n, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "automations", "SELECT count(*) FROM automation WHERE removed IS NULL")
	if err != nil {
		return a, err
	}
	if n >= console.MaxAutomations {
		return a, baton.Errorf(baton.Refused, "there are %d automations already", n).WithFix("Remove one that is not needed.")
	}
	if a.ID == "" {
		a.ID = console.NewID(t.by.At)
	}
	a.State, a.Changed, a.Counted, a.Edited, a.Created, a.Version = console.AutomationOn, t.by.At, t.by.At, t.by.At, t.by.At, 1
	if err := t.insert("automation", "INSERT INTO automation ("+automationColumns+") VALUES ($1, $2, $3, $4, $5, $6, $13, $7, $8, $9, $10, $11, 0, $12, NULL, 1)",
		a.ID, a.App, []byte(a.Name), string(a.Owner), a.State, []byte{}, a.Changed, a.Counted, encode(a.Draft), string(a.Author), a.Edited, a.Created, false); err != nil {
		return a, err
	}
	return a, t.automationEvent(a, "automation.added", map[string]any{"name": a.Name, "owner": a.Owner})
}

func checkAutomationName(name string) error {
	if err := need("the name", strings.TrimSpace(name)); err != nil {
		return err
	}
	if len(name) > maxAutomationName {
		return baton.Errorf(baton.Invalid, "the name is longer than %d bytes", maxAutomationName)
	}
	return nil
}

const maxAutomationName = 200

// Automation returns an automation, also one that was removed.
func (t *Tx) Automation(id console.ID) (console.Automation, error) {
	return get(t, scanAutomation, "automation", "SELECT "+automationColumns+" FROM automation WHERE id = $1", id)
}

// LockAutomation returns an automation and lets other commands about it wait.
func (t *Tx) LockAutomation(id console.ID) (console.Automation, error) {
	return get(t, scanAutomation, "automation", "SELECT "+automationColumns+" FROM automation WHERE id = $1 FOR UPDATE", id)
}

// Automations returns the automations of an app, or of all apps for an empty one, the oldest first.
func (t *Tx) Automations(app console.ID) ([]console.Automation, error) {
	return list(t, scanAutomation, "SELECT "+automationColumns+" FROM automation WHERE removed IS NULL AND ($1 = '' OR app = $1) ORDER BY id", string(app))
}

// ChangeAutomation changes the name, the owner and the draft of an automation. a.Version must be the
// version that was read.
func (t *Tx) ChangeAutomation(a console.Automation) error {
	before, err := t.presentAutomation(a.ID)
	if err != nil {
		return err
	}
	if err := checkVersion("the automation", before.Version, a.Version); err != nil {
		return err
	}
	if err := checkAutomationName(a.Name); err != nil {
		return err
	}
	if err := t.change("automation", "UPDATE automation SET name = $2, owner = $3, draft = $4, author = $5, edited = $6, version = version + 1 WHERE id = $1",
		a.ID, []byte(a.Name), string(a.Owner), encode(a.Draft), string(a.Author), t.by.At); err != nil {
		return err
	}
	return t.automationEvent(a, "automation.changed", map[string]any{"name": a.Name, "owner_before": before.Owner, "owner": a.Owner, "draft": a.Draft})
}

// presentAutomation locks an automation that was not removed.
func (t *Tx) presentAutomation(id console.ID) (console.Automation, error) {
	a, err := t.LockAutomation(id)
	if err == nil && !a.Removed.IsZero() {
		err = baton.Errorf(baton.NotFound, "no automation")
	}
	return a, err
}

// SetAutomationState changes whether an automation runs, with the reason. Executions that wait are not
// changed. Resuming it lets its limits count from now.
func (t *Tx) SetAutomationState(id console.ID, state console.AutomationState, why string) error {
	return t.setAutomationState(id, state, why, false)
}

// RefuseAutomation trips the circuit breaker of an automation because a guard refused a step.
func (t *Tx) RefuseAutomation(id console.ID, why string) error {
	return t.setAutomationState(id, console.AutomationTripped, why, true)
}

func (t *Tx) setAutomationState(id console.ID, state console.AutomationState, why string, refused bool) error {
	a, err := t.presentAutomation(id)
	if err != nil || a.State == state && (a.Refused || !refused) {
		return err
	}
	counted, kind := a.Counted, map[console.AutomationState]string{console.AutomationOn: "automation.resumed", console.AutomationPaused: "automation.paused",
		console.AutomationTripped: "automation.tripped", console.AutomationStopped: "automation.stopped"}[state]
	stored := why
	if state == console.AutomationOn {
		counted, stored = t.by.At, ""
	}
	if err := t.change("automation", "UPDATE automation SET state = $2, why = $3, changed = $4, counted = $5, refused = $6, version = version + 1 WHERE id = $1", id, state, []byte(stored), t.by.At, counted, refused); err != nil {
		return err
	}
	return t.automationEvent(a, kind, map[string]any{"name": a.Name, "why": why, "before": a.State, "owner": []console.ID{a.Owner}})
}

// RemoveAutomation removes an automation. Its versions and executions stay. Those that have not ended
// are cancelled.
func (t *Tx) RemoveAutomation(id console.ID) error {
	a, err := t.presentAutomation(id)
	if err != nil {
		return err
	}
	if err := t.change("automation", "UPDATE automation SET removed = $2, version = version + 1 WHERE id = $1", id, t.by.At); err != nil {
		return err
	}
	if err := t.RemoveDue(console.DueTimes, string(id)); err != nil {
		return err
	}
	if _, err := t.e.Exec("UPDATE automation_execution SET state = 'cancelled', finished = $2, waits = $3, why = $4 WHERE automation = $1 AND finished IS NULL",
		id, t.by.At, []byte{}, []byte("The automation was removed.")); err != nil {
		return err
	}
	return t.automationEvent(a, "automation.removed", map[string]any{"name": a.Name})
}

const automationVersionColumns = "automation, version, rule, author, publisher, at"

func scanAutomationVersion(r engine.Row) console.AutomationVersion {
	v := console.AutomationVersion{Automation: console.ID(r.Text(0)), Version: int(r.Int(1)), Author: console.ID(r.Text(3)), Publisher: console.ID(r.Text(4)), At: at(r, 5)}
	decode(r.Bytes(2), &v.AutomationRule)
	return v
}

// PublishAutomation makes the draft of an automation its next version, which runs from now on.
// Executions that have begun keep theirs.
func (t *Tx) PublishAutomation(id console.ID, version int64, publisher console.ID) (v console.AutomationVersion, err error) {
	a, err := t.presentAutomation(id)
	if err != nil {
		return v, err
	}
	if err := checkVersion("the automation", a.Version, version); err != nil {
		return v, err
	}
	v = console.AutomationVersion{Automation: id, Version: a.Published + 1, AutomationRule: a.Draft, Author: a.Author, Publisher: publisher, At: t.by.At}
	if err := t.insert("version", "INSERT INTO automation_version ("+automationVersionColumns+") VALUES ($1, $2, $3, $4, $5, $6)",
		id, v.Version, encode(v.AutomationRule), string(v.Author), string(v.Publisher), v.At); err != nil {
		return v, err
	}
	if err := t.change("automation", "UPDATE automation SET published = $2, version = version + 1 WHERE id = $1", id, v.Version); err != nil {
		return v, err
	}
	return v, t.automationEvent(a, "automation.published", map[string]any{"name": a.Name, "version": v.Version, "rule": v.AutomationRule, "author": v.Author})
}

// AutomationVersion returns a published version of an automation.
func (t *Tx) AutomationVersion(id console.ID, version int) (console.AutomationVersion, error) {
	return get(t, scanAutomationVersion, "version of the automation", "SELECT "+automationVersionColumns+" FROM automation_version WHERE automation = $1 AND version = $2", id, version)
}

// AutomationVersions returns the versions of an automation, the newest first.
func (t *Tx) AutomationVersions(id console.ID) ([]console.AutomationVersion, error) {
	return list(t, scanAutomationVersion, "SELECT "+automationVersionColumns+" FROM automation_version WHERE automation = $1 ORDER BY version DESC", id)
}

// PublishedAutomations returns the versions that run, of all apps.
func (t *Tx) PublishedAutomations() ([]console.AutomationVersion, error) {
	return list(t, scanAutomationVersion, `SELECT v.automation, v.version, v.rule, v.author, v.publisher, v.at FROM automation a JOIN automation_version v ON v.automation = a.id AND v.version = a.published
		WHERE a.removed IS NULL ORDER BY a.id`)
}

// AutomationCount returns what an automation has done since a time.
func (t *Tx) AutomationCount(id console.ID, since time.Time) (console.AutomationCount, error) {
	return get(t, func(r engine.Row) console.AutomationCount {
		return console.AutomationCount{Runs: int(r.Int(0)), Changes: int(r.Int(1))}
	}, "count",
		"SELECT count(*), CAST(COALESCE(sum(changes), 0) AS bigint) FROM automation_execution WHERE automation = $1 AND began > $2 AND confirmed IS NULL", id, since)
}
