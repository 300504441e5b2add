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

// errnos lists the errors of a failing disk.
var errnos = []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.EROFS, syscall.EACCES}

// outcome counts the results of a sweep, and keeps the failures.
type outcome struct {
	points, failed, absorbed, replaced int
	wrong                              []string
}

func (o *outcome) divergent(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// report fails the test for every failure.
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

// faulty fails the k-th operation of the disk, or the k-th of a kind, for every stride-th k until there are
// no more operations or most points are reached. Each sync either succeeds, or reports the problem clearly
// and leaves the file unchanged. The next sync ends as if nothing had happened. The results are returned by
// kind of operation.
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

// fault checks the result of a sync with a fault.
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
		o.replaced++ // too late to undo: the folder was not flushed, or the pages not removed
	}
	got, err := read(path)
	if err != nil {
		o.divergent("%s: the file is neither the old one nor a new one: %v", where, err)
	} else if diff := want.differs(got); diff != "" {
		o.divergent("%s: a short file: %s", where, diff)
	}
}

func asIs(d disk.FS) disk.FS { return d }

// TestDiskFaults fails each operation of a sync in turn, once or permanently.
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

// image is a folder after a crash.
type image struct {
	files disktest.Image
	where string
	cut   disktest.Cut
}

// thoroughness limits a sweep over crashes.
type thoroughness struct {
	calls int  // crash at every n-th operation, and at each flush and rename
	judge int  // run the next sync on every n-th image
	first bool // stop at the first divergence
}

// images syncs once, and creates an image of the state after each crash, before operations of the disk and
// after the last one. Equal images are kept once.
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

// last is the point after all operations.
const last disktest.Op = "end"

// judge checks the state after a crash: the file is the old one or a complete new one, and the next sync ends
// as if nothing had happened.
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

// crashes sweeps over the crashes of one sync, and of one that resumes it.
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
	// Crash while a crashed sync is resumed, starting from one in the middle.
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
