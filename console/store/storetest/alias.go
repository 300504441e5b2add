package storetest

import (
	"strings"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

func testAlias(t *testing.T, db Database) {
	s := open(t, db)
	var one, two console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if one, err = tx.AddApp(console.App{Name: "One"}); err == nil {
			two, err = tx.AddApp(console.App{Name: "Two"})
		}
		return err
	})
	update(t, s, by(1), func(tx *store.Tx) error { return tx.SetAlias(one, 7, "git-admin") })
	update(t, s, by(2), func(tx *store.Tx) error { return tx.SetAlias(one, 7, "git-admin") }) // nothing changes
	update(t, s, by(3), func(tx *store.Tx) error { return tx.SetAlias(two, console.AccountItself, "two_account.x") })
	view(t, s, func(tx *store.Tx) error {
		if a, err := tx.Alias(one, 7); err != nil || a != "git-admin" {
			t.Errorf("%q, %v", a, err)
		}
		if a, err := tx.Alias(one, 8); err != nil || a != "" {
			t.Errorf("%q, %v", a, err)
		}
		of, err := tx.ByAlias("two_account.x")
		if err != nil || of != (store.Aliased{App: two, Entitlement: console.AccountItself}) {
			t.Errorf("%+v, %v", of, err)
		}
		_, err = tx.ByAlias("GIT-ADMIN")
		wantKind(t, "another case", err, baton.NotFound)
		events, err := tx.EventsBefore(store.EventFilter{Object: string(one)}, 0, 10)
		if err != nil || len(events) != 3 || events[1].Kind == events[0].Kind || events[0].Kind != "entitlement.alias-changed" || events[0].Entitlement != 7 {
			t.Errorf("%+v, %v", events, err)
		}
		return nil
	})
	fails(t, s, by(4), "a taken alias", baton.AlreadyExists, func(tx *store.Tx) error { return tx.SetAlias(one, 8, "git-admin") })
	for _, alias := range []string{"Git", "a b", "a/b", "\u00e9", strings.Repeat("a", 256)} {
		fails(t, s, by(4), "the alias "+alias, baton.Invalid, func(tx *store.Tx) error { return tx.SetAlias(one, 8, alias) })
	}
	fails(t, s, by(4), "no app", baton.NotFound, func(tx *store.Tx) error { return tx.SetAlias("x", 8, "free") })
	update(t, s, by(5), func(tx *store.Tx) error { return tx.SetAlias(one, 7, "") })
	update(t, s, by(6), func(tx *store.Tx) error { return tx.SetAlias(one, 8, "git-admin") })
	view(t, s, func(tx *store.Tx) error {
		if of, err := tx.ByAlias("git-admin"); err != nil || of.Entitlement != 8 {
			t.Errorf("%+v, %v", of, err)
		}
		return nil
	})
}
