package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/c1z/facts"
	"baton/console"
	"baton/console/installation"
	"baton/console/store"
	"baton/console/syncfile"
)

// namesSync reports whether an argument of diff is the ID of a sync rather than a file.
func namesSync(arg string) bool {
	if _, err := os.Stat(arg); err == nil {
		return false
	}
	_, err := strconv.ParseInt(arg, 10, 64)
	return err == nil || console.ID(arg).Valid()
}

// diffSyncs prints the differences of two syncs in the store, with their causes.
func (r *run) diffSyncs(ctx context.Context, a, b string) error {
	return r.withInstallation(ctx, func(in *installation.Installation) error {
		d := difference{run: r, in: in, out: bufio.NewWriterSize(r.stdout, 1<<16)}
		err := in.Store.View(ctx, func(t *store.Tx) (err error) {
			if d.a, err = findSync(t, a); err != nil {
				return err
			}
			if d.b, err = findSync(t, b); err != nil {
				return err
			}
			d.connector, err = t.Connector(d.b.Connector)
			return err
		})
		if err != nil {
			return err
		}
		if d.a.Stream != d.b.Stream {
			return baton.Errorf(baton.Invalid, "the syncs %s and %s are of different connectors", a, b).WithFix("Name two syncs of one connector; baton-console sync list shows them.")
		}
		whole, err := d.filesAreThere(ctx)
		if err == nil && whole {
			err = d.byFiles(ctx)
		} else if err == nil {
			err = d.byRows(ctx)
		}
		if err != nil {
			return err
		}
		return toStdout(d.out.Flush())
	})
}

func findSync(t *store.Tx, arg string) (s console.Sync, err error) {
	if n, e := strconv.ParseInt(arg, 10, 64); e == nil {
		s, err = t.SyncByNumber(console.SyncNumber(n))
	} else {
		s, err = t.Sync(console.ID(arg))
	}
	if baton.KindOf(err) == baton.NotFound {
		return s, baton.Errorf(baton.NotFound, "there is no sync and no file %q", arg).WithFix("baton-console sync list shows the syncs.")
	}
	return s, err
}

// difference compares two syncs of one connector.
type difference struct {
	run       *run
	in        *installation.Installation
	out       *bufio.Writer
	a, b      console.Sync
	connector console.Connector
}

// filesAreThere reports whether both syncs are full and their files are kept.
func (d *difference) filesAreThere(ctx context.Context) (there bool, err error) {
	err = d.in.Store.View(ctx, func(t *store.Tx) error {
		there = true
		for _, s := range []console.Sync{d.a, d.b} {
			if !s.Kind.Full() || s.File == "" {
				there = false
				continue
			}
			f, err := t.File(s.File)
			if err != nil {
				return err
			}
			there = there && f.Dropped.IsZero()
		}
		return nil
	})
	return there, err
}

// byFiles compares the facts of the two files.
func (d *difference) byFiles(ctx context.Context) error {
	return withScratch(func(dir string) error {
		var sides [2]*os.File
		for i, s := range []console.Sync{d.a, d.b} {
			f, err := os.Create(filepath.Join(dir, fmt.Sprint("facts-", i)))
			if err != nil {
				return baton.Errorf(baton.Storage, "make a temporary file: %w", err)
			}
			defer f.Close()
			if err := d.writeFacts(ctx, f, s, dir); err != nil {
				return err
			}
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return baton.Errorf(baton.Storage, "read a temporary file: %w", err)
			}
			sides[i] = f
		}
		return differences(sides[0], sides[1], func(sign byte, line string) error { return d.print(ctx, sign, line) })
	})
}

// writeFacts writes the facts of a sync's file.
func (d *difference) writeFacts(ctx context.Context, w *os.File, s console.Sync, dir string) error {
	content, _, err := d.in.Store.OpenFile(ctx, s.File)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, string(s.ID)+".c1z")
	f, err := os.Create(path)
	if err != nil {
		return baton.Errorf(baton.Storage, "make a temporary file: %w", err)
	}
	_, err = io.Copy(f, content)
	if e := f.Close(); err == nil && e != nil {
		err = baton.Errorf(baton.Storage, "write a temporary file: %w", e)
	}
	if err != nil {
		return err
	}
	file, err := syncfile.Open(ctx, path, "the file of sync "+string(s.ID), dir)
	if err != nil {
		return err
	}
	defer file.Close()
	from, err := file.Latest()
	if err != nil {
		return err
	}
	return facts.Write(ctx, w, from.SyncInfo, from.Rows, dir)
}

