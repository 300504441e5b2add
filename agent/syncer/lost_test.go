package syncer_test

import (
	"os"
	"strings"
	"testing"

	"baton"
	"baton/agent/syncer"
)

// lose makes the file at path unreadable.
var lose = map[string]func(t *testing.T, path string){
	"missing":   func(t *testing.T, path string) { check(t, os.Remove(path)) },
	"empty":     func(t *testing.T, path string) { check(t, os.Truncate(path, 0)) },
	"cut short": func(t *testing.T, path string) { check(t, os.Truncate(path, 500)) },
	"nonsense":  func(t *testing.T, path string) { check(t, os.WriteFile(path, []byte("C1ZF\x00 not really"), 0o600)) },
	"another format": func(t *testing.T, path string) {
		check(t, os.WriteFile(path, []byte("C1Z3\x00\x00\x00\x00 not really"), 0o600))
	},
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPreviousLost: the counts of the last upload are known, but its file is lost. A sync with fewer rows of
// any kind is held, because the missing rows are unknown.
func TestPreviousLost(t *testing.T) {
	source := func(users []string, groups members) *baton.Connector { return admins(org(users, groups), "g2", 1) }
	base := file(t)
	last := run(t, syncer.Config{Connector: source(everybody, settled), Path: base}).Upload("")
	for how, spoil := range lose {
		t.Run(how, func(t *testing.T) {
			lost := copied(t, base)
			spoil(t, lost)
			cfg := syncer.Config{Path: file(t), Previous: lost, LastUpload: &last}
			for name, tc := range map[string]struct {
				users  []string
				groups members
				held   string
			}{
				"the same":         {users: everybody, groups: settled},
				"more":             {users: people(0, 110), groups: settled.but("g3", people(0, 9))},
				"one user fewer":   {users: people(0, 99), groups: settled.but("g1", people(0, 100)).but("g3", people(0, 9)), held: "The last upload had 100 users; this sync has 99."},
				"one grant fewer":  {users: everybody, groups: settled.but("g1", people(0, 99)), held: "The last upload had 160 grants on groups; this sync has 159."},
				"no groups":        {users: everybody, held: "The last upload had 2 groups; this sync has none."},
				"admins exchanged": {users: everybody, groups: members{"g1": everybody, "g3": people(0, 60)}, held: "This sync has 0 admins, fewer than 1; the previous sync had 60."},
			} {
				cfg.Connector, cfg.Path, cfg.Overrides = source(tc.users, tc.groups), file(t), nil
				if tc.held == "" {
					if res := run(t, cfg); res.Compared != syncer.ComparedCounts {
						t.Errorf("%s: compared %d", name, res.Compared)
					}
					continue
				}
				h := held(t, cfg)
				if text := h.Error(); !strings.Contains(text, tc.held) || !strings.Contains(text, "The uploaded file is missing or cannot be read") || h.Compared != syncer.ComparedCounts {
					t.Errorf("%s: %s (compared %d)", name, text, h.Compared)
				}
				cfg.Overrides = only(h.Override)
				worse := cfg
				worse.Connector, worse.Path = source(people(0, 50), members{"g1": people(0, 20)}), file(t)
				held(t, worse)
				run(t, cfg)
			}
		})
	}
}

// TestUnknownUpload: there was an upload, but neither its file nor its record can be read. Every sync is
// held, and an override allows only one as large as the held one.
func TestUnknownUpload(t *testing.T) {
	base := file(t)
	run(t, syncer.Config{Connector: org(everybody, settled), Path: base})
	for how, spoil := range lose {
		t.Run(how, func(t *testing.T) {
			lost := copied(t, base)
			spoil(t, lost)
			for name, last := range map[string]*syncer.Upload{"damaged record": {}, "no record": nil} {
				if how == "missing" && last == nil {
					continue // there is no sign of an upload
				}
				cfg := syncer.Config{Connector: org(everybody, settled), Path: file(t), Previous: lost, LastUpload: last}
				h := held(t, cfg)
				if !strings.Contains(h.Error(), "neither its file nor its row counts can be read") || h.Compared != syncer.NotCompared {
					t.Errorf("%s: %v", name, h)
				}
				cfg.Overrides = only(h.Override)
				for _, less := range []*baton.Connector{org(everybody, settled.but("g1", people(0, 50))), org(people(0, 70), settled.but("g1", nil)), org(everybody, nil)} {
					worse := cfg
					worse.Connector, worse.Path = less, file(t)
					held(t, worse)
				}
				run(t, cfg)
			}
		})
	}
	t.Run("the file is whole", func(t *testing.T) {
		cfg := syncer.Config{Connector: org(everybody, settled), Path: file(t), Previous: base, LastUpload: &syncer.Upload{}}
		if res := run(t, cfg); res.Compared != syncer.ComparedRows {
			t.Errorf("compared %d", res.Compared)
		}
		cfg.Connector, cfg.Path = org(people(50, 150), settled), file(t)
		held(t, cfg)
	})
}

// TestOlderFile: the file is older than the last upload, so its rows are not those that were sent.
func TestOlderFile(t *testing.T) {
	base, next := file(t), file(t)
	run(t, syncer.Config{Connector: org(people(0, 3), members{"g1": people(0, 3)}), Path: base})
	last := run(t, syncer.Config{Connector: org(people(0, 9), members{"g1": people(0, 9)}), Path: next}).Upload("")
	cfg := syncer.Config{Connector: org(people(0, 5), members{"g1": people(0, 5)}), Path: file(t), Previous: base, LastUpload: &last}
	if h := held(t, cfg); h.Compared != syncer.ComparedCounts || !strings.Contains(h.Error(), "The last upload had 9 users; this sync has 5.") {
		t.Errorf("%v", h)
	}
	cfg.Previous, cfg.Path = next, file(t)
	if res := run(t, cfg); res.Compared != syncer.ComparedRows {
		t.Errorf("compared %d", res.Compared)
	}
}

// TestOverrideWithoutPrevious: if no previous sync is known, an override is evidence that there was one. It
// allows a sync as large as the held one, and nothing else.
func TestOverrideWithoutPrevious(t *testing.T) {
	source := func(users []string, groups members) *baton.Connector { return admins(org(users, groups), "g2", 1) }
	path := file(t)
	run(t, syncer.Config{Connector: source(everybody, settled), Path: path})
	gone := settled.but("g1", people(0, 50))
	override := held(t, syncer.Config{Connector: source(everybody, gone), Path: path}).Override
	for name, tc := range map[string]struct {
		users  []string
		groups members
		held   string
	}{
		"the held sync":        {users: everybody, groups: gone},
		"a few more gone":      {users: people(0, 98), groups: gone.but("g1", people(0, 45))},
		"some back":            {users: everybody, groups: gone.but("g1", people(0, 80))},
		"the rest of them":     {users: everybody, groups: gone.but("g1", nil), held: "had 110 grants on groups; this one has 60."},
		"many people":          {users: people(0, 60), groups: gone, held: "had 100 users; this one has 60."},
		"no groups":            {users: everybody, held: "had 2 groups; this one has none."},
		"the admins exchanged": {users: everybody, groups: members{"g1": everybody, "g3": people(0, 50)}, held: "This sync has 0 admins"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := syncer.Config{Connector: source(tc.users, tc.groups), Path: file(t), Overrides: only(override)}
			if tc.held == "" {
				if res := run(t, cfg); res.Compared != syncer.ComparedOverride {
					t.Errorf("compared %d", res.Compared)
				}
				return
			}
			h := held(t, cfg)
			if !strings.Contains(h.Error(), tc.held) {
				t.Errorf("held for %q", h.Reasons)
			}
			cfg.Overrides = append(cfg.Overrides, h.Override)
			run(t, cfg)
		})
	}
	t.Run("of other resource types", func(t *testing.T) {
		other := file(t)
		run(t, syncer.Config{Connector: org(everybody, settled), Path: other, Types: userTypes})
		users := held(t, syncer.Config{Connector: org(people(0, 10), settled), Path: other, Types: userTypes}).Override
		if res := run(t, syncer.Config{Connector: org(everybody, settled), Path: file(t), Overrides: only(users)}); res.Compared != syncer.NotCompared {
			t.Errorf("compared %d", res.Compared)
		}
	})
}

// TestOverrideIsForOnePrevious: an override names the previous sync, so it is void once there is another one,
// whatever the clocks of the two processes say.
func TestOverrideIsForOnePrevious(t *testing.T) {
	one, two := file(t), file(t)
	run(t, syncer.Config{Connector: org(everybody, settled), Path: one})
	run(t, syncer.Config{Connector: org(everybody, settled), Path: two})
	gone := org(everybody, settled.but("g1", nil))
	override := held(t, syncer.Config{Connector: gone, Path: one}).Override
	held(t, syncer.Config{Connector: gone, Path: two, Overrides: only(override)})
	run(t, syncer.Config{Connector: gone, Path: one, Overrides: only(override)})
}
