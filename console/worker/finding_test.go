package worker

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/findings"
	"baton/console/notify"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
	"baton/internal/longtest"
)

// office is a course whose accounts have owners, and whose findings are kept up to date.
type office struct {
	*course
	people map[string]console.ID
	owner  console.ID
	last   int64 // the last event of which it was asked who is told
	told   map[console.FindingKind]map[console.ID]int
}

func newOffice(x *world) *office {
	x.t.Helper()
	if err := x.w.Prepare(x.t.Context()); err != nil {
		x.t.Fatal(err)
	}
	o := &office{course: newCourse(x), people: map[string]console.ID{}, told: map[console.FindingKind]map[console.ID]int{}}
	o.hello(false, rpc.CanProvision)
	o.update(func(tx *store.Tx) (err error) {
		if o.owner, err = tx.AddPerson(console.Person{Name: "Olga", Emails: []string{"olga@example.test"}}); err != nil {
			return err
		}
		for _, name := range []string{"ana", "ben", "cem", "dan"} {
			id, err := tx.AddPerson(console.Person{Name: name, Emails: []string{name + "@example.test"}})
			if err != nil {
				return err
			}
			o.people[name] = id
			if err := tx.SetAccountOwner(o.account(name), id, store.OwnerMatched); err != nil {
				return err
			}
		}
		a, err := tx.App(o.app)
		if err != nil {
			return err
		}
		a.Owners = []console.ID{o.owner}
		if err := tx.ChangeApp(a); err != nil {
			return err
		}
		return rpcstore.AddCredential(tx, rpc.Credential{ClientID: "good", Connector: string(o.connector.ID), PublicKey: []byte("key"), Created: o.now})
	})
	o.roles(console.HighestWins, 1)
	o.settle()
	o.advance(25 * time.Hour) // what was found before the first sync was told long ago
	o.sync()
	o.settle()
	return o
}

func (o *office) roles(p console.Priority, minimum int) {
	o.t.Helper()
	o.update(func(tx *store.Tx) error {
		return tx.SetRoleMap(o.app, console.RoleMap{Priority: p, Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{o.member("admins")}},
			{Name: "Member", Entitlements: []console.EntitlementKey{o.member("staff")}}}}, minimum)
	})
}

// seats sets the purchased seats, and the days until the renewal.
func (o *office) seats(purchased, days int) {
	o.t.Helper()
	o.update(func(tx *store.Tx) error {
		s, err := tx.Seats(o.app)
		if err != nil {
			return err
		}
		if s.Purchased, s.Renewal = purchased, (time.Time{}); days > 0 {
			s.Renewal = o.now.Truncate(24*time.Hour).AddDate(0, 0, days)
		}
		return tx.SetSeats(s)
	})
}

// settle lets the console read all events and do all due work, and counts who is told of findings.
func (o *office) settle() {
	o.t.Helper()
	for range 3 {
		for more := true; more; {
			var err error
			if more, err = o.w.readEvents(o.t.Context(), reader{findingsReader, o.w.noticeCauses}); err != nil {
				o.t.Fatal(err)
			}
		}
		o.work()
	}
	o.quiet()
	o.view(func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, o.last, store.PageSize)
		for _, e := range events {
			o.last = e.Number
			notices, err := notify.Notices(e.Number, e.Event, tx)
			if err != nil {
				return err
			}
			for _, n := range notices {
				var data struct{ Kind console.FindingKind }
				if json.Unmarshal(e.Data, &data); e.Kind == "finding.appeared" || e.Kind == "finding.returned" {
					if o.told[data.Kind] == nil {
						o.told[data.Kind] = map[console.ID]int{}
					}
					o.told[data.Kind][n.Person]++
				}
			}
		}
		return err
	})
}

// open returns the findings of a kind in a state.
func (o *office) in(kind console.FindingKind, state console.FindingState) (all []console.Finding) {
	o.t.Helper()
	o.view(func(tx *store.Tx) (err error) {
		all, err = tx.Findings(store.FindingScope{kind: nil}, state, store.FindingAfter{}, 10)
		return err
	})
	return all
}

