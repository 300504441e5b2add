package perplexity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/connector/rest"
	"baton/connector/scim"
	"baton/internal/english"
	"baton/internal/pause"
)

// rereads are the waits before each read of the upstream after a change. Their sum is the time that a change
// may take to become visible.
var rereads = [...]time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// grant adds the principal to the group: read, add one member, read again.
func (c *connector) grant(ctx context.Context, req baton.GrantRequest) (baton.Outcome, error) {
	return c.changeMembership(ctx, req, true, func(m membershipChange, before *roster, shown bool) (already string, err error) {
		if !shown {
			return "", gone("group", m.groupID)
		}
		// Some servers accept any id as a member, and the next sync could not identify the account.
		u, shown, err := c.scim.LookUpUser(ctx, m.userID)
		if err == nil && !shown {
			err = gone("account", m.userID)
		}
		if err != nil {
			return "", fmt.Errorf("to %s: %w", idText(m.userID), err)
		}
		if err := c.knowBefore(ctx, before, m, u); err != nil {
			return "", err
		}
		holds, err := c.holds(ctx, before, u)
		if holds {
			already = fmt.Sprintf("%s is already a member of %s.", m.userID, before.label())
		}
		return already, err
	})
}

// revoke removes the principal from the group, unless the guard refuses.
func (c *connector) revoke(ctx context.Context, req baton.GrantRequest) (baton.Outcome, error) {
	return c.changeMembership(ctx, req, false, func(m membershipChange, before *roster, shown bool) (already string, err error) {
		if !shown {
			return fmt.Sprintf("SCIM has no group %s any more: its list of groups is complete without it.", m.groupID), nil
		}
		if err := c.knowWhether(ctx, before, m); err != nil {
			return "", err
		}
		if !before.has(m.userID) {
			already = fmt.Sprintf("%s is not a member of %s.", m.userID, before.label())
		}
		return already, nil
	})
}

// changeMembership adds a principal to a group or removes it. look reads the group before the change: it
// completes the roster, and says so if the change is already made. shown reports whether SCIM shows the
// group.
func (c *connector) changeMembership(ctx context.Context, req baton.GrantRequest, adding bool,
	look func(m membershipChange, before *roster, shown bool) (already string, err error)) (baton.Outcome, error) {
	doing, done, would := "revoke", "Removed %s from %s.", "Would remove %s from %s."
	if adding {
		doing, done, would = "grant", "Added %s to %s.", "Would add %s to %s."
	}
	m, err := c.member(req)
	if err != nil {
		return baton.Outcome{}, err
	}
	unlock, err := c.lock(ctx, m.groupID)
	if err != nil {
		return baton.Outcome{}, err
	}
	defer unlock()
	before, shown, err := c.roster(ctx, m.groupID)
	already := ""
	if err == nil {
		already, err = look(m, &before, shown)
	}
	if err != nil {
		return baton.Outcome{}, fmt.Errorf("%s %s: %w", doing, idText(req.Entitlement.String()), err)
	}
	if already != "" {
		return baton.Outcome{Already: true, Done: []string{already}}, nil
	}
	unlockRoles, err := c.lockRoles(ctx, before.Group)
	if err != nil {
		return baton.Outcome{}, err
	}
	defer unlockRoles()
	out, ch, err := c.effects(ctx, before, m, adding)
	if err != nil {
		return baton.Outcome{}, err
	}
	if req.DryRun {
		out.Done = append([]string{fmt.Sprintf(would, m.userID, before.label())}, out.Done...)
		return out, nil
	}
	add := func(ctx context.Context, member string) error { return c.scim.AddMember(ctx, m.groupID, member) }
	remove := func(ctx context.Context, member string) error { return c.scim.RemoveMember(ctx, m.groupID, member) }
	write, undo, member := remove, add, before.as(m.userID)
	if adding {
		write, undo, member = add, remove, m.userID
	}
	wrote := write(ctx, member)
	err = c.recheck(ctx, ch, c.settle(ctx, before, m, adding, wrote), func(ctx context.Context) error { return undo(ctx, m.userID) })
	if err != nil {
		return baton.Outcome{}, fmt.Errorf("%s %s: %w", doing, idText(req.Entitlement.String()), err)
	}
	if adding && c.mayCarryRole(before.Group) {
		c.leaving.Delete(m.userID)
	}
	out.Done = append([]string{fmt.Sprintf(done, m.userID, before.label())}, out.Done...)
	return out, nil
}

// membershipChange names the group and the account of a checked request.
type membershipChange struct {
	groupID, userID string
}

