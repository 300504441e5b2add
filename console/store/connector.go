package store

import (
	"errors"
	"time"

	"baton"
	"baton/console"
	"baton/console/schedule"
	"baton/console/store/internal/engine"
)

// ConnectorTopic is woken after a connector was added, changed or configured.
const ConnectorTopic = "connector"

// AddConnector adds a connector to an app, with a new stream. It sets an empty ID. AlreadyExists if
// the name is taken.
func (t *Tx) AddConnector(c console.Connector) (console.ID, error) {
	if c.ID == "" {
		c.ID = console.NewID(t.by.At)
	}
	if err := need("the connector's name", c.Name); err != nil {
		return "", err
	}
	if a, err := t.LockApp(c.App); err != nil {
		return "", err
	} else if !a.Removed.IsZero() {
		return "", baton.Errorf(baton.NotFound, "no app")
	}
	if c.Hosting == "" {
		c.Hosting = console.SelfHosted
	}
	stream, err := t.Numbers("stream", 1)
	if err != nil {
		return "", err
	}
	err = t.insert("connector "+quote(c.Name), `INSERT INTO connector (id, app, name, product, hosting, interval_us, paused, directory, stream, created, version, cron, zone)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $12)`,
		c.ID, c.App, []byte(c.Name), []byte(c.Product), c.Hosting, c.Interval, c.Paused, c.Directory, stream, t.by.At, []byte(c.Cron), []byte(c.Zone))
	if err != nil {
		return "", err
	}
	if err := t.insert("stream", "INSERT INTO head (stream, head, staging) VALUES ($1, 0, 0)", stream); err != nil {
		return "", err
	}
	if err := t.setOwners("connector_owner", "connector", c.ID, c.Owners); err != nil {
		return "", err
	}
	t.Wake(ConnectorTopic)
	c.Stream = console.Stream(stream)
	if err := t.beginSchedule(c); err != nil {
		return "", err
	}
	return c.ID, t.event(console.Event{Kind: "connector.added", App: c.App, Connector: c.ID, Object: string(c.ID)},
		map[string]any{"name": c.Name, "hosting": c.Hosting, "owners": c.Owners})
}

// ChangeConnector changes name, product, interval, pause, directory and owners of a
// connector. c.Version must be the version that was read.
func (t *Tx) ChangeConnector(c console.Connector) error {
	before, err := t.lockConnector(c.ID)
	if err != nil {
		return err
	}
	if !before.Removed.IsZero() {
		return baton.Errorf(baton.NotFound, "no connector")
	}
	if err := errors.Join(checkVersion("the connector", before.Version, c.Version), need("the connector's name", c.Name)); err != nil {
		return err
	}
	err = t.insert("connector "+quote(c.Name), `UPDATE connector SET name = $2, product = $3, interval_us = $4, paused = $5, directory = $6, cron = $7, zone = $8, version = version + 1 WHERE id = $1`,
		c.ID, []byte(c.Name), []byte(c.Product), c.Interval, c.Paused, c.Directory, []byte(c.Cron), []byte(c.Zone))
	if err != nil {
		return err
	}
	t.Wake(ConnectorTopic)
	if err := t.setOwners("connector_owner", "connector", c.ID, c.Owners); err != nil {
		return err
	}
	if schedule.Of(before) != schedule.Of(c) || before.Paused && !c.Paused {
		if err := t.beginSchedule(c); err != nil {
			return err
		}
	}
	return t.event(console.Event{Kind: "connector.changed", App: before.App, Connector: c.ID, Object: string(c.ID)}, map[string]any{
		"name_before": before.Name, "name": c.Name, "paused_before": before.Paused, "paused": c.Paused,
		"directory_before": before.Directory, "directory": c.Directory, "interval_before": before.Interval.String(), "interval": c.Interval.String(),
		"cron_before": before.Cron, "cron": c.Cron, "zone_before": before.Zone, "zone": c.Zone,
		"owners_before": before.Owners, "owners": c.Owners})
}

// beginSchedule schedules the first sync of a connector: at once if it has an interval.
func (t *Tx) beginSchedule(c console.Connector) error {
	first, _ := schedule.Of(c).First(t.by.At)
	return t.ScheduleSync(c, first)
}

// ScheduleSync sets the time of a connector's next sync. There is none for a connector that only
// takes files or has no schedule.
func (t *Tx) ScheduleSync(c console.Connector, when time.Time) error {
	if c.Hosting == console.ByFile || schedule.Of(c).Never() || when.IsZero() {
		return t.RemoveDue(console.DueSync, string(c.ID))
	}
	return t.SetDue(console.DueSync, string(c.ID), when, nil)
}

