package govern_test

import (
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/match"
	"baton/console/store"
)

// account returns the key of an account of an app.
func (f *fixture) account(app console.ID, id string) (key console.ResourceKey) {
	f.t.Helper()
	f.view(func(tx *store.Tx) error {
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", id)
		key = r.Key
		return err
	})
	return key
}

// match runs the matching of an app's accounts.
func (f *fixture) match(app console.ID) {
	f.t.Helper()
	_, err := match.App(ctx, f.store, console.By{At: f.now, Actor: console.Console}, app)
	f.check(err)
}

// TestAccountOwner sets, clears and resets the owner of an account: it records who set it and when,
// matching does not change it, and each change is an event.
func TestAccountOwner(t *testing.T) {
	f := newFixture(t)
	owner := f.caller("owner")
	ana, ben := f.caller("ana").Person, f.caller("ben").Person
	app, connector := f.addApp("Perplexity", owner.Person.ID)
	other, _ := f.addApp("Other", owner.Person.ID)
	f.sync(connector, organisation())
	f.match(app)
	key := f.account(app, "1")
	record := func() govern.AccountRecord {
		t.Helper()
		v, err := f.AccountRecord(ctx, owner, app, key)
		f.check(err)
		return v
	}
	if v := record(); v.Owner.Person != ana.ID || v.Owner.How != store.OwnerMatched || v.OwnerBy.ID != "" || v.Matched.ID != ana.ID || !v.MayCorrect || len(v.Former) != 0 {
		t.Errorf("matched: %+v", v)
	}
	step := func() {
		f.now = f.now.Add(time.Minute)
		owner.Session.Proved = f.now
	}
	step()
	f.check(f.SetAccountOwner(ctx, owner, app, key, " Ben@Example.com"))
	f.match(app)
	if v := record(); v.Owner.Person != ben.ID || v.Owner.How != store.OwnerSet || v.OwnerBy.ID != owner.Person.ID || !v.Owner.From.Equal(f.now) || v.Matched.ID != ana.ID || len(v.Former) != 1 || v.Former[0].ID != ana.ID {
		t.Errorf("set: %+v", v)
	}
	step()
	f.check(f.ClearAccountOwner(ctx, owner, app, key))
	f.match(app)
	if v := record(); v.Owner.Person != "" || v.Owner.How != store.OwnerCleared || len(v.Former) != 2 {
		t.Errorf("cleared: %+v", v)
	}
	step()
	f.check(f.ResetAccountOwner(ctx, owner, app, key))
	if v := record(); v.Owner.Person != ana.ID || v.Owner.How != store.OwnerMatched || v.OwnerBy.ID != owner.Person.ID || len(v.Former) != 1 {
		t.Errorf("reset: %+v", v)
	}
	// Matching sets the owner of a reset account again.
	f.update(func(tx *store.Tx) error {
		p, err := tx.Person(ana.ID)
		if err != nil {
			return err
		}
		p.Emails = nil
		return tx.ChangePerson(p)
	})
	step()
	f.match(app)
	if v := record(); v.Owner.Person != "" || v.Owner.How != store.OwnerMatched {
		t.Errorf("without addresses: %+v", v)
	}
	got := f.kinds(store.EventFilter{Account: key})
	if want := []string{store.OwnerChanged, store.OwnerChanged, store.OwnerChanged, store.OwnerChanged, store.OwnerChanged}; !slices.Equal(got, want) {
		t.Errorf("events %v", got)
	}
	if got := f.kinds(store.EventFilter{App: app}); !slices.Contains(got, store.OwnerChanged) {
		t.Errorf("events of the app %v", got)
	}
	f.now = f.now.Add(console.RecentOwner + time.Minute)
	if v := record(); len(v.Former) != 0 {
		t.Errorf("after 30 days: %+v", v.Former)
	}

	for name, err := range map[string]error{
		"nobody's address": f.SetAccountOwner(ctx, owner, app, key, "nobody@example.com"), "no address": f.SetAccountOwner(ctx, owner, app, key, " "),
		"an unknown type": f.SetAccountType(ctx, owner, app, key, 9, "test"),
	} {
		if err == nil || baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"the account of another app": f.SetAccountOwner(ctx, owner, other, key, "ben@example.com"), "no account": f.ClearAccountOwner(ctx, owner, app, 99999),
		"an entitlement's resource": f.SetAccountType(ctx, owner, app, key+10, console.AccountService, "test"),
	} {
		if err == nil || baton.KindOf(err) != baton.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}

	// The type: who said so, and what it means for the lists.
	f.check(f.SetAccountType(ctx, owner, app, key, console.AccountService, "test"))
	if v := record(); v.Type != (console.AccountType{Kind: console.AccountService, By: console.TypeByPerson}) || v.SaidBy.ID != owner.Person.ID || v.Matched.ID != "" {
		t.Errorf("type: %+v", v)
	}
	if p, err := f.Accounts(ctx, owner, govern.AccountQuery{App: app, Type: govern.ServiceAccount, N: 10}); err != nil || len(p.Rows) != 1 || p.Rows[0].Key != key {
		t.Errorf("service accounts %+v, %v", p.Rows, err)
	}
	f.check(f.SetAccountType(ctx, owner, app, key, console.AccountUnspecified, "test"))
	if v := record(); v.Type.By != console.TypeByUpstream || v.SaidBy.ID != owner.Person.ID {
		t.Errorf("type taken back: %+v", v)
	}

	for name, c := range f.everybody(owner) {
		sees := slices.Contains([]string{"owner", "auditor", "officer", "super"}, name)
		may := name == "owner" || name == "super"
		v, err := f.AccountRecord(ctx, c, app, key)
		if sees != (err == nil) || v.MayCorrect != may {
			t.Errorf("%s looks at it: %v, %v", name, v.MayCorrect, err)
		}
		for what, err := range map[string]error{
			"sets": f.SetAccountOwner(ctx, c, app, key, "ben@example.com"), "clears": f.ClearAccountOwner(ctx, c, app, key),
			"resets": f.ResetAccountOwner(ctx, c, app, key), "types": f.SetAccountType(ctx, c, app, key, console.AccountHuman, "test"), "may": f.MayConfigureApp(ctx, c, app),
		} {
			if may != (err == nil) {
				t.Errorf("%s %s it: %v", name, what, err)
			}
		}
	}
}
