package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
)

type provisioningPage struct {
	Head appHead
	govern.ProvisioningView
	Entered console.Provisioning // what the form shows
	Email   string               // for whom it is tested
	Tests   []govern.AccountTest
	Problem *problem
}

// Expression returns what the form shows for a field.
func (p provisioningPage) Expression(field string) string { return p.Entered.Fields[field] }

func (c *call) provisioning() (p provisioningPage, err error) {
	if p.Head, err = c.appHead("provisioning"); err != nil {
		return p, err
	}
	p.ProvisioningView, err = c.console().Provisioning(c.ctx(), c.caller, p.Head.App.ID)
	p.Entered = p.Current
	if emails := c.caller.Person.Emails; len(emails) > 0 {
		p.Email = emails[0]
	}
	return p, err
}

func provisioningShown(c *call) error {
	p, err := c.provisioning()
	if err != nil {
		return err
	}
	return c.page("provisioning", "Provisioning of "+p.Head.App.Name, p)
}

// setProvisioning saves how accounts are made, or tests it.
func setProvisioning(c *call) error {
	p, err := c.provisioning()
	if err != nil {
		return err
	}
	version, err := strconv.ParseInt(c.r.PostFormValue("version"), 10, 64)
	if err != nil {
		version = -1 // refused after the rights were looked at
	}
	p.Entered = console.Provisioning{Fields: map[string]string{}, NoWelcome: c.r.PostFormValue("welcome") == "", Welcome: c.r.PostFormValue("text"), MasteredIn: c.r.PostFormValue("mastered"), Version: version}
	for name, values := range c.r.PostForm {
		if field, ok := strings.CutPrefix(name, "field."); ok {
			p.Entered.Fields[field] = values[0]
		}
	}
	if c.r.PostFormValue("do") == "test" {
		p.Email = strings.TrimSpace(c.r.PostFormValue("email"))
		p.Tests, err = c.console().TestProvisioning(c.ctx(), c.caller, p.Head.App.ID, p.Entered, p.Email)
		if err == nil {
			return c.page("provisioning", "Provisioning of "+p.Head.App.Name, p)
		}
	} else {
		err = c.console().SetProvisioning(c.ctx(), c.caller, p.Head.App.ID, p.Entered)
	}
	if wrongForm(err) {
		p.Problem = problemOf(err)
		return c.show(statusOf(err), "provisioning", "Provisioning of "+p.Head.App.Name, p)
	}
	if err != nil {
		return err
	}
	return c.redirect("/applications/" + string(c.app()) + "/provisioning")
}

func setMaster(c *call) error {
	key, err := c.key("entitlement")
	if err != nil {
		return err
	}
	where := strings.TrimSpace(c.r.PostFormValue("mastered"))
	if c.r.PostFormValue("here") != "" {
		where = console.HereItself
	}
	err = c.console().SetMaster(c.ctx(), c.caller, c.app(), console.EntitlementKey(key), where)
	if wrongForm(err) {
		return c.entitlementPage(err)
	}
	if err != nil {
		return err
	}
	return c.redirect(fmt.Sprintf("/applications/%s/entitlements/%d", c.app(), key))
}

type newAccountForm struct {
	Head appHead
	govern.NewAccountView
	Email   string
	Why     string
	Values  map[string]string // entered for the connector's fields
	Problem *problem
}

// Value returns what the form shows for a field.
func (f newAccountForm) Value(field govern.AccountField) string {
	if v, entered := f.Values[field.Name]; entered {
		return v
	}
	return field.Value
}

func (c *call) newAccountForm() (f newAccountForm, err error) {
	if f.Head, err = c.appHead("accounts"); err != nil {
		return f, err
	}
	f.Email, f.Why, f.Values = strings.TrimSpace(c.r.FormValue("email")), c.r.PostFormValue("why"), map[string]string{}
	for name, values := range c.r.PostForm {
		if field, ok := strings.CutPrefix(name, "field."); ok {
			f.Values[field] = values[0]
		}
	}
	f.NewAccountView, err = c.console().NewAccount(c.ctx(), c.caller, f.Head.App.ID, f.Email)
	if baton.KindOf(err) == baton.Invalid && err != nil {
		f.Problem = problemOf(err)
		var rest error
		f.NewAccountView, rest = c.console().NewAccount(c.ctx(), c.caller, f.Head.App.ID, "")
		err = rest
	}
	return f, err
}

func newAccountPage(c *call) error {
	f, err := c.newAccountForm()
	if err != nil {
		return err
	}
	status := http.StatusOK
	if f.Problem != nil {
		status = http.StatusBadRequest
	}
	return c.show(status, "account-new", "Create an account in "+f.Head.App.Name, f)
}

func createAccount(c *call) error {
	f, err := c.newAccountForm()
	if err != nil {
		return err
	}
	id, err := c.console().CreateAccount(c.ctx(), c.caller, f.Head.App.ID, f.Email, f.Values, f.Why)
	if wrongForm(err) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "account-new", "Create an account in "+f.Head.App.Name, f)
	}
	if err != nil {
		return err
	}
	return c.redirect(fmt.Sprintf("/applications/%s/operations/%s", c.app(), id))
}
