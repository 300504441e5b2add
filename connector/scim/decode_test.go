package scim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/connector/paging"
	"baton/connector/scim"
)

// listOf returns a client of a server that answers every list with one body.
func listOf(t testing.TB, body string) *scim.Client {
	return connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("startIndex") != "1" {
			body = `{"totalResults":0}`
		}
		reply(w, 200, body)
	}), 100)
}

func users(t testing.TB, body string) ([]scim.User, scim.ListStep, error) {
	var got []scim.User
	step, err := listUsers(listOf(t, body), t.Context(), paging.Position{}, nil, func(u scim.User) { got = append(got, u) })
	return got, step, err
}

func TestListBodies(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		rows int
		done bool
		err  string
	}{
		"no resources, total 0":    {`{` + listSchema + `"totalResults":0}`, 0, true, ""},
		"null resources, total 0":  {`{` + listSchema + `"totalResults":"0","Resources":null}`, 0, true, ""},
		"no rows, no total":        {`{"Resources":[],"SCHEMAS":"URN:ietf:params:scim:api:messages:2.0:ListResponse"}`, 0, true, ""},
		"empty, without a schema":  {`{"totalResults":0,"Resources":[]}`, 0, false, "not a SCIM list"},
		"empty, of another schema": {`{"schemas":["urn:x"],"totalResults":0,"Resources":[]}`, 0, false, "not a SCIM list"},
		"names in any case":        {`{"TOTALRESULTS":2,"resources":[{"ID":"1"}]}`, 1, false, ""},
		"one object for an array":  {`{"totalResults":1,"Resources":{"id":"1"}}`, 1, false, ""},
		"byte order mark":          {"\ufeff" + `{` + listSchema + `"totalResults":0}`, 0, true, ""},
		"unknown fields":           {`{"schemas":7,"x":{"y":[]},"totalResults":2.0,"Resources":[{"id":"1","z":null}]}`, 1, false, ""},
		"id a number":              {`{"totalResults":2,"Resources":[{"id":12345678901234567890}]}`, 1, false, ""},
		"twice the same row":       {`{"totalResults":3,"Resources":[{"id":"1"},{"id":"1"},{"id":"2"}]}`, 2, false, ""},
		"empty object":             {`{}`, 0, false, "not a SCIM list"},
		"empty body":               {``, 0, false, "not a SCIM list"},
		"null":                     {`null`, 0, false, "not a SCIM list"},
		"bare array":               {`[{"id":"1"}]`, 0, false, "not a SCIM list"},
		"string":                   {`"hello"`, 0, false, "not a SCIM list"},
		"error object":             {`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"500","detail":"x"}`, 0, false, "not a SCIM list"},
		"one user":                 {`{"id":"1","userName":"ann"}`, 0, false, "not a SCIM list"},
		"resources a string":       {`{"totalResults":1,"Resources":"none"}`, 0, false, "not a SCIM list"},
		"null total, no resources": {`{"totalResults":null}`, 0, false, "not a SCIM list"},
		"row without id":           {`{"totalResults":2,"Resources":[{"id":"1"},{"userName":"x"}]}`, 0, false, "row 2 of the page has no id"},
		"row with null id":         {`{"totalResults":1,"Resources":[{"id":null}]}`, 0, false, "row 1 of the page has no id"},
		"row with object id":       {`{"totalResults":1,"Resources":[{"id":{}}]}`, 0, false, "row 1 of the page has no id"},
		"row null":                 {`{"totalResults":1,"Resources":[null]}`, 0, false, "not a JSON object"},
		"row a string":             {`{"totalResults":1,"Resources":["1"]}`, 0, false, "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			got, step, err := users(t, tt.body)
			if tt.err != "" {
				wantError(t, err, baton.Incomplete, tt.err, "")
				if len(got) > 0 || step != (scim.ListStep{}) {
					t.Errorf("beside the error: %d rows, %+v", len(got), step)
				}
				return
			}
			if err != nil || len(got) != tt.rows || step.Done != tt.done {
				t.Errorf("%d rows, %+v, %v", len(got), step, err)
			}
		})
	}
}

