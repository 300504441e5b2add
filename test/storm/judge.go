package storm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"baton"
	sandbox "baton/sandbox/perplexity"
)

// attempt is one requested change with its outcome.
type attempt struct {
	request
	outcome       baton.Outcome
	err           error
	before, after sandbox.State
	writes        []sandbox.Write
	faults        []string
}

// effects returns the effects of the change's own writes, including side effects of the server.
func (a *attempt) effects() []string {
	var all []string
	for _, w := range a.writes {
		all = append(all, w.Effects...)
	}
	return all
}

// unseen reports whether an effect is the removal of a member that was added after the change began, or
// restored before it ended. No read of the group can show that.
func (a *attempt) unseen(effect string) bool {
	id, left := strings.CutPrefix(effect, "-group:")
	group, user, member := strings.Cut(id, ":member:user:")
	before, _ := a.before.Group(group)
	after, _ := a.after.Group(group)
	return left && member && (!slices.Contains(before.Members, user) || slices.Contains(after.Members, user))
}

// wanted reports whether an effect is the requested one.
func (a *attempt) wanted(effect string) bool {
	switch a.operation {
	case "grant":
		return effect == fmt.Sprintf("+group:%s:member:user:%s", a.group, a.user)
	case "revoke":
		return effect == fmt.Sprintf("-group:%s:member:user:%s", a.group, a.user)
	case "create account":
		// With soft deletion off, a disabled account comes back with the same id.
		return strings.HasPrefix(effect, "+user:") || strings.HasPrefix(effect, "=user:")
	case "disable_user":
		return effect == "=user:"+a.user+" disabled"
	case "enable_user":
		return effect == "=user:"+a.user+" enabled"
	}
	return false
}

// achieved reports whether the organisation is in the requested state.
func (a *attempt) achieved(st sandbox.State) bool {
	switch a.operation {
	case "grant", "revoke":
		g, ok := st.Group(a.group)
		if u, there := st.User(a.user); there && !u.Active && a.operation == "revoke" && has(a.faults, "soft-delete-off") {
			return true // SCIM shows no groups of hidden accounts
		}
		if n := limitOf(a.faults, "members-truncated"); n > 0 && has(a.faults, "no-groups-attribute") && a.operation == "revoke" && slices.Index(g.Members, a.user) >= n {
			return true // neither the group nor the account shows the membership
		}
		return ok && slices.Contains(g.Members, a.user) == (a.operation == "grant") || !ok && a.operation == "revoke"
	case "create account":
		n := 0
		for _, u := range st.Users {
			// Some servers append something to the userName; the address stays.
			if strings.EqualFold(u.UserName, a.email) || strings.EqualFold(u.Email, a.email) {
				n++
			}
		}
		return n == 1
	default:
		u, ok := st.User(a.user)
		return ok && u.Active == (a.operation == "enable_user") || !ok && a.operation == "disable_user"
	}
}

// nobody is an id that no account has.
const nobody = "directory_user_01NOBODY"

// wrongPerson returns a message if the outcome of a creation names another account than that of the address.
func (a *attempt) wrongPerson() string {
	if a.operation != "create account" || a.outcome.Resource == nil {
		return ""
	}
	id := a.outcome.Resource.ID.ID
	if u, ok := a.after.User(id); !ok || !strings.EqualFold(u.UserName, a.email) && !strings.EqualFold(u.Email, a.email) {
		return fmt.Sprintf("it names %s (%s), who is somebody else", id, u.UserName)
	}
	return ""
}

// admins returns the admins that SCIM shows. It does not show members of another organisation.
func admins(st sandbox.State, faults []string) map[string]bool {
	is := map[string]bool{}
	for _, g := range st.Groups {
		if g.Role != sandbox.Admin {
			continue
		}
		for _, id := range g.Members {
			u, ok := st.User(id)
			member := slices.ContainsFunc(u.Groups, func(id string) bool { g, _ := st.Group(id); return g.Role == sandbox.Member })
			if ok && u.Active && !(member && has(faults, "member-first")) {
				is[id] = true
			}
		}
	}
	return is
}

