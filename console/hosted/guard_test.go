package hosted_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/api"
	"baton/console/config"
	"baton/console/govern"
	"baton/console/mail"
	"baton/console/mail/mailtest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
	"baton/console/worker"
	sandbox "baton/sandbox/perplexity"
)

// paths are the ways on which a change of access comes about.
var paths = []string{"request", "approval", "bulk", "delegate", "reassign", "expiry", "give back", "action", "account disable", "manual task", "retry", "plan", "bootstrap", "REST"}

// cell is how a guard meets a path.
type cell struct {
	prepare func()       // what goes before the change that the guard refuses; nil for nothing
	try     func() error // the change
	after   func()       // undoes what prepare did; nil for nothing
	waits   bool         // the change is written down and waits; else its error is the refusal
	alarm   string       // kind of the only event that people are told of; "" for none
	never   string       // instead of all others: why the guard cannot meet this path
}

// setting is a guard in a situation in which it refuses.
type setting struct {
	name  string
	guard []console.Guard // that refuse
	set   func(*scene) map[string]cell
	// prove shows, after all paths, that the guard alone stood in the way.
	prove func(*scene)
}

// TestGuardByPath is the table of guards and paths. In each cell something happens on the path
// that the guard forbids, in a console with a worker, a mail server and a hosted connector of
// the sandbox: the sandbox sees no write, an event says that the guard denied it, and nobody
// is told anything but the alarm about access that is overdue.
func TestGuardByPath(t *testing.T) {
	unexplained := 0
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			x := newScene(t)
			table := s.set(x)
			x.settle()
			writes := x.writes()
			for _, path := range paths {
				c, ok := table[path]
				if !ok {
					t.Fatalf("no cell for %s", path)
				}
				t.Run(path, func(t *testing.T) {
					if c.never != "" {
						unexplained++
						t.Skip(c.never)
					}
					x.cell(t, s, path, c)
				})
			}
			if n := x.writes() - writes; n != 0 {
				t.Errorf("%d changes upstream", n)
			}
			if s.prove != nil {
				s.prove(x)
			}
		})
	}
	if unexplained > 4 {
		t.Errorf("%d cells of the table are not exercised", unexplained)
	}
}

// cell exercises one cell.
func (x *scene) cell(t *testing.T, s setting, path string, c cell) {
	whole := x.t
	x.t = t
	defer func() { x.t = whole }()
	if c.prepare != nil {
		c.prepare()
	}
	x.settle()
	writes, denied, told := x.writes(), x.denials(s.guard), countKinds(x.told())
	err := c.try()
	switch {
	case c.waits && err != nil:
		t.Errorf("it does not wait: %v", err)
	case !c.waits && path != "REST" && !slices.ContainsFunc(s.guard, func(g console.Guard) bool { return refusedBy(err, g) }):
		t.Errorf("%v, want a refusal of %s", err, s.guard)
	case !c.waits && err == nil:
		t.Error("it was not refused")
	}
	x.settle()
	if n := x.writes() - writes; n != 0 {
		t.Errorf("%d changes upstream", n)
	}
	if n := x.denials(s.guard) - denied; n != 1 {
		t.Errorf("%d events say that it was denied", n)
	}
	now := countKinds(x.told()) // without what is not worth telling any more
	for kind, n := range now {
		if strings.HasPrefix(kind, "finding.") || kind == "recovery.changed" {
			continue // tells of the state of the application, whenever the console has looked at it
		}
		if n > told[kind] && (c.alarm == "" || kind != c.alarm) {
			t.Errorf("somebody is told of %s", kind)
		}
	}
	if c.alarm != "" && now[c.alarm] <= told[c.alarm] {
		t.Errorf("nobody is told of %s", c.alarm)
	}
	if c.after != nil {
		c.after()
	}
}

// countKinds counts how often each kind occurs.
func countKinds(kinds []string) map[string]int {
	n := map[string]int{}
	for _, k := range kinds {
		n[k]++
	}
	return n
}

