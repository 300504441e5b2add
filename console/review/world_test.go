package review_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/plan"
	"baton/console/review"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/rpcstore"
	"baton/console/store/sqlite"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var (
	ctx  = context.Background()
	noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
)

// world is a console with one app: the administrators cem, dan and own, the members ana and ben, and a
// connector that can grant.
type world struct {
	*govern.Console
	t              testing.TB
	store          *store.Store
	now            time.Time
	app, connector console.ID
	admin, member  console.EntitlementKey
	tenant         ingesttest.Tenant
	callers        map[string]govern.Caller
}

func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t, openSQLite(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, openPostgres(t))) })
}

func openSQLite(t testing.TB) *store.Store {
	s, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon, NoFlush: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openPostgres(t testing.TB) *store.Store {
	s, err := postgres.Open(ctx, postgres.Config{URL: pgtest.New(t), Now: noon, CallersClock: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newWorld(t testing.TB, s *store.Store) *world {
	t.Helper()
	w := &world{t: t, store: s, now: noon, callers: map[string]govern.Caller{}}
	w.Console = govern.New(govern.Config{Store: s, Now: func() time.Time { return w.now }})
	roles := map[string][]console.ConsoleRole{"so": {console.SecurityOfficer}, "sup": {console.SuperAdministrator}, "aud": {console.Auditor}, "camp": {console.CampaignAdministrator}, "other": {console.CampaignAdministrator}}
	w.update(func(tx *store.Tx) error {
		for _, name := range []string{"ana", "ben", "cem", "dan", "own", "mgr", "so", "sup", "aud", "camp", "other", "nobody"} {
			id, err := tx.AddPerson(console.Person{Name: name, Emails: []string{name + "@example.com"}, Roles: roles[name]})
			if err != nil {
				return err
			}
			person, err := tx.Person(id)
			if err != nil {
				return err
			}
			w.callers[name] = govern.Caller{Person: person, Session: console.Session{Person: id, Began: noon, Proved: noon.Add(1000 * time.Hour), Seen: noon}}
		}
		ana := w.callers["ana"].Person
		ana.Manager = w.id("mgr")
		if err := tx.ChangePerson(ana); err != nil {
			return err
		}
		var err error
		if w.app, err = tx.AddApp(console.App{Name: "Perplexity", Owners: []console.ID{w.id("own")}}); err != nil {
			return err
		}
		w.connector, err = tx.AddConnector(console.Connector{App: w.app, Name: "perplexity"})
		return err
	})
	w.hello(rpc.CanProvision, rpc.CanCreateAccounts)
	for _, name := range []string{"ana", "ben", "cem", "dan", "own"} {
		w.tenant.Accounts = append(w.tenant.Accounts, ingesttest.Account(name, name, name+"@example.com"))
	}
	w.tenant.Groups = []ingesttest.Group{{ID: "admins", Name: "Admins", Members: []string{"cem", "dan", "own"}}, {ID: "members", Name: "Members", Members: []string{"ana", "ben", "dan"}}}
	w.sync()
	w.update(func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		for group, key := range map[string]*console.EntitlementKey{"admins": &w.admin, "members": &w.member} {
			e, err := tx.EntitlementByID(m, ingesttest.Member(group))
			if err != nil {
				return err
			}
			*key = e.Key
		}
		for _, a := range w.tenant.Accounts {
			r, err := tx.ResourceByID(m, "user", a.ID.ID)
			if err != nil {
				return err
			}
			if err := tx.SetAccountOwner(r.Key, w.id(a.ID.ID), store.OwnerMatched); err != nil {
				return err
			}
		}
		return tx.SetRoleMap(w.app, console.RoleMap{Priority: console.HighestWins, Roles: []console.AppRole{
			{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{w.admin}}, {Name: "Member", Entitlements: []console.EntitlementKey{w.member}}}}, 2)
	})
	return w
}

func (w *world) hello(capabilities ...rpc.Capability) {
	w.t.Helper()
	w.check(rpcstore.New(w.store).Hello(ctx, w.now, string(w.connector), rpc.Hello{Host: "h", Connector: rpc.Description{Capabilities: capabilities}}))
}

func (w *world) id(name string) console.ID { return w.callers[name].Person.ID }

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v (%s)", err, baton.FixOf(err))
	}
}

func (w *world) update(fn func(*store.Tx) error) {
	w.t.Helper()
	w.check(w.store.Update(ctx, console.By{At: w.now, Actor: console.Console}, fn))
}

func (w *world) view(fn func(*store.Tx) error) {
	w.t.Helper()
	w.check(w.store.View(ctx, fn))
}

func (w *world) later(d time.Duration) { w.now = w.now.Add(d) }

// sync applies a sync with what the tenant shows, and judges operations like the worker.
func (w *world) sync() console.Sync {
	w.t.Helper()
	w.later(time.Minute)
	s := w.tenant.Receive(w.t, w.store, w.connector, w.now)
	if s.State != console.SyncApplied {
		w.later(time.Minute)
		return s
	}
	w.update(func(tx *store.Tx) error {
		c, err := tx.Connector(w.connector)
		if err != nil {
			return err
		}
		back, err := tx.FindCameBack(c, s)
		for _, b := range back {
			if err == nil {
				err = tx.TellCameBack(b)
			}
		}
		if err != nil {
			return err
		}
		all, err := tx.UnverifiedOperations(w.connector)
		for _, o := range all {
			if err != nil {
				return err
			}
			a, e := tx.Access(o.App, o.Account, o.Entitlement, w.now)
			if e != nil {
				return e
			}
			err = tx.JudgeOperation(o.ID, console.Verify(o, console.Sighting{Kind: s.Kind, Dispatched: s.Dispatched, Covers: true, Held: a.Held, Direct: a.Direct}), s.Number)
		}
		return err
	})
	w.later(time.Minute)
	return s
}

func (w *world) account(name string) (key console.ResourceKey) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		m, err := tx.Moment(w.app, time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", name)
		key = r.Key
		return err
	})
	return key
}

