package store

import (
	"encoding/json"
	"errors"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// AddApp adds an app. Its ID may be empty and is set. AlreadyExists if the name is taken.
func (t *Tx) AddApp(a console.App) (console.ID, error) {
	if a.ID == "" {
		a.ID = console.NewID(t.by.At)
	}
	if err := need("the app's name", a.Name); err != nil {
		return "", err
	}
	err := t.insert("app "+quote(a.Name), "INSERT INTO app (id, name, sort_key, created, version) VALUES ($1, $2, $3, $4, 1)",
		a.ID, []byte(a.Name), console.SortKey(a.Name), t.by.At)
	if err != nil {
		return "", err
	}
	if err := t.setOwners("app_owner", "app", a.ID, a.Owners); err != nil {
		return "", err
	}
	if err := t.event(console.Event{Kind: "app.added", App: a.ID, Object: string(a.ID)}, map[string]any{"name": a.Name, "owners": a.Owners}); err != nil {
		return "", err
	}
	return a.ID, t.setRoleMap(a.ID, a.Roles, a.MinimumAdmins)
}

// ChangeApp changes the name and the owners of an app. a.Version must be the version that
// was read.
func (t *Tx) ChangeApp(a console.App) error {
	before, err := t.LockApp(a.ID)
	if err != nil {
		return err
	}
	if !before.Removed.IsZero() {
		return baton.Errorf(baton.NotFound, "no app")
	}
	if err := errors.Join(checkVersion("the app", before.Version, a.Version), need("the app's name", a.Name)); err != nil {
		return err
	}
	if err := t.insert("app "+quote(a.Name), "UPDATE app SET name = $2, sort_key = $3, version = version + 1 WHERE id = $1", a.ID, []byte(a.Name), console.SortKey(a.Name)); err != nil {
		return err
	}
	if err := t.setOwners("app_owner", "app", a.ID, a.Owners); err != nil {
		return err
	}
	if err := t.Recheck(); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "app.changed", App: a.ID, Object: string(a.ID)}, map[string]any{
		"name_before": before.Name, "name": a.Name, "owners_before": before.Owners, "owners": a.Owners})
}

// SetRoleMap sets which entitlements give which role in an app, and the minimum of administrators,
// from now on.
func (t *Tx) SetRoleMap(app console.ID, roles console.RoleMap, minimum int) error {
	before, err := t.LockApp(app)
	if err != nil {
		return err
	}
	if before.Roles.SaysType() || roles.SaysType() { // only accounts of people are matched
		if err := t.SetDue(console.DueMatch, string(app), t.by.At, nil); err != nil {
			return err
		}
	}
	if minimum < 0 {
		return baton.Errorf(baton.Invalid, "the minimum of admins is %d", minimum)
	}
	if _, err := t.e.Exec("UPDATE app SET version = version + 1 WHERE id = $1", app); err != nil {
		return err
	}
	return t.setRoleMap(app, roles, minimum)
}

// RolesChanged is the kind of the event of a new role map or minimum of administrators.
const RolesChanged = "app.roles-changed"

func (t *Tx) setRoleMap(app console.ID, roles console.RoleMap, minimum int) error {
	b, err := json.Marshal(roles.Roles)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode roles: %w", err)
	}
	if err := t.endInterval("role_map", "app", app); err != nil {
		return err
	}
	if err := t.insert("role map", "INSERT INTO role_map (app, from_at, minimum, priority, roles) VALUES ($1, $2, $3, $4, $5)",
		app, t.by.At, minimum, roles.Priority, b); err != nil {
		return err
	}
	return t.event(console.Event{Kind: RolesChanged, App: app, Object: string(app)}, map[string]any{"minimum_admins": minimum, "priority": roles.Priority, "roles": roles.Roles})
}

// App returns an app with its current role map.
func (t *Tx) App(id console.ID) (console.App, error) {
	return t.app("SELECT "+appColumns+" FROM app WHERE id = $1", id)
}

// LockApp returns an app and blocks other commands that lock it until this one ends. Guards read
// their data after it.
func (t *Tx) LockApp(id console.ID) (console.App, error) {
	return t.app("SELECT "+appColumns+" FROM app WHERE id = $1 FOR UPDATE", id)
}

// AppByName returns the app with a name.
func (t *Tx) AppByName(name string) (console.App, error) {
	return t.app("SELECT "+appColumns+" FROM app WHERE name = $1", []byte(name))
}

