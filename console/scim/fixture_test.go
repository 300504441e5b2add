package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/scim"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/sqlite"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// fixture is a console with one identity provider, whose requests it makes.
type fixture struct {
	*testing.T
	store   *store.Store
	govern  *govern.Console
	server  *httptest.Server
	super   govern.Caller
	source  console.ID
	token   baton.Secret
	mu      sync.Mutex
	now     time.Time
	handler http.Handler
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	f.super.Session.Proved = f.now
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newFixture(t)) })
	t.Run("postgres", func(t *testing.T) {
		address := pgtest.New(t)
		test(t, newFixtureOn(t, func(keys *store.Keyring) (*store.Store, error) {
			return postgres.Open(context.Background(), postgres.Config{URL: address, Now: noon}, keys)
		}))
	})
}

func newFixture(t *testing.T) *fixture {
	path := filepath.Join(t.TempDir(), "console.db")
	return newFixtureOn(t, func(keys *store.Keyring) (*store.Store, error) {
		return sqlite.Open(context.Background(), sqlite.Config{Path: path, Now: noon, NoFlush: true}, keys)
	})
}

func newFixtureOn(t *testing.T, open func(*store.Keyring) (*store.Store, error)) *fixture {
	t.Helper()
	f := &fixture{T: t, now: noon}
	keys, err := store.NewKeyring("test", map[string][]byte{"test": store.NewKey()})
	f.check(err)
	f.store, err = open(keys)
	f.check(err)
	f.govern = govern.New(govern.Config{Store: f.store, Hosts: []string{"console.example.com"}, Now: f.clock})
	f.handler = scim.New(scim.Config{Console: f.govern, URL: &url.URL{Scheme: "https", Host: "console.example.com"}})
	f.server = httptest.NewServer(f.handler)
	t.Cleanup(func() {
		f.server.Close()
		if err := f.store.Close(); err != nil {
			t.Error(err)
		}
	})
	f.update(func(tx *store.Tx) error {
		id, err := tx.AddPerson(console.Person{Name: "Super", Emails: []string{"super@example.com"}, Roles: []console.ConsoleRole{console.SuperAdministrator}})
		if err != nil {
			return err
		}
		p, err := tx.Person(id)
		f.super = govern.Caller{Person: p, Session: console.Session{Person: id, Began: noon, Proved: noon, Seen: noon}}
		return err
	})
	f.source, f.token, err = f.govern.AddSCIMSource(t.Context(), f.super, "Okta")
	f.check(err)
	return f
}

func (f *fixture) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) update(fn func(*store.Tx) error) {
	f.Helper()
	f.check(f.store.Update(context.Background(), console.By{At: f.clock(), Actor: console.Console}, fn))
}

func (f *fixture) view(fn func(*store.Tx) error) {
	f.Helper()
	f.check(f.store.View(context.Background(), fn))
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// id returns the id of the resource.
func (a answer) id() string { s, _ := a.json["id"].(string); return s }

// at returns a value in the JSON: names and indexes, separated by slashes.
func (a answer) at(path string) any {
	var v any = a.json
	for _, part := range strings.Split(path, "/") {
		switch have := v.(type) {
		case map[string]any:
			v = have[part]
		case []any:
			var i int
			if fmt.Sscan(part, &i); i >= len(have) {
				return nil
			}
			v = have[i]
		default:
			return nil
		}
	}
	return v
}

// do makes a request with the token of the identity provider. header are names and values.
func (f *fixture) do(method, path, body string, header ...string) answer {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), method, f.server.URL+scim.Base+strings.ReplaceAll(path, " ", "%20"), strings.NewReader(body))
	f.check(err)
	r.Header.Set("Authorization", "Bearer "+f.token.Reveal())
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := f.server.Client().Do(r)
	f.check(err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	f.check(err)
	a := answer{status: response.StatusCode, header: response.Header, body: string(b)}
	if len(b) > 0 {
		if kind := response.Header.Get("Content-Type"); kind != "application/scim+json" {
			f.Errorf("%s %s is answered as %q", method, path, kind)
		}
		if err := json.NewDecoder(bytes.NewReader(b)).Decode(&a.json); err != nil {
			f.Errorf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return a
}

// want makes a request that must have a status.
func (f *fixture) want(status int, method, path, body string, header ...string) answer {
	f.Helper()
	a := f.do(method, path, body, header...)
	if a.status != status {
		f.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	return a
}

// refused makes a request that must fail with a status and a scimType.
func (f *fixture) refused(status int, scimType, method, path, body string, header ...string) answer {
	f.Helper()
	a := f.do(method, path, body, header...)
	got, _ := a.json["scimType"].(string)
	if a.status != status || got != scimType || a.json["status"] != fmt.Sprint(status) || a.at("schemas/0") != "urn:ietf:params:scim:api:messages:2.0:Error" || a.json["detail"] == "" {
		f.Errorf("%s %s: %d %s, want %d %s", method, path, a.status, a.body, status, scimType)
	}
	return a
}

func patch(ops ...string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + strings.Join(ops, ",") + `]}`
}

// newUser returns the body of a new user, with further attributes.
func newUser(userName string, more ...string) string {
	parts := append([]string{`"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`, `"userName":"` + userName + `"`}, more...)
	return "{" + strings.Join(parts, ",") + "}"
}

// person returns the person with an address; the zero value if there is none.
func (f *fixture) person(email string) (p console.Person) {
	f.Helper()
	f.view(func(tx *store.Tx) (err error) {
		p, err = tx.PersonByEmail(email)
		if baton.KindOf(err) == baton.NotFound {
			p, err = console.Person{}, nil
		}
		return err
	})
	return p
}

// events returns the kinds of all events, oldest first.
func (f *fixture) events() (kinds []string) {
	f.Helper()
	f.view(func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, store.PageSize)
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		return err
	})
	return kinds
}

func sorted(words []string) string {
	slices.Sort(words)
	return strings.Join(words, " ")
}
