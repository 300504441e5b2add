package main

import (
	"testing"

	sandboxed "baton/sandbox/percipio"
	"baton/test/clitest"
)

func TestMain(m *testing.M) { clitest.Main(m, program()) }

// TestKilledAtAnyRequest also interrupts the first download, so that some of its rows are committed when the
// second is requested.
func TestKilledAtAnyRequest(t *testing.T) {
	org := sandboxed.New(sandboxed.Options{Users: 40, Courses: 150, Rows: 6000, Token: "sandbox-token-0123456789"})
	faults := func(names ...string) {
		if err := org.SetFaults(append(names, "page-cap=30")...); err != nil {
			t.Fatal(err)
		}
	}
	v := clitest.NewVictim(t, org)
	v.Env = []string{"BATON_BASE_URL=" + v.Origin, "BATON_ORGANIZATION_ID=" + org.OrganizationID(), "BATON_API_TOKEN=" + org.Token()}
	faults()
	v.KillAtEveryRequest(t, 9, 1000, func() { faults("truncated-report=2000/1") })
}
