package storetest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

func okta() console.Provider {
	return console.Provider{Name: "okta", Label: "Okta \x00", Issuer: "https://okta.example.com", ClientID: "client", Scopes: []string{"email", "groups"}, GroupsClaim: "groups",
		Groups: []console.GroupRole{{Group: "Admins", Role: console.SuperAdministrator}, {Group: "Audit", Role: console.Auditor}}, Enabled: true, Version: 1}
}

func testProvider(t *testing.T, db Database) {
	s := open(t, db)
	p := okta()
	update(t, s, by(0), func(tx *store.Tx) error {
		if err := tx.AddProvider(p); err != nil {
			return err
		}
		return tx.SetProviderSecret("okta", baton.NewSecret("s3cret"))
	})
	check := func(want console.Provider) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Provider(want.Name)
			if err != nil || fmt.Sprintf("%q", fmt.Sprint(got)) != fmt.Sprintf("%q", fmt.Sprint(want)) {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
			all, err := tx.Providers()
			if err != nil || len(all) != 1 || fmt.Sprint(all[0]) != fmt.Sprint(want) {
				t.Errorf("%+v, %v", all, err)
			}
			secret, err := tx.ProviderSecret("okta")
			if err != nil || secret.Reveal() != "s3cret" {
				t.Errorf("secret: %v", err)
			}
			return nil
		})
	}
	check(p)
	fails(t, s, by(1), "a taken name", baton.AlreadyExists, func(tx *store.Tx) error {
		other := okta()
		other.Issuer = "https://other.example.com"
		return tx.AddProvider(other)
	})
	fails(t, s, by(1), "a taken issuer", baton.AlreadyExists, func(tx *store.Tx) error {
		other := okta()
		other.Name = "other"
		return tx.AddProvider(other)
	})
	fails(t, s, by(1), "a bad name", baton.Invalid, func(tx *store.Tx) error {
		other := okta()
		other.Name = "A/b"
		return tx.AddProvider(other)
	})
	p.Label, p.Groups, p.AddPeople, p.Scopes = "O", p.Groups[:1], true, nil
	update(t, s, by(2), func(tx *store.Tx) error { return tx.ChangeProvider(p) })
	fails(t, s, by(3), "an old version", baton.Refused, func(tx *store.Tx) error { return tx.ChangeProvider(p) })
	p.Version = 2
	check(p)
	update(t, s, by(4), func(tx *store.Tx) error { return tx.RemoveProvider("okta") })
	fails(t, s, by(5), "a provider that is gone", baton.NotFound, func(tx *store.Tx) error { return tx.RemoveProvider("okta") })
	view(t, s, func(tx *store.Tx) error {
		if secret, err := tx.ProviderSecret("okta"); err != nil || !secret.IsZero() {
			t.Errorf("the secret is there still: %v", err)
		}
		return nil
	})
	if got, want := kinds(t, s), []string{"provider.added", "secret.set", "provider.changed", "secret.removed", "provider.removed"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	checkChain(t, s)
}

