package c1z3

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/encoding/protowire"

	"baton"
	"baton/c1z"
)

const cacheSize = 8 << 20 // bytes; enough for scans

// File is an open file of version 3.
type File struct {
	name   string
	dir    string
	engine string
	db     *pebble.DB
	cache  *pebble.Cache
	sync   *c1z.SyncInfo
}

// types are the names of sync types, by number.
var types = [...]string{"", c1z.Full, c1z.Partial, c1z.ResourcesOnly, c1z.PartialUpserts, c1z.PartialDeletions}

// Open unpacks a file of size bytes into a new folder in scratch, and opens it. name is used in
// errors. Close removes the folder.
func Open(in io.ReaderAt, size int64, name, scratch string, limits Limits) (_ *File, err error) {
	dir, err := os.MkdirTemp(scratch, "c1z3-")
	if err != nil {
		return nil, baton.Errorf(baton.Storage, "c1z: %w", err)
	}
	f := &File{name: name, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	err = f.guard(func() error {
		m, err := unpack(in, size, dir, limits)
		if err != nil {
			return err
		}
		f.engine = m.engine
		return f.open()
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Close closes the database and removes what was unpacked.
func (f *File) Close() error {
	var err error
	if f.db != nil {
		err = f.guard(func() error { return f.db.Close() })
		f.db = nil
	}
	if f.cache != nil {
		f.cache.Unref()
		f.cache = nil
	}
	return errors.Join(err, os.RemoveAll(f.dir))
}

// Sync returns the sync in the file; ok is false if there is none.
func (f *File) Sync() (s c1z.SyncInfo, ok bool) {
	if f.sync == nil {
		return c1z.SyncInfo{}, false
	}
	return *f.sync, true
}

func (f *File) open() error {
	f.cache = pebble.NewCache(cacheSize)
	db, err := pebble.Open(f.dir, &pebble.Options{
		ReadOnly: true, ErrorIfNotExists: true, Cache: f.cache,
		Logger: quiet{},
		// Without this listener, Pebble ends the process when it finds a damaged block.
		EventListener: &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}},
	})
	if err != nil {
		return damaged("its database cannot be opened; it may be damaged, or written by a newer version: %w", err)
	}
	f.db = db
	if n, ok, err := f.number("keyspace_version"); err != nil {
		return err
	} else if !ok || n != 2 {
		return unsupported("its keys are laid out in version %d, and only version 2 can be read", n)
	}
	if n, ok, err := f.number("grant_entitlement_id_format"); err != nil {
		return err
	} else if ok && n != 2 {
		return unsupported("its ids are written in format %d, and only format 2 can be read", n)
	} else if !ok && f.engine == "pebble3" {
		return damaged("it does not say how its ids are written")
	}
	return f.readSync()
}

// number reads an engine record of four bytes.
func (f *File) number(name string) (n uint32, ok bool, err error) {
	v, closer, err := f.db.Get(append([]byte{3, keyEngine}, name...))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, damaged("%s cannot be read: %w", name, err)
	}
	defer closer.Close()
	if len(v) != 4 {
		return 0, false, damaged("%s has %d bytes instead of 4", name, len(v))
	}
	return binary.BigEndian.Uint32(v), true, nil
}

func (f *File) readSync() error {
	count := 0
	for row, err := range f.scan(context.Background(), []byte{3, keySync}, []byte{3, keySync + 1}) {
		if err != nil {
			return err
		}
		if count++; count > 1 || len(row.key) != 2 {
			return damaged("it holds more than one sync")
		}
		s, err := parseSync(row.value)
		if err != nil {
			return err
		}
		f.sync = &s
	}
	return nil
}

func parseSync(b []byte) (s c1z.SyncInfo, err error) {
	err = fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) (err error) {
		switch number {
		case 1:
			s.ID = string(value)
		case 2:
			if s.Type = strconv.FormatUint(n, 10); n < uint64(len(types)) {
				s.Type = types[n]
			}
		case 3:
			s.ParentID = string(value)
		case 4:
			s.Started, err = parseTime(value)
		case 5:
			s.Ended, err = parseTime(value)
		}
		return err
	})
	return s, err
}

// parseTime reads a google.protobuf.Timestamp.
func parseTime(b []byte) (time.Time, error) {
	var seconds, nanos int64
	err := fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error {
		switch number {
		case 1:
			seconds = int64(n)
		case 2:
			nanos = int64(n)
		}
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	// The range of a Timestamp: the years 1 to 9999.
	if seconds < -62135596800 || seconds > 253402300799 || nanos < 0 || nanos > 999999999 {
		return time.Time{}, damaged("a time in it is out of range")
	}
	return time.Unix(seconds, nanos).UTC(), nil
}

// Stated returns the numbers of rows that the writer stated; ok is false if it stated none. A file
// with fewer rows is not damaged.
func (f *File) Stated(context.Context) (t c1z.Totals, ok bool, err error) {
	if f.db == nil {
		return t, false, nil
	}
	err = f.guard(func() error {
		v, closer, err := f.db.Get(append([]byte{3, keyEngine}, "stats\x00"...))
		if errors.Is(err, pebble.ErrNotFound) {
			return nil
		}
		if err != nil {
			return damaged("its counts cannot be read: %w", err)
		}
		defer closer.Close()
		ok = fields(v, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error {
			switch number {
			case 3:
				t.Resources = int64(n)
			case 4:
				t.Entitlements = int64(n)
			case 5:
				t.Grants = int64(n)
			}
			return nil
		}) == nil
		return nil
	})
	return t, ok, err
}

// record is a key and its value, which are valid until the next one is read.
type record struct{ key, value []byte }

// scan reads the records of a range of keys. An error ends it.
func (f *File) scan(ctx context.Context, lower, upper []byte) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		var failure error
		stopped := false
		err := f.guard(func() error {
			it, err := f.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
			if err != nil {
				return damaged("its records cannot be read: %w", err)
			}
			defer it.Close()
			for ok, n := it.First(), 0; ok; ok, n = it.Next(), n+1 {
				if n%1024 == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				value, err := it.ValueAndErr()
				if err != nil {
					return damaged("a record in it cannot be read: %w", err)
				}
				if !yield(record{it.Key(), value}, nil) {
					stopped = true
					return nil
				}
			}
			if err := it.Error(); err != nil {
				return damaged("its records cannot be read: %w", err)
			}
			return nil
		})
		if failure = err; failure != nil && !stopped {
			yield(record{}, failure)
		}
	}
}

// guard calls fn, turns a fatal error of Pebble into an ordinary one, and names the file.
func (f *File) guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			fatal, ok := p.(fatalError)
			if !ok {
				panic(p)
			}
			err = damaged("c1z: %s: its database is damaged: %s", f.name, string(fatal))
		}
	}()
	if err := fn(); err != nil {
		return fmt.Errorf("c1z: %s: %w", f.name, err)
	}
	return nil
}

// quiet is Pebble's logger. It prints nothing and panics on fatal errors.
type quiet struct{}

type fatalError string

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fatalError(fmt.Sprintf(format, args...)))
}
