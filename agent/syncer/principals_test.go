package syncer_test

import (
	"fmt"
	"testing"

	"baton"
	"baton/agent/syncer"
	"baton/internal/longtest"
)

// TestTooManyPrincipals: an endless list of members ends a sync whose connector would have to resolve each of
// them. Otherwise the members are dropped.
func TestTooManyPrincipals(t *testing.T) {
	longtest.Only(t)
	var members []string
	for i := range 300_000 {
		members = append(members, fmt.Sprintf("p%d@acme.example", i))
	}
	c := connector(
		script("users", userTypes, scriptedPage{users: []string{"ann"}}),
		script("groups", groupTypes, scriptedPage{groups: map[string][]string{"g1": append(members, "ann")}}),
	)
	if res := run(t, syncer.Config{Connector: c, Path: file(t)}); counts(res) != "[{user 1 0 0} {group 1 1 1}]" {
		t.Errorf("counts %s", counts(res))
	}
	calls := 0
	c.Resolve = func(baton.Unknown) (map[string]string, []string, error) {
		calls++
		return nil, nil, nil
	}
	_, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: file(t)})
	if baton.KindOf(err) != baton.Incomplete || baton.FixOf(err) == "" || calls > 0 {
		t.Errorf("%v, resolved %d times", err, calls)
	}
}
