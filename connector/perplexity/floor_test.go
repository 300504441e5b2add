package perplexity_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"baton"
	"baton/agent/syncer"
	"baton/connector/perplexity"
	sandbox "baton/sandbox/perplexity"
)

// written is a sync as lines, "Group: user user" for each group. A name ends in "-" for a disabled account,
// and in "?" for one of unknown status.
type written []string

func (w written) Resources(resourceType string, fn func(baton.Resource) error) error {
	seen := map[string]bool{}
	for _, line := range w {
		name, list, _ := strings.Cut(line, ":")
		if resourceType == "group" {
			if err := fn(baton.Resource{ID: baton.ResourceID{Type: "group", ID: "id of " + name}, DisplayName: name}); err != nil {
				return err
			}
			continue
		}
		for _, user := range strings.Fields(list) {
			id, status := strings.TrimRight(user, "-?"), baton.StatusEnabled
			switch {
			case strings.HasSuffix(user, "-"):
				status = baton.StatusDisabled
			case strings.HasSuffix(user, "?"):
				status = baton.StatusUnspecified
			}
			if seen[id] {
				continue
			}
			seen[id] = true
			if err := fn(baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: id, Status: status}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w written) Grants(e baton.EntitlementID, fn func(baton.Grant) error) error {
	for _, line := range w {
		name, list, _ := strings.Cut(line, ":")
		if e.Resource.ID != "id of "+name {
			continue
		}
		for _, user := range strings.Fields(list) {
			g := baton.GrantID{Entitlement: e, Principal: baton.ResourceID{Type: "user", ID: strings.TrimRight(user, "-?")}}
			if err := fn(baton.Grant{ID: g}); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestFloors counts the certain admins.
func TestFloors(t *testing.T) {
	for name, tc := range map[string]struct {
		facts           written
		cfg             perplexity.Config
		certain, likely int
	}{
		"two":                            {facts: written{"PPLX_Admin: ann bob", "PPLX_Members: cid"}, certain: 2, likely: 2},
		"one of them disabled":           {facts: written{"PPLX_Admin: ann bob-", "PPLX_Members: cid"}, certain: 1, likely: 1},
		"nobody says whether enabled":    {facts: written{"PPLX_Admin: ann? bob?"}},
		"also a member, priority open":   {facts: written{"PPLX_Admin: ann bob", "PPLX_Members: bob cid"}, certain: 1, likely: 1},
		"also a member, admin first":     {facts: written{"PPLX_Admin: ann bob", "PPLX_Members: bob cid"}, cfg: perplexity.Config{Priority: "admin"}, certain: 2, likely: 2},
		"also a member, member first":    {facts: written{"PPLX_Admin: ann bob", "PPLX_Members: bob cid"}, cfg: perplexity.Config{Priority: "member"}, certain: 1, likely: 1},
		"empty":                          {facts: written{"PPLX_Admin:", "PPLX_Members: ann"}},
		"the group is gone":              {facts: written{"PPLX_Members: ann"}},
		"another with admin in its name": {facts: written{"PPLX_Members: ann", "Facility admins: cid"}, likely: 1},
		"of several guesses the worst":   {facts: written{"Facility admins: cid", "IT admins: ann bob dan"}, likely: 1},
		"configured":                     {facts: written{"PPLX_Admin: ann bob", "Bosses: eve"}, cfg: perplexity.Config{AdminGroups: []string{"Bosses"}}, certain: 1, likely: 1},
		"two that are configured":        {facts: written{"PPLX_Admin: ann bob", "Bosses: eve ann"}, cfg: perplexity.Config{AdminGroups: []string{"Bosses", "PPLX_Admin"}}, certain: 3, likely: 3},
		"configured, and gone":           {facts: written{"PPLX_Admin: ann bob"}, cfg: perplexity.Config{AdminGroups: []string{"Bosses"}}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cfg.MinAdmins = 3
			notes, err := perplexity.New(tc.cfg).Review(tc.facts)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range notes {
				for _, f := range n.Floors {
					got = append(got, fmt.Sprint(f.Count, " of ", f.Least, " ", f.Noun))
				}
			}
			want := []string{fmt.Sprint(tc.certain, " of 3 enabled accounts that are certain to be Admin"), fmt.Sprint(tc.likely, " of 3 enabled accounts that are likely to be Admin")}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("floors %q, want %q", got, want)
			}
		})
	}
}

// TestLockoutIsHeld reads an organisation that has lost its admins since the previous sync.
func TestLockoutIsHeld(t *testing.T) {
	const admin = "PPLX_Admin"
	for name, lose := range map[string]func(t *testing.T, o *org){
		"the group is empty": func(t *testing.T, o *org) {
			g := group(t, o.State(), admin)
			for _, id := range g.Members {
				o.RemoveMember(g.ID, id)
			}
		},
		"the group is gone": func(t *testing.T, o *org) { o.RemoveGroup(group(t, o.State(), admin).ID) },
		"all are disabled": func(t *testing.T, o *org) {
			for _, id := range group(t, o.State(), admin).Members {
				o.SetActive(id, false)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := start(t, sandbox.Options{})
			cfg := syncer.Config{Connector: o.connect(t), Path: t.TempDir() + "/sync.c1z"}
			if _, err := syncer.Run(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			lose(t, o)
			_, err := syncer.Run(t.Context(), cfg)
			var held *syncer.Held
			if !errors.As(err, &held) || len(held.Reasons) != 1 ||
				!strings.Contains(held.Reasons[0], "This sync has 0 enabled accounts that are certain to be Admin, fewer than 1; the previous sync had ") {
				t.Fatalf("got %v, want it held for the admins", err)
			}
			cfg.Overrides = []syncer.Override{held.Override}
			if _, err := syncer.Run(t.Context(), cfg); err != nil {
				t.Error(err)
			}
		})
	}
}