func (w *world) access(name string, e console.EntitlementKey) (a console.Access) {
	w.t.Helper()
	key := w.account(name)
	w.view(func(tx *store.Tx) (err error) {
		a, err = tx.Access(w.app, key, e, w.now)
		return err
	})
	return a
}

// carryOut dispatches all queued operations, and reports their success.
func (w *world) carryOut() (n int) {
	w.t.Helper()
	var queued []console.Operation
	w.view(func(tx *store.Tx) (err error) {
		queued, err = tx.QueuedOperations(w.connector, w.now, 1000)
		return err
	})
	for _, o := range queued {
		task := console.NewID(w.now)
		var refused error
		w.update(func(tx *store.Tx) (err error) {
			refused, err = tx.DispatchOperation(o.ID, task, w.now, w.now.Add(30*time.Minute), store.Circumstances{})
			return err
		})
		if refused != nil {
			continue
		}
		n++
		w.later(time.Second)
		w.update(func(tx *store.Tx) error {
			return tx.FinishOperation(o.ID, task, store.Answer{At: w.now, State: console.Applied})
		})
	}
	return n
}

// none is the kind of no error.
const none baton.Kind = -1

func wantKind(t *testing.T, what string, err error, want baton.Kind) {
	t.Helper()
	if err == nil && want == none {
		return
	}
	if err == nil || baton.KindOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func wantGuard(t *testing.T, what string, err error, want console.Guard) {
	t.Helper()
	if r := (*console.Refusal)(nil); !errors.As(err, &r) || r.Guard != want {
		t.Errorf("%s: %v, want a refusal of %s", what, err, want)
	}
}

// settings returns those of a campaign about everything, which the owners of the app review.
func settings(edits ...func(*console.CampaignSettings)) console.CampaignSettings {
	s := console.CampaignSettings{Name: "Review", Reviewers: []console.Approver{{Kind: console.ApproverAppOwner}}, Fallback: []console.Approver{{Kind: console.ApproverRole, Role: console.SecurityOfficer}},
		Outcome: console.OutcomeRule{Kind: console.OutcomeOne, Wins: console.ChooseRemove}, Unanswered: console.UnansweredKeep, Lasts: console.DefaultLasts, MaxAge: console.DefaultMaxAge}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

// advance does what is due about a campaign and its plan, like the worker.
func (w *world) advance(id console.ID) {
	w.t.Helper()
	for range 4 {
		_, err := review.Advance(ctx, w.store, func() time.Time { return w.now }, id, func() error { return nil })
		w.check(err)
		if c := w.campaign(id); c.Plan != "" {
			w.check(plan.Advance(ctx, w.store, func() time.Time { return w.now }, c.Plan))
		}
	}
}

func (w *world) campaign(id console.ID) (c console.Campaign) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		c, err = tx.Campaign(id)
		return err
	})
	return c
}

