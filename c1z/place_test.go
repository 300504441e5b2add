package c1z_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"baton"
	"baton/c1z"
)

// TestAddFrom makes the same file of rows that are read from two places as of rows that
// were handed over, and of two rows with the same id it takes the one of the first place.
func TestAddFrom(t *testing.T) {
	handed := filepath.Join(t.TempDir(), "sync.c1z")
	rows := smallSync()
	write(t, handed, full(first), rows)
	want, err := os.ReadFile(handed)
	if err != nil {
		t.Fatal(err)
	}
	late := append([]c1z.Row{row(c1z.ResourceRow(account("u1", "Eve")))}, rows[4:]...)
	path := filepath.Join(t.TempDir(), "sync.c1z")
	w := create(t, path, full(first), rows[:2])
	for _, part := range [][]c1z.Row{rows[2:4], late} {
		b := []byte("what comes before")
		var at []int
		for _, r := range part {
			at = append(at, len(b))
			b = r.Append(b)
		}
		at = append(at, len(b))
		in := bytes.NewReader(b)
		for i, r := range part {
			if err := w.AddFrom(r, c1z.Place{In: in, At: int64(at[i]), Size: at[i+1] - at[i]}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := w.Seal(context.Background(), ended(first)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the files differ")
	}
}

// TestPlaceChanged finds another row where one was added, and none at all.
func TestPlaceChanged(t *testing.T) {
	ann, bob := row(c1z.ResourceRow(account("u1", "Ann"))), row(c1z.ResourceRow(account("u2", "Bob")))
	whole := ann.Append(nil)
	for name, changed := range map[string][]byte{
		"another row": bob.Append(nil),
		"no row":      make([]byte, len(whole)),
		"cut short":   whole[:len(whole)-1],
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sync.c1z")
			w := create(t, path, full(first), nil)
			if err := w.AddFrom(ann, c1z.Place{In: bytes.NewReader(changed), Size: len(whole)}); err != nil {
				t.Fatal(err)
			}
			_, err := w.Seal(context.Background(), ended(first))
			if baton.KindOf(err) != baton.Corrupt {
				t.Errorf("%v, want %v", err, baton.Corrupt)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("there is a file")
			}
		})
	}
}
