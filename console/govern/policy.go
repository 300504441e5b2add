package govern

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/approve"
	"baton/console/store"
)

// seesPolicies returns an error if a person may not see policies. Owners of any app may.
func seesPolicies(tx *store.Tx, me console.Person) error {
	missing := console.SeePolicies.Check(me, console.Object{})
	if missing == nil {
		return nil
	}
	var after store.NameAfter
	for {
		page, err := tx.Apps(after, store.PageSize)
		if err != nil {
			return err
		}
		for _, a := range page {
			if console.SeePolicies.Of(me, console.Object{App: &a}) {
				return nil
			}
			after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
		}
		if len(page) < store.PageSize {
			return missing
		}
	}
}

// AmendmentView is a change that waits for a second person.
type AmendmentView struct {
	console.Amendment
	AppName    string
	AuthorName string
	MayDecide  bool
	What       string // for display
}

// PoliciesView lists all policies, and the changes that wait for a second person.
type PoliciesView struct {
	Policies   []console.Policy
	Amendments []AmendmentView
	MayManage  bool
}

// Policies returns all policies, and the changes that wait for a second person.
func (c *Console) Policies(ctx context.Context, caller Caller) (v PoliciesView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		v = PoliciesView{MayManage: console.ManagePolicies.Of(me, console.Object{})}
		if err := seesPolicies(tx, me); err != nil {
			return err
		}
		if v.Policies, err = tx.Policies(); err != nil {
			return err
		}
		open, err := tx.OpenAmendments()
		for _, a := range open {
			view, viewErr := amendmentView(tx, me, a)
			if viewErr != nil {
				return viewErr
			}
			if view.MayDecide || a.Author == me.ID || console.SeePolicies.Of(me, console.Object{}) {
				v.Amendments = append(v.Amendments, view)
			}
		}
		return err
	})
	return v, err
}

func amendmentView(tx *store.Tx, me console.Person, a console.Amendment) (v AmendmentView, err error) {
	v.Amendment = a
	author := console.Person{Name: "the console, from its configuration file"}
	if a.Author != "" {
		if author, err = tx.Person(a.Author); err != nil {
			return v, err
		}
	}
	v.AuthorName = author.Name
	o := console.Object{}
	if a.App != "" {
		app, err := tx.App(a.App)
		if err != nil {
			return v, err
		}
		v.AppName, o.App = app.Name, &app
	}
	subject, err := subjectOf(a)
	if err != nil {
		return v, err
	}
	right := console.SecondChanges
	if a.Kind == console.AmendRoles {
		right = console.ChangeRoles
	}
	v.MayDecide = right.Of(me, o) && author.Canonical() != me.ID && subject != me.ID
	v.What = map[console.AmendmentKind]string{console.AmendPolicy: "A policy asks for less", console.AmendSettings: "What may be asked for, or who decides",
		console.AmendApp: "Owners, roles or the minimum of admins", console.AmendAccount: "The type of an administrator's account",
		console.AmendRequirement: "A requirement asks for less", console.AmendExemption: "Somebody is exempt from a requirement",
		console.AmendErasure: "The personal data of a person is erased", console.AmendRoles: "A person gets roles in the console"}[a.Kind]
	return v, nil
}

// PolicyView is a policy with its versions.
type PolicyView struct {
	console.Policy                  // the newest version
	Versions       []console.Policy // the newest first
	Named          console.Policy   // with e-mail addresses and names instead of IDs
	Names          Names
	MayManage      bool
}

// Policy returns a policy with its versions.
func (c *Console) Policy(ctx context.Context, caller Caller, id console.ID) (v PolicyView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		v = PolicyView{Names: Names{}, MayManage: console.ManagePolicies.Of(me, console.Object{})}
		if err := seesPolicies(tx, me); err != nil {
			return err
		}
		if _, err := tx.Policy(id); err != nil {
			return err
		}
		if v.Versions, err = tx.PolicyVersions(id); err != nil {
			return err
		}
		v.Policy = v.Versions[0]
		if v.Named, err = NamePolicy(tx, v.Policy); err != nil {
			return err
		}
		for _, p := range v.Versions {
			if err := v.Names.add(tx, p.Author, p.Second); err != nil {
				return err
			}
		}
		return nil
	})
	return v, err
}

// Saved is the result of a change.
type Saved struct {
	Waits bool // a second person has to confirm it
	ID    console.ID
}

// checkPolicyName refuses a name that another policy has, because people select policies by name, and
// names that no object can have.
func checkPolicyName(tx *store.Tx, p console.Policy) error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	all, err := tx.Policies()
	for _, other := range all {
		if other.ID != p.ID && strings.EqualFold(other.Name, strings.TrimSpace(p.Name)) {
			return baton.Errorf(baton.Invalid, "another policy is called “%s”", other.Name).WithFix("Choose another name.")
		}
	}
	return err
}

