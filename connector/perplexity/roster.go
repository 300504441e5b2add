package perplexity

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"baton"
	"baton/connector/scim"
)

// roster holds one group, its members, and whether these are known.
type roster struct {
	scim.Group
	// aside maps the ids of members that the group lists under another name to that name. The value is empty
	// for members that only the account's own groups show.
	aside    map[string]string
	named    map[string]string // the reverse of aside
	unlisted int               // members whose accounts the server does not list
	// proven is set if the list of members is known to be the server's: it has entries, all of them readable,
	// or it is empty and the server shows members of other groups.
	proven bool
	// byAccount is set if an account is known to be a member only from its own groups.
	byAccount bool
	// fromAccounts is set if all members are known only from the accounts' groups.
	fromAccounts bool
}

func rosterOf(g scim.Group) roster {
	return roster{Group: g, aside: map[string]string{}, named: map[string]string{}, proven: g.Members.Entries() > 0 && g.Members.Problem() == ""}
}

// roster reads one group, uncached, with one request if SCIM shows it. Without an error, shown is false if
// the group is proved gone.
func (c *connector) roster(ctx context.Context, id string) (r roster, shown bool, err error) {
	g, shown, err := c.scim.LookUpGroup(ctx, id)
	return rosterOf(g), shown, err
}

func (r roster) label() string { return quoted(r.Group.Label(), r.ID) }

// has reports whether the account is a member.
func (r roster) has(userID string) bool {
	if _, ok := r.aside[userID]; ok {
		return true
	}
	_, kinds := r.Members.Find(userID)
	return kinds.IsUser()
}

// lists reports whether the group lists an account under the name, or has it as a member.
func (r roster) lists(name string) bool {
	_, kinds := r.Members.Find(name)
	return kinds.IsUser() || r.has(name)
}

// surely reports whether the account is certainly a member: no entry with its id has a type other than that
// of an account.
func (r roster) surely(userID string) bool {
	as, ok := r.aside[userID]
	if ok && as == "" {
		return true
	}
	if !ok {
		as = userID
	}
	_, kinds := r.Members.Find(as)
	return kinds.Has(scim.UserMember) && !kinds.Has(scim.LikelyUser)
}

// entry returns the kinds of the group's entries for the account.
func (r roster) entry(userID string) scim.MemberKinds {
	_, kinds := r.Members.Find(r.as(userID))
	return kinds
}

// holds reports whether the account is already a member. The caller has read the account. An entry of an
// unknown type may be another object with the same id. Then the account's own groups decide or, if it lists
// none, whether the server has another type for accounts.
func (c *connector) holds(ctx context.Context, r *roster, u scim.User) (bool, error) {
	if !r.has(u.ID) || r.entry(u.ID).Has(scim.UserMember) || r.surely(u.ID) {
		return r.has(u.ID), nil
	}
	named := 0
	for _, ref := range u.Groups {
		if refersTo(ref, &r.Group) {
			return true, nil
		}
		if ref.IsGroup() {
			named++
		}
	}
	if named > 0 && u.GroupsProblem() == "" {
		return false, nil
	}
	for _, kinds := range r.Members.All() {
		if kinds.Has(scim.UserMember) {
			return false, nil
		}
	}
	typed := false
	_, err := c.scim.AllGroups(ctx, func(_ *scim.Group, m scim.Member) bool {
		typed = typed || m.Kind == scim.UserMember
		return false
	})
	return !typed, err
}

// showsAccount reports whether the group lists the account as an account, or the account lists the group.
func (c *connector) showsAccount(ctx context.Context, r *roster, userID string) (bool, error) {
	if r.entry(userID).Has(scim.UserMember) {
		return true, nil
	}
	u, shown, err := c.scim.LookUpUser(ctx, userID)
	return shown && slices.ContainsFunc(u.Groups, func(ref scim.GroupRef) bool { return refersTo(ref, &r.Group) }), err
}

