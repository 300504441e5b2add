package store

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// DiscoveredApp is an application that another app's sync shows, such as one that an identity
// provider signs people in to.
type DiscoveredApp struct {
	Resource
	Source console.ID // the app whose connector shows it
}

// DiscoveredApps returns up to n unmanaged applications that the newest syncs show, ordered by name.
func (t *Tx) DiscoveredApps(after ResourceAfter, n int) ([]DiscoveredApp, error) {
	m, err := t.Moment("", time.Time{})
	if err != nil {
		return nil, err
	}
	var all []DiscoveredApp
	for len(all) < n {
		page, err := t.resources(m, listApps, after, n)
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, r := range page {
			after = r.After()
			if app, err := t.ManagedAs(r.Key); err != nil {
				return nil, err
			} else if app != "" {
				continue
			}
			source, err := t.AppOfResource(r.Key)
			if err != nil {
				return nil, err
			}
			if all = append(all, DiscoveredApp{r, source}); len(all) == n {
				break
			}
		}
	}
	return all, nil
}

// DiscoveredApp returns an application that the newest syncs show. NotFound if they do not show it,
// or if the resource is not an application.
func (t *Tx) DiscoveredApp(key console.ResourceKey) (DiscoveredApp, error) {
	source, err := t.AppOfResource(key)
	if err != nil {
		return DiscoveredApp{}, err
	}
	m, err := t.Moment(source, time.Time{})
	if err != nil {
		return DiscoveredApp{}, err
	}
	r, err := t.Resource(m, key)
	if err == nil && !r.App {
		err = baton.Errorf(baton.NotFound, "no application")
	}
	return DiscoveredApp{r, source}, err
}

// ManagedAs returns the app that a discovered application became; "" while it is not managed.
func (t *Tx) ManagedAs(key console.ResourceKey) (console.ID, error) {
	id, err := find(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT app FROM app_resource WHERE resource = $1", key)
	if err != nil || id == nil {
		return "", err
	}
	return *id, nil
}

// ManageDiscovered records that a discovered application has become an app. AlreadyExists if it was
// one.
func (t *Tx) ManageDiscovered(key console.ResourceKey, app console.ID) error {
	if err := t.insert("a managed app of this application", "INSERT INTO app_resource (resource, app) VALUES ($1, $2)", key, app); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "app.managed", App: app, Object: string(app)}, map[string]any{"resource": key})
}

// AppsWithoutConnector returns up to n apps without a connector, ordered by name.
func (t *Tx) AppsWithoutConnector(after NameAfter, n int) ([]console.App, error) {
	return t.apps("NOT EXISTS", time.Time{}, after, n)
}

// ManagedApps returns up to n apps with a connector that were not removed by a time, ordered by
// name; the zero time means now.
func (t *Tx) ManagedApps(when time.Time, after NameAfter, n int) ([]console.App, error) {
	return t.apps("EXISTS", when, after, n)
}

func (t *Tx) apps(exists string, when time.Time, after NameAfter, n int) ([]console.App, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	there := func(table string) string { return table + ".removed IS NULL" }
	args := []any{bytesOf(after.Sort), after.ID, n}
	if !when.IsZero() {
		there = func(table string) string { return "(" + table + ".removed IS NULL OR " + table + ".removed > $4)" }
		args = append(args, when)
	}
	all, err := list(t, scanApp, "SELECT "+appColumns+" FROM app WHERE "+there("app")+" AND "+exists+" (SELECT 1 FROM connector WHERE connector.app = app.id AND "+there("connector")+`)
		AND (sort_key, id) > ($1, $2) ORDER BY sort_key, id LIMIT $3`, args...)
	for i := range all {
		if err == nil {
			err = t.fillApp(&all[i])
		}
	}
	return all, err
}
