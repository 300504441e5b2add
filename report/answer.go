package report

import (
	"fmt"
	"strings"

	"baton"
)

// answers are the questions that a reviewer begins with.
func (b *builder) answers() []answer {
	t := b.after.tally()
	var list []answer
	if roles := b.after.roles; len(roles.Roles) > 0 {
		list = b.roleAnswers(roles, t)
	} else {
		list = append(list, answer{Question: "How many accounts are there?", Figure: number(t.accounts), Link: "accounts",
			Text: fmt.Sprintf("%s not disabled, %s disabled", number(t.enabled), number(t.accounts-t.enabled))})
		list = append(list, b.stageAnswers()...)
		a := answer{Question: "Who is disabled, and still holds something?", Figure: number(t.dormant.n), Link: "dormant", Level: warnIf(t.dormant.n > 0)}
		a.Names, a.More = names(t.dormant)
		if t.dormant.n == 0 {
			a.Text, a.Link = "Nobody", ""
		}
		list = append(list, a)
	}
	if t.strangers > 0 {
		list = append(list, answer{Question: "Who holds something, and has no account in this sync?", Figure: number(t.strangers), Level: "warning", Link: "accounts",
			Text: "They are named by grants only."})
	}
	return append(list, b.changeAnswers()...)
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
		a := answer{Question: "Who is " + shown(r.Name) + "?", Figure: number(t.role[i].n), Link: "roles", Level: "ok"}
		a.Names, a.More = names(t.role[i])
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
	both := answer{Question: "Who holds several roles?", Figure: number(t.both.n), Link: "roles", Level: "ok", Text: "Nobody"}
	if t.both.n > 0 {
		both.Link = "roles-several"
		both.Names, both.More = names(t.both)
		both.Text = shown(roles.Counts) + " counts, by the priority that was set"
		if roles.Counts == "" {
			both.Level, both.Text = "warning", "Which role counts is not known; they are counted under the more powerful one"
		}
	}
	none := answer{Question: "Who has no role?", Figure: number(t.none.n), Link: "roles", Level: "ok", Text: "Nobody who can sign in"}
	if t.none.n > 0 {
		none.Text, none.Link = "", "roles-none"
		none.Names, none.More = names(t.none)
	}
	dormant := answer{Question: "Who is disabled, yet in a role group?", Figure: number(t.dormant.n), Link: "roles", Level: warnIf(t.dormant.n > 0), Text: "Nobody"}
	if t.dormant.n > 0 {
		dormant.Link = "roles-disabled"
		dormant.Names, dormant.More = names(t.dormant)
		dormant.Text = "Enabling the account gives the role back"
	}
	return append(list, both, none, dormant)
}

// stageAnswers sum up types whose entitlements are stages of one thing.
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
				parts = append(parts, number(n)+" "+words(slugs[i]))
			}
		}
		list = append(list, answer{
			Question: "How often is a " + lower(shown(t.DisplayName)) + " " + words(slugs[0]) + "?", Figure: number(counts[0]), Link: "type-" + anchor(t.ID),
			Text: strings.Join(parts, ", ") + ", on " + plural(len(b.after.things[t.ID]), lower(shown(t.DisplayName))),
		})
	}
	return list
}

// stages count the grants of a type by rank.
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

// changeAnswers say what changed since the sync before.
func (b *builder) changeAnswers() []answer {
	if b.before == nil {
		return []answer{{Question: "What changed since the last sync?", Figure: "–",
			Text: "There is no full sync before this one to compare with."}}
	}
	d := &b.diff
	since := b.o.Before.Ended.UTC().Format("2 January 2006")
	moved := answer{Question: "What changed since " + since + "?", Figure: number(d.total), Link: "changes", Level: "ok", Text: "Nothing"}
	if d.total > 0 {
		moved.Text = d.sentence()
	}
	list := []answer{moved}
	if len(b.after.roles.Roles) > 0 {
		a := answer{Question: "Whose role changed?", Figure: number(len(d.roles)), Link: "changes", Level: warnIf(d.privileged > 0), Text: "Nobody's"}
		if len(d.roles) > 0 {
			a.Text, a.Link = "", "changes-roles"
			for _, r := range d.roles[:min(fewNames, len(d.roles))] {
				a.Names = append(a.Names, shown(r.name)+": "+r.before+" → "+r.after)
			}
			a.More = len(d.roles) - len(a.Names)
		}
		list = append(list, a)
	}
	alone := answer{Question: "Which access changed on its own?", Figure: number(d.alone.total), Link: "changes", Level: "ok",
		Text: "None: what came or went did so with its account or resource"}
	if d.alone.total > 0 {
		alone.Link = "changes-alone"
		alone.Text = fmt.Sprintf("%s given, %s taken away, without the account or the resource coming or going", number(d.given), number(d.alone.total-d.given))
	}
	return append(list, alone)
}

// anchor is a resource type as part of an id.
func anchor(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(id))
}
