package govern

import (
	"context"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/directory"
	"baton/console/store"
)

// SCIMSourceView is an identity provider that pushes people, with what it pushed.
type SCIMSourceView struct {
	console.SCIMSource
	Users, Groups int64
	LastUsed      time.Time
	Tokens        []console.SCIMToken // the newest first, with those that were revoked lately
	Conflicts     []SCIMConflict      // at most [maxConflicts]
	MayChange     bool
}

// Working returns the tokens that work.
func (v SCIMSourceView) Working() (tokens []console.SCIMToken) {
	return slices.DeleteFunc(slices.Clone(v.Tokens), func(t console.SCIMToken) bool { return !t.Revoked.IsZero() })
}

// SCIMConflict is a user whose data was not fully applied to a person.
type SCIMConflict struct {
	Name   string
	Person console.Person // zero while unknown
	Why    string
}

// maxSCIMTokensShown limits the tokens that are listed.
const maxSCIMTokensShown = 10

// SCIMSources returns the identity providers that push people.
func (c *Console) SCIMSources(ctx context.Context, caller Caller) (all []SCIMSourceView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		all = nil
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		sources, err := tx.SCIMSources()
		if err != nil {
			return err
		}
		for _, s := range sources {
			v, err := scimSourceView(tx, me, s)
			if err != nil {
				return err
			}
			all = append(all, v)
		}
		return nil
	})
	return all, err
}

// SCIMSource returns an identity provider that pushes people.
func (c *Console) SCIMSource(ctx context.Context, caller Caller, id console.ID) (v SCIMSourceView, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		s, err := seeSCIMSource(tx, me, id)
		if err != nil {
			return err
		}
		if v, err = scimSourceView(tx, me, s); err != nil {
			return err
		}
		records, err := tx.DirectoryConflicts(s.Stream, maxConflicts)
		if err != nil {
			return err
		}
		for _, r := range records {
			conflict := SCIMConflict{Name: r.Given.Name, Why: r.Why}
			if conflict.Person, err = personOr(tx, r.Person); err != nil {
				return err
			}
			v.Conflicts = append(v.Conflicts, conflict)
		}
		return nil
	})
	return v, err
}

func seeSCIMSource(tx *store.Tx, me console.Person, id console.ID) (s console.SCIMSource, err error) {
	if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
		return s, err
	}
	return tx.SCIMSource(id)
}

func scimSourceView(tx *store.Tx, me console.Person, s console.SCIMSource) (v SCIMSourceView, err error) {
	v = SCIMSourceView{SCIMSource: s, MayChange: console.ManageSCIM.Of(me, console.Object{})}
	if v.Users, err = tx.CountSCIMUsers(s.ID); err != nil {
		return v, err
	}
	if v.Groups, err = tx.CountSCIMGroups(s.ID); err != nil {
		return v, err
	}
	if v.Tokens, err = tx.SCIMTokens(s.ID, maxSCIMTokensShown); err != nil {
		return v, err
	}
	for _, t := range v.Tokens {
		if t.LastUsed.After(v.LastUsed) {
			v.LastUsed = t.LastUsed
		}
	}
	return v, nil
}

// changeSCIM runs a command on the identity providers that push people.
func (c *Console) changeSCIM(ctx context.Context, caller Caller, fn func(tx *store.Tx, me console.Person) error) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ManageSCIM.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		return fn(tx, me)
	})
}

// AddSCIMSource adds an identity provider, and returns its first token, which is not stored.
func (c *Console) AddSCIMSource(ctx context.Context, caller Caller, name string) (id console.ID, token baton.Secret, err error) {
	err = c.changeSCIM(ctx, caller, func(tx *store.Tx, me console.Person) error {
		s, err := tx.AddSCIMSource(console.SCIMSource{Name: strings.TrimSpace(name), Creator: me.ID})
		if err != nil {
			return err
		}
		id = s.ID
		token, err = c.newSCIMToken(tx, id)
		return err
	})
	return id, token, err
}

// AddSCIMToken makes another token for an identity provider. The others work until they are revoked.
func (c *Console) AddSCIMToken(ctx context.Context, caller Caller, source console.ID) (token baton.Secret, err error) {
	err = c.changeSCIM(ctx, caller, func(tx *store.Tx, _ console.Person) error {
		token, err = c.newSCIMToken(tx, source)
		return err
	})
	return token, err
}

