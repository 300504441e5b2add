package govern

import (
	"context"
	"encoding/json"

	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// RequirementView is the requirement of an entitlement, with the holders who do not meet it.
type RequirementView struct {
	App         console.App
	Entitlement store.Entitlement
	Name        string
	Current     console.Requirement // the newest version; zero if it was never set
	Needs       []NeedView
	Exemptions  []ExemptionView // the newest first
	Counts      store.LackCounts
	Lacks       []LackView
	Next        console.ResourceKey // where the next page of Lacks begins; 0 at the end
	// Plan identifies the holders who lose their access when somebody confirms it; "" if no
	// confirmation is needed.
	Plan      string
	Ready     []LackView // of the plan, at most PlanShown
	Author    console.Person
	MayChange bool
	Waits     []AmendmentView // changes that wait for a second person
}

// PlanShown limits the holders of a plan that a page shows.
const PlanShown = 100

// NeedView is a need with its names.
type NeedView struct {
	store.NeedStatus
	InScope bool
}

// ExemptionView is an exemption with names.
type ExemptionView struct {
	console.Exemption
	PersonName, AuthorName, ApproverName string
	Active                               bool
}

// LackView is a holder who does not, or may not, meet a requirement.
type LackView struct {
	console.RequirementLack
	AccountName, PersonName string
	// Preview is when access would end if the requirement were enforced now; zero if it is, or if
	// that is unknown.
	Preview   time.Time
	Operation *console.Operation // the removal that is in progress
}

// Requirement returns the requirement of an entitlement, with a page of the holders who do not meet
// it.
func (c *Console) Requirement(ctx context.Context, caller Caller, app console.ID, e console.EntitlementKey, after console.ResourceKey, n int) (v RequirementView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v, err = c.requirementView(tx, me, app, e, after, n)
		return err
	})
	return v, err
}

func (c *Console) requirementView(tx *store.Tx, me console.Person, app console.ID, e console.EntitlementKey, after console.ResourceKey, n int) (v RequirementView, err error) {
	if v.App, err = seeApp(tx, me, app, console.SeeAccess); err != nil {
		return v, err
	}
	if n < 1 || n >= store.PageSize {
		return v, baton.Errorf(baton.Invalid, "a page has 1 to %d holders", store.PageSize-1)
	}
	v.MayChange = console.ConfigureApps.Of(me, console.Object{App: &v.App})
	if v.Name, err = requestedName(tx, console.Request{App: app, Entitlement: e}); err != nil {
		return v, err
	}
	m, err := tx.Moment(app, time.Time{})
	if err != nil {
		return v, err
	}
	if v.Entitlement = accountEntitlement; e != console.AccountItself {
		row, _, err := c.entitlementOf(tx, m, v.App, e)
		if err != nil {
			return v, err
		}
		v.Entitlement = row.Entitlement
	} else {
		v.Name = accountEntitlement.Name
	}
	versions, err := tx.Requirements(app, e)
	if err != nil {
		return v, err
	}
	people := Names{}
	if len(versions) > 0 {
		v.Current = versions[0]
		if err := people.add(tx, v.Current.Author); err != nil {
			return v, err
		}
		v.Author = people[v.Current.Author]
	}
	for _, n := range v.Current.Needs {
		s, in, err := tx.NeedScope(n)
		if err != nil {
			return v, err
		}
		v.Needs = append(v.Needs, NeedView{s, in})
	}
	exemptions, err := tx.Exemptions(app, e)
	if err != nil {
		return v, err
	}
	for _, x := range exemptions {
		if err := people.add(tx, x.Person, x.Author, x.Approver); err != nil {
			return v, err
		}
		v.Exemptions = append([]ExemptionView{{x, people.Of(x.Person), people.Of(x.Author), people.Of(x.Approver), x.Active(c.now())}}, v.Exemptions...)
	}
	if err := c.lackViews(tx, &v, people, after, n); err != nil {
		return v, err
	}
	open, err := tx.OpenAmendments()
	for _, a := range open {
		if a.Object != RequirementChange(app, e) {
			continue
		}
		view, err := amendmentView(tx, me, a)
		if err != nil {
			return v, err
		}
		v.Waits = append(v.Waits, view)
	}
	return v, err
}

