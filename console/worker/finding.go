package worker

import (
	"bytes"
	"context"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/findings"
	"baton/console/store"
)

// findingsReader is the name of the event reader for findings.
const findingsReader = "findings"

// findings brings the findings of kinds of apps up to date.
func (w *Worker) findings(ctx context.Context, rows []store.Due) error {
	next := make([]time.Time, len(rows))
	for i, d := range rows {
		app, kind := console.ParseFindingsRef(d.Ref)
		var err error
		if next[i], err = findings.Update(ctx, w.Store, w.by(), app, kind); err != nil {
			return err
		}
	}
	return w.Store.Update(ctx, w.by(), func(t *store.Tx) error {
		for i, d := range rows {
			done := func() error { return t.RetryDue(d, next[i]) }
			if next[i].IsZero() {
				done = func() error { return t.FinishDue(d) }
			}
			if err := done(); err != nil {
				return err
			}
		}
		return nil
	})
}

// noticeCauses lets the findings and the recovery cards be brought up to date that events may have
// changed.
func (w *Worker) noticeCauses(_ context.Context, t *store.Tx, events []store.Event) error {
	for _, e := range events {
		if err := w.noticeCause(t, e.Event); err != nil {
			return err
		}
		if err := w.noticeCard(t, e.Event); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) noticeCause(t *store.Tx, e console.Event) error {
	kinds := findings.After(e)
	if len(kinds) == 0 {
		return nil
	}
	apps := []console.ID{e.App}
	var err error
	switch {
	case e.App != "":
	case e.Connector != "":
		c, e := t.Connector(e.Connector)
		apps[0], err = c.App, e
	case e.Person != "":
		apps, err = t.AppsOfPerson(e.Person)
	default:
		return nil
	}
	if baton.KindOf(err) == baton.NotFound {
		return nil
	}
	for _, app := range apps {
		for _, k := range kinds {
			if err == nil && app != "" {
				err = t.DueBy(console.DueFindings, console.FindingsRef(app, k), t.By().At)
			}
		}
	}
	return err
}

// findingsSetting names the kinds of findings that were looked for in every app.
const findingsSetting = "findings"

// beginFindings lets every app be looked at if this version of the console knows other kinds of
// findings than the one before.
func (w *Worker) beginFindings(t *store.Tx) error {
	var names []string
	for _, k := range findings.Kinds() {
		names = append(names, string(k))
	}
	now := []byte(strings.Join(names, " "))
	before, err := t.Setting(findingsSetting)
	if err != nil && baton.KindOf(err) != baton.NotFound || bytes.Equal(before, now) {
		return err
	}
	for after := (store.NameAfter{}); ; {
		apps, err := t.Apps(after, store.PageSize)
		if err != nil {
			return err
		}
		for _, a := range apps {
			after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
			for _, k := range findings.Kinds() {
				if err := t.DueBy(console.DueFindings, console.FindingsRef(a.ID, k), t.By().At); err != nil {
					return err
				}
			}
		}
		if len(apps) < store.PageSize {
			return t.SetSetting(findingsSetting, now)
		}
	}
}