// Apps returns up to n apps in the order of their names.
func (t *Tx) Apps(after NameAfter, n int) ([]console.App, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	all, err := list(t, scanApp, "SELECT "+appColumns+" FROM app WHERE removed IS NULL AND (sort_key, id) > ($1, $2) ORDER BY sort_key, id LIMIT $3", bytesOf(after.Sort), after.ID, n)
	for i := range all {
		if err == nil {
			err = t.fillApp(&all[i])
		}
	}
	return all, err
}

const appColumns = "id, name, version, removed"

func scanApp(r engine.Row) console.App {
	return console.App{ID: console.ID(r.Text(0)), Name: str(r, 1), Version: r.Int(2), Removed: at(r, 3)}
}

func (t *Tx) app(sql string, args ...any) (console.App, error) {
	a, err := get(t, scanApp, "app", sql, args...)
	if err != nil {
		return a, err
	}
	return a, t.fillApp(&a)
}

func (t *Tx) fillApp(a *console.App) (err error) {
	if a.Owners, err = t.owners("app_owner", "app", a.ID); err != nil {
		return err
	}
	a.Roles, a.MinimumAdmins, err = t.RoleMapAt(a.ID, time.Time{})
	return err
}

// RoleMapAt returns the role map and the minimum of administrators of an app at a time; the zero
// time means now.
func (t *Tx) RoleMapAt(app console.ID, when time.Time) (console.RoleMap, int, error) {
	where, args := asOf(app, when)
	type row struct {
		minimum  int
		priority console.Priority
		roles    []byte
	}
	r, err := find(t, func(r engine.Row) row { return row{int(r.Int(0)), console.Priority(r.Text(1)), r.Bytes(2)} },
		"SELECT minimum, priority, roles FROM role_map WHERE app = $1 AND "+where, args...)
	if err != nil || r == nil { // nil: before the app was added
		return console.RoleMap{}, 0, err
	}
	m := console.RoleMap{Priority: r.priority}
	err = json.Unmarshal(r.roles, &m.Roles)
	return m, r.minimum, err
}

// AppAddedBy reports whether an app existed at a time; the zero time means now.
func (t *Tx) AppAddedBy(app console.ID, when time.Time) (bool, error) {
	if when.IsZero() {
		return true, nil
	}
	return get(t, func(r engine.Row) bool { return r.Bool(0) }, "app", "SELECT created <= $2 FROM app WHERE id = $1", app, when)
}

// RemoveApp removes an app without connectors. Its history stays, and its name is free.
func (t *Tx) RemoveApp(id console.ID) error {
	a, err := t.LockApp(id)
	if err != nil {
		return err
	}
	if !a.Removed.IsZero() {
		return baton.Errorf(baton.NotFound, "no app")
	}
	connectors, err := t.Connectors(id)
	if err != nil {
		return err
	}
	if len(connectors) > 0 {
		return baton.Errorf(baton.Refused, "the application has the connector “%s”", connectors[0].Name).WithFix("Remove its connectors first.")
	}
	name := removedName(a.Name, id)
	if err := t.change("app", "UPDATE app SET name = $2, sort_key = $3, removed = $4, version = version + 1 WHERE id = $1", id, []byte(name), console.SortKey(name), t.by.At); err != nil {
		return err
	}
	if err := t.Recheck(); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "app.removed", App: id, Object: string(id)}, map[string]any{"name": a.Name, "owners": a.Owners})
}

// removedName returns the name of an object that is removed. Its former name is free for another
// one.
func removedName(name string, id console.ID) string { return name + " (removed " + string(id) + ")" }

// setOwners replaces the owners of an app or a connector.
func (t *Tx) setOwners(table, column string, id console.ID, owners []console.ID) error {
	if _, err := t.e.Exec("DELETE FROM "+table+" WHERE "+column+" = $1", id); err != nil {
		return err
	}
	for _, o := range owners {
		if _, err := t.Person(o); err != nil {
			return err
		}
		if err := t.insert("owner", "INSERT INTO "+table+" ("+column+", person) VALUES ($1, $2)", id, o); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) owners(table, column string, id console.ID) ([]console.ID, error) {
	return list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT person FROM "+table+" WHERE "+column+" = $1 ORDER BY person", id)
}
