package web

func homePage(c *call) error {
	v, err := c.console().Home(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	return c.page("home", "Home", v)
}
