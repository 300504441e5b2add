package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"baton"
	"baton/c1z"
	"baton/internal/disk"
	"baton/internal/english"
	"baton/report"

	"github.com/spf13/cobra"
)

// reportFlags holds the flags of the command report.
type reportFlags struct {
	format, table, out string
	sync, before       string
	rows               int
	bom, bomAsked      bool
}

// reportFormats returns the formats of a report with their file endings.
func reportFormats() map[string][]string {
	return map[string][]string{"html": {".html", ".htm"}, "csv": {".csv"}, "json": {".json"}, "jsonl": {".jsonl", ".ndjson"}}
}

func (r *run) reportCommand() *cobra.Command {
	var flags reportFlags
	var tables []string
	for _, t := range report.Tables() {
		tables = append(tables, t.Name)
	}
	c := &cobra.Command{
		Use:   "report [[BEFORE] FILE]",
		Short: "Write a report of a sync, or of the changes between two, as HTML, CSV or JSON",
		RunE: func(c *cobra.Command, files []string) error {
			if err := r.start("console", false); err != nil {
				return err
			}
			if err := r.accepts("report", descriptive(), "file", "c1z-temp-dir"); err != nil {
				return err
			}
			if flags.bomAsked = c.Flags().Changed("bom"); !flags.bomAsked {
				flags.bom = flags.out != ""
			}
			return r.report(c.Context(), files, flags)
		},
	}
	c.Long = "It reads files only. A sync is compared with the previous full sync in the same file, or " +
		"with the newest sync of the file BEFORE. The same files give the same report, byte for byte."
	c.Example = fmt.Sprintf(`  %[1]s report --out report.html
      the newest sync of sync.c1z, and what changed since the previous one
  %[1]s report --out report.html old.c1z new.c1z
      the sync in new.c1z, and what changed since old.c1z
  %[1]s report --out access.csv
      who holds what, for a spreadsheet
  %[1]s report --format csv | head
      the same for a program
  %[1]s report --table changes --out changes.csv
      the changes, one row for each attribute
  %[1]s report --format jsonl | jq
      everything, with nothing shortened or altered`, r.program.Name)
	c.Flags().StringVar(&flags.out, "out", "", "file to write, replaced in one step and readable by its owner only (default stdout)")
	c.Flags().StringVar(&flags.format, "format", "", "html, csv, json or jsonl (default: by the ending of --out, or html)")
	c.Flags().StringVar(&flags.table, "table", "", "table to write as CSV: "+strings.Join(tables, ", ")+" (default "+tables[0]+")")
	c.Flags().StringVar(&flags.sync, "sync", "", "id of the sync to report (default: the newest full one)")
	c.Flags().StringVar(&flags.before, "before-sync", "", "id of the sync to compare with (default: the previous full one)")
	c.Flags().BoolVar(&flags.bom, "bom", false, "begin a CSV with a byte order mark, by which Excel recognises UTF-8 (default: only with --out)")
	c.Flags().IntVar(&flags.rows, "rows", report.DefaultRows, "maximum number of rows in a table of the page; 0 is all")
	return c
}

// form returns the format of the report, and the table of a CSV.
func (f reportFlags) form() (format string, table report.Table, err error) {
	format = f.format
	formats := reportFormats()
	for name, endings := range formats {
		if format == "" && slices.Contains(endings, strings.ToLower(filepath.Ext(f.out))) {
			format = name
		}
	}
	switch {
	case format == "" && f.table != "":
		format = "csv"
	case format == "":
		format = "html"
	}
	if formats[format] == nil {
		return "", table, baton.Errorf(baton.Invalid, "--format: %q is not a format of a report", format).WithFix("use html, csv, json or jsonl")
	}
	if f.table != "" && format != "csv" {
		return "", table, baton.Errorf(baton.Invalid, "--table chooses the table of a CSV, but this is a report in %s", format).WithFix("add --format csv")
	}
	if f.bomAsked && format != "csv" {
		return "", table, baton.Errorf(baton.Invalid, "--bom applies to CSV, but this is a report in %s", format).WithFix("add --format csv")
	}
	if f.rows < 0 {
		return "", table, baton.Errorf(baton.Invalid, "--rows is below 0")
	}
	var names []string
	for _, t := range report.Tables() {
		if names = append(names, t.Name); t.Name == f.table || f.table == "" && len(names) == 1 {
			return format, t, nil
		}
	}
	return "", table, baton.Errorf(baton.Invalid, "--table: there is no table %q", f.table).WithFix("use %s", english.Or(names))
}

