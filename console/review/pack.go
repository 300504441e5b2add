package review

import (
	"encoding/hex"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"

	"baton"
	"baton/console"
	"baton/console/evidence"
	"baton/console/store"
)

// Pack yields what the evidence pack of a campaign is made of: the state in one transaction. It reads
// everything page by page, so its memory does not depend on the size of the campaign.
type Pack struct {
	tx       *store.Tx
	campaign console.Campaign
	plan     *console.RemovalPlan
	first    int64 // the first event of the campaign
}

// NewPack returns the source of the pack of a campaign. Refused if its population is not frozen.
func NewPack(tx *store.Tx, id console.ID) (*Pack, error) {
	c, err := tx.Campaign(id)
	if err != nil {
		return nil, err
	}
	if c.Staged == nil {
		return nil, baton.Errorf(baton.Refused, "the review has no population yet").WithFix("Prepare it first.")
	}
	p := &Pack{tx: tx, campaign: c}
	if c.Plan != "" {
		plan, err := tx.Plan(c.Plan)
		if err != nil {
			return nil, err
		}
		p.plan = &plan
	}
	first, err := tx.Events(store.EventFilter{Object: string(id)}, 0, 1)
	if err == nil && len(first) == 0 {
		err = baton.Errorf(baton.Corrupt, "the review has no events").WithFix("Run baton-console audit verify.")
	}
	if err == nil {
		p.first = first[0].Number
	}
	return p, err
}

// pages returns a sequence of pages, from the first to one that is not full.
func pages[T any](read func(last *T) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last *T
		for {
			page, err := read(last)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
			last = &page[len(page)-1]
		}
	}
}

// Items implements [evidence.Source].
func (p *Pack) Items() iter.Seq2[console.ReviewItem, error] {
	return pages(func(last *console.ReviewItem) ([]console.ReviewItem, error) {
		after := 0
		if last != nil {
			after = last.Number
		}
		return p.tx.ReviewItems(p.campaign.ID, store.ItemFilter{}, after, store.PageSize)
	})
}

// Assignments implements [evidence.Source].
func (p *Pack) Assignments() iter.Seq2[console.ReviewAssignment, error] {
	return func(yield func(console.ReviewAssignment, error) bool) {
		for from := 1; from <= p.campaign.Staged.Items; from += store.PageSize {
			var numbers []int
			for n := from; n < from+store.PageSize && n <= p.campaign.Staged.Items; n++ {
				numbers = append(numbers, n)
			}
			all, err := p.tx.ReviewAssignments(p.campaign.ID, numbers)
			if err != nil {
				yield(console.ReviewAssignment{}, err)
				return
			}
			for _, a := range all {
				if !yield(a, nil) {
					return
				}
			}
		}
	}
}

// Decisions implements [evidence.Source].
func (p *Pack) Decisions() iter.Seq2[console.ReviewDecision, error] {
	return func(yield func(console.ReviewDecision, error) bool) {
		for a, err := range p.Assignments() {
			switch {
			case err != nil:
				yield(console.ReviewDecision{}, err)
				return
			case a.Decision == nil || a.Decision.Submitted.IsZero():
			case !yield(*a.Decision, nil):
				return
			}
		}
	}
}

// Submissions implements [evidence.Source].
func (p *Pack) Submissions() iter.Seq2[evidence.Submission, error] {
	return func(yield func(evidence.Submission, error) bool) {
		acts := actReader{waiting: map[console.ID]act{}}
		next, stop := iter.Pull2(p.about(string(p.campaign.ID)))
		defer stop()
		acts.next = next
		for s, err := range pages(func(last *console.ReviewSubmission) ([]console.ReviewSubmission, error) {
			if last == nil {
				last = &console.ReviewSubmission{}
			}
			return p.tx.Submissions(p.campaign.ID, *last, store.PageSize)
		}) {
			var a act
			if err == nil {
				a, err = acts.of(s.ID)
			}
			if !yield(evidence.Submission{ID: s.ID, Reviewer: s.Reviewer, At: s.At, Login: a.login, Client: s.Client, Counts: s.Counts, Digest: s.Digest, Event: a.number}, err) || err != nil {
				return
			}
		}
	}
}

