package writer_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// people returns accounts from one number up to another.
func people(from, to int) (rows []writer.Row) {
	for i := from; i < to; i++ {
		rows = append(rows, fixture.Row(writer.ResourceRow(fixture.Account(fmt.Sprintf("u%03d", i), "Ann"))))
	}
	return rows
}

// TestLosses compares identities: the same number of rows with other ids is a loss.
func TestLosses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), append(fixture.SmallSync(), people(100, 200)...))
	losses := func(rows []writer.Row) []writer.Loss {
		t.Helper()
		l, err := fixture.Create(t, path, fixture.Full(fixture.Second), rows).Losses()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := losses(append(fixture.SmallSync(), people(90, 210)...)); len(l) > 0 {
		t.Errorf("nothing is gone, and yet: %v", l)
	}
	swapped := losses(append(fixture.SmallSync(), people(150, 250)...))
	if len(swapped) != 1 || swapped[0].Table != writer.Resources || swapped[0].Type != "user" || swapped[0].Before != 102 || swapped[0].Gone != 50 {
		t.Fatalf("half of the people are others: %v", swapped)
	}
	if s := swapped[0].Sample; len(s) != 16 || slices.ContainsFunc(s, func(id string) bool { return !strings.HasPrefix(id, "user:u1") || id >= "user:u150" }) {
		t.Errorf("sample %v", s)
	}
	again := losses(append(people(150, 250), fixture.SmallSync()...))
	if !slices.Equal(swapped[0].Sample, again[0].Sample) {
		t.Errorf("the same loss has the samples %v and %v", swapped[0].Sample, again[0].Sample)
	}
	nearly := losses(append(fixture.SmallSync(), people(152, 250)...))
	other := losses(append(fixture.SmallSync(), people(50, 150)...))
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

// TestPreviousElsewhere compares with a file other than the one to be written, and does not modify it.
func TestPreviousElsewhere(t *testing.T) {
	dir := t.TempDir()
	base, path := filepath.Join(dir, "base.c1z"), filepath.Join(dir, "sync.c1z")
	fixture.Write(t, base, fixture.Full(fixture.First), append(fixture.SmallSync(), people(0, 3)...))
	before, _ := os.ReadFile(base)
	opt := fixture.Full(fixture.Second)
	opt.Previous, opt.KeepSyncs = base, 1
	sealed := fixture.Write(t, path, opt, fixture.SmallSync())
	if sealed.Changes == nil || sealed.Changes.Resources.Deleted != 3 {
		t.Errorf("changes %+v", sealed.Changes)
	}
	if after, _ := os.ReadFile(base); !bytes.Equal(before, after) {
		t.Error("the file that was compared with has changed")
	}
	if syncs := fixture.Open(t, path).Syncs(); len(syncs) != 1 || syncs[0].ID != fixture.Second {
		t.Errorf("syncs %v", syncs)
	}
	opt.Previous = filepath.Join(dir, "missing.c1z")
	if sealed := fixture.Write(t, path, opt, fixture.SmallSync()); sealed.Changes != nil {
		t.Errorf("without a previous file, changes %+v", sealed.Changes)
	}
}
