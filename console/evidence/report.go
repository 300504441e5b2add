package evidence

import (
	"cmp"
	_ "embed"
	"html/template"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"baton/console"
)

// maxShown limits the rows of a table of the page. The CSV members have all of them.
const maxShown = 500

// report collects what the page shows while the members are written.
type report struct {
	reviewers map[console.ID]*reviewerStats
	results   map[string]int
	removals  []reportRow
	failed    []reportRow
	people    map[console.ID]Person
	erased    int
}

func newReport() *report {
	return &report{reviewers: map[console.ID]*reviewerStats{}, results: map[string]int{}, people: map[console.ID]Person{}}
}

// reviewerStats says how one person decided.
type reviewerStats struct {
	Person                    console.ID
	Decisions, Keep, Remove   int
	Other, Abstain, ForOthers int
	seconds                   int
	Largest                   int // batch
	Batched                   int // decisions that were made together with others
	First, Last               string
}

// Each returns the average time for one decision.
func (s reviewerStats) Each() string {
	return strconv.FormatFloat(float64(s.seconds)/float64(max(s.Decisions, 1)), 'f', 1, 64) + " s"
}

// reportRow is a row about an item.
type reportRow struct {
	Item                                 int
	App, Who, What, Choice, Result, More string
}

func (r *report) decision(d decisionRow) {
	s := r.reviewers[d.Reviewer]
	if s == nil {
		s = &reviewerStats{Person: d.Reviewer, First: d.At}
		r.reviewers[d.Reviewer] = s
	}
	s.Decisions++
	switch {
	case d.Choice.Removes():
		s.Remove++
	case d.Choice == console.ChooseKeep:
		s.Keep++
	case d.Choice == console.ChooseAbstain:
		s.Abstain++
	default:
		s.Other++
	}
	if d.For != "" {
		s.ForOthers++
	}
	if d.Batch > 1 {
		s.Batched++
	}
	s.seconds += d.Seconds
	s.Largest = max(s.Largest, d.Batch)
	s.First, s.Last = min(s.First, d.At), max(s.Last, d.At)
}

func (r *report) result(i console.ReviewItem, res resultRow) {
	name := cmp.Or(res.Result, "open")
	r.results[name]++
	if console.HashShown(i.Shown.Encode()) != i.Hash {
		r.erased++
	}
	if !res.Choice.Removes() && !ineffective[res.Result] {
		return
	}
	s := i.Shown
	row := reportRow{i.Number, s.AppName, cmp.Or(s.PersonName, s.AccountName, s.Login, "an account without an owner"), cmp.Or(s.EntitlementName, i.Object), res.Choice.Label(), name, res.Detail}
	if ineffective[res.Result] {
		if len(r.failed) < maxShown {
			r.failed = append(r.failed, row)
		}
	} else if len(r.removals) < maxShown {
		r.removals = append(r.removals, row)
	}
}

func (r *report) person(p Person) { r.people[p.ID] = p }

// reportPage holds the data of the page.
type reportPage struct {
	Campaign  campaignRow
	Sources   []console.PopulationSource
	LeftOut   []LeftOut
	Plan      *Plan
	Counts    Counts
	Chain     Chain
	Key       string
	AsOf      time.Time
	Reviewers []*reviewerStats
	Results   []resultCount
	Removals  []reportRow
	Failed    []reportRow
	Erased    int
	people    map[console.ID]Person
}

type resultCount struct {
	Name  string
	Count int
}

//go:embed report.html
var reportHTML string

var reportTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"time": func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return t.UTC().Format("2 Jan 2006 15:04 UTC")
	},
}).Parse(reportHTML))

// page writes the page for people.
func (b *builder) page(key string, chain Chain) error {
	p := reportPage{Campaign: campaignOf(b.review.Campaign), LeftOut: b.review.LeftOut, Plan: b.review.Plan, Counts: b.counts, Chain: chain, Key: key, AsOf: b.review.Head.At,
		Removals: b.report.removals, Failed: b.report.failed, Erased: b.report.erased, people: b.report.people}
	if s := b.review.Campaign.Staged; s != nil {
		p.Sources = s.Sources
	}
	p.Reviewers = slices.SortedFunc(maps.Values(b.report.reviewers), func(x, y *reviewerStats) int {
		return cmp.Or(cmp.Compare(y.Decisions, x.Decisions), cmp.Compare(x.Person, y.Person))
	})
	for _, name := range slices.Sorted(maps.Keys(b.report.results)) {
		p.Results = append(p.Results, resultCount{name, b.report.results[name]})
	}
	_, err := b.a.add("report.html", func(w io.Writer) error { return reportTemplate.Execute(w, p) })
	return err
}

// Who returns the name of a person.
func (p reportPage) Who(id console.ID) string {
	if id == "" {
		return "–"
	}
	return cmp.Or(p.people[id].Name, string(id))
}

// Excluded returns how many facts of a source are no items.
func (p reportPage) Excluded(s console.PopulationSource) (n int) {
	for _, x := range s.Excluded {
		n += x
	}
	return n
}

// Meter reports whether the page says how long reviewers took.
func (p reportPage) Meter() bool { return !p.Campaign.Settings.NoMeter }

// More returns how many removals the page leaves out.
func (p reportPage) More() int {
	return max(p.Counts.Removals-len(p.Removals)-len(p.Failed), 0)
}

// MoreFailed returns how many removals without effect the page leaves out.
func (p reportPage) MoreFailed() int { return p.Counts.NotEffective - len(p.Failed) }
