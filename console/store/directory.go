package store

import (
	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// DirectoryRecord is an account of a directory and the person that it stands for.
type DirectoryRecord struct {
	Account console.ResourceKey
	Stream  console.Stream
	Person  console.ID // "" while it is not known who it is
	Given   console.DirectoryEntry
	// Missing is the first of the newest syncs that do not show the account; 0 while they do.
	Missing console.SyncNumber
	Why     string // why the directory's word was not, or not fully, followed; "" if it was
}

// DirectoryChanged is the kind of the event of a directory's account whose word was not, or
// not fully, followed, or is again.
const DirectoryChanged = "person.directory-conflict"

// PutDirectoryRecord writes what a directory says about an account. Another reason why it was
// not followed is an event.
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
	return t.event(console.Event{Kind: DirectoryChanged, Connector: connector, Person: r.Person, Account: r.Account}, map[string]any{"why": r.Why})
}

const directoryColumns = "account, stream, person, given, missing, why"

func scanDirectoryRecord(r engine.Row) DirectoryRecord {
	d := DirectoryRecord{Account: console.ResourceKey(r.Int(0)), Stream: console.Stream(r.Int(1)), Person: console.ID(r.Text(2)), Missing: console.SyncNumber(r.Int(4)), Why: str(r, 5)}
	decode(r.Bytes(3), &d.Given)
	return d
}

// DirectoryRecord returns what a directory said about an account; nil if none said anything.
func (t *Tx) DirectoryRecord(account console.ResourceKey) (*DirectoryRecord, error) {
	return find(t, scanDirectoryRecord, "SELECT "+directoryColumns+" FROM directory_account WHERE account = $1", account)
}

// DirectoryRecords returns up to n records of a stream behind an account, by account.
func (t *Tx) DirectoryRecords(stream console.Stream, after console.ResourceKey, n int) ([]DirectoryRecord, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanDirectoryRecord, "SELECT "+directoryColumns+" FROM directory_account WHERE stream = $1 AND account > $2 ORDER BY account LIMIT $3", stream, after, n)
}

// DirectoryRecordsOf returns the accounts of directories that stand for a person.
func (t *Tx) DirectoryRecordsOf(person console.ID) ([]DirectoryRecord, error) {
	return list(t, scanDirectoryRecord, "SELECT "+directoryColumns+" FROM directory_account WHERE person = $1 ORDER BY account", person)
}

// DirectoryConflicts returns up to n records of a stream that were not, or not fully,
// followed.
func (t *Tx) DirectoryConflicts(stream console.Stream, n int) ([]DirectoryRecord, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanDirectoryRecord, "SELECT "+directoryColumns+" FROM directory_account WHERE stream = $1 AND length(why) > 0 ORDER BY account LIMIT $2", stream, n)
}

// checkMerge refuses to merge people whom a directory shows as two, or whose merger would
// take something away.
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
