package storetest

import (
	"crypto/sha256"
	"sync"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

// addPersons adds persons with these names.
func addPersons(t testing.TB, s *store.Store, names ...string) (ids []console.ID) {
	t.Helper()
	update(t, s, by(0), func(tx *store.Tx) error {
		ids = nil
		for _, n := range names {
			id, err := tx.AddPerson(console.Person{Name: n})
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids
}

// disable sets a person's status to disabled.
func disable(t testing.TB, s *store.Store, minute int, person console.ID) {
	t.Helper()
	update(t, s, by(minute), func(tx *store.Tx) error {
		p, err := tx.Person(person)
		if err != nil {
			return err
		}
		p.Status = console.PersonDisabled
		return tx.ChangePerson(p)
	})
}

func testLogin(t *testing.T, db Database) {
	s := open(t, db)
	p := addPersons(t, s, "Ana", "Ben")
	has := func(want bool) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.HasLogins()
			if got != want {
				t.Errorf("HasLogins: %v, want %v", got, want)
			}
			return err
		})
	}
	has(false)
	update(t, s, by(1), func(tx *store.Tx) error {
		return tx.SetLogin(console.Login{Person: p[0], Name: " Ana@Example.com ", Password: "hash", BreakGlass: true}, baton.NewSecret("first"))
	})
	has(true)
	fails(t, s, by(2), "a taken name", baton.AlreadyExists, func(tx *store.Tx) error {
		return tx.SetLogin(console.Login{Person: p[1], Name: "ANA@example.com"}, baton.Secret{})
	})
	fails(t, s, by(2), "a second login for emergencies", baton.AlreadyExists, func(tx *store.Tx) error {
		return tx.SetLogin(console.Login{Person: p[1], Name: "ben", BreakGlass: true}, baton.Secret{})
	})
	fails(t, s, by(2), "no name", baton.Invalid, func(tx *store.Tx) error {
		return tx.SetLogin(console.Login{Person: p[1], Name: " "}, baton.Secret{})
	})
	fails(t, s, by(2), "nobody", baton.NotFound, func(tx *store.Tx) error {
		return tx.SetLogin(console.Login{Person: "nobody", Name: "x"}, baton.Secret{})
	})
	check := func(want console.Login, code string) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			for _, find := range []func() (console.Login, error){
				func() (console.Login, error) { return tx.Login(p[0]) },
				func() (console.Login, error) { return tx.LoginByName(want.Name) },
			} {
				if got, err := find(); err != nil || got != want {
					t.Errorf("%+v, %v; want %+v", got, err, want)
				}
			}
			if got, err := tx.CodeSecret(p[0]); err != nil || got.Reveal() != code {
				t.Errorf("code secret %q, %v; want %q", got.Reveal(), err, code)
			}
			_, err := tx.Login(p[1])
			wantKind(t, "no login", err, baton.NotFound)
			return nil
		})
	}
	check(console.Login{Person: p[0], Name: "ana@example.com", Password: "hash", BreakGlass: true}, "first")
	update(t, s, by(3), func(tx *store.Tx) error { return tx.UseStep(p[0], 7) })
	fails(t, s, by(3), "a code twice", baton.Refused, func(tx *store.Tx) error { return tx.UseStep(p[0], 7) })
	fails(t, s, by(3), "an earlier code", baton.Refused, func(tx *store.Tx) error { return tx.UseStep(p[0], 6) })
	check(console.Login{Person: p[0], Name: "ana@example.com", Password: "hash", LastStep: 7, BreakGlass: true}, "first")
	update(t, s, by(4), func(tx *store.Tx) error {
		return tx.SetLogin(console.Login{Person: p[0], Name: "ana", Password: "other"}, baton.Secret{})
	})
	check(console.Login{Person: p[0], Name: "ana", Password: "other"}, "first")
}

func testInvitation(t *testing.T, db Database) {
	s := open(t, db)
	p := addPersons(t, s, "Ana", "Ben")
	first, second := sha256.Sum256([]byte("first")), sha256.Sum256([]byte("second"))
	invited := func(minute int, hash [32]byte, want console.ID) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Invited(hash, at(minute))
			if want == "" {
				wantKind(t, "no invitation", err, baton.NotFound)
			} else if err != nil || got.ID != want {
				t.Errorf("invited %s, %v; want %s", got.ID, err, want)
			}
			return nil
		})
	}
	update(t, s, by(1), func(tx *store.Tx) error { return tx.Invite(p[0], first, at(10)) })
	invited(2, first, p[0])
	invited(10, first, "")
	invited(2, second, "")
	update(t, s, by(3), func(tx *store.Tx) error { return tx.Invite(p[0], second, at(20)) })
	invited(3, first, "")
	invited(3, second, p[0])
	update(t, s, by(4), func(tx *store.Tx) error {
		return tx.SetLogin(console.Login{Person: p[0], Name: "ana", Password: "hash"}, baton.Secret{})
	})
	invited(4, second, "")

	update(t, s, by(5), func(tx *store.Tx) error { return tx.Invite(p[1], first, at(20)) })
	disable(t, s, 6, p[1])
	invited(6, first, "")
	fails(t, s, by(7), "somebody who is disabled", baton.Refused, func(tx *store.Tx) error { return tx.Invite(p[1], first, at(20)) })
}

