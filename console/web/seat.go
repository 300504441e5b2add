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

type seatsPage struct {
	Head appHead
	govern.SeatsView
	Entered seatsForm
	Problem *problem
}

// seatsForm holds the values in the form for the purchased seats.
type seatsForm struct {
	Purchased, Renewal string
	Block              bool
	Otherwise          map[string]bool // by the name of the threshold
	Version            int64
}

// Below returns the thresholds that the purchased seats do not reach.
func (p seatsPage) Below() []console.SeatThreshold { return p.Seats.Below(p.Thresholds) }

// Left returns how many purchased seats are left.
func (p seatsPage) Left() int { return p.Seats.Free(p.Use) }

// Over returns how many more seats are used or reserved than were purchased.
func (p seatsPage) Over() int { return -p.Left() }

func (c *call) seats() (p seatsPage, err error) {
	if p.Head, err = c.appHead("seats"); err != nil {
		return p, err
	}
	if p.SeatsView, err = c.console().Seats(c.ctx(), c.caller, p.Head.App.ID); err != nil {
		return p, err
	}
	p.Entered = seatsForm{Renewal: p.Seats.RenewalDay(), Block: p.Seats.Block, Otherwise: map[string]bool{}, Version: p.Seats.Version}
	if p.Seats.Known() {
		p.Entered.Purchased = strconv.Itoa(p.Seats.Purchased)
	}
	for _, name := range p.Seats.Otherwise {
		p.Entered.Otherwise[name] = true
	}
	return p, nil
}

func seatsShown(c *call) error {
	p, err := c.seats()
	if err != nil {
		return err
	}
	return c.page("seats", "Seats of "+p.Head.App.Name, p)
}

func setSeats(c *call) error {
	p, err := c.seats()
	if err != nil {
		return err
	}
	s, err := c.enteredSeats(&p)
	if err == nil {
		err = c.console().SetSeats(c.ctx(), c.caller, s)
	} else if may := c.console().MayConfigureApp(c.ctx(), c.caller, p.Head.App.ID); may != nil {
		return may
	}
	if wrongForm(err) {
		p.Problem = problemOf(err)
		return c.show(statusOf(err), "seats", "Seats of "+p.Head.App.Name, p)
	}
	if err != nil {
		return err
	}
	return c.redirect("/applications/" + string(c.app()) + "/seats")
}

// enteredSeats decodes the form, and keeps in the page what was entered.
func (c *call) enteredSeats(p *seatsPage) (s console.Seats, err error) {
	f := seatsForm{Purchased: strings.TrimSpace(c.r.PostFormValue("purchased")), Renewal: c.r.PostFormValue("renewal"), Block: c.r.PostFormValue("block") != "", Otherwise: map[string]bool{}, Version: p.Seats.Version}
	s = console.Seats{App: p.Head.App.ID, Block: f.Block, Otherwise: c.r.PostForm["otherwise"]}
	for _, name := range s.Otherwise {
		f.Otherwise[name] = true
	}
	p.Entered = f
	if s.Version, err = strconv.ParseInt(c.r.PostFormValue("version"), 10, 64); err != nil {
		return s, baton.Errorf(baton.Invalid, "the form has no version of the seats").WithFix("Load the page again.")
	}
	if f.Purchased != "" {
		if s.Purchased, err = strconv.Atoi(f.Purchased); err != nil {
			return s, baton.Errorf(baton.Invalid, "%q is no number of seats", f.Purchased).WithFix("Write how many seats were purchased, in digits.")
		}
	}
	s.Renewal, err = console.ParseRenewal(f.Renewal)
	return s, err
}

type severalRolesPage struct {
	Head appHead
	govern.SeveralRolesView
	Why     string
	Problem *problem
	Done    []roleRemovalDone
}

// roleRemovalDone is the result of one removal.
type roleRemovalDone struct {
	Removal govern.RoleRemoval
	Path    string
	Problem *problem
}

// severalRolesAt decodes which memberships are asked about.
func (c *call) severalRolesAt() (account console.ResourceKey, keep govern.KeptRole, err error) {
	if s := c.r.FormValue("account"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 {
			return 0, "", baton.Errorf(baton.NotFound, "no account")
		}
		account = console.ResourceKey(n)
	}
	return account, govern.KeptRole(c.r.FormValue("keep")), nil
}

func severalRolesShown(c *call) error { return c.showSeveralRoles(http.StatusOK, nil, nil) }

func (c *call) showSeveralRoles(status int, wrong error, done []roleRemovalDone) error {
	account, keep, err := c.severalRolesAt()
	if err != nil {
		return err
	}
	if len(done) > 0 {
		account, keep = 0, ""
	}
	p := severalRolesPage{Why: c.r.PostFormValue("why"), Problem: problemOf(wrong), Done: done}
	if p.Head, err = c.appHead("accounts"); err != nil {
		return err
	}
	if p.SeveralRolesView, err = c.console().SeveralRoles(c.ctx(), c.caller, p.Head.App.ID, account, keep); err != nil {
		return err
	}
	return c.show(status, "several-roles", "Several roles in "+p.Head.App.Name, p)
}

func leaveOneRole(c *call) error {
	var all []govern.RoleRemoval
	for _, s := range c.r.PostForm["remove"] {
		var r govern.RoleRemoval
		if n, err := fmt.Sscanf(s, "%d/%d", &r.Account.Key, &r.Entitlement.Key); err != nil || n != 2 {
			return baton.Errorf(baton.Invalid, "the form is damaged").WithFix("Load the page again.")
		}
		all = append(all, r)
	}
	results, err := c.console().LeaveOneRole(c.ctx(), c.caller, c.app(), all, c.r.PostFormValue("why"))
	if wrongForm(err) {
		return c.showSeveralRoles(statusOf(err), err, nil)
	}
	if err != nil {
		return err
	}
	var done []roleRemovalDone
	for _, r := range results {
		row := roleRemovalDone{Removal: r.RoleRemoval, Problem: problemOf(r.Err)}
		switch {
		case r.Done.Operation != "":
			row.Path = fmt.Sprintf("/applications/%s/operations/%s", c.app(), r.Done.Operation)
		case r.Done.Request != "":
			row.Path = "/requests/" + string(r.Done.Request)
		}
		done = append(done, row)
	}
	return c.showSeveralRoles(http.StatusOK, nil, done)
}
