package evidence

import (
	"context"
	"crypto/ed25519"
	_ "embed"
	"io"
	"iter"
	"maps"
	"slices"

	"baton"
	"baton/console"
)

//go:embed README.txt
var readme []byte

// Build writes the pack of a review to an empty file and returns its manifest and size. It needs
// memory for the people whom the pack names, and none for items and decisions.
func Build(ctx context.Context, f File, src Source, key ed25519.PrivateKey) (m Manifest, size int64, err error) {
	b := &builder{a: archive{f: f}, src: src, person: src.Person, people: map[console.ID]bool{}, report: newReport()}
	if b.review, err = src.Review(); err != nil {
		return m, 0, err
	}
	public := key.Public().(ed25519.PublicKey)
	var chain Chain
	for _, step := range []func() error{
		b.campaign, b.population, b.decisions, b.results,
		func() (err error) { chain, err = b.events(src.Events(), b.review.Head, key); return err },
		b.named,
		func() error { return b.page(console.Fingerprint(public), chain) },
		func() error { return b.text(keyName, encodeKey(public)) },
	} {
		if err := ctx.Err(); err != nil {
			return m, 0, baton.Errorf(baton.Canceled, "make the pack: %w", err)
		}
		if err := step(); err != nil {
			return m, 0, err
		}
	}
	c := b.review.Campaign
	m = Manifest{Format: Format, Key: console.Fingerprint(public), Campaign: c.ID, Name: c.Name, State: c.State, AsOf: utc(b.review.Head.At), Chain: chain, Counts: b.counts}
	m.Members = b.members()
	size, err = b.sign(m.encode(), key)
	return m, size, err
}

// members lists the members that were written.
func (b *builder) members() (all []Member) {
	for _, e := range b.a.entries {
		all = append(all, Member{e.name, e.size, e.sum})
	}
	return all
}

// sign writes the manifest and its signature, ends the archive and returns its size.
func (b *builder) sign(manifest []byte, key ed25519.PrivateKey) (int64, error) {
	if err := b.text(manifestName, manifest); err != nil {
		return 0, err
	}
	if err := b.text(signatureName, ed25519.Sign(key, manifest)); err != nil {
		return 0, err
	}
	return b.a.close()
}

// text writes a member with a known content.
func (b *builder) text(name string, content []byte) error {
	_, err := b.a.add(name, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	return err
}

// campaign writes what is said of the review as a whole.
func (b *builder) campaign() error {
	c := b.review.Campaign
	if err := b.text("README.txt", readme); err != nil {
		return err
	}
	b.name(c.Owners...)
	b.name(c.Author.Person())
	if err := b.json("campaign.json", campaignOf(c)); err != nil {
		return err
	}
	var sources []sourceRow
	if s := c.Staged; s != nil {
		sources = s.Sources
		if s.Override != nil {
			b.name(s.Override.Person)
		}
	}
	if _, err := table(b, "sources", sourceColumns, list(sources)); err != nil {
		return err
	}
	for _, l := range b.review.LeftOut {
		b.name(l.By)
	}
	_, err := table(b, "left-out", leftOutColumns, list(b.review.LeftOut))
	return err
}

// population writes the items, those of each app as members of their own.
func (b *builder) population() error {
	next, stop := iter.Pull2(each(b.src.Items(), func(i console.ReviewItem) (itemRow, bool) { return itemOf(i), true }))
	defer stop()
	row, err, ok := next()
	done := map[string]bool{}
	for ok && err == nil {
		name := row.member()
		if done[name] {
			return baton.Errorf(baton.Internal, "the items of %s do not follow each other", name)
		}
		done[name] = true
		n, failed := table(b, name, itemColumns, func(yield func(itemRow, error) bool) {
			for ok && (err != nil || row.member() == name) {
				if !yield(row, err) || err != nil {
					return
				}
				row, err, ok = next()
			}
		})
		if failed != nil {
			return failed
		}
		b.counts.Items += n
	}
	return err
}

// decisions writes who was asked, who decided what, and what nobody decided.
func (b *builder) decisions() (err error) {
	b.counts.Assignments, err = table(b, "assignments", assignmentColumns, each(b.src.Assignments(), func(a console.ReviewAssignment) (assignmentRow, bool) {
		b.name(a.Reviewer, a.By.Person())
		return assignmentOf(a), true
	}))
	if err != nil {
		return err
	}
	b.counts.Submissions, err = table(b, "submissions", submissionColumns, each(b.src.Submissions(), func(s Submission) (Submission, bool) {
		b.name(s.Reviewer)
		s.At = utc(s.At)
		return s, true
	}))
	if err != nil {
		return err
	}
	b.counts.Decisions, err = table(b, "decisions", decisionColumns, each(b.src.Decisions(), func(d console.ReviewDecision) (decisionRow, bool) {
		b.name(d.Reviewer, d.For)
		row := decisionOf(d)
		b.report.decision(row)
		return row, true
	}))
	if err != nil {
		return err
	}
	b.counts.Unanswered, err = table(b, "unanswered", unansweredColumns, each(b.src.Items(), func(i console.ReviewItem) (unansweredRow, bool) {
		r := resultOf(i)
		return unansweredRow{i.Number, r.Choice, r.Result}, !r.answered()
	}))
	b.counts.Decided = b.counts.Items - b.counts.Unanswered
	return err
}

// results writes the plan and what became of each item.
func (b *builder) results() (err error) {
	if b.review.Plan != nil {
		b.name(b.review.Plan.By.Person(), b.review.Plan.AppliedBy)
		if err := b.json("plan.json", b.review.Plan); err != nil {
			return err
		}
		_, err := b.a.add("plan.jsonl", func(w io.Writer) error {
			for line, err := range b.src.PlanLines() {
				if err != nil {
					return err
				}
				if _, err := w.Write(append(slices.Clip(line), '\n')); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	_, err = table(b, "results", resultColumns, each(b.src.Items(), func(i console.ReviewItem) (resultRow, bool) {
		r := resultOf(i)
		b.name(r.By...)
		b.report.result(i, r)
		if r.Choice.Removes() {
			b.counts.Removals++
			if r.Result == "verified" {
				b.counts.Verified++
			}
		}
		return r, true
	}))
	if err != nil {
		return err
	}
	b.counts.NotEffective, err = table(b, "not-effective", resultColumns, each(b.src.Items(), func(i console.ReviewItem) (resultRow, bool) {
		return resultOf(i), ineffective[string(i.Result)]
	}))
	if err != nil {
		return err
	}
	b.counts.Operations, err = table(b, "operations", operationColumns, each(b.src.Operations(), func(o Operation) (Operation, bool) {
		o.Created, o.Dispatched, o.Finished, o.CameBack, o.Began = utc(o.Created), utc(o.Dispatched), utc(o.Finished), utc(o.CameBack), utc(o.Began)
		return o, true
	}))
	return err
}

// named writes who the persons are whom the other members name.
func (b *builder) named() error {
	_, err := table(b, "people", personColumns, func(yield func(Person, error) bool) {
		for _, id := range slices.Sorted(maps.Keys(b.people)) {
			p, err := b.person(id)
			if err == nil {
				b.report.person(p)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	})
	return err
}
