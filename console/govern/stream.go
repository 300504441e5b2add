package govern

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// StreamLine is an event of the stream. Whoever has it resumes behind it with its cursor.
type StreamLine struct {
	AuditLine
	Cursor string `json:"cursor"`
}

// cursorOf returns the place behind an event. It names the event by its hash, too: after a restore,
// other events have the numbers of those that were lost.
func cursorOf(e store.Event) string {
	return fmt.Sprintf("%d-%d-%.16s", e.Epoch, e.Number, e.Hash)
}

// The limits of a stream of events.
const (
	MaxStreamWait = 5 * time.Minute // how long one call waits for events
	streamPoll    = time.Second     // wake-ups can be lost
	streamIdle    = 15 * time.Second
)

// StreamAudit passes on every event behind a cursor, oldest first, each as it is stored, then waits
// for further ones for a while. The cursor "" begins with the first event, "now" behind the last.
// idle is called while nothing happens. It needs the right to read every event; that, and the
// credential, are checked again all the time.
func (c *Console) StreamAudit(ctx context.Context, caller Caller, cursor string, wait time.Duration, line func(StreamLine) error, idle func() error) error {
	if wait < 0 || wait > MaxStreamWait {
		return baton.Errorf(baton.Invalid, "a call waits for 0 to %d seconds", int(MaxStreamWait.Seconds()))
	}
	var after int64
	err := c.change(ctx, caller, reading, func(tx *store.Tx, me console.Person) (err error) {
		if err := console.SeeAudit.Check(me, console.Object{}); err != nil {
			return err
		}
		if after, err = behind(tx, cursor); err != nil {
			return err
		}
		reader := "person:" + string(me.Canonical())
		if caller.Client != nil {
			reader = string(caller.Client.ID)
		}
		return tx.ReadsAudit(reader, after)
	})
	if err != nil {
		return err
	}
	woken, done := c.Watch()
	defer done()
	ticker := time.NewTicker(streamPoll)
	defer ticker.Stop()
	end, quiet := time.NewTimer(wait), time.Duration(0)
	defer end.Stop()
	for over := wait == 0; ; {
		var page []store.Event
		err := c.view(ctx, caller, func(tx *store.Tx, me console.Person) (err error) {
			if err := console.SeeAudit.Check(me, console.Object{}); err != nil {
				return err
			}
			page, err = tx.Events(store.EventFilter{}, after, store.PageSize)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := line(StreamLine{AuditLine{e.Number, e.Epoch, e.Previous, e.Hash, e.Payload}, cursorOf(e)}); err != nil {
				return err
			}
			after, quiet = e.Number, 0
		}
		if len(page) == store.PageSize {
			continue
		}
		if over {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			over = true // what came meanwhile is passed on yet
		case <-woken:
		case <-ticker.C:
			if quiet += streamPoll; quiet >= streamIdle {
				quiet = 0
				if err := idle(); err != nil {
					return err
				}
			}
		}
	}
}

// behind returns the number of the event that a cursor is behind.
func behind(tx *store.Tx, cursor string) (int64, error) {
	head, err := tx.ChainHead()
	if err != nil || cursor == "" {
		return 0, err
	}
	if cursor == "now" {
		return head.Number, nil
	}
	parts := strings.Split(cursor, "-")
	if len(parts) != 3 || len(parts[2]) != 16 {
		return 0, baton.Errorf(baton.Invalid, "%q is no cursor", cursor).WithFix("Use the cursor of the last line that you have, or none to begin with the first event.")
	}
	number, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || number < 1 {
		return 0, baton.Errorf(baton.Invalid, "%q is no cursor", cursor).WithFix("Use the cursor of the last line that you have, or none to begin with the first event.")
	}
	e, err := tx.EventHash(number)
	if err == nil && cursorOf(e) == cursor {
		return number, nil
	}
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return 0, err
	}
	return 0, baton.Errorf(baton.Refused, "the console has no event %s: it was restored from a backup before that event", cursor).
		WithFix("The chain goes on in epoch %d. Read it again from the beginning, or from a cursor of before the backup.", head.Epoch)
}
