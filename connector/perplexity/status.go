package perplexity

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"baton"
	"baton/connector/scim"
	"baton/internal/pause"
)

// actions returns the two actions that change an account's status. Other connectors use the same names,
// arguments and types.
func (c *connector) actions() []baton.Action {
	arguments := []baton.Field{{
		Name: "user_id", DisplayName: "User ID", Kind: baton.StringField, Required: true,
		Description: "The id of the account, as SCIM has it",
	}}
	returns := []baton.Field{
		{Name: "success", DisplayName: "Success", Kind: baton.BoolField, Description: "Whether the account now has the status"},
		{Name: "message", DisplayName: "Message", Kind: baton.StringField, Description: "What was done"},
		{Name: "user_id", DisplayName: "User ID", Kind: baton.StringField, Description: "The id of the account"},
	}
	return []baton.Action{
		{
			Name: "disable_user", DisplayName: "Disable user", Arguments: arguments, Returns: returns,
			Description: "Deactivate a Perplexity account. Its record remains, the person loses access.",
			Types:       []baton.ActionType{baton.ActionAccount, baton.ActionAccountDisable},
			Run:         c.disable,
		},
		{
			Name: "enable_user", DisplayName: "Enable user", Arguments: arguments, Returns: returns,
			Description: "Activate a Perplexity account. It gets back the groups that it is still in.",
			Types:       []baton.ActionType{baton.ActionAccount, baton.ActionAccountEnable},
			Run:         c.enable,
		},
	}
}

func (c *connector) disable(ctx context.Context, req baton.ActionRequest) (baton.Outcome, error) {
	unlock, err := c.lock(ctx, roleLock)
	if err != nil {
		return baton.Outcome{}, err
	}
	defer unlock()
	u, shown, err := c.named(ctx, req)
	id := u.ID
	if err != nil {
		return baton.Outcome{}, fmt.Errorf("disable %s: %w", idText(id), err)
	}
	if !shown {
		// Perplexity's directory may drop the accounts that it disables.
		was, err := c.wasShown(req, id)
		if err == nil && !was {
			err = gone("account", id)
		}
		if err != nil {
			return baton.Outcome{}, fmt.Errorf("disable %s: %w", idText(id), err)
		}
		return acted(id, baton.Outcome{
			Already: true,
			Done:    []string{fmt.Sprintf("SCIM showed the account %s before and has it no more: its list of accounts is complete without it.", id)},
		}), nil
	}
	c.met.Store(id, true)
	if u.Active != nil && !*u.Active {
		return acted(id, baton.Outcome{Already: true, Done: []string{fmt.Sprintf("%s is disabled already.", nameOf(u))}}), nil
	}
	p, err := c.snapshot(ctx, id)
	for _, ref := range u.Groups {
		if err == nil && !strings.EqualFold(ref.Type, "indirect") {
			err = p.lists(ref.Value)
		}
	}
	if err != nil {
		return baton.Outcome{}, fmt.Errorf("disable %s: find out who is Admin: %w", id, err)
	}
	ch := change{
		userID: id, doing: "disabling " + nameOf(u),
		takes: func(*snapshot, []string) bool { return true },
	}
	warnings, guarded, err := c.guard(ctx, p, &ch)
	if err != nil {
		return baton.Outcome{}, err
	}
	out, err := c.setActive(ctx, u, false, req.DryRun, warnings)
	if !guarded || req.DryRun {
		return out, err
	}
	if err := c.recheck(ctx, &ch, err, func(ctx context.Context) error { return c.scim.SetActive(ctx, id, true) }); err != nil {
		return baton.Outcome{}, err
	}
	return out, nil
}

func (c *connector) enable(ctx context.Context, req baton.ActionRequest) (baton.Outcome, error) {
	u, shown, err := c.named(ctx, req)
	id := u.ID
	if err == nil && !shown {
		err = gone("account", id).WithFix("If it was disabled, the directory has dropped it; create the account again. Otherwise check the id.")
	}
	if err != nil {
		return baton.Outcome{}, fmt.Errorf("enable %s: %w", idText(id), err)
	}
	c.met.Store(id, true)
	if u.Active != nil && *u.Active {
		return acted(id, baton.Outcome{Already: true, Done: []string{fmt.Sprintf("%s is enabled already.", nameOf(u))}}), nil
	}
	groups, err := c.groupsOf(ctx, u)
	if err != nil {
		return baton.Outcome{}, fmt.Errorf("enable %s: %w", idText(id), err)
	}
	var warnings []string
	if len(groups) > 0 {
		warnings = append(warnings, "The account is still in "+strings.Join(groups, ", ")+" and has the rights of these groups again.")
	}
	return c.setActive(ctx, u, true, req.DryRun, warnings)
}

