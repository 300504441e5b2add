package syncer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"baton"
	"baton/c1z"
)

// sealFor bounds writing the file. It is counted from the last page and not from
// the caller's deadline: once everything is read, giving up saves nothing.
const sealFor = time.Hour

// Reasons for which the seal leaves a grant out.
const (
	unknownHolder      = "grant to an account that the upstream does not list"
	unknownEntitlement = "grant of something that the upstream does not list"
)

// sealing is the passage from the page log to the file.
type sealing struct {
	run          *run
	out          *c1z.Writer
	known        map[baton.ResourceID]struct{}
	entitlements map[string]struct{}
	counts       map[string]*c1z.Count
	excluded     map[string]Exclusion
}

// seal writes the committed pages into the file, if they add up.
func (r *run) seal(ctx context.Context) (res Result, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sealFor)
	defer cancel()
	out, err := c1z.Create(r.cfg.Path, c1z.Options{
		Disk: r.cfg.Disk, TempDir: r.log.Dir(), KeepSyncs: r.cfg.KeepSyncs,
		SyncID: r.head.SyncID, SyncType: r.syncType(), Started: r.head.Started,
	})
	if err != nil {
		return res, err
	}
	defer func() {
		if err != nil {
			err = first(err, out.Abort())
		}
	}()
	s := &sealing{run: r, out: out, entitlements: map[string]struct{}{}, counts: map[string]*c1z.Count{}}
	if err := s.write(); err != nil {
		return res, err
	}
	if err := s.addsUp(); err != nil {
		return res, err
	}
	if err := s.brake(); err != nil {
		return res, err
	}
	res = s.result()
	if r.cfg.Connector.Review != nil && r.coversAll() {
		if res.Notes, err = r.cfg.Connector.Review(out); err != nil {
			return res, err
		}
	}
	res.Ended = time.Now().UTC()
	sealed, err := out.Seal(ctx, res.Ended)
	if err != nil {
		return res, err
	}
	res.Changes, res.Size = sealed.Changes, sealed.Size
	return res, nil
}

// coversAll reports whether the sync has all that a review could ask for.
func (r *run) coversAll() bool {
	return r.syncType() == c1z.Full && len(r.cfg.Types) == 0 && !r.cfg.SkipGrants
}

// syncType is how readers are told what the sync covers. A sync by resource type is
// a full one to them, as the official programs have it.
func (r *run) syncType() string {
	switch {
	case len(r.cfg.Resources) > 0:
		return c1z.Partial
	case r.cfg.SkipEntitlementsAndGrants:
		return c1z.ResourcesOnly
	}
	return c1z.Full
}