func (o *office) seen() {
	o.t.Helper()
	if l, err := o.tasks.Lease(o.t.Context(), o.now, rpc.LeaseRequest{Connector: string(o.connector.ID), Host: "host", Max: 9}); err != nil {
		o.t.Fatal(err)
	} else {
		for _, task := range l.Tasks {
			if task.Work.Sync != nil {
				o.answerSync(task)
			}
		}
	}
}

// TestFindings shows each kind of findings: one appears by itself and only once, can be accepted until
// a time and is open again after it, and resolves by itself when its cause is gone. Nobody is told
// twice about the same.
func TestFindings(t *testing.T) {
	var removal console.ID
	tests := []struct {
		kind        console.FindingKind
		cause, undo func(o *office)
	}{
		{console.AdminsBelow, func(o *office) { o.roles(console.HighestWins, 3) }, func(o *office) { o.roles(console.HighestWins, 1) }},
		{console.AdminsNear, func(o *office) { o.roles(console.HighestWins, 2) }, func(o *office) { o.roles(console.HighestWins, 1) }},
		{console.RoleUnclear, func(o *office) {
			o.roles(console.PriorityUnknown, 1)
			o.up.members["staff"] = []string{"cem", "ana"}
			o.sync()
		}, func(o *office) { o.roles(console.LowestWins, 1) }},
		{console.AccountSeveral, func(o *office) {
			o.up.members["staff"] = []string{"cem", "ana"}
			o.sync()
		}, func(o *office) {
			o.up.members["staff"] = []string{"cem"}
			o.sync()
		}},
		{console.AccountUnmatched, func(o *office) {
			o.up.accounts["eve"] = baton.StatusEnabled
			o.sync()
		}, func(o *office) {
			o.update(func(tx *store.Tx) error {
				return tx.SetAccountOwner(o.account("eve"), o.people["ana"], store.OwnerSet)
			})
		}},
		{console.AccountWithout, func(o *office) {
			o.update(func(tx *store.Tx) error {
				if err := tx.SetAccountOwner(o.account("dan"), "", store.OwnerCleared); err != nil {
					return err
				}
				return tx.SetAccountKind(o.account("dan"), console.AccountService)
			})
		}, func(o *office) {
			o.up.accounts["dan"] = baton.StatusDisabled
			o.sync()
		}},
		{console.AccountOrphaned, func(o *office) { o.status("dan", console.PersonDisabled) }, func(o *office) { o.status("dan", console.PersonActive) }},
		{console.AppWithoutOwner, func(o *office) {
			o.update(func(tx *store.Tx) error {
				if _, err := tx.AddPerson(console.Person{Name: "Sue", Roles: []console.ConsoleRole{console.SuperAdministrator}}); err != nil {
					return err
				}
				p, err := tx.Person(o.owner)
				if err != nil {
					return err
				}
				p.Status = console.PersonGone
				return tx.ChangePerson(p)
			})
		}, func(o *office) {
			o.update(func(tx *store.Tx) error {
				p, err := tx.Person(o.owner)
				if err != nil {
					return err
				}
				p.Status = console.PersonActive
				return tx.ChangePerson(p)
			})
		}},
		{console.UnexplainedChange, func(o *office) {
			o.up.members["staff"] = []string{"cem", "dan"}
			o.sync()
		}, func(o *office) {
			o.up.members["staff"] = []string{"cem"}
			o.sync()
		}},
		{console.SyncHeldWaits, func(o *office) {
			o.up.accounts = map[string]baton.Status{"x": 1, "y": 1, "z": 1, "ana": 1}
			o.up.members = map[string][]string{"admins": {"ana"}, "staff": {}}
			o.sync()
		}, func(o *office) {
			o.up.accounts = map[string]baton.Status{"ana": 1, "ben": 1, "cem": 1, "dan": 1}
			o.up.members = map[string][]string{"admins": {"ana", "ben"}, "staff": {"cem"}}
			o.sync()
		}},
		{console.AccessOverdue, func(o *office) {
			o.update(func(tx *store.Tx) error {
				_, err := tx.AddReason(console.Reason{App: o.app, Account: o.account("cem"), Entitlement: o.member("staff"), Kind: console.ReasonManual, Until: o.now.Add(time.Minute)})
				return err
			})
			o.update(func(tx *store.Tx) error { return tx.SetPauses(console.Pauses{Writes: true}) })
			o.advance(5 * time.Minute)
			o.settle()
			o.advance(2 * time.Minute)
		}, func(o *office) {
			o.update(func(tx *store.Tx) error {
				_, err := tx.AddReason(console.Reason{App: o.app, Account: o.account("cem"), Entitlement: o.member("staff"), Kind: console.ReasonManual})
				return err
			})
			o.advance(5 * time.Minute)
		}},
		{console.AccessCameBack, func(o *office) {
			removal = o.create(o.op("cem", "staff", console.Revoke)).ID
			o.does(o.write("the removal"))
			o.up.members["staff"] = []string{"cem"}
			o.sync()
		}, func(o *office) {
			o.up.members["staff"] = nil
			o.sync()
		}},
		{console.OperationByHand, func(o *office) {
			op := o.create(o.op("cem", "staff", console.Revoke))
			o.update(func(tx *store.Tx) error { return tx.DoByHand(op.ID, "The connector cannot.") })
			removal = op.ID
		}, func(o *office) {
			o.update(func(tx *store.Tx) error { return tx.CancelOperation(removal, "not needed") })
		}},
		{console.CourseLapsed, func(o *office) {
			o.requires(1, console.Need{App: o.app, Entitlement: o.member("admins")})
			o.update(func(tx *store.Tx) error {
				return tx.SetLack(console.RequirementLack{App: o.app, Entitlement: o.member("staff"), Account: o.account("cem"), Person: o.people["cem"], State: console.RequirementMissing, Why: "never completed", Found: o.now})
			})
		}, func(o *office) { o.requires(2) }},
		{console.IncompatibleAccess, func(o *office) {
			o.up.members["staff"], o.up.members["admins"] = []string{"cem"}, append(o.up.members["admins"], "cem")
			o.sync()
			o.update(func(tx *store.Tx) error {
				x, err := tx.AddIncompatible(console.Incompatible{App: o.app, Entitlement: o.member("staff"), OtherApp: o.app, OtherEntitlement: o.member("admins"), Why: "who pays does not order"})
				removal = x.ID
				return err
			})
		}, func(o *office) {
			o.update(func(tx *store.Tx) error { return tx.EndIncompatible(removal, "not needed any more") })
		}},
		{console.AccountExcluded, func(o *office) {
			var op console.Operation
			o.update(func(tx *store.Tx) error {
				id, err := tx.AddPerson(console.Person{Name: "New", Emails: []string{"new@example.test"}})
				if err != nil {
					return err
				}
				op, err = tx.CreateOperation(console.Operation{App: o.app, Connector: o.connector.ID, Person: id, Verb: console.Grant, Cause: console.Cause{Kind: console.CauseApproval, Ref: "r", Evidence: console.EvidenceDecision}}, store.Circumstances{})
				return err
			})
			task := o.write("the account")
			o.advance(time.Second)
			o.finish(task, rpc.Result{})
			o.advance(console.SettleTime)
			o.sync()
			o.settle()
			if n := len(o.in(console.AccountExcluded, console.FindingOpen)); n != 0 {
				o.t.Errorf("after one sync: %d", n)
			}
			o.sync()
			removal = op.ID
		}, func(o *office) {
			o.update(func(tx *store.Tx) error {
				op, err := tx.Operation(removal)
				if err == nil {
					_, err = tx.CreateOperation(console.Operation{App: o.app, Connector: o.connector.ID, Person: op.Person, Verb: console.Grant, Cause: op.Cause}, store.Circumstances{})
				}
				return err
			})
		}},
		{console.AutomationHalted, func(o *office) {
			o.update(func(tx *store.Tx) error {
				owner := o.people["ana"]
				a, err := tx.AddAutomation(console.Automation{App: o.app, Name: "Leaver", Owner: owner, Author: owner, Draft: demand()})
				if err != nil {
					return err
				}
				removal = a.ID
				return tx.SetAutomationState(a.ID, console.AutomationTripped, "It would run more than 25 times in 1 day.")
			})
		}, func(o *office) {
			o.update(func(tx *store.Tx) error { return tx.SetAutomationState(removal, console.AutomationOn, "") })
		}},
		{console.ConnectorOffline, func(o *office) { o.advance(time.Hour); o.settle() }, func(o *office) { o.seen() }},
		{console.ConnectorFailing, func(o *office) {
			o.update(func(tx *store.Tx) error { return tx.ScheduleSync(o.connector, o.now) })
			o.work()
			o.finish(o.lease()[0], rpc.Result{Code: 2, Message: "the token is wrong"})
		}, func(o *office) { o.sync() }},
		{console.ConnectorNotCalled, func(o *office) {
			o.update(func(tx *store.Tx) error {
				_, err := tx.AddConnector(console.Connector{App: o.app, Name: "second"})
				return err
			})
		}, func(o *office) {
			o.update(func(tx *store.Tx) error {
				c, err := tx.ConnectorByName("second")
				if err == nil {
					c.Paused = true
					err = tx.ChangeConnector(c)
				}
				return err
			})
		}},
		{console.SeatsExceeded, func(o *office) { o.seats(3, 0) }, func(o *office) { o.seats(40, 0) }},
		{console.SeatsNear, func(o *office) { o.seats(5, 0) }, func(o *office) { o.seats(40, 0) }},
		{console.SeatsRenewal, func(o *office) { o.seats(40, 20) }, func(o *office) { o.seats(40, 40) }},
		{console.CredentialEnds, func(o *office) {
			o.update(func(tx *store.Tx) error { return rpcstore.ExpireCredential(tx, "good", o.now.Add(200*time.Hour)) })
		}, func(o *office) {
			o.update(func(tx *store.Tx) error {
				return rpcstore.AddCredential(tx, rpc.Credential{ClientID: "next", Connector: string(o.connector.ID), PublicKey: []byte("key"), Created: o.now})
			})
		}},
	}
	tested := map[console.FindingKind]bool{}
	for i, tt := range tests {
		tested[tt.kind] = true
		t.Run(string(tt.kind), func(t *testing.T) {
			run := onBoth
			if !longtest.Enabled && i%6 != 0 { // a new PostgreSQL schema for each takes long
				run = func(t *testing.T, test func(*testing.T, *world)) { test(t, newWorld(t)) }
			}
			run(t, func(t *testing.T, x *world) {
				removal = ""
				o := newOffice(x)
				if n := len(o.in(tt.kind, console.FindingOpen)); n != 0 {
					t.Fatalf("%d before there is a cause", n)
				}
				clear(o.told)
				tt.cause(o)
				for range 3 {
					o.settle()
				}
				open := o.in(tt.kind, console.FindingOpen)
				if len(open) != 1 {
					t.Fatalf("%d findings appeared: %+v", len(open), open)
				}
				rule, _ := tt.kind.Rule()
				if path := rule.Path(open[0]); path == "" || open[0].App != x.app {
					t.Errorf("%+v leads to %q", open[0], path)
				}
				for person, n := range o.told[tt.kind] {
					if n != 1 {
						t.Errorf("%s is told %d times", person, n)
					}
				}
				if rule.Tells != (len(o.told[tt.kind]) == 1) {
					t.Errorf("%d people are told", len(o.told[tt.kind]))
				}

				// Accepted until a time, and open again after it.
				until := o.now.Add(24 * time.Hour)
				err := x.s.Update(t.Context(), console.By{At: o.now, Actor: console.ByPerson(o.owner)}, func(tx *store.Tx) error {
					f, err := tx.Finding(open[0].ID)
					if err != nil {
						return err
					}
					if err := tx.AcceptFinding(f.ID, f.Version-1, console.FindingAccepted, until, "known"); baton.KindOf(err) != baton.Refused {
						t.Errorf("an older version: %v", err)
					}
					return tx.AcceptFinding(f.ID, f.Version, console.FindingAccepted, until, "known until Thursday")
				})
				if err != nil {
					t.Fatal(err)
				}
				clear(o.told)
				o.now = until.Add(-time.Minute)
				o.keep(tt.kind)
				if open, accepted := o.in(tt.kind, console.FindingOpen), o.in(tt.kind, console.FindingAccepted); len(open) != 0 || len(accepted) != 1 || accepted[0].Why != "known until Thursday" || accepted[0].By.Person() != o.owner {
					t.Errorf("accepted: %+v, open: %+v", accepted, open)
				}
				if len(o.told[tt.kind]) != 0 {
					t.Errorf("told of what is accepted: %v", o.told[tt.kind])
				}
				o.now = until
				o.keep(tt.kind)
				again := o.in(tt.kind, console.FindingOpen)
				if len(again) != 1 || again[0].ID != open[0].ID {
					t.Fatalf("after its time: %+v", again)
				}
				o.keep(tt.kind)
				for person, n := range o.told[tt.kind] {
					if n != 1 {
						t.Errorf("%s is told %d times that it is open again", person, n)
					}
				}
				if len(o.found("finding.returned")) != 1 || len(o.told[tt.kind]) == 0 {
					t.Errorf("%d events, %d people told", len(o.found("finding.returned")), len(o.told[tt.kind]))
				}

				// Gone by itself, and back within a day: nobody is told again.
				tt.undo(o)
				for range 3 {
					o.settle()
				}
				if open := o.in(tt.kind, console.FindingOpen); len(open) != 0 {
					t.Fatalf("still open: %+v", open)
				}
				if resolved := o.in(tt.kind, console.FindingResolved); !slices.ContainsFunc(resolved, func(f console.Finding) bool { return f.ID == again[0].ID && f.Resolved.Equal(o.now) }) {
					t.Errorf("resolved: %+v", resolved)
				}
			})
		})
	}
	for _, k := range findings.Kinds() {
		if _, ok := k.Rule(); !ok || !tested[k] {
			t.Errorf("%s has no rule or no test", k)
		}
	}
	if len(findings.Kinds()) != len(console.FindingRules()) {
		t.Errorf("%d kinds are found, %d have a rule", len(findings.Kinds()), len(console.FindingRules()))
	}
}

