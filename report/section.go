package report

import (
	"fmt"
	"iter"
	"slices"

	"baton"
	"baton/internal/english"
)

// Words for changes, with the class for their colour.
func mark(kind string) tag {
	level := map[string]string{created: "new", enabled: "new", removed: "gone", disabled: "gone"}[kind]
	return tag{level, kind}
}

func (b *builder) changeSection() section {
	d := &b.diff
	s := section{ID: "changes", Nav: "Changes", Title: "What changed since " + moment(b.o.Before.Ended),
		Lead: "Each change is listed once, with what came or went with it. Syncs do not record who made a change."}
	if d.events() == 0 {
		s.Lead = "Nothing. Both syncs hold the same resources, entitlements and grants."
		return s
	}
	add := func(t table) {
		if t.Total > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	roles := table{ID: "changes-roles", Caption: "Roles that changed", Columns: []column{{"Account", "w"}, {"Before", ""}, {"After", ""}, {"Because", "w"}, {"Id", "c"}}}
	add(rows(roles, b.o.rows(), d.roles, func(r roleChange) []td {
		after := td{Text: shown(r.after)}
		if r.privileged {
			after.Tags, after.Text = []tag{{"warning", shown(r.after)}}, ""
		}
		because := slices.Clone(r.because)
		if text := came(d.with[r.id]); text != "" {
			because = append(because, text)
		}
		for i := range because {
			because[i] = shown(because[i])
		}
		return []td{b.who(r.id), {Text: shown(r.before)}, after, {Text: join(because)}, {Code: visible(r.id.ID)}}
	}))
	grant := func(g grantChange) []td {
		return []td{b.who(g.grant.Principal), {Tags: []tag{grantMark(g)}}, {Text: shown(b.entitlementName(g.grant.Entitlement, g.grant.Resource))}, {Code: visible(g.grant.ID)}}
	}
	alone := table{ID: "changes-alone", Caption: "Access given or taken away", Columns: []column{{"Account", "w"}, {"Change", ""}, {"Access", "w"}, {"Grant", "c"}},
		Lead: "The account and the resource stayed."}
	add(capped(rows(alone, b.o.rows(), d.alone.rows, grant), d.alone.total))
	staged := table{ID: "changes-steps", Caption: "Progress", Columns: []column{{"Account", "w"}, {"Step", ""}, {"On", "w"}, {"Grant", "c"}}}
	add(capped(rows(staged, b.o.rows(), d.staged.rows, func(g grantChange) []td {
		return []td{b.who(g.grant.Principal), {Tags: []tag{{"new", shown(g.step)}}}, {Text: shown(b.nameOf(g.grant.Resource))}, {Code: visible(g.grant.ID)}}
	}), d.staged.total))
	resource := func(r resourceChange) []td {
		return []td{{Head: true, Name: shown(r.name), Sub: shown(r.sub)}, {Tags: []tag{mark(r.kind)}}, {Diff: r.attributes}, {Text: came(d.with[r.id])}, {Code: visible(r.id.String())}}
	}
	for _, of := range []struct {
		id, caption, what string
		list              kept[resourceChange]
	}{{"changes-accounts", "Accounts", "Account", d.accounts}, {"changes-resources", "Resources", "Resource", d.resources}} {
		t := table{ID: of.id, Caption: of.caption, Columns: []column{{of.what, "w"}, {"Change", ""}, {"Attributes, before and after", "w"}, {"Grants with it", ""}, {"Id", "c"}}}
		add(capped(rows(t, b.o.rows(), of.list.rows, resource), of.list.total))
	}
	other := table{ID: "changes-other", Caption: "Other changes", Columns: []column{{"What", "w"}, {"Change", ""}, {"Attributes, before and after", "w"}, {"Id", "c"}}}
	add(capped(rows(other, b.o.rows(), d.other.rows, func(o otherChange) []td {
		return []td{{Head: true, Name: shown(o.name)}, {Tags: []tag{mark(o.kind)}}, {Diff: o.attributes}, {Code: visible(o.id)}}
	}), d.other.total))
	return s
}

func capped(t table, total int) table {
	t.Total = total
	return t
}

func grantMark(g grantChange) tag {
	if g.kind == created {
		return tag{"new", "given"}
	}
	return tag{"gone", "taken away"}
}

// who returns the cell of an account in the newer or the older sync.
func (b *builder) who(id baton.ResourceID) td {
	return td{Head: true, Name: shown(b.nameOf(id)), Sub: shown(b.emailOf(id))}
}

// person returns the cell of an account of the sync.
func (b *builder) person(m *member) td {
	cell := td{Head: true, Name: shown(nameOf(m)), Sub: shown(m.email)}
	if cell.Sub == cell.Name {
		cell.Sub = ""
	}
	return cell
}

func (b *builder) statusTags(m *member) []tag {
	switch {
	case !m.listed:
		return []tag{{"warning", "not in this sync"}}
	case m.disabled():
		return []tag{{"gone", statusWord(m.status)}}
	}
	return []tag{{"", statusWord(m.status)}}
}

func (b *builder) roleTags(m *member) []tag {
	i, sure := effective(b.after.roles, m.roles)
	if i < 0 {
		return nil
	}
	level := ""
	if b.after.roles.Roles[i].Privileged {
		level = "strong"
	}
	if !sure {
		level = "warning"
	}
	return []tag{{level, shown(roleText(b.after.roles, m.roles))}}
}

func (b *builder) roleSection() section {
	p := b.after
	t := p.tally()
	s := section{ID: "roles", Title: "Roles", Lead: "An account has a role if it is in a group that gives the role. Disabled accounts are counted separately."}
	labels, counts := []string{}, []int{}
	for i, r := range p.roles.Roles {
		labels, counts = append(labels, shown(r.Name)), append(counts, t.role[i].n)
	}
	s.Bar = bar(append(labels, "No role"), append(counts, t.none.n))
	overview := table{ID: b.id("t"), Caption: "What gives which role", Columns: []column{{"Role", ""}, {"Given by", "w"}, {"Counts for", "n"}, {"Also held by disabled", "n"}}}
	indexes := make([]int, len(p.roles.Roles))
	for i := range indexes {
		indexes[i] = i
	}
	s.Tables = append(s.Tables, rows(overview, b.o.rows(), indexes, func(i int) []td {
		r := p.roles.Roles[i]
		var given []string
		for _, id := range r.Entitlements {
			given = append(given, shown(b.entitlementName(id.String(), id.Resource)))
		}
		if len(given) == 0 {
			given = []string{"nothing that was recognised"}
		}
		asleep := 0
		for m := range p.people() {
			asleep += flag(m.account && m.disabled() && m.roles&(1<<i) != 0)
		}
		return []td{{Head: true, Name: shown(r.Name)}, {Text: join(given)}, {Number: english.Number(t.role[i].n)}, {Number: english.Number(asleep)}}
	}))
	for i, r := range p.roles.Roles {
		if r.Privileged {
			s.Tables = append(s.Tables, b.accountTable(roleID(i), "Everybody who is "+shown(r.Name), "", func(m *member) bool {
				e, _ := effective(p.roles, m.roles)
				return m.account && !m.disabled() && e == i
			}))
		}
	}
	several := b.accountTable("roles-several", "Accounts that hold several roles", "", func(m *member) bool {
		return m.account && !m.disabled() && m.roles&(m.roles-1) != 0
	})
	asleep := b.accountTable("roles-disabled", "Disabled accounts in a role group", "Enabling such an account gives the role back.", func(m *member) bool {
		return m.account && m.disabled() && m.roles != 0
	})
	none := b.accountTable("roles-none", "Accounts without a role", "They are enabled, and in no group that gives one.", func(m *member) bool {
		return m.account && !m.disabled() && m.roles == 0
	})
	for _, t := range []table{several, asleep, none} {
		if t.Total > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	return s
}

// roleID is the element id of the table of accounts with a privileged role.
func roleID(i int) string { return fmt.Sprintf("roles-%d", i) }

func (b *builder) dormantSection() (section, bool) {
	t := b.accountTable(b.id("t"), "Disabled accounts that hold access", "", func(m *member) bool {
		return m.account && m.disabled() && len(m.holds) > 0
	})
	return section{ID: "dormant", Nav: "Disabled", Title: "Disabled accounts that hold access", Tables: []table{t}}, t.Total > 0
}

func (p *population) people() iter.Seq[*member] {
	return func(yield func(*member) bool) {
		for i := range p.members {
			if !yield(&p.members[i]) {
				return
			}
		}
	}
}

// accountSection lists all accounts, including those that only grants name.
func (b *builder) accountSection() section {
	t := b.accountTable(b.id("t"), "All accounts", "", func(m *member) bool { return m.account || !m.listed })
	t.Hidden = true
	return section{ID: "accounts", Title: "Accounts", Lead: english.Count(t.Total, "account") + ", those with the most powerful role first.", Tables: []table{t}}
}

// accountColumn is a column of a table of accounts. It is left out if it would be empty.
type accountColumn struct {
	key string // "" for the connector's columns
	column
	has  func(*member) bool
	cell func(*member) td
}

// people returns the columns that any account uses. Each has a place in the data.
func (b *builder) people() []accountColumn {
	if b.columns != nil {
		return b.columns
	}
	for _, c := range b.accountColumns() {
		for m := range b.after.people() {
			if c.has(m) {
				b.columns = append(b.columns, c)
				break
			}
		}
	}
	return b.columns
}

func (b *builder) accountColumns() []accountColumn {
	p := b.after
	always := func(*member) bool { return true }
	list := []accountColumn{{"account", column{"Account", "w"}, always, b.person}}
	if len(p.roles.Roles) > 0 {
		list = append(list, accountColumn{"role", column{"Role", ""}, func(m *member) bool { return m.roles != 0 }, func(m *member) td { return td{Tags: b.roleTags(m)} }})
	}
	list = append(list, accountColumn{"status", column{"Status", ""}, always, func(m *member) td { return td{Tags: b.statusTags(m)} }})
	for _, t := range p.types {
		for i, col := range t.Columns {
			if slices.Contains(t.Traits, baton.TraitUser) {
				list = append(list, accountColumn{"", column{shown(col.Title), ""},
					func(m *member) bool { return m.id.Type == t.ID && i < len(m.cells) && m.cells[i] != "" },
					func(m *member) td {
						if m.id.Type != t.ID || i >= len(m.cells) {
							return td{}
						}
						return td{Text: shown(m.cells[i])}
					}})
			}
		}
	}
	return append(list,
		accountColumn{"holds", column{"Holds", "w"}, func(m *member) bool { return len(m.holds) > 0 }, b.holds},
		accountColumn{"created", column{"Created", "d"}, func(m *member) bool { return !m.created.IsZero() }, func(m *member) td { return td{Date: day(m.created)} }},
		accountColumn{"login", column{"Last login", "d"}, func(m *member) bool { return !m.login.IsZero() }, func(m *member) td { return td{Date: day(m.login)} }},
		accountColumn{"id", column{"Id", "c"}, always, func(m *member) td { return td{Code: visible(m.id.ID)} }},
	)
}

// holds lists what an account holds, the first few by name.
func (b *builder) holds(m *member) td {
	const few = 3
	var list []string
	for _, e := range m.holds[:min(few, len(m.holds))] {
		held := &b.after.entitlements[e]
		name := shown(b.nameOf(held.resource))
		if slug := words(held.slug); slug != "member" {
			name += " (" + slug + ")"
		}
		list = append(list, name)
	}
	text := join(list)
	if more := len(m.holds) - few; more > 0 {
		text += fmt.Sprintf(" and %s more", english.Number(more))
	}
	return td{Text: text}
}

// accountTable returns a table of the accounts for which want returns true.
func (b *builder) accountTable(id, caption, lead string, want func(*member) bool) table {
	t := table{ID: id, Caption: caption, Lead: lead, Empty: "Nobody."}
	all := b.people()
	used := make([]bool, len(all))
	for m := range b.after.people() {
		if want(m) {
			t.Total++
			for i := range all {
				used[i] = used[i] || all[i].has(m)
			}
		}
	}
	t.Shown = min(t.Total, b.o.rows())
	var columns []int
	for i, c := range all {
		if used[i] {
			columns, t.Columns = append(columns, i), append(t.Columns, c.column)
		}
	}
	return b.peopleTable(t, columns, func(yield func(int32, []string) bool) {
		left := t.Shown
		for i := range b.after.members {
			if left == 0 {
				return
			}
			if want(&b.after.members[i]) {
				left--
				if !yield(int32(i), nil) {
					return
				}
			}
		}
	})
}

// peopleTable completes a table of accounts whose columns are those of people, or texts of
// the row.
func (b *builder) peopleTable(t table, columns []int, members iter.Seq2[int32, []string]) table {
	all := b.people()
	t.Static = min(t.Shown, staticRows)
	t.People = &peopleRows{columns, members}
	t.Rows = func(yield func([]td) bool) {
		for n, texts := range members {
			cells := make([]td, len(columns))
			for i, c := range columns {
				if c == noPerson {
					cells[i], texts = td{Text: texts[0]}, texts[1:]
					continue
				}
				cells[i] = all[c].cell(&b.after.members[n])
			}
			if !yield(cells) {
				return
			}
		}
	}
	return t
}
