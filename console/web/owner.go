package web

import (
	"errors"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// ownerList displays owners, with the forms to change them if the caller may.
type ownerList struct {
	Owners []console.Person
	Action string // address of the forms
	What   string // "application" or "connector"
	May    bool
	Second bool // a second person confirms a new owner
	Waits  bool // a change waits for one
}

// ownerChange decodes the form.
func (c *call) ownerChange() govern.OwnerChange {
	return govern.OwnerChange{Add: c.r.PostFormValue("add"), Remove: console.ID(c.r.PostFormValue("remove")), Alone: c.r.PostFormValue("alone") == "true", Why: c.r.PostFormValue("why")}
}

// wrongForm reports whether an error is shown beside its form.
func wrongForm(err error) bool {
	k := baton.KindOf(err)
	return err != nil && (k == baton.Invalid || k == baton.AlreadyExists || k == baton.Refused)
}

func changeAppOwners(c *call) error {
	err := c.console().ChangeAppOwners(c.ctx(), c.caller, c.app(), c.ownerChange())
	if errors.Is(err, govern.ErrOwnersWait) {
		return c.redirect("/applications/" + string(c.app()) + "?waits=1")
	}
	if wrongForm(err) {
		return c.appOverview(err)
	}
	if err != nil {
		return err
	}
	// A person who gave up ownership may no longer see the page.
	if _, err := c.console().App(c.ctx(), c.caller, c.app()); baton.KindOf(err) == baton.NotFound {
		return c.redirect("/applications")
	}
	return c.redirect("/applications/" + string(c.app()))
}

func changeConnectorOwners(c *call) error {
	err := c.console().ChangeConnectorOwners(c.ctx(), c.caller, c.connector(), c.ownerChange())
	if wrongForm(err) {
		p, failed := c.settings()
		if failed != nil {
			return failed
		}
		p.Problem = problemOf(err)
		return c.show(statusOf(err), "connector-settings", p.Head.Connector.Name, p)
	}
	if err != nil {
		return err
	}
	if _, err := c.console().Connector(c.ctx(), c.caller, c.connector()); baton.KindOf(err) == baton.NotFound {
		return c.redirect("/connectors")
	}
	return c.redirect("/connectors/" + string(c.connector()) + "/settings")
}

// Owning returns the owners of the connector.
func (p settingsPage) Owning() ownerList {
	return ownerList{Owners: p.Head.Owners, Action: "/connectors/" + string(p.Head.Connector.ID) + "/owners", What: "connector", May: p.Head.MayConfigure}
}
