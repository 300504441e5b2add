package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/console"
	"baton/console/store"
)

func hours(n int) console.Duration { return console.Duration(n) * console.Duration(time.Hour) }

func testPolicy(t *testing.T, db Database) {
	s := open(t, db)
	var ana, ben console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		if ana, err = tx.AddPerson(console.Person{Name: "Ana"}); err != nil {
			return err
		}
		ben, err = tx.AddPerson(console.Person{Name: "Ben"})
		return err
	})
	rules := []console.PolicyRule{{Name: "all", Outcome: console.OutcomeAsk, Steps: []console.PolicyStep{{Ask: []console.Approver{{Kind: console.ApproverManager}}, Limit: hours(3)}}}}
	var own console.Policy
	update(t, s, byPerson(1, ana), func(tx *store.Tx) (err error) {
		if own, err = tx.AddPolicyVersion(console.Policy{Name: "Mine", Kind: console.PolicyRequest, Rules: rules}, 0); err != nil {
			return err
		}
		_, err = tx.AddPolicyVersion(console.Policy{ID: console.StandardPolicy, Name: "Standard", Kind: console.PolicyRequest, Rules: rules, Weaker: true, Author: ana, Second: ben}, 0)
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		p, err := tx.Policy(own.ID)
		want := console.Policy{ID: own.ID, Name: "Mine", Kind: console.PolicyRequest, Version: 1, Rules: rules, Author: ana, Created: at(1)}
		if d := cmp.Diff(want, p); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		versions, err := tx.PolicyVersions(console.StandardPolicy)
		if err != nil || len(versions) != 2 || versions[0].Version != 1 || !versions[0].Weaker || versions[0].Second != ben || versions[1].Version != 0 {
			t.Errorf("%+v, %v", versions, err)
		}
		if p, err := tx.PolicyVersion(console.StandardPolicy, 0); err != nil || p.Author != "" || len(p.Rules) != 1 {
			t.Errorf("%+v, %v", p, err)
		}
		all, err := tx.Policies()
		if err != nil || len(all) != len(console.BuiltInPolicies())+1 || all[0].Version != 1 {
			t.Errorf("%+v, %v", all, err)
		}
		_, err = tx.Policy("none")
		wantKind(t, "no policy", err, baton.NotFound)
		_, err = tx.PolicyVersions("none")
		wantKind(t, "no policy", err, baton.NotFound)
		_, err = tx.PolicyVersion(own.ID, 9)
		wantKind(t, "no version", err, baton.NotFound)
		return nil
	})
	fails(t, s, by(2), "after an old version", baton.Refused, func(tx *store.Tx) error {
		_, err := tx.AddPolicyVersion(console.Policy{ID: own.ID, Name: "Mine", Kind: console.PolicyRequest, Rules: rules}, 0)
		return err
	})

	w := newWorld(t, s)
	set := console.SettingsVersion{App: w.app, Entitlement: 3, Settings: console.RequestSettings{Requestable: console.RequestableYes, Longest: hours(8), Policy: own.ID, Owners: []console.ID{ben},
		Form: []console.RequestField{{Name: "ticket", Label: "Ticket"}}}, Weaker: true}
	update(t, s, byPerson(3, ana), func(tx *store.Tx) error { return tx.AddRequestSettings(set) })
	fails(t, s, byPerson(4, ana), "settings after an old version", baton.Refused, func(tx *store.Tx) error { return tx.AddRequestSettings(set) })
	fails(t, s, byPerson(4, ana), "an owner of nobody", baton.NotFound, func(tx *store.Tx) error {
		return tx.AddRequestSettings(console.SettingsVersion{App: w.app, Entitlement: 4, Settings: console.RequestSettings{Owners: []console.ID{"x"}}})
	})
	view(t, s, func(tx *store.Tx) error {
		versions, err := tx.RequestSettings(w.app, 3)
		want := set
		want.Version, want.Author, want.Created = 1, ana, at(3)
		if d := cmp.Diff([]console.SettingsVersion{want}, versions); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		if none, err := tx.RequestSettings(w.app, console.WholeApp); err != nil || len(none) != 0 {
			t.Errorf("%+v, %v", none, err)
		}
		if _, due, err := tx.DueAt(console.DueRecheck, "console"); err != nil || !due {
			t.Errorf("no recheck: %v", err)
		}
		return nil
	})

	var change console.ID
	update(t, s, byPerson(5, ana), func(tx *store.Tx) (err error) {
		change, err = tx.AddAmendment(console.Amendment{Kind: console.AmendApp, App: w.app, Object: string(w.app), Before: []byte("1"), After: []byte("2"), Why: "fewer"})
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		open, err := tx.OpenAmendments()
		want := console.Amendment{ID: change, Kind: console.AmendApp, App: w.app, Object: string(w.app), Before: []byte("1"), After: []byte("2"), Why: "fewer", Author: ana, Created: at(5), State: console.AmendmentOpen}
		if d := cmp.Diff([]console.Amendment{want}, open); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		return nil
	})
	update(t, s, byPerson(6, ben), func(tx *store.Tx) error { return tx.DecideAmendment(change, console.AmendmentConfirmed) })
	fails(t, s, byPerson(7, ben), "decide twice", baton.Refused, func(tx *store.Tx) error { return tx.DecideAmendment(change, console.AmendmentDiscarded) })
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.AmendmentsBy(ana, w.app)
		if err != nil || len(all) != 1 || all[0].DecidedBy != ben || !all[0].Decided.Equal(at(6)) {
			t.Errorf("%+v, %v", all, err)
		}
		if none, err := tx.AmendmentsBy(ben, w.app); err != nil || len(none) != 0 {
			t.Errorf("%+v, %v", none, err)
		}
		return nil
	})

	d := console.Delegation{Person: ana, Delegate: ben, From: at(0), Until: at(60)}
	update(t, s, byPerson(8, ana), func(tx *store.Tx) error { return tx.SetDelegation(d) })
	fails(t, s, byPerson(8, ana), "one's own delegate", baton.Invalid, func(tx *store.Tx) error {
		return tx.SetDelegation(console.Delegation{Person: ana, Delegate: ana, From: at(0), Until: at(1)})
	})
	view(t, s, func(tx *store.Tx) error {
		if got, err := tx.Delegation(ana); err != nil || got != d {
			t.Errorf("%+v, %v", got, err)
		}
		return nil
	})
	// They end with whoever delegates, and with the delegate.
	third := addPersons(t, s, "Third")[0]
	for _, leaver := range []console.Delegation{{Person: third, Delegate: ben, From: at(0), Until: at(60)}, {Person: ben, Delegate: third, From: at(0), Until: at(60)}} {
		update(t, s, by(8), func(tx *store.Tx) error { return tx.SetDelegation(leaver) })
		for _, status := range []console.PersonStatus{console.PersonDisabled, console.PersonActive} {
			update(t, s, by(8), func(tx *store.Tx) error {
				p, err := tx.Person(third)
				if err != nil {
					return err
				}
				p.Status = status
				return tx.ChangePerson(p)
			})
			view(t, s, func(tx *store.Tx) error {
				if got, err := tx.Delegation(leaver.Person); err != nil || got != (console.Delegation{}) {
					t.Errorf("%s: %+v, %v", status, got, err)
				}
				if got, err := tx.Delegation(ana); err != nil || got != d {
					t.Errorf("%s: another delegation is %+v, %v", status, got, err)
				}
				return nil
			})
		}
	}
	update(t, s, byPerson(9, ana), func(tx *store.Tx) error { return tx.SetDelegation(console.Delegation{Person: ana}) })
	view(t, s, func(tx *store.Tx) error {
		if got, err := tx.Delegation(ana); err != nil || got != (console.Delegation{}) {
			t.Errorf("%+v, %v", got, err)
		}
		return nil
	})

	update(t, s, by(10), func(tx *store.Tx) error {
		if err := tx.SetRoles(ana, []console.ConsoleRole{console.SecurityOfficer}); err != nil {
			return err
		}
		p, err := tx.Person(ben)
		if err != nil {
			return err
		}
		p.Manager = ana
		return tx.ChangePerson(p)
	})
	view(t, s, func(tx *store.Tx) error {
		if who, err := tx.PersonsWithRole(console.SecurityOfficer, 10); err != nil || len(who) != 1 || who[0] != ana {
			t.Errorf("%v, %v", who, err)
		}
		if who, err := tx.Reports(ana); err != nil || len(who) != 1 || who[0].ID != ben {
			t.Errorf("%v, %v", who, err)
		}
		return nil
	})
	checkChain(t, s)
}

