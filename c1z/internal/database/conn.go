package database

import (
	"errors"
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/internal/disk"
)

// scratchPrefix is the prefix of the names of scratch databases.
const scratchPrefix = ".c1z-"

// cacheKiB is the size of the page cache of a connection, and of the memory for one sort.
const cacheKiB = 8 << 10

// openDatabase opens a scratch database for exclusive use. It need not survive a crash, so it is
// neither synced nor journaled on disk. SQLite sorts in dir if memory is not enough. Kinds are
// the first bytes of the pages, path is the c1z file, for errors.
func openDatabase(s *disk.Scratch, kinds []byte, dir, path string) (*sqlite.Conn, error) {
	info, err := s.Stat()
	if err != nil {
		return nil, disk.Errorf(err, s.Name(), "read %s", s.Name())
	}
	return checkTrees(s, info.Size(), kinds, path, func() (*sqlite.Conn, error) { return connect(s, dir, path) })
}

func connect(s *disk.Scratch, dir, path string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(s.Name(), sqlite.OpenReadWrite)
	if err != nil {
		return nil, Unreadable(path, err)
	}
	for _, pragma := range []string{
		"locking_mode = exclusive", "journal_mode = memory", "synchronous = off",
		"trusted_schema = off", "cell_size_check = on", fmt.Sprintf("cache_size = -%d", cacheKiB),
		// This setting belongs to the process: the last database that was opened determines it.
		"temp_store_directory = '" + strings.ReplaceAll(dir, "'", "''") + "'",
	} {
		if err := sqlitex.ExecuteTransient(conn, "pragma "+pragma, nil); err != nil {
			conn.Close()
			return nil, Unreadable(path, err)
		}
	}
	return conn, nil
}

// classify classifies an error of SQLite.
func classify(doing string, err error) error {
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
		err = sqlite.ErrCode(err).ToError() // without text from the damaged file
	}
	return baton.Errorf(kind, "c1z: %s: %w", doing, err).WithFix("%s", fix)
}

// Unreadable classifies an error of SQLite while it reads the database of the file at path. Any
// program may have written the file, so a statement that fails means a damaged file and not a
// defect of this program.
func Unreadable(path string, err error) error {
	var classified *baton.Error
	if err != nil && !errors.As(err, &classified) {
		switch sqlite.ErrCode(err).ToPrimary() {
		case sqlite.ResultError, sqlite.ResultConstraint, sqlite.ResultMismatch, sqlite.ResultTooBig:
			return Damaged(path, err)
		}
	}
	return classify("read "+path, err)
}
