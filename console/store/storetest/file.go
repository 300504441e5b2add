package storetest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// storeFile stores bytes in chunks.
func storeFile(t testing.TB, s *store.Store, minute int, content []byte, chunk int) console.ID {
	t.Helper()
	id := console.NewID(at(minute))
	update(t, s, by(minute), func(tx *store.Tx) error { return tx.BeginFile(id) })
	for i, rest := 0, content; len(rest) > 0; i++ {
		n := min(chunk, len(rest))
		update(t, s, by(minute), func(tx *store.Tx) error { return tx.AppendFile(id, i, rest[:n]) })
		rest = rest[n:]
	}
	update(t, s, by(minute), func(tx *store.Tx) error {
		f, err := tx.FinishFile(id, int64(len(content)), sha256.Sum256(content))
		if err == nil && (f.Size != int64(len(content)) || f.Finished.IsZero()) {
			t.Errorf("finished as %+v", f)
		}
		return err
	})
	return id
}

func testFile(t *testing.T, db Database) {
	s := open(t, db)
	content := make([]byte, 3*store.MaxChunk+77)
	rnd := rand.NewChaCha8([32]byte{1})
	rnd.Read(content)
	for name, tt := range map[string]struct {
		content []byte
		chunk   int
	}{"large": {content, store.MaxChunk}, "one byte": {[]byte{0}, 1}, "empty": {nil, 1}, "small chunks": {content[:1000], 7}} {
		id := storeFile(t, s, 1, tt.content, tt.chunk)
		r, f, err := s.OpenFile(ctx, id)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f.Size != int64(len(tt.content)) || f.SHA256 != sha256.Sum256(tt.content) {
			t.Errorf("%s: %+v", name, f)
		}
		if err := iotest.TestReader(r, tt.content); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	id := console.NewID(at(2))
	update(t, s, by(2), func(tx *store.Tx) error { return tx.BeginFile(id) })
	update(t, s, by(2), func(tx *store.Tx) error { return tx.AppendFile(id, 0, []byte("abc")) })
	for name, tt := range map[string]struct {
		want baton.Kind
		fn   func(tx *store.Tx) error
	}{
		"the same again":      {baton.AlreadyExists, func(tx *store.Tx) error { return tx.BeginFile(id) }},
		"a chunk twice":       {baton.Invalid, func(tx *store.Tx) error { return tx.AppendFile(id, 0, []byte("abc")) }},
		"a chunk left out":    {baton.Invalid, func(tx *store.Tx) error { return tx.AppendFile(id, 2, []byte("abc")) }},
		"an empty chunk":      {baton.Invalid, func(tx *store.Tx) error { return tx.AppendFile(id, 1, nil) }},
		"a large chunk":       {baton.Invalid, func(tx *store.Tx) error { return tx.AppendFile(id, 1, make([]byte, store.MaxChunk+1)) }},
		"another size":        {baton.Invalid, func(tx *store.Tx) error { _, err := tx.FinishFile(id, 4, [32]byte{}); return err }},
		"a file of nobody":    {baton.NotFound, func(tx *store.Tx) error { return tx.AppendFile("none", 0, []byte("abc")) }},
		"reading a chunk":     {baton.NotFound, func(tx *store.Tx) error { _, err := tx.FileChunk(id, 0); return err }},
		"finishing of nobody": {baton.NotFound, func(tx *store.Tx) error { _, err := tx.FinishFile("none", 0, [32]byte{}); return err }},
	} {
		fails(t, s, by(3), name, tt.want, tt.fn)
	}
	_, _, err := s.OpenFile(ctx, id)
	wantKind(t, "open an unfinished file", err, baton.NotFound)
	update(t, s, by(4), func(tx *store.Tx) error {
		return errJoin(tx.DiscardFile(id), tx.DiscardFile(id), tx.DiscardFile("none"))
	})
	fails(t, s, by(5), "append to a discarded file", baton.NotFound, func(tx *store.Tx) error { return tx.AppendFile(id, 1, []byte("abc")) })

	// Reading the file detects a changed byte in the database.
	id = storeFile(t, s, 6, []byte("abcdef"), 4)
	err = s.Engine().Write(ctx, func(e engine.Tx) error {
		_, err := e.Exec("UPDATE file_chunk SET data = $1 WHERE file = $2 AND number = 1", []byte("eF"), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := s.OpenFile(ctx, id)
	if err == nil {
		_, err = io.ReadAll(r)
	}
	wantKind(t, "a changed byte", err, baton.Corrupt)
}

func testFileRetention(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	var files []console.ID
	for i := range 6 {
		content := bytes.Repeat([]byte{byte(i)}, 40)
		file := storeFile(t, s, i, content, 1) // more chunks than one transaction deletes
		files = append(files, file)
		var id console.ID
		update(t, s, by(i), func(tx *store.Tx) (err error) {
			id, err = tx.ReceiveSync(console.Sync{Connector: w.connector, Kind: console.SyncFull, Began: at(i), File: file})
			return err
		})
		st, err := s.BeginSync(ctx, by(i), id)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := st.Hold(ctx, by(i), []console.Hold{{Kind: console.HoldShrink}}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if i < 1 { // a newer applied sync would supersede the held one
			if err := st.Publish(ctx, by(i), console.Counts{}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := st.Refuse(ctx, by(i), "damaged"); err != nil {
			t.Fatal(err)
		}
	}
	update(t, s, by(7), func(tx *store.Tx) error {
		return errJoin(tx.KeepFile(files[2], "pack 1"), tx.KeepFile(files[2], "pack 2"))
	})
	drop := func(minute, keep, want int) {
		t.Helper()
		if n, err := s.DropFiles(ctx, by(minute), w.connector, keep); err != nil || n != want {
			t.Errorf("%d files were dropped, %v; want %d", n, err, want)
		}
	}
	drop(8, 2, 2)
	state := func() (there string) {
		for i, id := range files {
			r, f, err := s.OpenFile(ctx, id)
			if err == nil {
				_, err = io.ReadAll(r)
				there += fmt.Sprint(i)
			}
			if f.SHA256 != sha256.Sum256(bytes.Repeat([]byte{byte(i)}, 40)) {
				t.Errorf("file %d lost its hash", i)
			}
			if err != nil && baton.KindOf(err) != baton.NotFound {
				t.Error(err)
			}
		}
		return there
	}
	if got := state(); got != "1245" {
		t.Errorf("files %s are there; want the held 1, the kept 2, and the newest 4 and 5", got)
	}
	fails(t, s, by(9), "keep what was dropped", baton.Refused, func(tx *store.Tx) error { return tx.KeepFile(files[0], "pack 1") })
	update(t, s, by(9), func(tx *store.Tx) error { return tx.ReleaseFile(files[2], "pack 1") })
	drop(10, 2, 0)
	update(t, s, by(11), func(tx *store.Tx) error { return tx.ReleaseFile(files[2], "pack 2") })
	drop(12, 2, 1)
	if got := state(); got != "145" {
		t.Errorf("files %s are there", got)
	}
	// Files that were never finished, and remaining chunks of dropped files.
	unfinished := console.NewID(at(13))
	update(t, s, by(13), func(tx *store.Tx) error {
		return errJoin(tx.BeginFile(unfinished), tx.AppendFile(unfinished, 0, []byte("abc")))
	})
	err := s.Engine().Write(ctx, func(e engine.Tx) error {
		_, err := e.Exec("INSERT INTO file_chunk (file, number, data) VALUES ($1, 3, $2)", files[0], []byte("left"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SweepFiles(ctx, by(20), at(13)); err != nil {
		t.Fatal(err)
	}
	update(t, s, by(20), func(tx *store.Tx) error { return tx.AppendFile(unfinished, 1, []byte("abc")) })
	if err := s.SweepFiles(ctx, by(20), at(14)); err != nil {
		t.Fatal(err)
	}
	fails(t, s, by(20), "append to a swept file", baton.NotFound, func(tx *store.Tx) error { return tx.AppendFile(unfinished, 2, []byte("abc")) })
	err = s.Engine().Read(ctx, func(e engine.Tx) error {
		return e.Query(func(r engine.Row) error {
			if n := r.Int(0); n != 3*40 {
				t.Errorf("%d chunks are left, want those of three files", n)
			}
			return nil
		}, "SELECT count(*) FROM file_chunk")
	})
	if err != nil {
		t.Fatal(err)
	}
}
