package store

import (
	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// DirectoryRecord is an account of a directory and the person it belongs to.
type DirectoryRecord struct {
	Account console.ResourceKey
	Stream  console.Stream
	Person  console.ID // "" while unknown
	Given   console.DirectoryEntry
	// Missing is the first sync since which the account is missing; 0 if it is not.
	Missing console.SyncNumber
	Why     string // why the directory's data was not fully applied to the person; "" if it was
}

// DirectoryChanged is the kind of the event that the data of a directory account could not be fully
// applied, or now is.
const DirectoryChanged = "person.directory-conflict"

// PutDirectoryRecord stores a directory's data about an account. connector is "" for a user that was
// pushed. It appends an event if Why changes.
func (t *Tx) PutDirectoryRecord(connector console.ID, r DirectoryRecord) error {
	before, err := t.DirectoryRecord(r.Account)
	if err != nil {
		return err
	}
	if _, err := t.e.Exec(`INSERT INTO directory_account (account, stream, person, given, missing, why) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account) DO UPDATE SET stream = excluded.stream, person = excluded.person, given = excluded.given, missing = excluded.missing, why = excluded.why`,
		r.Account, r.Stream, null(r.Person), encode(r.Given), r.Missing, []byte(r.Why)); err != nil {
		return err
	}
	if before != nil && before.Why == r.Why || before == nil && r.Why == "" {
		return nil
	}
	e := console.Event{Kind: DirectoryChanged, Connector: connector, Person: r.Person}
	if connector != "" {
		e.Account = r.Account
	}
	return t.event(e, map[string]any{"why": r.Why})
}

const directoryColumns = "account, stream, person, given, missing, why"

func scanDirectoryRecord(r engine.Row) DirectoryRecord {
	d := DirectoryRecord{Account: console.ResourceKey(r.Int(0)), Stream: console.Stream(r.Int(1)), Person: console.ID(r.Text(2)), Missing: console.SyncNumber(r.Int(4)), Why: str(r, 5)}
	decode(r.Bytes(3), &d.Given)
	return d
}

// DirectoryRecord returns a directory's data about an account; nil if there is none.
func (t *Tx) DirectoryRecord(account console.ResourceKey) (*DirectoryRecord, error) {
	return find(t, scanDirectoryRecord, "SELECT "+directoryColumns+" FROM directory_account WHERE account = $1", account)
}

// DirectoryRecords returns up to n records of a stream with greater account keys than the given one,
// in order.
func (t *Tx) DirectoryRecords(stream console.Stream, after console.ResourceKey, n int) ([]DirectoryRecord, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanDirectoryRecord, "SELECT "+directoryColumns+" FROM directory_account WHERE stream = $1 AND account > $2 ORDER BY account LIMIT $3", stream, after, n)
}

// DirectoryRecordsOf returns the directory accounts of a person.
func (t *Tx) DirectoryRecordsOf(person console.ID) ([]DirectoryRecord, error) {
	return list(t, scanDirectoryRecord, "SELECT "+directoryColumns+" FROM directory_account WHERE person = $1 ORDER BY account", person)
}

// DirectoryConflicts returns up to n records of a stream that were not fully applied.
func (t *Tx) DirectoryConflicts(stream console.Stream, n int) ([]DirectoryRecord, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanDirectoryRecord, "SELECT "+directoryColumns+" FROM directory_account WHERE stream = $1 AND length(why) > 0 ORDER BY account LIMIT $2", stream, n)
}

// checkMerge refuses to merge people who are two people in a directory, and mergers that would
// remove something.
func (t *Tx) checkMerge(source, target console.Person) error {
	switch {
	case source.MergedInto != "":
		return baton.Errorf(baton.Refused, "%s was merged into somebody already", source.Name)
	case target.Status != console.PersonActive && source.Status == console.PersonActive:
		return baton.Errorf(baton.Refused, "%s is active and %s is not", source.Name, target.Name).WithFix("Merge the other way round.")
	}
	_, err := t.Login(source.ID)
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return err
	}
	hasLogin := err == nil
	if _, err := t.Login(target.ID); baton.KindOf(err) == baton.NotFound && hasLogin {
		return baton.Errorf(baton.Refused, "%s has a login and %s has none", source.Name, target.Name).WithFix("Merge the other way round.")
	} else if err != nil && baton.KindOf(err) != baton.NotFound {
		return err
	}
	here, err := t.DirectoryRecordsOf(source.ID)
	if err != nil {
		return err
	}
	there, err := t.DirectoryRecordsOf(target.ID)
	if err != nil {
		return err
	}
	for _, a := range here {
		for _, b := range there {
			if a.Stream == b.Stream && a.Missing == 0 && b.Missing == 0 {
				return baton.Errorf(baton.Refused, "a directory shows %s and %s as two people", source.Name, target.Name).WithFix("Remove one of the two from the directory first.")
			}
		}
	}
	return nil
}
