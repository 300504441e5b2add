package config

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/login"
	"baton/console/schedule"
	"baton/console/store"
)

// Applied are the connectors of an applied file, by name.
type Applied map[string]console.Connector

// Apply creates and updates what the file describes, in one transaction. It does not change what the
// file does not name. Applying a file again changes nothing. The error is Refused if nobody could
// administer the console afterwards.
func (f *File) Apply(ctx context.Context, s *store.Store, by console.By) (Applied, error) {
	logins := map[string]console.Login{} // by e-mail address
	for _, p := range f.People {
		if p.PasswordFile == "" {
			continue
		}
		password, err := f.password(p.PasswordFile, p.Email)
		if err != nil {
			return nil, err
		}
		hash, err := login.HashPassword(password) // slow, so outside the transaction
		if err != nil {
			return nil, baton.Errorf(baton.Invalid, "password_file of %s: %w", p.Email, err).WithFix("%s", baton.FixOf(err))
		}
		logins[p.Email] = console.Login{Name: p.loginName(), Password: hash}
	}
	var mailPassword baton.Secret
	if f.Mail != nil {
		mailPassword = f.Mail.Password.Secret
		if f.Mail.PasswordFile != "" {
			var err error
			if mailPassword, err = f.password(f.Mail.PasswordFile, "mail"); err != nil {
				return nil, err
			}
		}
	}
	applied := Applied{}
	err := s.Update(ctx, by, func(t *store.Tx) error {
		clear(applied)
		if err := f.applyProviders(t); err != nil {
			return err
		}
		if err := f.applyPeople(t, logins); err != nil {
			return err
		}
		if err := f.applyApps(t); err != nil {
			return err
		}
		if err := f.applyPolicies(t); err != nil {
			return err
		}
		if err := f.applyConnectors(t, applied, by.At); err != nil {
			return err
		}
		if err := f.applyRequirements(t); err != nil {
			return err
		}
		if f.Mail != nil {
			if err := applyMail(t, f.Mail.settings(), mailPassword); err != nil {
				return err
			}
		}
		if f.Retention != nil {
			if err := applyRetention(t, f.Retention.retention()); err != nil {
				return err
			}
		}
		return checkAdministrators(t)
	})
	return applied, err
}

