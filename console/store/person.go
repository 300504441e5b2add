package store

import (
	"errors"
	"maps"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// AddPerson adds a person. Its ID may be empty and is set. AlreadyExists if one of the
// e-mail addresses is taken.
func (t *Tx) AddPerson(p console.Person) (console.ID, error) {
	if p.ID == "" {
		p.ID = console.NewID(t.by.At)
	}
	if p.Status == "" {
		p.Status = console.PersonActive
	}
	if err := need("the person's name", p.Name); err != nil {
		return "", err
	}
	err := t.insert("person "+string(p.ID), `INSERT INTO person (id, name, sort_key, status, manager, department, service, created, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)`,
		p.ID, []byte(p.Name), console.SortKey(p.Name), p.Status, null(p.Manager), []byte(p.Department), p.Service, t.by.At)
	if err != nil {
		return "", err
	}
	if err := errors.Join(t.setStatus(p.ID, p.Status), t.setEmails(p.ID, p.Emails), t.setPersonWords(p.ID, p.Name)); err != nil {
		return "", err
	}
	if err := t.event(console.Event{Kind: "person.added", Person: p.ID, Object: string(p.ID)}, nil); err != nil {
		return "", err
	}
	return p.ID, t.setRoles(p.ID, nil, p.Roles)
}

// ChangePerson changes name, e-mail addresses, status, manager and department of a person.
// p.Version must be the version that was read.
func (t *Tx) ChangePerson(p console.Person) error {
	before, err := t.lockPerson(p.ID)
	if err != nil {
		return err
	}
	if err := errors.Join(checkVersion("the person", before.Version, p.Version), need("the person's name", p.Name)); err != nil {
		return err
	}
	if p.Status != console.PersonActive {
		if err := t.keepSuperAdministrator(before); err != nil {
			return err
		}
	}
	err = t.change("person", "UPDATE person SET name = $2, sort_key = $3, status = $4, manager = $5, department = $6, version = version + 1 WHERE id = $1",
		p.ID, []byte(p.Name), console.SortKey(p.Name), p.Status, null(p.Manager), []byte(p.Department))
	if err != nil {
		return err
	}
	if before.Status != p.Status {
		if err := t.setStatus(p.ID, p.Status); err != nil {
			return err
		}
		if p.Status != console.PersonActive {
			if err := t.EndAccess(p.ID); err != nil {
				return err
			}
		}
	}
	if err := t.setEmails(p.ID, p.Emails); err != nil {
		return err
	}
	if before.Status != p.Status || before.Manager != p.Manager {
		if err := t.Recheck(); err != nil {
			return err
		}
	}
	if before.Name != p.Name {
		if err := t.setPersonWords(p.ID, p.Name); err != nil {
			return err
		}
	}
	return t.event(console.Event{Kind: "person.changed", Person: p.ID, Object: string(p.ID)},
		map[string]any{"status_before": before.Status, "status": p.Status, "manager_before": before.Manager, "manager": p.Manager})
}

// SetRoles sets the console roles of a person. The last super administrator cannot lose that role.
func (t *Tx) SetRoles(person console.ID, roles []console.ConsoleRole) error {
	p, err := t.lockPerson(person)
	if err != nil {
		return err
	}
	if err := t.keepBreakGlass(person); err != nil {
		return err
	}
	if !slices.Contains(roles, console.SuperAdministrator) {
		if err := t.keepSuperAdministrator(p); err != nil {
			return err
		}
	}
	if err := t.Recheck(); err != nil {
		return err
	}
	return t.setRoles(person, p.Roles, roles)
}

// keepSuperAdministrator refuses to remove the last super administrator. The emergency login does
// not count, because it is not for daily work.
func (t *Tx) keepSuperAdministrator(p console.Person) error {
	if !slices.Contains(p.Roles, console.SuperAdministrator) {
		return nil
	}
	if is, err := t.isBreakGlass(p.ID); err != nil || is {
		return err
	}
	others, err := list(t, func(r engine.Row) string { return r.Text(0) },
		`SELECT p.id FROM person_role r JOIN person p ON p.id = r.person
		WHERE r.role = $1 AND p.status = $2 AND p.id <> $3 AND p.merged_into IS NULL AND NOT p.service
		AND NOT EXISTS (SELECT 1 FROM login l WHERE l.person = p.id AND l.break_glass) ORDER BY p.id FOR UPDATE`,
		console.SuperAdministrator, console.PersonActive, p.ID)
	if err == nil && len(others) == 0 {
		err = errLastSuperAdministrator
	}
	return err
}

var errLastSuperAdministrator = baton.Errorf(baton.Refused, "nobody else is super administrator").WithFix("Give the role to somebody else first.")

func errNotActive(p console.Person) error {
	return baton.Errorf(baton.Refused, "%s is not active in this console", p.Name).WithFix("Ask a Super Administrator.")
}

func (t *Tx) setRoles(person console.ID, before, after []console.ConsoleRole) error {
	for _, r := range after {
		if !slices.Contains(console.ConsoleRoles(), r) {
			return baton.Errorf(baton.Invalid, "there is no role %q", r)
		}
	}
	if slices.Equal(before, after) {
		return nil
	}
	if _, err := t.e.Exec("DELETE FROM person_role WHERE person = $1", person); err != nil {
		return err
	}
	for _, r := range before {
		if slices.Contains(after, r) {
			continue
		}
		if _, err := t.e.Exec("DELETE FROM mapped_role WHERE person = $1 AND role = $2", person, r); err != nil {
			return err
		}
	}
	for _, r := range after {
		if err := t.insert("role", "INSERT INTO person_role (person, role) VALUES ($1, $2)", person, r); err != nil {
			return err
		}
	}
	return t.event(console.Event{Kind: "person.roles-changed", Person: person, Object: string(person)}, map[string]any{"before": before, "after": after})
}

func (t *Tx) setStatus(person console.ID, status console.PersonStatus) error {
	if err := t.endInterval("person_status", "person", person); err != nil {
		return err
	}
	return t.insert("status", "INSERT INTO person_status (person, from_at, status) VALUES ($1, $2, $3)", person, t.by.At, status)
}

// PersonStatusAt returns the status of a person at a time; [console.PersonActive] before the
// person was added.
func (t *Tx) PersonStatusAt(person console.ID, when time.Time) (console.PersonStatus, error) {
	s, err := find(t, func(r engine.Row) console.PersonStatus { return console.PersonStatus(r.Text(0)) },
		"SELECT status FROM person_status WHERE person = $1 AND from_at <= $2 AND (until_at IS NULL OR until_at > $2)", person, when)
	if err != nil || s == nil {
		return console.PersonActive, err
	}
	return *s, nil
}

// personStatusesAt is [Tx.PersonStatusAt] for many people.
func (t *Tx) personStatusesAt(persons []console.ID, when time.Time) (map[console.ID]console.PersonStatus, error) {
	all := make(map[console.ID]console.PersonStatus, len(persons))
	for _, id := range persons {
		all[id] = console.PersonActive
	}
	_, err := listOf(t, func(r engine.Row) bool {
		all[console.ID(r.Text(0))] = console.PersonStatus(r.Text(1))
		return true
	}, persons, "SELECT person, status FROM person_status WHERE person IN (keys) AND from_at <= $1 AND (until_at IS NULL OR until_at > $1)", when)
	return all, err
}

func (t *Tx) setEmails(person console.ID, emails []string) error {
	before, err := list(t, func(r engine.Row) string { return str(r, 0) }, "SELECT email FROM person_email WHERE person = $1 ORDER BY position, email", person)
	if err != nil || slices.Equal(before, emails) {
		return err
	}
	if err := t.DueBy(console.DueMatch, console.MatchAll, t.by.At); err != nil {
		return err
	}
	if _, err := t.e.Exec("DELETE FROM person_email WHERE person = $1", person); err != nil {
		return err
	}
	for i, e := range emails {
		e = console.NormalizeEmail(e)
		if err := t.insert("a person with the address "+quote(e), "INSERT INTO person_email (email, person, position) VALUES ($1, $2, $3)", []byte(e), person, i); err != nil {
			return err
		}
	}
	return nil
}

// MergePersons merges a person into another. The e-mail addresses and accounts move; past decisions
// stay under the merged person's ID.
func (t *Tx) MergePersons(from, into console.ID) error {
	// A fixed order prevents a deadlock of two merges.
	for _, id := range slices.Sorted(slices.Values([]console.ID{from, into})) {
		if _, err := t.lockPerson(id); err != nil {
			return err
		}
	}
	target, err := t.Person(into)
	if err != nil {
		return err
	}
	into = target.Canonical()
	if from == into {
		return baton.Errorf(baton.Invalid, "a person cannot be merged into itself")
	}
	source, err := t.Person(from)
	if err != nil {
		return err
	}
	if err := t.keepSuperAdministrator(source); err != nil {
		return err
	}
	for _, id := range []console.ID{from, into} {
		if err := t.keepBreakGlass(id); err != nil {
			return err
		}
	}
	if err := t.checkMerge(source, target); err != nil {
		return err
	}
	if err := t.EndAccess(from); err != nil {
		return err
	}
	last, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "person", "SELECT count(*) FROM person_email WHERE person = $1", into)
	if err != nil {
		return err
	}
	for _, sql := range []string{
		"UPDATE person SET merged_into = $2, version = version + 1 WHERE id = $1 OR merged_into = $1",
		"DELETE FROM person_role WHERE person = $1 AND person <> $2",
		"DELETE FROM mapped_role WHERE person = $1 AND person <> $2",
		"UPDATE identity SET person = $2 WHERE person = $1",
	} {
		if _, err := t.e.Exec(sql, from, into); err != nil {
			return err
		}
	}
	if _, err := t.e.Exec("UPDATE person_email SET person = $2, position = position + $3 WHERE person = $1", from, into, last); err != nil {
		return err
	}
	if err := t.mergeReferences(from, into); err != nil {
		return err
	}
	accounts, err := t.AccountsOf(from)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if err := t.SetAccountOwner(a, into, OwnerMerged); err != nil {
			return err
		}
	}
	if err := t.Recheck(); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "person.merged", Person: into, Object: string(from)}, map[string]any{"accounts": len(accounts)})
}

