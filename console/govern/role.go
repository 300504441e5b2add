package govern

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// RoleEntitlement is an entitlement that gives a role, or may give one.
type RoleEntitlement struct {
	Key   console.EntitlementKey
	Name  string
	On    store.Resource // its resource; zero if no sync shows it
	Shown bool           // in the newest sync
}

// RoleView is a role of an app with its entitlements.
type RoleView struct {
	console.AppRole
	Gives []RoleEntitlement
}

// RoleVersion is a role map with the time from which it applied.
type RoleVersion struct {
	At            time.Time
	By            console.Person // zero for the console itself
	Priority      console.Priority
	MinimumAdmins int
	Roles         []console.AppRole
}

// RolesView is the role map of an app, with a proposal.
type RolesView struct {
	App          console.App
	Roles        []RoleView
	MayConfigure bool
	// Proposal is suggested by the connector or by the names of the entitlements; Proposed are its
	// roles. It has no effect until somebody saves it.
	Proposal console.RoleProposal
	Proposed []RoleView
	Partial  bool // not all entitlements of the app were examined for the proposal
	// Named means that the configuration file names administrator entitlements, which the next sync
	// adds again.
	Named    bool
	Versions []RoleVersion // the newest first
}

// The limits of a role map and of a proposal.
const (
	maxRoles        = 20
	maxMapped       = 1000
	maxMinimum      = 1000
	maxCandidates   = 2000
	maxRoleVersions = 20
)

// AppRoles returns the role map of an app, and a proposal.
func (c *Console) AppRoles(ctx context.Context, caller Caller, app console.ID) (v RolesView, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		v = RolesView{}
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil {
			return err
		}
		v.App, v.MayConfigure = a, console.ConfigureApps.Of(me, console.Object{App: &a})
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		if v.Roles, err = roleViews(tx, m, a.Roles.Roles); err != nil {
			return err
		}
		if err := v.propose(tx, m); err != nil {
			return err
		}
		if v.Proposed, err = roleViews(tx, m, v.Proposal.Map.Roles); err != nil {
			return err
		}
		if _, err := tx.Setting(console.AdminEntitlementsSetting(a.ID)); err == nil {
			v.Named = true
		} else if baton.KindOf(err) != baton.NotFound {
			return err
		}
		v.Versions, err = roleVersions(tx, a.ID)
		return err
	})
	return v, err
}

func roleViews(tx *store.Tx, m store.Moment, roles []console.AppRole) (all []RoleView, err error) {
	for _, r := range roles {
		v := RoleView{AppRole: r}
		for _, key := range r.Entitlements {
			e, err := roleEntitlement(tx, m, key)
			if err != nil {
				return nil, err
			}
			v.Gives = append(v.Gives, e)
		}
		all = append(all, v)
	}
	return all, nil
}

func roleEntitlement(tx *store.Tx, m store.Moment, key console.EntitlementKey) (RoleEntitlement, error) {
	e, err := tx.Entitlement(m, key)
	if baton.KindOf(err) == baton.NotFound {
		return RoleEntitlement{Key: key}, nil
	}
	if err != nil {
		return RoleEntitlement{}, err
	}
	return roleEntitlementOf(tx, m, e)
}

func roleEntitlementOf(tx *store.Tx, m store.Moment, e store.Entitlement) (r RoleEntitlement, err error) {
	r = RoleEntitlement{Key: e.Key, Name: e.Name, Shown: true}
	if r.Name == "" {
		r.Name = e.ID
	}
	if r.On, err = tx.Resource(m, e.Entitlement.Resource); baton.KindOf(err) == baton.NotFound {
		err = nil
	}
	return r, err
}

