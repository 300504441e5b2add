package wire_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"baton"
	"baton/wire"
)

// TestRoundTrip encodes random resources twice: the bytes are the same, and decoding loses nothing.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		res := randomResource(r)
		first, err := wire.MarshalResource(res)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			again, err := wire.MarshalResource(res)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, again) {
				t.Fatalf("the same resource became different bytes: %+v", res)
			}
		}
		back, err := wire.UnmarshalResource(first)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(res, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

func randomResource(r *rand.Rand) baton.Resource {
	text := func() string { return fmt.Sprintf("t%d é:\x00", r.IntN(1000)) }
	list := func() (out []string) {
		for range r.IntN(3) {
			out = append(out, text())
		}
		return out
	}
	var profile func(depth int) baton.Profile
	profile = func(depth int) baton.Profile {
		p := baton.Profile{}
		for range r.IntN(8) {
			switch r.IntN(5) {
			case 0:
				p[text()] = text()
			case 1:
				p[text()] = r.IntN(2) == 0
			case 2:
				p[text()] = r.Float64() * 1e9
			case 3:
				p[text()] = list()
			case 4:
				if depth > 0 {
					p[text()] = profile(depth - 1)
				}
			}
		}
		return p
	}
	res := baton.Resource{
		ID: baton.ResourceID{Type: "user", ID: text()}, DisplayName: text(), Description: text(),
		Status: baton.Status(r.IntN(4)), Profile: profile(2),
	}
	if r.IntN(2) == 0 {
		res.Parent = baton.ResourceID{Type: "org", ID: text()}
		res.CreatedAt = time.Unix(r.Int64N(4e9), r.Int64N(1e9)).UTC()
	}
	switch r.IntN(3) {
	case 0:
		res.User = &baton.User{Login: text(), LoginAliases: list(), GivenName: text(), FamilyName: text(),
			MiddleNames: list(), EmployeeIDs: list(), Emails: []baton.Email{{Address: text(), Primary: r.IntN(2) == 0}}}
	case 1:
		res.Group = &baton.Group{}
	}
	return res
}

// TestLocalTime: bytes do not depend on the time zone of a value.
func TestLocalTime(t *testing.T) {
	utc := resources["resource_user"]
	local := utc
	local.CreatedAt = utc.CreatedAt.In(time.FixedZone("", 3600))
	a, _ := wire.MarshalResource(utc)
	b, err := wire.MarshalResource(local)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("the zone shows in the bytes (%v)", err)
	}
}