// RequirementChange is the object of an amendment of a requirement, or of its exemptions.
func RequirementChange(app console.ID, e console.EntitlementKey) string {
	return "requirement " + console.RequirementRef(app, e)
}

// lackViews adds the holders who do not meet the requirement.
func (c *Console) lackViews(tx *store.Tx, v *RequirementView, people Names, after console.ResourceKey, n int) error {
	app, e := v.App.ID, v.Entitlement.Key
	var err error
	if v.Counts, err = tx.CountLacks(app, e); err != nil {
		return err
	}
	lacks, err := tx.RequirementLacks(app, e, after, n+1)
	if err != nil {
		return err
	}
	if len(lacks) > n {
		lacks = lacks[:n]
		v.Next = lacks[n-1].Account
	}
	if v.Lacks, err = c.lacksOf(tx, v.Current, people, lacks); err != nil {
		return err
	}
	ready, err := tx.ReadyLacks(app, e, store.PageSize)
	if err != nil {
		return err
	}
	if ready, err = c.unconfirmed(tx, v.Current, ready); err != nil || len(ready) == 0 {
		return err
	}
	v.Plan = console.RequirementPlan(v.Current.Version, ready)
	v.Ready, err = c.lacksOf(tx, v.Current, people, ready[:min(len(ready), PlanShown)])
	return err
}

// unconfirmed returns the holders whose access ends only when somebody confirms it, because they are
// more than the cap.
func (c *Console) unconfirmed(tx *store.Tx, r console.Requirement, ready []console.RequirementLack) ([]console.RequirementLack, error) {
	waiting := slices.DeleteFunc(slices.Clone(ready), func(l console.RequirementLack) bool { return l.Confirmed != "" || l.Refused != "" })
	ended, err := tx.EndedByRequirement(r.App, r.Entitlement, c.now().Add(-console.RequirementWindow))
	if err != nil || ended+len(waiting) <= r.Limit() {
		return nil, err
	}
	return waiting, nil
}

func (c *Console) lacksOf(tx *store.Tx, r console.Requirement, people Names, lacks []console.RequirementLack) (views []LackView, err error) {
	for _, l := range lacks {
		view := LackView{RequirementLack: l}
		if view.AccountName, err = accountName(tx, l.Account); err != nil {
			return nil, err
		}
		if err := people.add(tx, l.Person); err != nil {
			return nil, err
		}
		view.PersonName = people.Of(l.Person)
		if r.Mode == console.RequirementReport && l.State.Lacks() {
			view.Preview = r.Deadline(l.Since, time.Time{}, c.now(), nil)
		}
		a, err := tx.Access(l.App, l.Account, l.Entitlement, c.now())
		if err != nil {
			return nil, err
		}
		if a.Operation != nil && a.Operation.Verb == console.Revoke {
			view.Operation = a.Operation
		}
		views = append(views, view)
	}
	return views, nil
}

// RequirementSummary is a requirement in a list.
type RequirementSummary struct {
	console.Requirement
	AppName, Name string
	Needs         []NeedView
	Counts        store.LackCounts
}

// Requirements returns the requirements of all apps whose holders the caller may see.
func (c *Console) Requirements(ctx context.Context, caller Caller) (all []RequirementSummary, err error) {
	err = c.read(ctx, caller, reading, func(tx *store.Tx, me console.Person) error {
		all = nil
		active, err := tx.ActiveRequirements("")
		if err != nil {
			return err
		}
		for _, r := range active {
			a, err := tx.App(r.App)
			if err != nil {
				return err
			}
			if !console.SeeAccess.Of(me, console.Object{App: &a}) {
				continue
			}
			s := RequirementSummary{Requirement: r, AppName: a.Name}
			if s.Name = accountEntitlement.Name; r.Entitlement != console.AccountItself {
				if s.Name, err = requestedName(tx, console.Request{App: r.App, Entitlement: r.Entitlement, Created: r.Created}); err != nil {
					return err
				}
			}
			for _, n := range r.Needs {
				status, in, err := tx.NeedScope(n)
				if err != nil {
					return err
				}
				s.Needs = append(s.Needs, NeedView{status, in})
			}
			if s.Counts, err = tx.CountLacks(r.App, r.Entitlement); err != nil {
				return err
			}
			all = append(all, s)
		}
		return nil
	})
	return all, err
}

