package govern

import (
	"context"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/directory"
	"baton/console/store"
)

// Pusher is an identity provider that calls with a token. It can do nothing else than to push users and
// groups of its own.
type Pusher struct {
	Source           console.SCIMSource
	Request, Address string // as in [Caller]
	token            tokenHash
}

func (c *Console) byPusher(p Pusher) console.By {
	return console.By{At: c.now(), Actor: console.BySCIM(p.Source.ID), Request: p.Request, Address: p.Address}
}

// tokenUse is how exactly the last use of a token is recorded.
const tokenUse = time.Minute

// AuthenticatePusher returns the identity provider of a token. Unauthenticated if the token does not
// work.
func (c *Console) AuthenticatePusher(ctx context.Context, token baton.Secret, request, address string) (p Pusher, err error) {
	p = Pusher{Request: request, Address: address, token: hashToken(token)}
	var used console.SCIMToken
	err = c.store.View(ctx, func(tx *store.Tx) error {
		used, err = tx.SCIMTokenByHash(p.token)
		if baton.KindOf(err) == baton.NotFound {
			return errPusher
		}
		if err == nil {
			p.Source, err = tx.SCIMSource(used.Source)
		}
		return err
	})
	if err != nil {
		return p, err
	}
	if !used.Revoked.IsZero() {
		if err := c.PushFailed(ctx, p, "a token was used that is revoked"); err != nil {
			return p, err
		}
		return p, errPusher
	}
	if c.now().Sub(used.LastUsed) >= tokenUse {
		err = c.store.Update(ctx, c.byPusher(p), func(tx *store.Tx) error { return tx.UseSCIMToken(used.ID) })
	}
	return p, err
}

var errPusher = baton.Errorf(baton.Unauthenticated, "the bearer token is unknown or revoked").WithFix("Make one on the page People by SCIM, and enter it at the identity provider.")

// checkPusher returns an error if the token was revoked since.
func checkPusher(tx *store.Tx, p Pusher) error {
	t, err := tx.SCIMTokenByHash(p.token)
	if baton.KindOf(err) == baton.NotFound || err == nil && !t.Revoked.IsZero() {
		return errPusher
	}
	return err
}

// push runs a command of an identity provider. A transaction that lost a race for an address or a name
// is repeated once, and then sees who has it.
func (c *Console) push(ctx context.Context, p Pusher, fn func(tx *store.Tx) error) (err error) {
	for range 2 {
		err = c.store.Update(ctx, c.byPusher(p), func(tx *store.Tx) error {
			if err := checkPusher(tx, p); err != nil {
				return err
			}
			return fn(tx)
		})
		if baton.KindOf(err) != baton.AlreadyExists {
			break
		}
	}
	return err
}

// pull runs a query of an identity provider.
func (c *Console) pull(ctx context.Context, p Pusher, fn func(tx *store.Tx) error) error {
	return c.store.View(ctx, func(tx *store.Tx) error {
		if err := checkPusher(tx, p); err != nil {
			return err
		}
		return fn(tx)
	})
}

// PushFailed records a request of an identity provider that failed, for its page.
func (c *Console) PushFailed(ctx context.Context, p Pusher, what string) error {
	return c.store.Update(context.WithoutCancel(ctx), c.byPusher(p), func(tx *store.Tx) error { return tx.SetSCIMError(p.Source.ID, what) })
}

// PushedUsers is a query for users.
type PushedUsers struct {
	Filter store.SCIMUserFilter
	Match  func(console.SCIMUser) bool // nil: all that the filter chooses
	Start  int64                       // the number of matches before the page
	Count  int                         // the most users on the page
}

// scanPage is how many rows are read at once to find matches.
const scanPage = 200

