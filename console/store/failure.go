package store

import (
	"strings"
	"time"

	"baton"
	"baton/console"
)

// afterFailure queues an operation that failed again, from a time on. If there is no such
// time it failed for good, and a person is to make the change in the application.
func (t *Tx) afterFailure(id console.ID, again time.Time) error {
	o, err := t.lockOperation(id)
	if err != nil {
		return err
	}
	alive, err := t.aliveOperation(o)
	if err != nil {
		return err
	}
	if alive != nil { // a newer cause took over
		requests, err := t.RequestsOfOperation(o.ID)
		for _, r := range requests {
			if err == nil {
				err = t.CloseRequest(r, console.OutcomeError, couldNot(o.Answer))
			}
		}
		return err
	}
	if again.IsZero() {
		return t.DoByHand(o.ID, couldNot(o.Answer))
	}
	o.NotBefore = again
	t.Wake(OperationTopic(o.Connector))
	return t.moveOperation(o, console.Queued, map[string]any{"not_before": again.UTC()})
}

// couldNot says that a connector failed, in its own words.
func couldNot(answer string) string {
	if answer = strings.TrimSpace(answer); answer == "" {
		return "The connector could not do it."
	}
	return "The connector could not do it: " + answer
}

// retryDeclined is how long the console waits before it asks a connector again that refused
// to remove access whose time is over.
const retryDeclined = time.Hour

// MayRetryRemoval reports whether the console may try again by itself to remove overdue
// access: what a connector refused is not asked for again at once.
func (t *Tx) MayRetryRemoval(account console.ResourceKey, e console.EntitlementKey) (bool, error) {
	all, err := t.Operations(account, e)
	if err != nil || len(all) == 0 {
		return true, err
	}
	last := all[len(all)-1]
	return last.State != console.Declined || !t.by.At.Before(last.Finished.Add(retryDeclined)), nil
}

// missedExpiry marks access as overdue whose removal, because its time is over, came to
// nothing.
func (t *Tx) missedExpiry(o console.Operation) error {
	if o.Verb != console.Revoke || o.Cause.Kind != console.CauseExpiry || o.Account == 0 {
		return nil
	}
	switch o.State {
	case console.Declined, console.Contradicted, console.Cancelled:
	default:
		return nil
	}
	r, err := t.Reason(console.ID(o.Cause.Ref))
	if baton.KindOf(err) == baton.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return t.MarkOverdue(console.Overdue{App: o.App, Connector: o.Connector, Account: o.Account, Entitlement: o.Entitlement, Reason: r.ID, Expired: r.Until, Why: o.Sentence(t.by.At)})
}

// accessName returns what an entitlement is called, for events.
func (t *Tx) accessName(e console.EntitlementKey) (string, error) {
	if e == console.AccountItself {
		return "An account", nil
	}
	versions, err := t.EntitlementVersions(e)
	if err != nil || len(versions) == 0 {
		return "", err
	}
	last := versions[len(versions)-1]
	if last.Name == "" {
		return strings.ToValidUTF8(last.ID, "\ufffd"), nil
	}
	return strings.ToValidUTF8(last.Name, "\ufffd"), nil
}

// manualEvent appends the event of an operation that waits for a person, who is told.
func (t *Tx) manualEvent(o console.Operation) error {
	what, err := t.accessName(o.Entitlement)
	if err != nil {
		return err
	}
	data := map[string]any{"verb": o.Verb, "cause": o.Cause.Kind, "ref": o.Cause.Ref, "why": o.Answer, "what": what}
	if o.Input.Why != "" {
		data["because"] = o.Input.Why
	}
	return t.operationEvent(o, "operation.manual", data)
}