// act holds what the event of a submission says about it.
type act struct {
	number int64
	login  string
}

// actReader finds the events of submissions. Both are read in the order of their time, so only those
// that happened at the same time wait.
type actReader struct {
	next    func() (store.Event, error, bool)
	waiting map[console.ID]act
}

// of returns the event of a submission; the zero value if there is none.
func (r *actReader) of(submission console.ID) (act, error) {
	for {
		if a, ok := r.waiting[submission]; ok {
			delete(r.waiting, submission)
			return a, nil
		}
		e, err, ok := r.next()
		if err != nil || !ok {
			return act{}, err
		}
		var data struct {
			Submission console.ID `json:"submission"`
		}
		if e.Kind == "review.submitted" && json.Unmarshal(e.Data, &data) == nil {
			r.waiting[data.Submission] = act{e.Number, e.Login}
		}
	}
}

// about returns the events of an object.
func (p *Pack) about(object string) iter.Seq2[store.Event, error] {
	return pages(func(last *store.Event) ([]store.Event, error) {
		after := int64(0)
		if last != nil {
			after = last.Number
		}
		return p.tx.Events(store.EventFilter{Object: object}, after, store.PageSize)
	})
}

// planRows returns the rows of the plan.
func (p *Pack) planRows() iter.Seq2[console.PlanRow, error] {
	return pages(func(last *console.PlanRow) ([]console.PlanRow, error) {
		after := 0
		if last != nil {
			after = last.Place
		}
		return p.tx.PlanRows(p.plan.ID, store.PlanRowFilter{}, after, store.PageSize)
	})
}

// PlanLines implements [evidence.Source].
func (p *Pack) PlanLines() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if !yield(p.plan.HeadLine(p.plan.Rows), nil) {
			return
		}
		for r, err := range p.planRows() {
			if !yield(r.Line(), err) || err != nil {
				return
			}
		}
	}
}

// Operations implements [evidence.Source].
func (p *Pack) Operations() iter.Seq2[evidence.Operation, error] {
	return func(yield func(evidence.Operation, error) bool) {
		if p.plan == nil {
			return
		}
		for r, err := range p.planRows() {
			if err != nil {
				yield(evidence.Operation{}, err)
				return
			}
			item, _ := strconv.Atoi(r.Ref) // written with the plan
			for _, id := range []console.ID{r.Operation, r.Grant} {
				if id == "" {
					continue
				}
				o, err := p.operation(id, item)
				if id == r.Operation {
					o.CameBack = r.CameBack
				}
				if !yield(o, err) || err != nil {
					return
				}
			}
		}
	}
}

func (p *Pack) operation(id console.ID, item int) (evidence.Operation, error) {
	o, err := p.tx.Operation(id)
	if err != nil {
		return evidence.Operation{}, err
	}
	e := evidence.Operation{ID: o.ID, Item: item, Verb: o.Verb, State: o.State, Created: o.Created, Dispatched: o.Dispatched, Finished: o.Finished, Answer: o.Answer}
	if o.Verified == 0 {
		return e, nil
	}
	s, err := p.tx.SyncByNumber(o.Verified)
	if baton.KindOf(err) == baton.NotFound {
		return e, nil
	}
	e.Sync, e.Began, e.SHA256 = s.ID, s.Began, hex.EncodeToString(s.SHA256)
	return e, err
}

// disclosed lists the kinds of events about the chain itself, which every pack contains.
var disclosed = []string{"audit.head-downloaded", "audit.head-sent", "audit.key-made", "epoch.began", console.PayloadsErased}

