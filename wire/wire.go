// Package wire translates between the structs of package baton and the protobuf messages of
// the Baton protocol. No other package does.
//
// Bytes are deterministic: the same struct always becomes the same bytes (fields
// ascending, map entries sorted by key, also inside Any; times in UTC), so that
// two syncs of unchanged data compare as unchanged.
//
// The encodings:
//
//	Resource      id, parent, names; profile, status and creation time twice: on
//	              the trait, where older readers look, and on the resource
//	Entitlement   its resource as {id, display name}; the types it can be granted
//	              to in full
//	Grant         entitlement {resource {id, display name}, id}, principal {id}
//	              and id, which every released reader understands; its
//	              attributes as a GrantMetadata annotation
//	ResourceType  a type without entitlements carries SkipEntitlementsAndGrants
//
// Resources and grants, which are numerous, are encoded and decoded without the protobuf
// library, in the same bytes (encode.go, decode.go).
//
// Calls to C1 and tasks of C1 are in call.go, task.go and response.go.
//
// Marshalling fails with [baton.Invalid] when a value cannot be written, such as
// text that is not UTF-8. Unmarshalling accepts what other writers of the protocol
// produce and fails with [baton.Corrupt] on anything else.
package wire

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"baton"
)

var (
	deterministic = proto.MarshalOptions{Deterministic: true}
	tolerant      = proto.UnmarshalOptions{DiscardUnknown: true}
)

// marshal encodes a message. what is its name in an error.
func marshal(m proto.Message, what string) ([]byte, error) {
	b, err := deterministic.Marshal(m)
	if err != nil {
		return nil, invalid(what, err)
	}
	return b, nil
}

func unmarshal(b []byte, m proto.Message, what string) error {
	if err := tolerant.Unmarshal(b, m); err != nil {
		return corrupt(what, err)
	}
	return nil
}

// invalid and corrupt do not wrap their cause: the protobuf library varies its texts on
// purpose, so that nobody depends on them.

func invalid(what string, err error) error {
	return baton.Errorf(baton.Invalid, "wire: encode %s: %v", what, err)
}

func corrupt(what string, err error) error {
	return baton.Errorf(baton.Corrupt, "wire: decode %s: %v", what, err)
}

func pack(m proto.Message) (*anypb.Any, error) {
	a := new(anypb.Any)
	return a, anypb.MarshalFrom(a, m, deterministic)
}

// find decodes the first annotation of the type of m into m and reports whether there is
// one.
func find(annotations []*anypb.Any, m proto.Message) (bool, error) {
	for _, a := range annotations {
		if a.MessageIs(m) {
			return true, anypb.UnmarshalTo(a, m, tolerant)
		}
	}
	return false, nil
}

// timestamp returns nil for the zero time.
func timestamp(t time.Time) (*timestamppb.Timestamp, error) {
	if t.IsZero() {
		return nil, nil
	}
	ts := timestamppb.New(t)
	if err := ts.CheckValid(); err != nil {
		return nil, fmt.Errorf("time %v is out of range", t)
	}
	return ts, nil
}

// instant returns the zero time for nil.
func instant(ts *timestamppb.Timestamp) (time.Time, error) {
	if ts == nil {
		return time.Time{}, nil
	}
	if err := ts.CheckValid(); err != nil {
		return time.Time{}, err
	}
	return ts.AsTime(), nil
}