// mergeReferences moves what a person owns, manages and has in directories to another person.
func (t *Tx) mergeReferences(from, into console.ID) error {
	for _, sql := range []string{
		"INSERT INTO app_owner (app, person) SELECT o.app, $2 FROM app_owner o WHERE o.person = $1 AND NOT EXISTS (SELECT 1 FROM app_owner x WHERE x.app = o.app AND x.person = $2)",
		"INSERT INTO connector_owner (connector, person) SELECT o.connector, $2 FROM connector_owner o WHERE o.person = $1 AND NOT EXISTS (SELECT 1 FROM connector_owner x WHERE x.connector = o.connector AND x.person = $2)",
		"INSERT INTO campaign_owner (campaign, person) SELECT o.campaign, $2 FROM campaign_owner o WHERE o.person = $1 AND NOT EXISTS (SELECT 1 FROM campaign_owner x WHERE x.campaign = o.campaign AND x.person = $2)",
		"DELETE FROM campaign_owner WHERE person = $1 AND person <> $2",
		"DELETE FROM app_owner WHERE person = $1 AND person <> $2",
		"DELETE FROM connector_owner WHERE person = $1 AND person <> $2",
		"UPDATE person SET manager = NULL, version = version + 1 WHERE id = $2 AND manager = $1",
		"UPDATE person SET manager = $2, version = version + 1 WHERE manager = $1 AND id <> $2",
		"UPDATE directory_account SET person = $2 WHERE person = $1",
		"INSERT INTO recovery_copy (app, person, version, body, printed) SELECT c.app, $2, c.version, c.body, c.printed FROM recovery_copy c WHERE c.person = $1 AND NOT EXISTS (SELECT 1 FROM recovery_copy x WHERE x.app = c.app AND x.person = $2)",
		"DELETE FROM recovery_copy WHERE person = $1 AND person <> $2",
		"UPDATE automation SET owner = $2, version = version + 1 WHERE owner = $1",
	} {
		if _, err := t.e.Exec(sql, from, into); err != nil {
			return err
		}
	}
	return nil
}

