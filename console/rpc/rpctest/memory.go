package rpctest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"baton"
	"baton/console/rpc"
)

// Memory is an [rpc.Store] in memory, for tests. Create it with [NewMemory].
type Memory struct {
	mu          sync.Mutex
	tasks       map[string]*record // by id
	order       []*record          // all tasks, in the order in which they were added
	uploads     map[string]*upload
	uploadOrder []*upload
	hosts       map[[2]string]rpc.Host // by connector and host
	credentials map[string]rpc.Credential
	tokens      map[[32]byte]rpc.Token
	assertions  map[[2]string]time.Time // until when each assertion is remembered, by client id
	changed     chan struct{}           // closed when a task changes
}

type record struct {
	rpc.Task
	stored []byte // Work and Result as a database would store them
}

type upload struct {
	rpc.Upload
	chunks [][]byte
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		tasks: map[string]*record{}, uploads: map[string]*upload{}, hosts: map[[2]string]rpc.Host{},
		credentials: map[string]rpc.Credential{}, tokens: map[[32]byte]rpc.Token{},
		assertions: map[[2]string]time.Time{}, changed: make(chan struct{}),
	}
}

// payload is stored as JSON.
type payload struct {
	Work   rpc.Work
	Result rpc.Result
}

// put stores a task. The caller holds the lock.
func (m *Memory) put(r *record, t rpc.Task) error {
	b, err := json.Marshal(payload{t.Work, t.Result})
	if err != nil {
		return baton.Errorf(baton.Internal, "rpctest: store task %s: %w", t.ID, err)
	}
	r.Task, r.stored = t, b
	close(m.changed)
	m.changed = make(chan struct{})
	return nil
}

// get returns a copy of a task that shares nothing with other copies, like a database.
func (r *record) get() rpc.Task {
	t := r.Task
	var p payload
	if err := json.Unmarshal(r.stored, &p); err != nil {
		panic("rpctest: task " + t.ID + ": " + err.Error()) // put has encoded it
	}
	t.Work, t.Result = p.Work, p.Result
	return t
}

func (m *Memory) find(connector, id string) (*record, error) {
	r := m.tasks[id]
	if r == nil || r.Connector != connector {
		return nil, baton.Errorf(baton.NotFound, "the connector has no task %s", id)
	}
	return r, nil
}

// AddTask implements [rpc.Store].
func (m *Memory) AddTask(_ context.Context, now time.Time, t rpc.Task) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tasks[t.ID] != nil {
		return baton.Errorf(baton.AlreadyExists, "task %s exists already", t.ID)
	}
	t.Added = now
	r := new(record)
	if err := m.put(r, t); err != nil {
		return err
	}
	m.tasks[t.ID] = r
	m.order = append(m.order, r)
	return nil
}

// CancelTask implements [rpc.Store].
func (m *Memory) CancelTask(_ context.Context, now time.Time, connector, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(connector, id)
	if err != nil {
		return err
	}
	if after, changed := r.get().AfterCancel(now); changed {
		return m.put(r, after)
	}
	return nil
}

// RequeueTask implements [rpc.Store].
func (m *Memory) RequeueTask(_ context.Context, _ time.Time, connector, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(connector, id)
	if err != nil {
		return err
	}
	after, err := r.get().PutBack()
	if err != nil {
		return err
	}
	return m.put(r, after)
}

// Task implements [rpc.Store].
func (m *Memory) Task(_ context.Context, connector, id string) (rpc.Task, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(connector, id)
	if err != nil {
		return rpc.Task{}, err
	}
	return r.get(), nil
}

// Tasks returns the tasks of all connectors, in the order in which they were added.
func (m *Memory) Tasks() []rpc.Task {
	m.mu.Lock()
	defer m.mu.Unlock()
	tasks := make([]rpc.Task, len(m.order))
	for i, r := range m.order {
		tasks[i] = r.get()
	}
	return tasks
}

// knows reports whether the connector ever had a credential.
func (m *Memory) knows(connector string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.credentials {
		if c.Connector == connector {
			return true
		}
	}
	return false
}