func testSession(t *testing.T, db Database) {
	s := open(t, db)
	p := addPersons(t, s, "Ana", "Ben")
	hash := func(name string) [32]byte { return sha256.Sum256([]byte(name)) }
	begin := func(minute int, name string, person console.ID) {
		t.Helper()
		update(t, s, by(minute), func(tx *store.Tx) error {
			return tx.BeginSession(hash(name), console.Session{Person: person, Began: at(minute), Proved: at(minute), Seen: at(minute), Address: "192.0.2.1"})
		})
	}
	alive := func(minute int, name string, want bool) (found console.Session) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, person, err := tx.Session(hash(name), at(minute))
			if !want {
				wantKind(t, "the session "+name, err, baton.NotFound)
			} else if err != nil || person.ID != got.Person {
				t.Errorf("session %+v of %+v, %v", got, person, err)
			}
			found = got
			return nil
		})
		return found
	}
	begin(0, "a", p[0])
	begin(0, "b", p[0])
	begin(0, "c", p[1])
	if got, want := alive(1, "a", true), (console.Session{Person: p[0], Began: at(0), Proved: at(0), Seen: at(0), Address: "192.0.2.1", Hash: hash("a")}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	alive(1, "other", false)
	alive(8*60, "a", false) // idle
	see := func(minute int) {
		t.Helper()
		update(t, s, by(minute), func(tx *store.Tx) error { return tx.SeeSession(hash("a"), at(minute)) })
	}
	see(7 * 60)
	alive(8*60, "a", true)
	see(14 * 60)
	see(21 * 60)
	alive(24*60-1, "a", true)
	alive(24*60, "a", false) // its longest life
	update(t, s, by(30), func(tx *store.Tx) error { return tx.ProveSession(hash("b"), at(30), at(30)) })
	if got := alive(31, "b", true); !got.Recent(at(39)) || got.Recent(at(40)) {
		t.Errorf("%+v was proved at minute 30", got)
	}
	update(t, s, by(32), func(tx *store.Tx) error { return tx.EndSession(hash("b")) })
	alive(32, "b", false)
	update(t, s, by(32), func(tx *store.Tx) error { return tx.EndSession(hash("b")) }) // again

	disable(t, s, 33, p[1])
	alive(33, "c", false)
	fails(t, s, by(34), "a session of somebody who is disabled", baton.Refused, func(tx *store.Tx) error {
		return tx.BeginSession(hash("d"), console.Session{Person: p[1], Began: at(34), Proved: at(34), Seen: at(34)})
	})
	begin(35, "e", p[0])
	update(t, s, by(36), func(tx *store.Tx) error { return tx.EndSessions(p[0]) })
	alive(36, "a", false)
	alive(36, "e", false)

	begin(40, "f", p[0])
	update(t, s, by(41), func(tx *store.Tx) error {
		return tx.SetLogin(console.Login{Person: p[0], Name: "ana", Password: "new"}, baton.Secret{})
	})
	alive(41, "f", false) // a new password ends sessions

	begin(50, "old", p[0])
	begin(60*9, "young", p[0])
	update(t, s, by(60*9), func(tx *store.Tx) error {
		n, err := tx.ForgetSessions(at(60*9), 10)
		if n != 1 {
			t.Errorf("%d rows were removed, want 1", n)
		}
		return err
	})
	alive(51, "old", false)
	alive(60*9, "young", true)
}

func testAttempts(t *testing.T, db Database) {
	s := open(t, db)
	attempt := func(minute int, name, address string) error {
		return s.Update(ctx, by(minute), func(tx *store.Tx) error { return tx.Attempt(name, address) })
	}
	for range 5 {
		if err := attempt(0, "ana", "a"); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, "the sixth at once", attempt(0, " ANA ", "b"), baton.RateLimited)
	if err := attempt(0, "ben", "a"); err != nil {
		t.Errorf("another name: %v", err)
	}
	for range 12 { // each failure doubles the delay
		if err := attempt(0, "ana", "c"); err == nil {
			t.Fatal("a login is allowed before the wait is over")
		}
	}
	if err := attempt(1, "ana", "a"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	update(t, s, by(1), func(tx *store.Tx) error { return tx.ClearAttempts("Ana", "a") })
	if err := attempt(1, "ana", "a"); err != nil {
		t.Errorf("after a success: %v", err)
	}
	for i := range 60 {
		if err := attempt(2, string(rune('A'+i)), "many"); (err != nil) != (i >= 50) {
			t.Errorf("login %d from an address: %v", i, err)
		}
	}

	// Every concurrent login is counted.
	var wg sync.WaitGroup
	allowed := make(chan struct{}, 20)
	for range 20 {
		wg.Go(func() {
			if attempt(3, "race", "race") == nil {
				allowed <- struct{}{}
			}
		})
	}
	wg.Wait()
	if n := len(allowed); n != 5 {
		t.Errorf("%d of 20 logins at the same time are allowed, want 5", n)
	}
}