// keep lets the console work, while its host keeps calling unless that is what the finding is about.
func (o *office) keep(kind console.FindingKind) {
	o.t.Helper()
	if kind == console.ConnectorFailing {
		for _, task := range o.lease() {
			o.finish(task, rpc.Result{Code: 2, Message: "the token is wrong"})
		}
	}
	if kind != console.ConnectorOffline && kind != console.ConnectorFailing && kind != console.SyncHeldWaits && kind != console.AccountExcluded && kind != console.AccessOverdue {
		o.seen()
	}
	o.settle()
}

// requires adds a version of what the group staff requires.
func (o *office) requires(version int, needs ...console.Need) {
	o.t.Helper()
	o.update(func(tx *store.Tx) error {
		return tx.AddRequirement(console.Requirement{App: o.app, Entitlement: o.member("staff"), Version: version - 1, RequirementRule: console.RequirementRule{Needs: needs, Mode: console.RequirementReport}, Author: o.owner})
	})
}

func (o *office) status(name string, status console.PersonStatus) {
	o.t.Helper()
	o.update(func(tx *store.Tx) error {
		p, err := tx.Person(o.people[name])
		if err != nil {
			return err
		}
		p.Status = status
		return tx.ChangePerson(p)
	})
}

// TestFindingFlaps lets a cause go and come back within a day: it is the same finding, an acceptance
// still counts, and nobody is told again.
func TestFindingFlaps(t *testing.T) {
	onBoth(t, func(t *testing.T, x *world) {
		o := newOffice(x)
		o.status("dan", console.PersonDisabled)
		o.settle()
		o.status("dan", console.PersonActive)
		o.advance(time.Hour)
		o.settle()
		o.status("dan", console.PersonDisabled)
		o.advance(time.Hour)
		o.settle()
		open := o.in(console.AccountOrphaned, console.FindingOpen)
		if len(open) != 1 || o.told[console.AccountOrphaned][o.owner] != 1 {
			t.Fatalf("%+v, told %d times", open, o.told[console.AccountOrphaned][o.owner])
		}
		x.update(func(tx *store.Tx) error {
			return tx.AcceptFinding(open[0].ID, open[0].Version, console.FindingSnoozed, o.now.Add(10*24*time.Hour), "")
		})
		o.status("dan", console.PersonActive)
		o.settle()
		o.advance(48 * time.Hour)
		o.status("dan", console.PersonDisabled)
		o.settle()
		if snoozed := o.in(console.AccountOrphaned, console.FindingSnoozed); len(snoozed) != 1 || snoozed[0].ID != open[0].ID || o.told[console.AccountOrphaned][o.owner] != 1 {
			t.Errorf("%+v, told %d times", snoozed, o.told[console.AccountOrphaned][o.owner])
		}
	})
}