// NewRequirement holds the fields of a new version of a requirement.
type NewRequirement struct {
	App         console.ID
	Entitlement console.EntitlementKey
	Version     int // that the caller saw; 0 for the first
	// Needs names entitlements: the name or ID of an app, a slash, and the upstream id of an
	// entitlement, or the id or name of a course.
	Needs []string
	console.RequirementRule
	Why string
}

// SetRequirement adds the next version of a requirement. A weaker one waits for a second person.
func (c *Console) SetRequirement(ctx context.Context, caller Caller, n NewRequirement) (saved Saved, err error) {
	err = c.change(ctx, caller, configuring.in(n.App), func(tx *store.Tx, me console.Person) error {
		saved = Saved{}
		a, err := seeApp(tx, me, n.App, console.ConfigureApps)
		if err != nil {
			return err
		}
		if err := n.checkEntitlement(tx, a.ID); err != nil {
			return err
		}
		r := console.Requirement{App: a.ID, Entitlement: n.Entitlement, Version: n.Version, RequirementRule: n.RequirementRule, Author: me.ID}
		if r.Needs, err = ResolveNeeds(tx, n.Needs); err != nil {
			return err
		}
		if slices.Contains(r.Needs, console.Need{App: a.ID, Entitlement: n.Entitlement}) {
			return baton.Errorf(baton.Invalid, "an entitlement cannot require itself")
		}
		if err := r.Check(); err != nil {
			return err
		}
		versions, err := tx.Requirements(a.ID, n.Entitlement)
		if err != nil {
			return err
		}
		before := console.Requirement{App: a.ID, Entitlement: n.Entitlement}
		if len(versions) > 0 {
			before = versions[0]
		}
		if before.Version != n.Version {
			return baton.Errorf(baton.Refused, "the requirement was changed meanwhile").WithFix("Load it again.")
		}
		if r.AtLeast(before.RequirementRule) {
			return tx.AddRequirement(r)
		}
		r.Weaker, saved.Waits = true, true
		return amend(tx, console.AmendRequirement, a.ID, RequirementChange(a.ID, n.Entitlement), before, r, n.Why)
	})
	return saved, err
}

// checkEntitlement returns an error unless the newest sync of the app shows the entitlement.
func (n NewRequirement) checkEntitlement(tx *store.Tx, app console.ID) error {
	if n.Entitlement == console.AccountItself {
		return nil
	}
	m, err := tx.Moment(app, time.Time{})
	if err == nil {
		_, err = tx.Entitlement(m, n.Entitlement)
	}
	return err
}

// ResolveNeeds returns the entitlements behind the lines of a form or a file. The error of one that
// the newest sync does not show names it.
func ResolveNeeds(tx *store.Tx, lines []string) (needs []console.Need, err error) {
	for _, line := range lines {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		n, err := resolveNeed(tx, line)
		if err != nil {
			return nil, err
		}
		needs = append(needs, n)
	}
	return needs, nil
}

