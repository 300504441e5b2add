// Package disktest is a disk for tests: its operations fail on demand, and it knows what a power cut would
// leave.
package disktest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"baton/internal/disk"
)

// Op is a kind of operation on a disk.
type Op string

// The operations. Read and write operations include those at an offset.
const (
	Any      Op = ""
	Open     Op = "open"
	Stat     Op = "stat"
	ReadDir  Op = "read-dir"
	Mkdir    Op = "mkdir"
	Rename   Op = "rename"
	Remove   Op = "remove"
	SyncDir  Op = "sync-dir"
	Read     Op = "read"
	Write    Op = "write"
	Truncate Op = "truncate"
	Sync     Op = "sync"
	Close    Op = "close"
)

// Ops returns all operations.
func Ops() []Op {
	return []Op{Open, Stat, ReadDir, Mkdir, Rename, Remove, SyncDir, Read, Write, Truncate, Sync, Close}
}

// Call is one operation on a file or directory.
type Call struct {
	Op   Op
	Name string
}

// Fault makes operations fail.
type Fault struct {
	Op   Op     // Any means every operation
	Name string // a pattern of path.Match for the file's name without its folder; "" means any
	Nth  int    // number of the first operation that fails, from 1
	On   bool   // all later ones fail as well
	Err  error  // the system's error, such as syscall.ENOSPC
	// Short makes a failing write store half of its bytes.
	Short bool

	met int
}

// Disk is a directory of the system's file system, with faults and records. A failed operation has no effect,
// except that a file whose Close fails is closed, and that a write may be short.
//
// The exported fields are set before use.
type Disk struct {
	// Before, if set, is called before every operation, one at a time. It may call [Disk.Image].
	Before func(Call)

	mu     sync.Mutex
	faults []*Fault
	failed []Call
	book   book
}

var _ disk.FS = (*Disk)(nil)

// New returns a disk for the files below root. Existing files count as durable.
func New(root string, faults ...Fault) (*Disk, error) {
	d := &Disk{}
	for _, f := range faults {
		d.faults = append(d.faults, &f)
	}
	if err := d.book.begin(root); err != nil {
		return nil, err
	}
	return d, nil
}

// Failed returns the operations that failed on demand.
func (d *Disk) Failed() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.failed)
}

// begin announces an operation and returns its fault, if any. d.mu is held during it and the operation.
func (d *Disk) begin(op Op, name string) (fail *Fault) {
	if d.Before != nil {
		d.Before(Call{op, name})
	}
	for _, f := range d.faults {
		if f.Op != Any && f.Op != op {
			continue
		}
		if f.Name != "" {
			if ok, err := path.Match(f.Name, filepath.Base(name)); err != nil || !ok {
				continue
			}
		}
		f.met++
		if fail == nil && (f.met == f.Nth || f.On && f.met > f.Nth) {
			d.failed = append(d.failed, Call{op, name})
			fail = f
		}
	}
	return fail
}

// do performs an operation without a result.
func (d *Disk) do(op Op, name string, act func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.begin(op, name); f != nil {
		return f.error(op, name)
	}
	return act()
}

// get performs an operation with a result.
func get[T any](d *Disk, op Op, name string, act func() (T, error)) (v T, err error) {
	err = d.do(op, name, func() error {
		v, err = act()
		return err
	})
	return v, err
}

func (f *Fault) error(op Op, name string) error {
	return &fs.PathError{Op: string(op), Path: name, Err: f.Err}
}

// OpenFile opens a file.
func (d *Disk) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	return get(d, Open, name, func() (disk.File, error) {
		readable := flag
		if flag&os.O_WRONLY != 0 {
			readable = flag&^os.O_WRONLY | os.O_RDWR // the record must read what is flushed
		}
		f, err := os.OpenFile(name, readable, perm)
		if err != nil {
			return nil, err
		}
		return &file{File: f, disk: d, node: d.book.opened(name)}, nil
	})
}

// Stat describes a file.
func (d *Disk) Stat(name string) (fs.FileInfo, error) {
	return get(d, Stat, name, func() (fs.FileInfo, error) { return os.Stat(name) })
}

// ReadDir lists a directory.
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	return get(d, ReadDir, name, func() ([]fs.DirEntry, error) { return os.ReadDir(name) })
}

// Mkdir makes a directory.
func (d *Disk) Mkdir(name string, perm fs.FileMode) error {
	return d.do(Mkdir, name, func() error {
		err := os.Mkdir(name, perm)
		if err == nil {
			d.book.made(name)
		}
		return err
	})
}

// Rename moves a file.
func (d *Disk) Rename(from, to string) error {
	return d.do(Rename, to, func() error {
		err := os.Rename(from, to)
		if err == nil {
			d.book.renamed(from, to)
		}
		return err
	})
}

// Remove removes a file or an empty directory.
func (d *Disk) Remove(name string) error {
	return d.do(Remove, name, func() error {
		err := os.Remove(name)
		if err == nil {
			d.book.removed(name)
		}
		return err
	})
}

// SyncDir makes the names in a directory durable.
func (d *Disk) SyncDir(name string) error {
	return d.do(SyncDir, name, func() error {
		d.book.syncedDir(name)
		return nil
	})
}

// file is an open file.
type file struct {
	*os.File
	disk *Disk
	node *node
}

func (f *file) Read(b []byte) (n int, err error) {
	return get(f.disk, Read, f.Name(), func() (int, error) { return f.File.Read(b) })
}

func (f *file) ReadAt(b []byte, at int64) (n int, err error) {
	return get(f.disk, Read, f.Name(), func() (int, error) { return f.File.ReadAt(b, at) })
}

func (f *file) Write(b []byte) (n int, err error) {
	return f.write(b, f.File.Write)
}

func (f *file) WriteAt(b []byte, at int64) (n int, err error) {
	return f.write(b, func(b []byte) (int, error) { return f.File.WriteAt(b, at) })
}

func (f *file) write(b []byte, write func([]byte) (int, error)) (n int, err error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if fault := f.disk.begin(Write, f.Name()); fault != nil {
		if fault.Short {
			n, _ = write(b[:len(b)/2])
		}
		return n, fault.error(Write, f.Name())
	}
	return write(b)
}

// WriteString, ReadFrom and WriteTo hide the methods of os.File, which would bypass the disk.
func (f *file) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// ReadFrom implements io.ReaderFrom.
func (f *file) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{f}, r)
}

// WriteTo implements io.WriterTo.
func (f *file) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{f})
}

func (f *file) Truncate(size int64) error {
	return f.disk.do(Truncate, f.Name(), func() error { return f.File.Truncate(size) })
}

func (f *file) Sync() error {
	return f.disk.do(Sync, f.Name(), func() error { return f.node.synced(f.File) })
}

func (f *file) Close() error {
	err := f.disk.do(Close, f.Name(), func() error { return nil })
	return errors.Join(err, f.File.Close())
}
