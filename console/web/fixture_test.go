package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/ksuid"

	"baton"
	"baton/c1z/writer"
	"baton/connector/rest"
	"baton/console"
	"baton/console/config"
	"baton/console/govern"
	"baton/console/ingest"
	"baton/console/ingest/ingesttest"
	"baton/console/login"
	"baton/console/login/logintest"
	"baton/console/store"
	"baton/console/store/sqlite"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// hostile is a name that an upstream could send.
const hostile = "<img src=x onerror=alert(1)>\"'&\x00\u202e</td>"

// hostileTyped is hostile as far as people can name something: without control characters.
const hostileTyped = "<img src=x onerror=alert(1)>\"'&\u202e</td>"

// products are the connectors of the catalogue.
var products = []govern.Product{{Name: "perplexity", DisplayName: "Perplexity", Description: "Accounts and groups, over SCIM", Notice: "It needs 50 seats, or one user of Enterprise Max.",
	Unseen: "Accounts made outside of SCIM may be missing.", Roles: govern.ProductRoles{Type: "group", MasteredIn: "the identity provider", Masters: []string{"Okta"}, MastersNote: "Google Workspace is not supported."},
	Seats:    []console.SeatThreshold{{Name: "SCIM", Seats: 62, Otherwise: "one Enterprise Max user", Sentence: "Ask Perplexity before you go below."}},
	Settings: []baton.Setting{{Name: "scim-url", DisplayName: "SCIM endpoint URL", Required: true}, {Name: "provisioning", DisplayName: "Provisioning"}, {Name: "page-size", Advanced: true}}}}

// courses is a product that the console can host.
var courses = govern.Product{Name: "percipio", DisplayName: "Percipio", Description: "Accounts, courses and progress",
	Settings: []baton.Setting{{Name: "organization-id", DisplayName: "Organization ID", Description: "The UUID", Required: true},
		{Name: "api-token", DisplayName: "API Token", Kind: baton.SecretSetting, Required: true},
		{Name: "limited-courses", DisplayName: "Course IDs", Kind: baton.StringsSetting},
		{Name: "strict", DisplayName: "Strict", Kind: baton.BoolSetting}, {Name: "base-url", DisplayName: "API URL", Advanced: true}},
	Open: func(v baton.Values, _ rest.Options) (*baton.Connector, error) {
		if v.String("organization-id") == "x" {
			return nil, baton.Errorf(baton.Invalid, "organization-id: %q is no UUID", "x")
		}
		return &baton.Connector{Diagnose: func(_ context.Context, report func(baton.Finding)) {
			report(baton.Finding{Check: "token", Level: baton.Failure, Detail: "the token is wrong " + hostile, Fix: "Make a new one."})
			report(baton.Finding{Check: "courses", Detail: strings.Join(v.Strings("limited-courses"), " and ")})
		}}, nil
	}}

// fixture is a console with its pages, and a clock of its own.
type fixture struct {
	t        testing.TB
	keys     *store.Keyring
	store    *store.Store
	govern   *govern.Console
	ingester *ingest.Ingester
	server   *httptest.Server
	now      time.Time
	codes    map[string]baton.Secret // by login name

	app, connector console.ID
	groups         []string // further ones
	members, leave []string // members and former accounts in the next syncs
	people         map[string]console.ID
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "console.db")
	return newFixtureOn(t, func(keys *store.Keyring) (*store.Store, error) {
		return sqlite.Open(context.Background(), sqlite.Config{Path: path, Now: noon, NoFlush: true}, keys)
	})
}

