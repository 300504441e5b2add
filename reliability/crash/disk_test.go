package crash_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"baton"
	"baton/disk"
	"baton/disk/disktest"
)

// errnos are what a disk says when it fails.
var errnos = []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.EROFS, syscall.EACCES}

// outcome counts what came of a sweep, and keeps what is wrong.
type outcome struct {
	points, failed, absorbed, replaced int
	wrong                              []string
}

func (o *outcome) divergent(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// report fails the test for everything that is wrong.
func (o *outcome) report(t *testing.T) {
	t.Helper()
	for i, w := range o.wrong {
		if i == 10 {
			t.Errorf("and %d more", len(o.wrong)-i)
			break
		}
		t.Error(w)
	}
}

// faulty fails the disk at its k-th operation of a kind, for every stride-th k until
// there are no more to fail, or most points are made: the sync either copes, or says
// clearly what is wrong and leaves the file as it was. The next one ends as if nothing
// had been.
func faulty(t *testing.T, tn *tenant, op disktest.Op, goes bool, stride, most int, wrap func(disk.FS) disk.FS) *outcome {
	o := new(outcome)
	content, want := tn.undisturbed(t)
	for k := 1 + int(*seed)%stride; most == 0 || o.points < most; k += stride {
		dir := t.TempDir()
		path := filepath.Join(dir, "sync.c1z")
		writeFile(t, path, content)
		errno := errnos[k%len(errnos)]
		d, err := disktest.New(dir, disktest.Fault{Op: op, Nth: k, On: goes, Err: errno, Short: k%2 == 0})
		if err != nil {
			t.Fatal(err)
		}
		_, err = tn.sync(t.Context(), path, wrap(d))
		if d.Injected() == 0 {
			return o
		}
		o.points++
		where := fmt.Sprintf("%s, %s %d (for good: %t) fails with %v", tn.name, op, k, goes, errno)
		now, readErr := os.ReadFile(path)
		same := readErr == nil && bytes.Equal(now, content)
		switch {
		case err == nil:
			o.absorbed++
		case baton.KindOf(err) != baton.Storage || baton.FixOf(err) == "" || strings.Contains(err.Error(), "\n"):
			o.divergent("%s: %v (%v, fix %q)", where, err, baton.KindOf(err), baton.FixOf(err))
		default:
			o.failed++
		}
		if !same {
			o.replaced++
			got, err := read(path, t.TempDir())
			if err != nil {
				o.divergent("%s: the file is neither the old one nor a new one: %v", where, err)
			} else if diff := want.differs(got); diff != "" {
				o.divergent("%s: a short file: %s", where, diff)
			}
		} else if err == nil {
			o.divergent("%s: success, and the file is the old one", where)
		}
		if bad := tn.ends(t.Context(), path, want); bad != "" {
			o.divergent("%s: %s", where, bad)
		}
		os.RemoveAll(dir)
	}
	return o
}

func asIs(d disk.FS) disk.FS { return d }

// TestDiskFaults fails each operation of a sync in turn.
func TestDiskFaults(t *testing.T) {
	for _, tn := range tenants(t) {
		for _, op := range append(disktest.Ops(), disktest.Any) {
			for i, goes := range []bool{false, true} {
				stride, most := 1, 0
				switch {
				case *long:
				case op == disktest.Any:
					stride = 53
				case i > 0:
					continue
				default:
					stride, most = 3, 1
				}
				o := faulty(t, tn, op, goes, stride, most, asIs)
				o.report(t)
				counted("disk faults", tn.name, name(op), []string{"once", "for good"}[i], o.points, o.failed, o.absorbed, o.replaced, len(o.wrong))
			}
		}
	}
}

func name(op disktest.Op) string {
	if op == disktest.Any {
		return "any"
	}
	return string(op)
}

// image is a folder as a crash has left it.
type image struct {
	files disktest.Image
	where string
	cut   disktest.Cut
}

// thoroughness is how much of a sweep over crashes is made.
type thoroughness struct {
	calls int  // every so many operations are looked at, and each that flushes or renames
	judge int  // of what they leave, every so much is synced on
	first bool // one divergence will do
}

// images syncs once, and makes an image of what each crash would leave, before
// operations of the disk and after the last. Images that are the same are kept once.
func images(t *testing.T, tn *tenant, dir string, much thoroughness, wrap func(disk.FS) disk.FS) []image {
	t.Helper()
	d, err := disktest.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []image
	seen := map[[32]byte]bool{}
	calls := 0
	look := func(c disktest.Call) {
		calls++
		switch c.Op {
		case disktest.Rename, disktest.Sync, disktest.SyncDir, last:
		default:
			if calls%much.calls != 0 {
				return
			}
		}
		for _, cut := range disktest.Cuts() {
			files, err := d.Image(cut, *seed+uint64(calls))
			if err != nil {
				t.Fatal(err)
			}
			if sum := files.Sum(); !seen[sum] {
				seen[sum] = true
				all = append(all, image{files, fmt.Sprintf("%s at operation %d, %s of %s", cut, calls, name(c.Op), filepath.Base(c.Name)), cut})
			}
		}
	}
	d.Before = look
	if _, err := tn.sync(t.Context(), filepath.Join(dir, "sync.c1z"), wrap(d)); err != nil {
		t.Fatal(err)
	}
	look(disktest.Call{Op: last})
	return all
}

// last is after every operation.
const last disktest.Op = "end"

// judge looks at what a crash has left: the file is the old one or a whole new one, and
// the next sync ends as if nothing had been.
func judge(t *testing.T, o *outcome, tn *tenant, im image, old []byte, want facts) {
	o.points++
	dir := t.TempDir()
	defer os.RemoveAll(dir)
	if err := im.files.Write(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sync.c1z")
	now, err := os.ReadFile(path)
	switch {
	case err != nil && old == nil:
	case err == nil && old != nil && bytes.Equal(now, old):
	default:
		o.replaced++
		got, err := read(path, os.TempDir())
		if err != nil {
			o.divergent("%s, %s: the file is neither the old one nor a new one: %v", tn.name, im.where, err)
		} else if diff := want.differs(got); diff != "" {
			o.divergent("%s, %s: a short file: %s", tn.name, im.where, diff)
		}
	}
	if bad := tn.ends(t.Context(), path, want); bad != "" {
		o.divergent("%s, %s: %s", tn.name, im.where, bad)
	}
}

// crashes is a sweep over the crashes of one sync, and of one that resumes it.
func crashes(t *testing.T, tn *tenant, much thoroughness, wrap func(disk.FS) disk.FS) map[disktest.Cut]*outcome {
	t.Helper()
	content, want := tn.undisturbed(t)
	outcomes := map[disktest.Cut]*outcome{}
	for _, cut := range disktest.Cuts() {
		outcomes[cut] = new(outcome)
	}
	sweep := func(all []image) (found bool) {
		for i, im := range all {
			if (i+int(*seed))%much.judge == 0 || i == len(all)-1 {
				judge(t, outcomes[im.cut], tn, im, content, want)
			}
			if much.first && len(outcomes[im.cut].wrong) > 0 {
				return true
			}
		}
		return false
	}
	durable(t, tn, outcomes[disktest.Strict], wrap)
	if much.first && len(outcomes[disktest.Strict].wrong) > 0 {
		return outcomes
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "sync.c1z"), content)
	all := images(t, tn, dir, much, wrap)
	// A crash while a crashed sync is resumed: from one in the middle.
	half := t.TempDir()
	for _, im := range slices.Backward(all[:len(all)/2]) {
		if im.cut == disktest.Killed {
			if err := im.files.Write(half); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if !sweep(all) {
		sweep(images(t, tn, half, much, wrap))
	}
	return outcomes
}

// durable holds a sync to what it said: it is on the disk.
func durable(t *testing.T, tn *tenant, o *outcome, wrap func(disk.FS) disk.FS) {
	t.Helper()
	dir := t.TempDir()
	d, err := disktest.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sync.c1z")
	if _, err := tn.sync(t.Context(), path, wrap(d)); err != nil {
		t.Fatal(err)
	}
	image, err := d.Image(disktest.Strict, *seed)
	if err != nil {
		t.Fatal(err)
	}
	o.points++
	if b := image["sync.c1z"]; !bytes.Equal(b, mustRead(t, path)) {
		o.divergent("%s: a finished sync is not there after a power cut: %d bytes are", tn.name, len(b))
	}
}

// TestCrashes kills a sync, and cuts its power, before each operation of its disk.
func TestCrashes(t *testing.T) {
	much := thoroughness{calls: 1, judge: 1}
	if !*long {
		much = thoroughness{calls: 9, judge: 7}
	}
	for _, tn := range tenants(t) {
		for cut, o := range crashes(t, tn, much, asIs) {
			o.report(t)
			counted("crashes", tn.name, string(cut), o.points, o.replaced, len(o.wrong))
		}
	}
}
