package rpctest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/ksuid"

	"baton"
	"baton/console/rpc"
)

const syncFile = "C1ZF\x00 and the rest"

// begin begins the upload of a sync file.
func (s *suite) begin(t rpc.Task, host string) rpc.Upload {
	s.Helper()
	u, err := s.BeginUpload(s.Context(), s.now, ksuid.New().String(), holder(host, t), rpc.SyncFile)
	s.ok(err)
	return u
}

// send uploads a sync file in chunks of 4 bytes.
func (s *suite) send(t rpc.Task, host, content string) rpc.Upload {
	s.Helper()
	u := s.begin(t, host)
	n := 0
	for rest := []byte(content); len(rest) > 0; n++ {
		size := min(4, len(rest))
		s.ok(s.AppendUpload(s.Context(), s.now, u.ID, n, rest[:size]))
		rest = rest[size:]
	}
	u, err := s.FinishUpload(s.Context(), s.now, u.ID, int64(len(content)), sha256.Sum256([]byte(content)))
	s.ok(err)
	return u
}

func (s *suite) uploads(t rpc.Task) []rpc.Upload {
	s.Helper()
	list, err := s.Uploads(s.Context(), t.Connector, t.ID)
	s.ok(err)
	return list
}

func (s *suite) upload() {
	ctx := s.Context()
	t := s.add(acme, syncWork(), func(t *rpc.Task) { t.Ref, t.Debug = "sync 9", true })
	s.leases("a", t)
	leased := s.read(t)
	content := strings.Repeat("0123456789", 10)
	began := s.now
	u := s.begin(t, "a")
	s.equal("the new upload", u, rpc.Upload{ID: u.ID, Connector: acme, Task: t.ID, Ref: "sync 9", Lease: leased.Lease, Kind: rpc.SyncFile, Began: began})
	s.ok(s.AppendUpload(ctx, s.now, u.ID, 0, []byte(content[:60])))
	s.fails(s.AppendUpload(ctx, s.now, u.ID, 0, []byte("again")), baton.Invalid)
	s.fails(s.AppendUpload(ctx, s.now, u.ID, 2, []byte("too far")), baton.Invalid)
	if _, err := s.UploadChunk(ctx, acme, u.ID, 0); baton.KindOf(err) != baton.NotFound {
		s.Errorf("a chunk of an unfinished upload: %v", err)
	}
	if list := s.uploads(t); len(list) != 0 {
		s.Errorf("an unfinished upload is listed: %+v", list)
	}
	s.advance(time.Minute)
	s.ok(s.AppendUpload(ctx, s.now, u.ID, 1, []byte(content[60:])))
	sum := sha256.Sum256([]byte(content))
	got, err := s.FinishUpload(ctx, s.now, u.ID, 100, sum)
	s.ok(err)
	u.Finished, u.Size, u.SHA256, u.Chunks = s.now, 100, sum, 2
	s.equal("the finished upload", got, u)
	s.equal("the uploads of the task", s.uploads(t), []rpc.Upload{u})
	s.fails(s.AppendUpload(ctx, s.now, u.ID, 2, []byte("more")), baton.NotFound)
	_, err = s.FinishUpload(ctx, s.now, u.ID, 100, sum)
	s.fails(err, baton.NotFound)
	if b, err := io.ReadAll(rpc.UploadReader(ctx, s.Store, got)); err != nil || string(b) != content {
		s.Errorf("read %d bytes, %v", len(b), err)
	}
	_, err = s.UploadChunk(ctx, acme, u.ID, 2)
	s.fails(err, baton.NotFound)
	_, err = s.UploadChunk(ctx, acme, u.ID, -1)
	s.fails(err, baton.NotFound)

	// The same file again returns the same upload, because its response was lost.
	s.advance(time.Second)
	same := s.begin(t, "a")
	s.ok(s.AppendUpload(ctx, s.now, same.ID, 0, []byte(content)))
	got, err = s.FinishUpload(ctx, s.now, same.ID, 100, sum)
	s.ok(err)
	s.equal("the same upload", got, u)
	s.equal("the uploads of the task", s.uploads(t), []rpc.Upload{u})
	s.fails(s.AppendUpload(ctx, s.now, same.ID, 1, []byte("x")), baton.NotFound)
	// A different file of the same size is a new upload.
	s.advance(time.Second)
	if other := s.send(t, "a", strings.Repeat("9876543210", 10)); other.ID == u.ID {
		s.Error("another file of the same size was taken for the first")
	}

	// An empty log, and a chunk of the largest size.
	empty, err := s.BeginUpload(ctx, s.now, ksuid.New().String(), holder("a", t), rpc.LogFile)
	s.ok(err)
	empty, err = s.FinishUpload(ctx, s.now, empty.ID, 0, sha256.Sum256(nil))
	s.ok(err)
	if b, err := io.ReadAll(rpc.UploadReader(ctx, s.Store, empty)); err != nil || len(b) != 0 || empty.Chunks != 0 {
		s.Errorf("the empty upload: %q, %v, %+v", b, err, empty)
	}
	s.advance(time.Second)
	large := bytes.Repeat([]byte{0, 255, 10, 13}, rpc.MaxChunk/4)
	u = s.begin(t, "a")
	s.ok(s.AppendUpload(ctx, s.now, u.ID, 0, large))
	u, err = s.FinishUpload(ctx, s.now, u.ID, int64(len(large)), sha256.Sum256(large))
	s.ok(err)
	if b, err := s.UploadChunk(ctx, acme, u.ID, 0); err != nil || !bytes.Equal(b, large) {
		s.Errorf("the large chunk: %d bytes, %v", len(b), err)
	}
	s.equal("the number of uploads", len(s.uploads(t)), 4)

	// They remain when the task is finished, and later.
	_, err = s.Finish(ctx, s.now, holder("a", t), rpc.Result{})
	s.ok(err)
	s.advance(100 * rpc.UploadTime)
	s.expire()
	s.equal("the number of uploads later", len(s.uploads(t)), 4)
}