// finished reports whether a task is finished.
func (m *Memory) finished(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.tasks[id]
	return r != nil && r.State == rpc.Finished
}

// allHosts returns the hosts of all connectors, by connector and id.
func (m *Memory) allHosts() []rpc.Host {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.hosts), func(a, b rpc.Host) int {
		return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.ID, b.ID))
	})
}

// Wait returns a task once it is finished.
func (m *Memory) Wait(ctx context.Context, connector, id string) (rpc.Task, error) {
	for {
		m.mu.Lock()
		r, err := m.find(connector, id)
		if err != nil || r.State == rpc.Finished {
			defer m.mu.Unlock()
			if err != nil {
				return rpc.Task{}, err
			}
			return r.get(), nil
		}
		changed := m.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return rpc.Task{}, baton.Errorf(baton.KindOf(ctx.Err()), "wait for task %s: %w", id, ctx.Err())
		}
	}
}

// open returns the unfinished tasks of a connector by Due.
func (m *Memory) open(connector string) []*record {
	var open []*record
	for _, r := range m.order {
		if r.Connector == connector && r.State != rpc.Finished {
			open = append(open, r)
		}
	}
	slices.SortStableFunc(open, func(a, b *record) int { return a.Due.Compare(b.Due) })
	return open
}

// Lease implements [rpc.Store].
func (m *Memory) Lease(_ context.Context, now time.Time, r rpc.LeaseRequest) (rpc.Leases, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{r.Connector, r.Host}
	if host, ok := m.hosts[key]; ok && now.Sub(host.Seen) >= time.Minute {
		host.Seen = now
		m.hosts[key] = host
	}
	open := m.open(r.Connector)
	exclusive := false
	for _, t := range open {
		if slices.Contains(r.Known, t.ID) && t.Lease.Host == r.Host && (t.State == rpc.Leased || t.State == rpc.Lost) && !t.LeasedAt(now) {
			if err := m.put(t, t.get().Renewed(now)); err != nil {
				return rpc.Leases{}, err
			}
		}
		exclusive = exclusive || rpc.Exclusive(t.Work.Type()) && t.LeasedAt(now)
	}
	picked, more := rpc.Pick(func(yield func(rpc.Task) bool) {
		for _, t := range open {
			if !yield(t.get()) {
				return
			}
		}
	}, exclusive, r, now)
	for _, t := range picked {
		if err := m.put(m.tasks[t.ID], t); err != nil {
			return rpc.Leases{}, err
		}
	}
	return rpc.Leases{Tasks: picked, More: more}, nil
}

// Extend implements [rpc.Store].
func (m *Memory) Extend(_ context.Context, now time.Time, h rpc.Holder) (rpc.Task, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(h.Connector, h.Task)
	if err != nil {
		return rpc.Task{}, err
	}
	after, err := r.get().Beaten(h, now)
	if err != nil {
		return rpc.Task{}, err
	}
	return after, m.put(r, after)
}

// Finish implements [rpc.Store].
func (m *Memory) Finish(_ context.Context, now time.Time, h rpc.Holder, result rpc.Result) (rpc.Task, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.finish(now, h, result)
}

func (m *Memory) finish(now time.Time, h rpc.Holder, result rpc.Result) (rpc.Task, error) {
	r, err := m.find(h.Connector, h.Task)
	if err != nil {
		return rpc.Task{}, err
	}
	after, changed, err := r.get().FinishedBy(h, result, now)
	if err != nil || !changed {
		return after, err
	}
	for _, u := range m.uploadOrder {
		if u.Task == h.Task && u.Finished.IsZero() {
			m.drop(u)
		}
	}
	return after, m.put(r, after)
}

// Hello implements [rpc.Store].
func (m *Memory) Hello(_ context.Context, now time.Time, connector string, h rpc.Hello) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.Task != "" {
		if _, err := m.finish(now, rpc.Holder{Connector: connector, Host: h.Host, Task: h.Task}, rpc.Result{}); err != nil {
			return err
		}
	}
	key := [2]string{connector, h.Host}
	host, ok := m.hosts[key]
	if !ok {
		host = rpc.Host{Connector: connector, ID: h.Host, First: now}
	}
	host.Last, host.Seen, host.Hello = now, now, h
	host.Hellos++
	m.hosts[key] = host
	return nil
}

