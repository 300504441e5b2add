package writer_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baton"
)

// TestRecords encodes rows in sequence, whose grants share various parts, and checks that each decodes to the
// original. Sometimes the encoder restarts, and later records can be decoded without the earlier ones.
func TestRecords(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 3))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	var e writer.Encoder
	var d writer.Decoder
	for n := range 20_000 {
		if r.IntN(50) == 0 {
			e.Restart()
			d = writer.Decoder{}
		}
		var want writer.Row
		var err error
		switch r.IntN(20) {
		case 0:
			res := baton.Resource{ID: baton.ResourceID{Type: "user", ID: one("a", "b")}, DisplayName: one("A", "B")}
			want, err = fixture.Row(writer.ResourceRow(res)), e.Resource(res)
		case 1:
			ent := baton.Entitlement{ID: baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: "g"}, Slug: "member"}}
			want, err = fixture.Row(writer.EntitlementRow(ent, nil)), e.Entitlement(ent, nil)
		case 2: // a row that cannot be encoded changes nothing
			if err := e.Grant(baton.Grant{ID: baton.GrantID{Principal: baton.ResourceID{Type: "user", ID: "a"}}}); baton.KindOf(err) != baton.Invalid {
				t.Fatalf("a grant of nothing: %v", err)
			}
			continue
		default:
			g := baton.Grant{ResourceName: one("", "Name", strings.Repeat("name", 100))}
			g.ID.Entitlement = baton.EntitlementID{Resource: baton.ResourceID{Type: one("group", "g"), ID: one("x", "x:y", "y")}, Slug: one("member", "y:member")}
			g.ID.Principal = baton.ResourceID{Type: one("user", "user:x", "x"), ID: one("1", "2", "x:2", strings.Repeat("3", 300))}
			if r.IntN(3) == 0 {
				g.Metadata = baton.Profile{"completed": one("yes", "no")}
			}
			want, err = fixture.Row(writer.GrantRow(g)), e.Grant(g)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Row(e.Record())
		if err != nil {
			t.Fatalf("row %d: %v", n, err)
		}
		if !bytes.Equal(got.Append(nil), want.Append(nil)) || got.ID() != want.ID() || got.PrincipalID() != want.PrincipalID() ||
			got.EntitlementID() != want.EntitlementID() || got.ResourceID() != want.ResourceID() || !bytes.Equal(got.Data(), want.Data()) {
			t.Fatalf("row %d, record %q:\n%+v\nwant\n%+v", n, e.Record(), got, want)
		}
	}
}

// TestRecordLengths checks how much of a grant is omitted, by the parts that it shares with the previous one.
func TestRecordLengths(t *testing.T) {
	grant := func(group, user string) baton.Grant {
		return baton.Grant{ResourceName: "Team " + group, ID: baton.GrantID{
			Entitlement: baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: group}, Slug: "member"},
			Principal:   baton.ResourceID{Type: "user", ID: user}}}
	}
	var e writer.Encoder
	var got []string
	for _, g := range []baton.Grant{grant("g1", "ann"), grant("g1", "bob"), grant("g2", "bob"), grant("g2", "bob"), grant("g3", "cy")} {
		if err := e.Grant(g); err != nil {
			t.Fatal(err)
		}
		got = append(got, string(e.Record()))
	}
	want := []string{
		"\x04\x05\x02\x06\x04\x03group:g1:member:user:ann\x07Team g1",
		"\x54\x04\x03user:bob",
		"\x24\x05\x02\x06group:g2:member\x07Team g2",
		"\x74",
		"\x04\x05\x02\x06\x04\x02group:g3:member:user:cy\x07Team g3",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

func TestDecoderRefuses(t *testing.T) {
	whole := "\x04\x05\x02\x06\x04\x03group:g1:member:user:ann\x07Team g1"
	for name, records := range map[string][]string{
		"nothing before it":        {"\x54\x04\x03user:bob"},
		"nothing but a resource":   {string(fixture.Row(writer.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u"}})).Append(nil)), "\x74"},
		"more behind what is same": {whole, "\x54\x04\x03user:bobs"},
		"cut short":                {whole, "\x54\x04\x03user:bo"},
		"no colon":                 {whole, "\x54\x04\x03user-bob"},
		"no lengths":               {whole, "\x54"},
		"no tail":                  {whole, "\x24\x05\x02\x06group:g2:member"},
		"a tail that is too short": {whole, "\x24\x05\x02\x06group:g2:member\x07Team"},
		"a length beyond 2^63":     {whole, "\x54\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x03user:bob"},
		"bits of another table":    {whole, "\x53\x04\x03user:bob"},
		"bits of none":             {whole, "\xd4\x04\x03user:bob"},
		"empty":                    {""},
	} {
		var d writer.Decoder
		var err error
		for i, record := range records {
			if _, err = d.Row([]byte(record)); err != nil && i < len(records)-1 {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if baton.KindOf(err) != baton.Corrupt {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecoder reads records, each prefixed by its length in one byte. A decoded record is encoded again and
// decodes to the same row.
func FuzzDecoder(f *testing.F) {
	add := func(records ...string) {
		var b []byte
		for _, r := range records {
			b = append(append(b, byte(len(r))), r...)
		}
		f.Add(b)
	}
	add("\x04\x05\x02\x06\x04\x03group:g1:member:user:ann\x07Team g1", "\x54\x04\x03user:bob", "\x24\x05\x02\x06group:g2:member\x07Team g2", "\x74",
		string(fixture.Row(writer.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "user", ID: "u"}})).Append(nil)), "\x64\x05\x02\x06group:g2:member")
	f.Fuzz(func(t *testing.T, b []byte) {
		var d, again writer.Decoder
		for len(b) > 0 {
			n := min(int(b[0]), len(b)-1)
			record := b[1 : 1+n]
			b = b[1+n:]
			r, err := d.Row(record)
			if err != nil {
				if baton.KindOf(err) != baton.Corrupt {
					t.Fatal(err)
				}
				return
			}
			_, _, _, _ = r.ID(), r.ResourceID(), r.EntitlementID(), r.PrincipalID()
			got, err := again.Row(r.Append(nil))
			if err != nil || fmt.Sprint(got) != fmt.Sprint(r) {
				t.Fatalf("%x: %+v, then %+v (%v)", record, r, got, err)
			}
		}
	})
}

// TestLargeTails adds grants whose tails exceed the size of a batch.
func TestLargeTails(t *testing.T) {
	rows := fixture.SmallSync()
	want := 0
	for n := range 40 {
		g := fixture.Membership(fmt.Sprint("big", n))
		note := strings.Repeat(fmt.Sprint(n, " "), 20_000)
		g.Metadata = baton.Profile{"note": note}
		want += len(note)
		rows = append(rows, fixture.Row(writer.GrantRow(g)))
	}
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), rows)
	got := 0
	for _, g := range fixture.All(t, fixture.Latest(t, path).Grants(t.Context())) {
		note, _ := g.Metadata["note"].(string)
		got += len(note)
	}
	if got != want {
		t.Errorf("%d bytes of notes, want %d", got, want)
	}
}
