package percipio

import (
	"cmp"
	"fmt"
	"slices"

	"baton"
	"baton/internal/english"
)

// shown limits the courses and names in a line of the review.
const shown = 5

// tally counts the progress in one course.
type tally struct {
	name                  string
	completed, inProgress int
}

// review reports the progress in courses, and who has progress but no active account.
func review(facts baton.Facts) ([]baton.Note, error) {
	inactive := map[string]string{}
	accounts := 0
	if err := facts.Resources(userType, func(r baton.Resource) error {
		accounts++
		if r.Status == baton.StatusDisabled {
			inactive[r.ID.ID] = r.DisplayName
		}
		return nil
	}); err != nil {
		return nil, err
	}
	var courses []tally
	var ids []string
	if err := facts.Resources(courseType, func(r baton.Resource) error {
		courses, ids = append(courses, tally{name: r.DisplayName}), append(ids, r.ID.ID)
		return nil
	}); err != nil {
		return nil, err
	}
	dormant := map[string]bool{}
	for i := range courses {
		for _, held := range [...]struct { // in the order of ids, which reads fastest
			slug string
			n    *int
		}{{completedSlug, &courses[i].completed}, {inProgressSlug, &courses[i].inProgress}} {
			err := facts.Grants(baton.EntitlementID{Resource: courseResource(ids[i]), Slug: held.slug}, func(g baton.Grant) error {
				*held.n++
				if _, ok := inactive[g.ID.Principal.ID]; ok {
					dormant[g.ID.Principal.ID] = true
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	notes := courseNotes(courses)
	notes = append(notes, baton.Note{Label: "Accounts", Text: fmt.Sprintf("%s not disabled, %s disabled", english.Number(accounts-len(inactive)), english.Number(len(inactive))), Counts: true})
	if len(dormant) > 0 {
		var names []string
		for id := range dormant {
			names = append(names, inactive[id])
		}
		slices.Sort(names)
		text := english.Number(len(names)) + ", such as " + names[0]
		notes = append(notes, baton.Note{Label: "Disabled, with progress", Text: text, Counts: true})
	}
	return notes, nil
}

// courseNotes returns the totals and the courses with the most people.
func courseNotes(courses []tally) []baton.Note {
	var all tally
	untouched := 0
	for _, t := range courses {
		all.completed += t.completed
		all.inProgress += t.inProgress
		if t.completed+t.inProgress == 0 {
			untouched++
		}
	}
	slices.SortFunc(courses, func(a, b tally) int {
		return cmp.Or(cmp.Compare(b.completed+b.inProgress, a.completed+a.inProgress), cmp.Compare(a.name, b.name))
	})
	progress := fmt.Sprintf("%s: %s, %s in progress", english.Count(len(courses), "course"), english.Count(all.completed, "completion"), english.Number(all.inProgress))
	if untouched > 0 {
		progress += fmt.Sprintf("; %s without progress", english.Count(untouched, "course"))
	}
	notes := []baton.Note{{Label: "Progress", Text: progress, Counts: true}}
	for _, t := range courses[:min(shown, len(courses))] {
		if t.completed+t.inProgress > 0 {
			notes = append(notes, baton.Note{Label: t.name, Text: t.String(), Counts: true})
		}
	}
	return notes
}

func (t tally) String() string {
	return fmt.Sprintf("%s completed, %s in progress", english.Number(t.completed), english.Number(t.inProgress))
}