func (s *suite) uploadRefused() {
	ctx := s.Context()
	begin := func(t rpc.Task, host string, kind rpc.UploadKind) error {
		_, err := s.BeginUpload(ctx, s.now, ksuid.New().String(), holder(host, t), kind)
		return err
	}
	sync, write := s.add(acme, syncWork()), s.add(acme, actionWork())
	s.fails(begin(sync, "a", rpc.SyncFile), baton.Refused) // not leased
	s.leases("a", sync, write)
	s.fails(begin(sync, "b", rpc.SyncFile), baton.Refused)
	s.fails(begin(sync, "a", rpc.LogFile), baton.Refused)
	s.fails(begin(write, "a", rpc.SyncFile), baton.Refused)
	s.ok(begin(sync, "a", rpc.SyncFile))
	_, err := s.Finish(ctx, s.now, holder("a", sync), rpc.Result{})
	s.ok(err)
	s.fails(begin(sync, "a", rpc.SyncFile), baton.Refused)
	sync.ID = ksuid.New().String()
	s.fails(begin(sync, "a", rpc.SyncFile), baton.NotFound)
	_, err = s.FinishUpload(ctx, s.now, ksuid.New().String(), 0, [32]byte{})
	s.fails(err, baton.NotFound)
	s.fails(s.AppendUpload(ctx, s.now, ksuid.New().String(), 0, []byte("x")), baton.NotFound)
}

// uploadLeaseLost expires the lease of a host that is uploading.
func (s *suite) uploadLeaseLost() {
	ctx := s.Context()
	for _, other := range []string{"b", "a"} {
		t := s.add(acme, syncWork())
		s.leases("a", t)
		late := s.begin(t, "a")
		s.ok(s.AppendUpload(ctx, s.now, late.ID, 0, []byte("late")))
		s.advance(rpc.SyncLease)
		s.leases(other, t)
		current := s.send(t, other, syncFile)
		_, err := s.FinishUpload(ctx, s.now, late.ID, 4, sha256.Sum256([]byte("late")))
		s.fails(err, baton.Refused)
		s.equal("the uploads", s.uploads(t), []rpc.Upload{current})
		_, err = s.Finish(ctx, s.now, holder(other, t), rpc.Result{})
		s.ok(err)
	}

	finished := s.add(acme, syncWork())
	s.leases("a", finished)
	late := s.begin(finished, "a")
	_, err := s.Finish(ctx, s.now, holder("a", finished), rpc.Result{})
	s.ok(err)
	if _, err := s.FinishUpload(ctx, s.now, late.ID, 0, sha256.Sum256(nil)); err == nil {
		s.Error("a file was added to a finished task")
	}
	s.equal("the uploads of the finished task", len(s.uploads(finished)), 0)
}

