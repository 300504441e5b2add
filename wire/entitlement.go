package wire

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/anypb"

	"baton"
	"baton/internal/pb/connectorv2"
)

// MarshalEntitlement encodes a c1.connector.v2.Entitlement. Grantable are the
// resource types that e.GrantableTo names; they are written in full and in the
// given order.
func MarshalEntitlement(e baton.Entitlement, grantable []baton.ResourceType) ([]byte, error) {
	what := "entitlement " + e.ID.String()
	if err := checkEntitlement(e.ID); err != nil {
		return nil, invalid(what, err)
	}
	m := &connectorv2.Entitlement{
		Resource:    named(e.ID.Resource, e.ResourceName),
		Id:          e.ID.String(),
		DisplayName: e.DisplayName,
		Description: e.Description,
		Purpose:     connectorv2.Entitlement_PurposeValue(e.Purpose),
		Slug:        e.ID.Slug,
	}
	for _, t := range grantable {
		to, err := resourceType(t)
		if err != nil {
			return nil, invalid(what, err)
		}
		m.GrantableTo = append(m.GrantableTo, to)
	}
	return marshal(m, what)
}

// Entitlement holds the fields of a c1.connector.v2.Entitlement of any writer. Its id is
// opaque.
type Entitlement struct {
	ID           string
	Resource     baton.ResourceID
	ResourceName string
	Slug         string
	DisplayName  string
	Description  string
	Purpose      baton.Purpose
	GrantableTo  []string // resource type ids
	Annotations  []string // names of their messages, without the package
}

// UnmarshalEntitlement decodes a c1.connector.v2.Entitlement. Missing fields are zero.
func UnmarshalEntitlement(b []byte) (Entitlement, error) {
	const what = "entitlement"
	var m connectorv2.Entitlement
	if err := unmarshal(b, &m, what); err != nil {
		return Entitlement{}, err
	}
	e := Entitlement{
		ID:           m.Id,
		Resource:     id(m.Resource.GetId()),
		ResourceName: m.Resource.GetDisplayName(),
		Slug:         m.Slug,
		DisplayName:  m.DisplayName,
		Description:  m.Description,
		Purpose:      baton.Purpose(m.Purpose),
		Annotations:  annotationNames(m.Annotations),
	}
	for _, t := range m.GrantableTo {
		e.GrantableTo = append(e.GrantableTo, t.GetId())
	}
	return e, nil
}

// grant returns the message that AppendGrant writes.
func grant(g baton.Grant) (*connectorv2.Grant, error) {
	if err := checkEntitlement(g.ID.Entitlement); err != nil {
		return nil, err
	}
	if g.ID.Principal.Type == "" || g.ID.Principal.ID == "" {
		return nil, errNoID
	}
	m := &connectorv2.Grant{
		Entitlement: &connectorv2.Entitlement{
			Resource: named(g.ID.Entitlement.Resource, g.ResourceName),
			Id:       g.ID.Entitlement.String(),
		},
		Principal: &connectorv2.Resource{Id: resourceID(g.ID.Principal)},
		Id:        g.ID.String(),
	}
	metadata, err := profileStruct(g.Metadata)
	if err != nil {
		return nil, err
	}
	if metadata != nil {
		a, err := pack(&connectorv2.GrantMetadata{Metadata: metadata})
		if err != nil {
			return nil, err
		}
		m.Annotations = []*anypb.Any{a}
	}
	return m, nil
}

// Grant holds the fields of a c1.connector.v2.Grant of any writer. Its ids are opaque. A slim
// grant has only an id.
type Grant struct {
	ID           string
	Entitlement  string // id
	Resource     baton.ResourceID
	ResourceName string
	Principal    baton.ResourceID
	Metadata     baton.Profile
	Sources      []string // ids of the entitlements that it was derived from, sorted
	Annotations  []string // names of their messages, without the package
}

// UnmarshalGrant decodes a c1.connector.v2.Grant. Missing fields are zero.
func UnmarshalGrant(b []byte) (Grant, error) {
	const what = "grant"
	var m connectorv2.Grant
	if err := unmarshal(b, &m, what); err != nil {
		return Grant{}, err
	}
	g := Grant{
		ID:           m.Id,
		Entitlement:  m.Entitlement.GetId(),
		Resource:     id(m.Entitlement.GetResource().GetId()),
		ResourceName: m.Entitlement.GetResource().GetDisplayName(),
		Principal:    id(m.Principal.GetId()),
		Annotations:  annotationNames(m.Annotations),
	}
	if sources := m.Sources.GetSources(); len(sources) > 0 {
		g.Sources = slices.Sorted(maps.Keys(sources))
	}
	var metadata connectorv2.GrantMetadata
	if _, err := find(m.Annotations, &metadata); err != nil {
		return Grant{}, corrupt(what+" "+m.Id, err)
	}
	g.Metadata = profile(metadata.Metadata)
	return g, nil
}

// annotationNames returns the names of the annotations' messages, without the package.
func annotationNames(annotations []*anypb.Any) (names []string) {
	for _, a := range annotations {
		names = append(names, messageName(a.GetTypeUrl()))
	}
	return names
}

// messageName returns the last part of a type URL.
func messageName(url string) string { return url[strings.LastIndexAny(url, "/.")+1:] }

// AnnotationNames returns the names of the annotations of a c1.connector.v2.Resource.
func AnnotationNames(resource []byte) (names []string, err error) {
	const annotations = 4
	err = eachField(resource, func(field protowire.Number, value []byte, _ uint64) error {
		if field != annotations || value == nil {
			return nil
		}
		url := ""
		err := eachField(value, func(field protowire.Number, value []byte, _ uint64) error {
			if field == 1 {
				url = string(value)
			}
			return nil
		})
		names = append(names, messageName(url))
		return err
	})
	if err != nil {
		return nil, corrupt("resource", err)
	}
	return names, nil
}

// UnmarshalGrantAnnotations decodes the metadata that AppendGrantAnnotations wrote.
func UnmarshalGrantAnnotations(b []byte) (baton.Profile, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if p, ok := (&decoder{b: b}).metadata(); ok {
		return p, nil
	}
	const what = "grant"
	var m connectorv2.Grant
	if err := unmarshal(b, &m, what); err != nil {
		return nil, err
	}
	var metadata connectorv2.GrantMetadata
	if _, err := find(m.Annotations, &metadata); err != nil {
		return nil, corrupt(what, err)
	}
	return profile(metadata.Metadata), nil
}

// named returns the short form of a resource for entitlements and grants.
func named(id baton.ResourceID, name string) *connectorv2.Resource {
	return &connectorv2.Resource{Id: resourceID(id), DisplayName: name}
}

func checkEntitlement(e baton.EntitlementID) error {
	if e.Resource.Type == "" || e.Resource.ID == "" || e.Slug == "" {
		return errNoID
	}
	return nil
}

// entitlementID splits the id of an entitlement at its resource, because entitlements inside
// grants have no slug.
func entitlementID(m *connectorv2.Entitlement) (baton.EntitlementID, error) {
	resource := id(m.GetResource().GetId())
	e, ok := baton.ParseEntitlementID(m.GetId(), resource)
	if !ok {
		return e, fmt.Errorf("id %q is not its resource's %q and a slug", m.GetId(), resource)
	}
	return e, checkEntitlement(e)
}
