// Command bench measures the connectors as processes, at three sizes, and compares them with a
// minimal program (the floor) and with the official connector, if there is one.
//
// For each size it starts the sandbox, with a tape in front that replays the answers of the
// sandbox, so that the upstream takes little CPU. Then the programs run in turn (ours, ours
// steady, floor, …), each time in a new directory. The results go to a record, and from there to
// the tables of docs/performance.md and the plot beside it.
//
//	main.go      flags, order of the work     case.go      sizes, cases
//	upstream.go  sandbox and tape             program.go   programs and their arguments
//	small.go     results without a size
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"baton/test/bench/figures"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options hold the flags.
type options struct {
	bin, dir               string
	sizes, upstreams       []string
	latencies              []time.Duration
	pairs                  int
	small                  bool
	officials              map[string]string // paths, by upstream
	record, document, plot string
	began                  string
	log                    io.Writer
}

func parse(args []string, log io.Writer) (options, error) {
	o := options{log: log, began: time.Now().UTC().Format(time.RFC3339), officials: map[string]string{}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log)
	sizes := flags.String("sizes", "small,medium,large", "which sizes")
	upstreams := flags.String("upstreams", "Percipio,Perplexity", "which upstreams")
	latencies := flags.String("latencies", "0s,20ms", "waits before each answer")
	percipio := flags.String("official-percipio", "", "path of the official connector for Percipio, to run beside ours")
	scim := flags.String("official-scim", "", "path of the official connector for SCIM, to run beside ours")
	flags.StringVar(&o.bin, "bin", "bin", "directory of the stripped connectors, and of the floor")
	flags.StringVar(&o.dir, "dir", "", "working directory, on a real disk (default: a temporary one below -bin)")
	flags.IntVar(&o.pairs, "pairs", 0, "counted runs of each program (default: 7, 5 or 3, by size)")
	flags.BoolVar(&o.small, "fixed", true, "also measure results that do not depend on a size")
	flags.StringVar(&o.record, "record", "docs/performance.json", "file of the results")
	flags.StringVar(&o.document, "document", "docs/performance.md", "document with the tables")
	flags.StringVar(&o.plot, "plot", "docs/performance.svg", "file of the plot")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	list := func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) }
	o.sizes, o.upstreams = list(*sizes), list(*upstreams)
	for _, text := range list(*latencies) {
		d, err := time.ParseDuration(text)
		if err != nil {
			return o, err
		}
		o.latencies = append(o.latencies, d)
	}
	for upstream, path := range map[string]string{figures.Percipio: *percipio, figures.Perplexity: *scim} {
		if path == "" {
			continue
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return o, err
		}
		o.officials[upstream] = absolute
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "tape" {
		return serveTape(ctx, args[1:], stdout)
	}
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cmp.Or(o.dir, o.bin), "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.dir = dir
	record, err := figures.Load(o.record)
	if err != nil {
		return err
	}
	record.Machine = machine()
	if o.small {
		if record.Small, err = o.measureSmall(ctx); err != nil {
			return err
		}
	}
	if err := o.measureSizes(ctx, record); err != nil {
		return err
	}
	return o.publish(record)
}

// measureSizes measures the selected cases. It saves the record after each one, because large ones
// take minutes.
func (o options) measureSizes(ctx context.Context, record *figures.Record) error {
	measured := 0
	for _, s := range allSizes() {
		if !slices.Contains(o.sizes, s.name) || !slices.Contains(o.upstreams, s.upstream) {
			continue
		}
		measured++
		cases, err := o.measure(ctx, s)
		for _, c := range cases {
			record.Add(c)
		}
		if err := errors.Join(err, record.Save(o.record)); err != nil {
			return fmt.Errorf("%s, %s: %w", s.upstream, s.name, err)
		}
	}
	if measured == 0 && !o.small {
		return errors.New("nothing to measure: check -sizes and -upstreams")
	}
	return nil
}

func (o options) publish(record *figures.Record) error {
	if err := record.Save(o.record); err != nil {
		return err
	}
	if o.document == "" {
		return nil
	}
	return record.Publish(o.document, o.plot)
}

func (o options) say(format string, args ...any) {
	fmt.Fprintf(o.log, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}