// Hosts implements [rpc.Store].
func (m *Memory) Hosts(_ context.Context, connector string) ([]rpc.Host, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	hosts := slices.DeleteFunc(slices.Collect(maps.Values(m.hosts)), func(h rpc.Host) bool { return h.Connector != connector })
	slices.SortFunc(hosts, func(a, b rpc.Host) int { return cmp.Compare(a.ID, b.ID) })
	return hosts, nil
}

// BeginUpload implements [rpc.Store].
func (m *Memory) BeginUpload(_ context.Context, now time.Time, id string, h rpc.Holder, kind rpc.UploadKind) (rpc.Upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.find(h.Connector, h.Task)
	if err != nil {
		return rpc.Upload{}, err
	}
	if err := r.CheckUpload(h, kind); err != nil {
		return rpc.Upload{}, err
	}
	if m.uploads[id] != nil {
		return rpc.Upload{}, baton.Errorf(baton.AlreadyExists, "upload %s exists already", id)
	}
	u := &upload{Upload: rpc.Upload{ID: id, Connector: h.Connector, Task: h.Task, Ref: r.Ref, Lease: r.Lease, Kind: kind, Began: now}}
	m.uploads[id] = u
	m.uploadOrder = append(m.uploadOrder, u)
	return u.Upload, nil
}

func (m *Memory) findUpload(id string) (*upload, error) {
	u := m.uploads[id]
	if u == nil {
		return nil, baton.Errorf(baton.NotFound, "there is no upload %s", id)
	}
	return u, nil
}

// AppendUpload implements [rpc.Store].
func (m *Memory) AppendUpload(_ context.Context, _ time.Time, id string, index int, chunk []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, err := m.findUpload(id)
	switch {
	case err != nil:
		return err
	case !u.Finished.IsZero():
		return baton.Errorf(baton.NotFound, "upload %s is finished", id)
	case index != len(u.chunks):
		return baton.Errorf(baton.Invalid, "upload %s: chunk %d follows %d chunks", id, index, len(u.chunks))
	}
	u.chunks = append(u.chunks, bytes.Clone(chunk))
	return nil
}

// FinishUpload implements [rpc.Store].
func (m *Memory) FinishUpload(_ context.Context, now time.Time, id string, size int64, sum [32]byte) (rpc.Upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, err := m.findUpload(id)
	if err != nil {
		return rpc.Upload{}, err
	}
	if !u.Finished.IsZero() {
		return rpc.Upload{}, baton.Errorf(baton.NotFound, "upload %s is finished", id)
	}
	r, err := m.find(u.Connector, u.Task)
	if err != nil {
		return rpc.Upload{}, err
	}
	if err := r.CheckUpload(u.Holder(), u.Kind); err != nil {
		return rpc.Upload{}, err
	}
	for _, old := range m.uploadOrder {
		if old.Task == u.Task && !old.Finished.IsZero() && old.Size == size && old.SHA256 == sum {
			m.drop(u)
			return old.Upload, nil
		}
	}
	u.Finished, u.Size, u.SHA256, u.Chunks = now, size, sum, len(u.chunks)
	return u.Upload, nil
}

func (m *Memory) drop(u *upload) {
	delete(m.uploads, u.ID)
	m.uploadOrder = slices.DeleteFunc(slices.Clone(m.uploadOrder), func(o *upload) bool { return o == u })
}

// DiscardUpload implements [rpc.Store].
func (m *Memory) DiscardUpload(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u := m.uploads[id]; u != nil {
		m.drop(u)
	}
	return nil
}

// UploadChunk implements [rpc.Store].
func (m *Memory) UploadChunk(_ context.Context, connector, id string, index int) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.uploads[id]
	if u == nil || u.Connector != connector || u.Finished.IsZero() || index < 0 || index >= len(u.chunks) {
		return nil, baton.Errorf(baton.NotFound, "the connector has no chunk %d of an upload %s", index, id)
	}
	return bytes.Clone(u.chunks[index]), nil
}