// setActive writes the one attribute and reads it back.
func (c *connector) setActive(ctx context.Context, u scim.User, active, dryRun bool, warnings []string) (baton.Outcome, error) {
	verb, doing, did := "disable", "Would disable", "Disabled"
	if active {
		verb, doing, did = "enable", "Would enable", "Enabled"
	}
	if dryRun {
		return acted(u.ID, baton.Outcome{Done: []string{doing + " " + nameOf(u) + "."}, Warnings: warnings}), nil
	}
	wrote := c.scim.SetActive(ctx, u.ID, active)
	waits := rereads[:]
	if wrote != nil && !ambiguous(wrote) {
		waits = rereads[:1]
	}
	var now scim.User
	for _, wait := range waits {
		if err := pause.For(ctx, wait); err != nil {
			return baton.Outcome{}, fmt.Errorf("%s %s: %w", verb, u.ID, notVerified(err))
		}
		var shown bool
		var err error
		now, shown, err = c.scim.LookUpUser(ctx, u.ID)
		switch {
		case err != nil:
			return baton.Outcome{}, fmt.Errorf("%s %s: %w", verb, u.ID, cmp.Or(perhaps(wrote), notVerified(err)))
		case !shown && !active:
			return acted(u.ID, baton.Outcome{Done: []string{did + " " + nameOf(u) + "; the directory no longer shows the account."}, Warnings: warnings}), nil
		case !shown:
			return baton.Outcome{}, fmt.Errorf("enable %s: %w", u.ID, gone("account", u.ID))
		case now.Active != nil && *now.Active == active:
			res := accountOf(now)
			return acted(u.ID, baton.Outcome{Done: []string{did + " " + nameOf(now) + "."}, Warnings: warnings, Resource: &res}), nil
		}
	}
	if wrote != nil {
		return baton.Outcome{}, fmt.Errorf("%s %s: %w", verb, u.ID, perhaps(wrote))
	}
	if now.Active == nil {
		return baton.Outcome{}, baton.Errorf(baton.Incomplete, "%s %s: the server accepted it, but does not show whether an account is active", verb, u.ID).
			WithFix("Look at the account in Perplexity.")
	}
	return baton.Outcome{}, baton.Errorf(baton.Incomplete, "%s %s: the server accepted it, but the account is unchanged", verb, u.ID).
		WithFix("Look at the account in Perplexity; if the identity provider manages it, it may have undone the change.")
}

// groupsOf returns the names of the groups that the account is in.
func (c *connector) groupsOf(ctx context.Context, u scim.User) ([]string, error) {
	groups, err := c.scim.AllGroups(ctx, func(_ *scim.Group, m scim.Member) bool { return m.Value == u.ID || scim.SameUUID(m.Value, u.ID) })
	if err != nil {
		return nil, err
	}
	in := map[string]bool{}
	for _, ref := range u.Groups {
		in[ref.Value] = true
	}
	var names []string
	for _, g := range groups {
		if in[g.ID] || rosterOf(g).has(u.ID) {
			names = append(names, g.Label())
		}
	}
	return names, nil
}

// named returns the account in the request. If shown is false, the account is proved gone, and only the ID of
// u is set. Ids are opaque: named looks up the id as given, including blanks. Only if there never was an
// account with that id, and the id begins with the type of a resource's identity, named looks up the rest.
func (c *connector) named(ctx context.Context, req baton.ActionRequest) (u scim.User, shown bool, err error) {
	id, _ := req.Arguments["user_id"].(string)
	if strings.TrimSpace(id) == "" {
		return u, false, baton.Errorf(baton.Invalid, "user_id is missing").WithFix(`Give the account's id, as in {"user_id": "..."}.`)
	}
	u, shown, err = c.scim.LookUpUser(ctx, id)
	bare, prefixed := strings.CutPrefix(id, userType+":")
	if err != nil || shown || !prefixed || bare == "" {
		u.ID = id
		return u, shown, err
	}
	u.ID = id
	if was, err := c.wasShown(req, id); was || err != nil {
		return u, false, err
	}
	other, shown, err := c.scim.LookUpUser(ctx, bare)
	if err != nil {
		return u, false, err
	}
	if was, err := c.wasShown(req, bare); shown || was || err != nil {
		other.ID = bare
		return other, shown, err
	}
	return u, false, nil
}

// wasShown reports whether this process has read the account before, or a previous sync has
// it.
func (c *connector) wasShown(req baton.ActionRequest, id string) (bool, error) {
	if _, met := c.met.Load(id); met || req.Previously == nil {
		return met, nil
	}
	return req.Previously(userResource(id))
}

func acted(id string, out baton.Outcome) baton.Outcome {
	out.Values = map[string]any{"success": true, "message": strings.Join(out.Done, " "), "user_id": id}
	return out
}

func nameOf(u scim.User) string { return quoted(u.Label(), u.ID) }
