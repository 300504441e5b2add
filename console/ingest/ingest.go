// Package ingest applies sync files to the store.
//
// A sync file is stored as it is ([Ingester.Receive]), then applied ([Ingester.Apply]): its rows are
// compared with the connector's head, and only differences are written.
//
//	identities number every resource and entitlement in the head or the file
//	grants read the file's grants as pairs of numbers, sorted like the stored facts
//	judge hold the sync if it removes too much, before anything is written
//	write opened, changed and closed resources, entitlements and facts
//	publish move the head, in one short transaction
//
// A damaged or contradictory file, or one of another connector, is refused and changes nothing. If
// the process dies, the next one undoes its writes.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"baton"
	"baton/c1z"
	"baton/console"
	"baton/console/store"
	"baton/console/syncfile"
)

// Ingester applies sync files to a store. It must not be copied.
type Ingester struct {
	Store   *store.Store
	Now     func() time.Time
	Scratch string             // folder for unpacked files
	Policy  console.HoldPolicy // zero means console.DefaultHoldPolicy

	unpacked unpacked
}

// errFile marks an error in the file. The sync is refused with it.
type errFile struct{ error }

func (e errFile) Unwrap() error { return e.error }

// blame marks an error of reading a file, unless the machine or the caller caused it.
func blame(err error) error {
	switch baton.KindOf(err) {
	case baton.Corrupt, baton.Unsupported, baton.Invalid, baton.NotFound, baton.Incomplete:
		return errFile{err}
	}
	return err
}

func unusable(format string, args ...any) error {
	return errFile{baton.Errorf(baton.Corrupt, format, args...)}
}

func (in *Ingester) by(actor console.Actor) console.By {
	return console.By{At: in.Now(), Actor: actor}
}

// Apply applies a received or confirmed sync. It returns the sync in its new state: applied, held,
// refused, superseded or stored. After an error the sync is unchanged, and Apply can be called
// again.
func (in *Ingester) Apply(ctx context.Context, actor console.Actor, id console.ID) (console.Sync, error) {
	s, err := in.sync(ctx, id)
	if err != nil {
		return s, err
	}
	err = in.apply(ctx, actor, s)
	if file := (errFile{}); errors.As(err, &file) {
		err = in.Store.Update(ctx, in.by(actor), func(t *store.Tx) error { return t.EndSync(id, console.SyncRefused, file.Error()) })
	}
	if err != nil {
		return s, fmt.Errorf("apply sync %s: %w", id, err)
	}
	return in.sync(ctx, id)
}

func (in *Ingester) sync(ctx context.Context, id console.ID) (s console.Sync, err error) {
	err = in.Store.View(ctx, func(t *store.Tx) error {
		s, err = t.Sync(id)
		return err
	})
	return s, err
}

// apply returns nil if the state of the sync records the outcome.
func (in *Ingester) apply(ctx context.Context, actor console.Actor, s console.Sync) error {
	f, err := in.open(ctx, s.File)
	if err != nil {
		return err
	}
	defer f.Close()
	from, err := f.Latest()
	if err != nil {
		return blame(err)
	}
	st, err := in.Store.BeginSync(ctx, in.by(actor), s.ID)
	if baton.KindOf(err) == baton.Refused {
		if now, e := in.sync(ctx, s.ID); e == nil && now.State != s.State {
			return nil // the state is superseded or stored
		}
	}
	if err != nil {
		return err
	}
	st.Now = in.Now
	err = in.stage(ctx, actor, st, from, s.State == console.SyncConfirmed)
	if file := (errFile{}); errors.As(err, &file) {
		return st.Refuse(ctx, in.by(actor), file.Error())
	}
	if err != nil {
		// The context may have ended. If undoing fails, the next BeginSync does it.
		undo := context.WithoutCancel(ctx)
		return errors.Join(err, st.Abandon(undo, in.by(actor)))
	}
	return nil
}

// stage compares the sync with the head, and holds or publishes it.
func (in *Ingester) stage(ctx context.Context, actor console.Actor, st *store.Staging, from syncfile.Sync, confirmed bool) error {
	d := &delta{st: st, rows: from, targeted: st.Sync.Kind == console.SyncTargeted}
	if err := d.readIdentities(ctx); err != nil {
		return err
	}
	if err := d.readGrants(ctx); err != nil {
		return err
	}
	if !confirmed {
		holds, err := in.judge(ctx, d)
		if err != nil {
			return err
		}
		if len(holds) > 0 {
			return st.Hold(ctx, in.by(actor), holds)
		}
	}
	if err := d.write(ctx); err != nil {
		return err
	}
	counts := d.counts
	if d.targeted {
		st.Scope = d.scope()
	}
	*d = delta{} // frees memory for sorting
	return st.Publish(ctx, in.by(actor), counts)
}

// fetch copies a raw file into the scratch folder.
func (in *Ingester) fetch(ctx context.Context, id console.ID) (path string, err error) {
	r, _, err := in.Store.OpenFile(ctx, id)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(in.Scratch, "sync-*.c1z")
	if err != nil {
		return "", baton.Errorf(baton.Storage, "%w", err)
	}
	defer func() {
		if e := f.Close(); err == nil && e != nil {
			err = baton.Errorf(baton.Storage, "%w", e)
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err := io.Copy(f, r); err != nil {
		return "", err
	}
	return f.Name(), nil
}

// kindOf returns the kind of a sync from the type in its file and from its origin.
func kindOf(fileType string, origin console.SyncKind) console.SyncKind {
	switch {
	case fileType == c1z.Full:
		return origin
	case origin == console.SyncTargeted && fileType == c1z.Partial:
		return console.SyncTargeted
	}
	return console.SyncPartial
}
