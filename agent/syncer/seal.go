package syncer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/c1z"
	"baton/c1z/writer"
)

// sealFor bounds the time to write the file. It starts at the last page and ignores the
// deadline of the caller, because giving up after everything is read saves nothing.
const sealFor = time.Hour

// Reasons for dropping a grant.
const (
	unknownHolder      = "grant to an account that the upstream does not list"
	unknownEntitlement = "grant of something that the upstream does not list"
)

// sealing writes the rows of the page log into the file.
type sealing struct {
	run      *run
	out      *writer.Writer
	counts   map[string]*c1z.Count
	excluded map[string]Exclusion
	totals   map[subject]int // rows and floors of this sync
	compared Comparison
	id       []byte // for reuse
}

// seal writes the committed pages into the file, if they pass the checks.
func (r *run) seal(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sealFor)
	defer cancel()
	res, err := r.sealOnce(ctx)
	if r.continueWithout(err) {
		if res, err = r.sealAgain(ctx); err == nil {
			return res, nil
		}
	}
	if errors.Is(err, errRenamed) {
		return r.sealAgain(ctx)
	}
	return res, err
}

// sealAgain seals after a failed attempt, which may have released the ids of resources.
func (r *run) sealAgain(ctx context.Context) (res Result, err error) {
	for _, f := range r.feeds {
		if err := f.recall(); err != nil {
			return res, err
		}
	}
	return r.sealOnce(ctx)
}

func (r *run) sealOnce(ctx context.Context) (res Result, err error) {
	opened := r.previous
	r.previous = nil
	out, err := writer.Create(r.cfg.Path, writer.Options{
		Disk: r.cfg.Disk, TempDir: r.log.Dir(), Previous: r.cfg.Previous, Opened: opened, KeepSyncs: r.cfg.KeepSyncs,
		SyncID: r.head.SyncID, SyncType: r.syncType(), Started: r.head.Started, Ranks: r.ranks(), Types: r.types(),
	})
	if err != nil {
		return res, err
	}
	defer func() {
		if err != nil {
			err = cmp.Or(err, out.Abort())
		}
	}()
	s := &sealing{run: r, out: out, counts: map[string]*c1z.Count{}}
	if err := s.write(ctx); err != nil {
		return res, err
	}
	res = s.result()
	if r.cfg.Connector.Review != nil && r.coversAll() {
		if res.Notes, err = r.cfg.Connector.Review(out); err != nil {
			return res, err
		}
	}
	allowed, err := s.checkRemovals(res.Notes, res.Excluded)
	if err != nil {
		return res, err
	}
	if err := s.addsUp(allowed, res.Excluded); err != nil {
		return res, err
	}
	res.Compared = s.compared
	res.Ended = time.Now().UTC()
	sealed, err := out.Seal(ctx, res.Ended)
	if err != nil {
		return res, err
	}
	res.Changes, res.Size = sealed.Changes, sealed.Size
	return res, nil
}

// coversAll reports whether the sync has everything that a review may need.
func (r *run) coversAll() bool {
	for _, t := range r.cfg.Connector.ResourceTypes {
		if len(r.cfg.Types) > 0 && !slices.Contains(r.cfg.Types, t.ID) {
			return false
		}
	}
	return r.syncType() == c1z.Full && !r.cfg.SkipGrants
}

// syncType returns the type of the sync for readers. As in the official programs, a sync of
// some resource types is a full one.
func (r *run) syncType() string {
	switch {
	case len(r.cfg.Resources) > 0:
		return c1z.Partial
	case r.cfg.SkipEntitlementsAndGrants:
		return c1z.ResourcesOnly
	}
	return c1z.Full
}

