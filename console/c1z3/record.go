package c1z3

import (
	"context"
	"iter"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"baton"
	"baton/c1z"
	"baton/wire"
)

// ResourceTypes reads the types in the order of their ids.
func (f *File) ResourceTypes(ctx context.Context) iter.Seq2[baton.ResourceType, error] {
	return rows(ctx, f, keyTypes, parseResourceType, func(buf []byte, t *baton.ResourceType) []byte {
		return key(buf, keyTypes, t.ID)
	})
}

// Resources reads the resources in the order of their types and ids.
func (f *File) Resources(ctx context.Context) iter.Seq2[c1z.Resource, error] {
	return rows(ctx, f, keyResources, parseResource, func(buf []byte, r *c1z.Resource) []byte {
		return key(buf, keyResources, r.ID.Type, r.ID.ID)
	})
}

// Entitlements reads the entitlements in the order of their resources.
func (f *File) Entitlements(ctx context.Context) iter.Seq2[c1z.Entitlement, error] {
	return rows(ctx, f, keyEntitlements, parseEntitlement, func(buf []byte, e *c1z.Entitlement) []byte {
		if f.engine != "pebble3" {
			return nil
		}
		flag, tail := entitlementTail(e.Resource.Type, e.Resource.ID, e.ID)
		return key(buf, keyEntitlements, e.Resource.Type, e.Resource.ID, flag, tail)
	})
}

// Grants reads the grants in the order of their entitlements.
func (f *File) Grants(ctx context.Context) iter.Seq2[c1z.Grant, error] {
	return rows(ctx, f, keyGrants, parseGrant, func(buf []byte, g *c1z.Grant) []byte {
		if f.engine != "pebble3" {
			return nil
		}
		flag, tail := entitlementTail(g.Resource.Type, g.Resource.ID, g.Entitlement)
		return key(buf, keyGrants, g.Resource.Type, g.Resource.ID, flag, tail, g.Principal.Type, g.Principal.ID)
	})
}

// rows reads all records of one type. A record must be stored under the key that its fields make.
// wanted returns nil for an older key layout.
func rows[T any](ctx context.Context, f *File, kind byte, parse func([]byte) (T, error), wanted func([]byte, *T) []byte) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		var buf []byte
		lower, upper := prefix(kind)
		for rec, err := range f.scan(ctx, lower, upper) {
			if err != nil {
				yield(zero, err)
				return
			}
			row, err := parse(rec.value)
			if err == nil {
				if buf = wanted(buf, &row); buf != nil {
					err = checkKey(rec.key, buf)
				}
			}
			if err != nil {
				yield(zero, f.guard(func() error { return err }))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// parseResourceType decodes a ResourceTypeRecord.
func parseResourceType(b []byte) (t baton.ResourceType, err error) {
	err = fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error {
		switch number {
		case 2:
			t.ID = string(value)
		case 3:
			t.DisplayName = string(value)
		case 4:
			t.Traits = append(t.Traits, wire.TraitOf(string(value)))
		case 7:
			t.Description = string(value)
		}
		return nil
	})
	return t, err
}

// resourceFields maps the field numbers of a ResourceRecord to those of the same fields of a
// c1.connector.v2.Resource, whose values have the same encoding.
var resourceFields = map[protowire.Number]protowire.Number{
	4:  3,  // display name
	5:  5,  // description
	6:  2,  // parent
	7:  4,  // annotations
	9:  9,  // profile
	10: 11, // status
	11: 12, // creation time
}

// parseResource converts a ResourceRecord to the message of version 1 and decodes it.
func parseResource(b []byte) (c1z.Resource, error) {
	var id baton.ResourceID
	var message []byte
	err := fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error {
		switch number {
		case 2:
			id.Type = string(value)
		case 3:
			id.ID = string(value)
		default:
			if to := resourceFields[number]; to != 0 && kind == protowire.BytesType {
				message = appendBytes(message, to, value)
			}
		}
		return nil
	})
	if err != nil {
		return c1z.Resource{}, err
	}
	message = appendBytes(message, 1, appendBytes(appendBytes(nil, 1, []byte(id.Type)), 2, []byte(id.ID)))
	r, err := wire.UnmarshalResource(message)
	if err != nil {
		return c1z.Resource{}, err
	}
	names, err := wire.AnnotationNames(message)
	return c1z.Resource{Resource: r, Annotations: names}, err
}

// parseEntitlement decodes an EntitlementRecord.
func parseEntitlement(b []byte) (e c1z.Entitlement, err error) {
	err = fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) (err error) {
		switch number {
		case 2:
			e.ID = string(value)
		case 3:
			e.Resource, err = parseID(value)
		case 4:
			e.DisplayName = string(value)
		case 5:
			e.Description = string(value)
		case 6:
			e.Purpose = wire.PurposeOf(string(value))
		case 7:
			var name string
			name, _, err = parseAny(value)
			e.Annotations = append(e.Annotations, name)
		case 9:
			e.Slug = string(value)
		case 10:
			e.GrantableTo = append(e.GrantableTo, string(value))
		}
		return err
	})
	return e, err
}

// parseGrant decodes a GrantRecord.
func parseGrant(b []byte) (g c1z.Grant, err error) {
	err = fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) (err error) {
		switch number {
		case 2:
			g.ID = string(value)
		case 3:
			g.Resource, g.Entitlement, err = parseEntitlementRef(value)
		case 4:
			g.Principal, err = parseID(value)
		case 6:
			g.Expandable = true
		case 8:
			var name string
			var message []byte
			name, message, err = parseAny(value)
			g.Annotations = append(g.Annotations, name)
			if err == nil && name == "GrantMetadata" {
				g.Metadata, err = wire.UnmarshalGrantMetadata(message)
			}
		case 9:
			var source string
			source, err = parseSource(value)
			g.Sources = append(g.Sources, source)
		}
		return err
	})
	if g.Expandable {
		// Version 3 stores this annotation in a field of its own.
		g.Annotations = append(g.Annotations, "GrantExpandable")
	}
	if g.ID == "" {
		g.ID = g.Entitlement + ":" + g.Principal.String()
	}
	slices.Sort(g.Sources)
	return g, err
}

// parseID decodes the first two fields of a reference to a resource.
func parseID(b []byte) (id baton.ResourceID, err error) {
	id, _, err = parseEntitlementRef(b)
	return id, err
}

// parseEntitlementRef decodes a reference to an entitlement: its resource and its id.
func parseEntitlementRef(b []byte) (resource baton.ResourceID, id string, err error) {
	err = fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error {
		switch number {
		case 1:
			resource.Type = string(value)
		case 2:
			resource.ID = string(value)
		case 3:
			id = string(value)
		}
		return nil
	})
	return resource, id, err
}

// parseSource decodes the key of an entry in the map of sources: the id of an entitlement.
func parseSource(b []byte) (entitlement string, err error) {
	err = fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error {
		if number == 1 {
			entitlement = string(value)
		}
		return nil
	})
	return entitlement, err
}

// parseAny decodes a google.protobuf.Any to the message name without the package, and the message.
func parseAny(b []byte) (name string, message []byte, err error) {
	err = fields(b, func(number protowire.Number, kind protowire.Type, value []byte, n uint64) error {
		switch number {
		case 1:
			url := string(value)
			name = url[strings.LastIndexAny(url, "/.")+1:]
		case 2:
			message = value
		}
		return nil
	})
	return name, message, err
}

func appendBytes(b []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
}
