package govern

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// PlanView is a plan with its names and a page of its rows.
type PlanView struct {
	console.RemovalPlan
	Apps    map[console.ID]console.App
	People  Names // who made and applied it
	Results map[console.PlanResult]int
	Rows    []PlanRowView
	Next    int   // the place where the next page begins; 0 at the end
	Refused error // why the caller may not apply it; nil if they may
}

// PlanRowView is a row of a plan with names.
type PlanRowView struct {
	console.PlanRow
	Names console.Names
	Owner console.Person // zero if nobody owns the account
	To    string         // the entitlement that is granted instead
	Own   bool           // it is the caller's, who cannot decide about it
}

// PlanPage is a page of the list of plans.
type PlanPage struct {
	Plans  []console.RemovalPlan
	People Names
	Next   int64 // the number where the next page begins; 0 at the end
}

// Plans returns up to n plans that the caller may see, the newest first. open selects those about
// which something is to be done.
func (c *Console) Plans(ctx context.Context, caller Caller, open bool, before int64, n int) (page PlanPage, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		page = PlanPage{People: Names{}}
		for {
			all, err := tx.Plans(open, before, store.PageSize)
			if err != nil {
				return err
			}
			for _, p := range all {
				if _, _, err := seePlan(tx, me, p.ID); err != nil {
					if baton.KindOf(err) == baton.NotFound {
						continue
					}
					return err
				}
				if len(page.Plans) == n {
					page.Next = page.Plans[n-1].Number
					return nil
				}
				page.Plans = append(page.Plans, p)
				if err := page.People.add(tx, p.By.Person(), p.AppliedBy); err != nil {
					return err
				}
			}
			if len(all) < store.PageSize {
				return nil
			}
			before = all[len(all)-1].Number
		}
	})
	return page, err
}

// Plan returns a plan, with up to n of its rows.
func (c *Console) Plan(ctx context.Context, caller Caller, id console.ID, f store.PlanRowFilter, after, n int) (v PlanView, err error) {
	err = c.read(ctx, caller, reading.on(id), func(tx *store.Tx, me console.Person) error {
		if n < 1 || n >= store.PageSize {
			return baton.Errorf(baton.Invalid, "a page has 1 to %d rows", store.PageSize-1)
		}
		v = PlanView{Apps: map[console.ID]console.App{}, People: Names{}}
		p, apps, err := seePlan(tx, me, id)
		if err != nil {
			return err
		}
		v.RemovalPlan = p
		for _, a := range apps {
			v.Apps[a.ID] = a
		}
		if err := v.People.add(tx, p.By.Person(), p.AppliedBy); err != nil {
			return err
		}
		if v.Results, err = tx.CountPlanResults(id); err != nil {
			return err
		}
		if v.Refused = mayApply(tx, me, p); v.Refused != nil && baton.KindOf(v.Refused) != baton.PermissionDenied && baton.KindOf(v.Refused) != baton.NotFound {
			return v.Refused
		}
		rows, err := tx.PlanRows(id, f, after, n+1)
		if err != nil {
			return err
		}
		if len(rows) > n {
			v.Next, rows = rows[n-1].Place, rows[:n]
		}
		v.Rows, err = c.planRows(tx, me, v, rows)
		return err
	})
	return v, err
}

// planRows adds names to rows.
func (c *Console) planRows(tx *store.Tx, me console.Person, v PlanView, rows []console.PlanRow) (all []PlanRowView, err error) {
	moments := map[console.ID]store.Moment{}
	for _, r := range rows {
		m, known := moments[r.App]
		if !known {
			if m, err = tx.Moment(r.App, time.Time{}); err != nil {
				return nil, err
			}
			moments[r.App] = m
		}
		row := PlanRowView{PlanRow: r}
		o := console.Operation{App: r.App, Account: r.Account, Entitlement: r.Entitlement}
		if row.Names, row.Owner, err = c.names(tx, m, v.Apps[r.App], o); err != nil {
			return nil, err
		}
		if r.Facts.To != 0 {
			o.Entitlement = r.Facts.To
			to, _, err := c.names(tx, m, v.Apps[r.App], o)
			if err != nil {
				return nil, err
			}
			row.To = to.Entitlement
		}
		row.Own = !v.Cause.Kind.Decided() && row.Owner.ID != "" && row.Owner.Canonical() == me.Canonical()
		all = append(all, row)
	}
	return all, nil
}

// PlanLines passes on the lines of a plan, whose hash is that of the plan. They are an export.
func (c *Console) PlanLines(ctx context.Context, caller Caller, id console.ID, write func(lines []byte) error) error {
	if err := c.Export(ctx, caller, Export{What: "lines of the plan " + string(id), Plan: id, Format: "jsonl"}); err != nil {
		return err
	}
	var p console.RemovalPlan
	for after, more := 0, true; more; {
		var lines bytes.Buffer
		err := c.read(ctx, caller, reading.on(id), func(tx *store.Tx, me console.Person) (err error) {
			lines.Reset()
			if p, _, err = seePlan(tx, me, id); err != nil {
				return err
			}
			if after == 0 {
				lines.Write(append(p.HeadLine(p.Rows), '\n'))
			}
			rows, err := tx.PlanRows(id, store.PlanRowFilter{}, after, store.PageSize)
			for _, r := range rows {
				lines.Write(append(r.Line(), '\n'))
				after = r.Place
			}
			more = len(rows) == store.PageSize
			return err
		})
		if err == nil {
			err = write(lines.Bytes())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// PlanVersion returns the version of a plan: its state, and what became of its rows.
func (c *Console) PlanVersion(ctx context.Context, caller Caller, id console.ID) (v Version, err error) {
	err = c.look(ctx, caller, func(tx *store.Tx, me console.Person) error {
		p, _, err := seePlan(tx, me, id)
		if err != nil {
			return err
		}
		results, err := tx.CountPlanResults(id)
		v = planVersion(p, results)
		return err
	})
	return v, err
}

func planVersion(p console.RemovalPlan, results map[console.PlanResult]int) Version {
	h := sha256.New()
	fmt.Fprintln(h, p.ID, p.Version)
	for _, r := range console.PlanResults() {
		fmt.Fprintln(h, r, results[r])
	}
	return versionOf(h)
}

// Live returns the version of the page.
func (v PlanView) Live() Version { return planVersion(v.RemovalPlan, v.Results) }

// appNow returns an app and its current moment.
func appNow(tx *store.Tx, id console.ID) (console.App, store.Moment, error) {
	a, err := tx.App(id)
	if err != nil {
		return a, store.Moment{}, err
	}
	m, err := tx.Moment(id, time.Time{})
	return a, m, err
}
