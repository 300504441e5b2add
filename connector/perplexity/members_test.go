package perplexity_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"baton"
)

// TestRecheckLooksAtWhatTheGuardLookedAt: recheck does not revert a change because of a group that the guard
// did not check, or because the group lists its members by their names.
func TestRecheckLooksAtWhatTheGuardLookedAt(t *testing.T) {
	for name, tc := range map[string]struct {
		groups         map[string][]string
		faults, change string
		refused        bool
	}{
		"another group may be the Admin group, and has no admin": {map[string][]string{"PPLX_Admin": {"off-ann"}, "pplx_admin": {"bob", "dan"}}, "", "disable bob", false},
		"the same, and it is the last one":                       {map[string][]string{"PPLX_Admin": {"off-ann"}, "pplx_admin": {"bob"}}, "", "disable bob", true},
		"members by user names":                                  {map[string][]string{"PPLX_Admin": {"ann", "bob"}, "crew": {"cid"}}, "members-by-user-name", "disable ann", false},
		"members by user names, revoked":                         {map[string][]string{"PPLX_Admin": {"ann", "bob"}, "crew": {"cid"}}, "members-by-user-name", "revoke PPLX_Admin ann", false},
		"members by user names, the last one":                    {map[string][]string{"PPLX_Admin": {"ann", "off-bob"}, "crew": {"cid"}}, "members-by-user-name", "disable ann", true},
		"members by display names":                               {map[string][]string{"PPLX_Admin": {"ann", "bob"}, "crew": {"cid"}}, "members-by-display-name,no-groups-attribute", "disable ann", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				faults := strings.FieldsFunc(tc.faults, func(r rune) bool { return r == ',' })
				tm := newTeam(t, tc.groups, faults...)
				out, err := tm.do(t, connectTo(t, tm.Server), tc.change)
				if tc.refused {
					if baton.KindOf(err) != baton.Refused || err == nil || len(tm.Writes()) > 0 {
						t.Errorf("%+v, %v, writes %+v", out, err, tm.Writes())
					}
				} else if err != nil || out.Already || len(tm.Writes()) != 1 {
					t.Errorf("%+v, %v, writes %+v", out, err, tm.Writes())
				}
			})
		})
	}
}

// TestGrantToWhoMayBeListed: an entry of an unknown type with the id of an account does not count as the
// account if the account, or the server, contradicts that. A write that the server dropped does not count as
// a success.
func TestGrantToWhoMayBeListed(t *testing.T) {
	groups := map[string][]string{"crew": {"bob", "cid"}, "others": {"ann", "newcomer"}}
	for _, tc := range []struct {
		faults, change string
		already        bool
		fails          bool
	}{
		{"odd-kind-members", "grant crew ann", false, false},
		{"odd-kind-members,no-groups-attribute", "grant crew ann", false, false},
		{"odd-kind-members,drop-member-on-add", "grant crew ann", false, true},
		{"odd-kind-members,drop-member-on-add,no-groups-attribute", "grant crew ann", false, true},
		{"odd-kind", "grant crew bob", true, false},
		{"odd-kind,no-groups-attribute", "grant crew bob", true, false},
		{"odd-kind", "grant crew newcomer", false, false},
		{"device-members", "grant crew ann", false, false},
	} {
		t.Run(tc.faults+"/"+tc.change, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tm := newTeam(t, groups, strings.Split(tc.faults, ",")...)
				out, err := tm.do(t, connectTo(t, tm.Server), tc.change)
				_, user, _ := strings.Cut(tc.change, "crew ")
				switch {
				case tc.fails && (err == nil || baton.FixOf(err) == ""):
					t.Errorf("%+v, %v", out, err)
				case !tc.fails && (err != nil || out.Already != tc.already || !strings.Contains(tm.members("crew"), user)):
					t.Errorf("%+v, %v; members %s", out, err, tm.members("crew"))
				}
			})
		})
	}
}
