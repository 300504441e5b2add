package perplexity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/connector/scim"
	"baton/internal/pause"
)

// snapshot holds the facts for the guard: the groups, their roles, and the members of the role groups.
type snapshot struct {
	roles   roles
	groups  []scim.Group
	rosters map[string]roster // of the role groups
}

// snapshot reads the groups and the members of role groups. For other groups it keeps only the entries for
// the user. It takes one list request if the list shows members.
func (c *connector) snapshot(ctx context.Context, userID string) (*snapshot, error) {
	groups, err := c.scim.AllGroups(ctx, func(g *scim.Group, m scim.Member) bool { return c.mayCarryRole(*g) || m.Value == userID })
	if err != nil {
		return nil, err
	}
	p := &snapshot{groups: groups, rosters: map[string]roster{}}
	if p.roles, err = c.rolesAmong(groups); err != nil {
		return nil, err
	}
	shows := slices.ContainsFunc(groups, showsAny)
	for _, g := range groups {
		if !p.roles.carries(g.ID) {
			continue
		}
		r := rosterOf(g)
		r.proven = r.proven || shows && g.MembersListed && r.problem() == ""
		if !r.proven {
			shown := false
			if r, shown, err = c.roster(ctx, g.ID); err != nil {
				return nil, err
			}
			if !shown {
				return nil, baton.Errorf(baton.Incomplete, "the group %s was in the list of groups, and then gone", quoted(g.Label(), g.ID)).
					WithFix("Try again: the groups changed while they were read.")
			}
			if err := c.prove(ctx, &r, groups); err != nil {
				return nil, err
			}
		}
		p.rosters[g.ID] = r
	}
	return p, nil
}

// in reports whether the user is in any of the groups.
func (p *snapshot) in(userID string, groupIDs []string) bool {
	return slices.ContainsFunc(groupIDs, func(id string) bool { return p.rosters[id].has(userID) })
}

// mayBeAdmin reports whether the user may have admin rights. It is false only if that is certain.
func (p *snapshot) mayBeAdmin(userID string, alternative []string) bool {
	if p.in(userID, alternative) {
		return p.roles.memberUnclear || !(p.in(userID, p.roles.member) && p.roles.priority == priorityMember)
	}
	return p.nobodyKnown() || slices.ContainsFunc(alternative, func(id string) bool { return !p.rosters[id].proven })
}

// surelyAdmin reports whether the user certainly has admin rights. It is used for accounts that would remain.
func (p *snapshot) surelyAdmin(userID string, alternative []string) bool {
	surely := slices.ContainsFunc(alternative, func(id string) bool { return p.rosters[id].surely(userID) })
	return surely && (p.roles.priority == priorityAdmin || !p.in(userID, p.roles.member))
}

// nobodyKnown reports whether no account is known in any group that may be the Admin group. Then the admins
// are unknown, not absent.
func (p *snapshot) nobodyKnown() bool {
	return !slices.ContainsFunc(slices.Concat(p.roles.admin...), func(id string) bool { return p.rosters[id].known() > 0 })
}

// unknownAdmins returns an error if the members of the groups are unknown.
func (p *snapshot) unknownAdmins(alternative []string) error {
	for _, id := range alternative {
		if r := p.rosters[id]; !r.proven {
			return r.unproven()
		}
	}
	if p.nobodyKnown() {
		return baton.Errorf(baton.Incomplete, "SCIM shows no account in %s", p.names(alternative))
	}
	return nil
}

// change describes a change to the guard: whom it affects, and which admin rights it takes.
type change struct {
	userID string
	doing  string // "revoking PPLX_Admin from ann@example.com"
	// takes reports whether the change would take away admin rights in an alternative.
	takes func(p *snapshot, alternative []string) bool

	before  *snapshot  // the state that the guard judged
	guarded [][]string // the alternatives in which the account may lose admin rights
}

// endangers reports whether the guard checked the alternative, or a part of it.
func (ch *change) endangers(alternative []string) bool {
	return slices.ContainsFunc(ch.guarded, func(ids []string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(alternative, id) })
	})
}

