package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// erasedPayload says which event replaced a payload, and the hash of the new one.
type erasedPayload struct {
	by  int64
	sum [sha256.Size]byte
}

// replacement is an event whose payload was replaced, as [console.PayloadsErased] has it.
type replacement struct {
	Number  int64  `json:"number"`
	Payload string `json:"payload"` // SHA-256 in hex
}

// erasedPayloads returns the newest replacement of each payload.
func (t *Tx) erasedPayloads() (map[int64]erasedPayload, error) {
	all := map[int64]erasedPayload{}
	err := t.e.Query(func(r engine.Row) error {
		for _, x := range replacements(r.Bytes(1)) {
			p := erasedPayload{by: r.Int(0)}
			if b, err := hex.DecodeString(x.Payload); err == nil && copy(p.sum[:], b) == len(p.sum) {
				all[x.Number] = p
			}
		}
		return nil
	}, "SELECT number, payload FROM event WHERE kind = 'person.payloads-erased' ORDER BY number")
	return all, err
}

// Erasure returns the erasure of a person; nil if there was none.
func (t *Tx) Erasure(person console.ID) (*console.Erasure, error) {
	return find(t, scanErasure, "SELECT body FROM erasure WHERE person = $1", person)
}

// Erasures returns all erasures, the oldest first.
func (t *Tx) Erasures() ([]console.Erasure, error) {
	return list(t, scanErasure, "SELECT body FROM erasure ORDER BY at, person")
}

func scanErasure(r engine.Row) (e console.Erasure) {
	decode(r.Bytes(0), &e)
	return e
}

// sameAs returns a person and those that were merged into it.
func (t *Tx) sameAs(person console.ID) ([]console.ID, error) {
	return list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT id FROM person WHERE id = $1 OR merged_into = $1 ORDER BY id", person)
}

// everAccounts returns the accounts that belong, or ever belonged last, to persons.
func (t *Tx) everAccounts(persons []console.ID) ([]console.ResourceKey, error) {
	return listOf(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) }, persons,
		"SELECT DISTINCT account FROM account_owner WHERE person IN (keys) AND until_at IS NULL")
}

// CheckErasable returns a Refused error if a person is still active, has access, owns something or
// is waited for.
func (t *Tx) CheckErasable(person console.ID) error {
	p, err := t.Person(person)
	if err != nil {
		return err
	}
	if p.MergedInto != "" {
		return baton.Errorf(baton.Refused, "the person was merged into another one").WithFix("Erase that one.")
	}
	if done, err := t.Erasure(person); err != nil || done != nil {
		return cmp.Or(err, error(baton.Errorf(baton.Refused, "the personal data of this person was erased before").WithFix("There is nothing to do.")))
	}
	refused := func(fix, format string, args ...any) error {
		return baton.Errorf(baton.Refused, p.Name+" cannot be erased yet: "+format, args...).WithFix("%s", fix)
	}
	if p.Service {
		return refused("Revoke its credentials instead.", "a service is no person")
	}
	if p.Status == console.PersonActive {
		return refused("Disable the person first, and let all access end.", "the person is active")
	}
	persons, err := t.sameAs(person)
	if err != nil {
		return err
	}
	accounts, err := t.everAccounts(persons)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		where, err := t.stillThere(a)
		if err != nil {
			return err
		}
		if where != "" {
			return refused("Let the access end, and sync the application. Then erase the person.", "%s", where)
		}
	}
	for _, q := range []struct{ sql, what, fix string }{
		{"SELECT count(*) FROM app_owner WHERE person = $1", "the person owns an application", "Name other owners first."},
		{"SELECT count(*) FROM connector_owner WHERE person = $1", "the person owns a connector", "Name other owners first."},
		{"SELECT count(*) FROM request WHERE state <> 'closed' AND (subject = $1 OR requester = $1)", "a request is open", "Cancel it, or let it be decided."},
		{"SELECT count(*) FROM scim_user u JOIN directory_account d ON d.account = u.key WHERE u.ended IS NULL AND d.person = $1", "an identity provider still pushes the person", "Remove the person there first."},
		{"SELECT count(*) FROM operation WHERE alive AND person = $1", "an operation is not over", "Wait for the next sync."},
	} {
		for _, id := range persons {
			n, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "count", q.sql, id)
			if err != nil {
				return err
			}
			if n > 0 {
				return refused(q.fix, "%s", q.what)
			}
		}
	}
	return nil
}

