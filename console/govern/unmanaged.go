package govern

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/store"
)

// UnmanagedApp is an application without a connector: one that another app's sync shows, or one that
// a person added. Exactly one of App and Discovered is set.
type UnmanagedApp struct {
	Name       string
	App        *console.App // added by a person
	Owners     []console.Person
	Discovered *store.DiscoveredApp
	Source     console.App // the app whose sync shows it; zero if a person added it
}

// UnmanagedAfter is a place in a list of unmanaged apps: after the last ones of each kind on the
// previous page. The zero value is the beginning.
type UnmanagedAfter struct {
	Apps       store.NameAfter
	Discovered store.ResourceAfter
}

// UnmanagedApps returns up to n unmanaged apps that the caller may see, ordered by name, and where
// the next page begins; nil at the end.
func (c *Console) UnmanagedApps(ctx context.Context, caller Caller, after UnmanagedAfter, n int) (apps []UnmanagedApp, next *UnmanagedAfter, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		apps, next, err = unmanagedApps(tx, me, after, n)
		return err
	})
	return apps, next, err
}

// unmanagedApps merges the two kinds of unmanaged apps by name.
func unmanagedApps(tx *store.Tx, me console.Person, after UnmanagedAfter, n int) (apps []UnmanagedApp, next *UnmanagedAfter, err error) {
	added, err := tx.AppsWithoutConnector(after.Apps, store.PageSize)
	if err != nil {
		return nil, nil, err
	}
	discovered, err := tx.DiscoveredApps(after.Discovered, store.PageSize)
	if err != nil {
		return nil, nil, err
	}
	sources := map[console.ID]console.App{}
	for len(added)+len(discovered) > 0 {
		if len(apps) == n {
			return apps, &after, nil
		}
		if len(discovered) == 0 || len(added) > 0 && bytes.Compare(console.SortKey(added[0].Name), discovered[0].After().Sort) <= 0 {
			a := added[0]
			after.Apps, added = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}, added[1:]
			if console.SeeAccessCounts.Of(me, console.Object{App: &a}) {
				owners, err := persons(tx, a.Owners)
				if err != nil {
					return nil, nil, err
				}
				apps = append(apps, UnmanagedApp{Name: a.Name, App: &a, Owners: owners})
			}
			if len(added) == 0 {
				if added, err = tx.AppsWithoutConnector(after.Apps, store.PageSize); err != nil {
					return nil, nil, err
				}
			}
			continue
		}
		d := discovered[0]
		after.Discovered, discovered = d.After(), discovered[1:]
		source, known := sources[d.Source]
		if !known {
			if source, err = tx.App(d.Source); err != nil {
				return nil, nil, err
			}
			sources[d.Source] = source
		}
		if console.SeeAccessCounts.Of(me, console.Object{App: &source}) {
			apps = append(apps, UnmanagedApp{Name: discoveredName(d), Discovered: &d, Source: source})
		}
		if len(discovered) == 0 {
			if discovered, err = tx.DiscoveredApps(after.Discovered, store.PageSize); err != nil {
				return nil, nil, err
			}
		}
	}
	return apps, nil, nil
}

func discoveredName(d store.DiscoveredApp) string {
	if name := strings.TrimSpace(d.Name); name != "" {
		return name
	}
	return d.ID
}

// manageDiscovered creates an app for a discovered application.
func manageDiscovered(tx *store.Tx, me console.Person, key console.ResourceKey, name string) (console.ID, error) {
	d, err := tx.DiscoveredApp(key)
	if err != nil {
		return "", err
	}
	source, err := tx.App(d.Source)
	if err != nil {
		return "", err
	}
	if err := console.SeeAccessCounts.Check(me, console.Object{App: &source}); err != nil {
		return "", hidden("application", err)
	}
	if name == "" {
		name = discoveredName(d)
	}
	if utf8.RuneCountInString(name) > maxName {
		return "", baton.Errorf(baton.Invalid, "the application's name is longer than %d characters", maxName).WithFix("Give the app a shorter name.")
	}
	app, err := addApp(tx, me, name)
	if err == nil {
		err = tx.ManageDiscovered(key, app)
	}
	return app, err
}

// AddApp adds an app without a connector. The caller becomes its owner.
func (c *Console) AddApp(ctx context.Context, caller Caller, name string) (id console.ID, err error) {
	name = strings.TrimSpace(name)
	if err := checkName(name); err != nil {
		return "", err
	}
	err = c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := console.AddApps.Check(me, console.Object{}); err != nil {
			return err
		}
		id, err = addApp(tx, me, name)
		return err
	})
	return id, err
}
