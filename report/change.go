package report

import (
	"errors"
	"slices"

	"baton"
	"baton/c1z"
)

// What can happen to a row.
const (
	created  = "created"
	removed  = "removed"
	modified = "modified"
	disabled = "disabled" // a resource that was modified, the status among it
	enabled  = "enabled"
)

// A change is one row that is not the same in two syncs. One of the three pairs is set,
// and of it at least one side.
type change struct {
	kind        string
	resource    [2]*baton.Resource // before, after
	entitlement [2]*baton.Entitlement
	grant       [2]*baton.Grant
	attributes  []attribute // what was modified
	why         string      // what it came with; "" when it stands alone
}

// comparison is what is known of two syncs while their grants are compared.
type comparison struct {
	before, after *c1z.File
	connector     *baton.Connector
	types         map[string]string // names of types, for explanations
	fates         map[baton.ResourceID]fate
	same          int // rows that differ in nothing that can be told
}

// fate is what became of a resource that is not the same.
type fate struct {
	kind    string
	name    string
	account bool
	renamed bool
}

// compareSyncs calls fn for everything that changed: resources, then entitlements, then
// grants, each in the order of ids. A grant is explained by what became of its account
// and of its resource; who changed it no file says.
func compareSyncs(c *baton.Connector, before, after *population, fn func(change) error) (same int, err error) {
	x := &comparison{before: before.file, after: after.file, connector: c, types: map[string]string{}, fates: map[baton.ResourceID]fate{}}
	for _, t := range slices.Concat(before.types, after.types) {
		x.types[t.ID] = lower(t.DisplayName)
	}
	tell := func(ch change) error {
		if ch.kind == modified && len(ch.attributes) == 0 {
			x.same++ // another writer, or another order: nothing to a reader
			return nil
		}
		return fn(ch)
	}
	err = c1z.CompareResources(x.before, x.after, func(b, a *baton.Resource) error { return tell(x.resource(b, a)) })
	if err != nil {
		return 0, err
	}
	err = c1z.CompareEntitlements(x.before, x.after, func(b, a *baton.Entitlement) error { return tell(x.entitlement(b, a)) })
	if err != nil {
		return 0, err
	}
	err = c1z.CompareGrants(x.before, x.after, func(b, a *baton.Grant) error {
		ch, err := x.grant(b, a)
		if err != nil {
			return err
		}
		return tell(ch)
	})
	return x.same, err
}

func kindOf(hasBefore, hasAfter bool) string {
	switch {
	case !hasBefore:
		return created
	case !hasAfter:
		return removed
	}
	return modified
}

func (x *comparison) resource(b, a *baton.Resource) change {
	ch := change{kind: kindOf(b != nil, a != nil), resource: [2]*baton.Resource{b, a}}
	one := b
	if a != nil {
		one = a
	}
	f := fate{name: one.DisplayName, account: one.User != nil}
	if ch.kind == modified {
		ch.attributes = differences(resourceAttributes(b), resourceAttributes(a))
		f.renamed = b.DisplayName != a.DisplayName
		usable := func(r *baton.Resource) bool {
			return r.Status != baton.StatusDisabled && r.Status != baton.StatusDeleted
		}
		switch {
		case usable(b) && !usable(a):
			ch.kind = disabled
		case !usable(b) && usable(a):
			ch.kind = enabled
		}
	}
	f.kind = ch.kind
	x.fates[one.ID] = f
	return ch
}

func (x *comparison) entitlement(b, a *baton.Entitlement) change {
	ch := change{kind: kindOf(b != nil, a != nil), entitlement: [2]*baton.Entitlement{b, a}}
	one := b
	if a != nil {
		one = a
	}
	f := x.fates[one.ID.Resource]
	switch {
	case ch.kind != modified:
		if f.kind == ch.kind {
			ch.why = with(ch.kind, x.types[one.ID.Resource.Type])
		}
	default:
		ch.attributes = differences(entitlementAttributes(b), entitlementAttributes(a))
		if f.renamed {
			ch.why = "the " + x.types[one.ID.Resource.Type] + " was renamed"
		}
	}
	return ch
}

// with is "with the new account", "with the removed group".
func with(kind, what string) string {
	if kind == created {
		return "with the new " + what
	}
	return "the " + what + " is gone"
}

func (x *comparison) grant(b, a *baton.Grant) (change, error) {
	ch := change{kind: kindOf(b != nil, a != nil), grant: [2]*baton.Grant{b, a}}
	one := b
	if a != nil {
		one = a
	}
	who, what := x.fates[one.ID.Principal], x.fates[one.ID.Entitlement.Resource]
	whoWord := x.types[one.ID.Principal.Type]
	if who.account {
		whoWord = "account"
	}
	whatWord := x.types[one.ID.Entitlement.Resource.Type]
	switch {
	case ch.kind == modified:
		ch.attributes = differences(grantAttributes(b), grantAttributes(a))
		if what.renamed && len(ch.attributes) == 1 && ch.attributes[0].name == resourceName {
			ch.why = "the " + whatWord + " was renamed"
		}
	case who.kind == ch.kind:
		ch.why = with(ch.kind, whoWord)
	case what.kind == ch.kind:
		ch.why = with(ch.kind, whatWord)
	case ch.kind == removed && who.kind == disabled:
		ch.why = "the " + whoWord + " was disabled"
	case ch.kind == created && who.kind == enabled:
		ch.why = "the " + whoWord + " was enabled"
	default:
		why, err := x.stage(one.ID, ch.kind)
		ch.why = why
		return ch, err
	}
	return ch, nil
}

// stage explains a grant of a type whose entitlements are stages of one thing, such as
// started and completed, by the other stage that came or went.
func (x *comparison) stage(id baton.GrantID, kind string) (string, error) {
	t, ok := x.connector.ResourceType(id.Entitlement.Resource.Type)
	if !ok || !slices.Contains(t.Ranks, id.Entitlement.Slug) {
		return "", nil
	}
	from, to := x.before, x.after // where the other stage was, and is not now
	if kind == removed {
		from, to = to, from
	}
	for _, slug := range t.Ranks {
		if slug == id.Entitlement.Slug {
			continue
		}
		other := id
		other.Entitlement.Slug = slug
		was, err := has(from, other)
		if err != nil || !was {
			if err != nil {
				return "", err
			}
			continue
		}
		is, err := has(to, other)
		if err != nil || is {
			return "", err
		}
		if kind == removed {
			return "became " + words(slug), nil
		}
		return "was " + words(slug) + " before", nil
	}
	return "", nil
}

func has(f *c1z.File, id baton.GrantID) (bool, error) {
	_, err := f.Grant(id.String())
	var e *baton.Error
	if errors.As(err, &e) && e.Kind == baton.NotFound {
		return false, nil
	}
	return err == nil, err
}
