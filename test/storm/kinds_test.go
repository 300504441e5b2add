package storm

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"baton/internal/longtest"
	"baton/sandbox/fault"
)

// kinds holds the faults for each kind of error that was found with real servers and that the sandboxes
// lacked at first. The table "Field cases" in docs/reliability.md has examples.
var kinds = []struct {
	kind   string
	faults []string // faults of the sandbox for Perplexity
}{
	{"a 404 counts as gone", []string{"foreign-404", "foreign-404-html", "foreign-404-writes", "foreign-404-one", "denied-one", "lookalike-list"}},
	{"members that cannot be read count as none", []string{"members-as-object", "members-by-id", "members-by-ref", "members-by-object", "members-by-user-name",
		"members-in-other-case", "members-by-display-name", "members-by-membership", "members-nameless", "members-as-text", "members-in-envelope",
		"members-linked", "members-miscounted", "shared-names"}},
	{"a member of another kind is taken for a user", []string{"device-members", "principal-members", "odd-kind", "odd-kind-members", "crossed-kinds", "role-groups"}},
	{"a name that two groups carry", []string{"second-admin-group"}},
	{"the account that comes back is not checked", []string{"create-other", "create-other-id", "create-ignored-body", "create-suffix", "create-lower-case",
		"create-id-only", "create-200", "borrowed-address", "look-alike", "any-member"}},
	{"ids are edited", []string{"similar-ids"}},
	{"text that is not UTF-8", []string{"latin-1", "latin-1-undeclared"}},
	{"settings that vanish", []string{"tenant-in-query"}},
	{"memory without bound", []string{"crowded-group", "repeated-members"}},
}

// TestKinds tries these faults alone and with any other fault, on servers that show the groups of accounts
// and on servers that do not.
func TestKinds(t *testing.T) {
	table := Table("perplexity")
	for _, k := range kinds {
		for _, name := range k.faults {
			t.Run(k.kind+"/"+name, func(t *testing.T) {
				i := slices.IndexFunc(table, func(f fault.Fault) bool { return f.Name == name })
				if i < 0 {
					t.Fatal("the sandbox has no such fault")
				}
				seeds, series := longtest.Pick(3, 12), uint64(3)
				if slices.Contains(crowds, name) {
					seeds, series = longtest.Pick(1, 4), 1 // they read megabytes
				}
				for n := range uint64(seeds) {
					r := rand.New(rand.NewPCG(*seed+n, uint64(i)))
					settings := alone(r, table[i])
					if n%2 == 1 {
						settings = append(settings, "no-groups-attribute")
					}
					if n%4 >= 2 {
						settings = append(settings, setting(r, table[r.IntN(len(table))]))
					}
					run(t, settings, func(t *testing.T) []string {
						return SyncRun{Seed: *seed + 1000*uint64(i) + n, Upstream: "perplexity", Alone: settings}.Run(t, nil)
					})
					for m := range series {
						run(t, settings, func(t *testing.T) []string {
							return ChangeRun{Seed: *seed + 1000*uint64(i) + 10*n + m, Alone: settings}.Run(t, nil)
						})
					}
				}
			})
		}
	}
}

// run reports the failures of a run.
func run(t *testing.T, settings []string, one func(*testing.T) []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		for _, wrong := range one(t) {
			t.Errorf("%q: %s", settings, wrong)
		}
	})
}
