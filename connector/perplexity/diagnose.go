package perplexity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"baton"
	"baton/connector/paging"
	"baton/connector/rest"
	"baton/connector/scim"
	"baton/internal/english"
)

// validate makes the cheapest call that needs the token.
func (c *connector) validate(ctx context.Context) error {
	_, err := c.scim.ListUsers(ctx, paging.Position{}, paging.Sink[scim.User]{Row: func(scim.User) {}})
	return err
}

// diagnose checks, step by step, every part of the endpoint that a sync uses.
func (c *connector) diagnose(ctx context.Context, report func(baton.Finding)) {
	report = once(report)
	users, ok := c.probe(ctx, report)
	if !ok {
		return
	}
	c.advertised(ctx, report)
	groups, err := c.scim.AllGroups(ctx, func(_ *scim.Group, m scim.Member) bool { return m.Kind != scim.UserMember })
	if err != nil {
		report(failure("groups", err))
		return
	}
	c.judgeMembers(ctx, groups, users, report)
	c.judgeRoles(ctx, groups, report)
}

// once returns a function that reports each finding once.
func once(report func(baton.Finding)) func(baton.Finding) {
	reported := map[baton.Finding]bool{}
	return func(f baton.Finding) {
		if !reported[f] {
			reported[f] = true
			report(f)
		}
	}
}

// probe reads the first page of accounts and reports on endpoint, token and paging.
func (c *connector) probe(ctx context.Context, report func(baton.Finding)) (users int, ok bool) {
	step, err := c.scim.ListUsers(ctx, paging.Position{}, paging.Sink[scim.User]{Row: func(scim.User) {}})
	if err != nil {
		check := "endpoint"
		if k := baton.KindOf(err); k == baton.Unauthenticated || k == baton.PermissionDenied && !errors.Is(err, rest.ErrAddress) {
			check = "token"
		}
		report(failure(check, err))
		return 0, false
	}
	report(baton.Finding{Check: "endpoint", Detail: c.cfg.REST.Origin() + " answers SCIM"})
	report(baton.Finding{Check: "token", Detail: "accepted"})
	detail := fmt.Sprintf("the first page has %s of %s accounts", english.Number(step.Rows), english.Number(step.Total))
	if step.Total == 0 {
		detail = fmt.Sprintf("the first page has %s accounts, and the server gives no total", english.Number(step.Rows))
	}
	report(baton.Finding{Check: "paging", Detail: detail})
	if step.Fresh == 0 {
		report(baton.Finding{Check: "accounts", Level: baton.Warning, Detail: "there are none",
			Fix: "Check that the token belongs to the right organisation and that the identity provider pushes its users."})
	}
	return step.Fresh, true
}

func (c *connector) advertised(ctx context.Context, report func(baton.Finding)) {
	spc, err := c.scim.ServiceProviderConfig(ctx)
	if err != nil {
		report(baton.Finding{Check: "advertised", Detail: "no service provider configuration (optional): " + err.Error()})
		return
	}
	var says []string
	for _, f := range []struct {
		name      string
		supported *bool
	}{{"PATCH", spc.Patch}, {"filters", spc.Filter}, {"cursor paging", spc.CursorPaging}, {"ETags", spc.ETag}} {
		if f.supported != nil {
			says = append(says, map[bool]string{true: "", false: "no "}[*f.supported]+f.name)
		}
	}
	if spc.MaxPageSize > 0 {
		says = append(says, "pages of at most "+english.Number(spc.MaxPageSize))
	}
	f := baton.Finding{Check: "advertised", Detail: strings.Join(says, ", ")}
	if spc.Patch != nil && !*spc.Patch {
		f.Level, f.Fix = baton.Warning, "Reading works; ask Perplexity support why PATCH is off before provisioning."
	}
	report(f)
}

// judgeMembers reports how memberships can be read.
func (c *connector) judgeMembers(ctx context.Context, groups []scim.Group, users int, report func(baton.Finding)) {
	listed, nested, others, doubtful := 0, 0, 0, 0
	for _, g := range groups {
		if showsAny(g) {
			listed++
		}
		for _, kinds := range g.Members.All() {
			switch {
			case kinds.Has(scim.GroupMember):
				nested++
			case kinds.Has(scim.OtherMember):
				others++
			case kinds.Has(scim.LikelyUser):
				doubtful++
			}
		}
		if problem := g.Members.Problem(); problem != "" {
			report(failure("members", rosterOf(g).unproven()))
		}
	}
	switch {
	case len(groups) == 0:
		report(baton.Finding{Check: "groups", Level: baton.Warning, Detail: "there are none",
			Fix: "Push an Admin and a Member group from the identity provider."})
		return
	case listed > 0:
		report(baton.Finding{Check: "members", Detail: fmt.Sprintf("%s, %s of them listed with members: no further calls are needed", count(len(groups), "group"), english.Number(listed))})
	case users > 0:
		shown, err := c.showsMembers(ctx, groups, "")
		if err != nil {
			report(failure("members", err))
			return
		}
		if shown {
			report(baton.Finding{Check: "members", Detail: fmt.Sprintf("%s, listed without members: one call for each group is needed", count(len(groups), "group"))})
		} else {
			report(baton.Finding{Check: "members", Level: baton.Warning, Detail: "the server shows no members of any group",
				Fix: "If the groups are really empty, sync with --allow-empty; otherwise ask Perplexity support why SCIM does not show members."})
		}
	}
	judgeKinds(nested, others, doubtful, report)
	c.judgeNames(ctx, groups, report)
}

