package wire

import (
	"fmt"
	"strings"

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

// UnmarshalEntitlement decodes a c1.connector.v2.Entitlement.
func UnmarshalEntitlement(b []byte) (baton.Entitlement, error) {
	const what = "entitlement"
	var m connectorv2.Entitlement
	if err := unmarshal(b, &m, what); err != nil {
		return baton.Entitlement{}, err
	}
	ent, err := entitlementID(&m)
	if err != nil {
		return baton.Entitlement{}, corrupt(what, err)
	}
	e := baton.Entitlement{
		ID:           ent,
		ResourceName: m.Resource.GetDisplayName(),
		DisplayName:  m.DisplayName,
		Description:  m.Description,
		Purpose:      baton.Purpose(m.Purpose),
	}
	for _, t := range m.GrantableTo {
		e.GrantableTo = append(e.GrantableTo, t.GetId())
	}
	return e, nil
}

// grant is the message that AppendGrant writes.
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

// UnmarshalGrant decodes a c1.connector.v2.Grant. Where a grant was derived from
// is not kept.
func UnmarshalGrant(b []byte) (baton.Grant, error) {
	const what = "grant"
	var m connectorv2.Grant
	if err := unmarshal(b, &m, what); err != nil {
		return baton.Grant{}, err
	}
	ent, err := entitlementID(m.Entitlement)
	if err != nil {
		return baton.Grant{}, corrupt(what+" "+m.Id, err)
	}
	g := baton.Grant{
		ID:           baton.GrantID{Entitlement: ent, Principal: id(m.Principal.GetId())},
		ResourceName: m.Entitlement.GetResource().GetDisplayName(),
	}
	switch {
	case g.ID.Principal.Type == "" || g.ID.Principal.ID == "":
		return baton.Grant{}, corrupt(what+" "+m.Id, errNoID)
	case g.ID.String() != m.Id:
		return baton.Grant{}, corrupt(what, fmt.Errorf("id %q is not %q", m.Id, g.ID))
	}
	var metadata connectorv2.GrantMetadata
	if _, err := find(m.Annotations, &metadata); err != nil {
		return baton.Grant{}, corrupt(what+" "+m.Id, err)
	}
	g.Metadata = profile(metadata.Metadata)
	return g, nil
}

// UnmarshalGrantAnnotations decodes what AppendGrantAnnotations wrote, which is the
// metadata of a grant.
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

// named is the short form of a resource that entitlements and grants carry.
func named(id baton.ResourceID, name string) *connectorv2.Resource {
	return &connectorv2.Resource{Id: resourceID(id), DisplayName: name}
}

func checkEntitlement(e baton.EntitlementID) error {
	if e.Resource.Type == "" || e.Resource.ID == "" || e.Slug == "" {
		return errNoID
	}
	return nil
}

// entitlementID splits an entitlement's id at its resource. The slug is what
// remains: entitlements inside grants do not carry it as a field.
func entitlementID(m *connectorv2.Entitlement) (baton.EntitlementID, error) {
	e := baton.EntitlementID{Resource: id(m.GetResource().GetId())}
	slug, ok := strings.CutPrefix(m.GetId(), e.Resource.String()+":")
	if !ok {
		return e, fmt.Errorf("id %q is not its resource's %q and a slug", m.GetId(), e.Resource)
	}
	e.Slug = slug
	return e, checkEntitlement(e)
}
