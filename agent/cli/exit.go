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

// ExitCodes returns the exit code for each kind of error, sorted by code. The codes are those
// of gRPC, which newer official connectors use as well. 0 is success.
func ExitCodes() []ExitCodeRow {
	rows := []ExitCodeRow{
		{Kind: baton.Canceled, Meaning: "a signal ended the run early"},
		{Kind: baton.Invalid, Meaning: "a flag, a setting or a request is wrong"},
		{Kind: baton.DeadlineExceeded, Meaning: "time ran out"},
		{Kind: baton.NotFound, Meaning: "the named account, group, entitlement or file does not exist"},
		{Kind: baton.AlreadyExists, Meaning: "it exists already and cannot be adopted"},
		{Kind: baton.PermissionDenied, Meaning: "the credential may not do this"},
		{Kind: baton.Storage, Meaning: "the disk is full, read-only or failing"},
		{Kind: baton.Refused, Meaning: "a guard, or a file or process in use, forbids it; also a failed doctor"},
		{Kind: baton.Incomplete, Meaning: "the data is not sufficient: a list is not complete, or an answer is not that of the upstream"},
		{Kind: baton.Unsupported, Meaning: "the connector or the upstream cannot do this"},
		{Kind: baton.Internal, Meaning: "a defect of this program, or an unclassified error"},
		{Kind: baton.Unavailable, Meaning: "the upstream is down or closes connections; try again later"},
		{Kind: baton.RateLimited, Meaning: "the rate limit of the upstream is still exceeded; try again later"},
		{Kind: baton.Corrupt, Meaning: "a file is damaged or of another kind"},
		{Kind: baton.Unauthenticated, Meaning: "the credential was not accepted"},
	}
	for i := range rows {
		rows[i].Code = int(wire.Code(rows[i].Kind))
	}
	slices.SortStableFunc(rows, func(a, b ExitCodeRow) int { return cmp.Compare(a.Code, b.Code) })
	return rows
}

// exitCode returns the exit code for an error.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	return int(wire.Code(baton.KindOf(err)))
}
