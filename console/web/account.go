package web

import (
	"errors"
	"fmt"
	"strconv"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// accountForm runs the command of a form on an account's page, and shows the page with the error if
// there is one.
func (c *call) accountForm(do func(app console.ID, account console.ResourceKey) error) error {
	key, err := c.key("account")
	if err != nil {
		return err
	}
	err = do(c.app(), console.ResourceKey(key))
	if errors.Is(err, govern.ErrWaits) {
		return c.redirect("/policies?waits=1")
	}
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused) {
		return c.accountPage(err)
	}
	if err != nil {
		return err
	}
	return c.redirect(fmt.Sprintf("/applications/%s/accounts/%d", c.app(), key))
}

func setAccountOwner(c *call) error {
	return c.accountForm(func(app console.ID, account console.ResourceKey) error {
		switch c.r.PostFormValue("decision") {
		case "set":
			return c.console().SetAccountOwner(c.ctx(), c.caller, app, account, c.r.PostFormValue("email"))
		case "clear":
			return c.console().ClearAccountOwner(c.ctx(), c.caller, app, account)
		case "reset":
			return c.console().ResetAccountOwner(c.ctx(), c.caller, app, account)
		}
		if err := c.console().MayConfigureApp(c.ctx(), c.caller, app); err != nil {
			return err
		}
		return baton.Errorf(baton.Invalid, "say what to do with the owner")
	})
}

func setAccountType(c *call) error {
	return c.accountForm(func(app console.ID, account console.ResourceKey) error {
		kind, err := strconv.Atoi(c.r.PostFormValue("type"))
		if err != nil {
			kind = -1 // the rights were checked first, so this is no matter of the form
		}
		return c.console().SetAccountType(c.ctx(), c.caller, app, account, console.AccountKind(kind), c.r.PostFormValue("why"))
	})
}
