package wire

import (
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	"baton"
)

// profileStruct returns a Struct, or nil for an empty profile.
func profileStruct(p baton.Profile) (*structpb.Struct, error) {
	if len(p) == 0 {
		return nil, nil
	}
	s := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(p))}
	for k, v := range p {
		value, err := profileValue(v)
		if err != nil {
			return nil, fmt.Errorf("profile value %q: %w", k, err)
		}
		s.Fields[k] = value
	}
	return s, nil
}

func profileValue(v any) (*structpb.Value, error) {
	switch v := v.(type) {
	case string:
		return structpb.NewStringValue(v), nil
	case bool:
		return structpb.NewBoolValue(v), nil
	case int:
		return structpb.NewNumberValue(float64(v)), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%v has no JSON form", v) // readers print files as JSON
		}
		return structpb.NewNumberValue(v), nil
	case []string:
		list := &structpb.ListValue{Values: make([]*structpb.Value, len(v))}
		for i, s := range v {
			list.Values[i] = structpb.NewStringValue(s)
		}
		return structpb.NewListValue(list), nil
	case baton.Profile:
		s, err := profileStruct(v)
		if s == nil {
			s = new(structpb.Struct)
		}
		return structpb.NewStructValue(s), err
	}
	return nil, fmt.Errorf("a %T cannot be written", v)
}

// profile converts a Struct of any writer to a Profile. Numbers become float64. Values that a
// Profile cannot hold (nulls, numbers without a JSON form) are left out or, in a list,
// converted to text.
func profile(s *structpb.Struct) baton.Profile {
	if len(s.GetFields()) == 0 {
		return nil
	}
	p := make(baton.Profile, len(s.Fields))
	for k, value := range s.Fields {
		switch v := value.GetKind().(type) {
		case *structpb.Value_StringValue:
			p[k] = v.StringValue
		case *structpb.Value_BoolValue:
			p[k] = v.BoolValue
		case *structpb.Value_NumberValue:
			if !math.IsNaN(v.NumberValue) && !math.IsInf(v.NumberValue, 0) {
				p[k] = v.NumberValue
			}
		case *structpb.Value_ListValue:
			p[k] = texts(v.ListValue)
		case *structpb.Value_StructValue:
			nested := profile(v.StructValue)
			if nested == nil {
				nested = baton.Profile{}
			}
			p[k] = nested
		}
	}
	if len(p) == 0 {
		return nil
	}
	return p
}

func texts(list *structpb.ListValue) []string {
	out := make([]string, 0, len(list.GetValues()))
	for _, value := range list.GetValues() {
		switch v := value.GetKind().(type) {
		case *structpb.Value_StringValue:
			out = append(out, v.StringValue)
		case *structpb.Value_BoolValue:
			out = append(out, strconv.FormatBool(v.BoolValue))
		case *structpb.Value_NumberValue:
			out = append(out, strconv.FormatFloat(v.NumberValue, 'g', -1, 64))
		case *structpb.Value_ListValue, *structpb.Value_StructValue:
			if b, err := value.MarshalJSON(); err == nil {
				out = append(out, string(b))
			}
		}
	}
	return out
}
