package c1z

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"baton"
)

const (
	magic   = "C1ZF\x00"
	magicV3 = "C1Z3\x00"

	databaseMagic = "SQLite format 3\x00"

	encodeWindow = 4 << 20
)

// limits bound what a file may cost to unpack.
type limits struct {
	window  uint64 // memory
	decoded uint64 // disk
}

var defaultLimits = limits{window: 128 << 20, decoded: 10 << 30}

const fixRestore = "Restore it from a copy, or move it away and sync again."

// unpack writes the database inside the file at path into a scratch file in dir.
func unpack(path, dir string, max limits) (_ *scratch, err error) {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, baton.Errorf(baton.NotFound, "c1z: %s does not exist", path).
			WithFix("Sync first, or name another file.")
	}
	if err != nil {
		return nil, storage("open", path, err)
	}
	defer in.Close()
	if info, err := in.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, baton.Errorf(baton.Invalid, "c1z: %s is not a regular file", path).WithFix("Name another file.")
	}
	r := bufio.NewReaderSize(in, 1<<16)
	if err := checkMagic(path, r); err != nil {
		return nil, err
	}
	if err := checkFrame(path, r, max); err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(max.window))
	if err != nil {
		return nil, baton.Errorf(baton.Internal, "c1z: read %s: %w", path, err)
	}
	defer dec.Close()
	out, err := newScratch(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			out.Close()
		}
	}()
	if err := unpackDatabase(path, out, dec, max); err != nil {
		return nil, err
	}
	return out, nil
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

func unpackDatabase(path string, out *scratch, dec io.Reader, max limits) error {
	n, err := io.Copy(out.file, io.LimitReader(dec, int64(max.decoded)+1))
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
	if _, err := out.file.ReadAt(head, 0); err != nil || !bytes.HasPrefix(head, []byte(databaseMagic)) {
		return damaged(path, errors.New("it does not hold a SQLite database"))
	}
	// Bytes 18 and 19 say 2 when the writer used a write-ahead log. There is none
	// here, and SQLite would insist on making one.
	if head[18] != 1 || head[19] != 1 {
		if _, err := out.file.WriteAt([]byte{1, 1}, 18); err != nil {
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

// pack writes the container around a database of the given size.
func pack(w io.Writer, database io.Reader, size int64) error {
	if _, err := io.WriteString(w, magic); err != nil {
		return err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(encodeWindow))
	if err != nil {
		return err
	}
	enc.ResetContentSize(w, size)
	_, err = io.Copy(enc, database)
	if e := enc.Close(); err == nil {
		err = e
	}
	return err
}

// replace puts what write produces in the place of the file at path: all of it or,
// after an error, nothing. It returns the size.
func replace(path string, write func(io.Writer) error) (size int64, err error) {
	tmp := path + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, storage("remove", tmp, err)
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, storage("create", tmp, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(tmp)
		}
	}()
	if err := write(f); err != nil {
		return 0, storage("write", tmp, err)
	}
	if size, err = f.Seek(0, io.SeekCurrent); err != nil {
		return 0, storage("write", tmp, err)
	}
	if err := f.Sync(); err != nil {
		return 0, storage("sync", tmp, err)
	}
	if err := f.Close(); err != nil {
		return 0, storage("close", tmp, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return 0, storage("rename", tmp, err)
	}
	return size, syncDir(filepath.Dir(path))
}

// syncDir makes a rename in the directory durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be opened there, and renames are logged
	}
	d, err := os.Open(dir)
	if err != nil {
		return storage("open", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot
		return storage("sync", dir, err)
	}
	return nil
}

// storage classifies an error of the file system.
func storage(doing, path string, err error) error {
	var classified *baton.Error
	if errors.As(err, &classified) {
		return err
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the path is said once
	}
	e := baton.Errorf(baton.Storage, "c1z: %s %s: %w", doing, path, err)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return e.WithFix("Free some space on the disk, or put the file or the scratch directory on another one.")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return e.WithFix("Make %s writable, or use another place.", filepath.Dir(path))
	case errors.Is(err, fs.ErrNotExist):
		return e.WithFix("Create the directory first.")
	}
	return e.WithFix("Check the disk, or use another place.")
}