// CheckMerge returns a Refused error if a person cannot be merged into another.
func (t *Tx) CheckMerge(from, into console.ID) error {
	source, err := t.Person(from)
	if err != nil {
		return err
	}
	if into, err = t.Canonical(into); err != nil {
		return err
	}
	target, err := t.Person(into)
	if err != nil {
		return err
	}
	if from == into {
		return baton.Errorf(baton.Invalid, "a person cannot be merged into itself")
	}
	return t.checkMerge(source, target)
}

// Person returns a person, even if it was merged into another.
func (t *Tx) Person(id console.ID) (console.Person, error) {
	return t.person("SELECT "+personColumns+" FROM person WHERE id = $1", id)
}

func (t *Tx) lockPerson(id console.ID) (console.Person, error) {
	return t.person("SELECT "+personColumns+" FROM person WHERE id = $1 FOR UPDATE", id)
}

// HoldPerson returns a person and prevents changes to it until the transaction ends. Several
// transactions may hold the same person.
func (t *Tx) HoldPerson(id console.ID) (console.Person, error) {
	return t.person("SELECT "+personColumns+" FROM person WHERE id = $1 FOR SHARE", id)
}

// Canonical returns the person that an ID was merged into, or the ID itself.
func (t *Tx) Canonical(id console.ID) (console.ID, error) {
	if id == "" {
		return "", nil
	}
	p, err := find(t, scanPerson, "SELECT "+personColumns+" FROM person WHERE id = $1", id)
	if err != nil || p == nil {
		return id, err
	}
	return p.Canonical(), nil
}

