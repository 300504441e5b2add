package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"baton"
	"baton/console"
	"baton/console/store"
)

// maxExported limits the people with one role in an export.
const maxExported = 1_000_000

// exporting collects the configuration of a console.
type exporting struct {
	File
	t      *store.Tx
	people map[console.ID]bool
}

// Export returns the configuration of a console as one file: byte-equal while nothing changes, without
// secrets and in the order of names. It has the people whom the configuration names, and their managers.
func Export(t *store.Tx) ([]byte, error) {
	x := &exporting{t: t, people: map[console.ID]bool{}}
	for _, step := range []func() error{x.apps, x.policies, x.requirements, x.incompatible, x.automations, x.settings, x.persons} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return x.write()
}

// write returns the file as YAML.
func (f *File) write() ([]byte, error) {
	var b bytes.Buffer
	document, err := nodeOf(f)
	if err == nil {
		e := yaml.NewEncoder(&b)
		e.SetIndent(2)
		err = errors.Join(e.Encode(document), e.Close())
	}
	if err != nil {
		return nil, baton.Errorf(baton.Internal, "encode configuration: %w", err)
	}
	return b.Bytes(), nil
}

func (x *exporting) name(people ...console.ID) {
	for _, p := range people {
		x.people[p] = true
	}
}

// apps adds the apps with their connectors.
func (x *exporting) apps() error {
	var after store.NameAfter
	for {
		page, err := x.t.Apps(after, store.PageSize)
		if err != nil {
			return err
		}
		for _, a := range page {
			after = store.NameAfter{Sort: console.SortKey(a.Name), ID: a.ID}
			if err := x.app(a); err != nil {
				return err
			}
		}
		if len(page) < store.PageSize {
			break
		}
	}
	slices.SortFunc(x.Apps, func(a, b App) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(x.Connectors, func(a, b Connector) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

func (x *exporting) app(a console.App) error {
	s, err := stateOfApp(x.t, a)
	if err != nil {
		return err
	}
	x.name(a.Owners...)
	d, err := describeApp(x.t, s)
	if err == nil {
		d, err = chooseRoles(x.t, a, d)
	}
	if err == nil {
		d.Key, err = x.key(console.ConfiguredApp, a.ID)
	}
	if err != nil {
		return err
	}
	x.Apps = append(x.Apps, d)
	connectors, err := x.t.Connectors(a.ID)
	for _, c := range connectors {
		x.name(c.Owners...)
		d, err := describeConnector(x.t, c)
		if err == nil {
			d.Key, err = x.key(console.ConfiguredConnector, c.ID)
		}
		if err != nil {
			return err
		}
		x.Connectors = append(x.Connectors, d)
	}
	return err
}

// policies adds the policies that are not those that come with the console.
func (x *exporting) policies() error {
	all, err := x.t.Policies()
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Version == 0 {
			continue
		}
		for _, r := range p.Rules {
			for _, s := range r.Steps {
				for _, a := range slices.Concat(s.Ask, s.Fallback, s.Reassign, s.Escalate) {
					if a.Kind == console.ApproverPerson {
						x.name(a.Person)
					}
				}
			}
		}
		d, err := describePolicy(x.t, p)
		if err == nil {
			d.Key, err = x.key(console.ConfiguredPolicy, p.ID)
		}
		if err != nil {
			return err
		}
		x.Policies = append(x.Policies, d)
	}
	slices.SortFunc(x.Policies, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// requirements adds the requirements, and those of files that wait for a sync.
func (x *exporting) requirements() error {
	active, err := x.t.ActiveRequirements("")
	if err != nil {
		return err
	}
	for _, r := range active {
		if _, err := x.t.App(r.App); err != nil {
			return err
		}
		d, err := describeRequirement(x.t, r)
		if err != nil {
			return err
		}
		x.Requirements = append(x.Requirements, d)
	}
	waiting, err := fileRequirements(x.t)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		same := func(r Requirement) bool { return r.App == w.App && r.Entitlement == w.Entitlement }
		if w.Applied || slices.ContainsFunc(x.Requirements, same) {
			continue
		}
		w.Mode = w.rule().Mode
		x.Requirements = append(x.Requirements, w.Requirement)
	}
	slices.SortFunc(x.Requirements, func(a, b Requirement) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Entitlement, b.Entitlement))
	})
	return nil
}

// automations adds the automations, and those of files that wait.
func (x *exporting) automations() error {
	all, err := x.t.Automations("")
	if err != nil {
		return err
	}
	for _, a := range all {
		app, err := x.t.App(a.App)
		if err != nil {
			return err
		}
		if !app.Removed.IsZero() {
			continue
		}
		d, err := describeAutomation(x.t, a)
		if err == nil {
			d.Key, err = x.key(console.ConfiguredAutomation, a.ID)
		}
		if err != nil {
			return err
		}
		if slices.ContainsFunc(x.Automations, func(o Automation) bool { return o.App == d.App && o.Name == d.Name }) {
			return baton.Errorf(baton.Refused, "%s has two automations called %q", d.App, d.Name).WithFix("Give one of them another name: in files, names tell them apart.")
		}
		x.name(a.Owner)
		x.Automations = append(x.Automations, d)
	}
	waiting, err := fileAutomations(x.t)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		if err := x.waiting(w); err != nil {
			return err
		}
	}
	slices.SortFunc(x.Automations, func(a, b Automation) int { return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Name, b.Name)) })
	return nil
}

