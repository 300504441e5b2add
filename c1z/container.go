package c1z

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/zstd"

	"baton"
	"baton/internal/disk"
)

const (
	magic   = "C1ZF\x00"
	magicV3 = "C1Z3\x00"

	databaseMagic = "SQLite format 3\x00"
)

// limits bound what a file may cost to unpack.
type limits struct {
	window  uint64 // memory
	decoded uint64 // disk
}

var defaultLimits = limits{window: 128 << 20, decoded: 10 << 30}

const fixRestore = "Restore it from a copy, or move it away and sync again."

// unpack writes the database inside the file at path into a scratch file in dir. Info is of
// the file as it was read.
func unpack(fsys disk.FS, path, dir string, max limits) (_ *disk.Scratch, info fs.FileInfo, err error) {
	in, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, baton.Errorf(baton.NotFound, "c1z: %s does not exist", path).
			WithFix("Sync first, or name another file.")
	}
	if err != nil {
		return nil, nil, storage("open", path, err)
	}
	defer in.Close()
	if info, err = in.Stat(); err != nil {
		return nil, nil, storage("read", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, baton.Errorf(baton.Invalid, "c1z: %s is not a regular file", path).WithFix("Name another file.")
	}
	r := bufio.NewReaderSize(in, 1<<16)
	if err := checkMagic(path, r); err != nil {
		return nil, nil, err
	}
	if err := checkFrame(path, r, max); err != nil {
		return nil, nil, err
	}
	dec, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(max.window))
	if err != nil {
		return nil, nil, baton.Errorf(baton.Internal, "c1z: read %s: %w", path, err)
	}
	defer dec.Close()
	out, err := disk.NewScratch(fsys, dir, scratchPrefix)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			out.Close()
		}
	}()
	if err := unpackDatabase(path, out, dec, max); err != nil {
		return nil, nil, err
	}
	return out, info, nil
}

// checkMagic consumes the magic.
func checkMagic(path string, r *bufio.Reader) error {
	head, err := r.Peek(len(magic))
	if err != nil && err != io.EOF {
		return storage("read", path, err)
	}
	switch {
	case len(head) == 0:
		return baton.Errorf(baton.NotFound, "c1z: %s is empty", path).WithFix("Sync first, or name another file.")
	case string(head) == magicV3:
		return baton.Errorf(baton.Unsupported, "c1z: %s is a v3 (Pebble) file, which this program does not read", path).
			WithFix("Convert it to v1 (SQLite), or move it away and sync again.")
	case !bytes.HasPrefix([]byte(magic), head):
		return baton.Errorf(baton.Corrupt, "c1z: %s is not a c1z file", path).
			WithFix("Name another file, or move this one away and sync again.")
	case len(head) < len(magic):
		return cutShort(path)
	}
	_, err = r.Discard(len(magic))
	return err
}

// checkFrame looks at the frame's header before anything is decoded.
func checkFrame(path string, r *bufio.Reader, max limits) error {
	b, err := r.Peek(zstd.HeaderMaxSize)
	if err != nil && err != io.EOF {
		return storage("read", path, err)
	}
	var h zstd.Header
	switch err := h.Decode(b); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return cutShort(path)
	case err != nil:
		return damaged(path, err)
	case h.HasFCS && h.FrameContentSize > max.decoded:
		return tooLarge(path, fmt.Sprintf("%d bytes", h.FrameContentSize), max)
	case h.WindowSize > max.window:
		return baton.Errorf(baton.Unsupported, "c1z: %s needs a window of %d bytes to unpack, the limit is %d", path, h.WindowSize, max.window).
			WithFix("Write it anew with a smaller compression window.")
	}
	return nil
}

func unpackDatabase(path string, out *disk.Scratch, dec io.Reader, max limits) error {
	n, err := io.Copy(out, io.LimitReader(dec, int64(max.decoded)+1))
	var write *fs.PathError
	switch {
	case errors.As(err, &write):
		return storage("unpack", path, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return cutShort(path)
	case err == nil && uint64(n) > max.decoded:
		return tooLarge(path, "more", max)
	case err != nil:
		return damaged(path, err)
	}
	head := make([]byte, 20)
	if _, err := out.ReadAt(head, 0); err != nil && err != io.EOF {
		return misread(path, err)
	} else if err != nil || !bytes.HasPrefix(head, []byte(databaseMagic)) {
		return damaged(path, errors.New("it does not hold a SQLite database"))
	}
	// Bytes 18 and 19 say 2 when the writer used a write-ahead log. There is none
	// here, and SQLite would insist on making one.
	if head[18] != 1 || head[19] != 1 {
		if _, err := out.WriteAt([]byte{1, 1}, 18); err != nil {
			return storage("unpack", path, err)
		}
	}
	return nil
}

func cutShort(path string) error {
	return baton.Errorf(baton.Corrupt, "c1z: %s is cut short", path).WithFix(fixRestore)
}

func damaged(path string, err error) error {
	return baton.Errorf(baton.Corrupt, "c1z: %s is damaged: %w", path, err).WithFix(fixRestore)
}

func tooLarge(path, size string, max limits) error {
	return baton.Errorf(baton.Unsupported, "c1z: %s would unpack to %s, the limit is %d bytes", path, size, max.decoded).
		WithFix("Keep fewer syncs in the file.")
}

// storage classifies an error of the file system.
func storage(doing, path string, err error) error {
	return disk.Errorf(err, path, "c1z: %s %s", doing, path)
}
