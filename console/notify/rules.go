package notify

import (
	"slices"

	"baton/console"
)

const (
	ordinary = console.OrdinaryNotice
	security = console.SecurityNotice
)

// Rules defines who is notified of which event.
var Rules = []Rule{
	// Owners.
	{Kind: "app.added", To: listed("owners"), Class: ordinary,
		Subject: `You are an owner of {{.App.Name}}`,
		Text:    `{{.By}} added the application {{.App.Name}} and made you an owner of it. Owners see who has access to it and change its settings.`,
		Path:    `/applications/{{.App.ID}}`},
	{Kind: "app.changed", To: joined("owners_before", "owners"), Class: ordinary,
		Subject: `You are an owner of {{.App.Name}}`,
		Text:    `{{.By}} made you an owner of the application {{.App.Name}}. Owners see who has access to it and change its settings.`,
		Path:    `/applications/{{.App.ID}}`},
	{Kind: "app.changed", To: joined("owners", "owners_before"), Class: ordinary,
		Subject: `You are no owner of {{.App.Name}} any more`,
		Text:    `{{.By}} removed you from the owners of the application {{.App.Name}}.`,
		Path:    `/applications`},
	{Kind: "connector.added", To: listed("owners"), Class: ordinary,
		Subject: `You are an owner of the connector {{.Connector.Name}}`,
		Text:    `{{.By}} added the connector {{.Connector.Name}} of {{.App.Name}} and made you an owner of it. Owners configure it and are told when it needs somebody.`,
		Path:    `/connectors/{{.Connector.ID}}`},
	{Kind: "connector.changed", To: joined("owners_before", "owners"), Class: ordinary,
		Subject: `You are an owner of the connector {{.Connector.Name}}`,
		Text:    `{{.By}} made you an owner of the connector {{.Connector.Name}} of {{.App.Name}}. Owners configure it and are told when it needs somebody.`,
		Path:    `/connectors/{{.Connector.ID}}`},
	{Kind: "connector.changed", To: joined("owners", "owners_before"), Class: ordinary,
		Subject: `You are no owner of the connector {{.Connector.Name}} any more`,
		Text:    `{{.By}} removed you from the owners of the connector {{.Connector.Name}} of {{.App.Name}}.`,
		Path:    `/connectors`},

	// Connectors.
	{Kind: "connector.state-changed", To: owners, Class: ordinary, Channel: true,
		Subject: `Connector {{.Connector.Name}}: {{.Data.after}}`,
		Text:    `The connector {{.Connector.Name}} of {{.App.Name}}: {{.Data.after}}. {{.Data.sentence}}`,
		Path:    `/connectors/{{.Connector.ID}}`},
	{Kind: "credential.ending", To: owners, Class: ordinary, Channel: true, When: ofConnector,
		Subject: `Connector {{.Connector.Name}}: its credentials end on {{.Time "expires"}}`,
		Text:    `The credentials {{.Data.client_id}} of the connector {{.Connector.Name}} work until {{.Time "expires"}}. Rotate makes new ones; the old ones still work for a day after it.`,
		Path:    `/connectors/{{.Connector.ID}}/settings`},

	{Kind: "client.ending", To: users, Class: ordinary, Channel: true,
		Subject: `The API credential {{.Data.name}} ends on {{.Time "expires"}}`,
		Text:    `The credential {{.Data.name}} ({{.Data.client_id}}){{if .Data.service}} of the service {{.Person.Name}}{{end}} works until {{.Time "expires"}}. Make another one and give it to the programs that use it.`,
		Path:    `/{{if .Data.service}}settings/api-credentials{{else}}credentials{{end}}`},

	// Requests. Notices go only to people who can act, and to the subject.
	{Kind: "request.asked", To: listed("asked"), Class: ordinary, Asks: true,
		Subject: `{{.Person.Name}} {{if index .Data "revoke"}}is to lose {{.Data.what}}{{else}}asks for {{.Data.what}} {{.Data.for}}{{end}}`,
		Text:    `{{.Person.Name}} {{if index .Data "revoke"}}is to lose {{.Data.what}} of {{.App.Name}}{{else}}asks for {{.Data.what}} of {{.App.Name}} {{.Data.for}}{{end}}.`,
		You:     `You are one of those who may decide.`, Channel: true,
		Path: `/requests/{{.Event.Object}}`},
	{Kind: "request.stuck", To: owners, Class: ordinary, Channel: true,
		Subject: `Nobody may decide {{if index .Data "revoke"}}whether {{.Person.Name}} loses {{.Data.what}}{{else}}what {{.Person.Name}} asks for{{end}}`,
		Text:    `{{.Person.Name}} {{if index .Data "revoke"}}is to lose{{else}}asks for{{end}} {{.Data.what}} of {{.App.Name}}, and nobody may decide about it any more. {{with index .Data "fix"}}{{.}}{{else}}Name an owner, a manager or somebody else whom the policy asks.{{end}}`,
		Path:    `/requests/{{.Event.Object}}`},
	{Kind: "request.granted", To: asker, Class: ordinary, Channel: true,
		Subject: `Granted: {{.Data.what}} {{.Data.for}}`,
		Text:    `{{.Person.Name}} has {{.Data.what}} of {{.App.Name}}: a sync shows it.`,
		Path:    `/requests/{{.Event.Object}}`},
	{Kind: "request.denied", To: asker, Class: ordinary, Channel: true,
		Subject: `Denied: {{.Data.what}}`,
		Text:    `The request of {{.Person.Name}} for {{.Data.what}} of {{.App.Name}} was denied.{{with .Data.why}} {{.}}{{end}}`,
		Path:    `/requests/{{.Event.Object}}`},
	{Kind: "request.error", To: asker, Class: ordinary, Channel: true,
		Subject: `Failed: {{.Data.what}}`,
		Text:    `The request of {{.Person.Name}} for {{.Data.what}} of {{.App.Name}} was not carried out.{{with .Data.why}} {{.}}{{end}}`,
		Path:    `/requests/{{.Event.Object}}`},
	{Kind: "request.error", To: appOwners, Class: ordinary,
		Subject: `Failed for {{.Person.Name}}: {{.Data.what}}`,
		Text:    `The request of {{.Person.Name}} for {{.Data.what}} of {{.App.Name}} was approved or asked for, and was not carried out.{{with .Data.why}} {{.}}{{end}}`,
		Path:    `/requests/{{.Event.Object}}`},
	{Kind: "request.by-hand", To: asker, Class: ordinary, Channel: true,
		Subject: `Takes longer: {{.Data.what}}`,
		Text:    `An owner of {{.App.Name}} has to carry out by hand what was approved for {{.Person.Name}}: {{.Data.what}}.{{with .Data.why}} {{.}}{{end}}`,
		Path:    `/requests/{{.Event.Object}}`},
	{Kind: "request.wait-timed-out", To: asker, Class: ordinary, Channel: true,
		Subject: `Timed out: {{.Data.what}}`,
		Text:    `The request of {{.Person.Name}} for {{.Data.what}} of {{.App.Name}} ended by itself.{{with .Data.why}} {{.}}{{end}}`,
		Path:    `/requests/{{.Event.Object}}`},
	{Kind: "account.ready", To: subject, Class: ordinary, When: welcome,
		Subject: `You have an account in {{.App.Name}}`,
		Text:    `Welcome to {{.App.Name}}: your account is there. It has no password of its own; sign in as you do at the company.{{with .Data.text}} {{.}}{{end}}`,
		Path:    `/`},
	{Kind: "request.review-due", To: reviewers, Class: ordinary, Channel: true,
		Subject: `An emergency to look at: {{.Data.what}} for {{.Person.Name}}`,
		Text:    `{{.Person.Name}} got {{.Data.what}} of {{.App.Name}} {{.Data.for}} as an emergency. Somebody who did not approve it has to look at it afterwards.`,
		Path:    `/requests/{{.Event.Object}}`},
	{Kind: "requirement.lacking", To: subject, Class: ordinary, When: ends,
		Subject: `Something that you need for {{.App.Name}} is missing`,
		Text:    `What you hold in {{.App.Name}} requires more than you have now. {{.Data.why}}. The access ends after {{.Time "ends"}}, unless a sync shows it before.`,
		Path:    `/`},
	{Kind: "requirement.capped", To: appOwners, Class: ordinary,
		Subject: `{{.Data.holders}} people are to lose access to {{.App.Name}}: somebody has to confirm`,
		Text:    `More holders of an entitlement of {{.App.Name}} do not meet its requirement than may lose access in a day. Nobody loses it before an owner, a Security Officer or a Super Administrator confirms the list.`,
		Path:    `/applications/{{.App.ID}}/entitlements/{{.Event.Entitlement}}/requirement`},
	{Kind: "amendment.proposed", To: guardians, Class: ordinary, Channel: true,
		Subject: `{{.By}} proposes a change that takes two people`,
		Text:    `{{.By}} proposes a change{{with .App.Name}} of {{.}}{{end}} after which less is asked of somebody who wants access. It waits for a second person.{{with .Data.why}} The reason given: {{.}}{{end}}`,
		Path:    `/policies`},

	// Automations.
	{Kind: "automation.mailed", To: listed("to"), Class: ordinary,
		Subject: `{{.Data.subject}}`,
		Text:    `{{.Data.text}} The automation {{.Data.name}} of {{.App.Name}} sends this.`,
		Path:    `/`},
	{Kind: "automation.asked", To: listed("asked"), Class: ordinary,
		Subject: `{{.By}} asks that the automation {{.Data.name}} runs`,
		Text:    `{{.By}} asks that the automation {{.Data.name}} of {{.App.Name}} runs{{with .Person.Name}} for {{.}}{{end}}.{{with .Data.why}} The reason given: {{.}}{{end}}`,
		You:     `You are one of those who may decide.`,
		Path:    `/automation-requests/{{.Data.execution}}`},
	{Kind: "automation.tripped", To: automationOwners, Class: ordinary, Channel: true,
		Subject: `The automation {{.Data.name}} was stopped by its circuit breaker`,
		Text:    `The automation {{.Data.name}} of {{.App.Name}} does not run any more. {{.Data.why}} What it was to do next waits until somebody lets it run or cancels it.`,
		Path:    `/automations/{{.Event.Object}}`},
	{Kind: "automation.stopped", To: automationOwners, Class: ordinary, Channel: true,
		Subject: `The automation {{.Data.name}} was stopped`,
		Text:    `The automation {{.Data.name}} of {{.App.Name}} does not run any more. {{.Data.why}} What it was to do waits until somebody resumes it.`,
		Path:    `/automations/{{.Event.Object}}`},
	{Kind: "automation.ended", To: automationOwners, Class: ordinary, When: failedRun,
		Subject: `A run of the automation {{.Data.name}} failed`,
		Text:    `A run of the automation {{.Data.name}} of {{.App.Name}} failed. {{.Data.why}}`,
		Path:    `/automations/{{.Event.Object}}/runs/{{.Data.execution}}`},

	// Changes of access that need somebody.
	{Kind: "operation.manual", To: appOwners, Class: ordinary, Channel: true,
		Subject: `By hand in {{.App.Name}}: {{.Data.what}} for {{or .Person.Name "an account"}}`,
		Text: `{{if eq .Data.verb "grant"}}{{or .Person.Name "An account"}} is to get {{.Data.what}} of {{.App.Name}}{{else}}{{.Data.what}} of {{.App.Name}} is to be taken from {{or .Person.Name "an account"}}{{end}}, ` +
			`and the connector does not do it. {{.Data.why}} The page says what to do, step by step. Mark it as done there: the next sync checks it.`,
		Path: `/applications/{{.App.ID}}/operations/{{.Event.Object}}`},
	{Kind: "access.overdue", To: everyOwner, Class: ordinary, Channel: true,
		Subject: `Overdue: {{or .Person.Name "an account"}} still has {{.Data.what}} of {{.App.Name}}`,
		Text:    `The time of {{or .Person.Name "an account"}} for {{.Data.what}} of {{.App.Name}} was over at {{.Time "expired"}}, and the access is still there. {{.Data.why}}`,
		Path:    `/applications/{{.App.ID}}/operations?filter=overdue`},
	{Kind: "access.came-back", To: everyOwner, Class: ordinary, Channel: true,
		Subject: `Came back: {{or .Person.Name "an account"}} has {{.Data.what}} of {{.App.Name}} again`,
		Text: `The access of {{or .Person.Name "an account"}} to {{.Data.what}} of {{.App.Name}} was removed, a sync had shown that it was gone, and the newest sync shows it again. ` +
			`{{with .Data.stop}}It is not removed again: {{.}}.{{end}}{{with .Data.fix}} {{.}}{{else}} Look at who gave it, and remove it again if nobody should have it.{{end}}`,
		Path: `/applications/{{.App.ID}}/operations/{{.Event.Object}}`},

	{Kind: "webhook.stopped", To: administrators, Class: security, Channel: true,
		Subject: `Webhook stopped: {{or .Data.description .Data.address}}`,
		Text:    `Nothing is sent to the webhook {{.Data.address}}{{with .Data.description}} ({{.}}){{end}} any more. {{.Data.why}} Resume it when its receiver works, and replay what it missed.`,
		Path:    `/settings/webhooks/{{.Event.Object}}`},

	// Findings. Kinds whose cause is told by an event of its own are not told again.
	{Kind: "finding.appeared", To: findingOwners, Class: ordinary, When: tells,
		Subject: `{{.App.Name}}: {{if eq .Data.count 1.0}}{{.Data.label}}{{else}}{{.Data.count}}{{if index .Data "more"}} or more{{end}} {{.Data.many}}{{end}}`,
		Text: `{{if eq .Data.count 1.0}}A finding in {{.App.Name}} needs somebody: {{.Data.label}}.{{else}}{{.Data.count}}{{if index .Data "more"}} or more{{end}} findings in {{.App.Name}} need somebody: {{.Data.many}}.{{end}} ` +
			`Each can be accepted until a day, with a reason.`,
		Path: `/findings?app={{.App.ID}}&kind={{.Data.kind}}`},
	{Kind: "recovery.changed", To: copyHolders, Class: ordinary, Channel: true,
		Subject: `The recovery card of {{.App.Name}} changed: {{.Data.what}}`,
		Text:    `The recovery card of {{.App.Name}} is version {{.Data.version}} now: {{.Data.what}}. Copies of earlier versions are out of date: print it again, or download the file.`,
		Path:    `/applications/{{.App.ID}}/recovery`},
	{Kind: "finding.returned", To: findingOwners, Class: ordinary,
		Subject: `{{.App.Name}}: {{.Data.label}}, open again`,
		Text:    `A finding in {{.App.Name}} was {{if .Data.why}}accepted{{else}}snoozed{{end}} until {{.Time "until"}} and is open again: {{.Data.label}}.{{with .Data.why}} The reason was: {{.}}{{end}}`,
		Path:    `/findings?app={{.App.ID}}&kind={{.Data.kind}}`},

	// Reviews. Reviewers are told only while they have something to decide.
	{Kind: "campaign.running", To: listed("reviewers"), Class: ordinary,
		Subject: `Please review who has access: {{.Data.name}}`,
		Text:    `The review “{{.Data.name}}” began. You are asked about a part of it, until {{.Time "ends"}}.`,
		Path:    `/reviews/{{.Event.Object}}`},
	{Kind: "review.assigned", To: subject, Class: ordinary, When: running,
		Subject: `Please review who has access: {{.Data.name}}`,
		Text:    `You are asked about {{.Data.count}} more in the review “{{.Data.name}}”.{{with .Data.why}} The reason given: {{.}}.{{end}}`,
		Path:    `/reviews/{{.Event.Object}}`},
	{Kind: "review.reminded", To: listed("reviewers"), Class: ordinary,
		Subject: `Not reviewed yet: {{.Data.name}}`,
		Text:    `The review “{{.Data.name}}” waits for decisions of yours. It ends on {{.Time "ends"}}. Decisions that are not submitted do not count.`,
		Path:    `/reviews/{{.Event.Object}}`},
	{Kind: "campaign.waiting", To: listed("owners"), Class: ordinary,
		Subject: `The review {{.Data.name}} cannot begin`,
		Text:    `The review “{{.Data.name}}” begins by itself as soon as its sources are accurate enough. {{.Data.why}}`,
		Path:    `/campaigns/{{.Event.Object}}`},
	{Kind: "campaign.closing", To: joined("owners", "app_owners"), Class: ordinary, When: unanswered,
		Subject: `Nobody answered {{.Data.unanswered}} of {{.Data.items}} in the review {{.Data.name}}`,
		Text:    `The review “{{.Data.name}}” ended. Nobody decided about {{.Data.unanswered}} of its {{.Data.items}} accesses, some of them in applications that you own.`,
		Path:    `/reviews/{{.Event.Object}}`},
	{Kind: "campaign.closing", To: listed("owners"), Class: ordinary,
		Subject: `The decisions of the review {{.Data.name}} ended`,
		Text:    `The review “{{.Data.name}}” ended: {{.Data.decided}} of {{.Data.items}} accesses are decided. What is to be removed becomes a plan, which somebody applies.`,
		Path:    `/campaigns/{{.Event.Object}}`},

	// People and their logins.
	{Kind: "login.invited", To: subject, Class: security, Invitation: true,
		Subject: `Set up your login`,
		Text:    `{{.By}} invites you to the console in which the company governs access. The link works once, until {{.Time "expires"}}.`,
		Path:    `/`},
	{Kind: "login.set", To: subject, Class: security,
		Subject: `Your login was set up`,
		Text:    `Password and one-time codes of your login {{.Data.name}} were set. If it was not you, tell an administrator at once.`,
		Path:    `/`},
	{Kind: "identity.bound", To: subject, Class: security,
		Subject: `A new way to sign in as you`,
		Text:    `Your account at {{.Data.issuer}} signs you in to the console from now on. If it was not you, tell an administrator at once.`,
		Path:    `/people/{{.Person.ID}}`},
	{Kind: "identity.removed", To: subject, Class: security,
		Subject: `A way to sign in as you was removed`,
		Text:    `Your account at {{.Data.issuer}} does not sign you in to the console any more.`,
		Path:    `/people/{{.Person.ID}}`},
	{Kind: "person.roles-changed", To: subject, Class: security,
		Subject: `Your roles in the console changed`,
		Text:    `{{.By}} changed your roles in the console. Before: {{.Roles "before"}}. Now: {{.Roles "after"}}.`,
		Path:    `/people/{{.Person.ID}}`},
	{Kind: "person.roles-changed", To: guardians, Class: security, Channel: true, When: ofGuardians,
		Subject: `Roles of {{.Person.Name}} in the console changed`,
		Text:    `{{.By}} changed the roles of {{.Person.Name}} in the console. Before: {{.Roles "before"}}. Now: {{.Roles "after"}}.`,
		Path:    `/people/{{.Person.ID}}`},
	{Kind: "login.break-glass", To: guardians, Class: security, Channel: true,
		Subject: `The login for emergencies was used: {{.Person.Name}}`,
		Text:    `Somebody signed in as {{.Person.Name}}, the login for emergencies, from {{or .Event.Address "an unknown address"}} at {{.Event.At.UTC.Format "2 Jan 2006 15:04"}} UTC. If nobody meant to, disable it and look at what was done.`,
		Path:    `/people/{{.Person.ID}}`},
}

