package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"
	"slices"
	"time"

	"baton/console"
	"baton/console/store/internal/engine"
)

// KnownResource is a resource that the stream has ever shown, for comparison with a sync.
type KnownResource struct {
	Key         console.ResourceKey
	Type, ID    string
	Incarnation int
	Shown       bool               // the head shows it
	From        console.SyncNumber // of its newest version
	Digest      [16]byte           // of its newest version, [console.Resource.Digest]
	Status      console.Status     // of its newest version
	Account     bool
	// Login and Created tell whether a reappearing account is the same one. They are only set if the
	// head does not show the resource.
	Login     string
	Created   time.Time // zero if unknown
	LastLogin time.Time
}

// scanPage is the number of rows that are read in one transaction.
const scanPage = 1 << 13

// KnownResources returns every resource that the stream has shown up to the head, once for each type
// and id, ordered by their bytes. No transaction is open while the caller uses a row.
func (st *Staging) KnownResources(ctx context.Context) iter.Seq2[KnownResource, error] {
	return st.s.knownResources(ctx, st.Sync.Stream, st.Head)
}

func (s *Store) knownResources(ctx context.Context, stream console.Stream, head console.SyncNumber) iter.Seq2[KnownResource, error] {
	return func(yield func(KnownResource, error) bool) {
		var last KnownResource // the newest version of the current type and id so far
		page := make([]KnownResource, 0, scanPage)
		for {
			page = page[:0]
			err := s.View(ctx, func(t *Tx) error { return t.knownPage(stream, head, last, &page) })
			if err != nil {
				yield(KnownResource{}, err)
				return
			}
			for _, r := range page {
				if last.Key != 0 && (last.Type != r.Type || last.ID != r.ID) && !yield(last, nil) {
					return
				}
				last = r
			}
			if len(page) < scanPage {
				break
			}
		}
		if last.Key != 0 {
			yield(last, nil)
		}
	}
}

// knownPage appends up to scanPage versions of resources after the given one, in order.
func (t *Tx) knownPage(stream console.Stream, head console.SyncNumber, after KnownResource, page *[]KnownResource) error {
	typ := after.Type
	return t.e.Query(func(r engine.Row) error {
		k := KnownResource{Key: console.ResourceKey(r.Int(0)), ID: str(r, 2), Incarnation: int(r.Int(3)), From: console.SyncNumber(r.Int(4)),
			Shown: console.SyncNumber(r.Int(5)) > head, Status: console.Status(r.Int(7)), Account: r.Bool(8), LastLogin: at(r, 11)}
		if b := r.Bytes(1); string(b) != typ { // avoids an allocation: most rows have the type of the previous row
			typ = string(b)
		}
		k.Type = typ
		copy(k.Digest[:], r.Bytes(6))
		if !k.Shown { // it may reappear as a different one
			k.Login, k.Created = str(r, 9), at(r, 10)
		}
		*page = append(*page, k)
		return nil
	}, `SELECT r.key, r.type, r.id, r.incarnation, v.opened, v.closed, v.digest, v.status, v.account, v.login, v.created,
			CASE WHEN x.sync <= $2 THEN x.last_login ELSE x.before END
		FROM resource r JOIN resource_version v ON v.resource = r.key AND v.opened <= $2 LEFT JOIN volatile x ON x.resource = r.key
		WHERE r.stream = $1 AND (r.type, r.id, r.incarnation) >= ($3, $4, $5)
		AND NOT (r.type = $3 AND r.id = $4 AND r.incarnation = $5 AND v.opened <= $6)
		ORDER BY r.type, r.id, r.incarnation, v.opened LIMIT $7`,
		stream, head, []byte(after.Type), []byte(after.ID), after.Incarnation, after.From, scanPage)
}

// ResourceChange is a change of one resource by a sync. Close only needs Key; Touch needs Key and
// LastLogin.
type ResourceChange struct {
	Change   Change
	New      bool // the resource has no row yet
	Resource console.Resource
}

