package store

import (
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// ConsoleAccess is a role, an ownership or a credential in the console itself.
type ConsoleAccess struct {
	Kind   console.ReviewKind
	Person console.ID
	Object string // see [console.ReviewItem.Object]
	Name   string // of the role, what is owned, or the credential
	Since  time.Time
}

// ConsoleAccesses returns the roles of people, what they own, and the credentials that work at a time.
func (t *Tx) ConsoleAccesses(now time.Time) ([]ConsoleAccess, error) {
	roles, err := list(t, func(r engine.Row) ConsoleAccess {
		role := console.ConsoleRole(r.Text(1))
		return ConsoleAccess{Kind: console.ReviewRole, Person: console.ID(r.Text(0)), Object: string(role), Name: role.Label()}
	}, "SELECT r.person, r.role FROM person_role r JOIN person p ON p.id = r.person WHERE p.merged_into IS NULL ORDER BY r.role, p.sort_key, r.person")
	if err != nil {
		return nil, err
	}
	apps, err := list(t, func(r engine.Row) ConsoleAccess {
		return ConsoleAccess{Kind: console.ReviewOwner, Person: console.ID(r.Text(0)), Object: console.OwnedApp + r.Text(1), Name: "Owner of " + str(r, 2)}
	}, "SELECT o.person, o.app, a.name FROM app_owner o JOIN app a ON a.id = o.app WHERE a.removed IS NULL ORDER BY a.sort_key, a.id, o.person")
	if err != nil {
		return nil, err
	}
	connectors, err := list(t, func(r engine.Row) ConsoleAccess {
		return ConsoleAccess{Kind: console.ReviewOwner, Person: console.ID(r.Text(0)), Object: console.OwnedConnector + r.Text(1), Name: "Owner of the connector " + str(r, 2)}
	}, "SELECT o.person, o.connector, c.name FROM connector_owner o JOIN connector c ON c.id = o.connector WHERE c.removed IS NULL ORDER BY c.name, c.id, o.person")
	if err != nil {
		return nil, err
	}
	clients, err := list(t, scanClient, clientColumns+"WHERE c.revoked IS NULL AND c.expires > $1 ORDER BY c.name, c.id", now)
	all := append(append(roles, apps...), connectors...)
	for _, c := range clients {
		all = append(all, ConsoleAccess{Kind: console.ReviewCredential, Person: c.Person, Object: string(c.ID), Name: "API credential " + c.Name + " (" + joinScopes(c.Scopes) + ")", Since: c.Created})
	}
	return all, err
}