// aRequest returns a request of ana for the member entitlement.
func (st *staff) aRequest() console.Request {
	return console.Request{Kind: console.RequestGrant, App: st.app, Entitlement: st.member, Subject: st.people["ana"], Requester: st.people["ana"], Account: st.account("ana"),
		Why: "a ticket", Form: map[string]string{"ticket": "1"}, Asked: console.Term{For: hours(4)}, Term: console.Term{For: hours(2)}, Policy: console.StandardPolicy, Round: 1,
		Plan:      console.Plan{Rule: 1, Outcome: console.OutcomeAsk, Steps: []console.PlanStep{{ID: "step", PolicyStep: console.PolicyStep{Ask: []console.Approver{{Kind: console.ApproverManager}}, Limit: hours(1)}}}},
		StepBegan: at(5), State: console.RequestAsking, Material: "m"}
}

func testRequest(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 0)
	ana, ben, cem := st.people["ana"], st.people["ben"], st.people["cem"]
	var r console.Request
	update(t, s, byPerson(5, ana), func(tx *store.Tx) (err error) {
		r, err = tx.AddRequest(st.aRequest())
		return err
	})
	want := st.aRequest()
	want.ID, want.Number, want.Created, want.Version = r.ID, 1, at(5), 1
	get := func() (got console.Request) {
		view(t, s, func(tx *store.Tx) (err error) {
			got, err = tx.Request(r.ID)
			return err
		})
		return got
	}
	if d := cmp.Diff(want, get()); d != "" {
		t.Error(d)
	}
	due := func() (when time.Time, ok bool) {
		view(t, s, func(tx *store.Tx) (err error) {
			when, ok, err = tx.DueAt(console.DueRequest, string(r.ID))
			return err
		})
		return when, ok
	}
	if when, ok := due(); !ok || !when.Equal(at(65)) {
		t.Errorf("due %v, %v", when, ok)
	}
	fails(t, s, byPerson(6, ana), "a second one for the same", baton.AlreadyExists, func(tx *store.Tx) error {
		_, err := tx.AddRequest(st.aRequest())
		return err
	})

	asked := func(ids ...console.ID) (all []console.Asked) {
		for _, id := range ids {
			all = append(all, console.Asked{Person: id, Why: "manager"})
		}
		return all
	}
	update(t, s, byPerson(7, ana), func(tx *store.Tx) error {
		more, err := tx.SetAsked(r.ID, append(asked(ben), console.Asked{Person: cem, For: ben, Why: "manager"}, console.Asked{Person: ben, For: cem}))
		if !more {
			t.Error("nobody is newly asked")
		}
		return err
	})
	update(t, s, by(8), func(tx *store.Tx) error {
		more, err := tx.SetAsked(r.ID, asked(ben))
		if more {
			t.Error("somebody is newly asked")
		}
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		about, err := tx.AskedAbout(r.ID)
		if err != nil || len(about) != 1 || about[0].Person != ben || about[0].For != "" || about[0].Why != "manager" || !about[0].Since.Equal(at(7)) {
			t.Errorf("%+v, %v", about, err)
		}
		of, err := tx.AskedOf(ben, 0, 10)
		if err != nil || len(of) != 1 || of[0].Request.Number != 1 || !of[0].Since.Equal(at(7)) {
			t.Errorf("%+v, %v", of, err)
		}
		if of, err := tx.AskedOf(ben, 1, 10); err != nil || len(of) != 0 {
			t.Errorf("%+v, %v", of, err)
		}
		if n, err := tx.CountAsked(ben); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := tx.CountAsked(cem); err != nil || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
		if all, err := tx.AskingRequests(0, 10); err != nil || len(all) != 1 {
			t.Errorf("%+v, %v", all, err)
		}
		return nil
	})

	update(t, s, console.By{At: at(9), Actor: console.ByPerson(ben), OnBehalfOf: cem}, func(tx *store.Tx) error {
		term := console.Term{For: hours(1)}
		if err := tx.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryApproved, Round: 1, Step: "step", Text: "fine", Term: &term, To: []console.ID{ana}, Sync: 3}); err != nil {
			return err
		}
		return tx.AddEntry(console.RequestEntry{Request: r.ID, Kind: console.EntryComment})
	})
	view(t, s, func(tx *store.Tx) error {
		entries, err := tx.Entries(r.ID)
		if err != nil || len(entries) != 2 || entries[0].Kind != console.EntryApproved || entries[0].Actor != console.ByPerson(ben) || entries[0].OnBehalfOf != cem ||
			entries[0].Term.For != hours(1) || !entries[0].At.Equal(at(9)) || entries[0].Text != "fine" || entries[0].Sync != 3 {
			t.Errorf("%+v, %v", entries, err)
		}
		if got := console.Decided(entries, 1); len(got) != 2 || got[0] != ben || got[1] != cem {
			t.Errorf("%v", got)
		}
		return nil
	})

	old := get()
	update(t, s, by(10), func(tx *store.Tx) error {
		next := old
		next.State, next.Start = console.RequestScheduled, at(300)
		_, err := tx.ChangeRequest(next, "approved", nil)
		return err
	})
	fails(t, s, by(11), "an older version", baton.Refused, func(tx *store.Tx) error {
		_, err := tx.ChangeRequest(old, "denied", nil)
		return err
	})
	if when, ok := due(); !ok || !when.Equal(at(300)) {
		t.Errorf("starts %v, %v", when, ok)
	}
	view(t, s, func(tx *store.Tx) error {
		if about, err := tx.AskedAbout(r.ID); err != nil || len(about) != 0 {
			t.Errorf("still asked: %+v, %v", about, err)
		}
		for what, f := range map[string]store.RequestFilter{"all": {}, "of ana": {Person: ana}, "of the app": {App: st.app, Open: true}} {
			if all, err := tx.Requests(f, 0, 10); err != nil || len(all) != 1 {
				t.Errorf("%s: %+v, %v", what, all, err)
			}
		}
		for what, f := range map[string]store.RequestFilter{"of ben": {Person: ben}, "to look at": {Review: true}} {
			if all, err := tx.Requests(f, 0, 10); err != nil || len(all) != 0 {
				t.Errorf("%s: %+v, %v", what, all, err)
			}
		}
		if all, err := tx.OpenRequests(st.app, ana, st.member); err != nil || len(all) != 1 {
			t.Errorf("%+v, %v", all, err)
		}
		if got, err := tx.RequestByNumber(1); err != nil || got.ID != r.ID {
			t.Errorf("%+v, %v", got, err)
		}
		_, err := tx.RequestByNumber(2)
		wantKind(t, "no number", err, baton.NotFound)
		return nil
	})
	update(t, s, by(12), func(tx *store.Tx) error {
		locked, err := tx.LockRequest(r.ID)
		if err != nil {
			return err
		}
		return tx.CloseRequest(locked, console.OutcomeCancelled, "not needed")
	})
	if got := get(); got.State != console.RequestClosed || got.Outcome != console.OutcomeCancelled || !got.Closed.Equal(at(12)) || got.OutcomeWhy != "not needed" {
		t.Errorf("%+v", got)
	}
	if _, ok := due(); ok {
		t.Error("still due")
	}
	update(t, s, byPerson(13, ana), func(tx *store.Tx) error { // the earlier one is closed
		_, err := tx.AddRequest(st.aRequest())
		return err
	})
	checkChain(t, s)
}

