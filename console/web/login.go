package web

import (
	"html/template"
	"net/url"

	"baton"
	"baton/console/govern"
	"baton/console/login"
)

// issuer names the console in authenticators.
const issuer = "Baton Console"

type loginForm struct {
	Name    string
	Next    string
	Problem *problem
}

func loginPage(c *call) error {
	needs, err := c.console().NeedsSetup(c.ctx())
	if err != nil {
		return err
	}
	if needs {
		return c.redirect("/setup")
	}
	return c.page("login", "Sign in", loginForm{Next: local(c.r.FormValue("next"))})
}

func signIn(c *call) error {
	f := loginForm{Name: c.r.PostFormValue("login"), Next: local(c.r.PostFormValue("next"))}
	token, err := c.console().SignIn(c.ctx(), f.Name, baton.NewSecret(c.r.PostFormValue("password")), c.r.PostFormValue("code"), c.address())
	if err != nil {
		if statusOf(err) >= 500 {
			return err
		}
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "login", "Sign in", f)
	}
	c.setSession(token)
	return c.redirect(f.Next)
}

func signOut(c *call) error {
	if err := c.console().SignOut(c.ctx(), c.caller); err != nil {
		return err
	}
	c.setSession(baton.Secret{})
	return c.redirect("/login")
}

func confirmPage(c *call) error {
	return c.page("confirm", "Confirm that it is you", loginForm{Next: local(c.r.FormValue("next"))})
}

func confirm(c *call) error {
	f := loginForm{Next: local(c.r.PostFormValue("next"))}
	err := c.console().StepUp(c.ctx(), c.caller, baton.NewSecret(c.r.PostFormValue("password")), c.r.PostFormValue("code"))
	if err != nil {
		if statusOf(err) >= 500 {
			return err
		}
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "confirm", "Confirm that it is you", f)
	}
	return c.redirect(f.Next)
}

// enrollmentForm is the form in which somebody sets up a login.
type enrollmentForm struct {
	Token      string // of the setup or the invitation
	Person     string // name
	Email      string
	Login      string
	CodeSecret string
	CodeURI    template.URL // package html/template does not know its scheme
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

// inviteLink returns the address of an invitation.
func (c *call) inviteLink(token baton.Secret) string {
	base := c.site.URL
	if base == nil {
		base = &url.URL{Scheme: "http", Host: c.r.Host}
		if c.r.TLS != nil {
			base.Scheme = "https"
		}
	}
	return base.JoinPath("invitation", token.Reveal()).String()
}
