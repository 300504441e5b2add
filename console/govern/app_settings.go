package govern

import (
	"context"
	"slices"
	"strings"

	"baton/console"
	"baton/console/store"
)

// AppSettings are the settings of an app that can be changed. Nil fields are not changed.
type AppSettings struct {
	Name   *string
	Owners *[]console.ID
}

// ConfigureApp changes the settings of an app. The error is [ErrOwnersWait] if a second person
// has to confirm the owners; the other settings are changed.
func (c *Console) ConfigureApp(ctx context.Context, caller Caller, id console.ID, s AppSettings) error {
	waits := false
	err := c.change(ctx, caller, configuring.in(id), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, id, console.ConfigureApps)
		if err != nil {
			return err
		}
		if s.Name != nil {
			a.Name = strings.TrimSpace(*s.Name)
			if err := checkName(a.Name); err != nil {
				return err
			}
		}
		if s.Owners != nil {
			owners := slices.Compact(slices.Sorted(slices.Values(*s.Owners)))
			if err := checkActiveOwners(tx, a.Owners, owners); err != nil {
				return err
			}
			if s.Name != nil {
				if err := tx.ChangeApp(a); err != nil {
					return err
				}
				a.Version++
			}
			waits, err = c.setAppOwners(tx, caller, a, owners, "Owners were set through the REST interface.")
			return err
		}
		return tx.ChangeApp(a)
	})
	if err == nil && waits {
		return ErrOwnersWait
	}
	return err
}
