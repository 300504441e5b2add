package govern

import (
	"context"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// EntitlementSettings are the settings of an entitlement that programs change. Nil fields are not
// changed.
type EntitlementSettings struct {
	Alias     *string
	Longest   *console.Duration // 0: no limit of its own
	Policy    *console.ID       // "": the one of the application
	Emergency *console.ID       // the policy of emergency requests; "": the one of the application
	Owners    *[]console.ID
}

// requests reports whether the change affects request settings.
func (s EntitlementSettings) requests() bool {
	return s.Longest != nil || s.Policy != nil || s.Emergency != nil || s.Owners != nil
}

// ConfigureEntitlement changes settings of an entitlement. It refuses changes that need a second
// person, because only the pages can ask one.
func (c *Console) ConfigureEntitlement(ctx context.Context, caller Caller, app console.ID, e console.EntitlementKey, s EntitlementSettings) error {
	return c.change(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, app, console.ConfigureApps)
		if err != nil {
			return err
		}
		if e != console.AccountItself {
			m, err := tx.Moment(a.ID, time.Time{})
			if err != nil {
				return err
			}
			if _, err := tx.Entitlement(m, e); err != nil {
				return err
			}
		}
		if s.Alias != nil {
			if err := tx.SetAlias(a.ID, e, *s.Alias); err != nil {
				return err
			}
		}
		if !s.requests() {
			return nil
		}
		v, err := settingsView(tx, me, app, e)
		if err != nil {
			return err
		}
		next := v.Current
		next.Settings, err = s.apply(tx, v)
		if err != nil {
			return err
		}
		saved, err := setRequestSettings(tx, v, next, "changed by a program")
		if err == nil && saved.Waits {
			err = errSecond
		}
		return err
	})
}

// errSecond is the error of a change that a second person would have to confirm.
var errSecond = baton.Errorf(baton.Refused, "after this change less is asked of somebody who wants access: it takes two people").
	WithFix("Make it on the pages of the console, where a second person confirms it.")

// apply returns the settings after the change. Values that equal the defaults are not stored, so
// that they keep following the application's settings.
func (s EntitlementSettings) apply(tx *store.Tx, v SettingsView) (console.RequestSettings, error) {
	next, now := v.Current.Settings, v.Resolved
	if s.Longest != nil && *s.Longest != now.Longest {
		if *s.Longest < 0 {
			return next, baton.Errorf(baton.Invalid, "the longest duration is negative")
		}
		next.Longest = *s.Longest
	}
	if s.Policy != nil && *s.Policy != now.Policy {
		next.Policy = *s.Policy
	}
	if s.Emergency != nil && *s.Emergency != now.Emergency {
		if *s.Emergency == "" && next.Emergency == "" {
			return next, baton.Errorf(baton.Refused, "the application allows emergency requests").WithFix("Change it for the application.")
		}
		next.Emergency = *s.Emergency
	}
	if s.Owners != nil {
		owners := slices.Compact(slices.Sorted(slices.Values(*s.Owners)))
		if len(owners) > maxSettingsOwners {
			return next, baton.Errorf(baton.Invalid, "an entitlement has at most %d owners", maxSettingsOwners)
		}
		if err := checkActiveOwners(tx, next.Owners, owners); err != nil {
			return next, err
		}
		next.Owners = owners
	}
	return next, nil
}

// EntitlementOwners returns who owns an entitlement.
func (c *Console) EntitlementOwners(ctx context.Context, caller Caller, app console.ID, e console.EntitlementKey) (owners []console.ID, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v, err := settingsView(tx, me, app, e)
		owners = v.Current.Settings.Owners
		return err
	})
	return owners, err
}
