package storetest

import (
	"crypto/sha256"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/console"
	"baton/console/store"
)

// addClient adds a client of a person that expires an hour after noon.
func addClient(t testing.TB, s *store.Store, minute int, c console.Client) console.ID {
	t.Helper()
	if c.Expires.IsZero() {
		c.Expires = at(60)
	}
	if c.Name == "" {
		c.Name = c.ClientID
	}
	if c.PublicKey == nil {
		c.PublicKey = publicKey
	}
	if c.Scopes == nil {
		c.Scopes = []console.Scope{console.ScopeRead}
	}
	update(t, s, by(minute), func(tx *store.Tx) (err error) {
		c.ID, err = tx.AddClient(c)
		return err
	})
	return c.ID
}

var publicKey = []byte("01234567890123456789012345678901")

func testClient(t *testing.T, db Database) {
	s := open(t, db)
	p := addPersons(t, s, "Ana", "Ben")
	var robot console.ID
	update(t, s, by(0), func(tx *store.Tx) (err error) {
		robot, err = tx.AddPerson(console.Person{Name: "Terraform", Service: true, Roles: []console.ConsoleRole{console.SuperAdministrator}})
		return err
	})
	app := console.NewID(noon)
	want := console.Client{ClientID: "ana-00001@h/pcc", Name: "laptop \xff", Person: p[0], Creator: p[0], PublicKey: publicKey, Created: at(1), Expires: at(60),
		Scopes: []console.Scope{console.ScopeRead, console.ScopeConfigureApp(app), console.ScopeDecide}}
	want.ID = addClient(t, s, 1, want)
	view(t, s, func(tx *store.Tx) error {
		for _, find := range []func() (console.Client, error){
			func() (console.Client, error) { return tx.Client(want.ID) },
			func() (console.Client, error) { return tx.ClientByClientID(want.ClientID) },
		} {
			got, err := find()
			got.Created, got.Expires = got.Created.UTC(), got.Expires.UTC()
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v, other client: %s", err, diff)
			}
		}
		_, err := tx.Client("nobody")
		wantKind(t, "no client", err, baton.NotFound)
		return nil
	})
	for _, tt := range []struct {
		what string
		kind baton.Kind
		c    console.Client
	}{
		{"a taken client id", baton.AlreadyExists, console.Client{ClientID: want.ClientID, Name: "x", Person: p[1], Creator: p[1], Scopes: want.Scopes, Expires: at(60)}},
		{"no scope", baton.Invalid, console.Client{ClientID: "x", Name: "x", Person: p[1], Creator: p[1], Expires: at(60)}},
		{"an unknown scope", baton.Invalid, console.Client{ClientID: "x", Name: "x", Person: p[1], Creator: p[1], Scopes: []console.Scope{"admin"}, Expires: at(60)}},
		{"a service that decides", baton.Invalid, console.Client{ClientID: "x", Name: "x", Person: robot, Service: true, Creator: p[1], Scopes: []console.Scope{console.ScopeDecide}, Expires: at(60)}},
		{"no name", baton.Invalid, console.Client{ClientID: "x", Person: p[1], Creator: p[1], Scopes: want.Scopes, Expires: at(60)}},
		{"no key", baton.Invalid, console.Client{ClientID: "x", Name: "x", Person: p[1], Creator: p[1], Scopes: want.Scopes, Expires: at(60)}},
		{"nobody", baton.NotFound, console.Client{ClientID: "x", Name: "x", Person: "nobody", Creator: p[1], Scopes: want.Scopes, Expires: at(60)}},
	} {
		if tt.what != "no key" {
			tt.c.PublicKey = publicKey
		}
		fails(t, s, by(2), tt.what, tt.kind, func(tx *store.Tx) error {
			_, err := tx.AddClient(tt.c)
			return err
		})
	}
	second := addClient(t, s, 3, console.Client{ClientID: "ben-00001@h/pcc", Person: p[1], Creator: p[1]})
	service := addClient(t, s, 4, console.Client{ClientID: "terraform-00001@h/spc", Person: robot, Creator: p[0], Service: true})
	lists := func(person, before console.ID, want ...console.ID) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			all, err := tx.Clients(person, before, 2)
			var got []console.ID
			for _, c := range all {
				got = append(got, c.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("clients of %q before %q: %q, want %q", person, before, got, want)
			}
			return err
		})
	}
	lists("", "", service, second)
	lists("", second, want.ID)
	lists(p[1], "", second)
	lists(p[1], second)

	// A service is not in lists of people, has no login, and does not count as a remaining
	// administrator.
	view(t, s, func(tx *store.Tx) error {
		people, err := tx.Persons(store.NameAfter{}, 10)
		if len(people) != 2 {
			t.Errorf("people: %+v", people)
		}
		r, errPerson := tx.Person(robot)
		if errPerson != nil || !r.Service {
			t.Errorf("the service: %+v, %v", r, errPerson)
		}
		return err
	})
	fails(t, s, by(5), "a login of a service", baton.Refused, func(tx *store.Tx) error {
		return tx.SetLogin(console.Login{Person: robot, Name: "robot", Password: "x"}, baton.Secret{})
	})
	fails(t, s, by(5), "an invitation of a service", baton.Refused, func(tx *store.Tx) error {
		return tx.Invite(robot, sha256.Sum256([]byte("x")), at(60))
	})
	update(t, s, by(5), func(tx *store.Tx) error {
		return tx.SetRoles(p[0], []console.ConsoleRole{console.SuperAdministrator})
	})
	fails(t, s, by(6), "only a service is left as administrator", baton.Refused, func(tx *store.Tx) error {
		return tx.SetRoles(p[0], nil)
	})
	checkChain(t, s)
}

