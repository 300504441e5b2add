package web

import "baton/console"

// DemoPerson is somebody as whom everybody can sign in, in the demo.
type DemoPerson struct {
	Email string
	Text  string // what the person is there for
}

type demoChoice struct {
	DemoPerson
	Person console.Person
}

// demoPage lists the people of the demo. There is no such page anywhere else.
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
