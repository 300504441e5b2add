package cli

import (
	"cmp"
	"slices"

	"baton"
	"baton/wire"
)

// ExitCodeRow is one line of the table of exit codes.
type ExitCodeRow struct {
	Code    int
	Kind    baton.Kind
	Meaning string
}

// ExitCodes is how a program ends after an error of each kind, in the order of the
// codes: the numbers of the gRPC status codes, which the newer official connectors
// exit with too. 0 is success, and nothing else is.
func ExitCodes() []ExitCodeRow {
	rows := []ExitCodeRow{
		{Kind: baton.Canceled, Meaning: "a signal came before the work was done"},
		{Kind: baton.Invalid, Meaning: "a flag, a setting or a request is wrong"},
		{Kind: baton.DeadlineExceeded, Meaning: "time ran out"},
		{Kind: baton.NotFound, Meaning: "what was named does not exist"},
		{Kind: baton.AlreadyExists, Meaning: "it exists and cannot be used as asked"},
		{Kind: baton.PermissionDenied, Meaning: "the credential may not do this"},
		{Kind: baton.Storage, Meaning: "the disk is full, read-only or failing"},
		{Kind: baton.Refused, Meaning: "a guard or the state of things forbids it; also a failed doctor"},
		{Kind: baton.Incomplete, Meaning: "what was read does not prove enough: a list is not complete, or an answer is not the upstream's"},
		{Kind: baton.Unsupported, Meaning: "the connector or the upstream cannot do this"},
		{Kind: baton.Internal, Meaning: "a defect of this program, or an error nobody classified"},
		{Kind: baton.Unavailable, Meaning: "the upstream is down or breaks off; try again later"},
		{Kind: baton.RateLimited, Meaning: "the upstream still asks to slow down; try again later"},
		{Kind: baton.Corrupt, Meaning: "a file is not what it should be"},
		{Kind: baton.Unauthenticated, Meaning: "the credential was not accepted"},
	}
	for i := range rows {
		rows[i].Code = int(wire.Code(rows[i].Kind))
	}
	slices.SortStableFunc(rows, func(a, b ExitCodeRow) int { return cmp.Compare(a.Code, b.Code) })
	return rows
}

// exitCode is the exit code after an error.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	return int(wire.Code(baton.KindOf(err)))
}