func testIdentity(t *testing.T, db Database) {
	s := open(t, db)
	p := addPersons(t, s, "Ana", "Ben", "Eve")
	bind := func(person console.ID, issuer, subject string) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			return tx.BindIdentity(console.Identity{Issuer: issuer, Subject: subject, Person: person, Email: "a@b"})
		}
	}
	update(t, s, by(1), bind(p[0], "https://a", "1"))
	fails(t, s, by(2), "an identity that is somebody's", baton.AlreadyExists, bind(p[1], "https://a", "1"))
	fails(t, s, by(2), "a second identity of the issuer", baton.Refused, bind(p[0], "https://a", "2"))
	update(t, s, by(2), bind(p[0], "https://b", "1"))
	update(t, s, by(2), bind(p[1], "https://a", "2 \x00"))
	disable(t, s, 3, p[2])
	fails(t, s, by(4), "somebody who is disabled", baton.Refused, bind(p[2], "https://a", "3"))
	update(t, s, by(5), func(tx *store.Tx) error { return tx.SeeIdentity("https://a", "1", "new@b") })
	view(t, s, func(tx *store.Tx) error {
		i, err := tx.Identity("https://a", "1")
		if want := (console.Identity{Issuer: "https://a", Subject: "1", Person: p[0], Email: "new@b", Bound: at(1), Seen: at(5)}); err != nil || i != want {
			t.Errorf("%+v, %v; want %+v", i, err, want)
		}
		_, err = tx.Identity("https://a", "9")
		wantKind(t, "nobody", err, baton.NotFound)
		all, err := tx.Identities(p[0])
		if err != nil || len(all) != 2 || all[1].Issuer != "https://b" {
			t.Errorf("%+v, %v", all, err)
		}
		return nil
	})
	update(t, s, by(6), func(tx *store.Tx) error {
		return tx.BeginSession(sha256.Sum256([]byte("a")), console.Session{Person: p[1], Began: at(6), Seen: at(6), Provider: "okta"})
	})
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Sessions(p[1], at(7))
		if err != nil || len(all) != 1 || all[0].Provider != "okta" || !all[0].Proved.IsZero() || all[0].Recent(at(7)) || all[0].Hash != sha256.Sum256([]byte("a")) {
			t.Errorf("%+v, %v", all, err)
		}
		all, err = tx.Sessions(p[1], at(6+8*60))
		if err != nil || len(all) != 0 {
			t.Errorf("a session that is idle is listed: %+v, %v", all, err)
		}
		return nil
	})
	fails(t, s, by(7), "an identity of somebody else", baton.NotFound, func(tx *store.Tx) error { return tx.RemoveIdentity(p[0], "https://a", "2 \x00") })
	update(t, s, by(7), func(tx *store.Tx) error { return tx.RemoveIdentity(p[1], "https://a", "2 \x00") })
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Sessions(p[1], at(7))
		if err != nil || len(all) != 0 {
			t.Errorf("the session is there still: %+v, %v", all, err)
		}
		return nil
	})
	update(t, s, by(8), func(tx *store.Tx) error { return tx.MergePersons(p[0], p[1]) })
	view(t, s, func(tx *store.Tx) error {
		i, err := tx.Identity("https://a", "1")
		if err != nil || i.Person != p[1] {
			t.Errorf("after the merge it is %s, %v", i.Person, err)
		}
		return nil
	})
	checkChain(t, s)
}

