package store

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// MaxChunk is the largest chunk of a file, in bytes.
const MaxChunk = 1 << 20

// File is a stored file, for example of a sync.
type File struct {
	ID       console.ID
	Began    time.Time
	Finished time.Time // zero until it is complete
	Size     int64
	SHA256   [sha256.Size]byte
	Chunks   int
	Dropped  time.Time // when its bytes were deleted; zero while they exist
}

// BeginFile creates a file. It does not count before FinishFile.
func (t *Tx) BeginFile(id console.ID) error {
	return t.insert("file "+string(id), "INSERT INTO file (id, began, size, sha256, chunks) VALUES ($1, $2, 0, $3, 0)", id, t.by.At, []byte{})
}

// AppendFile adds the next chunk of up to [MaxChunk] bytes. Invalid if the index is not the number
// of chunks so far; NotFound if the file is finished or discarded.
func (t *Tx) AppendFile(id console.ID, index int, chunk []byte) error {
	if len(chunk) == 0 || len(chunk) > MaxChunk {
		return baton.Errorf(baton.Invalid, "a chunk has 1 to %d bytes, not %d", MaxChunk, len(chunk))
	}
	f, err := t.unfinishedFile(id)
	if err != nil {
		return err
	}
	if index != f.Chunks {
		return baton.Errorf(baton.Invalid, "chunk %d comes next, not %d", f.Chunks, index)
	}
	if _, err := t.e.Exec("INSERT INTO file_chunk (file, number, data) VALUES ($1, $2, $3)", id, index, chunk); err != nil {
		return err
	}
	return t.change("file", "UPDATE file SET chunks = chunks + 1, size = size + $2 WHERE id = $1", id, len(chunk))
}

// FinishFile completes a file. Invalid if the size differs. The hash covers all bytes; the caller
// computes it while appending.
func (t *Tx) FinishFile(id console.ID, size int64, sum [sha256.Size]byte) (File, error) {
	f, err := t.unfinishedFile(id)
	if err != nil {
		return f, err
	}
	if f.Size != size {
		return f, baton.Errorf(baton.Invalid, "the file has %d bytes, not %d", f.Size, size)
	}
	f.Finished, f.SHA256 = t.by.At, sum
	return f, t.change("file", "UPDATE file SET finished = $2, sha256 = $3 WHERE id = $1", id, t.by.At, sum)
}

const fileColumns = "id, began, finished, size, sha256, chunks, dropped"

func scanFile(r engine.Row) File {
	f := File{ID: console.ID(r.Text(0)), Began: at(r, 1), Finished: at(r, 2), Size: r.Int(3), Chunks: int(r.Int(5)), Dropped: at(r, 6)}
	copy(f.SHA256[:], r.Bytes(4))
	return f
}

// File returns a file, even if its bytes were deleted.
func (t *Tx) File(id console.ID) (File, error) {
	return get(t, scanFile, "file", "SELECT "+fileColumns+" FROM file WHERE id = $1", id)
}

func (t *Tx) lockFile(id console.ID) (File, error) {
	return get(t, scanFile, "file", "SELECT "+fileColumns+" FROM file WHERE id = $1 FOR UPDATE", id)
}

func (t *Tx) unfinishedFile(id console.ID) (File, error) {
	return get(t, scanFile, "unfinished file", "SELECT "+fileColumns+" FROM file WHERE id = $1 AND finished IS NULL FOR UPDATE", id)
}

// FileChunk returns a chunk of a finished file.
func (t *Tx) FileChunk(id console.ID, index int) ([]byte, error) {
	return get(t, func(r engine.Row) []byte { return r.Bytes(0) }, "chunk of the file",
		"SELECT c.data FROM file_chunk c JOIN file f ON f.id = c.file WHERE c.file = $1 AND c.number = $2 AND f.finished IS NOT NULL", id, index)
}

