package worker

import (
	"strings"
	"testing"
	"time"

	"baton/console"
	"baton/console/mail/mailtest"
	"baton/console/store"
)

// asks files a request about which owners are asked.
func (x *post) asks(what string, entitlement console.EntitlementKey, owners ...console.ID) (r console.Request) {
	x.t.Helper()
	x.update(func(tx *store.Tx) error {
		subject, err := tx.AddPerson(console.Person{Name: "Ana", Emails: []string{strings.ToLower(what) + "@example.com"}})
		if err != nil {
			return err
		}
		plan := console.Plan{Outcome: console.OutcomeAsk, Steps: []console.PlanStep{{ID: "s", PolicyStep: console.PolicyStep{Ask: []console.Approver{{Kind: console.ApproverAppOwner}}}}}}
		r, err = tx.AddRequest(console.Request{Kind: console.RequestGrant, App: x.app, Entitlement: entitlement, Subject: subject, Requester: subject, What: what, Why: "a ticket",
			Term: console.Term{For: console.Duration(time.Hour)}, Plan: plan, Round: 1, State: console.RequestAsking})
		if err != nil {
			return err
		}
		var asked []console.Asked
		for _, id := range owners {
			asked = append(asked, console.Asked{Person: id, Why: "owner"})
		}
		if r, err = tx.ChangeRequest(r, "asked", map[string]any{"step": "s", "asked": owners}); err == nil {
			_, err = tx.SetAsked(r.ID, asked)
		}
		return err
	})
	return r
}

// decided ends a request as somebody decided it.
func (x *post) decided(r console.Request) {
	x.t.Helper()
	x.update(func(tx *store.Tx) error { return tx.CloseRequest(r, console.OutcomeCancelled, "") })
}

// TestMailOfDecisions tells those who may decide, and tells them no more once somebody has:
// neither in the mail of the day, nor when the mail server is back.
func TestMailOfDecisions(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 2)
		x.update(func(tx *store.Tx) error { return tx.SetMailChoice(x.owners[1], console.MailDaily) })
		x.deliver()
		admin := x.asks("Admin", 1, x.owners...)
		x.deliver()
		x.wants("asked", "owner0@example.com", "Ana asks for Admin for 1 hour")
		x.later(time.Hour)
		x.decided(admin)
		x.deliver()
		x.later(24 * time.Hour)
		x.deliver()
		x.wants("decided before the mail of the day", "owner1@example.com")

		// The server is down while one of two requests is decided, and then the other.
		down := func(err error) { x.server.Fault(func(string, string) error { return err }) }
		down(mailtest.ErrDie)
		member, viewer := x.asks("Member", 2, x.owners[0]), x.asks("Viewer", 3, x.owners[0])
		x.deliver()
		x.decided(member)
		down(nil)
		x.later(time.Hour)
		x.deliver()
		x.wants("the other one", "owner0@example.com", "Ana asks for Admin for 1 hour", "Ana asks for Viewer for 1 hour")
		last := x.received()[len(x.received())-1]
		if strings.Contains(last.Data, "Member") {
			t.Errorf("the mail asks for a decision that was taken: %s", last.Data)
		}
		x.decided(viewer)
		x.later(time.Hour)
		down(mailtest.ErrDie)
		guest := x.asks("Guest", 4, x.owners[0])
		x.deliver()
		x.decided(guest)
		down(nil)
		x.later(time.Hour)
		before := len(x.received())
		x.deliver()
		if n := len(x.received()) - before; n != 0 {
			t.Errorf("%d mails about what was decided", n)
		}
		if failed := x.mails(console.MailFailed); len(failed) != 1 || !strings.Contains(failed[0].Detail, "Somebody decided meanwhile") {
			t.Errorf("failed %+v", failed)
		}
	})
}
