package govern

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/directory"
	"baton/console/store"
)

// DirectoryView is a connector in its function as a directory.
type DirectoryView struct {
	Directory bool
	MaySet    bool
	Conflicts []DirectoryConflict // at most [maxConflicts]
}

// DirectoryConflict is an account of a directory whose data was not fully applied to a person.
type DirectoryConflict struct {
	Account store.Resource // zero if no sync shows it any more
	Person  console.Person // zero while unknown
	Why     string
}

const maxConflicts = 50

// Directory returns a connector as a directory. The accounts are included if the caller may see
// access.
func (c *Console) Directory(ctx context.Context, caller Caller, id console.ID) (v DirectoryView, err error) {
	err = c.read(ctx, caller, reading.at(id), func(tx *store.Tx, me console.Person) error {
		v = DirectoryView{}
		con, a, err := seeConnector(tx, me, id, console.SeeConnectors)
		if err != nil {
			return err
		}
		v.Directory, v.MaySet = con.Directory, console.ManagePeople.Of(me, console.Object{})
		if !con.Directory || !console.SeeAccess.Of(me, console.Object{App: &a}) {
			return nil
		}
		records, err := tx.DirectoryConflicts(con.Stream, maxConflicts)
		if err != nil {
			return err
		}
		for _, r := range records {
			conflict := DirectoryConflict{Why: r.Why}
			if _, conflict.Account, err = accountNow(tx, a, r.Account); err != nil && baton.KindOf(err) != baton.NotFound {
				return err
			}
			if conflict.Person, err = personOr(tx, r.Person); err != nil {
				return err
			}
			v.Conflicts = append(v.Conflicts, conflict)
		}
		return nil
	})
	return v, err
}

// SetDirectory sets whether a connector's accounts make people. People whom they have made remain.
func (c *Console) SetDirectory(ctx context.Context, caller Caller, id console.ID, directory bool) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		con, _, err := seeConnector(tx, me, id, console.SeeConnectors)
		if err != nil {
			return err
		}
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		if con.Directory == directory {
			return nil
		}
		con.Directory = directory
		if err := tx.ChangeConnector(con); err != nil {
			return err
		}
		if !directory {
			return tx.RemoveDue(console.DueDirectory, string(id))
		}
		return tx.SetDue(console.DueDirectory, string(id), c.now(), nil)
	})
}

// PlanPeople returns the changes that a file of people would make.
func (c *Console) PlanPeople(ctx context.Context, caller Caller, file []byte) (p directory.Plan, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		p, err = directory.MakePlan(tx, file)
		return err
	})
	return p, err
}

// ImportPeople applies a file of people if the plan still has the given digest.
func (c *Console) ImportPeople(ctx context.Context, caller Caller, file []byte, digest string) (directory.Plan, error) {
	if err := c.recent(caller); err != nil {
		return directory.Plan{}, err
	}
	p, err := c.PlanPeople(ctx, caller, file)
	if err != nil {
		return p, err
	}
	if p.Digest() != digest {
		return p, baton.Errorf(baton.Refused, "people changed since the file was looked at").WithFix("Look at what it does now, then apply that.")
	}
	return p, p.Apply(func(fn func(tx *store.Tx) error) error {
		return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
			if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
				return err
			}
			return fn(tx)
		})
	})
}

// PersonEdit holds the fields of a person that can be edited.
type PersonEdit struct {
	Name       string
	Emails     []string // the primary one first
	Manager    string   // e-mail address; "" for none
	Department string
	Version    int64 // the version that was read
}

const maxEmails = 50