func (c *connector) member(req baton.GrantRequest) (membershipChange, error) {
	e := req.Entitlement
	switch {
	case e.Resource.Type != groupType || e.Slug != memberSlug:
		return membershipChange{}, baton.Errorf(baton.Invalid, "%s cannot be granted or revoked", e).
			WithFix("Only the entitlement %q of a group can.", memberSlug)
	case req.Principal.Type != userType:
		return membershipChange{}, baton.Errorf(baton.Invalid, "%s cannot be a member of a group", req.Principal).
			WithFix("Only an account, a resource of type %q, can.", userType)
	case e.Resource.ID == "" || req.Principal.ID == "":
		return membershipChange{}, baton.Errorf(baton.Invalid, "the group and the account must both be named")
	}
	return membershipChange{groupID: e.Resource.ID, userID: req.Principal.ID}, nil
}

// effects describes how the change affects roles, and refuses it if it would lock everybody out. The returned
// change is not nil if it may take away somebody's admin rights. A group without a role needs no further
// request.
func (c *connector) effects(ctx context.Context, before roster, m membershipChange, adding bool) (baton.Outcome, *change, error) {
	var out baton.Outcome
	if !c.mayCarryRole(before.Group) {
		return out, nil, nil
	}
	p, err := c.snapshot(ctx, m.userID)
	if err == nil {
		err = p.lists(m.groupID)
	}
	if err != nil {
		return out, nil, err
	}
	if !p.roles.carries(m.groupID) {
		return out, nil, nil
	}
	if before.proven {
		p.rosters[m.groupID] = before // read more recently
	}
	out.Done, out.Warnings = p.roleChange(m, adding)
	ch := change{userID: m.userID}
	if adding {
		// Joining the Member group takes Admin away if Member has priority.
		ch.doing = fmt.Sprintf("adding %s to %s", m.userID, before.label())
		ch.takes = func(p *snapshot, _ []string) bool {
			return p.roles.isMember(m.groupID) && p.roles.priority != priorityAdmin
		}
	} else {
		ch.doing = fmt.Sprintf("removing %s from %s", m.userID, before.label())
		ch.takes = func(p *snapshot, alternative []string) bool { return slices.Contains(alternative, m.groupID) }
	}
	warnings, guarded, err := c.guard(ctx, p, &ch)
	out.Warnings = append(out.Warnings, warnings...)
	if !guarded {
		return out, nil, err
	}
	return out, &ch, err
}

// lockRoles makes other role changes wait until this one is visible, if it may change roles. Two concurrent
// changes, each relying on the other's admin, would leave no admin.
func (c *connector) lockRoles(ctx context.Context, g scim.Group) (unlock func(), err error) {
	if !c.mayCarryRole(g) {
		return func() {}, nil
	}
	return c.lock(ctx, roleLock)
}

// mayCarryRole reports whether the group's name or id allows that it carries a role.
func (c *connector) mayCarryRole(g scim.Group) bool {
	configured := func(names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			return n == g.ID || similarName(n, g.Label())
		})
	}
	name := plain(g.DisplayName)
	return configured(c.cfg.AdminGroups) || configured(c.cfg.MemberGroups) ||
		len(c.cfg.AdminGroups) == 0 && strings.Contains(name, "admin") ||
		len(c.cfg.MemberGroups) == 0 && slices.Contains(memberNames, name)
}

// settle reads the group again until the change shows, and checks that nobody else lost membership. The
// write's own error decides only if the change does not show: a lost response, or a member that somebody else
// has just added, is not a failure.
func (c *connector) settle(ctx context.Context, before roster, m membershipChange, adding bool, wrote error) error {
	waits := rereads[:]
	if wrote != nil && !ambiguous(wrote) {
		waits = rereads[:1]
	}
	var after roster
	for _, wait := range waits {
		if err := pause.For(ctx, wait); err != nil {
			return notVerified(err)
		}
		var shown bool
		var err error
		after, shown, err = c.after(ctx, before, m)
		if err == nil && !shown {
			if !adding {
				return nil // the whole group is gone
			}
			err = gone("group", m.groupID)
		}
		if err != nil {
			if wrote != nil {
				return perhaps(wrote)
			}
			return notVerified(err)
		}
		if adding && !after.has(m.userID) && after.proven && !after.fromAccounts {
			if err := c.nameIfUnlike(ctx, &after, m.userID); err != nil {
				return cmp.Or(perhaps(wrote), notVerified(err))
			}
			if _, err := c.askAccount(ctx, &after, m); err != nil {
				return cmp.Or(perhaps(wrote), notVerified(err))
			}
		}
		shows := after.has(m.userID) == adding
		if shows && adding && before.has(m.userID) { // perhaps as another kind
			if shows, err = c.showsAccount(ctx, &after, m.userID); err != nil {
				return cmp.Or(perhaps(wrote), notVerified(err))
			}
		}
		if shows {
			return bystanders(before, after, m)
		}
	}
	if wrote != nil {
		return cmp.Or(bystanders(before, after, m), perhaps(wrote))
	}
	// Another account that lost membership is more urgent than a change that is not visible.
	return cmp.Or(bystanders(before, after, m), c.explain(ctx, before, m, adding))
}

