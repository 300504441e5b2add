package govern_test

import (
	"net/http"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/login"
	"baton/console/oidc/oidctest"
	"baton/console/store"
	"baton/internal/longtest"
)

func (b breakGlass) authenticator() authenticator {
	return authenticator{b.Name, b.Password, b.CodeSecret}
}

type breakGlass struct{ govern.BreakGlass }

// TestBreakGlass checks the emergency login: it works without a provider, and its use is visible to
// everybody.
func TestBreakGlass(t *testing.T) {
	f := newFixture(t)
	_, err := f.OperatorBreakGlass(ctx)
	wantText(t, "before the setup", err, baton.Refused, "not set up yet")
	a := f.setUp()
	root, _ := f.signIn(a)
	ben := f.invite(root, "Ben")
	_, token := f.signIn(ben)
	authenticate := func() govern.Caller {
		t.Helper()
		c, err := f.Authenticate(ctx, token, "", "")
		f.check(err)
		return c
	}
	user := authenticate()
	_, err = f.NewBreakGlass(ctx, user)
	wantText(t, "somebody who may not", err, baton.PermissionDenied, "you may not change how people sign in")
	root.Session.Proved = f.now
	first, err := f.NewBreakGlass(ctx, root)
	f.check(err)
	second, err := f.OperatorBreakGlass(ctx)
	f.check(err)
	if first.Name == second.Name || first.Password.Reveal() == second.Password.Reveal() {
		t.Error("a new one has the name or the password of the earlier one")
	}
	f.later(time.Minute)
	_, err = f.SignIn(ctx, first.Name, first.Password, f.code(breakGlass{first}.authenticator()), "x")
	wantKind(t, "the earlier one", err, baton.Unauthenticated)
	if u := authenticate().BreakGlass; u.Recent(f.now) {
		t.Errorf("it is told although it was not used: %+v", u)
	}

	// It cannot be used for anything else.
	id := f.breakGlass()
	wantKind(t, "its roles", f.SetRoles(ctx, root, id, []console.ConsoleRole{console.Helpdesk}), baton.Refused)
	_, _, err = f.Invite(ctx, root, id)
	wantKind(t, "an invitation", err, baton.Refused)
	for what, change := range map[string]func(tx *store.Tx) error{
		"merge it":      func(tx *store.Tx) error { return tx.MergePersons(id, root.Person.ID) },
		"merge into it": func(tx *store.Tx) error { return tx.MergePersons(user.Person.ID, id) },
		"bind a provider": func(tx *store.Tx) error {
			return tx.BindIdentity(console.Identity{Issuer: "i", Subject: "s", Person: id})
		},
	} {
		wantKind(t, what, f.store.Update(ctx, console.By{At: f.now, Actor: console.Console}, change), baton.Refused)
	}

	caller, _ := f.signIn(breakGlass{second}.authenticator())
	began := f.now
	if err := console.ChangeRoles.Check(caller.Person, console.Object{}); err != nil {
		t.Error(err)
	}
	if u := authenticate().BreakGlass; !u.Since.Equal(began) || !u.Last.Equal(began) {
		t.Errorf("while it is used: %+v", u)
	}
	events := 0
	f.view(func(tx *store.Tx) error {
		all, err := tx.Events(store.EventFilter{Person: id}, 0, 100)
		for _, e := range all {
			if e.Kind == "login.break-glass" && e.Actor == console.ByPerson(id) && e.Address == "192.0.2.1" && e.Object == string(id) {
				events++
			}
		}
		return err
	})
	if events != 1 {
		t.Errorf("%d events of its use, want 1", events)
	}
	_, err = f.AddClient(ctx, caller, govern.NewClient{Name: "back door", Scopes: []console.Scope{console.ScopeRead}})
	wantText(t, "a credential that outlasts it", err, baton.Refused, "makes no credentials")
	f.check(f.SignOut(ctx, caller))
	f.later(time.Minute)
	u := authenticate().BreakGlass
	if !u.Since.IsZero() || !u.Last.Equal(began) || !u.Recent(began.Add(7*24*time.Hour-1)) || u.Recent(began.Add(7*24*time.Hour)) {
		t.Errorf("after it was used: %+v", u)
	}

	// When it is disabled, it does not work and its sessions end; a new one works.
	_, bg := f.signIn(breakGlass{second}.authenticator())
	root.Session.Proved = f.now
	f.check(f.EndBreakGlass(ctx, root))
	_, err = f.Authenticate(ctx, bg, "", "")
	wantKind(t, "its session", err, baton.Unauthenticated)
	f.later(time.Minute)
	_, err = f.SignIn(ctx, second.Name, second.Password, f.code(breakGlass{second}.authenticator()), "x")
	wantKind(t, "a login that is switched off", err, baton.Unauthenticated)
	if has, err := f.HasBreakGlass(ctx, root); err != nil || has {
		t.Errorf("it is there still: %v", err)
	}
	third, err := f.OperatorBreakGlass(ctx)
	f.check(err)
	f.signIn(breakGlass{third}.authenticator())
	if f.breakGlass() != id {
		t.Error("there are two persons for it")
	}
}

