package approve_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/condition"
	"baton/console/govern"
	"baton/console/store"
	"baton/internal/longtest"
)

// TestPolicyProperties combines generated policies with generated people, who decide, reassign
// steps, leave, come back, get and lose roles, name delegates and turn out to be one person. The
// invariants are: nobody decides about their own access or request; nobody counts twice if a step
// requires somebody who decided no earlier step; everybody who is asked may decide; and an open
// request has somebody who may decide, or says that nobody may and what to fix.
func TestPolicyProperties(t *testing.T) {
	asked, decided, refused, escalated, stuck := 0, 0, 0, 0, 0
	for seed := range longtest.Pick(16, 400) {
		p := &play{world: onSQLite(t), rng: rand.New(rand.NewPCG(uint64(seed), 20))}
		p.seed = seed
		p.play()
		if t.Failed() {
			return
		}
		asked, decided, refused, escalated, stuck = asked+p.asks, decided+p.decisions, refused+p.refusals, escalated+p.escalations, stuck+p.stuck
	}
	t.Logf("%d requests, %d decisions, %d refused by name when they were filed, %d escalated, %d that nobody may decide", asked, decided, refused, escalated, stuck)
	for what, n := range map[string]int{"requests": asked, "decisions": decided, "refusals": refused, "escalations": escalated, "requests that nobody may decide": stuck} {
		if n == 0 {
			t.Errorf("no %s: the test shows nothing about them", what)
		}
	}
}

// cast are the people of a play, including subjects and requesters.
var cast = []string{"ana", "ben", "own", "own2", "mgr", "del", "so", "sup", "help"}

type play struct {
	*world
	rng                                           *rand.Rand
	seed                                          int
	log                                           []string
	merged                                        map[string]bool
	asks, decisions, refusals, escalations, stuck int
	seenEscalated                                 map[console.ID]bool
	requests                                      []console.ID
}

func (p *play) chance(percent int) bool { return p.rng.IntN(100) < percent }

func pick[T any](p *play, all []T) T { return all[p.rng.IntN(len(all))] }

func (p *play) note(format string, args ...any) { p.log = append(p.log, fmt.Sprintf(format, args...)) }

func (p *play) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("seed %d: %s\n%s", p.seed, fmt.Sprintf(format, args...), strings.Join(p.log, "\n"))
}

func (p *play) approver() console.Approver {
	switch p.rng.IntN(8) {
	case 0, 1:
		return console.Approver{Kind: console.ApproverAppOwner}
	case 2:
		return console.Approver{Kind: console.ApproverManager}
	case 3:
		return console.Approver{Kind: console.ApproverRole, Role: pick(p, []console.ConsoleRole{console.SecurityOfficer, console.Helpdesk, console.SuperAdministrator})}
	case 4:
		return console.Approver{Kind: console.ApproverGroup, App: p.app, Entitlement: pick(p, []string{"group:admins:member", "group:members:member"})}
	case 5:
		return console.Approver{Kind: console.ApproverExpression, Expression: pick(p, []string{`["own2@example.com", "del@example.com"]`, `subject.manager`, `requester.email`})}
	}
	return console.Approver{Kind: console.ApproverPerson, Person: p.id(pick(p, cast))}
}

func (p *play) approvers(least, most int) (all []console.Approver) {
	for range least + p.rng.IntN(most-least+1) {
		all = append(all, p.approver())
	}
	return all
}

