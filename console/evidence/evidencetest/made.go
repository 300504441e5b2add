// Package evidencetest has a made review, for tests of evidence packs.
package evidencetest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/segmentio/ksuid"

	"baton/console"
	"baton/console/evidence"
)

// Noon is when the population is frozen.
var Noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// Key signs the packs of tests.
var Key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// Fingerprint is that of Key.
var Fingerprint = console.Fingerprint(Key.Public().(ed25519.PublicKey))

// ID returns an ID that is the same in every run.
func ID(kind string, n int) console.ID {
	sum := sha256.Sum256(fmt.Append(nil, kind, n))
	k, err := ksuid.FromParts(Noon, sum[:16])
	if err != nil {
		panic(err)
	}
	return console.ID(k.String())
}

// Made is a review with N items in two applications and the console: every 10th item is unanswered,
// every 7th of the others is removed, and of those every 3rd comes back.
type Made struct {
	N int
	// Erased means that personal data was erased from item 1 and an event.
	Erased bool
	// Change alters the decisions before they are submitted.
	Change func(*console.ReviewDecision)
}

const reviewers = 3

func (m Made) app(n int) (console.ID, string) {
	switch {
	case n <= m.N/2:
		return ID("app", 1), "Perplexity"
	case n < m.N:
		return ID("app", 2), "Percipio"
	}
	return "", ""
}

func (m Made) item(n int) console.ReviewItem {
	app, name := m.app(n)
	i := console.ReviewItem{Number: n, Kind: console.ReviewAccess, App: app, Account: console.ResourceKey(n), Entitlement: 7, Person: ID("subject", n), Sync: 41,
		Shown: console.ReviewShown{AppName: name, EntitlementName: "Admin <group>", AccountName: fmt.Sprintf("Ana %d", n), Login: fmt.Sprintf("ana%d@example.com", n), PersonName: fmt.Sprintf("=Ana %d", n), Admin: n%5 == 0}}
	if app == "" {
		i.Kind, i.Account, i.Entitlement, i.Sync, i.Object, i.Shown.AppName = console.ReviewRole, 0, 0, 0, "super-administrator", "Console"
	}
	i.Hash = console.HashShown(i.Shown.Encode())
	if m.Erased && n == 1 {
		i.Shown.PersonName, i.Shown.AccountName, i.Shown.Login = console.ErasedText, console.ErasedText, console.ErasedText
	}
	if m.choice(n) == "" {
		i.Outcome, i.Result = &console.ReviewOutcome{Choice: console.ChooseKeep, Unanswered: true}, "unanswered"
		return i
	}
	i.Outcome, i.Result, i.Settled = &console.ReviewOutcome{Choice: m.choice(n), By: []console.ID{m.reviewer(n)}}, "kept", Noon.Add(time.Hour)
	if m.choice(n).Removes() {
		i.Result, i.Operation = "verified", ID("operation", n)
		if n%3 == 0 {
			i.Result, i.Detail = "came-back", "A sync showed it again on 3 Dec."
		}
	}
	return i
}

func (m Made) choice(n int) console.ReviewChoice {
	switch {
	case n%10 == 0:
		return ""
	case n%7 == 0:
		return console.ChooseRemove
	}
	return console.ChooseKeep
}

func (m Made) reviewer(n int) console.ID { return ID("reviewer", n%reviewers) }

// Numbers returns a sequence of something about each item.
func Numbers[T any](m Made, fn func(n int) (T, bool)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for n := 1; n <= m.N; n++ {
			if v, ok := fn(n); ok && !yield(v, nil) {
				return
			}
		}
	}
}

// Items implements [evidence.Source].
func (m Made) Items() iter.Seq2[console.ReviewItem, error] {
	return Numbers(m, func(n int) (console.ReviewItem, bool) { return m.item(n), true })
}

// Assignments implements [evidence.Source].
func (m Made) Assignments() iter.Seq2[console.ReviewAssignment, error] {
	return Numbers(m, func(n int) (console.ReviewAssignment, bool) {
		return console.ReviewAssignment{Item: n, Reviewer: m.reviewer(n), Why: "owner of the application", By: console.Console, At: Noon}, true
	})
}

