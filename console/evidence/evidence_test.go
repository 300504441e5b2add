package evidence_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"baton/console/evidence"
	"baton/internal/longtest"
)

// packOf returns the bytes of the pack of a review.
func packOf(t testing.TB, src evidence.Source) ([]byte, evidence.Manifest) {
	t.Helper()
	f, m, size := build(t, src)
	b, err := os.ReadFile(f.Name())
	if err != nil || int64(len(b)) != size {
		t.Fatalf("%d bytes, want %d: %v", len(b), size, err)
	}
	return b, m
}

// TestSound checks that packs of reviews of several sizes verify, and what their manifests count.
func TestSound(t *testing.T) {
	for _, m := range []made{{N: 1}, {N: 2}, {N: 60}, {N: 60, Erased: true}} {
		b, manifest := packOf(t, m)
		r := verify(t, b)
		for _, f := range r.Faults {
			t.Errorf("%d items: %s", m.N, f)
		}
		if c := manifest.Counts; c.Items != m.N || c.Decisions+c.Unanswered != m.N || c.Verified+c.NotEffective != c.Removals || m.N == 60 && (c.Unanswered != 6 || c.Removals != 8 || c.NotEffective != 2 || c.Operations != 8) {
			t.Errorf("%+v", c)
		}
		if r.Withheld == 0 || (r.Erased > 0) != m.Erased {
			t.Errorf("%d withheld, %d erased", r.Withheld, r.Erased)
		}
	}
}

// TestSameBytes checks that the same state has the same pack, byte for byte.
func TestSameBytes(t *testing.T) {
	first, _ := packOf(t, made{N: 60})
	second, _ := packOf(t, made{N: 60})
	if !bytes.Equal(first, second) {
		t.Error("two packs of one review differ")
	}
}

// TestFlippedByte flips bytes in every member of a pack and between them, one after the other: each is
// found, and the member that it lies in is named. In its long size it flips every byte.
func TestFlippedByte(t *testing.T) {
	b, m := packOf(t, made{N: 12})
	names := []string{}
	for _, x := range m.Members {
		names = append(names, x.Name)
	}
	names = append(names, "manifest.json", "manifest.sig")
	regions, directory := locate(t, b, names)
	damaged := bytes.Clone(b)
	step := longtest.Pick(211, 1)
	for at := range b {
		edge := slices.ContainsFunc(regions, func(x region) bool { return at == x.from || at == x.from+20 || at == x.to-x.size/2-1 || at == x.to-1 })
		if at%step != 0 && !edge && (at < directory || at%29 != 0) {
			continue
		}
		damaged[at] ^= 0x20
		r := verify(t, damaged)
		damaged[at] = b[at]
		want := "the ZIP directory"
		for _, x := range regions {
			if at >= x.from && at < x.to {
				want = x.name
			}
		}
		if !slices.ContainsFunc(r.Faults, func(f evidence.Fault) bool { return f.Member == want || at >= directory && f.Member != "" }) {
			t.Fatalf("byte %d, in %s: %v", at, want, r.Faults)
		}
	}
}

type region struct {
	name           string
	from, to, size int
}

// locate returns the regions of members, with their headers, and where the directory begins.
func locate(t *testing.T, b []byte, names []string) (regions []region, directory int) {
	t.Helper()
	at := 0
	for _, name := range names {
		if !strings.HasPrefix(string(b[at+30:]), name) {
			t.Fatalf("%s is not at %d", name, at)
		}
		size := int(b[at+18]) | int(b[at+19])<<8 | int(b[at+20])<<16
		next := at + 30 + len(name) + size
		regions = append(regions, region{name, at, next, size})
		at = next
	}
	return regions, at
}
