package writer_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"bytes"
	"reflect"
	"testing"

	"baton"
	"baton/wire"
)

func TestRow(t *testing.T) {
	group := baton.ResourceID{Type: "group", ID: "g:1"} // ids may hold colons
	ann := baton.ResourceID{Type: "user", ID: "u1"}
	member := baton.EntitlementID{Resource: group, Slug: "member"}
	tests := map[string]struct {
		row         writer.Row
		table       writer.Table
		id          string
		resource    baton.ResourceID
		entitlement string
		principal   baton.ResourceID
	}{
		"resource type": {row: fixture.Row(writer.ResourceTypeRow(fixture.UserType)), table: writer.ResourceTypes,
			id: "user", resource: baton.ResourceID{Type: "user"}},
		"resource": {row: fixture.Row(writer.ResourceRow(baton.Resource{ID: group})), table: writer.Resources,
			id: "group:g:1", resource: group},
		"child": {row: fixture.Row(writer.ResourceRow(baton.Resource{ID: ann, Parent: group})), table: writer.Resources,
			id: "user:u1", resource: ann},
		"entitlement": {row: fixture.Row(writer.EntitlementRow(baton.Entitlement{ID: member}, nil)), table: writer.Entitlements,
			id: "group:g:1:member", resource: group, entitlement: "group:g:1:member"},
		"grant": {row: fixture.Row(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member, Principal: ann}})), table: writer.Grants,
			id: "group:g:1:member:user:u1", resource: group, entitlement: "group:g:1:member", principal: ann},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			encoded := test.row.Append([]byte("before"))
			parsed, err := writer.ParseRow(encoded[len("before"):])
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(parsed, test.row) {
				t.Errorf("parsed %+v\nwant %+v", parsed, test.row)
			}
			if parsed.Table != test.table || parsed.ID() != test.id || parsed.ResourceID() != test.resource ||
				parsed.EntitlementID() != test.entitlement || parsed.PrincipalID() != test.principal {
				t.Errorf("got %v %q %v %q %v", parsed.Table, parsed.ID(), parsed.ResourceID(), parsed.EntitlementID(), parsed.PrincipalID())
			}
		})
	}
}

func TestRowData(t *testing.T) {
	want := baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u1"}, DisplayName: "Ann"}
	got, err := wire.UnmarshalResource(fixture.Row(writer.ResourceRow(want)).Data())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRowRefuses(t *testing.T) {
	if _, err := writer.GrantRow(baton.Grant{}); baton.KindOf(err) != baton.Invalid {
		t.Errorf("empty grant: %v", err)
	}
	whole := fixture.Row(writer.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u1"}})).Append(nil)
	head := len(whole) - len(fixture.Row(writer.ParseRow(whole)).Data())
	for n := range head {
		if _, err := writer.ParseRow(whole[:n]); baton.KindOf(err) != baton.Corrupt {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
	for name, b := range map[string][]byte{
		"table 0":            {0},
		"table 5":            {5},
		"no colon":           bytes.Replace(whole, []byte("user:u1"), []byte("user-u1"), 1),
		"length beyond 2^63": {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		if _, err := writer.ParseRow(b); baton.KindOf(err) != baton.Corrupt {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseRow(f *testing.F) {
	for _, r := range fixture.SmallSync() {
		f.Add(r.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := writer.ParseRow(b)
		if err != nil {
			if baton.KindOf(err) != baton.Corrupt {
				t.Fatalf("kind %v: %v", baton.KindOf(err), err)
			}
			return
		}
		_, _, _, _ = r.ID(), r.ResourceID(), r.EntitlementID(), r.PrincipalID()
		again, err := writer.ParseRow(r.Append(nil))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%x: parsed %+v, then %+v (%v)", b, r, again, err)
		}
	})
}
