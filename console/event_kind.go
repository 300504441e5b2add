package console

import (
	"slices"
	"strings"

	"baton"
)

// EventNoun is a group of kinds of events: what they are about.
type EventNoun struct {
	Noun  string // first part of a kind, "request" of "request.granted"
	Label string
	Kinds []EventKind
}

// EventKind is a kind of events.
type EventKind struct {
	Verb  string // second part
	Words string // completes "somebody …"
}

// Name returns the kind as events have it.
func (n EventNoun) Name(k EventKind) string { return n.Noun + "." + k.Verb }

// EventNouns lists every kind of events by noun. test/arch compares it with the sources.
var EventNouns = []EventNoun{
	{"request", "Requests", []EventKind{{"filed", "asked for access"}, {"asked", "asked somebody to decide"}, {"waiting", "waits as the policy says"}, {"stuck", "found nobody who may decide"},
		{"decided", "decided a step"}, {"approved", "approved the request"}, {"reset", "began the decisions again, because something changed"}, {"carried", "handed the request to the connector"},
		{"granted", "saw what was asked for in a sync"}, {"revoked", "saw in a sync that the access is gone"}, {"denied", "denied the request"}, {"cancelled", "cancelled the request"}, {"error", "could not carry out the request"},
		{"by-hand", "left the request to an owner, by hand"}, {"wait-timed-out", "ended the request, which took too long"}, {"commented", "commented on the request"},
		{"review-due", "asks for a look at an emergency"}, {"reviewed", "looked at an emergency"}}},
	{"operation", "Changes of access", []EventKind{{"waiting", "lets the change wait for another one"}, {"queued", "asked the connector for the change"}, {"manual", "left the change to a person"}, {"dispatched", "took the change"},
		{"applied", "reported that the change is made"}, {"unknown", "has not said whether the change is made"}, {"failed", "reported that the change failed"}, {"declined", "refused the change"},
		{"verified", "saw the change in a later sync"}, {"contradicted", "saw in a later sync that the change is not there"}, {"superseded", "replaced the change by a newer one"},
		{"cancelled", "cancelled the change"}, {"denied", "was not allowed the change by a guard"}, {"account-named", "learned which account the change is for"}}},
	{"plan", "Plans to remove access", []EventKind{{"added", "made a plan"}, {"ready", "computed a plan"}, {"draft", "asked to compute a plan again"}, {"stale", "saw that what a plan relies on has changed"}, {"applying", "applied a plan"},
		{"stopped", "stopped a plan"}, {"verifying", "asked for all changes of a plan"}, {"complete", "saw that all changes of a plan are over"}, {"discarded", "discarded a plan"}}},
	{"access", "Access that needs somebody", []EventKind{{"came-back", "saw removed access again"}, {"overdue", "saw that the time of access is over, and the access is still there"}, {"drained", "saw that overdue access is gone"}}},
	{"finding", "Findings", []EventKind{{"appeared", "found something that needs somebody"}, {"accepted", "accepted a finding"}, {"snoozed", "put a finding off"}, {"reopened", "opened a finding again"},
		{"returned", "saw that the time of an accepted finding is over"}, {"resolved", "saw that the cause of a finding is gone"}}},
	{"change", "Changes made elsewhere", []EventKind{{"explained", "explained a change"}}},
	{"reason", "Reasons of access", []EventKind{{"added", "wrote a reason"}, {"ended", "ended a reason"}, {"until-changed", "changed until when"}, {"account-named", "learned which account a reason is for"}}},
	{"bar", "Bars", []EventKind{{"added", "barred it: no rule brings it back"}, {"lifted", "lifted the bar"}}},
	{"sync", "Syncs", []EventKind{{"received", "received a sync"}, {"applied", "applied a sync"}, {"held", "held a sync"}, {"held-by-connector", "was told that the connector holds a sync"}, {"confirmed", "confirmed a held sync"},
		{"discarded", "discarded a held sync"}, {"refused", "refused a sync"}, {"superseded", "replaced a sync by a newer one"}, {"failed", "was told that a sync failed"}, {"downloaded", "downloaded the file of a sync"}}},
	{"connector", "Connectors", []EventKind{{"added", "added the connector"}, {"changed", "changed the connector"}, {"configured", "changed settings of the connector"}, {"continued", "let the connector continue another one"}, {"removed", "removed the connector"},
		{"state-changed", "saw that the state of the connector changed"}}},
	{"host", "Hosts of connectors", []EventKind{{"appeared", "saw a host of the connector for the first time"}}},
	{"credential", "Credentials of connectors", []EventKind{{"added", "made credentials of the connector"}, {"expires", "limited credentials of the connector"}, {"revoked", "revoked credentials of the connector"},
		{"ending", "saw that credentials of a connector end soon"}}},
	{"action", "Actions of connectors", []EventKind{{"run", "ran an action"}, {"dispatched", "took the action"}, {"applied", "reported that the action is done"}, {"unknown", "has not said whether the action is done"}, {"failed", "reported that the action failed"}}},
	{"app", "Applications", []EventKind{{"added", "added the application"}, {"changed", "changed the application"}, {"removed", "removed the application"}, {"roles-changed", "changed which roles the application has"},
		{"provisioning-changed", "changed how accounts of the application are made"}, {"seats-changed", "changed the purchased seats of the application"}, {"managed", "made an application that was found a managed one"}}},
	{"entitlement", "Entitlements", []EventKind{{"alias-changed", "changed the alias of the entitlement"}}},
	{"account", "Accounts", []EventKind{{"owner-changed", "changed whose account it is"}, {"type-changed", "changed the type of the account"}, {"ready", "saw that the account is there"}}},
	{"policy", "Policies", []EventKind{{"changed", "changed a policy"}, {"removed", "removed a policy"}}},
	{"requirement", "Requirements", []EventKind{{"changed", "changed what must be held for it"}, {"evidence", "stored what meets the requirement"}, {"lacking", "saw that a requirement is not met any more"},
		{"capped", "waits for a person: more would lose access than the cap allows"}, {"confirmed", "confirmed that access ends without the requirement"}}},
	{"exemption", "Exemptions", []EventKind{{"added", "exempted the person from a requirement"}, {"ended", "ended an exemption"}}},
	{"campaign", "Reviews", []EventKind{{"added", "added the review"}, {"changed", "changed the review"}, {"draft", "went back to the draft of the review"}, {"preparing", "began to freeze what is reviewed"}, {"staged", "froze what is reviewed"},
		{"running", "started the review"}, {"closing", "ended the decisions of the review"}, {"remediating", "began to carry out the removals of the review"}, {"verifying", "began to wait for the syncs that show the removals"},
		{"planned", "planned the removals of the review"}, {"waiting", "waits until the review can be prepared"}, {"exported", "made the evidence pack of the review"}, {"complete", "completed the review"}, {"cancelled", "cancelled the review"}}},
	{"review", "Decisions of reviews", []EventKind{{"assigned", "asked somebody to review"}, {"unassigned", "no longer asks somebody to review"}, {"submitted", "submitted decisions"}, {"reminded", "reminded the reviewers with open items"}}},
	{"incompatible", "Incompatible entitlements", []EventKind{{"added", "declared two entitlements incompatible"}, {"ended", "ended that two entitlements are incompatible"}}},
	{"request-settings", "Settings of requests", []EventKind{{"changed", "changed what may be requested"}}},
	{"automation", "Automations", []EventKind{{"added", "added an automation"}, {"changed", "changed the draft of an automation"}, {"published", "published an automation"}, {"paused", "paused an automation"},
		{"resumed", "resumed an automation"}, {"stopped", "stopped an automation, because it may not run any more"}, {"tripped", "stopped an automation by its circuit breaker"}, {"removed", "removed an automation"},
		{"asked", "asked somebody whether an automation may run"}, {"decided", "decided whether an automation may run"}, {"began", "began to run an automation"}, {"ended", "ended a run of an automation"}, {"mailed", "sent mail, as an automation says"}, {"posted", "called a webhook, as an automation says"},
		{"released", "decided about runs of an automation that waited"}}},
	{"amendment", "Changes that take two people", []EventKind{{"proposed", "proposed a change that takes two people"}, {"confirmed", "confirmed a change as the second person"}, {"discarded", "discarded a change that takes two people"}}},
	{"delegation", "Delegations", []EventKind{{"changed", "changed who decides in place of the person"}}},
	{"person", "People", []EventKind{{"added", "added the person"}, {"changed", "changed the person"}, {"merged", "merged two people"}, {"roles-changed", "changed the roles in the console"},
		{"erased", "erased the personal data"}, {"payloads-erased", "removed erased data from events"}, {"erasure-finished", "finished an erasure"},
		{"roles-kept", "kept a role that groups do not give"}, {"mail-chosen", "chose when mail comes"}, {"directory-conflict", "saw that directories disagree about the person"}}},
	{"login", "Logins", []EventKind{{"invited", "invited"}, {"set", "set up a login"}, {"refused", "refused a login with a provider"}, {"break-glass", "signed in with the login for emergencies"}}},
	{"session", "Sessions", []EventKind{{"began", "signed in"}, {"ended", "signed out"}}},
	{"identity", "Ways to sign in", []EventKind{{"bound", "connected a way to sign in"}, {"removed", "removed a way to sign in"}}},
	{"provider", "Identity providers", []EventKind{{"added", "added an identity provider"}, {"changed", "changed an identity provider"}, {"removed", "removed an identity provider"}}},
	{"scim", "People by SCIM", []EventKind{{"source-added", "connected an identity provider that pushes people"}, {"source-removed", "removed an identity provider that pushes people"},
		{"token-added", "made a token for an identity provider"}, {"token-revoked", "revoked a token of an identity provider"}, {"user-added", "pushed a new user"}, {"user-changed", "changed a user"},
		{"user-deleted", "deleted a user"}, {"user-restored", "pushed a deleted user again"}, {"group-added", "pushed a new group"}, {"group-changed", "changed a group"}, {"group-removed", "deleted a group"},
		{"group-role-changed", "changed the role that a group gives"}}},
	{"client", "API credentials", []EventKind{{"added", "made an API credential"}, {"revoked", "revoked an API credential"}, {"ending", "saw that an API credential ends soon"}}},
	{"device", "Programs that ask for a credential", []EventKind{{"waiting", "asked for a credential"}, {"allowed", "allowed a program a credential"}, {"refused", "refused a program a credential"}, {"answered", "got a credential"}}},
	{"call", "Refused calls", []EventKind{{"denied", "was refused a call"}}},
	{"audit", "Audit log", []EventKind{{"exported", "exported events"}, {"reported", "made the report for auditors"}, {"streamed", "read the stream of events"}, {"head-sent", "sent a signed head"}, {"head-downloaded", "downloaded a head"}, {"key-made", "made the key of heads"},
		{"export-configured", "changed where events go"}, {"export-failed", "could not send events"}}},
	{"recovery", "Recovery cards", []EventKind{{"changed", "saw that the recovery card changed"}, {"printed", "noted whether a copy of the recovery card is kept"}}},
	{"list", "Lists", []EventKind{{"exported", "exported a list"}}},
	{"retention", "Retention", []EventKind{{"changed", "changed how long records are kept"}, {"applied", "removed records that are not kept any longer"}}},
	{"history", "History of access", []EventKind{{"forgotten", "moved the day since when the history of access is kept"}}},
	{"file", "Files", []EventKind{{"dropped", "dropped an old file"}}},
	{"mail", "Mail", []EventKind{{"configured", "changed the mail server"}, {"retried", "sent a mail again"}}},
	{"webhook", "Webhooks", []EventKind{{"added", "added a webhook"}, {"changed", "changed a webhook"}, {"rotated", "changed the secret of a webhook"}, {"paused", "paused a webhook"}, {"resumed", "resumed a webhook"},
		{"stopped", "stopped a webhook"}, {"removed", "removed a webhook"}, {"replayed", "sent events to a webhook again"}, {"tested", "tested a webhook"}, {"received", "received a message at an incoming webhook"}}},
	{"hook", "Incoming webhooks", []EventKind{{"added", "added an incoming webhook"}, {"changed", "changed an incoming webhook"}, {"rotated", "changed the secret of an incoming webhook"}, {"removed", "removed an incoming webhook"}}},
	{"configuration", "Configuration files", []EventKind{{"applied", "applied configuration files"}, {"exported", "exported the configuration"}}},
	{"setting", "Settings", []EventKind{{"changed", "changed a setting"}}},
	{"secret", "Sealed secrets", []EventKind{{"set", "set a secret"}, {"removed", "removed a secret"}, {"lost", "lost a secret, because its key is missing"}}},
	{"keys", "Keys of secrets", []EventKind{{"rotated", "sealed secrets with another key"}}},
	{"console", "The console", []EventKind{{"paused", "changed what is paused"}, {"moved", "moved the console to another database"}, {"backed-up", "made a backup"}}},
	{"epoch", "Restores", []EventKind{{"began", "began again after a restore"}}},
}