// Uploads implements [rpc.Store].
func (m *Memory) Uploads(_ context.Context, connector, task string) ([]rpc.Upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.find(connector, task); err != nil {
		return nil, err
	}
	var list []rpc.Upload
	for _, u := range m.uploadOrder {
		if u.Task == task && !u.Finished.IsZero() {
			list = append(list, u.Upload)
		}
	}
	slices.SortStableFunc(list, func(a, b rpc.Upload) int { return a.Finished.Compare(b.Finished) })
	return list, nil
}

// AddCredential implements [rpc.Store].
func (m *Memory) AddCredential(_ context.Context, now time.Time, c rpc.Credential) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.credentials[c.ClientID]; ok {
		return baton.Errorf(baton.AlreadyExists, "client id %s is taken", c.ClientID)
	}
	c.Created = now
	m.credentials[c.ClientID] = c
	return nil
}

// RevokeCredential implements [rpc.Store].
func (m *Memory) RevokeCredential(_ context.Context, now time.Time, clientID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.credentials[clientID]
	if !ok {
		return baton.Errorf(baton.NotFound, "there is no credential %s", clientID)
	}
	if c.Revoked.IsZero() {
		c.Revoked = now
		m.credentials[clientID] = c
	}
	return nil
}

// RevokeTokens removes all tokens. The credentials remain.
func (m *Memory) RevokeTokens() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.tokens)
}

// Credential implements [rpc.Store].
func (m *Memory) Credential(_ context.Context, clientID string) (rpc.Credential, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.credentials[clientID]
	if !ok {
		return rpc.Credential{}, baton.Errorf(baton.NotFound, "there is no credential %s", clientID)
	}
	return c, nil
}

// AddToken implements [rpc.Store].
func (m *Memory) AddToken(_ context.Context, now time.Time, t rpc.Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.credentials[t.ClientID]
	if !ok || !c.Good(now) {
		return baton.Errorf(baton.Unauthenticated, "credential %s is unknown, revoked or expired", t.ClientID)
	}
	key := [2]string{t.ClientID, t.Assertion}
	if until, used := m.assertions[key]; used && now.Before(until) {
		return baton.Errorf(baton.AlreadyExists, "the assertion was used before")
	}
	m.assertions[key] = t.AssertionExpires
	m.tokens[t.Hash] = t
	c.LastUsed = now
	m.credentials[t.ClientID] = c
	return nil
}

// TokenCredential implements [rpc.Store].
func (m *Memory) TokenCredential(_ context.Context, now time.Time, hash [32]byte) (rpc.Credential, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tokens[hash]
	c := m.credentials[t.ClientID]
	if !ok || !now.Before(t.Expires) || !c.Good(now) {
		return rpc.Credential{}, baton.Errorf(baton.Unauthenticated, "the token is unknown, expired or revoked")
	}
	return c, nil
}

// Expire implements [rpc.Store].
func (m *Memory) Expire(_ context.Context, now time.Time, limit int) (changed int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tasks := 0
	for _, r := range m.order {
		if r.State != rpc.Leased || tasks == limit {
			continue
		}
		if after, ended := r.get().AfterLease(now); ended {
			if err := m.put(r, after); err != nil {
				return changed, err
			}
			tasks++
		}
	}
	uploads := 0
	for _, u := range m.uploadOrder {
		if u.Finished.IsZero() && now.Sub(u.Began) > rpc.UploadTime && uploads < limit {
			m.drop(u)
			uploads++
		}
	}
	tokens := 0
	for hash, t := range m.tokens {
		if !now.Before(t.Expires) && tokens < limit {
			delete(m.tokens, hash)
			tokens++
		}
	}
	assertions := 0
	for key, until := range m.assertions {
		if !now.Before(until) && assertions < limit {
			delete(m.assertions, key)
			assertions++
		}
	}
	return tasks + uploads + tokens + assertions, nil
}