// subject is the person whom the event is about.
func subject(v View) ([]console.ID, error) { return []console.ID{v.Event.Person}, nil }

// asker are the subject and the requester of a request.
func asker(v View) ([]console.ID, error) {
	ids := []console.ID{v.Event.Person}
	if r, ok := v.Data["requester"].(string); ok {
		ids = append(ids, console.ID(r))
	}
	return ids, nil
}

// listed are the people in a field of the event's data.
func listed(field string) Recipients {
	return func(v View) ([]console.ID, error) { return v.IDs(field), nil }
}

// joined are the people who are in one field of the event's data and were not in another.
func joined(before, after string) Recipients {
	return func(v View) ([]console.ID, error) {
		had := v.IDs(before)
		return slices.DeleteFunc(v.IDs(after), func(id console.ID) bool { return slices.Contains(had, id) }), nil
	}
}

// owners are the active owners of the connector, or else those of the app, or else the connector
// administrators, so that there is always somebody.
func owners(v View) ([]console.ID, error) {
	return firstActive(v, v.Connector.Owners, v.App.Owners)
}

func firstActive(v View, lists ...[]console.ID) ([]console.ID, error) {
	for _, ids := range lists {
		active := false
		for _, id := range ids {
			p, err := canonical(v.directory, id)
			if err != nil {
				return nil, err
			}
			active = active || p.Status == console.PersonActive
		}
		if active {
			return ids, nil
		}
	}
	return withRoles(v, console.ConnectorAdministrator, console.SuperAdministrator)
}

