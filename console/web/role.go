package web

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
)

type appSettingsPage struct {
	Head  appHead
	Waits bool // a change waits for a second person
	govern.RolesView
	// Proposes means that the proposal differs from the current roles.
	Proposes bool
}

// ProposedMinimum returns the proposed minimum of administrators.
func (appSettingsPage) ProposedMinimum() int { return console.ProposedMinimumAdmins }

func appSettings(c *call) error {
	h, err := c.appHead("settings")
	if err != nil {
		return err
	}
	v, err := c.console().AppRoles(c.ctx(), c.caller, h.App.ID)
	if err != nil {
		return err
	}
	return c.page("app-settings", "Settings of "+h.App.Name, appSettingsPage{h, c.r.URL.Query().Get("waits") != "", v, proposes(v)})
}

// proposes reports whether a proposal differs from the current roles.
func proposes(v govern.RolesView) bool {
	gives := func(roles []console.AppRole) (admin, other []console.EntitlementKey) {
		for _, r := range roles {
			if r.Admin {
				admin = append(admin, r.Entitlements...)
			} else {
				other = append(other, r.Entitlements...)
			}
		}
		slices.Sort(admin)
		slices.Sort(other)
		return admin, other
	}
	if len(v.Proposed) == 0 {
		return false
	}
	admin, other := gives(v.App.Roles.Roles)
	proposedAdmin, proposedOther := gives(v.Proposal.Map.Roles)
	return !slices.Equal(admin, proposedAdmin) || !slices.Equal(other, proposedOther) || v.Proposal.ByConnector && v.App.Roles.Priority != v.Proposal.Map.Priority
}

type rolesForm struct {
	Head         appHead
	Rows         []roleRow
	Priority     console.Priority
	Minimum      string
	Entitlements []roleChoiceRow
	Search       string
	Proposed     bool // the form starts with the proposal
	Version      string
	View         govern.RolesView
	Why          string
	Problem      *problem
}

// roleRow is a role in the form. Rank orders the roles; 1 is the most powerful.
type roleRow struct {
	Index int
	Rank  string
	Name  string
	Admin bool
	Kind  console.AccountKind
}

// Label returns the name of the role in lists.
func (r roleRow) Label() string {
	if r.Name == "" {
		return "role " + strconv.Itoa(r.Index+1)
	}
	return r.Name
}

// roleChoiceRow is an entitlement in the form, with the index of its role; -1 for none.
type roleChoiceRow struct {
	govern.RoleEntitlement
	Role int
}

// AccountKinds returns the kinds of accounts that can be selected for a role.
func (rolesForm) AccountKinds() []console.AccountKind {
	return []console.AccountKind{console.AccountUnspecified, console.AccountHuman, console.AccountService, console.AccountSystem}
}

// ProposedMinimum returns the proposed minimum of administrators.
func (rolesForm) ProposedMinimum() int { return console.ProposedMinimumAdmins }

// rolesForm returns the form with the current or the proposed roles.
func (c *call) rolesForm() (f rolesForm, err error) {
	if f.Head, err = c.appHead("settings"); err != nil {
		return f, err
	}
	f.Search = c.r.FormValue("search")
	found, err := c.console().FindEntitlements(c.ctx(), c.caller, f.Head.App.ID, f.Search, rowsPerPage)
	if err != nil {
		return f, err
	}
	if f.View, err = c.console().AppRoles(c.ctx(), c.caller, f.Head.App.ID); err != nil {
		return f, err
	}
	roles, priority, minimum := f.View.Roles, f.View.App.Roles.Priority, f.View.App.MinimumAdmins
	if f.Proposed = c.r.FormValue("propose") == "true" && len(f.View.Proposed) > 0; f.Proposed {
		roles, priority = f.View.Proposed, f.View.Proposal.Map.Priority
		minimum = max(minimum, console.ProposedMinimumAdmins)
	}
	f.Priority, f.Minimum, f.Version = priority, strconv.Itoa(minimum), strconv.FormatInt(f.View.App.Version, 10)
	for i, r := range roles {
		f.Rows = append(f.Rows, roleRow{i, strconv.Itoa(i + 1), r.Name, r.Admin, r.Kind})
		for _, e := range r.Gives {
			f.Entitlements = append(f.Entitlements, roleChoiceRow{e, i})
		}
	}
	f.addBlankRow()
	f.offer(found)
	return f, nil
}