// newFixtureOn returns a fixture on a database.
func newFixtureOn(t testing.TB, open func(*store.Keyring) (*store.Store, error)) *fixture {
	t.Helper()
	f := &fixture{t: t, now: noon, codes: map[string]baton.Secret{}, people: map[string]console.ID{}}
	keys, err := store.NewKeyring("test", map[string][]byte{"test": store.NewKey()})
	f.check(err)
	f.keys = keys
	f.store, err = open(keys)
	f.check(err)
	f.ingester = &ingest.Ingester{Store: f.store, Scratch: t.TempDir(), Now: func() time.Time { return f.now }}
	f.govern = govern.New(govern.Config{Configuration: config.Door{Reader: config.Reader{MinInterval: time.Minute}}, Store: f.store, Receive: func(ctx context.Context, by console.Actor, connector console.ID, file io.Reader) (console.ID, error) {
		return f.ingester.Receive(ctx, by, ingest.Origin{Connector: connector, Kind: console.SyncUpload}, file)
	}, Hosts: []string{"console.example.com"}, Products: append(products, courses), Now: func() time.Time { return f.now }})
	f.server = httptest.NewServer(New(Config{Console: f.govern}))
	t.Cleanup(func() {
		f.server.Close()
		if err := f.store.Close(); err != nil {
			t.Error(err)
		}
	})
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

// addPerson adds a person with a login of the same name.
func (f *fixture) addPerson(name string, roles ...console.ConsoleRole) console.ID {
	f.t.Helper()
	f.codes[name] = login.NewCodeSecret()
	f.update(func(tx *store.Tx) error {
		id, err := tx.AddPerson(console.Person{Name: name, Emails: []string{strings.ToLower(name) + "@example.com"}, Roles: roles})
		if err != nil {
			return err
		}
		f.people[name] = id
		return tx.SetLogin(console.Login{Person: id, Name: name, Password: logintest.Hash(password(name))}, f.codes[name])
	})
	return f.people[name]
}

func password(name string) baton.Secret { return baton.NewSecret("a long password of " + name) }

func (f *fixture) code(name string) string {
	f.t.Helper()
	c, err := login.Code(f.codes[name], f.now)
	f.check(err)
	return c
}

// addApp adds an app with a connector and applies a sync: Ana holds Admin and Member, a disabled
// account holds Member, and names are hostile.
func (f *fixture) addApp(owner console.ID) {
	f.t.Helper()
	f.update(func(tx *store.Tx) (err error) {
		if f.app, err = tx.AddApp(console.App{Name: "Perplexity " + hostile, Owners: []console.ID{owner}, MinimumAdmins: 1}); err != nil {
			return err
		}
		f.connector, err = tx.AddConnector(console.Connector{App: f.app, Name: "perplexity", Product: "perplexity"})
		return err
	})
	f.sync()
	f.update(func(tx *store.Tx) error {
		m, err := tx.Moment(f.app, time.Time{})
		if err != nil {
			return err
		}
		admin, err := tx.EntitlementByID(m, "group:admins:member")
		if err != nil {
			return err
		}
		member, err := tx.EntitlementByID(m, "group:members:member")
		if err != nil {
			return err
		}
		return tx.SetRoleMap(f.app, console.RoleMap{Roles: []console.AppRole{{Name: "Admin", Admin: true, Entitlements: []console.EntitlementKey{admin.Key}},
			{Name: "Member", Entitlements: []console.EntitlementKey{member.Key}}}}, 1)
	})
}

// sync applies a sync with 62 accounts.
func (f *fixture) sync() {
	f.t.Helper()
	if s := f.receive(60); s.State != console.SyncApplied {
		f.t.Fatalf("the sync is %s: %s", s.State, s.Why)
	}
}

// receive receives a sync file with further accounts.
func (f *fixture) receive(more int) console.Sync {
	f.t.Helper()
	ctx := context.Background()
	file, err := os.Open(f.file(more))
	f.check(err)
	defer file.Close()
	actor := console.Actor{Kind: console.ActorConnector, ID: string(f.connector)}
	id, err := f.ingester.Receive(ctx, actor, ingest.Origin{Connector: f.connector, Kind: console.SyncFull, Dispatched: f.now}, file)
	f.check(err)
	s, err := f.ingester.Apply(ctx, actor, id)
	f.check(err)
	return s
}

// file writes a sync file with further accounts.
func (f *fixture) file(more int) string {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "sync.c1z")
	w, err := writer.Create(path, writer.Options{SyncID: ksuid.New().String(), SyncType: "full", Started: f.now})
	f.check(err)
	add := func(r writer.Row, err error) {
		f.t.Helper()
		f.check(err)
		f.check(w.Add(r))
	}
	user := baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}
	add(writer.ResourceTypeRow(user))
	add(writer.ResourceTypeRow(baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}))
	person := func(id, name string, status baton.Status) {
		add(writer.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: name, Status: status,
			User: &baton.User{Login: id + "@example.com", Emails: []baton.Email{{Address: id + "@example.com", Primary: true}}}}))
	}
	person("ana", "Ana", baton.StatusEnabled)
	if !slices.Contains(f.leave, "eve") {
		person("eve", "Eve "+hostile, baton.StatusDisabled)
	}
	for i := range more {
		person(fmt.Sprintf("u%02d", i), fmt.Sprintf("User %02d", i), baton.StatusEnabled)
	}
	group := func(id, name string, members ...string) {
		g := baton.ResourceID{Type: "group", ID: id}
		e := baton.EntitlementID{Resource: g, Slug: "member"}
		add(writer.ResourceRow(baton.Resource{ID: g, DisplayName: name, Group: &baton.Group{}}))
		add(writer.EntitlementRow(baton.Entitlement{ID: e, DisplayName: name + " member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, []baton.ResourceType{user}))
		for _, m := range members {
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: e, Principal: baton.ResourceID{Type: "user", ID: m}}}))
		}
	}
	group("admins", "PPLX_Admin", "ana")
	if f.members == nil {
		f.members = []string{"ana", "eve"}
	}
	group("members", "PPLX_Members "+hostile, f.members...)
	for _, g := range f.groups {
		group(g, g, "ana")
	}
	_, err = w.Seal(context.Background(), f.now.Add(time.Second))
	f.check(err)
	return path
}

