package config

import (
	"encoding/json"
	"reflect"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// Requirement describes what people must hold to get an entitlement, and to keep it.
type Requirement struct {
	App          string                  `yaml:"app" json:"app"`
	Entitlement  string                  `yaml:"entitlement" json:"entitlement"` // id as the application's connector reports it
	Needs        []string                `yaml:"needs" json:"needs"`             // "Percipio/Security Basics"
	Any          bool                    `yaml:"any" json:"any,omitempty"`
	WithinMonths int                     `yaml:"within_months" json:"within_months,omitempty"`
	Grace        console.Duration        `yaml:"grace" json:"grace,omitempty"`
	Mode         console.RequirementMode `yaml:"mode" json:"mode,omitempty"` // default report
	Cap          int                     `yaml:"cap" json:"cap,omitempty"`
}

// rule returns the described rule without its needs.
func (r Requirement) rule() console.RequirementRule {
	rule := console.RequirementRule{Any: r.Any, Months: r.WithinMonths, Grace: r.Grace, Mode: r.Mode, Cap: r.Cap}
	if rule.Mode == "" {
		rule.Mode = console.RequirementReport
	}
	return rule
}

// fileRequirement is a requirement of the file. It is applied once, so that later changes on the pages
// stay until the file changes.
type fileRequirement struct {
	Requirement
	Applied bool `json:"applied,omitempty"`
}

// requirementsSetting is the name of the setting with the requirements of the file.
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
	return all, err
}

func keepRequirements(t *store.Tx, all []fileRequirement) error {
	b, err := json.Marshal(all)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode requirements: %w", err)
	}
	return t.SetSetting(requirementsSetting, b)
}

// applyRequirements stores the requirements of the file that differ from before, and applies those
// whose entitlements syncs show.
func (f *File) applyRequirements(t *store.Tx) error {
	before, err := fileRequirements(t)
	if err != nil {
		return err
	}
	var all []fileRequirement
	for _, r := range f.Requirements {
		next := fileRequirement{Requirement: r}
		for _, b := range before {
			if reflect.DeepEqual(b.Requirement, r) {
				next.Applied = b.Applied
			}
		}
		all = append(all, next)
	}
	if !reflect.DeepEqual(all, before) {
		if err := keepRequirements(t, all); err != nil {
			return err
		}
	}
	return ResolveRequirements(t)
}

// ResolveRequirements applies the requirements of the file whose entitlements the newest syncs now
// show. It runs after every applied sync.
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
		done, err := r.apply(t)
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

// apply sets the requirement. done is false while a sync does not show something that it names.
func (r Requirement) apply(t *store.Tx) (done bool, err error) {
	app, err := t.AppByName(r.App)
	if baton.KindOf(err) == baton.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m, err := t.Moment(app.ID, time.Time{})
	if err != nil {
		return false, err
	}
	e, err := t.EntitlementByID(m, r.Entitlement)
	if baton.KindOf(err) == baton.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	next := console.Requirement{App: app.ID, Entitlement: e.Key, RequirementRule: r.rule()}
	next.Needs, err = govern.ResolveNeeds(t, r.Needs)
	if baton.KindOf(err) == baton.Invalid {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	versions, err := t.Requirements(app.ID, e.Key)
	if err != nil {
		return false, err
	}
	if len(versions) > 0 {
		if reflect.DeepEqual(versions[0].RequirementRule, next.RequirementRule) {
			return true, nil
		}
		next.Version, next.Weaker = versions[0].Version, !next.AtLeast(versions[0].RequirementRule)
	}
	return true, t.AddRequirement(next)
}
