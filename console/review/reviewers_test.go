package review_test

import (
	"maps"
	"slices"
	"testing"

	"baton/console"
	"baton/console/store"
)

// TestOwnersAndOthers shows that the owners of the application and the people of a role are both asked,
// in either order: each of them has everything but the own access to decide.
func TestOwnersAndOthers(t *testing.T) { onBoth(t, testOwnersAndOthers) }

func testOwnersAndOthers(t *testing.T, w *world) {
	owners, super := console.Approver{Kind: console.ApproverAppOwner}, console.Approver{Kind: console.ApproverRole, Role: console.SuperAdministrator}
	for _, ask := range [][]console.Approver{{owners, super}, {super, owners}} {
		for _, rule := range []console.OutcomeKind{console.OutcomeOne, console.OutcomeAll, console.OutcomeMajority} {
			id := w.started(func(s *console.CampaignSettings) { s.Reviewers, s.Outcome.Kind = ask, rule })
			all := w.items(id)
			for who, own := range map[string]string{"own": "own Admins", "sup": ""} {
				want := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool { return name == own })
				for _, byPerson := range []bool{false, true} {
					p, err := w.MyReviewItems(ctx, w.Callers[who], id, store.ReviewerFilter{ByPerson: byPerson}, store.AssignmentPlace{}, 100)
					w.Check(err)
					var got []string
					for _, i := range p.Items {
						got = append(got, i.Shown.AccountName+" "+i.Shown.ResourceName)
					}
					if slices.Sort(got); !slices.Equal(got, want) || p.Progress.Total != len(want) {
						t.Errorf("%v, %s: %s is asked about %q and counts %d, want %q", ask, rule, who, got, p.Progress.Total, want)
					}
				}
			}
		}
	}
}