// stillThere returns what an account still has, as the newest syncs show; "" if it may be erased. An
// account that is disabled and holds nothing may.
func (t *Tx) stillThere(account console.ResourceKey) (string, error) {
	type row struct {
		status    console.Status
		connector string
		directory bool
		stream    int64
		head      int64
	}
	shown, err := find(t, func(r engine.Row) row {
		return row{console.Status(r.Int(0)), str(r, 1), r.Bool(2), r.Int(3), r.Int(4)}
	}, `SELECT v.status, c.name, c.directory, r.stream, h.head FROM resource_version v JOIN resource r ON r.key = v.resource JOIN head h ON h.stream = r.stream JOIN connector c ON c.stream = r.stream
		WHERE v.resource = $1 AND v.opened <= h.head AND v.closed > h.head`, account)
	if err != nil || shown == nil {
		return "", err
	}
	held, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "count", `SELECT count(*) FROM fact_by_principal p JOIN fact f ON f.stream = $2 AND f.entitlement = p.entitlement AND f.principal = p.principal AND f.opened = p.opened
		WHERE p.principal = $1 AND f.opened <= $3 AND f.closed > $3`, account, shown.stream, shown.head)
	switch {
	case err != nil:
		return "", err
	case shown.directory:
		return "the directory " + shown.connector + " still lists the person", nil
	case console.HasAccount(true, shown.status):
		return "an account of " + shown.connector + " is enabled", nil
	case held > 0:
		return "an account of " + shown.connector + " holds access", nil
	}
	return "", nil
}

// ErasePerson removes the personal data of a person from the tables about people and accounts, and
// queues its removal from events and texts. The person stays as an ID without a name, so that
// decisions and events still name the same one.
func (t *Tx) ErasePerson(person, author, second console.ID, why string) error {
	if err := t.CheckErasable(person); err != nil {
		return err
	}
	persons, err := t.sameAs(person)
	if err != nil {
		return err
	}
	accounts, err := t.everAccounts(persons)
	if err != nil {
		return err
	}
	what := console.Erasing{Persons: persons}
	for _, id := range persons {
		texts, err := t.namesOf(id)
		if err != nil {
			return err
		}
		what.Texts = append(what.Texts, texts...)
	}
	for _, a := range accounts {
		texts, err := t.eraseAccount(a)
		if err != nil {
			return err
		}
		what.Texts = append(what.Texts, texts...)
	}
	slices.Sort(what.Texts)
	what.Texts = slices.Compact(what.Texts)
	for _, id := range persons {
		if err := t.wipePerson(id); err != nil {
			return err
		}
	}
	eraser := console.NewEraser(what)
	done := console.Erasure{Person: person, At: t.by.At.UTC(), Author: author, Second: second, Why: eraser.Text(why)}
	if err := t.insert("erasure", "INSERT INTO erasure (person, at, body) VALUES ($1, $2, $3)", person, t.by.At, encode(done)); err != nil {
		return err
	}
	if err := t.SetDue(console.DueErasure, string(person), t.by.At, encode(what)); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "person.erased", Person: person, Object: string(person)}, map[string]any{"author": author, "second": second, "why": done.Why, "accounts": len(accounts)})
}