func TestDecodeUser(t *testing.T) {
	yes, no := true, false
	created := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		row  string
		want scim.User
	}{
		"everything": {`{
			"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
			"id":"u1","externalId":"e1","userName":"ann@example.com","displayName":"Ann Lee","nickName":"Annie",
			"name":{"formatted":"Dr Ann B Lee","familyName":"Lee","givenName":"Ann","middleName":"B","honorificPrefix":"Dr","honorificSuffix":"III"},
			"emails":[{"value":"ann@example.com","type":"work","primary":true},{"value":" ann@home.example ","type":"home"},{"value":""}],
			"active":true,"title":"CTO","userType":"Employee","preferredLanguage":"en","locale":"en-GB","timezone":"Europe/London",
			"groups":[{"value":"g1","display":"Admins","$ref":"../Groups/g1","type":"direct"}],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"7","department":"R&D","division":"D",
				"organization":"O","costCenter":"C","manager":{"value":"u0","displayName":"Bo"}},
			"meta":{"resourceType":"User","created":"2026-03-01T12:00:00Z","lastModified":"2026-03-01T13:00:00.5+01:00","location":"https://x/Users/u1","version":"W/\"1\""}}`,
			scim.User{
				ID: "u1", ExternalID: "e1", UserName: "ann@example.com", DisplayName: "Ann Lee",
				Name:   scim.Name{Formatted: "Dr Ann B Lee", FamilyName: "Lee", GivenName: "Ann", MiddleName: "B"},
				Emails: []scim.Email{{Value: "ann@example.com", Type: "work", Primary: true}, {Value: "ann@home.example", Type: "home"}},
				Active: &yes, Title: "CTO", UserType: "Employee",
				EmployeeNumber: "7", Department: "R&D",
				Groups: []scim.GroupRef{{Value: "g1", Display: "Admins", Ref: "../Groups/g1", Type: "direct"}}, GroupsListed: true,
				Created: created,
			}},
		"in another case": {`{"ID":"u1","USERNAME":"ann","Emails":[{"VALUE":"a@b.c","Primary":"TRUE"}],"Active":"False",
			"URN:IETF:PARAMS:SCIM:SCHEMAS:EXTENSION:ENTERPRISE:2.0:USER":{"Department":"R&D"}}`,
			scim.User{ID: "u1", UserName: "ann", Active: &no, Emails: []scim.Email{{Value: "a@b.c", Primary: true}}, Department: "R&D"}},
		"null everywhere": {`{"id":"u1","userName":null,"name":null,"emails":null,"active":null,"groups":null,"meta":null,
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":null}`, scim.User{ID: "u1"}},
		"null inside": {`{"id":"u1","name":{"givenName":null},"emails":[null,{"value":null}],"groups":[null],"meta":{"created":null}}`,
			scim.User{ID: "u1", Groups: []scim.GroupRef{{Problem: "it is null"}}, GroupsListed: true}},
		"numbers for strings": {`{"id":17,"userName":4711,"displayName":true,"emails":[{"value":1}],"meta":{"created":5}}`,
			scim.User{ID: "17", UserName: "4711", DisplayName: "true", Emails: []scim.Email{{Value: "1"}}}},
		"objects for strings": {`{"id":"u1","userName":{},"displayName":[1],"name":"Ann","meta":[],"title":{"x":1}}`, scim.User{ID: "u1"}},
		"one e-mail, no array": {`{"id":"u1","emails":{"value":"a@b.c"},"groups":{"value":"g1"}}`,
			scim.User{ID: "u1", Emails: []scim.Email{{Value: "a@b.c"}}, Groups: []scim.GroupRef{{Value: "g1"}}, GroupsListed: true}},
		"bare strings": {`{"id":"u1","emails":["a@b.c"],"groups":"g1"}`,
			scim.User{ID: "u1", Emails: []scim.Email{{Value: "a@b.c"}}, Groups: []scim.GroupRef{{Value: "g1"}}, GroupsListed: true}},
		"active 1":             {`{"id":"u1","active":1}`, scim.User{ID: "u1", Active: &yes}},
		`active "0"`:           {`{"id":"u1","active":"0"}`, scim.User{ID: "u1", Active: &no}},
		`active "True"`:        {`{"id":"u1","active":"True"}`, scim.User{ID: "u1", Active: &yes}},
		`active "suspended"`:   {`{"id":"u1","active":"suspended"}`, scim.User{ID: "u1"}},
		"active {}":            {`{"id":"u1","active":{}}`, scim.User{ID: "u1"}},
		"time without zone":    {`{"id":"u1","meta":{"created":"2026-03-01T12:00:00"}}`, scim.User{ID: "u1", Created: created}},
		"time with fraction":   {`{"id":"u1","meta":{"created":"2026-03-01T12:00:00.000"}}`, scim.User{ID: "u1", Created: created}},
		"time, zone colonless": {`{"id":"u1","meta":{"created":"2026-03-01T14:00:00+0200"}}`, scim.User{ID: "u1", Created: created}},
		"time with a space":    {`{"id":"u1","meta":{"created":"2026-03-01 12:00:00"}}`, scim.User{ID: "u1", Created: created}},
		"time unreadable":      {`{"id":"u1","meta":{"created":"yesterday"}}`, scim.User{ID: "u1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := users(t, `{"totalResults":2,"Resources":[`+tt.row+`]}`)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]scim.User{tt.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeGroup(t *testing.T) {
	unread := func(why string) scim.Member { return scim.Member{Kind: scim.UnreadableMember, Detail: why} }
	for name, tt := range map[string]struct {
		row     string
		want    scim.Group
		members []scim.Member
	}{
		"everything": {`{"id":"g1","externalId":"e","displayName":"Admins","members":[{"value":"u1","type":"User","$ref":"https://x/Users/u1","display":"Ann"}]}`,
			scim.Group{ID: "g1", ExternalID: "e", DisplayName: "Admins", MembersListed: true}, []scim.Member{{Value: "u1"}}},
		"members absent": {`{"id":"g1"}`, scim.Group{ID: "g1"}, nil},
		"members null":   {`{"id":"g1","members":null}`, scim.Group{ID: "g1"}, nil},
		"members false":  {`{"id":"g1","members":false}`, scim.Group{ID: "g1"}, nil},
		"members blank":  {`{"id":"g1","members":" "}`, scim.Group{ID: "g1"}, nil},
		"members empty":  {`{"id":"g1","members":[]}`, scim.Group{ID: "g1", MembersListed: true}, nil},
		"no members, {}": {`{"id":"g1","members":{}}`, scim.Group{ID: "g1", MembersListed: true}, nil},
		"one member":     {`{"id":"g1","members":{"value":7}}`, scim.Group{ID: "g1", MembersListed: true}, []scim.Member{{Value: "7"}}},
		"one bare id":    {`{"id":"g1","members":"u1"}`, scim.Group{ID: "g1", MembersListed: true}, []scim.Member{{Value: "u1"}}},
		"bare ids": {`{"id":"g1","members":["u1",null,7]}`, scim.Group{ID: "g1", MembersListed: true},
			[]scim.Member{{Value: "u1"}, unread("it is null"), {Value: "7"}}},
		"numbers for names": {`{"id":"g1","members":{"0":{"value":"u1"},"2":"u3"}}`, scim.Group{ID: "g1", MembersListed: true}, []scim.Member{{Value: "u1"}, {Value: "u3"}}},
		"references only": {`{"id":"g1","members":[{"$ref":"https://x/v2/Users/a%2Fb?x=1"},{"$ref":"Groups/g2/"},{"$ref":"urn:x"}]}`,
			scim.Group{ID: "g1", MembersListed: true}, []scim.Member{
				{Value: "a/b"}, {Value: "g2", Kind: scim.GroupMember}, unread("it has neither a value nor a $ref with an id")}},
		"a count": {`{"id":"g1","members":3}`, scim.Group{ID: "g1", MembersListed: true}, []scim.Member{unread("a number or true stands in place of the list")}},
		"a map": {`{"id":"g1","members":{"u1":{}}}`, scim.Group{ID: "g1", MembersListed: true},
			[]scim.Member{unread("an object with the attribute u1 stands in place of the list")}},
		"more of them": {`{"id":"g1","members":["u1"],"totalMembers":"3"}`, scim.Group{ID: "g1", MembersListed: true},
			[]scim.Member{{Value: "u1"}, unread("the group lists 1 members and says that there are 3")}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []referenceGroup
			_, err := listGroups(listOf(t, `{"totalResults":2,"Resources":[`+tt.row+`]}`),
				t.Context(), paging.Position{}, nil, func(g referenceGroup) { got = append(got, g) })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]referenceGroup{{tt.want, tt.members}}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEmailAndLabel(t *testing.T) {
	work, home := scim.Email{Value: "w@x.y", Type: "Work"}, scim.Email{Value: "h@x.y", Type: "home"}
	primary := scim.Email{Value: "p@x.y", Primary: true}
	for _, tt := range []struct {
		user         scim.User
		email, label string
	}{
		{scim.User{}, "", "(unnamed)"},
		{scim.User{ID: "u1"}, "", "u1"},
		{scim.User{ID: "u1", Emails: []scim.Email{home, work, primary}}, "p@x.y", "p@x.y"},
		{scim.User{ID: "u1", Emails: []scim.Email{home, work}}, "w@x.y", "w@x.y"},
		{scim.User{ID: "u1", Emails: []scim.Email{home}}, "h@x.y", "h@x.y"},
		{scim.User{ID: "u1", UserName: "a@x.y"}, "a@x.y", "a@x.y"},
		{scim.User{ID: "u1", UserName: "Ann <a@x.y>"}, "", "Ann <a@x.y>"},
		{scim.User{ID: "u1", UserName: "ann"}, "", "ann"},
		{scim.User{ID: "u1", UserName: "ann", Name: scim.Name{GivenName: "Ann"}}, "", "Ann"},
		{scim.User{ID: "u1", Name: scim.Name{GivenName: "Ann", FamilyName: "Lee"}}, "", "Ann Lee"},
		{scim.User{ID: "u1", Name: scim.Name{Formatted: "Dr Lee", FamilyName: "Lee"}}, "", "Dr Lee"},
		{scim.User{ID: "u1", DisplayName: "  ", Name: scim.Name{FamilyName: "Lee"}}, "", "Lee"},
		{scim.User{ID: "u1", DisplayName: "Ann", Name: scim.Name{Formatted: "Dr Lee"}}, "", "Ann"},
	} {
		if email, label := tt.user.Email(), tt.user.Label(); email != tt.email || label != tt.label {
			t.Errorf("%+v: %q, %q", tt.user, email, label)
		}
	}
	if label := (&scim.Group{ExternalID: "e"}).Label(); label != "e" {
		t.Errorf("label of a nameless group: %q", label)
	}
}

func FuzzListBody(f *testing.F) {
	for _, seed := range []string{
		`{"totalResults":0}`, `{}`, `[]`, "\ufeff{}", `{"Resources":[{"id":1},{"id":"2","emails":{"value":null}}]}`,
		`{"totalResults":"2","Resources":[{"id":"1","active":"True","meta":{"created":"2026-03-01"}}],"nextCursor":"x"}`,
		`{"totalResults":1e400,"Resources":{"id":"1","members":[{"$ref":"/Users/%zz"}]}}`, `{"Resources":[[]]}`, `{"totalResults":-5,"Resources":null}`,
	} {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), `{"pages":1,"received":1,"distinct":1,"total":1,"first":"1","check":true}`)
	}
	f.Fuzz(func(t *testing.T, body []byte, position string) {
		at, err := paging.ParsePosition(position)
		if err != nil {
			return
		}
		if again, err := paging.ParsePosition(at.String()); err != nil || again != at {
			t.Fatalf("%+v became %+v, %v", at, again, err)
		}
		c := connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, string(body)) }), 100)
		rows := 0
		step, err := listUsers(c, t.Context(), at, func(string) bool { return false }, func(u scim.User) {
			rows++
			if u.ID == "" || u.Label() == "" {
				t.Errorf("%+v", u)
			}
		})
		switch {
		case err != nil && (rows > 0 || step != scim.ListStep{}):
			t.Errorf("%d rows and %+v beside %v", rows, step, err)
		case err == nil && rows != step.Fresh && !step.Restart:
			t.Errorf("%d rows, %+v", rows, step)
		case err == nil && !strings.HasPrefix(strings.TrimLeft(string(body), "\ufeff \t\r\n"), "{"):
			t.Errorf("%q passed for a list", body)
		case err == nil && !json.Valid([]byte(strings.TrimPrefix(string(body), "\ufeff"))):
			t.Errorf("%q passed for JSON", body)
		}
		if _, err := listGroups(c, t.Context(), at, nil, func(referenceGroup) {}); err == nil && step == (scim.ListStep{}) {
			t.Errorf("%q is a list of groups only", body)
		}
	})
}
