package wire_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/wire"
)

var (
	user  = baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}
	admin = baton.ResourceID{Type: "group", ID: "g1"}
	ann   = baton.ResourceID{Type: "user", ID: "u1"}
	noon  = time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC)
)

// fixtures are named after their golden files, which are derived by hand from the
// field tables of the protocol.
var (
	resourceTypes = map[string]baton.ResourceType{
		"resource_type": {ID: "user", DisplayName: "User", Description: "People",
			Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true},
	}
	resources = map[string]baton.Resource{
		"resource_user": {
			ID: ann, Parent: baton.ResourceID{Type: "org", ID: "o-1"}, DisplayName: "Ann", Description: "Staff",
			Status: baton.StatusEnabled, CreatedAt: noon,
			Profile: baton.Profile{"tags": []string{"a", "b"}, "seat": 2.0, "active": true,
				"nested": baton.Profile{"k": "v"}, "first_name": "Ann"},
			User: &baton.User{
				Emails: []baton.Email{{Address: "ann@example.com", Primary: true}, {Address: "a@x.io"}},
				Login:  "ann", LoginAliases: []string{"annie"}, GivenName: "Ann", FamilyName: "Lee",
				MiddleNames: []string{"B"}, EmployeeIDs: []string{"e7"}, LastLogin: noon.Add(500),
			},
		},
		"resource_group": {ID: admin, DisplayName: "Admins", Profile: baton.Profile{"group_id": ""}, Group: &baton.Group{}},
	}
	entitlements = map[string]baton.Entitlement{
		"entitlement": {ID: baton.EntitlementID{Resource: admin, Slug: "member"}, ResourceName: "Admins",
			DisplayName: "Admins member", Description: "Member of Admins", Purpose: baton.PurposeAssignment,
			GrantableTo: []string{"user"}},
	}
	grants = map[string]baton.Grant{
		"grant": {ID: baton.GrantID{Entitlement: baton.EntitlementID{Resource: admin, Slug: "member"}, Principal: ann},
			ResourceName: "Admins"},
		"grant_metadata": {ID: baton.GrantID{
			Entitlement: baton.EntitlementID{Resource: baton.ResourceID{Type: "course", ID: "c1"}, Slug: "started"}, Principal: ann},
			Metadata: baton.Profile{"started_at": "2024-03-01T1"}},
	}
)

func marshalEntitlement(e baton.Entitlement) ([]byte, error) {
	return wire.MarshalEntitlement(e, []baton.ResourceType{user})
}

// unmarshalEntitlement and unmarshalGrant decode what this package encodes.

func unmarshalEntitlement(b []byte) (baton.Entitlement, error) {
	e, err := wire.UnmarshalEntitlement(b)
	if err != nil {
		return baton.Entitlement{}, err
	}
	id, ok := baton.ParseEntitlementID(e.ID, e.Resource)
	if !ok || id.Slug != e.Slug || id.Resource.Type == "" || id.Resource.ID == "" {
		return baton.Entitlement{}, errForeign
	}
	return baton.Entitlement{ID: id, ResourceName: e.ResourceName, DisplayName: e.DisplayName, Description: e.Description,
		Purpose: e.Purpose, GrantableTo: e.GrantableTo}, nil
}

func unmarshalGrant(b []byte) (baton.Grant, error) {
	g, err := wire.UnmarshalGrant(b)
	if err != nil {
		return baton.Grant{}, err
	}
	id, ok := baton.ParseEntitlementID(g.Entitlement, g.Resource)
	out := baton.Grant{ID: baton.GrantID{Entitlement: id, Principal: g.Principal}, ResourceName: g.ResourceName, Metadata: g.Metadata}
	if !ok || out.ID.String() != g.ID || id.Resource.Type == "" || id.Resource.ID == "" || g.Principal.Type == "" || g.Principal.ID == "" {
		return baton.Grant{}, errForeign
	}
	return out, nil
}

// errForeign reports a valid message that this package does not encode.
var errForeign = baton.Errorf(baton.Corrupt, "not written by this package")

func TestGolden(t *testing.T) {
	golden(t, resourceTypes, wire.MarshalResourceType, wire.UnmarshalResourceType)
	golden(t, resources, wire.MarshalResource, wire.UnmarshalResource)
	golden(t, entitlements, marshalEntitlement, unmarshalEntitlement)
	golden(t, grants, wire.MarshalGrant, unmarshalGrant)
}

func golden[T any](t *testing.T, fixtures map[string]T, marshal func(T) ([]byte, error), unmarshal func([]byte) (T, error)) {
	for name, value := range fixtures {
		t.Run(name, func(t *testing.T) {
			want := readGolden(t, name)
			got, err := marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("marshal:\n%s\nwant:\n%s", hex.Dump(got), hex.Dump(want))
			}
			back, err := unmarshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(value, back); diff != "" {
				t.Errorf("unmarshal (-want +got):\n%s", diff)
			}
		})
	}
}

// readGolden reads bytes written as hex pairs and "text", with # comments.
func readGolden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		for i, part := range strings.Split(line, `"`) {
			if i%2 == 1 {
				out = append(out, part...)
				continue
			}
			raw, err := hex.DecodeString(strings.Join(strings.Fields(part), ""))
			if err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			out = append(out, raw...)
		}
	}
	return out
}
