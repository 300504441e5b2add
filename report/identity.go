package report

import (
	"cmp"
	"slices"
	"strings"

	"baton"
	"baton/internal/english"
)

// A file does not record its connector or its tenant. The resource types and the domains of the accounts are
// evidence of both.

// match grades how well the resource types of a connector fit those of a file.
type match int

const (
	foreign match = iota // the file has types that the connector does not know
	similar              // the same ids and traits: the connector's descriptions apply
	own                  // the same descriptions as well: the connector wrote it
)

// matchTypes compares the resource types of a file with those of a connector. A partial
// sync may lack some.
func matchTypes(c *baton.Connector, types []baton.ResourceType) match {
	if len(types) == 0 {
		return foreign
	}
	best := own
	for _, t := range types {
		declared, ok := c.ResourceType(t.ID)
		if !ok || !slices.Equal(slices.Sorted(slices.Values(declared.Traits)), slices.Sorted(slices.Values(t.Traits))) {
			return foreign
		}
		if t.Description == "" || t.Description != declared.Description {
			best = similar
		}
	}
	return best
}

// recognise returns the parts of the connector that apply to the file: all of them, or none if the
// file does not look like one of the connector. The name is set only if the connector wrote it.
func recognise(c *baton.Connector, types []baton.ResourceType) *baton.Connector {
	switch matchTypes(c, types) {
	case own:
		return c
	case similar:
		nameless := *c
		nameless.Name, nameless.DisplayName = "", ""
		return &nameless
	}
	return new(baton.Connector)
}

// domain is the domain of e-mail addresses, and how many accounts have one there.
type domain struct {
	name     string
	accounts int
}

// domains returns the domains of the accounts' addresses, the most frequent first, and
// how many accounts have an address.
func (p *population) domains() (list []domain, addressed int) {
	count := map[string]int{}
	for i := range p.members {
		m := &p.members[i]
		at := strings.LastIndexByte(m.email, '@')
		if !m.account || at < 1 || at == len(m.email)-1 {
			continue
		}
		addressed++
		count[strings.ToLower(m.email[at+1:])]++
	}
	for name, n := range count {
		list = append(list, domain{name, n})
	}
	slices.SortFunc(list, func(a, b domain) int {
		return cmp.Or(cmp.Compare(b.accounts, a.accounts), cmp.Compare(a.name, b.name))
	})
	return list, addressed
}

// tenant returns the domain that most accounts belong to, "" if there is none.
func (p *population) tenant() string {
	list, addressed := p.domains()
	if len(list) == 0 || list[0].accounts*2 <= addressed {
		return ""
	}
	return list[0].name
}

// domainList returns text such as "acme.example (24 accounts), partner.example (1 account)".
func (p *population) domainList() string {
	const few = 3
	list, _ := p.domains()
	var parts []string
	for _, d := range list[:min(few, len(list))] {
		parts = append(parts, shown(d.name)+" ("+english.Count(d.accounts, "account")+")")
	}
	text := join(parts)
	if more := len(list) - few; more > 0 {
		text += " and " + english.Count(more, "further domain")
	}
	return text
}
