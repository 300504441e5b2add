package storetest

import (
	"slices"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

// testDirectory stores the data of directories, and merges people with their possessions.
func testDirectory(t *testing.T, db Database) {
	s := open(t, db)
	w := newWorld(t, s)
	stream := w.stream()
	var a, b console.ID
	update(t, s, by(1), func(tx *store.Tx) (err error) {
		if a, err = tx.AddPerson(console.Person{Name: "a", Emails: []string{"a@x"}}); err != nil {
			return err
		}
		b, err = tx.AddPerson(console.Person{Name: "b", Emails: []string{"b@x"}, Manager: a})
		return err
	})
	entry := console.DirectoryEntry{Name: "A", Emails: []string{"a@x"}, Manager: "b@x", Department: "D", Status: console.PersonActive}
	update(t, s, by(2), func(tx *store.Tx) error {
		for _, r := range []store.DirectoryRecord{{Account: 7, Stream: stream, Person: a, Given: entry}, {Account: 9, Stream: stream, Why: "unclear", Given: entry}, {Account: 5, Stream: stream + 100, Person: a}} {
			if err := tx.PutDirectoryRecord(w.connector, r); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.DirectoryRecord(7)
		if err != nil || got == nil || got.Person != a || !got.Given.Equal(entry) || got.Missing != 0 || got.Why != "" {
			t.Errorf("record %+v, %v", got, err)
		}
		if none, err := tx.DirectoryRecord(8); err != nil || none != nil {
			t.Errorf("no record: %+v, %v", none, err)
		}
		first, err := tx.DirectoryRecords(stream, 0, 1)
		if err != nil || len(first) != 1 || first[0].Account != 7 {
			t.Errorf("first page %+v, %v", first, err)
		}
		if rest, err := tx.DirectoryRecords(stream, 7, 10); err != nil || len(rest) != 1 || rest[0].Account != 9 || rest[0].Person != "" {
			t.Errorf("second page %+v, %v", rest, err)
		}
		if of, err := tx.DirectoryRecordsOf(a); err != nil || len(of) != 2 {
			t.Errorf("of a person %+v, %v", of, err)
		}
		if conflicts, err := tx.DirectoryConflicts(stream, 10); err != nil || len(conflicts) != 1 || conflicts[0].Why != "unclear" {
			t.Errorf("conflicts %+v, %v", conflicts, err)
		}
		return nil
	})
	// Only a different reason is an event; that it is gone is one too.
	before := chainHead(t, s)
	update(t, s, by(3), func(tx *store.Tx) error {
		return tx.PutDirectoryRecord(w.connector, store.DirectoryRecord{Account: 9, Stream: stream, Why: "unclear", Missing: 4})
	})
	if chainHead(t, s) != before {
		t.Error("the same conflict is another event")
	}
	update(t, s, by(4), func(tx *store.Tx) error {
		return tx.PutDirectoryRecord(w.connector, store.DirectoryRecord{Account: 9, Stream: stream, Person: b, Missing: 4})
	})
	if got := kinds(t, s); got[len(got)-1] != store.DirectoryChanged {
		t.Errorf("events %v", got)
	}

	// Both are in one directory, but one of them is missing, so they may be one person.
	update(t, s, by(5), func(tx *store.Tx) error {
		app, err := tx.App(w.app)
		if err != nil {
			return err
		}
		app.Owners = []console.ID{a, b}
		if err := tx.ChangeApp(app); err != nil {
			return err
		}
		c, err := tx.Connector(w.connector)
		if err != nil {
			return err
		}
		c.Owners = []console.ID{a}
		return tx.ChangeConnector(c)
	})
	update(t, s, by(6), func(tx *store.Tx) error {
		return tx.PutDirectoryRecord(w.connector, store.DirectoryRecord{Account: 9, Stream: stream, Person: b})
	})
	fails(t, s, by(7), "two of one directory", baton.Refused, func(tx *store.Tx) error { return tx.MergePersons(a, b) })
	update(t, s, by(8), func(tx *store.Tx) error {
		if err := tx.PutDirectoryRecord(w.connector, store.DirectoryRecord{Account: 9, Stream: stream, Person: b, Missing: 4}); err != nil {
			return err
		}
		if err := tx.CheckMerge(a, b); err != nil {
			return err
		}
		return tx.MergePersons(a, b)
	})
	view(t, s, func(tx *store.Tx) error {
		app, err := tx.App(w.app)
		if err != nil || !slices.Equal(app.Owners, []console.ID{b}) {
			t.Errorf("owners of the app %v, %v", app.Owners, err)
		}
		c, err := tx.Connector(w.connector)
		if err != nil || !slices.Equal(c.Owners, []console.ID{b}) {
			t.Errorf("owners of the connector %v, %v", c.Owners, err)
		}
		p, err := tx.Person(b)
		if err != nil || p.Manager != "" {
			t.Errorf("one's own manager: %+v, %v", p, err)
		}
		of, err := tx.DirectoryRecordsOf(b)
		if err != nil || len(of) != 3 {
			t.Errorf("records %+v, %v", of, err)
		}
		return nil
	})
	fails(t, s, by(9), "merged twice", baton.Refused, func(tx *store.Tx) error {
		c, err := tx.AddPerson(console.Person{Name: "c"})
		if err != nil {
			return err
		}
		return tx.MergePersons(a, c)
	})
	checkChain(t, s)
}