// testRequestCarried checks that a request follows its operation.
func testRequestCarried(t *testing.T, db Database) {
	s := open(t, db)
	st := newStaff(t, s, 0)
	ana := st.people["ana"]
	carry := func(minute int) (r console.Request, o console.Operation) {
		t.Helper()
		update(t, s, byPerson(minute, ana), func(tx *store.Tx) (err error) {
			r = st.aRequest()
			r.State = console.RequestCarrying
			r.ID = console.NewID(at(minute))
			if o, err = tx.CreateOperation(console.Operation{App: st.app, Connector: st.connector, Account: r.Account, Person: ana, Entitlement: r.Entitlement, Verb: console.Grant,
				Cause: console.Cause{Kind: console.CauseApproval, Ref: string(r.ID), Evidence: console.EvidenceDecision}}, store.Circumstances{}); err != nil {
				return err
			}
			r.Operation = o.ID
			if r.Reason, err = tx.AddReason(console.Reason{App: st.app, Account: r.Account, Entitlement: r.Entitlement, Kind: console.ReasonRequest, Ref: string(r.ID), Lasts: time.Duration(r.Term.For)}); err != nil {
				return err
			}
			r, err = tx.AddRequest(r)
			return err
		})
		return r, o
	}
	outcome := func(r console.Request) (got console.Request, until, ended time.Time) {
		view(t, s, func(tx *store.Tx) (err error) {
			if got, err = tx.Request(r.ID); err != nil {
				return err
			}
			reason, err := tx.Reason(r.Reason)
			until, ended = reason.Until, reason.Ended
			return err
		})
		return got, until, ended
	}
	dispatch := func(minute int, o console.Operation, task console.ID) {
		t.Helper()
		update(t, s, by(minute), func(tx *store.Tx) error {
			refused, err := tx.DispatchOperation(o.ID, task, at(minute), at(minute+30), store.Circumstances{})
			if refused != nil {
				t.Error(refused)
			}
			return err
		})
	}

	// Two requests share an operation; the answer comes, then the verification.
	first, o := carry(5)
	second, same := carry(6)
	if same.ID != o.ID {
		t.Fatalf("two operations")
	}
	dispatch(7, o, "task-1")
	update(t, s, by(8), func(tx *store.Tx) error {
		return tx.FinishOperation(o.ID, "task-1", store.Answer{At: at(8), State: console.Applied})
	})
	if got, until, _ := outcome(first); got.State != console.RequestCarrying || !until.Equal(at(8+120)) {
		t.Errorf("applied: %+v until %v", got, until)
	}
	update(t, s, by(9), func(tx *store.Tx) error { return tx.JudgeOperation(o.ID, console.Verifies, 1) })
	for _, r := range []console.Request{first, second} {
		if got, until, ended := outcome(r); got.State != console.RequestClosed || got.Outcome != console.OutcomeGranted || !until.Equal(at(8+120)) || !ended.IsZero() {
			t.Errorf("verified: %+v until %v ended %v", got, until, ended)
		}
	}

	// The answer is lost; a sync shows the change.
	lost, o := carry(20)
	dispatch(21, o, "task-2")
	number := st.sync(25, model{accounts: []string{"ana", "ben", "cem"}, groups: []string{"admins", "members"}, grants: join(pairs("admins", "ana", "ben", "cem"), pairs("members", "ana"))})
	update(t, s, by(26), func(tx *store.Tx) error { return tx.JudgeOperation(o.ID, console.Verifies, number) })
	if got, until, _ := outcome(lost); got.Outcome != console.OutcomeGranted || !until.Equal(at(25+120)) {
		t.Errorf("lost: %+v until %v", got, until)
	}

	// It fails for good, is cancelled, or is superseded.
	for i, end := range []struct {
		want console.Outcome
		do   func(tx *store.Tx, o console.Operation) error
	}{
		{console.OutcomeError, func(tx *store.Tx, o console.Operation) error { return tx.CancelOperation(o.ID, "by hand") }},
		{console.OutcomeCancelled, func(tx *store.Tx, o console.Operation) error {
			o.ID, o.Verb = "", console.Revoke
			_, err := tx.CreateOperation(o, store.Circumstances{})
			return err
		}},
	} {
		minute := 40 + 10*i
		r, o := carry(minute)
		update(t, s, by(minute+1), func(tx *store.Tx) error { return end.do(tx, o) })
		if got, _, ended := outcome(r); got.Outcome != end.want || !ended.Equal(at(minute+1)) {
			t.Errorf("%d: %+v ended %v, want %s", i, got, ended, end.want)
		}
	}
	checkChain(t, s)
}
