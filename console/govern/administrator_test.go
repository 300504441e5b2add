package govern_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/config"
	"baton/console/govern"
	"baton/console/login/logintest"
	"baton/console/oidc/oidctest"
	"baton/console/store"
)

// TestLastSuperAdministrator tries every way in which a super administrator can lose the role. The
// last one keeps it; with another one, each way works. The emergency login does not count as another
// one.
func TestLastSuperAdministrator(t *testing.T) {
	type world struct {
		*fixture
		op     *oidctest.Provider
		caller govern.Caller // the emergency login
		ana    console.ID    // the last one
	}
	direct := func(w world, change func(tx *store.Tx) error) error {
		return w.store.Update(ctx, console.By{At: w.now, Actor: console.Console}, change)
	}
	status := func(w world, status console.PersonStatus) error {
		return direct(w, func(tx *store.Tx) error {
			p, err := tx.Person(w.ana)
			if err != nil {
				return err
			}
			p.Status = status
			return tx.ChangePerson(p)
		})
	}
	for name, path := range map[string]struct {
		mapped bool // the role comes from a group of the provider
		kept   bool // the call succeeds, but the role stays
		do     func(w world) error
	}{
		"the roles page": {do: func(w world) error {
			return w.SetRoles(ctx, w.caller, w.ana, []console.ConsoleRole{console.Auditor})
		}},
		"the roles page, no role": {do: func(w world) error { return w.SetRoles(ctx, w.caller, w.ana, nil) }},
		"the roles page, a role from a group": {mapped: true, do: func(w world) error {
			return w.SetRoles(ctx, w.caller, w.ana, nil)
		}},
		"disable":           {do: func(w world) error { return w.SetPersonStatus(ctx, w.caller, w.ana, console.PersonDisabled) }},
		"gone":              {do: func(w world) error { return status(w, console.PersonGone) }},
		"an unknown status": {do: func(w world) error { return status(w, "away") }},
		"merge into another": {do: func(w world) error {
			target := w.person(console.Person{Name: "Target"})
			return direct(w, func(tx *store.Tx) error { return tx.MergePersons(w.ana, target) })
		}},
		"a login without the group": {mapped: true, kept: true, do: func(w world) error {
			_, err := w.enter(w.op, oidctest.Verified("ana", "ana@example.com", "groups", []string{}))
			return err
		}},
		"a login of a role by hand": {do: func(w world) error {
			_, err := w.enter(w.op, oidctest.Verified("ana", "ana@example.com", "groups", []string{}))
			if err == nil {
				err = w.SetRoles(ctx, w.caller, w.ana, nil) // a login alone does not remove manual roles
			}
			return err
		}},
		"the group gives another role": {mapped: true, do: func(w world) error {
			p := w.configured(w.op)
			p.Groups = []console.GroupRole{{Group: "Admins", Role: console.Auditor}}
			return w.ChangeProvider(ctx, w.caller, p, baton.Secret{})
		}},
		"no groups any more": {mapped: true, do: func(w world) error {
			p := w.configured(w.op)
			p.Groups, p.GroupsClaim = nil, ""
			return w.ChangeProvider(ctx, w.caller, p, baton.Secret{})
		}},
		"another issuer": {mapped: true, do: func(w world) error {
			p := w.configured(w.op)
			p.Issuer = "https://other.example.com"
			return w.ChangeProvider(ctx, w.caller, p, baton.NewSecret("x"))
		}},
		"the provider is removed": {mapped: true, do: func(w world) error { return w.RemoveProvider(ctx, w.caller, "okta") }},
		"the bootstrap file": {do: func(w world) error {
			file := filepath.Join(w.t.TempDir(), "console.yaml")
			w.check(os.WriteFile(file, []byte("people: [{email: ana@example.com, name: Ana, roles: [auditor]}]"), 0o600))
			f, err := config.Read(file, time.Minute, nil)
			w.check(err)
			_, _, err = f.Apply(ctx, w.store, console.By{At: w.now, Actor: console.Console}, config.Options{Source: console.BootstrapSource})
			return err
		}},
	} {
		for _, another := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", the last one", true: ", one of two"}[another], func(t *testing.T) {
				f, o, root := withProvider(t)
				w := world{fixture: f, op: o}
				w.ana = f.person(console.Person{Name: "Ana", Emails: []string{"ana@example.com"}})
				if !path.mapped {
					f.check(f.SetRoles(ctx, root, w.ana, []console.ConsoleRole{console.SuperAdministrator}))
				}
				_, err := f.enter(o, oidctest.Verified("ana", "ana@example.com", "groups", "Admins"))
				f.check(err)
				emergency := newAuthenticator("emergency")
				f.update(func(tx *store.Tx) error {
					return tx.SetBreakGlass(console.Login{Name: emergency.name, Password: logintest.Hash(emergency.password)}, emergency.secret)
				})
				w.caller, _ = f.signIn(emergency)
				if !another {
					f.check(f.SetRoles(ctx, w.caller, root.Person.ID, nil))
				}
				err = path.do(w)
				var p console.Person
				f.view(func(tx *store.Tx) error {
					var err error
					p, err = tx.Person(w.ana)
					return err
				})
				is := p.Status == console.PersonActive && p.MergedInto == "" && slices.Contains(p.Roles, console.SuperAdministrator)
				switch {
				case another && (err != nil || is):
					t.Errorf("with another one there: %v, and Ana is %+v", err, p)
				case !another && !is:
					t.Errorf("nobody is super administrator any more: Ana is %+v", p)
				case !another && path.kept && err != nil:
					t.Errorf("the role stays, and the login fails: %v", err)
				case !another && !path.kept && (baton.KindOf(err) != baton.Refused || !strings.Contains(err.Error(), "nobody else is super administrator")):
					t.Errorf("%v (%v)", err, baton.KindOf(err))
				}
			})
		}
	}
}
