package c1z_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/c1z"
)

// compared lists the differences of two syncs in all tables, in the order they come.
func compared(t *testing.T, before, after *c1z.File) (list []string) {
	t.Helper()
	tell := func(b, a bool, id string) error {
		list = append(list, fmt.Sprintf("%t %t %s", b, a, id))
		return nil
	}
	err := c1z.CompareResources(before, after, func(b, a *baton.Resource) error {
		one := b
		if a != nil {
			one = a
		}
		return tell(b != nil, a != nil, one.ID.String())
	})
	if err == nil {
		err = c1z.CompareEntitlements(before, after, func(b, a *baton.Entitlement) error {
			one := b
			if a != nil {
				one = a
			}
			return tell(b != nil, a != nil, one.ID.String())
		})
	}
	if err == nil {
		err = c1z.CompareGrants(before, after, func(b, a *baton.Grant) error {
			one := b
			if a != nil {
				one = a
			}
			return tell(b != nil, a != nil, one.ID.String())
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCompare: two syncs of one file, and the same two of two files, differ in the same
// rows; a sync does not differ from itself.
func TestCompare(t *testing.T) {
	dir := t.TempDir()
	path, alone := filepath.Join(dir, "sync.c1z"), filepath.Join(dir, "alone.c1z")
	later := slices.Clone(smallSync())
	later[2] = row(c1z.ResourceRow(account("u1", "Anna")))
	later[3] = row(c1z.ResourceRow(account("u3", "Cy")))
	later[7] = row(c1z.GrantRow(membership("u3")))
	write(t, path, full(first), smallSync())
	write(t, path, full(second), later)
	write(t, alone, full(first), smallSync())
	f := open(t, path)
	if s := f.Shown(); s.ID != second {
		t.Errorf("it shows %s", s.ID)
	}
	before, ok := f.Before()
	if !ok || before.ID != first {
		t.Errorf("before it is %v, %v", before, ok)
	}
	old, err := f.At(before.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := old.Before(); ok || old.Shown().ID != first {
		t.Errorf("%v, and something before it: %v", old.Shown(), ok)
	}
	want := []string{"true true user:u1", "true false user:u2", "false true user:u3",
		"true false group:g1:member:user:u2", "false true group:g1:member:user:u3"}
	for name, before := range map[string]*c1z.File{"of one file": old, "of two files": open(t, alone)} {
		if diff := cmp.Diff(want, compared(t, before, f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := compared(t, before, before); got != nil {
			t.Errorf("%s: a sync differs from itself: %q", name, got)
		}
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	n := 0
	if err := f.EachGrant(func(baton.Grant) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d grants after the view was closed (%v)", n, err)
	}
	if _, err := f.At(third); baton.KindOf(err) != baton.NotFound {
		t.Errorf("a sync that is not there: %v", err)
	}
}
