package web

import (
	"encoding/json"
	"testing"
)

// TestFlat formats the fields of an object in an event's data.
func TestFlat(t *testing.T) {
	for in, want := range map[string]string{
		`{"resources":44,"facts_closed":0}`: "resources 44, facts closed 0",
		`{"z":"b","a":true,"n":1e30}`:       "z b, a true, n 1e30",
		`{"a":{"b":1}}`:                     `{"a":{"b":1}}`,
		`{"a":[]}`:                          `{"a":[]}`,
		`{}`:                                `{}`,
		`[1,2]`:                             `[1,2]`,
		`12`:                                `12`,
		`false`:                             `false`,
	} {
		if got := flat(json.RawMessage(in)); got != want {
			t.Errorf("flat(%s) = %s, want %s", in, got, want)
		}
	}
}
