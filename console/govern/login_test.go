package govern_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/login"
	"baton/console/login/logintest"
	"baton/console/store"
	"baton/console/store/sqlite"
)

var ctx = context.Background()

// fixture is a console with a clock of its own.
type fixture struct {
	*govern.Console
	t     *testing.T
	store *store.Store
	now   time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	keys, err := store.NewKeyring("test", map[string][]byte{"test": store.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	f.store, err = sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: f.now, NoFlush: true}, keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.store.Close(); err != nil {
			t.Error(err)
		}
	})
	f.Console = govern.New(govern.Config{Store: f.store, Hosts: []string{"console.example.com"}, Now: func() time.Time { return f.now }})
	return f
}

// authenticator holds the credentials of a person.
type authenticator struct {
	name     string
	password baton.Secret
	secret   baton.Secret
}

func newAuthenticator(name string) authenticator {
	return authenticator{name, baton.NewSecret("a long password of " + name), login.NewCodeSecret()}
}

func (f *fixture) code(a authenticator) string {
	f.t.Helper()
	c, err := login.Code(a.secret, f.now)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *fixture) enrollment(a authenticator) govern.Enrollment {
	return govern.Enrollment{Name: a.name, Password: a.password, CodeSecret: a.secret, Code: f.code(a)}
}

// later moves the clock.
func (f *fixture) later(d time.Duration) { f.now = f.now.Add(d) }

// setUp adds a super administrator, whose password hash costs little. TestSetUp takes the real way.
func (f *fixture) setUp() authenticator {
	f.t.Helper()
	a := newAuthenticator("root@example.com")
	f.update(func(tx *store.Tx) error {
		id, err := tx.AddPerson(console.Person{Name: "Root", Emails: []string{a.name}, Roles: []console.ConsoleRole{console.SuperAdministrator}})
		if err != nil {
			return err
		}
		return tx.SetLogin(console.Login{Person: id, Name: a.name, Password: logintest.Hash(a.password)}, a.secret)
	})
	f.later(time.Minute)
	return a
}

// signIn begins a session, a minute later, because each code works once.
func (f *fixture) signIn(a authenticator) (govern.Caller, baton.Secret) {
	f.t.Helper()
	f.later(time.Minute)
	token, err := f.SignIn(ctx, a.name, a.password, f.code(a), "192.0.2.1")
	if err != nil {
		f.t.Fatal(err)
	}
	caller, err := f.Authenticate(ctx, token, "request", "192.0.2.1")
	if err != nil {
		f.t.Fatal(err)
	}
	return caller, token
}

func wantKind(t *testing.T, what string, err error, want baton.Kind) {
	t.Helper()
	if err == nil || baton.KindOf(err) != want {
		t.Errorf("%s: %v (%v), want an error of kind %v", what, err, baton.KindOf(err), want)
	}
}

func TestSetUp(t *testing.T) {
	f := newFixture(t)
	if needs, err := f.NeedsSetup(ctx); !needs || err != nil {
		t.Errorf("a new console needs no setup: %v", err)
	}
	first, err := f.NewSetupToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	token, err := f.NewSetupToken(ctx) // from the next start
	if err != nil || token.IsZero() {
		t.Fatal(err)
	}
	a := newAuthenticator("ana")
	wantKind(t, "an earlier token", f.SetUp(ctx, first, "Ana", "", f.enrollment(a), ""), baton.Refused)
	wantKind(t, "no token", f.SetUp(ctx, baton.Secret{}, "Ana", "", f.enrollment(a), ""), baton.Refused)
	bad := f.enrollment(a)
	bad.Code = "000000"
	wantKind(t, "a wrong code", f.SetUp(ctx, token, "Ana", "", bad, ""), baton.Invalid)
	bad = f.enrollment(a)
	bad.Password = baton.NewSecret("short")
	wantKind(t, "a short password", f.SetUp(ctx, token, "Ana", "", bad, ""), baton.Invalid)
	if err := f.SetUp(ctx, token, "Ana", "ana@example.com", f.enrollment(a), ""); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "the token again", f.SetUp(ctx, token, "Eve", "", f.enrollment(newAuthenticator("eve")), ""), baton.Refused)
	if needs, err := f.NeedsSetup(ctx); needs || err != nil {
		t.Errorf("setup is still needed: %v", err)
	}
	if again, err := f.NewSetupToken(ctx); !again.IsZero() || err != nil {
		t.Errorf("a token is made although somebody can sign in: %v", err)
	}
	caller, _ := f.signIn(a)
	if len(caller.Person.Roles) != 1 || caller.Person.Roles[0] != console.SuperAdministrator || caller.Person.Name != "Ana" {
		t.Errorf("%+v", caller.Person)
	}
}

