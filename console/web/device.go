package web

import (
	"slices"

	"baton"
	"baton/console"
)

// devicePage is the page on which a person gives a program a credential.
type devicePage struct {
	Code    string
	Device  *console.Device // the program with the typed code; nil before it is typed
	Scopes  []scopeChoice
	Days    int
	Done    string // the result
	Problem *problem
}

func deviceShown(c *call) error {
	if err := c.console().CheckDevice(c.ctx(), c.caller); err != nil {
		return err
	}
	return c.page("device", "Connect a program", devicePage{})
}

func connectDevice(c *call) error {
	p := devicePage{Code: c.r.PostFormValue("code"), Days: int(console.DeviceClientLife.Hours() / 24)}
	fail := func(err error) error {
		if k := baton.KindOf(err); k != baton.Invalid && k != baton.Refused {
			return err
		}
		p.Problem = problemOf(err)
		return c.show(statusOf(err), "device", "Connect a program", p)
	}
	device, err := c.console().Device(c.ctx(), c.caller, p.Code)
	if err != nil {
		return fail(err)
	}
	p.Device = &device
	decision := c.r.PostFormValue("decision")
	chosen := c.r.PostForm["scope"]
	if decision == "" {
		chosen = []string{string(console.ScopeRead), string(console.ScopeAsk), string(console.ScopeDecide)}
	}
	for _, s := range scopeChoices {
		s.Chosen = slices.Contains(chosen, string(s.Scope))
		p.Scopes = append(p.Scopes, s)
	}
	var scopes []console.Scope
	for _, s := range chosen {
		scopes = append(scopes, console.Scope(s))
	}
	switch decision {
	case "":
		return c.page("device", "Connect a program", p)
	case "connect", "refuse":
		if err := c.console().DecideDevice(c.ctx(), c.caller, p.Code, decision == "connect", scopes); err != nil {
			return fail(err)
		}
		done := devicePage{Done: "The program gets nothing."}
		if decision == "connect" {
			done.Done = "The program is connected. Go back to it."
		}
		return c.page("device", "Connect a program", done)
	}
	return fail(baton.Errorf(baton.Invalid, "there is no decision %q", decision))
}
