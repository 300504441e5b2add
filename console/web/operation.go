package web

import (
	"cmp"
	"fmt"
	"net/http"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// operationChip returns the state of an operation.
func operationChip(s console.OperationState) chip {
	switch s {
	case console.Waiting:
		return chip{"plain", "Waiting"}
	case console.Queued:
		return chip{"plain", "Queued"}
	case console.Manual:
		return chip{"warn", "By hand"}
	case console.Dispatched:
		return chip{"accent", "Handed out"}
	case console.Applied:
		return chip{"accent", "Applied"}
	case console.Unknown:
		return chip{"warn", "No answer yet"}
	case console.Failed:
		return chip{"bad", "Failed"}
	case console.Declined:
		return chip{"bad", "Declined"}
	case console.Verified:
		return chip{"good", "Verified"}
	case console.Contradicted:
		return chip{"bad", "Undone"}
	case console.Superseded:
		return chip{"plain", "Replaced"}
	}
	return chip{"plain", "Cancelled"}
}

// changeWords returns the description of an operation's change.
func changeWords(o any) string {
	var op console.Operation
	switch o := o.(type) {
	case console.Operation:
		op = o
	case *console.Operation:
		op = *o
	case govern.OperationRow:
		op = o.Operation
	}
	switch {
	case op.Entitlement == console.AccountItself && op.Account == 0:
		return "Create an account"
	case op.Entitlement == console.AccountItself && op.Verb == console.Grant:
		return "Enable the account"
	case op.Entitlement == console.AccountItself:
		return "Disable the account"
	case op.Verb == console.Grant:
		return "Grant"
	}
	return "Revoke"
}

var operationFilterLabels = map[govern.OperationFilter]string{
	govern.AllOperations:     "All",
	govern.OpenOperations:    "Under way",
	govern.FailedOperations:  "Failed, declined or undone",
	govern.UnknownOperations: "Without an answer",
	govern.ManualOperations:  "To be done by hand",
	govern.OverdueAccess:     "Overdue access",
}

type operationsList struct {
	govern.OperationPage
	Head   appHead
	Filter []choice
	Next   string
}

func operationsPage(c *call) error {
	h, err := c.appHead("operations")
	if err != nil {
		return err
	}
	chosen := govern.OperationFilter(c.r.FormValue("filter"))
	var before store.OperationBefore
	if err := c.place(&before); err != nil {
		return err
	}
	p, err := c.console().Operations(c.ctx(), c.caller, h.App.ID, chosen, before, rowsPerPage)
	if err != nil {
		return err
	}
	l := operationsList{OperationPage: p, Head: h}
	for _, f := range govern.OperationFilters() {
		l.Filter = append(l.Filter, choice{string(f), operationFilterLabels[f], f == chosen})
	}
	if p.Next != nil {
		l.Next = c.nextPath(cursor(*p.Next))
	}
	return c.page("operations", "Operations of "+h.App.Name, l)
}

type operationDetail struct {
	govern.OperationView
	Head    appHead
	Times   timelinePage
	Problem *problem
}

func (c *call) operation() console.ID { return console.ID(c.r.PathValue("operation")) }

func (c *call) operationDetail() (d operationDetail, err error) {
	if d.Head, err = c.appHead("operations"); err != nil {
		return d, err
	}
	at, err := c.timelineAt()
	if err != nil {
		return d, err
	}
	d.OperationView, err = c.console().Operation(c.ctx(), c.caller, d.Head.App.ID, c.operation(), at, rowsPerPage)
	d.Times = c.timelinePage(d.Timeline)
	return d, err
}

func operationPage(c *call) error {
	d, err := c.operationDetail()
	if err != nil {
		return err
	}
	return c.page("operation", changeWords(d.Operation)+": "+d.Names.Account, d)
}

// toOperation answers a command on an operation with the operation's page, and the error if there is
// one.
func (c *call) toOperation(id console.ID, err error) error {
	switch baton.KindOf(err) {
	case baton.Refused, baton.Invalid:
		if err == nil {
			break
		}
		d, shown := c.operationDetail()
		if shown != nil {
			return err
		}
		d.Problem = problemOf(err)
		return c.show(statusOf(err), "operation", changeWords(d.Operation)+": "+d.Names.Account, d)
	}
	if err != nil {
		return err
	}
	return c.redirect(fmt.Sprintf("/applications/%s/operations/%s", c.app(), id))
}

func retryOperation(c *call) error {
	return c.toOperation(c.operation(), c.console().RetryOperation(c.ctx(), c.caller, c.app(), c.operation()))
}

func cancelOperation(c *call) error {
	return c.toOperation(c.operation(), c.console().CancelOperation(c.ctx(), c.caller, c.app(), c.operation(), c.r.PostFormValue("why")))
}

func doByHand(c *call) error {
	return c.toOperation(c.operation(), c.console().DoByHand(c.ctx(), c.caller, c.app(), c.operation(), c.r.PostFormValue("why")))
}

func doneByHand(c *call) error {
	return c.toOperation(c.operation(), c.console().DoneByHand(c.ctx(), c.caller, c.app(), c.operation(), c.r.PostFormValue("why")))
}

type removalForm struct {
	govern.AccessView
	Why     string
	Problem *problem
}

// removalAt returns the account and the entitlement in the path.
func (c *call) removalAt() (console.ResourceKey, console.EntitlementKey, error) {
	account, err := c.key("account")
	if err != nil {
		return 0, 0, err
	}
	entitlement, err := c.key("entitlement")
	return console.ResourceKey(account), console.EntitlementKey(entitlement), err
}

func removalPage(c *call) error { return c.showRemoval(http.StatusOK, nil) }

// showRemoval shows what removing an access leads to and who decides about it, with an error if
// there is one.
func (c *call) showRemoval(status int, wrong error) error {
	account, e, err := c.removalAt()
	if err != nil {
		return err
	}
	v, err := c.console().Removal(c.ctx(), c.caller, c.app(), account, e)
	if err != nil {
		return err
	}
	title := "Revoke " + text(cmp.Or(v.Entitlement.Name, v.Entitlement.ID))
	if e == console.AccountItself {
		title = "Disable the account"
	}
	return c.show(status, "removal", title, removalForm{v, c.r.PostFormValue("why"), problemOf(wrong)})
}

func removeAccess(c *call) error {
	account, e, err := c.removalAt()
	if err != nil {
		return err
	}
	done, err := c.console().RemoveAccess(c.ctx(), c.caller, c.app(), account, e, c.r.PostFormValue("why"))
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused || k == baton.AlreadyExists) {
		return c.showRemoval(statusOf(err), err)
	}
	if err != nil {
		return err
	}
	outside, err := c.console().OwnAccountsOnly(c.ctx(), c.caller, c.app()) // for example the person's manager
	if err != nil {
		return err
	}
	if done.Operation == "" || outside {
		return c.redirect("/requests/" + string(done.Request))
	}
	return c.redirect(fmt.Sprintf("/applications/%s/operations/%s", c.app(), done.Operation))
}

func enableAccount(c *call) error {
	account, err := c.key("account")
	if err != nil {
		return err
	}
	id, err := c.console().EnableAccount(c.ctx(), c.caller, c.app(), console.ResourceKey(account), c.r.PostFormValue("why"))
	if err != nil {
		return err
	}
	return c.redirect(fmt.Sprintf("/applications/%s/operations/%s", c.app(), id))
}