func (p *play) policy() console.Policy {
	policy := console.Policy{ID: console.StandardPolicy, Name: "Standard", Kind: console.PolicyRequest}
	rule := console.PolicyRule{Outcome: console.OutcomeAsk}
	for range 1 + p.rng.IntN(3) {
		s := console.PolicyStep{Ask: p.approvers(1, 3), Fallback: p.approvers(0, 2), Reassign: p.approvers(0, 2), Distinct: p.chance(60), NoDelegate: p.chance(20)}
		if p.chance(40) {
			s.Limit = hour
			s.Escalate = p.approvers(0, 2)
		}
		rule.Steps = append(rule.Steps, s)
	}
	if p.chance(20) {
		rule.Steps = append(rule.Steps, console.PolicyStep{Wait: &console.PolicyWait{For: hour / 2}})
	}
	if p.chance(30) {
		policy.Rules = append(policy.Rules, console.PolicyRule{When: `subject.email == "ben@example.com"`, Outcome: console.OutcomeDeny})
	}
	policy.Rules = append(policy.Rules, rule)
	if err := policy.Check(condition.Check); err != nil {
		p.fail("%v: %+v", err, policy)
	}
	return policy
}

func (p *play) play() {
	p.merged, p.seenEscalated = map[string]bool{}, map[console.ID]bool{}
	p.writePolicy(p.policy())
	if p.chance(50) { // the last resort has nobody if sup asks
		p.leave("so")
	}
	p.change()
	p.change()
	for range 3 {
		p.file()
	}
	for range 14 {
		switch p.rng.IntN(10) {
		case 0, 1:
			p.change()
		case 2:
			p.later(time.Duration(p.rng.IntN(90)) * time.Minute)
			p.note("time passes")
		case 3:
			p.reassign()
		case 4:
			p.intrude()
		case 5:
			p.file()
		default:
			p.decideOne()
		}
		p.tick()
		p.recheck()
		p.inspect()
	}
}

func (p *play) person(name string) (person console.Person) {
	p.check(p.store.View(ctx, func(tx *store.Tx) (err error) {
		person, err = tx.Person(p.id(name))
		return err
	}))
	return person
}

func (p *play) canonical(id console.ID) console.ID {
	p.check(p.store.View(ctx, func(tx *store.Tx) (err error) {
		id, err = tx.Canonical(id)
		return err
	}))
	return id
}

func (p *play) name(id console.ID) string {
	for name, c := range p.callers {
		if c.Person.ID == id {
			return name
		}
	}
	return string(id)
}

// try makes a change that the console may refuse, for example that the last super administrator
// leaves.
func (p *play) try(fn func(*store.Tx) error) {
	err := p.store.Update(ctx, console.By{At: p.now, Actor: console.Console}, fn)
	if err != nil {
		p.note("… refused: %v", err)
	}
	if err != nil && baton.KindOf(err) != baton.Refused {
		p.fail("%v", err)
	}
}

// change changes people.
func (p *play) change() {
	name, other := pick(p, cast), pick(p, cast)
	switch p.rng.IntN(8) {
	case 0, 6, 7:
		person := p.person(name)
		if person.MergedInto != "" {
			return
		}
		if person.Status == console.PersonActive {
			p.leave(name)
			return
		}
		person.Status = console.PersonActive
		p.note("%s comes back", name)
		p.try(func(tx *store.Tx) error { return tx.ChangePerson(person) })
	case 1:
		var owners []console.ID
		for _, n := range cast {
			if p.chance(25) && p.person(n).MergedInto == "" {
				owners = append(owners, p.id(n))
			}
		}
		p.note("%d owners", len(owners))
		p.try(func(tx *store.Tx) error {
			a, err := tx.App(p.app)
			if err != nil {
				return err
			}
			a.Owners = owners
			return tx.ChangeApp(a)
		})
	case 2, 3:
		if name == other || p.person(name).MergedInto != "" || p.person(other).MergedInto != "" {
			return
		}
		p.note("%s decides for %s", other, name)
		p.try(func(tx *store.Tx) error {
			return tx.SetDelegation(console.Delegation{Person: p.id(name), Delegate: p.id(other), From: p.now, Until: p.now.Add(2 * time.Hour)})
		})
	case 4:
		if p.person(name).MergedInto != "" {
			return
		}
		var roles []console.ConsoleRole
		if p.chance(40) {
			roles = append(roles, pick(p, []console.ConsoleRole{console.SecurityOfficer, console.Helpdesk, console.SuperAdministrator}))
		}
		p.note("%s has roles %v", name, roles)
		p.try(func(tx *store.Tx) error { return tx.SetRoles(p.id(name), roles) })
	case 5:
		if len(p.merged) > 1 || name == other || p.person(name).MergedInto != "" || p.person(other).MergedInto != "" {
			return
		}
		p.merged[name] = true
		p.note("%s turns out to be %s", name, other)
		p.try(func(tx *store.Tx) error { return tx.MergePersons(p.id(name), p.id(other)) })
	}
}

