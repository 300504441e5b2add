package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/syncfile"
)

// Origin is where a sync file comes from.
type Origin struct {
	Connector console.ID
	Task      console.ID // "" for uploads and imports
	// Kind is SyncFull or SyncTargeted for a task of that kind, SyncUpload for an upload, SyncImport
	// for history. A file without a full sync gets the kind of its content.
	Kind       console.SyncKind
	Dispatched time.Time // when the task was dispatched
}

// MaxFile is the largest sync file that is accepted, in bytes.
const MaxFile = 4 << 30

// Receive stores a sync file and its sync, for Apply. A file that cannot be read becomes a refused
// sync, whose Why is the reason; Receive returns its ID too.
func (in *Ingester) Receive(ctx context.Context, actor console.Actor, o Origin, r io.Reader) (id console.ID, err error) {
	f, err := os.CreateTemp(in.Scratch, "received-*.c1z")
	if err != nil {
		return "", baton.Errorf(baton.Storage, "receive: %w", err)
	}
	defer func() {
		f.Close()
		os.Remove(f.Name())
	}()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, MaxFile+1))
	if err != nil {
		return "", baton.Errorf(baton.KindOf(err), "receive a sync file: %w", err)
	}
	if size > MaxFile {
		return "", baton.Errorf(baton.Invalid, "the file is larger than %d bytes", int64(MaxFile))
	}
	file := console.NewID(in.Now())
	if err := in.keep(ctx, actor, file, f, size, [32]byte(sum.Sum(nil))); err != nil {
		return "", err
	}
	began, kind := in.Now(), o.Kind
	unpacked, refused := in.unpack(ctx, f.Name())
	if refused == nil {
		began, kind, refused = in.inspect(unpacked, file, o.Kind)
	}
	if refused != nil && !errors.As(refused, new(errFile)) {
		return "", refused
	}
	err = in.Store.Update(ctx, in.by(actor), func(t *store.Tx) error {
		id, err = t.ReceiveSync(console.Sync{Connector: o.Connector, Task: o.Task, Kind: kind, Dispatched: o.Dispatched,
			Began: began, File: file, SHA256: sum.Sum(nil), Size: size})
		if err == nil && refused != nil {
			err = t.EndSync(id, console.SyncRefused, refused.Error())
		}
		return err
	})
	return id, err
}

// inspect returns when the newest sync of a file began, and its kind. It keeps the file unpacked.
func (in *Ingester) inspect(f *syncfile.File, id console.ID, origin console.SyncKind) (time.Time, console.SyncKind, error) {
	s, err := f.Latest()
	if err != nil {
		f.Close()
		return in.Now(), origin, blame(err)
	}
	in.unpacked.put(id, f)
	return s.Started, kindOf(s.Type, origin), nil
}

// keep stores the bytes of a file in chunks.
func (in *Ingester) keep(ctx context.Context, actor console.Actor, id console.ID, f io.ReadSeeker, size int64, sum [32]byte) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return baton.Errorf(baton.Storage, "receive: %w", err)
	}
	if err := in.Store.Update(ctx, in.by(actor), func(t *store.Tx) error { return t.BeginFile(id) }); err != nil {
		return err
	}
	buf := make([]byte, store.MaxChunk)
	for index := 0; ; index++ {
		n, err := io.ReadFull(f, buf)
		if n > 0 {
			chunk := buf[:n]
			if err := in.Store.Update(ctx, in.by(actor), func(t *store.Tx) error { return t.AppendFile(id, index, chunk) }); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return baton.Errorf(baton.Storage, "receive: %w", err)
		}
	}
	return in.Store.Update(ctx, in.by(actor), func(t *store.Tx) error {
		_, err := t.FinishFile(id, size, sum)
		return err
	})
}