// Decision returns the decision about an item, if there is one.
func (m Made) Decision(n int) (console.ReviewDecision, bool) {
	i := m.item(n)
	d := console.ReviewDecision{Item: n, Reviewer: m.reviewer(n), Choice: m.choice(n), At: Noon.Add(time.Duration(n) * time.Second), Hash: i.Hash, Sync: i.Sync, Seconds: 4, Batch: 1 + n%2,
		Eligible: "owner of the application", Submitted: Noon.Add(time.Hour), Submission: ID("submission", n%reviewers)}
	if n%4 == 0 {
		d.Note = `She said: "no", on 3 Dec <sic>`
	}
	if m.Change != nil {
		m.Change(&d)
	}
	return d, m.choice(n) != ""
}

// Decisions implements [evidence.Source].
func (m Made) Decisions() iter.Seq2[console.ReviewDecision, error] { return Numbers(m, m.Decision) }

// Acts returns the submissions.
func (m Made) Acts() (all []evidence.Submission) {
	for r := range reviewers {
		var decisions []console.ReviewDecision
		s := evidence.Submission{ID: ID("submission", r), Reviewer: ID("reviewer", r), At: Noon.Add(time.Hour), Login: "password and one-time code", Counts: map[console.ReviewChoice]int{}, Event: int64(103 + len(all))}
		for n := 1; n <= m.N; n++ {
			if d, ok := m.Decision(n); ok && d.Submission == s.ID {
				decisions = append(decisions, d)
				s.Counts[d.Choice]++
			}
		}
		if s.Digest = console.DigestDecisions(decisions); len(decisions) > 0 {
			all = append(all, s)
		}
	}
	return all
}

// Submissions implements [evidence.Source].
func (m Made) Submissions() iter.Seq2[evidence.Submission, error] { return List(m.Acts()) }

