package store

import (
	"bytes"
	"cmp"
	"slices"
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

// compare orders changes: the newest sync first, and in a sync resources, entitlements, facts.
func (k ChangeKey) compare(o ChangeKey) int {
	return cmp.Or(cmp.Compare(o.Sync, k.Sync), cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.Entitlement, o.Entitlement), cmp.Compare(k.Principal, o.Principal))
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

// maxChanges limits the changes that are examined for one page.
const maxChanges = 250

// ChangedBetween returns up to n differences of streams after a place, those of the newest syncs
// first; the zero place is the beginning. take filters them; nil: all. A change that was reverted is
// not a difference. The page can be short although the list continues.
func (t *Tx) ChangedBetween(ranges []StreamRange, after ChangeKey, n int, take func([]Changed) ([]bool, error)) (p ChangedPage, err error) {
	n, err = limit(n)
	if err != nil {
		return p, err
	}
	for p.Looked < maxChanges {
		keys, from, err := t.changeKeys(ranges, after, n+1)
		if err != nil {
			return p, err
		}
		if len(keys) == 0 {
			p.Next = nil
			return p, nil
		}
		var lines []Changed
		for i, k := range keys {
			c, err := t.changed(from[i], k)
			if err != nil {
				return p, err
			}
			if c != nil {
				lines = append(lines, *c)
			}
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
		after = keys[len(keys)-1]
		p.Looked += len(keys)
		p.Next = &after
		if len(keys) < n+1 {
			p.Next = nil
			return p, nil
		}
	}
	return p, nil
}

// changeKeys returns the next changes of streams, each with the range that it belongs to.
func (t *Tx) changeKeys(ranges []StreamRange, after ChangeKey, n int) (keys []ChangeKey, of []StreamRange, err error) {
	type found struct {
		key ChangeKey
		of  StreamRange
	}
	var all []found
	for _, r := range ranges {
		if r.To <= r.From {
			continue
		}
		last := r.To
		var part []ChangeKey
		if after.Sync != 0 && after.Sync <= r.To {
			last = after.Sync - 1
			if after.Sync > r.From {
				part, err = list(t, scanChangeKey, `SELECT sync, kind, entitlement, principal FROM changed WHERE stream = $1 AND sync = $2 AND (kind, entitlement, principal) > ($3, $4, $5)
					ORDER BY kind, entitlement, principal LIMIT $6`, r.Stream, after.Sync, int64(after.Kind), after.Entitlement, after.Principal, n)
				if err != nil {
					return nil, nil, err
				}
			}
		}
		for len(part) < n { // sync by sync: the newest first, each in its order
			next, err := find(t, func(r engine.Row) console.SyncNumber { return console.SyncNumber(r.Int(0)) },
				"SELECT sync FROM changed WHERE stream = $1 AND sync > $2 AND sync <= $3 ORDER BY sync DESC LIMIT 1", r.Stream, r.From, last)
			if err != nil {
				return nil, nil, err
			}
			if next == nil {
				break
			}
			more, err := list(t, scanChangeKey, `SELECT sync, kind, entitlement, principal FROM changed WHERE stream = $1 AND sync = $2 ORDER BY kind, entitlement, principal LIMIT $3`, r.Stream, *next, n-len(part))
			if err != nil {
				return nil, nil, err
			}
			part, last = append(part, more...), *next-1
		}
		for _, k := range part {
			all = append(all, found{k, r})
		}
	}
	slices.SortFunc(all, func(a, b found) int { return a.key.compare(b.key) })
	for _, f := range all[:min(n, len(all))] {
		keys, of = append(keys, f.key), append(of, f.of)
	}
	return keys, of, nil
}

// changed returns the difference that a change makes in a range; nil if a later sync of the range
// changed the same object, or if both ends are equal.
func (t *Tx) changed(r StreamRange, k ChangeKey) (*Changed, error) {
	c := &Changed{ChangeKey: k, StreamRange: r}
	switch k.Kind {
	case ChangedResource:
		versions, err := t.ResourceVersions(k.Principal)
		c.Resource = differenceOf(versions, r, k.Sync, func(v Resource) (_, _ console.SyncNumber) { return v.From, v.Until }, sameResource)
		return c.unlessSame(c.Resource == nil), err
	case ChangedEntitlement:
		versions, err := t.EntitlementVersions(k.Entitlement)
		c.Entitlement = differenceOf(versions, r, k.Sync, func(v Entitlement) (_, _ console.SyncNumber) { return v.From, v.Until }, sameEntitlement)
		return c.unlessSame(c.Entitlement == nil), err
	}
	facts, err := t.FactHistory(r.Stream, k.Entitlement, k.Principal)
	c.Fact = differenceOf(facts, r, k.Sync, func(f console.Fact) (_, _ console.SyncNumber) { return f.From, f.Until }, func(a, b console.Fact) bool {
		return slices.Equal(a.Sources, b.Sources) && flagsOf(a) == flagsOf(b) && bytes.Equal(a.Detail, b.Detail)
	})
	return c.unlessSame(c.Fact == nil), err
}

func (c *Changed) unlessSame(same bool) *Changed {
	if same {
		return nil
	}
	return c
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
	slices.Sort(accounts)
	accounts = slices.Compact(accounts)
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
	x := whyReader{t: t, received: map[console.SyncNumber]time.Time{}, first: map[console.EntitlementKey]console.SyncNumber{}}
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
		if all[i], err = x.why(c, change); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// whyReader caches data for many differences.
type whyReader struct {
	t        *Tx
	received map[console.SyncNumber]time.Time
	first    map[console.EntitlementKey]console.SyncNumber
}

func (x *whyReader) why(c Changed, change console.AccessChange) (w WhyChanged, err error) {
	if change.Before, err = x.receivedAt(c.Sync); err != nil {
		return w, err
	}
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
			first, err := x.firstShown(c.ChangeKey.Entitlement)
			if err != nil {
				return w, err
			}
			change.Baseline = console.IsBaseline(c.Sync, first)
		}
	}
	w.Verb = change.Verb
	if !access {
		w.Explanation = console.Explanation{Kind: console.ByNature}
		return w, nil
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
		return w, nil
	}
	w.Person, err = find(x.t, func(r engine.Row) Explained {
		return Explained{ID: console.ID(r.Text(0)), At: at(r, 1), By: decodeActor(r.Bytes(2)), Why: str(r, 3)}
	}, "SELECT id, at, by_actor, why FROM explanation WHERE stream = $1 AND sync = $2 AND kind = $3 AND entitlement = $4 AND principal = $5", c.Stream, c.Sync, int64(c.Kind), c.ChangeKey.Entitlement, c.Principal)
	if w.Person != nil {
		w.Explanation.Kind = console.ByPersonLater
	}
	return w, err
}

func (x *whyReader) receivedAt(n console.SyncNumber) (time.Time, error) {
	if when, ok := x.received[n]; ok {
		return when, nil
	}
	s, err := x.t.SyncByNumber(n)
	x.received[n] = s.Received
	return s.Received, err
}

func (x *whyReader) firstShown(e console.EntitlementKey) (first console.SyncNumber, err error) {
	if first, ok := x.first[e]; ok {
		return first, nil
	}
	first, err = x.t.FirstShown(e)
	x.first[e] = first
	return first, err
}

// ChangedAt returns the difference that one change makes in a range; nil if it makes none.
func (t *Tx) ChangedAt(r StreamRange, k ChangeKey) (*Changed, error) {
	there, err := find(t, scanChangeKey, "SELECT sync, kind, entitlement, principal FROM changed WHERE stream = $1 AND sync = $2 AND kind = $3 AND entitlement = $4 AND principal = $5",
		r.Stream, k.Sync, int64(k.Kind), k.Entitlement, k.Principal)
	if err != nil || there == nil {
		return nil, err
	}
	return t.changed(r, k)
}

// AppliedSyncs returns up to n applied syncs of a stream, the newest first.
func (t *Tx) AppliedSyncs(stream console.Stream, n int) ([]console.Sync, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanSync, "SELECT "+syncColumns+" FROM sync WHERE stream = $1 AND state = 'applied' ORDER BY began DESC, number DESC LIMIT $2", stream, n)
}
