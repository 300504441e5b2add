package console

import (
	"time"

	"baton"
)

// OutcomeRule says what the decisions of several reviewers about one item amount to.
type OutcomeRule struct {
	Kind OutcomeKind `json:"kind"`
	// Wins decides where reviewers disagree: [ChooseRemove] or [ChooseKeep].
	Wins ReviewChoice `json:"wins"`
}

// OutcomeKind says how many reviewers an outcome needs.
type OutcomeKind string

const (
	OutcomeOne      OutcomeKind = "one"      // the first submitted decision
	OutcomeAll      OutcomeKind = "all"      // all must agree; if they do not, Wins decides
	OutcomeMajority OutcomeKind = "majority" // more than half; if there is no majority, Wins decides
)

// Check returns an error if the rule is invalid.
func (r OutcomeRule) Check() error {
	switch {
	case r.Kind != OutcomeOne && r.Kind != OutcomeAll && r.Kind != OutcomeMajority:
		return baton.Errorf(baton.Invalid, "there is no outcome rule %q", r.Kind).WithFix("Choose one, all or majority.")
	case r.Wins != ChooseRemove && r.Wins != ChooseKeep:
		return baton.Errorf(baton.Invalid, "%q cannot win where reviewers disagree", r.Wins).WithFix("Choose remove or keep.")
	}
	return nil
}

// ReviewOutcome is the result of the decisions about an item.
type ReviewOutcome struct {
	Choice ReviewChoice `json:"choice"`
	Until  time.Time    `json:"until,omitzero"` // for [ChooseKeepUntil]
	By     []ID         `json:"by"`             // who decided so
	// Unanswered means that nobody decided, and that the campaign's choice applies.
	Unanswered bool `json:"unanswered,omitempty"`
}

// weight orders the choices of one side, the mildest first.
var weight = map[ReviewChoice]int{ChooseKeep: 1, ChooseAcknowledge: 2, ChooseKeepUntil: 3, ChooseLower: 4, ChooseRemove: 5}

// Settle returns what the submitted decisions about an item amount to; nil while they amount to
// nothing. Decisions are in the order of their submission. reviewers counts those who are asked now
// or have decided. Whoever abstains counts for neither side.
func (r OutcomeRule) Settle(reviewers int, decisions []ReviewDecision) *ReviewOutcome {
	var keep, remove []ReviewDecision
	abstained := 0
	for _, d := range decisions {
		switch {
		case d.Choice == ChooseAbstain:
			abstained++
		case d.Choice.Removes():
			remove = append(remove, d)
		default:
			keep = append(keep, d)
		}
	}
	voters, voted := reviewers-abstained, len(keep)+len(remove)
	winners := keep
	if r.Wins == ChooseRemove {
		winners = remove
	}
	switch {
	case voted == 0:
		return nil
	case r.Kind == OutcomeOne:
		for _, d := range decisions {
			if d.Choice != ChooseAbstain {
				return r.outcome([]ReviewDecision{d})
			}
		}
	case r.Kind == OutcomeAll && len(winners) > 0:
		return r.outcome(winners) // the others cannot change that
	case r.Kind == OutcomeMajority && 2*len(remove) > voters:
		return r.outcome(remove)
	case r.Kind == OutcomeMajority && 2*len(keep) > voters:
		return r.outcome(keep)
	case voted < voters:
		return nil
	case r.Kind == OutcomeMajority && len(winners) > 0:
		return r.outcome(winners)
	case len(remove) == 0:
		return r.outcome(keep)
	case len(keep) == 0:
		return r.outcome(remove)
	}
	return nil
}

// outcome returns the outcome of decisions of one side: the strictest of them if a removal wins where
// reviewers disagree, else the mildest.
func (r OutcomeRule) outcome(side []ReviewDecision) *ReviewOutcome {
	best := side[0]
	for _, d := range side[1:] {
		stricter := weight[d.Choice] > weight[best.Choice] || d.Choice == best.Choice && d.Choice == ChooseKeepUntil && d.Until.Before(best.Until)
		if d.Choice != best.Choice || d.Choice == ChooseKeepUntil {
			if stricter == (r.Wins == ChooseRemove) {
				best = d
			}
		}
	}
	o := &ReviewOutcome{Choice: best.Choice, Until: best.Until}
	for _, d := range side {
		o.By = append(o.By, d.Reviewer)
	}
	return o
}
