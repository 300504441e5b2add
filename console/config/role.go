package config

import (
	"encoding/json"
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Role describes a role of an app: holding any of its entitlements is enough.
type Role struct {
	Name         string   `yaml:"name,omitempty" json:"name"`
	Admin        bool     `yaml:"admin,omitempty" json:"admin,omitempty"`
	Accounts     string   `yaml:"accounts,omitempty" json:"accounts,omitempty"`         // human, service or system: whom accounts with it are for
	Entitlements []string `yaml:"entitlements,omitempty" json:"entitlements,omitempty"` // ids as the application's connector reports them
}

// accountKinds are the words for whom accounts with a role are for.
var accountKinds = map[string]console.AccountKind{"": console.AccountUnspecified, "human": console.AccountHuman, "service": console.AccountService, "system": console.AccountSystem}

func accountWord(kind console.AccountKind) string {
	for word, k := range accountKinds {
		if k == kind {
			return word
		}
	}
	return ""
}

// checkRoleMap reports the problems of the roles of an app.
func checkRoleMap(bad *problems, at place, a App) {
	switch {
	case a.Roles != nil && a.AdminEntitlements != nil:
		bad.add(at, "app %s: admin_entitlements and roles exclude each other", a.Name)
	case a.RolePriority != console.PriorityUnknown && a.RolePriority != console.HighestWins && a.RolePriority != console.LowestWins:
		bad.add(at, "app %s: role_priority is %s or %s, not %q", a.Name, console.HighestWins, console.LowestWins, a.RolePriority)
	case a.RolePriority != console.PriorityUnknown && a.Roles == nil:
		bad.add(at, "app %s: role_priority belongs to roles", a.Name)
	}
	names, mapped := map[string]bool{}, map[string]bool{}
	for i, r := range a.Roles {
		key := string(console.SortKey(r.Name))
		if strings.TrimSpace(r.Name) == "" || names[key] {
			bad.add(at, "app %s: role %d has no name of its own", a.Name, i+1)
		}
		if _, ok := accountKinds[r.Accounts]; !ok {
			bad.add(at, "app %s: role %s: accounts is human, service or system, not %q", a.Name, r.Name, r.Accounts)
		}
		names[key] = true
		for _, e := range r.Entitlements {
			if mapped[e] {
				bad.add(at, "app %s: the entitlement %q gives two roles", a.Name, e)
			}
			mapped[e] = true
		}
	}
}

// missingRolesSetting names the setting with the entitlements of roles that the syncs of an app do not
// show yet, as its files list them.
func missingRolesSetting(app console.ID) string { return "roles-of-file/" + string(app) }

// missingRoles returns the entitlements of roles that the files list and no sync shows yet.
func missingRoles(t *store.Tx, app console.ID) (missing []Role, err error) {
	b, err := t.Setting(missingRolesSetting(app))
	if err != nil {
		return nil, ignoreMissing(err)
	}
	if err := json.Unmarshal(b, &missing); err != nil {
		return nil, baton.Errorf(baton.Corrupt, "the roles of app %s: %w", app, err)
	}
	return missing, nil
}

// keepSetting stores a value, unless it is the stored one. Nothing is stored in place of nothing.
func keepSetting(t *store.Tx, name string, value any, none bool) error {
	b, err := json.Marshal(value)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode %s: %w", name, err)
	}
	before, err := t.Setting(name)
	if baton.KindOf(err) == baton.NotFound && none {
		return nil
	}
	if ignoreMissing(err) != nil || string(before) == string(b) {
		return ignoreMissing(err)
	}
	return t.SetSetting(name, b)
}

// roleMap returns the described roles with the entitlements that syncs show, and the others.
func (d App) roleMap(t *store.Tx, app console.ID) (m console.RoleMap, missing []Role, err error) {
	m.Priority = d.RolePriority
	for _, r := range d.Roles {
		role := console.AppRole{Name: r.Name, Admin: r.Admin, Kind: accountKinds[r.Accounts]}
		later := Role{Name: r.Name}
		if role.Entitlements, later.Entitlements, err = findAdmins(t, app, slices.Sorted(slices.Values(r.Entitlements))); err != nil {
			return m, nil, err
		}
		if len(later.Entitlements) > 0 {
			missing = append(missing, later)
		}
		m.Roles = append(m.Roles, role)
	}
	return m, missing, nil
}