// accounts returns the first n accounts of the fixture's syncs.
func accounts(n int) (all []baton.Resource) {
	all = append(all, ingesttest.Account("ana", "Ana", "ana@example.com"), ingesttest.Account("eve", "Eve", "eve@example.com"))
	for i := range n - 2 {
		id := fmt.Sprintf("u%02d", i)
		all = append(all, ingesttest.Account(id, "User "+id, id+"@example.com"))
	}
	return all
}

// applyConfirmed applies the confirmed sync.
func (f *fixture) applyConfirmed() {
	f.t.Helper()
	var syncs []console.Sync
	f.check(f.store.View(context.Background(), func(tx *store.Tx) (err error) {
		syncs, err = tx.Syncs(f.connector, store.SyncBefore{}, 1)
		return err
	}))
	in := &ingest.Ingester{Store: f.store, Scratch: f.t.TempDir(), Now: func() time.Time { return f.now }}
	_, err := in.Apply(context.Background(), console.Console, syncs[0].ID)
	f.check(err)
}

// browser is a browser without JavaScript.
type browser struct {
	f      *fixture
	client *http.Client

	forwarded string // X-Forwarded-For of a proxy
}

func (f *fixture) browser() *browser {
	jar, err := cookiejar.New(nil)
	f.check(err)
	return &browser{f: f, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// as returns the browser of a person who is signed in.
func (f *fixture) as(name string) *browser {
	f.t.Helper()
	return f.signIn(f.browser(), name)
}

// signIn signs a person in, with a browser that may use another replica.
func (f *fixture) signIn(b *browser, name string) *browser {
	f.t.Helper()
	f.now = f.now.Add(time.Minute) // for a new code
	r := b.post("/login", url.Values{"login": {name}, "password": {password(name).Reveal()}, "code": {f.code(name)}})
	if r.status != http.StatusSeeOther || r.location != "/" {
		f.t.Fatalf("%s cannot sign in: %d %s", name, r.status, r.body)
	}
	return b
}

type answer struct {
	status   int
	location string
	body     string
	header   http.Header
}

func (b *browser) do(r *http.Request) answer {
	b.f.t.Helper()
	resp, err := b.client.Do(r)
	b.f.check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	b.f.check(err)
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(body), resp.Header}
}

func (b *browser) get(path string) answer {
	b.f.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.f.server.URL+path, nil)
	b.f.check(err)
	return b.do(r)
}

func (b *browser) post(path string, form url.Values) answer {
	b.f.t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.f.server.URL+path, strings.NewReader(form.Encode()))
	b.f.check(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Referer", b.f.server.URL+path)
	if b.forwarded != "" {
		r.Header.Set("X-Forwarded-For", b.forwarded)
	}
	return b.do(r)
}

// wants checks the status of a response and that the page contains texts.
func (a answer) wants(t testing.TB, what string, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status %d, want %d: %s", what, a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s: the page has no %q", what, text)
		}
	}
}

// without fails if the page has one of the texts.
func (a answer) without(t testing.TB, what string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%s: the page has %q", what, text)
		}
	}
}

// link returns the address of the first link with a text.
func (a answer) link(t testing.TB, text string) string {
	t.Helper()
	m := regexp.MustCompile(`<a [^>]*href="([^"]+)"[^>]*>` + regexp.QuoteMeta(text)).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("the page has no link %q: %s", text, a.body)
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

// field returns the value of a form's field.
func (a answer) field(t testing.TB, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("the page has no field %q: %s", name, a.body)
	}
	return m[1]
}

// checkSafe checks that a page displays hostile names as text.
func (a answer) checkSafe(t testing.TB, path string) {
	t.Helper()
	for _, bad := range []string{"<img", "onerror=alert(1)>\"", "\u202e", "\x00", "\xff"} {
		if strings.Contains(a.body, bad) {
			t.Errorf("%s shows %q as it came", path, bad)
		}
	}
	policy := a.header.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, rule) || strings.Contains(policy, "unsafe") {
			t.Errorf("the content security policy of %s is %q, without %s or with something unsafe", path, policy, rule)
		}
	}
}