// DiscardFile deletes an unfinished file. It does nothing if there is none.
func (t *Tx) DiscardFile(id console.ID) error {
	f, err := find(t, scanFile, "SELECT "+fileColumns+" FROM file WHERE id = $1 AND finished IS NULL FOR UPDATE", id)
	if err != nil || f == nil {
		return err
	}
	if _, err := t.e.Exec("DELETE FROM file_chunk WHERE file = $1", id); err != nil {
		return err
	}
	_, err = t.e.Exec("DELETE FROM file WHERE id = $1", id)
	return err
}

// RemoveFile deletes a file, finished or not, that nothing refers to. It does nothing if there is
// none.
func (t *Tx) RemoveFile(id console.ID) error {
	f, err := find(t, scanFile, "SELECT "+fileColumns+" FROM file WHERE id = $1 FOR UPDATE", id)
	if err != nil || f == nil {
		return err
	}
	used, err := find(t, func(r engine.Row) string { return r.Text(0) },
		"SELECT id FROM sync WHERE file = $1 UNION ALL SELECT holder FROM file_keep WHERE file = $1 LIMIT 1", id)
	if err != nil {
		return err
	}
	if used != nil {
		return baton.Errorf(baton.Refused, "the file is used by %s", *used)
	}
	for _, sql := range []string{"DELETE FROM file_chunk WHERE file = $1", "DELETE FROM file WHERE id = $1"} {
		if _, err := t.e.Exec(sql, id); err != nil {
			return err
		}
	}
	return nil
}

// KeepFile keeps the bytes of a file until every holder has released it.
func (t *Tx) KeepFile(id console.ID, holder string) error {
	f, err := t.lockFile(id)
	if err != nil {
		return err
	}
	if !f.Dropped.IsZero() {
		return baton.Errorf(baton.Refused, "the bytes of the file were deleted on %s", f.Dropped.Format(time.DateOnly))
	}
	_, err = t.e.Exec("INSERT INTO file_keep (file, holder) VALUES ($1, $2) ON CONFLICT (file, holder) DO NOTHING", id, holder)
	return err
}

// ReleaseFile reverts KeepFile.
func (t *Tx) ReleaseFile(id console.ID, holder string) error {
	_, err := t.e.Exec("DELETE FROM file_keep WHERE file = $1 AND holder = $2", id, holder)
	return err
}

const dropBatch = 16

// DropFiles deletes the bytes of a connector's sync files, except those of its newest keep syncs, of
// held syncs and of kept files. Their hashes remain. It returns the number of files.
func (s *Store) DropFiles(ctx context.Context, by console.By, connector console.ID, keep int) (dropped int, err error) {
	var ids []console.ID
	err = s.View(ctx, func(t *Tx) error {
		ids, err = list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, `SELECT f.id FROM file f
			WHERE f.dropped IS NULL AND f.finished IS NOT NULL AND NOT EXISTS (SELECT 1 FROM file_keep k WHERE k.file = f.id)
			AND f.id IN (SELECT file FROM sync WHERE connector = $1 AND state NOT IN ('received', 'staging', 'held', 'confirmed'))
			AND f.id NOT IN (SELECT file FROM sync WHERE connector = $1 AND file IS NOT NULL ORDER BY received DESC, id DESC LIMIT $2)
			ORDER BY f.began, f.id`, connector, keep)
		return err
	})
	for _, id := range ids {
		if err != nil {
			return dropped, err
		}
		var done bool
		if done, err = s.dropFile(ctx, by, id); done {
			dropped++
		}
	}
	return dropped, err
}

