package web

import (
	"net/http"
	"strconv"

	"baton/console"
	"baton/console/govern"
)

// hookPage shows an incoming webhook with its last messages.
type hookPage struct {
	govern.HookView
	URL     string
	Made    *govern.MadeHook // the new secret
	Problem *problem
}

// Chip returns the state of the incoming webhook.
func (p hookPage) Chip() chip { return hookChip(p.Hook) }

func hookChip(h console.Hook) chip {
	switch {
	case !h.On:
		return chip{"plain", "Off"}
	case h.Refused.After(h.Received):
		return chip{"warn", "Refuses"}
	case h.Received.IsZero():
		return chip{"plain", "Nothing received yet"}
	}
	return chip{"good", "Receives"}
}

// HookChip returns the state of an incoming webhook.
func (webhooksPage) HookChip(h console.Hook) chip { return hookChip(h) }

// hookForm is the form of a new incoming webhook.
type hookForm struct {
	Name    string
	Problem *problem
}

func newHookPage(c *call) error {
	if err := c.console().Require(c.ctx(), c.caller, console.ManageWebhooks, console.Object{}); err != nil {
		return err
	}
	return c.page("hook-new", "Add an incoming webhook", hookForm{})
}

func addHook(c *call) error {
	f := hookForm{Name: c.r.PostFormValue("name")}
	made, err := c.console().AddHook(c.ctx(), c.caller, f.Name)
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "hook-new", "Add an incoming webhook", f)
	}
	return c.hookPage(made.ID, &made, nil)
}

func (c *call) hookPage(id console.ID, made *govern.MadeHook, problem error) error {
	v, err := c.console().Hook(c.ctx(), c.caller, id)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if problem != nil {
		status = statusOf(problem)
	}
	return c.show(status, "hook", v.Name, hookPage{v, c.base().JoinPath("hooks", string(id)).String(), made, problemOf(problem)})
}

func hookShown(c *call) error { return c.hookPage(console.ID(c.r.PathValue("hook")), nil, nil) }

func editHook(c *call) error {
	id := console.ID(c.r.PathValue("hook"))
	version, _ := strconv.ParseInt(c.r.PostFormValue("version"), 10, 64) // a wrong one is refused
	err := c.console().ChangeHook(c.ctx(), c.caller, id, max(version, 1), c.r.PostFormValue("name"), c.r.PostFormValue("on") == "true")
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		return c.hookPage(id, nil, err)
	}
	return c.redirect("/settings/hooks/" + string(id))
}

func rotateHook(c *call) error {
	id := console.ID(c.r.PathValue("hook"))
	made, err := c.console().RotateHook(c.ctx(), c.caller, id)
	if err != nil {
		return err
	}
	return c.hookPage(id, &made, nil)
}

func removeHook(c *call) error {
	if err := c.console().RemoveHook(c.ctx(), c.caller, console.ID(c.r.PathValue("hook"))); err != nil {
		return err
	}
	return c.redirect("/settings/webhooks")
}