// guard refuses a change that would leave fewer enabled admins than configured. It returns
// warnings for a change that is allowed, and whether the change takes admin rights away, so
// that recheck must follow.
func (c *connector) guard(ctx context.Context, p *snapshot, ch *change) (warnings []string, guarded bool, err error) {
	if len(p.roles.admin) == 0 {
		return []string{"No group was recognised as the Admin group, so nothing guards the last admin; set --admin-group."}, false, nil
	}
	if slices.ContainsFunc(p.roles.admin, func(alternative []string) bool { return ch.takes(p, alternative) }) {
		if err := c.establishRoles(ctx, p, ch.userID); err != nil {
			return nil, false, err
		}
	}
	ch.before = p
	for _, alternative := range p.roles.admin {
		if !p.mayBeAdmin(ch.userID, alternative) || !ch.takes(p, alternative) {
			continue
		}
		ch.guarded = append(ch.guarded, alternative)
		guarded = !c.cfg.AllowLastAdmin
		left, err := c.adminsBeside(ctx, p, ch.userID, alternative, c.cfg.minAdmins())
		if err != nil {
			return nil, guarded, err
		}
		if left >= c.cfg.minAdmins() {
			continue
		}
		if c.cfg.AllowLastAdmin {
			warnings = append(warnings, "This leaves "+admins(left)+" in the organisation; it was allowed by --allow-last-admin.")
			continue
		}
		if err := p.unknownAdmins(alternative); err != nil {
			return nil, guarded, baton.Errorf(baton.Refused, "%s may take the last admin away, for it is not known who is Admin: %w", ch.doing, err).
				WithFix("Check who is in %s in Perplexity; if an enabled admin remains, run again with --allow-last-admin.", p.names(alternative))
		}
		return nil, guarded, baton.Errorf(baton.Refused, "%s would leave %s in the organisation, and at least %s must remain",
			ch.doing, admins(left), count(c.cfg.minAdmins(), "enabled admin")).
			WithFix("Grant %s to another enabled account first%s; or run again with --allow-last-admin.", p.names(alternative), p.doubt())
	}
	return warnings, guarded, nil
}

// recheck counts the admins again after a change that the guard allowed, even after an error, because the
// change may have been carried out. Meanwhile another process may have removed the admin that this one relied
// on, or the server may have removed more than the request said. Then recheck reverts the change. If two
// processes do so, both admins are restored: the one that reads last sees both changes, so at least one of
// them reverts its change.
func (c *connector) recheck(ctx context.Context, ch *change, settled error, undo func(context.Context) error) error {
	if ch == nil {
		return settled
	}
	if settled != nil {
		c.leaving.Store(ch.userID, time.Now())
	}
	ctx, cancel := outlive(ctx, recheckFor)
	defer cancel()
	p, alternative, left, err := c.tooFew(ctx, ch)
	switch {
	case err != nil && settled == nil:
		return fmt.Errorf("the change was made, but who is Admin now could not be read back: %w", err)
	case err != nil || alternative == nil:
		return settled
	}
	also := ""
	if settled != nil {
		also = fmt.Sprintf(" (%v)", settled)
	}
	if err := undo(ctx); err != nil {
		return baton.Errorf(baton.KindOf(err), "%s may have been carried out while others took admin rights away, too; it leaves %s in the organisation, and taking it back failed: %w%s",
			ch.doing, admins(left), err, also).WithFix("Grant %s to an enabled account in the identity provider, now.", p.names(alternative))
	}
	c.leaving.Delete(ch.userID)
	return baton.Errorf(baton.Refused, "%s was taken back: others lost admin rights at the same time, and together that leaves %s in the organisation%s",
		ch.doing, admins(left), also).WithFix("Check who is in %s, and grant it to another enabled account first.", p.names(alternative))
}

// recheckFor limits the time for recounting and reverting after the caller's context has ended.
const recheckFor = 2 * time.Minute

// outlive returns a context that ends that long after the given one.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = pause.For(longer, by)
		cancel()
	})
	return longer, func() {
		stop()
		cancel()
	}
}

