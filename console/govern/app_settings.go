package govern

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/store"
)

// AppSettings are the settings of an app that can be changed. Nil fields are not changed.
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
			owners := slices.Compact(slices.Sorted(slices.Values(*s.Owners)))
			if err := checkActiveOwners(tx, a.Owners, owners); err != nil {
				return err
			}
			a.Owners = owners
		}
		return tx.ChangeApp(a)
	})
}
