package wire_test

import (
	"testing"

	"baton/wire"
)

// FuzzOutlineGrant compares the outline of a grant with the library's decoding.
func FuzzOutlineGrant(f *testing.F) {
	for _, name := range []string{"grant", "grant_metadata"} {
		f.Add(readGolden(f, name))
	}
	f.Add([]byte("\x1a\x04slim"))
	f.Add([]byte("\x0a\x05\x12\x03ent\x12\x0e\x0a\x0c\x0a\x04user\x12\x04\x00\x01:u"))
	f.Add([]byte("\x0a\x05\x12\x03ent\x2a\x09\x0a\x07\x0a\x03ent\x12\x00"))
	f.Add([]byte("\x0a\x05\x12\x03ent\x0a\x05\x12\x03two"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, ok := wire.OutlineGrant(b)
		g, err := wire.UnmarshalGrant(b)
		if !ok || err != nil {
			return // the library decides; it also looks into what the outline skips
		}
		if string(o.Entitlement) != g.Entitlement || string(o.PrincipalType) != g.Principal.Type || string(o.PrincipalID) != g.Principal.ID || string(o.ID) != g.ID {
			t.Errorf("%x: %q, %q, %q; the library reads %+v", b, o.Entitlement, o.PrincipalType, o.PrincipalID, g)
		}
		if o.Plain && len(g.Annotations)+len(g.Sources) > 0 {
			t.Errorf("%x is plain; the library reads %+v", b, g)
		}
	})
}

func TestOutlineGrant(t *testing.T) {
	for name, want := range map[string]bool{"grant": true, "grant_metadata": false} {
		o, ok := wire.OutlineGrant(readGolden(t, name))
		if !ok || o.Plain != want || len(o.Entitlement) == 0 || len(o.PrincipalType) == 0 || len(o.PrincipalID) == 0 {
			t.Errorf("%s: %+v, %v", name, o, ok)
		}
	}
	for _, b := range []string{"\x0a\x05\x12\x03ent\x0a\x05\x12\x03two", "\x0a\x05\x12\x03e\xfft", "\x0a\x7f", "\xba\x3e\x00", "\x08\x01"} {
		if o, ok := wire.OutlineGrant([]byte(b)); ok {
			t.Errorf("%x is read as %+v without the library", b, o)
		}
	}
}
