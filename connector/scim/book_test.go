package scim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"baton/connector/scim"
	"baton/internal/jsonscan"
)

// This file reads lists by means of encoding/json, a page at once: it is what the
// package's own reading, which takes rows as they arrive, is held against.

var errByTheBook = errors.New("no list by the book")

// listByTheBook is the rows of a ListResponse, each once, and whether it is one.
func listByTheBook[T any](body []byte, decode func(json.RawMessage) (string, T, error)) (rows []T, total int, ok bool) {
	var l struct {
		TotalResults number          `json:"totalResults"`
		Resources    json.RawMessage `json:"Resources"`
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, &l) != nil {
		return nil, 0, false
	}
	resources := bytes.TrimSpace(l.Resources)
	var raw []json.RawMessage
	switch {
	case len(resources) == 0 || string(resources) == "null":
		if !l.TotalResults.said {
			return nil, 0, false
		}
	case resources[0] == '{':
		raw = []json.RawMessage{resources}
	case resources[0] != '[' || json.Unmarshal(resources, &raw) != nil:
		return nil, 0, false
	}
	seen := map[string]bool{}
	for _, b := range raw {
		id, v, err := decode(b)
		if err != nil || id == "" {
			return nil, 0, false
		}
		if !seen[id] {
			seen[id] = true
			rows = append(rows, v)
		}
	}
	return rows, len(raw), true
}