func (c *Console) newSCIMToken(tx *store.Tx, source console.ID) (baton.Secret, error) {
	if len(c.hosts) == 0 {
		return baton.Secret{}, baton.Errorf(baton.Refused, "identity providers cannot reach this console over TLS").WithFix("Start it with --url https://… and a certificate, or behind a proxy.")
	}
	secret, hash := newToken()
	_, err := tx.AddSCIMToken(source, hash)
	return secret, err
}

// RevokeSCIMToken revokes a token of an identity provider at once.
func (c *Console) RevokeSCIMToken(ctx context.Context, caller Caller, source, token console.ID) error {
	return c.changeSCIM(ctx, caller, func(tx *store.Tx, _ console.Person) error { return tx.RevokeSCIMToken(source, token) })
}

// RemoveSCIMSource removes an identity provider. The people whom it made stay as they are.
func (c *Console) RemoveSCIMSource(ctx context.Context, caller Caller, source console.ID) error {
	return c.changeSCIM(ctx, caller, func(tx *store.Tx, _ console.Person) error { return tx.RemoveSCIMSource(source) })
}

// SCIMGroupView is a group that was pushed.
type SCIMGroupView struct {
	console.SCIMGroup
	Members int64
}

// SCIMGroups returns up to n groups of an identity provider after a given one, and whether there are
// more.
func (c *Console) SCIMGroups(ctx context.Context, caller Caller, source, after console.ID, n int) (groups []SCIMGroupView, more bool, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		groups = nil
		s, err := seeSCIMSource(tx, me, source)
		if err != nil {
			return err
		}
		page, err := tx.SCIMGroups(s.ID, store.SCIMGroupFilter{}, after, n+1)
		if err != nil {
			return err
		}
		if more = len(page) > n; more {
			page = page[:n]
		}
		for _, g := range page {
			members, err := tx.CountSCIMMembers(g.ID)
			if err != nil {
				return err
			}
			groups = append(groups, SCIMGroupView{g, members})
		}
		return nil
	})
	return groups, more, err
}

// SCIMMembers returns a group of an identity provider, up to n of its members after a given one, and
// whether there are more.
func (c *Console) SCIMMembers(ctx context.Context, caller Caller, source, group console.ID, after console.ResourceKey, n int) (g SCIMGroupView, members []store.SCIMMember, more bool, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		s, err := seeSCIMSource(tx, me, source)
		if err != nil {
			return err
		}
		if err := console.SeePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		if g, err = scimGroup(tx, s.ID, group); err != nil {
			return err
		}
		if members, err = tx.SCIMMembers(g.ID, after, n+1); err != nil {
			return err
		}
		if more = len(members) > n; more {
			members = members[:n]
		}
		return nil
	})
	return g, members, more, err
}

func scimGroup(tx *store.Tx, source, group console.ID) (g SCIMGroupView, err error) {
	if !group.Valid() {
		return g, baton.Errorf(baton.NotFound, "no group")
	}
	found, err := tx.SCIMGroups(source, store.SCIMGroupFilter{ID: group}, "", 1)
	if err != nil {
		return g, err
	}
	if len(found) == 0 {
		return g, baton.Errorf(baton.NotFound, "no group")
	}
	members, err := tx.CountSCIMMembers(group)
	return SCIMGroupView{found[0], members}, err
}

// maxSCIMRoleMembers limits the members of a group that gives a role in the console.
const maxSCIMRoleMembers = 1000

// SetSCIMGroupRole sets the role in the console that a group gives its members; "" for none.
func (c *Console) SetSCIMGroupRole(ctx context.Context, caller Caller, source, group console.ID, role console.ConsoleRole) error {
	return c.changeSCIM(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := c.mayChangeRoles(caller, me, ""); err != nil {
			return err
		}
		s, err := tx.SCIMSource(source)
		if err != nil {
			return err
		}
		g, err := tx.LockSCIMGroup(source, group)
		if err != nil {
			return err
		}
		if g.Role == role {
			return nil
		}
		members, err := tx.SCIMMembers(group, 0, maxSCIMRoleMembers)
		if err != nil {
			return err
		}
		if len(members) == maxSCIMRoleMembers {
			return baton.Errorf(baton.Refused, "the group has %d members or more, and a role in the console is not for so many", maxSCIMRoleMembers).WithFix("Push a smaller group for it.")
		}
		var keys []console.ResourceKey
		for _, m := range members {
			if m.Person == me.Canonical() {
				return baton.Errorf(baton.Refused, "you are a member of this group, and nobody changes the own roles").WithFix("Ask another super administrator.")
			}
			keys = append(keys, m.Key)
		}
		if err := tx.SetSCIMGroupRole(g, role); err != nil {
			return err
		}
		return directory.MapRoles(tx, s, keys)
	})
}
