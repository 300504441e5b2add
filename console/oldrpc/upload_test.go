package rpc_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"

	"baton/console/oldrpc"
)

func TestUpload(t *testing.T) {
	var dir string
	f := newFixture(t, func(c *rpc.Config) { dir, c.MaxUpload = c.Dir, 4<<20 })
	a, b := f.pair()
	id := f.enqueue("acme", syncTask())
	content := pattern(3<<20 + 17)
	sum := sha256.Sum256(content)

	wantCode(t, a.uploadFile(id, content), codes.FailedPrecondition) // not handed out
	a.poll()
	refused := map[string]struct {
		h     *host
		parts []*part
		want  codes.Code
	}{
		"by another host":  {b, []*part{metadataPart("b", id)}, codes.FailedPrecondition},
		"nothing":          {a, nil, codes.InvalidArgument},
		"no metadata":      {a, []*part{dataPart([]byte("x")), eofPart(sum[:])}, codes.InvalidArgument},
		"metadata twice":   {a, []*part{metadataPart("a", id), metadataPart("a", id)}, codes.InvalidArgument},
		"no checksum":      {a, []*part{metadataPart("a", id), dataPart([]byte("x"))}, codes.InvalidArgument},
		"other checksum":   {a, []*part{metadataPart("a", id), dataPart([]byte("x")), eofPart(sum[:])}, codes.DataLoss},
		"after checksum":   {a, []*part{metadataPart("a", id), eofPart(emptySum()), dataPart([]byte("x"))}, codes.InvalidArgument},
		"more than agreed": {a, []*part{metadataPart("a", id), dataPart(content[:1<<20]), dataPart(content[:1<<20]), dataPart(content[:1<<20]), dataPart(content[:1<<20]), dataPart([]byte("x"))}, codes.InvalidArgument},
	}
	for name, tt := range refused {
		t.Run(name, func(t *testing.T) {
			wantCode(t, tt.h.upload(tt.parts...), tt.want)
			if left := files(t, dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	for range 2 { // the second time because the answer was lost
		wantCode(t, a.uploadFile(id, content), codes.OK)
	}
	wantCode(t, a.uploadFile(id, nil), codes.OK) // an empty file is one
	wantCode(t, a.succeed(id), codes.OK)
	wantCode(t, a.uploadFile(id, []byte("late")), codes.FailedPrecondition)

	r, err := f.Wait(t.Context(), id)
	if err != nil || len(r.Assets) != 2 || len(files(t, dir)) != 2 {
		t.Fatalf("%+v, %v, files %v", r, err, files(t, dir))
	}
	asset := r.Assets[0]
	if asset.Size != int64(len(content)) || asset.SHA256 != hex.EncodeToString(sum[:]) || asset.Host != "a" || !asset.At.Equal(f.clock.Now()) {
		t.Errorf("%+v", asset)
	}
	if got, err := os.ReadFile(asset.Path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes on the disk, %v", len(got), err)
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

func TestHalfUploadsAreSwept(t *testing.T) {
	dir := t.TempDir()
	assets := filepath.Join(dir, "assets")
	if err := os.MkdirAll(assets, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kept", "half.part"} {
		if err := os.WriteFile(filepath.Join(assets, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := rpc.New(t.Context(), rpc.Config{Host: "c1.example", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir); len(left) != 1 || filepath.Base(left[0]) != "kept" {
		t.Errorf("left: %v", left)
	}
}
