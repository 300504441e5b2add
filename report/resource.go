package report

import (
	"fmt"
	"maps"
	"slices"

	"baton"
	"baton/internal/english"
)

// resourceSections returns a section per resource type other than accounts, with the resources and
// their grants.
func (b *builder) resourceSections() []section {
	var list []section
	for _, id := range b.resourceTypes() {
		list = append(list, b.resourceSection(b.after.typeOf(id), b.after.resources[id]))
	}
	return list
}

// resourceTypes returns the types other than accounts: first those that the sync declares, in their
// order.
func (b *builder) resourceTypes() []string {
	var list []string
	for _, t := range b.after.types {
		if len(b.after.resources[t.ID]) > 0 && !slices.Contains(list, t.ID) {
			list = append(list, t.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.after.resources)) {
		if !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

func (b *builder) resourceSection(t baton.ResourceType, resources []*resource) section {
	name := shown(t.DisplayName)
	s := section{ID: "type-" + anchor(t.ID), Title: english.Plural(name), Lead: english.Count(len(resources), lower(name)) + "."}
	slugs := b.slugs(t, resources)
	if len(t.Ranks) > 0 {
		labels := make([]string, len(t.Ranks))
		for i, slug := range t.Ranks {
			labels[i] = title(words(slug))
		}
		_, counts := b.stages(t)
		s.Bar = bar(labels, counts)
		s.Lead += " Dates and other details of a grant are shown where the upstream gives them."
	}
	details := map[*resource]string{}
	held := 0
	for _, one := range resources {
		d, ok := b.resourceDetail(one, slugs)
		if !ok {
			continue
		}
		if len(s.Details) >= b.o.rows() || b.budget <= 0 {
			s.Cut = "The holders on further " + lower(english.Plural(name)) + " are in the CSV and JSON forms of this report."
			break
		}
		for _, t := range d.Tables {
			b.budget -= t.Shown
			held += t.Shown
		}
		details[one] = d.ID
		s.Details = append(s.Details, d)
	}
	s.Many = held > b.static
	for _, d := range s.Details {
		for i := range d.Tables {
			t := &d.Tables[i]
			if s.Many {
				t.Static = min(t.Static, staticListRows)
			}
			t.Static = min(t.Static, max(0, b.static))
			b.static -= t.Static
		}
	}
	s.Tables = []table{b.resourceTable(t, resources, slugs, details)}
	return s
}

// slugs returns the slugs of entitlements on resources of the type, ranks first and in their order.
func (b *builder) slugs(t baton.ResourceType, resources []*resource) []string {
	seen := map[string]bool{}
	for _, one := range resources {
		for _, e := range one.entitlements {
			seen[b.after.entitlements[e].slug] = true
		}
	}
	var list []string
	for _, slug := range t.Ranks {
		if seen[slug] {
			list = append(list, slug)
			delete(seen, slug)
		}
	}
	var rest []string
	for slug := range seen {
		rest = append(rest, slug)
	}
	slices.Sort(rest)
	return append(list, rest...)
}

const maxSlugs = 6 // slugs with their own column

func (b *builder) resourceTable(t baton.ResourceType, resources []*resource, slugs []string, details map[*resource]string) table {
	name := shown(t.DisplayName)
	all := table{ID: b.id("t"), Caption: "All " + lower(english.Plural(name)), Hidden: true, Columns: []column{{name, "w"}}}
	used := make([]bool, len(t.Columns))
	hasCreated, hasStatus := false, false
	for _, one := range resources {
		for i := range used {
			used[i] = used[i] || i < len(one.cells) && one.cells[i] != ""
		}
		hasCreated = hasCreated || !one.created.IsZero()
		hasStatus = hasStatus || one.status != baton.StatusUnspecified && one.status != baton.StatusEnabled
	}
	columns := slugs[:min(len(slugs), maxSlugs)]
	for _, slug := range columns {
		all.Columns = append(all.Columns, column{title(words(slug)), "n"})
	}
	if len(t.Ranks) > 0 {
		all.Columns = append(all.Columns, column{"Of those who began", "b"})
	}
	for i, c := range t.Columns {
		if used[i] {
			all.Columns = append(all.Columns, column{c.Title, ""})
		}
	}
	if hasStatus {
		all.Columns = append(all.Columns, column{"Status", ""})
	}
	if hasCreated {
		all.Columns = append(all.Columns, column{"Created", "d"})
	}
	all.Columns = append(all.Columns, column{"Id", "c"})
	return rows(all, b.o.rows(), resources, func(one *resource) []td {
		cells := []td{{Head: true, Name: shown(resourceLabel(one)), Link: details[one], Tags: b.resourceTags(one)}}
		counts := b.countBySlug(one, columns)
		for _, n := range counts {
			cells = append(cells, td{Number: english.Number(n)})
		}
		if len(t.Ranks) > 0 {
			labels := make([]string, len(columns))
			for i, slug := range columns {
				labels[i] = words(slug)
			}
			cells = append(cells, td{Bar: bar(labels, counts)})
		}
		for i := range t.Columns {
			if used[i] {
				text := ""
				if i < len(one.cells) {
					text = shown(one.cells[i])
				}
				cells = append(cells, td{Text: text})
			}
		}
		if hasStatus {
			cells = append(cells, td{Text: statusWord(one.status)})
		}
		if hasCreated {
			cells = append(cells, td{Date: day(one.created)})
		}
		return append(cells, td{Code: visible(one.id.ID)})
	})
}

func resourceLabel(t *resource) string {
	if t.name != "" {
		return t.name
	}
	return t.id.ID
}

// resourceTags returns tags for the role that a resource gives, and for one that is not listed.
func (b *builder) resourceTags(t *resource) []tag {
	var tags []tag
	for i, r := range b.after.roles.Roles {
		for _, e := range t.entitlements {
			if b.after.entitlements[e].roles&(1<<i) != 0 {
				level := ""
				if r.Privileged {
					level = "strong"
				}
				tags = append(tags, tag{level, shown(r.Name)})
				break
			}
		}
	}
	if !t.listed {
		tags = append(tags, tag{"warning", "not in this sync"})
	}
	return tags
}

func (b *builder) countBySlug(t *resource, slugs []string) []int {
	counts := make([]int, len(slugs))
	for _, e := range t.entitlements {
		if i := slices.Index(slugs, b.after.entitlements[e].slug); i >= 0 {
			counts[i] += len(b.after.entitlements[e].holders)
		}
	}
	return counts
}

// openRows is the number of rows up to which details are open at first, if the page has few.
const openRows = 12

// resourceDetail returns the grants on a resource; false if there are none.
func (b *builder) resourceDetail(t *resource, slugs []string) (detail, bool) {
	ranks := b.after.typeOf(t.id.Type).Ranks
	d := detail{ID: b.id("d"), Name: shown(resourceLabel(t)), Tags: b.resourceTags(t), Sub: shown(t.description)}
	var counts []string
	total := 0
	for _, slug := range slugs {
		for _, i := range t.entitlements {
			e := &b.after.entitlements[i]
			if e.slug != slug || len(e.holders) == 0 {
				continue
			}
			total += len(e.holders)
			if len(ranks) > 0 {
				counts = append(counts, english.Number(len(e.holders))+" "+shown(words(slug)))
			} else {
				counts = append(counts, english.Count(len(e.holders), shown(words(slug))))
			}
			d.Tables = append(d.Tables, b.holderTable(resourceLabel(t), e))
		}
	}
	d.Counts = join(counts)
	d.Open = total <= openRows && len(b.after.resources[t.id.Type]) <= openRows
	return d, total > 0
}

// maxKeys is the largest number of keys with a column.
const maxKeys = 4

// keys returns the keys in the details of an entitlement's grants.
func (b *builder) keys(e *entitlement) []string {
	seen := map[int32]bool{0: true}
	found := map[string]bool{}
	for _, h := range e.holders {
		if seen[h.metadata] {
			continue
		}
		seen[h.metadata] = true
		for i, part := range b.after.details(h) {
			if i%2 == 0 {
				found[part] = true
			}
		}
	}
	list := slices.Sorted(maps.Keys(found))
	return list[:min(maxKeys, len(list))]
}

func (b *builder) holderTable(name string, e *entitlement) table {
	t := table{ID: b.id("t"), Caption: fmt.Sprintf("%s: %s", shown(name), words(visible(e.slug))), Total: len(e.holders), Shown: min(len(e.holders), b.o.rows())}
	var columns []int
	add := func(key string) {
		if i := slices.IndexFunc(b.people(), func(c accountColumn) bool { return c.key == key }); i >= 0 {
			columns, t.Columns = append(columns, i), append(t.Columns, b.people()[i].column)
		}
	}
	for _, key := range []string{"account", "role", "status"} {
		add(key)
	}
	keys := b.keys(e)
	for _, key := range keys {
		columns, t.Columns = append(columns, noPerson), append(t.Columns, column{shown(title(words(key))), ""})
	}
	add("id")
	return b.peopleTable(t, columns, func(yield func(int32, []string) bool) {
		for _, h := range e.holders[:t.Shown] {
			var texts []string
			for _, key := range keys {
				texts = append(texts, dated(shown(b.after.detail(h, key))))
			}
			if !yield(h.member, texts) {
				return
			}
		}
	})
}