var eventWords = func() map[string]string {
	words := map[string]string{}
	for _, n := range EventNouns {
		for _, k := range n.Kinds {
			words[n.Name(k)] = k.Words
		}
	}
	return words
}()

// EventWords returns the description of a kind of events, which completes "somebody …".
func EventWords(kind string) string {
	if words := eventWords[kind]; words != "" {
		return words
	}
	return strings.NewReplacer(".", ": ", "-", " ").Replace(kind)
}

// CheckEventKinds returns the kinds that somebody chose, sorted: "noun.verb", or "noun.*" for all of
// a noun. The error is Invalid if one does not exist.
func CheckEventKinds(chosen []string) (kinds []string, err error) {
	for _, c := range chosen {
		if slices.Contains(kinds, c) {
			continue
		}
		noun, verb, _ := strings.Cut(c, ".")
		i := slices.IndexFunc(EventNouns, func(n EventNoun) bool { return n.Noun == noun })
		if i < 0 || verb != "*" && eventWords[c] == "" {
			return nil, baton.Errorf(baton.Invalid, "there is no kind of events %q", c).WithFix("Write it like request.granted, or request.* for all of requests.")
		}
		kinds = append(kinds, c)
	}
	slices.Sort(kinds)
	return slices.DeleteFunc(kinds, func(k string) bool {
		noun, verb, _ := strings.Cut(k, ".")
		return verb != "*" && slices.Contains(kinds, noun+".*")
	}), nil
}

// chosenKind reports whether a kind is among those that somebody chose.
func chosenKind(chosen []string, kind string) bool {
	noun, _, _ := strings.Cut(kind, ".")
	return slices.Contains(chosen, kind) || slices.Contains(chosen, noun+".*")
}
