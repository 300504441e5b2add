package wire

import (
	"errors"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"baton"
	"baton/internal/pb/connectorv2"
)

var errNoID = errors.New("it has no id")

// MarshalResourceType encodes a c1.connector.v2.ResourceType.
func MarshalResourceType(t baton.ResourceType) ([]byte, error) {
	what := "resource type " + t.ID
	m, err := resourceType(t)
	if err != nil {
		return nil, invalid(what, err)
	}
	return marshal(m, what)
}

func resourceType(t baton.ResourceType) (*connectorv2.ResourceType, error) {
	if t.ID == "" {
		return nil, errNoID
	}
	m := &connectorv2.ResourceType{Id: t.ID, DisplayName: t.DisplayName, Description: t.Description}
	for _, trait := range t.Traits {
		m.Traits = append(m.Traits, connectorv2.ResourceType_Trait(trait))
	}
	if t.NoEntitlements {
		skip, err := pack(&connectorv2.SkipEntitlementsAndGrants{})
		if err != nil {
			return nil, err
		}
		m.Annotations = []*anypb.Any{skip}
	}
	return m, nil
}

// UnmarshalResourceType decodes a c1.connector.v2.ResourceType. Whether the type
// can be provisioned is not part of the message.
func UnmarshalResourceType(b []byte) (baton.ResourceType, error) {
	const what = "resource type"
	var m connectorv2.ResourceType
	if err := unmarshal(b, &m, what); err != nil {
		return baton.ResourceType{}, err
	}
	if m.Id == "" {
		return baton.ResourceType{}, corrupt(what, errNoID)
	}
	t := baton.ResourceType{ID: m.Id, DisplayName: m.DisplayName, Description: m.Description}
	for _, trait := range m.Traits {
		t.Traits = append(t.Traits, baton.Trait(trait))
	}
	skips, err := find(m.Annotations, &connectorv2.SkipEntitlementsAndGrants{})
	if err != nil {
		return baton.ResourceType{}, corrupt(what+" "+m.Id, err)
	}
	t.NoEntitlements = skips
	return t, nil
}

// resource returns the message that Resources.Append writes.
func resource(r baton.Resource) (*connectorv2.Resource, error) {
	if r.ID.Type == "" || r.ID.ID == "" {
		return nil, errNoID
	}
	m := &connectorv2.Resource{Id: resourceID(r.ID), DisplayName: r.DisplayName, Description: r.Description}
	if r.Parent != (baton.ResourceID{}) {
		m.ParentResourceId = resourceID(r.Parent)
	}
	if r.Status != baton.StatusUnspecified {
		m.Status = &connectorv2.Status{Status: connectorv2.Status_ResourceStatus(r.Status)}
	}
	var err error
	if m.Profile, err = profileStruct(r.Profile); err != nil {
		return nil, err
	}
	if m.CreatedAt, err = timestamp(r.CreatedAt); err != nil {
		return nil, err
	}
	var traits []proto.Message
	if r.User != nil {
		user, err := userTrait(r.User, m)
		if err != nil {
			return nil, err
		}
		traits = append(traits, user)
	}
	if r.Group != nil {
		traits = append(traits, &connectorv2.GroupTrait{Profile: m.Profile})
	}
	for _, trait := range traits {
		a, err := pack(trait)
		if err != nil {
			return nil, err
		}
		m.Annotations = append(m.Annotations, a)
	}
	return m, nil
}

