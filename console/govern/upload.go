package govern

import (
	"context"
	"io"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Receive stores an uploaded sync file and records its sync.
type Receive func(ctx context.Context, by console.Actor, connector console.ID, file io.Reader) (console.ID, error)

// MayUpload returns an error if the caller may not upload files of a connector.
func (c *Console) MayUpload(ctx context.Context, caller Caller, connector console.ID) error {
	return c.read(ctx, caller, configuring.at(connector), func(tx *store.Tx, me console.Person) error {
		_, _, err := seeConnector(tx, me, connector, console.ConfigureConnectors)
		return err
	})
}

// Upload stores a sync file that the caller uploads for a connector, and schedules its application.
// If the connector also syncs by itself, the sync is held until a second person confirms it. Invalid
// if it cannot be read; Refused, but kept, if it began before the head.
func (c *Console) Upload(ctx context.Context, caller Caller, connector console.ID, file io.Reader) (id console.ID, err error) {
	if err := c.MayUpload(ctx, caller, connector); err != nil {
		return "", err
	}
	if c.receive == nil {
		return "", baton.Errorf(baton.Unsupported, "this console takes no files")
	}
	if id, err = c.receive(ctx, c.by(caller).Actor, connector, file); err != nil {
		return "", err
	}
	var refused error
	err = c.change(ctx, caller, configuring.at(connector), func(tx *store.Tx, me console.Person) error {
		refused = nil
		con, _, err := seeConnector(tx, me, connector, console.ConfigureConnectors) // rights can change while a large file is uploaded
		if err != nil {
			return err
		}
		s, err := tx.Sync(id)
		if err != nil {
			return err
		}
		if s.State == console.SyncRefused {
			refused = baton.Errorf(baton.Invalid, "the file is refused: %s", s.Why).WithFix("Choose another file. What was refused is in the list of syncs.")
			return nil
		}
		head, err := tx.HeadSync(con.Stream)
		if err != nil {
			return err
		}
		if console.OrderOf(s, head, nil) == console.TooOld {
			refused = baton.Errorf(baton.Refused, "the sync in the file began on %s UTC, and one that began on %s UTC is applied", minute(s.Began), minute(head.Began)).
				WithFix("The file is kept and not applied. Choose a newer one.")
			return tx.EndSync(id, console.SyncSuperseded, "a sync that began later is applied already")
		}
		return tx.SetDue(console.DueIngest, string(id), c.now(), nil)
	})
	if err == nil {
		err = refused
	}
	return id, err
}

func minute(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04") }
