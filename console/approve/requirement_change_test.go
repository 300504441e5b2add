package approve_test

import (
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

func (a *academy) set(who string, n govern.NewRequirement) (govern.Saved, error) {
	n.App, n.Entitlement = a.world.app, a.member
	if n.Mode == "" {
		n.Mode = console.RequirementReport
	}
	return a.SetRequirement(ctx, a.callers[who], n)
}

func (a *academy) waiting() (all []console.Amendment) {
	a.t.Helper()
	a.check(a.store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.OpenAmendments()
		return err
	}))
	return all
}

// TestRequirementSet sets a requirement by id and by name, and refuses a course that no sync shows,
// naming it.
func TestRequirementSet(t *testing.T) {
	w := onSQLite(t)
	a := newAcademy(w)
	_, err := a.set("own", govern.NewRequirement{Needs: []string{"Percipio/Fire Safety"}})
	wantKind(t, "a course outside the limited courses", err, baton.Invalid)
	if !strings.Contains(err.Error(), "Fire Safety") || !strings.Contains(baton.FixOf(err), "limited courses") {
		t.Errorf("%v %s", err, baton.FixOf(err))
	}
	for name, tt := range map[string]struct {
		who   string
		needs []string
		want  baton.Kind
	}{
		"no slash":        {"own", []string{"Security Basics"}, baton.Invalid},
		"no such app":     {"own", []string{"Academy/Security Basics"}, baton.Invalid},
		"twice":           {"own", []string{"Percipio/Security Basics", "Percipio/security"}, baton.Invalid},
		"of itself":       {"own", []string{"Perplexity/" + ingesttest.Member("members")}, baton.Invalid},
		"an approver":     {"mgr", []string{"Percipio/Security Basics"}, baton.NotFound},
		"another officer": {"so", []string{"Percipio/Security Basics"}, baton.PermissionDenied},
	} {
		_, err := a.set(tt.who, govern.NewRequirement{Needs: tt.needs})
		wantKind(t, name, err, tt.want)
	}
	for i, line := range []string{"Percipio/Security Basics", "percipio/" + ingesttest.Completed("security"), string(a.app) + "/security"} {
		if i == 1 {
			line = "Percipio/" + ingesttest.Completed("security")
		}
		saved, err := a.set("own", govern.NewRequirement{Needs: []string{line, ""}, Version: i})
		if err != nil || saved.Waits {
			t.Errorf("%s: %+v, %v", line, saved, err)
		}
	}
	_, err = a.set("own", govern.NewRequirement{Needs: []string{"Percipio/AI Ethics"}, Version: 1})
	wantKind(t, "an old version", err, baton.Refused)
	v, err := w.Requirement(ctx, w.callers["own"], w.app, w.member, 0, 10)
	if err != nil || v.Current.Version != 3 || len(v.Needs) != 1 || v.Needs[0].Course != "Security Basics" || !v.Needs[0].InScope || !v.MayChange || v.Author.Name != "own" {
		t.Errorf("%+v, %v", v, err)
	}
	found, err := w.FindNeeds(ctx, w.callers["own"], w.app, "ethics", 10)
	if err != nil || len(found) != 1 || found[0].Course != "AI Ethics" {
		t.Errorf("%+v, %v", found, err)
	}
	all, err := w.Requirements(ctx, w.callers["so"])
	if err != nil || len(all) != 1 || all[0].Name != "Members member" || all[0].AppName != "Perplexity" {
		t.Errorf("%+v, %v", all, err)
	}
	if none, err := w.Requirements(ctx, w.callers["ana"]); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

// TestRequirementWeakened lets a second person confirm a weaker requirement, which never counts for
// the requests of either.
func TestRequirementWeakened(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a := newAcademy(w)
		_, err := a.set("own", govern.NewRequirement{Needs: []string{"Percipio/Security Basics", "Percipio/AI Ethics"}})
		w.check(err)
		_, err = a.set("own", govern.NewRequirement{Needs: []string{"Percipio/AI Ethics"}, Version: 1})
		wantKind(t, "without a reason", err, baton.Invalid)
		saved, err := a.set("own", govern.NewRequirement{Needs: []string{"Percipio/AI Ethics"}, Version: 1, Why: "enough"})
		if err != nil || !saved.Waits {
			t.Fatalf("%+v, %v", saved, err)
		}
		open := a.waiting()
		if len(open) != 1 || open[0].Kind != console.AmendRequirement {
			t.Fatalf("%+v", open)
		}
		wantGuard(t, "the author confirms", w.DecideAmendment(ctx, w.callers["own"], open[0].ID, true), console.GuardSelf)
		if v, err := w.Requirement(ctx, w.callers["own"], w.app, w.member, 0, 10); err != nil || len(v.Needs) != 2 || len(v.Waits) != 1 {
			t.Errorf("before it is confirmed: %+v, %v", v, err)
		}
		w.check(w.DecideAmendment(ctx, w.callers["so"], open[0].ID, true))
		a.complete(1, "ana", "")
		a.complete(1, "own", "")
		a.sync()
		if s := a.status("ana"); s.State != console.RequirementMet || s.Requirement.Version != 2 {
			t.Errorf("ana: %+v", s)
		}
		if s := a.status("own"); s.State != console.RequirementMissing || s.Requirement.Version != 1 {
			t.Errorf("the author: %+v", s)
		}
	})
}

