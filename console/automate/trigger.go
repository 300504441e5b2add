package automate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/condition"
	"baton/console/store"
)

// OnEvent starts the automations whose triggers an event fires, and lets executions continue that wait
// for what the event is about.
func OnEvent(t *store.Tx, e store.Event, published []console.AutomationVersion) error {
	noun, _, _ := strings.Cut(e.Kind, ".")
	switch {
	case noun == "operation" || noun == "action":
		return t.WakeExecution(console.ID(e.Object))
	case e.Kind == "sync.applied":
		if slices.ContainsFunc(published, func(v console.AutomationVersion) bool { return ofSync(v.Trigger.Kind) }) {
			return t.DueBy(console.DueTriggers, e.Object, t.By().At)
		}
		return nil
	}
	kind, data, ok := firedBy(e)
	if !ok {
		return nil
	}
	for _, v := range published {
		if v.Trigger.Kind != kind {
			continue
		}
		if err := onEvent(t, v, e, data); err != nil {
			return err
		}
	}
	return nil
}

// ofSync reports whether a kind of triggers is fired by what a sync shows.
func ofSync(k console.TriggerKind) bool {
	switch k {
	case console.TriggerAccountCreated, console.TriggerAccountChanged, console.TriggerAccountDisabled, console.TriggerGrantFound, console.TriggerGrantGone, console.TriggerCourseCompleted:
		return true
	}
	return false
}

// firedBy returns the kind of triggers that an event fires.
func firedBy(e store.Event) (kind console.TriggerKind, data console.TriggerData, ok bool) {
	switch e.Kind {
	case "person.added":
		kind = console.TriggerPersonCreated
	case "person.changed":
		var change struct {
			StatusBefore  console.PersonStatus `json:"status_before"`
			Status        console.PersonStatus `json:"status"`
			ManagerBefore console.ID           `json:"manager_before"`
			Manager       console.ID           `json:"manager"`
		}
		json.Unmarshal(e.Data, &change) // erased data fires nothing
		switch {
		case change.Status == "":
			return kind, data, false
		case change.Status != console.PersonActive && change.StatusBefore == console.PersonActive:
			kind = console.TriggerPersonDisabled
		default:
			kind = console.TriggerPersonChanged
		}
	case "requirement.lacking":
		var lack struct{ State console.RequirementState }
		json.Unmarshal(e.Data, &lack)
		if kind = console.TriggerCourseLapsed; lack.State != console.RequirementLapsed {
			return kind, data, false
		}
	case "finding.appeared":
		var finding struct{ Kind console.FindingKind }
		json.Unmarshal(e.Data, &finding)
		if kind = console.TriggerSeatsNear; finding.Kind != console.SeatsNear {
			return kind, data, false
		}
	case console.HookReceived:
		kind = console.TriggerWebhook
	default:
		return kind, data, false
	}
	return kind, console.TriggerData{Kind: kind, Event: e.Number}, true
}

func onEvent(t *store.Tx, v console.AutomationVersion, e store.Event, data console.TriggerData) error {
	x := console.AutomationExecution{Automation: v.Automation, Version: v.Version, Trigger: data, Person: e.Person}
	key := fmt.Sprintf("event/%d", e.Number)
	switch v.Trigger.Kind {
	case console.TriggerCourseLapsed:
		a, err := t.Automation(v.Automation)
		if err != nil || a.App != e.App || v.Trigger.Entitlement != e.Entitlement {
			return err
		}
		x.Account, x.Trigger.Entitlement = e.Account, e.Entitlement
		return start(t, v, x, key)
	case console.TriggerSeatsNear:
		a, err := t.Automation(v.Automation)
		if err != nil || a.App != e.App {
			return err
		}
		return start(t, v, x, key)
	case console.TriggerWebhook:
		if string(v.Trigger.Hook) != e.Object {
			return nil
		}
		return onMessage(t, v, x, e, key)
	}
	return startFor(t, v, x, key)
}

// onMessage starts an automation with a message of an incoming webhook.
func onMessage(t *store.Tx, v console.AutomationVersion, x console.AutomationExecution, e store.Event, key string) error {
	var data struct{ Message console.ID }
	json.Unmarshal(e.Data, &data)
	m, err := t.HookMessage(data.Message)
	if baton.KindOf(err) == baton.NotFound {
		return nil // it was removed with its webhook
	}
	if err != nil {
		return err
	}
	if _, err := condition.Message(m.Body); err != nil {
		return failedStart(t, x, key, sentence(err.Error()))
	}
	if x.Trigger.Message = m.Body; v.Trigger.Person == "" {
		return start(t, v, x, key)
	}
	p, err := personOf(t, v, x)
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.NotFound) {
		return failedStart(t, x, key, sentence("whom the message is about cannot be told: "+err.Error()))
	}
	if err != nil {
		return err
	}
	x.Person = p.ID
	return startFor(t, v, x, key)
}

