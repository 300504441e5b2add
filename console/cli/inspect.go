package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"baton"
	"baton/console/syncfile"
	"baton/internal/english"
	"baton/internal/output"
)

func (r *run) inspectCommand() *cobra.Command {
	return r.command(spec{use: "inspect FILE", short: "Print what a sync file holds", args: 1, settings: []string{"facts"},
		long: `Reads a sync file of any version (sync.c1z) and prints counts of its newest finished sync or,
without one, of its newest unfinished sync. With --facts, it prints every fact as one line, sorted, so
that two files can be compared with any tool. It needs no server and no data folder.

A file that cannot be read ends with exit code 12 (of a kind that is not supported) or 15 (damaged).`,
		example: "  baton-console inspect sync.c1z\n  baton-console inspect --facts sync.c1z"},
		func(ctx context.Context, args []string) error {
			if r.Values.Bool("facts") {
				return r.inspectFacts(ctx, args[0])
			}
			return r.inspect(ctx, args[0])
		})
}

// withScratch runs fn with a folder for temporary files.
func withScratch(fn func(dir string) error) error {
	dir, err := os.MkdirTemp("", program+"-")
	if err != nil {
		return baton.Errorf(baton.Storage, "make a temporary folder: %w", err).WithFix("Free space, or name another folder with TMPDIR.")
	}
	defer os.RemoveAll(dir)
	return fn(dir)
}

// withFile runs fn with an open sync file.
func withFile(ctx context.Context, path string, fn func(f *syncfile.File, scratch string) error) error {
	return withScratch(func(dir string) error {
		f, err := syncfile.Open(ctx, path, path, dir)
		if err != nil {
			return err
		}
		defer f.Close()
		return fn(f, dir)
	})
}

// inspectFacts prints the facts in a file. For a file that cannot be read it prints the single line
// "refused".
func (r *run) inspectFacts(ctx context.Context, path string) error {
	w := &counter{to: r.stdout}
	out := bufio.NewWriterSize(w, 1<<16)
	err := writeFacts(ctx, out, path)
	if err == nil {
		err = toStdout(out.Flush())
	}
	if kind := baton.KindOf(err); w.n == 0 && (kind == baton.Corrupt || kind == baton.Unsupported) {
		fmt.Fprintln(r.stdout, "refused")
	}
	return err
}

// counter counts the bytes that are written through it.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// writeFacts writes the facts of a file.
func writeFacts(ctx context.Context, w io.Writer, path string) error {
	return withFile(ctx, path, func(f *syncfile.File, scratch string) error { return f.WriteFacts(ctx, w, scratch) })
}

func (r *run) inspect(ctx context.Context, path string) error {
	return withFile(ctx, path, func(f *syncfile.File, _ string) error {
		s, err := f.Any()
		if err != nil {
			return err
		}
		n, err := count(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		w := bufio.NewWriter(r.stdout)
		row := func(what, format string, args ...any) {
			fmt.Fprintf(w, "%-13s %s\n", what, output.Clean(fmt.Sprintf(format, args...)))
		}
		row("file", "%s, version %d", path, f.Version)
		state := "unfinished"
		if s.Finished() {
			state = "finished " + s.Ended.UTC().Format(time.RFC3339)
		}
		row("sync", "%s, %s, began %s, %s", s.ID, s.Type, s.Started.UTC().Format(time.RFC3339), state)
		if len(f.Syncs) > 1 {
			row("", "the newest finished of %d", len(f.Syncs))
		}
		row("types", "%s", english.Number(n.types))
		row("resources", "%s", english.Number(n.resources))
		for _, t := range slices.Sorted(maps.Keys(n.byType)) {
			row("  "+output.Clean(t), "%s", english.Number(n.byType[t]))
		}
		row("entitlements", "%s", english.Number(n.entitlements))
		row("grants", "%s", english.Number(n.grants))
		return toStdout(w.Flush())
	})
}

// counts are the numbers of rows of a sync.
type counts struct {
	types, resources, entitlements, grants int
	byType                                 map[string]int // number of resources
}

func count(ctx context.Context, s syncfile.Sync) (counts, error) {
	n := counts{byType: map[string]int{}}
	for _, err := range s.ResourceTypes(ctx) {
		if err != nil {
			return n, err
		}
		n.types++
	}
	for row, err := range s.Resources(ctx) {
		if err != nil {
			return n, err
		}
		n.resources++
		n.byType[row.ID.Type]++
	}
	for _, err := range s.Entitlements(ctx) {
		if err != nil {
			return n, err
		}
		n.entitlements++
	}
	for _, err := range s.Grants(ctx) {
		if err != nil {
			return n, err
		}
		n.grants++
	}
	return n, nil
}
