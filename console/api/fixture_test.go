package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/api"
	"baton/console/config"
	"baton/console/govern"
	"baton/console/ingest"
	"baton/console/ingest/ingesttest"
	"baton/console/plan"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
	"baton/console/store/sqlite"
	"baton/console/webhook"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// hostile is a name that an upstream could send.
const hostile = "<img src=x>\"\x00\u202e</script>"

// people are the test persons, one for each way of having rights.
var people = []struct {
	name  string
	roles []console.ConsoleRole
}{
	{"user", nil}, // holds Member
	{"owner", nil},
	{"connectors", []console.ConsoleRole{console.ConnectorAdministrator}},
	{"auditor", []console.ConsoleRole{console.Auditor}},
	{"super", []console.ConsoleRole{console.SuperAdministrator}},
}

// fixture is a console with its REST interface and its token endpoint, and a clock of its own.
type fixture struct {
	t      testing.TB
	store  *store.Store
	govern *govern.Console
	server *httptest.Server
	now    time.Time

	app, connector console.ID
	webhook, hook  console.ID
	hookSecret     baton.Secret
	spareWebhook   console.ID // to be removed
	spareHook      console.ID
	tenant         ingesttest.Tenant
	sync           console.Sync
	file           []byte // of the sync
	member, admin  console.EntitlementKey
	group          console.EntitlementKey // the entitlement of a group without members
	task           int64                  // number of a request of user for group
	step           string                 // of that request
	finding        console.ID             // of the app
	plan           console.ID             // to disable the account
	campaign       console.ID             // a draft of super
	closing        int64                  // number of another one
	account        console.ResourceKey    // of user
	clientID       string                 // of a credential of the connector

	automation, execution, spareAutomation console.ID // on demand, a run of it, and one to be removed

	people map[string]console.ID
	tokens map[string]string
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, now: noon, people: map[string]console.ID{}, tokens: map[string]string{}}
	keys, err := store.NewKeyring("test", map[string][]byte{"test": store.NewKey()})
	f.check(err)
	f.store, err = sqlite.Open(context.Background(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: noon, NoFlush: true}, keys)
	f.check(err)
	now := func() time.Time { return f.now }
	f.govern = govern.New(govern.Config{Configuration: config.Door{Reader: config.Reader{MinInterval: time.Minute}}, Store: f.store, Hosts: []string{"console.example.com", "127.0.0.1"}, Now: now,
		Products: []govern.Product{{Name: "perplexity", DisplayName: "Perplexity", Description: "Accounts"}}})
	tokens, err := rpc.New(rpc.Config{Store: rpcstore.New(f.store), Clients: rpcstore.NewClients(f.store), Hosts: []string{"console.example.com", "127.0.0.1"}, Now: now})
	f.check(err)
	mux := http.NewServeMux()
	rest := api.Config{Console: f.govern}
	mux.Handle(rpc.TokenPath, rest.Token(http.HandlerFunc(tokens.ServeToken)))
	mux.Handle(api.DevicePath, rest.Device(&url.URL{Scheme: "https", Host: "console.example.com"}))
	mux.Handle(api.Prefix, api.New(rest))
	mux.Handle(api.HookPath, rest.Hooks())
	f.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		f.server.Close()
		if err := f.store.Close(); err != nil {
			t.Error(err)
		}
	})
	f.update(func(tx *store.Tx) error {
		for _, p := range people {
			id, err := tx.AddPerson(console.Person{Name: p.name, Emails: []string{p.name + "@example.com"}, Department: "Ops", Roles: p.roles})
			if err != nil {
				return err
			}
			f.people[p.name] = id
		}
		if f.app, err = tx.AddApp(console.App{Name: "Perplexity", Owners: []console.ID{f.people["owner"]}}); err != nil {
			return err
		}
		f.connector, err = tx.AddConnector(console.Connector{App: f.app, Name: "perplexity", Product: "perplexity", Owners: []console.ID{f.people["owner"]}, Interval: time.Hour})
		return err
	})
	f.update(func(tx *store.Tx) error {
		if f.webhook, err = tx.AddWebhook(console.Webhook{Kind: console.WebhookSigned, Address: "https://example.com/y", Description: hostile}, baton.NewSecret("https://example.com/y"), webhook.NewSecret()); err != nil {
			return err
		}
		if f.spareWebhook, err = tx.AddWebhook(console.Webhook{Kind: console.WebhookChat, Address: "https://example.com/…"}, baton.NewSecret("https://example.com/z"), baton.Secret{}); err != nil {
			return err
		}
		if f.spareHook, err = tx.AddHook(console.Hook{Name: "spare"}, webhook.NewSecret()); err != nil {
			return err
		}
		f.hookSecret = webhook.NewSecret()
		f.hook, err = tx.AddHook(console.Hook{Name: hostile}, f.hookSecret)
		return err
	})
	credential, _, err := rpc.NewCredential(string(f.connector), "perplexity", "console.example.com", noon)
	f.check(err)
	f.clientID = credential.ClientID
	f.update(func(tx *store.Tx) error { return rpcstore.AddCredential(tx, credential) })
	f.tenant = ingesttest.Tenant{
		Accounts: []baton.Resource{ingesttest.Account("u1", "User One", "user@example.com"), ingesttest.Account("u2", "Eve "+hostile, "eve@example.com")},
		Groups:   []ingesttest.Group{{ID: "admins", Name: "Admins " + hostile, Members: []string{"u2"}}, {ID: "members", Name: "Members", Members: []string{"u1", "u2"}}},
	}
	for i := range 30 {
		id := "x" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		f.tenant.Accounts = append(f.tenant.Accounts, ingesttest.Account(id, "X "+id, id+"@example.com"))
		f.tenant.Groups = append(f.tenant.Groups, ingesttest.Group{ID: id, Name: "Group " + id})
	}
	f.file, err = os.ReadFile(f.tenant.Write(t, noon))
	f.check(err)
	f.sync = ingesttest.Receive(t, f.store, ingest.Origin{Connector: f.connector, Kind: console.SyncFull, Dispatched: noon}, noon, bytes.NewReader(f.file))
	f.update(func(tx *store.Tx) error {
		rule := console.AutomationRule{Trigger: console.AutomationTrigger{Kind: console.TriggerOnDemand}, Steps: []console.AutomationStep{{ID: "wait", Kind: console.StepWait, For: console.Duration(time.Hour)}}}
		for i, id := range []*console.ID{&f.automation, &f.spareAutomation} {
			a, err := tx.AddAutomation(console.Automation{App: f.app, Name: fmt.Sprint(i, hostile), Owner: f.people["owner"], Author: f.people["owner"], Draft: rule})
			if err != nil {
				return err
			}
			if _, err := tx.PublishAutomation(a.ID, 1, f.people["owner"]); err != nil {
				return err
			}
			*id = a.ID
		}
		x, _, err := tx.AddExecution(console.AutomationExecution{Automation: f.automation, Version: 1, Key: "x", Chain: []console.ID{f.automation}, Trigger: console.TriggerData{Kind: console.TriggerOnDemand}})
		f.execution = x.ID
		return err
	})
	f.update(func(tx *store.Tx) error {
		rule, _ := console.AccountUnmatched.Rule()
		if _, err := tx.AppearFindings(f.app, rule, []store.FindingCause{{Subject: "x"}}, store.FindingBatch{}); err != nil {
			return err
		}
		all, err := tx.CurrentFindings(f.app, console.AccountUnmatched)
		f.finding = all["x"].ID
		return err
	})
	f.update(func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		account, err := tx.ResourceByID(m, "user", "u1")
		if err != nil {
			return err
		}
		member, err := tx.EntitlementByID(m, ingesttest.Member("members"))
		if err != nil {
			return err
		}
		admin, err := tx.EntitlementByID(m, ingesttest.Member("admins"))
		if err != nil {
			return err
		}
		group, err := tx.EntitlementByID(m, ingesttest.Member("xaa"))
		f.account, f.member, f.admin, f.group = account.Key, member.Key, admin.Key, group.Key
		if err != nil {
			return err
		}
		return tx.SetAccountOwner(account.Key, f.people["user"], store.OwnerMatched)
	})
	f.update(func(tx *store.Tx) error {
		p, err := tx.AddPlan(console.RemovalPlan{Cause: console.PlanCause{Kind: console.PlanSelection}, Title: "Selected " + hostile, Why: "x " + hostile},
			[]console.PlanRow{{App: f.app, Account: f.account, Do: console.PlanRemove}, {App: f.app, Account: f.account, Entitlement: f.member, Do: console.PlanRemove}})
		f.plan = p.ID
		return err
	})
	f.check(plan.Compute(context.Background(), f.store, console.By{At: noon, Actor: console.Console}, f.plan))
	return f
}

