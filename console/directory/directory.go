// Package directory creates and updates people: from the accounts of connectors that are marked as
// directories, from users that identity providers push, and from CSV files. Accounts of other connectors never create people.
package directory

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Result counts the changes that a directory made.
type Result struct {
	Added, Changed, Gone int
	Conflicts            int // accounts whose data was not fully applied
	WithoutAddress       int // accounts without an address, which create nobody
}

// batch limits the accounts of one transaction.
const batch = 50

// source is a directory, in what is the same for all kinds of them.
type source struct {
	stream    console.Stream
	connector console.ID // "" if it is none
	// manager returns the person whom the directory names; "" if unknown.
	manager func(tx *store.Tx, x shown) (console.ID, error)
}

// shown is an account of a directory with its data.
type shown struct {
	key   console.ResourceKey
	typ   string // of a connector's account
	entry console.DirectoryEntry
}

// sourceOf returns a connector as a directory.
func sourceOf(con console.Connector) source {
	return source{con.Stream, con.ID, func(tx *store.Tx, x shown) (console.ID, error) { return managerOf(tx, con, x) }}
}

// Sync updates people from the newest applied full sync of a directory. It can be repeated.
func Sync(ctx context.Context, s *store.Store, by console.By, id console.ID) (r Result, err error) {
	var con console.Connector
	var head *console.Sync
	var plan []shown
	var gone []store.DirectoryRecord
	err = s.View(ctx, func(tx *store.Tx) error {
		if con, err = tx.Connector(id); err != nil {
			return err
		}
		if head, err = tx.HeadSync(con.Stream); err != nil || head == nil || !con.Directory || !head.Kind.Full() {
			head = nil
			return err
		}
		a, err := tx.App(con.App)
		if err != nil {
			return err
		}
		plan, gone, r.WithoutAddress, err = look(tx, con, a.Roles, *head)
		return err
	})
	if err != nil || head == nil {
		return r, err
	}
	update := func(fn func(tx *store.Tx, r *Result) error) error {
		part := r
		err := s.Update(ctx, by, func(tx *store.Tx) error {
			part = r
			return fn(tx, &part)
		})
		if err == nil {
			r = part
		}
		return err
	}
	for part := range slices.Chunk(plan, batch) {
		if err := update(func(tx *store.Tx, r *Result) error {
			for _, x := range part {
				if err := follow(tx, sourceOf(con), x, r); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return r, err
		}
	}
	for part := range slices.Chunk(plan, batch) { // after everybody was created
		if err := update(func(tx *store.Tx, r *Result) error {
			for _, x := range part {
				if err := followManager(tx, sourceOf(con), x); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return r, err
		}
	}
	for part := range slices.Chunk(gone, batch) {
		if err := update(func(tx *store.Tx, r *Result) error {
			for _, x := range part {
				if err := miss(tx, sourceOf(con), x.Account, head.Number, r); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return r, err
		}
	}
	return r, nil
}

// look returns the accounts with new data, and the records of accounts that the sync does not show.
func look(tx *store.Tx, con console.Connector, roles console.RoleMap, head console.Sync) (plan []shown, gone []store.DirectoryRecord, without int, err error) {
	records := map[console.ResourceKey]store.DirectoryRecord{}
	for after := console.ResourceKey(0); ; {
		page, err := tx.DirectoryRecords(con.Stream, after, store.PageSize)
		if err != nil {
			return nil, nil, 0, err
		}
		for _, r := range page {
			records[r.Account], after = r, r.Account
		}
		if len(page) < store.PageSize {
			break
		}
	}
	m := store.Moment{Streams: []store.StreamAt{{Stream: con.Stream, Connector: con.ID, Sync: head.Number, Began: head.Began}}}
	for after := (store.ResourceAfter{}); ; {
		page, err := tx.Accounts(m, after, store.PageSize)
		if err != nil {
			return nil, nil, 0, err
		}
		for _, r := range page {
			after = r.After()
			before, known := records[r.Key]
			delete(records, r.Key)
			typ, err := tx.AccountType(m, roles, r)
			if err != nil {
				return nil, nil, 0, err
			}
			if !typ.Kind.Human() {
				continue
			}
			entry := EntryOf(r.Resource)
			switch {
			case len(entry.Emails) == 0 && !known:
				without++
			case !known || before.Missing != 0 || before.Why != "" || !before.Given.Equal(entry):
				plan = append(plan, shown{r.Key, r.Type, entry})
			}
		}
		if len(page) < store.PageSize {
			break
		}
	}
	for _, r := range records {
		if r.Missing == 0 || r.Missing != head.Number && r.Given.Status != console.PersonGone {
			gone = append(gone, r)
		}
	}
	slices.SortFunc(gone, func(a, b store.DirectoryRecord) int { return int(a.Account - b.Account) })
	return plan, gone, without, nil
}

// maxName limits the names of people, in characters.
const maxName = 200

// EntryOf converts an account of a directory to data about its person.
func EntryOf(r console.Resource) console.DirectoryEntry {
	a := r.Account
	e := console.DirectoryEntry{Status: console.PersonActive, Manager: strings.TrimSpace(a.Manager), Department: strings.TrimSpace(a.Department)}
	if !console.HasAccount(true, r.Status) {
		e.Status = console.PersonDisabled
	}
	for _, address := range append(slices.Clone(a.Emails), a.Login) {
		if address = console.NormalizeEmail(address); ValidEmail(address) && !slices.Contains(e.Emails, address) {
			e.Emails = append(e.Emails, address)
		}
	}
	for _, name := range []string{r.Name, strings.TrimSpace(a.GivenName) + " " + strings.TrimSpace(a.FamilyName), a.Login, r.ID} {
		if name = strings.TrimSpace(name); name != "" {
			e.Name = name
			break
		}
	}
	if runes := []rune(e.Name); len(runes) > maxName {
		e.Name = string(runes[:maxName])
	}
	return e
}

// maxEmail limits an e-mail address, in bytes.
const maxEmail = 254

// ValidEmail reports whether a text can be the e-mail address of a person: one @ with something on
// both sides, and no invisible characters.
func ValidEmail(address string) bool {
	name, domain, ok := strings.Cut(address, "@")
	return ok && name != "" && domain != "" && len(address) <= maxEmail && utf8.ValidString(address) && !strings.Contains(domain, "@") &&
		!strings.ContainsFunc(address, func(r rune) bool {
			return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`,;<>"`, r)
		})
}

// follow creates or updates the person of an account.
func follow(tx *store.Tx, from source, x shown, r *Result) error {
	before, err := tx.DirectoryRecord(x.key)
	if err != nil {
		return err
	}
	record := store.DirectoryRecord{Account: x.key, Stream: from.stream}
	given := console.DirectoryEntry{Status: console.PersonActive} // a person who was disabled manually stays disabled
	if before != nil && before.Person != "" {
		record.Person, given = before.Person, before.Given
	}
	if record.Person == "" {
		if record.Person, record.Why, err = whose(tx, from, x); err != nil {
			return err
		}
	}
	if record.Why != "" {
		r.Conflicts++
		record.Given = x.entry
		return tx.PutDirectoryRecord(from.connector, record)
	}
	if record.Person == "" {
		emails, taken, err := free(tx, "", x.entry.Emails)
		if err != nil {
			return err
		}
		if record.Person, err = tx.AddPerson(console.Person{Name: x.entry.Name, Emails: emails, Department: x.entry.Department, Status: x.entry.Status}); err != nil {
			return err
		}
		r.Added++
		record.Why, record.Given = taken, x.entry
	} else {
		id, err := tx.Canonical(record.Person)
		if err != nil {
			return err
		}
		p, err := tx.Person(id)
		if err != nil {
			return err
		}
		record.Person = id
		after := Merge(p, given, x.entry)
		if after.Emails, record.Why, err = free(tx, id, after.Emails); err != nil {
			return err
		}
		record.Given = x.entry
		if !same(p, after) {
			err := tx.ChangePerson(after)
			if baton.KindOf(err) == baton.Refused { // the last super administrator
				record.Why, record.Given.Status = err.Error(), given.Status
				after.Status, err = p.Status, nil
				if !same(p, after) {
					err = tx.ChangePerson(after)
				}
			}
			if err != nil {
				return err
			}
			if !same(p, after) {
				r.Changed++
			}
		}
	}
	if record.Why != "" {
		r.Conflicts++
	}
	record.Given.Manager = given.Manager // retried until the manager is known
	return tx.PutDirectoryRecord(from.connector, record)
}

// whose returns the person of a new account: the one with one of its addresses, "" if there is none.
// why is set if there are several.
func whose(tx *store.Tx, from source, x shown) (person console.ID, why string, err error) {
	for _, address := range x.entry.Emails {
		p, err := tx.PersonByEmail(address)
		if baton.KindOf(err) == baton.NotFound {
			continue
		}
		if err != nil {
			return "", "", err
		}
		if person != "" && person != p.ID {
			return "", "Its addresses are those of several people. Merge them, or take an address away from one.", nil
		}
		person = p.ID
	}
	if person == "" {
		return "", "", nil
	}
	records, err := tx.DirectoryRecordsOf(person)
	if err != nil {
		return "", "", err
	}
	for _, r := range records {
		if r.Stream == from.stream && r.Account != x.key {
			return "", "Another account of this directory, of now or before, stands for the person with its address. Give that person another address if this is somebody else.", nil
		}
	}
	return person, "", nil
}

// free returns the addresses that no other person has, and a reason if some were left out.
func free(tx *store.Tx, person console.ID, emails []string) (left []string, why string, err error) {
	for _, address := range emails {
		p, err := tx.PersonByEmail(address)
		switch {
		case baton.KindOf(err) == baton.NotFound || err == nil && p.ID == person:
			left = append(left, address)
		case err != nil:
			return nil, "", err
		default:
			why = "One of its addresses is the address of somebody else."
		}
	}
	return left, why, nil
}

// Merge returns a person after the data of a directory changed. Changes in the directory since
// before are applied; manual changes of other fields stay.
func Merge(p console.Person, before, after console.DirectoryEntry) console.Person {
	if after.Name != before.Name {
		p.Name = after.Name
	}
	if after.Department != before.Department {
		p.Department = after.Department
	}
	if after.Status != before.Status {
		p.Status = after.Status
	}
	if !slices.Equal(after.Emails, before.Emails) {
		emails := slices.Clone(after.Emails)
		for _, e := range p.Emails {
			if !slices.Contains(before.Emails, e) && !slices.Contains(emails, e) {
				emails = append(emails, e)
			}
		}
		p.Emails = emails
	}
	return p
}

func same(a, b console.Person) bool {
	return a.Name == b.Name && a.Department == b.Department && a.Status == b.Status && a.Manager == b.Manager && slices.Equal(a.Emails, b.Emails)
}

// followManager sets the manager of a person, if the manager is known.
func followManager(tx *store.Tx, from source, x shown) error {
	record, err := tx.DirectoryRecord(x.key)
	if err != nil || record == nil || record.Person == "" || record.Given.Manager == x.entry.Manager {
		return err
	}
	p, err := tx.Person(record.Person)
	if err != nil {
		return err
	}
	var manager console.ID
	if x.entry.Manager != "" {
		if manager, err = from.manager(tx, x); err != nil || manager == "" {
			return err // retried after the next sync
		}
	}
	if manager == p.ID {
		manager = ""
	}
	if p.Manager != manager {
		p.Manager = manager
		if err := tx.ChangePerson(p); err != nil {
			return err
		}
	}
	record.Given.Manager = x.entry.Manager
	return tx.PutDirectoryRecord(from.connector, *record)
}

// managerOf returns the person whom a directory names by an e-mail address or by the id of an
// account; "" if unknown.
func managerOf(tx *store.Tx, con console.Connector, x shown) (console.ID, error) {
	p, err := tx.PersonByEmail(x.entry.Manager)
	if err == nil {
		return p.Canonical(), nil
	}
	if baton.KindOf(err) != baton.NotFound {
		return "", err
	}
	at, err := tx.HeadSync(con.Stream)
	if err != nil || at == nil {
		return "", err
	}
	m := store.Moment{Streams: []store.StreamAt{{Stream: con.Stream, Sync: at.Number}}}
	r, err := tx.ResourceByID(m, x.typ, x.entry.Manager)
	if baton.KindOf(err) == baton.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	record, err := tx.DirectoryRecord(r.Key)
	if err != nil || record == nil {
		return "", err
	}
	return tx.Canonical(record.Person)
}

// miss records that a sync does not show an account. After two such syncs in a row its person is
// gone, unless the person has another account in a directory.
func miss(tx *store.Tx, from source, account console.ResourceKey, sync console.SyncNumber, r *Result) error {
	record, err := tx.DirectoryRecord(account)
	if err != nil || record == nil || record.Missing == sync {
		return err
	}
	if record.Missing == 0 {
		record.Missing = sync
		return tx.PutDirectoryRecord(from.connector, *record)
	}
	if record.Person == "" {
		record.Given.Status, record.Why = console.PersonGone, ""
		return tx.PutDirectoryRecord(from.connector, *record)
	}
	if record.Person, err = tx.Canonical(record.Person); err != nil {
		return err
	}
	others, err := tx.DirectoryRecordsOf(record.Person)
	if err != nil {
		return err
	}
	p, err := tx.Person(record.Person)
	if err != nil {
		return err
	}
	record.Given.Status, record.Why = console.PersonGone, ""
	if p.Status != console.PersonGone && !slices.ContainsFunc(others, func(o store.DirectoryRecord) bool { return o.Account != account && o.Missing == 0 }) {
		p.Status = console.PersonGone
		switch err := tx.ChangePerson(p); {
		case baton.KindOf(err) == baton.Refused: // the last super administrator
			record.Given.Status, record.Why = console.PersonActive, err.Error()
			r.Conflicts++
		case err != nil:
			return err
		default:
			r.Gone++
		}
	}
	return tx.PutDirectoryRecord(from.connector, *record)
}
