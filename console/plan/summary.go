package plan

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"baton/console"
)

// summary returns the consequence of computed rows.
func (c *computer) summary(rows []console.PlanRow) (s console.PlanSummary) {
	apps := map[console.ID]*console.PlanApp{}
	for id, a := range c.apps {
		one := &console.PlanApp{App: id, SeatsBefore: a.seats, SeatsAfter: a.seats}
		one.AdminsBefore, one.AdminsAfter, one.Minimum = a.floor.Counts()
		for _, g := range a.grounds {
			one.Held = one.Held || g.Held()
		}
		apps[id] = one
	}
	people, mastered := map[console.ID]bool{}, map[string]int{}
	for _, r := range rows {
		app := apps[r.App]
		if r.Pending != "" {
			s.Pending++
		}
		switch r.State {
		case console.RowBlocked:
			s.Blocked++
			app.Blocked++
			continue
		case console.RowGone:
			s.Gone++
			continue
		}
		s.Planned++
		app.Planned++
		if r.Facts.Owner == "" {
			s.Nobody++
		} else {
			people[r.Facts.Owner] = true
		}
		if r.Mastered != "" {
			mastered[r.Mastered]++
		}
		if r.Asks {
			s.Asks++
		}
		if r.Manual {
			s.Manual++
		}
		switch {
		case r.Do == console.PlanLower:
			s.Lower++
		case r.Entitlement == console.AccountItself:
			s.Disable++
			if c.apps[r.App].enabled[r.Account] {
				app.SeatsAfter--
			}
		}
	}
	s.People = len(people)
	if len(mastered) > 0 {
		s.Mastered = mastered
	}
	for _, a := range apps {
		s.Apps = append(s.Apps, *a)
	}
	slices.SortFunc(s.Apps, func(a, b console.PlanApp) int {
		return cmp.Or(cmp.Compare(c.apps[a.App].app.Name, c.apps[b.App].app.Name), cmp.Compare(a.App, b.App))
	})
	return s
}

// sentence returns an error as a sentence.
func sentence(err error) string {
	text := err.Error()
	first, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[n:], ".") + "."
}
