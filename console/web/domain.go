package web

import (
	"strings"

	"baton"
)

type domainsForm struct {
	Text      string // one domain per line
	MayChange bool
	Saved     bool
	Problem   *problem
}

func domainsPage(c *call) error {
	all, may, err := c.console().CompanyDomains(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	return c.page("domains", "Company domains", domainsForm{Text: strings.Join(all, "\n"), MayChange: may, Saved: c.r.FormValue("saved") != ""})
}

func setDomains(c *call) error {
	text := c.r.PostFormValue("domains")
	err := c.console().SetCompanyDomains(c.ctx(), c.caller, strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' }))
	if baton.KindOf(err) == baton.Invalid && err != nil {
		return c.show(statusOf(err), "domains", "Company domains", domainsForm{Text: text, MayChange: true, Problem: problemOf(err)})
	}
	if err != nil {
		return err
	}
	return c.redirect("/settings/domains?saved=1")
}
