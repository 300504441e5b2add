package store

import (
	"strings"

	"baton/console"
	"baton/console/store/internal/engine"
)

// planRowResult is the [console.PlanResult] of a row of a plan.
const planRowResult = `CASE WHEN r.came_back IS NOT NULL THEN 'came-back'
	WHEN r.state NOT IN ('carried', 'asked') THEN r.state
	WHEN o.id IS NULL AND q.state <> 'closed' THEN 'asked'
	WHEN o.id IS NULL AND q.outcome = 'revoked' THEN 'gone'
	WHEN o.id IS NULL OR o.state = 'cancelled' THEN 'refused'
	WHEN o.state = 'superseded' THEN 'stopped'
	WHEN o.state = 'contradicted' THEN 'not-effective'
	WHEN o.state = 'declined' THEN 'failed'
	WHEN o.state IN ('manual', 'applied', 'failed', 'verified') THEN o.state
	ELSE 'under-way' END`

// A row that people decided about first has the operation of its request.
const planRowJoins = ` FROM plan_row r LEFT JOIN request q ON q.id = r.request LEFT JOIN operation o ON o.id = COALESCE(r.operation, q.operation)`

const planRowColumns = `r.app, r.account, r.entitlement, r.what, r.ref, r.place, r.facts, r.mastered, r.pending, r.manual, r.asks, r.state, r.said, r.fix,
	COALESCE(r.operation, q.operation), r.grant_operation, r.request, r.came_back, o.answer, q.body, ` + planRowResult

func scanPlanRow(r engine.Row) console.PlanRow {
	p := console.PlanRow{App: console.ID(r.Text(0)), Account: console.ResourceKey(r.Int(1)), Entitlement: console.EntitlementKey(r.Int(2)), Do: console.PlanDo(r.Text(3)),
		Ref: r.Text(4), Place: int(r.Int(5)), Mastered: str(r, 7), Pending: console.ID(r.Text(8)), Manual: r.Bool(9), Asks: r.Bool(10), State: console.PlanRowState(r.Text(11)),
		Said: str(r, 12), Fix: str(r, 13), Operation: console.ID(r.Text(14)), Grant: console.ID(r.Text(15)), Request: console.ID(r.Text(16)), CameBack: at(r, 17),
		Result: console.PlanResult(r.Text(20))}
	decode(r.Bytes(6), &p.Facts)
	if p.Said == "" && p.State == console.RowCarried && p.Result != console.ResultVerified {
		p.Said = str(r, 18) // the connector's answer, or why the operation was cancelled
	}
	if p.Said == "" && p.State == console.RowAsked && p.Result == console.PlanResult(console.RowRefused) {
		var b requestBody
		decode(r.Bytes(19), &b)
		p.Said = b.OutcomeWhy
	}
	return p
}

// PlanRowFilter selects rows of a plan. The zero value selects all.
type PlanRowFilter struct {
	Result console.PlanResult
	App    console.ID
	Person console.ID
}

func (f PlanRowFilter) where(s *statement) string {
	var b strings.Builder
	if f.App != "" {
		b.WriteString(" AND r.app = " + s.arg(f.App))
	}
	if f.Person != "" {
		b.WriteString(" AND r.person = " + s.arg(f.Person))
	}
	if f.Result != "" {
		b.WriteString(" AND " + planRowResult + " = " + s.arg(string(f.Result)))
	}
	return b.String()
}

// PlanRows returns up to n rows of a plan after a place, in their order. 0 is the beginning.
func (t *Tx) PlanRows(plan console.ID, f PlanRowFilter, after, n int) ([]console.PlanRow, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	s := statement{args: []any{plan, after, n}}
	return list(t, scanPlanRow, "SELECT "+planRowColumns+planRowJoins+" WHERE r.plan = $1 AND r.place > $2"+f.where(&s)+" ORDER BY r.place LIMIT $3", s.args...)
}

// PlannedRows returns up to n rows of a plan that are not carried out yet, in their order.
func (t *Tx) PlannedRows(plan console.ID, n int) ([]console.PlanRow, error) {
	return list(t, scanPlanRow, "SELECT "+planRowColumns+planRowJoins+" WHERE r.plan = $1 AND r.state = 'planned' ORDER BY r.place LIMIT $2", plan, n)
}

// CountPlanRows counts the rows of a plan that a filter selects.
func (t *Tx) CountPlanRows(plan console.ID, f PlanRowFilter) (int, error) {
	s := statement{args: []any{plan}}
	return get(t, func(r engine.Row) int { return int(r.Int(0)) }, "rows", "SELECT count(*)"+planRowJoins+" WHERE r.plan = $1"+f.where(&s), s.args...)
}

// CountPlanResults counts the rows of a plan by result.
func (t *Tx) CountPlanResults(plan console.ID) (map[console.PlanResult]int, error) {
	counts := map[console.PlanResult]int{}
	err := t.e.Query(func(r engine.Row) error {
		counts[console.PlanResult(r.Text(0))] = int(r.Int(1))
		return nil
	}, "SELECT "+planRowResult+", count(*)"+planRowJoins+" WHERE r.plan = $1 GROUP BY 1", plan)
	return counts, err
}

