package web

import (
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// unmanagedChoice is an unmanaged app in a list.
type unmanagedChoice struct{ govern.UnmanagedApp }

// The prefixes of [unmanagedChoice.Value].
const (
	addedApp      = "app-"
	discoveredApp = "resource-"
)

// Value identifies the app in forms and addresses.
func (u unmanagedChoice) Value() string {
	if u.App != nil {
		return addedApp + string(u.App.ID)
	}
	return discoveredApp + strconv.FormatInt(int64(u.Discovered.Key), 10)
}

// unmanagedOf decodes a [unmanagedChoice.Value].
func unmanagedOf(value string) (app console.ID, discovered console.ResourceKey, err error) {
	if id, ok := strings.CutPrefix(value, addedApp); ok && id != "" {
		return console.ID(id), 0, nil
	}
	if key, ok := strings.CutPrefix(value, discoveredApp); ok {
		if n, err := strconv.ParseInt(key, 10, 64); err == nil && n > 0 {
			return "", console.ResourceKey(n), nil
		}
	}
	return "", 0, baton.Errorf(baton.Invalid, "choose an unmanaged app")
}

type unmanagedList struct {
	Apps    []unmanagedChoice
	Next    string
	MayAdd  bool // the caller may add an app
	MayLink bool // the caller may add a connector
}

func unmanagedPage(c *call) error {
	var after govern.UnmanagedAfter
	if err := c.place(&after); err != nil {
		return err
	}
	apps, next, err := c.console().UnmanagedApps(c.ctx(), c.caller, after, rowsPerPage)
	if err != nil {
		return err
	}
	l := unmanagedList{MayAdd: console.AddApps.Of(c.caller.Person, console.Object{}), MayLink: console.AddConnectors.Of(c.caller.Person, console.Object{})}
	for _, a := range apps {
		l.Apps = append(l.Apps, unmanagedChoice{a})
	}
	if next != nil {
		l.Next = cursor(*next)
	}
	return c.page("apps-unmanaged", "Unmanaged apps", l)
}

type newApp struct {
	Name    string
	Problem *problem
}

func newAppPage(c *call) error {
	if err := console.AddApps.Check(c.caller.Person, console.Object{}); err != nil {
		return err
	}
	return c.page("app-new", "Add an application", newApp{})
}

func addApp(c *call) error {
	f := newApp{Name: c.r.PostFormValue("name")}
	id, err := c.console().AddApp(c.ctx(), c.caller, f.Name)
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.AlreadyExists) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "app-new", "Add an application", f)
	}
	if err != nil {
		return err
	}
	return c.redirect("/applications/" + string(id))
}
