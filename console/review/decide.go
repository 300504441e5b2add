package review

import (
	"cmp"
	"slices"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// Choice is a decision that a reviewer makes about an item.
type Choice struct {
	Item   int
	Choice console.ReviewChoice
	Until  time.Time // for [console.ChooseKeepUntil]
	Note   string
	// Seconds is how long the item was on the screen; 0 if that is not known.
	Seconds int
	// Hash is that of what the reviewer saw; zero if the caller does not say. Another one is Refused.
	Hash console.Hash
}

// Blocked is an item about which a decision cannot be made, and why.
type Blocked struct {
	Item int
	Err  error
}

// MaxBatch is the largest number of decisions that are made at once.
const MaxBatch = 5000

// Check returns the decisions that a reviewer may make, and those that are blocked. It checks by person,
// at this moment: nobody reviews their own access, also not that of an account which the reviewer
// owned lately.
func Check(tx *store.Tx, c console.Campaign, reviewer console.ID, choices []Choice, batch int, now time.Time) (decisions []console.ReviewDecision, blocked []Blocked, err error) {
	if c.State != console.CampaignRunning {
		return nil, nil, baton.Errorf(baton.Refused, "nobody decides while the campaign is %s", c.State)
	}
	if len(choices) > MaxBatch {
		return nil, nil, baton.Errorf(baton.Invalid, "at most %d decisions are made at once", MaxBatch)
	}
	numbers := make([]int, len(choices))
	for i, x := range choices {
		numbers[i] = x.Item
	}
	items, err := tx.ReviewItemsByNumber(c.ID, numbers)
	if err != nil {
		return nil, nil, err
	}
	subjects, err := Subjects(tx, items, reviewer, now)
	if err != nil {
		return nil, nil, err
	}
	mine, err := tx.MyAssignments(c.ID, reviewer, numbers)
	if err != nil {
		return nil, nil, err
	}
	seen := map[int]bool{}
	for _, x := range choices {
		item, there := items[x.Item]
		var why error
		assignment, asked := mine[x.Item]
		switch {
		case !there:
			why = baton.Errorf(baton.NotFound, "no item %d", x.Item)
		case seen[x.Item]:
			why = baton.Errorf(baton.Invalid, "item %d is there twice", x.Item)
		case subjects.Self(item, reviewer, assignment.For) != nil:
			why = subjects.Self(item, reviewer, assignment.For)
		case !asked || !assignment.Ended.IsZero():
			why = baton.Errorf(baton.Refused, "you are not asked about item %d", x.Item).WithFix("Reload the list.")
		case assignment.Decision != nil && !assignment.Decision.Submitted.IsZero():
			why = baton.Errorf(baton.Refused, "the decision about item %d is submitted, and stays", x.Item)
		case item.Admin && tx.By().Client != "":
			why = baton.Errorf(baton.PermissionDenied, "a credential does not decide about administrators").WithFix("A person does it on the pages of the console.")
		case len(x.Note) > console.MaxReviewNote:
			why = baton.Errorf(baton.Invalid, "a note has at most %d bytes", console.MaxReviewNote)
		case x.Hash != console.Hash{} && x.Hash != item.Hash:
			why = baton.Errorf(baton.Refused, "item %d does not show what you saw", x.Item).WithFix("Reload the list.")
		default:
			why = item.Blocks(x.Choice, x.Until, now)
		}
		seen[x.Item] = true
		if why != nil {
			blocked = append(blocked, Blocked{x.Item, why})
			continue
		}
		d := console.ReviewDecision{Campaign: c.ID, Item: x.Item, Reviewer: reviewer, For: assignment.For, Choice: x.Choice, Until: x.Until, Note: x.Note, At: now, Hash: item.Hash, Sync: item.Sync,
			Seconds: min(max(x.Seconds, 0), maxSeconds), Batch: cmp.Or(batch, 1), Eligible: assignment.Why}
		if c.NoMeter {
			d.Seconds = 0
		}
		decisions = append(decisions, d)
	}
	return decisions, blocked, nil
}

// maxSeconds limits the time that is recorded for one decision: a page can stay open over night.
const maxSeconds = 24 * 60 * 60

// Subjective tells whose access items are, now and when they were frozen.
type Subjective struct {
	owners map[console.ResourceKey]console.ID // canonical persons
	recent map[console.ResourceKey]bool       // that the reviewer owned lately
	merged map[console.ID]console.ID          // canonical persons of the items and of the reviewer
}

// Subjects reads whose access items are, to compare them with a reviewer.
func Subjects(tx *store.Tx, items map[int]console.ReviewItem, reviewer console.ID, now time.Time) (s Subjective, err error) {
	var accounts []console.ResourceKey
	persons := []console.ID{reviewer}
	for _, i := range items {
		persons = append(persons, i.Person)
		if i.Kind == console.ReviewAccess {
			accounts = append(accounts, i.Account)
		}
	}
	if s.merged, err = tx.CanonicalPersons(persons); err != nil {
		return s, err
	}
	s.owners, s.recent, err = tx.OwnersAndLately(accounts, s.canonical(reviewer), now)
	return s, err
}

func (s Subjective) canonical(id console.ID) console.ID { return cmp.Or(s.merged[id], id) }

// Self returns a refusal if the reviewer would decide about the own access, or about that of the person
// for whom the reviewer decides as a delegate, "" without delegation.
func (s Subjective) Self(i console.ReviewItem, reviewer, onBehalfOf console.ID) error {
	subject := console.ReviewSubject{Person: i.Person}
	if i.Kind == console.ReviewAccess && s.recent[i.Account] {
		subject.Barred = map[console.ID]string{s.canonical(reviewer): barredFormer}
	}
	if err := subject.CheckReviewer(reviewer, onBehalfOf, s.canonical); err != nil {
		return err
	}
	if i.Kind != console.ReviewAccess {
		return nil
	}
	return console.ReviewSubject{Person: s.owners[i.Account]}.CheckReviewer(reviewer, onBehalfOf, s.canonical)
}

// Decide stores decisions, pending until they are submitted. If some are blocked, it stores none,
// unless skip is set.
func Decide(tx *store.Tx, c console.Campaign, reviewer console.ID, choices []Choice, skip bool) (made int, blocked []Blocked, err error) {
	decisions, blocked, err := Check(tx, c, reviewer, choices, len(choices), tx.By().At)
	if err != nil {
		return 0, nil, err
	}
	if len(blocked) > 0 && !skip {
		return 0, blocked, blocked[0].Err
	}
	if len(decisions) == 0 {
		return 0, blocked, nil
	}
	return len(decisions), blocked, tx.Decide(c.ID, reviewer, decisions)
}

// Submit makes the pending decisions of a reviewer permanent, at most [MaxBatch]. It checks again that
// none is about the own access, and marks the items whose access is gone meanwhile.
func Submit(tx *store.Tx, c console.Campaign, reviewer console.ID) (console.ReviewSubmission, error) {
	if c.State != console.CampaignRunning {
		return console.ReviewSubmission{}, baton.Errorf(baton.Refused, "nobody decides while the campaign is %s", c.State)
	}
	pending, err := tx.PendingDecisions(c.ID, reviewer, 0, MaxBatch)
	if err != nil {
		return console.ReviewSubmission{}, err
	}
	if len(pending) == 0 {
		return console.ReviewSubmission{}, baton.Errorf(baton.Refused, "no decision is pending").WithFix("Decide first.")
	}
	numbers := make([]int, len(pending))
	for i, d := range pending {
		numbers[i] = d.Item
	}
	items, err := tx.ReviewItemsByNumber(c.ID, numbers)
	if err != nil {
		return console.ReviewSubmission{}, err
	}
	subjects, err := Subjects(tx, items, reviewer, tx.By().At)
	if err != nil {
		return console.ReviewSubmission{}, err
	}
	for _, d := range pending {
		if err := subjects.Self(items[d.Item], reviewer, d.For); err != nil {
			return console.ReviewSubmission{}, err
		}
	}
	if err := markGone(tx, c, items); err != nil {
		return console.ReviewSubmission{}, err
	}
	return tx.Submit(c, reviewer, pending)
}

// markGone marks the items whose access the newest syncs do not show any more.
func markGone(tx *store.Tx, c console.Campaign, items map[int]console.ReviewItem) error {
	gone, err := Gone(tx, items, tx.By().At)
	if err != nil {
		return err
	}
	for _, n := range gone {
		if items[n].Gone.IsZero() {
			if err := tx.MarkItemGone(c.ID, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// Gone returns the numbers of the items whose access the newest syncs do not show, in their order.
func Gone(tx *store.Tx, items map[int]console.ReviewItem, now time.Time) (gone []int, err error) {
	keys := map[console.ID][]store.AccessKey{} // by app
	var consoles map[string]bool
	for _, i := range items {
		if i.Kind == console.ReviewAccess {
			keys[i.App] = append(keys[i.App], keyOf(i))
		} else if consoles == nil {
			if consoles, err = consoleAccesses(tx, now); err != nil {
				return nil, err
			}
		}
	}
	held := map[store.AccessKey]bool{}
	for app, of := range keys {
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return nil, err
		}
		shown, err := tx.HeldNow(m, of)
		if err != nil {
			return nil, err
		}
		for _, k := range of {
			if held[k] = shown[k]; k.Entitlement == console.AccountItself {
				if held[k], err = enabled(tx, m, k.Account); err != nil {
					return nil, err
				}
			}
		}
	}
	for n, i := range items {
		if i.Kind == console.ReviewAccess && !held[keyOf(i)] || i.Kind != console.ReviewAccess && !consoles[consoleKey(i.Kind, i.Person, i.Object)] {
			gone = append(gone, n)
		}
	}
	slices.Sort(gone)
	return gone, nil
}

func keyOf(i console.ReviewItem) store.AccessKey {
	return store.AccessKey{Account: i.Account, Entitlement: i.Entitlement}
}

// enabled reports whether a moment shows an account that is enabled.
func enabled(tx *store.Tx, m store.Moment, account console.ResourceKey) (bool, error) {
	on, err := tx.Resource(m, account)
	if notFound(err) {
		return false, nil
	}
	return err == nil && console.HasAccount(true, on.Status), err
}

func notFound(err error) bool { return baton.KindOf(err) == baton.NotFound }