// sameRoles reports whether two role maps mean the same.
func sameRoles(a, b console.RoleMap) bool {
	return a.Priority == b.Priority && slices.EqualFunc(a.Roles, b.Roles, func(x, y console.AppRole) bool {
		return x.Name == y.Name && x.Admin == y.Admin && x.Kind == y.Kind &&
			slices.Equal(slices.Sorted(slices.Values(x.Entitlements)), slices.Sorted(slices.Values(y.Entitlements)))
	})
}

// resolveRoles adds the entitlements to an app's roles that its files list and its syncs now show. A role
// that somebody removed does not come back.
func resolveRoles(t *store.Tx, id console.ID) error {
	missing, err := missingRoles(t, id)
	if err != nil || len(missing) == 0 {
		return err
	}
	app, err := t.LockApp(id)
	if err != nil {
		return err
	}
	roles, left, changed := app.Roles, []Role(nil), false
	roles.Roles = slices.Clone(roles.Roles)
	for _, r := range missing {
		i := slices.IndexFunc(roles.Roles, func(have console.AppRole) bool { return have.Name == r.Name })
		if i < 0 {
			continue
		}
		keys, still, err := findAdmins(t, id, r.Entitlements)
		if err != nil {
			return err
		}
		keys = slices.DeleteFunc(keys, func(e console.EntitlementKey) bool { return slices.Contains(roles.Entitlements(), e) })
		if len(keys) > 0 {
			roles.Roles[i].Entitlements = slices.Sorted(slices.Values(append(slices.Clone(roles.Roles[i].Entitlements), keys...)))
			changed = true
		}
		if len(still) > 0 {
			left = append(left, Role{Name: r.Name, Entitlements: still})
		}
	}
	if err := keepSetting(t, missingRolesSetting(id), left, len(left) == 0); err != nil || !changed {
		return err
	}
	return t.SetRoleMap(id, roles, app.MinimumAdmins)
}

// describeRoles returns the roles of an app as a file describes them, with the entitlements that no sync
// shows yet.
func describeRoles(t *store.Tx, a console.App) (all []Role, err error) {
	missing, err := missingRoles(t, a.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range a.Roles.Roles {
		d := Role{Name: r.Name, Admin: r.Admin, Accounts: accountWord(r.Kind)}
		for _, e := range r.Entitlements {
			id, err := entitlementID(t, e)
			if err != nil {
				return nil, err
			}
			d.Entitlements = append(d.Entitlements, id)
		}
		for _, m := range missing {
			if m.Name == r.Name {
				d.Entitlements = append(d.Entitlements, m.Entitlements...)
			}
		}
		slices.Sort(d.Entitlements)
		d.Entitlements = slices.Compact(d.Entitlements)
		all = append(all, d)
	}
	return all, nil
}

// chooseRoles leaves one of the two descriptions of an app's roles for an export: the list of the
// administrator entitlements if it says everything, else the roles.
func chooseRoles(t *store.Tx, a console.App, d App) (App, error) {
	plain := d.RolePriority == console.PriorityUnknown && (len(d.Roles) == 0 ||
		len(d.Roles) == 1 && d.Roles[0].Name == console.AdminRole && d.Roles[0].Admin && d.Roles[0].Accounts == "")
	if plain {
		for _, r := range d.Roles {
			d.AdminEntitlements = slices.Compact(slices.Sorted(slices.Values(append(d.AdminEntitlements, r.Entitlements...))))
		}
		d.Roles = nil
		return d, nil
	}
	missing, err := MissingAdmins(t, a.ID)
	if err != nil {
		return d, err
	}
	d.AdminEntitlements = nil
	if len(missing) == 0 {
		return d, nil
	}
	i := slices.IndexFunc(d.Roles, func(r Role) bool { return r.Admin })
	if i < 0 {
		d.Roles, i = slices.Insert(d.Roles, 0, Role{Name: console.AdminRole, Admin: true}), 0
	}
	d.Roles[i].Entitlements = slices.Compact(slices.Sorted(slices.Values(append(d.Roles[i].Entitlements, missing...))))
	return d, nil
}
