package syncer_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baton"
	"baton/agent/syncer"
)

// people returns the accounts from one number up to another.
func people(from, to int) (ids []string) {
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprintf("u%03d", i))
	}
	return ids
}

func only(o syncer.Override) []syncer.Override { return []syncer.Override{o} }

type members map[string][]string // by group

func org(users []string, groups members) *baton.Connector {
	return connector(script("users", userTypes, scriptedPage{users: users}), script("groups", groupTypes, scriptedPage{groups: groups}))
}

// but returns the members with those of one group replaced.
func (m members) but(group string, ids []string) members {
	m = maps.Clone(m)
	m[group] = ids
	return m
}

var (
	everybody = people(0, 100)
	settled   = members{"g1": everybody, "g2": people(0, 60)}
)

func copied(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	path = file(t)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// held runs a sync that must be held, and checks that it leaves no trace.
func held(t *testing.T, cfg syncer.Config) *syncer.Held {
	t.Helper()
	before, err := os.ReadFile(cfg.Path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	_, err = syncer.Run(t.Context(), cfg)
	var h *syncer.Held
	if !errors.As(err, &h) || baton.KindOf(err) != baton.Refused {
		t.Fatalf("got %v, want it held", err)
	}
	if fix := baton.FixOf(err); !strings.Contains(fix, "--allow-held "+h.Override.String()) || !strings.Contains(fix, "BATON_ALLOW_HELD") {
		t.Errorf("it does not say how to let it through: %s", fix)
	}
	if after, _ := os.ReadFile(cfg.Path); !bytes.Equal(before, after) {
		t.Error("it was held, and the file changed")
	}
	if left, _ := filepath.Glob(cfg.Path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	return h
}

// TestRemovalGuard: a sync that removes too much of the previous one is held and leaves the file unchanged.
func TestRemovalGuard(t *testing.T) {
	base := file(t)
	run(t, syncer.Config{Connector: org(everybody, settled), Path: base})
	for name, tc := range map[string]struct {
		users  []string
		groups members
		edit   func(*syncer.Config)
		held   []string // parts of the reasons; nil if the sync is not held
	}{
		"nothing":                {users: everybody, groups: settled},
		"a fifth of the users":   {users: people(0, 80), groups: settled.but("g1", people(0, 80))},
		"more than a fifth":      {users: people(0, 79), groups: settled.but("g1", people(0, 79)), held: []string{`Of 100 users in the previous sync, 21 are missing from this one (21 %, more than 20 %), for example "user:u0`}},
		"half of the grants":     {users: everybody, groups: settled.but("g1", people(0, 20)), held: []string{`Of 160 grants on groups in the previous sync, 80 are missing from this one (50 %, more than 20 %), for example "group:g1:member:user:u0`}},
		"all groups, few though": {users: everybody, groups: members{"g8": everybody, "g9": people(0, 60)}, held: []string{`The previous sync had 2 groups, for example "group:g`, `The previous sync had 2 entitlements on groups`, `The previous sync had 160 grants on groups`}},
		"one group of two":       {users: everybody, groups: members{"g1": everybody, "g9": people(0, 60)}, edit: func(c *syncer.Config) { c.MaxRemovals = 50 }},

		// As many as before, but others.
		"swapped people":            {users: people(50, 150), groups: members{"g1": people(50, 150), "g2": people(50, 110)}, held: []string{`Of 100 users in the previous sync, 50 are missing`, `Of 160 grants on groups in the previous sync, 100 are missing`}},
		"swapped members":           {users: everybody, groups: settled.but("g2", people(40, 100)), held: []string{`Of 160 grants on groups in the previous sync, 40 are missing`}},
		"all others":                {users: people(100, 200), groups: members{"g1": people(100, 200), "g2": people(100, 160)}, held: []string{`The previous sync had 100 users`, `The previous sync had 160 grants on groups`}},
		"all others, as it is told": {users: people(100, 200), groups: members{"g1": people(100, 200), "g2": people(100, 160)}, held: []string{`"; this one has none of them.`, `"; this one has none of them.`}},

		// An empty list.
		"no users": {groups: settled, held: []string{`The previous sync had 100 users`, `The previous sync had 160 grants on groups`,
			`Rows were dropped: grant to an account that the upstream does not list (160, such as group:g1:member:user:u`}},
		"no groups":                     {users: everybody, held: []string{`The previous sync had 2 groups, for example "group:g`, `entitlements`, `grants`}},
		"no groups, though empty is ok": {users: everybody, edit: func(c *syncer.Config) { c.AllowEmpty = true }, held: []string{`The previous sync had 2 groups`, ``, ``}},
		"no members":                    {users: everybody, groups: members{"g1": nil, "g2": nil}, held: []string{`The previous sync had 160 grants on groups`}},

		// Settings.
		"a share of the setting's":   {users: everybody, groups: settled.but("g1", people(0, 60)), edit: func(c *syncer.Config) { c.MaxRemovals = 25 }},
		"more than the setting's":    {users: everybody, groups: settled.but("g1", people(0, 59)), edit: func(c *syncer.Config) { c.MaxRemovals = 25 }, held: []string{`41 are missing from this one (25 %, more than 25 %)`}},
		"too few to have a share":    {users: everybody, groups: settled.but("g1", people(0, 20)), edit: func(c *syncer.Config) { c.RemovalsFrom = 161 }},
		"just enough for a share":    {users: everybody, groups: settled.but("g1", people(0, 20)), edit: func(c *syncer.Config) { c.RemovalsFrom = 160 }, held: []string{"80 are missing"}},
		"any share allowed":          {users: people(0, 1), groups: settled.but("g1", people(0, 1)), edit: func(c *syncer.Config) { c.MaxRemovals = 100 }},
		"any share allowed, but all": {groups: settled, edit: func(c *syncer.Config) { c.MaxRemovals = 100 }, held: []string{"this one has none.", "this one has none.", "Rows were dropped: "}},
		"whatever it is":             {users: everybody, groups: settled.but("g1", people(0, 20)), edit: func(c *syncer.Config) { c.AllowRemovals = true }},

		// Rows that the sync does not cover are not missing.
		"users only":         {users: everybody, groups: settled, edit: func(c *syncer.Config) { c.Types = userTypes }},
		"resources only":     {users: everybody, groups: members{"g1": nil, "g2": nil}, edit: func(c *syncer.Config) { c.SkipEntitlementsAndGrants = true }},
		"grants left aside":  {users: everybody, groups: settled.but("g1", nil), edit: func(c *syncer.Config) { c.SkipGrants = true }},
		"users only, halved": {users: people(0, 50), groups: settled, edit: func(c *syncer.Config) { c.Types = userTypes }, held: []string{`Of 100 users in the previous sync, 50 are missing`}},
	} {
		t.Run(name, func(t *testing.T) {
			path := copied(t, base)
			cfg := syncer.Config{Connector: org(tc.users, tc.groups), Path: path}
			if tc.edit != nil {
				tc.edit(&cfg)
			}
			if tc.held == nil {
				run(t, cfg)
				return
			}
			h := held(t, cfg)
			if !slices.EqualFunc(h.Reasons, tc.held, strings.Contains) {
				t.Errorf("held for %q, want %q", h.Reasons, tc.held)
			}
			cfg.Overrides = only(h.Override)
			run(t, cfg)
		})
	}
}

// TestOverride lets one sync through, and no other.
func TestOverride(t *testing.T) {
	path := file(t)
	run(t, syncer.Config{Connector: org(everybody, settled), Path: path})
	gone := settled.but("g1", people(0, 50)) // u050 to u099 have left g1
	override := held(t, syncer.Config{Connector: org(everybody, gone), Path: path}).Override
	if list, err := syncer.ParseOverrides(override.String()); err != nil || len(list) != 1 || list[0].String() != override.String() {
		t.Fatalf("parsed again: %v, %v", list, err)
	}
	for name, groups := range map[string]members{
		"others of the same group": settled.but("g1", people(50, 100)),
		"those of another group":   settled.but("g2", nil),
		"many more":                gone.but("g2", people(0, 20)),
		"all the rest as well":     {"g1": nil, "g2": nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := syncer.Config{Connector: org(everybody, groups), Path: path, Overrides: only(override)}
			if h := held(t, cfg); h.Override.String() == override.String() {
				t.Error("it has the same override")
			}
		})
	}
	t.Run("people too", func(t *testing.T) {
		held(t, syncer.Config{Connector: org(people(0, 70), gone), Path: path, Overrides: only(override)})
	})
	// Tenants change: a few more rows may be gone, and a few may be back.
	for name, groups := range map[string]members{
		"a few more":            gone.but("g1", people(6, 50)),
		"a few back":            gone.but("g1", people(0, 60)),
		"a few and a new group": {"g1": people(4, 50), "g2": people(0, 60), "g3": people(10, 90)},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, syncer.Config{Connector: org(everybody, groups), Path: copied(t, path), Overrides: only(override)})
		})
	}
	t.Run("once", func(t *testing.T) {
		run(t, syncer.Config{Connector: org(everybody, gone), Path: path, Overrides: only(override)})
		run(t, syncer.Config{Connector: org(everybody, settled), Path: path, Overrides: only(override)}) // they are back
		held(t, syncer.Config{Connector: org(everybody, gone), Path: path, Overrides: only(override)})
	})
}