// userTrait returns the UserTrait, which repeats fields of the resource.
func userTrait(u *baton.User, r *connectorv2.Resource) (*connectorv2.UserTrait, error) {
	t := &connectorv2.UserTrait{
		Profile:      r.Profile,
		AccountType:  connectorv2.UserTrait_AccountType(accountHuman + u.Kind),
		Login:        u.Login,
		LoginAliases: u.LoginAliases,
		CreatedAt:    r.CreatedAt,
		EmployeeIds:  u.EmployeeIDs,
	}
	for _, e := range u.Emails {
		t.Emails = append(t.Emails, &connectorv2.UserTrait_Email{Address: e.Address, IsPrimary: e.Primary})
	}
	if r.Status != nil {
		t.Status = &connectorv2.UserTrait_Status{Status: connectorv2.UserTrait_Status_Status(r.Status.Status)}
	}
	if u.GivenName != "" || u.FamilyName != "" || len(u.MiddleNames) > 0 {
		t.StructuredName = &connectorv2.UserTrait_StructuredName{
			GivenName: u.GivenName, FamilyName: u.FamilyName, MiddleNames: u.MiddleNames}
	}
	var err error
	t.LastLogin, err = timestamp(u.LastLogin)
	return t, err
}

// UnmarshalResource decodes a c1.connector.v2.Resource. Fields that it does not have are taken
// from its trait, where older writers put them.
func UnmarshalResource(b []byte) (baton.Resource, error) {
	if r, ok := (&decoder{b: b}).resource(); ok {
		return r, nil
	}
	return libraryResource(b)
}

// libraryResource decodes a resource of any writer.
func libraryResource(b []byte) (baton.Resource, error) {
	const what = "resource"
	var m connectorv2.Resource
	if err := unmarshal(b, &m, what); err != nil {
		return baton.Resource{}, err
	}
	r, err := fromResource(&m)
	if err != nil {
		return baton.Resource{}, corrupt(what+" "+id(m.Id).String(), err)
	}
	return r, nil
}

func fromResource(m *connectorv2.Resource) (baton.Resource, error) {
	r := baton.Resource{
		ID:          id(m.Id),
		Parent:      id(m.ParentResourceId),
		DisplayName: m.DisplayName,
		Description: m.Description,
		Status:      baton.Status(m.Status.GetStatus()),
		Profile:     profile(m.Profile),
	}
	if r.ID.Type == "" || r.ID.ID == "" {
		return r, errNoID
	}
	var user connectorv2.UserTrait
	isUser, err := find(m.Annotations, &user)
	if err != nil {
		return r, err
	}
	var group connectorv2.GroupTrait
	isGroup, err := find(m.Annotations, &group)
	if err != nil {
		return r, err
	}
	created := m.CreatedAt
	if isUser {
		if r.User, err = fromUserTrait(&user); err != nil {
			return r, err
		}
		if r.Status == baton.StatusUnspecified {
			r.Status = baton.Status(user.Status.GetStatus())
		}
		if created == nil {
			created = user.CreatedAt
		}
		if r.Profile == nil {
			r.Profile = profile(user.Profile)
		}
	}
	if isGroup {
		r.Group = &baton.Group{}
		if r.Profile == nil {
			r.Profile = profile(group.Profile)
		}
	}
	r.CreatedAt, err = instant(created)
	return r, err
}

func fromUserTrait(t *connectorv2.UserTrait) (*baton.User, error) {
	u := &baton.User{
		Login:        t.Login,
		LoginAliases: t.LoginAliases,
		GivenName:    t.StructuredName.GetGivenName(),
		FamilyName:   t.StructuredName.GetFamilyName(),
		MiddleNames:  t.StructuredName.GetMiddleNames(),
		EmployeeIDs:  t.EmployeeIds,
		Kind:         accountKind(int64(t.AccountType)),
	}
	for _, e := range t.Emails {
		u.Emails = append(u.Emails, baton.Email{Address: e.GetAddress(), Primary: e.GetIsPrimary()})
	}
	var err error
	u.LastLogin, err = instant(t.LastLogin)
	return u, err
}

func resourceID(id baton.ResourceID) *connectorv2.ResourceId {
	return &connectorv2.ResourceId{ResourceType: id.Type, Resource: id.ID}
}

func id(m *connectorv2.ResourceId) baton.ResourceID {
	return baton.ResourceID{Type: m.GetResourceType(), ID: m.GetResource()}
}
