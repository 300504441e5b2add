package evidence

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"baton"
	"baton/console"
)

// maxItems limits the items of a pack, and so the memory of a verification.
const maxItems = 2 * console.MaxReviewItems

// campaign reads what is said of the review as a whole.
func (v *verification) campaign() error {
	if err := v.document("campaign.json", &v.about); err != nil {
		return err
	}
	if v.about.ID != v.Manifest.Campaign || v.about.State != v.State || v.about.Settings.Name != v.Name {
		v.fault("campaign.json", "is of another review than the manifest")
	}
	v.bySync = map[string]int{}
	v.name(v.about.Owners...)
	v.name(v.about.Author.Person())
	if o := v.about.Override; o != nil {
		v.name(o.Person)
	}
	if err := rows(v, "sources.jsonl", func(s sourceRow) error {
		v.sources = append(v.sources, s)
		return nil
	}); err != nil {
		return err
	}
	return rows(v, "left-out.jsonl", func(l LeftOut) error {
		v.name(l.By)
		return nil
	})
}

func (v *verification) name(ids ...console.ID) {
	for _, id := range ids {
		if id != "" {
			v.named[id] = true
		}
	}
}

// population checks the items: their numbers, the hash of each, the digest of all, and how many came
// from each sync.
func (v *verification) population() error {
	all := sha256.New()
	for _, e := range v.opened.entries {
		member, ok := strings.CutSuffix(e.name, ".jsonl")
		if !ok || !strings.HasPrefix(member, "population/") {
			continue
		}
		if err := rows(v, e.name, func(i itemRow) error {
			if i.Item != len(v.shown)+1 || i.member() != member || i.Item > maxItems {
				return wrong("item %d is not in its place", i.Item)
			}
			if isErased := console.HashShown(i.Shown.Encode()) != i.Hash; isErased != i.Erased || isErased && !strings.Contains(string(i.Shown.Encode()), console.ErasedText) {
				return wrong("item %d does not have the hash of what was shown", i.Item)
			}
			if i.Erased {
				v.Erased++
			}
			all.Write(i.Hash[:])
			v.shown, v.subjects = append(v.shown, i.Hash), append(v.subjects, i.Person)
			v.bySync[fmt.Sprintf("%s %d", i.App, i.Sync)]++
			return nil
		}); err != nil {
			return err
		}
	}
	v.counts.Items = len(v.shown)
	if v.about.Items != len(v.shown) || len(v.shown) > 0 && v.about.Digest != console.Hash(all.Sum(nil)) {
		v.fault("campaign.json", "the population of %d items is not the one that was frozen, of %d", len(v.shown), v.about.Items)
	}
	for _, s := range v.sources {
		if n := v.bySync[fmt.Sprintf("%s %d", s.App, s.Number)]; n != s.Items {
			v.fault("sources.jsonl", "sync %d of %s has %d items, and %d are in the population", s.Number, s.ConnectorName, s.Items, n)
		}
	}
	return nil
}

// tables checks that each CSV member has the rows of its lines of JSON.
func (v *verification) tables() error {
	for _, e := range v.opened.entries {
		name, ok := strings.CutSuffix(e.name, ".csv")
		if !ok {
			continue
		}
		rows := v.opened.find(name + ".jsonl")
		columns := csvColumns[name]
		if v.Audit != nil {
			columns = auditColumns[name]
		}
		if strings.HasPrefix(name, "population/") {
			columns = itemColumns
		}
		if rows == nil || columns == nil {
			v.fault(e.name, "has no lines of JSON to compare it with")
			continue
		}
		same := &comparison{with: v.opened.open(e)}
		if err := writeCSV(same, v.opened.open(*rows), columns); err == nil && same.rest() {
			v.fault(e.name, "has more rows than %s", rows.name)
		} else if err != nil {
			v.fault(e.name, "does not have the rows of %s", rows.name)
		}
	}
	return nil
}

