package c1z

import (
	"errors"
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/internal/disk"
)

// scratchPrefix is how the names of scratch databases begin.
const scratchPrefix = ".c1z-"

// cacheKiB bounds the page cache of a connection, and what one sort keeps in memory.
const cacheKiB = 8 << 10

// openDatabase opens a scratch database for exclusive use. Nothing in it outlives a
// crash, so it is neither synced nor journaled on disk; the journal in memory holds
// only pages that a transaction changes in place, and loading changes none. What
// SQLite spills while it sorts goes to dir; path is the file that it is for.
func openDatabase(s *disk.Scratch, dir, path string) (*sqlite.Conn, error) {
	info, err := s.Stat()
	if err != nil {
		return nil, disk.Errorf(err, s.Name(), "read %s", s.Name())
	}
	return checkTrees(s, info.Size(), path, func() (*sqlite.Conn, error) { return connect(s, dir, path) })
}

func connect(s *disk.Scratch, dir, path string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(s.Name(), sqlite.OpenReadWrite)
	if err != nil {
		return nil, unreadable(path, err)
	}
	for _, pragma := range []string{
		"locking_mode = exclusive", "journal_mode = memory", "synchronous = off",
		"trusted_schema = off", "cell_size_check = on", fmt.Sprintf("cache_size = -%d", cacheKiB),
		// Shared by the whole process, so the last writer's choice holds.
		"temp_store_directory = '" + strings.ReplaceAll(dir, "'", "''") + "'",
	} {
		if err := sqlitex.ExecuteTransient(conn, "pragma "+pragma, nil); err != nil {
			conn.Close()
			return nil, unreadable(path, err)
		}
	}
	return conn, nil
}

// database classifies an error of SQLite.
func database(doing string, err error) error {
	if err == nil {
		return nil
	}
	var classified *baton.Error
	if errors.As(err, &classified) {
		return err
	}
	kind, fix := baton.Internal, ""
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull:
		kind, fix = baton.Storage, "Free some space on the disk, or put the scratch directory on another one."
	case sqlite.ResultIOErr, sqlite.ResultReadOnly, sqlite.ResultCantOpen:
		kind, fix = baton.Storage, "Check the disk that the scratch directory is on, or use another one."
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		kind, fix = baton.Corrupt, fixRestore
		err = sqlite.ErrCode(err).ToError() // without the damaged text, whatever is in it
	}
	return baton.Errorf(kind, "c1z: %s: %w", doing, err).WithFix("%s", fix)
}

// unreadable classifies an error of SQLite with the database of a file that may be
// anybody's: what makes no sense there is not a defect of this program.
func unreadable(path string, err error) error {
	var classified *baton.Error
	if err != nil && !errors.As(err, &classified) {
		switch sqlite.ErrCode(err).ToPrimary() {
		case sqlite.ResultError, sqlite.ResultConstraint, sqlite.ResultMismatch, sqlite.ResultTooBig:
			return damaged(path, err)
		}
	}
	return database("read "+path, err)
}
