package crash_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"baton"
	"baton/agent/cli"
	"baton/connector/perplexity"
	"baton/connector/rest"
	"baton/internal/disk"
	"baton/internal/disk/disktest"
	"baton/internal/longtest"
)

// These tests plant a defect and require that the harness detects it.

// planted runs baton-perplexity with a defect in resuming feeds.
func planted(defect string) int {
	return cli.Main(cli.Program{
		Name: "baton-perplexity", Settings: perplexity.Settings(),
		Describe: func() *baton.Connector { return perplexity.New(perplexity.Config{}) },
		Open: func(v baton.Values, o rest.Options) (*baton.Connector, error) {
			cfg, err := perplexity.Configure(v)
			client, restErr := rest.New(rest.Config{BaseURL: v.String("scim-url"), Token: v.Secret("scim-token"), Log: o.Log, RetryFor: -1})
			cfg.REST = client
			c := perplexity.New(cfg)
			for i, f := range c.Feeds {
				c.Feeds[i].Next = spoil(defect, f.Next)
			}
			return c, errors.Join(err, restErr)
		},
	})
}

type next = func(context.Context, baton.Cursor, baton.Page) (baton.Step, error)

// The defects of feeds.
const (
	dropsPage = "drops the grants of the page that it resumes at"
	endsEarly = "takes a feed that it resumes for finished"
	noDefect  = "none"
)

func spoil(defect string, do next) next {
	first := true
	return func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
		resumed := first && at != ""
		first = false
		switch {
		case resumed && defect == dropsPage:
			return do(ctx, at, nowhere{p})
		case resumed && defect == endsEarly:
			return baton.Step{Cursor: at, Done: true}, nil
		}
		return do(ctx, at, p)
	}
}

// nowhere drops the grants of a page. If it dropped resources, the connector itself would notice that an
// earlier page differs.
type nowhere struct{ baton.Page }

func (nowhere) Grant(baton.Grant) {}

// TestPlantedInFeeds: the kill sweep detects defects in resuming a sync.
func TestPlantedInFeeds(t *testing.T) {
	longtest.Only(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, defect := range []string{noDefect, dropsPage, endsEarly} {
		t.Run(defect, func(t *testing.T) {
			tn := perplexityTenant(t, "page-cap=1") // every group has a page of its own
			v := newVictim(t, tn, exe, "PLANTED="+defect)
			// Which page is lost depends on which feed is ahead, so each defect gets several attempts.
			var wrong []string
			for try := 0; try < 10 && len(wrong) == 0; try++ {
				var moments []moment
				for n := 3; n < 8; n++ {
					moments = append(moments, moment{kind: arrives, n: n}, moment{kind: answered, n: n})
				}
				ts := newTallies()
				v.oneShot(span{requests: 9}, moments, rand.New(rand.NewPCG(1, uint64(try))), ts)
				if wrong = append(ts[arrives].wrong, ts[answered].wrong...); defect == noDefect {
					break
				}
			}
			caught(t, defect != noDefect, wrong)
		})
	}
}

func caught(t *testing.T, defect bool, wrong []string) {
	t.Helper()
	switch {
	case defect && len(wrong) == 0:
		t.Error("nobody noticed the defect")
	case !defect && len(wrong) > 0:
		t.Errorf("without a defect: %q", wrong)
	case defect:
		t.Logf("noticed: %s", wrong[0])
	}
}

// defectiveDisk is a disk that writes carelessly.
type defectiveDisk struct {
	disk.FS
	defect string
	held   map[string]func() error // late flushes
}

// The defects of writing.
const (
	noFlush      = "flushes no file"
	noFlushOfDir = "flushes no folder"
	lateFlush    = "renames before it flushes"
	inPlace      = "writes the file in its place"
	cursorFirst  = "commits the cursor before its rows"
	noReport     = "does not look at what a write says"
)

func (d *defectiveDisk) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	if d.defect == inPlace && strings.HasSuffix(name, ".c1z.tmp") {
		name, flag = strings.TrimSuffix(name, ".tmp"), flag&^os.O_EXCL|os.O_TRUNC
	}
	f, err := d.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &defectiveFile{File: f, disk: d}, nil
}

func (d *defectiveDisk) Rename(from, to string) error {
	if d.defect == inPlace && strings.HasSuffix(from, ".c1z.tmp") {
		return nil
	}
	if err := d.FS.Rename(from, to); err != nil {
		return err
	}
	if flush := d.held[from]; flush != nil {
		return flush()
	}
	return nil
}

func (d *defectiveDisk) SyncDir(name string) error {
	if d.defect == noFlushOfDir {
		return nil
	}
	return d.FS.SyncDir(name)
}

type defectiveFile struct {
	disk.File
	disk *defectiveDisk
	rows []byte // held back until their commit is written
}

func (f *defectiveFile) Sync() error {
	switch {
	case f.disk.defect == noFlush:
		return nil
	case f.disk.defect == lateFlush && strings.HasSuffix(f.Name(), ".tmp"):
		f.disk.held[f.Name()] = f.File.Sync
		return nil
	}
	return f.File.Sync()
}

func (f *defectiveFile) Close() error {
	if f.disk.held[f.Name()] != nil {
		return nil // flushed and forgotten later
	}
	return f.File.Close()
}

func (f *defectiveFile) Write(b []byte) (int, error) {
	switch {
	case f.disk.defect == noReport && strings.HasSuffix(f.Name(), ".pages"):
		f.File.Write(b)
		return len(b), nil
	case f.disk.defect == cursorFirst && strings.HasSuffix(f.Name(), ".pages") && len(b) > 9:
		if b[8] == 'r' && int(binary.LittleEndian.Uint32(b)) == len(b)-9 {
			f.rows = append(f.rows, b...)
			return len(b), nil
		}
		if _, err := f.File.Write(b); err != nil {
			return 0, err
		}
		rows := f.rows
		f.rows = nil
		_, err := f.File.Write(rows)
		return len(b), err
	}
	return f.File.Write(b)
}

// TestPlantedInDisk: the crash sweep and the disk faults detect careless writing.
func TestPlantedInDisk(t *testing.T) {
	longtest.Only(t)
	tn := percipioTenant(t, "page-cap=8")
	wrapped := func(defect string) func(disk.FS) disk.FS {
		return func(d disk.FS) disk.FS { return &defectiveDisk{FS: d, defect: defect, held: map[string]func() error{}} }
	}
	// Use Percipio: lost rows of its report only show in a comparison.
	for _, defect := range []string{noFlush, noFlushOfDir, lateFlush, inPlace, cursorFirst} {
		t.Run(defect, func(t *testing.T) {
			var wrong []string
			for cut, o := range crashes(t, tn, thoroughness{calls: 3, judge: 1, first: true}, wrapped(defect)) {
				for _, w := range o.wrong {
					wrong = append(wrong, fmt.Sprintf("%s: %s", cut, w))
				}
			}
			caught(t, true, wrong)
		})
	}
	t.Run(noReport, func(t *testing.T) {
		o := faulty(t, tn, disktest.Fault{Op: disktest.Write}, 2, 0, wrapped(noReport))[disktest.Write]
		caught(t, true, o.wrong)
	})
}
