package govern

import (
	"cmp"
	"time"

	"baton/console"
)

// Sentence says what a finding is about, for display.
func (r FindingRow) Sentence() string {
	account := cmp.Or(r.Account.Name, r.Account.ID, "An account")
	access := cmp.Or(r.Entitlement.Name, r.Entitlement.ID, "its access")
	person := cmp.Or(r.Person.Name, "somebody")
	if r.Finding.Entitlement == console.AccountItself {
		access = "an enabled account"
	}
	why := r.Detail["why"]
	switch r.Kind {
	case console.AdminsBelow:
		return "It has " + administrators(r.Detail["admins"]) + ", fewer than its minimum of " + r.Detail["minimum"] + "."
	case console.AdminsNear:
		return "It has " + administrators(r.Detail["admins"]) + ", which is its minimum: none of them can be removed or disabled, and a mistake at the identity provider leaves too few."
	case console.SyncHeldWaits:
		return "A sync is not applied: " + cmp.Or(why, "it shows much less than the one before") + "."
	case console.AccessOverdue:
		return account + " still has " + access + ", although the time is over. " + why
	case console.AccessCameBack:
		return account + " has " + access + " again. The console had removed it, and a sync had shown that."
	case console.ConnectorFailing, console.ConnectorOffline, console.ConnectorNotCalled:
		return why
	case console.AutomationHalted:
		return "The automation “" + r.Detail["name"] + "” does not run. " + why
	case console.UnexplainedChange:
		if r.Detail["verb"] == string(console.Revoke) {
			return account + " lost " + access + ", and nobody asked for that here."
		}
		return account + " got " + access + ", and nobody asked for that here."
	case console.RoleUnclear:
		return account + " holds several roles, and the settings do not say which of them counts."
	case console.AccountSeveral:
		return account + " holds several roles. One of them has no effect."
	case console.OperationByHand:
		if r.Detail["verb"] == string(console.Revoke) {
			return person + " is to lose " + access + ", and the connector does not do it."
		}
		return person + " is to get " + access + ", and the connector does not do it."
	case console.AccountExcluded:
		return "The account that was made for " + person + " is in no sync since. Perplexity, for example, leaves out people who are members of another organization: ask the person to leave that one. The account may use a seat all the same."
	case console.CourseLapsed:
		return account + " has " + access + " and lacks what it requires: " + why + "."
	case console.IncompatibleAccess:
		return cmp.Or(r.Owner.Name, account) + " has " + access + " and also " + r.Detail["other"] + ", which are declared incompatible: " + why + "."
	case console.AccountOrphaned:
		return account + " is enabled, and its owner " + r.Owner.Name + " is " + orphan(r.Owner.Status) + "."
	case console.SeatsExceeded:
		return "At least " + r.Detail["used"] + " seats are used or reserved, and " + r.Detail["purchased"] + " are purchased."
	case console.SeatsNear:
		return "At least " + r.Detail["used"] + " of " + r.Detail["purchased"] + " purchased seats are used or reserved."
	case console.SeatsRenewal:
		return "The contract of " + r.Detail["purchased"] + " seats is renewed on " + r.Detail["renewal"] + ": look before that which seats can be freed."
	case console.CredentialEnds:
		return "It works until " + dayOf(r.Detail["ends"]) + ", and there is none that works longer."
	case console.AppWithoutOwner:
		return "No active person owns it, so that nobody decides about it."
	case console.AccountWithout:
		return "Nobody is responsible for the service account " + account + "."
	case console.AccountUnmatched:
		return account + " belongs to nobody: its addresses are those of no person, or of several."
	}
	return cmp.Or(why, r.Rule.Label+".")
}

func administrators(n string) string {
	if n == "1" {
		return "1 certain administrator"
	}
	return cmp.Or(n, "0") + " certain administrators"
}

func orphan(s console.PersonStatus) string {
	if s == console.PersonGone {
		return "gone"
	}
	return "disabled"
}

func dayOf(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return "an unknown time"
	}
	return at.UTC().Format("2 Jan 2006 15:04") + " UTC"
}