// users are the person of a client, or for a service whoever made it, if that person is
// active, or else those who administer the console.
func users(v View) ([]console.ID, error) {
	if service, _ := v.Data["service"].(bool); !service {
		return subject(v)
	}
	creator, _ := v.Data["creator"].(string)
	p, err := canonical(v.directory, console.ID(creator))
	if err != nil || p.Status == console.PersonActive {
		return []console.ID{p.ID}, err
	}
	return withRoles(v, console.SuperAdministrator)
}

// guardians are the people responsible for the console itself.
func guardians(v View) ([]console.ID, error) {
	return withRoles(v, console.SuperAdministrator, console.SecurityOfficer)
}

// administrators are the people who administer the console.
func administrators(v View) ([]console.ID, error) {
	return withRoles(v, console.SuperAdministrator)
}

// reviewers are those who look at emergencies afterwards, without those who had a part in it.
func reviewers(v View) ([]console.ID, error) {
	ids, err := guardians(v)
	part := v.IDs("part")
	return slices.DeleteFunc(ids, func(id console.ID) bool { return slices.Contains(part, id) }), err
}

// appOwners are the active owners of the app, or else those of the connector, or else those
// who administer connectors.
func appOwners(v View) ([]console.ID, error) {
	return firstActive(v, v.App.Owners, v.Connector.Owners)
}

