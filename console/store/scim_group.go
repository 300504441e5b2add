package store

import (
	"slices"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// AddSCIMGroup adds a group of a source. AlreadyExists if the name is taken.
func (t *Tx) AddSCIMGroup(g console.SCIMGroup) (console.SCIMGroup, error) {
	g.ID, g.Created, g.Modified, g.Version = console.NewID(t.by.At), t.by.At, t.by.At, 1
	err := t.insert("a group with this displayName", `INSERT INTO scim_group (id, source, name, name_key, external_id, created, modified, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		g.ID, g.Source, []byte(g.Name), []byte(console.SCIMName(g.Name)), []byte(g.ExternalID), g.Created, g.Modified, g.Version)
	if err != nil {
		return g, err
	}
	return g, t.scimEvent("scim.group-added", g.Source, g.ID, map[string]any{"name": g.Name})
}

// ChangeSCIMGroup changes name and external id of a group, and its version. before must be what was
// read. AlreadyExists if the name is taken.
func (t *Tx) ChangeSCIMGroup(before, g console.SCIMGroup, members int) (console.SCIMGroup, error) {
	g.Modified, g.Version = t.by.At, before.Version+1
	n, err := t.e.Exec(`UPDATE scim_group SET name = $3, name_key = $4, external_id = $5, modified = $6, version = $7
		WHERE id = $1 AND version = $2 AND NOT EXISTS (SELECT 1 FROM scim_group o WHERE o.source = $8 AND o.name_key = $4 AND o.id <> $1)`,
		g.ID, before.Version, []byte(g.Name), []byte(console.SCIMName(g.Name)), []byte(g.ExternalID), g.Modified, g.Version, g.Source)
	if err != nil {
		return g, err
	}
	if n == 0 {
		if console.SCIMName(before.Name) != console.SCIMName(g.Name) {
			return g, baton.Errorf(baton.AlreadyExists, "a group with this displayName already exists")
		}
		return g, checkVersion("the group", g.Version, before.Version)
	}
	data := map[string]any{"members_changed": members}
	if before.Name != g.Name {
		data["name_before"], data["name"] = before.Name, g.Name
	}
	return g, t.scimEvent("scim.group-changed", g.Source, g.ID, data)
}

// RemoveSCIMGroup removes a group.
func (t *Tx) RemoveSCIMGroup(g console.SCIMGroup) error {
	for _, sql := range []string{"DELETE FROM scim_member WHERE grp = $1", "DELETE FROM scim_group WHERE id = $1"} {
		if _, err := t.e.Exec(sql, g.ID); err != nil {
			return err
		}
	}
	return t.scimEvent("scim.group-removed", g.Source, g.ID, map[string]any{"name": g.Name})
}

// SetSCIMGroupRole sets the role that a group gives; "" for none.
func (t *Tx) SetSCIMGroupRole(g console.SCIMGroup, role console.ConsoleRole) error {
	if role != "" && !slices.Contains(console.ConsoleRoles(), role) {
		return baton.Errorf(baton.Invalid, "there is no role %q", role)
	}
	if err := t.change("group", "UPDATE scim_group SET role = $2 WHERE id = $1", g.ID, null(role)); err != nil {
		return err
	}
	return t.scimEvent("scim.group-role-changed", g.Source, g.ID, map[string]any{"name": g.Name, "before": g.Role, "role": role})
}

const scimGroupColumns = "SELECT g.id, g.source, g.name, g.external_id, g.role, g.created, g.modified, g.version FROM scim_group g "

func scanSCIMGroup(r engine.Row) console.SCIMGroup {
	return console.SCIMGroup{ID: console.ID(r.Text(0)), Source: console.ID(r.Text(1)), Name: str(r, 2), ExternalID: str(r, 3), Role: console.ConsoleRole(r.Text(4)), Created: at(r, 5), Modified: at(r, 6), Version: r.Int(7)}
}

// LockSCIMGroup returns a group of a source, and locks it.
func (t *Tx) LockSCIMGroup(source, id console.ID) (console.SCIMGroup, error) {
	return get(t, scanSCIMGroup, "group", scimGroupColumns+"WHERE g.source = $1 AND g.id = $2 FOR UPDATE", source, id)
}

// SCIMGroupFilter chooses groups. The zero value chooses all; at most one field is set.
type SCIMGroupFilter struct {
	ID         console.ID
	Name       string // in the form of [console.SCIMName]
	ExternalID string
	Member     console.ResourceKey
}

// SCIMGroups returns up to n groups of a source with greater IDs than the given one, in order.
func (t *Tx) SCIMGroups(source console.ID, f SCIMGroupFilter, after console.ID, n int) ([]console.SCIMGroup, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	where, join, arg := "", "", any(nil)
	switch {
	case f.ID != "":
		where, arg = "g.id = $4", string(f.ID)
	case f.Name != "":
		where, arg = "g.name_key = $4", []byte(f.Name)
	case f.ExternalID != "":
		where, arg = "length(g.external_id) > 0 AND g.external_id = $4", []byte(f.ExternalID)
	case f.Member != 0:
		join, where, arg = "JOIN scim_member m ON m.grp = g.id ", "m.key = $4", f.Member
	}
	args := []any{source, after, n}
	if where != "" {
		where, args = " AND "+where, append(args, arg)
	}
	return list(t, scanSCIMGroup, scimGroupColumns+join+"WHERE g.source = $1 AND g.id > $2"+where+" ORDER BY g.id LIMIT $3", args...)
}

// CountSCIMGroups returns the number of groups of a source.
func (t *Tx) CountSCIMGroups(source console.ID) (int64, error) {
	return get(t, func(r engine.Row) int64 { return r.Int(0) }, "groups", "SELECT count(*) FROM scim_group WHERE source = $1", source)
}

// SCIMMember is a member of a group.
type SCIMMember struct {
	Key    console.ResourceKey
	ID     console.ID
	Name   string
	Person console.ID // "" while unknown
}

// SCIMMembers returns up to n members of a group with greater keys than the given one, in order.
func (t *Tx) SCIMMembers(group console.ID, after console.ResourceKey, n int) ([]SCIMMember, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanSCIMMember, `SELECT m.key, u.id, u.entry, d.person FROM scim_member m JOIN scim_user u ON u.key = m.key LEFT JOIN directory_account d ON d.account = m.key
		WHERE m.grp = $1 AND m.key > $2 ORDER BY m.key LIMIT $3`, group, after, n)
}

func scanSCIMMember(r engine.Row) SCIMMember {
	m := SCIMMember{Key: console.ResourceKey(r.Int(0)), ID: console.ID(r.Text(1)), Person: console.ID(r.Text(3))}
	var e console.DirectoryEntry
	decode(r.Bytes(2), &e)
	m.Name = e.Name
	return m
}

// CountSCIMMembers returns the number of members of a group.
func (t *Tx) CountSCIMMembers(group console.ID) (int64, error) {
	return get(t, func(r engine.Row) int64 { return r.Int(0) }, "members", "SELECT count(*) FROM scim_member WHERE grp = $1", group)
}

// SCIMUserKeys returns the keys of the users of a source that were not deleted, by ID.
func (t *Tx) SCIMUserKeys(source console.ID, ids []console.ID) (map[console.ID]console.ResourceKey, error) {
	type row struct {
		id  console.ID
		key console.ResourceKey
	}
	rows, err := listOf(t, func(r engine.Row) row { return row{console.ID(r.Text(0)), console.ResourceKey(r.Int(1))} }, ids,
		"SELECT id, key FROM scim_user WHERE source = $1 AND ended IS NULL AND id IN (keys)", source)
	keys := make(map[console.ID]console.ResourceKey, len(rows))
	for _, r := range rows {
		keys[r.id] = r.key
	}
	return keys, err
}

// AddSCIMMembers adds members to a group, and returns those who were not members.
func (t *Tx) AddSCIMMembers(group console.ID, members []console.ResourceKey) ([]console.ResourceKey, error) {
	var added []console.ResourceKey
	for _, key := range members {
		n, err := t.e.Exec("INSERT INTO scim_member (grp, key) VALUES ($1, $2) ON CONFLICT (grp, key) DO NOTHING", group, key)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			added = append(added, key)
		}
	}
	return added, nil
}

// RemoveSCIMMembers removes members from a group, and returns those who were members.
func (t *Tx) RemoveSCIMMembers(group console.ID, members []console.ResourceKey) ([]console.ResourceKey, error) {
	var removed []console.ResourceKey
	for _, key := range members {
		n, err := t.e.Exec("DELETE FROM scim_member WHERE grp = $1 AND key = $2", group, key)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			removed = append(removed, key)
		}
	}
	return removed, nil
}

// SCIMRoles returns the roles that the groups of a user give, each once and in order.
func (t *Tx) SCIMRoles(key console.ResourceKey) ([]console.ConsoleRole, error) {
	return list(t, func(r engine.Row) console.ConsoleRole { return console.ConsoleRole(r.Text(0)) },
		`SELECT DISTINCT g.role FROM scim_member m JOIN scim_group g ON g.id = m.grp WHERE m.key = $1 AND g.role IS NOT NULL ORDER BY g.role`, key)
}

// HasSCIMRoles reports whether a group of a source gives a role, or somebody still has one from it.
func (t *Tx) HasSCIMRoles(source console.ID) (bool, error) {
	found, err := find(t, func(engine.Row) bool { return true }, "SELECT 1 FROM scim_group WHERE source = $1 AND role IS NOT NULL LIMIT 1", source)
	if err != nil || found != nil {
		return found != nil, err
	}
	found, err = find(t, func(engine.Row) bool { return true }, "SELECT 1 FROM mapped_role WHERE provider = $1 LIMIT 1", scimProvider(source))
	return found != nil, err
}

// MapSCIMRoles is [Tx.MapRoles] for the groups of a source.
func (t *Tx) MapSCIMRoles(person, source console.ID, roles []console.ConsoleRole) (kept []console.ConsoleRole, err error) {
	return t.MapRoles(person, scimProvider(source), roles)
}
