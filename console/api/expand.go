package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// expandMask says which objects an answer is to hold beside those that were asked for.
type expandMask struct {
	Paths []string `json:"paths"`
}

// expander collects these objects, each once. Views refer to them by their place.
type expander struct {
	mask   expandMask
	Items  list[packed]
	places map[string]string
}

// add adds an object if a path of the mask asks for it, and returns its place; "" if it is
// not there.
func (x *expander) add(path, message, key string, object func() any) string {
	if !slices.Contains(x.mask.Paths, path) && !slices.Contains(x.mask.Paths, "*") {
		return ""
	}
	if x.places == nil {
		x.places = map[string]string{}
	}
	if at, ok := x.places[message+" "+key]; ok {
		return at
	}
	at := fmt.Sprintf("$.expanded[%d]", len(x.Items))
	x.places[message+" "+key] = at
	x.Items = append(x.Items, packed{message, object()})
	return at
}

// packed is a message in a google.protobuf.Any.
type packed struct {
	message string // its full name
	object  any
}

func (p packed) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(p.object)
	if err != nil || !bytes.HasPrefix(b, []byte("{")) {
		return nil, fmt.Errorf("%s is no message: %w", p.message, err)
	}
	name, err := json.Marshal("type.googleapis.com/" + p.message)
	if err != nil {
		return nil, err
	}
	out := append([]byte(`{"@type":`), name...)
	if len(b) > 2 {
		out = append(out, ',')
	}
	return append(out, b[1:]...), nil
}
