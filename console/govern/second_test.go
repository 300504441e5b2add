package govern_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// TestSecondPerson changes what guards an app with administrators: its owners, the minimum,
// the admin mark, the role mapping and the type of an account. What guards it less waits for a
// second person and counts for nothing before; what does not weaken it counts at once.
func TestSecondPerson(t *testing.T) {
	f := newFixture(t)
	owner, other := f.caller("owner"), f.caller("other")
	app, connector := f.addApp("Perplexity", owner.Person.ID, other.Person.ID)
	f.sync(connector, organisation())
	admin, member, robots := f.entitlement(app, "g1"), f.entitlement(app, "g2"), f.entitlement(app, "g3")
	var bot console.ResourceKey
	f.view(func(tx *store.Tx) error {
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", "3")
		bot = r.Key
		return err
	})
	get := func() (a console.App) {
		t.Helper()
		f.view(func(tx *store.Tx) (err error) {
			a, err = tx.App(app)
			return err
		})
		return a
	}
	base := console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{
		{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{admin}}, {Name: "Member", Entitlements: []console.EntitlementKey{member}}}}
	roles := func(edit func(*govern.NewRoles)) func(why string) error {
		return func(why string) error {
			n := govern.NewRoles{Map: base, MinimumAdmins: 2, Version: get().Version, Why: why}
			n.Map.Roles = slices.Clone(base.Roles)
			edit(&n)
			return f.SetAppRoles(ctx, owner, app, n)
		}
	}
	f.check(roles(func(*govern.NewRoles) {})("the first roles count at once"))
	f.check(f.SetAccountType(ctx, owner, app, bot, console.AccountService, "a robot, which guards it more"))
	three := 3
	f.check(roles(func(n *govern.NewRoles) { n.MinimumAdmins = three })("a larger minimum"))
	f.check(roles(func(n *govern.NewRoles) {
		n.MinimumAdmins = three
		n.Map.Roles = append(n.Map.Roles, console.AppRole{Name: "Robot", Entitlements: []console.EntitlementKey{robots}})
	})("a role below the others"))

	third := f.caller("third")
	for name, change := range map[string]func(why string) error{
		"another owner": func(why string) error {
			return f.ChangeAppOwners(ctx, owner, app, govern.OwnerChange{Add: third.Person.Emails[0], Why: why})
		},
		"another owner, by settings": func(why string) error {
			owners := []console.ID{third.Person.ID}
			return f.ConfigureApp(ctx, owner, app, govern.AppSettings{Owners: &owners})
		},
		"no owner, by settings": func(why string) error {
			owners := []console.ID{}
			return f.ConfigureApp(ctx, owner, app, govern.AppSettings{Owners: &owners})
		},
		"a smaller minimum":           roles(func(*govern.NewRoles) {}),
		"the admin mark":              roles(func(n *govern.NewRoles) { n.MinimumAdmins = three; n.Map.Roles[0].Admin = false }),
		"more who are administrators": roles(func(n *govern.NewRoles) { n.MinimumAdmins = three; n.Map.Roles[1].Admin = true }),
		"another entitlement": roles(func(n *govern.NewRoles) {
			n.MinimumAdmins, n.Map.Roles[0].Entitlements = three, []console.EntitlementKey{robots}
		}),
		"the order of roles": roles(func(n *govern.NewRoles) { n.MinimumAdmins = three; slices.Reverse(n.Map.Roles) }),
		"the priority":       roles(func(n *govern.NewRoles) { n.MinimumAdmins, n.Map.Priority = three, console.LowestWins }),
		"the type of administrators": roles(func(n *govern.NewRoles) {
			n.MinimumAdmins, n.Map.Roles[0].Kind = three, console.AccountService
		}),
		"the type of an administrator's account": func(why string) error { return f.SetAccountType(ctx, owner, app, bot, console.AccountHuman, why) },
	} {
		t.Run(name, func(t *testing.T) {
			before := get()
			kind := func() (k console.AccountKind) {
				f.view(func(tx *store.Tx) error {
					said, err := tx.AccountKind(bot, time.Time{})
					k = said.Kind
					return err
				})
				return k
			}
			if err := change(" "); baton.KindOf(err) != baton.Invalid && !strings.HasSuffix(name, "by settings") {
				t.Errorf("without a reason: %v", err)
			}
			if strings.HasSuffix(name, "by settings") { // the interface for programs gives a reason of its own
				v, err := f.Policies(ctx, other)
				f.check(err)
				for _, a := range v.Amendments {
					f.check(f.DecideAmendment(ctx, owner, a.ID, false))
				}
			}
			if err := change("because"); !errors.Is(err, govern.ErrWaits) && !errors.Is(err, govern.ErrOwnersWait) {
				t.Fatalf("it does not wait: %v", err)
			}
			same := func() bool {
				now := get()
				return slices.Equal(now.Owners, before.Owners) && now.MinimumAdmins == before.MinimumAdmins && (console.GuardsOf(now)).AtLeast(console.GuardsOf(before)) && kind() == console.AccountService
			}
			if !same() {
				t.Error("it counts before a second person confirmed it")
			}
			v, err := f.Policies(ctx, other)
			f.check(err)
			if len(v.Amendments) != 1 || v.Amendments[0].What == "" {
				t.Fatalf("%+v", v.Amendments)
			}
			id := v.Amendments[0].ID
			var self *console.Refusal
			if err := f.DecideAmendment(ctx, owner, id, true); !errors.As(err, &self) || self.Guard != console.GuardSelf {
				t.Errorf("its author confirms it: %v", err)
			}
			if err := f.DecideAmendment(ctx, third, id, true); baton.KindOf(err) != baton.NotFound {
				t.Errorf("somebody without the right: %v", err)
			}
			f.check(f.DecideAmendment(ctx, other, id, true))
			if same() {
				t.Error("it does not count after it was confirmed")
			}
			f.update(func(tx *store.Tx) error { // as it was
				a, err := tx.App(app)
				if err != nil {
					return err
				}
				a.Owners = before.Owners
				if err := tx.ChangeApp(a); err != nil {
					return err
				}
				if err := tx.SetAccountKind(bot, console.AccountService); err != nil {
					return err
				}
				return tx.SetRoleMap(app, before.Roles, before.MinimumAdmins)
			})
		})
	}

	// An app without administrators is not asked for one.
	plain, _ := f.addApp("Plain", owner.Person.ID)
	f.check(f.ChangeAppOwners(ctx, owner, plain, govern.OwnerChange{Add: third.Person.Emails[0]}))
}