// PutResources writes changes of resources. The order of KnownResources is the fastest.
func (st *Staging) PutResources(ctx context.Context, changes iter.Seq2[ResourceChange, error]) error {
	return inChunks(st, changes, func(batch []ResourceChange) error {
		var undo undoList
		for _, c := range batch {
			isNew := int64(0)
			if c.New {
				isNew = 1
			}
			undo.add(c.Change, int64(c.Resource.Key), isNew)
		}
		if err := st.inChunk(ctx, stagedResources, undo, func(t *Tx) error { return t.putResources(st, batch) }); err != nil {
			return err
		}
		for _, c := range batch { // only after the commit, because the transaction may run twice
			st.noteResource(c)
		}
		return nil
	})
}

// noteResource counts a change, and adds it to the digest and the lookups.
func (st *Staging) noteResource(c ResourceChange) {
	if c.Change == Touch {
		return
	}
	if c.Change.closes() {
		st.counts.ResourcesClosed++
	}
	if c.Change.opens() {
		st.counts.ResourcesOpened++
		for _, l := range resourceLookups(c.Resource) {
			st.lookups.add(uint8(l.list), l.value, int64(c.Resource.Key))
		}
	}
	st.hashChange('r', c.Change, c.Resource.Digest(), int64(c.Resource.Key))
}

// hashChange adds a change to the digest of the sync.
func (st *Staging) hashChange(kind byte, c Change, content [16]byte, keys ...int64) {
	b := append(st.hashed[:0], kind, byte(c))
	for _, k := range keys {
		b = binary.AppendVarint(b, k)
	}
	if c.opens() {
		b = append(b, content[:]...)
	}
	st.digest.Write(b)
	st.hashed = b
}

type lookupValue struct {
	list  int
	value []byte
}

// resourceLookups adds the values by which a version is found.
func resourceLookups(r console.Resource) []lookupValue {
	if r.Account == nil {
		all := []lookupValue{{listResources, nameKey(r.Name, r.ID)}}
		if r.App {
			all = append(all, lookupValue{listApps, nameKey(r.Name, r.ID)})
		}
		return all
	}
	name := nameKey(r.Name, r.ID)
	all := []lookupValue{{listAccounts, name}}
	if !console.HasAccount(true, r.Status) {
		all = append(all, lookupValue{listDisabled, name})
	}
	if !r.Account.Kind.Human() {
		all = append(all, lookupValue{listMachines, name})
	}
	for _, w := range furtherWords(r.Name, r.ID) {
		all = append(all, lookupValue{listWords, []byte(w)})
	}
	if r.Account.Login != "" {
		all = append(all, lookupValue{listLogins, loginKey(r.Account.Login)})
	}
	for _, e := range r.Account.Emails {
		v := lookupValue{listEmails, loginKey(e)}
		if len(v.value) > 0 && !slices.ContainsFunc(all, func(o lookupValue) bool { return o.list == v.list && bytes.Equal(o.value, v.value) }) {
			all = append(all, v)
		}
	}
	return all
}