func testMappedRoles(t *testing.T, db Database) {
	s := open(t, db)
	var ana, root console.ID
	entra := okta()
	entra.Name, entra.Issuer = "entra", "https://entra.example.com"
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if root, err = tx.AddPerson(console.Person{Name: "Root", Roles: []console.ConsoleRole{console.SuperAdministrator}}); err != nil {
			return err
		}
		if ana, err = tx.AddPerson(console.Person{Name: "Ana", Roles: []console.ConsoleRole{console.Helpdesk}}); err != nil {
			return err
		}
		if err := tx.AddProvider(okta()); err != nil {
			return err
		}
		return tx.AddProvider(entra)
	})
	check := func(what, want string) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			p, err := tx.Person(ana)
			if err != nil {
				return err
			}
			mapped, err := tx.MappedRoles(ana)
			if got := fmt.Sprint(p.Roles, mapped); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
			return err
		})
	}
	set := func(provider string, keeps int, roles ...console.ConsoleRole) {
		t.Helper()
		update(t, s, by(1), func(tx *store.Tx) error {
			kept, err := tx.MapRoles(ana, provider, roles)
			if len(kept) != keeps {
				t.Errorf("kept %v", kept)
			}
			return err
		})
	}
	set("okta", 0, console.Auditor, console.Helpdesk)
	check("one is by hand", "[auditor helpdesk] map[auditor:[okta]]")
	set("entra", 0, console.Auditor)
	check("two providers", "[auditor helpdesk] map[auditor:[entra okta]]")
	set("okta", 0)
	check("one of them takes it back", "[auditor helpdesk] map[auditor:[entra]]")
	set("entra", 0, console.SuperAdministrator)
	check("another role", "[helpdesk super-administrator] map[super-administrator:[entra]]")

	// Ana is now the last super administrator: a login keeps the role, and removing the provider or
	// its group is refused.
	update(t, s, by(2), func(tx *store.Tx) error { return tx.SetRoles(root, nil) })
	set("entra", 1)
	check("the last super administrator", "[helpdesk super-administrator] map[super-administrator:[entra]]")
	fails(t, s, by(3), "the provider is removed", baton.Refused, func(tx *store.Tx) error { return tx.RemoveProvider("entra") })
	less := entra
	less.Groups = less.Groups[1:]
	fails(t, s, by(3), "the group is removed", baton.Refused, func(tx *store.Tx) error { return tx.ChangeProvider(less) })
	fails(t, s, by(3), "the role is removed by hand", baton.Refused, func(tx *store.Tx) error { return tx.SetRoles(ana, []console.ConsoleRole{console.Helpdesk}) })

	update(t, s, by(4), func(tx *store.Tx) error { return tx.SetRoles(root, []console.ConsoleRole{console.SuperAdministrator}) })
	update(t, s, by(5), func(tx *store.Tx) error { return tx.SetRoles(ana, []console.ConsoleRole{console.Auditor}) })
	check("a change by hand forgets what was mapped", "[auditor] map[]")
	set("entra", 0, console.Auditor, console.SuperAdministrator)
	check("a role that is by hand by now", "[auditor super-administrator] map[super-administrator:[entra]]")
	update(t, s, by(6), func(tx *store.Tx) error { return tx.RemoveProvider("entra") })
	check("without the provider", "[auditor] map[]")

	// Two super administrators by group sign in at once, and neither is in the group any more: one
	// of them keeps the role.
	update(t, s, by(7), func(tx *store.Tx) error {
		for _, p := range []console.ID{ana, root} {
			if err := tx.SetRoles(p, []console.ConsoleRole{console.SuperAdministrator}); err != nil {
				return err
			}
		}
		ben, err := tx.AddPerson(console.Person{Name: "Ben", Roles: []console.ConsoleRole{console.SuperAdministrator}})
		if err != nil {
			return err
		}
		for _, p := range []console.ID{ana, root} { // the role comes from the group
			if err := tx.SetRoles(p, nil); err != nil {
				return err
			}
			if _, err := tx.MapRoles(p, "okta", []console.ConsoleRole{console.SuperAdministrator}); err != nil {
				return err
			}
		}
		return tx.SetRoles(ben, nil)
	})
	var kept atomic.Int64
	var wg sync.WaitGroup
	for _, p := range []console.ID{ana, root} {
		wg.Go(func() {
			var n int
			err := s.Update(ctx, by(8), func(tx *store.Tx) error {
				roles, err := tx.MapRoles(p, "okta", nil)
				n = len(roles)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			kept.Add(int64(n))
		})
	}
	wg.Wait()
	if kept.Load() != 1 {
		t.Errorf("%d of the two keep the role, want 1", kept.Load())
	}
	checkChain(t, s)
}

func testSignIn(t *testing.T, db Database) {
	s := open(t, db)
	hash := func(text string) [32]byte { return sha256.Sum256([]byte(text)) }
	begin := func(state, browser, address string) console.SignIn {
		t.Helper()
		v := console.SignIn{Provider: "okta", Browser: hash(browser), Nonce: "n", Verifier: "v", Next: "/\x00", Began: at(1), Address: address}
		if state == "proof" {
			session := hash("session")
			v.Session = session[:]
		}
		update(t, s, by(1), func(tx *store.Tx) error { return tx.BeginSignIn(hash(state), v) })
		return v
	}
	take := func(minute int, state, browser string) (v console.SignIn, err error) {
		err = s.Update(ctx, by(minute), func(tx *store.Tx) (err error) {
			v, err = tx.TakeSignIn(hash(state), hash(browser), at(minute))
			return err
		})
		return v, err
	}
	update(t, s, by(0), func(tx *store.Tx) error { return tx.AddProvider(okta()) })
	for _, state := range []string{"login", "proof"} {
		want := begin(state, "b", "a")
		_, err := take(2, state, "other")
		wantKind(t, "another browser", err, baton.NotFound)
		if got, err := take(2, state, "b"); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
		_, err = take(2, state, "b")
		wantKind(t, "a second time", err, baton.NotFound)
	}
	begin("late", "b", "a")
	_, err := take(11, "late", "b")
	wantKind(t, "too late", err, baton.NotFound)
	update(t, s, by(11), func(tx *store.Tx) error {
		n, err := tx.ForgetSessions(at(11), 10)
		if n != 1 {
			t.Errorf("%d rows were removed, want 1", n)
		}
		return err
	})

	// Of many concurrent browsers with one state, one succeeds.
	begin("race", "b", "a")
	var wg sync.WaitGroup
	var won atomic.Int64
	for range 8 {
		wg.Go(func() {
			if _, err := take(2, "race", "b"); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 8 got in with one state, want 1", won.Load())
	}
	for i := range 1000 {
		begin(fmt.Sprint("many", i), "b", "many")
	}
	fails(t, s, by(2), "too many from one address", baton.RateLimited, func(tx *store.Tx) error {
		return tx.BeginSignIn(hash("more"), console.SignIn{Provider: "okta", Began: at(2), Address: "many"})
	})
	begin("elsewhere", "b", "other")
	update(t, s, by(3), func(tx *store.Tx) error { return tx.RemoveProvider("okta") })
	_, err = take(3, "elsewhere", "b")
	wantKind(t, "a provider that is gone", err, baton.NotFound)
}