// namesOf returns what names a person: name, addresses, login and identities.
func (t *Tx) namesOf(id console.ID) (all []string, err error) {
	for _, sql := range []string{"SELECT name FROM person WHERE id = $1", "SELECT email FROM person_email WHERE person = $1", "SELECT name FROM login WHERE person = $1",
		"SELECT subject FROM identity WHERE person = $1", "SELECT email FROM identity WHERE person = $1", "SELECT address FROM mail WHERE person = $1"} {
		part, err := list(t, func(r engine.Row) string { return str(r, 0) }, sql, id)
		if err != nil {
			return nil, err
		}
		for _, s := range part {
			if s != "" {
				all = append(all, s)
			}
		}
	}
	records, err := list(t, scanDirectoryRecord, "SELECT "+directoryColumns+" FROM directory_account WHERE person = $1", id)
	for _, r := range records {
		all = append(all, append(r.Given.Emails, r.Given.Name)...)
	}
	return all, err
}

// erasedName is the name of a person whose name was removed.
const erasedName = "Erased person"

// wipePerson removes what the tables about people hold of a person.
func (t *Tx) wipePerson(id console.ID) error {
	if err := t.EndAccess(id); err != nil {
		return err
	}
	if err := t.RemoveDue(console.DueMail, string(id)); err != nil {
		return err
	}
	const pushed = " IN (SELECT account FROM directory_account WHERE person = $1)" // by an identity provider, once
	for _, sql := range []string{"DELETE FROM scim_member WHERE key" + pushed, "DELETE FROM scim_address WHERE key" + pushed, "DELETE FROM scim_user WHERE key" + pushed,
		"DELETE FROM person_email WHERE person = $1", "DELETE FROM person_role WHERE person = $1", "DELETE FROM mapped_role WHERE person = $1",
		"DELETE FROM login WHERE person = $1", "DELETE FROM identity WHERE person = $1", "DELETE FROM device WHERE person = $1",
		"DELETE FROM notice WHERE person = $1", "DELETE FROM mail WHERE person = $1", "DELETE FROM mail_choice WHERE person = $1",
		"DELETE FROM configuration_object WHERE kind = 'person' AND object = $1",
		"DELETE FROM delegation WHERE person = $1 OR delegate = $1", "DELETE FROM directory_account WHERE person = $1", "DELETE FROM recovery_copy WHERE person = $1"} {
		if _, err := t.e.Exec(sql, id); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		sql  string
		args []any
	}{
		{"DELETE FROM secret WHERE owner = $1", []any{personOwner(id)}},
		{"DELETE FROM denial WHERE actor = $1", []any{actorText(console.ByPerson(id))}},
		{"UPDATE client SET name = $2 WHERE person = $1", []any{id, []byte(console.ErasedText)}},
	} {
		if _, err := t.e.Exec(d.sql, d.args...); err != nil {
			return err
		}
	}
	if err := t.setPersonWords(id, ""); err != nil {
		return err
	}
	return t.change("person", "UPDATE person SET name = $2, sort_key = $3, department = $4, manager = NULL, version = version + 1 WHERE id = $1", id, []byte(erasedName), console.SortKey(erasedName), []byte{})
}

// eraseAccount removes the names in an account that is gone, and returns them. Its id is replaced,
// too, so that an account which reappears is a new one. What an application still shows stays as long
// as it shows it; only its names are returned.
func (t *Tx) eraseAccount(account console.ResourceKey) (texts []string, err error) {
	versions, err := list(t, scanResource, "SELECT "+resourceColumns+" FROM resource_version v"+resourceTables+"WHERE v.resource = $1 ORDER BY v.opened", account)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		texts = append(texts, v.Name)
		if v.Account != nil {
			texts = append(append(append(texts, v.Account.Login), v.Account.Emails...), v.Account.Aliases...)
		}
	}
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	if n := len(versions); n == 0 || versions[n-1].Until == console.Never {
		return texts, nil
	}
	erased := console.Resource{Type: versions[0].Type, ID: "erased:" + strconv.FormatInt(int64(account), 10), Account: &console.Account{}}
	for _, v := range versions {
		for _, l := range resourceLookups(v.Resource) {
			if _, err := t.e.Exec("DELETE FROM lookup WHERE stream = $1 AND list = $2 AND value = $3 AND key = $4 AND opened = $5", v.Stream, l.list, l.value, account, v.From); err != nil {
				return nil, err
			}
		}
		after := erased
		after.Status = v.Status
		if v.Account != nil {
			after.Account = &console.Account{Kind: v.Account.Kind}
		}
		for _, l := range resourceLookups(after) {
			if _, err := t.e.Exec("INSERT INTO lookup (stream, list, value, key, opened) VALUES ($1, $2, $3, $4, $5)", v.Stream, l.list, bytesOf(l.value), account, v.From); err != nil {
				return nil, err
			}
		}
		if err := t.change("account", "UPDATE resource_version SET name = $3, login = $3, detail = $4, digest = $3 WHERE resource = $1 AND opened = $2", account, v.From, []byte{}, detailOf(after)); err != nil {
			return nil, err
		}
	}
	return texts, t.change("account", "UPDATE resource SET id = $2 WHERE key = $1", account, []byte(erased.ID))
}

