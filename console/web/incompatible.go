package web

import (
	"net/http"
	"strconv"

	"baton"
	"baton/console"
	"baton/console/govern"
)

type incompatiblePage struct {
	All     []govern.IncompatibleView
	MayAdd  bool
	Sides   [2]incompatibleSide
	Why     string
	Problem *problem
}

// incompatibleSide is one of the two entitlements of the form: first its application is chosen, then the
// entitlement of it.
type incompatibleSide struct {
	Name, Label  string
	Apps         []choice
	Entitlements []choice
}

func incompatibleEntitlements(c *call) error { return c.showIncompatible(nil) }

// showIncompatible lists the entitlements that nobody should hold together, with the error of a form if
// there is one.
func (c *call) showIncompatible(wrong error) error {
	all, err := c.console().IncompatibleEntitlements(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	p := incompatiblePage{All: all, MayAdd: console.DeclareIncompatible.Of(c.caller.Person, console.Object{}), Why: c.r.FormValue("why"), Problem: problemOf(wrong)}
	if p.MayAdd {
		for i, label := range []string{"One entitlement", "The other entitlement"} {
			if p.Sides[i], err = c.incompatibleSide("side"+strconv.Itoa(i+1), label); err != nil {
				return err
			}
		}
	}
	status := http.StatusOK
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "incompatible", "Incompatible entitlements", p)
}

func (c *call) incompatibleSide(name, label string) (s incompatibleSide, err error) {
	s = incompatibleSide{Name: name, Label: label}
	app := console.ID(c.r.FormValue(name + ".app"))
	var of []console.ID
	if app != "" {
		of = append(of, app)
	}
	choices, err := c.console().ScopeChoices(c.ctx(), c.caller, of)
	if err != nil {
		return s, err
	}
	s.Apps = []choice{{"", "Choose an application", app == ""}}
	for _, a := range choices.Apps {
		s.Apps = append(s.Apps, choice{string(a.ID), a.Name, a.ID == app})
	}
	for _, e := range choices.Entitlements {
		key := strconv.FormatInt(int64(e.Key), 10)
		s.Entitlements = append(s.Entitlements, choice{key, e.Name, key == c.r.FormValue(name+".entitlement")})
	}
	return s, nil
}

func declareIncompatible(c *call) error {
	if err := console.DeclareIncompatible.Check(c.caller.Person, console.Object{}); err != nil {
		return err
	}
	n := govern.NewIncompatible{App: console.ID(c.r.PostFormValue("side1.app")), OtherApp: console.ID(c.r.PostFormValue("side2.app")), Why: c.r.PostFormValue("why")}
	if c.r.PostFormValue("do") == "choose" {
		return c.showIncompatible(nil)
	}
	for i, into := range []*console.EntitlementKey{&n.Entitlement, &n.OtherEntitlement} {
		key, err := strconv.ParseInt(c.r.PostFormValue("side"+strconv.Itoa(i+1)+".entitlement"), 10, 64)
		if err != nil {
			return c.showIncompatible(baton.Errorf(baton.Invalid, "two entitlements are needed").WithFix("Choose both applications, then both entitlements."))
		}
		*into = console.EntitlementKey(key)
	}
	return c.onIncompatible(func() error {
		_, err := c.console().DeclareIncompatible(c.ctx(), c.caller, n)
		return err
	}())
}

func (c *call) onIncompatible(err error) error {
	if shown(err) {
		return c.showIncompatible(err)
	}
	if err != nil {
		return err
	}
	return c.redirect("/incompatible")
}

func endIncompatible(c *call) error {
	return c.onIncompatible(c.console().EndIncompatible(c.ctx(), c.caller, console.ID(c.r.PathValue("incompatible")), c.r.PostFormValue("why")))
}