// SavePolicy adds the next version of a policy, or a new policy if it has no ID. before is the
// version that the caller saw. A weaker version waits for a second person. People are given by ID or
// e-mail address, applications by ID or name.
func (c *Console) SavePolicy(ctx context.Context, caller Caller, p console.Policy, before int, why string) (saved Saved, err error) {
	err = c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		saved = Saved{}
		if err := console.ManagePolicies.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := CheckPolicy(p); err != nil {
			return err
		}
		if p, err = ResolvePolicy(tx, p); err != nil {
			return err
		}
		if err := checkGroups(tx, p); err != nil {
			return err
		}
		if err := checkPolicyName(tx, p); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		p.Author, p.Second, p.Weaker = me.ID, "", false
		if p.ID == "" { // a new policy is not used yet
			added, err := tx.AddPolicyVersion(p, 0)
			saved.ID = added.ID
			return err
		}
		have, err := tx.Policy(p.ID)
		if err != nil {
			return err
		}
		saved.ID, p.Kind = p.ID, have.Kind
		if have.Version != before {
			return baton.Errorf(baton.Refused, "the policy was changed meanwhile").WithFix("Load it again.")
		}
		if p.AtLeast(have) {
			_, err := tx.AddPolicyVersion(p, before)
			return err
		}
		p.Weaker, p.Version, saved.Waits = true, before, true
		return amend(tx, console.AmendPolicy, "", string(p.ID), have, p, why)
	})
	return saved, err
}

// amend records a change that a second person has to confirm.
func amend(tx *store.Tx, kind console.AmendmentKind, app console.ID, object string, before, after any, why string) error {
	if strings.TrimSpace(why) == "" {
		return baton.Errorf(baton.Invalid, "this change asks for less: say why").WithFix("A second person reads it and confirms the change.")
	}
	b, err := json.Marshal(before)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode change: %w", err)
	}
	a, err := json.Marshal(after)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode change: %w", err)
	}
	_, err = tx.AddAmendment(console.Amendment{Kind: kind, App: app, Object: object, Before: b, After: a, Why: why})
	return err
}

// DecideAmendment confirms or discards another person's change.
func (c *Console) DecideAmendment(ctx context.Context, caller Caller, id console.ID, confirm bool) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		a, err := tx.Amendment(id)
		if err != nil {
			return err
		}
		v, err := amendmentView(tx, me, a)
		if err != nil {
			return err
		}
		author := a.Author
		if author != "" {
			if author, err = tx.Canonical(author); err != nil {
				return err
			}
		}
		if author == me.ID && !confirm {
			return tx.DecideAmendment(id, console.AmendmentDiscarded)
		}
		o := console.Object{}
		if a.App != "" {
			app, err := tx.App(a.App)
			if err != nil {
				return err
			}
			o.App = &app
		}
		right := console.SecondChanges
		if a.Kind == console.AmendRoles {
			right = console.ChangeRoles
		}
		if err := right.Check(me, o); err != nil {
			return hidden("change", err)
		}
		subject, err := subjectOf(a)
		if err == nil && subject != "" {
			subject, err = tx.Canonical(subject)
		}
		if err != nil {
			return err
		}
		if author, err = behindService(tx, author, me.ID); err != nil {
			return err
		}
		if err := (console.Decision{Actor: me.ID, Requester: author, Subject: subject}).CheckSelf(func(p console.ID) console.ID { return p }); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		if !confirm {
			return tx.DecideAmendment(id, console.AmendmentDiscarded)
		}
		if err := tx.DecideAmendment(id, console.AmendmentConfirmed); err != nil {
			return err
		}
		return applyAmendment(tx, v.Amendment, me.ID)
	})
}

// behindService returns a person who made a credential of the service that wrote a change, if that is
// the one who decides: through the credential, it is their own change. Otherwise it returns the author.
func behindService(tx *store.Tx, author, decides console.ID) (console.ID, error) {
	if author == "" {
		return author, nil
	}
	p, err := tx.Person(author)
	if err != nil || !p.Service {
		return author, err
	}
	clients, err := tx.Clients(author, "", store.PageSize)
	for _, c := range clients {
		if creator, err := tx.Canonical(c.Creator); err != nil || creator == decides {
			return creator, err
		}
	}
	return author, err
}

