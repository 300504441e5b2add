package wire

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"baton"
)

// oddProfile is a profile of anything, at most so deep.
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

// oddText is a text of any length, now and then one that is not UTF-8.
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

// TestEncoderIsTheLibrarys holds the bytes of anything, and what cannot be written,
// against those of the protobuf library.
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
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
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
		got, err := MarshalResource(res)
		m, wantErr := resource(res)
		same(fmt.Sprintf("%+v", res), got, err, m, wantErr)
		if err == nil {
			written++
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
	if written < 3000 {
		t.Errorf("only %d resources could be written", written)
	}
}