func resolveNeed(tx *store.Tx, line string) (n console.Need, err error) {
	name, id, found := strings.Cut(line, "/")
	name, id = strings.TrimSpace(name), strings.TrimSpace(id)
	if !found || name == "" || id == "" {
		return n, baton.Errorf(baton.Invalid, "%q names no entitlement", line).WithFix("Write the application, a slash, and the id of the entitlement, or the name of the course.")
	}
	a, err := tx.AppByName(name)
	if baton.KindOf(err) == baton.NotFound {
		a, err = tx.App(console.ID(name))
	}
	if baton.KindOf(err) == baton.NotFound {
		return n, baton.Errorf(baton.Invalid, "there is no application %q", name)
	}
	if err != nil {
		return n, err
	}
	m, err := tx.Moment(a.ID, time.Time{})
	if err != nil {
		return n, err
	}
	e, err := tx.EntitlementByID(m, id)
	if baton.KindOf(err) == baton.NotFound {
		e, err = completionOf(tx, m, id)
	}
	if baton.KindOf(err) == baton.NotFound {
		return n, baton.Errorf(baton.Invalid, "the newest sync of %s does not contain “%s”", a.Name, id).
			WithFix("If it is a course, add it to the limited courses of the connector, and sync. Nobody could meet the requirement before.")
	}
	return console.Need{App: a.ID, Entitlement: e.Key}, err
}

// maxCourses limits the entitlements that are looked at to find a course by its name.
const maxCourses = 200

// completionOf returns the entitlement of those who completed a course, by the upstream id or the
// exact name of the course.
func completionOf(tx *store.Tx, m store.Moment, course string) (found store.Entitlement, err error) {
	if on, err := tx.ResourceByID(m, "course", course); err == nil {
		return tx.EntitlementByID(m, baton.EntitlementID{Resource: baton.ResourceID{Type: on.Type, ID: on.ID}, Slug: console.CompletedSlug}.String())
	} else if baton.KindOf(err) != baton.NotFound {
		return found, err
	}
	page, err := tx.FilterEntitlements(m, store.EntitlementFilter{Words: course}, store.EntitlementAfter{}, maxCourses)
	if err != nil {
		return found, err
	}
	n := 0
	for _, e := range page.Rows {
		on, err := tx.Resource(m, e.Entitlement.Resource)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return found, err
		}
		if strings.EqualFold(e.Name, course) || e.Slug == console.CompletedSlug && strings.EqualFold(on.Name, course) {
			found = e
			n++
		}
	}
	switch {
	case n == 0:
		return found, baton.Errorf(baton.NotFound, "no entitlement")
	case n > 1:
		return found, baton.Errorf(baton.Invalid, "%d entitlements are called “%s”", n, course).WithFix("Write the id of one of them.")
	}
	return found, nil
}

// FindNeeds returns up to n entitlements that a requirement may need, by words of their names: those
// of completed courses first.
func (c *Console) FindNeeds(ctx context.Context, caller Caller, app console.ID, words string, n int) (found []NeedView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		found = nil
		if _, err := seeApp(tx, me, app, console.ConfigureApps); err != nil {
			return err
		}
		var after store.NameAfter
		for {
			apps, err := tx.Apps(after, store.PageSize)
			if err != nil {
				return err
			}
			for _, a := range apps {
				after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
				m, err := tx.Moment(a.ID, time.Time{})
				if err != nil {
					return err
				}
				page, err := tx.FilterEntitlements(m, store.EntitlementFilter{Words: words}, store.EntitlementAfter{}, n)
				if err != nil {
					return err
				}
				for _, e := range page.Rows {
					s, in, err := tx.NeedScope(console.Need{App: a.ID, Entitlement: e.Key})
					if err != nil {
						return err
					}
					if e.Slug != console.InProgressSlug && in {
						found = append(found, NeedView{s, in})
					}
				}
			}
			if len(apps) < store.PageSize {
				break
			}
		}
		slices.SortStableFunc(found, func(a, b NeedView) int { return rankNeed(a) - rankNeed(b) })
		found = found[:min(n, len(found))]
		return nil
	})
	return found, err
}

func rankNeed(n NeedView) int {
	if strings.HasSuffix(n.EntitlementID, ":"+console.CompletedSlug) {
		return 0
	}
	return 1
}

