package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/oidc"
)

// loginCookie returns the name of the cookie that ties a login with a provider to the browser that
// began it. Each login has its own cookie, so that people can sign in in several tabs.
func (c *call) loginCookie(state string) string {
	name := "login-" + state[:min(len(state), 12)]
	if c.site.secure {
		return "__Host-" + name
	}
	return name
}

func (c *call) setLoginCookie(state, value string, life time.Duration) {
	cookie := &http.Cookie{Name: c.loginCookie(state), Value: value, Path: "/", HttpOnly: true, Secure: c.site.secure, SameSite: http.SameSiteLaxMode, MaxAge: int(life / time.Second)}
	if value == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.w, cookie)
}

// visit describes a login with the provider in the address.
func (c *call) visit() govern.Visit {
	name := c.r.PathValue("provider")
	return govern.Visit{Provider: name, Redirect: c.callback(name), Address: c.address(), Request: c.id}
}

// callback returns the address to which a provider redirects.
func (c *call) callback(provider string) string {
	return c.base().JoinPath("login", provider, "callback").String()
}

func beginSignIn(c *call) error { return c.toProvider(nil) }

// confirmWithProvider authenticates the caller again at a provider.
func confirmWithProvider(c *call) error { return c.toProvider(&c.caller) }

func (c *call) toProvider(caller *govern.Caller) error {
	next := local(c.r.FormValue("next"))
	d, err := c.console().BeginSignIn(c.ctx(), c.visit(), next, caller)
	if err != nil {
		return c.loginProblem(err, next, caller != nil)
	}
	c.setLoginCookie(d.State, d.Browser.Reveal(), console.SignInLife)
	return c.redirect(d.Address)
}

// loginProblem shows the page on which a login with a provider began, with the error.
func (c *call) loginProblem(err error, next string, proof bool) error {
	if statusOf(err) == http.StatusInternalServerError {
		return err
	}
	f := loginForm{Next: next, Problem: problemOf(err)}
	if proof && c.authenticate() == nil {
		return c.showConfirm(statusOf(err), f)
	}
	return c.showLogin(statusOf(err), f)
}

func finishSignIn(c *call) error {
	q := c.r.URL.Query()
	state := q.Get("state")
	r := govern.Return{State: state, Answer: oidc.Answer{Code: q.Get("code"), Issuer: q.Get("iss")}, Problem: q.Get("error")}
	if cookie, err := c.r.Cookie(c.loginCookie(state)); err == nil {
		r.Browser = baton.NewSecret(cookie.Value)
		c.setLoginCookie(state, "", 0)
	}
	if cookie, err := c.r.Cookie(c.cookieName()); err == nil {
		r.Session = baton.NewSecret(cookie.Value)
	}
	a, err := c.console().FinishSignIn(c.ctx(), c.visit(), r)
	next := local(a.Next)
	if err != nil {
		c.site.Log.InfoContext(c.ctx(), "a login with a provider failed", "request", c.id, "provider", c.r.PathValue("provider"), "address", c.address(), "error", err)
		return c.loginProblem(err, next, a.Proof)
	}
	if !a.Token.IsZero() {
		c.beginSession(a.Token)
	}
	return c.redirect(next)
}

// signInSettings is the page with the identity providers.
type signInSettings struct {
	Providers     []console.Provider
	MayChange     bool
	HasBreakGlass bool
	Use           console.BreakGlassUse
}