// applyAmendment makes a confirmed change. Refused if its object was changed in the meantime.
func applyAmendment(tx *store.Tx, a console.Amendment, second console.ID) error {
	decode := func(v any) error {
		if err := json.Unmarshal(a.After, v); err != nil {
			return baton.Errorf(baton.Corrupt, "change %s: %w", a.ID, err)
		}
		return nil
	}
	switch a.Kind {
	case console.AmendPolicy:
		var p console.Policy
		if err := decode(&p); err != nil {
			return err
		}
		p.Author, p.Second = a.Author, second
		_, err := tx.AddPolicyVersion(p, p.Version)
		return err
	case console.AmendSettings:
		var s console.SettingsVersion
		if err := decode(&s); err != nil {
			return err
		}
		s.Author, s.Second = a.Author, second
		return tx.AddRequestSettings(s)
	case console.AmendApp:
		return applyGuards(tx, a)
	case console.AmendAccount:
		return applyAccountType(tx, a)
	case console.AmendRequirement, console.AmendExemption:
		return applyRequirement(tx, a, second)
	case console.AmendRoles:
		var before, r console.RolesChange
		if err := json.Unmarshal(a.Before, &before); err != nil {
			return baton.Errorf(baton.Corrupt, "change %s: %w", a.ID, err)
		}
		if err := decode(&r); err != nil {
			return err
		}
		p, err := tx.Person(r.Person)
		if err != nil {
			return err
		}
		if p.MergedInto != "" || !slices.Equal(p.Roles, before.Roles) {
			return baton.Errorf(baton.Refused, "the roles of the person were changed since").WithFix("Discard the change, and propose it again.")
		}
		return tx.SetRoles(r.Person, r.Roles)
	case console.AmendErasure:
		return tx.ErasePerson(console.ID(a.Object), a.Author, second, a.Why)
	}
	return baton.Errorf(baton.Corrupt, "change %s is of no kind that is known", a.ID)
}

func applyGuards(tx *store.Tx, a console.Amendment) error {
	var before, after console.AppGuards
	if err := json.Unmarshal(a.Before, &before); err != nil {
		return baton.Errorf(baton.Corrupt, "change %s: %w", a.ID, err)
	}
	if err := json.Unmarshal(a.After, &after); err != nil {
		return baton.Errorf(baton.Corrupt, "change %s: %w", a.ID, err)
	}
	app, err := tx.LockApp(a.App)
	if err != nil {
		return err
	}
	now, err := json.Marshal(console.GuardsOf(app))
	if err != nil {
		return baton.Errorf(baton.Internal, "encode: %w", err)
	}
	if string(now) != string(a.Before) {
		return baton.Errorf(baton.Refused, "the application was changed since").WithFix("Discard the change, and propose it again.")
	}
	app.Owners = after.Owners
	if err := tx.ChangeApp(app); err != nil {
		return err
	}
	return tx.SetRoleMap(app.ID, after.Roles, after.MinimumAdmins)
}

func applyAccountType(tx *store.Tx, a console.Amendment) error {
	var before, after console.AccountTypeChange
	for b, v := range map[*console.AccountTypeChange][]byte{&before: a.Before, &after: a.After} {
		if err := json.Unmarshal(v, b); err != nil {
			return baton.Errorf(baton.Corrupt, "change %s: %w", a.ID, err)
		}
	}
	now, err := tx.AccountKind(after.Account, time.Time{})
	if err != nil {
		return err
	}
	if now.Kind != before.Kind {
		return baton.Errorf(baton.Refused, "the type of the account was changed since").WithFix("Discard the change, and propose it again.")
	}
	return tx.SetAccountKind(after.Account, after.Kind)
}

// SettingsView holds the request settings of an entitlement or a whole app.
type SettingsView struct {
	App      console.App
	Name     string // of the entitlement; "" for the whole app
	Admin    bool
	Current  console.SettingsVersion
	Resolved console.RequestSettings // the effective settings, with defaults
	Policies []console.Policy        // of every kind
	Names    Names
}

// RequestSettings returns the request settings of an entitlement, or of a whole app for
// [console.WholeApp].
func (c *Console) RequestSettings(ctx context.Context, caller Caller, app console.ID, e console.EntitlementKey) (v SettingsView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		v, err = settingsView(tx, me, app, e)
		return err
	})
	return v, err
}

