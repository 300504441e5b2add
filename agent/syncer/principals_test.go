package syncer_test

import (
	"fmt"
	"testing"

	"baton"
	"baton/agent/syncer"
	"baton/internal/longtest"
)

// TestTooManyPrincipals: a list of members without end ends a sync where a connector would be
// asked about each of them, and is dropped where not.
func TestTooManyPrincipals(t *testing.T) {
	longtest.Only(t)
	var members []string
	for i := range 300_000 {
		members = append(members, fmt.Sprintf("p%d@acme.example", i))
	}
	c := connector(
		script("users", userTypes, leaf{users: []string{"ann"}}),
		script("groups", groupTypes, leaf{groups: map[string][]string{"g1": append(members, "ann")}}),
	)
	if res := run(t, syncer.Config{Connector: c, Path: file(t)}); counts(res) != "[{user 1 0 0} {group 1 1 1}]" {
		t.Errorf("counts %s", counts(res))
	}
	asked := 0
	c.Resolve = func(baton.Unknown) (map[string]string, []string, error) {
		asked++
		return nil, nil, nil
	}
	_, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: file(t)})
	if baton.KindOf(err) != baton.Incomplete || baton.FixOf(err) == "" || asked > 0 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}