// PushedUsers returns a page of the users that an identity provider pushed, and how many match.
func (c *Console) PushedUsers(ctx context.Context, p Pusher, q PushedUsers) (page []console.SCIMUser, total int64, err error) {
	err = c.pull(ctx, p, func(tx *store.Tx) error {
		page, total = nil, 0
		if q.Filter == (store.SCIMUserFilter{}) && q.Match == nil {
			if total, err = tx.CountSCIMUsers(p.Source.ID); err != nil || q.Count == 0 {
				return err
			}
			before, ok, err := tx.SCIMUserBefore(p.Source.ID, q.Start)
			if err != nil || !ok {
				return err
			}
			page, err = tx.SCIMUsers(p.Source.ID, q.Filter, before, q.Count)
			return err
		}
		for after := console.ResourceKey(0); ; {
			users, err := tx.SCIMUsers(p.Source.ID, q.Filter, after, scanPage)
			if err != nil {
				return err
			}
			for _, u := range users {
				after = u.Key
				if q.Match != nil && !q.Match(u) {
					continue
				}
				if total >= q.Start && len(page) < q.Count {
					page = append(page, u)
				}
				total++
			}
			if len(users) < scanPage {
				return nil
			}
		}
	})
	return page, total, err
}

// PushedUser returns a user that an identity provider pushed.
func (c *Console) PushedUser(ctx context.Context, p Pusher, id console.ID) (u console.SCIMUser, err error) {
	err = c.pull(ctx, p, func(tx *store.Tx) error {
		u, err = pushedUser(tx, p, id)
		return err
	})
	return u, err
}

func pushedUser(tx *store.Tx, p Pusher, id console.ID) (u console.SCIMUser, err error) {
	if !id.Valid() {
		return u, errNoUser(id)
	}
	found, err := tx.SCIMUsers(p.Source.ID, store.SCIMUserFilter{ID: id}, 0, 1)
	if err != nil {
		return u, err
	}
	if len(found) == 0 {
		return u, errNoUser(id)
	}
	return found[0], nil
}

func errNoUser(id console.ID) error {
	return baton.Errorf(baton.NotFound, "there is no user %.64q", id)
}

// MaxPushedGroups limits the groups that are listed with a user.
const MaxPushedGroups = store.PageSize

// GroupsOfPushed returns up to [MaxPushedGroups] groups of a user, and whether there are more.
func (c *Console) GroupsOfPushed(ctx context.Context, p Pusher, user console.ResourceKey) (groups []console.SCIMGroup, more bool, err error) {
	err = c.pull(ctx, p, func(tx *store.Tx) error {
		groups, err = tx.SCIMGroups(p.Source.ID, store.SCIMGroupFilter{Member: user}, "", MaxPushedGroups)
		if err == nil && len(groups) == MaxPushedGroups {
			next, e := tx.SCIMGroups(p.Source.ID, store.SCIMGroupFilter{Member: user}, groups[MaxPushedGroups-1].ID, 1)
			more, err = len(next) > 0, e
		}
		return err
	})
	return groups, more, err
}

// PushUser adds a user, and makes, changes or ends the person. AlreadyExists if the user name is taken.
func (c *Console) PushUser(ctx context.Context, p Pusher, u console.SCIMUser) (made console.SCIMUser, err error) {
	err = c.push(ctx, p, func(tx *store.Tx) error {
		if made, err = tx.AddSCIMUser(p.Source, u); err == nil {
			made, err = directory.Push(tx, p.Source, made)
		}
		return err
	})
	return made, err
}

// ChangePushedUser changes a user, and the person. change returns the new state; it may run more than
// once. Without a difference nothing is written.
func (c *Console) ChangePushedUser(ctx context.Context, p Pusher, id console.ID, change func(console.SCIMUser) (console.SCIMUser, error)) (u console.SCIMUser, err error) {
	if !id.Valid() {
		return u, errNoUser(id)
	}
	err = c.push(ctx, p, func(tx *store.Tx) error {
		before, err := tx.LockSCIMUser(p.Source.ID, id)
		if baton.KindOf(err) == baton.NotFound {
			return errNoUser(id)
		}
		if err != nil {
			return err
		}
		if u, err = change(before); err != nil {
			return err
		}
		if string(u.Document) == string(before.Document) {
			u = before
			return nil
		}
		if u, err = tx.ChangeSCIMUser(before, u); err != nil {
			return err
		}
		u, err = directory.Push(tx, p.Source, u)
		return err
	})
	return u, err
}