// ComputedPlanRows writes what was computed about rows of a plan, and their places.
func (t *Tx) ComputedPlanRows(plan console.ID, rows []console.PlanRow) error {
	return t.e.Each(`UPDATE plan_row SET place = $1, person = $2, facts = $3, mastered = $4, pending = $5, manual = $6, asks = $7, state = $8, said = $9, fix = $10
		WHERE plan = $11 AND account = $12 AND entitlement = $13`, func(w engine.Writer) error {
		for _, r := range rows {
			w.Int(int64(r.Place))
			textOrNull(w, string(r.Facts.Owner))
			w.Bytes(encode(r.Facts))
			w.Bytes([]byte(r.Mastered))
			textOrNull(w, string(r.Pending))
			w.Bool(r.Manual)
			w.Bool(r.Asks)
			w.Text(string(r.State))
			w.Bytes([]byte(r.Said))
			w.Bytes([]byte(r.Fix))
			w.Text(string(plan))
			w.Int(int64(r.Account))
			w.Int(int64(r.Entitlement))
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
}

// EndPlanRow writes what applying the plan did about a row: its state with the operations or the
// request, or why nothing was done.
func (t *Tx) EndPlanRow(plan console.ID, r console.PlanRow) error {
	return t.change("row of the plan", "UPDATE plan_row SET state = $4, said = $5, fix = $6, operation = $7, grant_operation = $8, request = $9 WHERE plan = $1 AND account = $2 AND entitlement = $3",
		plan, r.Account, r.Entitlement, r.State, []byte(r.Said), []byte(r.Fix), null(r.Operation), null(r.Grant), null(r.Request))
}

// PlanCarriedBy returns which of the operations carry out rows of a plan.
func (t *Tx) PlanCarriedBy(plan console.ID, operations []console.ID) (map[console.ID]bool, error) {
	carried := map[console.ID]bool{}
	for _, sql := range []string{
		"SELECT operation FROM plan_row WHERE plan = $1 AND operation IN (keys)",
		"SELECT grant_operation FROM plan_row WHERE plan = $1 AND grant_operation IN (keys)",
		"SELECT q.operation FROM request q JOIN plan_row r ON r.request = q.id WHERE r.plan = $1 AND q.operation IN (keys)",
	} {
		found, err := listOf(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, operations, sql, plan)
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			carried[id] = true
		}
	}
	return carried, nil
}

// StopPlan stops carrying out a plan: the rows that are still planned are not carried out. It returns
// their number.
func (t *Tx) StopPlan(id console.ID, why string) (int64, error) {
	p, err := t.LockPlan(id)
	if err != nil {
		return 0, err
	}
	n, err := t.e.Exec("UPDATE plan_row SET state = 'stopped', said = $2 WHERE plan = $1 AND state = 'planned'", id, []byte(why))
	if err != nil || n == 0 {
		return n, err
	}
	return n, t.planEvent(p, "plan.stopped", map[string]any{"rows": n, "why": why})
}

// planMoved makes the worker look at the plans whose rows an operation carries out, once it is over.
func (t *Tx) planMoved(o console.Operation) error {
	if o.Verb != console.Revoke || o.State.Alive() {
		return nil
	}
	return t.planDue("SELECT plan FROM plan_row WHERE operation = $1 UNION SELECT r.plan FROM request q JOIN plan_row r ON r.request = q.id WHERE q.operation = $1", o.ID)
}

// planAnswered makes the worker look at the plan of which a request was a row, once it is closed.
func (t *Tx) planAnswered(r console.Request) error {
	if r.Removal != console.CausePlan {
		return nil
	}
	return t.planDue("SELECT plan FROM plan_row WHERE request = $1", r.ID)
}

func (t *Tx) planDue(plans string, of console.ID) error {
	all, err := list(t, func(r engine.Row) string { return r.Text(0) }, plans, of)
	for _, plan := range all {
		if err == nil {
			err = t.DueBy(console.DuePlan, plan, t.by.At)
		}
	}
	return err
}

// markCameBack notes in the rows of plans that the access that an operation removed came back, and wakes
// the campaigns that the plans follow from.
func (t *Tx) markCameBack(o console.Operation) error {
	const of = "(operation = $1 OR request IN (SELECT id FROM request WHERE operation = $1))"
	n, err := t.e.Exec("UPDATE plan_row SET came_back = $2 WHERE came_back IS NULL AND "+of, o.ID, t.by.At)
	if err != nil || n == 0 {
		return err
	}
	causes, err := list(t, func(r engine.Row) console.PlanCause {
		return console.PlanCause{Kind: console.PlanCauseKind(r.Text(0)), Ref: r.Text(1)}
	},
		"SELECT cause, cause_ref FROM plan WHERE id IN (SELECT plan FROM plan_row WHERE "+of+")", o.ID)
	for _, cause := range causes {
		if err == nil {
			err = t.wakeCampaign(cause)
		}
	}
	return err
}
