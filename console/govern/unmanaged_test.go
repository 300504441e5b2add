package govern_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/ingest/ingesttest"
	"baton/console/store"
)

// unmanaged returns the unmanaged apps that a caller may see, read in pages of a size.
func (f *fixture) unmanaged(c govern.Caller, n int) (all []govern.UnmanagedApp, names []string) {
	f.t.Helper()
	var after govern.UnmanagedAfter
	for {
		page, next, err := f.UnmanagedApps(ctx, c, after, n)
		f.check(err)
		for _, a := range page {
			all, names = append(all, a), append(names, a.Name)
		}
		if next == nil {
			return all, names
		}
		after = *next
	}
}

// TestUnmanagedApps lists apps that an identity provider shows and apps that people added, and
// manages both kinds by adding connectors.
func TestUnmanagedApps(t *testing.T) {
	f := newFixture(t)
	super, owner := f.caller("super", console.SuperAdministrator), f.caller("owner")
	_, idp := f.addApp("Directory", owner.Person.ID)
	const hostile = "<b>\x00\u202e=1+1"
	tenant := ingesttest.Tenant{Accounts: []baton.Resource{ingesttest.Account("u", "U", "u@example.com")},
		Apps: []baton.Resource{ingesttest.App("1", "Salesforce"), ingesttest.App("2", "Directory"), ingesttest.App("3", ""), ingesttest.App("4", hostile), ingesttest.App("5", strings.Repeat("long ", 100))}}
	f.sync(idp, tenant)
	byHand, err := f.AddApp(ctx, super, " Percipio ")
	f.check(err)
	for n := 1; n <= 7; n++ {
		if _, names := f.unmanaged(super, n); len(names) != 6 || names[len(names)-1] != "Salesforce" {
			t.Fatalf("pages of %d: %q", n, names)
		}
	}
	if apps, more, err := f.Apps(ctx, super, store.NameAfter{}, 10); err != nil || more || len(apps) != 1 {
		t.Errorf("managed: %+v, %v", apps, err)
	}
	find := func(name string) console.ResourceKey {
		t.Helper()
		all, names := f.unmanaged(super, 50)
		for _, a := range all {
			if a.Discovered != nil && (a.Name == name || a.Discovered.ID == name) {
				return a.Discovered.Key
			}
		}
		t.Fatalf("no %q among %q", name, names)
		return 0
	}

	// The rights.
	everybody := f.everybody(owner)
	for name, c := range everybody {
		_, names := f.unmanaged(c, 50)
		want := map[string]int{"owner": 5, "connectors": 6, "auditor": 6, "officer": 6, "super": 6}[name]
		if len(names) != want {
			t.Errorf("%s sees %q", name, names)
		}
	}
	for name, c := range everybody {
		_, err := f.AddApp(ctx, c, "of "+name)
		may := name == "connectors" || name == "super"
		if may != (err == nil) || !may && baton.KindOf(err) != baton.PermissionDenied {
			t.Errorf("%s adds an app: %v", name, err)
		}
	}

	connect := func(n govern.NewConnector) (console.ID, error) {
		n.Product = govern.Generic.Name
		return f.AddConnector(ctx, super, n)
	}
	appOf := func(id console.ID) console.App {
		t.Helper()
		v, err := f.Connector(ctx, super, id)
		f.check(err)
		return v.App
	}
	id, err := connect(govern.NewConnector{Name: "sf", Unmanaged: find("Salesforce")})
	f.check(err)
	if a := appOf(id); a.Name != "Salesforce" || len(a.Owners) != 1 || a.Owners[0] != super.Person.ID || a.MinimumAdmins != console.ProposedMinimumAdmins {
		t.Errorf("the app %+v", a)
	}
	id, err = connect(govern.NewConnector{Name: "hand", App: byHand})
	f.check(err)
	if a := appOf(id); a.Name != "Percipio" {
		t.Errorf("the app %+v", a)
	}
	id, err = connect(govern.NewConnector{Name: "hostile", Unmanaged: find("4")})
	f.check(err)
	if a := appOf(id); a.Name != hostile {
		t.Errorf("the app %+q", a.Name)
	}
	id, err = connect(govern.NewConnector{Name: "nameless", Unmanaged: find("3")})
	f.check(err)
	if a := appOf(id); a.Name != "3" {
		t.Errorf("the app %+q", a.Name)
	}
	if _, names := f.unmanaged(super, 50); len(names) != 4 { // two of them were added above
		t.Errorf("left: %q", names)
	}

	taken := find("2")
	for _, tt := range []struct {
		name string
		n    govern.NewConnector
		want baton.Kind
	}{
		{"a name that a managed app has", govern.NewConnector{Name: "x", Unmanaged: taken}, baton.AlreadyExists},
		{"a long name", govern.NewConnector{Name: "x", Unmanaged: find("5")}, baton.Invalid},
		{"no app", govern.NewConnector{Name: "x"}, baton.Invalid},
		{"two apps", govern.NewConnector{Name: "x", App: byHand, Unmanaged: taken}, baton.Invalid},
		{"nothing that is shown", govern.NewConnector{Name: "x", Unmanaged: 99999}, baton.NotFound},
		{"no name", govern.NewConnector{Unmanaged: taken, NewApp: "y"}, baton.Invalid},
		{"a connector of that name", govern.NewConnector{Name: "sf", Unmanaged: taken, NewApp: "y"}, baton.AlreadyExists},
	} {
		if _, err := connect(tt.n); baton.KindOf(err) != tt.want || err == nil {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	account := console.ResourceKey(0)
	f.view(func(tx *store.Tx) error {
		m, err := tx.Moment("", time.Time{})
		if err != nil {
			return err
		}
		r, err := tx.ResourceByID(m, "user", "u")
		account = r.Key
		return err
	})
	if _, err := connect(govern.NewConnector{Name: "x", Unmanaged: account}); baton.KindOf(err) != baton.NotFound {
		t.Errorf("an account: %v", err)
	}
	id, err = connect(govern.NewConnector{Name: "second directory", Unmanaged: taken, NewApp: "Directory EU"})
	f.check(err)
	if a := appOf(id); a.Name != "Directory EU" {
		t.Errorf("the app %+v", a)
	} else if got := f.kinds(store.EventFilter{Object: string(a.ID)}); fmt.Sprint(got) != "[app.added app.roles-changed app.managed]" {
		t.Errorf("events %v", got)
	}
	if _, err := connect(govern.NewConnector{Name: "again", Unmanaged: taken, NewApp: "Directory US"}); baton.KindOf(err) != baton.AlreadyExists {
		t.Errorf("managed twice: %v", err)
	}
}
