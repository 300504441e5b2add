package report

import (
	"context"
	"slices"

	"baton"
	"baton/c1z"
)

// Kinds of changes.
const (
	created  = "created"
	removed  = "removed"
	modified = "modified"
	disabled = "disabled" // a resource that was modified, the status among it
	enabled  = "enabled"
)

// A change is a row that differs between two syncs. One of the three pairs is set, with at least one
// side.
type change struct {
	kind        string
	resource    [2]*baton.Resource // before, after
	entitlement [2]*c1z.Entitlement
	grant       [2]*c1z.Grant
	attributes  []attribute // what was modified
	why         string      // the change that it belongs to; "" if it is independent
	stage       string      // slug of the other stage, if the grant is a step between stages
}

// comparison holds the facts about two syncs that the comparison of grants needs.
type comparison struct {
	ctx           context.Context
	before, after *c1z.Sync
	connector     *baton.Connector
	types         map[string]string // names of types, for explanations
	fates         map[baton.ResourceID]fate
	same          int // rows that differ only in their encoding
}

// fate describes the change of a resource.
type fate struct {
	kind    string
	name    string
	account bool
	renamed bool
}

// compareSyncs calls fn for all changes: resources, then entitlements, then grants, each in the
// order of ids. The change of a grant is explained by changes of its account and its resource.
// Files do not contain who changed it.
func compareSyncs(ctx context.Context, c *baton.Connector, before, after *population, fn func(change) error) (same int, err error) {
	x := &comparison{ctx: ctx, before: before.sync, after: after.sync, connector: c, types: map[string]string{}, fates: map[baton.ResourceID]fate{}}
	for _, t := range slices.Concat(before.types, after.types) {
		x.types[t.ID] = lower(t.DisplayName)
	}
	tell := func(ch change) error {
		if ch.kind == modified && len(ch.attributes) == 0 {
			x.same++ // only the writer or the order differs
			return nil
		}
		return fn(ch)
	}
	for d, err := range c1z.CompareResources(ctx, x.before, x.after) {
		if err == nil {
			err = tell(x.resource(plainResource(d.Before), plainResource(d.After)))
		}
		if err != nil {
			return 0, err
		}
	}
	for d, err := range c1z.CompareEntitlements(ctx, x.before, x.after) {
		if err == nil {
			err = tell(x.entitlement(d.Before, d.After))
		}
		if err != nil {
			return 0, err
		}
	}
	for d, err := range c1z.CompareGrants(ctx, x.before, x.after) {
		var ch change
		if err == nil {
			ch, err = x.grant(d.Before, d.After)
		}
		if err == nil {
			err = tell(ch)
		}
		if err != nil {
			return 0, err
		}
	}
	return x.same, nil
}

// plainResource returns the resource without its annotations; nil for nil.
func plainResource(r *c1z.Resource) *baton.Resource {
	if r == nil {
		return nil
	}
	return &r.Resource
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

func (x *comparison) entitlement(b, a *c1z.Entitlement) change {
	ch := change{kind: kindOf(b != nil, a != nil), entitlement: [2]*c1z.Entitlement{b, a}}
	one := b
	if a != nil {
		one = a
	}
	f := x.fates[one.Resource]
	switch {
	case ch.kind != modified:
		if f.kind == ch.kind {
			ch.why = with(ch.kind, x.types[one.Resource.Type])
		}
	default:
		ch.attributes = differences(entitlementAttributes(b), entitlementAttributes(a))
		if f.renamed {
			ch.why = "the " + x.types[one.Resource.Type] + " was renamed"
		}
	}
	return ch
}

// with returns a phrase such as "with the new account" or "with the removed group".
func with(kind, what string) string {
	if kind == created {
		return "with the new " + what
	}
	return "the " + what + " is gone"
}

func (x *comparison) grant(b, a *c1z.Grant) (change, error) {
	ch := change{kind: kindOf(b != nil, a != nil), grant: [2]*c1z.Grant{b, a}}
	one := b
	if a != nil {
		one = a
	}
	who, what := x.fates[one.Principal], x.fates[one.Resource]
	whoWord := x.types[one.Principal.Type]
	if who.account {
		whoWord = "account"
	}
	whatWord := x.types[one.Resource.Type]
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
		var err error
		ch.stage, err = x.stage(one, ch.kind)
		switch {
		case ch.stage == "":
		case ch.kind == removed:
			ch.why = "became " + words(ch.stage)
		default:
			ch.why = "was " + words(ch.stage) + " before"
		}
		return ch, err
	}
	return ch, nil
}

// stage returns the slug of the other stage that was added or removed together with a grant, if the
// entitlements of the type are stages, such as in progress and completed.
func (x *comparison) stage(g *c1z.Grant, kind string) (string, error) {
	e, ok := baton.ParseEntitlementID(g.Entitlement, g.Resource)
	t, known := x.connector.ResourceType(g.Resource.Type)
	if !ok || !known || !slices.Contains(t.Ranks, e.Slug) {
		return "", nil
	}
	from, to := x.before, x.after // where the other stage was removed
	if kind == removed {
		from, to = to, from
	}
	for _, slug := range t.Ranks {
		if slug == e.Slug {
			continue
		}
		other := baton.GrantID{Entitlement: baton.EntitlementID{Resource: e.Resource, Slug: slug}, Principal: g.Principal}
		was, err := x.has(from, other)
		if err != nil || !was {
			if err != nil {
				return "", err
			}
			continue
		}
		is, err := x.has(to, other)
		if err != nil || is {
			return "", err
		}
		return slug, nil
	}
	return "", nil
}

func (x *comparison) has(s *c1z.Sync, id baton.GrantID) (bool, error) {
	_, err := s.Grant(x.ctx, id.String())
	if baton.KindOf(err) == baton.NotFound {
		return false, nil
	}
	return err == nil, err
}
