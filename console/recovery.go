package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// CardContent holds the content of the recovery card of an app, without names: two cards with the same
// content give the same administrators and the same commands.
type CardContent struct {
	Minimum int              `json:"minimum"`
	Owners  []ID             `json:"owners"`
	Groups  []EntitlementKey `json:"groups"` // that give administrator
	Admins  []CardAdmin      `json:"admins"`
}

// CardAdmin is an account that holds an administrator entitlement.
type CardAdmin struct {
	Account ResourceKey `json:"account"`
	Counts  bool        `json:"counts"` // it counts for the minimum
}

// CardOf returns the content of the card of an app.
func CardOf(a App, admins Admins) CardContent {
	c := CardContent{Minimum: a.MinimumAdmins, Owners: slices.Clone(a.Owners), Groups: slices.Clone(a.Roles.AdminEntitlements())}
	for _, h := range admins.Holders {
		c.Admins = append(c.Admins, CardAdmin{h.Account, h.Person != "" && h.PersonActive && admins.certain(h, nil)})
	}
	slices.Sort(c.Owners)
	slices.Sort(c.Groups)
	slices.SortFunc(c.Admins, func(x, y CardAdmin) int { return slices.Compare([]ResourceKey{x.Account}, []ResourceKey{y.Account}) })
	return c
}

// Equal reports whether two cards say the same.
func (c CardContent) Equal(o CardContent) bool {
	return c.Minimum == o.Minimum && slices.Equal(c.Owners, o.Owners) && slices.Equal(c.Groups, o.Groups) && slices.Equal(c.Admins, o.Admins)
}

// Since says what is different from an earlier card, for display: "1 administrator more". It is ""
// if nothing is.
func (c CardContent) Since(before CardContent) string {
	was := map[ResourceKey]bool{}
	for _, a := range before.Admins {
		was[a.Account] = a.Counts
	}
	more, counts, countsNot := 0, 0, 0
	for _, a := range c.Admins {
		counted, there := was[a.Account]
		delete(was, a.Account)
		switch {
		case !there:
			more++
		case a.Counts && !counted:
			counts++
		case counted && !a.Counts:
			countsNot++
		}
	}
	var all []string
	say := func(n int, one, many string) {
		if n == 1 {
			all = append(all, "1 "+one)
		} else if n > 1 {
			all = append(all, fmt.Sprintf("%d %s", n, many))
		}
	}
	say(more, "administrator more", "administrators more")
	say(len(was), "administrator less", "administrators less")
	say(counts, "administrator counts again", "administrators count again")
	say(countsNot, "administrator does not count any more", "administrators do not count any more")
	if !slices.Equal(c.Groups, before.Groups) {
		all = append(all, "other groups give administrator")
	}
	if !slices.Equal(c.Owners, before.Owners) {
		all = append(all, "other owners")
	}
	if c.Minimum != before.Minimum {
		all = append(all, fmt.Sprintf("the minimum is %d, before %d", c.Minimum, before.Minimum))
	}
	return strings.Join(all, ", ")
}

// CardCopy is a copy of a recovery card that a person keeps.
type CardCopy struct {
	Person  ID
	Version int64
	Printed time.Time
	Content CardContent
}

// DueRecovery is the kind of the due rows of recovery cards that may have changed. They refer to an
// app.
const DueRecovery = "recovery.card"