// staged returns a campaign whose population is frozen.
func (w *world) staged(edits ...func(*console.CampaignSettings)) console.ID {
	w.t.Helper()
	id, err := w.AddCampaign(ctx, w.callers["camp"], govern.NewCampaign{CampaignSettings: settings(edits...)})
	w.check(err)
	w.check(w.PrepareCampaign(ctx, w.callers["camp"], id, ""))
	w.advance(id)
	if c := w.campaign(id); c.State != console.CampaignStaged {
		w.t.Fatalf("the campaign is %s: %s", c.State, c.Why)
	}
	return id
}

// started returns a campaign that runs.
func (w *world) started(edits ...func(*console.CampaignSettings)) console.ID {
	w.t.Helper()
	id := w.staged(edits...)
	w.check(w.StartCampaign(ctx, w.callers["camp"], id))
	w.later(time.Minute)
	return id
}

// items returns the items of a campaign by their logins and groups, "ana members".
func (w *world) items(id console.ID) map[string]govern.ItemView {
	w.t.Helper()
	p, err := w.CampaignItems(ctx, w.callers["aud"], id, store.ItemFilter{}, 0, 500)
	w.check(err)
	all := map[string]govern.ItemView{}
	for _, i := range p.Items {
		name := i.Shown.AccountName + " " + i.Shown.ResourceName
		if i.Kind != console.ReviewAccess {
			name = i.Shown.PersonName + " " + i.Shown.EntitlementName
		}
		all[name] = i
	}
	return all
}

// decide makes decisions of one person about items, and submits them.
func (w *world) decide(who string, id console.ID, choices map[string]console.ReviewChoice) error {
	w.t.Helper()
	items := w.items(id)
	var all []review.Choice
	for name, choice := range choices {
		i, there := items[name]
		if !there {
			w.t.Fatalf("no item %s", name)
		}
		all = append(all, review.Choice{Item: i.Number, Choice: choice, Seconds: 3, Hash: i.Hash})
	}
	if _, err := w.DecideReview(ctx, w.callers[who], id, all, 0, false); err != nil {
		return err
	}
	_, err := w.SubmitReview(ctx, w.callers[who], id)
	return err
}

// closed ends the decisions of a campaign, and applies its plan.
func (w *world) closed(id console.ID) {
	w.t.Helper()
	w.check(w.CloseCampaign(ctx, w.callers["camp"], id))
	w.advance(id)
	c := w.campaign(id)
	if c.Plan == "" {
		return
	}
	var p console.RemovalPlan
	w.view(func(tx *store.Tx) (err error) {
		p, err = tx.Plan(c.Plan)
		return err
	})
	w.check(w.ApplyPlan(ctx, w.callers["camp"], p.ID, p.Hash, ""))
	w.advance(id)
}

// accountKey is [world.account] in a transaction.
func (w *world) accountKey(tx *store.Tx, name string) console.ResourceKey {
	w.t.Helper()
	m, err := tx.Moment(w.app, time.Time{})
	w.check(err)
	r, err := tx.ResourceByID(m, "user", name)
	w.check(err)
	return r.Key
}
