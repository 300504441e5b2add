package store

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// RequirementReader judges requirements. It reads once what is the same for all people.
type RequirementReader struct {
	t         *Tx
	scopes    map[console.Need]*needScope
	canonical map[console.ID]console.ID
}

// RequirementReader returns a reader whose results are those of this transaction.
func (t *Tx) RequirementReader() *RequirementReader {
	return &RequirementReader{t: t, scopes: map[console.Need]*needScope{}, canonical: map[console.ID]console.ID{}}
}

// needScope holds what the syncs show of the entitlement of a need, whoever holds it.
type needScope struct {
	appName     string
	connector   console.Connector
	at          StreamAt
	head        *console.Sync // nil: no sync was applied
	held        bool          // a newer sync is held
	inScope     bool
	entitlement Entitlement // the newest version
	course      Resource    // the resource of the entitlement
	inProgress  console.EntitlementKey
}

// RequirementStatus is whether a person meets the requirement of an entitlement.
type RequirementStatus struct {
	Requirement console.Requirement // the version that applies to the person; the zero value if there is none
	console.NeedResult
	Needs      []NeedStatus
	Exemption  *console.Exemption // that is in force
	Exemptions []console.Exemption
}

// NeedStatus is whether a person meets one need.
type NeedStatus struct {
	console.Need
	console.NeedResult
	AppName, EntitlementID, Course, Link, Login string
	Account                                     console.ResourceKey // 0: none is known
	Shown                                       console.NeedShown
	Sync                                        console.Sync // the newest one; zero if there is none
	first                                       console.SyncNumber
	baseline                                    bool
}

// RequirementStatus returns whether a person meets the requirement of an entitlement.
func (t *Tx) RequirementStatus(person, app console.ID, e console.EntitlementKey, now time.Time) (RequirementStatus, error) {
	versions, err := t.Requirements(app, e)
	if err != nil || len(versions) == 0 {
		return RequirementStatus{NeedResult: console.NeedResult{State: console.RequirementMet}}, err
	}
	return t.RequirementReader().Status(versions, person, now)
}

// Status returns whether a person meets a requirement, given its versions, the newest first.
func (q *RequirementReader) Status(versions []console.Requirement, person console.ID, now time.Time) (s RequirementStatus, err error) {
	if person, err = q.person(person); err != nil {
		return s, err
	}
	var failed error
	s.Requirement = console.RequirementFor(versions, func(p console.ID) bool {
		c, err := q.person(p)
		failed = errors.Join(failed, err)
		return c == person && c != ""
	})
	if failed != nil || !s.Requirement.Active() {
		s.State = console.RequirementMet
		return s, failed
	}
	exemptions, err := q.t.Exemptions(s.Requirement.App, s.Requirement.Entitlement)
	if err != nil {
		return s, err
	}
	for _, x := range exemptions {
		whose, err := q.person(x.Person)
		if err != nil {
			return s, err
		}
		if whose != person || person == "" {
			continue
		}
		s.Exemptions = append(s.Exemptions, x)
		if x.Active(now) && (s.Exemption == nil || x.Until.After(s.Exemption.Until)) {
			s.Exemption = &x
		}
	}
	var results []console.NeedResult
	for _, n := range s.Requirement.Needs {
		status, err := q.need(s.Requirement.RequirementRule, n, person, now)
		if err != nil {
			return s, err
		}
		s.Needs = append(s.Needs, status)
		results = append(results, status.NeedResult)
	}
	s.NeedResult = s.Requirement.Combine(results)
	if s.Exemption != nil && s.State != console.RequirementMet {
		s.NeedResult = console.NeedResult{State: console.RequirementExempt, Until: s.Exemption.Until}
	}
	return s, nil
}

// person returns the person that an ID was merged into.
func (q *RequirementReader) person(id console.ID) (console.ID, error) {
	if id == "" {
		return "", nil
	}
	if c, known := q.canonical[id]; known {
		return c, nil
	}
	c, err := q.t.Canonical(id)
	if err == nil {
		q.canonical[id] = c
	}
	return c, err
}

// NeedScope returns a need without a person: its names, and whether the newest sync contains it.
func (t *Tx) NeedScope(n console.Need) (NeedStatus, bool, error) {
	q := t.RequirementReader()
	scope, err := q.scope(n)
	if err != nil {
		return NeedStatus{}, false, err
	}
	return scope.status(n), scope.inScope, nil
}

func (s *needScope) status(n console.Need) NeedStatus {
	status := NeedStatus{Need: n, AppName: s.appName, EntitlementID: s.entitlement.ID, Course: s.course.Name}
	if status.Course == "" {
		if status.Course = s.entitlement.Name; status.Course == "" {
			status.Course = s.entitlement.ID
		}
	}
	status.Course, status.Link = valid(status.Course), valid(linkOf(s.course.Profile))
	status.Shown.InScope, status.Shown.HeldSync = s.inScope, s.held
	if s.head != nil {
		status.Sync, status.Shown.Head = *s.head, s.head.Began
	}
	return status
}

