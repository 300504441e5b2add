package rpc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"baton"
	"baton/console/rpc"
	"baton/console/rpc/rpctest"
)

func TestUpload(t *testing.T) {
	var dir string
	f := newFixture(t, func(c *rpctest.Config) { dir, c.MaxUpload = c.Dir, 4<<20 })
	a, b := f.pair()
	id := f.enqueue("acme", syncTask())
	other := f.enqueue("acme", listTask())
	content := syncFile(3<<20 + 17)
	sum := sha256.Sum256(content)

	wantCode(t, a.uploadFile(id, content), codes.FailedPrecondition) // not leased
	a.poll()
	a.poll()
	refused := map[string]struct {
		h     *host
		parts []*part
		want  codes.Code
		text  string
	}{
		"by another host":    {b, []*part{metadataPart("b", id), dataPart(content[:9]), eofPart(sum[:])}, codes.FailedPrecondition, `host "b" does not hold the lease`},
		"nothing":            {a, nil, codes.InvalidArgument, "ended before its checksum"},
		"no metadata":        {a, []*part{dataPart([]byte("x")), eofPart(sum[:])}, codes.InvalidArgument, "does not begin with its metadata"},
		"metadata twice":     {a, []*part{metadataPart("a", id), metadataPart("a", id)}, codes.InvalidArgument, "metadata twice"},
		"no checksum":        {a, []*part{metadataPart("a", id), dataPart(content[:9])}, codes.InvalidArgument, "ended before its checksum"},
		"another checksum":   {a, []*part{metadataPart("a", id), dataPart(content[:9]), eofPart(sum[:])}, codes.DataLoss, "the 9 bytes received"},
		"after checksum":     {a, []*part{metadataPart("a", id), dataPart(content[:9]), eofPart(sum[:]), dataPart([]byte("x"))}, codes.InvalidArgument, "continues after its checksum"},
		"too large":          {a, []*part{metadataPart("a", id), dataPart(content[:1<<20]), dataPart(content[:1<<20]), dataPart(content[:1<<20]), dataPart(content[:1<<20]), dataPart([]byte("x"))}, codes.InvalidArgument, "larger than 4194304 bytes"},
		"no sync file":       {a, []*part{metadataPart("a", id), dataPart([]byte("{}")), eofPart(sum[:])}, codes.FailedPrecondition, "does not begin as a sync file does"},
		"empty":              {a, []*part{metadataPart("a", id), eofPart(emptySum())}, codes.FailedPrecondition, "does not begin as a sync file does"},
		"for another task":   {a, []*part{metadataPart("a", other), dataPart(content[:9]), eofPart(sum[:])}, codes.FailedPrecondition, "takes no sync file"},
		"for no task at all": {a, []*part{metadataPart("a", unknownTask), dataPart(content[:9]), eofPart(sum[:])}, codes.NotFound, "no task"},
	}
	for name, tt := range refused {
		t.Run(name, func(t *testing.T) {
			err := tt.h.upload(tt.parts...)
			wantCode(t, err, tt.want)
			if err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v does not say %q", err, tt.text)
			}
			if left := files(t, dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	for range 2 { // the second time because the response was lost
		wantCode(t, a.uploadFile(id, content), codes.OK)
	}
	wantCode(t, a.succeed(id), codes.OK)
	wantCode(t, a.uploadFile(id, content), codes.FailedPrecondition)

	r, err := f.Wait(t.Context(), id)
	if err != nil || len(r.Assets) != 1 || len(files(t, dir)) != 1 {
		t.Fatalf("%+v, %v, files %v", r, err, files(t, dir))
	}
	asset := r.Assets[0]
	if asset.Size != int64(len(content)) || asset.SHA256 != hex.EncodeToString(sum[:]) || asset.Host != "a" || !asset.At.Equal(f.clock.Now()) {
		t.Errorf("%+v", asset)
	}
	if got, err := os.ReadFile(asset.Path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes in the file, %v", len(got), err)
	}
}

// TestUploadOfSmallPieces sends a file in pieces of a few bytes: the store gets chunks of
// the largest size.
func TestUploadOfSmallPieces(t *testing.T) {
	f := newFixture(t)
	a, _ := f.pair()
	id := f.enqueue("acme", syncTask())
	a.poll()
	content := syncFile(2<<20 + 1)
	parts := []*part{metadataPart("a", id)}
	for i := 0; i < len(content); i += 1000 {
		parts = append(parts, dataPart(content[i:min(i+1000, len(content))]))
	}
	sum := sha256.Sum256(content)
	wantCode(t, a.upload(append(parts, eofPart(sum[:]))...), codes.OK)
	uploads, err := f.Store.Uploads(t.Context(), "acme", id)
	if err != nil || len(uploads) != 1 || uploads[0].Chunks != 3 {
		t.Errorf("%+v, %v", uploads, err)
	}
}

// TestDebugLog uploads a log after the sync file, as connectors do for tasks with debug.
func TestDebugLog(t *testing.T) {
	f := newFixture(t)
	a, _ := f.pair()
	task := syncTask()
	task.Debug = true
	id := f.enqueue("acme", task)
	if !a.poll().GetDebug() {
		t.Error("the task does not ask for a log")
	}
	wantCode(t, a.uploadFile(id, syncFile(100)), codes.OK)
	wantCode(t, a.uploadFile(id, []byte(`{"level":"info"}`)), codes.OK)
	wantCode(t, a.uploadFile(id, nil), codes.OK) // an empty log
	uploads, err := f.Store.Uploads(t.Context(), "acme", id)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []rpc.UploadKind
	for _, u := range uploads {
		kinds = append(kinds, u.Kind)
	}
	if want := []rpc.UploadKind{rpc.SyncFile, rpc.LogFile, rpc.LogFile}; !slices.Equal(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
}

// TestReceived checks what Config.Received gets, and that it can refuse an upload.
func TestReceived(t *testing.T) {
	store := rpctest.NewMemory()
	var got []rpc.Upload
	var contents []string
	var refuse error
	h := direct(t, store, func(c *rpc.Config) {
		c.Received = func(_ context.Context, u rpc.Upload, content io.Reader) error {
			b, err := io.ReadAll(content)
			got, contents = append(got, u), append(contents, string(b))
			return errors.Join(err, refuse)
		}
	})
	task, err := rpc.NewTask("acme", rpc.Work{Sync: &rpc.SyncWork{}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	task.Ref = "sync 9"
	if err := store.AddTask(t.Context(), time.Now(), task); err != nil {
		t.Fatal(err)
	}
	h.poll()
	file := syncFile(1000)
	wantCode(t, h.uploadFile(task.ID, file), codes.OK)
	wantCode(t, h.uploadFile(task.ID, file), codes.OK) // the response was lost
	if len(got) != 2 || got[0].ID != got[1].ID || got[0].Connector != "acme" || got[0].Task != task.ID || got[0].Ref != "sync 9" ||
		got[0].SHA256 != sha256.Sum256(file) || contents[0] != string(file) || contents[1] != string(file) {
		t.Errorf("received %+v", got)
	}
	refuse = baton.Errorf(baton.Corrupt, "the file holds no sync")
	err = h.uploadFile(task.ID, syncFile(2000))
	wantCode(t, err, codes.DataLoss)
	if err == nil || !strings.Contains(err.Error(), "the file holds no sync") {
		t.Errorf("the connector is told %v", err)
	}
	refuse = errors.New("secret of the server")
	err = h.uploadFile(task.ID, syncFile(3000))
	wantCode(t, err, codes.Internal)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the connector is told %v", err)
	}
	uploads, err := store.Uploads(t.Context(), "acme", task.ID)
	if err != nil || len(uploads) != 1 || uploads[0].ID != got[0].ID {
		t.Errorf("the uploads are %+v, %v", uploads, err)
	}
}

func emptySum() []byte {
	sum := sha256.Sum256(nil)
	return sum[:]
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "assets", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}