// waiting adds an automation of files that is not there yet, and describes one of which only the draft is
// there as the files do.
func (x *exporting) waiting(w fileAutomation) error {
	i := slices.IndexFunc(x.Automations, func(o Automation) bool { return o.App == w.App && o.Name == w.Name })
	if i >= 0 {
		draft := w.Automation
		draft.Draft, draft.Paused, draft.Owner, draft.Key = true, x.Automations[i].Paused, x.Automations[i].Owner, x.Automations[i].Key
		if reflect.DeepEqual(draft, x.Automations[i]) {
			x.Automations[i].Draft = false
		}
		return nil
	}
	owner, err := x.t.PersonByEmail(w.Owner)
	if err != nil || w.ID != "" { // somebody removed it
		return ignoreMissing(err)
	}
	x.name(owner.Canonical())
	x.Automations = append(x.Automations, w.Automation)
	return nil
}

// settings adds the settings of the console itself.
func (x *exporting) settings() error {
	providers, err := x.t.Providers()
	if err != nil {
		return err
	}
	for _, p := range providers {
		x.OIDC = append(x.OIDC, describeProvider(p))
	}
	slices.SortFunc(x.OIDC, func(a, b Provider) int { return cmp.Compare(a.Name, b.Name) })
	mail, err := x.t.MailSettings()
	if err != nil {
		return err
	}
	if mail.Configured() {
		x.Mail = describeMail(mail)
	}
	r, err := x.t.Retention()
	if err == nil && r != console.DefaultRetention() {
		x.Retention = describeRetention(r)
	}
	return err
}

// persons adds the people whom the configuration names, those with roles, and their managers.
func (x *exporting) persons() error {
	for _, r := range console.ConsoleRoles() {
		all, err := x.t.PersonsWithRole(r, maxExported)
		if err != nil {
			return err
		}
		x.name(all...)
	}
	done := map[console.ID]bool{}
	for len(done) < len(x.people) {
		for id := range x.people {
			if done[id] {
				continue
			}
			done[id] = true
			manager, err := x.person(id)
			if err != nil {
				return err
			}
			if manager != "" {
				x.name(manager)
			}
		}
	}
	slices.SortFunc(x.People, func(a, b Person) int { return cmp.Compare(a.Email, b.Email) })
	x.People = slices.CompactFunc(x.People, func(a, b Person) bool { return a.Email == b.Email })
	return nil
}

// person adds one person, unless it is a service or has no address.
func (x *exporting) person(id console.ID) (manager console.ID, err error) {
	if id, err = x.t.Canonical(id); err != nil {
		return "", err
	}
	p, err := x.t.Person(id)
	if err != nil || p.Service || len(p.Emails) == 0 {
		return "", err
	}
	d, err := describePerson(x.t, p)
	if err != nil {
		return "", err
	}
	if p.Status != console.PersonActive {
		d.Roles = nil
	}
	x.People = append(x.People, d)
	if d.Manager == "" {
		return "", nil
	}
	return p.Manager, nil
}

// sections are the names of the files into which an export is split.
var sections = []string{"people", "apps", "connectors", "policies", "requirements", "incompatible", "automations", "oidc", "mail", "retention"}

// Split splits an export into files, one for each of its keys.
func Split(export []byte) (files []console.ConfigurationFile, err error) {
	f := &File{places: map[string][]place{}}
	if err := f.add("export", export); err != nil {
		return nil, fmt.Errorf("split configuration: %w", err)
	}
	for _, name := range sections {
		if len(f.places[name]) == 0 {
			continue
		}
		part := File{}
		switch name {
		case "people":
			part.People = f.People
		case "apps":
			part.Apps = f.Apps
		case "connectors":
			part.Connectors = f.Connectors
			for _, c := range part.Connectors {
				for k, v := range c.Settings {
					c.Settings[k] = Secret{v.Secret, true} // exports hold no secrets
				}
			}
		case "policies":
			part.Policies = f.Policies
		case "requirements":
			part.Requirements = f.Requirements
		case "incompatible":
			part.Incompatible = f.Incompatible
		case "automations":
			part.Automations = f.Automations
		case "oidc":
			part.OIDC = f.OIDC
		case "mail":
			part.Mail = f.Mail
		case "retention":
			part.Retention = f.Retention
		}
		text, err := part.write()
		if err != nil {
			return nil, err
		}
		files = append(files, console.ConfigurationFile{Name: name + ".yaml", Text: string(text)})
	}
	return files, nil
}

// SectionFiles returns the names of the files into which an export is split.
func SectionFiles() (names []string) {
	for _, s := range sections {
		names = append(names, s+".yaml")
	}
	return names
}
