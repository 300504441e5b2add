package writer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/klauspost/compress/zstd"

	"baton"
	"baton/c1z/internal/database"
	"baton/internal/disk"
)

// firstPage returns a page with that number of cells, that much space between them and their pointers, and
// noise elsewhere.
func firstPage(r *rand.Rand, cells, space int) []byte {
	b := noise(r, 4096)
	b[100] = 5
	binary.BigEndian.PutUint16(b[103:], uint16(cells))
	binary.BigEndian.PutUint16(b[105:], uint16(112+2*cells+space))
	return b
}

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// framed writes a frame with that many first pages around a content, in pieces.
func framed(t *testing.T, head, content []byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.c1z")
	out, err := disk.Begin(disk.OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Abort()
	f := newFrame(t.Context(), out)
	defer f.close()
	at := int64(len(head))
	for rest := content; len(rest) > 0; {
		n := min(len(rest), 64<<12)
		if _, err := f.WriteAt(rest[:n], at); err != nil {
			t.Fatal(err)
		}
		rest, at = rest[n:], at+int64(n)
	}
	if _, err := f.WriteAt(bytes.Clone(head), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Commit(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFrame: the result is one frame that states its size and checksum, with a window that every reader
// accepts, whatever the first pages, which come last, contain.
func TestFrame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct{ head, content int }{
		{1, 1}, {1, 3}, {2, 100}, {3, 2000}, {31, 5}, {32, 64}, {33, 1}, {70, 3000},
	} {
		for _, kind := range []string{"noise", "text", "zeros"} {
			t.Run(fmt.Sprint(test, kind), func(t *testing.T) {
				head := append(firstPage(r, r.IntN(20), 64+r.IntN(500)), noise(r, (test.head-1)*4096)...)
				content := make([]byte, test.content*4096)
				switch kind {
				case "noise":
					content = noise(r, len(content))
				case "text":
					content = bytes.Repeat([]byte("0123456789abcdef"), len(content)/16)
				}
				file := framed(t, head, content)
				frame, ok := bytes.CutPrefix(file, []byte(database.Magic))
				if !ok {
					t.Fatalf("begins with %x", file[:5])
				}
				var h zstd.Header
				if err := h.Decode(frame); err != nil {
					t.Fatal(err)
				}
				if !h.HasFCS || h.FrameContentSize != uint64(len(head)+len(content)) || h.WindowSize > 8<<20 || !h.HasCheckSum {
					t.Errorf("header %+v", h)
				}
				dec, err := zstd.NewReader(nil)
				if err != nil {
					t.Fatal(err)
				}
				defer dec.Close()
				got, err := dec.DecodeAll(frame, nil)
				if err != nil {
					t.Fatal(err)
				}
				if len(got) < len(head) || !bytes.Equal(got[len(head):], content) {
					t.Fatal("the content is another")
				}
				free := unused(head)
				copy(got[free:free+stripe], head[free:])
				if !bytes.Equal(got[:len(head)], head) {
					t.Error("the first pages are others, and not only where nothing is")
				}
				frame[len(frame)/2] ^= 1
				if again, err := dec.DecodeAll(frame, nil); err == nil {
					t.Errorf("a flipped bit is not noticed in %d bytes", len(again))
				}
			})
		}
	}
}

// TestFrameWithoutRoom: a full first page is an error and does not lead to a wrong checksum.
func TestFrameWithoutRoom(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	out, err := disk.Begin(disk.OS{}, filepath.Join(t.TempDir(), "f.c1z"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Abort()
	f := newFrame(t.Context(), out)
	defer f.close()
	if _, err := f.WriteAt(make([]byte, 4096), 4096); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(firstPage(r, 3, 20), 0); err == nil {
		t.Error("no error")
	}
}

// TestFrameWithoutDisk: an error of the compressor reaches the next write, or the end of the frame, and
// nothing waits forever.
func TestFrameWithoutDisk(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, size := range []int64{1, loadSize / 2, 3*loadSize + 4096, 7 * loadSize} {
		synctest.Test(t, func(t *testing.T) {
			out, err := disk.Begin(disk.OS{}, filepath.Join(t.TempDir(), "f.c1z"))
			if err != nil {
				t.Fatal(err)
			}
			out.Abort()
			f := newFrame(t.Context(), out)
			defer f.close()
			for at := int64(4096); at < size+4096 && err == nil; at += 4096 {
				_, err = f.WriteAt(noise(r, 4096), at)
			}
			if size > (loads+2)*loadSize && err == nil {
				t.Errorf("%d bytes are taken without an error", size)
			}
			_, err = f.WriteAt(firstPage(r, 3, 200), 0)
			if baton.KindOf(err) != baton.Storage {
				t.Errorf("%d bytes: %v", size, err)
			}
		})
	}
}