// TestExemption takes two people, neither of whom is the exempt one.
func TestExemption(t *testing.T) {
	w := onSQLite(t)
	a := newAcademy(w)
	x := console.Exemption{App: w.app, Entitlement: w.member, Until: w.now.Add(time.Hour), Why: "on leave"}
	wantKind(t, "without a requirement", w.ProposeExemption(ctx, w.callers["own"], x, "so@example.com"), baton.Refused)
	_, err := a.set("own", govern.NewRequirement{Needs: []string{"Percipio/Security Basics"}})
	w.check(err)
	wantKind(t, "for oneself", w.ProposeExemption(ctx, w.callers["own"], x, "own@example.com"), baton.PermissionDenied)
	wantKind(t, "nobody", w.ProposeExemption(ctx, w.callers["own"], x, "nobody@example.com"), baton.Invalid)
	late := x
	late.Until = w.now.AddDate(2, 0, 0)
	wantKind(t, "for two years", w.ProposeExemption(ctx, w.callers["own"], late, "so@example.com"), baton.Invalid)
	w.check(w.ProposeExemption(ctx, w.callers["own"], x, "so@example.com"))
	open := a.waiting()
	wantGuard(t, "the author approves", w.DecideAmendment(ctx, w.callers["own"], open[0].ID, true), console.GuardSelf)
	wantGuard(t, "the exempt one approves", w.DecideAmendment(ctx, w.callers["so"], open[0].ID, true), console.GuardSelf)
	if s := a.status("so"); s.State.Meets() {
		t.Errorf("exempt before it is approved: %+v", s)
	}
	w.check(w.DecideAmendment(ctx, w.callers["sup"], open[0].ID, true))
	if s := a.status("so"); s.State != console.RequirementExempt || s.Exemption.Author != w.id("own") || s.Exemption.Approver != w.id("sup") {
		t.Errorf("%+v", s)
	}
	v, err := w.Requirement(ctx, w.callers["own"], w.app, w.member, 0, 10)
	if err != nil || len(v.Exemptions) != 1 || v.Exemptions[0].PersonName != "so" || !v.Exemptions[0].Active {
		t.Fatalf("%+v, %v", v.Exemptions, err)
	}
	id := v.Exemptions[0].ID
	wantKind(t, "another ends it", w.EndExemption(ctx, w.callers["so"], w.app, id), baton.PermissionDenied)
	w.check(w.EndExemption(ctx, w.callers["own"], w.app, id))
	if s := a.status("so"); s.State.Meets() {
		t.Errorf("after its end: %+v", s)
	}
	wantKind(t, "a plan that is not there", w.ConfirmRequirement(ctx, w.callers["own"], w.app, w.member, "x"), baton.Refused)
}

// TestRequirementPlan confirms the end of the accesses that somebody saw, and no others.
func TestRequirementPlan(t *testing.T) {
	w := onSQLite(t)
	a := newAcademy(w)
	n := govern.NewRequirement{Needs: []string{"Percipio/Security Basics"}}
	n.Mode, n.Cap = console.RequirementEnforce, 1
	_, err := a.set("own", n)
	w.check(err)
	lack := func(names ...string) {
		w.update(func(tx *store.Tx) error {
			for _, name := range names {
				if err := tx.SetLack(console.RequirementLack{App: w.app, Entitlement: w.member, Account: w.account(name), Person: w.id(name), State: console.RequirementMissing, Ends: noon, Ready: true}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	view := func() govern.RequirementView {
		v, err := w.Requirement(ctx, w.callers["own"], w.app, w.member, 0, 1)
		w.check(err)
		return v
	}
	lack("ana")
	if v := view(); v.Plan != "" {
		t.Errorf("one holder, and the cap is one: %+v", v.Ready)
	}
	lack("ben")
	v := view()
	if v.Plan == "" || len(v.Ready) != 2 || v.Next == 0 || len(v.Lacks) != 1 || v.Lacks[0].PersonName != "ana" {
		t.Fatalf("%+v", v)
	}
	lack("cem")
	wantKind(t, "somebody else, too", w.ConfirmRequirement(ctx, w.callers["own"], w.app, w.member, v.Plan), baton.Refused)
	wantKind(t, "without the right", w.ConfirmRequirement(ctx, w.callers["ana"], w.app, w.member, view().Plan), baton.NotFound)
	w.check(w.ConfirmRequirement(ctx, w.callers["own"], w.app, w.member, view().Plan))
	if v := view(); v.Plan != "" || v.Lacks[0].Confirmed != w.id("own") {
		t.Errorf("%+v", v)
	}
	if n := w.count("requirement.confirmed"); n != 1 {
		t.Errorf("%d confirmed", n)
	}
}
