package review

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// people reads persons once.
type people struct {
	tx   *store.Tx
	byID map[console.ID]*console.Person
}

// load reads the owners of accounts together.
func (p *people) load(owners map[console.ResourceKey]console.ID) error {
	if p.byID == nil {
		p.byID = map[console.ID]*console.Person{}
	}
	var missing []console.ID
	for _, id := range owners {
		if id != "" && p.byID[id] == nil {
			missing = append(missing, id)
		}
	}
	slices.Sort(missing)
	found, err := p.tx.PersonsByID(slices.Compact(missing))
	for id, person := range found {
		p.byID[id] = &person
	}
	return err
}

// of returns a person that was loaded; nil for nobody.
func (p *people) of(id console.ID) *console.Person { return p.byID[id] }

// get returns a person, after merges.
func (p *people) get(id console.ID) (*console.Person, error) {
	if found := p.byID[id]; found != nil && found.MergedInto == "" {
		return found, nil
	}
	one, err := p.tx.Person(id)
	if err == nil && one.MergedInto != "" {
		one, err = p.tx.Person(one.MergedInto)
	}
	if err != nil {
		return nil, err
	}
	if p.byID == nil {
		p.byID = map[console.ID]*console.Person{}
	}
	p.byID[id] = &one
	return &one, nil
}

// active returns the people of a list who may be asked.
func (p *people) active(ids []console.ID) (active []console.ID, err error) {
	for _, id := range ids {
		if id == "" {
			continue
		}
		one, err := p.get(id)
		if baton.KindOf(err) == baton.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if one.Status == console.PersonActive && !one.Service && !slices.Contains(active, one.ID) {
			active = append(active, one.ID)
		}
	}
	return active, nil
}

// barredFormer is why recent owners of an account may not review it.
const barredFormer = "was the owner of this account in the last 30 days"

func barred(former []console.ID) map[console.ID]string {
	if len(former) == 0 {
		return nil
	}
	all := map[console.ID]string{}
	for _, id := range former {
		all[id] = barredFormer
	}
	return all
}

// assigner finds the reviewers of items, and remembers those of equal ones.
type assigner struct {
	people   *people
	settings console.CampaignSettings
	now      time.Time
	groups   map[console.Approver][]console.ID
	owners   map[ownerKey][]console.ID
	known    map[assignKey][]console.Asked
	apps     map[console.ID]*console.App
	// delegates holds who decides for whom at the moment; "" for nobody.
	delegates map[console.ID]console.ID
}

type ownerKey struct {
	app         console.ID
	entitlement console.EntitlementKey
}

type assignKey struct {
	person, app console.ID
	entitlement console.EntitlementKey
	former      string
}

func newAssigner(p *people, settings console.CampaignSettings, now time.Time) *assigner {
	return &assigner{people: p, settings: settings, now: now, groups: map[console.Approver][]console.ID{}, owners: map[ownerKey][]console.ID{}, known: map[assignKey][]console.Asked{}, apps: map[console.ID]*console.App{}, delegates: map[console.ID]console.ID{}}
}

// of returns who is asked about an item.
func (a *assigner) of(app *console.App, person *console.Person, e console.EntitlementKey, former []console.ID) ([]console.Asked, error) {
	key := assignKey{entitlement: e}
	if app != nil {
		key.app = app.ID
	}
	if person != nil {
		key.person = person.Canonical()
	}
	for _, f := range former {
		key.former += string(f) + " "
	}
	if asked, known := a.known[key]; known {
		return asked, nil
	}
	asked, _, err := a.reviewers(app, person, e).Of(console.ReviewSubject{Person: key.person, Barred: barred(former)})
	if err == nil {
		a.known[key] = asked
	}
	return asked, err
}

func (a *assigner) reviewers(app *console.App, person *console.Person, e console.EntitlementKey) console.Reviewers {
	return console.Reviewers{Ask: a.settings.Reviewers, Fallback: a.settings.Fallback, Delegate: a.delegate, People: func(x console.Approver) ([]console.ID, error) {
		switch {
		case x.Kind == console.ApproverManager && person != nil:
			return a.people.active([]console.ID{person.Manager})
		case x.Kind == console.ApproverAppOwner && app != nil:
			return a.people.active(app.Owners)
		case x.Kind == console.ApproverEntitlementOwner && app != nil:
			return a.entitlementOwners(app.ID, e)
		}
		return a.group(x)
	}}
}

// delegate returns the active person who decides for another one now.
func (a *assigner) delegate(p console.ID) (console.ID, error) {
	if d, known := a.delegates[p]; known {
		return d, nil
	}
	delegation, err := a.people.tx.Delegation(p)
	if err != nil {
		return "", err
	}
	var active []console.ID
	if delegation.Active(a.now) {
		if active, err = a.people.active([]console.ID{delegation.Delegate}); err != nil {
			return "", err
		}
	}
	a.delegates[p] = ""
	if len(active) > 0 && active[0] != p {
		a.delegates[p] = active[0]
	}
	return a.delegates[p], nil
}

func (a *assigner) entitlementOwners(app console.ID, e console.EntitlementKey) ([]console.ID, error) {
	key := ownerKey{app, e}
	if found, known := a.owners[key]; known {
		return found, nil
	}
	versions, err := a.people.tx.RequestSettings(app, e)
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	active, err := a.people.active(versions[0].Settings.Owners)
	if err == nil {
		a.owners[key] = active
	}
	return active, err
}

// group returns the people behind an approver that does not depend on the item.
func (a *assigner) group(x console.Approver) ([]console.ID, error) {
	if found, known := a.groups[x]; known {
		return found, nil
	}
	var ids []console.ID
	var err error
	switch x.Kind {
	case console.ApproverPerson:
		if id := x.Person; strings.Contains(string(id), "@") {
			var p console.Person
			if p, err = a.people.tx.PersonByEmail(string(id)); baton.KindOf(err) == baton.NotFound {
				err = nil
			}
			ids = []console.ID{p.ID}
		} else {
			ids = []console.ID{id}
		}
	case console.ApproverRole:
		if ids, err = a.people.tx.PersonsWithRole(x.Role, console.MaxApprovers+1); len(ids) > console.MaxApprovers {
			ids = nil
		}
	case console.ApproverGroup:
		ids, err = a.holders(x)
	}
	if err == nil {
		ids, err = a.people.active(ids)
	}
	if err == nil {
		a.groups[x] = ids
	}
	return ids, err
}

// holders returns the people who hold an entitlement; nobody if there are too many.
func (a *assigner) holders(x console.Approver) (ids []console.ID, err error) {
	tx := a.people.tx
	m, err := tx.Moment(x.App, time.Time{})
	if err != nil {
		return nil, err
	}
	e, err := tx.EntitlementByID(m, x.Entitlement)
	if baton.KindOf(err) == baton.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	holders, err := tx.Holders(m, e.Key, store.HolderAfter{}, 2*console.MaxApprovers)
	if err != nil || len(holders) == 2*console.MaxApprovers {
		return nil, err
	}
	for _, h := range holders {
		if h.Principal.Account == nil || !console.HasAccount(true, h.Principal.Status) {
			continue
		}
		person, active, err := tx.AccountPerson(h.Principal.Key, time.Time{})
		if err != nil {
			return nil, err
		}
		if active && !slices.Contains(ids, person) {
			ids = append(ids, person)
		}
	}
	if len(ids) > console.MaxApprovers {
		return nil, nil
	}
	return ids, nil
}
