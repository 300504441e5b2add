package console

import (
	"testing"
	"time"
)

func TestExplain(t *testing.T) {
	hour := func(h float64) time.Time {
		return time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC).Add(time.Duration(h * float64(time.Hour)))
	}
	// The earlier sync began at 10, the later one was received at 12.
	op := func(verb Verb, state OperationState, dispatched, finished float64) []Operation {
		o := Operation{ID: "o", Verb: verb, State: state, Dispatched: hour(dispatched)}
		if finished > 0 {
			o.Finished = hour(finished)
		}
		return []Operation{o}
	}
	reason := func(created, until, ended float64) []Reason {
		r := Reason{ID: "r", Kind: ReasonRequest, Created: hour(created)}
		if until > 0 {
			r.Until = hour(until)
		}
		if ended > 0 {
			r.Ended = hour(ended)
		}
		return []Reason{r}
	}
	rule := reason(1, 0, 0)
	rule[0].Kind = ReasonRule
	for _, tt := range []struct {
		name   string
		change AccessChange
		want   ExplanationKind
	}{
		{"gained, nothing known", AccessChange{Verb: Grant}, Unexplained},
		{"lost, nothing known", AccessChange{Verb: Revoke}, Unexplained},
		{"gained, granted between", AccessChange{Verb: Grant, Operations: op(Grant, Verified, 11, 11.5)}, ByOperation},
		{"gained, granted while the earlier sync was read", AccessChange{Verb: Grant, Operations: op(Grant, Applied, 9.9, 10.1)}, ByOperation},
		{"gained, granted long before", AccessChange{Verb: Grant, Operations: op(Grant, Verified, 8, 9)}, Unexplained},
		{"gained, granted later", AccessChange{Verb: Grant, Operations: op(Grant, Applied, 12.5, 13)}, Unexplained},
		{"gained, no answer yet", AccessChange{Verb: Grant, Operations: op(Grant, Unknown, 9, 0)}, ByOperation},
		{"gained, the connector declined", AccessChange{Verb: Grant, Operations: op(Grant, Declined, 11, 11.5)}, Unexplained},
		{"gained, but it was revoked", AccessChange{Verb: Grant, Operations: op(Revoke, Applied, 11, 11.5)}, Unexplained},
		{"lost, revoked", AccessChange{Verb: Revoke, Operations: op(Revoke, Verified, 11, 11.5)}, ByOperation},
		{"lost, granted", AccessChange{Verb: Revoke, Operations: op(Grant, Verified, 11, 11.5)}, Unexplained},
		{"other content, granted", AccessChange{Operations: op(Grant, Verified, 11, 11.5)}, ByOperation},
		{"gained, wanted", AccessChange{Verb: Grant, Reasons: reason(1, 0, 0)}, ByReason},
		{"gained, no longer wanted", AccessChange{Verb: Grant, Reasons: reason(1, 11, 0)}, Unexplained},
		{"gained, barred", AccessChange{Verb: Grant, Reasons: rule, Bar: &Bar{Created: hour(2)}}, Unexplained},
		{"lost, still wanted", AccessChange{Verb: Revoke, Reasons: reason(1, 0, 0)}, Unexplained},
		{"lost, ran out between", AccessChange{Verb: Revoke, Reasons: reason(1, 11, 0)}, ByReason},
		{"lost, ended between", AccessChange{Verb: Revoke, Reasons: reason(1, 20, 11)}, ByReason},
		{"lost, ended long before", AccessChange{Verb: Revoke, Reasons: reason(1, 0, 9)}, Unexplained},
		{"gained, baseline", AccessChange{Verb: Grant, Baseline: true}, ByBaseline},
		{"lost, first shown as lost", AccessChange{Verb: Revoke, Baseline: true}, Unexplained},
	} {
		tt.change.After, tt.change.Before = hour(10), hour(12)
		if got := tt.change.Explain(); got.Kind != tt.want || (got.Operation != "") != (tt.want == ByOperation) || (got.Reason != "") != (tt.want == ByReason) {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.want)
		}
	}
}
