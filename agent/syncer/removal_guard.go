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
	"baton/internal/english"
)

// Defaults of Config.MaxRemovals and Config.RemovalsFrom. Below 100 rows, a few people are
// a large share.
const (
	defaultMaxRemovals  = 20
	defaultRemovalsFrom = 100
)

// Held reports a sync that was read completely and is not sealed: it removes more of the
// previous sync than is configured, or the previous sync is lost, so that it is unknown what
// it removes. Nothing was written.
type Held struct {
	Reasons  []string // sentences
	Override Override // allows this sync; see [Config.Overrides]
	Compared Comparison
}

func (h *Held) Error() string { return "this sync is held: " + strings.Join(h.Reasons, " ") }

// Comparison identifies what the removal guard compared a sync with.
type Comparison int

// The comparisons. Only ComparedRows notices rows that were replaced by as many others.
const (
	NotCompared      Comparison = iota // with nothing: no previous sync is known or wanted
	ComparedRows                       // with the rows of the previous sync
	ComparedCounts                     // with the counts of Config.LastUpload
	ComparedOverride                   // with the counts of the sync that an override was made for
)

// Upload describes the last uploaded sync. The next sync is compared with it if the uploaded
// file is lost.
type Upload struct {
	SyncID string       `json:"sync_id"` // "" if the record of the upload cannot be read
	Ended  time.Time    `json:"ended"`   // of the sync
	Origin string       `json:"origin"`  // of the connector
	Rows   []RowCount   `json:"rows"`
	Floors []FloorCount `json:"floors,omitempty"`
}

// RowCount is the number of rows of a resource type.
type RowCount struct {
	Type         string `json:"type"`
	Resources    int    `json:"resources"`
	Entitlements int    `json:"entitlements"`
	Grants       int    `json:"grants"`
}

// FloorCount is the count of a floor.
type FloorCount struct {
	Noun  string `json:"what"`
	Count int    `json:"count"`
}

// Upload describes the sync as the last upload.
func (r Result) Upload(origin string) Upload {
	u := Upload{SyncID: r.SyncID, Ended: r.Ended, Origin: origin, Floors: floorCounts(r.Notes)}
	for _, c := range r.Counts {
		u.Rows = append(u.Rows, RowCount(c))
	}
	return u
}

// subject identifies what is counted: the rows of a table and resource type, or a floor.
type subject struct {
	table writer.Table
	name  string // of the resource type or floor
}

// floorTable is the table of floors, which no file has.
const floorTable = writer.Table(0xff)

// previousSync is the subject if nothing of the previous sync can be read.
var previousSync = subject{writer.Table(0xfe), "previous sync"}

// shortfall is one reason to hold a sync.
type shortfall struct {
	subject
	now, before int      // rows of the previous sync, and how many of these are left
	sample      []string // ids of missing rows, where rows were compared
	reason      string
}

// checkRemovals holds a sync that removes too much. It returns the subjects whose shortfall
// an override allows.
func (s *sealing) checkRemovals(notes []baton.Note, excluded []Exclusion) (allowed map[subject]bool, err error) {
	cfg := s.run.cfg
	if cfg.AllowRemovals || s.run.syncType() != c1z.Full {
		return nil, nil
	}
	s.countRows(notes)
	previous, short, err := s.compare(notes)
	switch {
	case err != nil:
		return nil, err
	case len(short) == 0 && s.compared == ComparedOverride:
		return s.everything(), nil
	case len(short) == 0:
		return nil, nil
	}
	for _, o := range cfg.Overrides {
		if !o.allows(previous, short, s.totals, s.maxRemovals()) {
			continue
		}
		allowed = map[subject]bool{}
		for _, f := range short {
			cfg.Log.Warn("an override allows this sync", "reason", f.reason)
			allowed[f.subject] = true
		}
		if allowed[previousSync] {
			allowed = s.everything()
		}
		return allowed, nil
	}
	s.run.void = true
	held := &Held{Compared: s.compared, Override: newOverride(previous, short, s.totals)}
	for _, f := range short {
		held.Reasons = append(held.Reasons, f.reason)
	}
	if left := leftOut(excluded); left != "" {
		held.Reasons = append(held.Reasons, left)
	}
	if last := cfg.LastUpload; last != nil && last.Origin != "" && last.Origin != cfg.Connector.Origin {
		held.Reasons = append(held.Reasons, fmt.Sprintf("The last upload was of %s; this sync is of %s.", last.Origin, cfg.Connector.Origin))
	}
	note := ""
	if len(cfg.Overrides) > 0 {
		note = "The given override is for another sync, or was used already. "
	}
	return nil, baton.Errorf(baton.Refused, "%w", held).
		WithFix("%sCheck the upstream and the credential; nothing was written or uploaded. If all of this is really gone, allow this one sync with --allow-held %s (in the environment BATON_ALLOW_HELD).", note, held.Override)
}