func (f *fixture) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) update(fn func(*store.Tx) error) {
	f.t.Helper()
	f.check(f.store.Update(context.Background(), console.By{At: f.now, Actor: console.Console}, fn))
}

// issue creates a credential of a person with scopes.
func (f *fixture) issue(person string, scopes ...console.Scope) govern.MadeClient {
	f.t.Helper()
	m, err := f.govern.IssueClient(context.Background(), f.people[person], govern.NewClient{Name: "test", Scopes: scopes, Life: 24 * time.Hour})
	f.check(err)
	return m
}

// token exchanges the secret of a credential.
func (f *fixture) token(m govern.MadeClient) string {
	f.t.Helper()
	resp, err := http.PostForm(f.server.URL+rpc.TokenPath, url.Values{"grant_type": {"client_credentials"}, "client_id": {m.ClientID}, "client_secret": {m.Secret.Reveal()}})
	f.check(err)
	defer resp.Body.Close()
	var a struct {
		AccessToken string `json:"access_token"`
	}
	f.check(json.NewDecoder(resp.Body).Decode(&a))
	if resp.StatusCode != 200 || a.AccessToken == "" {
		f.t.Fatalf("no token: %s", resp.Status)
	}
	return a.AccessToken
}

// as returns a token of a person with all scopes.
func (f *fixture) as(person string) string {
	f.t.Helper()
	if f.tokens[person] == "" {
		f.tokens[person] = f.token(f.issue(person, console.ScopeRead, console.ScopeAsk, console.ScopeConfigure, console.ScopeDecide))
	}
	return f.tokens[person]
}

