package console

import "slices"

// ReviewSubject is whose access an item is, for the choice of its reviewers. Persons are canonical.
type ReviewSubject struct {
	Person ID            // "" if the account has no owner
	Barred map[ID]string // further people who may not decide, and why
}

// Reviewers finds who reviews the items of a campaign.
type Reviewers struct {
	Ask, Fallback []Approver
	// People returns the active people behind an approver, for an item.
	People func(Approver) ([]ID, error)
	// Delegate returns who decides for a person now; "" for nobody.
	Delegate func(ID) (ID, error)
}

// Of returns who is asked about an item, with why, and why others are not. Nobody reviews their own
// access: whoever would is left out, and the alternatives are tried. The delegate of a person is asked
// instead of the person, unless the delegate may not review the item. The last resort are Super
// Administrators, then Security Officers.
func (r Reviewers) Of(s ReviewSubject) (asked []Asked, excluded []Excluded, err error) {
	steps := [][]Approver{r.Ask}
	for _, a := range append(slices.Clone(r.Fallback), LastResort()...) {
		steps = append(steps, []Approver{a})
	}
	for _, step := range steps {
		for _, a := range step {
			people, err := r.People(a)
			if err != nil {
				return nil, nil, err
			}
			for _, p := range people {
				if why := s.Excludes(p); why != "" {
					if !slices.ContainsFunc(excluded, func(e Excluded) bool { return e.Person == p }) {
						excluded = append(excluded, Excluded{p, why})
					}
					continue
				}
				next := Asked{Person: p, Why: a.ReviewerLabel()}
				d, err := r.Delegate(p)
				if err != nil {
					return nil, nil, err
				}
				if d != "" && s.Excludes(d) == "" {
					next = Asked{Person: d, For: p, Why: a.ReviewerLabel() + ", as a delegate"}
				}
				if !slices.ContainsFunc(asked, func(e Asked) bool { return e.Person == next.Person }) {
					asked = append(asked, next)
				}
			}
		}
		if len(asked) > 0 {
			break
		}
	}
	return asked, excluded, nil
}

// Excludes returns why a person may not review the item; "" if the person may.
func (s ReviewSubject) Excludes(p ID) string {
	if s.Person != "" && p == s.Person {
		return "it is the person's own access"
	}
	return s.Barred[p]
}

// ReviewerLabel returns the name of an approver for display, as a reviewer.
func (a Approver) ReviewerLabel() string {
	switch a.Kind {
	case ApproverPerson:
		return "named in the campaign"
	case ApproverManager:
		return "manager of the person"
	}
	return a.Label()
}

// CheckReviewer refuses a review of one's own access: by the reviewer, or for somebody as a
// delegate. It is checked whenever somebody is asked and whenever somebody decides, by person.
func (s ReviewSubject) CheckReviewer(reviewer, onBehalfOf ID, canonical func(ID) ID) error {
	for _, p := range []ID{reviewer, onBehalfOf} {
		if p == "" {
			continue
		}
		if s.Person != "" && canonical(p) == canonical(s.Person) {
			return refuse(GuardSelf, "Let another reviewer decide.", "nobody reviews their own access")
		}
		if why := s.Barred[canonical(p)]; why != "" {
			return refuse(GuardSelf, "Let another reviewer decide.", "the person may not review this: %s", why)
		}
	}
	return nil
}