// compare lists the shortfalls against the previous sync. previous is the id of that sync,
// "" if it is unknown.
func (s *sealing) compare(notes []baton.Note) (previous string, short []shortfall, err error) {
	file, last := s.out.Previous(), s.run.cfg.LastUpload
	switch {
	case file.ID != "" && (last == nil || file.ID == last.SyncID || !file.Ended.Before(last.Ended)):
		s.compared = ComparedRows
		if short, err = s.missingRows(); err != nil {
			return "", nil, err
		}
		under, err := s.belowFloor(notes, s.previousFloors)
		return file.ID, append(short, under...), err
	case last != nil && last.SyncID != "":
		s.compared = ComparedCounts
		short, err := s.belowFloor(notes, func() ([]FloorCount, error) { return last.Floors, nil })
		short = append(s.fewerRows(last.Rows), short...)
		if n := len(short); n > 0 {
			short[n-1].reason += " The uploaded file is missing or cannot be read, so it is unknown which rows are gone."
		}
		return last.SyncID, short, err
	case last != nil || s.run.previousLost:
		return "", []shortfall{{subject: previousSync,
			reason: "A previous sync was uploaded, but neither its file nor its row counts can be read, so this sync cannot be checked for missing rows."}}, nil
	}
	short, err = s.fewerThanHeld(notes)
	return "", short, err
}

// missingRows lists the tables and resource types that lost more rows than allowed.
func (s *sealing) missingRows() (short []shortfall, err error) {
	losses, err := s.out.Losses()
	if err != nil {
		return nil, err
	}
	for _, l := range losses {
		of := subject{l.Table, l.Type}
		if !s.covers(l.Type) || l.Table == writer.Grants && s.run.cfg.SkipGrants || s.bearable(l.Gone, l.Before) {
			continue
		}
		example := ""
		if len(l.Sample) > 0 {
			example = fmt.Sprintf(", for example %q", l.Sample[0])
		}
		f := shortfall{subject: of, now: l.Before - l.Gone, before: l.Before, sample: l.Sample}
		switch {
		case l.Gone < l.Before:
			f.reason = fmt.Sprintf("Of %s in the previous sync, %d are missing from this one (%d %%, more than %d %%)%s.",
				of.number(l.Before), l.Gone, l.Gone*100/l.Before, s.maxRemovals(), example)
		case s.totals[of] == 0:
			f.reason = fmt.Sprintf("The previous sync had %s%s; this one has none.", of.number(l.Before), example)
		default:
			f.reason = fmt.Sprintf("The previous sync had %s%s; this one has none of them.", of.number(l.Before), example)
		}
		short = append(short, f)
	}
	return short, nil
}

// bearable reports whether so many rows may be missing.
func (s *sealing) bearable(gone, before int) bool {
	if gone == 0 {
		return true
	}
	return gone < before && (before < cmp.Or(s.run.cfg.RemovalsFrom, defaultRemovalsFrom) || gone*100 <= before*s.maxRemovals())
}

func (s *sealing) maxRemovals() int { return cmp.Or(s.run.cfg.MaxRemovals, defaultMaxRemovals) }

// fewerRows lists the tables and resource types that have fewer rows than before. Counts do
// not show which rows are gone, so no share is allowed.
func (s *sealing) fewerRows(before []RowCount) (short []shortfall) {
	for _, c := range before {
		for _, of := range rowsOf(c) {
			now, known := s.totals[of.subject]
			if known && now < of.n {
				short = append(short, shortfall{subject: of.subject, now: now, before: of.n,
					reason: fmt.Sprintf("The last upload had %s; this sync has %s.", of.number(of.n), none(now))})
			}
		}
	}
	return short
}

