package review

import (
	"time"

	"baton/console"
	"baton/console/store"
)

// consoleName is the name of the console among the applications of a review.
const consoleName = "This console"

// readConsole adds the roles, owners and credentials of the console itself.
func (p *population) readConsole() error {
	all, err := p.tx.ConsoleAccesses(p.now)
	if err != nil {
		return err
	}
	source := console.PopulationSource{AppName: consoleName, ConnectorName: consoleName, Began: p.now, Excluded: map[string]int{}}
	for _, a := range all {
		person, err := p.people.get(a.Person)
		if err != nil {
			return err
		}
		c := console.ReviewCandidate{Admin: a.Kind == console.ReviewRole && a.Object == string(console.SuperAdministrator), Account: true, Person: person, State: console.StateExplained, Permanent: true}
		scope := console.ReviewScope{Existence: true, Admins: p.settings.Scope.Admins, People: p.settings.Scope.People, Managers: p.settings.Scope.Managers, Departments: p.settings.Scope.Departments}
		if why := scope.Excludes(c, p.now); why != "" {
			source.Excluded[why]++
			continue
		}
		i := &item{person: person}
		i.Kind, i.Object, i.Person, i.Admin = a.Kind, a.Object, person.ID, c.Admin
		i.Shown = console.ReviewShown{AppName: consoleName, EntitlementName: a.Name, AccountName: person.Name, PersonName: person.Name, Department: person.Department, PersonStatus: person.Status, Admin: c.Admin, Since: a.Since}
		if person.Service {
			i.Shown.Kind = console.AccountService
		}
		p.items = append(p.items, i)
		source.Items++
	}
	p.staged.Sources = append(p.staged.Sources, source)
	return nil
}

// consoleAccesses returns the keys of what people have in the console itself.
func consoleAccesses(tx *store.Tx, now time.Time) (map[string]bool, error) {
	all, err := tx.ConsoleAccesses(now)
	keys := map[string]bool{}
	for _, a := range all {
		keys[consoleKey(a.Kind, a.Person, a.Object)] = true
	}
	return keys, err
}

func consoleKey(kind console.ReviewKind, person console.ID, object string) string {
	return string(kind) + " " + string(person) + " " + object
}