// judgeNames reports whether the accounts among the members can be identified. It checks the members that
// AllGroups kept: the first of each group, and those of unusual types.
func (c *connector) judgeNames(ctx context.Context, groups []scim.Group, report func(baton.Finding)) {
	in := map[string]*scim.Group{} // a group that lists the name
	var names []string
	for i := range groups {
		for name, kinds := range groups[i].Members.All() {
			if kinds.IsUser() && in[name] == nil && len(names) < maxNames {
				in[name] = &groups[i]
				names = append(names, name)
			}
		}
	}
	names, err := c.questionable(ctx, names)
	if err != nil {
		report(failure("members", err))
		return
	}
	if len(names) == 0 {
		return
	}
	n, byID := newNaming(slices.Values(names)), map[string]bool{}
	err = c.scim.AllUsers(ctx, func(u scim.User) {
		if in[u.ID] != nil {
			byID[strings.Clone(u.ID)] = true
		}
		n.account(u)
	})
	if err != nil {
		report(failure("members", err))
		return
	}
	named := 0
	unknown := ""
	isGroup := func(id string) bool {
		return slices.ContainsFunc(groups, func(g scim.Group) bool { return g.ID == id })
	}
	n.resolve(isGroup, func(name string, v verdict, _ string) {
		switch {
		case byID[name], v == unlisted:
		case v == resolved:
			named++
		case unknown == "":
			unknown = name
		}
	})
	if unknown != "" {
		r := rosterOf(*in[unknown])
		r.Members.Fail(notIdentified(unknown))
		report(failure("members", r.unproven()))
	} else if named > 0 {
		report(baton.Finding{Check: "members", Detail: "members are not listed by the ids of accounts, but each of them stands for one account"})
	}
}

// questionable returns the names that may not be ids of accounts.
func (c *connector) questionable(ctx context.Context, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	u, err := c.scim.GetUser(ctx, names[0])
	switch {
	case err != nil && !refersToNobody(err):
		return nil, err
	case err != nil || u.ID != names[0]:
		return names, nil
	}
	var form idForm
	form.add(u.ID)
	return slices.DeleteFunc(names, func(name string) bool { return form.like(name) }), nil
}

// judgeKinds reports members that are not accounts, or may not be.
func judgeKinds(nested, others, doubtful int, report func(baton.Finding)) {
	if nested > 0 {
		report(baton.Finding{Check: "nested groups", Level: baton.Warning, Detail: english.Number(nested) + " members are groups; they are left out",
			Fix: "Perplexity maps roles from direct members; put accounts into the role groups themselves."})
	}
	if others > 0 {
		report(baton.Finding{Check: "members", Detail: fmt.Sprintf("%d members are neither accounts nor groups; they are left out", others)})
	}
	if doubtful > 0 {
		report(baton.Finding{Check: "members", Detail: fmt.Sprintf("%d members are of a type that SCIM does not know; they count as accounts, but not as remaining admins", doubtful)})
	}
}

// judgeRoles reports which groups carry the roles, and the number of admins.
func (c *connector) judgeRoles(ctx context.Context, groups []scim.Group, report func(baton.Finding)) {
	r, err := c.rolesAmong(groups)
	if err != nil {
		report(failure("roles", err))
	}
	for _, n := range r.notes(groups) {
		report(baton.Finding{Check: "roles", Level: n.Level, Detail: strings.ToLower(n.Label) + ": " + n.Text, Fix: "Name the groups that Perplexity maps to the roles, by id."})
	}
	if err != nil || len(r.admin) == 0 {
		report(baton.Finding{Check: "admins", Level: baton.Warning, Detail: "the number is unknown, because it is unknown which group is the Admin group",
			Fix: "Set --admin-group to the name or id of the group that Perplexity maps to Admin."})
		return
	}
	p, err := c.snapshot(ctx, "")
	if err == nil {
		err = c.establishRoles(ctx, p, "")
	}
	if err != nil {
		report(failure("admins", err))
		return
	}
	for _, id := range sorted(p.rosters) {
		if one := p.rosters[id]; one.problem() != "" {
			report(failure("members", one.unproven()))
		}
	}
	if r.settled() {
		report(baton.Finding{Check: "roles", Detail: fmt.Sprintf("Admin is %s, Member is %s", p.names(r.admin[0]), orNone(p.names(r.member)))})
	}
	for _, ids := range r.admin {
		c.countAdmins(ctx, p, r, ids, report)
	}
}

// maxCounted limits the admins counted, because each takes a request.
const maxCounted = 100

// countAdmins reports the number of admins if these groups carry Admin.
func (c *connector) countAdmins(ctx context.Context, p *snapshot, r roles, ids []string, report func(baton.Finding)) {
	n, err := c.adminsBeside(ctx, p, "", ids, maxCounted)
	if err != nil {
		report(failure("admins", err))
		return
	}
	f := baton.Finding{Check: "admins", Detail: admins(n) + " can be counted on"}
	if n >= maxCounted {
		f.Detail = "at least " + f.Detail
	}
	if !r.settled() {
		f.Detail = fmt.Sprintf("if Admin is %s: %s", p.names(ids), f.Detail)
	}
	if least := c.cfg.minAdmins(); n < least {
		f.Level = baton.Warning
		f.Detail += fmt.Sprintf(", fewer than the %d that must remain", least)
		f.Fix = "Add an enabled account to the Admin group" + p.doubt() + "."
	}
	report(f)
}

func orNone(s string) string {
	if s == "" {
		return "not recognised"
	}
	return s
}

func failure(check string, err error) baton.Finding {
	return baton.Finding{Check: check, Level: baton.Failure, Detail: err.Error(), Fix: baton.FixOf(err)}
}
