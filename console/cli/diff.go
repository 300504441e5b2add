package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"baton"
)

func (r *run) diffCommand() *cobra.Command {
	return r.command(spec{use: "diff A B", short: "Print how two sync files, or two syncs of the console, differ", args: 2, settings: storeSettings,
		long: `Prints one line for each fact that only one of the two holds: "-" for A, "+" for B, then the fact as
inspect --facts prints it. Fields are separated by tabs. The exit code is 0 whether or not they differ.

A and B are files or, by id or number, syncs of one connector of the console. For syncs, a last field says what
explains the line (a request, an operation, a decision …), or that it is unexplained.`,
		example: "  baton-console diff monday.c1z tuesday.c1z\n  baton-console diff --data console 3 4"},
		func(ctx context.Context, args []string) error {
			switch a, b := namesSync(args[0]), namesSync(args[1]); {
			case a && b:
				return r.diffSyncs(ctx, args[0], args[1])
			case a != b:
				return baton.Errorf(baton.Invalid, "one of %s and %s is a file and the other a sync", args[0], args[1]).WithFix("Name two files, or two syncs.")
			}
			return r.diffFiles(ctx, args[0], args[1])
		})
}

// diffFiles prints how the facts of two files differ.
func (r *run) diffFiles(ctx context.Context, a, b string) error {
	return withScratch(func(dir string) error {
		var sides [2]*os.File
		for i, path := range []string{a, b} {
			f, err := os.Create(filepath.Join(dir, "facts-"+[]string{"a", "b"}[i]))
			if err != nil {
				return baton.Errorf(baton.Storage, "make a temporary file: %w", err)
			}
			defer f.Close()
			if err := writeFacts(ctx, f, path); err != nil {
				return err
			}
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return baton.Errorf(baton.Storage, "read a temporary file: %w", err)
			}
			sides[i] = f
		}
		out := bufio.NewWriterSize(r.stdout, 1<<16)
		err := differences(sides[0], sides[1], func(sign byte, line string) error {
			_, err := out.WriteString(string(sign) + "\t" + line + "\n")
			return toStdout(err)
		})
		if err != nil {
			return err
		}
		return toStdout(out.Flush())
	})
}

// differences calls fn for each fact that only one side has. The first line, which names the sync,
// is not a fact.
func differences(a, b io.Reader, fn func(sign byte, line string) error) error {
	left, right := lineReader{r: bufio.NewReaderSize(a, 1<<16)}, lineReader{r: bufio.NewReaderSize(b, 1<<16)}
	for _, side := range []*lineReader{&left, &right} {
		side.next()
		side.next()
	}
	for {
		if err := errors.Join(left.err, right.err); err != nil {
			return baton.Errorf(baton.Storage, "read a temporary file: %w", err)
		}
		switch {
		case left.ended && right.ended:
			return nil
		case !left.ended && !right.ended && left.line == right.line:
			left.next()
			right.next()
		case right.ended || !left.ended && left.line < right.line:
			if err := fn('-', left.line); err != nil {
				return err
			}
			left.next()
		default:
			if err := fn('+', right.line); err != nil {
				return err
			}
			right.next()
		}
	}
}

// lineReader reads lines of any length.
type lineReader struct {
	r     *bufio.Reader
	line  string
	ended bool
	err   error
}

func (l *lineReader) next() {
	line, err := l.r.ReadString('\n')
	switch {
	case err == nil:
		l.line = line[:len(line)-1]
	case errors.Is(err, io.EOF):
		l.line, l.ended = "", true
	default:
		l.err, l.ended = err, true
	}
}