// EndPushedUser deletes a user. The person is gone, unless another directory still shows it.
func (c *Console) EndPushedUser(ctx context.Context, p Pusher, id console.ID, check func(console.SCIMUser) error) error {
	if !id.Valid() {
		return errNoUser(id)
	}
	return c.push(ctx, p, func(tx *store.Tx) error {
		u, err := tx.LockSCIMUser(p.Source.ID, id)
		if baton.KindOf(err) == baton.NotFound {
			return errNoUser(id)
		}
		if err != nil {
			return err
		}
		if err := check(u); err != nil {
			return err
		}
		if err := tx.EndSCIMUser(u); err != nil {
			return err
		}
		return directory.EndPushed(tx, p.Source, u)
	})
}

// PushedGroups is a query for groups.
type PushedGroups struct {
	Filter store.SCIMGroupFilter
	Member console.ID // instead of Filter: the id of a user who is a member
	Match  func(console.SCIMGroup) bool
	Start  int64
	Count  int
}

// PushedGroups returns a page of the groups that an identity provider pushed, and how many match.
func (c *Console) PushedGroups(ctx context.Context, p Pusher, q PushedGroups) (page []console.SCIMGroup, total int64, err error) {
	err = c.pull(ctx, p, func(tx *store.Tx) error {
		page, total = nil, 0
		filter := q.Filter
		if q.Member != "" {
			u, err := pushedUser(tx, p, q.Member)
			if baton.KindOf(err) == baton.NotFound {
				return nil
			}
			if err != nil {
				return err
			}
			filter.Member = u.Key
		}
		for after := console.ID(""); ; {
			groups, err := tx.SCIMGroups(p.Source.ID, filter, after, scanPage)
			if err != nil {
				return err
			}
			for _, g := range groups {
				after = g.ID
				if q.Match != nil && !q.Match(g) {
					continue
				}
				if total >= q.Start && len(page) < q.Count {
					page = append(page, g)
				}
				total++
			}
			if len(groups) < scanPage {
				return nil
			}
		}
	})
	return page, total, err
}

// PushedGroup returns a group that an identity provider pushed.
func (c *Console) PushedGroup(ctx context.Context, p Pusher, id console.ID) (g console.SCIMGroup, err error) {
	err = c.pull(ctx, p, func(tx *store.Tx) error {
		v, err := scimGroup(tx, p.Source.ID, id)
		if baton.KindOf(err) == baton.NotFound {
			return errNoGroup(id)
		}
		g = v.SCIMGroup
		return err
	})
	return g, err
}

func errNoGroup(id console.ID) error {
	return baton.Errorf(baton.NotFound, "there is no group %.64q", id)
}

// PushedMembers returns up to n members of a group after a given one.
func (c *Console) PushedMembers(ctx context.Context, p Pusher, group console.ID, after console.ResourceKey, n int) (members []store.SCIMMember, err error) {
	err = c.pull(ctx, p, func(tx *store.Tx) error {
		members, err = tx.SCIMMembers(group, after, n)
		return err
	})
	return members, err
}

// MemberChange is a change of the members of a group.
type MemberChange struct {
	Op  MemberOp
	IDs []console.ID // of users
}

// MemberOp says how members change.
type MemberOp int

// AddMembers adds those who are not members, RemoveMembers removes those who are, and SetMembers does
// both, so that the members are those that are given.
const (
	AddMembers MemberOp = iota
	RemoveMembers
	SetMembers
)

// PushGroup adds a group with members. AlreadyExists if the name is taken; Invalid if a member is no
// user.
func (c *Console) PushGroup(ctx context.Context, p Pusher, g console.SCIMGroup, members []console.ID) (made console.SCIMGroup, err error) {
	err = c.push(ctx, p, func(tx *store.Tx) error {
		g.Source = p.Source.ID
		if made, err = tx.AddSCIMGroup(g); err != nil {
			return err
		}
		_, err = changeMembers(tx, p, made, []MemberChange{{AddMembers, members}})
		return err
	})
	return made, err
}

