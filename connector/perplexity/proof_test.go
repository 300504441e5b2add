package perplexity_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"baton"
)

func creation(email string) baton.AccountRequest {
	return baton.AccountRequest{Email: email, Profile: map[string]any{"display_name": "Jane Smith"}}
}

// TestRecordsOfOthers: the account of a creation is the requested one, or the error names the record.
func TestRecordsOfOthers(t *testing.T) {
	const email = "jack.kosk@acme.example"
	for name, tc := range map[string]struct {
		faults string
		kind   baton.Kind // 0 means created
		names  string     // the record in the error, or a part of the warnings
	}{
		"another record":               {"create-other", baton.Incomplete, "ann@acme.example"},
		"the id of another":            {"create-other-id", baton.Incomplete, "ann@acme.example"},
		"the id of another alone":      {"create-other-id,create-id-only", baton.Incomplete, "ann@acme.example"},
		"a record of nobody":           {"create-ignored-body", baton.Incomplete, "user-1"},
		"a changed user name":          {"create-suffix", 0, email + ".tenant"},
		"status 200":                   {"create-200", 0, "may have existed before"},
		"an id alone":                  {"create-id-only", 0, "no welcome mail"},
		"nothing":                      {"create-empty", 0, "no welcome mail"},
		"nothing, and a borrower":      {"create-empty,borrowed-address", 0, "no welcome mail"},
		"a borrower, filters ignored":  {"borrowed-address,filter-ignored", 0, "no welcome mail"},
		"a borrower, without filters":  {"borrowed-address,filter-unsupported", 0, "no welcome mail"},
		"a look-alike":                 {"look-alike", 0, "no welcome mail"},
		"a look-alike, and no answer":  {"look-alike,create-empty", 0, "no welcome mail"},
		"answers of something foreign": {"foreign-404-writes", baton.Incomplete, "no SCIM answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tm := newTeam(t, map[string][]string{"crew": {"ann", "bob"}}, strings.Split(tc.faults, ",")...)
				out, err := connectTo(t, tm.Server).Account.Create(t.Context(), creation(email))
				if tc.kind != 0 {
					if err == nil || baton.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.names) || baton.FixOf(err) == "" {
						t.Errorf("%+v, %v (fix %q); want %v, %q", out.Resource, err, baton.FixOf(err), tc.kind, tc.names)
					}
					return
				}
				if err != nil || out.Already {
					t.Fatalf("%+v, %v", out, err)
				}
				u, ok := tm.State().User(out.Resource.ID.ID)
				if !ok || u.Email != email || !strings.Contains(strings.Join(out.Warnings, " "), tc.names) {
					t.Errorf("it names %+v; warnings %q", u, out.Warnings)
				}
			})
		})
	}
}

// TestGrantToNobody: a grant fails for an unknown account although the server accepts any id as a member.
func TestGrantToNobody(t *testing.T) {
	for _, faults := range []string{"any-member", "any-member,members-absent-everywhere", "any-member,foreign-404-one=3", "any-member,denied-one=2"} {
		t.Run(faults, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tm := newTeam(t, map[string][]string{"crew": {"ann", "bob"}}, strings.Split(faults, ",")...)
				_, err := connectTo(t, tm.Server).Grant(t.Context(), request(tm.id["crew"], "nobody"))
				if baton.KindOf(err) != baton.NotFound || !strings.Contains(err.Error(), `"nobody"`) || len(tm.Writes()) > 0 {
					t.Errorf("%v; wrote %+v", err, tm.Writes())
				}
			})
		})
	}
}

