package report

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/c1z"
)

// population holds the accounts, resources and grants of a sync. It takes about 300 bytes per
// account and 20 per grant, and keeps no row as it was read.
type population struct {
	sync         *c1z.Sync
	connector    *baton.Connector // the parts that apply to this file
	types        []baton.ResourceType
	members      []member // accounts, in the order of the page once sorted
	resources    map[string][]*resource
	entitlements []entitlement
	roles        baton.Roles
	notes        []baton.Note
	counts       []c1z.Count
	grants       int

	byID       map[baton.ResourceID]int32 // into members
	resourceOf map[baton.ResourceID]*resource
	heldAs     map[string]int32 // into entitlements, by id
	words      interned
	named      map[string]int32 // how many accounts have a name, in lower case
}

// member is an account, or another principal that holds something.
type member struct {
	id      baton.ResourceID
	name    string
	email   string
	status  baton.Status
	created time.Time
	login   time.Time
	cells   []string // of the type's columns
	roles   uint32   // a bit for each role
	holds   []int32  // entitlements
	listed  bool     // the sync lists it; otherwise only a grant names it
	account bool     // an account, not a group that holds something
}

// disabled reports whether the account cannot be used. An unknown status counts as usable.
func (m *member) disabled() bool {
	return m.status == baton.StatusDisabled || m.status == baton.StatusDeleted
}

// thing is a resource that is not an account: a group, a course.
type resource struct {
	id           baton.ResourceID
	name         string
	description  string
	status       baton.Status
	created      time.Time
	cells        []string
	entitlements []int32
	listed       bool
}

type entitlement struct {
	id       string
	resource baton.ResourceID
	slug     string // its slug, or the rest of its id if it has none
	name     string
	holders  []holder
	roles    uint32
	listed   bool
}

// holder is a grant: its principal and its details.
type holder struct {
	member   int32
	metadata int32 // index in interned; 0 means none
	id       int32 // index in interned; 0 means the usual joined id
}

// interned keeps each text once. The first one is empty.
type interned struct {
	texts []string
	index map[string]int32
}

func (in *interned) add(text string) int32 {
	i, ok := in.index[text]
	if !ok {
		i = int32(len(in.texts))
		in.texts, in.index[text] = append(in.texts, text), i
	}
	return i
}

// populate reads a sync.
func populate(ctx context.Context, c *baton.Connector, sync *c1z.Sync) (*population, error) {
	p := &population{sync: sync, resources: map[string][]*resource{}, byID: map[baton.ResourceID]int32{},
		resourceOf: map[baton.ResourceID]*resource{}, heldAs: map[string]int32{},
		words: interned{[]string{""}, map[string]int32{"": 0}}}
	if err := p.readTypes(ctx, c); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{p.readResources, p.readRoles, p.readGrants, p.readNotes} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	p.sort()
	p.countNames()
	return p, nil
}

// readTypes reads the types from the file and completes them from the connector.
func (p *population) readTypes(ctx context.Context, c *baton.Connector) (err error) {
	for t, err := range p.sync.ResourceTypes(ctx) {
		if err != nil {
			return err
		}
		p.types = append(p.types, t)
	}
	c = recognise(c, p.types)
	p.connector = c
	for i, t := range p.types {
		if own, ok := c.ResourceType(t.ID); ok {
			p.types[i].Ranks, p.types[i].Columns = own.Ranks, own.Columns
		}
	}
	// Use the connector's order, because the order in the file depends on its writer.
	place := func(t baton.ResourceType) int {
		i := slices.IndexFunc(c.ResourceTypes, func(own baton.ResourceType) bool { return own.ID == t.ID })
		if i < 0 {
			return len(c.ResourceTypes)
		}
		return i
	}
	slices.SortFunc(p.types, func(a, b baton.ResourceType) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.ID, b.ID))
	})
	p.counts, err = p.sync.Counts(ctx)
	return err
}

// typeOf returns the resource type with that id, or a new one if the file has none.
func (p *population) typeOf(id string) baton.ResourceType {
	if i := slices.IndexFunc(p.types, func(t baton.ResourceType) bool { return t.ID == id }); i >= 0 {
		return p.types[i]
	}
	return baton.ResourceType{ID: id, DisplayName: title(words(id))}
}

func (p *population) readResources(ctx context.Context) error {
	columns, users := map[string][]baton.Column{}, map[string]bool{}
	for _, t := range p.types {
		columns[t.ID], users[t.ID] = t.Columns, slices.Contains(t.Traits, baton.TraitUser)
	}
	for r, err := range p.sync.Resources(ctx) {
		if err != nil {
			return err
		}
		p.addResource(&r.Resource, columns[r.ID.Type], users[r.ID.Type])
	}
	for e, err := range p.sync.Entitlements(ctx) {
		if err != nil {
			return err
		}
		held := p.entitlement(e.ID, e.Resource, e.Slug)
		held.name, held.listed = clip(cmp.Or(e.DisplayName, held.slug)), true
	}
	return nil
}