// dropFile deletes the bytes of a file that nobody keeps: it marks the file as dropped, then deletes
// the chunks in small transactions. If the process dies in between, SweepFiles deletes the rest.
func (s *Store) dropFile(ctx context.Context, by console.By, id console.ID) (dropped bool, err error) {
	err = s.Update(ctx, by, func(t *Tx) error {
		f, err := t.lockFile(id)
		if err != nil {
			return err
		}
		kept, err := find(t, func(r engine.Row) string { return r.Text(0) }, "SELECT holder FROM file_keep WHERE file = $1 LIMIT 1", id)
		if err != nil {
			return err
		}
		if dropped = kept == nil && f.Dropped.IsZero(); !dropped {
			return nil
		}
		if err := t.change("file", "UPDATE file SET dropped = $2 WHERE id = $1", id, by.At); err != nil {
			return err
		}
		return t.event(console.Event{Kind: "file.dropped", Object: string(id)}, nil)
	})
	if err != nil || !dropped {
		return false, err
	}
	return true, s.deleteChunks(ctx, id)
}

func (s *Store) deleteChunks(ctx context.Context, id console.ID) error {
	for {
		n := int64(0)
		err := s.db.Write(ctx, func(e engine.Tx) (err error) {
			n, err = e.Exec(`DELETE FROM file_chunk WHERE file = $1 AND number < (SELECT min(number) FROM file_chunk WHERE file = $1) + $2
				AND EXISTS (SELECT 1 FROM file WHERE id = $1 AND dropped IS NOT NULL)`, id, dropBatch)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// SweepFiles deletes files that were begun before a time and never finished, and remaining chunks of
// dropped files.
func (s *Store) SweepFiles(ctx context.Context, by console.By, before time.Time) error {
	var unfinished, left []console.ID
	id := func(r engine.Row) console.ID { return console.ID(r.Text(0)) }
	err := s.View(ctx, func(t *Tx) (err error) {
		if unfinished, err = list(t, id, "SELECT id FROM file WHERE finished IS NULL AND began < $1", before); err != nil {
			return err
		}
		left, err = list(t, id, "SELECT DISTINCT c.file FROM file f JOIN file_chunk c ON c.file = f.id AND c.number >= 0 WHERE f.dropped IS NOT NULL")
		return err
	})
	for _, f := range unfinished {
		if err == nil {
			err = s.Update(ctx, by, func(t *Tx) error { return t.DiscardFile(f) })
		}
	}
	for _, f := range left {
		if err == nil {
			err = s.deleteChunks(ctx, f)
		}
	}
	return err
}

// OpenFile returns the bytes of a finished file. It reads each chunk in a transaction of its own,
// and ends with a Corrupt error if the bytes do not match the file's size and hash.
func (s *Store) OpenFile(ctx context.Context, id console.ID) (io.Reader, File, error) {
	var f File
	err := s.View(ctx, func(t *Tx) (err error) {
		f, err = t.File(id)
		return err
	})
	switch {
	case err != nil:
		return nil, f, err
	case f.Finished.IsZero():
		return nil, f, baton.Errorf(baton.NotFound, "the file is not finished")
	case !f.Dropped.IsZero():
		return nil, f, baton.Errorf(baton.NotFound, "the bytes of the file were deleted on %s", f.Dropped.Format(time.DateOnly))
	}
	return &fileReader{ctx: ctx, s: s, file: f, sum: sha256.New()}, f, nil
}

type fileReader struct {
	ctx  context.Context
	s    *Store
	file File
	next int
	buf  []byte
	sum  hash.Hash
}

func (r *fileReader) Read(p []byte) (int, error) {
	for len(r.buf) == 0 {
		if r.next == r.file.Chunks {
			if [sha256.Size]byte(r.sum.Sum(nil)) != r.file.SHA256 {
				return 0, baton.Errorf(baton.Corrupt, "file %s does not have the hash %x that was recorded", r.file.ID, r.file.SHA256)
			}
			return 0, io.EOF
		}
		err := r.s.View(r.ctx, func(t *Tx) (err error) {
			r.buf, err = t.FileChunk(r.file.ID, r.next)
			return err
		})
		if err != nil {
			return 0, baton.Errorf(baton.KindOf(err), "read file %s: %w", r.file.ID, err)
		}
		r.sum.Write(r.buf)
		r.next++
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}