func (t *Tx) putResources(st *Staging, batch []ResourceChange) error {
	err := t.e.Copy("resource", []string{"key", "stream", "type", "id", "incarnation"}, func(w engine.Writer) error {
		for _, c := range batch {
			if !c.New || !c.Change.opens() {
				continue
			}
			w.Int(int64(c.Resource.Key))
			w.Int(int64(st.Sync.Stream))
			w.Bytes([]byte(c.Resource.Type))
			w.Bytes([]byte(c.Resource.ID))
			w.Int(int64(max(c.Resource.Incarnation, 1)))
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = t.e.Each("UPDATE resource_version SET closed = $1 WHERE resource = $2 AND closed = $3", func(w engine.Writer) error {
		for _, c := range batch {
			if !c.Change.closes() {
				continue
			}
			w.Int(int64(st.Number))
			w.Int(int64(c.Resource.Key))
			w.Int(int64(console.Never))
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	columns := []string{"resource", "opened", "closed", "digest", "name", "parent", "status", "created", "account", "kind", "login", "detail"}
	err = t.e.Copy("resource_version", columns, func(w engine.Writer) error {
		for _, c := range batch {
			if !c.Change.opens() {
				continue
			}
			if err := writeVersion(w, c.Resource, st.Number); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = t.noteChanged(st, ChangedResource, len(batch), func(i int) (Change, int64, int64) {
		return batch[i].Change, 0, int64(batch[i].Resource.Key)
	})
	if err != nil {
		return err
	}
	return t.putVolatile(st, batch)
}

func writeVersion(w engine.Writer, r console.Resource, n console.SyncNumber) error {
	digest := r.Digest()
	w.Int(int64(r.Key))
	w.Int(int64(n))
	w.Int(int64(console.Never))
	w.Bytes(digest[:])
	w.Bytes([]byte(r.Name))
	w.Int(int64(r.Parent))
	w.Int(int64(r.Status))
	timeOrNull(w, r.Created)
	w.Bool(r.Account != nil)
	if r.Account != nil {
		w.Int(int64(r.Account.Kind))
		w.Bytes([]byte(r.Account.Login))
	} else {
		w.Int(0)
		w.Bytes(nil)
	}
	w.Bytes(detailOf(r))
	return w.End()
}

func timeOrNull(w engine.Writer, t time.Time) {
	if t.IsZero() {
		w.Null()
	} else {
		w.Int(engine.Micros(t))
	}
}

// putVolatile writes the attributes without history of the head's resources.
func (t *Tx) putVolatile(st *Staging, batch []ResourceChange) error {
	return t.e.Each(`INSERT INTO volatile (resource, sync, last_login) VALUES ($1, $2, $3)
		ON CONFLICT (resource) DO UPDATE SET before = volatile.last_login, last_login = excluded.last_login, sync = excluded.sync`, func(w engine.Writer) error {
		for _, c := range batch {
			a := c.Resource.Account
			if a == nil || c.Change == Close || c.New && a.LastLogin.IsZero() {
				continue
			}
			w.Int(int64(c.Resource.Key))
			w.Int(int64(st.Number))
			timeOrNull(w, a.LastLogin)
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Tx) undoResources(n console.SyncNumber, changes undoList) error {
	return t.undoSteps(changes, []undoStep{
		{"DELETE FROM resource_version WHERE resource = $1 AND opened = $2",
			func(c Change, _ bool) bool { return c.opens() }, func(key int64) []any { return []any{key, int64(n)} }},
		{"UPDATE resource_version SET closed = $1 WHERE resource = $2 AND closed = $3",
			func(c Change, _ bool) bool { return c.closes() }, func(key int64) []any { return []any{int64(console.Never), key, int64(n)} }},
		{"UPDATE volatile SET last_login = before, sync = 0 WHERE resource = $1 AND sync = $2",
			func(c Change, isNew bool) bool { return !isNew }, func(key int64) []any { return []any{key, int64(n)} }},
		{"DELETE FROM volatile WHERE resource = $1 AND sync = $2",
			func(c Change, isNew bool) bool { return isNew }, func(key int64) []any { return []any{key, int64(n)} }},
		{"DELETE FROM resource WHERE key = $1",
			func(c Change, isNew bool) bool { return isNew && c.opens() }, func(key int64) []any { return []any{key} }},
	})
}

// undoSteps runs the statements that undo changes, each for all rows at once.
func (t *Tx) undoSteps(changes undoList, steps []undoStep) error {
	for _, step := range steps {
		// Most chunks need only some of the statements.
		needed := false
		changes.each(2, func(c Change, v []int64) error {
			needed = needed || step.wants(c, v[1] == 1)
			return nil
		})
		if !needed {
			continue
		}
		err := t.e.Each(step.sql, func(w engine.Writer) error {
			return changes.each(2, func(c Change, v []int64) error {
				if !step.wants(c, v[1] == 1) {
					return nil
				}
				return writeRow(w, step.row(v[0])...)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// undoStep is a statement that undoes changes of rows by their key.
type undoStep struct {
	sql   string
	wants func(c Change, isNew bool) bool
	row   func(key int64) []any // returns the arguments
}

// writeRow writes one row of int64 and []byte values.
func writeRow(w engine.Writer, values ...any) error {
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			w.Int(v)
		case []byte:
			w.Bytes(v)
		}
	}
	return w.End()
}