// byRows compares the stored grants, for syncs whose file is deleted or partial.
func (d *difference) byRows(ctx context.Context) error {
	if d.a.State != console.SyncApplied || d.b.State != console.SyncApplied {
		return baton.Errorf(baton.Refused, "the files of the syncs are not both kept, and sync %s is %s", d.b.ID, d.b.State).
			WithFix("Compare two applied syncs.")
	}
	d.run.warn("the files of the syncs are not both kept: only grants are compared")
	line := func(ctx context.Context, sign byte, s console.Sync, row store.FactRow) error {
		var text string
		err := d.in.Store.View(ctx, func(t *store.Tx) error {
			m := d.moment(s)
			e, err := t.Entitlement(m, row.Entitlement)
			if err != nil {
				return err
			}
			on, err := t.Resource(m, e.Resource)
			if err != nil {
				return err
			}
			p, err := t.Resource(m, row.Principal)
			if err != nil {
				return err
			}
			text = strings.Join([]string{"grant", e.ID + ":" + p.Type + ":" + p.ID, e.ID, on.Type + "/" + on.ID, p.Type + "/" + p.ID, "", ""}, "\t")
			return nil
		})
		if err != nil {
			return err
		}
		return d.print(ctx, sign, text)
	}
	for f, err := range d.in.Store.FactDifferences(ctx, d.b.Stream, min(d.a.Number, d.b.Number), max(d.a.Number, d.b.Number)) {
		if err != nil {
			return err
		}
		gained, lost := f.Change == store.Open, f.Change == store.Close
		if f.Change == store.Replace {
			continue // held in both syncs
		}
		later, earlier := d.b, d.a
		if d.a.Number > d.b.Number {
			gained, lost, later, earlier = lost, gained, d.a, d.b
		}
		if f.Change == store.Open {
			err = line(ctx, sign(gained), later, f.After)
		} else {
			err = line(ctx, sign(!lost), earlier, f.Before)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func sign(gained bool) byte {
	if gained {
		return '+'
	}
	return '-'
}

// moment returns what a sync showed; for a sync that is not applied, the current moment.
func (d *difference) moment(s console.Sync) store.Moment {
	return store.Moment{Streams: []store.StreamAt{{Stream: s.Stream, Connector: s.Connector, Sync: s.Number, Began: s.Began}}}
}

// print prints one line with its explanation.
func (d *difference) print(ctx context.Context, sign byte, line string) error {
	why := ""
	err := d.in.Store.View(ctx, func(t *store.Tx) (err error) {
		why, err = d.explain(t, sign, line)
		return err
	})
	if err != nil {
		return err
	}
	_, err = d.out.WriteString(string(sign) + "\t" + line + "\t" + why + "\n")
	return toStdout(err)
}

// The causes of lines that neither a person nor the console caused.
const (
	unexplained = "unexplained"
	noAccess    = "no access" // the application's own data, which gives nobody access
)

// explain returns the cause of a line of facts.
func (d *difference) explain(t *store.Tx, sign byte, line string) (string, error) {
	fields := strings.Split(line, "\t")
	for i := range fields {
		fields[i] = unquote(fields[i])
	}
	shown := d.a // the sync that has the line
	if sign == '+' {
		shown = d.b
	}
	m, err := d.shownAt(t, shown)
	if err != nil {
		return "", err
	}
	entitlement, id := console.AccountItself, ""
	switch fields[0] {
	case "grant":
		e, err := t.EntitlementByID(m, fields[2])
		if baton.KindOf(err) == baton.NotFound {
			return unexplained, nil
		}
		if err != nil {
			return "", err
		}
		entitlement, id = e.Key, fields[4]
	case "resource":
		id = fields[1]
	default:
		return noAccess, nil
	}
	kind, id, _ := strings.Cut(id, "/")
	account, err := t.ResourceByID(m, kind, id)
	if baton.KindOf(err) == baton.NotFound {
		if fields[0] == "resource" {
			return noAccess, nil
		}
		return unexplained, nil
	}
	if err != nil {
		return "", err
	}
	if fields[0] == "resource" && account.Account == nil {
		return noAccess, nil
	}
	return d.cause(t, sign, account.Key, entitlement)
}

// shownAt returns the moment at which the rows of a sync are found: its own, or that of the head for
// a sync that is not applied.
func (d *difference) shownAt(t *store.Tx, s console.Sync) (store.Moment, error) {
	if s.State == console.SyncApplied {
		return d.moment(s), nil
	}
	head, err := t.StreamAt(s.Stream, time.Time{})
	return store.Moment{Streams: []store.StreamAt{head}}, err
}

// cause returns why an account gained or lost an entitlement between the two syncs.
func (d *difference) cause(t *store.Tx, sign byte, account console.ResourceKey, e console.EntitlementKey) (string, error) {
	from, to := d.a, d.b
	if from.Began.After(to.Began) {
		from, to = to, from
	}
	c := console.AccessChange{Verb: console.Revoke, After: from.Began, Before: to.Received}
	if (sign == '+') == (to.ID == d.b.ID) {
		c.Verb = console.Grant
	}
	var err error
	if c.Operations, err = t.Operations(account, e); err != nil {
		return "", err
	}
	if c.Reasons, err = t.Reasons(d.connector.App, account, e); err != nil {
		return "", err
	}
	if c.Bar, err = t.Bar(account, e); err != nil {
		return "", err
	}
	if e != console.AccountItself && from.Number > 0 {
		first, err := t.FirstShown(e)
		if err != nil {
			return "", err
		}
		c.Baseline = first > from.Number
	}
	switch x := c.Explain(); x.Kind {
	case console.ByOperation:
		return "explained by operation " + string(x.Operation), nil
	case console.ByReason:
		i := slices.IndexFunc(c.Reasons, func(r console.Reason) bool { return r.ID == x.Reason })
		return fmt.Sprintf("explained by %s %s", c.Reasons[i].Kind, cmp.Or(c.Reasons[i].Ref, string(x.Reason))), nil
	case console.ByBaseline:
		return "explained by the first sync that shows the entitlement", nil
	}
	return unexplained, nil
}

// unquote reverses the quoting of a field of facts.
func unquote(field string) string {
	if !strings.Contains(field, `\`) {
		return field
	}
	if s, err := strconv.Unquote(`"` + field + `"`); err == nil {
		return s
	}
	return field
}
