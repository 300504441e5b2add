package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// fileAutomation is an automation of files that is not published yet: it waits for a sync, for something
// that it names, or for a second person.
type fileAutomation struct {
	Automation
	at     place
	Source string     `json:"source"`
	By     console.ID `json:"by,omitempty"` // the person who applied it; "" for the console itself
	// Program means that a credential applied it.
	Program bool `json:"program,omitempty"`
	// ID is that of its draft; "" while there is none.
	ID console.ID `json:"id,omitempty"`
}

// automationsSetting is the name of the setting with the automations of files that wait.
const automationsSetting = "automations-of-file"

func fileAutomations(t *store.Tx) (all []fileAutomation, err error) {
	b, err := t.Setting(automationsSetting)
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil
	}
	if err == nil {
		if e := json.Unmarshal(b, &all); e != nil {
			err = baton.Errorf(baton.Corrupt, "the automations of files: %w", e)
		}
	}
	return all, err
}

// keepAutomations stores the automations that wait, unless they are the same as before.
func keepAutomations(t *store.Tx, before, all []fileAutomation) error {
	slices.SortFunc(all, func(x, y fileAutomation) int {
		return cmp.Or(cmp.Compare(x.Source, y.Source), cmp.Compare(x.App, y.App), cmp.Compare(x.Name, y.Name))
	})
	if len(all) == 0 && len(before) == 0 || reflect.DeepEqual(all, before) {
		return nil
	}
	b, err := json.Marshal(all)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode automations: %w", err)
	}
	return t.SetSetting(automationsSetting, b)
}

// automationNamed returns the automation of an app with a name, the oldest if several have it.
func automationNamed(t *store.Tx, app console.ID, name string) (console.Automation, error) {
	all, err := t.Automations(app)
	if err != nil {
		return console.Automation{}, err
	}
	for _, a := range all {
		if a.Name == name {
			return a, nil
		}
	}
	return console.Automation{}, baton.Errorf(baton.NotFound, "no automation")
}

// errMissing marks what the console does not have yet, and may have later.
type errMissing struct {
	wait console.ConfigurationWait
	error
}

// storeNames finds what an automation names in the console, and the automations that are added together.
type storeNames struct {
	t     *store.Tx
	added map[string]console.ID // by app and name
}

func (n storeNames) app(name string) (console.ID, error) {
	a, err := n.t.AppByName(name)
	return a.ID, noSuch(err, "there is no app %q", name)
}

// noSuch returns what is wrong with a name, if nothing with it was found.
func noSuch(err error, format string, args ...any) error {
	if baton.KindOf(err) == baton.NotFound {
		return baton.Errorf(baton.Invalid, format, args...).WithFix("Correct the name, or add it to the files.")
	}
	return err
}

func (n storeNames) entitlement(app, id string) (console.EntitlementKey, error) {
	of, err := n.app(app)
	if err != nil {
		return 0, err
	}
	m, err := n.t.Moment(of, time.Time{})
	if err != nil {
		return 0, err
	}
	e, err := n.t.EntitlementByID(m, id)
	if baton.KindOf(err) != baton.NotFound {
		return e.Key, err
	}
	needs, err := govern.ResolveNeeds(n.t, []string{app + "/" + id}) // a course may be named
	if err != nil && baton.KindOf(err) != baton.Invalid {
		return 0, err
	}
	if err != nil || needs[0].App != of {
		return 0, errMissing{console.WaitsForSync, baton.Errorf(baton.NotFound, "no sync of %s shows %q", app, id)}
	}
	return needs[0].Entitlement, nil
}

func (n storeNames) connector(name string) (console.ID, error) {
	c, err := n.t.ConnectorByName(name)
	return c.ID, noSuch(err, "there is no connector %q", name)
}

func (n storeNames) policy(name string) (console.ID, error) {
	p, err := policyOf(n.t, name)
	if err == nil && p.Kind != console.PolicyRequest {
		err = baton.Errorf(baton.NotFound, "no policy for requests")
	}
	return p.ID, noSuch(err, "there is no policy %q of kind %s", name, console.PolicyRequest)
}

func (n storeNames) hook(name string) (console.ID, error) {
	all, err := n.t.Hooks()
	if err != nil {
		return "", err
	}
	for _, h := range all {
		if h.Name == name {
			return h.ID, nil
		}
	}
	return "", errMissing{console.WaitsForNamed, baton.Errorf(baton.NotFound, "there is no incoming webhook %q", name)}
}

func (n storeNames) webhook(address string) (console.ID, error) {
	all, err := n.t.Webhooks()
	if err != nil {
		return "", err
	}
	for _, w := range all {
		if w.Address == address {
			return w.ID, nil
		}
	}
	return "", errMissing{console.WaitsForNamed, baton.Errorf(baton.NotFound, "there is no webhook %q", address)}
}