func (p *population) addResource(r *baton.Resource, columns []baton.Column, isUser bool) {
	var cells []string
	for _, col := range columns {
		cells = append(cells, clip(flat(r.Profile[col.Key])))
	}
	if r.User != nil || isUser {
		m := p.member(r.ID)
		m.name, m.status, m.created, m.cells = clip(r.DisplayName), r.Status, r.CreatedAt, cells
		m.listed, m.account = true, true
		if r.User != nil {
			m.email, m.login = clip(addressOf(r.User)), r.User.LastLogin
		}
		return
	}
	t := p.resource(r.ID)
	t.name, t.description, t.status, t.created = clip(r.DisplayName), clip(r.Description), r.Status, r.CreatedAt
	t.cells, t.listed = cells, true
}

// clip shortens a text to what the page shows.
func clip(text string) string {
	if len(text) <= 4*maxText {
		return text
	}
	return strings.ToValidUTF8(strings.Clone(text[:4*maxText+4]), "")
}

// addressOf returns the primary address of an account, or the best substitute for one.
func addressOf(u *baton.User) string {
	address := u.Login
	for i, e := range u.Emails {
		if i == 0 || e.Primary {
			address = e.Address
		}
	}
	return address
}

// member returns the account with that id, and adds it, not listed, if it is new. The pointer is
// valid until the next one is added.
func (p *population) member(id baton.ResourceID) *member {
	i, ok := p.byID[id]
	if !ok {
		i = int32(len(p.members))
		p.members, p.byID[id] = append(p.members, member{id: id}), i
	}
	return &p.members[i]
}

func (p *population) resource(id baton.ResourceID) *resource {
	t := p.resourceOf[id]
	if t == nil {
		t = &resource{id: id}
		p.resourceOf[id], p.resources[id.Type] = t, append(p.resources[id.Type], t)
	}
	return t
}

// entitlement returns the entitlement with that id, and adds it, not listed, if it is new. The
// pointer is valid until the next one is added.
func (p *population) entitlement(id string, resource baton.ResourceID, slug string) *entitlement {
	i, ok := p.heldAs[id]
	if !ok {
		i = int32(len(p.entitlements))
		if slug == "" {
			slug = slugOf(id, resource)
		}
		p.entitlements, p.heldAs[id] = append(p.entitlements, entitlement{id: id, resource: resource, slug: slug, name: slug}), i
		t := p.resource(resource)
		t.entitlements = append(t.entitlements, i)
	}
	return &p.entitlements[i]
}

// slugOf returns the slug in the id of an entitlement, or the whole id if it has another form.
func slugOf(id string, resource baton.ResourceID) string {
	if e, ok := baton.ParseEntitlementID(id, resource); ok {
		return e.Slug
	}
	return id
}

func (p *population) readRoles(ctx context.Context) (err error) {
	c := p.connector
	if c.Roles == nil || p.sync.Type != c1z.Full {
		return nil
	}
	if p.roles, err = c.Roles(p.sync.Facts(ctx)); err != nil {
		return err
	}
	p.roles.Roles = p.roles.Roles[:min(len(p.roles.Roles), 32)]
	for i, r := range p.roles.Roles {
		for _, id := range r.Entitlements {
			p.entitlement(id.String(), id.Resource, id.Slug).roles |= 1 << i
		}
	}
	return nil
}

func (p *population) readGrants(ctx context.Context) error {
	for g, err := range p.sync.Grants(ctx) {
		if err != nil {
			return err
		}
		p.grants++
		e := p.entitlement(g.Entitlement, g.Resource, "")
		m := p.member(g.Principal)
		if !m.listed && m.name == "" {
			if t := p.resourceOf[g.Principal]; t != nil {
				m.name, m.listed, m.status = t.name, t.listed, t.status
			}
		}
		h := holder{member: p.byID[m.id], metadata: p.words.add(packed(g.Metadata))}
		if g.ID != joined(g.Entitlement, g.Principal) {
			h.id = p.words.add(g.ID)
		}
		e.holders = append(e.holders, h)
		m.holds = append(m.holds, p.heldAs[e.id])
		m.roles |= e.roles
	}
	return nil
}

// joined returns the id that most connectors give to a grant.
func joined(entitlement string, principal baton.ResourceID) string {
	return entitlement + ":" + principal.String()
}

// grantID returns the id of a grant.
func (p *population) grantID(e *entitlement, h holder) string {
	return cmp.Or(p.words.texts[h.id], joined(e.id, p.members[h.member].id))
}

