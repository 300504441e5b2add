package govern_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

var catalogSize = flag.Int("catalog", 300, "how many entitlements the application of TestCatalog has")

// TestCatalog lists what may be asked for of an application with many entitlements: all of
// them page by page, by words of a name, for somebody else, and where only a few may be asked
// for.
func TestCatalog(t *testing.T) {
	f := newFixture(t)
	owner, helpdesk, user := f.caller("owner"), f.caller("helpdesk", console.Helpdesk), f.caller("1")
	f.caller("2")
	app, connector := f.addApp("Perplexity", owner.Person.ID)
	tenant := ingesttest.Tenant{Accounts: []baton.Resource{ingesttest.Account("1", "One", "1@example.com"), ingesttest.Account("2", "Two", "2@example.com")}}
	for i := range *catalogSize {
		g := ingesttest.Group{ID: fmt.Sprintf("g%05d", i), Name: fmt.Sprintf("Team %05d", i)}
		if i%10 == 3 {
			g.Members = []string{"1"}
		}
		tenant.Groups = append(tenant.Groups, g)
	}
	f.sync(connector, tenant)
	f.match(app)
	f.check(rpcstore.New(f.store).Hello(ctx, f.now, string(connector), rpc.Hello{Host: "h", Connector: rpc.Description{Capabilities: []rpc.Capability{rpc.CanProvision, rpc.CanCreateAccounts}}}))
	timed := func(what string, caller govern.Caller, q govern.CatalogQuery) govern.CatalogView {
		t.Helper()
		began := time.Now()
		v, err := f.RequestCatalog(ctx, caller, q)
		f.check(err)
		t.Logf("%s: %s", what, time.Since(began).Round(100*time.Microsecond))
		return v
	}
	// names returns what a page has.
	names := func(v govern.CatalogView) (all []string) {
		for _, a := range v.Apps {
			for _, r := range a.Rows {
				all = append(all, r.Entitlement.Name)
			}
		}
		return all
	}
	first := timed("the beginning", user, govern.CatalogQuery{N: 10})
	if got := names(first); len(got) != 10 || got[0] != "An account" || got[1] != "Team 00000 member" || first.Apps[0].Next == nil || first.Anybody || first.Subject.ID != user.Person.ID {
		t.Errorf("the beginning: %q, %+v", got, first.Apps[0].Next)
	}
	if row := first.Apps[0].Rows[4]; !row.Have || row.Entitlement.Name != "Team 00003 member" || row.Request != "" {
		t.Errorf("what they have: %+v", row)
	}
	var all []string
	q := govern.CatalogQuery{App: app, N: 50}
	for {
		v := timed("a page", user, q)
		all = append(all, names(v)...)
		if len(v.Apps) != 1 || v.Apps[0].Next == nil {
			break
		}
		q.After = *v.Apps[0].Next
	}
	if len(all) != *catalogSize+1 || !slices.IsSorted(all[1:]) {
		t.Errorf("%d of %d, sorted %v", len(all), *catalogSize+1, slices.IsSorted(all[1:]))
	}
	last := fmt.Sprintf("Team %05d member", *catalogSize-1)
	if got := names(timed("words of a name", user, govern.CatalogQuery{N: 10, Search: fmt.Sprintf("tea %05d", *catalogSize-1)})); !slices.Equal(got, []string{last}) {
		t.Errorf("by words: %q", got)
	}
	if got := names(timed("words of no name", user, govern.CatalogQuery{N: 10, Search: "nothing"})); len(got) != 0 {
		t.Errorf("words of no name: %q", got)
	}
	if v := timed("for somebody", helpdesk, govern.CatalogQuery{N: 10, Email: "2@example.com"}); v.Subject.Name == "helpdesk" || !v.Anybody {
		t.Errorf("for somebody: %+v", v.Subject)
	}
	if _, err := f.RequestCatalog(ctx, user, govern.CatalogQuery{N: 10, Email: "2@example.com"}); err == nil {
		t.Error("anybody asks for anybody")
	}

	// One that is asked for shows so, and few that may be asked for are found among many.
	key := func(i int) (key console.EntitlementKey) {
		f.view(func(tx *store.Tx) error {
			m, err := tx.Moment(app, time.Time{})
			if err != nil {
				return err
			}
			e, err := tx.EntitlementByID(m, ingesttest.Member(fmt.Sprintf("g%05d", i)))
			key = e.Key
			return err
		})
		return key
	}
	r, err := f.SubmitRequest(ctx, user, govern.NewRequest{App: app, Entitlement: key(5), Term: console.Term{For: console.Duration(time.Hour)}, Why: "a ticket"})
	f.check(err)
	if row := timed("with a pending one", user, govern.CatalogQuery{N: 10}).Apps[0].Rows[6]; row.Pending == nil || row.Pending.ID != r.ID {
		t.Errorf("what is pending: %+v", row)
	}
	f.update(func(tx *store.Tx) error {
		if err := tx.AddRequestSettings(console.SettingsVersion{App: app, Entitlement: console.WholeApp, Settings: console.RequestSettings{Requestable: console.RequestableNo}}); err != nil {
			return err
		}
		for _, i := range []int{7, *catalogSize - 1} {
			if err := tx.AddRequestSettings(console.SettingsVersion{App: app, Entitlement: key(i), Settings: console.RequestSettings{Requestable: console.RequestableYes, Longest: console.Duration(time.Hour)}}); err != nil {
				return err
			}
		}
		return nil
	})
	v := timed("two of many", user, govern.CatalogQuery{N: 10})
	if got := names(v); !slices.Equal(got, []string{"Team 00007 member", last}) || v.Apps[0].Rows[0].Settings.Longest != console.Duration(time.Hour) || v.Apps[0].Next != nil {
		t.Errorf("two of many: %q", got)
	}
}