// write adds the rows in two passes: a grant can be judged only when everything
// that it may point at is known.
func (s *sealing) write() error {
	s.known = s.run.feeds[0].seen
	for _, f := range s.run.feeds[1:] {
		s.known = union(s.known, f.seen)
	}
	for _, t := range s.run.cfg.Connector.ResourceTypes {
		if !s.covers(t.ID) {
			continue
		}
		s.counts[t.ID] = &c1z.Count{Type: t.ID}
		row, err := c1z.ResourceTypeRow(t)
		if err != nil {
			return err
		}
		if _, err := s.out.Add(row); err != nil {
			return err
		}
	}
	for _, step := range []func() error{
		func() error { return s.pass(s.addObject) },
		func() error { return s.pass(s.addGrant) },
		s.rank,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// rank keeps the highest of grants that exclude each other.
func (s *sealing) rank() error {
	for _, t := range s.run.cfg.Connector.ResourceTypes {
		c := s.counts[t.ID]
		if len(t.Ranks) < 2 || c == nil || c.Grants == 0 {
			continue
		}
		dropped, err := s.out.KeepHighest(t.ID, t.Ranks)
		if err != nil {
			return err
		}
		c.Grants -= dropped
		if dropped > 0 {
			reason := fmt.Sprintf("grant on a %s that a higher one of the same account replaces", t.ID)
			s.excluded = merge(s.excluded, map[string]Exclusion{reason: {Reason: reason, Count: dropped}})
		}
	}
	return nil
}

func union(a, b map[baton.ResourceID]struct{}) map[baton.ResourceID]struct{} {
	if len(a) < len(b) {
		a, b = b, a
	}
	maps.Copy(a, b)
	return a
}

func (s *sealing) pass(add func(c1z.Row) error) error {
	for _, f := range s.run.feeds {
		err := f.log.Replay(func(record []byte) error {
			row, err := c1z.ParseRow(record)
			if err != nil {
				return err
			}
			return add(row)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sealing) addObject(row c1z.Row) error {
	if row.Table == c1z.Grants {
		return nil
	}
	added, err := s.out.Add(row)
	if err != nil {
		return err
	}
	switch {
	case row.Table == c1z.Entitlements:
		s.entitlements[row.ID()] = struct{}{}
		s.count(row.ResourceID().Type, added, func(c *c1z.Count) *int { return &c.Entitlements })
	case row.Table == c1z.Resources:
		s.count(row.ResourceID().Type, added, func(c *c1z.Count) *int { return &c.Resources })
	}
	return nil
}

func (s *sealing) addGrant(row c1z.Row) error {
	if row.Table != c1z.Grants {
		return nil
	}
	// What the sync was not to cover cannot be checked, and is not left out for it.
	if _, ok := s.known[row.Principal()]; !ok && s.covers(row.Principal().Type) && !s.targeted() {
		s.exclude(unknownHolder, row.ID())
		return nil
	}
	if _, ok := s.entitlements[row.EntitlementID()]; !ok {
		s.exclude(unknownEntitlement, row.ID())
		return nil
	}
	added, err := s.out.Add(row)
	s.count(row.ResourceID().Type, added, func(c *c1z.Count) *int { return &c.Grants })
	return err
}

func (s *sealing) targeted() bool { return len(s.run.cfg.Resources) > 0 }

func (s *sealing) covers(resourceType string) bool {
	types := s.run.cfg.Types
	return len(types) == 0 || slices.Contains(types, resourceType)
}

func (s *sealing) count(resourceType string, added bool, field func(*c1z.Count) *int) {
	if c := s.counts[resourceType]; c != nil && added {
		*field(c)++
	}
}

func (s *sealing) exclude(reason, example string) {
	s.excluded = merge(s.excluded, map[string]Exclusion{reason: {Reason: reason, Count: 1, Example: example}})
}

// addsUp refuses to seal what looks like a failed read. What it refuses is read anew
// by the next run.
func (s *sealing) addsUp() error {
	for _, f := range s.run.feeds {
		if !f.state.Done {
			return baton.Errorf(baton.Internal, "feed %s is not done and must not be sealed", f.feed.Name)
		}
	}
	if s.run.cfg.AllowEmpty || s.targeted() {
		return nil
	}
	for _, t := range s.run.cfg.Connector.ResourceTypes {
		if missing := s.missing(t); missing != "" {
			s.run.void = true
			return baton.Errorf(baton.Incomplete, "the upstream shows %s at all, which is taken for a failed read", missing).
				WithFix("Check that the credential belongs to the right tenant and may read everything; if there really are none, run again with --allow-empty.")
		}
	}
	return nil
}

// missing says what a sync of the type should have and has not.
func (s *sealing) missing(t baton.ResourceType) string {
	c, cfg := s.counts[t.ID], s.run.cfg
	switch {
	case c == nil:
		return ""
	case c.Resources == 0:
		return fmt.Sprintf("no resource of type %q", t.ID)
	case c.Entitlements > 0 && c.Grants == 0 && !cfg.SkipGrants:
		return fmt.Sprintf("no grant on any of %d resources of type %q", c.Resources, t.ID)
	}
	return ""
}

// Removals are looked at from this many rows on: in a small tenant a few people are
// a large share.
const (
	defaultMaxRemovals = 20
	fromRows           = 100
)

// brake holds a sync that would show much of a resource type gone since the sync
// before: it looks the same whether people left or a read failed.
func (s *sealing) brake() error {
	cfg := s.run.cfg
	if cfg.AllowRemovals || s.run.syncType() != c1z.Full {
		return nil
	}
	losses, err := s.out.Losses()
	if err != nil {
		return err
	}
	limit := cmp.Or(cfg.MaxRemovals, defaultMaxRemovals)
	for _, l := range losses {
		if !s.covers(l.Type) || l.Table == c1z.Grants && cfg.SkipGrants {
			continue
		}
		if l.Gone < l.Before && (l.Before < fromRows || l.Gone*100 <= l.Before*limit) {
			continue
		}
		s.run.void = true
		return baton.Errorf(baton.Refused, "this sync is held: of %d %ss on %q in the sync before, %d are gone (%d %%, more than %d %%)",
			l.Before, l.Table, l.Type, l.Gone, l.Gone*100/l.Before, limit).
			WithFix("Check the upstream and the credential; the file is as it was. If so much really is gone, run again with --allow-removals.")
	}
	return nil
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
