package store

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// FindingCause is a cause that somebody has to be told of. Subject names it within its app and kind.
type FindingCause struct {
	Subject string
	console.FindingAbout
}

const findingColumns = "id, app, kind, subject, state, connector, account, entitlement, object, detail, appeared, resolved, told, until, why, by_actor, version"

func scanFinding(r engine.Row) console.Finding {
	f := console.Finding{ID: console.ID(r.Text(0)), App: console.ID(r.Text(1)), Kind: console.FindingKind(r.Text(2)), Subject: r.Text(3), State: console.FindingState(r.Text(4)),
		FindingAbout: console.FindingAbout{Connector: console.ID(r.Text(5)), Account: console.ResourceKey(r.Int(6)), Entitlement: console.EntitlementKey(r.Int(7)), Object: r.Text(8)},
		Appeared:     at(r, 10), Resolved: at(r, 11), Told: at(r, 12), Until: at(r, 13), Why: str(r, 14), Version: r.Int(16)}
	decode(r.Bytes(9), &f.Detail)
	if by := r.Bytes(15); len(by) > 0 {
		f.By = decodeActor(by)
	}
	return f
}

// Finding returns a finding.
func (t *Tx) Finding(id console.ID) (console.Finding, error) {
	return get(t, scanFinding, "finding", "SELECT "+findingColumns+" FROM finding WHERE id = $1", id)
}

func (t *Tx) lockFinding(id console.ID) (console.Finding, error) {
	return get(t, scanFinding, "finding", "SELECT "+findingColumns+" FROM finding WHERE id = $1 FOR UPDATE", id)
}

// FindingScope selects findings by kind: nil selects all of the kind, and what it does not contain is
// not selected.
type FindingScope map[console.FindingKind]*FindingsOf

// FindingsOf selects findings of apps and of connectors.
type FindingsOf struct {
	Apps       []console.ID
	Connectors []console.ID // of other apps
}

// FindingAfter is a place in a list of findings.
type FindingAfter struct {
	Kind     console.FindingKind
	Appeared time.Time
	ID       console.ID
}

// Findings returns up to n findings in a state after a place: the kinds in the order of
// [console.FindingRules], and of each kind the oldest first.
func (t *Tx) Findings(scope FindingScope, state console.FindingState, after FindingAfter, n int) ([]console.Finding, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	var all []console.Finding
	reached := after.Kind == ""
	for _, rule := range console.FindingRules() {
		place := FindingAfter{}
		if rule.Kind == after.Kind {
			reached, place = true, after
		}
		of, selected := scope[rule.Kind]
		if !reached || !selected {
			continue
		}
		part, err := t.findingsOf(rule.Kind, of, state, place, n-len(all))
		if err != nil {
			return nil, err
		}
		if all = append(all, part...); len(all) == n {
			break
		}
	}
	return all, nil
}

func (t *Tx) findingsOf(kind console.FindingKind, of *FindingsOf, state console.FindingState, after FindingAfter, n int) (all []console.Finding, err error) {
	micros := int64(-1 << 62)
	if !after.Appeared.IsZero() {
		micros = engine.Micros(after.Appeared)
	}
	add := func(where string, args ...any) error {
		part, err := list(t, scanFinding, "SELECT "+findingColumns+" FROM finding WHERE state = $1 AND kind = $2"+where+" AND (appeared, id) > ($3, $4) ORDER BY appeared, id LIMIT $5",
			append([]any{state, kind, micros, after.ID, n}, args...)...)
		all = append(all, part...)
		return err
	}
	if of == nil {
		err := add("")
		return all, err
	}
	for _, app := range of.Apps {
		if err := add(" AND app = $6", app); err != nil {
			return nil, err
		}
	}
	for _, connector := range of.Connectors {
		if err := add(" AND connector = $6", connector); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b console.Finding) int { return cmp.Or(a.Appeared.Compare(b.Appeared), cmp.Compare(a.ID, b.ID)) })
	return all[:min(n, len(all))], nil
}

// FindingCount is the number of findings of a kind of an app.
type FindingCount struct {
	App    console.ID
	Kind   console.FindingKind
	Count  int
	Oldest time.Time // when the oldest of them appeared
}

