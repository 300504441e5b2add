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
	"baton/internal/disk"
	"baton/internal/disk/disktest"
	"baton/internal/longtest"
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

// faulty fails the disk at its k-th operation, or its k-th of a kind, for every
// stride-th k until there are no more to fail, or most points are made: the sync either
// copes, or says clearly what is wrong and leaves the file as it was. The next one ends
// as if nothing had been. What came of it is returned by the kind of the operation.
func faulty(t *testing.T, tn *tenant, fault disktest.Fault, stride, most int, wrap func(disk.FS) disk.FS) map[disktest.Op]*outcome {
	t.Helper()
	outcomes := map[disktest.Op]*outcome{}
	content, want := tn.undisturbed(t)
	points := 0
	for k := 1 + int(*seed)%stride; most == 0 || points < most; k += stride {
		dir := t.TempDir()
		path := filepath.Join(dir, "sync.c1z")
		writeFile(t, path, content)
		fault.Nth, fault.Err, fault.Short = k, errnos[k%len(errnos)], k%2 == 0
		d, err := disktest.New(dir, fault)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tn.sync(t.Context(), path, wrap(d))
		failed := d.Failed()
		if len(failed) == 0 {
			break
		}
		points++
		point(fmt.Sprintf("disk faults, %s, operation %d", tn.name, k))
		o := outcomes[failed[0].Op]
		if o == nil {
			o = new(outcome)
			outcomes[failed[0].Op] = o
		}
		where := fmt.Sprintf("%s, operation %d, %s of %s (for good: %t) fails with %v", tn.name, k, failed[0].Op, filepath.Base(failed[0].Name), fault.On, fault.Err)
		o.fault(t, where, path, err, content, want)
		if bad := tn.ends(t.Context(), path, want); bad != "" {
			o.divergent("%s: %s", where, bad)
		}
		os.RemoveAll(dir)
	}
	return outcomes
}

// fault judges what a sync made of a fault.
func (o *outcome) fault(t *testing.T, where, path string, err error, old []byte, want facts) {
	t.Helper()
	o.points++
	switch {
	case err == nil:
		o.absorbed++
	case baton.KindOf(err) != baton.Storage || baton.FixOf(err) == "" || strings.Contains(err.Error(), "\n"):
		o.divergent("%s: %v (%v, fix %q)", where, err, baton.KindOf(err), baton.FixOf(err))
	default:
		o.failed++
	}
	now, readErr := os.ReadFile(path)
	if readErr == nil && bytes.Equal(now, old) {
		if err == nil {
			o.divergent("%s: success, and the file is the old one", where)
		}
		return
	}
	if err != nil {
		o.replaced++ // too late to undo: the folder was not flushed, the pages not removed
	}
	got, err := read(path)
	if err != nil {
		o.divergent("%s: the file is neither the old one nor a new one: %v", where, err)
	} else if diff := want.differs(got); diff != "" {
		o.divergent("%s: a short file: %s", where, diff)
	}
}

func asIs(d disk.FS) disk.FS { return d }

// TestDiskFaults fails each operation of a sync in turn, for once and for good.
func TestDiskFaults(t *testing.T) {
	for _, tn := range tenants(t) {
		for _, goes := range []bool{false, true} {
			if *every {
				for op, o := range faulty(t, tn, disktest.Fault{On: goes}, 1, 0, asIs) {
					o.report(t)
					summed("disk faults", []string{string(op)}, o.points, o.failed, o.absorbed, o.replaced, len(o.wrong))
				}
				continue
			}
			for _, o := range faulty(t, tn, disktest.Fault{On: goes}, longtest.Pick(263, 53), 0, asIs) {
				o.report(t)
			}
		}
		if !*every {
			for _, op := range disktest.Ops() {
				for _, o := range faulty(t, tn, disktest.Fault{Op: op}, 3, 1, asIs) {
					o.report(t)
				}
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
	point("crashes, " + tn.name + ", " + im.where)
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
		got, err := read(path)
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

// durable checks that a finished sync is on the disk.
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
	much := thoroughness{calls: longtest.Pick(61, 9), judge: longtest.Pick(29, 7)}
	if *every {
		much = thoroughness{calls: 1, judge: 1}
	}
	for _, tn := range tenants(t) {
		for cut, o := range crashes(t, tn, much, asIs) {
			o.report(t)
			counted("crashes", tn.name, string(cut), o.points, o.replaced, len(o.wrong))
		}
	}
}
