package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
)

// Migration is one step of the schema.
type Migration struct {
	Number int
	Name   string // of the file
	SQL    string
	Sum    [sha256.Size]byte
}

// Migrations reads the files NNNN_name.sql in a directory. They are numbered from 1 without a gap.
func Migrations(dir fs.FS) ([]Migration, error) {
	names, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []Migration
	for _, name := range names {
		b, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		digits, _, _ := strings.Cut(path.Base(name), "_")
		n, err := strconv.Atoi(digits)
		if err != nil || len(digits) != 4 || n != len(all)+1 {
			return nil, fmt.Errorf("store: migration %s: its number must be %04d", name, len(all)+1)
		}
		all = append(all, Migration{Number: n, Name: name, SQL: string(b), Sum: sha256.Sum256(b)})
	}
	return all, nil
}

// Script runs the text of a migration, which has several statements, in a transaction.
type Script func(tx Tx, sql string) error

// Migrate applies the missing migrations, each in a transaction of its own. It refuses a database
// with an unknown or changed migration, without a change. table runs first in each transaction: it
// blocks other processes, and creates the table of the migrations if it is missing.
func Migrate(ctx context.Context, db DB, all []Migration, now time.Time, table string, script Script) error {
	for {
		done := false
		err := db.Write(ctx, func(tx Tx) error {
			if err := script(tx, table); err != nil {
				return err
			}
			applied, err := check(tx, all)
			if err != nil {
				return err
			}
			if done = applied == len(all); done {
				return nil
			}
			m := all[applied]
			if err := script(tx, m.SQL); err != nil {
				return baton.Errorf(baton.Storage, "store: migration %s: %w", m.Name, err)
			}
			_, err = tx.Exec("INSERT INTO schema_migration (number, name, sum, applied) VALUES ($1, $2, $3, $4)", m.Number, m.Name, m.Sum, now)
			return err
		})
		if err != nil || done {
			return err
		}
	}
}

// check returns the number of migrations that the database has.
func check(tx Tx, all []Migration) (applied int, err error) {
	err = tx.Query(func(r Row) error {
		n, name := int(r.Int(0)), r.Text(1)
		switch {
		case n > len(all):
			return baton.Errorf(baton.Refused, "store: the database has migration %s, and this program knows only the first %d: it belongs to a newer version", name, len(all)).
				WithFix("Use the version that last used this database, or a newer one.")
		case all[n-1].Name != name || string(r.Bytes(2)) != string(all[n-1].Sum[:]):
			return baton.Errorf(baton.Refused, "store: migration %s of the database is not the %s of this program", name, all[n-1].Name).
				WithFix("Use the program that made this database.")
		case n != applied+1:
			return baton.Errorf(baton.Corrupt, "store: the database has migration %s, but not number %d", name, applied+1)
		}
		applied = n
		return nil
	}, "SELECT number, name, sum FROM schema_migration ORDER BY number")
	return applied, err
}
