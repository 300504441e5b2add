package store

import (
	"slices"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// scimUserType is the type of the resources that reserve the keys of pushed users.
const scimUserType = "scim-user"

// AddSCIMUser adds a user of a source, or brings back the deleted one with the same external id: the
// source's own id says that it is the same. AlreadyExists if the user name is taken.
func (t *Tx) AddSCIMUser(s console.SCIMSource, u console.SCIMUser) (console.SCIMUser, error) {
	u.Source, u.Created, u.Modified, u.Version = s.ID, t.by.At, t.by.At, 1
	if u.ExternalID != "" {
		before, err := find(t, scanSCIMUser, scimUserColumns+"FROM scim_user u WHERE u.source = $1 AND u.external_id = $2 AND length(u.external_id) > 0 ORDER BY u.key DESC LIMIT 1", s.ID, []byte(u.ExternalID))
		if err != nil {
			return u, err
		}
		if before != nil && !before.Ended.IsZero() {
			u.Key, u.ID, u.Created, u.Version = before.Key, before.ID, before.Created, before.Version
			return t.putSCIMUser(*before, u, "scim.user-restored")
		}
	}
	key, err := t.Numbers("resource", 1)
	if err != nil {
		return u, err
	}
	u.Key, u.ID = console.ResourceKey(key), console.NewID(t.by.At)
	if err := t.insert("resource", "INSERT INTO resource (key, stream, type, id, incarnation) VALUES ($1, $2, $3, $4, 1)", u.Key, s.Stream, []byte(scimUserType), []byte(u.ID)); err != nil {
		return u, err
	}
	err = t.insert("a user with this userName", `INSERT INTO scim_user (key, source, id, user_name, external_id, manager, unsettled, created, modified, version, entry, document)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, u.Key, u.Source, u.ID, []byte(u.UserName), []byte(u.ExternalID), []byte(console.SCIMName(u.Entry.Manager)), u.Unsettled,
		u.Created, u.Modified, u.Version, encode(u.Entry), u.Document)
	if err != nil {
		return u, err
	}
	if err := t.setSCIMAddresses(u); err != nil {
		return u, err
	}
	return u, t.scimEvent("scim.user-added", u.Source, u.ID, map[string]any{"active": u.Entry.Status == console.PersonActive})
}

// ChangeSCIMUser changes a user that was not deleted. before must be what was read. AlreadyExists if the
// user name is taken.
func (t *Tx) ChangeSCIMUser(before, u console.SCIMUser) (console.SCIMUser, error) {
	u.Modified = t.by.At
	return t.putSCIMUser(before, u, "scim.user-changed")
}

func (t *Tx) putSCIMUser(before, u console.SCIMUser, event string) (console.SCIMUser, error) {
	u.Version = before.Version + 1
	n, err := t.e.Exec(`UPDATE scim_user SET user_name = $3, external_id = $4, manager = $5, modified = $6, ended = NULL, version = $7, entry = $8, document = $9
		WHERE key = $1 AND version = $2 AND NOT EXISTS (SELECT 1 FROM scim_user o WHERE o.source = $10 AND o.user_name = $3 AND o.ended IS NULL AND o.key <> $1)`,
		u.Key, before.Version, []byte(u.UserName), []byte(u.ExternalID), []byte(console.SCIMName(u.Entry.Manager)), u.Modified, u.Version, encode(u.Entry), u.Document, u.Source)
	if err != nil {
		return u, err
	}
	if n == 0 {
		taken, err := find(t, scanSCIMUser, scimUserColumns+"FROM scim_user u WHERE u.source = $1 AND u.user_name = $2 AND u.ended IS NULL AND u.key <> $3", u.Source, []byte(u.UserName), u.Key)
		if err != nil {
			return u, err
		}
		if taken != nil {
			return u, baton.Errorf(baton.AlreadyExists, "a user with this userName already exists")
		}
		return u, checkVersion("the user", u.Version, before.Version)
	}
	if err := t.setSCIMAddresses(u); err != nil {
		return u, err
	}
	return u, t.scimEvent(event, u.Source, u.ID, map[string]any{"active_before": before.Entry.Status == console.PersonActive && before.Ended.IsZero(), "active": u.Entry.Status == console.PersonActive})
}

func (t *Tx) setSCIMAddresses(u console.SCIMUser) error {
	if _, err := t.e.Exec("DELETE FROM scim_address WHERE key = $1", u.Key); err != nil {
		return err
	}
	for _, a := range distinct(u.Addresses) {
		if err := t.insert("address", "INSERT INTO scim_address (source, address, key) VALUES ($1, $2, $3)", u.Source, []byte(a), u.Key); err != nil {
			return err
		}
	}
	return nil
}

// EndSCIMUser deletes a user: it leaves its groups, and its user name is free. The row stays, so that
// the person is known if the source pushes it again.
func (t *Tx) EndSCIMUser(u console.SCIMUser) error {
	if err := t.change("user", "UPDATE scim_user SET ended = $2, modified = $2, version = version + 1, unsettled = $3 WHERE key = $1 AND ended IS NULL", u.Key, t.by.At, false); err != nil {
		return err
	}
	for _, sql := range []string{"DELETE FROM scim_address WHERE key = $1", "DELETE FROM scim_member WHERE key = $1"} {
		if _, err := t.e.Exec(sql, u.Key); err != nil {
			return err
		}
	}
	return t.scimEvent("scim.user-deleted", u.Source, u.ID, nil)
}

// SettleSCIMUser records whether the entry of a user was fully applied to the person.
func (t *Tx) SettleSCIMUser(key console.ResourceKey, unsettled bool) error {
	_, err := t.e.Exec("UPDATE scim_user SET unsettled = $2 WHERE key = $1 AND unsettled <> $2", key, unsettled)
	return err
}

const scimUserColumns = "SELECT u.key, u.source, u.id, u.user_name, u.external_id, u.unsettled, u.created, u.modified, u.ended, u.version, u.entry, u.document "

func scanSCIMUser(r engine.Row) console.SCIMUser {
	u := console.SCIMUser{Key: console.ResourceKey(r.Int(0)), Source: console.ID(r.Text(1)), ID: console.ID(r.Text(2)), UserName: str(r, 3), ExternalID: str(r, 4), Unsettled: r.Bool(5),
		Created: at(r, 6), Modified: at(r, 7), Ended: at(r, 8), Version: r.Int(9), Document: slices.Clone(r.Bytes(11))}
	decode(r.Bytes(10), &u.Entry)
	return u
}

// SCIMUserFilter chooses users. The zero value chooses all that were not deleted; at most one field is
// set.
type SCIMUserFilter struct {
	ID         console.ID
	UserName   string // in the form of [console.SCIMName], as Address
	ExternalID string
	Address    string
	Group      console.ID // that they are members of
}

// SCIMUsers returns up to n users of a source with greater keys than the given one, in order.
func (t *Tx) SCIMUsers(source console.ID, f SCIMUserFilter, after console.ResourceKey, n int) ([]console.SCIMUser, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	where, join, arg := "", "", any(nil)
	switch {
	case f.ID != "":
		where, arg = "u.id = $4", string(f.ID)
	case f.UserName != "":
		where, arg = "u.user_name = $4", []byte(f.UserName)
	case f.ExternalID != "":
		where, arg = "length(u.external_id) > 0 AND u.external_id = $4", []byte(f.ExternalID)
	case f.Address != "":
		join, where, arg = "JOIN scim_address a ON a.key = u.key ", "a.source = $1 AND a.address = $4", []byte(f.Address)
	case f.Group != "":
		join, where, arg = "JOIN scim_member m ON m.key = u.key ", "m.grp = $4", string(f.Group)
	}
	args := []any{source, after, n}
	if where != "" {
		where, args = " AND "+where, append(args, arg)
	}
	return list(t, scanSCIMUser, scimUserColumns+"FROM scim_user u "+join+"WHERE u.source = $1 AND u.key > $2 AND u.ended IS NULL"+where+" ORDER BY u.key LIMIT $3", args...)
}

// CountSCIMUsers returns the number of users of a source.
func (t *Tx) CountSCIMUsers(source console.ID) (int64, error) {
	return get(t, func(r engine.Row) int64 { return r.Int(0) }, "users", "SELECT count(*) FROM scim_user WHERE source = $1 AND ended IS NULL", source)
}

// SCIMUserBefore returns the key before the user at an offset in the list of all, for
// [Tx.SCIMUsers]. ok is false past the end.
func (t *Tx) SCIMUserBefore(source console.ID, offset int64) (key console.ResourceKey, ok bool, err error) {
	v, err := find(t, func(r engine.Row) console.ResourceKey { return console.ResourceKey(r.Int(0)) },
		"SELECT key FROM scim_user WHERE source = $1 AND ended IS NULL ORDER BY key LIMIT 1 OFFSET $2", source, offset)
	if err != nil || v == nil {
		return 0, false, err
	}
	return *v - 1, true, nil
}

// LockSCIMUser returns a user that was not deleted, and locks it.
func (t *Tx) LockSCIMUser(source, id console.ID) (console.SCIMUser, error) {
	return get(t, scanSCIMUser, "user", scimUserColumns+"FROM scim_user u WHERE u.source = $1 AND u.id = $2 AND u.ended IS NULL FOR UPDATE", source, id)
}

// UnsettledSCIMUsers returns up to n unsettled users with greater keys than the given one, in order.
func (t *Tx) UnsettledSCIMUsers(source console.ID, after console.ResourceKey, n int) ([]console.SCIMUser, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	return list(t, scanSCIMUser, scimUserColumns+"FROM scim_user u WHERE u.source = $1 AND u.unsettled AND u.key > $2 ORDER BY u.key LIMIT $3", source, after, n)
}

// SCIMReports returns up to n unsettled users whose manager is named in one of the given ways.
func (t *Tx) SCIMReports(source console.ID, names []string, n int) (all []console.SCIMUser, err error) {
	for _, name := range names {
		if name = console.SCIMName(name); name == "" || len(all) >= n {
			continue
		}
		found, err := list(t, scanSCIMUser, scimUserColumns+"FROM scim_user u WHERE u.source = $1 AND u.unsettled AND u.manager = $2 ORDER BY u.key LIMIT $3", source, []byte(name), n-len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}
