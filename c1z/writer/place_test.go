package writer_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"baton"
)

// TestAddFrom: rows that are read from two places give the same file as rows in memory, and of two rows with
// the same id the one in the first place is kept.
func TestAddFrom(t *testing.T) {
	handed := filepath.Join(t.TempDir(), "sync.c1z")
	rows := fixture.SmallSync()
	fixture.Write(t, handed, fixture.Full(fixture.First), rows)
	want, err := os.ReadFile(handed)
	if err != nil {
		t.Fatal(err)
	}
	late := append([]writer.Row{fixture.Row(writer.ResourceRow(fixture.Account("u1", "Eve")))}, rows[4:]...)
	path := filepath.Join(t.TempDir(), "sync.c1z")
	w := fixture.Create(t, path, fixture.Full(fixture.First), rows[:2])
	for _, part := range [][]writer.Row{rows[2:4], late} {
		b := []byte("what comes before")
		var at []int
		for _, r := range part {
			at = append(at, len(b))
			b = r.Append(b)
		}
		at = append(at, len(b))
		in := bytes.NewReader(b)
		for i, r := range part {
			if err := w.AddFrom(r, writer.Place{In: in, At: int64(at[i]), Size: at[i+1] - at[i]}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := w.Seal(context.Background(), fixture.Ended(fixture.First)); err != nil {
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

// TestPlaceChanged: the place of a row contains another row, or none.
func TestPlaceChanged(t *testing.T) {
	ann, bob := fixture.Row(writer.ResourceRow(fixture.Account("u1", "Ann"))), fixture.Row(writer.ResourceRow(fixture.Account("u2", "Bob")))
	whole := ann.Append(nil)
	for name, changed := range map[string][]byte{
		"another row": bob.Append(nil),
		"no row":      make([]byte, len(whole)),
		"cut short":   whole[:len(whole)-1],
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sync.c1z")
			w := fixture.Create(t, path, fixture.Full(fixture.First), nil)
			if err := w.AddFrom(ann, writer.Place{In: bytes.NewReader(changed), Size: len(whole)}); err != nil {
				t.Fatal(err)
			}
			_, err := w.Seal(context.Background(), fixture.Ended(fixture.First))
			if baton.KindOf(err) != baton.Corrupt {
				t.Errorf("%v, want %v", err, baton.Corrupt)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("there is a file")
			}
		})
	}
}