// TestDeniedChanges: an object that the server denies but lists exists; an object that something else denies
// is not known to be gone.
func TestDeniedChanges(t *testing.T) {
	groups := map[string][]string{"crew": {"ann", "bob"}, "PPLX_Admin": {"ann", "dan"}}
	for _, tc := range []struct {
		faults, change, says string
		kind                 baton.Kind // 0 means done
	}{
		{"denied-one=1", "revoke crew bob", "Removed", 0},
		{"denied-one=1", "grant crew newcomer", "Added", 0},
		{"denied-one=1", "disable bob", "Disabled", 0},
		{"denied-one=1", "revoke PPLX_Admin ann", "Removed", 0},
		{"foreign-404-one=1", "disable ann", "Disabled", 0},
		{"foreign-404=1", "revoke crew bob", "no SCIM answer", baton.Incomplete},
		{"foreign-404=1", "disable bob", "no SCIM answer", baton.Incomplete},
		{"foreign-404-html=1", "enable bob", "no SCIM answer", baton.Incomplete},
		{"foreign-404-writes", "revoke crew bob", "no SCIM answer", baton.Incomplete},
		{"foreign-404-writes", "disable bob", "no SCIM answer", baton.Incomplete},
		{"denied-one=1,lookalike-list=1", "revoke crew bob", "not a SCIM list", baton.Incomplete},
		{"denied-one=1,lookalike-list=1", "disable bob", "not a SCIM list", baton.Incomplete},
		{"no-groups-attribute,lookalike-list=1", "disable ann", "not a SCIM list", baton.Incomplete},
		{"members-absent-everywhere,lookalike-list=1", "revoke crew newcomer", "not a SCIM list", baton.Incomplete},
	} {
		t.Run(tc.faults+"/"+tc.change, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tm := newTeam(t, groups, strings.Split(tc.faults, ",")...)
				before := tm.State()
				out, err := tm.do(t, connectTo(t, tm.Server, admin), tc.change)
				if tc.kind == 0 {
					if err != nil || out.Already || !strings.Contains(strings.Join(out.Done, " "), tc.says) || len(tm.Writes()) == 0 {
						t.Errorf("%+v, %v", out, err)
					}
					return
				}
				if baton.KindOf(err) != tc.kind || err == nil || !strings.Contains(err.Error(), tc.says) || baton.FixOf(err) == "" {
					t.Errorf("%+v, %v, want %q", out, err, tc.says)
				}
				for _, u := range before.Users {
					if now, _ := tm.State().User(u.ID); now.Active != u.Active || len(now.Groups) != len(u.Groups) {
						t.Errorf("%s changed", u.UserName)
					}
				}
			})
		})
	}
}

// TestWhoWasShown: an account that is gone counts as disabled if it was ever shown.
func TestWhoWasShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tm := newTeam(t, map[string][]string{"crew": {"ann", "bob"}, "PPLX_Admin": {"dan"}}, "soft-delete-off")
		c := connectTo(t, tm.Server, admin)
		requests := 0
		disable := func(id string, previously func(baton.ResourceID) (bool, error)) (baton.Outcome, error) {
			a, _ := c.Action("disable_user")
			return a.Run(t.Context(), baton.ActionRequest{Arguments: map[string]any{"user_id": id}, Previously: previously})
		}
		yes := func(id baton.ResourceID) (bool, error) {
			requests++
			return id.Type == "user" && id.ID == tm.id["bob"], nil
		}
		if out, err := disable(tm.id["ann"], nil); err != nil || out.Already {
			t.Errorf("%+v, %v", out, err)
		}
		if out, err := disable(tm.id["ann"], nil); err != nil || !out.Already {
			t.Errorf("this process has disabled it: %+v, %v", out, err)
		}
		tm.RemoveUser(tm.id["bob"])
		if _, err := disable(tm.id["bob"], nil); baton.KindOf(err) != baton.NotFound {
			t.Errorf("nobody knows it: %v", err)
		}
		if out, err := disable(tm.id["bob"], yes); err != nil || !out.Already || requests != 1 {
			t.Errorf("a previous sync has it: %+v, %v", out, err)
		}
		if _, err := disable("nobody", yes); baton.KindOf(err) != baton.NotFound {
			t.Errorf("no previous sync has it: %v", err)
		}
		unreadable := baton.Errorf(baton.Corrupt, "the file is damaged")
		if _, err := disable(tm.id["bob"], func(baton.ResourceID) (bool, error) { return false, unreadable }); baton.KindOf(err) != baton.Corrupt {
			t.Errorf("%v", err)
		}
	})
}
