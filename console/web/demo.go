package web

import "baton/console"

// DemoPerson is a person as whom everybody can sign in to the demo.
type DemoPerson struct {
	Email string
	Text  string // the person's part in the demo
}

type demoChoice struct {
	DemoPerson
	Person console.Person
}

// demoPage lists the people of the demo. It only exists there.
func demoPage(c *call) error {
	if len(c.site.Demo) == 0 {
		return notFound(c)
	}
	var choices []demoChoice
	for _, d := range c.site.Demo {
		p, err := c.console().DemoPerson(c.ctx(), d.Email)
		if err != nil {
			return err
		}
		choices = append(choices, demoChoice{d, p})
	}
	return c.page("demo", "Who do you want to be?", choices)
}

func demoSignIn(c *call) error {
	for _, d := range c.site.Demo {
		if d.Email == c.r.PostFormValue("email") {
			token, err := c.console().DemoSignIn(c.ctx(), d.Email, c.address())
			if err != nil {
				return err
			}
			c.beginSession(token)
			return c.redirect(local(c.r.PostFormValue("next")))
		}
	}
	return notFound(c)
}
