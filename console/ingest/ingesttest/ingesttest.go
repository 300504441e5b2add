// Package ingesttest applies generated syncs in tests.
package ingesttest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/ksuid"

	"baton"
	"baton/c1z/writer"
	"baton/console"
	"baton/console/ingest"
	"baton/console/store"
)

// Tenant is the content of one sync. The types of accounts ("user"), groups ("group") and
// applications ("app") are declared automatically.
type Tenant struct {
	Accounts []baton.Resource // of the type "user"
	Groups   []Group
	Courses  []Course
	Apps     []baton.Resource // of the type "app"
}

// Group is a group with the ids of the accounts that are its members.
type Group struct {
	ID, Name string
	Members  []string
}

// Course is a course with the accounts that completed it, and the dates that the application states
// ("" for none), and the accounts that have begun it.
type Course struct {
	ID, Name, Link string
	Completed      map[string]string
	InProgress     []string
}

// Completed returns the id of the entitlement of those who completed a course.
func Completed(course string) string { return courseEntitlement(course, "completed").String() }

func courseEntitlement(course, slug string) baton.EntitlementID {
	return baton.EntitlementID{Resource: baton.ResourceID{Type: "course", ID: course}, Slug: slug}
}

// Account returns an account with a login that is an e-mail address.
func Account(id, name, login string) baton.Resource {
	return baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: name, Status: baton.StatusEnabled,
		User: &baton.User{Login: login, Emails: []baton.Email{{Address: login, Primary: true}}}}
}

// App returns an application.
func App(id, name string) baton.Resource {
	return baton.Resource{ID: baton.ResourceID{Type: "app", ID: id}, DisplayName: name}
}

// Member returns the id of the entitlement of a group's members.
func Member(group string) string {
	return string(baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: group}, Slug: "member"}.String())
}

// Write writes the tenant as a full sync that began at a time, and returns the file's path.
func (x Tenant) Write(t testing.TB, began time.Time) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sync.c1z")
	w, err := writer.Create(path, writer.Options{SyncID: ksuid.New().String(), SyncType: "full", Started: began})
	check(t, err)
	add := func(r writer.Row, err error) {
		t.Helper()
		check(t, err)
		check(t, w.Add(r))
	}
	user := baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}
	add(writer.ResourceTypeRow(user))
	add(writer.ResourceTypeRow(baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}))
	if len(x.Apps) > 0 {
		add(writer.ResourceTypeRow(baton.ResourceType{ID: "app", DisplayName: "App", Traits: []baton.Trait{baton.TraitApp}}))
	}
	for _, r := range x.Accounts {
		add(writer.ResourceRow(r))
	}
	for _, r := range x.Apps {
		add(writer.ResourceRow(r))
	}
	for _, g := range x.Groups {
		id := baton.ResourceID{Type: "group", ID: g.ID}
		e := baton.EntitlementID{Resource: id, Slug: "member"}
		add(writer.ResourceRow(baton.Resource{ID: id, DisplayName: g.Name, Group: &baton.Group{}}))
		add(writer.EntitlementRow(baton.Entitlement{ID: e, DisplayName: g.Name + " member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, []baton.ResourceType{user}))
		for _, m := range g.Members {
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: e, Principal: baton.ResourceID{Type: "user", ID: m}}}))
		}
	}
	if len(x.Courses) > 0 {
		add(writer.ResourceTypeRow(baton.ResourceType{ID: "course", DisplayName: "Course"}))
	}
	for _, c := range x.Courses {
		add(writer.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "course", ID: c.ID}, DisplayName: c.Name, Profile: baton.Profile{"link": c.Link}}))
		completed, begun := courseEntitlement(c.ID, "completed"), courseEntitlement(c.ID, "in_progress")
		add(writer.EntitlementRow(baton.Entitlement{ID: completed, DisplayName: c.Name + ", completed", GrantableTo: []string{"user"}}, []baton.ResourceType{user}))
		add(writer.EntitlementRow(baton.Entitlement{ID: begun, DisplayName: c.Name + ", in progress", GrantableTo: []string{"user"}}, []baton.ResourceType{user}))
		for who, date := range c.Completed {
			g := baton.Grant{ID: baton.GrantID{Entitlement: completed, Principal: baton.ResourceID{Type: "user", ID: who}}}
			if date != "" {
				g.Metadata = baton.Profile{"completed_date": date}
			}
			add(writer.GrantRow(g))
		}
		for _, who := range c.InProgress {
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: begun, Principal: baton.ResourceID{Type: "user", ID: who}}}))
		}
	}
	_, err = w.Seal(t.Context(), began.Add(time.Second))
	check(t, err)
	return path
}

// Receive receives and applies the tenant as a full sync that began at a time, and returns the sync,
// which may be held.
func (x Tenant) Receive(t testing.TB, s *store.Store, connector console.ID, began time.Time) console.Sync {
	t.Helper()
	file, err := os.Open(x.Write(t, began))
	check(t, err)
	defer file.Close()
	return Receive(t, s, ingest.Origin{Connector: connector, Kind: console.SyncFull, Dispatched: began}, began, file)
}

// Receive receives and applies a file, and returns the sync.
func Receive(t testing.TB, s *store.Store, o ingest.Origin, now time.Time, file io.Reader) console.Sync {
	t.Helper()
	in := &ingest.Ingester{Store: s, Scratch: t.TempDir(), Now: func() time.Time { return now }}
	actor := console.Actor{Kind: console.ActorConnector, ID: string(o.Connector)}
	id, err := in.Receive(context.Background(), actor, o, file)
	check(t, err)
	sync, err := in.Apply(context.Background(), actor, id)
	check(t, err)
	return sync
}

// Apply is Receive, and fails the test unless the sync is applied.
func (x Tenant) Apply(t testing.TB, s *store.Store, connector console.ID, began time.Time) console.Sync {
	t.Helper()
	sync := x.Receive(t, s, connector, began)
	if sync.State != console.SyncApplied {
		t.Fatalf("the sync is %s: %s %+v", sync.State, sync.Why, sync.Holds)
	}
	return sync
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
