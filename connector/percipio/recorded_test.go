package percipio_test

import (
	"baton/c1z/c1ztest"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"baton"
)

// TestAsTheOfficialConnector rebuilds the upstream from a file that the official connector wrote, syncs it,
// and compares: the identities are the same, and no information of the official connector about an account is
// lost.
func TestAsTheOfficialConnector(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "recorded", "percipio-v1.c1z")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the recorded file is not here")
	}
	inBubble(t, func(t *testing.T) {
		rows, err := c1ztest.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		up := rebuilt(t, rows)
		ours := file(t)
		mustSync(t, up.connect(t), ours)
		if diff := gocmp.Diff(found(t, path), found(t, ours)); diff != "" {
			t.Errorf("identities differ (-official +ours):\n%s", diff)
		}
		compareUsers(t, resources(t, path, "user"), resources(t, ours, "user"))
		compareTypes(t, path, ours)
	})
}

// rebuilt returns the upstream of a file. It leaves out rows with a status for which the official connector
// had no entitlement, because that connector granted them nevertheless.
func rebuilt(t *testing.T, from c1ztest.Rows) small {
	t.Helper()
	var users, items, rows []string
	add := func(to *[]string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		*to = append(*to, string(b))
	}
	builtIn := map[string]string{"id": "id", "external_id": "externalUserId", "email": "email", "first_name": "firstName", "last_name": "lastName",
		"login_name": "loginName", "role": "role", "job_title": "jobTitle", "is_active": "isActive", "is_instructor": "isInstructor",
		"has_coaching": "hasCoaching", "has_enterprise_coaching": "hasEnterpriseCoaching"}
	for _, r := range from.ResourcesOf("user") {
		user, custom := map[string]any{}, []map[string]any{}
		for key, value := range r.Profile {
			if name, ok := builtIn[key]; ok {
				user[name] = value
			} else if key != "approval_manager" && key != "has_enterprise_coaching_dashboard" {
				custom = append(custom, map[string]any{"id": "a" + key, "name": key, "value": value})
			}
		}
		user["customAttributes"] = custom
		add(&users, user)
	}
	for _, r := range from.ResourcesOf("course") {
		add(&items, map[string]any{"id": r.ID.ID, "contentType": map[string]any{"percipioType": "COURSE"}, "lifecycle": map[string]any{"status": "ACTIVE"},
			"localizedMetadata": []any{map[string]any{"localeCode": "en-US", "title": r.DisplayName}}})
	}
	for _, e := range from.Entitlements {
		status := map[string]string{"completed": "Completed", "in_progress": "Started"}[e.Slug]
		for _, g := range from.Grants {
			if g.Entitlement == e.ID {
				add(&rows, map[string]any{"userUuid": g.Principal.ID, "contentUuid": e.Resource.ID, "contentTitle": e.ResourceName, "status": status})
			}
		}
	}
	if len(users) < 10 || len(items) < 3 || len(rows) < 10 {
		t.Fatalf("%d users, %d courses, %d rows", len(users), len(items), len(rows))
	}
	return small{users: strings.Join(users, ","), items: strings.Join(items, ","), rows: strings.Join(rows, ",")}
}

func compareUsers(t *testing.T, official, ours []baton.Resource) {
	t.Helper()
	for _, want := range official {
		i := slices.IndexFunc(ours, func(r baton.Resource) bool { return r.ID == want.ID })
		got := ours[i]
		if got.DisplayName != want.DisplayName || got.Status != want.Status || !reflect.DeepEqual(got.User.Emails, want.User.Emails) || got.User.Login != want.User.Login {
			t.Errorf("%s: %+v, the official connector has %+v", want.ID, got, want)
		}
		for key, value := range want.Profile {
			if !reflect.DeepEqual(got.Profile[key], value) {
				t.Errorf("%s: %s is %v, the official connector has %v", want.ID, key, got.Profile[key], value)
			}
		}
	}
}

func compareTypes(t *testing.T, official, ours string) {
	t.Helper()
	types := func(path string) map[string]baton.ResourceType {
		rows, err := c1ztest.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]baton.ResourceType{}
		for _, rt := range rows.Types {
			rt.DisplayName, rt.Description = "", "" // an official one is in lower case
			m[rt.ID] = rt
		}
		return m
	}
	if diff := gocmp.Diff(types(official), types(ours)); diff != "" {
		t.Errorf("resource types differ (-official +ours):\n%s", diff)
	}
}
