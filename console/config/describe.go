package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// describePerson returns a person as a file describes it. Roles that groups give, and a manager from a
// directory, are not part of it.
func describePerson(t *store.Tx, p console.Person) (Person, error) {
	d := Person{Name: p.Name}
	if len(p.Emails) > 0 {
		d.Email = p.Emails[0]
	}
	mapped, err := t.MappedRoles(p.ID)
	if err != nil {
		return d, err
	}
	for _, r := range slices.Sorted(slices.Values(p.Roles)) {
		if len(mapped[r]) == 0 {
			d.Roles = append(d.Roles, r)
		}
	}
	if p.Manager == "" {
		return d, nil
	}
	records, err := t.DirectoryRecordsOf(p.ID)
	if err != nil || len(records) > 0 {
		return d, err
	}
	d.Manager, err = emailOf(t, p.Manager)
	return d, err
}

// emailOf returns the primary e-mail address of a person; "" if the person has none.
func emailOf(t *store.Tx, id console.ID) (string, error) {
	id, err := t.Canonical(id)
	if err != nil {
		return "", err
	}
	p, err := t.Person(id)
	if err != nil || len(p.Emails) == 0 {
		return "", err
	}
	return p.Emails[0], nil
}

func emailsOf(t *store.Tx, ids []console.ID) (all []string, err error) {
	for _, id := range ids {
		email, err := emailOf(t, id)
		if err != nil {
			return nil, err
		}
		if email != "" {
			all = append(all, email)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// appState is an app with its request settings.
type appState struct {
	console.App
	Settings console.RequestSettings
}

func stateOfApp(t *store.Tx, a console.App) (appState, error) {
	versions, err := t.RequestSettings(a.ID, console.WholeApp)
	s := appState{App: a}
	if err == nil && len(versions) > 0 {
		s.Settings = versions[0].Settings
	}
	return s, err
}

// describeApp returns an app as a file describes it.
func describeApp(t *store.Tx, a appState) (d App, err error) {
	d.Name, d.RolePriority = a.Name, a.Roles.Priority
	if d.Roles, err = describeRoles(t, a.App); err != nil {
		return d, err
	}
	if a.MinimumAdmins > 0 {
		d.MinimumAdmins = &a.MinimumAdmins
	}
	if d.Owners, err = emailsOf(t, a.Owners); err != nil {
		return d, err
	}
	if d.AdminEntitlements, err = MissingAdmins(t, a.ID); err != nil {
		return d, err
	}
	for _, e := range a.Roles.AdminEntitlements() {
		id, err := entitlementID(t, e)
		if err != nil {
			return d, err
		}
		d.AdminEntitlements = append(d.AdminEntitlements, id)
	}
	slices.Sort(d.AdminEntitlements)
	d.AdminEntitlements = slices.Compact(d.AdminEntitlements)
	seats, err := t.Seats(a.ID)
	if err != nil {
		return d, err
	}
	d.Seats = describeSeats(seats)
	for _, chosen := range []struct {
		id console.ID
		to *string
	}{{a.Settings.Policy, &d.Policies.Request}, {a.Settings.Emergency, &d.Policies.Emergency}, {a.Settings.Revoke, &d.Policies.Revoke}, {a.Settings.Review, &d.Policies.Review}} {
		if chosen.id == "" {
			continue
		}
		p, err := t.Policy(chosen.id)
		if err != nil {
			return d, err
		}
		*chosen.to = p.Name
	}
	return d, nil
}

// entitlementID returns the id of an entitlement in its app, also of one that syncs no longer show.
func entitlementID(t *store.Tx, key console.EntitlementKey) (string, error) {
	versions, err := t.EntitlementVersions(key)
	if err != nil {
		return "", err
	}
	if len(versions) == 0 {
		return "", baton.Errorf(baton.NotFound, "no entitlement %d", key)
	}
	return versions[len(versions)-1].ID, nil
}

// describeConnector returns a connector as a file describes it, without its secrets.
func describeConnector(t *store.Tx, c console.Connector) (d Connector, err error) {
	a, err := t.App(c.App)
	if err != nil {
		return d, err
	}
	d = Connector{Name: c.Name, App: a.Name, Product: c.Product, Hosted: c.Hosting == console.Hosted, Uploaded: c.Hosting == console.ByFile}
	if d.Owners, err = emailsOf(t, c.Owners); err != nil {
		return d, err
	}
	if c.Cron != "" {
		d.Cron, d.Zone = c.Cron, c.Zone
	} else {
		d.Interval = Duration(c.Interval)
	}
	if c.Directory {
		d.Directory = &c.Directory
	}
	if !d.Hosted {
		return d, nil
	}
	values, err := t.ConnectorSettings(c.ID)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if d.Settings == nil {
			d.Settings = map[string]Secret{}
		}
		d.Settings[name] = Secret{baton.NewSecret(values[name]), true}
	}
	return d, err
}

// describePolicy returns a policy as a file describes it.
func describePolicy(t *store.Tx, p console.Policy) (Policy, error) {
	p, err := govern.NamePolicy(t, p)
	d := Policy{Name: p.Name, Kind: p.Kind, Rules: p.Rules}
	if d.Kind == console.PolicyRequest {
		d.Kind = ""
	}
	return d, err
}

// describeRequirement returns a requirement as a file describes it.
func describeRequirement(t *store.Tx, r console.Requirement) (d Requirement, err error) {
	a, err := t.App(r.App)
	if err != nil {
		return d, err
	}
	d = Requirement{App: a.Name, Any: r.Any, WithinMonths: r.Months, Grace: r.Grace, Mode: r.Mode, Cap: r.Cap}
	if d.Entitlement, err = entitlementID(t, r.Entitlement); err != nil {
		return d, err
	}
	for _, n := range r.Needs {
		of, err := t.App(n.App)
		if err != nil {
			return d, err
		}
		id, err := entitlementID(t, n.Entitlement)
		if err != nil {
			return d, err
		}
		d.Needs = append(d.Needs, of.Name+"/"+id)
	}
	return d, nil
}

// describeProvider returns a provider as a file describes it, without its secret.
func describeProvider(p console.Provider) Provider {
	d := Provider{Name: p.Name, Issuer: p.Issuer, ClientID: p.ClientID, Scopes: p.Scopes, GroupsClaim: p.GroupsClaim, AddPeople: p.AddPeople, Off: !p.Enabled}
	if p.Label != p.Name {
		d.Label = p.Label
	}
	for _, g := range p.Groups {
		if d.Groups == nil {
			d.Groups = map[string][]console.ConsoleRole{}
		}
		d.Groups[g.Group] = append(d.Groups[g.Group], g.Role)
	}
	return d
}

// describeMail returns the mail server as a file describes it, without its password.
func describeMail(s console.MailSettings) *Mail {
	return &Mail{Host: s.Host, Port: s.Port, TLS: s.TLS, User: s.User, From: s.From, ReplyTo: s.ReplyTo}
}

func describeRetention(r console.Retention) *Retention {
	return &Retention{SyncFiles: &r.SyncFiles, MailDays: &r.MailDays, TaskDays: &r.TaskDays, HistoryDays: &r.HistoryDays}
}

// tree returns a described object as maps, lists and scalars.
func tree(described any) (map[string]any, error) {
	all := map[string]any{}
	n, err := nodeOf(described)
	if err == nil {
		err = n.Decode(&all)
	}
	if err != nil {
		return nil, baton.Errorf(baton.Internal, "encode configuration: %w", err)
	}
	// The types are those of JSON, in which the store keeps it.
	text, err := json.Marshal(all)
	if err == nil {
		all = map[string]any{}
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, baton.Errorf(baton.Internal, "encode configuration: %w", err)
	}
	if _, is := described.(Automation); is { // plainer than a draft that ends
		all[publishedKey] = all[draftKey] != true
		delete(all, draftKey)
	}
	return all, nil
}

// wholeKinds are the kinds of objects of which a file describes everything: what it leaves out has its
// default. Of the others, it leaves alone what it does not name.
var wholeKinds = []console.ConfigurationKind{console.ConfiguredPolicy, console.ConfiguredRequirement, console.ConfiguredIncompatible, console.ConfiguredAutomation, console.ConfiguredProvider, console.ConfiguredMail, console.ConfiguredRetention}

// The description of an automation says whether it is published. In files, a draft is one that is not.
const draftKey, publishedKey = "draft", "published"

// pausedKey is the key of automations that stays as it is if a file leaves it out.
const pausedKey = "paused"

// choices is the key whose inner keys are given one by one.
const choices = "policies"

// within returns the part of a description that a file with the given keys describes. What is given and
// has no value is nil.
func within(kind console.ConfigurationKind, all map[string]any, keys []string) map[string]any {
	if kind == console.ConfiguredAutomation && !slices.Contains(keys, pausedKey) {
		all = maps.Clone(all)
		delete(all, pausedKey) // people pause automations, and files do not resume them
	}
	if slices.Contains(wholeKinds, kind) {
		return all
	}
	part := map[string]any{}
	for _, key := range keys {
		outer, inner, nested := strings.Cut(key, ".")
		switch {
		case key == "key": // it is no field of the object
		case !nested && outer != choices:
			part[key] = all[key]
		case nested && outer == choices:
			some, _ := part[outer].(map[string]any)
			if some == nil {
				some = map[string]any{}
				part[outer] = some
			}
			values, _ := all[outer].(map[string]any)
			some[inner] = values[inner]
		}
	}
	return part
}

// sameKeys returns the part of a description that another one has.
func sameKeys(kind console.ConfigurationKind, all, as map[string]any) map[string]any {
	var keys []string
	for key, value := range as {
		keys = append(keys, key)
		if inner, ok := value.(map[string]any); ok {
			for k := range inner {
				keys = append(keys, key+"."+k)
			}
		}
	}
	return within(kind, all, keys)
}

// described is an object with its description.
type described struct {
	console.ConfiguredObject
	all map[string]any
}

// find returns an object of a kind by its ID, as the console has it now; nil if it is not there.
func find(t *store.Tx, kind console.ConfigurationKind, id string) (*described, error) {
	o, value, err := lookUp(t, kind, id)
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := tree(value)
	return &described{o, all}, err
}

func lookUp(t *store.Tx, kind console.ConfigurationKind, id string) (o console.ConfiguredObject, value any, err error) {
	o = console.ConfiguredObject{Kind: kind, ID: id}
	missing := baton.Errorf(baton.NotFound, "no %s", kind)
	switch kind {
	case console.ConfiguredPerson:
		p, err := t.Person(console.ID(id))
		if err != nil {
			return o, nil, err
		}
		d, err := describePerson(t, p)
		o.Name = p.Name
		return o, d, err
	case console.ConfiguredApp:
		a, err := t.App(console.ID(id))
		if err != nil || !a.Removed.IsZero() {
			return o, nil, orMissing(err, missing)
		}
		s, err := stateOfApp(t, a)
		if err != nil {
			return o, nil, err
		}
		d, err := describeApp(t, s)
		o.Name = a.Name
		return o, d, err
	case console.ConfiguredConnector:
		c, err := t.Connector(console.ID(id))
		if err != nil || !c.Removed.IsZero() {
			return o, nil, orMissing(err, missing)
		}
		d, err := describeConnector(t, c)
		o.Name = c.Name
		return o, d, err
	case console.ConfiguredPolicy:
		p, err := t.Policy(console.ID(id))
		if err != nil {
			return o, nil, err
		}
		d, err := describePolicy(t, p)
		o.Name = p.Name
		return o, d, err
	case console.ConfiguredRequirement:
		return requirementByID(t, o)
	case console.ConfiguredIncompatible:
		found, d, _, err := pairByID(t, o)
		return found, d, err
	case console.ConfiguredAutomation:
		return automationByID(t, o)
	case console.ConfiguredProvider:
		p, err := t.Provider(id)
		o.Name = p.Name
		return o, describeProvider(p), err
	case console.ConfiguredMail:
		s, err := t.MailSettings()
		if err != nil || !s.Configured() {
			return o, nil, orMissing(err, missing)
		}
		return o, describeMail(s), nil
	case console.ConfiguredRetention:
		r, err := t.Retention()
		return o, describeRetention(r), err
	}
	return o, nil, baton.Errorf(baton.Internal, "configuration: no kind %q", kind)
}

func orMissing(err, missing error) error {
	if err != nil {
		return err
	}
	return missing
}

// requirementByID returns the requirement of an entitlement: the newest version, or one of a file that
// waits for a sync.
func requirementByID(t *store.Tx, o console.ConfiguredObject) (console.ConfiguredObject, any, error) {
	missing := baton.Errorf(baton.NotFound, "no requirement")
	app, entitlement, _ := strings.Cut(o.ID, "/")
	a, err := t.App(console.ID(app))
	if err != nil {
		return o, nil, err
	}
	o.Name = entitlement + " of " + a.Name
	m, err := t.Moment(a.ID, time.Time{})
	if err != nil {
		return o, nil, err
	}
	e, err := t.EntitlementByID(m, entitlement)
	if err != nil {
		return o, nil, err
	}
	versions, err := t.Requirements(a.ID, e.Key)
	if err != nil || len(versions) == 0 || !versions[0].Active() {
		return o, nil, orMissing(err, missing)
	}
	d, err := describeRequirement(t, versions[0])
	return o, d, err
}

// automationByID returns an automation. Its ID may be that of one that waits, see [waitingAutomation].
func automationByID(t *store.Tx, o console.ConfiguredObject) (console.ConfiguredObject, any, error) {
	var found console.Automation
	app, name, waits := strings.Cut(o.ID, "/")
	a, err := console.App{}, error(nil)
	if waits {
		found, err = automationNamed(t, console.ID(app), name)
	} else {
		found, err = t.Automation(console.ID(o.ID))
	}
	if err == nil && !found.Removed.IsZero() {
		err = baton.Errorf(baton.NotFound, "no automation")
	}
	if err == nil {
		a, err = t.App(found.App)
	}
	if err != nil {
		return o, nil, err
	}
	o.ID, o.Name = string(found.ID), found.Name+" of "+a.Name
	d, err := describeAutomation(t, found)
	return o, d, err
}