// personOf returns the person that the expression of a trigger yields.
func personOf(t *store.Tx, v console.AutomationVersion, x console.AutomationExecution) (p console.Person, err error) {
	a, err := t.Automation(v.Automation)
	if err != nil {
		return p, err
	}
	r, err := load(t, a, v, x, t.By().At)
	if err != nil {
		return p, err
	}
	c, err := condition.CompileAutomation(v.Trigger.Person, console.ExpressionPeople)
	if err != nil {
		return p, err
	}
	in, err := r.input(v.Trigger.Person)
	if err != nil {
		return p, err
	}
	names, err := c.People(in)
	if err == nil && len(names) != 1 {
		err = baton.Errorf(baton.Invalid, "the expression yields %d people", len(names))
	}
	if err != nil {
		return p, err
	}
	return personBy(t, names[0])
}

// startFor starts an automation for a person: once for each account of the application.
func startFor(t *store.Tx, v console.AutomationVersion, x console.AutomationExecution, key string) error {
	a, err := t.Automation(v.Automation)
	if err != nil {
		return err
	}
	p, err := canonicalPerson(t, x.Person)
	if err != nil {
		return err
	}
	x.Person = p.ID
	m, err := t.Moment(a.App, time.Time{})
	if err != nil {
		return err
	}
	accounts, err := accountsIn(t, m, p.ID)
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		return start(t, v, x, key)
	}
	for _, account := range accounts {
		x.Account = account
		if err := start(t, v, x, fmt.Sprintf("%s/%d", key, account)); err != nil {
			return err
		}
	}
	return nil
}

// start adds an execution if the condition of the trigger holds.
func start(t *store.Tx, v console.AutomationVersion, x console.AutomationExecution, key string) error {
	x.Key = key
	if len(x.Chain) == 0 {
		x.Chain = []console.ID{v.Automation}
	}
	if v.Trigger.When != "" {
		a, err := t.Automation(v.Automation)
		if err != nil {
			return err
		}
		r, err := load(t, a, v, x, t.By().At)
		if err != nil {
			return err
		}
		holds, err := r.holds(v.Trigger.When)
		if baton.KindOf(err) == baton.Invalid {
			return failedStart(t, x, key, sentence("the condition of the trigger cannot be evaluated: "+err.Error()))
		}
		if err != nil || !holds {
			return err
		}
	}
	_, _, err := t.AddExecution(x)
	return err
}

// failedStart records that an automation could not begin.
func failedStart(t *store.Tx, x console.AutomationExecution, key, why string) error {
	x.Key, x.State = key, console.ExecutionRunning
	if len(x.Chain) == 0 {
		x.Chain = []console.ID{x.Automation}
	}
	added, known, err := t.AddExecution(x)
	if err != nil || known {
		return err
	}
	return t.EndExecution(added, console.ExecutionFailed, why)
}

// perTransaction is the number of changes of a sync, or of accounts, that are looked at in one
// transaction, because other commands wait for it.
const perTransaction = 100

// OnSync starts the automations that what a sync shows fires. It can be repeated: there is one
// execution for each cause.
func OnSync(ctx context.Context, s *store.Store, by console.By, id console.ID) error {
	var published []console.AutomationVersion
	var ranges []store.StreamRange
	err := s.View(ctx, func(t *store.Tx) error {
		sync, err := t.Sync(id)
		if err != nil {
			return err
		}
		c, err := t.Connector(sync.Connector)
		if err != nil {
			return err
		}
		if published, err = t.PublishedAutomations(); err != nil {
			return err
		}
		before, err := t.AppliedBefore(sync.Stream, sync.Number)
		if err != nil || before == nil { // the first one is baseline
			return err
		}
		ranges = []store.StreamRange{{Stream: sync.Stream, Connector: c.ID, App: c.App, From: before.Number, To: sync.Number, Began: before.Began}}
		return nil
	})
	if baton.KindOf(err) == baton.NotFound || err == nil && len(ranges) == 0 {
		return nil
	}
	for after := (store.ChangeKey{}); err == nil; {
		var page store.ChangedPage
		err = s.Update(ctx, by, func(t *store.Tx) (err error) {
			if page, err = t.ChangedBetween(ranges, after, perTransaction, store.ChangedOnly{}, nil); err != nil {
				return err
			}
			why, err := t.WhyChanged(page.Lines)
			for i, c := range page.Lines {
				if err == nil {
					err = onChange(t, published, c, why[i])
				}
			}
			return err
		})
		if page.Next == nil {
			return err
		}
		after = *page.Next
	}
	return err
}