// lists returns an error if one of the groups is missing from the list of groups, because it may be the Admin
// group.
func (p *snapshot) lists(ids ...string) error {
	for _, id := range ids {
		if id != "" && !slices.ContainsFunc(p.groups, func(g scim.Group) bool { return g.ID == id }) {
			return baton.Errorf(baton.Incomplete, "the list of groups leaves group %s out, so that it is not certain who is Admin", id).
				WithFix("Try again; if it keeps failing, make the change in the identity provider.")
		}
	}
	return nil
}

// tooFew returns the alternative in which the change has left too few admins, or nil.
func (c *connector) tooFew(ctx context.Context, ch *change) (p *snapshot, alternative []string, left int, err error) {
	if p, err = c.snapshot(ctx, ch.userID); err != nil {
		return nil, nil, 0, err
	}
	for id, r := range p.rosters {
		if before, ok := ch.before.rosters[id]; ok {
			r.recall(before)
			p.rosters[id] = r
		}
	}
	for _, alternative := range p.roles.admin {
		if !ch.endangers(alternative) || !ch.takes(p, alternative) {
			continue
		}
		left, err := c.adminsBeside(ctx, p, ch.userID, alternative, c.cfg.minAdmins())
		if err != nil {
			return nil, nil, 0, err
		}
		if left < c.cfg.minAdmins() {
			return p, alternative, left, nil
		}
	}
	return p, nil, 0, nil
}

// doubtFor is the time during which an account does not count as an admin after a change that should have
// taken its admin rights but was not visible: reads may be stale.
const doubtFor = 10 * time.Minute

func (c *connector) mayHaveLeft(userID string) bool {
	at, ok := c.leaving.Load(userID)
	return ok && time.Since(at.(time.Time)) < doubtFor
}

// adminsBeside counts the enabled admins other than the user, up to enough.
func (c *connector) adminsBeside(ctx context.Context, p *snapshot, userID string, alternative []string, enough int) (int, error) {
	left := 0
	var denied []string // accounts whose read got a 404
	for _, id := range alternative {
		for _, other := range slices.Sorted(p.rosters[id].users()) {
			if left >= enough {
				return left, nil
			}
			if other == userID || c.mayHaveLeft(other) || !p.surelyAdmin(other, alternative) || countedBefore(p, alternative, id, other) {
				continue
			}
			u, err := c.scim.GetUser(ctx, other)
			switch {
			case errors.Is(err, scim.ErrNotShown):
				denied = append(denied, other)
			case err != nil:
				return 0, err
			case enabled(u):
				left++
			}
		}
	}
	if left >= enough || len(denied) == 0 {
		return left, nil
	}
	// The count depends on whether these accounts exist. A 404 does not prove that; the list does.
	shown, err := c.scim.ListedUsers(ctx, denied...)
	if err != nil {
		return 0, fmt.Errorf("whether %s can still be Admin is not known: %w", strings.Join(denied[:min(5, len(denied))], ", "), err)
	}
	for _, u := range shown {
		if enabled(u) {
			left++
		}
	}
	return left, nil
}

// enabled reports whether the account is explicitly active. An account without that attribute does not count
// as a remaining admin.
func enabled(u scim.User) bool { return u.Active != nil && *u.Active }

// countedBefore reports whether an earlier group of the alternative also has the user.
func countedBefore(p *snapshot, alternative []string, groupID, userID string) bool {
	for _, id := range alternative {
		if id == groupID {
			return false
		}
		if p.rosters[id].has(userID) {
			return true
		}
	}
	return false
}

// names returns the display names of the groups for a message.
func (p *snapshot) names(ids []string) string {
	s := ""
	for _, id := range ids {
		if s != "" {
			s += " or "
		}
		g := p.rosters[id].Group
		s += g.Label()
	}
	return s
}

// doubt names the setting that would let the guard judge less strictly, for a message.
func (p *snapshot) doubt() string {
	if p.roles.priority == "" && len(p.roles.member) > 0 {
		return ", or set --role-priority if admins are also in the Member group"
	}
	return ""
}

func (cfg Config) minAdmins() int { return max(1, cfg.MinAdmins) }

func admins(n int) string { return count(n, "enabled admin") }