func settingsView(tx *store.Tx, me console.Person, app console.ID, e console.EntitlementKey) (v SettingsView, err error) {
	v.Names = Names{}
	if v.App, err = seeApp(tx, me, app, console.ConfigureApps); err != nil {
		return v, err
	}
	newest := func(e console.EntitlementKey) (s console.SettingsVersion, err error) {
		s = console.SettingsVersion{App: app, Entitlement: e}
		versions, err := tx.RequestSettings(app, e)
		if err == nil && len(versions) > 0 {
			s = versions[0]
		}
		return s, err
	}
	whole, err := newest(console.WholeApp)
	if err != nil {
		return v, err
	}
	if v.Current, err = newest(e); err != nil {
		return v, err
	}
	if e != console.WholeApp {
		v.Admin = v.App.Roles.GivesAdmin(e)
		v.Name = approve.AccountName
		if e != console.AccountItself {
			if v.Name, err = requestedName(tx, console.Request{App: app, Entitlement: e}); err != nil {
				return v, err
			}
		}
		v.Resolved = v.Current.Settings.Resolve(whole.Settings, v.Admin)
	} else {
		v.Resolved = console.RequestSettings{}.Resolve(v.Current.Settings, false)
	}
	if v.Policies, err = tx.Policies(); err == nil {
		err = v.Names.add(tx, v.Current.Settings.Owners...)
	}
	return v, err
}

// checkChosenPolicies returns an error if a policy does not exist or has the wrong kind.
func checkChosenPolicies(tx *store.Tx, s console.RequestSettings) error {
	for _, chosen := range []struct {
		policy console.ID
		kind   console.PolicyKind
	}{{s.Policy, console.PolicyRequest}, {s.Emergency, console.PolicyRequest}, {s.Revoke, console.PolicyRevoke}, {s.Review, console.PolicyReview}} {
		if chosen.policy == "" {
			continue
		}
		p, err := tx.Policy(chosen.policy)
		if err != nil {
			return err
		}
		if p.Kind != chosen.kind {
			return baton.Errorf(baton.Invalid, "the policy “%s” is for another kind of decisions", p.Name)
		}
	}
	return nil
}

const maxSettingsOwners = 32

// SetRequestSettings sets the request settings and, by e-mail address, the owners of an entitlement.
// s.Version is the version that the caller saw. Weaker settings for administrators wait for a second
// person.
func (c *Console) SetRequestSettings(ctx context.Context, caller Caller, s console.SettingsVersion, owners []string, why string) (saved Saved, err error) {
	err = c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		saved = Saved{}
		if len(owners) > maxSettingsOwners {
			return baton.Errorf(baton.Invalid, "an entitlement has at most %d owners", maxSettingsOwners)
		}
		v, err := settingsView(tx, me, s.App, s.Entitlement)
		if err != nil {
			return err
		}
		s.Settings.Owners = nil
		for _, email := range owners {
			p, err := tx.PersonByEmail(email)
			if baton.KindOf(err) == baton.NotFound {
				return baton.Errorf(baton.Invalid, "nobody has the address %q", email)
			}
			if err != nil {
				return err
			}
			s.Settings.Owners = append(s.Settings.Owners, p.Canonical())
		}
		saved, err = setRequestSettings(tx, v, s, why)
		return err
	})
	return saved, err
}

// setRequestSettings writes request settings, or asks a second person to confirm them. v holds the
// current ones.
func setRequestSettings(tx *store.Tx, v SettingsView, s console.SettingsVersion, why string) (saved Saved, err error) {
	if s.Version != v.Current.Version {
		return saved, baton.Errorf(baton.Refused, "what may be asked for was changed meanwhile").WithFix("Load it again.")
	}
	if err := checkChosenPolicies(tx, s.Settings); err != nil {
		return saved, err
	}
	s.Weaker = !s.Settings.AtLeast(v.Current.Settings)
	if !s.Weaker || s.Entitlement != console.WholeApp && !v.Admin {
		return saved, tx.AddRequestSettings(s)
	}
	saved.Waits = true
	return saved, amend(tx, console.AmendSettings, s.App, string(s.App), v.Current, s, why)
}

// Delegation returns the caller's delegation; the zero value if there is none.
func (c *Console) Delegation(ctx context.Context, caller Caller) (d console.Delegation, delegate console.Person, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if d, err = tx.Delegation(me.ID); err != nil || d.Delegate == "" {
			return err
		}
		delegate, err = tx.Person(d.Delegate)
		return err
	})
	return d, delegate, err
}

// SetDelegation lets somebody else decide for the caller during a period, by e-mail address; an
// empty address ends it.
func (c *Console) SetDelegation(ctx context.Context, caller Caller, email string, d console.Delegation) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		d.Person, d.Delegate = me.ID, ""
		if email = strings.TrimSpace(email); email != "" {
			p, err := tx.PersonByEmail(email)
			if baton.KindOf(err) == baton.NotFound {
				return baton.Errorf(baton.Invalid, "nobody has the address %q", email)
			}
			if err != nil {
				return err
			}
			d.Delegate = p.Canonical()
		}
		return tx.SetDelegation(d)
	})
}