// types returns the resource types that the sync covers.
func (r *run) types() (ids []string) {
	for _, t := range r.cfg.Connector.ResourceTypes {
		if len(r.cfg.Types) == 0 || slices.Contains(r.cfg.Types, t.ID) {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// ranks returns the slugs that exclude each other, by resource type.
func (r *run) ranks() map[string][]string {
	ranks := map[string][]string{}
	for _, t := range r.cfg.Connector.ResourceTypes {
		if len(t.Ranks) > 1 {
			ranks[t.ID] = t.Ranks
		}
	}
	return ranks
}

// write adds the rows of the page log and sorts them.
func (s *sealing) write(ctx context.Context) error {
	for _, f := range s.run.feeds {
		if !f.state.Done {
			return baton.Errorf(baton.Internal, "feed %s is not done and must not be sealed", f.feed.Name)
		}
	}
	for _, t := range s.run.cfg.Connector.ResourceTypes {
		if !s.covers(t.ID) {
			continue
		}
		s.counts[t.ID] = &c1z.Count{Type: t.ID}
		row, err := writer.ResourceTypeRow(t)
		if err != nil {
			return err
		}
		if err := s.out.Add(row); err != nil {
			return err
		}
	}
	for _, f := range s.run.feeds {
		var rows writer.Decoder
		n := 0
		err := f.log.Replay(func(record []byte, at int64) error {
			row, err := rows.Row(record)
			if n++; err == nil && n%10_000 == 0 {
				err = s.checkPrincipals()
			}
			if err != nil {
				return err
			}
			if renamed, ok, err := s.run.rename(row); ok || err != nil {
				return cmp.Or(err, s.out.Add(renamed))
			}
			return s.out.AddFrom(row, writer.Place{In: f.log, At: at, Size: len(record)})
		})
		if err != nil {
			return err
		}
	}
	// Principals and entitlements that the sync does not cover are not checked.
	if !s.targeted() {
		if err := s.dropUnknown(); err != nil {
			return err
		}
	}
	for _, f := range s.run.feeds {
		f.seen.Clear() // not used any more
	}
	summary, err := s.out.Sort(ctx)
	if err != nil {
		return err
	}
	for name, c := range summary.Counts {
		if s.counts[name] != nil {
			s.counts[name] = c
		}
	}
	s.exclude(unknownHolder, summary.UnknownPrincipals, summary.UnknownExample)
	s.exclude(unknownEntitlement, summary.Dangling, summary.DanglingExample)
	for name, n := range summary.Superseded {
		s.exclude(fmt.Sprintf("grant on a %s that a higher one of the same account replaces", name), n, "")
	}
	return nil
}

// known reports whether the sync has the account, or does not cover accounts of its kind.
func (s *sealing) known(kind, id []byte) bool {
	s.id = appendID(s.id[:0], kind, id)
	for _, f := range s.run.feeds {
		if _, ok := f.seen.Find(s.id); ok {
			return true
		}
	}
	return !s.covers(string(kind))
}

func (s *sealing) targeted() bool { return len(s.run.cfg.Resources) > 0 }

func (s *sealing) covers(resourceType string) bool {
	types := s.run.cfg.Types
	return len(types) == 0 || slices.Contains(types, resourceType)
}

func (s *sealing) exclude(reason string, n int, example string) {
	if n > 0 {
		s.excluded = merge(s.excluded, map[string]Exclusion{reason: {Reason: reason, Count: n, Example: example}})
	}
}

// addsUp refuses to seal a sync that looks like a failed read, except for subjects that an
// override allows. The next run starts over.
func (s *sealing) addsUp(allowed map[subject]bool, excluded []Exclusion) error {
	if s.run.cfg.AllowEmpty || s.targeted() {
		return nil
	}
	for _, t := range s.run.cfg.Connector.ResourceTypes {
		if missing, of := s.missing(t); missing != "" && !allowed[of] {
			s.run.void = true
			e := baton.Errorf(baton.Incomplete, "the upstream shows %s at all, which is taken for a failed read", missing)
			if left := leftOut(excluded); left != "" {
				e.Err = fmt.Errorf("%w. %s", e.Err, left)
				return e.WithFix("Check why these rows were dropped. If that is right and there are no others, run again with --allow-empty.")
			}
			return e.WithFix("Check that the credential belongs to the right tenant and may read everything; if there really are none, run again with --allow-empty.")
		}
	}
	return nil
}

// maxLeftOut bounds the number of reasons for dropped rows in an error.
const maxLeftOut = 3

// leftOut lists the dropped rows and the reasons in a sentence, or returns "".
func leftOut(excluded []Exclusion) string {
	var parts []string
	for _, e := range excluded[:min(len(excluded), maxLeftOut)] {
		count := fmt.Sprint(e.Count)
		if e.Example != "" {
			count += ", such as " + e.Example
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", e.Reason, count))
	}
	if more := len(excluded) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("%d other reasons", more))
	}
	if len(parts) == 0 {
		return ""
	}
	return "Rows were dropped: " + strings.Join(parts, "; ") + "."
}

// missing describes the rows that a sync of the type must have and does not have, or
// returns "".
func (s *sealing) missing(t baton.ResourceType) (string, subject) {
	c, cfg := s.counts[t.ID], s.run.cfg
	switch {
	case c == nil:
	case c.Resources == 0:
		return fmt.Sprintf("no resource of type %q", t.ID), subject{writer.Resources, t.ID}
	case c.Entitlements > 0 && c.Grants == 0 && !cfg.SkipGrants:
		return fmt.Sprintf("no grant on any of %d resources of type %q", c.Resources, t.ID), subject{writer.Grants, t.ID}
	}
	return "", subject{}
}

func (s *sealing) result() Result {
	r := s.run
	res := Result{SyncID: r.head.SyncID, SyncType: r.syncType(), Resumed: r.resumed, Started: r.head.Started}
	excluded := s.excluded
	for _, f := range r.feeds {
		res.Pages += f.state.Pages
		excluded = merge(excluded, f.state.Excluded)
	}
	for _, t := range r.cfg.Connector.ResourceTypes {
		if c := s.counts[t.ID]; c != nil {
			res.Counts = append(res.Counts, *c)
		}
	}
	res.Excluded = slices.SortedFunc(maps.Values(excluded), func(a, b Exclusion) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return res
}
