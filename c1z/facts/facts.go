// Package facts prints the content of a sync as comparable lines: two programs that read the same
// sync print the same bytes, whatever the container and the encoding of the rows.
//
//	sync id, type, "finished" or "unfinished"
//	entitlement id, resource, name, slug, purpose, grantable types
//	grant id, entitlement, resource, principal, annotations, sources
//	resource id, name, parent, annotations
//	type id, name, traits
//
// The first line is the sync's, and the others are sorted by their bytes. Fields are separated by
// tabs. Resources are written "type/id". Lists are sorted and joined by commas. A field with a tab,
// a newline, a NUL, a byte 1 or a backslash is quoted like a Go string, without the quotes.
package facts

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"baton"
	"baton/c1z"
	"baton/internal/extsort"
)

// Rows are the rows of a sync. A [c1z.Sync] implements it, and so can a reader of another storage
// engine.
type Rows interface {
	ResourceTypes(context.Context) iter.Seq2[baton.ResourceType, error]
	Resources(context.Context) iter.Seq2[c1z.Resource, error]
	Entitlements(context.Context) iter.Seq2[c1z.Entitlement, error]
	Grants(context.Context) iter.Seq2[c1z.Grant, error]
}

// sortMemory limits the memory for sorting, in bytes. The rest goes to a scratch file.
const sortMemory = 8 << 20

// WriteFile writes the facts of one sync of a file: the finished one of any type that ended last or,
// if there is none, the unfinished one that began last. dir is for scratch files; empty is the
// system's. The error is NotFound if the file has no sync.
func WriteFile(ctx context.Context, w io.Writer, f *c1z.File, dir string) error {
	syncs := f.Syncs()
	if len(syncs) == 0 {
		return baton.Errorf(baton.NotFound, "facts: the file holds no sync").WithFix("Sync first.")
	}
	s := slices.MaxFunc(syncs, func(a, b *c1z.Sync) int {
		switch {
		case a.Finished() != b.Finished():
			if a.Finished() {
				return +1
			}
			return -1
		case !a.Ended.Equal(b.Ended):
			return a.Ended.Compare(b.Ended)
		case !a.Finished() && !a.Started.Equal(b.Started):
			return a.Started.Compare(b.Started)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return Write(ctx, w, s.SyncInfo, s, dir)
}

// Write writes the facts of a sync.
func Write(ctx context.Context, w io.Writer, info c1z.SyncInfo, rows Rows, dir string) (err error) {
	pool := extsort.NewPool(nil, dir, sortMemory)
	defer func() {
		if e := pool.Close(); err == nil {
			err = e
		}
	}()
	l := &lines{sorter: pool.Sorter()}
	if err := l.addAll(ctx, rows); err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	state := "unfinished"
	if info.Finished() {
		state = "finished"
	}
	if _, err := fmt.Fprintf(out, "sync\t%s\t%s\t%s\n", quote(info.ID), quote(info.Type), state); err != nil {
		return err
	}
	if err := l.write(ctx, out); err != nil {
		return err
	}
	return out.Flush()
}

// lines sorts lines. A zero byte, which no line contains, ends each line during the sort.
type lines struct {
	sorter *extsort.Sorter
	buf    []byte
}

func (l *lines) add(fields ...string) error {
	l.buf = l.buf[:0]
	for i, f := range fields {
		if i > 0 {
			l.buf = append(l.buf, '\t')
		}
		l.buf = append(l.buf, quote(f)...)
	}
	return l.sorter.Add(append(l.buf, 0))
}

func (l *lines) addAll(ctx context.Context, rows Rows) error {
	for t, err := range rows.ResourceTypes(ctx) {
		if err == nil {
			var traits []string
			for _, trait := range t.Traits {
				traits = append(traits, traitName(trait))
			}
			err = l.add("type", t.ID, t.DisplayName, list(traits))
		}
		if err != nil {
			return err
		}
	}
	for r, err := range rows.Resources(ctx) {
		if err == nil {
			err = l.add("resource", name(r.ID), r.DisplayName, name(r.Parent), list(r.Annotations))
		}
		if err != nil {
			return err
		}
	}
	for e, err := range rows.Entitlements(ctx) {
		if err == nil {
			err = l.add("entitlement", e.ID, name(e.Resource), e.DisplayName, e.Slug, purposeName(e.Purpose), list(e.GrantableTo))
		}
		if err != nil {
			return err
		}
	}
	for g, err := range rows.Grants(ctx) {
		if err == nil {
			err = l.add("grant", g.ID, g.Entitlement, name(g.Resource), name(g.Principal), list(g.Annotations), list(g.Sources))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lines) write(ctx context.Context, out *bufio.Writer) error {
	m, err := l.sorter.Merge()
	if err != nil {
		return err
	}
	for {
		line, _, err := m.Next()
		if err == io.EOF {
			return ctx.Err()
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if _, err := out.Write(line[:len(line)-1]); err != nil {
			return err
		}
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
	}
}

func quote(field string) string {
	if !strings.ContainsAny(field, "\t\n\x00\x01\\") {
		return field
	}
	quoted := strconv.Quote(field)
	return quoted[1 : len(quoted)-1]
}

// name formats a resource as "type/id", or "" if there is none.
func name(id baton.ResourceID) string {
	if id == (baton.ResourceID{}) {
		return ""
	}
	return id.Type + "/" + id.ID
}

func list(items []string) string {
	if len(items) > 1 {
		items = slices.Sorted(slices.Values(items))
	}
	return strings.Join(items, ",")
}

// traitNames holds the traits of the protocol, by number.
var traitNames = [...]string{1: "USER", "GROUP", "ROLE", "APP", "SECRET", "SECURITY_INSIGHT", "SCOPE_BINDING", "VENDOR",
	"VENDOR_AGREEMENT", "LICENSE_PROFILE", "AGENT", "MANAGED_DEVICE"}

func traitName(t baton.Trait) string {
	if t > 0 && int(t) < len(traitNames) {
		return traitNames[t]
	}
	return strconv.Itoa(int(t))
}

// purposeNames holds the purposes of the protocol, by number.
var purposeNames = [...]string{"", "ASSIGNMENT", "PERMISSION", "OWNERSHIP"}

func purposeName(p baton.Purpose) string {
	if p >= 0 && int(p) < len(purposeNames) {
		return purposeNames[p]
	}
	return strconv.Itoa(int(p))
}