// report writes a report of one sync.
func (r *run) report(ctx context.Context, files []string, flags reportFlags) (err error) {
	if len(files) > 2 {
		return baton.Errorf(baton.Invalid, "report takes one file, or two to compare").WithFix("name the older file first")
	}
	if len(files) > 0 && r.Typed("file") {
		return baton.Errorf(baton.Invalid, "the file is named twice, by --file and by %q", files[len(files)-1]).WithFix("leave --file out")
	}
	format, table, err := flags.form()
	if err != nil {
		return err
	}
	if format == "html" && flags.out == "" && isTerminal(r.stdout) {
		return baton.Errorf(baton.Invalid, "the report is HTML, which a terminal cannot show").WithFix("add --out report.html, or --format csv")
	}
	if len(files) == 0 {
		files = []string{r.Values.String("file")}
	}
	o := report.Options{Program: r.program.Name + " " + r.program.version(), Rows: flags.rows}
	if flags.rows == 0 {
		o.Rows = -1
	}
	if o.Connector, err = r.offline(); err != nil {
		return err
	}
	close, err := r.openReport(ctx, &o, files, flags)
	defer func() { err = errors.Join(err, close()) }()
	if err != nil {
		return err
	}
	write := func(w io.Writer) error {
		w = contextWriter{ctx, w}
		switch format {
		case "csv":
			if flags.bom {
				if _, err := io.WriteString(w, "\ufeff"); err != nil {
					return baton.Errorf(baton.Storage, "report: write: %w", err)
				}
			}
			return report.CSV(ctx, w, o, table)
		case "json":
			return report.JSON(ctx, w, o)
		case "jsonl":
			return report.JSONLines(ctx, w, o)
		}
		return report.HTML(ctx, w, o)
	}
	if flags.out == "" {
		err = write(r.stdout)
	} else {
		err = r.reportInto(flags.out, write)
	}
	if err != nil && ctx.Err() != nil {
		return stopped(ctx, "report", err)
	}
	return err
}

// offline returns the connector with its settings and without its upstream.
func (r *run) offline() (*baton.Connector, error) {
	if r.program.Offline == nil {
		return r.program.Describe(), nil
	}
	return r.program.Offline(r.Values)
}

// openReport opens the files and chooses the syncs.
func (r *run) openReport(ctx context.Context, o *report.Options, files []string, flags reportFlags) (close func() error, err error) {
	var opened []*c1z.File
	close = func() error {
		var errs []error
		for _, f := range opened {
			errs = append(errs, f.Close())
		}
		return errors.Join(errs...)
	}
	open := func(path string) (*c1z.File, report.Source, error) {
		f, source, err := report.Open(ctx, path, r.Values.String("c1z-temp-dir"))
		if err == nil {
			opened = append(opened, f)
		}
		return f, source, err
	}
	path := files[len(files)-1]
	file, source, err := open(path)
	if err != nil {
		return close, err
	}
	o.AfterSource = source
	if o.After, err = syncIn(file, path, flags.sync); err != nil {
		return close, err
	}
	older, name := file, path
	if len(files) == 2 {
		name = files[0]
		if older, source, err = open(name); err != nil {
			return close, err
		}
	}
	if flags.before != "" || len(files) == 2 {
		o.Before, err = syncIn(older, name, flags.before)
	} else {
		o.Before = o.After.Previous()
	}
	if o.Before != nil {
		o.BeforeSource = source
		if o.Before.Ended.After(o.After.Ended) {
			r.warn("the sync to compare with is the newer one: created rows are reported as removed")
		}
	}
	return close, err
}

// syncIn returns the finished sync with an id, or the latest one if the id is empty.
func syncIn(f *c1z.File, path, id string) (*c1z.Sync, error) {
	if id == "" {
		return f.Latest()
	}
	var ids []string
	for _, s := range f.Syncs() {
		if s.ID == id && s.Finished() {
			return s, nil
		}
		if s.Finished() {
			ids = append(ids, s.ID)
		}
	}
	return nil, baton.Errorf(baton.NotFound, "there is no finished sync %q in %s", id, path).WithFix("it has %s", english.And(ids))
}

// contextWriter stops writing when the context ends.
type contextWriter struct {
	ctx context.Context
	to  io.Writer
}

func (w contextWriter) Write(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	return w.to.Write(p)
}

// reportInto replaces the file at path in one step.
func (r *run) reportInto(path string, write func(io.Writer) error) error {
	if err := overwritable(path); err != nil {
		return err
	}
	n, err := disk.Replace(disk.OS{}, path, write)
	if err != nil {
		return err
	}
	r.line("wrote %s (%s)", path, size(n))
	return nil
}

// overwritable refuses a path of a c1z file or of something that is not a regular file.
func overwritable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return baton.Errorf(baton.Storage, "report: %w", err)
	case !info.Mode().IsRegular():
		return baton.Errorf(baton.Invalid, "--out: %s is not a regular file", path).WithFix("name another file")
	}
	f, err := os.Open(path)
	if err != nil {
		return baton.Errorf(baton.Storage, "report: %w", err)
	}
	defer f.Close()
	head := make([]byte, 3)
	if n, _ := io.ReadFull(f, head); string(head[:n]) == "C1Z" {
		return baton.Errorf(baton.Refused, "--out: %s is a c1z file, and a report would replace it", path).WithFix("name another file")
	}
	return nil
}
