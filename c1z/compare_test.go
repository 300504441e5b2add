package c1z_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton/c1z"
)

// compared lists the differences of two syncs in all tables, in order.
func compared(t *testing.T, before, after *c1z.Sync) (list []string) {
	t.Helper()
	for _, d := range fixture.All(t, c1z.CompareResources(t.Context(), before, after)) {
		list = append(list, difference(d.Before, d.After, func(r *c1z.Resource) string { return r.ID.String() }))
	}
	for _, d := range fixture.All(t, c1z.CompareEntitlements(t.Context(), before, after)) {
		list = append(list, difference(d.Before, d.After, func(e *c1z.Entitlement) string { return e.ID }))
	}
	for _, d := range fixture.All(t, c1z.CompareGrants(t.Context(), before, after)) {
		list = append(list, difference(d.Before, d.After, func(g *c1z.Grant) string { return g.ID }))
	}
	return list
}

func difference[T any](before, after *T, id func(*T) string) string {
	one := after
	if one == nil {
		one = before
	}
	return fmt.Sprintf("%t %t %s", before != nil, after != nil, id(one))
}

// TestCompare: two syncs of one file differ in the same rows as the same syncs in two files, and a sync does
// not differ from itself.
func TestCompare(t *testing.T) {
	dir := t.TempDir()
	path, alone := filepath.Join(dir, "sync.c1z"), filepath.Join(dir, "alone.c1z")
	later := slices.Clone(fixture.SmallSync())
	later[2] = fixture.Row(writer.ResourceRow(fixture.Account("u1", "Anna")))
	later[3] = fixture.Row(writer.ResourceRow(fixture.Account("u3", "Cy")))
	later[7] = fixture.Row(writer.GrantRow(fixture.Membership("u3")))
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	fixture.Write(t, path, fixture.Full(fixture.Second), later)
	fixture.Write(t, alone, fixture.Full(fixture.First), fixture.SmallSync())
	f := fixture.Latest(t, path)
	if f.ID != fixture.Second {
		t.Errorf("the latest is %s", f.ID)
	}
	old := f.Previous()
	if old == nil || old.ID != fixture.First || old.Previous() != nil {
		t.Fatalf("before it is %v", old)
	}
	want := []string{"true true user:u1", "true false user:u2", "false true user:u3",
		"true false group:g1:member:user:u2", "false true group:g1:member:user:u3"}
	for name, before := range map[string]*c1z.Sync{"of one file": old, "of two files": fixture.Latest(t, alone)} {
		if diff := cmp.Diff(want, compared(t, before, f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := compared(t, before, before); got != nil {
			t.Errorf("%s: a sync differs from itself: %q", name, got)
		}
	}
	for range c1z.CompareResources(t.Context(), old, f) {
		break // skip the rest
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := drain(c1z.CompareGrants(canceled, old, f)); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if err := drain(f.Grants(canceled)); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := f.Counts(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if n := len(fixture.All(t, f.Grants(t.Context()))); n != 2 {
		t.Errorf("%d grants after a context that was canceled", n)
	}
}