// packed returns the metadata of a grant as one text, which many grants may share: keys and values,
// each followed by a separator.
func packed(metadata baton.Profile) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if text := flat(metadata[key]); text != "" {
			b.WriteString(clip(key) + separator + clip(text) + separator)
		}
	}
	return b.String()
}

const separator = "\x00"

// countNames counts the accounts with each name.
func (p *population) countNames() {
	p.named = make(map[string]int32, len(p.members))
	for i := range p.members {
		p.named[folded(nameOf(&p.members[i]))]++
	}
}

// personName returns the name of an account, with its address or id if another account
// has the same name.
func (p *population) personName(m *member) personName {
	name := personName{Text: shown(nameOf(m))}
	if p.named[folded(nameOf(m))] > 1 {
		name.Sub = shown(cmp.Or(m.email, m.id.ID))
	}
	return name
}

// label returns the same on one line.
func (p *population) label(m *member) string {
	name := p.personName(m)
	if name.Sub == "" {
		return name.Text
	}
	return name.Text + " (" + name.Sub + ")"
}

// details iterates over the keys and values of a grant.
func (p *population) details(h holder) []string {
	parts := strings.Split(p.words.texts[h.metadata], separator)
	return parts[:len(parts)-1]
}

// detail returns the value of a key.
func (p *population) detail(h holder, key string) string {
	list := p.details(h)
	for i := 0; i+1 < len(list); i += 2 {
		if list[i] == key {
			return list[i+1]
		}
	}
	return ""
}

// flat returns a value of a profile on one line.
func flat(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case []string:
		return strings.Join(v, ", ")
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = flat(item)
		}
		return strings.Join(parts, ", ")
	case baton.Profile:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+": "+flat(v[key]))
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(value)
}

// readNotes reads the notes of the connector about the sync.
func (p *population) readNotes(ctx context.Context) (err error) {
	if p.connector.Review == nil || p.sync.Type != c1z.Full {
		return nil
	}
	p.notes, err = p.connector.Review(p.sync.Facts(ctx))
	return err
}

// sort puts people in the order of the page: by role, enabled accounts first, then by name. It
// renumbers all references to members.
func (p *population) sort() {
	order := make([]int32, len(p.members))
	keys := make([]string, len(p.members))
	for i := range p.members {
		order[i], keys[i] = int32(i), folded(p.members[i].name)
	}
	slices.SortFunc(order, func(a, b int32) int {
		m, n := &p.members[a], &p.members[b]
		return cmp.Or(cmp.Compare(p.rank(m), p.rank(n)), cmp.Compare(flag(m.disabled()), flag(n.disabled())),
			cmp.Compare(flag(!m.listed), flag(!n.listed)), cmp.Compare(keys[a], keys[b]), cmp.Compare(m.id.ID, n.id.ID))
	})
	sorted, at := make([]member, len(order)), make([]int32, len(order))
	for i, from := range order {
		sorted[i], at[from] = p.members[from], int32(i)
		p.byID[sorted[i].id] = int32(i)
	}
	p.members = sorted
	for i := range p.entitlements {
		holders := p.entitlements[i].holders
		for j := range holders {
			holders[j].member = at[holders[j].member]
		}
		// Members are sorted, so their numbers are in order.
		slices.SortFunc(holders, func(a, b holder) int { return cmp.Compare(a.member, b.member) })
	}
	for i := range p.members {
		slices.SortFunc(p.members[i].holds, p.byWeight)
	}
	for _, list := range p.resources {
		for _, t := range list {
			slices.SortFunc(t.entitlements, p.byWeight)
		}
		slices.SortFunc(list, func(a, b *resource) int {
			return cmp.Or(cmp.Compare(p.weight(a), p.weight(b)), cmp.Compare(flag(!a.listed), flag(!b.listed)),
				cmp.Compare(folded(a.name), folded(b.name)), cmp.Compare(a.id.ID, b.id.ID))
		})
	}
}

// byWeight orders entitlements: those that give a role first, then by name.
func (p *population) byWeight(a, b int32) int {
	x, y := &p.entitlements[a], &p.entitlements[b]
	return cmp.Or(cmp.Compare(roleOrder(x.roles), roleOrder(y.roles)), cmp.Compare(folded(x.name), folded(y.name)), cmp.Compare(x.id, y.id))
}

// roleOrder returns the most powerful role, for sorting.
func roleOrder(roles uint32) int { return bits.TrailingZeros32(roles) }

// weight sorts entitlements that give a role before the others.
func (p *population) weight(t *resource) int {
	for i := range p.roles.Roles {
		for _, e := range t.entitlements {
			if p.entitlements[e].roles&(1<<i) != 0 {
				return i
			}
		}
	}
	return len(p.roles.Roles)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func folded(name string) string { return strings.ToLower(name) }
