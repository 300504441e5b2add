package web

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/directory"
	"baton/console/govern"
)

type personForm struct {
	Person                            console.Person
	Name, Emails, Manager, Department string
	Problem                           *problem
}

// editedPerson returns the form with the current values.
func (c *call) editedPerson() (f personForm, err error) {
	if err := console.ManagePeople.Check(c.caller.Person, console.Object{}); err != nil {
		return f, err
	}
	v, err := c.console().Person(c.ctx(), c.caller, console.ID(c.r.PathValue("person")))
	if err != nil {
		return f, err
	}
	f.Person, f.Name, f.Emails, f.Department = v.Person, v.Name, strings.Join(v.Emails, "\n"), v.Department
	if len(v.ManagerPerson.Emails) > 0 {
		f.Manager = v.ManagerPerson.Emails[0]
	}
	return f, nil
}

func editPersonPage(c *call) error {
	f, err := c.editedPerson()
	if err != nil {
		return err
	}
	return c.page("person-edit", "Edit "+f.Person.Name, f)
}

func editPerson(c *call) error {
	f, err := c.editedPerson()
	if err != nil {
		return err
	}
	f.Name, f.Emails, f.Manager, f.Department = c.r.PostFormValue("name"), c.r.PostFormValue("emails"), c.r.PostFormValue("manager"), c.r.PostFormValue("department")
	version, _ := strconv.ParseInt(c.r.PostFormValue("version"), 10, 64)
	err = c.console().EditPerson(c.ctx(), c.caller, f.Person.ID, govern.PersonEdit{Name: f.Name, Emails: strings.Fields(f.Emails), Manager: f.Manager, Department: f.Department, Version: version})
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused || k == baton.AlreadyExists) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "person-edit", "Edit "+f.Person.Name, f)
	}
	if err != nil {
		return err
	}
	return c.redirect("/people/" + string(f.Person.ID))
}

type mergePage struct {
	Person  console.Person
	Into    string
	View    *govern.MergeView // nil until the other person is chosen
	Problem *problem
}

// mergePage returns the page with both people, once the other one is chosen.
func (c *call) mergePage() (p mergePage, err error) {
	if err := console.ManagePeople.Check(c.caller.Person, console.Object{}); err != nil {
		return p, err
	}
	v, err := c.console().Person(c.ctx(), c.caller, console.ID(c.r.PathValue("person")))
	if err != nil {
		return p, err
	}
	p.Person, p.Into = v.Person, strings.TrimSpace(c.r.FormValue("into"))
	if p.Into == "" {
		return p, nil
	}
	view, err := c.console().PlanMerge(c.ctx(), c.caller, p.Person.ID, p.Into)
	if baton.KindOf(err) == baton.Invalid {
		p.Problem = problemOf(err)
		return p, nil
	}
	p.View = &view
	if view.Refused != nil {
		p.Problem = problemOf(view.Refused)
	}
	return p, err
}

func mergePersonPage(c *call) error {
	p, err := c.mergePage()
	if err != nil {
		return err
	}
	return c.page("person-merge", "Merge "+p.Person.Name, p)
}

func mergePerson(c *call) error {
	p, err := c.mergePage()
	if err != nil {
		return err
	}
	if p.View == nil {
		if p.Problem == nil {
			p.Problem = problemOf(baton.Errorf(baton.Invalid, "name the other person"))
		}
		return c.show(http.StatusBadRequest, "person-merge", "Merge "+p.Person.Name, p)
	}
	from, _ := strconv.ParseInt(c.r.PostFormValue("from-version"), 10, 64)
	into, _ := strconv.ParseInt(c.r.PostFormValue("into-version"), 10, 64)
	err = c.console().MergePersons(c.ctx(), c.caller, p.Person.ID, p.View.Into.ID, from, into)
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused) {
		p.Problem = problemOf(err)
		return c.show(statusOf(err), "person-merge", "Merge "+p.Person.Name, p)
	}
	if err != nil {
		return err
	}
	return c.redirect("/people/" + string(p.View.Into.ID))
}

type importPage struct {
	CSV     string
	Plan    *directory.Plan // what the import would do, or did
	Done    bool
	Problem *problem
}

func importPeoplePage(c *call) error {
	if err := console.ManagePeople.Check(c.caller.Person, console.Object{}); err != nil {
		return err
	}
	return c.page("people-import", "Import people", importPage{})
}

const maxListed = 500

// Listed returns the first maxListed changes.
func (p importPage) Listed() []directory.Change {
	return p.Plan.Changes[:min(len(p.Plan.Changes), maxListed)]
}

// RefusedListed returns the first maxListed refused lines.
func (p importPage) RefusedListed() []directory.Refusal {
	return p.Plan.Refused[:min(len(p.Plan.Refused), maxListed)]
}

// importPeople shows the plan of a file, and applies the file if the same plan was shown before.
func importPeople(c *call) error {
	p := importPage{CSV: c.r.PostFormValue("csv")}
	if strings.HasPrefix(c.r.Header.Get("Content-Type"), "multipart/form-data") {
		if err := c.r.ParseMultipartForm(maxForm); err != nil {
			return baton.Errorf(baton.Invalid, "the form cannot be read")
		}
		p.CSV = c.r.PostFormValue("csv")
		if file, _, err := c.r.FormFile("file"); err == nil {
			b, err := io.ReadAll(file)
			file.Close()
			if err != nil {
				return baton.Errorf(baton.Invalid, "the file cannot be read")
			}
			if len(b) > 0 {
				p.CSV = string(b)
			}
		}
	}
	data := []byte(p.CSV)
	p.CSV = strings.ToValidUTF8(p.CSV, "\ufffd")
	var plan directory.Plan
	var err error
	if c.r.PostFormValue("decision") == "apply" {
		plan, err = c.console().ImportPeople(c.ctx(), c.caller, data, c.r.PostFormValue("digest"))
		p.Done = err == nil
	} else {
		plan, err = c.console().PlanPeople(c.ctx(), c.caller, data)
	}
	switch k := baton.KindOf(err); {
	case err == nil:
		p.Plan = &plan
		return c.page("people-import", "Import people", p)
	case k == baton.Refused && len(plan.Changes) > 0:
		p.Plan = &plan
	case k != baton.Invalid && k != baton.Refused && k != baton.AlreadyExists:
		return err
	}
	p.Problem = problemOf(err)
	return c.show(statusOf(err), "people-import", "Import people", p)
}

func setDirectory(c *call) error {
	if err := c.console().SetDirectory(c.ctx(), c.caller, c.connector(), c.r.PostFormValue("directory") == "true"); err != nil {
		return err
	}
	return c.redirect("/connectors/" + string(c.connector()) + "/settings")
}
