package web

import (
	"fmt"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/rpc"
)

type actionsList struct {
	Head connectorHead
	govern.ActionsView
}

// Who returns the name of the person who ran an action.
func (l actionsList) Who(a console.Actor) string {
	if name := l.People[a.Person()]; name != "" {
		return name
	}
	return "somebody"
}

func actionsPage(c *call) error {
	h, err := c.connectorHead("actions")
	if err != nil {
		return err
	}
	v, err := c.console().Actions(c.ctx(), c.caller, c.connector())
	if err != nil {
		return err
	}
	return c.page("actions", "Actions of "+h.Connector.Name, actionsList{h, v})
}

func askActions(c *call) error {
	if err := c.console().AskActions(c.ctx(), c.caller, c.connector()); err != nil {
		return err
	}
	return c.redirect("/connectors/" + string(c.connector()) + "/actions")
}

type actionForm struct {
	Head    connectorHead
	Action  rpc.Action
	Values  map[string]string
	Why     string
	Problem *problem
}

func (f actionForm) Value(name string) string { return f.Values[name] }

func (c *call) actionForm() (f actionForm, err error) {
	v, err := c.console().Actions(c.ctx(), c.caller, c.connector())
	if err != nil {
		return f, err
	}
	if !v.May {
		return f, console.RunActions.Check(c.caller.Person, console.Object{App: &v.App, Connector: &v.Connector})
	}
	action, ok := v.Action(c.r.PathValue("action"), c.r.FormValue("type"))
	if !ok {
		return f, baton.Errorf(baton.NotFound, "no action")
	}
	f = actionForm{Action: action, Values: map[string]string{}, Why: c.r.PostFormValue("why")}
	for _, a := range action.Arguments {
		f.Values[a.Name] = c.r.FormValue("argument." + a.Name)
	}
	f.Head, err = c.connectorHead("actions")
	return f, err
}

func actionPage(c *call) error {
	f, err := c.actionForm()
	if err != nil {
		return err
	}
	return c.page("action", "Perform connector action", f)
}

func runAction(c *call) error {
	f, err := c.actionForm()
	if err != nil {
		return err
	}
	asked, err := c.console().RunAction(c.ctx(), c.caller, c.connector(), f.Action.Name, f.Action.ResourceType, f.Values, f.Why)
	switch kind := baton.KindOf(err); {
	case err != nil && (kind == baton.Invalid || kind == baton.Refused || kind == baton.Unsupported):
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "action", "Perform connector action", f)
	case err != nil:
		return err
	case asked.Operation == "" && asked.Request != "":
		return c.redirect("/requests/" + string(asked.Request))
	case asked.Operation != "":
		return c.redirect(fmt.Sprintf("/applications/%s/operations/%s", asked.App, asked.Operation))
	}
	return c.redirect("/connectors/" + string(c.connector()) + "/actions")
}