// Events implements [evidence.Source]. Events of the campaign, of its plan and of its operations are
// disclosed, and those about the chain.
func (p *Pack) Events() iter.Seq2[evidence.Event, error] {
	return func(yield func(evidence.Event, error) bool) {
		for after := p.first - 1; ; {
			page, err := p.tx.Events(store.EventFilter{}, after, store.PageSize)
			var carried map[console.ID]bool
			if err == nil {
				carried, err = p.carried(page)
			}
			if err != nil {
				yield(evidence.Event{}, err)
				return
			}
			for _, e := range page {
				ours := e.Object == string(p.campaign.ID) || p.plan != nil && e.Object == string(p.plan.ID) || carried[console.ID(e.Object)]
				if !yield(evidence.Event{Link: e.Link, Hash: e.Hash, Payload: e.Payload, Disclosed: ours || slices.Contains(disclosed, e.Kind)}, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
			after = page[len(page)-1].Number
		}
	}
}

// carried returns which objects of events are operations that carry out the plan.
func (p *Pack) carried(page []store.Event) (map[console.ID]bool, error) {
	if p.plan == nil {
		return nil, nil
	}
	objects := map[console.ID]bool{}
	for _, e := range page {
		if e.Object != "" {
			objects[console.ID(e.Object)] = true
		}
	}
	return p.tx.PlanCarriedBy(p.plan.ID, slices.Sorted(maps.Keys(objects)))
}

// Person implements [evidence.Source].
func (p *Pack) Person(id console.ID) (evidence.Person, error) { return PackPerson(p.tx, id) }

// PackPerson returns what evidence says about a person whom it names.
func PackPerson(tx *store.Tx, id console.ID) (evidence.Person, error) {
	who, err := tx.Person(id)
	if baton.KindOf(err) == baton.NotFound {
		return evidence.Person{ID: id}, nil
	}
	e := evidence.Person{ID: id, Name: who.Name, Status: who.Status, Roles: who.Roles}
	if len(who.Emails) > 0 {
		e.Email = who.Emails[0]
	}
	if c := who.Canonical(); c != id {
		e.Merged = c
	}
	return e, err
}

// Review implements [evidence.Source].
func (p *Pack) Review() (r evidence.Review, err error) {
	r.Campaign = p.campaign
	if r.Head, err = p.tx.ChainHead(); err != nil {
		return r, err
	}
	if x := p.plan; x != nil {
		summary, err := json.Marshal(x.Summary)
		if err != nil {
			return r, baton.Errorf(baton.Internal, "encode the plan: %w", err)
		}
		r.Plan = &evidence.Plan{ID: x.ID, Number: x.Number, Hash: x.Hash, State: string(x.State), Cap: x.Cap, Created: x.Created, By: x.By, Computed: x.Computed, Applied: x.Applied, AppliedBy: x.AppliedBy, Ended: x.Ended, Summary: summary}
	}
	r.LeftOut, err = p.leftOut()
	return r, err
}

// leftOut returns the applications that the review does not cover.
func (p *Pack) leftOut() (all []evidence.LeftOut, err error) {
	covered := map[console.ID]bool{}
	for _, s := range p.campaign.Staged.Sources {
		covered[s.App] = true
	}
	for a, err := range pages(func(last *console.App) ([]console.App, error) {
		after := store.NameAfter{}
		if last != nil {
			after = store.NameAfter{Sort: console.SortKey(last.Name), ID: last.ID}
		}
		return p.tx.Apps(after, store.PageSize)
	}) {
		if err != nil {
			return nil, err
		}
		if covered[a.ID] || a.ID.Time().After(p.campaign.Staged.At) {
			continue
		}
		l := evidence.LeftOut{App: a.ID, Name: a.Name, Why: "not in the scope", By: p.campaign.Author.Person(), At: p.campaign.Created}
		if s := p.campaign.Scope; !s.OnlyConsole && (len(s.Apps) == 0 || slices.Contains(s.Apps, a.ID)) {
			l.Why, l.By = "no connector had applied a sync", ""
		}
		all = append(all, l)
	}
	return all, nil
}