// ChangePushedGroup changes a group and its members, in order. change returns the new state; it may run
// more than once. Without a difference nothing is written.
func (c *Console) ChangePushedGroup(ctx context.Context, p Pusher, id console.ID, change func(console.SCIMGroup) (console.SCIMGroup, []MemberChange, error)) (g console.SCIMGroup, err error) {
	if !id.Valid() {
		return g, errNoGroup(id)
	}
	err = c.push(ctx, p, func(tx *store.Tx) error {
		before, err := tx.LockSCIMGroup(p.Source.ID, id)
		if baton.KindOf(err) == baton.NotFound {
			return errNoGroup(id)
		}
		if err != nil {
			return err
		}
		var changes []MemberChange
		if g, changes, err = change(before); err != nil {
			return err
		}
		changed, err := changeMembers(tx, p, before, changes)
		if err != nil || changed == 0 && g == before {
			return err
		}
		g, err = tx.ChangeSCIMGroup(before, g, changed)
		return err
	})
	return g, err
}

// changeMembers changes the members of a group, and the roles of these if the group gives one. It
// returns how many changed.
func changeMembers(tx *store.Tx, p Pusher, g console.SCIMGroup, changes []MemberChange) (int, error) {
	touched := map[console.ResourceKey]bool{}
	for _, change := range changes {
		keys, err := memberKeys(tx, p, change)
		if err != nil {
			return 0, err
		}
		var added, removed []console.ResourceKey
		switch change.Op {
		case SetMembers:
			extra, err := otherMembers(tx, g.ID, keys)
			if err != nil {
				return 0, err
			}
			if removed, err = tx.RemoveSCIMMembers(g.ID, extra); err != nil {
				return 0, err
			}
			if added, err = tx.AddSCIMMembers(g.ID, keys); err != nil {
				return 0, err
			}
		case AddMembers:
			added, err = tx.AddSCIMMembers(g.ID, keys)
		case RemoveMembers:
			removed, err = tx.RemoveSCIMMembers(g.ID, keys)
		}
		if err != nil {
			return 0, err
		}
		for _, key := range append(added, removed...) {
			touched[key] = true
		}
	}
	if g.Role == "" || len(touched) == 0 {
		return len(touched), nil
	}
	keys := make([]console.ResourceKey, 0, len(touched))
	for key := range touched {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return len(touched), directory.MapRoles(tx, p.Source, keys)
}

// memberKeys returns the keys of the users that a change names, each once. To remove somebody who is no
// user is no error, for that is the case then.
func memberKeys(tx *store.Tx, p Pusher, change MemberChange) ([]console.ResourceKey, error) {
	var valid []console.ID
	for _, id := range change.IDs {
		if id.Valid() {
			valid = append(valid, id)
		} else if change.Op != RemoveMembers {
			return nil, errNoMember(id)
		}
	}
	known, err := tx.SCIMUserKeys(p.Source.ID, valid)
	if err != nil {
		return nil, err
	}
	keys := make([]console.ResourceKey, 0, len(valid))
	for _, id := range valid {
		key, ok := known[id]
		if !ok && change.Op != RemoveMembers {
			return nil, errNoMember(id)
		}
		if ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

func errNoMember(id console.ID) error {
	return baton.Errorf(baton.Invalid, "the member %.64q is no user that this identity provider pushed", id).WithFix("Assign the user to the application first; groups within groups are not kept.")
}

// otherMembers returns the members of a group except the given ones, which are sorted.
func otherMembers(tx *store.Tx, group console.ID, keys []console.ResourceKey) (others []console.ResourceKey, err error) {
	for after := console.ResourceKey(0); ; {
		page, err := tx.SCIMMembers(group, after, store.PageSize)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			after = m.Key
			if _, stays := slices.BinarySearch(keys, m.Key); !stays {
				others = append(others, m.Key)
			}
		}
		if len(page) < store.PageSize {
			return others, nil
		}
	}
}

// EndPushedGroup deletes a group. The roles that it gave end.
func (c *Console) EndPushedGroup(ctx context.Context, p Pusher, id console.ID, check func(console.SCIMGroup) error) error {
	if !id.Valid() {
		return errNoGroup(id)
	}
	return c.push(ctx, p, func(tx *store.Tx) error {
		g, err := tx.LockSCIMGroup(p.Source.ID, id)
		if baton.KindOf(err) == baton.NotFound {
			return errNoGroup(id)
		}
		if err != nil {
			return err
		}
		if err := check(g); err != nil {
			return err
		}
		if g.Role != "" {
			if _, err := changeMembers(tx, p, g, []MemberChange{{Op: SetMembers}}); err != nil {
				return err
			}
		}
		return tx.RemoveSCIMGroup(g)
	})
}
