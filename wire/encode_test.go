package wire

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"baton"
	"baton/internal/longtest"
	"baton/internal/pb/connectorv2"
)

// oddProfile returns a random profile of at most that depth.
func oddProfile(r *rand.Rand, depth int) baton.Profile {
	p := baton.Profile{}
	for range r.IntN(6) {
		key := oddText(r)
		switch r.IntN(7) {
		case 0:
			p[key] = r.IntN(2) == 0
		case 1:
			p[key] = r.IntN(1000) - 500
		case 2:
			p[key] = r.NormFloat64()
		case 3:
			p[key] = []string{oddText(r), oddText(r)}
		case 4:
			p[key] = []string{}
		case 5:
			if depth > 0 {
				p[key] = oddProfile(r, depth-1)
			}
		default:
			p[key] = oddText(r)
		}
	}
	return p
}

// oddText returns a random text of any length, sometimes with invalid UTF-8.
func oddText(r *rand.Rand) string {
	switch r.IntN(40) {
	case 0:
		return "\xff"
	case 1:
		return strings.Repeat("long ", r.IntN(4000))
	case 2, 3, 4, 5:
		return ""
	case 6, 7:
		return strings.Repeat("ä", r.IntN(200))
	}
	return fmt.Sprint("text ", r.IntN(1000))
}

func oddTexts(r *rand.Rand) (list []string) {
	for range r.IntN(3) {
		list = append(list, oddText(r))
	}
	return list
}

func oddTime(r *rand.Rand) time.Time {
	switch r.IntN(4) {
	case 0:
		return time.Time{}
	case 1:
		return time.Unix(r.Int64N(4e11)-1e11, 0) // some are out of range
	}
	return time.Unix(r.Int64N(4e9)-2e9, r.Int64N(1e9))
}

func oddID(r *rand.Rand) baton.ResourceID {
	return baton.ResourceID{Type: oddText(r), ID: oddText(r)}
}

func oddResource(r *rand.Rand) baton.Resource {
	res := baton.Resource{ID: oddID(r), DisplayName: oddText(r), Description: oddText(r), Status: baton.Status(r.IntN(4)),
		CreatedAt: oddTime(r), Profile: oddProfile(r, 2)}
	if r.IntN(3) == 0 {
		res.Parent = oddID(r)
	}
	if r.IntN(2) == 0 {
		res.User = &baton.User{Login: oddText(r), LoginAliases: oddTexts(r), GivenName: oddText(r), FamilyName: oddText(r),
			MiddleNames: oddTexts(r), EmployeeIDs: oddTexts(r), LastLogin: oddTime(r)}
		for range r.IntN(3) {
			res.User.Emails = append(res.User.Emails, baton.Email{Address: oddText(r), Primary: r.IntN(2) == 0})
		}
	}
	if r.IntN(4) == 0 {
		res.Group = &baton.Group{}
	}
	return res
}

// TestEncoderIsTheLibrarys compares the bytes and errors for random values with those of the protobuf
// library.
func TestEncoderIsTheLibrarys(t *testing.T) {
	same := func(what string, got []byte, gotErr error, message proto.Message, wantErr error) {
		t.Helper()
		var want []byte
		if wantErr == nil {
			want, wantErr = deterministic.Marshal(message)
		}
		if (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("%s: %v, the library says %v", what, gotErr, wantErr)
		}
		if gotErr == nil && !bytes.Equal(got, want) {
			t.Fatalf("%s:\n%x\nthe library:\n%x", what, got, want)
		}
	}
	written := 0
	for seed := range longtest.Pick[uint64](3_000, 20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		res := oddResource(r)
		got, err := MarshalResource(res)
		m, wantErr := resource(res)
		same(fmt.Sprintf("%+v", res), got, err, m, wantErr)
		if err == nil {
			written++
			whole, _ := UnmarshalResource(got)
			if name, status, err := OutlineResource(got); err != nil || string(name) != whole.DisplayName || status != whole.Status {
				t.Fatalf("the outline is %q, %v, %v, want %+v", name, status, err, whole)
			}
		}
		g := baton.Grant{ID: baton.GrantID{Entitlement: baton.EntitlementID{Resource: oddID(r), Slug: oddText(r)}, Principal: oddID(r)},
			ResourceName: oddText(r)}
		if r.IntN(2) == 0 {
			g.Metadata = oddProfile(r, 1)
		}
		got, err = MarshalGrant(g)
		mg, wantErr := grant(g)
		same(fmt.Sprintf("%+v", g), got, err, mg, wantErr)
	}
	if written < longtest.Pick(450, 3000) {
		t.Errorf("only %d resources could be written", written)
	}
}