// CanonicalPersons is [Tx.Canonical] for many IDs.
func (t *Tx) CanonicalPersons(ids []console.ID) (map[console.ID]console.ID, error) {
	canonical := make(map[console.ID]console.ID, len(ids))
	for _, id := range ids {
		canonical[id] = id
	}
	delete(canonical, "")
	merged, err := listOf(t, func(r engine.Row) [2]console.ID { return [2]console.ID{console.ID(r.Text(0)), console.ID(r.Text(1))} }, slices.Sorted(maps.Keys(canonical)),
		"SELECT id, merged_into FROM person WHERE id IN (keys)")
	for _, m := range merged {
		if m[1] != "" {
			canonical[m[0]] = m[1]
		}
	}
	return canonical, err
}

// PersonByEmail returns the person with an e-mail address.
func (t *Tx) PersonByEmail(email string) (console.Person, error) {
	return t.person("SELECT "+personColumns+" FROM person WHERE id = (SELECT person FROM person_email WHERE email = $1)", []byte(console.NormalizeEmail(email)))
}

// PersonsByEmail returns the people who have e-mail addresses, by address, without people who stand for
// a service. Addresses are normalized.
func (t *Tx) PersonsByEmail(emails []string) (map[string]console.ID, error) {
	keys := make([][]byte, 0, len(emails))
	for _, e := range distinct(emails) {
		keys = append(keys, []byte(e))
	}
	persons := map[string]console.ID{}
	_, err := listOf(t, func(r engine.Row) bool {
		persons[str(r, 0)] = console.ID(r.Text(1))
		return true
	}, keys, "SELECT e.email, e.person FROM person_email e JOIN person p ON p.id = e.person WHERE e.email IN (keys) AND p.merged_into IS NULL AND NOT p.service")
	return persons, err
}

const personColumns = "id, merged_into, name, status, manager, department, version, service"

func scanPerson(r engine.Row) console.Person {
	return console.Person{ID: console.ID(r.Text(0)), MergedInto: console.ID(r.Text(1)), Name: str(r, 2), Status: console.PersonStatus(r.Text(3)),
		Manager: console.ID(r.Text(4)), Department: str(r, 5), Version: r.Int(6), Service: r.Bool(7)}
}

func (t *Tx) person(sql string, args ...any) (console.Person, error) {
	p, err := get(t, scanPerson, "person", sql, args...)
	if err != nil {
		return p, err
	}
	return p, t.fillPerson(&p)
}