// CountFindings counts the findings in a state by app and kind.
func (t *Tx) CountFindings(scope FindingScope, state console.FindingState) ([]FindingCount, error) {
	scan := func(r engine.Row) FindingCount {
		return FindingCount{console.ID(r.Text(0)), console.FindingKind(r.Text(1)), int(r.Int(2)), at(r, 3)}
	}
	const columns, groups = "SELECT app, kind, count(*), min(appeared) FROM finding WHERE state = $1", " GROUP BY app, kind"
	var apps, connectors []console.ID
	everywhere := false
	for _, of := range scope {
		if of == nil {
			everywhere = true
			continue
		}
		apps, connectors = append(apps, of.Apps...), append(connectors, of.Connectors...)
	}
	var all []FindingCount
	if everywhere {
		rows, err := list(t, scan, columns+groups, state)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(rows, func(c FindingCount) bool {
			of, selected := scope[c.Kind]
			return !selected || of != nil
		})
	}
	rows, err := listOf(t, scan, distinct(apps), columns+" AND app IN (keys)"+groups, state)
	if err != nil {
		return nil, err
	}
	for _, c := range rows {
		if of := scope[c.Kind]; of != nil && slices.Contains(of.Apps, c.App) {
			all = append(all, c)
		}
	}
	if rows, err = listOf(t, scan, distinct(connectors), columns+" AND connector IN (keys)"+groups, state); err != nil {
		return nil, err
	}
	for _, c := range rows {
		if of := scope[c.Kind]; of != nil && len(of.Connectors) > 0 {
			all = append(all, c)
		}
	}
	return all, nil
}