// csvColumns are the columns of the CSV members, other than those of the population.
var csvColumns = map[string][]string{
	"sources": sourceColumns, "left-out": leftOutColumns, "assignments": assignmentColumns, "submissions": submissionColumns, "decisions": decisionColumns,
	"unanswered": unansweredColumns, "results": resultColumns, "not-effective": resultColumns, "operations": operationColumns, "people": personColumns,
}

var errDiffers = baton.Errorf(baton.Corrupt, "the bytes differ")

// comparison is a writer that compares what is written with what is read.
type comparison struct {
	with io.Reader
	buf  []byte
}

func (c *comparison) Write(p []byte) (int, error) {
	if c.buf = slices.Grow(c.buf[:0], len(p))[:len(p)]; len(p) > 0 {
		if _, err := io.ReadFull(c.with, c.buf); err != nil || !slices.Equal(c.buf, p) {
			return 0, errDiffers
		}
	}
	return len(p), nil
}

// rest reports whether something is left to compare with.
func (c *comparison) rest() bool {
	n, err := c.with.Read(make([]byte, 1))
	return n > 0 || err != io.EOF
}

// submission holds a submission and the decisions that were read for it.
type submission struct {
	Submission
	counts map[console.ReviewChoice]int
	digest hash.Hash
}

// decisions checks the decisions against the items, the submissions and the events, and that each
// item is decided or listed as unanswered.
func (v *verification) decisions() error {
	type asked struct {
		item   int
		person console.ID
	}
	reviewers := map[asked]bool{}
	if err := rows(v, "assignments.jsonl", func(a assignmentRow) error {
		v.counts.Assignments++
		v.name(a.Reviewer, a.By.Person())
		reviewers[asked{a.Item, a.Reviewer}] = true
		return v.item(a.Item)
	}); err != nil {
		return err
	}
	submissions := map[console.ID]*submission{}
	if err := rows(v, "submissions.jsonl", func(s Submission) error {
		v.counts.Submissions++
		v.name(s.Reviewer)
		if submissions[s.ID] != nil {
			return wrong("submission %s is there twice", s.ID)
		}
		submissions[s.ID] = &submission{s, map[console.ReviewChoice]int{}, sha256.New()}
		if v.digests[s.Event] != s.Digest.String() {
			v.eventFault(s.Event, "does not have the digest of submission %s", s.ID)
		}
		return nil
	}); err != nil {
		return err
	}
	v.deciders = make([][]console.ID, len(v.shown))
	last := 0
	err := rows(v, "decisions.jsonl", func(d decisionRow) error {
		v.counts.Decisions++
		v.name(d.Reviewer, d.For)
		s := submissions[d.Submission]
		switch {
		case v.item(d.Item) != nil || d.Item < last:
			return wrong("there is no item %d, or it is not in its place", d.Item)
		case s == nil || s.Reviewer != d.Reviewer || !s.At.Equal(d.Submitted):
			return wrong("the decision about item %d is not in the submission %s", d.Item, d.Submission)
		case d.Shown != v.shown[d.Item-1].String():
			return wrong("the decision about item %d was made about something else than the item: the hash of what was shown differs", d.Item)
		case v.subjects[d.Item-1] != "" && (d.Reviewer == v.subjects[d.Item-1] || d.For == v.subjects[d.Item-1]):
			return wrong("item %d was decided by the person whose access it is", d.Item)
		case !reviewers[asked{d.Item, d.Reviewer}]:
			return wrong("item %d was decided by somebody who was not asked", d.Item)
		case !d.noteFits():
			return wrong("the note about item %d does not have its hash", d.Item)
		}
		last = d.Item
		s.counts[d.Choice]++
		s.digest.Write(append(encodeLine(d.decidedRow), '\n'))
		v.deciders[d.Item-1] = append(v.deciders[d.Item-1], d.Reviewer)
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range submissions {
		if console.Hash(s.digest.Sum(nil)) != s.Digest {
			v.fault("decisions.jsonl", "the decisions of submission %s are not those that event %d is about", s.ID, s.Event)
		}
		for _, choice := range console.ReviewChoices() {
			if s.Counts[choice] != s.counts[choice] {
				v.fault("submissions.jsonl", "submission %s has %d times %s, and %d are there", s.ID, s.Counts[choice], choice, s.counts[choice])
			}
		}
	}
	return nil
}

// noteFits reports whether the note is the one that was hashed, or was erased.
func (d decisionRow) noteFits() bool {
	if d.Note == "" {
		return d.NoteText == ""
	}
	sum := console.Hash(sha256.Sum256([]byte(d.NoteText)))
	return sum.String() == d.Note || strings.Contains(d.NoteText, console.ErasedText)
}

func (v *verification) item(n int) error {
	if n < 1 || n > len(v.shown) {
		return wrong("there is no item %d", n)
	}
	return nil
}

// results checks what became of each item against the decisions about it.
func (v *verification) results() error {
	v.open = make([]bool, len(v.shown))
	if err := rows(v, "unanswered.jsonl", func(u unansweredRow) error {
		v.counts.Unanswered++
		if err := v.item(u.Item); err != nil {
			return err
		}
		if v.open[u.Item-1] {
			return wrong("item %d is there twice", u.Item)
		}
		v.open[u.Item-1] = true
		return nil
	}); err != nil {
		return err
	}
	v.counts.Decided = v.counts.Items - v.counts.Unanswered
	var failed []resultRow
	next := 0
	if err := rows(v, "results.jsonl", func(r resultRow) error {
		next++
		v.name(r.By...)
		if r.Item != next || v.item(r.Item) != nil {
			return wrong("item %d is not in its place", r.Item)
		}
		if r.answered() == v.open[r.Item-1] {
			return wrong("item %d has neither an answer nor a row in unanswered.jsonl, or both", r.Item)
		}
		if r.answered() && (len(r.By) == 0 || slices.ContainsFunc(r.By, func(p console.ID) bool { return !slices.Contains(v.deciders[r.Item-1], p) })) {
			return wrong("the outcome of item %d is not that of its decisions", r.Item)
		}
		if r.Choice.Removes() {
			v.counts.Removals++
			if r.Result == "verified" {
				v.counts.Verified++
			}
		}
		if ineffective[r.Result] {
			failed = append(failed, r)
		}
		return nil
	}); err != nil {
		return err
	}
	if next != len(v.shown) {
		v.fault("results.jsonl", "has %d rows for %d items", next, len(v.shown))
	}
	if err := rows(v, "not-effective.jsonl", func(r resultRow) error {
		n := v.counts.NotEffective
		v.counts.NotEffective++
		if n >= len(failed) || string(encodeLine(r)) != string(encodeLine(failed[n])) {
			return wrong("item %d is not the row %d of results.jsonl without effect", r.Item, n+1)
		}
		return nil
	}); err != nil {
		return err
	}
	if v.counts.NotEffective != len(failed) {
		v.fault("not-effective.jsonl", "has %d of the %d rows of results.jsonl without effect", v.counts.NotEffective, len(failed))
	}
	return rows(v, "operations.jsonl", func(o Operation) error {
		v.counts.Operations++
		return v.item(o.Item)
	})
}

// people checks the plan, and that everybody who is named is explained.
func (v *verification) people() error {
	if e := v.opened.find("plan.json"); e != nil {
		var plan Plan
		if err := v.document("plan.json", &plan); err != nil {
			return err
		}
		v.name(plan.By.Person(), plan.AppliedBy)
		if lines := v.opened.find("plan.jsonl"); lines == nil || lines.sum != plan.Hash {
			v.fault("plan.jsonl", "does not have the hash of the plan")
		}
	}
	if err := rows(v, "people.jsonl", func(p Person) error {
		delete(v.named, p.ID)
		return nil
	}); err != nil {
		return err
	}
	for id := range v.named {
		v.fault("people.jsonl", "does not have the person %s", id)
	}
	return nil
}

// counted compares the counts of the manifest with what was read.
func (v *verification) counted() error {
	if v.counts != v.Counts {
		v.fault(manifestName, "counts %+v, and the members have %+v", v.Counts, v.counts)
	}
	return nil
}
