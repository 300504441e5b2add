package web

import (
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

type peopleList struct {
	CSV       string
	People    []console.Person
	Next      string
	MayManage bool
}

func (c *call) mayManagePeople() bool {
	return console.ManagePeople.Of(c.caller.Person, console.Object{})
}

func peoplePage(c *call) error {
	if c.asCSV() {
		return peopleCSV(c)
	}
	var after store.NameAfter
	if err := c.place(&after); err != nil {
		return err
	}
	people, more, err := c.console().People(c.ctx(), c.caller, after, rowsPerPage)
	if err != nil {
		return err
	}
	l := peopleList{People: people, MayManage: c.at.IsZero() && c.mayManagePeople(), CSV: c.csvPath(console.Object{})}
	if more {
		last := people[len(people)-1]
		l.Next = c.nextPath(cursor(store.NameAfter{Sort: console.SortKey(last.Name), ID: last.ID}))
	}
	return c.page("people", "People", l)
}

type personDetail struct {
	govern.PersonView
	Tabs      subTabs
	MayManage bool
	Self      bool
	Roles     []roleChoice
	Erasure   govern.ErasureView
	Problem   *problem
	// Invitation is a link that was just created.
	Invitation string
	Mailed     string // address to which the invitation was mailed
	Expires    time.Time
	MayPlan    bool // the caller may remove something of the person
}

type roleChoice struct {
	Role console.ConsoleRole
	Has  bool
	From []string // providers whose groups give the role
}

func (c *call) person() (personDetail, error) {
	v, err := c.console().Person(c.ctx(), c.caller, console.ID(c.r.PathValue("person")))
	d := personDetail{PersonView: v, Tabs: personTabs(v.ID, "access", c.at), MayManage: c.at.IsZero() && c.mayManagePeople(), Self: v.ID == c.caller.Person.ID}
	for _, r := range console.ConsoleRoles() {
		d.Roles = append(d.Roles, roleChoice{r, slices.Contains(v.Person.Roles, r), v.Mapped[r]})
	}
	if err == nil {
		d.Erasure, err = c.console().ErasureOf(c.ctx(), c.caller, v.ID)
	}
	if err == nil && c.at.IsZero() && !d.Self {
		d.MayPlan, err = c.console().MayPlanLeaving(c.ctx(), c.caller, v)
	}
	return d, err
}

// erasePerson proposes to erase a person's data.
func erasePerson(c *call) error {
	return c.personForm(c.console().ProposeErasure(c.ctx(), c.caller, console.ID(c.r.PathValue("person")), c.r.PostFormValue("why")))
}

func personPage(c *call) error {
	d, err := c.person()
	if err != nil {
		return err
	}
	return c.page("person", d.Name, d)
}

// personForm shows the person's page with the error of a form.
func (c *call) personForm(problem error) error {
	if problem == nil {
		return c.redirect("/people/" + c.r.PathValue("person"))
	}
	if k := baton.KindOf(problem); k != baton.Invalid && k != baton.Refused && k != baton.AlreadyExists {
		return problem
	}
	d, err := c.person()
	if err != nil {
		return err
	}
	d.Problem = problemOf(problem)
	return c.show(statusOf(problem), "person", d.Name, d)
}

// invitePerson mails the invitation if possible, and otherwise shows the link.
func invitePerson(c *call) error {
	id := console.ID(c.r.PathValue("person"))
	if c.r.PostFormValue("how") != "show" {
		to, expires, err := c.console().InviteByMail(c.ctx(), c.caller, id)
		if err != nil {
			return c.personForm(err)
		}
		if to != "" {
			d, err := c.person()
			if err != nil {
				return err
			}
			d.Mailed, d.Expires = to, expires
			return c.page("person", d.Name, d)
		}
	}
	token, expires, err := c.console().Invite(c.ctx(), c.caller, id)
	if err != nil {
		return c.personForm(err)
	}
	d, err := c.person()
	if err != nil {
		return err
	}
	d.Invitation, d.Expires = c.inviteLink(token), expires
	return c.page("person", d.Name, d)
}

func setPersonStatus(c *call) error {
	status := console.PersonStatus(c.r.PostFormValue("status"))
	if status != console.PersonActive && status != console.PersonDisabled {
		return baton.Errorf(baton.Invalid, "a person is active or disabled")
	}
	return c.personForm(c.console().SetPersonStatus(c.ctx(), c.caller, console.ID(c.r.PathValue("person")), status))
}

func setPersonRoles(c *call) error {
	return c.personForm(c.console().SetRoles(c.ctx(), c.caller, console.ID(c.r.PathValue("person")), c.roles()))
}

// roles decodes the roles in a form.
func (c *call) roles() (roles []console.ConsoleRole) {
	for _, r := range c.r.PostForm["role"] {
		roles = append(roles, console.ConsoleRole(r))
	}
	return roles
}

type newPerson struct {
	Name, Email, Department string
	Roles                   []roleChoice
	Problem                 *problem
}

func (c *call) newPerson() newPerson {
	f := newPerson{Name: c.r.PostFormValue("name"), Email: c.r.PostFormValue("email"), Department: c.r.PostFormValue("department")}
	for _, r := range console.ConsoleRoles() {
		f.Roles = append(f.Roles, roleChoice{Role: r, Has: slices.Contains(c.roles(), r)})
	}
	return f
}

func newPersonPage(c *call) error {
	if err := c.console().Require(c.ctx(), c.caller, console.ManagePeople, console.Object{}); err != nil {
		return err
	}
	return c.page("person-new", "Add a person", c.newPerson())
}

func addPerson(c *call) error {
	f := c.newPerson()
	p := console.Person{Name: f.Name, Department: f.Department, Roles: c.roles()}
	if f.Email != "" {
		p.Emails = []string{f.Email}
	}
	id, err := c.console().AddPerson(c.ctx(), c.caller, p)
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.AlreadyExists) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "person-new", "Add a person", f)
	}
	if err != nil {
		return err
	}
	return c.redirect("/people/" + string(id))
}
