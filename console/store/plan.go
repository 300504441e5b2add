package store

import (
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

const planColumns = "id, number, cause, cause_ref, title, why, row_cap, owners, state, row_count, hash, computed, summary, created, created_by, applied, applied_by, ended, version"

func scanPlan(r engine.Row) console.RemovalPlan {
	p := console.RemovalPlan{ID: console.ID(r.Text(0)), Number: r.Int(1), Cause: console.PlanCause{Kind: console.PlanCauseKind(r.Text(2)), Ref: r.Text(3)},
		Title: str(r, 4), Why: str(r, 5), Cap: int(r.Int(6)), State: console.PlanState(r.Text(8)), Rows: int(r.Int(9)), Hash: hashOf(r.Bytes(10)), Computed: at(r, 11),
		Created: at(r, 13), By: decodeActor(r.Bytes(14)), Applied: at(r, 15), AppliedBy: console.ID(r.Text(16)), Ended: at(r, 17), Version: r.Int(18)}
	decode(r.Bytes(7), &p.Owners)
	decode(r.Bytes(12), &p.Summary)
	return p
}

// AddPlan adds a plan with its rows, in their order, as a draft. It sets the ID and the number. The
// worker computes it next.
func (t *Tx) AddPlan(p console.RemovalPlan, rows []console.PlanRow) (console.RemovalPlan, error) {
	if err := console.CheckPlan(p, rows); err != nil {
		return p, err
	}
	if p.ID == "" {
		p.ID = console.NewID(t.by.At)
	}
	var err error
	if p.Number, err = t.Numbers("plan", 1); err != nil {
		return p, err
	}
	p.State, p.Rows, p.Created, p.By, p.Version = console.PlanDraft, len(rows), t.by.At, t.by.Actor, 1
	err = t.insert("plan", "INSERT INTO plan ("+planColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, NULL, $11, $12, $13, NULL, NULL, NULL, $14)",
		p.ID, p.Number, p.Cause.Kind, p.Cause.Ref, []byte(p.Title), []byte(p.Why), p.Cap, encode(p.Owners), p.State, p.Rows, encode(p.Summary), p.Created, encodeActor(p.By), p.Version)
	if err != nil {
		return p, err
	}
	var apps []console.ID
	for _, r := range rows {
		if !slices.Contains(apps, r.App) {
			apps = append(apps, r.App)
		}
	}
	for _, app := range apps {
		if err := t.insert("plan", "INSERT INTO plan_app (app, plan) VALUES ($1, $2)", app, p.ID); err != nil {
			return p, err
		}
	}
	err = t.e.Each(`INSERT INTO plan_row (plan, account, entitlement, place, app, what, ref, facts, mastered, manual, asks, state, said, fix)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $9, 'planned', $8, $8)`, func(w engine.Writer) error {
		for i, r := range rows {
			w.Text(string(p.ID))
			w.Int(int64(r.Account))
			w.Int(int64(r.Entitlement))
			w.Int(int64(i + 1))
			w.Text(string(r.App))
			w.Text(string(r.Do))
			w.Text(r.Ref)
			w.Bytes(nil)
			w.Bool(false)
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return p, err
	}
	if err := t.DueBy(console.DuePlan, string(p.ID), t.by.At); err != nil {
		return p, err
	}
	return p, t.planEvent(p, "plan.added", map[string]any{"number": p.Number, "cause": p.Cause.Kind, "ref": p.Cause.Ref, "why": p.Why, "cap": p.Cap, "rows": p.Rows})
}

// wakeCampaign makes the worker look at the campaign that a plan follows from.
func (t *Tx) wakeCampaign(cause console.PlanCause) error {
	if cause.Kind != console.PlanCampaign {
		return nil
	}
	return t.DueBy(console.DueCampaign, cause.Ref, t.by.At)
}

// planEvent appends an event of a plan. It belongs to the app of the plan if there is only one.
func (t *Tx) planEvent(p console.RemovalPlan, kind string, data any) error {
	apps, err := t.PlanApps(p.ID)
	if err != nil {
		return err
	}
	e := console.Event{Kind: kind, Object: string(p.ID)}
	if len(apps) == 1 {
		e.App = apps[0]
	}
	return t.event(e, data)
}

// Plan returns a plan.
func (t *Tx) Plan(id console.ID) (console.RemovalPlan, error) {
	return get(t, scanPlan, "plan", "SELECT "+planColumns+" FROM plan WHERE id = $1", id)
}

// LockPlan is [Tx.Plan] for a transaction that changes the plan. Lock it before apps.
func (t *Tx) LockPlan(id console.ID) (console.RemovalPlan, error) {
	return get(t, scanPlan, "plan", "SELECT "+planColumns+" FROM plan WHERE id = $1 FOR UPDATE", id)
}

// PlanApps returns the apps of a plan.
func (t *Tx) PlanApps(plan console.ID) ([]console.ID, error) {
	return list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT app FROM plan_app WHERE plan = $1 ORDER BY app", plan)
}

// PlansOf returns the plans that a campaign, or another object, is the cause of, the oldest first.
func (t *Tx) PlansOf(cause console.PlanCause) ([]console.RemovalPlan, error) {
	return list(t, scanPlan, "SELECT "+planColumns+" FROM plan WHERE cause_ref = $1 AND cause = $2 ORDER BY number", cause.Ref, cause.Kind)
}

// Plans returns up to n plans with smaller numbers, the newest first. 0 is the beginning. open selects
// those about which something is to be done.
func (t *Tx) Plans(open bool, before int64, n int) ([]console.RemovalPlan, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = 1<<63 - 1
	}
	where := ""
	if open {
		where = " AND state NOT IN ('complete', 'discarded')"
	}
	return list(t, scanPlan, "SELECT "+planColumns+" FROM plan WHERE number < $1"+where+" ORDER BY number DESC LIMIT $2", before, n)
}

// MovePlan changes the state of a plan, and what belongs to the state: the hash and the summary of one
// that is ready, who applied it. Refused if the plan was changed meanwhile, or cannot become that.
func (t *Tx) MovePlan(p console.RemovalPlan, to console.PlanState) (console.RemovalPlan, error) {
	have, err := t.LockPlan(p.ID)
	if err != nil {
		return p, err
	}
	if err := checkVersion("the plan", have.Version, p.Version); err != nil {
		return p, err
	}
	if !have.State.CanBecome(to) {
		return p, baton.Errorf(baton.Refused, "the plan is %s and cannot become %s", have.State, to)
	}
	p.State = to
	data := map[string]any{}
	var hash []byte
	switch to {
	case console.PlanReady:
		p.Computed = t.by.At
		data["summary"] = p.Summary
	case console.PlanDraft:
		p.Hash, p.Computed = console.Hash{}, time.Time{}
	case console.PlanApplying:
		p.Applied, p.AppliedBy = t.by.At, t.by.Actor.Person()
		data["rows"] = p.Summary.Planned
	case console.PlanComplete, console.PlanDiscarded:
		p.Ended = t.by.At
	}
	if p.Hash != (console.Hash{}) {
		hash = p.Hash[:]
		data["hash"] = p.Hash
	}
	p.Version++
	err = t.change("plan", "UPDATE plan SET state = $2, hash = $3, computed = $4, summary = $5, applied = $6, applied_by = $7, ended = $8, version = $9 WHERE id = $1",
		p.ID, p.State, hash, p.Computed, encode(p.Summary), p.Applied, null(p.AppliedBy), p.Ended, p.Version)
	if err != nil {
		return p, err
	}
	if to.Open() && to != console.PlanReady && to != console.PlanStale {
		if err := t.DueBy(console.DuePlan, string(p.ID), t.by.At); err != nil {
			return p, err
		}
	}
	if err := t.wakeCampaign(p.Cause); err != nil {
		return p, err
	}
	return p, t.planEvent(p, "plan."+string(to), data)
}
