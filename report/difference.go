package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"baton"
	"baton/c1z"
	"baton/internal/english"
)

// differencesOf prepares the comparison of two syncs for the page. Each event is in one list: an
// account whose role changed is in the list of roles, with the grants and the status that changed
// it; a grant that was added or removed together with an account or a resource is counted there.
// Lists keep as many rows as a table has; totals count all.
type differencesOf struct {
	total, same   int               // rows that changed, and rows that differ only in their encoding
	alone, staged kept[grantChange] // independent grants, and steps from one stage of a resource to another
	given         int               // how many of alone were given
	steps         map[string]int    // staged by "in progress → completed"
	accounts      kept[resourceChange]
	resources     kept[resourceChange]
	other         kept[otherChange]
	roles         []roleChange
	roleOf        map[baton.ResourceID]int // place in roles
	privileged    int                      // of the roles
	with          map[baton.ResourceID][2]int
	counts        map[string]int // of accounts and resources by kind: "account disabled"
}

// events returns the number of events.
func (d *differencesOf) events() int {
	return len(d.roles) + d.alone.total + d.staged.total + d.accounts.total + d.resources.total + d.other.total
}

// kept holds the first rows of a list, and the number of all rows.
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
	step  string // "in progress → completed"
}

type resourceChange struct {
	kind       string
	id         baton.ResourceID
	name, sub  string
	attributes []attribute
}

type otherChange struct {
	kind, id, name string
	attributes     []attribute
}

type roleChange struct {
	id                  baton.ResourceID
	name, before, after string
	privileged          bool
	rank                int
	because             []string // what changed the role: "given PPLX_Admin member"
}

func (b *builder) compare(ctx context.Context) (err error) {
	d := &b.diff
	d.with, d.counts, d.steps, d.roleOf = map[baton.ResourceID][2]int{}, map[string]int{}, map[string]int{}, map[baton.ResourceID]int{}
	b.compareRoles()
	d.same, err = compareSyncs(ctx, b.after.connector, b.before, b.after, func(ch change) error {
		d.total++
		b.sortOut(ch)
		return nil
	})
	return err
}

// sortOut adds a change to its list.
func (b *builder) sortOut(ch change) {
	d, limit := &b.diff, b.o.rows()
	switch {
	case ch.resource != [2]*baton.Resource{}:
		b.sortOutResource(ch)
	case ch.grant != [2]*c1z.Grant{}:
		g := ch.grant[1]
		if g == nil {
			g = ch.grant[0]
		}
		b.sortOutGrant(ch, g)
	default:
		e := ch.entitlement[1]
		if e == nil {
			e = ch.entitlement[0]
		}
		if ch.why == "" {
			d.other.add(limit, otherChange{ch.kind, e.ID, e.DisplayName, ch.attributes})
		}
	}
}

func (b *builder) sortOutResource(ch change) {
	d, limit := &b.diff, b.o.rows()
	r := ch.resource[1]
	if r == nil {
		r = ch.resource[0]
	}
	row := resourceChange{kind: ch.kind, id: r.ID, name: r.DisplayName, attributes: distinct(ch.attributes)}
	if r.User == nil {
		d.counts["resource "+ch.kind]++
		d.resources.add(limit, row)
		return
	}
	if at, ok := d.roleOf[r.ID]; ok && ch.kind != modified {
		d.roles[at].because = append(d.roles[at].because, "account "+ch.kind)
		row.attributes = slices.DeleteFunc(row.attributes, func(a attribute) bool { return a.name == "status" })
		if len(row.attributes) == 0 {
			return // the table of roles shows it
		}
		row.kind = modified
	}
	row.sub = addressOf(r.User)
	d.counts["account "+row.kind]++
	d.accounts.add(limit, row)
}

func (b *builder) sortOutGrant(ch change, g *c1z.Grant) {
	d, limit := &b.diff, b.o.rows()
	if at, ok := d.roleOf[g.Principal]; ok && ch.kind != modified && b.givesRole(g.Entitlement) {
		verb := map[string]string{created: "given ", removed: "taken away "}[ch.kind]
		d.roles[at].because = append(d.roles[at].because, verb+b.entitlementName(g.Entitlement, g.Resource))
		return
	}
	row := grantChange{kind: ch.kind, grant: g}
	switch {
	case ch.kind == modified && ch.why == "":
		d.other.add(limit, otherChange{ch.kind, g.ID, b.nameOf(g.Principal) + ", " + b.entitlementName(g.Entitlement, g.Resource), ch.attributes})
	case ch.kind == modified: // only a renamed resource
	case ch.why == "":
		d.alone.add(limit, row)
		if ch.kind == created {
			d.given++
		}
	case ch.stage != "":
		if ch.kind == created { // count each step once
			row.step = words(ch.stage) + " → " + words(slugOf(g.Entitlement, g.Resource))
			d.staged.add(limit, row)
			d.steps[row.step]++
		}
	default:
		for _, id := range []baton.ResourceID{g.Principal, g.Resource} {
			n := d.with[id]
			n[flag(ch.kind == removed)]++
			d.with[id] = n
		}
	}
}

// givesRole reports whether the entitlement gives a role in either sync.
func (b *builder) givesRole(id string) bool {
	for _, p := range []*population{b.after, b.before} {
		if i, ok := p.heldAs[id]; ok && p.entitlements[i].roles != 0 {
			return true
		}
	}
	return false
}

// nameOf returns the name of an account or resource in the newer sync, or else in the older one.
func (b *builder) nameOf(id baton.ResourceID) string {
	for _, p := range []*population{b.after, b.before} {
		if p == nil {
			continue
		}
		if i, ok := p.byID[id]; ok && p.members[i].name != "" {
			return p.members[i].name
		}
		if t := p.resourceOf[id]; t != nil && t.name != "" {
			return t.name
		}
	}
	return id.ID
}

// labelOf returns the name of an account, with its address if several accounts have the name.
func (b *builder) labelOf(id baton.ResourceID) string {
	for _, p := range []*population{b.after, b.before} {
		if i, ok := p.byID[id]; ok && p.members[i].listed {
			return p.label(&p.members[i])
		}
	}
	return b.nameOf(id)
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

// entitlementName returns the name of an entitlement, with its resource.
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

// counted returns counts of accounts or resources, such as "2 created, 1 disabled".
func (d *differencesOf) counted(what string) string {
	var parts []string
	for _, kind := range []string{created, removed, disabled, enabled, modified} {
		if n := d.counts[what+" "+kind]; n > 0 {
			parts = append(parts, english.Number(n)+" "+kind)
		}
	}
	return join(parts)
}

// compareRoles finds the accounts whose role changed, privileged roles first.
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
		text = roleText(p.roles, m.roles)
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
		// Adding, removing or disabling an account without a role does not change roles.
		if was == is || wasRank == len(roles.Roles) && isRank == len(roles.Roles) {
			return
		}
		b.diff.roles = append(b.diff.roles, roleChange{id: id, name: b.labelOf(id), before: was, after: is,
			privileged: wasPrivileged || isPrivileged, rank: min(wasRank, isRank)})
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
	for i, r := range b.diff.roles {
		b.diff.roleOf[r.id] = i
	}
}

func (p *population) knows(id baton.ResourceID) bool {
	_, ok := p.byID[id]
	return ok
}

// came returns a phrase such as "with 3 grants given, 1 taken away".
func came(n [2]int) string {
	var parts []string
	for i, word := range []string{"given", "taken away"} {
		if n[i] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", english.Count(n[i], "grant"), word))
		}
	}
	return join(parts)
}
