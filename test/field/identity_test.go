package field

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"baton/internal/pb/connectorv2"
)

// filtersIgnored makes the server answer every search with the whole list.
func filtersIgnored(_ http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	query.Del("filter")
	r.URL.RawQuery = query.Encode()
	return false
}

// filtersEmpty makes every search return an empty list.
func filtersEmpty(w http.ResponseWriter, r *http.Request) bool {
	return r.URL.Query().Has("filter") &&
		reply(200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`)(w, r)
}

// conflict refuses every creation.
func conflict(w http.ResponseWriter, r *http.Request) bool {
	return onRequest("^POST ", reply(409, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","detail":"Another user already exists with this email"}`))(w, r)
}

// accountCase is a creation of jane@acme.example, unless it names another address.
type accountCase struct {
	people  []*fakeUser
	answers answering
	stores  func(sent fakeUser) fakeUser
	asks    string
	is      string   // id of the account in the outcome; "" for an error
	says    []string // texts in the output
}

const jane = "jane@acme.example"

func accountCases() map[string]accountCase {
	post := func(status int, json string) answering {
		return onRequest("^POST ", reply(status, json))
	}
	record := func(id, userName string) string { return (&fakeUser{id: id, userName: userName}).document() }
	return map[string]accountCase{
		"a new account": {is: "new5", says: []string{"Created"}},
		"somebody has the address as a secondary one, filters ignored": {
			people: []*fakeUser{{id: "u9", userName: "eve@acme.example", secondary: []string{jane}}}, answers: filtersIgnored, is: "new6", says: []string{"Created"}},
		"somebody has it as a secondary address, and it is a conflict": {
			people: []*fakeUser{{id: "u9", userName: "eve@acme.example", secondary: []string{jane}}}, answers: conflict, says: []string{"u9"}},
		"somebody has it as a secondary one, it is a conflict, and filters are ignored": {
			people: []*fakeUser{{id: "u9", userName: "eve@acme.example", secondary: []string{jane}}}, answers: either(filtersIgnored, conflict), says: []string{"u9"}},
		"somebody has it as the primary address, filters ignored": {
			people: []*fakeUser{{id: "u9", userName: "jsmith", primary: jane}}, answers: filtersIgnored, is: "u9", says: []string{"already there", "jsmith"}},
		"somebody has it as the primary address, and only the whole list shows that": {
			people: []*fakeUser{{id: "u9", userName: "jsmith", primary: jane}}, answers: conflict, is: "u9", says: []string{"already there", "jsmith"}},
		"two have it as the primary address": {
			people: []*fakeUser{{id: "u8", userName: "jsmith", primary: jane}, {id: "u9", userName: "jane.s", primary: jane}}, answers: either(filtersIgnored, conflict), says: []string{"u8", "u9"}},
		"two have it as the primary address, one of them is disabled": {
			people: []*fakeUser{{id: "u8", userName: "jsmith", primary: jane, disabled: true}, {id: "u9", userName: "jane.s", primary: jane}}, answers: filtersIgnored, is: "u9", says: []string{"already there"}},
		"one has it as userName, another as the primary address": {
			people: []*fakeUser{{id: "u8", userName: "jsmith", primary: jane}, {id: "u9", userName: jane, disabled: true}}, answers: filtersIgnored, is: "u9", says: []string{"already there", "disabled"}},
		"two have the userName, one of them is disabled": {
			people: []*fakeUser{{id: "u8", userName: jane, disabled: true}, {id: "u9", userName: jane}}, is: "u9", says: []string{"already there"}},
		"two have the userName, one is disabled, filters ignored": {
			people: []*fakeUser{{id: "u8", userName: jane, disabled: true}, {id: "u9", userName: jane}}, answers: filtersIgnored, is: "u9", says: []string{"already there"}},
		"two have the userName, the other one is disabled, filters find nobody": {
			people: []*fakeUser{{id: "u8", userName: jane}, {id: "u9", userName: jane, disabled: true}}, answers: filtersEmpty, is: "u8", says: []string{"already there"}},
		"two active accounts have the userName": {
			people: []*fakeUser{{id: "u8", userName: jane}, {id: "u9", userName: jane}}, says: []string{"u8", "u9"}},
		"two active accounts have the userName, one of them in another case": {
			people: []*fakeUser{{id: "u8", userName: "Jane@Acme.example"}, {id: "u9", userName: jane}}, is: "u9", says: []string{"already there"}},
		"the userName is there in another case": {
			people: []*fakeUser{{id: "u9", userName: "Jane@ACME.example"}}, is: "u9", says: []string{"already there"}},
		"somebody has a look-alike, filters ignored": {
			people: []*fakeUser{{id: "u9", userName: "\u212Aate@acme.example"}}, answers: either(filtersIgnored, conflict), asks: "kate@acme.example"},
		"somebody has a look-alike, which the filter folds": {
			people: []*fakeUser{{id: "u9", userName: "\u212Aate@acme.example"}}, asks: "kate@acme.example"},
		"a look-alike with a long s": {
			people: []*fakeUser{{id: "u9", userName: "\u017Fam@acme.example"}}, asks: "sam@acme.example"},
		"a look-alike as the primary address": {
			people: []*fakeUser{{id: "u9", userName: "k1", primary: "\u212Aate@acme.example"}}, answers: filtersIgnored, asks: "kate@acme.example", is: "new6", says: []string{"Created"}},
		"the search answers another person": {
			answers: func(w http.ResponseWriter, r *http.Request) bool {
				return r.URL.Query().Has("filter") && reply(200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"Resources":[`+record("u2", "bob@acme.example")+`]}`)(w, r)
			}, is: "new5", says: []string{"Created"}},
		"the creation answers another person": {answers: post(201, record("u2", "bob@acme.example")), says: []string{"u2", "bob@acme.example"}},
		"the creation answers another person, in another case of the address": {
			answers: post(201, `{"id":"u2","userName":"bob@acme.example","emails":[{"value":"bob@acme.example","primary":true},{"value":"JANE@acme.example"}]}`), says: []string{"u2", "bob@acme.example"}},
		"the creation answers a new record of nobody": {
			stores: func(fakeUser) fakeUser { return fakeUser{userName: "user-17", primary: "user-17@tenant.example"} }, says: []string{"new5", "user-17"}},
		"the creation answers the id of somebody else":      {answers: post(201, record("u2", jane)), says: []string{"u2", "bob@acme.example"}},
		"the creation answers an id only, of somebody else": {answers: post(201, `{"id":"u2"}`), says: []string{"u2", "bob@acme.example"}},
		"the creation answers an id that nobody has":        {answers: post(201, `{"id":"u77","userName":"jane@acme.example"}`), says: []string{"u77"}},
		"the creation answers an id only":                   {answers: onCreation(201, `{"id":"%s"}`), is: "new5", says: []string{"Created"}},
		"the creation answers nothing":                      {answers: onCreation(201, ``), is: "new5", says: []string{"Created"}},
		"the creation answers nothing, and another has the address": {
			people: []*fakeUser{{id: "u9", userName: "eve@acme.example", secondary: []string{jane}}}, answers: either(filtersIgnored, post(201, ``)), says: []string{"shows no user"}},
		"the creation answers 200": {answers: onCreation(200, `{"id":"%s","userName":"jane@acme.example"}`), is: "new5", says: []string{"may have existed before"}},
		"the creation answers 200 with an error": {
			answers: post(200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","detail":"no"}`), says: []string{"shows no user"}},
		"the server writes logins in lower case": {
			stores: func(u fakeUser) fakeUser { u.userName = strings.ToLower(u.userName); return u }, asks: "Jane@ACME.example", is: "new5", says: []string{"Created"}},
		"the server appends a domain to logins": {
			stores: func(u fakeUser) fakeUser { u.userName += ".tenant"; return u }, is: "new5", says: []string{"Created", "jane@acme.example.tenant"}},
		"the server appends a domain to logins and addresses": {
			stores: func(u fakeUser) fakeUser { u.userName += ".tenant"; u.primary = u.userName; return u }, says: []string{"new5", "jane@acme.example.tenant"}},
	}
}

