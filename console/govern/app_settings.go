package govern

import (
	"context"
	"strings"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/store"
)

// AppSettings is what can be changed about an app. Fields that are nil stay as they are.
type AppSettings struct {
	Name   *string
	Owners *[]console.ID
}

// ConfigureApp changes the settings of an app.
func (c *Console) ConfigureApp(ctx context.Context, caller Caller, id console.ID, s AppSettings) error {
	return c.change(ctx, caller, configuring.in(id), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, id, console.ConfigureApps)
		if err != nil {
			return err
		}
		if s.Name != nil {
			if a.Name = strings.TrimSpace(*s.Name); utf8.RuneCountInString(a.Name) > maxName {
				return baton.Errorf(baton.Invalid, "the name is longer than %d characters", maxName)
			}
		}
		if s.Owners != nil {
			if a.Owners, err = checkOwners(tx, *s.Owners); err != nil {
				return err
			}
		}
		return tx.ChangeApp(a)
	})
}

// checkOwners returns the canonical persons of owners, each once. Invalid if one is unknown.
func checkOwners(tx *store.Tx, ids []console.ID) (owners []console.ID, err error) {
	seen := map[console.ID]bool{}
	for _, id := range ids {
		p, err := tx.Person(id)
		if baton.KindOf(err) == baton.NotFound {
			return nil, baton.Errorf(baton.Invalid, "there is no person %q", id)
		}
		if err != nil {
			return nil, err
		}
		if id = p.Canonical(); !seen[id] {
			seen[id] = true
			owners = append(owners, id)
		}
	}
	return owners, nil
}
