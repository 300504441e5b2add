package c1z3_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/c1z"
	"baton/c1z/facts"
	"baton/console/c1z3"
)

// recorded returns the folder of files that official programs wrote.
func recorded(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "recorded", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the recorded files are not beside this checkout")
	}
	return dir
}

// TestRecorded compares the facts of recorded files with those that the official programs list.
// Damaged files are refused with the right error.
func TestRecorded(t *testing.T) {
	n := 0
	for _, dir := range []string{"c1z-v3", "c1z-forms"} {
		files, err := filepath.Glob(filepath.Join(recorded(t, dir), "*.c1z"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(b, []byte(c1z3.Magic)) {
				continue
			}
			n++
			t.Run(filepath.Base(path), func(t *testing.T) {
				want, err := os.ReadFile(strings.TrimSuffix(path, ".c1z") + ".facts")
				if err != nil {
					t.Fatal(err)
				}
				got, err := factsOf(t, path)
				if strings.HasPrefix(string(want), "refused") {
					if kind := baton.KindOf(err); kind != baton.Corrupt && kind != baton.Unsupported {
						t.Errorf("%v (%v)", err, kind)
					}
					t.Log(err)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
	if n < 8 || statedFiles == 0 {
		t.Errorf("only %d files of version 3, %d of them state their counts", n, statedFiles)
	}
}

// statedFiles counts files with stated row numbers.
var statedFiles int

func factsOf(t *testing.T, path string) (string, error) {
	t.Helper()
	scratch := t.TempDir()
	f, err := openPath(t, path, scratch, c1z3.DefaultLimits)
	if err != nil {
		if left, _ := os.ReadDir(scratch); len(left) > 0 {
			t.Errorf("%d files are left behind", len(left))
		}
		return "", err
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(scratch); len(left) > 0 {
			t.Errorf("%d files are left behind", len(left))
		}
	}()
	info, ok := f.Sync()
	if !ok {
		return "", baton.Errorf(baton.NotFound, "no sync")
	}
	var out bytes.Buffer
	if err = facts.Write(t.Context(), &out, info, f, scratch); err != nil {
		return "", err
	}
	if stated, ok, err := f.Stated(t.Context()); err != nil {
		t.Errorf("stated: %v", err)
	} else if ok {
		rows := func(kind string) int64 { return int64(strings.Count("\n"+out.String(), "\n"+kind+"\t")) }
		if held := (c1z.Totals{Resources: rows("resource"), Entitlements: rows("entitlement"), Grants: rows("grant")}); held != stated {
			t.Logf("the writer stated %+v, the file holds %+v", stated, held)
		}
		statedFiles++
	}
	return out.String(), nil
}

func openPath(t *testing.T, path, scratch string, limits c1z3.Limits) (*c1z3.File, error) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return c1z3.Open(bytes.NewReader(b), int64(len(b)), filepath.Base(path), scratch, limits)
}

// TestDamage truncates a sound file and flips bits in it: it is refused, or the damage is in an
// unused place and the facts are the same.
func TestDamage(t *testing.T) {
	path := filepath.Join(recorded(t, "c1z-v3"), "plain.c1z")
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := factsOf(t, path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	damaged := filepath.Join(t.TempDir(), "damaged.c1z")
	step := len(sound) / 150
	for at := 0; at < len(sound); at += step {
		for _, b := range [][]byte{sound[:at], flipped(sound, at)} {
			if err := os.WriteFile(damaged, b, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := factsOf(t, damaged)
			switch {
			case err == nil && got != want:
				t.Fatalf("damage at %d of %d gives other facts", at, len(sound))
			case err != nil:
				if kind := baton.KindOf(err); kind != baton.Corrupt && kind != baton.Unsupported {
					t.Fatalf("damage at %d: %v (%v)", at, err, kind)
				}
				refused++
			}
		}
	}
	if refused < 290 {
		t.Errorf("only %d of 300 were refused", refused)
	}
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1 << (at % 8)
	return b
}

var _ facts.Rows = (*c1z3.File)(nil)