// linkOf returns the web address in the profile of a course; "" if there is none.
func linkOf(profile []byte) string {
	var p map[string]any
	if len(profile) == 0 || json.Unmarshal(profile, &p) != nil {
		return ""
	}
	link, _ := p["link"].(string)
	return link
}

func (q *RequirementReader) scope(n console.Need) (*needScope, error) {
	if s := q.scopes[n]; s != nil {
		return s, nil
	}
	s := &needScope{}
	t := q.t
	app, err := t.App(n.App)
	if err != nil {
		return nil, err
	}
	s.appName = app.Name
	stream, err := find(t, func(r engine.Row) console.Stream { return console.Stream(r.Int(0)) }, "SELECT stream FROM entitlement WHERE key = $1", n.Entitlement)
	if err != nil {
		return nil, err
	}
	connectors, err := t.Connectors(n.App)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(connectors, func(c console.Connector) bool { return stream != nil && c.Stream == *stream })
	if i < 0 {
		q.scopes[n] = s
		return s, nil
	}
	s.connector = connectors[i]
	held, err := t.HeldSync(s.connector.ID)
	if err != nil {
		return nil, err
	}
	if s.head, err = t.HeadSync(*stream); err != nil {
		return nil, err
	}
	s.held = held != nil
	s.at = StreamAt{Stream: *stream}
	if s.head != nil {
		s.at.Sync, s.at.Began = s.head.Number, s.head.Began
	}
	versions, err := t.EntitlementVersions(n.Entitlement)
	if err != nil {
		return nil, err
	}
	if len(versions) > 0 {
		s.entitlement = versions[len(versions)-1]
		s.inScope = s.entitlement.Until > s.at.Sync
		courses, err := t.ResourceVersions(s.entitlement.Resource)
		if err != nil {
			return nil, err
		}
		if len(courses) > 0 {
			s.course = courses[len(courses)-1]
			s.inScope = s.inScope && s.course.Until > s.at.Sync
		}
	}
	if s.inScope && s.entitlement.Slug == console.CompletedSlug {
		other, err := find(t, func(r engine.Row) console.EntitlementKey { return console.EntitlementKey(r.Int(0)) },
			"SELECT entitlement FROM entitlement_version WHERE resource = $1 AND slug = $2 AND opened <= $3 AND closed > $3", s.entitlement.Resource, []byte(console.InProgressSlug), s.at.Sync)
		if err != nil {
			return nil, err
		}
		if other != nil {
			s.inProgress = *other
		}
	}
	q.scopes[n] = s
	return s, nil
}

// need returns whether a person meets a need, through the account that meets it best.
func (q *RequirementReader) need(rule console.RequirementRule, n console.Need, person console.ID, now time.Time) (NeedStatus, error) {
	scope, err := q.scope(n)
	if err != nil {
		return NeedStatus{}, err
	}
	none := scope.status(n)
	none.NeedResult = console.NeedResult{State: console.RequirementUnknown, Why: "no account of the person in " + scope.appName + " is known"}
	if scope.head == nil {
		none.NeedResult = rule.Judge(none.Shown, now)
		return none, nil
	}
	accounts, err := list(q.t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) },
		"SELECT o.account FROM account_owner o JOIN resource r ON r.key = o.account WHERE o.person = $1 AND o.until_at IS NULL AND r.stream = $2 ORDER BY o.account", person, scope.at.Stream)
	if err != nil || len(accounts) == 0 || person == "" {
		return none, err
	}
	var all []NeedStatus
	var results []console.NeedResult
	for _, account := range accounts {
		status := scope.status(n)
		status.Account = account
		if err := q.shown(scope, &status); err != nil {
			return NeedStatus{}, err
		}
		status.NeedResult = rule.Judge(status.Shown, now)
		all, results = append(all, status), append(results, status.NeedResult)
	}
	return all[console.BestResult(results)], nil
}

// shown reads what the syncs show of an account and a need.
func (q *RequirementReader) shown(scope *needScope, s *NeedStatus) error {
	t := q.t
	m := Moment{Streams: []StreamAt{scope.at}}
	account, err := t.Account(m, s.Account)
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return err
	}
	if s.Shown.Account = err == nil; s.Shown.Account {
		s.Login = valid(account.Account.Login)
	} else if s.Shown.Unconfirmed, err = t.Missing(s.Account); err != nil {
		return err
	}
	intervals, err := t.heldIntervals(scope.at, s.Account, s.Entitlement)
	if err != nil || len(intervals) == 0 {
		return err
	}
	last := intervals[len(intervals)-1]
	s.Shown.Ever, s.Shown.Completed = true, last.Completed()
	s.first = last.From
	if err := q.firstSeen(scope, s); err != nil {
		return err
	}
	if s.Shown.Held = last.Visible(scope.at.Sync) && s.Shown.InScope; s.Shown.Held || !s.Shown.InScope {
		return nil
	}
	if scope.inProgress != 0 {
		f, err := t.Fact(m, scope.inProgress, s.Account)
		if err != nil {
			return err
		}
		if s.Shown.Restarted = f != nil; f != nil {
			return nil
		}
	}
	full := func(r engine.Row) time.Time { return at(r, 0) }
	missed, err := list(t, full, "SELECT began FROM sync WHERE stream = $1 AND state = 'applied' AND number >= $2 AND number <= $3 AND kind IN ($4, $5, $6) ORDER BY number LIMIT 2",
		scope.at.Stream, last.Until, scope.at.Sync, console.SyncFull, console.SyncUpload, console.SyncImport)
	if err != nil {
		return err
	}
	if s.Shown.Missed = len(missed); console.Gone(len(missed)) {
		s.Shown.LostAt = missed[len(missed)-1]
		if !s.Shown.Completed.IsZero() {
			s.Shown.Narrowed, err = t.narrowed(scope.at, s.Shown.Completed)
		}
	}
	return err
}