func (v *RolesView) propose(tx *store.Tx, m store.Moment) error {
	hints, err := roleHints(tx, v.App.ID)
	if err != nil {
		return err
	}
	var candidates []console.RoleCandidate
	for after := (store.EntitlementAfter{}); ; {
		page, err := tx.Entitlements(m, after, store.PageSize)
		if err != nil {
			return err
		}
		for _, e := range page {
			if v.Partial = len(candidates) == maxCandidates; v.Partial {
				break
			}
			after = e.After()
			c := console.RoleCandidate{Key: e.Key, Slug: e.Slug}
			on, err := tx.Resource(m, e.Entitlement.Resource)
			if err != nil && baton.KindOf(err) != baton.NotFound {
				return err
			}
			c.ResourceType, c.ResourceID, c.ResourceName = on.Type, on.ID, on.Name
			candidates = append(candidates, c)
		}
		if len(page) < store.PageSize || v.Partial {
			break
		}
	}
	v.Proposal = console.ProposeRoles(hints, candidates)
	return nil
}

// roleHints returns the hints about roles of the host that introduced itself last; nil if there are
// none.
func roleHints(tx *store.Tx, app console.ID) (*baton.RoleHints, error) {
	connectors, err := tx.Connectors(app)
	if err != nil {
		return nil, err
	}
	var newest rpc.Host
	for _, con := range connectors {
		hosts, err := rpcstore.Hosts(tx, string(con.ID))
		if err != nil {
			return nil, err
		}
		for _, h := range hosts {
			if h.Hello.Connector.Roles != nil && h.Last.After(newest.Last) {
				newest = h
			}
		}
	}
	return newest.Hello.Connector.Roles, nil
}

func roleVersions(tx *store.Tx, app console.ID) (versions []RoleVersion, err error) {
	for before := int64(0); len(versions) < maxRoleVersions; {
		events, err := tx.EventsBefore(store.EventFilter{Object: string(app)}, before, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			before = e.Number
			if e.Kind != store.RolesChanged || len(versions) == maxRoleVersions {
				continue
			}
			v := RoleVersion{At: e.At}
			var data struct {
				MinimumAdmins int               `json:"minimum_admins"`
				Priority      console.Priority  `json:"priority"`
				Roles         []console.AppRole `json:"roles"`
			}
			if err := json.Unmarshal(e.Data, &data); err != nil {
				return nil, baton.Errorf(baton.Corrupt, "event %d: %w", e.Number, err)
			}
			v.MinimumAdmins, v.Priority, v.Roles = data.MinimumAdmins, data.Priority, data.Roles
			if by := e.Actor.Person(); by != "" {
				if v.By, err = tx.Person(by); err != nil && baton.KindOf(err) != baton.NotFound {
					return nil, err
				}
			}
			versions = append(versions, v)
		}
		if len(events) < store.PageSize {
			return versions, nil
		}
	}
	return versions, nil
}

// FindEntitlements returns up to n entitlements of an app whose name begins with a text, if the
// caller may map roles.
func (c *Console) FindEntitlements(ctx context.Context, caller Caller, app console.ID, search string, n int) (found []RoleEntitlement, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		found = nil
		a, err := seeApp(tx, me, app, console.ConfigureApps)
		if err != nil {
			return err
		}
		m, err := tx.Moment(a.ID, time.Time{})
		if err != nil {
			return err
		}
		prefix := console.SortKey(search)
		page, err := tx.Entitlements(m, store.EntitlementAfter{Sort: prefix}, n) // keys begin at 1, so names equal to the prefix come after it
		for _, e := range page {
			if !bytes.HasPrefix(e.After().Sort, prefix) {
				break
			}
			r, err := roleEntitlementOf(tx, m, e)
			if err != nil {
				return err
			}
			found = append(found, r)
		}
		return err
	})
	return found, err
}

// NewRoles is a new role map.
type NewRoles struct {
	Map           console.RoleMap
	MinimumAdmins int
	Version       int64  // of the app as it was read
	Why           string // for the second person, if one is needed
}