// as returns the name under which the group lists the account.
func (r roster) as(userID string) string {
	if as := r.aside[userID]; as != "" {
		return as
	}
	if as, kinds := r.Members.Find(userID); kinds.IsUser() {
		return as
	}
	return userID
}

// users returns the ids of the members that count as accounts, in the order of the list.
func (r roster) users() iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range r.names() {
			if id, ok := r.named[name]; ok {
				name = id
			}
			if !yield(name) {
				return
			}
		}
	}
}

// size returns the number of members that count as accounts.
func (r roster) size() int {
	n := 0
	for range r.names() {
		n++
	}
	return n
}

// problem says why the members cannot all be read, or is empty.
func (r roster) problem() string { return r.Members.Problem() }

func (r roster) unproven() error {
	if problem := r.problem(); problem != "" {
		return baton.Errorf(baton.Incomplete, "the members of group %s are not known: %s", r.label(), problem).
			WithFix("Check in Perplexity who is in the group, and show this line to whoever runs the SCIM server.")
	}
	return baton.Errorf(baton.Incomplete, "the server shows no members of group %s, nor of any other group", r.label()).
		WithFix("Check in Perplexity who is in the group; the server does not let it be read.")
}

// prove looks for evidence about a group without visible members: another group with members, or accounts
// that list their groups. The roster stays unproven if there is no evidence, or if members cannot be read.
// groups holds the groups of the list if it was read before.
func (c *connector) prove(ctx context.Context, r *roster, groups []scim.Group) (err error) {
	if r.proven || r.problem() != "" {
		return nil
	}
	if groups == nil {
		if groups, err = c.scim.AllGroups(ctx, nobody); err != nil {
			return err
		}
	}
	if r.proven, err = c.showsMembers(ctx, groups, r.ID); r.proven || err != nil {
		return err
	}
	return c.askAccounts(ctx, r)
}

// showsMembers reports whether the server shows the members of any other group, in the list or, if the list
// omits them, one by one.
func (c *connector) showsMembers(ctx context.Context, groups []scim.Group, except string) (bool, error) {
	if slices.ContainsFunc(groups, showsAny) {
		return true, nil
	}
	for _, g := range groups {
		if g.ID == except {
			continue
		}
		one, err := c.scim.GetGroup(ctx, g.ID)
		if err != nil && !errors.Is(err, scim.ErrNotShown) {
			return false, err
		}
		if showsAny(one) {
			return true, nil
		}
	}
	return false, nil
}

// showsAny reports whether a group shows a member that can be read.
func showsAny(g scim.Group) bool {
	for range g.Members.All() {
		return true
	}
	return false
}

// nobody keeps no members of a list of groups, for callers that only need to know whether there are any.
func nobody(*scim.Group, scim.Member) bool { return false }

// askAccounts fills the roster with the accounts that list the group among their own, if the server can
// filter accounts by group.
func (c *connector) askAccounts(ctx context.Context, r *roster) error {
	found := 0
	err := c.scim.UsersInGroup(ctx, r.ID, func(u scim.User) {
		r.aside[u.ID] = ""
		found++
	})
	if baton.KindOf(err) == baton.Unsupported {
		return nil
	}
	r.proven, r.fromAccounts = err == nil, err == nil && found > 0
	return err
}

// known returns the number of members except those whose accounts the server does not list.
func (r roster) known() int { return r.size() - r.unlisted }

// names returns the names under which the group lists accounts, and the ids of members that only their own
// groups show.
func (r roster) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for name, kinds := range r.Members.All() {
			if kinds.IsUser() && !yield(name) {
				return
			}
		}
		for _, id := range sorted(r.aside) {
			if r.aside[id] == "" && !yield(id) {
				return
			}
		}
	}
}

// recall copies earlier results for names that the group still lists.
func (r *roster) recall(before roster) {
	for id, as := range before.aside {
		if _, kinds := r.Members.Find(as); as != "" && kinds.IsUser() {
			r.aside[id], r.named[as] = as, id
		}
	}
	r.unlisted = before.unlisted
}

