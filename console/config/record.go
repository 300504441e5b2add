package config

import (
	"encoding/json"
	"slices"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// managedBy returns the objects that the files of a source described when they were applied last.
func managedBy(t *store.Tx, source string) (all []console.ManagedObject, err error) {
	var after console.ConfiguredObject
	for {
		page, err := t.ManagedObjects(source, after, store.PageSize)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < store.PageSize {
			return all, nil
		}
		after = page[len(page)-1].ConfiguredObject
	}
}

// record stores what the files describe, unless that is the same as before.
func (a *applying) record(plan console.ConfigurationPlan, managed []console.ManagedObject) error {
	digest, err := summary(managed)
	if err != nil {
		return err
	}
	before, err := a.t.ConfigurationSource(a.Source)
	if err != nil {
		return err
	}
	if before != nil && before.Digest == digest && !slices.ContainsFunc(plan.Changes, func(d console.ConfigurationDifference) bool { return !d.Waits() }) {
		return nil
	}
	objects := 0
	for _, m := range managed {
		if !m.Former {
			objects++
		}
	}
	created, changed, removed, waiting := plan.Count()
	return a.t.SetConfiguration(console.ConfigurationSource{Name: a.Source, Digest: digest, Objects: objects}, managed,
		map[string]any{"source": a.Source, "digest": digest, "objects": objects, "created": created, "changed": changed, "removed": removed, "waiting": waiting})
}

// prune removes what the files of the source described before, if the caller wants that. What it does
// not remove is listed in the plan and stays among the managed objects, as former ones.
func (a *applying) prune(plan *console.ConfigurationPlan, managed []console.ManagedObject) ([]console.ManagedObject, error) {
	before, err := managedBy(a.t, a.Source)
	if err != nil {
		return nil, err
	}
	var former []console.ManagedObject
	for _, m := range before {
		if slices.ContainsFunc(managed, func(n console.ManagedObject) bool { return n.Kind == m.Kind && n.ID == m.ID }) {
			continue
		}
		now, err := find(a.t, m.Kind, m.ID)
		if err != nil {
			return nil, err
		}
		if now == nil || a.nothingToRemove(m, now) || slices.ContainsFunc(managed, func(n console.ManagedObject) bool { return n.Kind == now.Kind && n.ID == now.ID }) {
			continue
		}
		m.Former, m.ConfiguredObject = true, now.ConfiguredObject
		former = append(former, m)
	}
	slices.SortStableFunc(former, func(x, y console.ManagedObject) int { return removalOrder[x.Kind] - removalOrder[y.Kind] })
	for _, m := range former {
		if !a.Prune {
			plan.Unmanaged = append(plan.Unmanaged, m.ConfiguredObject)
			managed = append(managed, m)
			continue
		}
		wait, err := a.remove(m)
		if err != nil {
			return nil, err
		}
		d := console.ConfigurationDifference{Do: console.ConfigurationRemove, ConfiguredObject: m.ConfiguredObject}
		if wait != console.WaitsForNothing || m.Kind == console.ConfiguredPerson {
			d.Fields = []console.ConfigurationField{{Field: removedFields[m.Kind], Before: render(a.rolesOf(m)), Waits: wait}}
		}
		plan.Changes = append(plan.Changes, d)
		if wait != console.WaitsForNothing {
			managed = append(managed, m)
		}
	}
	return managed, nil
}

// removalOrder is the order in which kinds of objects are removed: what names others first.
var removalOrder = map[console.ConfigurationKind]int{console.ConfiguredAutomation: 0, console.ConfiguredIncompatible: 0, console.ConfiguredRequirement: 1, console.ConfiguredConnector: 2, console.ConfiguredApp: 3, console.ConfiguredPolicy: 4,
	console.ConfiguredProvider: 5, console.ConfiguredPerson: 6}

// removedFields names what is removed of an object that stays.
var removedFields = map[console.ConfigurationKind]string{console.ConfiguredPerson: "roles", console.ConfiguredRequirement: "needs"}

// nothingToRemove reports whether an object only stops being managed: a person without the roles that
// files gave, a policy that comes with the console, and what always has a value.
func (a *applying) nothingToRemove(m console.ManagedObject, now *described) bool {
	switch m.Kind {
	case console.ConfiguredMail, console.ConfiguredRetention:
		return true
	case console.ConfiguredPolicy:
		_, builtIn := console.BuiltInPolicy(console.ID(m.ID))
		return builtIn
	case console.ConfiguredPerson:
		var was map[string]any
		if json.Unmarshal(m.Described, &was) != nil {
			return true
		}
		return empty(was["roles"]) || empty(now.all["roles"])
	}
	return false
}

// rolesOf returns the roles that files gave a person; nil for other objects.
func (a *applying) rolesOf(m console.ManagedObject) any {
	var was map[string]any
	if m.Kind != console.ConfiguredPerson || json.Unmarshal(m.Described, &was) != nil {
		return nil
	}
	return was["roles"]
}

// remove removes an object. People stay, and lose the roles that the files gave them.
func (a *applying) remove(m console.ManagedObject) (console.ConfigurationWait, error) {
	t, id := a.t, console.ID(m.ID)
	switch m.Kind {
	case console.ConfiguredApp:
		app, err := t.App(id)
		if err != nil {
			return "", err
		}
		return "", govern.DeleteApp(t, app)
	case console.ConfiguredConnector:
		c, err := t.Connector(id)
		if err != nil {
			return "", err
		}
		app, err := t.App(c.App)
		if err != nil {
			return "", err
		}
		return "", govern.DeleteConnector(t, c, app)
	case console.ConfiguredPolicy:
		return "", govern.DeletePolicy(t, id)
	case console.ConfiguredAutomation:
		return "", t.RemoveAutomation(id)
	case console.ConfiguredIncompatible:
		_, _, pair, err := pairByID(t, m.ConfiguredObject)
		if err != nil {
			return "", err
		}
		return "", t.EndIncompatible(pair, fileReason)
	case console.ConfiguredProvider:
		if a.Program {
			return "", baton.Errorf(baton.PermissionDenied, "a credential cannot remove the identity provider %s", m.Name).WithFix("Remove it on the page of sign-in.")
		}
		return "", t.RemoveProvider(m.ID)
	case console.ConfiguredPerson:
		p, err := t.Person(id)
		if err != nil {
			return "", err
		}
		given, _ := a.rolesOf(m).([]any)
		left := slices.DeleteFunc(slices.Clone(p.Roles), func(r console.ConsoleRole) bool { return slices.Contains(given, any(string(r))) })
		if !a.Program {
			return "", t.SetRoles(id, left)
		}
		err = a.proposeRoles(p, left)
		return a.waits[reference{m.Kind, m.ID}], err
	case console.ConfiguredRequirement:
		return a.removeRequirement(m)
	}
	return "", baton.Errorf(baton.Internal, "configuration: %s cannot be removed", m.Kind)
}

func (a *applying) removeRequirement(m console.ManagedObject) (console.ConfigurationWait, error) {
	_, described, err := lookUp(a.t, m.Kind, m.ID)
	if err != nil {
		return "", err
	}
	r := fileRequirement{Requirement: described.(Requirement), By: a.t.By().Actor.Person()}
	r.Needs = nil
	_, wait, _, err := r.apply(a.t)
	return wait, err
}

// Drift returns how the console differs from the files of a source since they were applied: Before is
// in the console, After in the files.
func Drift(t *store.Tx, source string) (all []console.ConfigurationDifference, err error) {
	managed, err := managedBy(t, source)
	if err != nil {
		return nil, err
	}
	for _, m := range managed {
		if m.Former {
			continue
		}
		wanted := map[string]any{}
		if err := json.Unmarshal(m.Described, &wanted); err != nil {
			return nil, baton.Errorf(baton.Corrupt, "the configuration of %s %s: %w", m.Kind, m.Name, err)
		}
		d := console.ConfigurationDifference{Do: console.ConfigurationChange, ConfiguredObject: m.ConfiguredObject, Place: m.Place}
		now, err := find(t, m.Kind, m.ID)
		switch {
		case err != nil:
			return nil, err
		case now == nil:
			d.Do = console.ConfigurationCreate
			d.Fields = fieldsBetween(nil, wanted)
		default:
			d.ConfiguredObject = now.ConfiguredObject
			d.Fields = fieldsBetween(sameKeys(m.Kind, now.all, wanted), wanted)
		}
		if len(d.Fields) > 0 {
			all = append(all, d)
		}
	}
	return all, nil
}
