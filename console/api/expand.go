package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// expandMask selects the related objects that a response contains.
type expandMask struct {
	Paths []string `json:"paths"`
}

// expander collects related objects without duplicates. Views refer to them by their index.
type expander struct {
	mask   expandMask
	Items  list[packed]
	places map[string]string
}

// add adds an object if the mask selects its path, and returns its index; "" if it was not added.
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
	message string // full name
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
