// Package connectortest is the conformance suite that every connector passes.
//
// A connector's test hands over a way to start its upstream and gets back the
// promises of package baton, checked: identities that do not move, pages that can
// be read again, a resume at every page that ends with the same facts, changes that
// are idempotent, prompt cancellation, no dangling grants, and no secret anywhere.
package connectortest

import (
	"flag"
	"testing"

	"baton"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Suite is what the suite needs to know of a connector.
type Suite struct {
	// Start makes a fresh upstream with the same content every time. It is closed
	// through t.Cleanup.
	Start func(t *testing.T) Upstream
	// Identities is the golden file of all identities in a sync of a fresh upstream.
	Identities string

	// Grant is a grant that the fresh upstream does not hold, and that may be given
	// and taken without a guard's refusal. Zero if the connector cannot grant.
	Grant baton.GrantID
	// NewAccount creates an account that the fresh upstream does not have.
	NewAccount *baton.AccountRequest
	// Actions are calls that change something on the fresh upstream.
	Actions map[string]map[string]any
}

// Upstream is one running upstream.
type Upstream struct {
	// Connect opens a connector as a new process would: with nothing remembered.
	Connect func() *baton.Connector
	// Requests is how many requests were answered so far.
	Requests func() int
	// Secrets must not appear in any output.
	Secrets []string
	// Unavailable makes the upstream refuse everything with an error that is not
	// worth retrying, until it is called with false.
	Unavailable func(bool)
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	t.Run("Description", s.description)
	t.Run("Identities", s.identities)
	t.Run("UnchangedDataDiffersInNothing", s.unchanged)
	t.Run("PagesCanBeReadAgain", s.readAgain)
	t.Run("ResumeAtEveryPage", s.resumeAtEveryPage)
	t.Run("ResumeAtEveryPageTwice", s.resumeTwice)
	t.Run("Cancellation", s.cancellation)
	t.Run("FailureLeavesTheFile", s.failureLeavesTheFile)
	t.Run("Targeted", s.targeted)
	t.Run("GrantAndRevoke", s.grantAndRevoke)
	t.Run("CreateAccount", s.createAccount)
	t.Run("Actions", s.actions)
}