// firstSeen sets when the fact was first shown, and the last sync that showed the account without
// it.
func (q *RequirementReader) firstSeen(scope *needScope, s *NeedStatus) error {
	t := q.t
	first, err := t.SyncByNumber(s.first)
	if err != nil {
		return err
	}
	s.Shown.First = first.Began
	shown, err := t.FirstShown(s.Entitlement)
	if err != nil {
		return err
	}
	if s.baseline = console.IsBaseline(s.first, shown); s.baseline {
		return nil
	}
	before, err := t.LastShowing(scope.at.Stream, s.first)
	if err != nil || before == nil {
		return err
	}
	was, err := find(t, func(r engine.Row) int64 { return r.Int(0) }, "SELECT opened FROM resource_version WHERE resource = $1 AND opened <= $2 AND closed > $2", s.Account, before.Number)
	if err != nil {
		return err
	}
	if s.baseline = was == nil; was != nil { // a new account may come with old completions
		s.Shown.Before = before.Began
	}
	return nil
}

// maxDatesRead limits the completions that are read to prove how far a connector looks back.
const maxDatesRead = 20_000

// narrowed reports whether a connector may not look back to a date any more: no completion that it
// shows is as old.
func (t *Tx) narrowed(s StreamAt, date time.Time) (bool, error) {
	proved := false
	err := t.e.Query(func(r engine.Row) error {
		done := console.Fact{Detail: r.Bytes(0)}.Completed()
		if proved = !done.IsZero() && !done.After(date); proved {
			return errEnough
		}
		return nil
	}, "SELECT detail FROM fact WHERE stream = $1 AND opened <= $2 AND closed > $2 AND detail IS NOT NULL LIMIT $3", s.Stream, s.Sync, maxDatesRead)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return !proved, err
}

// Shows reports whether syncs that began at a time or later show that the requirement is not met.
func (s RequirementStatus) Shows(since time.Time) bool {
	lacks := 0
	for _, n := range s.Needs {
		if n.State.Lacks() && !n.Shown.Head.Before(since) {
			lacks++
		}
	}
	return lacks > 0 && (!s.Requirement.Any || lacks == len(s.Needs))
}

// Lack returns what is known about a holder who does not meet the requirement. held is since when the
// access is held.
func (s RequirementStatus) Lack(account console.ResourceKey, person console.ID, held, now time.Time) console.RequirementLack {
	r := s.Requirement
	l := console.RequirementLack{App: r.App, Entitlement: r.Entitlement, Account: account, Person: person, State: s.State, Why: s.Sentence(), Since: s.Since}
	if !s.State.Lacks() || r.Mode != console.RequirementEnforce {
		return l
	}
	l.Ends = r.Deadline(s.Since, held, r.Enforced, s.Exemptions)
	l.Ready = !now.Before(l.Ends) && s.Shows(l.Ends)
	return l
}

// Evidence returns what meets a requirement.
func (s RequirementStatus) Evidence() console.RequirementEvidence {
	r := s.Requirement
	e := console.RequirementEvidence{App: r.App, Entitlement: r.Entitlement, Version: r.Version, Any: r.Any, Months: r.Months}
	if s.State == console.RequirementExempt {
		e.Exemption = s.Exemption
	}
	for _, n := range s.Needs {
		if n.State == console.RequirementMet {
			e.Proofs = append(e.Proofs, console.Proof{Need: n.Need, AppName: n.AppName, ID: valid(n.EntitlementID), Course: n.Course, Link: n.Link, Account: n.Account, Login: n.Login,
				Completed: n.Shown.Completed, FirstSeen: n.Shown.First.UTC(), Baseline: n.baseline, Sync: n.Sync.ID, Number: n.Sync.Number, SHA256: hexOf(n.Sync.SHA256), Began: n.Sync.Began.UTC()})
		}
	}
	return e
}

// Sentence returns what is missing: "Security Basics in Percipio: not completed".
func (s RequirementStatus) Sentence() string {
	var lacks []string
	for _, n := range s.Needs {
		if n.State != console.RequirementMet {
			lacks = append(lacks, n.Course+" in "+n.AppName+": "+n.Why)
		}
	}
	if s.Requirement.Any {
		return "one of these is needed: " + strings.Join(lacks, "; ")
	}
	return strings.Join(lacks, "; ")
}

// valid converts text of an upstream to valid UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