// breakGlass returns the person of the emergency login.
func (f *fixture) breakGlass() (id console.ID) {
	f.t.Helper()
	f.view(func(tx *store.Tx) error {
		l, err := tx.BreakGlass()
		id = l.Person
		return err
	})
	return id
}

// TestBreakGlassWithoutProvider checks that it works while the provider is down.
func TestBreakGlassWithoutProvider(t *testing.T) {
	f, o, root := withProvider(t)
	b, err := f.NewBreakGlass(ctx, root)
	f.check(err)
	o.Instead("", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusServiceUnavailable) })
	_, err = f.enter(o, oidctest.Verified("s1", "root@example.com"))
	wantKind(t, "the provider", err, baton.Unavailable)
	f.signIn(breakGlass{b}.authenticator())
}

// TestEnumeration checks that a failed login does not reveal which names exist, neither by its
// response nor by its cost.
func TestEnumeration(t *testing.T) {
	f := newFixture(t)
	a := f.setUp()
	root, _ := f.signIn(a)
	known, disabled := f.invite(root, "Known"), f.invite(root, "Disabled")
	var id console.ID
	f.view(func(tx *store.Tx) error {
		l, err := tx.LoginByName("disabled")
		id = l.Person
		return err
	})
	f.setStatus(id, console.PersonDisabled)
	f.update(func(tx *store.Tx) error {
		person, err := tx.AddPerson(console.Person{Name: "Invited", Emails: []string{"invited@example.com"}})
		if err != nil {
			return err
		}
		return tx.SetLogin(console.Login{Person: person, Name: "unfinished"}, baton.Secret{})
	})
	b, err := f.OperatorBreakGlass(ctx)
	f.check(err)
	f.later(time.Minute)
	wrong := baton.NewSecret("another long password")
	long := baton.NewSecret(string(make([]byte, 2000)))
	for name, try := range map[string]struct {
		name     string
		password baton.Secret
		code     string
		hashes   int64
	}{
		"known":                      {known.name, wrong, f.code(known), 1},
		"known, wrong code":          {known.name, known.password, "000000", 1},
		"known, no code":             {known.name, known.password, "", 1},
		"unknown":                    {"nobody", wrong, "123456", 1},
		"no name":                    {"", wrong, "123456", 1},
		"disabled, all right":        {disabled.name, disabled.password, f.code(disabled), 1},
		"disabled, wrong":            {disabled.name, wrong, "123456", 1},
		"without a password":         {"unfinished", baton.Secret{}, "123456", 1},
		"an address without a login": {"invited@example.com", wrong, "123456", 1},
		"break-glass":                {b.Name, wrong, "123456", 1},
		"known, very long":           {known.name, long, "123456", 0},
		"unknown, very long":         {"nobody", long, "123456", 0},
	} {
		before := login.Hashes()
		_, err := f.SignIn(ctx, try.name, try.password, try.code, "address of "+name)
		if baton.KindOf(err) != baton.Unauthenticated || err.Error() != "login name, password or one-time code is wrong" {
			t.Errorf("%s: %v (%v)", name, err, baton.KindOf(err))
		}
		if n := login.Hashes() - before; n != try.hashes {
			t.Errorf("%s: %d hashes, want %d", name, n, try.hashes)
		}
	}
	// Neither does the throttle.
	for _, name := range []string{known.name, "nobody"} {
		f.later(time.Hour)
		n := 0
		var last error
		before := login.Hashes()
		for range 10 {
			if _, last = f.SignIn(ctx, name, wrong, "123456", "a"); baton.KindOf(last) == baton.Unauthenticated {
				n++
			}
		}
		if n > 5 || baton.KindOf(last) != baton.RateLimited {
			t.Errorf("%s: %d attempts were looked at, and then: %v", name, n, last)
		}
		if hashes := login.Hashes() - before; hashes != int64(n) {
			t.Errorf("%s: %d hashes for %d attempts", name, hashes, n)
		}
	}
}