func (s *suite) uploadDiscarded() {
	ctx := s.Context()
	t := s.add(acme, syncWork())
	s.leases("a", t)
	unfinished := s.begin(t, "a")
	s.ok(s.AppendUpload(ctx, s.now, unfinished.ID, 0, []byte("x")))
	s.ok(s.DiscardUpload(ctx, unfinished.ID))
	s.fails(s.AppendUpload(ctx, s.now, unfinished.ID, 1, []byte("x")), baton.NotFound)
	finished := s.send(t, "a", syncFile)
	s.ok(s.DiscardUpload(ctx, finished.ID))
	s.ok(s.DiscardUpload(ctx, finished.ID))
	s.equal("the uploads", len(s.uploads(t)), 0)
	_, err := s.UploadChunk(ctx, acme, finished.ID, 0)
	s.fails(err, baton.NotFound)
	s.equal("the upload of the same file", len(s.send(t, "a", syncFile).ID), 27)

	stale := s.begin(t, "a")
	s.ok(s.AppendUpload(ctx, s.now, stale.ID, 0, []byte("x")))
	s.advance(rpc.UploadTime)
	s.expire()
	s.ok(s.AppendUpload(ctx, s.now, stale.ID, 1, []byte("x")))
	s.advance(time.Second)
	if n := s.expire(); n != 1 {
		s.Errorf("%d rows changed, want 1", n)
	}
	s.fails(s.AppendUpload(ctx, s.now, stale.ID, 2, []byte("x")), baton.NotFound)
	s.equal("the uploads", len(s.uploads(t)), 1)
}

// newCredential adds a credential.
func (s *suite) newCredential(connector string, edit ...func(*rpc.Credential)) rpc.Credential {
	s.Helper()
	c, _, err := rpc.NewCredential(connector, "acme", "c1.example:8443", s.now)
	s.ok(err)
	for _, e := range edit {
		e(&c)
	}
	s.ok(s.AddCredential(s.Context(), s.now, c))
	return c
}

func (s *suite) credential() {
	ctx := s.Context()
	want := s.newCredential(acme, func(c *rpc.Credential) { c.Expires = s.now.Add(time.Hour) })
	got, err := s.Store.Credential(ctx, want.ClientID)
	s.ok(err)
	s.equal("the credential", got, want)
	if !ed25519.PublicKey(got.PublicKey).Equal(want.PublicKey) {
		s.Error("the public key differs")
	}
	s.fails(s.AddCredential(ctx, s.now, want), baton.AlreadyExists)
	_, err = s.Store.Credential(ctx, "acme-1@c1.example/baton")
	s.fails(err, baton.NotFound)
	s.fails(s.RevokeCredential(ctx, s.now, "acme-1@c1.example/baton"), baton.NotFound)
	s.ok(s.RevokeCredential(ctx, s.now, want.ClientID))
	want.Revoked = s.now
	s.advance(time.Minute)
	s.ok(s.RevokeCredential(ctx, s.now, want.ClientID))
	got, err = s.Store.Credential(ctx, want.ClientID)
	s.ok(err)
	s.equal("the revoked credential", got, want)
}

// issue adds a token whose hash begins with b.
func (s *suite) issue(c rpc.Credential, b byte, life time.Duration) (rpc.Token, error) {
	t := rpc.Token{Hash: [32]byte{b}, ClientID: c.ClientID, Expires: s.now.Add(life),
		Assertion: fmt.Sprint("nonce:", b), AssertionExpires: s.now.Add(2 * time.Minute)}
	return t, s.AddToken(s.Context(), s.now, t)
}

// holds checks whether the token is good, and that it belongs to its client.
func (s *suite) holds(t rpc.Token, good bool) {
	s.Helper()
	c, err := s.TokenCredential(s.Context(), s.now, t.Hash)
	if good && (err != nil || c.ClientID != t.ClientID) {
		s.Errorf("the token is of %q, %v", c.ClientID, err)
	}
	if !good {
		s.fails(err, baton.Unauthenticated)
	}
}

