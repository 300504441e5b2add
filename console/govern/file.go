package govern

import (
	"context"
	"encoding/json"
	"io"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Sync returns a sync of a connector that the caller sees.
func (c *Console) Sync(ctx context.Context, caller Caller, id console.ID) (s console.Sync, err error) {
	err = c.read(ctx, caller, reading.ofSync(id), func(tx *store.Tx, me console.Person) error {
		if s, err = tx.Sync(id); err != nil {
			return err
		}
		_, _, err := seeConnector(tx, me, s.Connector, console.SeeConnectors)
		return err
	})
	return s, err
}

// ofSync returns the permit for a sync, which is that for the app of its connector.
func (p permit) ofSync(id console.ID) permit {
	p.app = func(tx *store.Tx) (console.ID, error) {
		s, err := tx.Sync(id)
		if err != nil {
			return "", err
		}
		c, err := tx.Connector(s.Connector)
		return c.App, err
	}
	return p
}

// SyncFile returns the file of a sync exactly as it was received, and records the download. No
// transaction is open while it is read. NotFound if it has no file, or if the bytes were deleted.
func (c *Console) SyncFile(ctx context.Context, caller Caller, id console.ID) (content io.Reader, f store.File, err error) {
	err = c.change(ctx, caller, reading.ofSync(id), func(tx *store.Tx, me console.Person) error {
		s, err := tx.Sync(id)
		if err != nil {
			return err
		}
		con, a, err := seeConnector(tx, me, s.Connector, console.SeeRawFiles)
		if err != nil {
			return err
		}
		if s.File == "" {
			return baton.Errorf(baton.NotFound, "the sync has no file")
		}
		if f, err = tx.File(s.File); err != nil {
			return err
		}
		return exported(tx, console.Event{Kind: "sync.downloaded", App: a.ID, Connector: con.ID, Object: string(id)}, map[string]any{"size": f.Size})
	})
	if err != nil {
		return nil, f, err
	}
	return c.store.OpenFile(ctx, f.ID)
}

// Export describes a list that is exported.
type Export struct {
	What      string     // "accounts"
	App       console.ID // its app; "" if it has none
	Connector console.ID // its connector, instead of an app
	Plan      console.ID // the plan whose rows it is, instead of an app
	Campaign  console.ID // the review whose items it is, instead of an app
	Filter    string     // the filter, as text for the event
	Format    string     // "csv"
}

// Export checks that the caller may export a list, and records the export. The caller then reads the
// rows page by page.
func (c *Console) Export(ctx context.Context, caller Caller, e Export) error {
	permit := reading
	switch {
	case e.App != "":
		permit = permit.in(e.App)
	case e.Connector != "":
		permit = permit.at(e.Connector)
	case e.Plan != "":
		permit = permit.on(e.Plan)
	}
	return c.change(ctx, caller, permit, func(tx *store.Tx, me console.Person) (err error) {
		event := console.Event{Kind: "list.exported", App: e.App, Connector: e.Connector, Object: e.What}
		switch {
		case e.App != "":
			_, err = seeApp(tx, me, e.App, console.SeeRawFiles)
		case e.Connector != "":
			var a console.App
			_, a, err = seeConnector(tx, me, e.Connector, console.SeeRawFiles)
			event.App = a.ID
		case e.Plan != "":
			_, _, err = seePlan(tx, me, e.Plan)
		case e.Campaign != "":
			err = seeWholeCampaign(tx, me, e.Campaign)
		default:
			err = console.SeeRawFiles.Check(me, console.Object{})
		}
		if err != nil {
			return err
		}
		return exported(tx, event, map[string]any{"filter": e.Filter, "format": e.Format})
	})
}

func exported(tx *store.Tx, e console.Event, data any) (err error) {
	if e.Data, err = json.Marshal(data); err != nil {
		return baton.Errorf(baton.Internal, "encode event %s: %w", e.Kind, err)
	}
	tx.Append(e)
	return nil
}
