package web

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"baton/console"
)

// momentParameter is the parameter of an address with the moment of a page.
const momentParameter = "at"

// asOf makes a page of access show the past moment in its address.
func asOf(serve func(*call) error) func(*call) error {
	return func(c *call) error {
		c.dated, c.history = true, true
		if s := c.r.URL.Query().Get(momentParameter); s != "" {
			at, err := console.ParseMoment(s, c.site.Console.Now())
			if err != nil {
				return err
			}
			c.at = at
		}
		return serve(c)
	}
}

// ofHistory marks a page that shows what was so before: it says since when that is kept.
func ofHistory(serve func(*call) error) func(*call) error {
	return func(c *call) error {
		c.history = true
		return serve(c)
	}
}

// historyKept returns since when the history that the page shows is kept; zero if all of it is, or
// the page shows none.
func (c *call) historyKept() (time.Time, error) {
	if !c.history || c.caller.Person.ID == "" {
		return time.Time{}, nil
	}
	return c.site.Console.HistoryKept(c.ctx(), c.caller, console.ID(c.r.PathValue("app")))
}

// past returns the query for the moment of a page; "" for now.
func past(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return "?" + momentParameter + "=" + at.UTC().Format("2006-01-02T15:04:05.999999Z")
}

// moment is the past moment that a page shows, for display.
type moment struct {
	At    time.Time // zero for now
	Dated bool      // the page can show the past
	Now   string    // address of the page as of now
	Keep  []kept    // the other parameters of the page, for the form that chooses a moment
	Max   string    // the latest moment that the form accepts
}

type kept struct{ Name, Value string }

// Value returns the moment in the format of the form.
func (m moment) Value() string {
	if m.At.IsZero() {
		return ""
	}
	return m.At.UTC().Format("2006-01-02T15:04:05")
}

// moment returns the data about the page's moment.
func (c *call) moment() moment {
	m := moment{At: c.at, Dated: c.dated, Max: c.site.Console.Now().UTC().Format("2006-01-02T15:04:05")}
	q := url.Values{}
	for name, values := range c.r.URL.Query() {
		if len(values) == 0 || values[0] == "" || slices.Contains([]string{momentParameter, "after", "format"}, name) {
			continue
		}
		q[name] = values[:1]
		m.Keep = append(m.Keep, kept{name, text(values[0])})
	}
	slices.SortFunc(m.Keep, func(a, b kept) int { return strings.Compare(a.Name, b.Name) })
	m.Now = c.r.URL.Path
	if len(q) > 0 {
		m.Now += "?" + q.Encode()
	}
	return m
}