func (s *suite) token() {
	ctx := s.Context()
	mine, foreign := s.newCredential(acme), s.newCredential(second)
	limited := s.newCredential(acme, func(c *rpc.Credential) { c.Expires = s.now.Add(time.Minute) })
	s.advance(time.Second)
	a, err := s.issue(mine, 1, 10*time.Minute)
	s.ok(err)
	b, err := s.issue(foreign, 2, 10*time.Minute)
	s.ok(err)
	c, err := s.issue(limited, 3, 10*time.Minute)
	s.ok(err)
	s.holds(a, true)
	s.holds(b, true)
	s.holds(c, true)
	s.holds(rpc.Token{Hash: [32]byte{4}}, false)
	if got, err := s.TokenCredential(ctx, s.now, b.Hash); err != nil || got.Connector != second {
		s.Errorf("the second connector's token is of %q, %v", got.Connector, err)
	}
	if got, err := s.Store.Credential(ctx, mine.ClientID); err != nil || !got.LastUsed.Equal(s.now) {
		s.Errorf("the credential was last used %v, %v; want %v", got.LastUsed, err, s.now)
	}
	s.advance(time.Minute)
	s.holds(c, false) // its credential has expired
	_, err = s.issue(limited, 5, time.Minute)
	s.fails(err, baton.Unauthenticated)
	s.ok(s.RevokeCredential(ctx, s.now, foreign.ClientID))
	s.holds(b, false)
	_, err = s.issue(foreign, 6, time.Minute)
	s.fails(err, baton.Unauthenticated)
	_, err = s.issue(rpc.Credential{ClientID: "acme-1@c1.example/baton"}, 7, time.Minute)
	s.fails(err, baton.Unauthenticated)
	s.advance(9*time.Minute - time.Microsecond)
	s.expire()
	s.holds(a, true)
	s.advance(time.Microsecond)
	s.holds(a, false)
	s.expire()
	s.holds(a, false)
}

func (s *suite) assertion() {
	mine, foreign := s.newCredential(acme), s.newCredential(acme)
	_, err := s.issue(mine, 1, time.Minute)
	s.ok(err)
	t := rpc.Token{Hash: [32]byte{8}, ClientID: mine.ClientID, Expires: s.now.Add(time.Hour), Assertion: "nonce:1", AssertionExpires: s.now.Add(time.Minute)}
	s.fails(s.AddToken(s.Context(), s.now, t), baton.AlreadyExists)
	s.holds(t, false)
	_, err = s.issue(foreign, 1, time.Minute) // the same one of another client
	s.ok(err)
	s.advance(2*time.Minute - time.Microsecond)
	s.expire()
	s.fails(s.AddToken(s.Context(), s.now, t), baton.AlreadyExists)
	s.advance(time.Microsecond)
	s.expire()
	s.ok(s.AddToken(s.Context(), s.now, t))
	s.holds(t, true)
}

func (s *suite) concurrentAssertion() {
	c := s.newCredential(acme)
	var mu sync.Mutex
	issued := 0
	together(workers, func(i int) {
		t := rpc.Token{Hash: [32]byte{byte(i)}, ClientID: c.ClientID, Expires: s.now.Add(time.Hour), Assertion: "nonce", AssertionExpires: s.now.Add(time.Minute)}
		err := s.AddToken(s.Context(), s.now, t)
		if err != nil && baton.KindOf(err) != baton.AlreadyExists {
			s.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			issued++
		}
	})
	if issued != 1 {
		s.Errorf("one assertion gave %d tokens", issued)
	}
}

// concurrentUploads uploads one file several times at once.
func (s *suite) concurrentUploads() {
	ctx := s.Context()
	t := s.add(acme, syncWork())
	s.leases("a", t)
	content := strings.Repeat(syncFile, 100)
	sum := sha256.Sum256([]byte(content))
	var mu sync.Mutex
	ids := map[string]bool{}
	together(workers, func(int) {
		id := ksuid.New().String()
		if _, err := s.BeginUpload(ctx, s.now, id, holder("a", t), rpc.SyncFile); err != nil {
			s.Error(err)
			return
		}
		for n := range 10 {
			if err := s.AppendUpload(ctx, s.now, id, n, []byte(content[n*len(content)/10:(n+1)*len(content)/10])); err != nil {
				s.Error(err)
			}
		}
		u, err := s.FinishUpload(ctx, s.now, id, int64(len(content)), sum)
		if err != nil {
			s.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		ids[u.ID] = true
	})
	list := s.uploads(t)
	if len(list) != 1 || len(ids) != 1 || !ids[list[0].ID] {
		s.Fatalf("the uploads are %+v, and these were reported: %v", list, ids)
	}
	if b, err := io.ReadAll(rpc.UploadReader(ctx, s.Store, list[0])); err != nil || string(b) != content {
		s.Errorf("read %d bytes, %v", len(b), err)
	}
}
