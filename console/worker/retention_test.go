package worker

import (
	"testing"
	"time"

	"baton/console"
	"baton/console/store"
)

// TestRetention lets the hourly work remove mails by their setting, on both databases, and reads
// the events that say so.
func TestRetention(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 1)
		x.happen(x.owners...)
		x.deliver()
		if n := x.states()[console.MailSent]; n != 1 {
			t.Fatalf("%d mails were sent", n)
		}
		sweep := func() (last store.Event) {
			t.Helper()
			for _, k := range x.w.kinds() {
				if k.name == SweepKind {
					if n, err := x.w.round(t.Context(), t.Context(), k); n != 1 || err != nil {
						t.Fatalf("%d rows, %v", n, err)
					}
				}
			}
			x.view(func(tx *store.Tx) error {
				if _, there, err := tx.DueAt(SweepKind, "console"); !there || err != nil {
					t.Errorf("it does not happen again: %v", err)
				}
				events, err := tx.EventsBefore(store.EventFilter{}, 0, 1)
				last = events[0]
				return err
			})
			return last
		}
		x.later(29 * 24 * time.Hour)
		if e := sweep(); e.Kind == "retention.applied" || x.states()[console.MailSent] != 1 {
			t.Errorf("after 29 days: %s, %v", e.Kind, x.states())
		}
		x.later(2 * 24 * time.Hour)
		if e := sweep(); e.Kind != "retention.applied" || string(e.Data) != `{"mails":1}` || x.states()[console.MailSent] != 0 {
			t.Errorf("after 31 days: %s %s, %v", e.Kind, e.Data, x.states())
		}
		x.happen(x.owners...)
		x.deliver()
		x.update(func(tx *store.Tx) error {
			return tx.SetRetention(console.Retention{SyncFiles: 1, MailDays: 2, TaskDays: 7, HistoryDays: 30}, "the law")
		})
		x.later(3 * 24 * time.Hour)
		if e := sweep(); string(e.Data) != `{"mails":1}` {
			t.Errorf("with a limit of two days: %s %s", e.Kind, e.Data)
		}
	})
}
