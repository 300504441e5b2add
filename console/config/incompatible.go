package config

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Incompatible describes two entitlements that nobody should hold together.
type Incompatible struct {
	Entitlements []string `yaml:"entitlements,omitempty" json:"entitlements"` // two, such as "Perplexity/group:admins:member"
	Why          string   `yaml:"why,omitempty" json:"why"`
}

// sorted returns the description with its entitlements in order.
func (d Incompatible) sorted() Incompatible {
	d.Entitlements = slices.Sorted(slices.Values(d.Entitlements))
	return d
}

func (d Incompatible) name() string { return strings.Join(d.sorted().Entitlements, " and ") }

// checkIncompatible reports the problems of the incompatible entitlements.
func (f *File) checkIncompatible(bad *problems, all seen) {
	for i, d := range f.Incompatible {
		at := f.at("incompatible", i)
		whole := func(text string) bool {
			app, id, found := strings.Cut(text, "/")
			return found && app != "" && id != ""
		}
		if len(d.Entitlements) != 2 || !whole(d.Entitlements[0]) || !whole(d.Entitlements[1]) || strings.TrimSpace(d.Why) == "" {
			bad.add(at, "incompatible %d needs two entitlements, each with its app in front, and a why: {entitlements: [App/id, App/id], why: text}", i+1)
			continue
		}
		all.once(bad, at, "the pair", d.name())
		if d.Entitlements[0] == d.Entitlements[1] {
			bad.add(at, "incompatible %d: an entitlement is not incompatible with itself", i+1)
		}
	}
}

// side is an entitlement of an app, by names and by keys.
type side struct {
	app console.App
	id  string
	key console.EntitlementKey // 0 if no sync shows it
}

func (s side) object() string { return string(s.app.ID) + "/" + s.id }

// sideOf returns what "App/id" names. Names of apps may have a slash, too.
func sideOf(t *store.Tx, text string) (s side, err error) {
	for i := range len(text) {
		if text[i] != '/' {
			continue
		}
		if s.app, err = t.AppByName(text[:i]); baton.KindOf(err) == baton.NotFound {
			continue
		}
		if err != nil {
			return s, err
		}
		s.id = text[i+1:]
		m, err := t.Moment(s.app.ID, time.Time{})
		if err != nil {
			return s, err
		}
		e, err := t.EntitlementByID(m, s.id)
		s.key = e.Key
		return s, ignoreMissing(err)
	}
	return s, baton.Errorf(baton.Invalid, "there is no app for %q", text).WithFix("Add the app to apps.")
}

// pairObject returns the ID of incompatible entitlements among configured objects.
func pairObject(a, b side) string {
	ids := []string{a.object(), b.object()}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// sides returns both sides of a description.
func (d Incompatible) sides(t *store.Tx) (a, b side, err error) {
	if a, err = sideOf(t, d.Entitlements[0]); err == nil {
		b, err = sideOf(t, d.Entitlements[1])
	}
	if err != nil {
		err = baton.Errorf(baton.KindOf(err), "incompatible %s: %w", d.name(), err).WithFix("%s", baton.FixOf(err))
	}
	return a, b, err
}

// fileIncompatible is a pair of files that waits for a sync.
type fileIncompatible struct {
	Incompatible
	Source string `json:"source"`
}

// incompatibleSetting is the name of the setting with the pairs of files that wait.
const incompatibleSetting = "incompatible-of-file"

func waitingIncompatible(t *store.Tx) (all []fileIncompatible, err error) {
	b, err := t.Setting(incompatibleSetting)
	if err != nil {
		return nil, ignoreMissing(err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, baton.Errorf(baton.Corrupt, "the incompatible entitlements of files: %w", err)
	}
	return all, nil
}

func keepIncompatible(t *store.Tx, before, all []fileIncompatible) error {
	slices.SortFunc(all, func(x, y fileIncompatible) int {
		return cmp.Or(cmp.Compare(x.Source, y.Source), cmp.Compare(x.name(), y.name()))
	})
	if len(all) == 0 && len(before) == 0 || reflect.DeepEqual(all, before) {
		return nil
	}
	b, err := json.Marshal(all)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode incompatible entitlements: %w", err)
	}
	return t.SetSetting(incompatibleSetting, b)
}

// applyIncompatible declares the pairs of the files that syncs show, and keeps the others.
func (a *applying) applyIncompatible() error {
	before, err := waitingIncompatible(a.t)
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(before), func(b fileIncompatible) bool { return b.Source == a.Source })
	for i, d := range a.Incompatible {
		x, y, err := d.sides(a.t)
		if err != nil {
			return placed(a.at("incompatible", i), err)
		}
		if x.key != 0 && y.key != 0 {
			if err := declare(a.t, x, y, d.Why); err != nil {
				return err
			}
			continue
		}
		id := pairObject(x, y)
		a.waits[reference{console.ConfiguredIncompatible, id}] = console.WaitsForSync
		a.incompatible[id] = d.sorted()
		kept = append(kept, fileIncompatible{d.sorted(), a.Source})
	}
	return keepIncompatible(a.t, before, kept)
}

