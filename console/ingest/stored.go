package ingest

import (
	"context"
	"errors"
	"io"
	"os"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Examine returns an error if a file cannot be applied. It is stored under id.
func (in *Ingester) Examine(ctx context.Context, id console.ID, r io.Reader) error {
	f, err := os.CreateTemp(in.Scratch, "examined-*.c1z")
	if err != nil {
		return baton.Errorf(baton.Storage, "receive: %w", err)
	}
	defer func() {
		f.Close()
		os.Remove(f.Name())
	}()
	if _, err := io.Copy(f, r); err != nil {
		return baton.Errorf(baton.KindOf(err), "receive a sync file: %w", err)
	}
	unpacked, err := in.unpack(ctx, f.Name())
	if err == nil {
		_, _, err = in.inspect(unpacked, id, console.SyncFull)
	}
	if file := (errFile{}); errors.As(err, &file) {
		return file.error
	}
	return err
}

// Stored is a sync whose file is in the store, but which is not recorded yet.
type Stored struct {
	sync    console.Sync
	refused error // why its file cannot be read
}

// ReadStored reads a stored file, so that its sync can be recorded.
func (in *Ingester) ReadStored(ctx context.Context, o Origin, file console.ID) (Stored, error) {
	s := Stored{sync: console.Sync{Connector: o.Connector, Task: o.Task, Dispatched: o.Dispatched, File: file, Began: in.Now(), Kind: o.Kind}}
	f, err := in.open(ctx, file)
	if err == nil {
		s.sync.Began, s.sync.Kind, err = in.inspect(f, file, o.Kind)
	}
	s.refused = err
	if s.refused != nil && !errors.As(s.refused, new(errFile)) {
		return Stored{}, s.refused
	}
	err = in.Store.View(ctx, func(t *store.Tx) error {
		f, err := t.File(file)
		s.sync.SHA256, s.sync.Size = f.SHA256[:], f.Size
		return err
	})
	return s, err
}

// Record records the sync in the transaction of a command, and returns its ID. ok is false if the
// file cannot be read: the sync is refused, and there is nothing to apply.
func (s Stored) Record(t *store.Tx) (id console.ID, ok bool, err error) {
	id, err = t.ReceiveSync(s.sync)
	if err == nil && s.refused != nil {
		err = t.EndSync(id, console.SyncRefused, s.refused.Error())
	}
	return id, s.refused == nil, err
}