// fewerThanHeld lists the shortfalls against the sync that an override was made for. If no
// previous sync is known, the override is the only evidence of one.
func (s *sealing) fewerThanHeld(notes []baton.Note) (short []shortfall, err error) {
	for _, o := range s.run.cfg.Overrides {
		held, ok := o.totalsOf(s.totals)
		if !ok {
			continue // it was made for a sync of other resource types
		}
		s.compared = ComparedOverride
		fewer, err := s.belowFloor(notes, func() ([]FloorCount, error) { return floorsIn(held), nil })
		if err != nil {
			return nil, err
		}
		for _, of := range sortedSubjects(held) {
			if before, now := held[of], s.totals[of]; of.table != floorTable && !bearableSince(before-now, before, s.maxRemovals()) {
				fewer = append(fewer, shortfall{subject: of, now: now, before: before,
					reason: fmt.Sprintf("No previous sync is known here. The sync that the override was made for had %s; this one has %s.", of.number(before), none(now))})
			}
		}
		if len(fewer) == 0 {
			return nil, nil
		}
		if short == nil {
			short = fewer
		}
	}
	return short, nil
}

// belowFloor lists the floors that this sync is below, and for which the previous sync had
// more.
func (s *sealing) belowFloor(notes []baton.Note, counts func() ([]FloorCount, error)) (short []shortfall, err error) {
	var then map[string]int
	for _, n := range notes {
		for _, f := range n.Floors {
			if f.Count >= f.Least {
				continue
			}
			if then == nil {
				list, err := counts()
				if err != nil {
					return nil, err
				}
				then = map[string]int{}
				for _, c := range list {
					then[c.Noun] = c.Count
				}
			}
			if before := then[f.Noun]; before > f.Count {
				short = append(short, shortfall{subject: subject{floorTable, f.Noun}, now: f.Count, before: before,
					reason: fmt.Sprintf("This sync has %d %s, fewer than %d; the previous sync had %d.", f.Count, f.Noun, f.Least, before)})
				break // further floors of a note count the same less strictly, so one is enough
			}
		}
	}
	return short, nil
}

// previousFloors returns the counts of the review for the previous sync.
func (s *sealing) previousFloors() (counts []FloorCount, err error) {
	cfg := s.run.cfg
	ctx := context.Background()
	f, err := c1z.Opener{Disk: cfg.Disk, TempDir: s.run.log.Dir()}.Open(ctx, cmp.Or(cfg.Previous, cfg.Path))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	before, err := f.Sync(s.out.Previous().ID)
	if err != nil {
		return nil, err
	}
	notes, err := cfg.Connector.Review(before.Facts(ctx))
	if err != nil {
		return nil, err
	}
	return floorCounts(notes), nil
}

func floorCounts(notes []baton.Note) (counts []FloorCount) {
	for _, n := range notes {
		for _, f := range n.Floors {
			counts = append(counts, FloorCount{f.Noun, f.Count})
		}
	}
	return counts
}

func floorsIn(totals map[subject]int) (counts []FloorCount) {
	for of, n := range totals {
		if of.table == floorTable {
			counts = append(counts, FloorCount{of.name, n})
		}
	}
	return counts
}

// countRows fills totals with the rows of this sync and its floors.
func (s *sealing) countRows(notes []baton.Note) {
	s.totals = map[subject]int{}
	for _, c := range s.counts {
		for _, of := range rowsOf(RowCount(*c)) {
			if of.table != writer.Grants || !s.run.cfg.SkipGrants {
				s.totals[of.subject] = of.n
			}
		}
	}
	for _, f := range floorCounts(notes) {
		s.totals[subject{floorTable, f.Noun}] = f.Count
	}
}

// everything returns all subjects of this sync.
func (s *sealing) everything() map[subject]bool {
	all := map[subject]bool{}
	for of := range s.totals {
		all[of] = true
	}
	return all
}

func sortedSubjects(totals map[subject]int) []subject {
	return slices.SortedFunc(maps.Keys(totals), func(a, b subject) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.name, b.name))
	})
}

// counted is a subject and its number of rows.
type counted struct {
	subject
	n int
}

func rowsOf(c RowCount) []counted {
	return []counted{{subject{writer.Resources, c.Type}, c.Resources}, {subject{writer.Entitlements, c.Type}, c.Entitlements}, {subject{writer.Grants, c.Type}, c.Grants}}
}

// number formats n of the subject: "1 group", "160 grants on groups".
func (of subject) number(n int) string {
	switch {
	case of.table == floorTable:
		return english.Number(n) + " " + of.name
	case of.table != writer.Resources:
		return english.Count(n, of.table.String()) + " on " + english.Plural(of.name)
	}
	return english.Count(n, of.name)
}

func none(n int) string {
	if n == 0 {
		return "none"
	}
	return english.Number(n)
}