// TestOlderResource: fields that only the trait has count for the resource.
func TestOlderResource(t *testing.T) {
	b := readGolden(t, "resource_user")
	at := bytes.Index(b, []byte("Staff")) + len("Staff")
	got, err := wire.UnmarshalResource(b[:at]) // fields 9 to 12 cut off
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(resources["resource_user"], got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRefusesToWrite(t *testing.T) {
	with := func(change func(*baton.Resource)) error {
		r := resources["resource_user"]
		change(&r)
		_, err := wire.MarshalResource(r)
		return err
	}
	grant := func(change func(*baton.Grant)) error {
		g := grants["grant"]
		change(&g)
		_, err := wire.MarshalGrant(g)
		return err
	}
	_, noType := wire.MarshalResourceType(baton.ResourceType{})
	_, noSlug := wire.MarshalEntitlement(baton.Entitlement{ID: baton.EntitlementID{Resource: admin}}, nil)
	_, badHolder := wire.MarshalEntitlement(entitlements["entitlement"], []baton.ResourceType{{}})
	for name, err := range map[string]error{
		"no id":             with(func(r *baton.Resource) { r.ID.ID = "" }),
		"not UTF-8":         with(func(r *baton.Resource) { r.DisplayName = "\xff" }),
		"key not UTF-8":     with(func(r *baton.Resource) { r.Profile = baton.Profile{"\xff": ""} }),
		"unknown type":      with(func(r *baton.Resource) { r.Profile = baton.Profile{"k": []int{1}} }),
		"nil":               with(func(r *baton.Resource) { r.Profile = baton.Profile{"k": nil} }),
		"not a number":      with(func(r *baton.Resource) { r.Profile = baton.Profile{"k": math.NaN()} }),
		"nested":            with(func(r *baton.Resource) { r.Profile = baton.Profile{"k": baton.Profile{"l": math.Inf(1)}} }),
		"time out of range": with(func(r *baton.Resource) { r.CreatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"last login":        with(func(r *baton.Resource) { r.User = &baton.User{LastLogin: time.Unix(-1e12, 0)} }),
		"no holder":         grant(func(g *baton.Grant) { g.ID.Principal.ID = "" }),
		"grant of nothing":  grant(func(g *baton.Grant) { g.ID.Entitlement.Slug = "" }),
		"metadata":          grant(func(g *baton.Grant) { g.Metadata = baton.Profile{"k": struct{}{}} }),
		"no resource type":  noType,
		"no slug":           noSlug,
		"no holder type":    badHolder,
	} {
		if baton.KindOf(err) != baton.Invalid || !strings.HasPrefix(fmt.Sprint(err), "wire: encode ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRefusesToRead(t *testing.T) {
	swap := func(name, old, new string) []byte {
		b := readGolden(t, name)
		if !bytes.Contains(b, []byte(old)) || len(old) != len(new) {
			t.Fatalf("%s: bad swap", name)
		}
		return bytes.ReplaceAll(b, []byte(old), []byte(new))
	}
	check := func(name string, err error) {
		if baton.KindOf(err) != baton.Corrupt || !strings.HasPrefix(fmt.Sprint(err), "wire: decode ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := wire.UnmarshalResource(nil)
	check("empty resource", err)
	_, err = wire.UnmarshalResourceType(nil)
	check("empty resource type", err)
	_, err = wire.UnmarshalResource(readGolden(t, "resource_user")[:100])
	check("cut short", err)
	_, err = wire.UnmarshalGrant(swap("grant_metadata", "2024", "\xff\xff\xff\xff"))
	check("metadata not UTF-8", err)
	_, err = wire.UnmarshalResource(swap("resource_user", "annie", "\xff\xff\xff\xff\xff"))
	check("trait not UTF-8", err)
}

// TestOpaqueIDs: ids of any form are read unchanged, and so is a grant that only has an id.
func TestOpaqueIDs(t *testing.T) {
	swap := func(name, old, new string) []byte {
		return bytes.ReplaceAll(readGolden(t, name), []byte(old), []byte(new))
	}
	e, err := wire.UnmarshalEntitlement(swap("entitlement", "group:g1:member", "some-free-form!"))
	if err != nil || e.ID != "some-free-form!" || e.Resource != admin || e.Slug != "member" {
		t.Errorf("%+v, %v", e, err)
	}
	g, err := wire.UnmarshalGrant(swap("grant", "group:g1:member:user:u1", "an odd id of that size."))
	if err != nil || g.ID != "an odd id of that size." || g.Entitlement != "group:g1:member" || g.Resource != admin || g.Principal != ann {
		t.Errorf("%+v, %v", g, err)
	}
	g, err = wire.UnmarshalGrant([]byte("\x1a\x04slim"))
	if want := (wire.Grant{ID: "slim"}); err != nil || !reflect.DeepEqual(g, want) {
		t.Errorf("%+v, %v", g, err)
	}
}

// TestAnnotationNames reads the annotations of a resource and of a grant.
func TestAnnotationNames(t *testing.T) {
	names, err := wire.AnnotationNames(readGolden(t, "resource_user"))
	if want := []string{"UserTrait"}; err != nil || !reflect.DeepEqual(names, want) {
		t.Errorf("%q, %v", names, err)
	}
	g, err := wire.UnmarshalGrant(readGolden(t, "grant_metadata"))
	if want := []string{"GrantMetadata"}; err != nil || !reflect.DeepEqual(g.Annotations, want) {
		t.Errorf("%q, %v", g.Annotations, err)
	}
	_, err = wire.AnnotationNames([]byte("\x22\xff"))
	if baton.KindOf(err) != baton.Corrupt {
		t.Errorf("%v", err)
	}
}

// TestForeignProfile reads profile values that only other writers use.
func TestForeignProfile(t *testing.T) {
	got, err := wire.UnmarshalResource(readGolden(t, "resource_foreign"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(baton.Profile{"list": []string{"true", "2.5"}}, got.Profile); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCode(t *testing.T) {
	want := map[baton.Kind]uint32{
		baton.Internal: 13, baton.Invalid: 3, baton.Unauthenticated: 16, baton.PermissionDenied: 7,
		baton.NotFound: 5, baton.AlreadyExists: 6, baton.Refused: 9, baton.Unsupported: 12,
		baton.Unavailable: 14, baton.RateLimited: 14, baton.Incomplete: 10, baton.Corrupt: 15,
		baton.Storage: 8, baton.Canceled: 1, baton.DeadlineExceeded: 4,
	}
	kind := baton.Kind(0)
	for ; !strings.HasPrefix(kind.String(), "kind "); kind++ {
		if code, ok := want[kind]; !ok || wire.Code(kind) != code {
			t.Errorf("%v: code %d, want %d (listed: %v)", kind, wire.Code(kind), code, ok)
		}
	}
	if wire.Code(kind) != 2 || wire.Code(-1) != 2 {
		t.Error("a kind that does not exist is not unknown")
	}
}

func FuzzUnmarshalResource(f *testing.F) {
	f.Add(readGolden(f, "resource_user"))
	f.Add(readGolden(f, "resource_group"))
	f.Add(readGolden(f, "resource_foreign"))
	f.Fuzz(func(t *testing.T, b []byte) {
		stable(t, b, wire.UnmarshalResource, wire.MarshalResource)
		whole, err := wire.UnmarshalResource(b)
		if err != nil {
			return
		}
		name, status, err := wire.OutlineResource(b)
		if err != nil || string(name) != whole.DisplayName || status != whole.Status && status != 0 {
			t.Errorf("the outline of %+v is %q, %v, %v", whole, name, status, err)
		}
	})
}

func FuzzUnmarshalResourceType(f *testing.F) {
	f.Add(readGolden(f, "resource_type"))
	f.Fuzz(func(t *testing.T, b []byte) { stable(t, b, wire.UnmarshalResourceType, wire.MarshalResourceType) })
}

func FuzzUnmarshalEntitlement(f *testing.F) {
	f.Add(readGolden(f, "entitlement"))
	f.Fuzz(func(t *testing.T, b []byte) { stable(t, b, unmarshalEntitlement, marshalEntitlement) })
}

func FuzzUnmarshalGrant(f *testing.F) {
	f.Add(readGolden(f, "grant"))
	f.Add(readGolden(f, "grant_metadata"))
	f.Fuzz(func(t *testing.T, b []byte) { stable(t, b, unmarshalGrant, wire.MarshalGrant) })
}

// FuzzUnmarshalGrantData: the annotations of a grant are corrupt or decoded, with the same result by both
// decoders.
func FuzzUnmarshalGrantData(f *testing.F) {
	f.Add(readGolden(f, "grant_metadata"))
	f.Add(readGolden(f, "grant"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, unmarshal := range map[string]func([]byte) (baton.Profile, error){"annotations": wire.UnmarshalGrantAnnotations, "metadata": wire.UnmarshalGrantMetadata} {
			if p, err := unmarshal(b); err != nil && (baton.KindOf(err) != baton.Corrupt || p != nil) {
				t.Errorf("%s: %v, %v", name, p, err)
			}
		}
	})
}

// stable checks that bytes are corrupt, or decode to a value that can be encoded and keeps its bytes when
// decoded and encoded again.
func stable[T any](t *testing.T, b []byte, unmarshal func([]byte) (T, error), marshal func(T) ([]byte, error)) {
	value, err := unmarshal(b)
	if err != nil {
		if baton.KindOf(err) != baton.Corrupt {
			t.Fatalf("kind %v: %v", baton.KindOf(err), err)
		}
		return
	}
	once, err := marshal(value)
	if err != nil {
		t.Fatalf("read but not written: %v", err)
	}
	value, err = unmarshal(once)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(once, twice) {
		t.Fatalf("%x\n%x", once, twice)
	}
}
