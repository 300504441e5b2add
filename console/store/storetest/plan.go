package storetest

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// explained is a database that records the plan of each query.
type explained struct {
	engine.DB
	plans map[string]string // by statement
}

func (d explained) Read(ctx context.Context, fn func(engine.Tx) error) error {
	return d.DB.Read(ctx, func(tx engine.Tx) error { return fn(explainedTx{tx, d}) })
}

type explainedTx struct {
	engine.Tx
	d explained
}

func (t explainedTx) Query(row func(engine.Row) error, sql string, args ...any) error {
	explain, column := "EXPLAIN ", 0
	if t.d.Name() == "sqlite" {
		explain, column = "EXPLAIN QUERY PLAN ", 3
	}
	var plan strings.Builder
	err := t.Tx.Query(func(r engine.Row) error {
		plan.WriteString(r.Text(column) + "\n")
		return nil
	}, explain+sql, args...)
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	t.d.plans[sql] = plan.String()
	return t.Tx.Query(row, sql, args...)
}

// wholeTable matches a plan step that reads all rows of a table that grows with the tenant, or sorts
// the result of such a step.
var wholeTable = regexp.MustCompile(`(?m)^SCAN (f|l|v|r|p|fact|lookup)$|^USE TEMP B-TREE.*$|Seq Scan on (fact|fact_by_principal|lookup|resource|resource_version|entitlement_version)\b.*$`)

// fewSorted matches statements that may sort because they have few rows: the access of one account,
// a chunk of names, or ended access.
var fewSorted = regexp.MustCompile(`fact_by_principal|LIMIT 1000000|l.value >= |f.closed < 9223372036854775807`)

// testPlans checks that pages of a large tenant are read through indexes, so that their time depends
// on the size of the page and not of the tenant.
func testPlans(t *testing.T, db Database) {
	e := db.Open(t)
	s := store.New(e, keyring(t, "first"))
	w := newWorld(t, s)
	m := model{groups: []string{"big"}, grants: map[[2]string]grant{}}
	for i := range 6000 {
		id := fmt.Sprintf("u%05d", i*7919%6000)
		m.accounts = append(m.accounts, id)
		m.grants[[2]string{"big", id}] = grant{}
	}
	w.sync(1, m)
	if e.Name() == "postgres" { // without statistics, plans for a million facts sort everything for each page
		err := e.Read(ctx, func(tx engine.Tx) error {
			n, err := engine.Get(tx, func(r engine.Row) int64 { return r.Int(0) }, "statistics", "SELECT count(*) FROM pg_stats WHERE schemaname = current_schema() AND tablename = 'fact'")
			if err == nil && n == 0 {
				t.Error("the database has not looked at the facts after a large sync")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	d := explained{e, map[string]string{}}
	err := store.New(d, keyring(t, "first")).View(ctx, func(tx *store.Tx) error {
		now := w.now(tx)
		holders, err := tx.Holders(now, w.member("big"), store.HolderAfter{}, 50)
		if err == nil && len(holders) == 50 {
			_, err = tx.Holders(now, w.member("big"), holders[49].After(), 50)
		}
		if err == nil {
			_, err = tx.HeldBy(now, holders[0].Principal.Key, 0, 50)
		}
		if err == nil {
			_, err = tx.Accounts(now, holders[10].Principal.After(), 50)
		}
		if err == nil {
			_, err = tx.AccountsByLogin(now, "u00001")
		}
		if err == nil {
			_, err = tx.ResourceByID(now, "user", "u00001")
		}
		if err == nil {
			_, err = tx.Fact(now, w.member("big"), holders[0].Principal.Key)
		}
		big := []console.EntitlementKey{w.member("big")}
		for _, f := range []store.AccountFilter{{Unowned: true}, {Orphaned: true}, {Disabled: true}, {Disabled: true, Holding: true}, {AnyOf: big}, {NoneOf: big}, {Several: [][]console.EntitlementKey{big, big}},
			{Words: "name"}, {Words: "u00007"}, {Kinds: []console.AccountKind{console.AccountService}}} {
			if err == nil {
				_, err = tx.FilterAccounts(now, f, holders[10].Principal.After(), 50)
			}
		}
		if err == nil {
			_, err = tx.FilterEntitlements(now, store.EntitlementFilter{Unheld: true}, store.EntitlementAfter{}, 50)
		}
		if err == nil {
			_, err = tx.FilterEntitlements(now, store.EntitlementFilter{Words: "member"}, store.EntitlementAfter{}, 50)
		}
		if err == nil {
			_, err = tx.PastHolders(now, w.member("big"), store.PastBefore{}, 50)
		}
		if err == nil {
			_, err = tx.PastAccess(now, holders[0].Principal.Key, store.PastBefore{}, 50)
		}
		if err == nil {
			_, err = tx.AccountTurns(now, holders[0].Principal.Key, 0)
		}
		if err == nil {
			_, err = tx.EntitlementTurns(now, w.member("big"), 0)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for sql, plan := range d.plans {
		if !strings.Contains(sql, "fact") && !strings.Contains(sql, "lookup") && !strings.Contains(sql, "resource_version") {
			continue
		}
		looked++
		if strings.Contains(sql, "AS counted") && strings.Contains(sql, "LIMIT") {
			continue // a count with a limit may read all rows of this small table
		}
		if strings.Contains(sql, "GROUP BY f.opened") || strings.Contains(sql, "LIMIT 1) IS NULL") {
			continue // reads the facts of one entitlement, which has all facts in this test
		}
		if fewSorted.MatchString(sql) { // the other tables are small here, or a chunk is most of them
			plan = regexp.MustCompile(`USE TEMP B-TREE|Seq Scan on (resource|resource_version|entitlement_version)\b`).ReplaceAllString(plan, "…")
		}
		if step := wholeTable.FindString(plan); step != "" {
			t.Errorf("%s\nreads a whole table: %s\n%s", sql, step, plan)
		}
	}
	if looked < 6 {
		t.Errorf("only %d statements were explained", looked)
	}
}
