package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"baton"
	"baton/internal/english"
)

// answers returns the questions with which a reviewer starts, and their answers.
func (b *builder) answers() []answer {
	t := b.after.tally()
	var list []answer
	if roles := b.after.roles; len(roles.Roles) > 0 {
		list = b.roleAnswers(roles, t)
	} else {
		list = append(list, answer{Question: "How many accounts are there?", Figure: english.Number(t.accounts), Link: "accounts",
			Text: fmt.Sprintf("%s not disabled, %s disabled", english.Number(t.enabled), english.Number(t.accounts-t.enabled))})
		list = append(list, b.stageAnswers()...)
		a := answer{Question: "Who is disabled and still holds access?", Figure: english.Number(t.dormant.n), Link: "dormant", Level: warnIf(t.dormant.n > 0)}
		a.Names, a.More = t.dormant.first, t.dormant.more()
		if t.dormant.n == 0 {
			a.Text, a.Link = "Nobody", ""
		}
		list = append(list, a)
	}
	if t.unknown > 0 {
		list = append(list, answer{Question: "Who holds access without an account in this sync?", Figure: english.Number(t.unknown), Level: "warning", Link: "accounts",
			Text: "Only grants name them."})
	}
	return append(list, b.changeAnswer())
}

func warnIf(bad bool) string {
	if bad {
		return "warning"
	}
	return "ok"
}

func (b *builder) roleAnswers(roles baton.Roles, t tally) []answer {
	var list []answer
	for i, r := range roles.Roles {
		a := answer{Question: "Who is " + shown(r.Name) + "?", Figure: english.Number(t.role[i].n), Link: "roles", Level: "ok"}
		a.Names, a.More = t.role[i].first, t.role[i].more()
		if t.role[i].n == 0 {
			a.Text = "Nobody who can sign in"
		}
		if r.Privileged {
			a.Link = roleID(i)
			a.Level = warnIf(t.role[i].n == 0)
			if t.role[i].n == 1 {
				a.Text = "The only one"
			}
		}
		list = append(list, a)
	}
	both := answer{Question: "Who holds several roles?", Figure: english.Number(t.both.n), Link: "roles", Level: "ok", Text: "Nobody"}
	if t.both.n > 0 {
		both.Link = "roles-several"
		both.Names, both.More = t.both.first, t.both.more()
		both.Text = shown(roles.Counts) + " counts: it has priority"
		if roles.Counts == "" {
			both.Level, both.Text = "warning", "Which role counts is not known. Here they count as the more powerful one. "+roles.Fix
		}
	}
	none := answer{Question: "Who has no role?", Figure: english.Number(t.none.n), Link: "roles", Level: "ok", Text: "Nobody who can sign in"}
	if t.none.n > 0 {
		none.Text, none.Link = "", "roles-none"
		none.Names, none.More = t.none.first, t.none.more()
	}
	dormant := answer{Question: "Who is disabled and in a role group?", Figure: english.Number(t.dormant.n), Link: "roles", Level: warnIf(t.dormant.n > 0), Text: "Nobody"}
	if t.dormant.n > 0 {
		dormant.Link = "roles-disabled"
		dormant.Names, dormant.More = t.dormant.first, t.dormant.more()
		dormant.Text = "Enabling the account gives the role back"
	}
	return append(list, both, none, dormant)
}

// stageAnswers summarizes types whose entitlements are stages, such as "in progress" and "completed".
func (b *builder) stageAnswers() []answer {
	var list []answer
	for _, t := range b.after.types {
		if len(t.Ranks) == 0 {
			continue
		}
		slugs, counts := b.stages(t)
		var parts []string
		for i, n := range counts {
			if i > 0 {
				parts = append(parts, english.Number(n)+" "+words(slugs[i]))
			}
		}
		list = append(list, answer{
			Question: "How often is a " + lower(shown(t.DisplayName)) + " " + words(slugs[0]) + "?", Figure: english.Number(counts[0]), Link: "type-" + anchor(t.ID),
			Text: strings.Join(parts, ", ") + ", on " + english.Count(len(b.after.resources[t.ID]), lower(shown(t.DisplayName))),
		})
	}
	return list
}

// stages counts the grants of a type by rank.
func (b *builder) stages(t baton.ResourceType) (slugs []string, counts []int) {
	counts = make([]int, len(t.Ranks))
	for _, e := range b.after.entitlements {
		if e.resource.Type != t.ID {
			continue
		}
		for i, slug := range t.Ranks {
			if e.slug == slug {
				counts[i] += len(e.holders)
			}
		}
	}
	return t.Ranks, counts
}

// changeAnswer summarizes the changes since the previous sync, each event once.
func (b *builder) changeAnswer() answer {
	if b.before == nil {
		return answer{Question: "What changed since the previous sync?", Figure: "–", Wide: true,
			Text: "The file has no earlier full sync to compare with."}
	}
	d := &b.diff
	since := b.o.Before.Ended.UTC().Format("2 January 2006, 15:04 UTC")
	a := answer{Question: "What changed since " + since + "?", Figure: english.Number(d.events()), Link: "changes", Level: warnIf(d.privileged > 0), Wide: true}
	line := func(n int, label, link, text string) {
		if n > 0 {
			a.Lines = append(a.Lines, answerLine{label, link, text})
		}
	}
	var roles []string
	for _, r := range d.roles[:min(fewNames, len(d.roles))] {
		roles = append(roles, shown(r.name)+": "+shown(r.before)+" → "+shown(r.after))
	}
	if more := len(d.roles) - len(roles); more > 0 {
		roles = append(roles, "and "+english.Number(more)+" more")
	}
	line(len(d.roles), "Roles", "changes-roles", strings.Join(roles, "; "))
	given, taken := d.given, d.alone.total-d.given
	var access []string
	if given > 0 {
		access = append(access, english.Number(given)+" given")
	}
	if taken > 0 {
		access = append(access, english.Number(taken)+" taken away")
	}
	line(d.alone.total, "Access", "changes-alone", join(access))
	var steps []string
	for _, step := range slices.Sorted(maps.Keys(d.steps)) {
		steps = append(steps, english.Number(d.steps[step])+" "+step)
	}
	line(d.staged.total, "Progress", "changes-steps", join(steps))
	line(d.accounts.total, "Accounts", "changes-accounts", d.counted("account"))
	line(d.resources.total, "Resources", "changes-resources", d.counted("resource"))
	line(d.other.total, "Other", "changes-other", english.Number(d.other.total))
	if len(a.Lines) == 0 {
		a.Text = "Nothing"
	}
	return a
}

// anchor returns a resource type as part of an element id.
func anchor(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(id))
}
