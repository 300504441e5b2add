package web

import (
	"html/template"
	"net/http"
	"net/url"

	"baton"
	"baton/console/govern"
	"baton/console/login"
)

// issuer is the name of the console in authenticator apps.
const issuer = "Baton Console"

type loginForm struct {
	Name      string
	Next      string
	Providers []govern.ProviderChoice
	Setup     bool // nobody can sign in yet
	Demo      bool
	Proofs    govern.Proofs
	Problem   *problem
}

func loginPage(c *call) error {
	return c.showLogin(http.StatusOK, loginForm{Next: local(c.r.FormValue("next"))})
}

// showLogin shows the login page, or redirects to the setup if nobody can sign in yet.
func (c *call) showLogin(status int, f loginForm) (err error) {
	if f.Providers, err = c.console().SignInProviders(c.ctx()); err != nil {
		return err
	}
	if f.Setup, err = c.console().NeedsSetup(c.ctx()); err != nil {
		return err
	}
	if f.Setup && len(f.Providers) == 0 {
		return c.redirect("/setup")
	}
	f.Demo = len(c.site.Demo) > 0
	return c.show(status, "login", "Sign in", f)
}

func signIn(c *call) error {
	f := loginForm{Name: c.r.PostFormValue("login"), Next: local(c.r.PostFormValue("next"))}
	token, err := c.console().SignIn(c.ctx(), f.Name, baton.NewSecret(c.r.PostFormValue("password")), c.r.PostFormValue("code"), c.address())
	if err != nil {
		if statusOf(err) >= 500 {
			return err
		}
		f.Problem = problemOf(err)
		return c.showLogin(statusOf(err), f)
	}
	c.beginSession(token)
	return c.redirect(f.Next)
}

// beginSession gives the browser a new session. The session that it had ends.
func (c *call) beginSession(token baton.Secret) {
	if c.authenticate() == nil {
		if err := c.console().SignOut(c.ctx(), c.caller); err != nil {
			c.site.Log.WarnContext(c.ctx(), "an earlier session was not ended", "request", c.id, "error", err)
		}
	}
	c.setSession(token)
}

func signOut(c *call) error {
	if err := c.console().SignOut(c.ctx(), c.caller); err != nil {
		return err
	}
	c.setSession(baton.Secret{})
	return c.redirect("/login")
}

func confirmPage(c *call) error {
	return c.showConfirm(http.StatusOK, loginForm{Next: local(c.r.FormValue("next"))})
}

func (c *call) showConfirm(status int, f loginForm) (err error) {
	if f.Proofs, err = c.console().Proofs(c.ctx(), c.caller); err != nil {
		return err
	}
	return c.show(status, "confirm", "Confirm that it is you", f)
}

func confirm(c *call) error {
	f := loginForm{Next: local(c.r.PostFormValue("next"))}
	err := c.console().StepUp(c.ctx(), c.caller, baton.NewSecret(c.r.PostFormValue("password")), c.r.PostFormValue("code"))
	if err != nil {
		if statusOf(err) >= 500 {
			return err
		}
		f.Problem = problemOf(err)
		return c.showConfirm(statusOf(err), f)
	}
	return c.redirect(f.Next)
}

// enrollmentForm is the form for setting up a login.
type enrollmentForm struct {
	Token      string // token of the setup or the invitation
	Person     string // name
	Email      string
	Login      string
	CodeSecret string
	CodeURI    template.URL // html/template rejects unknown URL schemes in strings
	MinLength  int
	Problem    *problem
}

// newEnrollment returns the form with a new secret, or with the one that was shown before.
func (c *call) newEnrollment(loginName string) enrollmentForm {
	secret := baton.NewSecret(c.r.PostFormValue("code-secret"))
	if login.CheckCodeSecret(secret) != nil {
		secret = login.NewCodeSecret()
	}
	return enrollmentForm{Login: loginName, CodeSecret: secret.Reveal(), CodeURI: template.URL(login.CodeURI(issuer, loginName, secret)), MinLength: login.MinPassword}
}

func (c *call) enrollment() govern.Enrollment {
	return govern.Enrollment{Name: c.r.PostFormValue("login"), Password: baton.NewSecret(c.r.PostFormValue("password")),
		CodeSecret: baton.NewSecret(c.r.PostFormValue("code-secret")), Code: c.r.PostFormValue("code")}
}

func setupPage(c *call) error {
	needs, err := c.console().NeedsSetup(c.ctx())
	if err != nil {
		return err
	}
	if !needs {
		return c.redirect("/login")
	}
	f := c.newEnrollment("")
	f.Token = c.r.FormValue("token")
	return c.page("setup", "Set up the console", f)
}

func setUp(c *call) error {
	f := c.newEnrollment(c.r.PostFormValue("login"))
	f.Token, f.Person, f.Email = c.r.PostFormValue("token"), c.r.PostFormValue("name"), c.r.PostFormValue("email")
	err := c.console().SetUp(c.ctx(), baton.NewSecret(f.Token), f.Person, f.Email, c.enrollment(), c.address())
	if err != nil {
		if statusOf(err) >= 500 {
			return err
		}
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "setup", "Set up the console", f)
	}
	return c.redirect("/login")
}

func invitationPage(c *call) error {
	f, err := c.invitation()
	if err != nil {
		return err
	}
	return c.page("invitation", "Set up your login", f)
}

func (c *call) invitation() (enrollmentForm, error) {
	token := c.r.PathValue("token")
	p, err := c.console().Invited(c.ctx(), baton.NewSecret(token))
	if baton.KindOf(err) == baton.NotFound {
		err = baton.Errorf(baton.NotFound, "this invitation was used, or has expired").WithFix("Ask for a new one.")
	}
	f := c.newEnrollment(govern.LoginNameOf(p))
	f.Token, f.Person = token, p.Name
	return f, err
}

func acceptInvitation(c *call) error {
	f, err := c.invitation()
	if err != nil {
		return err
	}
	f.Login = c.r.PostFormValue("login")
	if err := c.console().Accept(c.ctx(), baton.NewSecret(f.Token), c.enrollment(), c.address()); err != nil {
		if statusOf(err) >= 500 {
			return err
		}
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "invitation", "Set up your login", f)
	}
	return c.redirect("/login")
}

// base returns the address of the console.
func (c *call) base() *url.URL {
	if c.site.URL != nil {
		return c.site.URL
	}
	base := &url.URL{Scheme: "http", Host: c.r.Host}
	if c.r.TLS != nil {
		base.Scheme = "https"
	}
	return base
}

// inviteLink returns the address of an invitation.
func (c *call) inviteLink(token baton.Secret) string {
	return c.base().JoinPath("invitation", token.Reveal()).String()
}