// leave makes a person leave.
func (p *play) leave(name string) {
	person := p.person(name)
	person.Status = console.PersonDisabled
	p.note("%s leaves", name)
	p.try(func(tx *store.Tx) error { return tx.ChangePerson(person) })
}

// file files a request. A refusal says what to fix.
func (p *play) file() {
	who, e := pick(p, []string{"ana", "ben", "own", "sup"}), pick(p, []console.EntitlementKey{p.member, console.AccountItself})
	for _, r := range p.requests {
		if p.get(r).Entitlement == e && p.canonical(p.get(r).Subject) == p.canonical(p.id(who)) {
			return
		}
	}
	if person := p.person(who); person.Status != console.PersonActive || person.MergedInto != "" {
		return
	}
	subject := who
	if p.chance(30) && slices.Contains(p.person(who).Roles, console.SuperAdministrator) {
		subject = "ana"
	}
	r, err := p.ask(who, subject, e)
	switch refusal := (*console.Refusal)(nil); {
	case errors.As(err, &refusal):
		p.refusals++
		p.note("%s is refused: %v", who, err)
		if baton.FixOf(err) == "" || refusal.Guard != console.GuardNobody {
			p.fail("refused without a fix: %v", err)
		}
	case baton.KindOf(err) == baton.AlreadyExists, baton.KindOf(err) == baton.Refused, baton.KindOf(err) == baton.NotFound:
	case err != nil:
		p.fail("%s asks: %v", who, err)
	default:
		p.asks++
		p.requests = append(p.requests, r.ID)
		p.note("%s asks for %s: request %d, %+v", who, subject, r.Number, r.Plan.Steps)
	}
}

// open returns the requests that wait for a decision.
func (p *play) open() (all []console.Request) {
	for _, id := range p.requests {
		if r := p.get(id); r.State == console.RequestAsking {
			all = append(all, r)
		}
	}
	return all
}

func (p *play) askedAbout(r console.Request) (people []store.AskedRequest) {
	p.check(p.store.View(ctx, func(tx *store.Tx) (err error) {
		people, err = tx.AskedAbout(r.ID)
		return err
	}))
	return people
}

func (p *play) entries(r console.Request) (entries []console.RequestEntry) {
	p.check(p.store.View(ctx, func(tx *store.Tx) (err error) {
		entries, err = tx.Entries(r.ID)
		return err
	}))
	return entries
}

// decideOne makes a person who is asked decide, which succeeds.
func (p *play) decideOne() {
	open := p.open()
	if len(open) == 0 {
		return
	}
	r := pick(p, open)
	asked := p.askedAbout(r)
	if len(asked) == 0 {
		return
	}
	who := pick(p, asked)
	before := p.entries(r)
	step := r.Plan.Steps[r.Step]
	approves := p.chance(85)
	caller := p.callers[p.name(who.Person)]
	done, err := p.Decide(ctx, caller, govern.NewDecision{Request: r.ID, Step: step.ID, Version: r.Version, Approve: approves, Comment: "c"})
	p.note("%s (for %s) decides step %d of request %d, %t: %v", p.name(who.Person), p.name(who.For), r.Step+1, r.Number, approves, err)
	if err != nil {
		p.fail("somebody who is asked may not decide: %v", err)
	}
	if done.Reset {
		return
	}
	p.decisions++
	for _, d := range []console.ID{who.Person, who.For} {
		if d == "" {
			continue
		}
		if d = p.canonical(d); d == p.canonical(r.Subject) || d == p.canonical(r.Requester) {
			p.fail("%s decides on their own request", p.name(d))
		}
		for _, earlier := range console.Decided(before, r.Round) {
			if step.Distinct && p.canonical(earlier) == d {
				p.fail("%s decides twice", p.name(d))
			}
		}
	}
}

