package report_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"path/filepath"
	"testing"
	"time"

	"baton"
	"baton/c1z"
	"baton/c1z/writer"
	"baton/report"
)

// Sync ids of fixtures, in chronological order.
const (
	first  = "2d59idiJblyjTYN6gSeESlyJKtz"
	second = "2d5H156amZCr4RtkRHTNCLb448Z"
)

var began = time.Date(2026, 3, 1, 10, 0, 0, 120_000_000, time.UTC)

var (
	userType = baton.ResourceType{ID: "user", DisplayName: "User", Description: "A member of the club.", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true,
		Columns: []baton.Column{{Key: "department", Title: "Department"}}}
	groupType  = baton.ResourceType{ID: "group", DisplayName: "Group", Description: "Some of the members.", Traits: []baton.Trait{baton.TraitGroup}}
	courseType = baton.ResourceType{ID: "course", DisplayName: "Course", Description: "What is taught.", Ranks: []string{"completed", "in_progress"},
		Columns: []baton.Column{{Key: "code", Title: "Code"}}}
)

// clubhouse returns a connector with two roles, each conferred by a group.
func clubhouse() *baton.Connector {
	return &baton.Connector{Name: "baton-clubhouse", DisplayName: "Clubhouse", ResourceTypes: []baton.ResourceType{userType, groupType, courseType},
		Roles: func(baton.Facts) (baton.Roles, error) {
			return baton.Roles{Counts: "Keeper", Roles: []baton.Role{
				{Name: "Keeper", Privileged: true, Entitlements: []baton.EntitlementID{memberOf("keepers")}},
				{Name: "Guest", Entitlements: []baton.EntitlementID{memberOf("guests")}},
			}}, nil
		},
		Review: func(baton.Facts) ([]baton.Note, error) {
			return []baton.Note{{Label: "Keys", Text: "3 keys"}, {Level: baton.Warning, Label: "Door", Text: "the door is open"}}, nil
		},
	}
}

func memberOf(group string) baton.EntitlementID {
	return baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: group}, Slug: "member"}
}

// world is the content of a sync.
type world struct {
	types        []baton.ResourceType
	resources    []baton.Resource
	entitlements []baton.Entitlement
	grants       []baton.Grant
}

func (w *world) account(id, name string, status baton.Status, profile baton.Profile) *baton.Resource {
	w.resources = append(w.resources, baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: name, Status: status,
		CreatedAt: began.AddDate(-1, 0, len(w.resources)), Profile: profile,
		User: &baton.User{Login: id + "@club.example", Emails: []baton.Email{{Address: id + "@club.example", Primary: true}}}})
	return &w.resources[len(w.resources)-1]
}

func (w *world) group(id, name string, members ...string) {
	r := baton.ResourceID{Type: "group", ID: id}
	w.resources = append(w.resources, baton.Resource{ID: r, DisplayName: name, Group: &baton.Group{}})
	w.entitlements = append(w.entitlements, baton.Entitlement{ID: memberOf(id), ResourceName: name, DisplayName: name + " member",
		Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}})
	for _, m := range members {
		w.grants = append(w.grants, baton.Grant{ID: baton.GrantID{Entitlement: memberOf(id), Principal: baton.ResourceID{Type: "user", ID: m}}, ResourceName: name})
	}
}

func (w *world) course(id, name string) {
	r := baton.ResourceID{Type: "course", ID: id}
	w.resources = append(w.resources, baton.Resource{ID: r, DisplayName: name, Profile: baton.Profile{"code": "C-" + id}})
	for _, slug := range courseType.Ranks {
		w.entitlements = append(w.entitlements, baton.Entitlement{ID: baton.EntitlementID{Resource: r, Slug: slug}, DisplayName: name + ", " + slug, GrantableTo: []string{"user"}})
	}
}

func (w *world) progress(course, slug, user string, metadata baton.Profile) {
	w.grants = append(w.grants, baton.Grant{Metadata: metadata, ID: baton.GrantID{
		Entitlement: baton.EntitlementID{Resource: baton.ResourceID{Type: "course", ID: course}, Slug: slug},
		Principal:   baton.ResourceID{Type: "user", ID: user}}})
}

// club returns a sync with every case that the page distinguishes.
func club() *world {
	w := &world{types: []baton.ResourceType{userType, groupType, courseType}}
	w.account("ann", "Ann Lee", baton.StatusEnabled, baton.Profile{"department": "House", "user_id": "ann"})
	w.account("bob", "Bob Roe", baton.StatusEnabled, baton.Profile{"department": "Garden"})
	w.account("cy", "Cy Ode", baton.StatusEnabled, nil)
	w.account("dee", "Dee Poe", baton.StatusDisabled, nil)
	w.account("eve", "Eve Moe", baton.StatusEnabled, nil)
	w.account("fay", "Fay Doe", baton.StatusUnspecified, nil)
	w.account("hal", "Hal Loe", baton.StatusEnabled, nil)
	w.group("keepers", "Keepers", "ann", "bob", "dee")
	w.group("guests", "Guests", "bob", "cy", "ghost")
	w.group("choir", "Choir", "ann", "cy")
	w.group("empty", "Empty")
	w.course("tea", "Tea")
	w.course("keys", "Keys")
	w.progress("tea", "completed", "ann", baton.Profile{"completed_date": "2026-02-03T04:05:06Z"})
	w.progress("tea", "completed", "bob", baton.Profile{"completed_date": "2026-02-04"})
	w.progress("tea", "in_progress", "cy", nil)
	w.progress("keys", "in_progress", "ann", nil)
	return w
}

