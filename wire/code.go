package wire

import "baton"

// Code returns the gRPC status code that reports an error of a kind to C1.
//
//	kind               code
//	internal           13 INTERNAL
//	invalid             3 INVALID_ARGUMENT
//	unauthenticated    16 UNAUTHENTICATED
//	permission denied   7 PERMISSION_DENIED
//	not found           5 NOT_FOUND
//	already exists      6 ALREADY_EXISTS
//	refused             9 FAILED_PRECONDITION   C1 shows a deliberate refusal
//	unsupported        12 UNIMPLEMENTED
//	unavailable        14 UNAVAILABLE           retried by C1
//	rate limited       14 UNAVAILABLE           the protocol has no code of its own for 429
//	incomplete         10 ABORTED               retry the whole sync, not single calls
//	corrupt            15 DATA_LOSS
//	storage             8 RESOURCE_EXHAUSTED    gRPC's own code for "out of space"
//	canceled            1 CANCELLED
//	deadline exceeded   4 DEADLINE_EXCEEDED
//
// A kind that is not listed is 2, UNKNOWN.
func Code(kind baton.Kind) uint32 {
	switch kind {
	case baton.Internal:
		return 13
	case baton.Invalid:
		return 3
	case baton.Unauthenticated:
		return 16
	case baton.PermissionDenied:
		return 7
	case baton.NotFound:
		return 5
	case baton.AlreadyExists:
		return 6
	case baton.Refused:
		return 9
	case baton.Unsupported:
		return 12
	case baton.Unavailable, baton.RateLimited:
		return 14
	case baton.Incomplete:
		return 10
	case baton.Corrupt:
		return 15
	case baton.Storage:
		return 8
	case baton.Canceled:
		return 1
	case baton.DeadlineExceeded:
		return 4
	}
	return 2
}

// KindOfCode returns the kind of an error that C1 returns with a gRPC status code.
func KindOfCode(code uint32) baton.Kind {
	switch code {
	case 1:
		return baton.Canceled
	case 3, 11:
		return baton.Invalid
	case 4:
		return baton.DeadlineExceeded
	case 5:
		return baton.NotFound
	case 6:
		return baton.AlreadyExists
	case 7:
		return baton.PermissionDenied
	case 8:
		return baton.RateLimited
	case 9:
		return baton.Refused
	case 10, 14:
		return baton.Unavailable
	case 12:
		return baton.Unsupported
	case 15:
		return baton.Corrupt
	case 16:
		return baton.Unauthenticated
	}
	return baton.Internal
}
