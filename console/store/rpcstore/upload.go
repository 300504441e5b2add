package rpcstore

import (
	"context"
	"time"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

const uploads = `SELECT u.id, u.connector, u.task, t.ref, u.kind, u.host, u.lease, u.lease_since, u.lease_until, f.began, f.finished, f.size, f.sha256, f.chunks
	FROM upload u JOIN file f ON f.id = u.id JOIN task t ON t.id = u.task `

func scanUpload(r engine.Row) rpc.Upload {
	u := rpc.Upload{ID: r.Text(0), Connector: r.Text(1), Task: r.Text(2), Ref: r.Text(3), Kind: rpc.UploadKind(r.Text(4)),
		Lease: rpc.Lease{Host: string(r.Bytes(5)), Number: int(r.Int(6)), Since: at(r, 7), Until: at(r, 8)},
		Began: at(r, 9), Finished: at(r, 10)}
	if !u.Finished.IsZero() {
		u.Size, u.Chunks = r.Int(11), int(r.Int(13))
		copy(u.SHA256[:], r.Bytes(12))
	}
	return u
}

// BeginUpload implements [rpc.Store].
func (s Store) BeginUpload(ctx context.Context, now time.Time, id string, h rpc.Holder, kind rpc.UploadKind) (u rpc.Upload, err error) {
	err = s.update(ctx, now, h.Connector, func(tx *store.Tx) error {
		e := tx.Engine()
		t, err := findTask(e, h.Connector, h.Task, forUpdate)
		if err != nil {
			return err
		}
		if err := t.CheckUpload(h, kind); err != nil {
			return err
		}
		number, err := tx.Numbers("task", 1)
		if err != nil {
			return err
		}
		if err := tx.BeginFile(console.ID(id)); err != nil {
			return err
		}
		err = engine.Insert(e, "upload "+id, `INSERT INTO upload (id, number, connector, task, kind, host, lease, lease_since, lease_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			id, number, h.Connector, h.Task, kind, []byte(t.Lease.Host), t.Lease.Number, t.Lease.Since, t.Lease.Until)
		if err != nil {
			return err
		}
		u, err = engine.Get(e, scanUpload, "upload "+id, uploads+"WHERE u.id = $1", id)
		return err
	})
	return u, err
}

// AppendUpload implements [rpc.Store].
func (s Store) AppendUpload(ctx context.Context, now time.Time, id string, index int, chunk []byte) error {
	return s.updateByConsole(ctx, now, func(tx *store.Tx) error { return tx.AppendFile(console.ID(id), index, chunk) })
}

// FinishUpload implements [rpc.Store].
func (s Store) FinishUpload(ctx context.Context, now time.Time, id string, size int64, sum [32]byte) (u rpc.Upload, err error) {
	err = s.updateByConsole(ctx, now, func(tx *store.Tx) error {
		u, err = finishUpload(tx, id, size, sum)
		return err
	})
	return u, err
}

func finishUpload(tx *store.Tx, id string, size int64, sum [32]byte) (rpc.Upload, error) {
	e := tx.Engine()
	u, err := engine.Get(e, scanUpload, "upload "+id, uploads+"WHERE u.id = $1", id)
	if err != nil {
		return u, err
	}
	if !u.Finished.IsZero() {
		return u, baton.Errorf(baton.NotFound, "upload %s is finished", id)
	}
	t, err := findTask(e, u.Connector, u.Task, forUpdate) // also blocks other uploads of the task
	if err != nil {
		return u, err
	}
	if err := t.CheckUpload(u.Holder(), u.Kind); err != nil {
		return u, err
	}
	same, err := engine.Find(e, scanUpload, uploads+"WHERE u.task = $1 AND f.finished IS NOT NULL AND f.dropped IS NULL AND f.size = $2 AND f.sha256 = $3 ORDER BY u.number LIMIT 1", u.Task, size, sum)
	if err != nil {
		return u, err
	}
	if same != nil {
		return *same, discard(tx, id)
	}
	if _, err := tx.FinishFile(console.ID(id), size, sum); err != nil {
		return u, err
	}
	return engine.Get(e, scanUpload, "upload "+id, uploads+"WHERE u.id = $1", id)
}

// discard removes an upload and its file.
func discard(tx *store.Tx, id string) error {
	if _, err := tx.Engine().Exec("DELETE FROM upload WHERE id = $1", id); err != nil {
		return err
	}
	return tx.DiscardFile(console.ID(id))
}

// DiscardUpload implements [rpc.Store].
func (s Store) DiscardUpload(ctx context.Context, id string) error {
	return s.updateByConsole(ctx, time.Time{}, func(tx *store.Tx) error {
		if _, err := tx.Engine().Exec("DELETE FROM upload WHERE id = $1", id); err != nil {
			return err
		}
		return tx.RemoveFile(console.ID(id))
	})
}

// UploadChunk implements [rpc.Store].
func (s Store) UploadChunk(ctx context.Context, connector, id string, index int) (chunk []byte, err error) {
	err = s.s.View(ctx, func(tx *store.Tx) error {
		if _, err := engine.Get(tx.Engine(), func(engine.Row) bool { return true }, "upload "+id, "SELECT id FROM upload WHERE id = $1 AND connector = $2", id, connector); err != nil {
			return err
		}
		chunk, err = tx.FileChunk(console.ID(id), index)
		return err
	})
	return chunk, err
}

// Uploads implements [rpc.Store].
func (s Store) Uploads(ctx context.Context, connector, task string) (all []rpc.Upload, err error) {
	err = s.s.View(ctx, func(tx *store.Tx) error {
		if _, err := findTask(tx.Engine(), connector, task, ""); err != nil {
			return err
		}
		all, err = engine.List(tx.Engine(), scanUpload, uploads+"WHERE u.task = $1 AND f.finished IS NOT NULL ORDER BY f.finished, u.number", task)
		return err
	})
	return all, err
}

func (s Store) expireUploads(ctx context.Context, now time.Time, limit int) (changed int, err error) {
	var old []string
	find := func(tx *store.Tx, suffix string) (err error) {
		old, err = engine.List(tx.Engine(), func(r engine.Row) string { return r.Text(0) },
			"SELECT u.id FROM file f JOIN upload u ON u.id = f.id WHERE f.finished IS NULL AND f.began < $1 ORDER BY f.began, f.id LIMIT $2"+suffix, now.Add(-rpc.UploadTime), limit)
		return err
	}
	if err := s.s.View(ctx, func(tx *store.Tx) error { return find(tx, "") }); err != nil || len(old) == 0 {
		return 0, err
	}
	err = s.updateByConsole(ctx, now, func(tx *store.Tx) error {
		if err := find(tx, " FOR UPDATE SKIP LOCKED"); err != nil {
			return err
		}
		for _, id := range old {
			if err := discard(tx, id); err != nil {
				return err
			}
		}
		changed = len(old)
		return nil
	})
	return changed, err
}