func (f *File) applyPeople(t *store.Tx, logins map[string]console.Login) error {
	for _, p := range f.People {
		if err := applyPerson(t, p, logins); err != nil {
			return err
		}
	}
	for _, p := range f.People { // managers may be described later in the file
		if p.Manager == "" {
			continue
		}
		manager, err := personOf(t, p.Manager, "manager of "+p.Email)
		if err != nil {
			return err
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

func applyPerson(t *store.Tx, p Person, logins map[string]console.Login) error {
	person, err := t.PersonByEmail(p.Email)
	switch {
	case baton.KindOf(err) == baton.NotFound:
		person = console.Person{Name: p.Name, Emails: []string{p.Email}, Roles: slices.Compact(slices.Sorted(slices.Values(p.Roles)))}
		if person.ID, err = t.AddPerson(person); err != nil {
			return err
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
			if err := applyRoles(t, person, p.Roles); err != nil {
				return err
			}
		}
	}
	l, wanted := logins[p.Email]
	if !wanted {
		return nil
	}
	if _, err := t.Login(person.ID); baton.KindOf(err) != baton.NotFound {
		return err // nil if there is a login
	}
	l.Person = person.ID
	return t.SetLogin(l, p.TOTPSecret.Secret)
}

// applyRoles sets the manually given roles of a person. Roles from groups of providers stay.
func applyRoles(t *store.Tx, person console.Person, roles []console.ConsoleRole) error {
	mapped, err := t.MappedRoles(person.ID)
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
	return t.SetRoles(person.ID, slices.Compact(slices.Sorted(slices.Values(want))))
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

func (f *File) applyApps(t *store.Tx) error {
	for _, a := range f.Apps {
		owners, err := personsOf(t, a.Owners, "owners of app "+a.Name)
		if err != nil {
			return err
		}
		app, err := t.AppByName(a.Name)
		switch {
		case baton.KindOf(err) == baton.NotFound:
			app = console.App{Name: a.Name, Owners: owners}
			if a.MinimumAdmins != nil {
				app.MinimumAdmins = *a.MinimumAdmins
			}
			if app.ID, err = t.AddApp(app); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			want := console.GuardsOf(app)
			if a.Owners != nil && !sameSet(owners, app.Owners) {
				want.Owners = owners
			}
			if a.MinimumAdmins != nil {
				want.MinimumAdmins = *a.MinimumAdmins
			}
			if err := guard(t, app, want); err != nil {
				return err
			}
		}
		if a.Seats != nil {
			if err := applySeats(t, app.ID, *a.Seats); err != nil {
				return err
			}
		}
		if a.AdminEntitlements == nil {
			continue
		}
		if err := nameAdmins(t, app.ID, a.AdminEntitlements); err != nil {
			return err
		}
	}
	return nil
}

// guard sets who owns an app, its roles and its minimum of admins. If that guards its
// administrators less than before, it is written down for a person to confirm: the file is
// the first of the two whom such a change takes.
func guard(t *store.Tx, app console.App, want console.AppGuards) error {
	before := console.GuardsOf(app)
	owners := !sameSet(want.Owners, before.Owners)
	b, err := json.Marshal(before)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode: %w", err)
	}
	after, err := json.Marshal(want)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode: %w", err)
	}
	if string(b) == string(after) {
		return nil
	}
	if len(app.Roles.AdminEntitlements()) == 0 || want.AtLeast(before) {
		if owners {
			app.Owners = want.Owners
			if err := t.ChangeApp(app); err != nil {
				return err
			}
		}
		return t.SetRoleMap(app.ID, want.Roles, want.MinimumAdmins)
	}
	last, err := t.LastAmendment(app.ID, console.AmendApp, "")
	if err != nil {
		return err
	}
	if last != nil && last.State != console.AmendmentConfirmed && string(last.After) == string(after) {
		return nil // it waits, or somebody said no
	}
	_, err = t.AddAmendment(console.Amendment{Kind: console.AmendApp, App: app.ID, Object: string(app.ID), Before: b, After: after, Why: "The configuration file says so."})
	return err
}

func (f *File) applyConnectors(t *store.Tx, applied Applied, now time.Time) error {
	for _, c := range f.Connectors {
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
			have = console.Connector{App: app.ID, Name: c.Name, Product: c.Product, Hosting: console.SelfHosted, Owners: owners, Interval: time.Duration(c.Interval), Cron: c.Cron, Zone: c.Zone}
			if have.Interval == 0 {
				have.Interval = DefaultInterval
			}
			if c.Hosted {
				have.Hosting, have.Product = console.Hosted, strings.TrimPrefix(c.Product, "baton-")
			}
			if have.ID, err = t.AddConnector(have); err != nil {
				return err
			}
		case err != nil:
			return err
		case have.App != app.ID:
			return baton.Errorf(baton.Refused, "connector %q belongs to another app than %q", c.Name, c.App).WithFix("Give the connector of %s another name.", c.App)
		case c.Hosted != (have.Hosting == console.Hosted):
			return baton.Errorf(baton.Refused, "connector %q runs elsewhere than the file says: where a connector runs is not changed", c.Name).
				WithFix("Add a connector of another name.")
		default:
			want := have
			if c.Product != "" {
				want.Product = c.Product
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
			if err := applyDirectory(t, have.ID, *c.Directory, now); err != nil {
				return err
			}
		}
		if c.Hosted {
			if err := f.applyHosted(t, have.ID, c); err != nil {
				return err
			}
			continue // hosted connectors need no credentials
		}
		applied[c.Name] = have
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

// applyHosted configures a hosted connector. It only stores secrets that differ, so that applying
// the file again changes nothing.
func (f *File) applyHosted(t *store.Tx, id console.ID, c Connector) error {
	p, err := f.product(c)
	if err != nil {
		return err
	}
	values, secrets, err := hostedSettings(p, c)
	if err != nil {
		return err
	}
	for name, secret := range secrets {
		stored, err := t.ConnectorSecret(id, name)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return err
		}
		if err == nil && stored.Reveal() == secret.Reveal() {
			delete(secrets, name)
		}
	}
	return t.SetConnectorSettings(id, values, secrets)
}

// applyMail sets the mail server. It only stores what differs.
func applyMail(t *store.Tx, s console.MailSettings, password baton.Secret) error {
	stored, err := t.MailPassword()
	if err != nil {
		return err
	}
	before, err := t.MailSettings()
	if err != nil {
		return err
	}
	if before == s && stored.Reveal() == password.Reveal() {
		return nil
	}
	return t.SetMailSettings(s, password)
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

// nameAdmins stores the ids of an app's administrator entitlements. They have keys only after a sync
// shows them.
func nameAdmins(t *store.Tx, app console.ID, ids []string) error {
	b, err := json.Marshal(slices.Compact(slices.Sorted(slices.Values(ids))))
	if err != nil {
		return baton.Errorf(baton.Internal, "encode entitlements: %w", err)
	}
	before, err := t.Setting(console.AdminEntitlementsSetting(app))
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return err
	}
	if string(before) == string(b) {
		return ResolveAdmins(t, app)
	}
	old, _, err := namedAdmins(t, app)
	if err != nil {
		return err
	}
	if err := t.SetSetting(console.AdminEntitlementsSetting(app), b); err != nil {
		return err
	}
	return resolveAdmins(t, app, old, true)
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
// role, it gets one. Entitlements that are no longer shown stay. It runs after every applied sync.
func ResolveAdmins(t *store.Tx, id console.ID) error { return resolveAdmins(t, id, nil, false) }

// resolveAdmins implements [ResolveAdmins]. If the list in the file has changed, the entitlements of
// the old list that are not in the new one are removed from the administrator roles.
func resolveAdmins(t *store.Tx, id console.ID, old []console.EntitlementKey, changed bool) error {
	keys, _, err := namedAdmins(t, id)
	if err != nil || len(keys) == 0 && !changed {
		return err
	}
	app, err := t.LockApp(id)
	if err != nil {
		return err
	}
	roles := app.Roles
	roles.Roles = adminRoles(roles.Roles, keys, old)
	if slices.EqualFunc(roles.Roles, app.Roles.Roles, func(a, b console.AppRole) bool {
		return a.Name == b.Name && slices.Equal(a.Entitlements, b.Entitlements)
	}) {
		return nil
	}
	if changed {
		return guard(t, app, console.AppGuards{Owners: app.Owners, Roles: roles, MinimumAdmins: app.MinimumAdmins})
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