// ProposeExemption proposes to exempt a person, by e-mail address, from a requirement. A second
// person approves it, who is neither the author nor the person.
func (c *Console) ProposeExemption(ctx context.Context, caller Caller, x console.Exemption, email string) error {
	return c.change(ctx, caller, configuring.in(x.App), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, x.App, console.ConfigureApps)
		if err != nil {
			return err
		}
		if _, err := activeRequirement(tx, x.App, x.Entitlement); err != nil {
			return err
		}
		p, err := tx.PersonByEmail(strings.TrimSpace(email))
		if baton.KindOf(err) == baton.NotFound {
			return baton.Errorf(baton.Invalid, "nobody has the address %q", email)
		}
		if err != nil {
			return err
		}
		if x.Person = p.Canonical(); x.Person == me.ID {
			return baton.Errorf(baton.PermissionDenied, "nobody exempts themselves").WithFix("Another owner of the application can propose it.")
		}
		x.Author = me.ID
		if err := x.Check(c.now()); err != nil {
			return err
		}
		return amend(tx, console.AmendExemption, a.ID, RequirementChange(a.ID, x.Entitlement), nil, x, x.Why)
	})
}

func activeRequirement(tx *store.Tx, app console.ID, e console.EntitlementKey) (console.Requirement, error) {
	versions, err := tx.Requirements(app, e)
	if err == nil && (len(versions) == 0 || !versions[0].Active()) {
		err = baton.Errorf(baton.Refused, "the entitlement has no requirement")
	}
	if err != nil {
		return console.Requirement{}, err
	}
	return versions[0], nil
}

// EndExemption ends an exemption early.
func (c *Console) EndExemption(ctx context.Context, caller Caller, app, id console.ID) error {
	return c.change(ctx, caller, configuring.in(app), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, app, console.ConfigureApps)
		if err != nil {
			return err
		}
		x, err := tx.Exemption(id)
		if err == nil && x.App != a.ID {
			err = baton.Errorf(baton.NotFound, "no exemption")
		}
		if err != nil {
			return err
		}
		return tx.EndExemption(id)
	})
}

// ConfirmRequirement confirms that all holders of a plan lose their access, although they are more
// than the cap. Refused if the plan has changed since the caller saw it.
func (c *Console) ConfirmRequirement(ctx context.Context, caller Caller, app console.ID, e console.EntitlementKey, plan string) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, app, console.ChangeAccess)
		if err != nil {
			return err
		}
		r, err := activeRequirement(tx, a.ID, e)
		if err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		ready, err := tx.ReadyLacks(a.ID, e, store.PageSize)
		if err != nil {
			return err
		}
		waiting, err := c.unconfirmed(tx, r, ready)
		if err != nil {
			return err
		}
		if len(waiting) == 0 || console.RequirementPlan(r.Version, waiting) != plan {
			return baton.Errorf(baton.Refused, "who would lose access has changed since").WithFix("Look at the list again.")
		}
		_, err = tx.ConfirmLacks(a.ID, e)
		return err
	})
}

// applyRequirement makes a confirmed change of a requirement, or an exemption.
func applyRequirement(tx *store.Tx, a console.Amendment, second console.ID) error {
	if a.Kind == console.AmendExemption {
		x, err := exemptionIn(a)
		if err != nil {
			return err
		}
		x.Author, x.Approver = a.Author, second
		_, err = tx.AddExemption(x)
		return err
	}
	var r console.Requirement
	if err := json.Unmarshal(a.After, &r); err != nil {
		return baton.Errorf(baton.Corrupt, "change %s: %w", a.ID, err)
	}
	r.Author, r.Second = a.Author, second
	return tx.AddRequirement(r)
}

// exemptionIn returns the exemption that an amendment proposes.
func exemptionIn(a console.Amendment) (x console.Exemption, err error) {
	if err := json.Unmarshal(a.After, &x); err != nil {
		return x, baton.Errorf(baton.Corrupt, "change %s: %w", a.ID, err)
	}
	return x, nil
}

// subjectOf returns the person whose access or roles a change is about; "" if it is about nobody.
func subjectOf(a console.Amendment) (console.ID, error) {
	if a.Kind == console.AmendRoles {
		return console.ID(a.Object), nil
	}
	if a.Kind != console.AmendExemption {
		return "", nil
	}
	x, err := exemptionIn(a)
	return x.Person, err
}