// onChange starts the automations that one change fires.
func onChange(t *store.Tx, published []console.AutomationVersion, c store.Changed, why store.WhyChanged) error {
	kinds := changeKinds(c, why)
	if len(kinds) == 0 {
		return nil
	}
	var chain []console.ID
	if why.Operation != nil {
		x, err := t.ExecutionOf(*why.Operation)
		if err != nil {
			return err
		}
		if x != nil {
			chain = x.Chain
		}
	}
	explained := why.Kind != console.Unexplained
	for _, v := range published {
		a, err := t.Automation(v.Automation)
		if err != nil {
			return err
		}
		if !slices.Contains(kinds, v.Trigger.Kind) || !fits(v.Trigger, a.App, c, explained) || console.Echo(a.ID, chain) != "" {
			continue
		}
		if v.Trigger.Kind == console.TriggerGrantGone {
			if missing, err := t.Missing(c.Principal); err != nil || missing {
				return err // the account is not shown either: this sync alone says nothing about it
			}
		}
		x := console.AutomationExecution{Automation: v.Automation, Version: v.Version, Account: c.Principal, Chain: append(slices.Clone(chain), a.ID),
			Trigger: console.TriggerData{Kind: v.Trigger.Kind, Sync: c.Sync, Entitlement: c.ChangeKey.Entitlement, Explained: explained}}
		key := fmt.Sprintf("sync/%d/%d/%d/%d", c.Sync, c.Kind, c.ChangeKey.Entitlement, c.Principal)
		if x.Person, _, err = t.AccountPerson(c.Principal, time.Time{}); err != nil {
			return err
		}
		if a.App != c.App { // of a course elsewhere: it is about the person
			if x.Account = 0; x.Person == "" {
				continue
			}
			if err := startFor(t, v, x, key); err != nil {
				return err
			}
			continue
		}
		if err := start(t, v, x, key); err != nil {
			return err
		}
	}
	return nil
}

// fits reports whether a change is one of those that a trigger is about.
func fits(tr console.AutomationTrigger, app console.ID, c store.Changed, explained bool) bool {
	from := app
	if tr.From != "" {
		from = tr.From
	}
	switch {
	case c.App != from, tr.Entitlement != 0 && tr.Entitlement != c.ChangeKey.Entitlement:
		return false
	case tr.Origin == console.OriginExplained:
		return explained
	case tr.Origin == console.OriginUnexplained:
		return !explained
	}
	return true
}

// changeKinds returns the kinds of triggers that a change may fire.
func changeKinds(c store.Changed, why store.WhyChanged) []console.TriggerKind {
	switch {
	case c.Resource != nil:
		before, after := c.Resource.Before, c.Resource.After
		switch {
		case c.Resource.Change == store.Open && after.Account != nil:
			return []console.TriggerKind{console.TriggerAccountCreated}
		case c.Resource.Change == store.Replace && after.Account != nil:
			kinds := []console.TriggerKind{console.TriggerAccountChanged}
			if console.HasAccount(true, before.Status) && !console.HasAccount(true, after.Status) {
				kinds = append(kinds, console.TriggerAccountDisabled)
			}
			return kinds
		}
	case c.Fact != nil && c.Fact.Change == store.Open && why.Kind != console.ByBaseline:
		return []console.TriggerKind{console.TriggerGrantFound, console.TriggerCourseCompleted}
	case c.Fact != nil && c.Fact.Change == store.Close:
		return []console.TriggerKind{console.TriggerGrantGone}
	}
	return nil
}

// OnTime starts an automation by its schedule.
func OnTime(ctx context.Context, s *store.Store, by console.By, v console.AutomationVersion, due time.Time) error {
	x := console.AutomationExecution{Automation: v.Automation, Version: v.Version, Trigger: console.TriggerData{Kind: console.TriggerSchedule}}
	key := fmt.Sprintf("at/%d", due.Unix())
	if !v.Trigger.Each {
		return s.Update(ctx, by, func(t *store.Tx) error { return start(t, v, x, key) })
	}
	for after, more := (store.ResourceAfter{}), true; more; {
		err := s.Update(ctx, by, func(t *store.Tx) error {
			a, err := t.Automation(v.Automation)
			if err != nil {
				return err
			}
			m, err := t.Moment(a.App, time.Time{})
			if err != nil {
				return err
			}
			accounts, err := t.Accounts(m, after, perTransaction)
			more = len(accounts) == perTransaction
			for _, account := range accounts {
				after, x.Account = account.After(), account.Key
				if err == nil {
					x.Person, _, err = t.AccountPerson(account.Key, time.Time{})
				}
				if err == nil {
					err = start(t, v, x, fmt.Sprintf("%s/%d", key, account.Key))
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// RunNow starts an automation on demand, for an account, a person or nobody.
func RunNow(t *store.Tx, v console.AutomationVersion, x console.AutomationExecution) (console.AutomationExecution, error) {
	x.Automation, x.Version, x.Chain = v.Automation, v.Version, []console.ID{v.Automation}
	x.Trigger.Kind, x.Key = v.Trigger.Kind, "run/"+string(console.NewID(t.By().At))
	added, _, err := t.AddExecution(x)
	return added, err
}