// ErrWaits is the error of a change that was written down and does not count yet: it asks
// for less than before, so a second person has to confirm it.
var ErrWaits = baton.Errorf(baton.Refused, "the change may make it easier to become or to lose an administrator: it waits for a second person").
	WithFix("A security officer, a super administrator or another owner confirms it under Policies.")

// SetAppRoles sets the role map of an app, the priority of its roles and the minimum of
// administrators. The error is [ErrWaits] if that guards the app less than before.
func (c *Console) SetAppRoles(ctx context.Context, caller Caller, app console.ID, n NewRoles) error {
	waits := false
	return waiting(&waits, c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		waits = false
		a, err := seeApp(tx, me, app, console.ConfigureApps)
		if err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		if a.Version != n.Version {
			return baton.Errorf(baton.Refused, "the application was changed meanwhile").WithFix("Look at it again, then repeat your change.")
		}
		roles, err := checkRoles(tx, a, n)
		if err != nil {
			return err
		}
		before, after := console.GuardsOf(a), console.AppGuards{Owners: a.Owners, Roles: roles, MinimumAdmins: n.MinimumAdmins}
		if !after.AtLeast(before) {
			waits = true
			return amend(tx, console.AmendApp, app, string(app), before, after, n.Why)
		}
		return tx.SetRoleMap(app, roles, n.MinimumAdmins)
	}))
}

// waiting returns [ErrWaits] for a command that succeeded by recording its change.
func waiting(waits *bool, err error) error {
	if err == nil && *waits {
		return ErrWaits
	}
	return err
}

// checkRoles returns the role map to store.
func checkRoles(tx *store.Tx, a console.App, n NewRoles) (console.RoleMap, error) {
	roles := console.RoleMap{Priority: n.Map.Priority}
	switch {
	case n.MinimumAdmins < 0 || n.MinimumAdmins > maxMinimum:
		return roles, baton.Errorf(baton.Invalid, "the minimum of admins is a number from 0 to %d", maxMinimum)
	case len(n.Map.Roles) > maxRoles:
		return roles, baton.Errorf(baton.Invalid, "an application has at most %d roles", maxRoles)
	case !slices.Contains([]console.Priority{console.PriorityUnknown, console.HighestWins, console.LowestWins}, n.Map.Priority):
		return roles, baton.Errorf(baton.Invalid, "there is no priority %q", n.Map.Priority)
	}
	names, mapped := map[string]bool{}, map[console.EntitlementKey]bool{}
	before := a.Roles.Entitlements()
	for _, r := range n.Map.Roles {
		r.Name = strings.TrimSpace(r.Name)
		switch {
		case r.Name == "":
			return roles, baton.Errorf(baton.Invalid, "the name of a role is missing")
		case utf8.RuneCountInString(r.Name) > maxName:
			return roles, baton.Errorf(baton.Invalid, "the name of a role is longer than %d characters", maxName)
		case names[string(console.SortKey(r.Name))]:
			return roles, baton.Errorf(baton.Invalid, "two roles have the name %q", r.Name)
		case !r.Kind.Valid():
			return roles, baton.Errorf(baton.Invalid, "there is no account type %d", r.Kind)
		}
		names[string(console.SortKey(r.Name))] = true
		r.Entitlements = slices.Clone(r.Entitlements)
		slices.Sort(r.Entitlements)
		for _, e := range r.Entitlements {
			if mapped[e] {
				return roles, baton.Errorf(baton.Invalid, "an entitlement gives two roles")
			}
			if mapped[e] = true; slices.Contains(before, e) {
				continue // no sync may show it any more
			}
			m, err := tx.Moment(a.ID, time.Time{})
			if err == nil {
				_, err = tx.Entitlement(m, e)
			}
			if err != nil {
				return roles, err
			}
		}
		roles.Roles = append(roles.Roles, r)
	}
	if len(mapped) > maxMapped {
		return roles, baton.Errorf(baton.Invalid, "at most %d entitlements give roles", maxMapped)
	}
	return roles, nil
}
