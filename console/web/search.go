package web

import (
	"baton/console/govern"
)

type searchResult struct {
	govern.Found
	Text string
}

// foundPerKind is the number of results of each kind.
const foundPerKind = 10

func searchPage(c *call) error {
	text := c.r.FormValue("q")
	f, err := c.console().Search(c.ctx(), c.caller, text, foundPerKind)
	if err != nil {
		return err
	}
	return c.page("search", "Search", searchResult{f, text})
}

// Nothing reports whether the search has no results.
func (r searchResult) Nothing() bool {
	return len(r.People)+len(r.Apps)+len(r.Accounts)+len(r.Entitlements) == 0
}