// fillPerson reads the addresses and roles of a person.
func (t *Tx) fillPerson(p *console.Person) (err error) {
	p.Emails, err = list(t, func(r engine.Row) string { return str(r, 0) }, "SELECT email FROM person_email WHERE person = $1 ORDER BY position, email", p.ID)
	if err == nil {
		p.Roles, err = list(t, func(r engine.Row) console.ConsoleRole { return console.ConsoleRole(r.Text(0)) },
			"SELECT role FROM person_role WHERE person = $1 ORDER BY role", p.ID)
	}
	return err
}

// PersonsByID is [Tx.Person] for many people; those that do not exist are missing.
func (t *Tx) PersonsByID(ids []console.ID) (map[console.ID]console.Person, error) {
	people, err := listOf(t, scanPerson, ids, "SELECT "+personColumns+" FROM person WHERE id IN (keys)")
	if err != nil {
		return nil, err
	}
	all := make(map[console.ID]console.Person, len(people))
	for _, p := range people {
		all[p.ID] = p
	}
	type value struct {
		person console.ID
		value  string
	}
	emails, err := listOf(t, func(r engine.Row) value { return value{console.ID(r.Text(0)), str(r, 1)} }, ids,
		"SELECT person, email FROM person_email WHERE person IN (keys) ORDER BY position, email")
	if err != nil {
		return nil, err
	}
	for _, v := range emails {
		p := all[v.person]
		p.Emails = append(p.Emails, v.value)
		all[v.person] = p
	}
	roles, err := listOf(t, func(r engine.Row) value { return value{console.ID(r.Text(0)), r.Text(1)} }, ids,
		"SELECT person, role FROM person_role WHERE person IN (keys) ORDER BY role")
	for _, v := range roles {
		p := all[v.person]
		p.Roles = append(p.Roles, console.ConsoleRole(v.value))
		all[v.person] = p
	}
	return all, err
}

// NameAfter is a place in a list that is ordered by name: after the last row of the previous page.
// The zero value is the beginning.
type NameAfter struct {
	Sort []byte // [console.SortKey] of the name
	ID   console.ID
}

// Persons returns up to n persons ordered by name, without merged persons and services.
func (t *Tx) Persons(after NameAfter, n int) ([]console.Person, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	all, err := list(t, scanPerson, "SELECT "+personColumns+` FROM person
		WHERE (sort_key, id) > ($1, $2) AND merged_into IS NULL AND NOT service ORDER BY sort_key, id LIMIT $3`, bytesOf(after.Sort), after.ID, n)
	for i := range all {
		if err == nil {
			err = t.fillPerson(&all[i])
		}
	}
	return all, err
}

// PersonsAt is [Tx.Persons] at a past time, with the statuses of that time; the zero time means now.
func (t *Tx) PersonsAt(when time.Time, after NameAfter, n int) ([]console.Person, error) {
	if when.IsZero() {
		return t.Persons(after, n)
	}
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	all, err := list(t, scanPerson, "SELECT "+personColumns+` FROM person
		WHERE (sort_key, id) > ($1, $2) AND merged_into IS NULL AND NOT service AND created <= $4 ORDER BY sort_key, id LIMIT $3`, bytesOf(after.Sort), after.ID, n, when)
	if err != nil {
		return nil, err
	}
	ids := make([]console.ID, len(all))
	for i, p := range all {
		ids[i] = p.ID
	}
	statuses, err := t.personStatusesAt(ids, when)
	for i := range all {
		all[i].Status = statuses[all[i].ID]
		if err == nil {
			err = t.fillPerson(&all[i])
		}
	}
	return all, err
}

// AddedBy reports whether a person existed at a time.
func (t *Tx) AddedBy(person console.ID, when time.Time) (bool, error) {
	return get(t, func(r engine.Row) bool { return r.Bool(0) }, "person", "SELECT created <= $2 FROM person WHERE id = $1", person, when)
}

// bytesOf returns b, or an empty slice instead of nil, which would be NULL.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