func (n storeNames) automation(app, name string) (console.ID, error) {
	if id := n.added[automationKey(app, name)]; id != "" {
		return id, nil
	}
	of, err := n.app(app)
	if err != nil {
		return "", err
	}
	a, err := automationNamed(n.t, of, name)
	if baton.KindOf(err) == baton.NotFound {
		return "", errMissing{console.WaitsForNamed, baton.Errorf(baton.NotFound, "%s has no automation %q", app, name)}
	}
	return a.ID, err
}

func automationKey(app, name string) string { return app + "\x00" + name }

// automationWork is an automation of files that is applied.
type automationWork struct {
	fileAutomation
	have console.Automation // without an ID if the console does not have it
	app  console.App
	rule console.AutomationRule
	// found means that the console has everything that the rule names.
	found bool
	wait  console.ConfigurationWait
}

// applyAutomations adds and changes automations, publishes them, and keeps those that wait.
func (a *applying) applyAutomations() error {
	before, err := fileAutomations(a.t)
	if err != nil {
		return err
	}
	var all, kept []fileAutomation
	for _, b := range before {
		if b.Source != a.Source {
			kept = append(kept, b)
		}
	}
	for i, d := range a.Automations {
		all = append(all, fileAutomation{Automation: d, at: a.at("automations", i), Source: a.Source, By: a.t.By().Actor.Person(), Program: a.Program})
	}
	work, err := putAutomations(a.t, all)
	if err != nil {
		return err
	}
	for _, w := range work {
		if w.wait == console.WaitsForNothing {
			continue
		}
		id := waitingAutomation(w.app.ID, w.Name)
		if w.have.ID != "" {
			id = string(w.have.ID)
			w.ID = w.have.ID
		}
		a.waits[reference{console.ConfiguredAutomation, id}] = w.wait
		described := w.Automation
		described.Key = ""
		a.automations[id] = described
		w.at = place{} // it is not kept
		kept = append(kept, w.fileAutomation)
	}
	return keepAutomations(a.t, before, kept)
}

// waitingAutomation is the ID of an automation among configured objects until it is added.
func waitingAutomation(app console.ID, name string) string { return string(app) + "/" + name }

// putAutomations stores and publishes what can be of automations, and says what the others wait for.
func putAutomations(t *store.Tx, all []fileAutomation) (work []*automationWork, err error) {
	for _, f := range all {
		w := &automationWork{fileAutomation: f}
		if w.app, err = t.AppByName(f.App); err != nil {
			return nil, placed(f.at, noSuch(err, "automation %s: there is no app %q", f.Name, f.App))
		}
		if w.have, err = automationNamed(t, w.app.ID, f.Name); ignoreMissing(err) != nil {
			return nil, err
		}
		work = append(work, w)
	}
	added, err := resolveAutomations(t, work)
	if err != nil {
		return nil, err
	}
	for _, w := range work {
		if w.found {
			if err := w.store(t, added); err != nil {
				return nil, placed(w.at, err)
			}
		}
	}
	return work, publishAutomations(t, work)
}

// resolveAutomations finds what automations name. Those that name something that is missing wait, and so
// do those that run one that waits. It returns the ids of those that are added.
func resolveAutomations(t *store.Tx, work []*automationWork) (added map[string]console.ID, err error) {
	added = map[string]console.ID{}
	for _, w := range work {
		if w.have.ID == "" {
			added[automationKey(w.App, w.Name)] = console.NewID(t.By().At)
		}
	}
	for _, w := range work {
		w.found = true
	}
	for again := true; again; {
		again = false
		for _, w := range work {
			if !w.found {
				continue
			}
			var missing errMissing
			switch w.rule, err = w.Automation.rule(storeNames{t, added}); {
			case errors.As(err, &missing):
				w.found, w.wait, again = false, missing.wait, true
				delete(added, automationKey(w.App, w.Name))
			case err != nil:
				return nil, placed(w.at, baton.Errorf(baton.KindOf(err), "automation %s: %w", w.Name, err).WithFix("%s", baton.FixOf(err)))
			}
		}
	}
	return added, nil
}

// author returns whose rights an automation of files has: those of the person who applies them. For the
// console itself, they are those of the owner.
func (w *automationWork) author(owner console.ID) console.ID {
	if w.By != "" {
		return w.By
	}
	return owner
}

