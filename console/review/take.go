package review

import (
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/store"
)

// takeFromConsole takes a role, an ownership or a credential of the console. NotFound if it is gone.
func takeFromConsole(tx *store.Tx, i console.ReviewItem) error {
	gone := func(what string) error {
		return baton.Errorf(baton.NotFound, "the person has no such %s any more", what)
	}
	switch i.Kind {
	case console.ReviewRole:
		p, err := tx.Person(i.Person)
		if err != nil {
			return err
		}
		role := console.ConsoleRole(i.Object)
		if !slices.Contains(p.Roles, role) {
			return gone("role")
		}
		return tx.SetRoles(p.ID, slices.DeleteFunc(slices.Clone(p.Roles), func(r console.ConsoleRole) bool { return r == role }))
	case console.ReviewCredential:
		client, err := tx.Client(console.ID(i.Object))
		if err != nil {
			return err
		}
		if !client.Revoked.IsZero() {
			return gone("credential")
		}
		return tx.RevokeClient(client.ID)
	}
	without := func(owners []console.ID) ([]console.ID, bool) {
		rest := slices.DeleteFunc(slices.Clone(owners), func(o console.ID) bool { return o == i.Person })
		return rest, len(rest) < len(owners)
	}
	if id, ok := strings.CutPrefix(i.Object, console.OwnedApp); ok {
		a, err := tx.App(console.ID(id))
		if err != nil {
			return err
		}
		rest, owned := without(a.Owners)
		if a.Owners = rest; !owned {
			return gone("ownership")
		}
		return tx.ChangeApp(a)
	}
	con, err := tx.Connector(console.ID(strings.TrimPrefix(i.Object, console.OwnedConnector)))
	if err != nil {
		return err
	}
	rest, owned := without(con.Owners)
	if con.Owners = rest; !owned {
		return gone("ownership")
	}
	return tx.ChangeConnector(con)
}