// List returns the sequence of a slice.
func List[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Operations implements [evidence.Source].
func (m Made) Operations() iter.Seq2[evidence.Operation, error] {
	return Numbers(m, func(n int) (evidence.Operation, bool) {
		return evidence.Operation{ID: ID("operation", n), Item: n, Verb: console.Revoke, State: "verified", Created: Noon.Add(2 * time.Hour), Dispatched: Noon.Add(2 * time.Hour), Finished: Noon.Add(2 * time.Hour),
			Sync: ID("sync", 2), Began: Noon.Add(3 * time.Hour), SHA256: strings.Repeat("ab", 32)}, m.choice(n).Removes()
	})
}

func (m Made) planLines() (all [][]byte) {
	all = append(all, []byte(`{"plan":"p","rows":2}`))
	for n := 1; n <= m.N; n++ {
		if m.choice(n).Removes() {
			all = append(all, fmt.Appendf(nil, `{"account":%d}`, n))
		}
	}
	return all
}

// PlanLines implements [evidence.Source].
func (m Made) PlanLines() iter.Seq2[[]byte, error] { return List(m.planLines()) }

// Chain returns the events.
func (m Made) Chain() (all []evidence.Event) {
	link, hash := console.Link{Epoch: 2, Number: 100}, console.Hash{1}
	add := func(e console.Event, data any, disclosed bool) {
		e.At, e.Actor, e.Salt = Noon, console.Console, fmt.Sprint("salt", link.Number)
		e.Data, _ = json.Marshal(data)
		payload, _ := json.Marshal(e)
		link.Number, link.Previous = link.Number+1, hash
		hash = console.HashEvent(link, payload)
		all = append(all, evidence.Event{Link: link, Hash: hash, Payload: payload, Disclosed: disclosed})
	}
	add(console.Event{Kind: "campaign.added"}, "<x>\u2028", true)
	add(console.Event{Kind: "sync.applied"}, "withheld", false)
	for _, s := range m.Acts() {
		add(console.Event{Kind: "review.submitted", Object: string(s.ID)}, map[string]any{"digest": s.Digest}, true)
	}
	for n := range 5 + m.N/10 {
		add(console.Event{Kind: "sync.applied"}, n, false)
	}
	if m.Erased {
		payload := []byte(`{"kind":"sync.applied","at":"2026-11-29T12:00:00Z","actor":{"kind":"system"},"erased":true}`)
		all[1].Payload = payload
		sum := console.Hash(sha256.Sum256(payload))
		add(console.Event{Kind: console.PayloadsErased}, map[string]any{"events": []map[string]any{{"number": all[1].Number, "payload": sum}}}, true)
	}
	add(console.Event{Kind: "campaign.complete"}, nil, true)
	return all
}

// Events implements [evidence.Source].
func (m Made) Events() iter.Seq2[evidence.Event, error] { return List(m.Chain()) }

// Person implements [evidence.Source].
func (m Made) Person(p console.ID) (evidence.Person, error) {
	return evidence.Person{ID: p, Name: "Person " + string(p[20:]), Email: "x@example.com", Status: console.PersonActive, Roles: []console.ConsoleRole{console.CampaignAdministrator}}, nil
}

// Review implements [evidence.Source].
func (m Made) Review() (r evidence.Review, err error) {
	var hashes []console.Hash
	in := map[console.ID]int{}
	for n := 1; n <= m.N; n++ {
		i := m.item(n)
		hashes = append(hashes, i.Hash)
		in[i.App]++
	}
	source := func(n int, name string) console.PopulationSource {
		return console.PopulationSource{App: ID("app", n), AppName: name, Connector: ID("connector", n), ConnectorName: name, Sync: ID("sync", n), Number: 41, Began: Noon.Add(-time.Hour), Received: Noon.Add(-time.Hour),
			SHA256: strings.Repeat("cd", 32), Counts: console.Counts{Accounts: int64(m.N), Entitlements: 9, Facts: int64(in[ID("app", n)] + 2)}, Items: in[ID("app", n)], Excluded: map[string]int{console.ExcludedNoAccount: 2}}
	}
	r.Campaign = console.Campaign{ID: ID("campaign", 1), State: console.CampaignComplete, Owners: []console.ID{ID("owner", 1)}, Author: console.ByPerson(ID("owner", 1)), Created: Noon.Add(-24 * time.Hour), Version: 3,
		Started: Noon, Ends: Noon.Add(14 * 24 * time.Hour), Closed: Noon.Add(2 * time.Hour), Finished: Noon.Add(5 * time.Hour),
		Staged: &console.Population{At: Noon, Items: m.N, Digest: console.DigestItems(hashes), Sources: []console.PopulationSource{source(1, "Perplexity"), source(2, "Percipio")},
			Override: &console.GateOverride{Person: ID("owner", 2), Why: "the upstream was down", At: Noon, Problems: []string{"Percipio: the newest sync is 3 days old"}}},
		CampaignSettings: console.CampaignSettings{Name: "Q4 <review>", Reviewers: []console.Approver{{Kind: console.ApproverManager}}, Outcome: console.OutcomeRule{Kind: console.OutcomeOne, Wins: console.ChooseRemove}, Unanswered: console.UnansweredKeep}}
	r.LeftOut = []evidence.LeftOut{{App: ID("app", 3), Name: "Wiki", Why: "not in the scope", By: ID("owner", 1), At: Noon}}
	plan := sha256.New()
	for _, l := range m.planLines() {
		plan.Write(append(l, '\n'))
	}
	r.Plan = &evidence.Plan{ID: ID("plan", 1), Number: 4, Hash: console.Hash(plan.Sum(nil)), State: "complete", Created: Noon, By: console.ByPerson(ID("owner", 1)), Applied: Noon, AppliedBy: ID("owner", 1), Summary: json.RawMessage(`{"planned":2}`)}
	all := m.Chain()
	last := all[len(all)-1]
	r.Head = console.ChainHead{Epoch: last.Epoch, Number: last.Number, Hash: last.Hash, At: Noon}
	return r, nil
}

// CutOff is a review of which whoever has the key took only the first events.
type CutOff struct {
	Made
	First int
}

// Events implements [evidence.Source].
func (c CutOff) Events() iter.Seq2[evidence.Event, error] { return List(c.Chain()[:c.First]) }

// Review implements [evidence.Source].
func (c CutOff) Review() (evidence.Review, error) {
	r, err := c.Made.Review()
	last := c.Chain()[c.First-1]
	r.Head = console.ChainHead{Epoch: last.Epoch, Number: last.Number, Hash: last.Hash, At: Noon}
	return r, err
}
