package web

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// clientsPage lists credentials for the REST interface, with a form for a new one.
type clientsPage struct {
	Path    string // address of the list
	Service bool   // the form creates services
	MayAdd  bool
	Rows    []clientRow
	Next    string

	Name    string
	Scopes  []scopeChoice
	Apps    []scopeChoice // for scopes to configure a single app
	Roles   []roleChoice  // for services
	Lives   []lifeChoice
	Problem *problem
	// Made is the credential that was just created.
	Made *govern.MadeClient
}

type clientRow struct {
	govern.ClientRow
	State chip
}

type scopeChoice struct {
	Scope       console.Scope
	Label, Hint string
	Chosen      bool
}

type lifeChoice struct {
	Days   int
	Chosen bool
}

// clientDays are the offered lifetimes of a new credential.
var clientDays = []int{7, 30, 90, 365}

const defaultClientDays = 90

// scopeChoices are the scopes of personal credentials. Services cannot have decide.
var scopeChoices = []scopeChoice{
	{Scope: console.ScopeRead, Label: "Read", Hint: "sees what you see"},
	{Scope: console.ScopeAsk, Label: "Ask", Hint: "asks for access, and gives it back"},
	{Scope: console.ScopeConfigure, Label: "Configure", Hint: "changes applications and connectors, as far as you may"},
	{Scope: console.ScopeDecide, Label: "Decide", Hint: "approves, denies and judges held syncs in your name; never about administrators"},
}

func (c *call) ownClients(made *govern.MadeClient, problem error) error {
	return c.clients("/credentials", "Your credentials", false, made, problem)
}

func (c *call) allClients(made *govern.MadeClient, problem error) error {
	return c.clients("/settings/api-credentials", "API credentials", true, made, problem)
}

func (c *call) clients(path, title string, service bool, made *govern.MadeClient, problem error) error {
	var before console.ID
	if c.r.Method == http.MethodGet {
		if err := c.place(&before); err != nil {
			return err
		}
	}
	list := c.console().Clients
	if service {
		list = c.console().AllClients
	}
	rows, more, err := list(c.ctx(), c.caller, before, rowsPerPage)
	if err != nil {
		return err
	}
	p := clientsPage{Path: path, Service: service, MayAdd: !service || console.ManageClients.Of(c.caller.Person, console.Object{}), Made: made, Problem: problemOf(problem)}
	for _, r := range rows {
		state := chip{"good", "Works"}
		switch {
		case !r.Revoked.IsZero():
			state = chip{"plain", "Revoked"}
		case !r.Good(c.console().Now()):
			state = chip{"plain", "Expired"}
		case r.As.Status != console.PersonActive:
			state = chip{"plain", "Disabled"}
		}
		r.MayRevoke = r.MayRevoke && r.Good(c.console().Now())
		p.Rows = append(p.Rows, clientRow{r, state})
	}
	if more {
		p.Next = path + "?after=" + cursor(rows[len(rows)-1].ID)
	}
	if p.MayAdd {
		if err := c.addClientForm(&p, problem != nil); err != nil {
			return err
		}
	}
	status := http.StatusOK
	if problem != nil {
		status = statusOf(problem)
	}
	return c.show(status, "clients", title, p)
}

// addClientForm adds the form for a new credential, with the entered values if there was an error.
func (c *call) addClientForm(p *clientsPage, again bool) error {
	chosen, days := []string{string(console.ScopeRead)}, defaultClientDays
	if again {
		p.Name, chosen = c.r.PostFormValue("name"), c.r.PostForm["scope"]
		days, _ = strconv.Atoi(c.r.PostFormValue("days"))
	}
	for _, s := range scopeChoices {
		if p.Service && s.Scope == console.ScopeDecide {
			continue
		}
		if p.Service {
			s.Hint = map[console.Scope]string{console.ScopeRead: "sees what its roles see", console.ScopeAsk: "asks for access", console.ScopeConfigure: "changes applications and connectors, as far as its roles may"}[s.Scope]
		}
		s.Chosen = slices.Contains(chosen, string(s.Scope))
		p.Scopes = append(p.Scopes, s)
	}
	apps, _, err := c.console().Apps(c.ctx(), c.caller, store.NameAfter{}, rowsPerPage)
	if err != nil {
		return err
	}
	for _, a := range apps {
		if console.ConfigureConnectors.Of(c.caller.Person, console.Object{App: &a.App}) {
			scope := console.ScopeConfigureApp(a.App.ID)
			p.Apps = append(p.Apps, scopeChoice{Scope: scope, Label: a.App.Name, Chosen: slices.Contains(chosen, string(scope))})
		}
	}
	if p.Service {
		for _, r := range console.ConsoleRoles() {
			p.Roles = append(p.Roles, roleChoice{Role: r, Has: again && slices.Contains(c.roles(), r)})
		}
	}
	for _, d := range clientDays {
		p.Lives = append(p.Lives, lifeChoice{d, d == days})
	}
	return nil
}

// addClient creates a credential. The response shows its secret, which is not stored.
func (c *call) addClient(service bool) (*govern.MadeClient, error) {
	n := govern.NewClient{Name: c.r.PostFormValue("name"), Service: service}
	if service {
		n.Roles = c.roles()
	}
	for _, s := range c.r.PostForm["scope"] {
		n.Scopes = append(n.Scopes, console.Scope(s))
	}
	if days, err := strconv.Atoi(c.r.PostFormValue("days")); err == nil && slices.Contains(clientDays, days) {
		n.Life = time.Duration(days) * 24 * time.Hour
	}
	m, err := c.console().AddClient(c.ctx(), c.caller, n)
	return &m, err
}

// shown reports whether an error belongs to a field of the form.
func shown(err error) bool {
	k := baton.KindOf(err)
	return err != nil && (k == baton.Invalid || k == baton.Refused || k == baton.AlreadyExists)
}

func ownClientsPage(c *call) error { return c.ownClients(nil, nil) }

func addOwnClient(c *call) error {
	m, err := c.addClient(false)
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		return c.ownClients(nil, err)
	}
	return c.ownClients(m, nil)
}

func allClientsPage(c *call) error { return c.allClients(nil, nil) }

func addServiceClient(c *call) error {
	m, err := c.addClient(true)
	if err != nil && !shown(err) {
		return err
	}
	if err != nil {
		return c.allClients(nil, err)
	}
	return c.allClients(m, nil)
}

func revokeClient(c *call) error {
	if err := c.console().RevokeClient(c.ctx(), c.caller, console.ID(c.r.PathValue("credential"))); err != nil {
		return err
	}
	if c.r.PostFormValue("next") == "/settings/api-credentials" {
		return c.redirect("/settings/api-credentials")
	}
	return c.redirect("/credentials")
}
