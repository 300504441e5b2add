package web

import (
	"net/http"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// scimSources lists the identity providers that push people, with a form for a new one.
type scimSources struct {
	Sources []govern.SCIMSourceView
	MayAdd  bool
	Name    string
	Problem *problem
}

// Chip returns the state of an identity provider.
func (scimSources) Chip(v govern.SCIMSourceView) chip { return scimChip(v) }

func scimChip(v govern.SCIMSourceView) chip {
	switch {
	case len(v.Working()) == 0:
		return chip{"plain", "No token"}
	case v.LastUsed.IsZero():
		return chip{"plain", "Nothing received yet"}
	case !v.ErrorAt.IsZero() && !v.ErrorAt.Before(v.LastUsed):
		return chip{"warn", "Last request failed"}
	}
	return chip{"good", "Pushes"}
}

// scimSourcePage shows an identity provider.
type scimSourcePage struct {
	govern.SCIMSourceView
	URL    string
	Token  baton.Secret // a new one
	Rows   []govern.SCIMGroupView
	Next   string
	People bool // the viewer may see members
}

// Chip returns the state of the identity provider.
func (p scimSourcePage) Chip() chip { return scimChip(p.SCIMSourceView) }

// scimGroupPage shows a group and its members.
type scimGroupPage struct {
	Source  govern.SCIMSourceView
	Group   govern.SCIMGroupView
	Members []store.SCIMMember
	Roles   []roleChoice
	Next    string
	Problem *problem
}

func (c *call) scimSources(name string, problem error) error {
	all, err := c.console().SCIMSources(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if problem != nil {
		status = statusOf(problem)
	}
	return c.show(status, "scim-sources", "People by SCIM", scimSources{all, console.ManageSCIM.Of(c.caller.Person, console.Object{}), name, problemOf(problem)})
}

func scimSourcesPage(c *call) error { return c.scimSources("", nil) }

func addSCIMSource(c *call) error {
	name := c.r.PostFormValue("name")
	id, token, err := c.console().AddSCIMSource(c.ctx(), c.caller, name)
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		return c.scimSources(name, err)
	}
	return c.scimSource(id, token)
}

func (c *call) scimSource(id console.ID, token baton.Secret) error {
	var after console.ID
	if c.r.Method == http.MethodGet {
		if err := c.place(&after); err != nil {
			return err
		}
	}
	v, err := c.console().SCIMSource(c.ctx(), c.caller, id)
	if err != nil {
		return err
	}
	p := scimSourcePage{SCIMSourceView: v, URL: c.base().JoinPath("scim", "v2").String(), Token: token, People: console.SeePeople.Of(c.caller.Person, console.Object{})}
	rows, more, err := c.console().SCIMGroups(c.ctx(), c.caller, id, after, rowsPerPage)
	if err != nil {
		return err
	}
	p.Rows = rows
	if more {
		p.Next = "/settings/scim/" + string(id) + "?after=" + cursor(rows[len(rows)-1].ID)
	}
	return c.page("scim-source", v.Name, p)
}

func (c *call) scimID() console.ID { return console.ID(c.r.PathValue("source")) }

func scimSourceShown(c *call) error { return c.scimSource(c.scimID(), baton.Secret{}) }

func rotateSCIMToken(c *call) error {
	token, err := c.console().AddSCIMToken(c.ctx(), c.caller, c.scimID())
	if err != nil {
		return err
	}
	return c.scimSource(c.scimID(), token)
}

func revokeSCIMToken(c *call) error {
	if err := c.console().RevokeSCIMToken(c.ctx(), c.caller, c.scimID(), console.ID(c.r.PathValue("token"))); err != nil {
		return err
	}
	return c.redirect("/settings/scim/" + string(c.scimID()))
}

func removeSCIMSource(c *call) error {
	if err := c.console().RemoveSCIMSource(c.ctx(), c.caller, c.scimID()); err != nil {
		return err
	}
	return c.redirect("/settings/scim")
}

func (c *call) scimGroup(problem error) error {
	var after console.ResourceKey
	if c.r.Method == http.MethodGet {
		if err := c.place(&after); err != nil {
			return err
		}
	}
	source, err := c.console().SCIMSource(c.ctx(), c.caller, c.scimID())
	if err != nil {
		return err
	}
	g, members, more, err := c.console().SCIMMembers(c.ctx(), c.caller, source.ID, console.ID(c.r.PathValue("group")), after, rowsPerPage)
	if err != nil {
		return err
	}
	p := scimGroupPage{Source: source, Group: g, Members: members, Problem: problemOf(problem)}
	for _, r := range console.ConsoleRoles() {
		p.Roles = append(p.Roles, roleChoice{Role: r, Has: r == g.Role})
	}
	if more {
		p.Next = c.r.URL.Path + "?after=" + cursor(members[len(members)-1].Key)
	}
	status := http.StatusOK
	if problem != nil {
		status = statusOf(problem)
	}
	return c.show(status, "scim-group", g.Name, p)
}

func scimGroupShown(c *call) error { return c.scimGroup(nil) }

func setSCIMGroupRole(c *call) error {
	group := console.ID(c.r.PathValue("group"))
	err := c.console().SetSCIMGroupRole(c.ctx(), c.caller, c.scimID(), group, console.ConsoleRole(c.r.PostFormValue("role")))
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		return c.scimGroup(err)
	}
	return c.redirect("/settings/scim/" + string(c.scimID()) + "/groups/" + string(group))
}