// FuzzByTheBook: any answer is a list exactly where encoding/json finds one in it, and
// has the same rows, whether members come with their group or one by one. A text that is not
// Unicode is an error, where encoding/json replaces it.
func FuzzByTheBook(f *testing.F) {
	for _, seed := range []string{
		`{"totalResults":0}`, `{"totalResults":"0","Resources":null}`, `{"RESOURCES":[]}`, `{}`, `[]`, ``, `{"Resources":"x"}`, `{"Resources":[1]}`, `{"Resources":[{}]}`,
		`{"totalResults":2,"Resources":[{"id":"1","userName":"ann","emails":[{"value":" a@b.c ","primary":"TRUE"},null,"x",[1]],"active":1,"meta":{"created":"2026-03-01"}},{"id":"1"}]}`,
		`{"Resources":[{"ID":7,"name":{"givenName":"A","GivenName":null},"name":5,"groups":[{"$ref":"/Groups/a%2Fb"},"g",null],"groups":"h","active":"no"}]}`,
		`{"Resources":[{"id":"g","displayName":"G","members":["u",{"value":1,"type":"Group"}],"members":{"value":"v"},"members":null},{"members":[[]],"id":"h"}]}`,
		`{"Resources":[{"id":"g","displayName":"G","members":["u"],"displayName":"H","id":"g2"}]}`, `{"Resources":{"id":"1","\u0130d":"2","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"m","department":true}}}`,
		"{\"Resources\":[{\"id\":\"\xff\",\"di\u017fplayName\":\"folded\"}]} ", `{"Resources":[{"id":"1"}]}{}`, `{"Resources":[{"id":"1"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if isMarkup := bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")); isMarkup || len(body) > 1<<20 || twice(body) || bytes.IndexByte(body[:min(len(body), 2)], 0) >= 0 {
			return // other checks come first; two values of Resources are refused; UTF-16 is read
		}
		c := connect(t, "https://scim.example.com", inProcess(func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, string(body)) }), 100)
		users, n, isList := listByTheBook(body, decodeUser)
		compare(t, body, users, n, isList, func() (got []scim.User, step scim.ListStep, err error) {
			step, err = listUsers(c, t.Context(), scim.Position{}, nil, func(u scim.User) { got = append(got, u) })
			return got, step, err
		})
		groups, n, isList := listByTheBook(body, decodeGroup)
		compare(t, body, groups, n, isList, func() (got []scim.Group, step scim.ListStep, err error) {
			step, err = listGroups(c, t.Context(), scim.Position{}, nil, func(g scim.Group) { got = append(got, g) })
			return got, step, err
		})
		compare(t, body, groups, n, isList, func() ([]scim.Group, scim.ListStep, error) {
			var got assembled
			step, err := c.ListGroups(t.Context(), scim.Position{}, got.sink(t))
			return got.groups, step, err
		})
	})
}

// compare holds rows against those of the book. That a list cannot be proved complete is
// beside the point.
func compare[T any](t *testing.T, body []byte, want []T, n int, isList bool, read func() ([]T, scim.ListStep, error)) {
	t.Helper()
	got, step, err := read()
	if err != nil && strings.Contains(err.Error(), "the list ended after") {
		return
	}
	if encoding := (*jsonscan.EncodingError)(nil); errors.As(err, &encoding) {
		if utf8.Valid(body) && !bytes.Contains(body, []byte(`\u`)) {
			t.Fatalf("%q: %v", body, err)
		}
		return
	}
	if isList != (err == nil) {
		t.Fatalf("%q: a list by the book: %v, and the error is %v", body, isList, err)
	}
	if isList && (step.Rows != n || step.Fresh != len(want) || !cmp.Equal(want, got)) {
		t.Fatalf("%q: %+v, want %d rows\n%s", body, step, n, cmp.Diff(want, got))
	}
}

// twice reports whether an object has more than one attribute Resources, in any spelling.
func twice(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	n := 0
	for {
		token, err := d.Token()
		if err != nil {
			return n > 1
		}
		if name, ok := token.(string); ok && strings.EqualFold(name, "resources") {
			n++
		}
	}
}

// text is a string, also when it was sent as a number or boolean.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = text(s)
	case 'n', '{', '[':
	default:
		*t = text(b)
	}
	return nil
}

// bookFlag is a boolean, also as "True", "false", 1 or "0".
type bookFlag struct{ said, value bool }

func (f *bookFlag) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(string(t))) {
	case "true", "1":
		*f = bookFlag{said: true, value: true}
	case "false", "0":
		*f = bookFlag{said: true}
	}
	return nil
}

func (f bookFlag) pointer() *bool {
	if !f.said {
		return nil
	}
	return &f.value
}

// number is a count, also as a string.
type number struct {
	said bool
	n    int
}

func (n *number) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(string(t)), 64)
	if err == nil && v >= 0 && v <= 1<<40 && v == math.Trunc(v) {
		*n = number{said: true, n: int(v)}
	}
	return nil
}

// moment is a time, with or without a zone (then UTC).
type moment time.Time

func (m *moment) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	s := strings.TrimSpace(string(t))
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700",
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02"} {
		if at, err := time.Parse(layout, s); err == nil {
			*m = moment(at.UTC())
			break
		}
	}
	return nil
}

// object is a complex attribute; anything but an object is ignored.
type object[T any] struct{ v T }

func (o *object[T]) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		return nil
	}
	return json.Unmarshal(b, &o.v)
}

// list is a multi-valued attribute, also as a single value in place of the array.
type list[T any] struct {
	listed bool // there and not null
	items  []T
}

func (l *list[T]) UnmarshalJSON(b []byte) error {
	if b[0] == 'n' {
		return nil
	}
	rows := []json.RawMessage{b}
	if b[0] == '[' {
		if err := json.Unmarshal(b, &rows); err != nil {
			return err
		}
	}
	l.listed = true
	for _, row := range rows {
		var v T
		if string(row) == "null" {
			continue
		}
		if err := json.Unmarshal(row, &v); err != nil {
			return err
		}
		l.items = append(l.items, v)
	}
	return nil
}

// bookValue is one value of a multi-valued attribute (RFC 7643 section 2.4), also when
// it was sent as a bare string.
type bookValue struct {
	Value, Type, Ref, Display string
	Primary                   bool
}

func (v *bookValue) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		var t text
		err := t.UnmarshalJSON(b)
		v.Value = string(t)
		return err
	}
	var w struct {
		Value   text     `json:"value"`
		Type    text     `json:"type"`
		Ref     text     `json:"$ref"`
		Display text     `json:"display"`
		Primary bookFlag `json:"primary"`
	}
	err := json.Unmarshal(b, &w)
	*v = bookValue{Value: string(w.Value), Type: string(w.Type), Ref: string(w.Ref), Display: string(w.Display), Primary: w.Primary.value}
	return err
}

type metaRow struct {
	Created moment `json:"created"`
}

type nameRow struct {
	Formatted  text `json:"formatted"`
	FamilyName text `json:"familyName"`
	GivenName  text `json:"givenName"`
	MiddleName text `json:"middleName"`
}

type enterpriseRow struct {
	EmployeeNumber text `json:"employeeNumber"`
	Department     text `json:"department"`
}

type userRow struct {
	ID          text                  `json:"id"`
	ExternalID  text                  `json:"externalId"`
	UserName    text                  `json:"userName"`
	DisplayName text                  `json:"displayName"`
	Name        object[nameRow]       `json:"name"`
	Emails      list[bookValue]       `json:"emails"`
	Active      bookFlag              `json:"active"`
	Title       text                  `json:"title"`
	UserType    text                  `json:"userType"`
	Groups      list[bookValue]       `json:"groups"`
	Meta        object[metaRow]       `json:"meta"`
	Enterprise  object[enterpriseRow] `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
}

// decodeUser reads a user and its id.
func decodeUser(b json.RawMessage) (string, scim.User, error) {
	var r userRow
	if err := decodeRow(b, &r); err != nil {
		return "", scim.User{}, err
	}
	u := scim.User{
		ID: string(r.ID), ExternalID: string(r.ExternalID), UserName: string(r.UserName),
		DisplayName: string(r.DisplayName), Active: r.Active.pointer(),
		Name: scim.Name{
			Formatted: string(r.Name.v.Formatted), FamilyName: string(r.Name.v.FamilyName), GivenName: string(r.Name.v.GivenName),
			MiddleName: string(r.Name.v.MiddleName),
		},
		Title: string(r.Title), UserType: string(r.UserType),
		EmployeeNumber: string(r.Enterprise.v.EmployeeNumber), Department: string(r.Enterprise.v.Department),
		GroupsListed: r.Groups.listed, Created: time.Time(r.Meta.v.Created),
	}
	for _, e := range r.Emails.items {
		if address := strings.TrimSpace(e.Value); address != "" {
			u.Emails = append(u.Emails, scim.Email{Value: address, Type: e.Type, Primary: e.Primary})
		}
	}
	for _, g := range r.Groups.items {
		u.Groups = append(u.Groups, scim.GroupRef{Value: idOf(g), Type: g.Type, Ref: g.Ref, Display: g.Display})
	}
	return u.ID, u, nil
}

// decodeGroup reads a group and its id.
func decodeGroup(b json.RawMessage) (string, scim.Group, error) {
	var r struct {
		ID          text            `json:"id"`
		ExternalID  text            `json:"externalId"`
		DisplayName text            `json:"displayName"`
		Members     list[bookValue] `json:"members"`
		Meta        object[metaRow] `json:"meta"`
	}
	if err := decodeRow(b, &r); err != nil {
		return "", scim.Group{}, err
	}
	g := scim.Group{ID: string(r.ID), ExternalID: string(r.ExternalID), DisplayName: string(r.DisplayName),
		MembersListed: r.Members.listed, Created: time.Time(r.Meta.v.Created)}
	for _, m := range r.Members.items {
		g.Members = append(g.Members, scim.Member{Value: idOf(m), Type: m.Type, Ref: m.Ref})
	}
	return g.ID, g, nil
}

// idOf is the id of a referenced user or group: its value, or else the segment
// after the endpoint in its reference.
func idOf(v bookValue) string {
	if v.Value != "" {
		return v.Value
	}
	for _, endpoint := range []string{"users/", "groups/"} {
		if i := strings.LastIndex(strings.ToLower(v.Ref), endpoint); i >= 0 {
			segment := v.Ref[i+len(endpoint):]
			if j := strings.IndexAny(segment, "/?#"); j >= 0 {
				segment = segment[:j]
			}
			if id, err := url.PathUnescape(segment); err == nil {
				return id
			}
		}
	}
	return ""
}

// decodeRow reads one resource. The error quotes nothing of it.
func decodeRow(b json.RawMessage, into any) error {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '{' || json.Unmarshal(b, into) != nil {
		return errByTheBook
	}
	return nil
}
