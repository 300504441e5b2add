package syncer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/c1z"
)

// Shares are looked at from this many rows on: in a small tenant a few people are a
// large share.
const (
	defaultMaxRemovals  = 20
	defaultRemovalsFrom = 100
)

// Held is the error of a sync that was read well and is not sealed all the same, for
// it shows too much gone since the sync before: it looks the same whether people left
// or a read failed. Nothing was written.
type Held struct {
	Reasons []string
	// Pass, given to the next sync, lets it through if it shows the same gone.
	Pass Pass
}

func (h *Held) Error() string { return "this sync is held: " + strings.Join(h.Reasons, "; ") }

// what is something that can run short: the rows of a table and resource type, or,
// with no table, a floor.
type what struct {
	table c1z.Table
	name  string
}

func rowsOf(t c1z.Table, resourceType string) what { return what{t, resourceType} }

// floor is no table.
const floor = c1z.Table(0xff)

// shortfall is one reason to hold a sync.
type shortfall struct {
	what
	now, before int // of rows, before is how many there were, and now how many of these are left
	sample      []string
	reason      string
}

// brake holds a sync that shows too much gone. It returns what a pass let through.
func (s *sealing) brake(notes []baton.Note) (passed map[what]bool, err error) {
	cfg, before := s.run.cfg, s.out.Before()
	if cfg.AllowRemovals || s.run.syncType() != c1z.Full || before.ID == "" {
		return nil, nil
	}
	short, err := s.tooMuchGone()
	if err != nil {
		return nil, err
	}
	under, err := s.belowFloor(notes)
	if err != nil {
		return nil, err
	}
	short = append(short, under...)
	passed = map[what]bool{}
	for _, f := range short {
		passed[f.what] = cfg.Pass.covers(f, before.Ended, s.maxRemovals())
	}
	stays := slices.ContainsFunc(short, func(f shortfall) bool { return !passed[f.what] })
	if !stays {
		for _, f := range short {
			cfg.Log.Warn("let through as told", "reason", f.reason)
		}
		return passed, nil
	}
	s.run.void = true
	held := &Held{Pass: passFor(short, time.Now())}
	for _, f := range short {
		held.Reasons = append(held.Reasons, f.reason)
	}
	note := ""
	if !cfg.Pass.IsZero() {
		note = "The pass that was given is for something else, or was used. "
	}
	return nil, baton.Errorf(baton.Refused, "%w", held).
		WithFix("%sCheck the upstream and the credential; nothing was written or sent. If all this really is gone, let it through, once, with --allow-held %s (in the environment BATON_ALLOW_HELD).", note, held.Pass)
}

// tooMuchGone are the tables and resource types that lost more than they may.
func (s *sealing) tooMuchGone() (short []shortfall, err error) {
	losses, err := s.out.Losses()
	if err != nil {
		return nil, err
	}
	for _, l := range losses {
		if !s.covers(l.Type) || l.Table == c1z.Grants && s.run.cfg.SkipGrants || s.bearable(l.Gone, l.Before) {
			continue
		}
		f := shortfall{what: rowsOf(l.Table, l.Type), now: l.Before - l.Gone, before: l.Before, sample: l.Sample}
		f.reason = fmt.Sprintf("of %d %ss on %q in the sync before, %d are gone (%d %%, more than %d %%)",
			l.Before, l.Table, l.Type, l.Gone, l.Gone*100/l.Before, s.maxRemovals())
		if l.Gone == l.Before {
			f.reason = fmt.Sprintf("of %d %ss on %q in the sync before, none is left", l.Before, l.Table, l.Type)
		}
		if len(l.Sample) > 0 {
			f.reason += fmt.Sprintf(", such as %q", l.Sample[0])
		}
		short = append(short, f)
	}
	return short, nil
}

// bearable reports whether so much may be gone.
func (s *sealing) bearable(gone, before int) bool {
	if gone == 0 {
		return true
	}
	return gone < before && (before < cmp.Or(s.run.cfg.RemovalsFrom, defaultRemovalsFrom) || gone*100 <= before*s.maxRemovals())
}

func (s *sealing) maxRemovals() int { return cmp.Or(s.run.cfg.MaxRemovals, defaultMaxRemovals) }

// belowFloor are the floors that the review finds broken, and that the sync before had
// more for.
func (s *sealing) belowFloor(notes []baton.Note) (short []shortfall, err error) {
	var then map[string]int
	for _, n := range notes {
		for _, f := range n.Floors {
			if f.Count >= f.Least {
				continue
			}
			if then == nil {
				if then, err = s.floorsBefore(); err != nil {
					return nil, err
				}
			}
			if before := then[f.What]; before > f.Count {
				short = append(short, shortfall{what: what{floor, f.What}, now: f.Count, before: before,
					reason: fmt.Sprintf("there are %d %s, fewer than %d, and the sync before had %d", f.Count, f.What, f.Least, before)})
				break // the further ones of a note say the same less strictly
			}
		}
	}
	return short, nil
}

// floorsBefore are the counts that the review comes to on the sync before.
func (s *sealing) floorsBefore() (counts map[string]int, err error) {
	cfg := s.run.cfg
	f, err := c1z.OpenOn(cfg.Disk, cmp.Or(cfg.Previous, cfg.Path), s.run.log.Dir())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	before, err := f.At(s.out.Before().ID)
	if err != nil {
		return nil, err
	}
	notes, err := cfg.Connector.Review(before)
	if err != nil {
		return nil, err
	}
	counts = map[string]int{}
	for _, n := range notes {
		for _, f := range n.Floors {
			counts[f.What] = f.Count
		}
	}
	return counts, nil
}