type answer struct {
	status int
	body   string
	header http.Header
}

// call makes a call with a token.
func (f *fixture) call(token, method, path, body string) answer {
	f.t.Helper()
	r, err := http.NewRequest(method, f.server.URL+path, strings.NewReader(body))
	f.check(err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	f.check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	f.check(err)
	return answer{resp.StatusCode, string(b), resp.Header}
}

// ok decodes the response of a call that must succeed.
func (f *fixture) ok(token, method, path, body string) map[string]any {
	f.t.Helper()
	a := f.call(token, method, path, body)
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.status != 200 || a.header.Get("Content-Type") != "application/json" {
		f.t.Fatalf("%s %s: %d %s %s", method, path, a.status, a.header.Get("Content-Type"), a.body)
	}
	return v
}

// fails checks that a call ends with a google.rpc.Status.
func (f *fixture) fails(what, token, method, path, body string, status, code int, texts ...string) {
	f.t.Helper()
	a := f.call(token, method, path, body)
	var s struct {
		Code    int
		Message string
		Details []any
	}
	err := json.Unmarshal([]byte(a.body), &s)
	if err != nil || a.status != status || s.Code != code || s.Details == nil || a.header.Get("Content-Type") != "application/json" {
		f.t.Errorf("%s: %d %s, want %d with code %d", what, a.status, a.body, status, code)
	}
	for _, text := range texts {
		if !strings.Contains(s.Message, text) {
			f.t.Errorf("%s: the message has no %q: %s", what, text, s.Message)
		}
	}
}

// at returns the value at a path in a response: names and indexes, separated by dots.
func at(v any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i := int(part[0] - '0')
			if i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// review adds the draft of a review.
func (f *fixture) review() {
	f.t.Helper()
	f.update(func(tx *store.Tx) error {
		c, err := tx.AddCampaign(console.Campaign{Owners: []console.ID{f.people["super"]}, CampaignSettings: console.CampaignSettings{Name: "Review", Reviewers: []console.Approver{{Kind: console.ApproverAppOwner}},
			Outcome: console.OutcomeRule{Kind: console.OutcomeOne, Wins: console.ChooseRemove}, Unanswered: console.UnansweredKeep, Lasts: console.DefaultLasts, MaxAge: console.DefaultMaxAge}})
		f.campaign = c.ID
		return err
	})
}
