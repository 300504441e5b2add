package notify

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"baton"
	"baton/console"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// book is an in-memory Directory.
type book struct {
	people     map[console.ID]console.Person
	apps       map[console.ID]console.App
	connectors map[console.ID]console.Connector
}

func find[T any](m map[console.ID]T, id console.ID) (T, error) {
	v, ok := m[id]
	if !ok {
		return v, baton.Errorf(baton.NotFound, "no %s", id)
	}
	return v, nil
}

func (b book) Person(id console.ID) (console.Person, error)       { return find(b.people, id) }
func (b book) App(id console.ID) (console.App, error)             { return find(b.apps, id) }
func (b book) Connector(id console.ID) (console.Connector, error) { return find(b.connectors, id) }

func (b book) PersonsWithRole(role console.ConsoleRole, n int) (ids []console.ID, err error) {
	for id, p := range b.people {
		if slices.Contains(p.Roles, role) && p.Status == console.PersonActive && len(ids) < n {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

func company() book {
	b := book{people: map[console.ID]console.Person{},
		apps:       map[console.ID]console.App{"app": {ID: "app", Name: "Perplexity", Owners: []console.ID{"olga"}}, "alone": {ID: "alone", Name: "Alone", Owners: []console.ID{"gone"}}},
		connectors: map[console.ID]console.Connector{"c": {ID: "c", Name: "pplx", App: "app", Owners: []console.ID{"ana", "gone"}}, "bare": {ID: "bare", Name: "bare", App: "app"}, "alone": {ID: "alone", Name: "alone", App: "alone"}}}
	for id, roles := range map[console.ID][]console.ConsoleRole{"ana": nil, "bo": nil, "olga": nil, "root": {console.SuperAdministrator}, "officer": {console.SecurityOfficer},
		"admin": {console.ConnectorAdministrator}, "gone": {console.SuperAdministrator, console.ConnectorAdministrator}, "merged": nil} {
		p := console.Person{ID: id, Name: strings.ToUpper(string(id[:1])) + string(id[1:]), Roles: roles, Status: console.PersonActive}
		switch id {
		case "gone":
			p.Status = console.PersonDisabled
		case "merged":
			p.MergedInto = "bo"
		}
		b.people[id] = p
	}
	return b
}

func event(kind string, by console.ID, data any) console.Event {
	e := console.Event{Kind: kind, At: noon, Actor: console.Console}
	if by != "" {
		e.Actor = console.ByPerson(by)
	}
	if data != nil {
		e.Data, _ = json.Marshal(data)
	}
	return e
}

type data = map[string]any

// TestRules has an event for each rule, with the recipients and the subject.
func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, tt := range []struct {
		event             console.Event
		app, con, subject console.ID
		want              []string // person: subject
	}{
		{event("app.added", "root", data{"owners": []string{"ana", "root", "gone"}}), "app", "", "", []string{"ana: You are an owner of Perplexity"}},
		{event("app.changed", "root", data{"owners_before": []string{"ana", "olga"}, "owners": []string{"olga", "bo", "merged"}}), "app", "", "",
			[]string{"ana: You are no owner of Perplexity any more", "bo: You are an owner of Perplexity"}},
		{event("app.changed", "root", data{"owners_before": []string{"ana"}, "owners": []string{"ana"}}), "app", "", "", nil},
		{event("connector.added", "root", data{"owners": []string{"bo"}}), "", "c", "", []string{"bo: You are an owner of the connector pplx"}},
		{event("connector.changed", "ana", data{"owners_before": []string{"ana"}, "owners": []string{"bo"}}), "app", "c", "", []string{"bo: You are an owner of the connector pplx"}},
		{event("connector.changed", "root", data{"owners_before": []string{"ana", "bo"}, "owners": []string{"ana"}}), "app", "c", "", []string{"bo: You are no owner of the connector pplx any more"}},
		{event("connector.state-changed", "", data{"after": "Error", "sentence": "Its last sync failed."}), "app", "c", "", []string{"ana: Connector pplx: Error"}},
		{event("connector.state-changed", "", data{"after": "Recovered", "sentence": "x"}), "app", "bare", "", []string{"olga: Connector bare: Recovered"}},
		{event("connector.state-changed", "", data{"after": "Offline", "sentence": "x"}), "alone", "alone", "", []string{"admin: Connector alone: Offline", "root: Connector alone: Offline"}},
		{event("credential.ending", "", data{"client_id": "x@y", "expires": noon}), "", "c", "", []string{"ana: Connector pplx: its credentials end on 29 Nov 2026 12:00 UTC"}},
		{event("client.ending", "", data{"name": "laptop", "client_id": "x@y", "expires": noon, "service": false, "creator": "bo"}), "", "", "bo", []string{"bo: The API credential laptop ends on 29 Nov 2026 12:00 UTC"}},
		{event("client.ending", "", data{"name": "job", "client_id": "x@y", "expires": noon, "service": true, "creator": "ana"}), "", "", "bo", []string{"ana: The API credential job ends on 29 Nov 2026 12:00 UTC"}},
		{event("client.ending", "", data{"name": "job", "client_id": "x@y", "expires": noon, "service": true, "creator": "gone"}), "", "", "bo", []string{"root: The API credential job ends on 29 Nov 2026 12:00 UTC"}},
		{event("webhook.stopped", "", data{"address": "https://example.com/x", "description": "", "why": "It is gone."}), "", "", "", []string{"root: Webhook stopped: https://example.com/x"}},
		{event("request.asked", "bo", data{"asked": []string{"olga", "bo"}, "what": "Admin", "for": "for 2 hours"}), "app", "", "bo", []string{"olga: Bo asks for Admin for 2 hours"}},
		{event("request.asked", "bo", data{"asked": []string{"olga"}, "what": "Admin", "for": "without end", "revoke": true}), "app", "", "bo", []string{"olga: Bo is to lose Admin"}},
		{event("request.stuck", "", data{"what": "Admin", "fix": "Somebody else must be manager.", "revoke": true}), "app", "", "bo", []string{"olga: Nobody may decide whether Bo loses Admin"}},
		{event("request.stuck", "", data{"what": "Admin"}), "app", "", "bo", []string{"olga: Nobody may decide what Bo asks for"}},
		{event("request.granted", "", data{"what": "Admin", "for": "for 2 hours", "requester": "ana"}), "app", "", "bo", []string{"ana: Granted: Admin for 2 hours", "bo: Granted: Admin for 2 hours"}},
		{event("request.denied", "olga", data{"what": "Admin", "requester": "bo", "why": "Not now."}), "app", "", "bo", []string{"bo: Denied: Admin"}},
		{event("request.error", "", data{"what": "Admin", "requester": "bo"}), "app", "", "bo", []string{"bo: Failed: Admin", "olga: Failed for Bo: Admin"}},
		{event("request.by-hand", "", data{"what": "Admin", "requester": "bo", "why": "The connector could not do it: 403"}), "app", "", "bo", []string{"bo: Takes longer: Admin"}},
		{event("operation.manual", "", data{"what": "Admin", "verb": "grant", "why": "The connector could not do it: 403"}), "app", "c", "bo", []string{"olga: By hand in Perplexity: Admin for Bo"}},
		{event("operation.manual", "", data{"what": "Admin", "verb": "revoke", "why": "It cannot."}), "app", "c", "", []string{"olga: By hand in Perplexity: Admin for an account"}},
		{event("access.overdue", "", data{"what": "Admin", "expired": noon, "why": "The connector is paused."}), "app", "c", "bo",
			[]string{"ana: Overdue: Bo still has Admin of Perplexity", "olga: Overdue: Bo still has Admin of Perplexity"}},
		{event("access.came-back", "", data{"what": "Admin", "times": 1}), "app", "bare", "bo", []string{"olga: Came back: Bo has Admin of Perplexity again"}},
		{event("access.came-back", "", data{"what": "Admin", "times": 2, "stop": "it came back 2 times, because Okta puts it back", "fix": "Remove it in Okta."}), "app", "bare", "bo",
			[]string{"olga: Came back: Bo has Admin of Perplexity again"}},
		{event("request.wait-timed-out", "", data{"what": "Admin", "requester": "bo"}), "app", "", "bo", []string{"bo: Timed out: Admin"}},
		{event("account.ready", "", data{"welcome": true, "text": "Ask in #perplexity for help."}), "app", "", "bo", []string{"bo: You have an account in Perplexity"}},
		{event("account.ready", "", data{"welcome": false, "text": ""}), "app", "", "bo", nil},
		{event("request.review-due", "", data{"what": "Admin", "for": "for 2 hours", "part": []string{"officer"}}), "app", "", "bo", []string{"root: An emergency to look at: Admin for Bo"}},
		{event("requirement.lacking", "", data{"state": "lapsed", "why": "Security Basics in Percipio: completed too long ago", "ends": noon}), "app", "", "bo", []string{"bo: Something that you need for Perplexity is missing"}},
		{event("requirement.lacking", "", data{"state": "missing", "why": "not completed", "ends": nil}), "app", "", "bo", nil},
		{event("requirement.capped", "", data{"holders": 12}), "app", "", "", []string{"olga: 12 people are to lose access to Perplexity: somebody has to confirm"}},
		{event("recovery.changed", "", data{"version": 4, "what": "1 administrator more", "copies": []string{"root", "olga"}}), "app", "", "",
			[]string{"olga: The recovery card of Perplexity changed: 1 administrator more", "root: The recovery card of Perplexity changed: 1 administrator more"}},
		{event("amendment.proposed", "olga", data{"why": "Too slow."}), "app", "", "", []string{"officer: Olga proposes a change that takes two people", "root: Olga proposes a change that takes two people"}},
		{event("campaign.running", "root", data{"name": "Q4", "ends": noon, "reviewers": []string{"bo", "gone"}}), "", "", "", []string{"bo: Please review who has access: Q4"}},
		{event("review.assigned", "root", data{"name": "Q4", "count": 3, "why": "Ana is away", "running": true}), "", "", "bo", []string{"bo: Please review who has access: Q4"}},
		{event("review.assigned", "root", data{"name": "Q4", "count": 3, "why": "", "running": false}), "", "", "bo", nil},
		{event("review.reminded", "", data{"name": "Q4", "ends": noon, "reviewers": []string{"ana"}}), "", "", "", []string{"ana: Not reviewed yet: Q4"}},
		{event("campaign.waiting", "", data{"name": "Q4", "why": "A source is not accurate enough", "owners": []string{"root"}}), "", "", "", []string{"root: The review Q4 cannot begin"}},
		{event("campaign.closing", "", data{"name": "Q4", "items": 9, "decided": 7, "unanswered": 2, "owners": []string{"root"}, "app_owners": []string{"olga", "root"}}), "", "", "",
			[]string{"olga: Nobody answered 2 of 9 in the review Q4", "root: The decisions of the review Q4 ended"}},
		{event("campaign.closing", "", data{"name": "Q4", "items": 9, "decided": 9, "unanswered": 0, "owners": []string{"root"}, "app_owners": []string{}}), "", "", "", []string{"root: The decisions of the review Q4 ended"}},
		{event("automation.tripped", "", data{"name": "Leaver", "why": "25 changes in a day.", "owner": []string{"ana"}}), "app", "", "",
			[]string{"ana: The automation Leaver was stopped by its circuit breaker", "olga: The automation Leaver was stopped by its circuit breaker"}},
		{event("automation.stopped", "", data{"name": "Leaver", "why": "Its owner has left.", "owner": []string{"gone"}}), "app", "", "", []string{"olga: The automation Leaver was stopped"}},
		{event("automation.ended", "", data{"execution": "x", "name": "Leaver", "state": "failed", "why": "The connector is offline.", "owner": []string{"ana"}}), "app", "", "",
			[]string{"ana: A run of the automation Leaver failed", "olga: A run of the automation Leaver failed"}},
		{event("automation.ended", "", data{"execution": "x", "name": "Leaver", "state": "done", "owner": []string{"ana"}}), "app", "", "", nil},
		{event("login.invited", "root", data{"expires": noon}), "", "", "bo", []string{"bo: Set up your login"}},
		{event("login.set", "bo", data{"name": "bo"}), "", "", "bo", []string{"bo: Your login was set up"}},
		{event("identity.bound", "", data{"issuer": "https://idp"}), "", "", "bo", []string{"bo: A new way to sign in as you"}},
		{event("identity.removed", "root", data{"issuer": "https://idp"}), "", "", "bo", []string{"bo: A way to sign in as you was removed"}},
		{event("person.roles-changed", "root", data{"before": []string{}, "after": []string{"auditor"}}), "", "", "bo", []string{"bo: Your roles in the console changed"}},
		{event("person.roles-changed", "root", data{"before": nil, "after": []string{"super-administrator", "auditor"}}), "", "", "bo",
			[]string{"bo: Your roles in the console changed", "officer: Roles of Bo in the console changed", "root: Roles of Bo in the console changed"}},
		{event("login.break-glass", "ana", nil), "", "", "ana", []string{"officer: The login for emergencies was used: Ana", "root: The login for emergencies was used: Ana"}},
		{event("sync.applied", "", nil), "app", "c", "", nil},
		{event("app.changed", "root", nil), "nothing", "", "", nil},
	} {
		tt.event.App, tt.event.Connector, tt.event.Person = tt.app, tt.con, tt.subject
		notices, err := Notices(7, tt.event, company())
		if err != nil {
			t.Errorf("%s: %v", tt.event.Kind, err)
		}
		var got []string
		for _, n := range notices {
			got = append(got, fmt.Sprintf("%s: %s", n.Person, n.Subject))
			seen[n.Subject] = true
			if n.Event != 7 || !n.Created.Equal(noon) || n.Text == "" || !strings.HasPrefix(n.Path, "/") || strings.Contains(n.Text+n.Path, "<no value>") || strings.Contains(n.Text, "  ") {
				t.Errorf("%s: %+v", tt.event.Kind, n)
			}
			if first := n.Text[:1]; first != strings.ToUpper(first) {
				t.Errorf("%s: %q begins small", tt.event.Kind, n.Text)
			}
			if want := n.Class == console.SecurityNotice; want != slices.ContainsFunc([]string{"login.", "identity.", "person.", "webhook."}, func(p string) bool { return strings.HasPrefix(tt.event.Kind, p) }) {
				t.Errorf("%s is %s", tt.event.Kind, n.Class)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.event.Kind, got, tt.want)
		}
	}
	for _, r := range Rules {
		if !slices.ContainsFunc(slices.Collect(func(yield func(string) bool) {
			for s := range seen {
				if !yield(s) {
					return
				}
			}
		}), func(s string) bool { return strings.HasPrefix(s, strings.Split(r.Subject, "{{")[0]) }) {
			t.Errorf("no event in this test for the rule %s, %q", r.Kind, r.Subject)
		}
	}
}

// TestHostileNames checks that line breaks, direction marks and template syntax in names are not
// sent, and that the length is limited.
func TestHostileNames(t *testing.T) {
	b := company()
	c := b.connectors["c"]
	c.Name = "x\r\nBcc: eve@example.com\u202e\xff{{.Event}}" + strings.Repeat("long ", 500)
	b.connectors["c"] = c
	e := event("connector.state-changed", "", data{"after": "Error\nX: y", "sentence": "a\x00b"})
	e.Connector = "c"
	notices, err := Notices(1, e, b)
	if err != nil || len(notices) != 1 {
		t.Fatalf("%+v, %v", notices, err)
	}
	n := notices[0]
	if strings.ContainsAny(n.Subject+n.Text, "\r\n\x00\u202e") || !utf8.ValidString(n.Subject+n.Text) || len([]rune(n.Subject)) > maxSubject || len([]rune(n.Text)) > maxText || !strings.Contains(n.Subject, "{{.Event}}") {
		t.Errorf("%+v", n)
	}
}

// TestBrokenRule notifies people although a template fails, but not of an event that cannot be
// decoded.
func TestBrokenRule(t *testing.T) {
	rules := []Rule{{Kind: "a.b", To: subject, Subject: "{{.Data.missing}}", Text: "{{.Nothing}}", Path: "nowhere"}}
	e := event("a.b", "", nil)
	e.Person = "bo"
	notices, err := notices(rules, 1, e, company())
	if err != nil || len(notices) != 1 || notices[0].Subject != "Something happened: a.b" || notices[0].Path != "/" || notices[0].Text == "" {
		t.Errorf("%+v, %v", notices, err)
	}
	e = event("login.set", "", nil)
	e.Data = []byte("[")
	if _, err := Notices(1, e, company()); baton.KindOf(err) != baton.Corrupt {
		t.Error(err)
	}
}

// TestPost checks what is posted to a channel: nothing that is meant for one person.
func TestPost(t *testing.T) {
	asked := event("request.asked", "bo", data{"asked": []string{"olga"}, "what": "Admin", "for": "for 2 hours"})
	asked.App, asked.Person, asked.Object = "app", "bo", "r1"
	changed := event("app.changed", "root", data{"owners_before": []string{}, "owners": []string{"bo"}})
	changed.App = "app"
	invited := event("login.invited", "root", data{"expires": noon})
	invited.Person = "bo"
	strange := event("x.happened-twice", "", nil)
	strange.Connector = "c"
	for _, tt := range []struct {
		e                   console.Event
		subject, text, path string
	}{
		{asked, "Bo asks for Admin for 2 hours", "Bo asks for Admin of Perplexity for 2 hours.", "/requests/r1"},
		{changed, "Root changed the application: Perplexity", "", ""},
		{invited, "Root invited: Bo", "", ""},
		{strange, "The console x: happened twice: pplx, Perplexity", "", ""},
		{event("webhook.stopped", "", data{"address": "https://example.com/x", "description": "CI", "why": "It is gone."}), "Webhook stopped: CI",
			"Nothing is sent to the webhook https://example.com/x (CI) any more. It is gone. Resume it when its receiver works, and replay what it missed.", "/settings/webhooks/"},
	} {
		subject, text, path, err := Post(tt.e, company())
		if err != nil || subject != tt.subject || text != tt.text || path != tt.path {
			t.Errorf("%s: %q, %q, %q, %v", tt.e.Kind, subject, text, path, err)
		}
	}
	for _, r := range Rules {
		if word := regexp.MustCompile(`(?i)\byour?\b`).FindString(r.Subject + r.Text); r.Channel && word != "" {
			t.Errorf("the rule for %s has %q in what is posted to channels", r.Kind, word)
		}
	}
}
