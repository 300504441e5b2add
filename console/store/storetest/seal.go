package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"baton"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

func testSeal(t *testing.T, db Database) {
	s := open(t, db)
	const plain = "pplx-secret-token-value"
	update(t, s, by(0), func(tx *store.Tx) error {
		if err := tx.SetSecret("connector-1", "scim-token", baton.NewSecret("old")); err != nil {
			return err
		}
		if err := tx.SetSecret("connector-1", "scim-token", baton.NewSecret(plain)); err != nil {
			return err
		}
		return tx.SetSecret("connector-2", "scim-token", baton.NewSecret("other"))
	})
	secret := func(s *store.Store, owner, name string) (v baton.Secret, err error) {
		err = s.View(ctx, func(tx *store.Tx) (err error) {
			v, err = tx.Secret(owner, name)
			return err
		})
		return v, err
	}
	if v, err := secret(s, "connector-1", "scim-token"); err != nil || v.Reveal() != plain {
		t.Errorf("%v", err)
	}
	_, err := secret(s, "connector-1", "other")
	wantKind(t, "a secret that was never set", err, baton.NotFound)

	other := store.New(db.Open(t), keyring(t, "another"))
	_, err = secret(other, "connector-1", "scim-token")
	wantKind(t, "without the key", err, baton.Refused)
	if !strings.Contains(fmt.Sprint(err), `"first"`) {
		t.Errorf("the error does not name the key: %v", err)
	}
	wrong, err := store.NewKeyring("first", map[string][]byte{"first": bytes.Repeat([]byte{7}, store.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = secret(store.New(db.Open(t), wrong), "connector-1", "scim-token")
	wantKind(t, "with a wrong key of the same name", err, baton.Corrupt)
	_, err = secret(store.New(db.Open(t), nil), "connector-1", "scim-token")
	wantKind(t, "without any key", err, baton.Refused)

	// The database contains nothing readable, and a value cannot be moved to another row.
	err = s.Engine().Write(ctx, func(e engine.Tx) error {
		return errJoin(e.Query(func(r engine.Row) error {
			if bytes.Contains(r.Bytes(0), []byte(plain)) {
				t.Error("the table holds the plain value")
			}
			return nil
		}, "SELECT sealed FROM secret"), func() error {
			_, err := e.Exec("UPDATE secret SET sealed = (SELECT sealed FROM secret WHERE owner = 'connector-1') WHERE owner = 'connector-2'")
			return err
		}())
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = secret(s, "connector-2", "scim-token")
	wantKind(t, "a value of another owner", err, baton.Corrupt)
	view(t, s, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, 100)
		for _, e := range events {
			if strings.Contains(string(e.Data), plain) {
				t.Error("an event holds the plain value")
			}
		}
		return err
	})
	update(t, s, by(2), func(tx *store.Tx) error {
		if err := tx.RemoveSecret("connector-1", "none"); err != nil {
			return err
		}
		return tx.RemoveSecret("connector-1", "scim-token")
	})
	_, err = secret(s, "connector-1", "scim-token")
	wantKind(t, "a secret that was removed", err, baton.NotFound)
	if _, err := store.NewKeyring("a", map[string][]byte{"b": store.NewKey()}); baton.KindOf(err) != baton.Invalid {
		t.Errorf("a keyring without its current key: %v", err)
	}
	if _, err := store.NewKeyring("a", map[string][]byte{"a": []byte("short")}); baton.KindOf(err) != baton.Invalid {
		t.Errorf("a short key: %v", err)
	}
}

func testSealRotate(t *testing.T, db Database) {
	s := open(t, db)
	if err := s.ProveKeys(ctx, by(0)); err != nil {
		t.Fatal(err)
	}
	const n = 230
	update(t, s, by(1), func(tx *store.Tx) error {
		for i := range n {
			if err := tx.SetSecret("connector", fmt.Sprint(i), baton.NewSecret(fmt.Sprint("value ", i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err := s.ProveKeys(ctx, by(2)); err != nil {
		t.Errorf("the same keys: %v", err)
	}
	wantKind(t, "other keys at start", store.New(db.Open(t), keyring(t, "second")).ProveKeys(ctx, by(2)), baton.Refused)

	both := store.New(db.Open(t), keyring(t, "second", "first"))
	if err := both.ProveKeys(ctx, by(3)); err != nil {
		t.Errorf("both keys: %v", err)
	}
	if changed, err := both.RotateKeys(ctx, by(4)); err != nil || changed != n+1 {
		t.Errorf("%d were sealed anew, %v", changed, err)
	}
	if changed, err := both.RotateKeys(ctx, by(5)); err != nil || changed != 0 {
		t.Errorf("%d were sealed anew again, %v", changed, err)
	}
	only := store.New(db.Open(t), keyring(t, "second"))
	if err := only.ProveKeys(ctx, by(6)); err != nil {
		t.Errorf("the new key alone: %v", err)
	}
	wantKind(t, "the old key alone", s.ProveKeys(ctx, by(6)), baton.Refused)
	view(t, only, func(tx *store.Tx) error {
		names, err := tx.SecretNames("connector")
		if len(names) != n {
			t.Errorf("%d names", len(names))
		}
		for _, name := range names {
			if v, err := tx.Secret("connector", name); err != nil || v.Reveal() != "value "+name {
				t.Errorf("%s: %v", name, err)
			}
		}
		return err
	})
	checkChain(t, only)
}

// testSealReload checks that a process finds a key that another process added.
func testSealReload(t *testing.T, db Database) {
	current, keys := "first", map[string][]byte{"first": bytes.Repeat([]byte{1}, store.KeySize)}
	var broken error
	k, err := store.LoadKeyring(func() (string, map[string][]byte, error) { return current, keys, broken })
	if err != nil {
		t.Fatal(err)
	}
	running := store.New(db.Open(t), k)
	if err := running.ProveKeys(ctx, by(0)); err != nil {
		t.Fatal(err)
	}
	current, keys = "second", map[string][]byte{"first": keys["first"], "second": bytes.Repeat([]byte{2}, store.KeySize)}
	fresh, err := store.NewKeyring(current, keys)
	if err != nil {
		t.Fatal(err)
	}
	other := store.New(db.Open(t), fresh)
	set := func(s *store.Store, name string) {
		t.Helper()
		update(t, s, by(1), func(tx *store.Tx) error { return tx.SetSecret("connector", name, baton.NewSecret("value")) })
	}
	get := func(s *store.Store, name string) error {
		return s.View(ctx, func(tx *store.Tx) error {
			_, err := tx.Secret("connector", name)
			return err
		})
	}
	set(running, "before")
	set(other, "after")
	broken = errors.New("the key file is away")
	wantKind(t, "while the keys cannot be loaded", get(running, "after"), baton.Refused)
	if err := get(running, "before"); err != nil {
		t.Errorf("a key that is known: %v", err)
	}
	broken = nil
	if err := get(running, "after"); err != nil {
		t.Errorf("a key that another process added: %v", err)
	}
	if changed, err := running.RotateKeys(ctx, by(2)); err != nil || changed != 2 {
		t.Errorf("%d were sealed anew, %v", changed, err)
	}
}