func (f *rolesForm) addBlankRow() {
	f.Rows = append(f.Rows, roleRow{Index: len(f.Rows), Rank: strconv.Itoa(len(f.Rows) + 1)})
}

// offer adds entitlements that are not in the form yet.
func (f *rolesForm) offer(found []govern.RoleEntitlement) {
	for _, e := range found {
		if !slices.ContainsFunc(f.Entitlements, func(r roleChoiceRow) bool { return r.Key == e.Key }) {
			f.Entitlements = append(f.Entitlements, roleChoiceRow{e, -1})
		}
	}
}

func editAppRoles(c *call) error {
	f, err := c.rolesForm()
	if err != nil {
		return err
	}
	return c.page("app-roles", "Roles of "+f.Head.App.Name, f)
}

// entitlementField is the prefix of the fields with the role of an entitlement.
const entitlementField = "entitlement."

// read decodes the form.
func (f *rolesForm) read(c *call) (n govern.NewRoles, err error) {
	form := c.r.PostForm
	f.Priority, f.Minimum = console.Priority(form.Get("priority")), strings.TrimSpace(form.Get("minimum"))
	n.Map.Priority = f.Priority
	if n.MinimumAdmins, err = strconv.Atoi(f.Minimum); err != nil {
		err = baton.Errorf(baton.Invalid, "the minimum of admins is not a number")
	}
	n.Version, _ = strconv.ParseInt(form.Get("version"), 10, 64)
	names := form["name"]
	if len(names) > 100 {
		return n, baton.Errorf(baton.Invalid, "the form has too many roles")
	}
	f.Rows = nil
	for i, name := range names {
		suffix := "." + strconv.Itoa(i)
		kind, _ := strconv.Atoi(form.Get("kind" + suffix))
		f.Rows = append(f.Rows, roleRow{i, form.Get("rank" + suffix), strings.TrimSpace(name), form.Get("admin"+suffix) == "true", console.AccountKind(kind)})
	}
	gives := make([][]console.EntitlementKey, len(f.Rows))
	for field, values := range form {
		text, ok := strings.CutPrefix(field, entitlementField)
		if !ok {
			continue
		}
		key, keyErr := strconv.ParseInt(text, 10, 64)
		role, roleErr := strconv.Atoi(values[0])
		if keyErr != nil || key <= 0 || roleErr != nil || role >= len(f.Rows) {
			return n, baton.Errorf(baton.Invalid, "the form is damaged")
		}
		if role >= 0 {
			gives[role] = append(gives[role], console.EntitlementKey(key))
		}
		for i := range f.Entitlements {
			if f.Entitlements[i].Key == console.EntitlementKey(key) {
				f.Entitlements[i].Role = role
			}
		}
	}
	order := slices.Clone(f.Rows)
	for _, r := range order {
		if rank, rankErr := strconv.Atoi(r.Rank); r.Name != "" && (rankErr != nil || rank < 1) && err == nil {
			err = baton.Errorf(baton.Invalid, "the rank of role %q is not a number from 1", r.Name)
		}
	}
	slices.SortStableFunc(order, func(a, b roleRow) int {
		x, _ := strconv.Atoi(a.Rank)
		y, _ := strconv.Atoi(b.Rank)
		return cmp.Compare(x, y)
	})
	for _, r := range order {
		if r.Name == "" && len(gives[r.Index]) == 0 {
			continue // the empty row for a new role
		}
		slices.Sort(gives[r.Index])
		n.Map.Roles = append(n.Map.Roles, console.AppRole{Name: r.Name, Admin: r.Admin, Kind: r.Kind, Entitlements: gives[r.Index]})
	}
	return n, err
}

func setAppRoles(c *call) error {
	f, err := c.rolesForm()
	if err != nil {
		return err
	}
	n, err := f.read(c)
	if err == nil {
		n.Why, f.Why = c.r.PostFormValue("why"), c.r.PostFormValue("why")
		err = c.console().SetAppRoles(c.ctx(), c.caller, f.Head.App.ID, n)
	}
	if errors.Is(err, govern.ErrWaits) {
		return c.redirect("/applications/" + string(f.Head.App.ID) + "/settings?waits=1")
	}
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused || k == baton.NotFound) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "app-roles", "Roles of "+f.Head.App.Name, f)
	}
	if err != nil {
		return err
	}
	return c.redirect("/applications/" + string(f.Head.App.ID) + "/settings")
}