// laterClub returns the club after every kind of change.
func laterClub() *world {
	w := club()
	for i := range w.resources {
		switch w.resources[i].ID.ID {
		case "bob":
			w.resources[i].Status = baton.StatusDisabled
		case "cy":
			w.resources[i].User.Emails[0].Address = "cy@new.example"
			w.resources[i].Profile = baton.Profile{"email": "cy@new.example"}
		case "guests":
			w.resources[i].DisplayName = "Visitors"
		}
	}
	keep := w.grants[:0]
	for _, g := range w.grants {
		switch id := g.ID.String(); {
		case id == "group:keepers:member:user:bob", id == "group:choir:member:user:cy", g.ID.Principal.ID == "fay",
			id == "course:keys:in_progress:user:ann", g.ID.Entitlement.Resource.ID == "empty":
			continue
		case g.ID.Entitlement.Resource.ID == "guests":
			g.ResourceName = "Visitors"
		case id == "course:tea:completed:user:bob":
			g.Metadata = baton.Profile{"completed_date": "2026-02-05"}
		}
		keep = append(keep, g)
	}
	w.grants = keep
	w.drop("fay")
	w.account("gus", "Gus New", baton.StatusEnabled, nil)
	w.group("crew", "Crew", "gus", "ann")
	w.grant("keepers", "eve")
	w.progress("keys", "completed", "ann", baton.Profile{"completed_date": "2026-03-01"})
	return w
}

func (w *world) grant(group, user string) {
	w.grants = append(w.grants, baton.Grant{ID: baton.GrantID{Entitlement: memberOf(group), Principal: baton.ResourceID{Type: "user", ID: user}}})
}

func (w *world) drop(id string) {
	for i, r := range w.resources {
		if r.ID.ID == id {
			w.resources = append(w.resources[:i], w.resources[i+1:]...)
			return
		}
	}
}

// write adds a sync to the file at path.
func write(t testing.TB, path, syncID string, w *world) {
	t.Helper()
	hours := time.Duration(0)
	if syncID != first {
		hours = 24 * time.Hour
	}
	out, err := writer.Create(path, writer.Options{SyncID: syncID, SyncType: c1z.Full, Started: began.Add(hours), KeepSyncs: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Abort()
	add := func(r writer.Row, err error) {
		t.Helper()
		if err == nil {
			err = out.Add(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range w.types {
		add(writer.ResourceTypeRow(v))
	}
	for _, v := range w.resources {
		add(writer.ResourceRow(v))
	}
	for _, v := range w.entitlements {
		add(writer.EntitlementRow(v, []baton.ResourceType{userType}))
	}
	for _, v := range w.grants {
		add(writer.GrantRow(v))
	}
	if _, err := out.Seal(t.Context(), began.Add(hours+time.Minute)); err != nil {
		t.Fatal(err)
	}
}

// options opens the file at path for a report that compares with the previous sync, if any.
func options(t testing.TB, c *baton.Connector, path string) report.Options {
	t.Helper()
	f, source, err := report.Open(t.Context(), path, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	sync, err := f.Latest()
	if err != nil {
		t.Fatal(err)
	}
	o := report.Options{Connector: c, Program: "baton-clubhouse 1.2.3", After: sync, AfterSource: source}
	if o.Before = sync.Previous(); o.Before != nil {
		o.BeforeSource = source
	}
	return o
}

// twoSyncs returns the path of a file with the club and the later club.
func twoSyncs(t testing.TB) string {
	path := filepath.Join(t.TempDir(), "club.c1z")
	write(t, path, first, club())
	write(t, path, second, laterClub())
	return path
}

// crowd returns a sync of any size: the accounts are in enough groups to give about that many grants.
func crowd(accounts, groups, grants int) *world {
	w := &world{types: []baton.ResourceType{userType, groupType}}
	for i := range accounts {
		status := baton.StatusEnabled
		if i%50 == 7 {
			status = baton.StatusDisabled
		}
		w.account(fmt.Sprintf("u%06d", i), fmt.Sprintf("Person %06d of the House", i*7919%accounts), status,
			baton.Profile{"department": fmt.Sprintf("Department %d", i%23), "user_id": fmt.Sprintf("u%06d", i)})
	}
	w.group("keepers", "Keepers", "u000001", "u000002", "u000003", "u000007")
	var everybody []string
	for i := range accounts {
		if i%100 != 99 {
			everybody = append(everybody, fmt.Sprintf("u%06d", i))
		}
	}
	w.group("guests", "Guests", everybody...)
	left := grants - len(w.grants)
	for g := range groups - 2 {
		var members []string
		for i := range left / (groups - 2) {
			members = append(members, fmt.Sprintf("u%06d", (i*(2*g+1)+g)%accounts))
		}
		w.group(fmt.Sprintf("g%04d", g), fmt.Sprintf("Group %04d", g), members...)
	}
	return w
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func unescape(text string) string { return html.UnescapeString(text) }