// onCreation makes the server create the account and answer with a format for the new id.
func onCreation(status int, format string) answering {
	created := 0
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		m, _ := r.Context().Value(serverKey{}).(*imitation)
		m.create(discard{}, body)
		created++
		json := format
		if strings.Contains(format, "%s") {
			json = fmt.Sprintf(format, m.people[len(m.people)-1].id)
		}
		return reply(status, json)(w, r)
	}
}

type serverKey struct{}

// discard is a writer for an answer that is not sent.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// TestTheAccountOfACreation: the outcome names the requested account.
func TestTheAccountOfACreation(t *testing.T) {
	for name, tc := range accountCases() {
		if tc.asks == "" {
			tc.asks = jane
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := acme()
			m.people = append(m.people, tc.people...)
			m.instead, m.accepted = tc.answers, tc.stores
			p := perplexity(t, m.start(t))
			before := len(m.people)
			r := p.run(t, creating(tc.asks)...)
			if tc.is == "" {
				r.fails(t, tc.says...)
				for _, u := range m.people[:before] {
					if strings.Contains(r.stdout, "user:"+u.id+" ") {
						t.Errorf("it names %s:\n%s", u.id, r.stdout)
					}
				}
				return
			}
			r.succeeds(t, append(tc.says, "user:"+tc.is)...)
		})
	}
}

// TestTheAccountOfACreationInServiceMode checks the same in the answers to C1.
func TestTheAccountOfACreationInServiceMode(t *testing.T) {
	cases := accountCases()
	names := make([]string, 0, len(cases))
	for name := range cases {
		names = append(names, name)
	}
	slices.Sort(names)
	for part := range 4 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			m := acme()
			s := perplexity(t, m.start(t)).serve(t)
			for i, name := range names {
				if i%4 != part {
					continue
				}
				tc := cases[name]
				if tc.asks == "" {
					tc.asks = jane
				}
				m.do(func() {
					m.people = append(slices.Clone(acme().people), tc.people...)
					m.instead, m.accepted = tc.answers, tc.stores
				})
				r := s.create(tc.asks, "Jane Smith")
				if tc.is == "" {
					t.Log(name)
					taskFails(t, r, tc.says...)
					continue
				}
				if !r.OK() {
					t.Errorf("%s: %v", name, r.Status)
					continue
				}
				var got connectorv2.CreateAccountResponse
				if err := r.Response.UnmarshalTo(&got); err != nil {
					t.Fatal(err)
				}
				if message := got.String(); !strings.Contains(message, `"`+tc.is+`"`) {
					t.Errorf("%s: C1 gets %s, want %s", name, message, tc.is)
				}
			}
		})
	}
}