// EditPerson changes name, addresses, manager and department of a person.
func (c *Console) EditPerson(ctx context.Context, caller Caller, id console.ID, e PersonEdit) error {
	e.Name, e.Department = strings.TrimSpace(e.Name), strings.TrimSpace(e.Department)
	if max(utf8.RuneCountInString(e.Name), utf8.RuneCountInString(e.Department)) > maxName {
		return baton.Errorf(baton.Invalid, "a name has at most %d characters", maxName)
	}
	var emails []string
	for _, address := range e.Emails {
		if address = console.NormalizeEmail(address); address == "" || slices.Contains(emails, address) {
			continue
		}
		if !directory.ValidEmail(address) {
			return baton.Errorf(baton.Invalid, "%q is no e-mail address", address)
		}
		emails = append(emails, address)
	}
	if len(emails) > maxEmails {
		return baton.Errorf(baton.Invalid, "a person has at most %d addresses", maxEmails)
	}
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		p, err := tx.Person(id)
		if err != nil {
			return err
		}
		if p.MergedInto != "" {
			return baton.Errorf(baton.Refused, "%s was merged into somebody else", p.Name)
		}
		if !slices.Equal(p.Emails, emails) { // people sign in and get accounts by them
			if err := c.recent(caller); err != nil {
				return err
			}
		}
		p.Name, p.Emails, p.Department, p.Version = e.Name, emails, e.Department, e.Version
		if p.Manager, err = managerOf(tx, p, e.Manager); err != nil {
			return err
		}
		return tx.ChangePerson(p)
	})
}

// maxManagers limits the length of the chain of managers that is followed.
const maxManagers = 100

// managerOf returns the manager with an e-mail address. Nobody is their own manager, directly or
// indirectly.
func managerOf(tx *store.Tx, p console.Person, email string) (console.ID, error) {
	if strings.TrimSpace(email) == "" {
		return "", nil
	}
	m, err := tx.PersonByEmail(email)
	if baton.KindOf(err) == baton.NotFound {
		return "", baton.Errorf(baton.Invalid, "nobody has the address of the manager, %q", console.NormalizeEmail(email))
	}
	if err != nil {
		return "", err
	}
	for above, n := m, 0; ; n++ {
		if above.Canonical() == p.ID || n == maxManagers {
			return "", baton.Errorf(baton.Invalid, "nobody is their own manager, not through others either")
		}
		if above.Manager == "" {
			return m.Canonical(), nil
		}
		if above, err = tx.Person(above.Manager); baton.KindOf(err) == baton.NotFound {
			return m.Canonical(), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// MergeView is the effect of merging one person into another.
type MergeView struct {
	From, Into PersonView
	// Refused is why they cannot be merged; nil if they can.
	Refused error
}

// PlanMerge returns the effect of merging a person into the one with an e-mail address.
func (c *Console) PlanMerge(ctx context.Context, caller Caller, from console.ID, into string) (v MergeView, err error) {
	var target console.Person
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		if target, err = tx.PersonByEmail(into); baton.KindOf(err) == baton.NotFound {
			return baton.Errorf(baton.Invalid, "nobody has the address %q", console.NormalizeEmail(into))
		}
		if err == nil {
			v.Refused = checkMerge(tx, me, from, target.ID)
		}
		return err
	})
	if err != nil {
		return v, err
	}
	if v.From, err = c.Person(ctx, caller, from); err != nil {
		return v, err
	}
	v.Into, err = c.Person(ctx, caller, target.ID)
	return v, err
}

// checkMerge applies the checks of the store, and refuses that people merge themselves.
func checkMerge(tx *store.Tx, me console.Person, from, into console.ID) error {
	if from == me.ID || into == me.ID {
		return baton.Errorf(baton.Refused, "nobody merges themselves").WithFix("Ask another super administrator.")
	}
	return tx.CheckMerge(from, into)
}

// MergePersons merges a person into another: the addresses, accounts and possessions of the first
// move to the second. The versions are those that were read.
func (c *Console) MergePersons(ctx context.Context, caller Caller, from, into console.ID, fromVersion, intoVersion int64) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		if err := checkMerge(tx, me, from, into); err != nil {
			return err
		}
		for id, version := range map[console.ID]int64{from: fromVersion, into: intoVersion} {
			if p, err := tx.Person(id); err != nil {
				return err
			} else if p.Version != version {
				return baton.Errorf(baton.Refused, "%s was changed meanwhile", p.Name).WithFix("Look at both again.")
			}
		}
		return tx.MergePersons(from, into)
	})
}
