// Command bench measures the connectors as whole processes, at three sizes, beside a
// floor and, where there is one, beside the official connector.
//
// For each size it starts the sandbox, and a tape before it that plays the sandbox's
// answers back, so that the upstream costs next to nothing. Then the programs run in
// turn (ours, floor, ours, floor ...), each run in an empty directory, and what they
// cost is kept in a record. The tables of docs/performance.md and the plot beside it
// are made of the record.
//
//	main.go      flags, the order of things   case.go      sizes, one case
//	upstream.go  sandbox and tape             program.go   what is run, and how
//	small.go     what depends on no size
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

// options are what the flags say.
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
	flags.StringVar(&o.dir, "dir", "", "directory to work in, on a real disk (a temporary one below -bin unless given)")
	flags.IntVar(&o.pairs, "pairs", 0, "how many runs of each program are counted (7, 5, 3 by size unless given)")
	flags.BoolVar(&o.small, "fixed", true, "measure also what depends on no size")
	flags.StringVar(&o.record, "record", "docs/performance.json", "what was measured, kept from one time to the next")
	flags.StringVar(&o.document, "document", "docs/performance.md", "where the tables go")
	flags.StringVar(&o.plot, "plot", "docs/performance.svg", "where the plot goes")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is too much", flags.Arg(0))
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

// measureSizes measures every case that was asked for. The record is saved after each,
// because the large ones take minutes.
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
		return errors.New("there is nothing to measure: see -sizes and -upstreams")
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