func TestParseOverrides(t *testing.T) {
	path := file(t)
	run(t, syncer.Config{Connector: org(everybody, settled), Path: path})
	hold := func(groups members) string {
		return held(t, syncer.Config{Connector: org(everybody, groups), Path: path}).Override.String()
	}
	good, other := hold(settled.but("g1", nil)), hold(settled.but("g2", nil))
	for text, want := range map[string][]string{"": nil, " ,\n": nil, " " + good + "\n": {good}, good + "," + other: {good, other}, other + "  " + good: {other, good}} {
		list, err := syncer.ParseOverrides(text)
		if err != nil || !slices.EqualFunc(list, want, func(o syncer.Override, text string) bool { return o.String() == text }) {
			t.Errorf("%q: %v, %v", text, list, err)
		}
	}
	for _, text := range []string{"true", "1", good + "A", good[1:], good[:len(good)-1], strings.ToLower(good), good[:10] + "\n" + good[10:], good + ",x",
		strings.Repeat("A", 10_000), "AQ", strings.Repeat(good+",", 17), "AfaHR2bJqJgDBFZPxXJQoAEGsr17lPOH-b6a3N3ZqpOJ5nWQJerY"} {
		if _, err := syncer.ParseOverrides(text); baton.KindOf(err) != baton.Invalid || baton.FixOf(err) == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseOverrides(f *testing.F) {
	const sample = "AtreoVg2JoSkAQRWT8VyPKABBrK9e_tTjJTzhxSaa_fIeuwupQJWT8VyAgLLOt6ZZANWT8VyAgPLOt6ZAARWT8VyPATLOt6ZABOl7g"
	f.Add("")
	f.Add(sample)
	f.Add(sample + ", " + sample)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := syncer.ParseOverrides(text)
		if err != nil {
			return
		}
		var texts []string
		for _, o := range list {
			texts = append(texts, o.String())
		}
		if want := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }); !slices.Equal(texts, want) {
			t.Errorf("%q became %q", text, texts)
		}
	})
}