// CurrentFindings returns all findings of a kind of an app whose cause is there, by subject.
func (t *Tx) CurrentFindings(app console.ID, kind console.FindingKind) (map[string]console.Finding, error) {
	all := map[string]console.Finding{}
	for _, state := range console.FindingStates() {
		if state == console.FindingResolved {
			continue
		}
		err := t.e.Query(func(r engine.Row) error {
			f := scanFinding(r)
			all[f.Subject] = f
			return nil
		}, "SELECT "+findingColumns+" FROM finding WHERE state = $1 AND app = $2 AND kind = $3", state, app, kind)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// FindingBatch says which part of the findings of a search is recorded.
type FindingBatch struct {
	Further bool // the owners were told of an earlier one
	More    bool // others may follow
}

// AppearFindings records causes of an app that were not there before, with one event. A cause that
// was accepted or snoozed until a later time stays so. The owners are told of the others, except of
// those of which they were told less than [console.TellAgain] ago, with the first batch of a search.
// tell is how many there are to tell of.
func (t *Tx) AppearFindings(app console.ID, rule console.FindingRule, causes []FindingCause, batch FindingBatch) (tell int, err error) {
	if len(causes) == 0 {
		return 0, nil
	}
	subjects := make([]string, len(causes))
	for i, c := range causes {
		subjects[i] = c.Subject
	}
	found, err := t.findingIDs(app, rule.Kind, distinct(subjects))
	if err != nil {
		return 0, err
	}
	before, err := listOf(t, scanFinding, found, "SELECT "+findingColumns+" FROM finding WHERE id IN (keys) FOR UPDATE")
	if err != nil {
		return 0, err
	}
	known := map[string]console.Finding{}
	for _, f := range before {
		known[f.Subject] = f
	}
	var fresh []console.Finding
	var about console.FindingAbout
	appeared := 0
	var ids []console.ID
	for _, c := range causes {
		f, there := known[c.Subject]
		if there && f.State != console.FindingResolved {
			continue
		}
		appeared++
		about = c.FindingAbout
		was := f
		f.FindingAbout, f.Appeared, f.State = c.FindingAbout, t.by.At, console.FindingOpen
		switch {
		case f.Until.After(t.by.At) && f.Why != "":
			f.State = console.FindingAccepted
		case f.Until.After(t.by.At):
			f.State = console.FindingSnoozed
		default:
			f.Until, f.Why, f.By = time.Time{}, "", console.Actor{}
		}
		if f.State == console.FindingOpen && rule.Tells && (was.Told.IsZero() || t.by.At.Sub(was.Told) >= console.TellAgain) {
			f.Told = t.by.At
			tell++
		}
		if !there {
			f.ID, f.Kind, f.Subject = console.NewID(t.by.At), rule.Kind, c.Subject
			fresh = append(fresh, f)
		} else if err := t.change("finding", `UPDATE finding SET state = $2, connector = $3, account = $4, entitlement = $5, object = $6, detail = $7, appeared = $8, resolved = NULL, told = $9,
			until = $10, why = $11, version = version + 1 WHERE id = $1`, f.ID, f.State, null(f.Connector), f.Account, f.Entitlement, f.Object, encode(f.Detail), f.Appeared, f.Told, f.Until, []byte(f.Why)); err != nil {
			return 0, err
		}
		ids = append(ids, f.ID)
	}
	if appeared == 0 {
		return 0, nil
	}
	err = t.e.Each("INSERT INTO finding ("+findingColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL, $12, NULL, $13, $14, 1)", func(w engine.Writer) error {
		for _, f := range fresh {
			for _, s := range []string{string(f.ID), string(app), string(f.Kind), f.Subject, string(f.State)} {
				w.Text(s)
			}
			textOrNull(w, string(f.Connector))
			w.Int(int64(f.Account))
			w.Int(int64(f.Entitlement))
			w.Text(f.Object)
			w.Bytes(encode(f.Detail))
			w.Int(engine.Micros(f.Appeared))
			if f.Told.IsZero() {
				w.Null()
			} else {
				w.Int(engine.Micros(f.Told))
			}
			w.Bytes(nil)
			w.Bytes(nil)
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if batch.Further {
		tell = 0
	}
	return tell, t.findingsEvent("finding.appeared", app, rule, ids, about, map[string]any{"tell": tell, "more": batch.More})
}

// findingIDs returns the findings of a kind of an app that have one of the subjects. Each is looked up
// by itself: PostgreSQL, without statistics of a table that grows, would read all of the kind.
func (t *Tx) findingIDs(app console.ID, kind console.FindingKind, subjects []string) (all []console.ID, err error) {
	for part := range slices.Chunk(subjects, longList) {
		s := statement{args: []any{app, kind}}
		places := make([]string, longList)
		if len(part) <= shortList {
			places = places[:shortList]
		}
		for i := range places {
			places[i] = "(" + s.arg(part[min(i, len(part)-1)]) + ")"
		}
		ids, err := list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) },
			"SELECT id FROM (SELECT (SELECT f.id FROM finding f WHERE f.app = $1 AND f.kind = $2 AND f.subject = k.column1) AS id FROM (VALUES "+strings.Join(places, ", ")+") k) AS found WHERE id IS NOT NULL", s.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
	}
	return distinct(all), nil
}

// maxFindingIDs limits the findings that one event names.
const maxFindingIDs = 50

// findingsEvent appends one event about findings of a kind. It names the objects of a single one.
func (t *Tx) findingsEvent(kind string, app console.ID, rule console.FindingRule, ids []console.ID, about console.FindingAbout, data map[string]any) error {
	e := console.Event{Kind: kind, App: app, Connector: about.Connector, Object: string(rule.Kind)}
	if len(ids) == 1 {
		e.Account, e.Entitlement, e.Object = about.Account, about.Entitlement, string(ids[0])
	}
	data["kind"], data["label"], data["many"], data["count"], data["findings"] = rule.Kind, rule.Label, rule.Many, len(ids), ids[:min(len(ids), maxFindingIDs)]
	return t.event(e, data)
}

// ResolveFindings records that the causes of findings are gone, with one event.
func (t *Tx) ResolveFindings(app console.ID, rule console.FindingRule, ids []console.ID) error {
	gone, err := listOf(t, scanFinding, distinct(ids), "SELECT "+findingColumns+" FROM finding WHERE id IN (keys) AND state <> 'resolved' FOR UPDATE")
	if err != nil || len(gone) == 0 {
		return err
	}
	resolved := make([]console.ID, len(gone))
	err = t.e.Each("UPDATE finding SET state = 'resolved', resolved = $2, version = version + 1 WHERE id = $1", func(w engine.Writer) error {
		for i, f := range gone {
			resolved[i] = f.ID
			w.Text(string(f.ID))
			w.Int(engine.Micros(t.by.At))
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.findingsEvent("finding.resolved", app, rule, resolved, gone[0].FindingAbout, map[string]any{})
}

// SetFindingAbout records that what a finding says changed, while its cause stays the same.
func (t *Tx) SetFindingAbout(id console.ID, about console.FindingAbout) error {
	return t.change("finding", "UPDATE finding SET connector = $2, account = $3, entitlement = $4, object = $5, detail = $6 WHERE id = $1",
		id, null(about.Connector), about.Account, about.Entitlement, about.Object, encode(about.Detail))
}

// AcceptFinding accepts a finding until a time, or snoozes it. version is the version that the person
// saw. Refused if the finding changed meanwhile.
func (t *Tx) AcceptFinding(id console.ID, version int64, state console.FindingState, until time.Time, why string) error {
	f, err := t.lockFinding(id)
	if err != nil {
		return err
	}
	if err := checkVersion("the finding", f.Version, version); err != nil {
		return err
	}
	why = strings.TrimSpace(why)
	if err := f.Accept(state, until, why, t.by.At); err != nil {
		return err
	}
	if err := t.change("finding", "UPDATE finding SET state = $2, until = $3, why = $4, by_actor = $5, version = version + 1 WHERE id = $1", id, state, until, []byte(why), encodeActor(t.by.Actor)); err != nil {
		return err
	}
	kind := "finding.accepted"
	if state == console.FindingSnoozed {
		kind = "finding.snoozed"
	}
	if err := t.findingEvent(kind, f, map[string]any{"until": timeOrNil(until), "why": why}); err != nil {
		return err
	}
	return t.DueBy(console.DueFindings, console.FindingsRef(f.App, f.Kind), until)
}

func (t *Tx) findingEvent(kind string, f console.Finding, data map[string]any) error {
	rule, _ := f.Kind.Rule()
	data["kind"], data["label"] = f.Kind, rule.Label
	return t.event(console.Event{Kind: kind, App: f.App, Connector: f.Connector, Account: f.Account, Entitlement: f.Entitlement, Object: string(f.ID)}, data)
}

// ReopenFinding ends an acceptance or a snooze. It does nothing to an open finding.
func (t *Tx) ReopenFinding(id console.ID) error {
	f, err := t.lockFinding(id)
	if err != nil || f.State == console.FindingOpen {
		return err
	}
	if f.State == console.FindingResolved {
		return baton.Errorf(baton.Refused, "the cause of this finding is gone").WithFix("It appears again by itself if the cause does.")
	}
	return t.reopen(f, "finding.reopened")
}

func (t *Tx) reopen(f console.Finding, kind string) error {
	data := map[string]any{"until": timeOrNil(f.Until), "why": f.Why, "by": f.By.Person()}
	if err := t.change("finding", "UPDATE finding SET state = 'open', until = NULL, why = $2, by_actor = $2, told = $3, version = version + 1 WHERE id = $1", f.ID, []byte{}, t.by.At); err != nil {
		return err
	}
	return t.findingEvent(kind, f, data)
}

// ReturnFindings opens the findings of a kind of an app whose acceptance or snooze is over, with an
// event for each. next is when the next one is over; zero if there is none.
func (t *Tx) ReturnFindings(app console.ID, kind console.FindingKind) (next time.Time, err error) {
	over, err := list(t, scanFinding, "SELECT "+findingColumns+" FROM finding WHERE app = $1 AND kind = $2 AND until <= $3 AND state IN ('accepted', 'snoozed') ORDER BY until, id LIMIT $4 FOR UPDATE",
		app, kind, t.by.At, PageSize)
	for _, f := range over {
		if err == nil {
			err = t.reopen(f, "finding.returned")
		}
	}
	if err != nil {
		return time.Time{}, err
	}
	return t.NextReturn(app, kind)
}

// ForgetFindings deletes up to n findings that were resolved before a time, and returns how many.
func (t *Tx) ForgetFindings(before time.Time, n int) (int, error) {
	ids, err := list(t, func(r engine.Row) string { return r.Text(0) }, "SELECT id FROM finding WHERE state = 'resolved' AND resolved < $1 AND (until IS NULL OR until < $1) LIMIT $2", before, n)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	err = t.e.Each("DELETE FROM finding WHERE id = $1", func(w engine.Writer) error {
		for _, id := range ids {
			w.Text(id)
			if err := w.End(); err != nil {
				return err
			}
		}
		return nil
	})
	return len(ids), err
}

// OwnedBy returns the apps and the connectors that a person owns.
func (t *Tx) OwnedBy(person console.ID) (apps, connectors []console.ID, err error) {
	id := func(r engine.Row) console.ID { return console.ID(r.Text(0)) }
	if apps, err = list(t, id, "SELECT app FROM app_owner WHERE person = $1 ORDER BY app", person); err != nil {
		return nil, nil, err
	}
	connectors, err = list(t, id, "SELECT connector FROM connector_owner WHERE person = $1 ORDER BY connector", person)
	return apps, connectors, err
}

// AppsOfPerson returns the apps that a person owns, or in which the person has an account.
func (t *Tx) AppsOfPerson(person console.ID) ([]console.ID, error) {
	return list(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, `SELECT app FROM app_owner WHERE person = $1
		UNION SELECT c.app FROM account_owner o JOIN resource r ON r.key = o.account JOIN connector c ON c.stream = r.stream WHERE o.person = $1 AND o.until_at IS NULL`, person)
}

// UnshownAccounts returns the operations of an app whose task created an account that full syncs of
// its connector have not shown since, although at least two of them began when it had settled
// ([console.SettleTime]).
func (t *Tx) UnshownAccounts(app console.ID) ([]console.Operation, error) {
	return list(t, scanOperation, "SELECT "+operationColumns+` FROM operation o WHERE o.app = $1 AND o.account = 0 AND o.entitlement = 0 AND o.verb = $2 AND o.state IN ('applied', 'contradicted') AND o.finished IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM operation n WHERE n.app = o.app AND n.person = o.person AND n.entitlement = 0 AND n.created > o.created)
		AND (SELECT count(*) FROM sync s JOIN connector c ON c.stream = s.stream WHERE c.id = o.connector AND s.state = 'applied' AND s.kind = $3 AND s.dispatched > o.finished + $5) >= $4
		ORDER BY o.created, o.id`, app, console.Grant, console.SyncFull, console.GoneAfter, console.SettleTime.Microseconds())
}

// SeenChanges returns up to which sync of a stream unexplained changes were looked for; 0 if never.
func (t *Tx) SeenChanges(stream console.Stream) (console.SyncNumber, error) {
	n, err := find(t, func(r engine.Row) console.SyncNumber { return console.SyncNumber(r.Int(0)) }, "SELECT sync FROM finding_seen WHERE stream = $1", stream)
	if err != nil || n == nil {
		return 0, err
	}
	return *n, nil
}

// SetSeenChanges records up to which sync of a stream unexplained changes were looked for.
func (t *Tx) SetSeenChanges(stream console.Stream, n console.SyncNumber) error {
	_, err := t.e.Exec("INSERT INTO finding_seen (stream, sync) VALUES ($1, $2) ON CONFLICT (stream) DO UPDATE SET sync = excluded.sync", stream, n)
	return err
}

// ChangedObject is a resource or a fact that syncs changed.
type ChangedObject struct {
	Stream      console.Stream
	Kind        ChangedKind
	Entitlement console.EntitlementKey
	Principal   console.ResourceKey
}

// ChangedObjects returns the resources and facts that syncs of a stream changed, after one and up to
// another, each with the last such sync.
func (t *Tx) ChangedObjects(stream console.Stream, from, to console.SyncNumber) (map[ChangedObject]console.SyncNumber, error) {
	all := map[ChangedObject]console.SyncNumber{}
	err := t.e.Query(func(r engine.Row) error {
		k := scanChangeKey(r)
		all[ChangedObject{stream, k.Kind, k.Entitlement, k.Principal}] = k.Sync // in the order of the syncs
		return nil
	}, "SELECT sync, kind, entitlement, principal FROM changed WHERE stream = $1 AND sync > $2 AND sync <= $3 AND kind <> $4 ORDER BY sync", stream, from, to, int64(ChangedEntitlement))
	return all, err
}

// ChangesIn returns the differences that changes make, each in its own range, with their
// explanations. The changes that make none are left out.
func (t *Tx) ChangesIn(keys []ChangeKey, ranges []StreamRange) ([]Changed, []WhyChanged, error) {
	lines, err := t.changedOf(keys, ranges)
	if err != nil {
		return nil, nil, err
	}
	why, err := t.WhyChanged(lines)
	return lines, why, err
}
