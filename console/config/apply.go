package config

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/login"
	"baton/console/schedule"
	"baton/console/store"
)

// Applied are the connectors of an applied file, by name.
type Applied map[string]console.Connector

// Apply applies the files in one transaction: see [Ready.ApplyIn].
func (f *File) Apply(ctx context.Context, s *store.Store, by console.By, o Options) (Applied, console.ConfigurationPlan, error) {
	var applied Applied
	var plan console.ConfigurationPlan
	ready, err := f.prepare()
	if err != nil {
		return nil, plan, err
	}
	err = s.Update(ctx, by, func(t *store.Tx) (err error) {
		plan, applied, err = ready.ApplyIn(t, o)
		return err
	})
	return applied, plan, err
}

// Ready holds files with what takes long to make of them.
type Ready struct {
	*File
	logins       map[string]console.Login // by e-mail address
	mailPassword baton.Secret
}

// Apply does what [Ready.ApplyIn] does.
func (r *Ready) Apply(t *store.Tx, o Options) (console.ConfigurationPlan, error) {
	plan, _, err := r.ApplyIn(t, o)
	return plan, err
}

// prepare reads and hashes the secrets of the files, outside of the transaction.
func (f *File) prepare() (*Ready, error) {
	r := &Ready{File: f, logins: map[string]console.Login{}}
	for i, p := range f.People {
		if p.PasswordFile == "" {
			continue
		}
		at := f.at("people", i)
		password, err := f.secret(at, "password_file", p.PasswordFile)
		if err != nil {
			return nil, err
		}
		hash, err := login.HashPassword(password)
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "%s: password_file of %s: %w", at, p.Email, err).WithFix("%s", baton.FixOf(err))
		}
		r.logins[p.Email] = console.Login{Name: p.loginName(), Password: hash}
	}
	if f.Mail != nil {
		r.mailPassword = f.Mail.Password.Secret
		if f.Mail.PasswordFile != "" {
			var err error
			if r.mailPassword, err = f.secret(f.at("mail", 0), "password_file", f.Mail.PasswordFile); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// reference identifies an object.
type reference struct {
	kind console.ConfigurationKind
	id   string
}

// applying is one application of files, in a transaction.
type applying struct {
	*Ready
	Options
	t       *store.Tx
	applied Applied
	// What the files want and what does not take effect at once, by app or object.
	guards       map[console.ID]console.AppGuards
	settings     map[console.ID]console.RequestSettings
	policies     map[console.ID]console.Policy
	roles        map[console.ID][]console.ConsoleRole
	requirements map[string]Requirement // by the ID of the object
	automations  map[string]Automation  // the same
	incompatible map[string]Incompatible
	waits        map[reference]console.ConfigurationWait
	secrets      map[reference][]string // names of changed secrets
	created      map[reference]bool
	claimed      map[reference]bool // named by keys of the files
}

// ApplyIn creates and changes what the files describe, and records what they describe as the newest
// files of their source. It does not change what the files do not name, and applying them again changes
// nothing. Changes by a person that weaken a control wait for a second person. The error is Refused if
// nobody could administer the console afterwards.
func (r *Ready) ApplyIn(t *store.Tx, o Options) (plan console.ConfigurationPlan, applied Applied, err error) {
	a := &applying{Ready: r, Options: o, t: t, applied: Applied{}, guards: map[console.ID]console.AppGuards{}, settings: map[console.ID]console.RequestSettings{},
		policies: map[console.ID]console.Policy{}, roles: map[console.ID][]console.ConsoleRole{}, requirements: map[string]Requirement{}, automations: map[string]Automation{}, incompatible: map[string]Incompatible{}, claimed: map[reference]bool{},
		waits: map[reference]console.ConfigurationWait{}, secrets: map[reference][]string{}, created: map[reference]bool{}}
	if err := a.claim(); err != nil {
		return plan, nil, err
	}
	objects := a.objects()
	before, err := a.before(objects)
	if err != nil {
		return plan, nil, err
	}
	for _, step := range []func() error{a.applyProviders, a.applyPeople, a.applyApps, a.applyPolicies, a.applyConnectors, a.applyRequirements, a.applyIncompatible, a.applyAutomations, a.applyMail, a.applyRetention} {
		if err := step(); err != nil {
			return plan, nil, err
		}
	}
	plan, managed, err := a.compare(objects, before)
	if err != nil {
		return plan, nil, err
	}
	if managed, err = a.prune(&plan, managed); err != nil {
		return plan, nil, err
	}
	if err := checkAdministrators(t); err != nil {
		return plan, nil, err
	}
	if plan.Seal(); o.Digest != "" && o.Digest != plan.Digest {
		return plan, nil, baton.Errorf(baton.Refused, "the console or the files changed since the plan %s was made", o.Digest).WithFix("Make a new plan, and apply that one.")
	}
	return plan, a.applied, a.record(plan, managed)
}

// before returns the objects as the console has them, nil for those that it does not have. Others name
// those with keys, so these are renamed in between.
func (a *applying) before(objects []object) (before []*described, err error) {
	before = make([]*described, len(objects))
	for _, keyed := range []bool{true, false} {
		for i, o := range objects {
			if (o.key != "") != keyed {
				continue
			}
			if before[i], err = o.now(a.t); err != nil {
				return nil, err
			}
		}
		if !keyed {
			break
		}
		if err := a.rename(); err != nil {
			return nil, err
		}
	}
	return before, nil
}

// compare returns how the console differs from the files, and the objects that they manage.
func (a *applying) compare(objects []object, before []*described) (plan console.ConfigurationPlan, managed []console.ManagedObject, err error) {
	plan = console.ConfigurationPlan{Source: a.Source, Changes: []console.ConfigurationDifference{}, Unmanaged: []console.ConfiguredObject{}}
	for i, o := range objects {
		id, err := o.id(a.t)
		if err != nil {
			return plan, nil, err
		}
		after, err := find(a.t, o.kind, id)
		if err != nil {
			return plan, nil, err
		}
		if after == nil { // it waits for a sync
			after = &described{console.ConfiguredObject{Kind: o.kind, ID: id, Name: o.name}, map[string]any{}}
		}
		wanted, err := a.wanted(o, *after)
		if err != nil {
			return plan, nil, err
		}
		if d := a.difference(o, before[i], after, wanted); len(d.Fields) > 0 || d.Do == console.ConfigurationCreate {
			plan.Changes = append(plan.Changes, d)
		}
		text, err := json.Marshal(wanted)
		if err != nil {
			return plan, nil, baton.Errorf(baton.Internal, "encode configuration: %w", err)
		}
		managed = append(managed, console.ManagedObject{ConfiguredObject: after.ConfiguredObject, Key: o.key, Place: o.at.String(), Described: text})
	}
	return plan, managed, nil
}

// wanted returns an object as the files want it: as it is now, with what waits.
func (a *applying) wanted(o object, after described) (map[string]any, error) {
	var value any
	id := console.ID(after.ID)
	switch o.kind {
	case console.ConfiguredApp:
		guards, waits := a.guards[id]
		settings, chosen := a.settings[id]
		if !waits && !chosen {
			return o.part(after.all), nil
		}
		app, err := a.t.App(id)
		if err != nil {
			return nil, err
		}
		s, err := stateOfApp(a.t, app)
		if err != nil {
			return nil, err
		}
		if waits {
			s.Owners, s.Roles, s.MinimumAdmins = guards.Owners, guards.Roles, guards.MinimumAdmins
		}
		if chosen {
			s.Settings = settings
		}
		if value, err = describeApp(a.t, s); err != nil {
			return nil, err
		}
	case console.ConfiguredPolicy:
		p, waits := a.policies[id]
		if !waits {
			return o.part(after.all), nil
		}
		var err error
		if value, err = describePolicy(a.t, p); err != nil {
			return nil, err
		}
	case console.ConfiguredPerson:
		roles, waits := a.roles[id]
		if !waits {
			return o.part(after.all), nil
		}
		p, err := a.t.Person(id)
		if err != nil {
			return nil, err
		}
		d, err := describePerson(a.t, p)
		if err != nil {
			return nil, err
		}
		d.Roles = slices.Compact(slices.Sorted(slices.Values(roles)))
		value = d
	case console.ConfiguredRequirement:
		r, waits := a.requirements[after.ID]
		if !waits {
			return o.part(after.all), nil
		}
		value = r
	case console.ConfiguredIncompatible:
		d, waits := a.incompatible[after.ID]
		if !waits {
			return o.part(after.all), nil
		}
		value = d
	case console.ConfiguredAutomation:
		d, waits := a.automations[after.ID]
		if !waits {
			return o.part(after.all), nil
		}
		value = d
	default:
		return o.part(after.all), nil
	}
	all, err := tree(value)
	return o.part(all), err
}

// placed returns an error about an object of the files with its file and line.
func placed(at place, err error) error {
	if at.file == "" || strings.HasPrefix(err.Error(), at.file+": line ") {
		return err
	}
	switch kind := baton.KindOf(err); kind {
	case baton.Invalid, baton.Refused, baton.PermissionDenied, baton.AlreadyExists:
		return baton.Errorf(kind, "%s: %w", at, err).WithFix("%s", baton.FixOf(err))
	}
	return err
}

func (a *applying) applyPeople() error {
	t := a.t
	for i, p := range a.People {
		if err := a.applyPerson(a.at("people", i), p); err != nil {
			return placed(a.at("people", i), err)
		}
	}
	for i, p := range a.People { // managers may be described later in the file
		if p.Manager == "" {
			continue
		}
		manager, err := personOf(t, p.Manager, "manager of "+p.Email)
		if err != nil {
			return placed(a.at("people", i), err)
		}
		person, err := t.PersonByEmail(p.Email)
		if err == nil && person.Manager != manager {
			person.Manager = manager
			err = t.ChangePerson(person)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) applyPerson(at place, p Person) error {
	t := a.t
	person, err := t.PersonByEmail(p.Email)
	if err == nil && person.MergedInto != "" {
		person, err = t.Person(person.MergedInto)
	}
	switch {
	case baton.KindOf(err) == baton.NotFound:
		person = console.Person{Name: p.Name, Emails: []string{p.Email}}
		if !a.Program {
			person.Roles = slices.Compact(slices.Sorted(slices.Values(p.Roles)))
		}
		if person.ID, err = t.AddPerson(person); err != nil {
			return err
		}
		if a.Program && len(p.Roles) > 0 {
			if err := a.applyRoles(person, p.Roles); err != nil {
				return err
			}
		}
	case err != nil:
		return err
	default:
		if person.Name != p.Name {
			person.Name = p.Name
			if err := t.ChangePerson(person); err != nil {
				return err
			}
		}
		if p.Roles != nil {
			if err := a.applyRoles(person, p.Roles); err != nil {
				return err
			}
		}
	}
	l, wanted := a.logins[p.Email]
	if !wanted {
		return nil
	}
	if _, err := t.Login(person.ID); baton.KindOf(err) != baton.NotFound {
		return err // nil if there is a login
	}
	if a.Program {
		return baton.Errorf(baton.PermissionDenied, "%s: a credential cannot give %s a login", at, p.Email).WithFix("Leave out password_file, and invite the person on their page.")
	}
	l.Person = person.ID
	key := reference{console.ConfiguredPerson, string(person.ID)}
	a.secrets[key] = append(a.secrets[key], "login")
	return t.SetLogin(l, p.TOTPSecret.Secret)
}

// applyRoles sets the manually given roles of a person. Roles from groups of providers stay. What a
// program changes waits for a second person.
func (a *applying) applyRoles(person console.Person, roles []console.ConsoleRole) error {
	mapped, err := a.t.MappedRoles(person.ID)
	if err != nil {
		return err
	}
	want := slices.Clone(roles)
	for _, r := range person.Roles {
		if len(mapped[r]) > 0 {
			want = append(want, r)
		}
	}
	if sameSet(want, person.Roles) {
		return nil
	}
	want = slices.Compact(slices.Sorted(slices.Values(want)))
	if !a.Program {
		return a.t.SetRoles(person.ID, want)
	}
	a.roles[person.ID] = roles
	return a.proposeRoles(person, want)
}

func (a *applying) proposeRoles(person console.Person, want []console.ConsoleRole) error {
	return a.propose(reference{console.ConfiguredPerson, string(person.ID)}, console.Amendment{Kind: console.AmendRoles, Object: string(person.ID)},
		console.RolesChange{Person: person.ID, Roles: person.Roles}, console.RolesChange{Person: person.ID, Roles: want})
}

func sameSet[T ~string](a, b []T) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}

// personOf returns the person with an e-mail address.
func personOf(t *store.Tx, email, what string) (console.ID, error) {
	p, err := t.PersonByEmail(email)
	if baton.KindOf(err) == baton.NotFound {
		return "", baton.Errorf(baton.Invalid, "%s: nobody has the address %q", what, email).WithFix("Add the person to people.")
	}
	return p.Canonical(), err
}

func personsOf(t *store.Tx, emails []string, what string) (ids []console.ID, err error) {
	for _, email := range emails {
		id, err := personOf(t, email, what)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (a *applying) applyApps() error {
	for i, d := range a.Apps {
		if err := a.applyApp(d); err != nil {
			return placed(a.at("apps", i), err)
		}
	}
	return nil
}

func (a *applying) applyApp(d App) error {
	owners, err := personsOf(a.t, d.Owners, "owners of app "+d.Name)
	if err != nil {
		return err
	}
	app, err := a.t.AppByName(d.Name)
	if baton.KindOf(err) == baton.NotFound {
		app = console.App{Name: d.Name, Owners: owners}
		if d.MinimumAdmins != nil {
			app.MinimumAdmins = *d.MinimumAdmins
		}
		if app.ID, err = a.t.AddApp(app); err == nil {
			a.created[reference{console.ConfiguredApp, string(app.ID)}] = true
			app, err = a.t.App(app.ID)
		}
	}
	if err != nil {
		return err
	}
	if d.Seats != nil {
		if err := applySeats(a.t, app.ID, *d.Seats); err != nil {
			return err
		}
	}
	want := console.GuardsOf(app)
	if d.Owners != nil && !sameSet(owners, app.Owners) {
		want.Owners = owners
	}
	if d.MinimumAdmins != nil {
		want.MinimumAdmins = *d.MinimumAdmins
	}
	if d.AdminEntitlements != nil {
		keys, old, err := a.listedAdmins(app, d.AdminEntitlements)
		if err != nil {
			return err
		}
		want.Roles.Roles = adminRoles(want.Roles.Roles, keys, old)
	}
	var missing []Role
	if d.Roles != nil {
		var roles console.RoleMap
		if roles, missing, err = d.roleMap(a.t, app.ID); err != nil {
			return err
		}
		if !sameRoles(roles, want.Roles) {
			want.Roles = roles
		}
	}
	waits, err := a.guard(app, want)
	switch {
	case err != nil:
		return err
	case d.AdminEntitlements != nil:
		if err := keepSetting(a.t, missingRolesSetting(app.ID), []Role(nil), true); err != nil {
			return err
		}
		return a.keepAdmins(app, d.AdminEntitlements, waits)
	case d.Roles != nil && !waits:
		if err := keepSetting(a.t, console.AdminEntitlementsSetting(app.ID), []string(nil), true); err != nil {
			return err
		}
		return keepSetting(a.t, missingRolesSetting(app.ID), missing, len(missing) == 0)
	}
	return nil
}

// listedAdmins returns the administrator entitlements of a list that syncs show, and those of the list
// that counted before.
func (a *applying) listedAdmins(app console.App, ids []string) (keys, old []console.EntitlementKey, err error) {
	if old, _, err = namedAdmins(a.t, app.ID); err != nil {
		return nil, nil, err
	}
	dropped, err := a.droppedAdmins(app)
	if err != nil {
		return nil, nil, err
	}
	keys, _, err = findAdmins(a.t, app.ID, ids)
	return keys, append(old, dropped...), err
}

// droppedAdmins returns the administrator entitlements that files do not list any more, and that stay
// because the change waits for a second person, or because somebody discarded it.
func (a *applying) droppedAdmins(app console.App) (keys []console.EntitlementKey, err error) {
	last, err := a.t.LastAmendment(console.AmendApp, string(app.ID))
	if err != nil || last == nil || last.Why != fileReason || last.State != console.AmendmentOpen && last.State != console.AmendmentDiscarded {
		return nil, err
	}
	var before, after console.AppGuards
	if err := errors.Join(json.Unmarshal(last.Before, &before), json.Unmarshal(last.After, &after)); err != nil {
		return nil, baton.Errorf(baton.Corrupt, "the proposed change of app %s: %w", app.Name, err)
	}
	return slices.DeleteFunc(before.Roles.AdminEntitlements(), after.Roles.GivesAdmin), nil
}

// keepAdmins stores the list of an app's administrator entitlements, which counts for later syncs.
// While a change waits for a second person, the list has no entitlement that only the change adds.
func (a *applying) keepAdmins(app console.App, ids []string, waits bool) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if waits {
		var kept []string
		for _, id := range ids {
			keys, missing, err := findAdmins(a.t, app.ID, []string{id})
			if err != nil {
				return err
			}
			if len(missing) > 0 || app.Roles.GivesAdmin(keys[0]) {
				kept = append(kept, id)
			}
		}
		ids = kept
	}
	b, err := json.Marshal(ids)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode entitlements: %w", err)
	}
	before, err := a.t.Setting(console.AdminEntitlementsSetting(app.ID))
	if err != nil && baton.KindOf(err) != baton.NotFound || string(before) == string(b) {
		return ignoreMissing(err)
	}
	return a.t.SetSetting(console.AdminEntitlementsSetting(app.ID), b)
}

func ignoreMissing(err error) error {
	if baton.KindOf(err) == baton.NotFound {
		return nil
	}
	return err
}

// guard sets who owns an app, its roles and its minimum of admins. If that guards its
// administrators less than before, it is written down for a person to confirm: the files are the first
// of the two whom such a change takes.
func (a *applying) guard(app console.App, want console.AppGuards) (waits bool, err error) {
	before := console.GuardsOf(app)
	same, err := sameJSON(before, want)
	if err != nil || same {
		return false, err
	}
	if len(app.Roles.AdminEntitlements()) == 0 || want.AtLeast(before) {
		if !sameSet(want.Owners, before.Owners) {
			app.Owners = want.Owners
			if err := a.t.ChangeApp(app); err != nil {
				return false, err
			}
		}
		if same, err := sameJSON([]any{before.Roles, before.MinimumAdmins}, []any{want.Roles, want.MinimumAdmins}); err != nil || same {
			return false, err
		}
		return false, a.t.SetRoleMap(app.ID, want.Roles, want.MinimumAdmins)
	}
	a.guards[app.ID] = want
	return true, a.propose(reference{console.ConfiguredApp, string(app.ID)}, console.Amendment{Kind: console.AmendApp, App: app.ID, Object: string(app.ID)}, before, want)
}

// sameJSON reports whether the stored forms of two values are equal.
func sameJSON(a, b any) (bool, error) {
	x, err := json.Marshal(a)
	if err != nil {
		return false, baton.Errorf(baton.Internal, "encode: %w", err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		return false, baton.Errorf(baton.Internal, "encode: %w", err)
	}
	return string(x) == string(y), nil
}

// propose writes down a change that a second person has to confirm.
func (a *applying) propose(of reference, m console.Amendment, before, after any) (err error) {
	m.Author = a.t.By().Actor.Person()
	a.waits[of], err = propose(a.t, m, before, after)
	return err
}

// fileReason is the reason of changes that files propose.
const fileReason = "The configuration files say so."

// propose writes down a change that a second person has to confirm, unless that was done before. A
// change that somebody discarded is not proposed again until the files say something else.
func propose(t *store.Tx, m console.Amendment, before, after any) (wait console.ConfigurationWait, err error) {
	if m.Before, err = json.Marshal(before); err != nil {
		return "", baton.Errorf(baton.Internal, "encode: %w", err)
	}
	if m.After, err = json.Marshal(after); err != nil {
		return "", baton.Errorf(baton.Internal, "encode: %w", err)
	}
	last, err := t.LastAmendment(m.Kind, m.Object)
	if err != nil {
		return "", err
	}
	if last != nil && string(last.After) == string(m.After) && string(last.Before) == string(m.Before) {
		switch last.State {
		case console.AmendmentDiscarded:
			return console.WaitsDiscarded, nil
		case console.AmendmentOpen:
			return console.WaitsForSecondPerson, nil
		}
	}
	if last != nil && last.State == console.AmendmentOpen && last.Author == m.Author && last.Why == fileReason {
		if err := t.DecideAmendment(last.ID, console.AmendmentDiscarded); err != nil { // replaced by this one
			return "", err
		}
	}
	m.Why = fileReason
	_, err = t.AddAmendment(m)
	return console.WaitsForSecondPerson, err
}

func (a *applying) applyConnectors() error {
	for i, c := range a.Connectors {
		if err := a.applyConnector(a.at("connectors", i), c); err != nil {
			return placed(a.at("connectors", i), err)
		}
	}
	return nil
}

func (a *applying) applyConnector(at place, c Connector) error {
	t := a.t
	app, err := t.AppByName(c.App)
	if baton.KindOf(err) == baton.NotFound {
		return baton.Errorf(baton.Invalid, "connector %s: there is no app %q", c.Name, c.App).WithFix("Add the app to apps.")
	}
	if err != nil {
		return err
	}
	owners, err := personsOf(t, c.Owners, "owners of connector "+c.Name)
	if err != nil {
		return err
	}
	have, err := t.ConnectorByName(c.Name)
	switch {
	case baton.KindOf(err) == baton.NotFound:
		have = console.Connector{App: app.ID, Name: c.Name, Product: c.Product, Hosting: c.hosting(), Owners: owners, Interval: c.interval(), Cron: c.Cron, Zone: c.Zone}
		if c.Hosted {
			have.Product = strings.TrimPrefix(c.Product, "baton-")
		}
		if have.ID, err = t.AddConnector(have); err != nil {
			return err
		}
	case err != nil:
		return err
	case have.App != app.ID:
		return baton.Errorf(baton.Refused, "connector %q belongs to another app than %q", c.Name, c.App).WithFix("Give the connector of %s another name.", c.App)
	case c.Hosted != (have.Hosting == console.Hosted) || c.Uploaded && have.Hosting != console.ByFile:
		return baton.Errorf(baton.Refused, "connector %q runs elsewhere than the file says: where a connector runs is not changed", c.Name).
			WithFix("Add a connector of another name.")
	default:
		want := have
		if c.Product != "" {
			if want.Product = c.Product; c.Hosted {
				want.Product = strings.TrimPrefix(c.Product, "baton-")
			}
		}
		if c.Interval != 0 {
			want.Interval, want.Cron, want.Zone = time.Duration(c.Interval), "", ""
		}
		if c.Cron != "" {
			want.Cron, want.Zone = c.Cron, c.Zone
		}
		if c.Owners != nil && !sameSet(owners, have.Owners) {
			want.Owners = owners
		}
		if want.Product != have.Product || schedule.Of(want) != schedule.Of(have) || !slices.Equal(want.Owners, have.Owners) {
			if err := t.ChangeConnector(want); err != nil {
				return err
			}
		}
		have = want
	}
	if c.Directory != nil {
		if err := applyDirectory(t, have.ID, *c.Directory, t.By().At); err != nil {
			return err
		}
	}
	if c.Hosted { // it needs no credentials
		return a.applyHosted(at, have.ID, c)
	}
	if !c.Uploaded && have.Hosting == console.SelfHosted {
		a.applied[c.Name] = have
	}
	return nil
}

// applyDirectory says whether a connector's accounts make people. Those that it made stay.
func applyDirectory(t *store.Tx, id console.ID, directory bool, now time.Time) error {
	c, err := t.Connector(id)
	if err != nil || c.Directory == directory {
		return err
	}
	c.Directory = directory
	if err := t.ChangeConnector(c); err != nil {
		return err
	}
	if !directory {
		return t.RemoveDue(console.DueDirectory, string(id))
	}
	return t.SetDue(console.DueDirectory, string(id), now, nil)
}

// applyHosted configures a hosted connector. It only stores what differs, so that applying the files
// again changes nothing, and keeps secrets that are not given.
func (a *applying) applyHosted(at place, id console.ID, c Connector) error {
	t := a.t
	p, err := a.product(c)
	if err != nil {
		return err
	}
	values, secrets, err := a.hostedSettings(at, p, c)
	if err != nil {
		return err
	}
	before, err := t.ConnectorSettings(id)
	if err != nil {
		return err
	}
	if c.Settings == nil {
		values = before
	}
	all, key := maps.Clone(secrets), reference{console.ConfiguredConnector, string(id)}
	complete := true
	for _, s := range p.Settings {
		if s.Kind != baton.SecretSetting {
			continue
		}
		stored, err := t.ConnectorSecret(id, s.Name)
		if ignoreMissing(err) != nil {
			return err
		}
		given := secrets[s.Name]
		switch {
		case given.IsZero() && stored.IsZero():
			complete = false
		case given.IsZero():
			if moved := govern.MovedAddress(p, before, values); moved != "" {
				return baton.Errorf(baton.Invalid, "%s: %s of connector %s changed, and %s is not given", at, moved, c.Name, s.Name).
					WithFix("Give it: a secret is not sent to another address than the one that it was entered for.")
			}
			delete(secrets, s.Name)
			all[s.Name] = stored
		case stored.Reveal() == given.Reveal():
			delete(secrets, s.Name)
		default:
			a.secrets[key] = append(a.secrets[key], "settings."+s.Name)
		}
	}
	if complete {
		if err := p.Check(values, all); err != nil {
			return baton.Errorf(baton.Invalid, "%s: connector %s: %w", at, c.Name, err)
		}
	}
	if maps.Equal(before, values) && len(secrets) == 0 {
		return nil
	}
	return t.SetConnectorSettings(id, values, secrets)
}

// applyMail sets the mail server. It only stores what differs. Without a password in the files, the
// stored one stays, unless it would be sent to another server.
func (a *applying) applyMail() error {
	if a.Mail == nil {
		return nil
	}
	s, password := a.Mail.settings(), a.mailPassword
	stored, err := a.t.MailPassword()
	if err != nil {
		return err
	}
	before, err := a.t.MailSettings()
	if err != nil {
		return err
	}
	if before == s && (password.IsZero() || stored.Reveal() == password.Reveal()) {
		return nil
	}
	if !password.IsZero() && stored.Reveal() != password.Reveal() {
		key := reference{console.ConfiguredMail, "mail"}
		a.secrets[key] = append(a.secrets[key], "password")
	}
	return a.t.SetMailSettings(s, password)
}

// checkAdministrators refuses a state in which the setup is over because somebody can sign in, but
// no super administrator can.
func checkAdministrators(t *store.Tx) error {
	some, err := t.HasLogins()
	if err != nil || !some {
		return err
	}
	providers, err := t.Providers()
	if err != nil {
		return err
	}
	enabled := slices.ContainsFunc(providers, func(p console.Provider) bool { return p.Enabled })
	var after store.NameAfter
	for {
		page, err := t.Persons(after, store.PageSize)
		if err != nil {
			return err
		}
		for _, p := range page {
			if p.Status != console.PersonActive || !slices.Contains(p.Roles, console.SuperAdministrator) {
				continue
			}
			l, err := t.Login(p.ID)
			if err != nil && baton.KindOf(err) != baton.NotFound {
				return err
			}
			if !l.BreakGlass && (l.Password != "" || enabled && len(p.Emails) > 0) {
				return nil
			}
		}
		if len(page) < store.PageSize {
			return baton.Errorf(baton.Refused, "nobody could administer the console: no active super-administrator has a login").
				WithFix("Give one person the role super-administrator, a password_file and a totp_secret, or an e-mail address at a provider of oidc.")
		}
		last := page[len(page)-1]
		after = store.NameAfter{Sort: console.SortKey(last.Name), ID: last.ID}
	}
}

// MissingAdmins returns the ids of an app's administrator entitlements from the file that its syncs
// do not show.
func MissingAdmins(t *store.Tx, app console.ID) (missing []string, err error) {
	_, missing, err = namedAdmins(t, app)
	return missing, err
}

func namedAdmins(t *store.Tx, app console.ID) (keys []console.EntitlementKey, missing []string, err error) {
	b, err := t.Setting(console.AdminEntitlementsSetting(app))
	if err != nil {
		if baton.KindOf(err) == baton.NotFound {
			err = nil
		}
		return nil, nil, err
	}
	var ids []string
	if err := json.Unmarshal(b, &ids); err != nil {
		return nil, nil, baton.Errorf(baton.Corrupt, "the admin entitlements of app %s: %w", app, err)
	}
	return findAdmins(t, app, ids)
}

// findAdmins returns the entitlements of an app with the given ids, and the ids that its syncs do not
// show.
func findAdmins(t *store.Tx, app console.ID, ids []string) (keys []console.EntitlementKey, missing []string, err error) {
	now, err := t.Moment(app, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		e, err := t.EntitlementByID(now, id)
		switch {
		case baton.KindOf(err) == baton.NotFound:
			missing = append(missing, id)
		case err != nil:
			return nil, nil, err
		default:
			keys = append(keys, e.Key)
		}
	}
	slices.Sort(keys)
	return keys, missing, nil
}

// ResolveAdmins adds the administrator entitlements from the file that the app's syncs now show to
// the app's administrator role, unless one of its administrator roles has them. If it has no such
// role, it gets one. It does the same for its other roles. Entitlements that are no longer shown stay. It runs after every applied sync.
func ResolveAdmins(t *store.Tx, id console.ID) error {
	if err := resolveRoles(t, id); err != nil {
		return err
	}
	keys, _, err := namedAdmins(t, id)
	if err != nil || len(keys) == 0 {
		return err
	}
	app, err := t.LockApp(id)
	if err != nil {
		return err
	}
	roles := app.Roles
	roles.Roles = adminRoles(roles.Roles, keys, nil)
	if same, err := sameJSON(roles, app.Roles); err != nil || same {
		return err
	}
	return t.SetRoleMap(id, roles, app.MinimumAdmins)
}

// adminRoles returns roles with the entitlements of a file's list as administrator, and without those
// that only its old list has. They join the highest administrator role that the app has, whatever it
// is called.
func adminRoles(roles []console.AppRole, keys, old []console.EntitlementKey) []console.AppRole {
	roles = slices.Clone(roles)
	missing := slices.Clone(keys)
	admin := -1
	for i, r := range roles {
		if !r.Admin {
			continue
		}
		if admin < 0 {
			admin = i
		}
		roles[i].Entitlements = slices.DeleteFunc(slices.Clone(r.Entitlements), func(e console.EntitlementKey) bool {
			return slices.Contains(old, e) && !slices.Contains(keys, e)
		})
		missing = slices.DeleteFunc(missing, func(e console.EntitlementKey) bool { return slices.Contains(r.Entitlements, e) })
	}
	if len(missing) == 0 {
		return roles
	}
	if admin < 0 {
		roles, admin = slices.Insert(roles, 0, console.AppRole{Name: console.AdminRole, Admin: true}), 0
	}
	roles[admin].Entitlements = slices.Compact(slices.Sorted(slices.Values(append(roles[admin].Entitlements, missing...))))
	return roles
}
