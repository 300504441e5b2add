package config

import (
	"fmt"
	"regexp"

	"baton"
	"baton/console"
	"baton/console/store"
)

// keyPattern is that of keys, which stay the same when names change.
var keyPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// checkKeys reports the problems of the keys.
func (f *File) checkKeys(bad *problems, all seen) {
	check := func(of, kind string, i int, key string) {
		switch at := f.at(of, i); {
		case key == "":
		case !keyPattern.MatchString(key):
			bad.add(at, "the key %q is not made of 1 to 64 letters, digits, dots, hyphens and underscores", key)
		default:
			all.once(bad, at, "the "+kind+" with the key", key)
		}
	}
	for i, a := range f.Apps {
		check("apps", "app", i, a.Key)
	}
	for i, c := range f.Connectors {
		check("connectors", "connector", i, c.Key)
	}
	for i, p := range f.Policies {
		check("policies", "policy", i, p.Key)
	}
	for i, d := range f.Automations {
		check("automations", "automation", i, d.Key)
	}
}

// keyed returns the ID of the object that files name by a key: the one that they described with it
// before, or the one whose ID it is, as in an export; "" if there is none.
func (a *applying) keyed(kind console.ConfigurationKind, key string) (string, error) {
	if key == "" {
		return "", nil
	}
	id, err := a.t.KeyedObject(a.Source, kind, key)
	if err != nil {
		return "", err
	}
	if _, builtIn := console.BuiltInPolicy(console.ID(key)); id == "" && !(kind == console.ConfiguredPolicy && builtIn) {
		id = key
	}
	now, err := find(a.t, kind, id)
	if err != nil || now == nil {
		return "", err
	}
	return now.ID, nil
}

// identify returns the ID of an object of the files: by its key, else by its name. An object that
// another key names is not found by its name.
func (a *applying) identify(kind console.ConfigurationKind, key string, byName func() (string, error)) (string, error) {
	id, err := a.keyed(kind, key)
	if id != "" || err != nil {
		return id, err
	}
	if id, err = byName(); err == nil && a.claimed[reference{kind, id}] {
		return "", baton.Errorf(baton.NotFound, "no %s", kind)
	}
	return id, err
}

// claim finds the objects that keys name.
func (a *applying) claim() error {
	for _, o := range a.keys() {
		id, err := a.keyed(o.kind, o.key)
		if err != nil {
			return err
		}
		if id != "" {
			a.claimed[reference{o.kind, id}] = true
		}
	}
	return nil
}

// keyedObject is an object of the files with a key.
type keyedObject struct {
	kind      console.ConfigurationKind
	key, name string
}

func (f *File) keys() (all []keyedObject) {
	for _, x := range f.Apps {
		all = append(all, keyedObject{console.ConfiguredApp, x.Key, x.Name})
	}
	for _, x := range f.Connectors {
		all = append(all, keyedObject{console.ConfiguredConnector, x.Key, x.Name})
	}
	for _, x := range f.Policies {
		all = append(all, keyedObject{console.ConfiguredPolicy, x.Key, x.Name})
	}
	for _, x := range f.Automations {
		all = append(all, keyedObject{console.ConfiguredAutomation, x.Key, x.Name})
	}
	return all
}

// rename gives the objects that keys name the names of the files, before anything is found by its name.
func (a *applying) rename() error {
	for _, o := range a.keys() {
		id, err := a.keyed(o.kind, o.key)
		if err == nil && id != "" {
			err = renameTo(a.t, o.kind, console.ID(id), o.name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func renameTo(t *store.Tx, kind console.ConfigurationKind, id console.ID, name string) error {
	switch kind {
	case console.ConfiguredApp:
		app, err := t.App(id)
		if err != nil || app.Name == name {
			return err
		}
		app.Name = name
		return t.ChangeApp(app)
	case console.ConfiguredConnector:
		c, err := t.Connector(id)
		if err != nil || c.Name == name {
			return err
		}
		c.Name = name
		return t.ChangeConnector(c)
	case console.ConfiguredPolicy:
		p, err := t.Policy(id)
		if err != nil || p.Name == name {
			return err
		}
		if other, err := policyOf(t, name); err == nil && other.ID != id {
			return baton.Errorf(baton.Invalid, "another policy is called %q", other.Name).WithFix("Choose another name.")
		}
		before := p.Version
		p.Name, p.Author, p.Second, p.Weaker = name, "", "", false
		_, err = t.AddPolicyVersion(p, before)
		return err
	case console.ConfiguredAutomation:
		x, err := t.Automation(id)
		if err != nil || x.Name == name {
			return err
		}
		if other, err := automationNamed(t, x.App, name); err == nil && other.ID != id {
			return baton.Errorf(baton.Invalid, "another automation is called %q", name).WithFix("Choose another name.")
		}
		x.Name = name
		return t.ChangeAutomation(x)
	}
	return fmt.Errorf("a %s is not renamed", kind)
}

// key returns the key of an object for an export: the one that files gave it, else its ID.
func (x *exporting) key(kind console.ConfigurationKind, id console.ID) (string, error) {
	if _, builtIn := console.BuiltInPolicy(id); builtIn {
		return "", nil
	}
	key, err := x.t.KeyOf(kind, string(id))
	if key == "" {
		key = string(id)
	}
	return key, err
}