// take adds the account to the members if it lists the group among its own.
func (r *roster) take(u scim.User) {
	if slices.ContainsFunc(u.Groups, func(ref scim.GroupRef) bool { return refersTo(ref, &r.Group) }) {
		r.aside[u.ID], r.byAccount = "", true
	}
}

// refersTo reports whether an entry among an account's groups is a direct membership of the group. Some
// servers write the name of the group there.
func refersTo(ref scim.GroupRef, g *scim.Group) bool {
	return ref.IsGroup() && ref.Value != "" && !strings.EqualFold(ref.Type, "indirect") &&
		(ref.Value == g.ID || scim.SameUUID(ref.Value, g.ID) || ref.Value == g.DisplayName)
}

// askAccount reads the account and looks for the group among its groups. sure is true if the account lists
// groups, but not this one: that proves as much as the group's own list.
func (c *connector) askAccount(ctx context.Context, r *roster, m membershipChange) (sure bool, err error) {
	u, shown, err := c.scim.LookUpUser(ctx, m.userID)
	if err != nil || !shown {
		return false, err // an account that is proved gone is in no group
	}
	return c.ask(ctx, r, u)
}

// ask does the same as askAccount for an account that was read already.
func (c *connector) ask(ctx context.Context, r *roster, u scim.User) (sure bool, err error) {
	if r.take(u); r.has(u.ID) {
		return true, nil
	}
	if r.namesOf(u) {
		if err := c.nameAll(ctx, r); err != nil || r.has(u.ID) {
			return true, err
		}
	}
	if problem := u.GroupsProblem(); problem != "" {
		return false, baton.Errorf(baton.Incomplete, "the groups of account %s cannot be read, and group %s does not list it: %s", u.ID, r.label(), problem).
			WithFix("Check in Perplexity who is in the group, and show this line to whoever runs the SCIM server.")
	}
	return len(u.Groups) > 0, nil
}

// namesOf reports whether the group lists the userName, the externalId or an address of the
// account.
func (r roster) namesOf(u scim.User) bool {
	if u.ID == "" {
		return false
	}
	for name := range r.names() {
		if strings.EqualFold(name, u.UserName) || name == u.ExternalID ||
			slices.ContainsFunc(u.Emails, func(e scim.Email) bool { return strings.EqualFold(e.Value, name) }) {
			return true
		}
	}
	return false
}

// knowBefore finds out, before a grant, whether the account is already a member. The caller has read the
// account.
func (c *connector) knowBefore(ctx context.Context, r *roster, m membershipChange, u scim.User) error {
	if r.problem() != "" {
		return r.unproven()
	}
	if r.has(m.userID) {
		return nil
	}
	if !r.proven || r.namesOf(u) {
		_, err := c.ask(ctx, r, u)
		return err
	}
	return c.nameIfUnlike(ctx, r, m.userID)
}

// knowWhether finds out, before a revocation, whether the account is a member. Without an error, an account
// that is not in the roster is not a member.
func (c *connector) knowWhether(ctx context.Context, r *roster, m membershipChange) error {
	if !r.has(m.userID) {
		if err := c.prove(ctx, r, nil); err != nil {
			return err
		}
	}
	if r.problem() != "" || !r.proven && !r.has(m.userID) {
		return r.unproven()
	}
	if r.has(m.userID) {
		return nil
	}
	// Some servers show only the first members of a group, or leave accounts out of lists. The account's own
	// groups are more reliable.
	sure, err := c.askAccount(ctx, r, m)
	if err != nil || r.has(m.userID) {
		return err
	}
	if sure {
		err = c.nameIfUnlike(ctx, r, m.userID)
	} else {
		err = c.establish(ctx, r, m.userID)
	}
	if err == nil && !r.proven {
		err = r.unproven()
	}
	return err
}