// everyOwner is the owners of the connector and those of the app.
func everyOwner(v View) ([]console.ID, error) {
	ids, err := owners(v)
	return append(slices.Clone(ids), v.App.Owners...), err
}

// findingOwners are the people who have to act on a finding: for one about a connector alone, those who
// look after the connector.
func findingOwners(v View) ([]console.ID, error) {
	kind, _ := v.Data["kind"].(string)
	if rule, ok := console.FindingKind(kind).Rule(); ok && rule.OfConnector {
		return owners(v)
	}
	return appOwners(v)
}

// copyHolders are those who keep a copy of the recovery card, and the owners of the app.
func copyHolders(v View) ([]console.ID, error) {
	owners, err := appOwners(v)
	return append(v.IDs("copies"), owners...), err
}

// tells reports whether the owners are told of new findings.
func tells(v View) bool {
	n, _ := v.Data["tell"].(float64)
	return n > 0
}

func withRoles(v View, roles ...console.ConsoleRole) (ids []console.ID, err error) {
	for _, r := range roles {
		people, err := v.directory.PersonsWithRole(r, maxPeople)
		if err != nil {
			return nil, err
		}
		ids = append(ids, people...)
	}
	return ids, nil
}

// maxPeople limits the notified people of one role.
const maxPeople = 1000

// running reports whether the review of an assignment is running, so that its reviewer can decide.
func running(v View) bool { return v.Data["running"] == true }

// unanswered reports whether nobody decided about some items of a review.
func unanswered(v View) bool {
	n, _ := v.Data["unanswered"].(float64)
	return n > 0
}

// welcome reports whether the console tells people that they have an account.
func welcome(v View) bool { return v.Data["welcome"] == true }

// ends reports whether the access of the event has an end.
func ends(v View) bool { return v.Data["ends"] != nil }

// ofConnector reports whether the event is about a connector.
func ofConnector(v View) bool { return v.Connector.ID != "" }

// ofGuardians reports whether a change of roles adds or removes a guardian.
func ofGuardians(v View) bool {
	for _, role := range []console.ID{console.ID(console.SuperAdministrator), console.ID(console.SecurityOfficer)} {
		if slices.Contains(v.IDs("before"), role) != slices.Contains(v.IDs("after"), role) {
			return true
		}
	}
	return false
}

// automationOwners are the owner of an automation and those of its application.
func automationOwners(v View) ([]console.ID, error) {
	return append(v.IDs("owner"), v.App.Owners...), nil
}

func failedRun(v View) bool { return v.Data["state"] == string(console.ExecutionFailed) }