// TestStuffing tries stolen passwords: many accounts from one address, and one account from many
// addresses. Attempts above the limit compute no hash, and other people can sign in.
func TestStuffing(t *testing.T) {
	f := newFixture(t)
	a := f.setUp()
	wrong := baton.NewSecret("another long password")
	attack := func(n int, name, address func(i int) string) (looked int) {
		before := login.Hashes()
		for i := range n {
			_, err := f.SignIn(ctx, name(i), wrong, "123456", address(i))
			switch baton.KindOf(err) {
			case baton.Unauthenticated:
				looked++
			case baton.RateLimited:
			default:
				t.Fatalf("attempt %d: %v", i, err)
			}
		}
		if hashes := login.Hashes() - before; hashes != int64(looked) {
			t.Errorf("%d hashes for %d attempts that were looked at", hashes, looked)
		}
		return looked
	}
	numbered := func(text string) func(int) string {
		return func(i int) string { return text + string(rune('a'+i%26)) + string(rune('a'+i/26)) }
	}
	same := func(text string) func(int) string { return func(int) string { return text } }

	if n := attack(200, numbered("person"), same("198.51.100.1")); n != 50 {
		t.Errorf("many accounts, one address: %d attempts were looked at, want 50", n)
	}
	// The accounts can be used from other addresses, but the address is blocked even with the right
	// password.
	_, err := f.SignIn(ctx, a.name, a.password, f.code(a), "198.51.100.1")
	wantKind(t, "the right password from the address of the attack", err, baton.RateLimited)
	f.signIn(a)

	if n := attack(200, same(a.name), numbered("198.51.100.")); n != 5 {
		t.Errorf("one account, many addresses: %d attempts were looked at, want 5", n)
	}
	_, err = f.SignIn(ctx, a.name, a.password, f.code(a), "192.0.2.1")
	wantKind(t, "the account under attack", err, baton.RateLimited)
	ben := newAuthenticator("ben")
	_, err = f.SignIn(ctx, ben.name, ben.password, "123456", "192.0.2.1")
	wantKind(t, "another account", err, baton.Unauthenticated)
	f.later(2 * time.Minute)
	if _, err = f.SignIn(ctx, a.name, a.password, f.code(a), "192.0.2.1"); err != nil {
		t.Errorf("after the wait: %v", err)
	}

	// During hours of attacks, an account is tried at most as often as its 15-minute delay allows.
	tried, hours := 0, longtest.Pick(3, 24)
	for range hours * 60 {
		f.later(time.Minute)
		if _, err := f.SignIn(ctx, "victim", wrong, "123456", numbered("203.0.113.")(tried)); baton.KindOf(err) == baton.Unauthenticated {
			tried++
		}
	}
	if tried > 5+10+hours*4 {
		t.Errorf("an account was tried %d times in %d hours", tried, hours)
	}
}
