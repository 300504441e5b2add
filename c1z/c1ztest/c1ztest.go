// Package c1ztest reads c1z files for tests.
package c1ztest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"baton"
	"baton/c1z"
)

// Rows holds the rows of one sync, each table in the order in which it was written.
type Rows struct {
	Types        []baton.ResourceType
	Resources    []c1z.Resource
	Entitlements []c1z.Entitlement
	Grants       []c1z.Grant
}

// Read reads the latest sync of the file at path.
func Read(path string) (rows Rows, err error) {
	ctx := context.Background()
	f, err := c1z.Open(ctx, path)
	if err != nil {
		return rows, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	s, err := f.Latest()
	if err != nil {
		return rows, err
	}
	err = errors.Join(collect(&rows.Types, s.ResourceTypes(ctx)), collect(&rows.Resources, s.Resources(ctx)),
		collect(&rows.Entitlements, s.Entitlements(ctx)), collect(&rows.Grants, s.Grants(ctx)))
	return rows, err
}

func collect[T any](to *[]T, seq iter.Seq2[T, error]) error {
	for one, err := range seq {
		if err != nil {
			return err
		}
		*to = append(*to, one)
	}
	return nil
}

// ResourcesOf returns the resources of a type.
func (r Rows) ResourcesOf(resourceType string) (of []baton.Resource) {
	for _, one := range r.Resources {
		if one.ID.Type == resourceType {
			of = append(of, one.Resource)
		}
	}
	return of
}

// GrantsOf returns the grants on resources of a type.
func (r Rows) GrantsOf(resourceType string) (of []c1z.Grant) {
	for _, g := range r.Grants {
		if g.Resource.Type == resourceType {
			of = append(of, g)
		}
	}
	return of
}

// IDs returns the external ids of the resources, the entitlements and the grants.
func (r Rows) IDs() (ids []string) {
	for _, one := range r.Resources {
		ids = append(ids, one.ID.String())
	}
	for _, e := range r.Entitlements {
		ids = append(ids, e.ID)
	}
	for _, g := range r.Grants {
		ids = append(ids, g.ID)
	}
	return ids
}

// Facts returns the ids of all rows, with the profiles of resources and the metadata of grants, sorted.
func (r Rows) Facts() (facts []string) {
	for _, one := range r.Resources {
		facts = append(facts, fmt.Sprint(one.ID, one.Profile))
	}
	for _, e := range r.Entitlements {
		facts = append(facts, e.ID)
	}
	for _, g := range r.Grants {
		facts = append(facts, fmt.Sprint(g.ID, g.Metadata))
	}
	slices.Sort(facts)
	return facts
}
