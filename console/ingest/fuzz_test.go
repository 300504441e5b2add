package ingest_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"baton/c1z"
	"baton/console"
	"baton/console/ingest"
	"baton/console/store"
)

// FuzzApply replaces bytes in the database of a sound file. The sync ends as applied, held or
// refused, and one that is not applied changes nothing in the store.
func FuzzApply(f *testing.F) {
	const magic = "C1ZF\x00"
	w := newWorld(f)
	b, err := os.ReadFile(small().file(f, 1, c1z.Full))
	if err != nil {
		f.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		f.Fatal(err)
	}
	defer dec.Close()
	db, err := dec.DecodeAll(bytes.TrimPrefix(b, []byte(magic)), nil)
	if err != nil {
		f.Fatal(err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint(0), []byte("SQLite format 3"))
	for _, text := range []string{"u1", "staff", "group:staff:member", "user", "ana", "full"} {
		if at := bytes.Index(db, []byte(text)); at >= 0 {
			f.Add(uint(at), []byte("u2"))
			f.Add(uint(at-2), []byte{0, 0x7f, 0xff})
		}
	}
	facts := func(t *testing.T) (n int) {
		err := w.s.View(t.Context(), func(tx *store.Tx) error {
			m, err := tx.Moment(w.app, time.Time{})
			if err != nil {
				return err
			}
			accounts, err := tx.Accounts(m, store.ResourceAfter{}, store.PageSize)
			for _, a := range accounts {
				held, err := tx.HeldBy(m, a.Key, 0, store.PageSize)
				if err != nil {
					return err
				}
				n += 1 + len(held)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	f.Fuzz(func(t *testing.T, at uint, over []byte) {
		damaged := append([]byte(nil), db...)
		copy(damaged[at%uint(len(damaged)):], over)
		before := facts(t)
		id, err := w.in.Receive(t.Context(), console.Console, ingest.Origin{Connector: w.connector, Kind: console.SyncFull}, bytes.NewReader(append([]byte(magic), enc.EncodeAll(damaged, nil)...)))
		if err != nil {
			t.Fatal(err)
		}
		var s console.Sync
		err = w.s.View(t.Context(), func(tx *store.Tx) (err error) {
			s, err = tx.Sync(id)
			return err
		})
		if err == nil && s.State == console.SyncReceived {
			s, err = w.in.Apply(t.Context(), console.Console, id)
		}
		if err != nil {
			t.Fatal(err)
		}
		switch s.State {
		case console.SyncApplied:
		case console.SyncHeld, console.SyncRefused, console.SyncSuperseded, console.SyncStored:
			if after := facts(t); after != before {
				t.Errorf("a sync that is %s changed what is shown: %d rows, before %d", s.State, after, before)
			}
		default:
			t.Errorf("the sync is %s", s.State)
		}
	})
}
