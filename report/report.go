package report

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"

	"baton"
	"baton/c1z"
)

// DefaultRows is the default for the largest number of rows in a table of the page. CSV and JSON
// always have all rows.
const DefaultRows = 20_000

// Options describe a report.
type Options struct {
	Connector *baton.Connector // for its descriptions; no upstream call is made
	Program   string           // name and version of the program, for the evidence
	After     *c1z.Sync        // the sync that is reported
	Before    *c1z.Sync        // the sync to compare it with; nil for none
	// AfterSource and BeforeSource are the files of the syncs.
	AfterSource, BeforeSource Source
	Rows                      int // of a table on the page; DefaultRows when zero, all when below
}

func (o Options) rows() int {
	if o.Rows < 0 {
		return int(^uint(0) >> 1)
	}
	return cmp.Or(o.Rows, DefaultRows)
}

// Source identifies a file.
type Source struct {
	Name   string // without its folder
	Size   int64
	SHA256 string
}

// Open opens the file at path, and returns the Source that identifies its content. Scratch files go
// to tempDir, or beside the file if tempDir is empty.
func Open(ctx context.Context, path, tempDir string) (*c1z.File, Source, error) {
	const attempts = 3
	for range attempts {
		f, s, same, err := open(ctx, path, tempDir)
		if same || err != nil {
			return f, s, err
		}
		if err := f.Close(); err != nil {
			return nil, s, err
		}
	}
	return nil, Source{}, baton.Errorf(baton.Unavailable, "report: %s is replaced again and again while it is read", path).
		WithFix("Try again, or copy the file first.")
}

// open hashes the file and unpacks it. It reports whether both have read the same file: files are
// replaced by a rename and not modified, and while the old file is open no other one can have
// its identity.
func open(ctx context.Context, path, tempDir string) (f *c1z.File, s Source, same bool, err error) {
	opener := c1z.Opener{TempDir: cmp.Or(tempDir, filepath.Dir(path))}
	in, err := os.Open(path)
	if err != nil {
		f, err := opener.Open(ctx, path) // returns the better error
		if err == nil {
			err = f.Close()
		}
		return nil, s, false, err
	}
	defer in.Close()
	h := sha256.New()
	info, err := in.Stat()
	if err == nil && info.Mode().IsRegular() {
		s.Size, err = io.Copy(h, in)
	}
	if err != nil {
		return nil, s, false, baton.Errorf(baton.Storage, "report: read %s: %w", path, err)
	}
	s.Name, s.SHA256 = filepath.Base(path), hex.EncodeToString(h.Sum(nil))
	if f, err = opener.Open(ctx, path); err != nil {
		return nil, s, false, err
	}
	now, err := os.Stat(path)
	return f, s, err == nil && os.SameFile(info, now) && now.Size() == s.Size, nil
}
