package govern_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
	"baton/console/store"
)

// TestAudit checks who may read which events, and the filters.
func TestAudit(t *testing.T) {
	f := newFixture(t)
	root, _ := f.signIn(f.setUp())
	people := map[string]govern.Caller{"root": root}
	for _, p := range []struct {
		name string
		role []console.ConsoleRole
	}{{"user", nil}, {"owner", nil}, {"connectors", []console.ConsoleRole{console.ConnectorAdministrator}}, {"auditor", []console.ConsoleRole{console.Auditor}}} {
		people[p.name], _ = f.signIn(f.invite(root, p.name, p.role...))
	}
	f.later(time.Hour)
	var app, con, other console.ID
	by := func(actor console.Actor, fn func(tx *store.Tx) error) {
		t.Helper()
		if err := f.store.Update(ctx, console.By{At: f.now, Actor: actor, Address: "192.0.2.7", Request: "r"}, fn); err != nil {
			t.Fatal(err)
		}
	}
	began := f.now
	by(console.ByPerson(root.Person.ID), func(tx *store.Tx) (err error) {
		if app, err = tx.AddApp(console.App{Name: "App", Owners: []console.ID{people["owner"].Person.ID}}); err != nil {
			return err
		}
		if other, err = tx.AddApp(console.App{Name: "Other"}); err != nil {
			return err
		}
		if con, err = tx.AddConnector(console.Connector{App: app, Name: "con"}); err != nil {
			return err
		}
		tx.Append(console.Event{Kind: "operation.queued", App: app, Connector: con, Account: 1, Entitlement: 2, Person: people["user"].Person.ID, Object: "op"})
		return nil
	})
	f.later(24 * time.Hour)
	by(console.ByPerson(people["user"].Person.ID), func(tx *store.Tx) error {
		tx.Append(console.Event{Kind: "request.made", App: other, Object: "req", Data: json.RawMessage(`{"why":"because"}`)})
		return nil
	})

	shown := []string{"request.made", "operation.queued", "connector.added", "app.added"} // others come with the people
	read := func(who string, filter govern.AuditFilter) (kinds []string) {
		t.Helper()
		p, err := f.Audit(ctx, people[who], filter, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Rows {
			if slices.Contains(shown, r.Kind) {
				kinds = append(kinds, r.Kind)
			}
			if others := who != "root" && who != "auditor" && r.Actor.Person() != people[who].Person.ID; others && (r.Address != "" || r.Request != "") {
				t.Errorf("%s reads from where somebody else did %s", who, r.Kind)
			}
		}
		return kinds
	}
	all := []string{"request.made", "operation.queued", "connector.added", "app.added", "app.added"}
	for _, tt := range []struct {
		who    string
		filter govern.AuditFilter
		want   []string
	}{
		{"root", govern.AuditFilter{}, all},
		{"auditor", govern.AuditFilter{}, all},
		{"user", govern.AuditFilter{}, []string{"request.made", "operation.queued"}}, // its own events, and events about it
		{"user", govern.AuditFilter{App: app}, []string{"operation.queued"}},
		{"user", govern.AuditFilter{Person: root.Person.ID}, []string{"operation.queued"}}, // root's event about the user
		{"owner", govern.AuditFilter{App: app}, []string{"operation.queued", "connector.added", "app.added"}},
		{"owner", govern.AuditFilter{App: other}, nil},
		{"connectors", govern.AuditFilter{}, []string{"connector.added"}}, // but not who has access
		{"connectors", govern.AuditFilter{App: app}, []string{"connector.added"}},
		{"root", govern.AuditFilter{App: app}, []string{"operation.queued", "connector.added", "app.added"}},
		{"root", govern.AuditFilter{Connector: con}, []string{"operation.queued", "connector.added"}},
		{"root", govern.AuditFilter{Person: people["user"].Person.ID}, []string{"request.made", "operation.queued"}},
		{"root", govern.AuditFilter{Kind: "app"}, []string{"app.added", "app.added"}},
		{"root", govern.AuditFilter{Kind: "operation.queued"}, []string{"operation.queued"}},
		{"root", govern.AuditFilter{Kind: "app.add"}, nil},
		{"root", govern.AuditFilter{From: began.Add(time.Second)}, []string{"request.made"}},
		{"root", govern.AuditFilter{From: began, Until: f.now}, all[1:]},
		{"root", govern.AuditFilter{Until: began}, nil},
	} {
		if got := read(tt.who, tt.filter); !slices.Equal(got, tt.want) {
			t.Errorf("%s with %+v: %v, want %v", tt.who, tt.filter, got, tt.want)
		}
	}

	// Pages join without a gap.
	var numbers []int64
	for before := int64(0); ; {
		p, err := f.Audit(ctx, root, govern.AuditFilter{}, before, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Rows {
			numbers = append(numbers, r.Number)
		}
		if before = p.Before; before == 0 {
			break
		}
	}
	for i, n := range numbers {
		if n != int64(len(numbers)-i) {
			t.Fatalf("pages show events %v", numbers)
		}
	}
}

// TestExportAudit checks that an export contains the hashed bytes, chained, and that it is an event
// itself.
func TestExportAudit(t *testing.T) {
	f := newFixture(t)
	root, _ := f.signIn(f.setUp())
	ben, _ := f.signIn(f.invite(root, "<Ben> & \u2028"))
	err := f.ExportAudit(ctx, ben, govern.AuditFilter{}, func(govern.AuditLine) error { t.Error("a line for somebody who may not"); return nil })
	wantKind(t, "an export by somebody who may not", err, baton.PermissionDenied)
	var lines []govern.AuditLine
	if err := f.ExportAudit(ctx, root, govern.AuditFilter{}, func(l govern.AuditLine) error {
		b, err := json.Marshal(l)
		if err == nil {
			err = json.Unmarshal(b, &l)
		}
		lines = append(lines, l)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	previous := console.Hash{}
	for i, l := range lines {
		if l.Number != int64(i+1) || l.Previous != previous || console.HashEvent(console.Link{Epoch: l.Epoch, Number: l.Number, Previous: l.Previous}, l.Event) != l.Hash {
			t.Fatalf("line %d does not verify: %+v", i, l)
		}
		previous = l.Hash
	}
	head, err := f.ChainHead(ctx, root)
	if err != nil || head.Number != int64(len(lines)+1) || head.Hash == previous {
		t.Errorf("after %d lines the head is %+v, %v", len(lines), head, err)
	}
	p, err := f.Audit(ctx, root, govern.AuditFilter{Kind: "audit"}, 0, 10)
	if err != nil || len(p.Rows) != 2 || p.Rows[0].Kind != "audit.head-downloaded" || p.Rows[1].Kind != "audit.exported" {
		t.Errorf("the export itself: %+v, %v", p.Rows, err)
	}
	if r, err := f.CheckChain(ctx, root, head); err != nil || len(r.Faults) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	head.Hash[0] ^= 1
	if r, err := f.CheckChain(ctx, root, head); err != nil || len(r.Faults) != 1 || r.Faults[0].Number != head.Number {
		t.Errorf("against another head: %+v, %v", r, err)
	}
}

// TestDenials checks that a call without a right is recorded, even if the caller is told that the
// object does not exist, but not a call with an old login.
func TestDenials(t *testing.T) {
	f := newFixture(t)
	root, _ := f.signIn(f.setUp())
	ben, _ := f.signIn(f.invite(root, "Ben"))
	ben.Route, ben.Object = "GET /people/{person}", "/people/"+string(root.Person.ID)
	for range 3 {
		_, err := f.Person(ctx, ben, root.Person.ID)
		wantKind(t, "a person whom one may not see", err, baton.NotFound)
	}
	ben.Route, ben.Object = "POST /people/{person}/invite", "/people/"+string(root.Person.ID)+"/invite"
	_, _, err := f.Invite(ctx, ben, root.Person.ID)
	wantKind(t, "an invitation by somebody who may not", err, baton.PermissionDenied)
	f.later(console.StepUp)
	_, _, err = f.Invite(ctx, root, root.Person.ID)
	wantKind(t, "an invitation from an old login", err, baton.PermissionDenied)
	p, err := f.Audit(ctx, root, govern.AuditFilter{Kind: "call"}, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range p.Rows {
		got = append(got, fmt.Sprintf("%s %s %s", r.Kind, r.ByName, r.Data))
	}
	want := []string{
		`call.denied Ben {"hidden":false,"route":"POST /people/{person}/invite","why":"you may not add, invite, change and disable people"}`,
		`call.denied Ben {"hidden":true,"route":"GET /people/{person}","why":"you may not see people and their access"}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}
