package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"baton"
	"baton/internal/pb/batonv1"
	"baton/wire"
)

// TestRoleHints sends role hints in a Hello and reads them: as an annotation of a type that
// every server knows, so that one that prints its messages can do so.
func TestRoleHints(t *testing.T) {
	for _, want := range []baton.RoleHints{
		{},
		{ResourceType: "group", Slug: "member", Admin: baton.RoleNames{Configured: []string{"PPLX_Admin", "g1"}, Usual: []string{"pplxadmin"}},
			Member: baton.RoleNames{Usual: []string{"pplxmembers"}}, Priority: "admin", MinimumAdmins: 3},
	} {
		b, err := wire.MarshalHello(wire.Host{ID: "h"}, "", &baton.Connector{DisplayName: "P", RoleHints: &want})
		if err != nil {
			t.Fatal(err)
		}
		var m batonv1.BatonServiceHelloRequest
		if err := proto.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		annotations := m.ConnectorMetadata.Annotations
		if len(annotations) != 1 || !annotations[0].MessageIs((*structpb.Struct)(nil)) {
			t.Fatalf("annotations %v", annotations)
		}
		got := wire.RoleHints(annotations[0].Value)
		if got == nil {
			t.Fatal("the hints cannot be read")
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	for name, value := range map[string]map[string]any{
		"another struct": {"x": map[string]any{}}, "a text": {"baton_roles": "admin"},
		"a list for a text": {"baton_roles": map[string]any{"priority": []any{"admin"}}}, "half a minimum": {"baton_roles": map[string]any{"minimum_admins": 1.5}},
	} {
		s, err := structpb.NewStruct(value)
		if err != nil {
			t.Fatal(err)
		}
		b, err := proto.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := wire.RoleHints(b); got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := wire.RoleHints([]byte{0xff}); got != nil {
		t.Errorf("damaged bytes: %+v", got)
	}
}