// scene is a course with people, mail, and the interface for programs.
type scene struct {
	*course
	owner, delegate, helper, officer govern.Caller
	admins, members, others, more    console.EntitlementKey
	server                           *mailtest.Server
	rest                             *httptest.Server
}

const membersGroup, othersGroup, moreGroup = "PPLX_Members", "Others", "More"

func newScene(t *testing.T) *scene {
	x := &scene{server: mailtest.Start(t, mailtest.Options{})}
	x.course = startCourse(t, nil, func(w *world, c *worker.Config) {
		w.org.AddGroup(othersGroup)
		w.org.AddGroup(moreGroup)
		c.Mail, c.URL = mail.Sender{Allow: mailtest.Allow, Roots: x.server.Roots, Timeout: 5 * time.Second}, &url.URL{Scheme: "https", Host: "console.example.com"}
	})
	x.update(func(tx *store.Tx) error {
		return tx.SetMailSettings(x.server.Settings(mailtest.Options{}), mailtest.Secret())
	})
	x.owner, x.delegate, x.helper = x.person("Olga", ""), x.person("Dora", ""), x.person("Hugo", "")
	x.officer = x.person("Sami", "", console.SecurityOfficer)
	x.admins, x.members, x.others = x.group(adminGroup), x.group(membersGroup), x.group(othersGroup)
	x.more = x.group(moreGroup)
	x.owners(x.owner)
	ask := console.PolicyStep{Ask: []console.Approver{{Kind: console.ApproverAppOwner}}, Reassign: []console.Approver{{Kind: console.ApproverPerson, Person: x.helper.Person.ID}}}
	x.policy(console.StandardPolicy, console.PolicyRule{Outcome: console.OutcomeAsk, Steps: []console.PolicyStep{ask}})
	x.policy(console.GiveBackPolicy, console.PolicyRule{Outcome: console.OutcomeAsk, Steps: []console.PolicyStep{ask}})
	tokens, err := rpc.New(rpc.Config{Store: rpcstore.New(x.store), Clients: rpcstore.NewClients(x.store), Hosts: []string{"console.example.com"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(rpc.TokenPath, tokens.ServeToken)
	mux.Handle(api.Prefix, api.New(api.Config{Console: x.console}))
	x.rest = httptest.NewServer(mux)
	t.Cleanup(x.rest.Close)
	if err := x.console.AskActions(t.Context(), x.caller, x.connector); err != nil {
		t.Fatal(err)
	}
	x.wait("the actions", func(*store.Tx) (bool, error) {
		v, err := x.console.Actions(t.Context(), x.caller, x.connector)
		return v.Known, err
	})
	return x
}

func (x *scene) owners(who ...govern.Caller) {
	x.update(func(tx *store.Tx) error {
		a, err := tx.App(x.app)
		if err != nil {
			return err
		}
		a.Owners = nil
		for _, w := range who {
			a.Owners = append(a.Owners, w.Person.ID)
		}
		return tx.ChangeApp(a)
	})
}

// policy writes the next version of a policy.
func (x *scene) policy(id console.ID, rule console.PolicyRule) {
	x.update(func(tx *store.Tx) error {
		p, err := tx.Policy(id)
		if err != nil {
			return err
		}
		p.Rules = []console.PolicyRule{rule}
		_, err = tx.AddPolicyVersion(p, p.Version)
		return err
	})
}

// roles says which groups give which role, and sets the minimum of admins.
func (x *scene) roles(p console.Priority, minimum int) {
	x.update(func(tx *store.Tx) error {
		return tx.SetRoleMap(x.app, console.RoleMap{Priority: p, Roles: []console.AppRole{
			{Name: "Administrator", Admin: true, Entitlements: []console.EntitlementKey{x.admins}}, {Name: "Member", Entitlements: []console.EntitlementKey{x.members}}}}, minimum)
	})
}

// user adds a user to the sandbox, in groups.
func (x *scene) user(name string, groups ...string) (id string) {
	id = x.org.AddUser(sandbox.Person{UserName: name + "@acme.example", GivenName: name, FamilyName: "Made Up"})
	for _, g := range groups {
		x.join(id, g)
	}
	return id
}

func (x *scene) join(id, group string) {
	g, _ := x.org.State().Group(group)
	x.org.AddMember(g.ID, id)
}

// look lets the connector sync, and waits until what came of it has the state.
func (x *scene) look(state console.SyncState) {
	x.t.Helper()
	task, err := rpc.NewTask(string(x.connector), rpc.Work{Sync: &rpc.SyncWork{}}, time.Now())
	x.must("", err)
	task.Ref = "sync" // so that its file is read
	x.must("", x.tasks.AddTask(x.t.Context(), time.Now(), task))
	x.wait("a sync that is "+string(state), func(tx *store.Tx) (bool, error) {
		syncs, err := tx.Syncs(x.connector, store.SyncBefore{}, 10)
		for _, s := range syncs {
			if s.Task == console.ID(task.ID) && s.State == state {
				return true, err
			}
		}
		return false, err
	})
}

// settle waits until everybody was told of everything that happened.
func (x *scene) settle() {
	x.t.Helper()
	x.wait("the end of telling", func(tx *store.Tx) (bool, error) {
		_, due, err := tx.DueAt(console.DueRecheck, "console")
		if err != nil || due {
			return false, err
		}
		behind, err := tx.Behind("notify")
		return !behind, err
	})
}

// told returns the kinds of the events that people were told of, in mails or in what waits for
// the next mail, oldest first.
func (x *scene) told() (kinds []string) {
	x.t.Helper()
	x.view(func(tx *store.Tx) error {
		var notices []console.Notice
		for _, state := range console.MailStates() {
			mails, err := tx.Mails(state, store.MailBefore{}, 1000)
			if err != nil {
				return err
			}
			for _, m := range mails {
				some, err := tx.NoticesOf(m.ID)
				if err != nil {
					return err
				}
				notices = append(notices, some...)
			}
		}
		for after := (store.NameAfter{}); ; {
			people, err := tx.Persons(after, store.PageSize)
			if err != nil {
				return err
			}
			for _, p := range people {
				after = store.NameAfter{Sort: console.SortKey(p.Name), ID: p.ID}
				some, err := tx.WaitingNotices(p.ID, 1000)
				if err != nil {
					return err
				}
				notices = append(notices, some...)
			}
			if len(people) < store.PageSize {
				break
			}
		}
		slices.SortFunc(notices, func(a, b console.Notice) int { return int(a.Event - b.Event) })
		for _, n := range notices {
			events, err := tx.Events(store.EventFilter{}, n.Event-1, 1)
			if err != nil {
				return err
			}
			kinds = append(kinds, events[0].Kind)
		}
		return nil
	})
	return kinds
}

// denials counts the events that say that one of the guards denied a change.
func (x *scene) denials(guards []console.Guard) (n int) {
	x.t.Helper()
	x.view(func(tx *store.Tx) error {
		for after := int64(0); ; {
			page, err := tx.Events(store.EventFilter{App: x.app}, after, store.PageSize)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, e := range page {
				after = e.Number
				var data struct{ Guard console.Guard }
				if e.Kind == "operation.denied" && json.Unmarshal(e.Data, &data) == nil && slices.Contains(guards, data.Guard) {
					n++
				}
			}
		}
	})
	return n
}

// ask files a request for an hour.
func (x *scene) ask(who govern.Caller, e console.EntitlementKey) (console.ID, error) {
	r, err := x.console.SubmitRequest(x.t.Context(), who, govern.NewRequest{App: x.app, Entitlement: e, Term: console.Term{For: console.Duration(time.Hour)}, Why: "ticket 7"})
	return r.ID, err
}

func (x *scene) must(id console.ID, err error) console.ID {
	x.t.Helper()
	if err != nil {
		x.t.Fatalf("%v (%s)", err, baton.FixOf(err))
	}
	return id
}

func (x *scene) giveBack(who govern.Caller, e console.EntitlementKey) (console.ID, error) {
	r, err := x.console.GiveBack(x.t.Context(), who, x.app, e, 0, "done with it")
	return r.ID, err
}

func (x *scene) cancel(who govern.Caller, id *console.ID) {
	x.t.Helper()
	if *id != "" {
		if err := x.console.CancelRequest(x.t.Context(), who, *id, "test"); err != nil {
			x.t.Error(err)
		}
		*id = ""
	}
}

// delegates lets the owner's delegate decide, and waits until the delegate is asked.
func (x *scene) delegates(request console.ID) {
	x.t.Helper()
	x.update(func(tx *store.Tx) error {
		return tx.SetDelegation(console.Delegation{Person: x.owner.Person.ID, Delegate: x.delegate.Person.ID, From: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)})
	})
	x.wait("the delegate is asked", func(tx *store.Tx) (bool, error) {
		asked, err := tx.AskedAbout(request)
		return slices.ContainsFunc(asked, func(a store.AskedRequest) bool { return a.Person == x.delegate.Person.ID }), err
	})
}

func (x *scene) endDelegation() {
	x.update(func(tx *store.Tx) error { return tx.SetDelegation(console.Delegation{Person: x.owner.Person.ID}) })
}

func (x *scene) reassign(request, to console.ID) error {
	r := x.request(request)
	return x.console.Reassign(x.t.Context(), x.owner, request, r.Plan.Steps[r.Step].ID, to, "away")
}

func (x *scene) bulk(who govern.Caller, request console.ID) error {
	r := x.request(request)
	done, err := x.console.DecideMany(x.t.Context(), who, []govern.NewDecision{{Request: request, Step: r.Plan.Steps[r.Step].ID, Version: r.Version, Approve: true}}, 1)
	if err != nil {
		return err
	}
	return done[0].Err
}

// decisions are the cells of paths on which people decide about one request that is open.
func (x *scene) decisions(request *console.ID) map[string]cell {
	return map[string]cell{
		"approval": {try: func() error { return x.decide(x.owner, *request, true) }},
		"bulk":     {try: func() error { return x.bulk(x.owner, *request) }},
		"delegate": {prepare: func() { x.delegates(*request) }, try: func() error { return x.decide(x.delegate, *request, true) }, after: x.endDelegation},
		"reassign": {prepare: func() { x.must("", x.reassign(*request, x.helper.Person.ID)) }, try: func() error { return x.decide(x.helper, *request, true) }},
	}
}

// byHand makes an operation that waits for a person, while that is allowed.
func (x *scene) byHand(account console.ResourceKey, e console.EntitlementKey, verb console.Verb) (o console.Operation) {
	x.t.Helper()
	x.update(func(tx *store.Tx) (err error) {
		o, err = tx.CreateOperation(console.Operation{App: x.app, Connector: x.connector, Account: account, Entitlement: e, Verb: verb,
			Cause: console.Cause{Kind: console.CauseReview, Ref: "campaign", Evidence: console.EvidenceDecision}}, store.Circumstances{})
		if err != nil {
			return err
		}
		return tx.DoByHand(o.ID, "test")
	})
	return o
}

func (x *scene) done(who govern.Caller, o *console.Operation) error {
	return x.console.DoneByHand(x.t.Context(), who, x.app, o.ID, "test")
}

func (x *scene) retry(who govern.Caller, o *console.Operation) error {
	return x.console.RetryOperation(x.t.Context(), who, x.app, o.ID)
}

func (x *scene) stop(o *console.Operation) {
	x.t.Helper()
	x.must("", x.console.CancelOperation(x.t.Context(), x.caller, x.app, o.ID, "test"))
}

// runOut lets a reason for access run out, and waits until the console says why it is not
// removed.
func (x *scene) runOut(account console.ResourceKey, e console.EntitlementKey, says string) error {
	x.t.Helper()
	x.update(func(tx *store.Tx) error {
		_, err := tx.AddReason(console.Reason{App: x.app, Account: account, Entitlement: e, Kind: console.ReasonRequest, Until: time.Now().Add(300 * time.Millisecond)})
		return err
	})
	return x.overdue(account, e, says)
}

// overdue waits until access is overdue, and returns the refusal of its removal.
func (x *scene) overdue(account console.ResourceKey, e console.EntitlementKey, says string) error {
	x.t.Helper()
	x.wait("overdue access", func(tx *store.Tx) (bool, error) {
		o, err := tx.Overdue(account, e)
		if o != nil && !strings.Contains(o.Why, says) {
			x.t.Fatalf("overdue: %s", o.Why)
		}
		return o != nil, err
	})
	var p console.Proposal
	x.view(func(tx *store.Tx) (err error) {
		p, err = tx.Foresee(console.Operation{App: x.app, Connector: x.connector, Account: account, Entitlement: e, Verb: console.Revoke,
			Cause: console.Cause{Kind: console.CauseExpiry, Evidence: console.EvidenceTime}}, store.Circumstances{})
		return err
	})
	return p.CheckDispatch()
}

func (x *scene) remove(account console.ResourceKey, e console.EntitlementKey) error {
	_, err := x.console.RemoveAccess(x.t.Context(), x.caller, x.app, account, e, "test")
	return err
}

func (x *scene) action(who govern.Caller, name, user string) error {
	_, err := x.console.RunAction(x.t.Context(), who, x.connector, name, "", map[string]string{"user_id": user}, "test")
	return err
}

// file applies a configuration file.
func (x *scene) file(text string) {
	x.t.Helper()
	path := filepath.Join(x.t.TempDir(), "console.yaml")
	err := os.WriteFile(path, []byte(text), 0o600)
	var f *config.File
	if err == nil {
		f, err = config.Read(path, time.Second, []govern.Product{x.product})
	}
	if err == nil {
		_, _, err = f.Apply(x.t.Context(), x.store, console.By{At: time.Now(), Actor: console.Console}, config.Options{Source: console.BootstrapSource})
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// call makes a call of the interface for programs as somebody. What the interface refuses is
// an error.
func (x *scene) call(who govern.Caller, path string, body map[string]any) error {
	x.t.Helper()
	made, err := x.console.IssueClient(x.t.Context(), who.Person.ID, govern.NewClient{Name: "test", Scopes: []console.Scope{console.ScopeRead, console.ScopeAsk, console.ScopeDecide}, Life: time.Hour})
	x.must("", err)
	resp, err := http.PostForm(x.rest.URL+rpc.TokenPath, url.Values{"grant_type": {"client_credentials"}, "client_id": {made.ClientID}, "client_secret": {made.Secret.Reveal()}})
	x.must("", err)
	defer resp.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	x.must("", json.NewDecoder(resp.Body).Decode(&token))
	b, err := json.Marshal(body)
	x.must("", err)
	r, err := http.NewRequest(http.MethodPost, x.rest.URL+api.Prefix+"v1/"+path, strings.NewReader(string(b)))
	x.must("", err)
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	answer, err := http.DefaultClient.Do(r)
	x.must("", err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	x.must("", err)
	switch answer.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusBadRequest:
		return errors.New(string(text))
	}
	x.t.Fatalf("POST %s: %s %s", path, answer.Status, text)
	return nil
}

func (x *scene) callRevoke(who govern.Caller, e console.EntitlementKey) error {
	return x.call(who, "task/revoke", map[string]any{"appId": x.app, "appEntitlementId": fmt.Sprint(e), "description": "done with it"})
}

func (x *scene) callGrant(who govern.Caller, e console.EntitlementKey) error {
	return x.call(who, "task/grant", map[string]any{"appId": x.app, "appEntitlementId": fmt.Sprint(e), "description": "ticket 7", "grantDuration": "3600s"})
}

func (x *scene) callApprove(who govern.Caller, request console.ID) error {
	r := x.request(request)
	return x.call(who, fmt.Sprintf("tasks/%d/action/approve", r.Number), map[string]any{"comment": "ok", "policyStepId": r.Plan.Steps[r.Step].ID})
}
