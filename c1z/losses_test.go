package c1z_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baton/c1z"
)

// people are accounts from one number up to another.
func people(from, to int) (rows []c1z.Row) {
	for i := from; i < to; i++ {
		rows = append(rows, row(c1z.ResourceRow(account(fmt.Sprintf("u%03d", i), "Ann"))))
	}
	return rows
}

// TestLosses goes by identities: as many rows as before are no comfort if they are
// others.
func TestLosses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	write(t, path, full(first), append(smallSync(), people(100, 200)...))
	losses := func(rows []c1z.Row) []c1z.Loss {
		t.Helper()
		l, err := create(t, path, full(second), rows).Losses()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := losses(append(smallSync(), people(90, 210)...)); len(l) > 0 {
		t.Errorf("nothing is gone, and yet: %v", l)
	}
	swapped := losses(append(smallSync(), people(150, 250)...))
	if len(swapped) != 1 || swapped[0].Table != c1z.Resources || swapped[0].Type != "user" || swapped[0].Before != 102 || swapped[0].Gone != 50 {
		t.Fatalf("half of the people are others: %v", swapped)
	}
	if s := swapped[0].Sample; len(s) != 16 || slices.ContainsFunc(s, func(id string) bool { return !strings.HasPrefix(id, "user:u1") || id >= "user:u150" }) {
		t.Errorf("sample %v", s)
	}
	again := losses(append(people(150, 250), smallSync()...))
	if !slices.Equal(swapped[0].Sample, again[0].Sample) {
		t.Errorf("the same loss has the samples %v and %v", swapped[0].Sample, again[0].Sample)
	}
	nearly := losses(append(smallSync(), people(152, 250)...))
	other := losses(append(smallSync(), people(50, 150)...))
	if n := common(swapped[0].Sample, nearly[0].Sample); n < 14 {
		t.Errorf("a loss of two more has %d of 16 in common", n)
	}
	if n := common(swapped[0].Sample, other[0].Sample); n > 0 {
		t.Errorf("the loss of the other half has %d in common", n)
	}
	all := losses(people(300, 301))
	var what []string
	for _, l := range all {
		what = append(what, fmt.Sprint(l.Table, " ", l.Type, " ", l.Before, " ", l.Gone))
	}
	if want := []string{"resource group 1 1", "resource user 102 102", "entitlement group 1 1", "grant group 2 2"}; !slices.Equal(what, want) {
		t.Errorf("losses %q, want %q", what, want)
	}
}

func common(a, b []string) (n int) {
	for _, id := range a {
		if slices.Contains(b, id) {
			n++
		}
	}
	return n
}

// TestPreviousElsewhere compares with a file that is not the one to be written, and
// leaves it alone.
func TestPreviousElsewhere(t *testing.T) {
	dir := t.TempDir()
	base, path := filepath.Join(dir, "base.c1z"), filepath.Join(dir, "sync.c1z")
	write(t, base, full(first), append(smallSync(), people(0, 3)...))
	before, _ := os.ReadFile(base)
	opt := full(second)
	opt.Previous, opt.KeepSyncs = base, 1
	sealed := write(t, path, opt, smallSync())
	if sealed.Changes == nil || sealed.Changes.Resources.Deleted != 3 {
		t.Errorf("changes %+v", sealed.Changes)
	}
	if after, _ := os.ReadFile(base); !bytes.Equal(before, after) {
		t.Error("the file that was compared with has changed")
	}
	if syncs := open(t, path).Syncs(); len(syncs) != 1 || syncs[0].ID != second {
		t.Errorf("syncs %v", syncs)
	}
	opt.Previous = filepath.Join(dir, "missing.c1z")
	if sealed := write(t, path, opt, smallSync()); sealed.Changes != nil {
		t.Errorf("without a previous file, changes %+v", sealed.Changes)
	}
}
