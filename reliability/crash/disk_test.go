package crash_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
					stride = 31
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

// killed is the cut that spares everything: the process dies and the machine does not.
const killed disktest.Cut = "killed"

// image is a folder as a crash has left it.
type image struct {
	dir, where string
	cut        disktest.Cut
}

// images syncs once, and makes an image of what each crash would leave, before every
// operation of the disk and after the last. Images that are the same are kept once.
func images(t *testing.T, tn *tenant, dir string, wrap func(disk.FS) disk.FS) []image {
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
		for _, cut := range append(disktest.Cuts(), killed) {
			to := t.TempDir()
			switch {
			case cut == killed:
				err = os.CopyFS(to, os.DirFS(dir))
			default:
				err = d.Image(to, cut, *seed+uint64(calls))
			}
			if err != nil {
				t.Fatal(err)
			}
			if sum := digest(t, to); !seen[sum] {
				seen[sum] = true
				all = append(all, image{to, fmt.Sprintf("%s at operation %d, %s of %s", cut, calls, name(c.Op), filepath.Base(c.Name)), cut})
			} else {
				os.RemoveAll(to)
			}
		}
	}
	d.Before = look
	if _, err := tn.sync(t.Context(), filepath.Join(dir, "sync.c1z"), wrap(d)); err != nil {
		t.Fatal(err)
	}
	look(disktest.Call{Op: "end"})
	return all
}

// digest is the same for folders with the same files.
func digest(t *testing.T, dir string) (sum [32]byte) {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %v\n", rel, e.IsDir())
		if e.Type().IsRegular() {
			fmt.Fprintf(h, "%x\n", sha256.Sum256(mustRead(t, path)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

// judge looks at what a crash has left: the file is the old one or a whole new one, and
// the next sync ends as if nothing had been.
func judge(ctx context.Context, o *outcome, tn *tenant, im image, old []byte, want facts) {
	o.points++
	path := filepath.Join(im.dir, "sync.c1z")
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
	if bad := tn.ends(ctx, path, want); bad != "" {
		o.divergent("%s, %s: %s", tn.name, im.where, bad)
	}
}

// crashes is a sweep over the crashes of one sync, and of one that resumes it. Of the
// images of each cut every stride-th is looked at, and always the last.
func crashes(t *testing.T, tn *tenant, stride int, wrap func(disk.FS) disk.FS) map[disktest.Cut]*outcome {
	t.Helper()
	content, want := tn.undisturbed(t)
	outcomes := map[disktest.Cut]*outcome{}
	for _, cut := range append(disktest.Cuts(), killed) {
		outcomes[cut] = new(outcome)
	}
	sweep := func(all []image, stride int) {
		last := map[disktest.Cut]int{}
		for i, im := range all {
			last[im.cut] = i
		}
		n := map[disktest.Cut]int{}
		for i, im := range all {
			n[im.cut]++
			if (n[im.cut]+int(*seed))%stride == 0 || last[im.cut] == i {
				judge(t.Context(), outcomes[im.cut], tn, im, content, want)
			}
		}
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "sync.c1z"), content)
	all := images(t, tn, dir, wrap)
	// A crash while a crashed sync is resumed: from one in the middle.
	var half string
	for _, im := range all[:len(all)/2] {
		if im.cut == killed {
			half = t.TempDir()
			if err := os.CopyFS(half, os.DirFS(im.dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	sweep(all, stride)
	sweep(images(t, tn, half, wrap), stride)
	// What was said to be done is on the disk.
	final := t.TempDir()
	d, err := disktest.New(final)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(final, "sync.c1z")
	if _, err := tn.sync(t.Context(), path, wrap(d)); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := d.Image(to, disktest.Strict, *seed); err != nil {
		t.Fatal(err)
	}
	o := outcomes[disktest.Strict]
	o.points++
	if b, err := os.ReadFile(filepath.Join(to, "sync.c1z")); err != nil || !bytes.Equal(b, mustRead(t, path)) {
		o.divergent("%s: a finished sync is not there after a power cut: %d bytes, %v", tn.name, len(b), err)
	}
	return outcomes
}

// TestCrashes kills a sync, and cuts its power, before each operation of its disk.
func TestCrashes(t *testing.T) {
	stride := 1
	if !*long {
		stride = 41
	}
	for _, tn := range tenants(t) {
		for cut, o := range crashes(t, tn, stride, asIs) {
			o.report(t)
			counted("crashes", tn.name, string(cut), o.points, o.replaced, len(o.wrong))
		}
	}
}