// admins gives a connector a review that counts the members of a group.
func admins(c *baton.Connector, group string, least int) *baton.Connector {
	c.Review = func(facts baton.Facts) ([]baton.Note, error) {
		n := 0
		e := baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: group}, Slug: "member"}
		err := facts.Grants(e, func(baton.Grant) error { n++; return nil })
		return []baton.Note{{Label: "Admin", Text: fmt.Sprint(n), Floors: []baton.Floor{
			{Noun: "admins", Count: n, Least: least}, {Noun: "perhaps admins", Count: n, Least: least}}}}, err
	}
	return c
}

// TestFloorHolds holds a sync whose floor counts are too low.
func TestFloorHolds(t *testing.T) {
	small := members{"staff": {"ann", "bob", "cid"}}
	users := []string{"ann", "bob", "cid"}
	sync := func(admin []string, least int) *baton.Connector {
		return admins(org(users, small.but("admin", admin)), "admin", least)
	}
	for name, tc := range map[string]struct {
		before, now []string
		least       int
		held        string
	}{
		"none left":                {users[:2], nil, 1, "This sync has 0 admins, fewer than 1; the previous sync had 2."},
		"one left":                 {users[:2], users[:1], 1, ""},
		"other people":             {users[:1], users[1:2], 1, ""},
		"one left of two needed":   {users, users[:1], 2, "This sync has 1 admins, fewer than 2; the previous sync had 3."},
		"never were enough":        {users[:1], users[:1], 2, ""},
		"never were enough, fewer": {users[:2], users[:1], 3, "This sync has 1 admins, fewer than 3; the previous sync had 2."},
		"there never was one":      {nil, nil, 1, ""},
		"no floor":                 {users[:1], nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			run(t, syncer.Config{Connector: sync(tc.before, tc.least), Path: path})
			cfg := syncer.Config{Connector: sync(tc.now, tc.least), Path: path}
			if tc.held == "" {
				run(t, cfg)
				return
			}
			h := held(t, cfg)
			if want := []string{tc.held}; !slices.Equal(h.Reasons, want) {
				t.Errorf("held for %q, want %q", h.Reasons, want)
			}
			cfg.Overrides = only(h.Override)
			run(t, cfg)
		})
	}
	t.Run("an override for one admin does not allow none", func(t *testing.T) {
		path := file(t)
		run(t, syncer.Config{Connector: sync(users, 2), Path: path})
		override := held(t, syncer.Config{Connector: sync(users[:1], 2), Path: path}).Override
		held(t, syncer.Config{Connector: sync(nil, 2), Path: path, Overrides: only(override)})
	})
	t.Run("users only", func(t *testing.T) {
		path := file(t)
		run(t, syncer.Config{Connector: sync(users, 1), Path: path})
		run(t, syncer.Config{Connector: sync(nil, 1), Path: path, Types: userTypes})
	})
}

