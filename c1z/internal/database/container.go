package database

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"baton"
	"baton/internal/disk"
)

// Magic is the beginning of a version 1 file. A zstd frame follows.
const Magic = "C1ZF\x00"

const (
	magicV3 = "C1Z3\x00"

	databaseMagic = "SQLite format 3\x00"
)

// limits bound what unpacking a file may cost, in bytes.
type limits struct {
	window  uint64 // memory of the decoder
	decoded uint64 // disk
}

var defaultLimits = limits{window: 128 << 20, decoded: 10 << 30}

const fixRestore = "Restore it from a copy, or move it away and sync again."

// EngineError reports a c1z file of a storage engine other than SQLite.
type EngineError struct {
	Version int    // of the container
	Engine  string // the name in the manifest of the file; empty if that cannot be read
}

func (e *EngineError) Error() string {
	engine := e.Engine
	if engine == "" {
		engine = "unknown"
	}
	return fmt.Sprintf("written by storage engine %q, version %d, which this program does not read", engine, e.Version)
}

// unpack writes the database in a container to a scratch file in dir. It also returns the first
// byte of each page. Errors contain the name of the container.
func unpack(ctx context.Context, fsys disk.FS, in io.Reader, name, dir string, max limits) (_ *disk.Scratch, kinds []byte, err error) {
	r := bufio.NewReaderSize(readerOf{ctx, in}, 1<<16)
	if err := checkMagic(name, r); err != nil {
		return nil, nil, err
	}
	if err := checkFrame(name, r, max); err != nil {
		return nil, nil, err
	}
	// With one goroutine: several take half as much CPU time again to pass blocks on.
	dec, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(max.window), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, nil, baton.Errorf(baton.Internal, "c1z: read %s: %w", name, err)
	}
	defer dec.Close()
	out, err := disk.NewScratch(fsys, dir, scratchPrefix)
	if err != nil {
		return nil, nil, err
	}
	kinds, err = unpackDatabase(name, out, dec, max)
	if err != nil {
		out.Close()
		return nil, nil, err
	}
	return out, kinds, nil
}

// readerOf stops reading when the context ends.
type readerOf struct {
	ctx context.Context
	in  io.Reader
}

func (r readerOf) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}

// checkMagic consumes the magic.
func checkMagic(name string, r *bufio.Reader) error {
	head, err := r.Peek(len(Magic))
	if err != nil && err != io.EOF {
		return Storage("read", name, err)
	}
	switch {
	case len(head) == 0:
		return baton.Errorf(baton.NotFound, "c1z: %s is empty", name).WithFix("Sync first, or name another file.")
	case string(head) == magicV3:
		return baton.Errorf(baton.Unsupported, "c1z: %s was %w", name, &EngineError{Version: 3, Engine: engineOf(r)}).
			WithFix("Read it with a program that knows this engine, or have the connector write version 1 (--storage-engine sqlite).")
	case string(head) != Magic[:len(head)]:
		return baton.Errorf(baton.Corrupt, "c1z: %s is not a c1z file", name).
			WithFix("Name another file, or move this one away and sync again.")
	case len(head) < len(Magic):
		return cutShort(name)
	}
	_, err = r.Discard(len(Magic))
	return err
}

// engineOf returns the first field of a version 3 manifest, the name of the engine; empty if the
// manifest begins with another field.
func engineOf(r *bufio.Reader) string {
	const (
		start     = 5 + 4 // after the magic and the manifest's length
		maxEngine = 64
	)
	head, _ := r.Peek(start + 2 + maxEngine)
	if len(head) < start {
		return ""
	}
	manifest := head[start:]
	if n := binary.BigEndian.Uint32(head[5:]); uint64(n) < uint64(len(manifest)) {
		manifest = manifest[:n]
	}
	field, kind, n := protowire.ConsumeTag(manifest)
	if n < 0 || field != 1 || kind != protowire.BytesType {
		return ""
	}
	engine, n := protowire.ConsumeString(manifest[n:])
	if n < 0 {
		return ""
	}
	return engine
}

// checkFrame checks the header of the first frame before anything is decoded.
func checkFrame(name string, r *bufio.Reader, max limits) error {
	b, err := r.Peek(zstd.HeaderMaxSize)
	if err != nil && err != io.EOF {
		return Storage("read", name, err)
	}
	var h zstd.Header
	switch err := h.Decode(b); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return cutShort(name)
	case err != nil:
		return Damaged(name, err)
	case h.HasFCS && h.FrameContentSize > max.decoded:
		return tooLarge(name, fmt.Sprintf("%d bytes", h.FrameContentSize), max)
	case h.WindowSize > max.window:
		return baton.Errorf(baton.Unsupported, "c1z: %s needs a window of %d bytes to unpack, the limit is %d", name, h.WindowSize, max.window).
			WithFix("Write the file again with a smaller compression window.")
	}
	return nil
}

// unpacked receives the content of a frame from the decoder.
type unpacked struct {
	out   io.Writer
	kinds pageKinds
	limit uint64 // bytes that may still come
}

var errTooMuch = errors.New("more than the limit")

func (u *unpacked) Write(b []byte) (int, error) {
	if uint64(len(b)) > u.limit {
		return 0, errTooMuch
	}
	u.limit -= uint64(len(b))
	u.kinds.add(b)
	return u.out.Write(b)
}

func unpackDatabase(name string, out *disk.Scratch, dec *zstd.Decoder, max limits) (kinds []byte, err error) {
	u := &unpacked{out: out, limit: max.decoded}
	_, err = dec.WriteTo(u)
	var write *fs.PathError
	switch {
	case errors.As(err, &write):
		return nil, Storage("unpack", name, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, cutShort(name)
	case errors.Is(err, errTooMuch):
		return nil, tooLarge(name, "more", max)
	case err != nil:
		return nil, Damaged(name, err)
	}
	head := make([]byte, 20)
	if _, err := out.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, misread(name, err)
	} else if err != nil || string(head[:len(databaseMagic)]) != databaseMagic {
		return nil, Damaged(name, errors.New("it does not hold a SQLite database"))
	}
	// Bytes 18 and 19 are 2 if the writer used a write-ahead log. SQLite would create one here,
	// although the container has none.
	if head[18] != 1 || head[19] != 1 {
		if _, err := out.WriteAt([]byte{1, 1}, 18); err != nil {
			return nil, Storage("unpack", name, err)
		}
	}
	return u.kinds.first, nil
}

func cutShort(name string) error {
	return baton.Errorf(baton.Corrupt, "c1z: %s is cut short", name).WithFix(fixRestore)
}

// Damaged reports a file with content that no connector writes.
func Damaged(name string, err error) error {
	return baton.Errorf(baton.Corrupt, "c1z: %s is damaged: %w", name, err).WithFix(fixRestore)
}

func tooLarge(name, size string, max limits) error {
	return baton.Errorf(baton.Unsupported, "c1z: %s would unpack to %s, the limit is %d bytes", name, size, max.decoded).
		WithFix("Keep fewer syncs in the file.")
}

// Storage classifies an error of the file system.
func Storage(doing, path string, err error) error {
	return disk.Errorf(err, path, "c1z: %s %s", doing, path)
}