func TestSignIn(t *testing.T) {
	f := newFixture(t)
	a := f.setUp()
	code := f.code(a)
	for what, err := range map[string]error{
		"a wrong name":     second(f.SignIn(ctx, "nobody", a.password, code, "a")),
		"a wrong password": second(f.SignIn(ctx, a.name, baton.NewSecret("another long password"), code, "b")),
		"no password":      second(f.SignIn(ctx, a.name, baton.Secret{}, code, "b")),
		"a wrong code":     second(f.SignIn(ctx, a.name, a.password, "123456", "c")),
		"no code":          second(f.SignIn(ctx, a.name, a.password, "", "c")),
	} {
		wantKind(t, what, err, baton.Unauthenticated)
		if !strings.Contains(err.Error(), "login name, password or one-time code") {
			t.Errorf("%s: %q tells what is wrong", what, err)
		}
	}
	token, err := f.SignIn(ctx, " ROOT@example.com", a.password, code, "a")
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a code twice", second(f.SignIn(ctx, a.name, a.password, code, "a")), baton.Unauthenticated)
	if _, err := f.Authenticate(ctx, token, "", "a"); err != nil {
		t.Error(err)
	}
	wantKind(t, "another token", second(f.Authenticate(ctx, baton.NewSecret("x"), "", "a")), baton.Unauthenticated)
	wantKind(t, "no token", second(f.Authenticate(ctx, baton.Secret{}, "", "a")), baton.Unauthenticated)

	f.later(5 * time.Minute)
	for range 4 { // one failure came after the success above
		wantKind(t, "a wrong password", second(f.SignIn(ctx, a.name, baton.NewSecret("another long password"), f.code(a), "d")), baton.Unauthenticated)
	}
	wantKind(t, "too many failures", second(f.SignIn(ctx, a.name, a.password, f.code(a), "d")), baton.RateLimited)
	f.later(time.Minute)
	if _, err := f.SignIn(ctx, a.name, a.password, f.code(a), "d"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func second[A any](_ A, err error) error { return err }

func TestSessionEnds(t *testing.T) {
	f := newFixture(t)
	a := f.setUp()
	_, idle := f.signIn(a)
	f.later(console.SessionIdle)
	wantKind(t, "an idle session", second(f.Authenticate(ctx, idle, "", "")), baton.Unauthenticated)
	caller, token := f.signIn(a)
	if err := f.SignOut(ctx, caller); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a session that was signed out", second(f.Authenticate(ctx, token, "", "")), baton.Unauthenticated)
}

// TestDisabledPerson checks that a disabled person can do nothing from that moment on, even in an
// older session or a running command.
func TestDisabledPerson(t *testing.T) {
	f := newFixture(t)
	root := f.setUp()
	caller, _ := f.signIn(root)
	ben := f.invite(caller, "Ben", console.SuperAdministrator)
	benCaller, token := f.signIn(ben)
	f.setStatus(benCaller.Person.ID, console.PersonDisabled)
	wantKind(t, "the session", second(f.Authenticate(ctx, token, "", "")), baton.Unauthenticated)
	_, _, err := f.Invite(ctx, benCaller, caller.Person.ID)
	wantKind(t, "a command that was authenticated before", err, baton.Unauthenticated)
	f.later(time.Minute)
	wantKind(t, "a login", second(f.SignIn(ctx, ben.name, ben.password, f.code(ben), "")), baton.Unauthenticated)
}

// invite adds a person with roles, who sets up a login.
func (f *fixture) invite(by govern.Caller, name string, roles ...console.ConsoleRole) authenticator {
	f.t.Helper()
	var id console.ID
	err := f.store.Update(ctx, console.By{At: f.now, Actor: console.Console}, func(tx *store.Tx) (err error) {
		id, err = tx.AddPerson(console.Person{Name: name, Roles: roles})
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	token, _, err := f.Invite(ctx, by, id)
	if err != nil {
		f.t.Fatal(err)
	}
	a := newAuthenticator(strings.ToLower(name))
	if err := f.Accept(ctx, token, f.enrollment(a), ""); err != nil {
		f.t.Fatal(err)
	}
	return a
}

func (f *fixture) setStatus(id console.ID, status console.PersonStatus) {
	f.t.Helper()
	err := f.store.Update(ctx, console.By{At: f.now, Actor: console.Console}, func(tx *store.Tx) error {
		p, err := tx.Person(id)
		if err != nil {
			return err
		}
		p.Status = status
		return tx.ChangePerson(p)
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestInvite(t *testing.T) {
	f := newFixture(t)
	caller, _ := f.signIn(f.setUp())
	var ben console.ID
	err := f.store.Update(ctx, console.By{At: f.now, Actor: console.Console}, func(tx *store.Tx) (err error) {
		ben, err = tx.AddPerson(console.Person{Name: "Ben", Emails: []string{"ben@example.com"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	token, expires, err := f.Invite(ctx, caller, ben)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := f.Invited(ctx, token); err != nil || p.ID != ben || govern.LoginNameOf(p) != "ben@example.com" {
		t.Errorf("%+v, %v", p, err)
	}
	a := newAuthenticator("ben@example.com")
	now := f.now
	f.now = expires
	wantKind(t, "an expired invitation", f.Accept(ctx, token, f.enrollment(a), ""), baton.NotFound)
	f.now = now
	wantKind(t, "another token", f.Accept(ctx, baton.NewSecret("x"), f.enrollment(a), ""), baton.NotFound)
	if err := f.Accept(ctx, token, f.enrollment(a), ""); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "an invitation that was used", f.Accept(ctx, token, f.enrollment(a), ""), baton.NotFound)
	benCaller, _ := f.signIn(a)
	_, _, err = f.Invite(ctx, benCaller, ben)
	wantKind(t, "an invitation by somebody who may not", err, baton.PermissionDenied)
}

// TestStepUp checks that sensitive commands need a recent login.
func TestStepUp(t *testing.T) {
	f := newFixture(t)
	a := f.setUp()
	caller, token := f.signIn(a)
	f.later(console.StepUp)
	_, _, err := f.Invite(ctx, caller, caller.Person.ID)
	if err == nil || !strings.Contains(err.Error(), "less than 10 minutes old") {
		t.Fatalf("an invitation from an old login: %v", err)
	}
	wantKind(t, "a wrong password", f.StepUp(ctx, caller, baton.NewSecret("another long password"), f.code(a)), baton.Unauthenticated)
	if err := f.StepUp(ctx, caller, a.password, f.code(a)); err != nil {
		t.Fatal(err)
	}
	if caller, err = f.Authenticate(ctx, token, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Invite(ctx, caller, caller.Person.ID); err != nil {
		t.Errorf("after the password was confirmed: %v", err)
	}
}
