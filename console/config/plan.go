package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Options say how files are applied.
type Options = console.ConfigurationOptions

// errPlanned undoes the transaction of a plan.
var errPlanned = errors.New("planned")

// Plan returns what Apply would do: it applies the files in a transaction that it undoes.
func (f *File) Plan(ctx context.Context, s *store.Store, by console.By, o Options) (plan console.ConfigurationPlan, err error) {
	ready, err := f.prepare()
	if err != nil {
		return plan, err
	}
	err = s.Update(ctx, by, func(t *store.Tx) error {
		if plan, err = ready.Apply(t, o); err != nil {
			return err
		}
		return errPlanned
	})
	if errors.Is(err, errPlanned) {
		err = nil
	}
	return plan, err
}

// object is an object that the files describe.
type object struct {
	kind console.ConfigurationKind
	key  string
	name string
	at   place
	id   func(t *store.Tx) (string, error) // NotFound if the console does not have it
}

// objects returns the objects that the files describe, in the order in which they are applied.
func (a *applying) objects() (all []object) {
	add := func(kind console.ConfigurationKind, at place, name string, id func(*store.Tx) (string, error)) {
		all = append(all, object{kind: kind, name: name, at: at, id: id})
	}
	keyed := func(kind console.ConfigurationKind, at place, key, name string, byName func(*store.Tx) (string, error)) {
		all = append(all, object{kind, key, name, at, func(t *store.Tx) (string, error) {
			return a.identify(kind, key, func() (string, error) { return byName(t) })
		}})
	}
	for i, p := range a.OIDC {
		add(console.ConfiguredProvider, a.at("oidc", i), p.Name, func(*store.Tx) (string, error) { return p.Name, nil })
	}
	for i, p := range a.People {
		add(console.ConfiguredPerson, a.at("people", i), p.Name, func(t *store.Tx) (string, error) {
			found, err := t.PersonByEmail(p.Email)
			return string(found.Canonical()), err
		})
	}
	for i, d := range a.Apps {
		keyed(console.ConfiguredApp, a.at("apps", i), d.Key, d.Name, func(t *store.Tx) (string, error) {
			found, err := t.AppByName(d.Name)
			return string(found.ID), err
		})
	}
	for i, p := range a.Policies {
		keyed(console.ConfiguredPolicy, a.at("policies", i), p.Key, p.Name, func(t *store.Tx) (string, error) {
			found, err := policyOf(t, p.Name)
			return string(found.ID), err
		})
	}
	for i, c := range a.Connectors {
		keyed(console.ConfiguredConnector, a.at("connectors", i), c.Key, c.Name, func(t *store.Tx) (string, error) {
			found, err := t.ConnectorByName(c.Name)
			return string(found.ID), err
		})
	}
	for i, r := range a.Requirements {
		add(console.ConfiguredRequirement, a.at("requirements", i), r.Entitlement+" of "+r.App, func(t *store.Tx) (string, error) {
			found, err := t.AppByName(r.App)
			return console.RequirementObject(found.ID, r.Entitlement), err
		})
	}
	for i, d := range a.Incompatible {
		add(console.ConfiguredIncompatible, a.at("incompatible", i), d.name(), func(t *store.Tx) (string, error) {
			x, y, err := d.sides(t)
			if baton.KindOf(err) == baton.Invalid {
				return "", baton.Errorf(baton.NotFound, "no app") // it may be added
			}
			return pairObject(x, y), err
		})
	}
	for i, d := range a.Automations {
		keyed(console.ConfiguredAutomation, a.at("automations", i), d.Key, d.Name, func(t *store.Tx) (string, error) {
			app, err := t.AppByName(d.App)
			if err != nil {
				return "", err
			}
			found, err := automationNamed(t, app.ID, d.Name)
			if baton.KindOf(err) == baton.NotFound {
				return waitingAutomation(app.ID, d.Name), nil
			}
			return string(found.ID), err
		})
	}
	if a.Mail != nil {
		add(console.ConfiguredMail, a.at("mail", 0), "", func(*store.Tx) (string, error) { return "mail", nil })
	}
	if a.Retention != nil {
		add(console.ConfiguredRetention, a.at("retention", 0), "", func(*store.Tx) (string, error) { return "retention", nil })
	}
	return all
}

// now returns the object as the console has it; nil if it does not.
func (o object) now(t *store.Tx) (*described, error) {
	id, err := o.id(t)
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return find(t, o.kind, id)
}

// part returns the part of a description that the files give.
func (o object) part(all map[string]any) map[string]any {
	return within(o.kind, all, o.at.keys)
}

// difference returns how an object differs between the console and the files. before is nil if the
// console does not have it, after how it is once they are applied, and wanted as the files want it.
func (a *applying) difference(o object, before, after *described, wanted map[string]any) (d console.ConfigurationDifference) {
	d.Do, d.ConfiguredObject, d.Place = console.ConfigurationChange, after.ConfiguredObject, o.at.String()
	was := map[string]any{}
	if before == nil {
		d.Do, d.ID = console.ConfigurationCreate, "" // each attempt would give it another one
	} else {
		was = o.part(before.all)
	}
	d.Fields = fieldsBetween(was, wanted)
	key := reference{o.kind, after.ID}
	late := fieldsBetween(o.part(after.all), wanted)
	for i, f := range d.Fields {
		if slices.ContainsFunc(late, func(l console.ConfigurationField) bool { return l.Field == f.Field }) {
			d.Fields[i].Waits = a.waits[key]
		}
	}
	for _, name := range a.secrets[key] {
		d.Fields = append(d.Fields, console.ConfigurationField{Field: name, After: secretChanged})
	}
	return d
}

// secretChanged stands for the value of a secret.
const secretChanged = "(new value)"

// summary returns the digest of what the files of a source describe.
func summary(all []console.ManagedObject) (string, error) {
	type one struct {
		console.ConfiguredObject
		Described json.RawMessage
		Former    bool
		Key       string `json:",omitempty"`
	}
	var list []one
	for _, m := range all {
		list = append(list, one{m.ConfiguredObject, m.Described, m.Former, m.Key})
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "", baton.Errorf(baton.Internal, "encode configuration: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12]), nil
}
