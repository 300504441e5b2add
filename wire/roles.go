package wire

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"baton"
)

// rolesField is the one field of the annotation that carries role hints in a Hello. The
// annotation is a google.protobuf.Struct: servers that look for other annotations pass it by.
const rolesField = "baton_roles"

// roleHints returns the annotation with role hints.
func roleHints(h *baton.RoleHints) (*anypb.Any, error) {
	b, err := json.Marshal(map[string]*baton.RoleHints{rolesField: h})
	if err != nil {
		return nil, fmt.Errorf("role hints: %w", err)
	}
	s := new(structpb.Struct)
	if err := s.UnmarshalJSON(b); err != nil { // a name that is no UTF-8
		return nil, fmt.Errorf("role hints: %w", err)
	}
	a := new(anypb.Any)
	return a, anypb.MarshalFrom(a, s, proto.MarshalOptions{Deterministic: true})
}

// RoleHints decodes the role hints in the value of an annotation of a Hello, a
// google.protobuf.Struct. It returns nil if it has none, or none that can be read.
func RoleHints(value []byte) *baton.RoleHints {
	var s structpb.Struct
	if proto.Unmarshal(value, &s) != nil || s.Fields[rolesField].GetStructValue() == nil {
		return nil
	}
	b, err := s.MarshalJSON()
	if err != nil {
		return nil
	}
	var hints map[string]*baton.RoleHints
	if json.Unmarshal(b, &hints) != nil {
		return nil
	}
	return hints[rolesField]
}