func signInPage(c *call) error {
	all, err := c.console().Providers(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	has, err := c.console().HasBreakGlass(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	return c.page("sign-in", "Sign-in", signInSettings{all, c.mayConfigureSignIn(), has, c.caller.BreakGlass})
}

func (c *call) mayConfigureSignIn() bool {
	return console.ConfigureSignIn.Of(c.caller.Person, console.Object{})
}

type providerForm struct {
	console.Provider
	New       bool
	HasSecret bool
	MayChange bool
	Rows      []groupRow
	Scopes    string
	Callback  string
	Problem   *problem
}

// groupRow is a line of the form: a group and its role.
type groupRow struct {
	Number int
	Group  string
	Roles  []roleChoice
}

// emptyRows is the number of groups that can be added at once.
const emptyRows = 3

func (c *call) providerForm(p console.Provider) providerForm {
	f := providerForm{Provider: p, MayChange: c.mayConfigureSignIn(), Scopes: strings.Join(p.Scopes, " ")}
	if p.Name != "" {
		f.Callback = c.callback(p.Name)
	}
	for i := range len(p.Groups) + emptyRows {
		row := groupRow{Number: i + 1}
		var role console.ConsoleRole
		if i < len(p.Groups) {
			row.Group, role = p.Groups[i].Group, p.Groups[i].Role
		}
		for _, r := range console.ConsoleRoles() {
			row.Roles = append(row.Roles, roleChoice{Role: r, Has: r == role})
		}
		f.Rows = append(f.Rows, row)
	}
	return f
}

// providerOf decodes the form of a provider.
func (c *call) providerOf() (p console.Provider) {
	v := func(name string) string { return strings.TrimSpace(c.r.PostFormValue(name)) }
	p = console.Provider{Label: v("label"), Issuer: v("issuer"), ClientID: v("client-id"), Scopes: strings.Fields(v("scopes")), GroupsClaim: v("groups-claim"),
		AddPeople: v("add-people") == "true", Enabled: v("enabled") == "true"}
	p.Version, _ = strconv.ParseInt(v("version"), 10, 64) // an invalid version is refused later
	groups, roles := c.r.PostForm["group"], c.r.PostForm["group-role"]
	for i, g := range groups {
		var role console.ConsoleRole
		if i < len(roles) {
			role = console.ConsoleRole(roles[i])
		}
		if g != "" || role != "" { // not trimmed, because groups must match exactly
			p.Groups = append(p.Groups, console.GroupRole{Group: g, Role: role})
		}
	}
	return p
}

func newProviderPage(c *call) error {
	if err := console.ConfigureSignIn.Check(c.caller.Person, console.Object{}); err != nil {
		return err
	}
	f := c.providerForm(console.Provider{Scopes: []string{"email", "profile"}, Enabled: true})
	f.New = true
	return c.page("provider", "Add a provider", f)
}

func addProvider(c *call) error {
	p := c.providerOf()
	p.Name = strings.TrimSpace(c.r.PostFormValue("name"))
	err := c.console().AddProvider(c.ctx(), c.caller, p, baton.NewSecret(strings.TrimSpace(c.r.PostFormValue("client-secret"))))
	if err == nil {
		return c.redirect("/settings/sign-in/" + p.Name)
	}
	if !correctable(err) {
		return err
	}
	f := c.providerForm(p)
	f.New, f.Problem = true, problemOf(err)
	return c.show(statusOf(err), "provider", "Add a provider", f)
}

// correctable reports whether the entered values caused an error.
func correctable(err error) bool {
	return slices.Contains([]baton.Kind{baton.Invalid, baton.Refused, baton.AlreadyExists}, baton.KindOf(err))
}

func providerPage(c *call) error {
	v, err := c.console().Provider(c.ctx(), c.caller, c.r.PathValue("provider"))
	if err != nil {
		return err
	}
	f := c.providerForm(v.Provider)
	f.HasSecret = v.HasSecret
	return c.page("provider", v.Label, f)
}

func changeProvider(c *call) error {
	p := c.providerOf()
	p.Name = c.r.PathValue("provider")
	err := c.console().ChangeProvider(c.ctx(), c.caller, p, baton.NewSecret(strings.TrimSpace(c.r.PostFormValue("client-secret"))))
	if err == nil {
		return c.redirect("/settings/sign-in")
	}
	if !correctable(err) {
		return err
	}
	v, e := c.console().Provider(c.ctx(), c.caller, p.Name)
	if e != nil {
		return e
	}
	f := c.providerForm(p)
	f.HasSecret, f.Problem = v.HasSecret, problemOf(err)
	return c.show(statusOf(err), "provider", v.Label, f)
}

func removeProvider(c *call) error {
	if err := c.console().RemoveProvider(c.ctx(), c.caller, c.r.PathValue("provider")); err != nil {
		return err
	}
	return c.redirect("/settings/sign-in")
}

func removeIdentity(c *call) error {
	return c.personForm(c.console().RemoveIdentity(c.ctx(), c.caller, console.ID(c.r.PathValue("person")), c.r.PostFormValue("issuer"), c.r.PostFormValue("subject")))
}