// ContinueConnector makes a connector replace another one of the same app, for example a hosted one
// by a self-hosted one. It takes over the stream, and with it the rows and the role of a directory.
// The replaced connector gets an empty stream and is paused. The new one must not have applied a
// sync.
func (t *Tx) ContinueConnector(id, former console.ID) error {
	for _, c := range []console.ID{min(id, former), max(id, former)} {
		if _, err := t.lockConnector(c); err != nil {
			return err
		}
	}
	to, err := t.Connector(id)
	if err != nil {
		return err
	}
	from, err := t.Connector(former)
	if err != nil {
		return err
	}
	if to.App != from.App || id == former {
		return baton.Errorf(baton.Refused, "connector %q does not belong to the app of %q", to.Name, from.Name)
	}
	for _, c := range []console.Connector{to, from} {
		h, err := t.lockHead(c.Stream)
		if err != nil {
			return err
		}
		if h.staging != 0 {
			return baton.Errorf(baton.Unavailable, "a sync of connector %q is being written", c.Name).WithFix("Try again when it is done.")
		}
		if c.ID == id && h.head != 0 {
			return baton.Errorf(baton.Refused, "connector %q has syncs of its own", c.Name)
		}
	}
	for _, step := range []struct {
		id                console.ID
		stream            console.Stream
		paused, directory bool
	}{{id, -to.Stream, to.Paused, to.Directory}, {former, to.Stream, true, false}, {id, from.Stream, to.Paused, to.Directory || from.Directory}} { // a stream belongs to one connector at a time
		if err := t.change("connector", "UPDATE connector SET stream = $2, paused = $3, directory = $4, version = version + 1 WHERE id = $1", step.id, step.stream, step.paused, step.directory); err != nil {
			return err
		}
	}
	t.Wake(ConnectorTopic)
	return t.event(console.Event{Kind: "connector.continued", App: to.App, Connector: id, Object: string(id)}, map[string]any{"former": former, "stream": from.Stream})
}

const connectorColumns = "id, app, name, product, hosting, interval_us, paused, directory, stream, version, cron, zone, removed"

func scanConnector(r engine.Row) console.Connector {
	return console.Connector{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Name: str(r, 2), Product: str(r, 3), Hosting: console.Hosting(r.Text(4)),
		Interval: time.Duration(r.Int(5)) * time.Microsecond, Paused: r.Bool(6), Directory: r.Bool(7), Stream: console.Stream(r.Int(8)), Version: r.Int(9),
		Cron: str(r, 10), Zone: str(r, 11), Removed: at(r, 12)}
}

func (t *Tx) connector(sql string, args ...any) (console.Connector, error) {
	c, err := get(t, scanConnector, "connector", "SELECT "+connectorColumns+" FROM connector WHERE "+sql, args...)
	if err == nil {
		c.Owners, err = t.owners("connector_owner", "connector", c.ID)
	}
	return c, err
}

// Connector returns a connector, also if it was removed.
func (t *Tx) Connector(id console.ID) (console.Connector, error) { return t.connector("id = $1", id) }

// ConnectorByName returns the connector with a name.
func (t *Tx) ConnectorByName(name string) (console.Connector, error) {
	return t.connector("name = $1", []byte(name))
}

func (t *Tx) lockConnector(id console.ID) (console.Connector, error) {
	return t.connector("id = $1 FOR UPDATE", id)
}

// Connectors returns the connectors of an app, or of all apps if app is empty, oldest first.
func (t *Tx) Connectors(app console.ID) ([]console.Connector, error) {
	return t.ConnectorsAt(app, time.Time{})
}

// ConnectorsAt returns the connectors that were not removed by a time; the zero time means now.
func (t *Tx) ConnectorsAt(app console.ID, when time.Time) ([]console.Connector, error) {
	sql, args := "removed IS NULL", []any{app}
	if !when.IsZero() {
		sql, args = "(removed IS NULL OR removed > $2)", append(args, when)
	}
	all, err := list(t, scanConnector, "SELECT "+connectorColumns+" FROM connector WHERE (app = $1 OR $1 = '') AND "+sql+" ORDER BY created, id", args...)
	for i := range all {
		if err == nil {
			all[i].Owners, err = t.owners("connector_owner", "connector", all[i].ID)
		}
	}
	return all, err
}

// RemoveConnector removes a connector whose syncs show no accounts and no grants, or that has
// no sync. Its history stays, and its name is free. Its settings and secrets are removed.
func (t *Tx) RemoveConnector(id console.ID) error {
	c, err := t.lockConnector(id)
	if err != nil {
		return err
	}
	if !c.Removed.IsZero() {
		return baton.Errorf(baton.NotFound, "no connector")
	}
	h, err := t.lockHead(c.Stream)
	if err != nil {
		return err
	}
	waiting, err := find(t, func(r engine.Row) string { return r.Text(0) },
		"SELECT state FROM sync WHERE connector = $1 AND state IN ('received', 'staging', 'held', 'confirmed') ORDER BY number DESC LIMIT 1", id)
	switch {
	case err != nil:
		return err
	case h.staging != 0 || waiting != nil && console.SyncState(*waiting) != console.SyncHeld:
		return baton.Errorf(baton.Unavailable, "a sync of the connector is being read").WithFix("Try again when it is done.")
	case waiting != nil:
		return baton.Errorf(baton.Refused, "a sync of the connector is held").WithFix("Apply or discard it first.")
	}
	shown, err := t.CountsAt(c.Stream, h.head)
	if err != nil {
		return err
	}
	if shown.Accounts+shown.Facts > 0 {
		return baton.Errorf(baton.Refused, "its syncs show %d accounts and %d grants, which nobody would see any more", shown.Accounts, shown.Facts).
			WithFix("Remove that access first, or pause the connector: it keeps what it has shown.")
	}
	name := removedName(c.Name, id)
	if err := t.change("connector", "UPDATE connector SET name = $2, paused = $3, removed = $4, version = version + 1 WHERE id = $1", id, []byte(name), true, t.by.At); err != nil {
		return err
	}
	names, err := t.ConnectorSecretNames(id)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := t.RemoveSecret(connectorOwner(id), n); err != nil {
			return err
		}
	}
	if err := t.RemoveDue(console.DueSync, string(id)); err != nil {
		return err
	}
	t.Wake(ConnectorTopic)
	return t.event(console.Event{Kind: "connector.removed", App: c.App, Connector: id, Object: string(id)}, map[string]any{"name": c.Name, "owners": c.Owners})
}
