package config

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// Requirement describes what people must hold to get an entitlement, and to keep it.
type Requirement struct {
	App          string                  `yaml:"app,omitempty" json:"app"`
	Entitlement  string                  `yaml:"entitlement,omitempty" json:"entitlement"` // id as the application's connector reports it
	Needs        []string                `yaml:"needs,omitempty" json:"needs"`             // "Percipio/Security Basics"
	Any          bool                    `yaml:"any,omitempty" json:"any,omitempty"`
	WithinMonths int                     `yaml:"within_months,omitempty" json:"within_months,omitempty"`
	Grace        console.Duration        `yaml:"grace,omitempty" json:"grace,omitempty"`
	Mode         console.RequirementMode `yaml:"mode,omitempty" json:"mode,omitempty"` // default report
	Cap          int                     `yaml:"cap,omitempty" json:"cap,omitempty"`
}

// rule returns the described rule without its needs.
func (r Requirement) rule() console.RequirementRule {
	rule := console.RequirementRule{Any: r.Any, Months: r.WithinMonths, Grace: r.Grace, Mode: r.Mode, Cap: r.Cap}
	if rule.Mode == "" {
		rule.Mode = console.RequirementReport
	}
	return rule
}

// fileRequirement is a requirement of files. It is applied once, so that later changes on the pages stay
// until files are applied again. Those that the console applies when it starts count as applied until
// they change.
type fileRequirement struct {
	Requirement
	Source  string     `json:"source,omitempty"`
	By      console.ID `json:"by,omitempty"` // the person who applied it; "" for the console itself
	Applied bool       `json:"applied,omitempty"`
}

// requirementsSetting is the name of the setting with the requirements of files.
const requirementsSetting = "requirements-of-file"

func fileRequirements(t *store.Tx) (all []fileRequirement, err error) {
	b, err := t.Setting(requirementsSetting)
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil
	}
	if err == nil {
		if e := json.Unmarshal(b, &all); e != nil {
			err = baton.Errorf(baton.Corrupt, "the requirements of the file: %w", e)
		}
	}
	for i := range all {
		if all[i].Source == "" {
			all[i].Source = console.BootstrapSource
		}
	}
	return all, err
}

func keepRequirements(t *store.Tx, all []fileRequirement) error {
	b, err := json.Marshal(all)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode requirements: %w", err)
	}
	return t.SetSetting(requirementsSetting, b)
}

// applyRequirements applies the requirements whose entitlements syncs show, and stores all of them for
// later syncs.
func (a *applying) applyRequirements() error {
	before, err := fileRequirements(a.t)
	if err != nil {
		return err
	}
	var all []fileRequirement
	for _, b := range before {
		if b.Source != a.Source {
			all = append(all, b)
		}
	}
	for i, r := range a.Requirements {
		next := fileRequirement{Requirement: r, Source: a.Source, By: a.t.By().Actor.Person()}
		for _, b := range before {
			if b.Source == a.Source && reflect.DeepEqual(b.Requirement, r) {
				next.By = b.By
				next.Applied = b.Applied && a.Source == console.BootstrapSource
			}
		}
		if !next.Applied {
			if next.Applied, err = a.applyRequirement(next); err != nil {
				return placed(a.at("requirements", i), err)
			}
		}
		all = append(all, next)
	}
	slices.SortStableFunc(all, func(x, y fileRequirement) int { return strings.Compare(x.Source, y.Source) })
	if len(all) == 0 && len(before) == 0 || reflect.DeepEqual(all, before) {
		return nil
	}
	return keepRequirements(a.t, all)
}

// applyRequirement applies one requirement, and keeps what of it waits.
func (a *applying) applyRequirement(r fileRequirement) (done bool, err error) {
	app, err := a.t.AppByName(r.App)
	if baton.KindOf(err) == baton.NotFound {
		return false, baton.Errorf(baton.Invalid, "the requirement of %s: there is no app %q", r.Entitlement, r.App).WithFix("Add the app to apps.")
	}
	if err != nil {
		return false, err
	}
	id := console.RequirementObject(app.ID, r.Entitlement)
	key := reference{console.ConfiguredRequirement, id}
	next, wait, done, err := r.apply(a.t)
	switch {
	case err != nil:
		return false, err
	case !done:
		a.waits[key] = console.WaitsForSync
		a.requirements[id] = r.Requirement
		if r.Mode == "" {
			r.Mode = r.rule().Mode
			a.requirements[id] = r.Requirement
		}
	case wait != console.WaitsForNothing:
		a.waits[key] = wait
		a.requirements[id], err = describeRequirement(a.t, next)
	}
	return done, err
}

// ResolveRequirements applies the requirements of files whose entitlements the newest syncs now show.
// It runs after every applied sync.
func ResolveRequirements(t *store.Tx) error {
	all, err := fileRequirements(t)
	if err != nil {
		return err
	}
	changed := false
	for i, r := range all {
		if r.Applied {
			continue
		}
		_, _, done, err := r.apply(t)
		if err != nil {
			return err
		}
		all[i].Applied = done
		changed = changed || done
	}
	if !changed {
		return nil
	}
	return keepRequirements(t, all)
}

// apply sets the requirement, or proposes it to a second person. done is false while a sync does not
// show something that it names.
func (r fileRequirement) apply(t *store.Tx) (next console.Requirement, wait console.ConfigurationWait, done bool, err error) {
	next, have, found, err := r.resolve(t)
	if err != nil || !found {
		return next, "", false, err
	}
	if reflect.DeepEqual(have.RequirementRule, next.RequirementRule) {
		return next, "", true, nil
	}
	next.Version, next.Author, next.Weaker = have.Version, r.By, !next.AtLeast(have.RequirementRule)
	if !next.Weaker || r.By == "" {
		return next, "", true, t.AddRequirement(next)
	}
	m := console.Amendment{Kind: console.AmendRequirement, App: next.App, Object: govern.RequirementChange(next.App, next.Entitlement), Author: r.By}
	wait, err = propose(t, m, have, next)
	return next, wait, true, err
}

// resolve returns the requirement with the keys of what it names, and the version that the console has;
// zero if it has none. found is false while a sync does not show something that it names.
func (r Requirement) resolve(t *store.Tx) (next, have console.Requirement, found bool, err error) {
	app, err := t.AppByName(r.App)
	if err != nil {
		return next, have, false, ignoreMissing(err)
	}
	m, err := t.Moment(app.ID, time.Time{})
	if err != nil {
		return next, have, false, err
	}
	e, err := t.EntitlementByID(m, r.Entitlement)
	if err != nil {
		return next, have, false, ignoreMissing(err)
	}
	next = console.Requirement{App: app.ID, Entitlement: e.Key, RequirementRule: r.rule()}
	next.Needs, err = govern.ResolveNeeds(t, r.Needs)
	if baton.KindOf(err) == baton.Invalid {
		return next, have, false, nil
	}
	if err != nil {
		return next, have, false, err
	}
	versions, err := t.Requirements(app.ID, e.Key)
	have = console.Requirement{App: app.ID, Entitlement: e.Key}
	if err == nil && len(versions) > 0 {
		have = versions[0]
	}
	return next, have, true, err
}
