package c1ztest

import (
	"errors"
	"fmt"
	"os"

	"github.com/klauspost/compress/zstd"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Rewrite runs SQL statements on the database in the file at path. It creates rows that this project does not
// write, such as those of other programs or damaged ones.
func Rewrite(path string, statements ...string) error {
	const magic = "C1ZF\x00"
	packed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		return err
	}
	defer dec.Close()
	db, err := dec.DecodeAll(packed[len(magic):], nil)
	if err != nil {
		return err
	}
	name := path + ".rewritten"
	defer os.Remove(name)
	if err := os.WriteFile(name, db, 0o600); err != nil {
		return err
	}
	if err := execute(name, statements); err != nil {
		return err
	}
	if db, err = os.ReadFile(name); err != nil {
		return err
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		return err
	}
	defer enc.Close()
	return os.WriteFile(path, enc.EncodeAll(db, []byte(magic)), 0o600)
}

func execute(database string, statements []string) (err error) {
	conn, err := sqlite.OpenConn(database, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, s := range statements {
		if err := sqlitex.ExecuteScript(conn, s, nil); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}
