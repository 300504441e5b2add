package govern_test

import (
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// TestContinueConnector moves an app from one connector to another: the accounts keep their owners
// and reasons.
func TestContinueConnector(t *testing.T) {
	f := newFixture(t)
	owner := f.caller("owner")
	app, former := f.addApp("Perplexity", owner.Person.ID)
	f.sync(former, organisation())
	key := f.account(app, "1")
	var next, elsewhere console.ID
	_, elsewhere = f.addApp("Other", owner.Person.ID)
	f.update(func(tx *store.Tx) (err error) {
		if next, err = tx.AddConnector(console.Connector{App: app, Name: "self-hosted", Interval: time.Hour}); err != nil {
			return err
		}
		c, err := tx.Connector(former)
		c.Directory = true
		if err != nil {
			return err
		}
		if err := tx.ChangeConnector(c); err != nil {
			return err
		}
		return tx.SetAccountOwner(key, owner.Person.ID, store.OwnerSet)
	})
	v, err := f.Abilities(ctx, owner, next)
	f.check(err)
	if len(v.Continues) != 1 || v.Continues[0].ID != former || v.Described {
		t.Errorf("%+v", v)
	}
	if v, err := f.Abilities(ctx, owner, former); err != nil || len(v.Continues) != 0 {
		t.Errorf("the former one continues: %+v, %v", v.Continues, err)
	}
	for name, c := range f.everybody(owner) {
		may := name == "connectors" || name == "super" || name == "owner"
		if err := f.ContinueConnector(ctx, c, next, elsewhere); may != (baton.KindOf(err) == baton.Refused) {
			t.Errorf("%s, of another app: %v", name, err)
		}
	}
	f.check(f.ContinueConnector(ctx, owner, next, former))
	if got := f.account(app, "1"); got != key {
		t.Errorf("account %d, before %d", got, key)
	}
	f.sync(next, organisation())
	if got := f.account(app, "1"); got != key {
		t.Errorf("account %d after a sync, before %d", got, key)
	}
	f.view(func(tx *store.Tx) error {
		o, err := tx.AccountOwner(key, time.Time{})
		if err != nil || o.Person != owner.Person.ID {
			t.Errorf("owner %+v, %v", o, err)
		}
		a, err := tx.Connector(former)
		if err != nil || !a.Paused || a.Directory {
			t.Errorf("the former one %+v, %v", a, err)
		}
		b, err := tx.Connector(next)
		if err != nil || b.Paused || !b.Directory {
			t.Errorf("the new one %+v, %v", b, err)
		}
		return nil
	})
	if err := f.ContinueConnector(ctx, owner, next, former); baton.KindOf(err) != baton.Refused {
		t.Errorf("twice: %v", err)
	}
	owner.Session.Proved = f.now.Add(-console.StepUp)
	if err := f.ContinueConnector(ctx, owner, former, next); err != govern.ErrStepUp {
		t.Errorf("an old login: %v", err)
	}
}

// TestAbilities shows what a connector supports, and that provisioning is off.
func TestAbilities(t *testing.T) {
	f := newFixture(t)
	owner := f.caller("owner")
	_, connector := f.addApp("Perplexity", owner.Person.ID)
	f.hello(connector, rpc.Description{DisplayName: "P", Capabilities: []rpc.Capability{rpc.CanSync}, ResourceTypes: []rpc.TypeDescription{{ID: "user"}}})
	v, err := f.Abilities(ctx, owner, connector)
	f.check(err)
	if !v.Described || len(v.ResourceTypes) != 1 || v.ReadOnly {
		t.Errorf("%+v", v)
	}
	finish := func(code uint32, message string) {
		t.Helper()
		f.now = f.now.Add(time.Minute)
		task, err := rpc.NewTask(string(connector), rpc.Work{RunAction: &rpc.RunActionWork{Name: "disable_user"}}, f.now)
		f.check(err)
		f.update(func(tx *store.Tx) error { return rpcstore.AddTask(tx, task) })
		s := rpcstore.New(f.store)
		_, err = s.Lease(ctx, f.now, rpc.LeaseRequest{Connector: string(connector), Host: "h", Max: 1})
		f.check(err)
		_, err = s.Finish(ctx, f.now, rpc.Holder{Connector: string(connector), Host: "h", Task: task.ID}, rpc.Result{At: f.now, Code: code, Message: message})
		f.check(err)
	}
	for _, tt := range []struct {
		code    uint32
		message string
		want    bool
	}{{9, "provisioning is not enabled", true}, {9, "it would leave fewer than 1 enabled admins", false}, {0, "", false}, {2, "provisioning is not enabled", false}} {
		finish(tt.code, tt.message)
		if v, err := f.Abilities(ctx, owner, connector); err != nil || v.ReadOnly != tt.want {
			t.Errorf("after code %d %q: %v, %v", tt.code, tt.message, v.ReadOnly, err)
		}
	}
}
