package report

import (
	"baton/c1z"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"baton"
)

// differencesOf is what the page says of two syncs. Each list keeps as many rows as a
// table has; the totals count all.
type differencesOf struct {
	total, same   int
	alone, staged kept[grantChange] // grants without, and with, another stage of the same thing
	given         int               // of those alone
	accounts      kept[resourceChange]
	things        kept[resourceChange]
	other         kept[otherChange]
	follow        int // grants and entitlements that came or went with something else, or follow a new name
	roles         []roleChange
	privileged    int // of the roles
	with          map[baton.ResourceID][2]int
	counts        map[string]int
}

// kept is the first rows of something, and how many there are.
type kept[T any] struct {
	rows  []T
	total int
}

func (k *kept[T]) add(limit int, one T) {
	if k.total++; len(k.rows) < limit {
		k.rows = append(k.rows, one)
	}
}

type grantChange struct {
	kind  string
	grant *c1z.Grant
	why   string
}

type resourceChange struct {
	kind       string
	id         baton.ResourceID
	name, sub  string
	attributes []attribute
}

type otherChange struct {
	kind, id, name, why string
	attributes          []attribute
}

type roleChange struct {
	id                  baton.ResourceID
	name, before, after string
	privileged          bool
	rank                int
}

func (b *builder) compare(ctx context.Context) (err error) {
	d := &b.diff
	d.with, d.counts = map[baton.ResourceID][2]int{}, map[string]int{}
	d.same, err = compareSyncs(ctx, b.o.Connector, b.before, b.after, func(ch change) error {
		d.total++
		b.sortOut(ch)
		return nil
	})
	b.compareRoles()
	return err
}

// sortOut puts a change where the page shows it.
func (b *builder) sortOut(ch change) {
	d, limit := &b.diff, b.o.rows()
	switch {
	case ch.resource != [2]*baton.Resource{}:
		r := ch.resource[1]
		if r == nil {
			r = ch.resource[0]
		}
		row := resourceChange{kind: ch.kind, id: r.ID, name: r.DisplayName, attributes: distinct(ch.attributes)}
		if r.User != nil {
			row.sub = addressOf(r.User)
			d.counts["account "+ch.kind]++
			d.accounts.add(limit, row)
			return
		}
		d.counts["resource "+ch.kind]++
		d.things.add(limit, row)
	case ch.grant != [2]*c1z.Grant{}:
		g := ch.grant[1]
		if g == nil {
			g = ch.grant[0]
		}
		d.counts["grant "+ch.kind]++
		b.sortOutGrant(ch, g)
	default:
		e := ch.entitlement[1]
		if e == nil {
			e = ch.entitlement[0]
		}
		d.counts["entitlement "+ch.kind]++
		if ch.why != "" {
			d.follow++
			return
		}
		d.other.add(limit, otherChange{ch.kind, e.ID, e.DisplayName, ch.why, ch.attributes})
	}
}

func (b *builder) sortOutGrant(ch change, g *c1z.Grant) {
	d, limit := &b.diff, b.o.rows()
	row := grantChange{ch.kind, g, ch.why}
	switch {
	case ch.kind == modified && ch.why != "":
		d.follow++
	case ch.kind == modified:
		d.other.add(limit, otherChange{ch.kind, g.ID, b.nameOf(g.Principal) + ", " + b.entitlementName(g.Entitlement, g.Resource), ch.why, ch.attributes})
	case ch.why == "":
		d.alone.add(limit, row)
		if ch.kind == created {
			d.given++
		}
	case strings.HasPrefix(ch.why, "was ") || strings.HasPrefix(ch.why, "became "):
		if ch.kind == created { // the other half of the same step
			d.staged.add(limit, row)
		}
	default:
		d.follow++
		for _, id := range []baton.ResourceID{g.Principal, g.Resource} {
			n := d.with[id]
			n[flag(ch.kind == removed)]++
			d.with[id] = n
		}
	}
}

// nameOf is the name of an account or resource in the newer sync, or else in the older.
func (b *builder) nameOf(id baton.ResourceID) string {
	for _, p := range []*population{b.after, b.before} {
		if p == nil {
			continue
		}
		if i, ok := p.byID[id]; ok && p.members[i].name != "" {
			return p.members[i].name
		}
		if t := p.thingOf[id]; t != nil && t.name != "" {
			return t.name
		}
	}
	return id.ID
}

func (b *builder) emailOf(id baton.ResourceID) string {
	for _, p := range []*population{b.after, b.before} {
		if p == nil {
			continue
		}
		if i, ok := p.byID[id]; ok && p.members[i].email != "" {
			return p.members[i].email
		}
	}
	return ""
}

// entitlementName is the name of what is held, with its resource.
func (b *builder) entitlementName(id string, resource baton.ResourceID) string {
	for _, p := range []*population{b.after, b.before} {
		if p == nil {
			continue
		}
		if i, ok := p.heldAs[id]; ok && p.entitlements[i].listed {
			return p.entitlements[i].name
		}
	}
	return b.nameOf(resource) + " " + words(slugOf(id, resource))
}

// sentence counts the changes: "2 accounts disabled, 1 grant created".
func (d *differencesOf) sentence() string {
	var parts []string
	for _, what := range []string{"account", "resource", "entitlement", "grant"} {
		for _, kind := range []string{created, removed, disabled, enabled, modified} {
			if n := d.counts[what+" "+kind]; n > 0 {
				parts = append(parts, plural(n, what)+" "+kind)
			}
		}
	}
	return strings.Join(parts, ", ")
}

// compareRoles finds who stands elsewhere than before, the privileged first.
func (b *builder) compareRoles() {
	roles := b.after.roles
	if len(roles.Roles) == 0 || len(b.before.roles.Roles) == 0 {
		return
	}
	where := func(p *population, id baton.ResourceID) (text string, privileged bool, rank int) {
		i, ok := p.byID[id]
		if !ok || !p.members[i].listed {
			return "no account", false, len(roles.Roles)
		}
		m := &p.members[i]
		text = standing(p.roles, m.roles)
		if text == "" {
			text = "no role"
		}
		if m.disabled() {
			return text + ", disabled", false, len(roles.Roles)
		}
		e, _ := effective(p.roles, m.roles)
		return text, e >= 0 && p.roles.Roles[e].Privileged, p.rank(m)
	}
	look := func(id baton.ResourceID) {
		was, wasPrivileged, wasRank := where(b.before, id)
		is, isPrivileged, isRank := where(b.after, id)
		// An account without a role that comes, goes or is disabled is no change of role.
		if was == is || wasRank == len(roles.Roles) && isRank == len(roles.Roles) {
			return
		}
		b.diff.roles = append(b.diff.roles, roleChange{id, b.nameOf(id), was, is, wasPrivileged || isPrivileged, min(wasRank, isRank)})
		b.diff.privileged += flag(wasPrivileged || isPrivileged)
	}
	for i := range b.after.members {
		look(b.after.members[i].id)
	}
	for i := range b.before.members {
		if id := b.before.members[i].id; !b.after.knows(id) {
			look(id)
		}
	}
	slices.SortStableFunc(b.diff.roles, func(x, y roleChange) int {
		return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(folded(x.name), folded(y.name)), cmp.Compare(x.id.ID, y.id.ID))
	})
}

func (p *population) knows(id baton.ResourceID) bool {
	_, ok := p.byID[id]
	return ok
}

// came is "with 3 grants given, 1 taken away".
func came(n [2]int) string {
	var parts []string
	for i, word := range []string{"given", "taken away"} {
		if n[i] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", plural(n[i], "grant"), word))
		}
	}
	return strings.Join(parts, ", ")
}
