package c1z_test

import (
	"bytes"
	"reflect"
	"testing"

	"baton"
	"baton/c1z"
	"baton/wire"
)

func TestRow(t *testing.T) {
	group := baton.ResourceID{Type: "group", ID: "g:1"} // ids may hold colons
	ann := baton.ResourceID{Type: "user", ID: "u1"}
	member := baton.EntitlementID{Resource: group, Slug: "member"}
	tests := map[string]struct {
		row         c1z.Row
		table       c1z.Table
		id          string
		resource    baton.ResourceID
		entitlement string
		principal   baton.ResourceID
	}{
		"resource type": {row: row(c1z.ResourceTypeRow(userType)), table: c1z.ResourceTypes,
			id: "user", resource: baton.ResourceID{Type: "user"}},
		"resource": {row: row(c1z.ResourceRow(baton.Resource{ID: group})), table: c1z.Resources,
			id: "group:g:1", resource: group},
		"child": {row: row(c1z.ResourceRow(baton.Resource{ID: ann, Parent: group})), table: c1z.Resources,
			id: "user:u1", resource: ann},
		"entitlement": {row: row(c1z.EntitlementRow(baton.Entitlement{ID: member}, nil)), table: c1z.Entitlements,
			id: "group:g:1:member", resource: group, entitlement: "group:g:1:member"},
		"grant": {row: row(c1z.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member, Principal: ann}})), table: c1z.Grants,
			id: "group:g:1:member:user:u1", resource: group, entitlement: "group:g:1:member", principal: ann},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			encoded := test.row.Append([]byte("before"))
			parsed, err := c1z.ParseRow(encoded[len("before"):])
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
	got, err := wire.UnmarshalResource(row(c1z.ResourceRow(want)).Data())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRowRefuses(t *testing.T) {
	if _, err := c1z.GrantRow(baton.Grant{}); baton.KindOf(err) != baton.Invalid {
		t.Errorf("empty grant: %v", err)
	}
	whole := row(c1z.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u1"}})).Append(nil)
	head := len(whole) - len(row(c1z.ParseRow(whole)).Data())
	for n := range head {
		if _, err := c1z.ParseRow(whole[:n]); baton.KindOf(err) != baton.Corrupt {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
	for name, b := range map[string][]byte{
		"table 0":            {0},
		"table 5":            {5},
		"no colon":           bytes.Replace(whole, []byte("user:u1"), []byte("user-u1"), 1),
		"length beyond 2^63": {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		if _, err := c1z.ParseRow(b); baton.KindOf(err) != baton.Corrupt {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseRow(f *testing.F) {
	for _, r := range smallSync() {
		f.Add(r.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := c1z.ParseRow(b)
		if err != nil {
			if baton.KindOf(err) != baton.Corrupt {
				t.Fatalf("kind %v: %v", baton.KindOf(err), err)
			}
			return
		}
		_, _, _, _ = r.ID(), r.ResourceID(), r.EntitlementID(), r.PrincipalID()
		again, err := c1z.ParseRow(r.Append(nil))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%x: parsed %+v, then %+v (%v)", b, r, again, err)
		}
	})
}
