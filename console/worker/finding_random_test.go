package worker

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/internal/longtest"
)

// TestFindingsAreThoseOfAFullLook lets random things happen to accounts, owners, people and roles. The
// findings that the console keeps, by looking at what changed only, are after every step those that
// the lists of accounts show.
func TestFindingsAreThoseOfAFullLook(t *testing.T) {
	for seed := range uint64(longtest.Pick(2, 6)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run := onBoth
			if seed%2 == 1 && !longtest.Enabled {
				run = func(t *testing.T, test func(*testing.T, *world)) { test(t, newWorld(t)) }
			}
			run(t, func(t *testing.T, x *world) {
				o := newOffice(x)
				random := rand.New(rand.NewPCG(seed, 7))
				var steps []string
				for range longtest.Pick(12, 30) {
					for range 1 + random.IntN(3) {
						steps = append(steps, o.random(random))
					}
					o.advance(time.Minute)
					o.settle()
					for kind, want := range o.expected() {
						if got := o.subjects(kind); !slices.Equal(got, want) {
							t.Fatalf("%s after %s:\n got %v\nwant %v", kind, strings.Join(steps, ", "), got, want)
						}
					}
				}
				// Nothing is left for a look at everything.
				appeared := len(o.found("finding.appeared")) + len(o.found("finding.resolved"))
				o.update(func(tx *store.Tx) error {
					for kind := range o.expected() {
						if err := tx.SetLookedAt(o.app, kind, 0); err != nil {
							return err
						}
						if err := tx.DueBy(console.DueFindings, console.FindingsRef(o.app, kind), o.now); err != nil {
							return err
						}
					}
					return nil
				})
				o.settle()
				if n := len(o.found("finding.appeared")) + len(o.found("finding.resolved")); n != appeared {
					t.Errorf("a look at everything changes %d findings", n-appeared)
				}
			})
		})
	}
}

// random changes something, and says what.
func (o *office) random(random *rand.Rand) string {
	o.t.Helper()
	names := []string{"ana", "ben", "cem", "dan", "eve", "fay"}
	name := names[random.IntN(len(names))]
	person := o.people[names[random.IntN(4)]]
	account := func() (key console.ResourceKey) {
		o.view(func(tx *store.Tx) error {
			m, err := tx.Moment(o.app, time.Time{})
			if err != nil {
				return err
			}
			r, err := tx.ResourceByID(m, "user", name)
			if err == nil {
				key = r.Key
			} else if baton.KindOf(err) == baton.NotFound {
				err = nil
			}
			return err
		})
		return key
	}
	change := func(what string, fn func(tx *store.Tx, key console.ResourceKey) error) string {
		key := account()
		if key == 0 {
			return what + " nothing"
		}
		o.advance(time.Second)
		o.update(func(tx *store.Tx) error { return fn(tx, key) })
		return what + " " + name
	}
	switch random.IntN(10) {
	case 0, 1:
		o.up.accounts = maps.Clone(o.up.accounts)
		if _, there := o.up.accounts[name]; there && random.IntN(3) == 0 && len(o.up.accounts) > 4 {
			delete(o.up.accounts, name)
			for group := range o.up.members {
				o.up.members[group] = slices.DeleteFunc(slices.Clone(o.up.members[group]), func(m string) bool { return m == name })
			}
		} else {
			o.up.accounts[name] = baton.Status(1 + random.IntN(2))
		}
		o.sync()
		return "account " + name
	case 2, 3:
		if _, there := o.up.accounts[name]; there {
			group := []string{"admins", "staff"}[random.IntN(2)]
			if i := slices.Index(o.up.members[group], name); i >= 0 && len(o.up.members[group]) > 1 {
				o.up.members[group] = slices.Delete(slices.Clone(o.up.members[group]), i, i+1)
			} else if i < 0 {
				o.up.members[group] = append(slices.Clone(o.up.members[group]), name)
			}
		}
		o.sync()
		return "member " + name
	case 4:
		return change("owner of", func(tx *store.Tx, key console.ResourceKey) error {
			return tx.SetAccountOwner(key, person, store.OwnerSet)
		})
	case 5:
		return change("no owner of", func(tx *store.Tx, key console.ResourceKey) error {
			return tx.SetAccountOwner(key, "", store.OwnerCleared)
		})
	case 6:
		return change("type of", func(tx *store.Tx, key console.ResourceKey) error {
			return tx.SetAccountKind(key, []console.AccountKind{console.AccountUnspecified, console.AccountHuman, console.AccountService}[random.IntN(3)])
		})
	case 7:
		o.advance(time.Second)
		o.status(names[random.IntN(4)], []console.PersonStatus{console.PersonActive, console.PersonDisabled, console.PersonGone}[random.IntN(3)])
		return "status of a person"
	case 8:
		o.advance(time.Second)
		o.roles([]console.Priority{console.PriorityUnknown, console.HighestWins, console.LowestWins}[random.IntN(3)], 1)
		return "priority of roles"
	default:
		o.advance(time.Second)
		o.update(func(tx *store.Tx) error {
			p, err := tx.Person(person)
			if err != nil {
				return err
			}
			id, err := tx.AddPerson(console.Person{Name: "Twin", Status: p.Status, Emails: []string{fmt.Sprintf("twin%d@example.test", random.Uint64())}})
			if err != nil {
				return err
			}
			key, err := tx.AccountsOf(person)
			if err != nil || len(key) == 0 {
				return err
			}
			if err := tx.SetAccountOwner(key[0], id, store.OwnerSet); err != nil {
				return err
			}
			return tx.MergePersons(id, person)
		})
		return "merged people"
	}
}

// expected returns the subjects of the findings about accounts, as the lists of accounts show them.
func (o *office) expected() map[console.FindingKind][]string {
	o.t.Helper()
	all := map[console.FindingKind][]string{}
	o.view(func(tx *store.Tx) error {
		a, err := tx.App(o.app)
		if err != nil {
			return err
		}
		m, err := tx.Moment(o.app, time.Time{})
		if err != nil {
			return err
		}
		several := store.AccountFilter{Several: [][]console.EntitlementKey{a.Roles.Roles[0].Entitlements, a.Roles.Roles[1].Entitlements}}
		filters := map[console.FindingKind]*store.AccountFilter{
			console.AccountUnmatched: {Unowned: true},
			console.AccountWithout:   {Unowned: true, Kinds: []console.AccountKind{console.AccountService, console.AccountSystem}},
			console.AccountOrphaned:  {Orphaned: true},
			console.RoleUnclear:      nil,
			console.AccountSeveral:   nil,
		}
		if a.Roles.Priority == console.PriorityUnknown {
			filters[console.RoleUnclear] = &several
		} else {
			filters[console.AccountSeveral] = &several
		}
		for kind, f := range filters {
			all[kind] = []string{}
			if f == nil {
				continue
			}
			f.Enabled, f.Roles = true, a.Roles
			page, err := tx.FilterAccounts(m, *f, store.ResourceAfter{}, store.PageSize)
			if err != nil {
				return err
			}
			for _, r := range page.Rows {
				all[kind] = append(all[kind], fmt.Sprint(r.Key))
			}
			slices.Sort(all[kind])
		}
		return nil
	})
	return all
}

// subjects returns the subjects of the findings of a kind whose cause is there.
func (o *office) subjects(kind console.FindingKind) []string {
	o.t.Helper()
	all := []string{}
	o.view(func(tx *store.Tx) error {
		current, err := tx.CurrentFindings(o.app, kind)
		all = append(all, slices.Sorted(maps.Keys(current))...)
		return err
	})
	return all
}