// intrude makes a person who is not asked decide, which is refused and changes nothing.
func (p *play) intrude() {
	open := p.open()
	if len(open) == 0 {
		return
	}
	r, name := pick(p, open), pick(p, cast)
	if p.person(name).MergedInto != "" || slices.ContainsFunc(p.askedAbout(r), func(a store.AskedRequest) bool { return a.Person == p.id(name) }) {
		return
	}
	_, err := p.Decide(ctx, p.callers[name], govern.NewDecision{Request: r.ID, Step: r.Plan.Steps[r.Step].ID, Approve: true, Comment: "c"})
	p.note("%s, who is not asked, decides: %v", name, err)
	if err == nil || p.get(r.ID).Version != r.Version {
		p.fail("%s is not asked, and decides: %v", name, err)
	}
}

// reassign makes a person who is asked reassign the step.
func (p *play) reassign() {
	open := p.open()
	if len(open) == 0 {
		return
	}
	r, to := pick(p, open), pick(p, cast)
	asked := p.askedAbout(r)
	if len(asked) == 0 {
		return
	}
	err := p.Reassign(ctx, p.callers[p.name(asked[0].Person)], r.ID, r.Plan.Steps[r.Step].ID, p.id(to), "away")
	p.note("%s passes request %d on to %s: %v", p.name(asked[0].Person), r.Number, to, err)
	if k := baton.KindOf(err); err != nil && k != baton.Refused {
		p.fail("%v", err)
	}
	if err == nil && (p.canonical(p.id(to)) == p.canonical(r.Subject) || p.canonical(p.id(to)) == p.canonical(r.Requester)) {
		p.fail("it is passed on to whom it is about")
	}
}

// inspect checks every open request.
func (p *play) inspect() {
	for _, r := range p.open() {
		asked := p.askedAbout(r)
		for _, a := range asked {
			person := p.person(p.name(a.Person))
			if person.Status != console.PersonActive || person.MergedInto != "" {
				p.fail("request %d asks %s, who is %s", r.Number, person.Name, person.Status)
			}
			if a.Person == p.canonical(r.Subject) || a.Person == p.canonical(r.Requester) {
				p.fail("request %d asks %s, whose own it is", r.Number, person.Name)
			}
		}
		step := r.Plan.Steps[r.Step]
		said := slices.ContainsFunc(p.entries(r), func(e console.RequestEntry) bool {
			return e.Kind == console.EntryEscalated && e.Step == step.ID && e.Round == r.Round
		})
		if said && !p.seenEscalated[r.ID] {
			p.seenEscalated[r.ID] = true
			p.escalations++
		}
		if len(asked) > 0 {
			continue
		}
		p.stuck++
		if !said || !p.names(r) {
			p.fail("nobody may decide request %d, and nothing says so: %+v", r.Number, p.entries(r))
		}
	}
}

// names reports whether the timeline of a request says why nobody may decide, and an event notifies
// the owners.
func (p *play) names(r console.Request) bool {
	said := slices.ContainsFunc(p.entries(r), func(e console.RequestEntry) bool {
		return e.Kind == console.EntryEscalated && len(e.To) == 0 && strings.Contains(e.Text, "nobody may decide step") && strings.Contains(e.Text, "Somebody else must be")
	})
	return said && p.count("request.stuck") > 0
}
