package main

import (
	"testing"

	sandboxed "baton/sandbox/perplexity"
	"baton/test/clitest"
)

func TestMain(m *testing.M) { clitest.Main(m, program()) }

// victim is an organisation that kills the program.
type victim struct {
	*clitest.Victim
	org *sandboxed.Server
}

func newVictim(t *testing.T, faults ...string) victim {
	org := sandboxed.New(sandboxed.Options{Faults: faults, Token: "sk-scim-0123456789"})
	v := victim{clitest.NewVictim(t, org), org}
	v.Env = []string{"BATON_SCIM_URL=" + v.Origin + org.URLPath(), "BATON_SCIM_TOKEN=" + org.Token()}
	return v
}

func TestKilledBetweenAnyTwoPages(t *testing.T) {
	for name, faults := range map[string][]string{
		"lists with members":    {"page-cap=5"},
		"members one by one":    {"page-cap=5", "members-absent"},
		"lists without a total": {"page-cap=5", "total-missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newVictim(t, faults...).KillAtEveryRequest(t, 6, 50, func() {})
		})
	}
}
