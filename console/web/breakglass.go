package web

import (
	"html/template"

	"baton/console/login"
)

// breakGlass displays the emergency login once.
type breakGlass struct {
	Name, Password, CodeSecret string
	CodeURI                    template.URL // html/template rejects unknown URL schemes in strings
}

func newBreakGlass(c *call) error {
	b, err := c.console().NewBreakGlass(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	return c.page("break-glass", "Break-glass login", breakGlass{b.Name, b.Password.Reveal(), b.CodeSecret.Reveal(), template.URL(login.CodeURI(issuer, b.Name, b.CodeSecret))})
}

func endBreakGlass(c *call) error {
	if err := c.console().EndBreakGlass(c.ctx(), c.caller); err != nil {
		return err
	}
	return c.redirect("/settings/sign-in")
}