// eraseBatch is the number of rows that are looked at in one transaction.
const eraseBatch = 500

// EraseFrom removes what is to be erased from events and texts, in small transactions, and records
// how many events were replaced. It can be repeated.
func (s *Store) EraseFrom(ctx context.Context, by console.By, d Due) error {
	var what console.Erasing
	decode(d.Payload, &what)
	x := console.NewEraser(what)
	person := console.ID(d.Ref)
	for after, more := int64(0), true; more; {
		err := s.Update(ctx, by, func(t *Tx) error {
			last, err := t.eraseEvents(x, person, after)
			after, more = last, last > 0
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, table := range erasedTables {
		for place, more := (rowPlace{}), true; more; {
			err := s.Update(ctx, by, func(t *Tx) (err error) {
				place, more, err = t.eraseTexts(x, table, place)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return s.Update(ctx, by, func(t *Tx) error {
		e, err := t.Erasure(person)
		if err != nil {
			return err
		}
		if e == nil {
			return t.FinishDue(d)
		}
		if e.Payloads, err = t.countReplaced(person); err != nil {
			return err
		}
		e.Done = t.by.At.UTC()
		if err := t.change("erasure", "UPDATE erasure SET body = $2 WHERE person = $1", person, encode(e)); err != nil {
			return err
		}
		if err := t.event(console.Event{Kind: "person.erasure-finished", Person: person, Object: string(person)}, map[string]any{"payloads": e.Payloads}); err != nil {
			return err
		}
		return t.FinishDue(d)
	})
}

// eraseEvents replaces the payloads of the next events. The event that says so is in the same
// transaction. last is 0 at the end.
func (t *Tx) eraseEvents(x *console.Eraser, person console.ID, after int64) (last int64, err error) {
	type row struct {
		number  int64
		kind    string
		payload []byte
	}
	rows, err := list(t, func(r engine.Row) row { return row{r.Int(0), r.Text(1), slices.Clone(r.Bytes(2))} },
		"SELECT number, kind, payload FROM event WHERE number > $1 ORDER BY number LIMIT $2", after, eraseBatch)
	if err != nil {
		return 0, err
	}
	var replaced []replacement
	for _, r := range rows {
		if last = r.number; r.kind == console.PayloadsErased {
			continue // it holds numbers and hashes only
		}
		payload, err := x.Payload(r.payload)
		if err != nil {
			return 0, baton.Errorf(baton.KindOf(err), "event %d: %w", r.number, err)
		}
		if string(payload) == string(r.payload) {
			continue
		}
		var e console.Event
		if err := json.Unmarshal(payload, &e); err != nil {
			return 0, baton.Errorf(baton.Internal, "event %d: %w", r.number, err)
		}
		if err := t.change("event", "UPDATE event SET payload = $2, object = $3 WHERE number = $1", r.number, payload, null(e.Object)); err != nil {
			return 0, err
		}
		sum := sha256.Sum256(payload)
		replaced = append(replaced, replacement{r.number, hex.EncodeToString(sum[:])})
	}
	if len(replaced) > 0 {
		err = t.event(console.Event{Kind: console.PayloadsErased, Person: person, Object: string(person)}, map[string]any{"events": replaced})
	}
	if len(rows) < eraseBatch {
		last = 0
	}
	return last, err
}

// countReplaced returns the number of events whose payload was replaced for a person.
func (t *Tx) countReplaced(person console.ID) (int, error) {
	replaced := map[int64]bool{}
	err := t.e.Query(func(r engine.Row) error {
		for _, x := range replacements(r.Bytes(0)) {
			replaced[x.Number] = true
		}
		return nil
	}, "SELECT payload FROM event WHERE kind = 'person.payloads-erased' AND object = $1", string(person))
	return len(replaced), err
}

// replacements returns what an event of [console.PayloadsErased] lists; nothing if it was edited,
// which the check of its own hash finds.
func replacements(payload []byte) []replacement {
	var e console.Event
	var data struct{ Events []replacement }
	if json.Unmarshal(payload, &e) != nil || json.Unmarshal(e.Data, &data) != nil {
		return nil
	}
	return data.Events
}

// textTable is a table with texts that may name people.
type textTable struct {
	name    string
	key     string   // its primary key, or its first column; an expression if it has more
	number  string   // the second column of the key, a number; "" for none
	columns []string // with text or JSON
}

// erasedTables are the tables whose texts name people. What else names people is removed by
// [Tx.ErasePerson].
var erasedTables = []textTable{
	{"request", "id", "", []string{"body"}},
	{"request_entry", "request", "number", []string{"body"}},
	{"reason", "id", "", []string{"ended_why"}},
	{"bar", "id", "", []string{"why", "lifted_why"}},
	{"operation", "id", "", []string{"cause", "answer", "input"}},
	{"explanation", "id", "", []string{"why"}},
	{"amendment", "id", "", []string{"before", "after", "why"}},
	{"exemption", "id", "", []string{"why"}},
	{"requirement_evidence", "id", "", []string{"body"}},
	{"mail", "id", "", []string{"subject", "detail"}},
	{"notice", "id", "", []string{"content"}},
	{"hook_message", "id", "", []string{"body"}},
	{"task", "id", "", []string{"work", "result"}},
	{"sync", "id", "", []string{"holds", "why"}},
	{"finding", "id", "", []string{"detail", "why"}},
	{"automation", "id", "", []string{"name", "why", "draft"}},
	{"automation_version", "automation", "version", []string{"rule"}},
	{"automation_execution", "id", "", []string{"data", "waits", "why"}},
	{"automation_request", "execution", "", []string{"body"}},
	{"automation_step", "execution", "number", []string{"input", "changes", "result", "why"}},
	{"action_run", "id", "", []string{"arguments", "why", "answer", "returned"}},
	{"incompatible", "id", "", []string{"why"}},
	{"campaign", "id", "", []string{"name", "settings", "staged", "why"}},
	{"review_item", "campaign", "number", []string{"shown", "detail"}},
	{"review_assignment", "campaign || ' ' || reviewer", "item", []string{"note", "ended_why"}},
	{"plan", "id", "", []string{"title", "why"}},
	{"plan_row", "plan", "place", []string{"said"}},
	{"webhook_delivery", "id", "", []string{"answer", "detail"}},
	{"configuration_object", "id", "", []string{"name", "place", "described"}},
}

// ErasedColumns returns the columns in which names of persons are looked for, as table.column.
func ErasedColumns() (all []string) {
	for _, t := range erasedTables {
		for _, c := range t.columns {
			all = append(all, t.name+"."+c)
		}
	}
	return all
}

// rowPlace is a place in a table: after a row.
type rowPlace struct {
	key    string
	number int64
}

func (t *Tx) eraseTexts(x *console.Eraser, table textTable, after rowPlace) (last rowPlace, more bool, err error) {
	type row struct {
		rowPlace
		values [][]byte
	}
	columns, number := "", "0"
	if table.number != "" {
		number = table.number
	}
	for _, c := range table.columns {
		columns += ", " + c
	}
	rows, err := list(t, func(r engine.Row) row {
		v := row{rowPlace: rowPlace{r.Text(0), r.Int(1)}}
		for i := range table.columns {
			v.values = append(v.values, slices.Clone(r.Bytes(2+i)))
		}
		return v
	}, "SELECT "+table.key+", "+number+columns+" FROM "+table.name+" WHERE ("+table.key+", "+number+") > ($1, $2) ORDER BY 1, 2 LIMIT $3", after.key, after.number, eraseBatch)
	for _, r := range rows {
		if err != nil {
			return last, false, err
		}
		last = r.rowPlace
		for i, c := range table.columns {
			value, e := eraseValue(x, r.values[i])
			if e != nil {
				return last, false, baton.Errorf(baton.KindOf(e), "%s %s: %w", table.name, r.key, e)
			}
			if string(value) == string(r.values[i]) {
				continue
			}
			sql, args := "UPDATE "+table.name+" SET "+c+" = $2 WHERE "+table.key+" = $1", []any{r.key, value}
			if table.number != "" {
				sql, args = sql+" AND "+table.number+" = $3", append(args, r.number)
			}
			if _, err = t.e.Exec(sql, args...); err != nil {
				return last, false, err
			}
		}
	}
	return last, len(rows) == eraseBatch, err
}

// eraseValue erases in JSON or text.
func eraseValue(x *console.Eraser, value []byte) ([]byte, error) {
	if len(value) > 0 && (value[0] == '{' || value[0] == '[') && json.Valid(value) {
		return x.JSON(value)
	}
	if s := x.Text(string(value)); s != string(value) {
		return []byte(s), nil
	}
	return value, nil
}

// ErasureRest counts what still names an erased person.
type ErasureRest struct {
	Files    int // sync files with bytes, of connectors that showed an account of the person
	Accounts int // disabled accounts that applications still show
	Keep     int // number of sync files that are kept for each connector
}

// ErasureRest returns what names a person and is not erased with it.
func (t *Tx) ErasureRest(person console.ID) (rest ErasureRest, err error) {
	persons, err := t.sameAs(person)
	if err != nil {
		return rest, err
	}
	accounts, err := t.everAccounts(persons)
	if err != nil {
		return rest, err
	}
	keep, err := t.Retention()
	if err != nil {
		return rest, err
	}
	rest.Keep = keep.SyncFiles
	streams := map[int64]bool{}
	for _, a := range accounts {
		type row struct {
			stream int64
			shown  bool
		}
		r, err := find(t, func(r engine.Row) row { return row{r.Int(0), r.Int(1) > 0} }, `SELECT r.stream, (SELECT count(*) FROM resource_version v JOIN head h ON h.stream = r.stream
			WHERE v.resource = r.key AND v.opened <= h.head AND v.closed > h.head) FROM resource r WHERE r.key = $1`, a)
		if err != nil {
			return rest, err
		}
		if r == nil {
			continue
		}
		streams[r.stream] = true
		if r.shown {
			rest.Accounts++
		}
	}
	for stream := range streams {
		n, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "count", "SELECT count(*) FROM sync s JOIN file f ON f.id = s.file WHERE s.stream = $1 AND f.dropped IS NULL", stream)
		if err != nil {
			return rest, err
		}
		rest.Files += int(n)
	}
	return rest, nil
}

// ToErase returns those of a list of erasures whose persons are here and are not erased, for a
// console that was restored from a backup of before.
func (t *Tx) ToErase(known []console.Erasure) (again []console.Erasure, err error) {
	for _, e := range known {
		if _, err := t.Person(e.Person); baton.KindOf(err) == baton.NotFound {
			continue
		} else if err != nil {
			return nil, err
		}
		done, err := t.Erasure(e.Person)
		if err != nil {
			return nil, err
		}
		if done == nil || done.Done.IsZero() {
			again = append(again, e)
		}
	}
	return again, nil
}
