package percipio

import (
	"iter"
	"strings"
	"time"
)

// row is one row of the report. Times are seconds since 1970, 0 for none.
type row struct {
	user   *user
	item   *item
	status string
	first  int64
	last   int64
	done   int64
	noise  uint64

	// Values that a fault put in place of the ids.
	userID, itemID override
}

// override replaces an id in a row.
type override struct {
	on    bool
	value string // may be empty
	gone  bool   // leave the attribute out instead
}

// event is a change after the organisation was generated.
type event struct {
	user, item int
	status     string
	first, at  int64
}

// planned returns a generated row.
func (o *organisation) planned(i int) row {
	p := &o.plan
	u, c := p.pair(i)
	r := row{user: o.people[u], item: o.items[c], noise: mix(p.seed, kindNoise+1, uint64(i))}
	r.last = newest().Unix() - int64(uint64(i)*p.step+r.noise%max(1, p.step))
	// Generated activity began up to 90 days before the last access, which is after the completion if there
	// is one.
	r.first = r.last - int64(r.noise>>8%(90*24*3600))
	r.status = r.item.kind.begun
	switch share := r.noise >> 40 % 100; {
	case share < 52:
		r.status = r.item.kind.done
	case share < 55:
		r.status = "Achieved"
	case share < 58:
		r.status = "Active"
	case share < 60:
		r.status = "Abandoned"
	}
	if outcome(r.status) == Completed {
		r.done = r.first + (r.last-r.first)/2
	}
	return r
}

func (o *organisation) happened(e event) row {
	r := row{user: o.people[e.user], item: o.items[e.item], status: e.status, first: e.first, last: e.at,
		noise: mix(o.plan.seed, kindNoise+2, uint64(e.user)<<32|uint64(e.item))}
	if outcome(e.status) == Completed {
		r.done = e.at
	}
	return r
}

// order is the order of the rows of one download.
type order struct {
	oldestFirst bool
	scramble    uint64 // if not 0, a random order that depends on the value
}

// rows returns all rows, newest first unless by says otherwise.
func (o *organisation) rows(by order) iter.Seq[row] {
	total := len(o.events) + o.plan.rows
	stride, offset := uint64(1), uint64(0)
	if by.scramble != 0 && total > 0 {
		stride, offset = coprime(by.scramble%uint64(total), uint64(total)), by.scramble>>20%uint64(total)
	}
	return func(yield func(row) bool) {
		for k := range total {
			if by.scramble != 0 {
				k = int((timesMod(stride, uint64(k), uint64(total)) + offset) % uint64(total))
			}
			if by.oldestFirst {
				k = total - 1 - k
			}
			var r row
			switch i := k - len(o.events); {
			case i < 0:
				r = o.happened(o.events[-1-i])
			case o.moved[i]:
				continue
			default:
				r = o.planned(i)
			}
			if !yield(r) {
				return
			}
		}
	}
}

// extras holds the rows that faults add after, or before, every Nth row.
type extras struct {
	duplicates, unknownStatus, unknownUsers, unknownItems, emptyIDs int // every Nth; 0 means none
}

// late is the distance in rows of the second row of a pair if it does not come first.
const late = 7

// withExtras adds the rows of faults. None of them changes what a sync should find.
func withExtras(rows iter.Seq[row], x extras) iter.Seq[row] {
	if x == (extras{}) {
		return rows
	}
	return func(yield func(row) bool) {
		n, waiting, due := 0, []row{}, []int{}
		hit := func(every int) bool { return every > 0 && n%every == 0 }
		for r := range rows {
			n++
			var around []row
			if hit(x.duplicates) && outcome(r.status) != "" {
				again := r
				again.status, again.done, again.noise = r.item.kind.begun, 0, r.noise+1
				if n/x.duplicates%2 == 0 {
					again.last = r.last + 60 // a newer row, which comes first
					around = append(around, again)
				} else {
					again.last = r.first // the older row, which comes later
					waiting, due = append(waiting, again), append(due, n+late)
				}
			}
			around = append(around, r)
			around = append(around, x.after(r, n, hit)...)
			for len(due) > 0 && due[0] <= n {
				around = append(around, waiting[0])
				waiting, due = waiting[1:], due[1:]
			}
			for _, r := range around {
				if !yield(r) {
					return
				}
			}
		}
		for _, r := range waiting {
			if !yield(r) {
				return
			}
		}
	}
}

// after returns the rows that follow the nth.
func (x *extras) after(r row, n int, hit func(int) bool) []row {
	var more []row
	if hit(x.unknownStatus) {
		odd := r
		odd.status, odd.noise = []string{"Passed", "Exempted", "", "COMPLETED_LATE"}[n/x.unknownStatus%4], r.noise+2
		more = append(more, odd)
	}
	if hit(x.unknownUsers) {
		odd := r
		odd.userID = override{on: true, value: identifier(r.noise, kindStranger, 0)}
		more = append(more, odd)
	}
	if hit(x.unknownItems) {
		odd := r
		odd.itemID = override{on: true, value: identifier(r.noise, kindStranger, 1)}
		more = append(more, odd)
	}
	if hit(x.emptyIDs) {
		odd := r
		switch which := n / x.emptyIDs % 4; which {
		case 0, 1:
			odd.userID = override{on: true, gone: which == 1}
		default:
			odd.itemID = override{on: true, gone: which == 3}
		}
		more = append(more, odd)
	}
	return more
}

// selection selects the rows of a report.
type selection struct {
	start, end int64
	kinds      map[string]bool // content types in lower case without spaces; nil means all
	statuses   map[string]bool // in lower case; nil means all
}

func (s *selection) has(r *row) bool {
	return r.last >= s.start && r.last <= s.end &&
		(s.kinds == nil || s.kinds[plain(r.item.kind.row)]) && (s.statuses == nil || s.statuses[strings.ToLower(r.status)])
}

func plain(contentType string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "_", "").Replace(contentType))
}

func (s *selection) filter(rows iter.Seq[row]) iter.Seq[row] {
	return func(yield func(row) bool) {
		for r := range rows {
			if s.has(&r) && !yield(r) {
				return
			}
		}
	}
}

func unix(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