// TestResourcesRemember: the encoding of a resource does not depend on the profiles before it.
func TestResourcesRemember(t *testing.T) {
	names := []string{"", "a", "active", "aa", "department", "Z", "\u00e4", "a b", "email", "id", "title", "zone"}
	r := rand.New(rand.NewPCG(1, 2))
	var rs Resources
	for n := range longtest.Pick(5_000, 20_000) {
		if n%500 == 0 {
			r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		}
		res := baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u1"}, Profile: baton.Profile{}}
		odd := oddProfile(r, 1)
		for key, value := range odd {
			if r.IntN(10) > 0 {
				key = names[r.IntN(1+n%len(names))]
			}
			res.Profile[key] = value
		}
		got, err := rs.Append(nil, res)
		want, wantErr := MarshalResource(res)
		if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %.200x, %v\nwant %.200x, %v", res.Profile, got, err, want, wantErr)
		}
		if len(rs.names) > 2*6 {
			t.Fatalf("%d names are remembered", len(rs.names))
		}
	}
}

// TestDecoderIsTheLibrarys compares decoding without the protobuf library with the library: for everything
// that this package writes, which must not need the library, and for damaged versions of it, which may.
func TestDecoderIsTheLibrarys(t *testing.T) {
	decoded := 0
	for seed := range longtest.Pick[uint64](1_500, 10_000) {
		r := rand.New(rand.NewPCG(seed, 2))
		b, err := MarshalResource(oddResource(r))
		if err != nil {
			continue
		}
		for damage := range 8 {
			c := bytes.Clone(b)
			at := r.IntN(len(c))
			switch {
			case damage == 0:
			case damage < 5:
				c[at] ^= 1 << r.IntN(8)
			case damage == 5:
				c = c[:at]
			default:
				c = append(c[at:len(c):len(c)], c[:at]...)
			}
			got, ok := (&decoder{b: c}).resource()
			if damage == 0 && !ok {
				t.Fatalf("seed %d: %x is left to the library", seed, b)
			}
			if !ok {
				continue
			}
			want, err := libraryResource(c)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, damage %d:\n%+v\nthe library (%v):\n%+v\n%x", seed, damage, got, err, want, c)
			}
			decoded++
		}
	}
	if decoded < longtest.Pick(1_500, 10_000) {
		t.Errorf("only %d were decoded", decoded)
	}
}

// TestMetadataIsTheLibrarys does the same with the metadata of grants.
func TestMetadataIsTheLibrarys(t *testing.T) {
	decoded := 0
	for seed := range longtest.Pick[uint64](1_000, 5_000) {
		r := rand.New(rand.NewPCG(seed, 3))
		id := baton.ResourceID{Type: "user", ID: "u1"}
		g := baton.Grant{ID: baton.GrantID{Entitlement: baton.EntitlementID{Resource: id, Slug: "s"}, Principal: id}, Metadata: oddProfile(r, 1)}
		b, err := AppendGrantAnnotations(nil, nil, g)
		if err != nil || len(b) == 0 {
			continue
		}
		for damage := range 6 {
			c := bytes.Clone(b)
			if damage > 0 {
				c[r.IntN(len(c))] ^= 1 << r.IntN(8)
			}
			got, ok := (&decoder{b: c}).metadata()
			if damage == 0 && !ok {
				t.Fatalf("seed %d: %x is left to the library", seed, b)
			}
			if !ok {
				continue
			}
			var m connectorv2.Grant
			var metadata connectorv2.GrantMetadata
			err := unmarshal(c, &m, "grant")
			if err == nil {
				_, err = find(m.Annotations, &metadata)
			}
			if want := profile(metadata.Metadata); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, damage %d: %v, the library (%v): %v\n%x", seed, damage, got, err, want, c)
			}
			decoded++
		}
	}
	if decoded < longtest.Pick(1_000, 5_000) {
		t.Errorf("only %d were decoded", decoded)
	}
}

func BenchmarkUnmarshalResource(b *testing.B) {
	profile := baton.Profile{"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "user_id": "u1", "department": "Sales", "active": true}
	data, err := MarshalResource(baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u1"}, DisplayName: "Ann Lee", Status: baton.StatusEnabled,
		CreatedAt: time.Unix(1700000000, 0), Profile: profile,
		User: &baton.User{Login: "ann", GivenName: "Ann", FamilyName: "Lee", Emails: []baton.Email{{Address: "ann@example.com", Primary: true}}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("here", func(b *testing.B) {
		for b.Loop() {
			UnmarshalResource(data)
		}
	})
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			libraryResource(data)
		}
	})
}