// store adds the automation, or changes what differs from the version that runs and from the draft. It
// leaves the draft of an automation that waits, which people may have changed.
func (w *automationWork) store(t *store.Tx, added map[string]console.ID) error {
	if w.ID != "" {
		return nil
	}
	owner, err := personOf(t, w.Owner, "owner of automation "+w.Name)
	if err != nil {
		return err
	}
	if w.have.ID == "" {
		w.have = console.Automation{ID: added[automationKey(w.App, w.Name)], App: w.app.ID, Name: w.Name, Owner: owner, Author: w.author(owner), Draft: w.rule}
		w.have, err = t.AddAutomation(w.have)
		if err == nil && w.Paused {
			err = w.pause(t)
		}
		return err
	}
	if w.Draft && w.have.Published > 0 {
		return baton.Errorf(baton.Refused, "automation %s is published: it cannot be a draft again", w.Name).WithFix("Write paused: true in place of draft: true.")
	}
	next := w.have
	if next.Owner, err = canonicalOr(t, next.Owner, owner); err != nil {
		return err
	}
	runs, err := w.runs(t)
	if err != nil {
		return err
	}
	if !runs && w.have.Draft.Text() != w.rule.Text() {
		next.Draft, next.Author = w.rule, w.author(owner)
	}
	if next.Owner != w.have.Owner || next.Draft.Text() != w.have.Draft.Text() {
		if err := t.ChangeAutomation(next); err != nil {
			return err
		}
		if w.have, err = t.Automation(w.have.ID); err != nil {
			return err
		}
	}
	if w.Paused && w.have.State == console.AutomationOn {
		return w.pause(t)
	}
	return nil
}

// canonicalOr returns id if it is another identity of a person, else the person.
func canonicalOr(t *store.Tx, id, person console.ID) (console.ID, error) {
	canonical, err := t.Canonical(id)
	if err == nil && canonical == person {
		return id, nil
	}
	return person, ignoreMissing(err)
}

func (w *automationWork) pause(t *store.Tx) (err error) {
	if err = t.SetAutomationState(w.have.ID, console.AutomationPaused, fileReason); err == nil {
		w.have, err = t.Automation(w.have.ID)
	}
	return err
}

// runs reports whether the version that runs is the described one.
func (w *automationWork) runs(t *store.Tx) (bool, error) {
	if w.have.Published == 0 {
		return false, nil
	}
	v, err := t.AutomationVersion(w.have.ID, w.have.Published)
	return v.Text() == w.rule.Text(), err
}

// publishAutomations publishes the automations that can be. One that runs another one is published after
// that.
func publishAutomations(t *store.Tx, work []*automationWork) error {
	for again := true; again; {
		again = false
		for _, w := range work {
			if !w.found || w.Draft {
				continue
			}
			if runs, err := w.runs(t); err != nil {
				return err
			} else if runs || w.have.Draft.Text() != w.rule.Text() { // somebody changed the draft that waited
				w.wait = console.WaitsForNothing
				continue
			}
			me, err := t.Person(w.author(w.have.Author))
			if err != nil {
				return err
			}
			if w.wait, err = govern.PublishConfigured(t, me, w.have, w.Program); err != nil {
				return placed(w.at, baton.Errorf(baton.KindOf(err), "automation %s: %w", w.Name, err).WithFix("%s", baton.FixOf(err)))
			}
			if w.wait == console.WaitsForNothing {
				again = true
				if w.have, err = t.Automation(w.have.ID); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ResolveAutomations adds and publishes the automations of files that waited for something that the
// console has now. It runs after every applied sync. One that cannot be published any more stays as it
// is, until files are applied again.
func ResolveAutomations(t *store.Tx) error {
	before, err := fileAutomations(t)
	if err != nil || len(before) == 0 {
		return err
	}
	left := before
	for again := true; again; {
		var still []fileAutomation
		for _, f := range left {
			waits, err := f.resolveLate(t)
			if err != nil {
				return err
			}
			if waits {
				still = append(still, f)
			}
		}
		again, left = len(still) < len(left), still
	}
	return keepAutomations(t, before, left)
}

// resolveLate adds and publishes one automation that waited. It does not wait any more if somebody
// removed it or changed its draft.
func (f fileAutomation) resolveLate(t *store.Tx) (waits bool, err error) {
	if f.ID != "" {
		have, err := t.Automation(f.ID)
		if err != nil || !have.Removed.IsZero() || have.Name != f.Name {
			return false, ignoreMissing(err)
		}
	}
	work, err := putAutomations(t, []fileAutomation{f})
	switch kind := baton.KindOf(err); {
	case kind == baton.Invalid || kind == baton.Refused || kind == baton.NotFound:
		return true, nil
	case err != nil:
		return false, err
	}
	return work[0].wait != console.WaitsForNothing, nil
}
