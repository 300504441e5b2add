package crash_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton"
	"baton/agent/syncer"
	"baton/internal/disk/disktest"
	"baton/internal/longtest"
)

// TestTornPages damages the files of an interrupted sync, byte by byte. The next sync ends with the right
// facts, or is refused with advice that works.
func TestTornPages(t *testing.T) {
	of := longtest.Pick(1, 2) // places in each file
	if *every {
		of = 100
	}
	for _, tn := range tenants(t) {
		_, want := tn.undisturbed(t)
		left := interrupted(t, tn)
		for defect, damage := range map[string]func([]byte, int) []byte{
			"cut short": func(b []byte, at int) []byte { return b[:at] },
			"a bit flipped": func(b []byte, at int) []byte {
				b = bytes.Clone(b)
				b[at] ^= 1 << (at % 8)
				return b
			},
		} {
			o := new(outcome)
			for name, content := range left {
				if !strings.HasSuffix(name, ".pages") && filepath.Base(name) != "header" || content == nil {
					continue
				}
				step := max(1, len(content)/of)
				for at := int(*seed) % step; at < len(content); at += step {
					tn.torn(t, o, left, name, damage(content, at), fmt.Sprintf("%s, %s at byte %d of %s", tn.name, defect, at, filepath.Base(name)), want)
				}
			}
			o.report(t)
			counted("torn", tn.name, defect, o.points, o.failed, len(o.wrong))
		}
	}
}

// interrupted returns the files of a sync that has read everything and cannot write its file.
func interrupted(t *testing.T, tn *tenant) disktest.Image {
	t.Helper()
	dir := t.TempDir()
	d, err := disktest.New(dir, disktest.Fault{Op: disktest.Open, Name: "*.tmp", Nth: 2, On: true, Err: syscall.ENOSPC})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tn.sync(t.Context(), filepath.Join(dir, "sync.c1z"), d); baton.KindOf(err) != baton.Storage {
		t.Fatal(err)
	}
	left, err := d.Image(disktest.Killed, 0)
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func (tn *tenant) torn(t *testing.T, o *outcome, left disktest.Image, name string, damaged []byte, where string, want facts) {
	o.points++
	point(where)
	dir := t.TempDir()
	defer os.RemoveAll(dir)
	if err := left.Write(dir); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, name), damaged)
	path := filepath.Join(dir, "sync.c1z")
	_, err := tn.sync(t.Context(), path, nil)
	if err == nil {
		if bad := ended(path, want); bad != "" {
			o.divergent("%s: %s", where, bad)
		}
		return
	}
	o.failed++
	if kind := baton.KindOf(err); kind != baton.Corrupt || !strings.Contains(baton.FixOf(err), "--fresh") {
		o.divergent("%s: %v (%v, fix %q)", where, err, kind, baton.FixOf(err))
	}
	if err := syncer.Discard(path, ""); err != nil {
		o.divergent("%s: %v", where, err)
	}
	if bad := tn.ends(t.Context(), path, want); bad != "" {
		o.divergent("%s: %s", where, bad)
	}
}

// TestTwoProcesses starts a second program on the same file while the first is working, with the same scratch
// directory and with another one: the second is refused, and the first is unaffected.
func TestTwoProcesses(t *testing.T) {
	tn := perplexityTenant(t, "page-cap=5", "slow=30ms")
	_, want := tn.undisturbed(t)
	for _, scratch := range []string{"", t.TempDir()} {
		dir := t.TempDir()
		path := filepath.Join(dir, "sync.c1z")
		first := newVictim(t, tn, program(t, tn.name))
		second := newVictim(t, tn, program(t, tn.name), "BATON_C1Z_TEMP_DIR="+scratch)
		l := first.start(moment{}, "", "--file", path)
		for first.requestCount() < 2 {
			<-time.After(time.Millisecond)
		}
		other := second.start(moment{}, "", "--file", path)
		if _, code := other.end(t); code != 9 || !strings.Contains(other.stderr.String(), path) {
			t.Errorf("the second ends with %d: %s", code, &other.stderr)
		}
		if killed, code := l.end(t); killed || code != 0 {
			t.Errorf("the first ends with %d: %s", code, &l.stderr)
		}
		if bad := ended(path, want); bad != "" {
			t.Error(bad)
		}
	}
}