// after reads the group again. shown is false if it is proved gone. An empty list counts as empty if the same
// request showed members before. Otherwise after reads the account.
func (c *connector) after(ctx context.Context, before roster, m membershipChange) (r roster, shown bool, err error) {
	r, shown, err = c.roster(ctx, m.groupID)
	if err != nil || !shown {
		return r, shown, err
	}
	r.recall(before)
	switch {
	case r.problem() != "":
		return r, true, r.unproven()
	case before.byAccount && !r.has(m.userID):
		_, err := c.askAccount(ctx, &r, m)
		return r, true, err
	case r.proven:
		return r, true, nil
	case before.fromAccounts:
		return r, true, c.askAccounts(ctx, &r)
	case before.size() > 0:
		return r, true, nil
	}
	_, err = c.askAccount(ctx, &r, m)
	return r, true, err
}

// bystanders returns an error if members other than the account were lost. Members that others added do not
// matter.
func bystanders(before, after roster, m membershipChange) error {
	var lost []string
	for id := range before.names() {
		if id != before.as(m.userID) && !after.lists(id) {
			lost = append(lost, id)
		}
	}
	slices.Sort(lost)
	if len(lost) == 0 {
		return nil
	}
	named := lost
	if len(named) > 5 {
		named = named[:5]
	}
	return baton.Errorf(baton.Internal, "the change was made, but %s lost membership of %s at the same time: %s",
		count(len(lost), "other account"), before.label(), strings.Join(named, ", ")).
		WithFix("Check the group in Perplexity and in the identity provider now, and add back who belongs there.")
}

// explain returns the error for a change that was accepted but is not visible.
func (c *connector) explain(ctx context.Context, before roster, m membershipChange, adding bool) error {
	if adding {
		if _, shown, err := c.scim.LookUpUser(ctx, m.userID); err == nil && !shown {
			return gone("account", m.userID)
		}
	}
	return baton.Errorf(baton.Incomplete, "the server accepted the change of %s, but %s does not show in it", before.label(), m.userID).
		WithFix("Look at the group in Perplexity; if the identity provider manages it, it may have undone the change.")
}

// roleChange describes how the change affects the user's role.
func (p *snapshot) roleChange(m membershipChange, adding bool) (done, warnings []string) {
	if !p.roles.settled() {
		return nil, nil
	}
	admin := p.in(m.userID, p.roles.admin[0])
	member := p.in(m.userID, p.roles.member)
	was := p.roles.effective(admin, member)
	if p.roles.isAdmin(m.groupID) {
		admin = adding
	} else {
		member = adding
	}
	is := p.roles.effective(admin, member)
	switch {
	case is == roleUnknown:
		warnings = append(warnings, "The account is in groups of both roles and it is not known which has priority; set --role-priority.")
	case is == was:
		warnings = append(warnings, fmt.Sprintf("The account's role stays %s, because of its other group.", is))
	default:
		done = append(done, fmt.Sprintf("Its role is now %s.", is))
	}
	return done, warnings
}

// The effective roles in messages.
const (
	roleAdmin   = "Admin"
	roleMember  = "Member"
	roleNone    = "none"
	roleUnknown = "unknown"
)

func (r roles) effective(admin, member bool) string {
	switch {
	case admin && member && r.priority == "":
		return roleUnknown
	case admin && (!member || r.priority == priorityAdmin):
		return roleAdmin
	case member:
		return roleMember
	}
	return roleNone
}

// ambiguous reports whether a failed write may have been carried out.
func ambiguous(wrote error) bool {
	if errors.Is(wrote, scim.ErrNotShown) {
		return errors.Is(wrote, rest.ErrEarlierAttempt)
	}
	switch baton.KindOf(wrote) {
	case baton.Unavailable, baton.RateLimited, baton.DeadlineExceeded, baton.Canceled, baton.Incomplete, baton.Internal:
		return true
	}
	return errors.Is(wrote, rest.ErrEarlierAttempt)
}

// perhaps adds to an error that the write may have been carried out, unless the error already says so.
func perhaps(wrote error) error {
	const admission = "may have been carried out"
	if wrote == nil || !ambiguous(wrote) || strings.Contains(wrote.Error(), admission) {
		return wrote
	}
	return fmt.Errorf("%w; it "+admission+" all the same", wrote)
}

func notVerified(err error) error {
	return fmt.Errorf("the change was sent, but reading it back failed: %w", err)
}

func sorted[V any](set map[string]V) []string { return slices.Sorted(maps.Keys(set)) }

func count(n int, noun string) string {
	if n == 0 {
		return "no " + noun
	}
	return english.Count(n, noun)
}
