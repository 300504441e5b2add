package store

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// ChangedKind is the kind of object that a sync changed.
type ChangedKind int

const (
	ChangedResource    ChangedKind = 1
	ChangedEntitlement ChangedKind = 2
	ChangedFact        ChangedKind = 3
)

// ChangeKey identifies one change by a sync of a resource, an entitlement or a fact.
type ChangeKey struct {
	Sync        console.SyncNumber
	Kind        ChangedKind
	Entitlement console.EntitlementKey // 0 for a resource
	Principal   console.ResourceKey    // 0 for an entitlement
}

// StreamRange is the range of syncs of a stream after one sync and up to another.
type StreamRange struct {
	Stream    console.Stream
	Connector console.ID
	App       console.ID
	From, To  console.SyncNumber // of applied syncs
	Began     time.Time          // when the sync From began
}

// Changed is one difference between two syncs of a stream, with the last sync in between that made
// it. Exactly one of Resource, Entitlement and Fact is set.
type Changed struct {
	ChangeKey
	StreamRange
	Resource    *VersionDifference[Resource]
	Entitlement *VersionDifference[Entitlement]
	Fact        *VersionDifference[console.Fact]
}

// noteChanged records the changes of a chunk. It does nothing for the first sync of a stream, whose
// content is baseline.
func (t *Tx) noteChanged(st *Staging, kind ChangedKind, n int, change func(i int) (Change, int64, int64)) error {
	if st.Head == 0 {
		return nil
	}
	return t.e.Copy("changed", []string{"stream", "sync", "kind", "entitlement", "principal"}, func(w engine.Writer) error {
		for i := range n {
			c, entitlement, principal := change(i)
			if !c.opens() && !c.closes() {
				continue
			}
			if err := writeRow(w, int64(st.Sync.Stream), int64(st.Number), int64(kind), entitlement, principal); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetSome is the number of rows that are removed in one transaction.
const forgetSome = 5000

// forgetChanged removes recorded changes of an abandoned sync, and reports whether all are removed.
func (t *Tx) forgetChanged(stream console.Stream, n console.SyncNumber) (done bool, err error) {
	end, err := find(t, scanChangeKey, "SELECT sync, kind, entitlement, principal FROM changed WHERE stream = $1 AND sync = $2 ORDER BY kind, entitlement, principal LIMIT 1 OFFSET $3", stream, n, forgetSome)
	if err != nil {
		return false, err
	}
	if end == nil {
		_, err := t.e.Exec("DELETE FROM changed WHERE stream = $1 AND sync = $2", stream, n)
		return true, err
	}
	_, err = t.e.Exec("DELETE FROM changed WHERE stream = $1 AND sync = $2 AND (kind, entitlement, principal) < ($3, $4, $5)", stream, n, int64(end.Kind), end.Entitlement, end.Principal)
	return false, err
}

func scanChangeKey(r engine.Row) ChangeKey {
	return ChangeKey{console.SyncNumber(r.Int(0)), ChangedKind(r.Int(1)), console.EntitlementKey(r.Int(2)), console.ResourceKey(r.Int(3))}
}

// ChangedPage is a page of differences.
type ChangedPage struct {
	Lines []Changed
	Next  *ChangeKey // where the next page begins; nil at the end
	// Looked is the number of examined changes.
	Looked int
}

// maxChanges limits the changes whose rows are read for one page, maxWalked those that are examined
// with indexes only.
const (
	maxChanges = 250
	maxWalked  = 4000
)

// ChangedBetween returns up to n differences of streams after a place, those of the newest syncs
// first; the zero place is the beginning. only excludes changes before their rows are read, and take
// filters the rest; nil: all. A change that was reverted is not a difference. The page can be short
// although the list continues.
func (t *Tx) ChangedBetween(ranges []StreamRange, after ChangeKey, n int, only ChangedOnly, take func([]Changed) ([]bool, error)) (p ChangedPage, err error) {
	n, err = limit(n)
	if err != nil {
		return p, err
	}
	for _, r := range ranges {
		if err := t.checkKept(r.Stream, r.From); err != nil {
			return p, err
		}
	}
	w := changeWalk{t: t, only: only, after: after}
	if err := w.begin(ranges); err != nil {
		return p, err
	}
	for read := 0; read < maxChanges && w.walked < maxWalked; {
		keys, of, err := w.next(n + 1)
		if err != nil {
			return p, err
		}
		read, p.Looked = read+len(keys), w.walked
		lines, err := t.changedOf(keys, of)
		if err != nil {
			return p, err
		}
		taken := slices.Repeat([]bool{true}, len(lines))
		if take != nil && len(lines) > 0 {
			if taken, err = take(lines); err != nil {
				return p, err
			}
		}
		for i, c := range lines {
			if !taken[i] {
				continue
			}
			if len(p.Lines) == n {
				last := p.Lines[n-1].ChangeKey
				p.Next = &last
				return p, nil
			}
			p.Lines = append(p.Lines, c)
		}
		if w.done() {
			return p, nil
		}
	}
	p.Next = &w.after
	return p, nil
}

// ChangedOnly selects changes by what indexes tell, before any row is read. It can leave changes in
// that do not belong there, but excludes none that does.
type ChangedOnly struct {
	Explained, Unexplained, Expected bool
	CameBack                         bool // the console removed the access before
	Owned, OwnerGone                 bool // of an account that has or had an owner; one who is not active now
	// Several selects accounts that hold at least so many of these entitlements at the later end.
	Several int
	Of      map[console.ID][]console.EntitlementKey // by app
}

// baselineFact is the condition that a sync showed the entitlement of change c for the first time.
const baselineFact = "(c.kind = 3 AND (SELECT COALESCE(min(v.opened), 0) FROM entitlement_version v WHERE v.entitlement = c.entitlement) >= c.sync)"

// where returns the condition on a change c in a range; "" for all.
func (o ChangedOnly) where(s *statement, r StreamRange) string {
	if o.Several > 0 && len(o.Of[r.App]) == 0 {
		return "1 = 0"
	}
	var all []string
	// Counted, because PostgreSQL could answer EXISTS by reading the whole table first.
	exists := func(rest string) string { return "(SELECT count(*) FROM " + rest + ") > 0" }
	if o.Explained {
		ofAccess := func(table string) string {
			return exists(table + " x WHERE x.account = c.principal AND x.entitlement = c.entitlement")
		}
		all = append(all, "c.kind <> 2", "("+ofAccess("operation")+" OR "+ofAccess("reason")+" OR "+
			exists("explanation x WHERE x.stream = "+s.arg(r.Stream)+" AND x.sync = c.sync AND x.kind = c.kind AND x.entitlement = c.entitlement AND x.principal = c.principal")+")")
	}
	if o.Unexplained {
		all = append(all, "c.kind <> 2", "NOT "+baselineFact)
	}
	if o.Expected {
		held := func(at console.SyncNumber) string {
			n := s.arg(at)
			return exists("fact f WHERE f.stream = " + s.arg(r.Stream) + " AND f.entitlement = c.entitlement AND f.principal = c.principal AND f.opened <= " + n + " AND f.closed > " + n)
		}
		all = append(all, "(c.kind <> 3 OR "+baselineFact+" OR "+held(r.From)+" AND "+held(r.To)+")")
	}
	if o.CameBack {
		all = append(all, "c.kind <> 2", exists("operation x WHERE x.account = c.principal AND x.entitlement = c.entitlement AND x.verb = 'revoke' AND x.state = 'verified' AND x.verified < c.sync"))
	}
	if o.Owned {
		all = append(all, "c.kind <> 2", exists("account_owner x WHERE x.account = c.principal"))
	}
	if o.OwnerGone {
		// PostgreSQL would join all people, and read all current owners, for each change.
		all = append(all, "c.kind <> 2", `(SELECT count(CASE WHEN x.until_at IS NULL AND (SELECT p.status FROM person p WHERE p.id = x.person) <> 'active' THEN 1 END)
			FROM account_owner x WHERE x.account = c.principal) > 0`)
	}
	if o.Several > 0 {
		n := s.arg(r.To)
		all = append(all, "c.kind <> 2", "(SELECT count(*) FROM fact f WHERE f.stream = "+s.arg(r.Stream)+" AND f.entitlement IN ("+keyList(s, o.Of[r.App])+") AND f.principal = c.principal AND f.opened <= "+n+" AND f.closed > "+n+") >= "+s.arg(o.Several))
	}
	return strings.Join(all, " AND ")
}

// changeWalk walks changes in their order: sync by sync, each of which belongs to one stream.
type changeWalk struct {
	t      *Tx
	only   ChangedOnly
	after  ChangeKey // the place that was reached
	walked int
	heads  []walkedRange // those that have more
}

type walkedRange struct {
	StreamRange
	sync console.SyncNumber // the next one
}

func (w *changeWalk) begin(ranges []StreamRange) error {
	for _, r := range ranges {
		if r.To <= r.From {
			continue
		}
		last := r.To
		if w.after.Sync != 0 {
			last = min(last, w.after.Sync)
		}
		if err := w.add(r, last); err != nil {
			return err
		}
	}
	return nil
}

// add adds the newest sync of a range, up to one, that changed something.
func (w *changeWalk) add(r StreamRange, last console.SyncNumber) error {
	next, err := find(w.t, func(r engine.Row) console.SyncNumber { return console.SyncNumber(r.Int(0)) },
		"SELECT sync FROM changed WHERE stream = $1 AND sync > $2 AND sync <= $3 ORDER BY sync DESC LIMIT 1", r.Stream, r.From, last)
	if err == nil && next != nil {
		w.heads = append(w.heads, walkedRange{r, *next})
	}
	return err
}

func (w *changeWalk) done() bool { return len(w.heads) == 0 }

// next returns up to n changes, each with the range that it belongs to.
func (w *changeWalk) next(n int) (keys []ChangeKey, of []StreamRange, err error) {
	for size := n; len(keys) < n && !w.done() && w.walked < maxWalked; size = min(2*size, 1000) {
		i := 0
		for j, h := range w.heads {
			if h.sync > w.heads[i].sync {
				i = j
			}
		}
		head := w.heads[i]
		part, chosen, err := w.part(head, size)
		if err != nil {
			return nil, nil, err
		}
		for j, k := range part {
			if len(keys) == n {
				return keys, of, nil
			}
			w.after = k
			w.walked++
			if chosen[j] {
				keys, of = append(keys, k), append(of, head.StreamRange)
			}
		}
		if len(part) == size {
			continue
		}
		w.heads = slices.Delete(w.heads, i, i+1) // the whole sync was read
		if err := w.add(head.StreamRange, head.sync-1); err != nil {
			return nil, nil, err
		}
	}
	return keys, of, nil
}

// part returns the next changes of a sync, and which of them are selected.
func (w *changeWalk) part(head walkedRange, n int) (keys []ChangeKey, chosen []bool, err error) {
	after := ChangeKey{}
	if w.after.Sync == head.sync {
		after = w.after
	}
	var s statement
	inner := "SELECT sync, kind, entitlement, principal FROM changed WHERE stream = " + s.arg(head.Stream) + " AND sync = " + s.arg(head.sync) +
		" AND (kind, entitlement, principal) > (" + s.arg(int64(after.Kind)) + ", " + s.arg(after.Entitlement) + ", " + s.arg(after.Principal) + ") ORDER BY kind, entitlement, principal LIMIT " + s.arg(n)
	selected := "1"
	if where := w.only.where(&s, head.StreamRange); where != "" {
		selected = "CASE WHEN " + where + " THEN 1 ELSE 0 END"
	}
	keys, err = list(w.t, func(r engine.Row) ChangeKey {
		chosen = append(chosen, r.Int(4) == 1)
		return scanChangeKey(r)
	}, "SELECT c.sync, c.kind, c.entitlement, c.principal, "+selected+" FROM ("+inner+") c ORDER BY c.kind, c.entitlement, c.principal", s.args...)
	return keys, chosen, err
}

// changedOf returns the differences that changes make in their ranges, in their order, without those
// that make none: because a later sync of the range changed the same object, or because both ends
// are equal.
func (t *Tx) changedOf(keys []ChangeKey, of []StreamRange) (all []Changed, err error) {
	var resources []console.ResourceKey
	var entitlements []console.EntitlementKey
	facts := map[console.Stream][][]int64{}
	for i, k := range keys {
		switch k.Kind {
		case ChangedResource:
			resources = append(resources, k.Principal)
		case ChangedEntitlement:
			entitlements = append(entitlements, k.Entitlement)
		default:
			facts[of[i].Stream] = append(facts[of[i].Stream], []int64{int64(k.Entitlement), int64(k.Principal)})
		}
	}
	resourceRows, err := listOf(t, scanResource, distinct(resources), "SELECT "+resourceColumns+" FROM resource_version v"+resourceTables+
		"WHERE v.resource IN (keys) AND v.opened <= h.head ORDER BY v.opened")
	if err != nil {
		return nil, err
	}
	entitlementRows, err := listOf(t, scanEntitlement, distinct(entitlements), "SELECT "+entitlementColumns+` FROM entitlement_version v JOIN entitlement e ON e.key = v.entitlement JOIN head h ON h.stream = e.stream
		WHERE v.entitlement IN (keys) AND v.opened <= h.head ORDER BY v.opened`)
	if err != nil {
		return nil, err
	}
	type held struct {
		stream console.Stream
		access access
	}
	factsOf := map[held][]console.Fact{}
	for stream, tuples := range facts {
		rows, err := t.factsOf(stream, tuples)
		if err != nil {
			return nil, err
		}
		for _, f := range rows {
			k := held{stream, access{f.Principal, f.Entitlement}}
			factsOf[k] = append(factsOf[k], f)
		}
	}
	resourcesOf := grouped(resourceRows, func(r Resource) console.ResourceKey { return r.Key })
	entitlementsOf := grouped(entitlementRows, func(e Entitlement) console.EntitlementKey { return e.Key })
	for i, k := range keys {
		c := Changed{ChangeKey: k, StreamRange: of[i]}
		switch k.Kind {
		case ChangedResource:
			c.Resource = differenceOf(resourcesOf[k.Principal], of[i], k.Sync, func(v Resource) (_, _ console.SyncNumber) { return v.From, v.Until }, sameResource)
		case ChangedEntitlement:
			c.Entitlement = differenceOf(entitlementsOf[k.Entitlement], of[i], k.Sync, func(v Entitlement) (_, _ console.SyncNumber) { return v.From, v.Until }, sameEntitlement)
		default:
			c.Fact = differenceOf(factsOf[held{of[i].Stream, access{k.Principal, k.Entitlement}}], of[i], k.Sync, func(f console.Fact) (_, _ console.SyncNumber) { return f.From, f.Until }, sameFact)
		}
		if c.Resource != nil || c.Entitlement != nil || c.Fact != nil {
			all = append(all, c)
		}
	}
	return all, nil
}

func sameFact(a, b console.Fact) bool {
	return slices.Equal(a.Sources, b.Sources) && flagsOf(a) == flagsOf(b) && bytes.Equal(a.Detail, b.Detail)
}

// LastResources returns of each resource the last version that a sync of its stream shows, or that
// an earlier one did. Those whose first version is later are missing.
func (t *Tx) LastResources(stream console.Stream, sync console.SyncNumber, keys []console.ResourceKey) (map[console.ResourceKey]Resource, error) {
	rows, err := listOf(t, scanResource, distinct(keys), "SELECT "+resourceColumns+" FROM resource_version v"+resourceTables+
		"WHERE v.resource IN (keys) AND v.opened <= $1 AND v.opened <= h.head ORDER BY v.opened", sync)
	last := make(map[console.ResourceKey]Resource, len(keys))
	for _, r := range rows {
		if r.Stream == stream { // no condition of the statement: SQLite would read all resources of the stream
			last[r.Key] = r
		}
	}
	return last, err
}

// LastEntitlements is [Tx.LastResources] for entitlements.
func (t *Tx) LastEntitlements(stream console.Stream, sync console.SyncNumber, keys []console.EntitlementKey) (map[console.EntitlementKey]Entitlement, error) {
	rows, err := listOf(t, scanEntitlement, distinct(keys), "SELECT "+entitlementColumns+` FROM entitlement_version v JOIN entitlement e ON e.key = v.entitlement JOIN head h ON h.stream = e.stream
		WHERE v.entitlement IN (keys) AND v.opened <= $1 AND v.opened <= h.head ORDER BY v.opened`, sync)
	last := make(map[console.EntitlementKey]Entitlement, len(keys))
	for _, e := range rows {
		if e.Stream == stream {
			last[e.Key] = e
		}
	}
	return last, err
}

// differenceOf returns the difference of versions between the ends of a range, if the sync was the
// last one of the range that changed them.
func differenceOf[T any](versions []T, r StreamRange, at console.SyncNumber, bounds func(T) (opened, closed console.SyncNumber), same func(a, b T) bool) *VersionDifference[T] {
	d := VersionDifference[T]{At: at}
	var before, after bool
	for _, v := range versions {
		opened, closed := bounds(v)
		if opened > at && opened <= r.To || closed > at && closed <= r.To {
			return nil
		}
		if opened <= r.From && closed > r.From {
			d.Before, before = v, true
		}
		if opened <= r.To && closed > r.To {
			d.After, after = v, true
		}
	}
	switch {
	case before && after && !same(d.Before, d.After):
		d.Change = Replace
	case before && !after:
		d.Change = Close
	case after && !before:
		d.Change = Open
	default:
		return nil
	}
	return &d
}

// Explained is a person's explanation of a change.
type Explained struct {
	ID  console.ID
	At  time.Time
	By  console.Actor
	Why string
}

// Explain records a person's explanation of a change. AlreadyExists if it has one.
func (t *Tx) Explain(r StreamRange, k ChangeKey, why string) (console.ID, error) {
	if err := need("the explanation", why); err != nil {
		return "", err
	}
	there, err := find(t, scanChangeKey, "SELECT sync, kind, entitlement, principal FROM changed WHERE stream = $1 AND sync = $2 AND kind = $3 AND entitlement = $4 AND principal = $5",
		r.Stream, k.Sync, int64(k.Kind), k.Entitlement, k.Principal)
	if err == nil && there == nil {
		err = baton.Errorf(baton.NotFound, "no such change")
	}
	if err != nil {
		return "", err
	}
	id := console.NewID(t.by.At)
	if err := t.insert("an explanation of this change", "INSERT INTO explanation (id, app, stream, sync, kind, entitlement, principal, at, by_actor, why) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		id, r.App, r.Stream, k.Sync, int64(k.Kind), k.Entitlement, k.Principal, t.by.At, encodeActor(t.by.Actor), []byte(why)); err != nil {
		return "", err
	}
	return id, t.event(console.Event{Kind: "change.explained", App: r.App, Connector: r.Connector, Account: k.Principal, Entitlement: k.Entitlement, Object: string(id)},
		map[string]any{"sync": k.Sync, "why": why})
}

// accessOf returns the access that a difference concerns: for a resource, the account itself.
func (c Changed) accessOf() access {
	if c.Kind == ChangedResource {
		return access{c.Principal, console.AccountItself}
	}
	return access{c.Principal, c.ChangeKey.Entitlement}
}

// WhyChanged is the explanation of a difference.
type WhyChanged struct {
	console.Explanation
	Operation *console.Operation // of the explanation
	Reason    *console.Reason    // of the explanation
	Person    *Explained         // a person's explanation
	Verb      console.Verb       // Grant: gained; Revoke: lost; "": neither
	CameBack  bool               // gained after the console had removed it
}

// WhyChanged returns the explanations of differences, in their order.
func (t *Tx) WhyChanged(lines []Changed) ([]WhyChanged, error) {
	var accounts []console.ResourceKey
	for _, c := range lines {
		if c.Principal != 0 {
			accounts = append(accounts, c.Principal)
		}
	}
	accounts = distinct(accounts)
	reasons, err := listOf(t, scanReason, accounts, "SELECT "+reasonColumns+" FROM reason WHERE account IN (keys) ORDER BY created, id")
	if err != nil {
		return nil, err
	}
	operations, err := listOf(t, scanOperation, accounts, "SELECT "+operationColumns+" FROM operation WHERE account IN (keys) ORDER BY created, id")
	if err != nil {
		return nil, err
	}
	bars, err := listOf(t, scanBar, accounts, "SELECT "+barColumns+" FROM bar WHERE account IN (keys) AND lifted IS NULL")
	if err != nil {
		return nil, err
	}
	reasonsOf := grouped(reasons, func(r console.Reason) access { return access{r.Account, r.Entitlement} })
	operationsOf := grouped(operations, func(o console.Operation) access { return access{o.Account, o.Entitlement} })
	barsOf := grouped(bars, func(b console.Bar) access { return access{b.Account, b.Entitlement} })
	x, err := t.readWhy(lines)
	if err != nil {
		return nil, err
	}
	all := make([]WhyChanged, len(lines))
	for i, c := range lines {
		a := c.accessOf()
		change := console.AccessChange{After: c.Began, Operations: operationsOf[a], Reasons: reasonsOf[a]}
		for _, r := range change.Reasons {
			if r.App != c.App {
				change.Reasons = slices.DeleteFunc(slices.Clone(change.Reasons), func(r console.Reason) bool { return r.App != c.App })
				break
			}
		}
		if b := barsOf[a]; len(b) > 0 {
			change.Bar = &b[0]
		}
		all[i] = x.why(c, change)
	}
	return all, nil
}

// whyReader has the data that explains differences, besides operations, reasons and bars.
type whyReader struct {
	received  map[console.SyncNumber]time.Time
	first     map[console.EntitlementKey]console.SyncNumber // the first sync that showed it
	explained map[explainedChange]Explained
}

type explainedChange struct {
	stream console.Stream
	ChangeKey
}

// readWhy reads the data for many differences together.
func (t *Tx) readWhy(lines []Changed) (x whyReader, err error) {
	x = whyReader{received: map[console.SyncNumber]time.Time{}, first: map[console.EntitlementKey]console.SyncNumber{}, explained: map[explainedChange]Explained{}}
	var numbers []console.SyncNumber
	var entitlements []console.EntitlementKey
	var tuples [][]int64
	for _, c := range lines {
		numbers = append(numbers, c.Sync)
		if c.Fact != nil {
			entitlements = append(entitlements, c.ChangeKey.Entitlement)
		}
		tuples = append(tuples, []int64{int64(c.Stream), int64(c.Sync), int64(c.Kind), int64(c.ChangeKey.Entitlement), int64(c.Principal)})
	}
	syncs, err := t.SyncsByNumber(numbers)
	if err != nil {
		return x, err
	}
	for n, s := range syncs {
		x.received[n] = s.Received
	}
	_, err = listOf(t, func(r engine.Row) bool {
		x.first[console.EntitlementKey(r.Int(0))] = console.SyncNumber(r.Int(1))
		return true
	}, distinct(entitlements), "SELECT entitlement, min(opened) FROM entitlement_version WHERE entitlement IN (keys) GROUP BY entitlement")
	if err != nil {
		return x, err
	}
	_, err = listOfTuples(t, func(r engine.Row) bool {
		x.explained[explainedChange{console.Stream(r.Int(4)), scanChangeKey(from(r, 5))}] = Explained{ID: console.ID(r.Text(0)), At: at(r, 1), By: decodeActor(r.Bytes(2)), Why: str(r, 3)}
		return true
	}, tuples, `SELECT x.id, x.at, x.by_actor, x.why, x.stream, x.sync, x.kind, x.entitlement, x.principal FROM (tuples) k CROSS JOIN explanation x
		WHERE x.stream = k.column1 AND x.sync = k.column2 AND x.kind = k.column3 AND x.entitlement = k.column4 AND x.principal = k.column5`)
	return x, err
}

func (x *whyReader) why(c Changed, change console.AccessChange) (w WhyChanged) {
	change.Before = x.received[c.Sync]
	access := true // whether the difference affects access
	switch {
	case c.Resource != nil:
		has := func(r Resource) bool { return r.Account != nil && console.HasAccount(true, r.Status) }
		before, after := has(c.Resource.Before), has(c.Resource.After)
		switch {
		case after && !before:
			change.Verb = console.Grant
		case before && !after:
			change.Verb = console.Revoke
		default:
			access = false
		}
	case c.Entitlement != nil:
		access = false
	default:
		switch c.Fact.Change {
		case Open:
			change.Verb = console.Grant
		case Close:
			change.Verb = console.Revoke
		default:
			access = false
		}
		if change.Verb == console.Grant {
			change.Baseline = console.IsBaseline(c.Sync, x.first[c.ChangeKey.Entitlement])
		}
	}
	w.Verb = change.Verb
	if !access {
		w.Explanation = console.Explanation{Kind: console.ByNature}
		return w
	}
	w.Explanation = change.Explain()
	for i, o := range change.Operations {
		if o.ID == w.Explanation.Operation && o.ID != "" {
			w.Operation = &change.Operations[i]
		}
		w.CameBack = w.CameBack || change.Verb == console.Grant && o.Verb == console.Revoke && o.State == console.Verified && o.Verified < c.Sync
	}
	for i, r := range change.Reasons {
		if r.ID == w.Explanation.Reason && r.ID != "" {
			w.Reason = &change.Reasons[i]
		}
	}
	w.CameBack = w.CameBack && w.Explanation.Kind == console.Unexplained
	if w.Explanation.Kind != console.Unexplained {
		return w
	}
	if by, ok := x.explained[explainedChange{c.Stream, c.ChangeKey}]; ok {
		w.Person, w.Explanation.Kind = &by, console.ByPersonLater
	}
	return w
}

// ChangedAt returns the difference that one change makes in a range; nil if it makes none.
func (t *Tx) ChangedAt(r StreamRange, k ChangeKey) (*Changed, error) {
	there, err := find(t, scanChangeKey, "SELECT sync, kind, entitlement, principal FROM changed WHERE stream = $1 AND sync = $2 AND kind = $3 AND entitlement = $4 AND principal = $5",
		r.Stream, k.Sync, int64(k.Kind), k.Entitlement, k.Principal)
	if err != nil || there == nil {
		return nil, err
	}
	all, err := t.changedOf([]ChangeKey{k}, []StreamRange{r})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// AppliedSyncs returns up to n applied syncs of a stream, the newest first.
func (t *Tx) AppliedSyncs(stream console.Stream, n int) ([]console.Sync, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE stream = $1 AND state = 'applied' ORDER BY began DESC, number DESC LIMIT $2", stream, n)
}
