package worker

import (
	"context"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// ofCards lists the beginnings of the kinds of events after which the recovery card of an app may be
// different.
var ofCards = append([]string{"app."}, store.AccountEvents...)

// noticeCard lets the recovery cards be brought up to date that an event may have changed.
func (w *Worker) noticeCard(t *store.Tx, e console.Event) error {
	var apps []console.ID
	switch {
	case e.App != "" && slices.ContainsFunc(ofCards, func(prefix string) bool { return strings.HasPrefix(e.Kind, prefix) }):
		apps = []console.ID{e.App}
	case e.App == "" && e.Person != "" && strings.HasPrefix(e.Kind, "person."):
		var err error
		if apps, err = t.AppsOfPerson(e.Person); err != nil {
			return err
		}
	}
	for _, app := range apps {
		if err := t.DueBy(console.DueRecovery, string(app), t.By().At); err != nil {
			return err
		}
	}
	return nil
}

// recovery numbers the version of the recovery card of an app, and tells those who keep a copy, and
// the owners, if it changed.
func (w *Worker) recovery(ctx context.Context, d store.Due) error {
	app := console.ID(d.Ref)
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		next := time.Time{}
		_, err := t.NumberRecoveryCard(app)
		if err == nil {
			next, err = t.TellRecoveryCard(app)
		}
		if baton.KindOf(err) == baton.NotFound { // no such app any more
			err = nil
		}
		if err != nil {
			return err
		}
		if next.IsZero() {
			return t.FinishDue(d)
		}
		return t.RetryDue(d, next)
	})
}
