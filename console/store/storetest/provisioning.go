package storetest

import (
	"reflect"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

// testProvisioning keeps how accounts of an app are made, each version with its event, and
// which entitlements have settings of their own.
func testProvisioning(t *testing.T, db Database) {
	s := open(t, db)
	var app, other console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if app, err = tx.AddApp(console.App{Name: "Perplexity"}); err != nil {
			return err
		}
		other, err = tx.AddApp(console.App{Name: "Other"})
		return err
	})
	get := func(app console.ID) (p console.Provisioning) {
		t.Helper()
		view(t, s, func(tx *store.Tx) (err error) {
			p, err = tx.Provisioning(app)
			return err
		})
		return p
	}
	if p := get(app); !reflect.DeepEqual(p, console.Provisioning{}) {
		t.Errorf("nobody said anything: %+v", p)
	}
	want := console.Provisioning{Fields: map[string]string{"display_name": "subject.name"}, NoWelcome: true, Welcome: "Hello.", MasteredIn: "Okta", Masters: map[console.EntitlementKey]string{7: console.HereItself, 8: "OneLogin"}}
	update(t, s, by(1), func(tx *store.Tx) error { return tx.SetProvisioning(app, want) })
	if want.Version = 1; !reflect.DeepEqual(get(app), want) || get(other).Version != 0 {
		t.Errorf("got %+v, want %+v", get(app), want)
	}
	for e, where := range map[console.EntitlementKey]string{6: "Okta", 7: "", 8: "OneLogin"} {
		if got, known := want.MasterOf(e); got != where || !known {
			t.Errorf("entitlement %d is mastered in %q, %v", e, got, known)
		}
	}
	old := want
	old.Version = 0
	err := s.Update(t.Context(), by(2), func(tx *store.Tx) error { return tx.SetProvisioning(app, old) })
	if baton.KindOf(err) != baton.Refused {
		t.Errorf("an old version: %v", err)
	}
	err = s.Update(t.Context(), by(2), func(tx *store.Tx) error { return tx.SetProvisioning("nothing", old) })
	if baton.KindOf(err) != baton.NotFound {
		t.Errorf("no app: %v", err)
	}
	view(t, s, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{App: app}, 0, 10)
		n := 0
		for _, e := range events {
			if e.Kind == "app.provisioning-changed" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d events of %+v", n, events)
		}
		return err
	})

	update(t, s, by(3), func(tx *store.Tx) error {
		for _, e := range []console.EntitlementKey{console.WholeApp, 9, console.AccountItself} {
			if err := tx.AddRequestSettings(console.SettingsVersion{App: app, Entitlement: e, Settings: console.RequestSettings{Requestable: console.RequestableNo}}); err != nil {
				return err
			}
		}
		return tx.AddRequestSettings(console.SettingsVersion{App: app, Entitlement: 9, Version: 1})
	})
	view(t, s, func(tx *store.Tx) error {
		keys, err := tx.EntitlementsWithSettings(app)
		if err != nil || !reflect.DeepEqual(keys, []console.EntitlementKey{console.AccountItself, 9}) {
			t.Errorf("entitlements with settings %v, %v", keys, err)
		}
		return err
	})
}
