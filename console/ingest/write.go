package ingest

import (
	"context"
	"iter"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/internal/intern"
)

// write writes the differences between the head and the sync.
func (d *delta) write(ctx context.Context) error {
	if !d.targeted {
		if err := d.st.PutResources(ctx, d.resourceChanges(ctx)); err != nil {
			return err
		}
		if err := d.st.PutEntitlements(ctx, d.entitlementChanges(ctx)); err != nil {
			return err
		}
	}
	sets, err := d.sourceSets(ctx)
	if err != nil {
		return err
	}
	d.resources, d.entitlements, d.changed = intern.Table{}, intern.Table{}, nil // frees memory for the facts
	return d.st.PutFacts(ctx, d.factChanges(ctx, sets))
}

func (d *delta) resourceChanges(ctx context.Context) iter.Seq2[store.ResourceChange, error] {
	return func(yield func(store.ResourceChange, error) bool) {
		var buf []byte
		for row, err := range d.changedRows(ctx) {
			if err != nil {
				yield(store.ResourceChange{}, blame(err))
				return
			}
			buf = place(buf, row.ID)
			n, ok := d.resources.Find(buf)
			if !ok {
				yield(store.ResourceChange{}, changedMeanwhile())
				return
			}
			c := store.ResourceChange{New: d.resource[n].fresh, Resource: d.content(row, d.resource[n].account)}
			c.Resource.Key, c.Resource.Incarnation = d.resource[n].key, int(d.resource[n].incarnation)
			buf = place(buf, row.Parent)
			if p, ok := d.resources.Find(buf); ok && d.resource[p].inFile {
				c.Resource.Parent = d.resource[p].key
			}
			if c.Change = resourceChange(d.resource[n], c.Resource); c.Change != 0 && !yield(c, nil) {
				return
			}
		}
		for n := range d.resource {
			if r := &d.resource[n]; r.shown && !r.inFile {
				if !yield(store.ResourceChange{Change: store.Close, Resource: console.Resource{Key: r.key}}, nil) {
					return
				}
			}
		}
	}
}

// scope returns the entitlements that a targeted sync covers.
func (d *delta) scope() []console.EntitlementKey {
	scope := []console.EntitlementKey{}
	for i := range d.entitlement {
		if e := &d.entitlement[i]; e.inScope {
			scope = append(scope, e.key)
		}
	}
	return scope
}

// resourceChange returns the change of a resource in the file; 0 for none.
func resourceChange(was resource, r console.Resource) store.Change {
	switch {
	case was.fresh || !was.shown:
		return store.Open
	case was.digest != r.Digest():
		return store.Replace
	case r.Account != nil && was.lastLogin != microsOf(r.Account.LastLogin):
		return store.Touch
	}
	return 0
}

func (d *delta) entitlementChanges(ctx context.Context) iter.Seq2[store.EntitlementChange, error] {
	return func(yield func(store.EntitlementChange, error) bool) {
		for row, err := range d.rows.Entitlements(ctx) {
			if err != nil {
				yield(store.EntitlementChange{}, blame(err))
				return
			}
			n, ok := d.entitlements.Find([]byte(row.ID))
			if !ok {
				yield(store.EntitlementChange{}, changedMeanwhile())
				return
			}
			was := &d.entitlement[n]
			c := store.EntitlementChange{New: was.fresh, Entitlement: entitlementContent(row)}
			c.Entitlement.Key = was.key
			if was.resource >= 0 {
				c.Entitlement.Resource = d.resource[was.resource].key
			}
			switch {
			case was.fresh || !was.shown:
				c.Change = store.Open
			case was.digest != c.Entitlement.Digest():
				c.Change = store.Replace
			}
			if c.Change != 0 && !yield(c, nil) {
				return
			}
		}
		for i := range d.entitlement {
			if e := &d.entitlement[i]; e.shown && !e.inFile {
				if !yield(store.EntitlementChange{Change: store.Close, Entitlement: console.Entitlement{Key: e.key}}, nil) {
					return
				}
			}
		}
	}
}

func changedMeanwhile() error {
	return baton.Errorf(baton.Internal, "the unpacked file changed while it was read")
}

// sourceSets returns the stored number of each set of sources.
func (d *delta) sourceSets(ctx context.Context) ([]int64, error) {
	sets := make([]int64, d.sources.Len())
	for n := 1; n < len(sets); n++ {
		key, err := d.st.SourceSet(ctx, decodeSources(d.sources.Text(n)))
		if err != nil {
			return nil, err
		}
		sets[n] = key
	}
	return sets, nil
}

// factChanges merges the facts of the head with the grants of the file, both sorted by key.
func (d *delta) factChanges(ctx context.Context, sets []int64) iter.Seq2[store.FactChange, error] {
	return func(yield func(store.FactChange, error) bool) {
		scope := map[console.EntitlementKey]bool{}
		if d.targeted {
			for i := range d.entitlement {
				scope[d.entitlement[i].key] = d.entitlement[i].inScope
			}
		}
		i := 0
		// open yields the grants before a pair of keys, which are not in the head.
		open := func(e console.EntitlementKey, p console.ResourceKey) bool {
			for ; i < len(d.grants); i++ {
				f := d.fact(d.grants[i], sets)
				if f.Entitlement > e || f.Entitlement == e && f.Principal >= p {
					return true
				}
				if d.targeted && !scope[f.Entitlement] {
					continue
				}
				if !yield(store.FactChange{Change: store.Open, Fact: f}, nil) {
					return false
				}
			}
			return true
		}
		for had, err := range d.st.Facts(ctx) {
			if err != nil {
				yield(store.FactChange{}, err)
				return
			}
			if !open(had.Entitlement, had.Principal) {
				return
			}
			c := store.FactChange{Change: store.Close, Was: had.From, Fact: had}
			if i < len(d.grants) {
				if f := d.fact(d.grants[i], sets); f.Entitlement == had.Entitlement && f.Principal == had.Principal {
					i++
					c.Change, c.Fact = store.Replace, f
					if f.Sources == had.Sources && f.Flags == had.Flags && string(f.Detail) == string(had.Detail) {
						continue
					}
				}
			}
			if d.targeted && !scope[had.Entitlement] {
				continue
			}
			if !yield(c, nil) {
				return
			}
		}
		open(1<<63-1, 1<<63-1)
	}
}

func (d *delta) fact(g grant, sets []int64) store.FactRow {
	f := store.FactRow{Entitlement: d.entitlement[g.entitlement].key, Principal: d.resource[g.principal].key, Sources: sets[g.sources], Flags: int64(g.flags)}
	if g.detail != 0 {
		f.Detail = d.details.Text(int(g.detail))
	}
	return f
}
