package worker

import (
	"context"

	"baton"
	"baton/console"
	"baton/console/automate"
	"baton/console/schedule"
	"baton/console/store"
)

// automationReader is the name of the event reader that starts automations.
const automationReader = "automations"

// fire starts the automations whose triggers events fire.
func (w *Worker) fire(_ context.Context, t *store.Tx, events []store.Event) error {
	published, err := t.PublishedAutomations()
	for _, e := range events {
		if err == nil {
			err = automate.OnEvent(t, e, published)
		}
	}
	return err
}

// byAutomation attributes changes to an automation.
func (w *Worker) byAutomation(id console.ID) console.By {
	return console.By{At: w.Now(), Actor: console.Actor{Kind: console.ActorAutomation, ID: string(id)}}
}

// execution does the next step of an execution. The due row of what follows is written with the effect
// of the step.
func (w *Worker) execution(ctx context.Context, d store.Due) error {
	var x console.AutomationExecution
	err := w.Store.View(ctx, func(t *store.Tx) (err error) {
		x, err = t.Execution(console.ID(d.Ref))
		return err
	})
	gone := baton.KindOf(err) == baton.NotFound
	if err != nil && !gone {
		return err
	}
	return w.Store.Update(ctx, w.byAutomation(x.Automation), func(t *store.Tx) error {
		if err := t.FinishDue(d); err != nil || gone { // finished first, because the step may set it again
			return err
		}
		return automate.Advance(t, x.ID)
	})
}

// triggers starts the automations that what an applied sync shows fires.
func (w *Worker) triggers(ctx context.Context, d store.Due) error {
	if err := automate.OnSync(ctx, w.Store, w.by(), console.ID(d.Ref)); err != nil {
		return err
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error { return t.FinishDue(d) })
}

// times starts an automation by its schedule.
func (w *Worker) times(ctx context.Context, d store.Due) error {
	var v console.AutomationVersion
	err := w.Store.View(ctx, func(t *store.Tx) error {
		a, err := t.Automation(console.ID(d.Ref))
		if err == nil && (a.Published == 0 || !a.Removed.IsZero()) {
			err = baton.Errorf(baton.NotFound, "no automation")
		}
		if err == nil {
			v, err = t.AutomationVersion(a.ID, a.Published)
		}
		return err
	})
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return err
	}
	tr := v.Trigger
	if err == nil && tr.Kind == console.TriggerSchedule {
		if err := automate.OnTime(ctx, w.Store, w.by(), v, d.At); err != nil {
			return err
		}
	}
	next := schedule.OfTrigger(tr).Next(d.At, w.Now())
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		if err := t.FinishDue(d); err != nil || next.IsZero() {
			return err
		}
		return t.DueBy(console.DueTimes, d.Ref, next)
	})
}