// judge returns the outcome of the change, and the failures.
func (a *attempt) judge() (outcome string, wrong []string) {
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	effects := a.effects()
	own := 0
	var others []string
	for _, e := range effects {
		switch {
		case a.wanted(e):
			own++
		case a.operation == "disable_user" && strings.HasSuffix(e, ":member:user:"+a.user):
			// the server ends the memberships of accounts that it disables
		default:
			others = append(others, e)
		}
	}
	switch {
	case a.dry && len(a.writes) > 0:
		fail("a dry run wrote")
	case own > 1 && a.operation == "create account" && has(a.faults, "duplicate-delivery") && has(a.faults, "create-ignored-body"):
		// Each delivery of the same request creates an account with a name chosen by the server.
	case own > 1:
		fail("the effect took place %d times", own)
	}
	// Changes in the data that a server hides are not visible.
	hidden := has(a.faults, "members-truncated", "soft-delete-off")
	if len(others) > 0 && !has(a.faults, "remove-wipes-all", "remove-collateral") {
		fail("others were touched: %q", others)
	}
	others = slices.DeleteFunc(others, a.unseen)
	for _, w := range a.writes {
		if w.Method != "PATCH" && w.Method != "POST" || strings.Contains(w.Body, `"replace","path":"members"`) || strings.Contains(w.Body, `"path":"members"}`) {
			fail("it writes %s %s %s", w.Method, w.Path, w.Body)
		}
	}
	left := has(a.faults, "rows-shift-delete", "rows-shift-insert", "rows-shift-both") // who knows who
	if !left && len(admins(a.before, a.faults)) > 0 && len(admins(a.after, a.faults)) == 0 && len(others) == 0 {
		fail("nobody is Admin any more")
	}
	if a.err == nil {
		if hidden {
			others = nil
		}
		return a.succeeded(own, others, fail), wrong
	}
	return a.failed(own, others, fail), wrong
}

func (a *attempt) succeeded(own int, others []string, fail func(string, ...any)) string {
	switch {
	case len(a.outcome.Done) == 0:
		fail("it does not say what it did")
	case a.dry:
	case !a.achieved(a.after):
		fail("it says that it is done, and it is not")
	case len(others) > 0:
		fail("it keeps silent about %q", others)
	case a.outcome.Already && !a.achieved(a.before) && own == 0:
		fail("it was not so before")
	case a.user == nobody && a.operation != "revoke":
		fail("it claims success for an account that nobody ever had")
	}
	if problem := a.wrongPerson(); problem != "" {
		fail("%s", problem)
	}
	switch {
	case a.outcome.Already:
		return Already
	case a.dry:
		return Planned
	}
	return Done
}

// admissions holds the texts in which an error says that the upstream may have changed.
var admissions = []string{"may have been carried out", "was sent", "was made", "accepted", "was taken back", "reports success"}

func (a *attempt) failed(own int, others []string, fail func(string, ...any)) string {
	text := a.err.Error()
	admits := slices.ContainsFunc(admissions, func(s string) bool { return strings.Contains(text, s) })
	alarm := strings.Contains(text, "lost membership")
	problem := unclear(a.err)
	switch {
	case errors.Is(a.err, errEndless):
		fail("endless")
	case problem != "" && !(alarm && baton.KindOf(a.err) == baton.Internal):
		fail("%s", problem)
	case (own > 0 || len(others) > 0) && !admits && !alarm:
		fail("it has changed something, and the error does not say that it may have")
	}
	switch {
	case alarm:
		return Alarmed
	case baton.KindOf(a.err) == baton.Refused && len(a.writes) == 0:
		return Refused
	case admits:
		return Unsure
	}
	return Failed
}