// declare declares two entitlements incompatible, unless they are for that reason.
func declare(t *store.Tx, x, y side, why string) error {
	want := console.Incompatible{App: x.app.ID, Entitlement: x.key, OtherApp: y.app.ID, OtherEntitlement: y.key, Why: why}
	pairs, err := t.IncompatiblePairs()
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if !p.Same(want) {
			continue
		}
		if p.Why == why {
			return nil
		}
		if err := t.EndIncompatible(p.ID, fileReason); err != nil {
			return err
		}
	}
	_, err = t.AddIncompatible(want)
	return err
}

// ResolveIncompatible declares the pairs of files that syncs show now. It runs after every applied sync.
func ResolveIncompatible(t *store.Tx) error {
	before, err := waitingIncompatible(t)
	if err != nil || len(before) == 0 {
		return err
	}
	var left []fileIncompatible
	for _, f := range before {
		x, y, err := f.sides(t)
		switch {
		case baton.KindOf(err) == baton.Invalid: // the app was removed or renamed
			left = append(left, f)
		case err != nil:
			return err
		case x.key == 0 || y.key == 0:
			left = append(left, f)
		default:
			if err := declare(t, x, y, f.Why); err != nil {
				return err
			}
		}
	}
	return keepIncompatible(t, before, left)
}

// describePair returns incompatible entitlements as a file describes them, and their ID. there is false
// if one of the apps was removed.
func describePair(t *store.Tx, p console.Incompatible) (d Incompatible, id string, there bool, err error) {
	var sides [2]side
	for i, of := range []console.Need{{App: p.App, Entitlement: p.Entitlement}, {App: p.OtherApp, Entitlement: p.OtherEntitlement}} {
		if sides[i].app, err = t.App(of.App); err != nil || !sides[i].app.Removed.IsZero() {
			return d, "", false, err
		}
		if sides[i].id, err = entitlementID(t, of.Entitlement); err != nil {
			return d, "", false, err
		}
		d.Entitlements = append(d.Entitlements, sides[i].app.Name+"/"+sides[i].id)
	}
	d.Why = p.Why
	return d.sorted(), pairObject(sides[0], sides[1]), true, nil
}

// pairByID returns a declared pair of entitlements.
func pairByID(t *store.Tx, o console.ConfiguredObject) (console.ConfiguredObject, *Incompatible, console.ID, error) {
	pairs, err := t.IncompatiblePairs()
	if err != nil {
		return o, nil, "", err
	}
	for _, p := range pairs {
		d, id, there, err := describePair(t, p.Incompatible)
		if err != nil {
			return o, nil, "", err
		}
		if there && id == o.ID {
			o.Name = d.name()
			return o, &d, p.ID, nil
		}
	}
	return o, nil, "", baton.Errorf(baton.NotFound, "no incompatible entitlements")
}

// incompatible adds the pairs, and those of files that wait.
func (x *exporting) incompatible() error {
	pairs, err := x.t.IncompatiblePairs()
	if err != nil {
		return err
	}
	for _, p := range pairs {
		d, _, there, err := describePair(x.t, p.Incompatible)
		if err != nil {
			return err
		}
		if there {
			x.Incompatible = append(x.Incompatible, d)
		}
	}
	waiting, err := waitingIncompatible(x.t)
	for _, w := range waiting {
		if !slices.ContainsFunc(x.Incompatible, func(d Incompatible) bool { return d.name() == w.name() }) {
			x.Incompatible = append(x.Incompatible, w.Incompatible)
		}
	}
	slices.SortFunc(x.Incompatible, func(a, b Incompatible) int { return cmp.Compare(a.name(), b.name()) })
	return err
}
