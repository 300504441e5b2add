package scim_test

import (
	"strings"
	"testing"
	"unicode"

	"baton"
	"baton/connector/scim"
)

func TestSameName(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"ann@acme.example", "ANN@Acme.Example", true},
		{"", "", true},
		{"ann", "anna", false},
		{"kate", "\u212Aate", false}, // the Kelvin sign
		{"sam", "\u017Fam", false},   // long s
		{"é", "É", false},
		{"é", "e\u0301", false},
		{"a[b", "a{b", false}, // a bit apart, as letters of both cases are
		{"@", "`", false},
		{"ı", "i", false},
		{"ann ", "ann", false},
	} {
		if got := scim.SameName(tt.a, tt.b); got != tt.want || scim.SameName(tt.b, tt.a) != tt.want {
			t.Errorf("%q and %q: %v", tt.a, tt.b, got)
		}
	}
	for r := range rune(unicode.MaxASCII) {
		for q := range rune(unicode.MaxASCII) {
			if want := unicode.ToLower(r) == unicode.ToLower(q); scim.SameName(string(r), string(q)) != want {
				t.Errorf("%q and %q: want %v", r, q, want)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	yes, no := true, false
	user := func(id, userName string, active *bool, emails ...string) scim.User {
		u := scim.User{ID: id, UserName: userName, Active: active}
		for _, e := range emails {
			address, primary := strings.CutPrefix(e, "*")
			u.Emails = append(u.Emails, scim.Email{Value: address, Primary: primary})
		}
		return u
	}
	const name = "jane@acme.example"
	for title, tt := range map[string]struct {
		users []scim.User
		want  string // the id, "" for none, or what the error names
		fails bool
	}{
		"nobody":                               {nil, "", false},
		"by userName":                          {[]scim.User{user("1", "bob", &yes), user("2", name, &yes)}, "2", false},
		"by userName in other case":            {[]scim.User{user("2", "Jane@ACME.example", nil)}, "2", false},
		"userName before address":              {[]scim.User{user("1", "j", &yes, "*"+name), user("2", name, &no)}, "2", false},
		"by primary address":                   {[]scim.User{user("1", "j", &yes, "x@y.z", "*"+name)}, "1", false},
		"by the only address":                  {[]scim.User{user("1", "j", &yes, name)}, "1", false},
		"never by one of several":              {[]scim.User{user("1", "j", &yes, name, "x@y.z")}, "", false},
		"never by a secondary address":         {[]scim.User{user("1", "j", &yes, "*x@y.z", name)}, "", false},
		"never where two are primary":          {[]scim.User{user("1", "j", &yes, "*x@y.z", "*"+name)}, "", false},
		"the primary address twice":            {[]scim.User{user("1", "j", &yes, "*"+name, "*JANE@acme.example")}, "1", false},
		"the active one":                       {[]scim.User{user("1", name, &no), user("2", name, &yes), user("3", name, nil)}, "2", false},
		"rather unknown than disabled":         {[]scim.User{user("1", name, &no), user("3", name, nil)}, "3", false},
		"of two active ones, as it is spelled": {[]scim.User{user("1", "JANE@acme.example", &yes), user("2", name, &yes)}, "2", false},
		"two active ones":                      {[]scim.User{user("1", name, &yes), user("2", name, &yes)}, "(1); jane@acme.example (2)", true},
		"two disabled ones":                    {[]scim.User{user("1", name, &no), user("2", name, &no)}, "(1), disabled", true},
		"two by address":                       {[]scim.User{user("1", "a", &yes, "*"+name), user("2", "b", &yes, "*"+name)}, "a (1); b (2)", true},
		"two by address, one active":           {[]scim.User{user("1", "a", &no, "*"+name), user("2", "b", &yes, "*"+name)}, "2", false},
		"nobody without a name":                {[]scim.User{user("1", "", &yes)}, "", false},
		"a look-alike":                         {[]scim.User{user("1", "jane@acme.e\u00D7ample", &yes)}, "", false},
	} {
		u, ok, err := scim.Choose(tt.users, name)
		switch {
		case tt.fails:
			if ok || baton.KindOf(err) != baton.AlreadyExists || !strings.Contains(err.Error(), tt.want) || baton.FixOf(err) == "" {
				t.Errorf("%s: %v, %v", title, u.ID, err)
			}
		case err != nil || ok != (tt.want != "") || u.ID != tt.want:
			t.Errorf("%s: %q, %v, %v; want %q", title, u.ID, ok, err, tt.want)
		}
	}
	if (&scim.User{}).GoesBy("") {
		t.Error("a user without names goes by no name")
	}
}

// TestFoundUsersKeepTheirAddresses guards against aliasing: the reader reuses its slices for the next row.
func TestFoundUsersKeepTheirAddresses(t *testing.T) {
	d := &directory{rows: []string{
		`{"id":"1","userName":"j","emails":[{"value":"jane@acme.example","primary":true}],"groups":[{"value":"g1"}]}`,
		`{"id":"2","userName":"k","emails":[{"value":"kim@acme.example","primary":true}],"groups":[{"value":"g2"}]}`,
	}}
	found, err := serve(t, 2, d.ServeHTTP).ScanUsers(t.Context(), "jane@acme.example")
	if err != nil || len(found) != 1 || found[0].Emails[0].Value != "jane@acme.example" || found[0].Groups[0].Value != "g1" {
		t.Errorf("%+v, %v", found, err)
	}
}
