package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// foundNeeds limits the courses that a search shows.
const foundNeeds = 20

type requirementDetail struct {
	Head appHead
	Tabs subTabs
	govern.RequirementView
	Path, NextPage, Search          string
	Lines, Months, Mode, Grace, Cap string
	Any                             bool
	Why                             string
	Found                           []govern.NeedView
	Problem                         *problem
	Notice                          string
}

func requirementPage(c *call) error { return c.showRequirement(http.StatusOK, nil) }

// showRequirement shows the requirement of an entitlement, with the error of a form if there is one.
func (c *call) showRequirement(status int, wrong error) error {
	h, err := c.appHead("entitlements")
	if err != nil {
		return err
	}
	key, err := c.key("entitlement")
	if err != nil {
		return err
	}
	var after console.ResourceKey
	if err := c.place(&after); err != nil {
		return err
	}
	e := console.EntitlementKey(key)
	v, err := c.console().Requirement(c.ctx(), c.caller, h.App.ID, e, after, rowsPerPage)
	if err != nil {
		return err
	}
	p := requirementDetail{Head: h, Tabs: entitlementTabs(h, e, "requirement"), RequirementView: v, Path: requirementPath(h.App.ID, e), Problem: problemOf(wrong),
		Search: strings.TrimSpace(c.r.FormValue("search")), Any: v.Current.Any, Mode: string(v.Current.Mode)}
	if c.r.FormValue("proposed") != "" {
		p.Notice = "The exemption waits for a second person."
	}
	if v.Next != 0 {
		p.NextPage = c.nextPath(cursor(v.Next))
	}
	var lines []string
	for _, n := range v.Needs {
		lines = append(lines, n.AppName+"/"+n.EntitlementID)
	}
	if add := strings.TrimSpace(c.r.FormValue("add")); add != "" {
		lines = append(lines, add)
	}
	p.Lines = text(strings.Join(lines, "\n"))
	if v.Current.Months > 0 {
		p.Months = strconv.Itoa(v.Current.Months)
	}
	if v.Current.Grace > 0 {
		p.Grace = v.Current.Grace.String()
	}
	if v.Current.Cap > 0 {
		p.Cap = strconv.Itoa(v.Current.Cap)
	}
	if wrong != nil && c.r.PostForm.Has("needs") {
		p.Lines, p.Months, p.Mode, p.Grace, p.Cap, p.Why = c.r.PostFormValue("needs"), c.r.PostFormValue("months"), c.r.PostFormValue("mode"), c.r.PostFormValue("grace"), c.r.PostFormValue("cap"), c.r.PostFormValue("why")
		p.Any = c.r.PostFormValue("match") == "any"
	}
	if p.Search != "" && v.MayChange {
		if p.Found, err = c.console().FindNeeds(c.ctx(), c.caller, h.App.ID, p.Search, foundNeeds); err != nil {
			return err
		}
	}
	return c.show(status, "requirement", "What "+text(v.Name)+" requires", p)
}

func requirementPath(app console.ID, e console.EntitlementKey) string {
	return "/applications/" + string(app) + "/entitlements/" + strconv.FormatInt(int64(e), 10) + "/requirement"
}

// newRequirement decodes the form of a requirement.
func (c *call) newRequirement() (n govern.NewRequirement, err error) {
	key, err := c.key("entitlement")
	if err != nil {
		return n, err
	}
	n = govern.NewRequirement{App: c.app(), Entitlement: console.EntitlementKey(key), Needs: strings.Split(c.r.PostFormValue("needs"), "\n"), Why: c.r.PostFormValue("why")}
	n.Any, n.Mode = c.r.PostFormValue("match") == "any", console.RequirementMode(c.r.PostFormValue("mode"))
	for _, f := range []struct {
		name, label string
		into        *int
	}{{"version", "version of the form", &n.Version}, {"months", "number of months", &n.Months}, {"cap", "limit", &n.Cap}} {
		text := strings.TrimSpace(c.r.PostFormValue(f.name))
		if text == "" && f.name != "version" {
			continue
		}
		if *f.into, err = strconv.Atoi(text); err != nil || *f.into < 0 {
			return n, baton.Errorf(baton.Invalid, "%q is no %s", text, f.label).WithFix("Write a whole number.")
		}
	}
	n.Grace, err = console.ParseDuration(c.r.PostFormValue("grace"))
	return n, err
}

func setRequirement(c *call) error {
	if err := c.console().MayConfigureApp(c.ctx(), c.caller, c.app()); err != nil {
		return err
	}
	n, err := c.newRequirement()
	var saved govern.Saved
	if err == nil {
		saved, err = c.console().SetRequirement(c.ctx(), c.caller, n)
	}
	if err == nil && saved.Waits {
		return c.redirect("/policies?waits=1")
	}
	return c.requirementDone(err, "")
}

// requirementDone answers a form on the page of a requirement.
func (c *call) requirementDone(err error, query string) error {
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused) {
		return c.showRequirement(statusOf(err), err)
	}
	if err != nil {
		return err
	}
	key, err := c.key("entitlement")
	if err != nil {
		return err
	}
	return c.redirect(requirementPath(c.app(), console.EntitlementKey(key)) + query)
}

func proposeExemption(c *call) error {
	if err := c.console().MayConfigureApp(c.ctx(), c.caller, c.app()); err != nil {
		return err
	}
	key, err := c.key("entitlement")
	if err != nil {
		return err
	}
	x := console.Exemption{App: c.app(), Entitlement: console.EntitlementKey(key), Why: c.r.PostFormValue("why")}
	if x.Until, err = readClock("Until", c.r.PostFormValue("until")); err == nil {
		err = c.console().ProposeExemption(c.ctx(), c.caller, x, c.r.PostFormValue("email"))
	}
	return c.requirementDone(err, "?proposed=1")
}

func endExemption(c *call) error {
	return c.requirementDone(c.console().EndExemption(c.ctx(), c.caller, c.app(), console.ID(c.r.PathValue("exemption"))), "")
}

func confirmRequirement(c *call) error {
	key, err := c.key("entitlement")
	if err != nil {
		return err
	}
	return c.requirementDone(c.console().ConfirmRequirement(c.ctx(), c.caller, c.app(), console.EntitlementKey(key), c.r.PostFormValue("plan")), "")
}

func requirementsPage(c *call) error {
	all, err := c.console().Requirements(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	return c.page("requirements", "Requirements", all)
}

// requirementChip returns the state of a need, a requirement or a holder.
func requirementChip(s console.RequirementState) chip {
	switch s {
	case console.RequirementMet:
		return chip{"good", "Met"}
	case console.RequirementExempt:
		return chip{"accent", "Exempt"}
	case console.RequirementMissing:
		return chip{"warn", "Needs a course"}
	case console.RequirementLapsed:
		return chip{"warn", "Lapsed"}
	}
	return chip{"plain", "Not known"}
}

// webLink returns a link of an upstream if it leads to the web; "" for anything else.
func webLink(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return u.String()
}
