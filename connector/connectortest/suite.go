// Package connectortest is the conformance suite that every connector passes.
//
// A connector's test passes a function that starts its upstream. The suite checks the promises of package
// baton: identities that do not change, pages that can be read again, a resume at every page that ends with
// the same facts, idempotent changes, prompt cancellation, no dangling grants, and no secrets in any output.
package connectortest

import (
	"flag"
	"testing"

	"baton"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Suite describes a connector to the suite.
type Suite struct {
	// Start starts a fresh upstream with the same content every time. t.Cleanup closes it.
	Start func(t *testing.T) Upstream
	// Identities is the golden file of all identities in a sync of a fresh upstream.
	Identities string

	// Grant is a grant that the fresh upstream does not hold, and that may be granted and revoked without a
	// guard's refusal. It is zero if the connector cannot grant.
	Grant baton.GrantID
	// NewAccount creates an account that the fresh upstream does not have.
	NewAccount *baton.AccountRequest
	// Actions are calls that change something on the fresh upstream.
	Actions map[string]map[string]any
}

// Upstream is one running upstream.
type Upstream struct {
	// Connect opens a connector as a new process would, without any state.
	Connect func() *baton.Connector
	// Requests returns the number of requests answered so far.
	Requests func() int
	// Secrets must not appear in any output.
	Secrets []string
	// Unavailable makes the upstream refuse every request with an error that is not retried, until it is
	// called with false.
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