func testClientToken(t *testing.T, db Database) {
	s := open(t, db)
	p := addPersons(t, s, "Ana", "Ben")
	ana := addClient(t, s, 1, console.Client{ClientID: "ana@h/pcc", Person: p[0], Creator: p[0]})
	ben := addClient(t, s, 1, console.Client{ClientID: "ben@h/pcc", Person: p[1], Creator: p[1]})
	hash := func(name string) [32]byte { return sha256.Sum256([]byte(name)) }
	issue := func(minute int, clientID, name, assertion string) error {
		return s.Update(ctx, by(minute), func(tx *store.Tx) error {
			return tx.AddClientToken(clientID, store.ClientToken{Hash: hash(name), Expires: at(minute + 10), Assertion: assertion, AssertionExpires: at(minute + 5)}, at(minute))
		})
	}
	whose := func(minute int, name string, want console.ID) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			c, person, err := tx.ClientOfToken(hash(name), at(minute))
			if want == "" {
				wantKind(t, name, err, baton.Unauthenticated)
			} else if err != nil || c.ID != want || person.ID != c.Person {
				t.Errorf("token %s belongs to %s of %s, %v; want %s", name, c.ID, person.Name, err, want)
			}
			return nil
		})
	}
	if err := issue(2, "ana@h/pcc", "one", "nonce:1"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "the assertion again", issue(2, "ana@h/pcc", "two", "nonce:1"), baton.AlreadyExists)
	wantKind(t, "an unknown client", issue(2, "eve@h/pcc", "two", "nonce:2"), baton.Unauthenticated)
	for _, name := range []string{"secret 1", "secret 2"} { // without an assertion
		if err := issue(3, "ben@h/pcc", name, ""); err != nil {
			t.Fatal(err)
		}
	}
	whose(3, "one", ana)
	whose(3, "secret 1", ben)
	whose(3, "secret 2", ben)
	whose(3, "unknown", "")
	whose(12, "one", "") // it has expired
	whose(60, "one", "")
	view(t, s, func(tx *store.Tx) error {
		c, err := tx.Client(ana)
		if !c.LastUsed.Equal(at(2)) {
			t.Errorf("last used %v", c.LastUsed)
		}
		return err
	})
	update(t, s, by(4), func(tx *store.Tx) error { return tx.RevokeClient(ana) })
	whose(4, "one", "")
	wantKind(t, "a revoked client", issue(4, "ana@h/pcc", "three", "nonce:3"), baton.Unauthenticated)
	before := chainHead(t, s)
	update(t, s, by(5), func(tx *store.Tx) error { return tx.RevokeClient(ana) })
	if after := chainHead(t, s); after != before {
		t.Error("revoking again wrote events")
	}

	// A disabled person has no credentials, not even after being activated again.
	disable(t, s, 6, p[1])
	whose(6, "secret 1", "")
	update(t, s, by(7), func(tx *store.Tx) error {
		ben, err := tx.Person(p[1])
		ben.Status = console.PersonActive
		if err == nil {
			err = tx.ChangePerson(ben)
		}
		return err
	})
	whose(7, "secret 1", "")
	wantKind(t, "a person who was disabled", issue(7, "ben@h/pcc", "four", ""), baton.Unauthenticated)

	// A merged person no longer acts.
	cleo := addPersons(t, s, "Cleo")[0]
	addClient(t, s, 8, console.Client{ClientID: "cleo@h/pcc", Person: cleo, Creator: cleo})
	if err := issue(8, "cleo@h/pcc", "five", ""); err != nil {
		t.Fatal(err)
	}
	update(t, s, by(9), func(tx *store.Tx) error { return tx.MergePersons(cleo, p[0]) })
	whose(9, "five", "")

	// Of two concurrent uses of one assertion, one gets a token.
	addClient(t, s, 10, console.Client{ClientID: "dora@h/pcc", Person: p[0], Creator: p[0]})
	var wg sync.WaitGroup
	results := make([]error, 4)
	for i := range results {
		wg.Go(func() { results[i] = issue(10, "dora@h/pcc", string(rune('a'+i)), "nonce:once") })
	}
	wg.Wait()
	issued := 0
	for _, err := range results {
		if err == nil {
			issued++
		} else {
			wantKind(t, "the same assertion", err, baton.AlreadyExists)
		}
	}
	if issued != 1 {
		t.Errorf("%d tokens were issued for one assertion", issued)
	}
	update(t, s, by(30), func(tx *store.Tx) error {
		_, err := tx.ForgetSessions(at(30), 100)
		return err
	})
	view(t, s, func(tx *store.Tx) error {
		c, err := tx.Client(ana)
		if c.Revoked.IsZero() {
			t.Error("the revoked client was forgotten")
		}
		return err
	})
	checkChain(t, s)
}
