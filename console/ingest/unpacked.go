package ingest

import (
	"context"
	"os"
	"sync"
	"time"

	"baton/console"
	"baton/console/syncfile"
)

// unpacked keeps the file that was read last for a while, because a file is examined, recorded and
// applied one after the other. Without it, each of these unpacks the file.
type unpacked struct {
	mu    sync.Mutex
	id    console.ID // of the raw file
	file  *syncfile.File
	close *time.Timer
}

// keepUnpacked is how long a file stays unpacked.
const keepUnpacked = time.Minute

// put keeps a file, and closes the one before.
func (u *unpacked) put(id console.ID, f *syncfile.File) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drop()
	u.id, u.file = id, f
	u.close = time.AfterFunc(keepUnpacked, func() {
		if f := u.take(id); f != nil {
			f.Close()
		}
	})
}

// take returns the file if it is kept, and nil otherwise. The caller closes it.
func (u *unpacked) take(id console.ID) *syncfile.File {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil || u.id != id {
		return nil
	}
	f := u.file
	u.file = nil
	u.close.Stop()
	return f
}

func (u *unpacked) drop() {
	if u.file != nil {
		u.close.Stop()
		u.file.Close()
		u.file = nil
	}
}

// open opens a raw file of the store.
func (in *Ingester) open(ctx context.Context, id console.ID) (*syncfile.File, error) {
	if f := in.unpacked.take(id); f != nil {
		return f, nil
	}
	path, err := in.fetch(ctx, id)
	if err != nil {
		return nil, err
	}
	defer os.Remove(path)
	return in.unpack(ctx, path)
}

func (in *Ingester) unpack(ctx context.Context, path string) (*syncfile.File, error) {
	f, err := syncfile.Open(ctx, path, "the sync file", in.Scratch)
	return f, blame(err)
}
