package engine

import (
	"errors"

	"baton"
)

// Find runs a query for at most one row and returns it; nil if there is none.
func Find[T any](tx Tx, scan func(Row) T, sql string, args ...any) (*T, error) {
	var v *T
	err := tx.Query(func(r Row) error {
		x := scan(r)
		v = &x
		return nil
	}, sql, args...)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Get runs a query for one row and returns it. If there is none, the error is NotFound and names
// what.
func Get[T any](tx Tx, scan func(Row) T, what, sql string, args ...any) (T, error) {
	v, err := Find(tx, scan, sql, args...)
	if err != nil || v == nil {
		if err == nil {
			err = baton.Errorf(baton.NotFound, "no %s", what)
		}
		var zero T
		return zero, err
	}
	return *v, nil
}

// List runs a query and returns its rows.
func List[T any](tx Tx, scan func(Row) T, sql string, args ...any) ([]T, error) {
	var all []T
	err := tx.Query(func(r Row) error {
		all = append(all, scan(r))
		return nil
	}, sql, args...)
	return all, err
}

// Insert runs a statement that inserts or renames a row. If a unique constraint is violated, the
// error is AlreadyExists and names what.
func Insert(tx Tx, what, sql string, args ...any) error {
	_, err := tx.Exec(sql, args...)
	if errors.Is(err, ErrUnique) {
		err = baton.Errorf(baton.AlreadyExists, "%s exists already", what)
	}
	return err
}

// Change runs a statement that must change one row. If it changes none, the error is NotFound and
// names what.
func Change(tx Tx, what, sql string, args ...any) error {
	n, err := tx.Exec(sql, args...)
	if err == nil && n != 1 {
		err = baton.Errorf(baton.NotFound, "no %s", what)
	}
	return err
}