// TestPartsInBetween: a sync of some types does not replace the previous full sync for comparison.
func TestPartsInBetween(t *testing.T) {
	path := file(t)
	run(t, syncer.Config{Connector: admins(org(everybody, settled), "g2", 1), Path: path})
	run(t, syncer.Config{Connector: admins(org(everybody, settled), "g2", 1), Path: path, Types: userTypes})
	h := held(t, syncer.Config{Connector: admins(org(everybody, settled.but("g2", nil)), "g2", 1), Path: path})
	if len(h.Reasons) != 2 || !strings.Contains(h.Reasons[0], `Of 160 grants on groups in the previous sync, 60 are missing`) || !strings.Contains(h.Reasons[1], "This sync has 0 admins") {
		t.Errorf("held for %q", h.Reasons)
	}
	if res := run(t, syncer.Config{Connector: org(everybody, settled), Path: path}); res.Changes == nil || res.Changes.Grants.Created != 0 {
		t.Errorf("changes %+v", res.Changes)
	}
}

// TestPreviousElsewhere compares with a file of the caller and does not modify it.
func TestPreviousElsewhere(t *testing.T) {
	base := file(t)
	run(t, syncer.Config{Connector: org(everybody, settled), Path: base})
	cfg := syncer.Config{Connector: org(everybody, settled.but("g1", nil)), Path: file(t), Previous: base, KeepSyncs: 1}
	h := held(t, cfg)
	cfg.Overrides = only(h.Override)
	if res := run(t, cfg); res.Changes == nil || res.Changes.Grants.Deleted != 100 {
		t.Errorf("changes %+v", res.Changes)
	}
	t.Run("missing", func(t *testing.T) {
		if res := run(t, syncer.Config{Connector: org(everybody, settled), Path: file(t), Previous: file(t)}); res.Changes != nil || res.Compared != syncer.NotCompared {
			t.Errorf("changes %v", res.Changes)
		}
	})
}
