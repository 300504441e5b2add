package percipio_test

import (
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
	"baton/c1z"
)

// TestAsTheOfficialConnector rebuilds the upstream that a file of the official
// connector was written from, out of that file, syncs it, and compares: the same
// identities, and nothing that the official one says of an account is lost.
func TestAsTheOfficialConnector(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "recorded", "percipio-v1.c1z")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the recorded file is not here")
	}
	inBubble(t, func(t *testing.T) {
		f, err := c1z.Open(path, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		up := rebuilt(t, f)
		ours := file(t)
		mustSync(t, up.connect(t), ours)
		if diff := gocmp.Diff(found(t, path), found(t, ours)); diff != "" {
			t.Errorf("identities differ (-official +ours):\n%s", diff)
		}
		compareUsers(t, resources(t, path, "user"), resources(t, ours, "user"))
		compareTypes(t, path, ours)
	})
}

// rebuilt is the upstream of a file. Rows with a status that the official connector
// knew no entitlement for are not in it, for it granted them all the same.
func rebuilt(t *testing.T, f *c1z.File) small {
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
	err := errors.Join(
		f.Resources("user", func(r baton.Resource) error {
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
			return nil
		}),
		f.Resources("course", func(r baton.Resource) error {
			add(&items, map[string]any{"id": r.ID.ID, "contentType": map[string]any{"percipioType": "COURSE"}, "lifecycle": map[string]any{"status": "ACTIVE"},
				"localizedMetadata": []any{map[string]any{"localeCode": "en-US", "title": r.DisplayName}}})
			return nil
		}),
		f.Entitlements("course", func(e baton.Entitlement) error {
			status := map[string]string{"completed": "Completed", "in_progress": "Started"}[e.ID.Slug]
			return f.Grants(e.ID, func(g baton.Grant) error {
				add(&rows, map[string]any{"userUuid": g.ID.Principal.ID, "contentUuid": e.ID.Resource.ID, "contentTitle": e.ResourceName, "status": status})
				return nil
			})
		}))
	if err != nil || len(users) < 10 || len(items) < 3 || len(rows) < 10 {
		t.Fatalf("%d users, %d courses, %d rows, %v", len(users), len(items), len(rows), err)
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
		f, err := c1z.Open(path, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all, err := f.ResourceTypes()
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]baton.ResourceType{}
		for _, rt := range all {
			rt.DisplayName, rt.Description = "", "" // one of the official ones is in lower case
			m[rt.ID] = rt
		}
		return m
	}
	if diff := gocmp.Diff(types(official), types(ours)); diff != "" {
		t.Errorf("resource types differ (-official +ours):\n%s", diff)
	}
}
