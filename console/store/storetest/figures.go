package storetest

import (
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
	"baton/console/telemetry"
	"baton/internal/otlp"
)

func testFigures(t *testing.T, db Database) {
	s := open(t, db)
	var spans []otlp.Span
	tracer := telemetry.NewTracer(func(s otlp.Span) { spans = append(spans, s) }, time.Now)
	s.Observe(telemetry.NewMeter(), tracer)
	st := newStaff(t, s, 0)
	traced, command := tracer.Work(ctx, "command")
	var o console.Operation
	if err := s.Update(traced, by(3), func(tx *store.Tx) (err error) {
		o, err = tx.CreateOperation(st.op("ana", st.member, console.Revoke), store.Circumstances{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	command.End(nil)
	if got := st.get(o.ID).Trace; got == "" || got != telemetry.Traceparent(traced) {
		t.Errorf("the operation is of trace %q, want %q", got, telemetry.Traceparent(traced))
	}
	if err := st.dispatch(5, o.ID, "task-1", store.Circumstances{}); err != nil {
		t.Fatal(err)
	}
	last := spans[len(spans)-1]
	if last.Name != "operation dispatched" || last.Place.Trace != spans[0].Place.Trace || !last.Start.Equal(at(3)) || !last.End.Equal(at(5)) || last.Attributes["task_id"] != "task-1" {
		t.Errorf("the dispatch is the span %+v", last)
	}
	view(t, s, func(tx *store.Tx) error {
		sent, err := tx.LastHeadSent()
		if !sent.IsZero() {
			t.Errorf("a head left at %v, although none did", sent)
		}
		return err
	})
	update(t, s, by(4), func(tx *store.Tx) error {
		for i, ref := range []string{"a", "b", "c"} {
			if err := tx.SetDue("kind", ref, at(4+10*i), nil); err != nil {
				return err
			}
		}
		return tx.HeadSent(console.ChainHead{}, console.HeadToSyslog)
	})
	view(t, s, func(tx *store.Tx) error {
		f, err := tx.Figures(at(20), []string{"kind", "none"})
		if err != nil {
			return err
		}
		if f.Due[0] != (store.DueFigure{Kind: "kind", Rows: 2, Lag: 16 * time.Minute}) || f.Due[1] != (store.DueFigure{Kind: "none"}) {
			t.Errorf("due rows %+v", f.Due)
		}
		if f.Operations["dispatched"] != 1 || f.Operations["queued"] != 0 || f.Overdue != 0 {
			t.Errorf("operations %v", f.Operations)
		}
		sent, err := tx.LastHeadSent()
		if !sent.Equal(at(4)) {
			t.Errorf("a head left at %v", sent)
		}
		return err
	})
}
