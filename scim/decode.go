package scim

import (
	"bytes"
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"baton"
)

// The types below read what servers send in place of what the RFC says. They never
// fail on well-formed JSON: what cannot be read counts as not said. Attribute names
// need no care, for encoding/json ignores their case, as SCIM does.

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

// flag is a boolean, also as "True", "false", 1 or "0".
type flag struct{ said, value bool }

func (f *flag) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(string(t))) {
	case "true", "1":
		*f = flag{said: true, value: true}
	case "false", "0":
		*f = flag{said: true}
	}
	return nil
}

func (f flag) pointer() *bool {
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
	if err == nil && v >= 0 && v <= maxRows && v == math.Trunc(v) {
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

// value is one value of a multi-valued attribute (RFC 7643 section 2.4), also when
// it was sent as a bare string.
type value struct {
	Value, Type, Ref, Display string
	Primary                   bool
}

func (v *value) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		var t text
		err := t.UnmarshalJSON(b)
		v.Value = string(t)
		return err
	}
	var w struct {
		Value   text `json:"value"`
		Type    text `json:"type"`
		Ref     text `json:"$ref"`
		Display text `json:"display"`
		Primary flag `json:"primary"`
	}
	err := json.Unmarshal(b, &w)
	*v = value{Value: string(w.Value), Type: string(w.Type), Ref: string(w.Ref), Display: string(w.Display), Primary: w.Primary.value}
	return err
}

type metaRow struct {
	ResourceType text   `json:"resourceType"`
	Created      moment `json:"created"`
	LastModified moment `json:"lastModified"`
	Location     text   `json:"location"`
	Version      text   `json:"version"`
}

func (m metaRow) meta() Meta {
	return Meta{ResourceType: string(m.ResourceType), Created: time.Time(m.Created), LastModified: time.Time(m.LastModified),
		Location: string(m.Location), Version: string(m.Version)}
}

type nameRow struct {
	Formatted       text `json:"formatted"`
	FamilyName      text `json:"familyName"`
	GivenName       text `json:"givenName"`
	MiddleName      text `json:"middleName"`
	HonorificPrefix text `json:"honorificPrefix"`
	HonorificSuffix text `json:"honorificSuffix"`
}

type enterpriseRow struct {
	EmployeeNumber text  `json:"employeeNumber"`
	Department     text  `json:"department"`
	Division       text  `json:"division"`
	Organization   text  `json:"organization"`
	CostCenter     text  `json:"costCenter"`
	Manager        value `json:"manager"`
}

type userRow struct {
	ID                text                  `json:"id"`
	ExternalID        text                  `json:"externalId"`
	UserName          text                  `json:"userName"`
	DisplayName       text                  `json:"displayName"`
	NickName          text                  `json:"nickName"`
	Name              object[nameRow]       `json:"name"`
	Emails            list[value]           `json:"emails"`
	Active            flag                  `json:"active"`
	Title             text                  `json:"title"`
	UserType          text                  `json:"userType"`
	PreferredLanguage text                  `json:"preferredLanguage"`
	Locale            text                  `json:"locale"`
	Timezone          text                  `json:"timezone"`
	Groups            list[value]           `json:"groups"`
	Meta              object[metaRow]       `json:"meta"`
	Enterprise        object[enterpriseRow] `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
}

// decodeUser reads a user and its id.
func decodeUser(b json.RawMessage) (string, User, error) {
	var r userRow
	if err := decodeRow(b, &r); err != nil {
		return "", User{}, err
	}
	u := User{
		ID: string(r.ID), ExternalID: string(r.ExternalID), UserName: string(r.UserName),
		DisplayName: string(r.DisplayName), NickName: string(r.NickName), Active: r.Active.pointer(),
		Name: Name{
			Formatted: string(r.Name.v.Formatted), FamilyName: string(r.Name.v.FamilyName), GivenName: string(r.Name.v.GivenName),
			MiddleName: string(r.Name.v.MiddleName), HonorificPrefix: string(r.Name.v.HonorificPrefix), HonorificSuffix: string(r.Name.v.HonorificSuffix),
		},
		Title: string(r.Title), UserType: string(r.UserType), PreferredLanguage: string(r.PreferredLanguage),
		Locale: string(r.Locale), Timezone: string(r.Timezone),
		EmployeeNumber: string(r.Enterprise.v.EmployeeNumber), Department: string(r.Enterprise.v.Department),
		Division: string(r.Enterprise.v.Division), Organization: string(r.Enterprise.v.Organization),
		CostCenter: string(r.Enterprise.v.CostCenter), ManagerID: r.Enterprise.v.Manager.Value,
		GroupsListed: r.Groups.listed, Meta: r.Meta.v.meta(),
	}
	for _, e := range r.Emails.items {
		if address := strings.TrimSpace(e.Value); address != "" {
			u.Emails = append(u.Emails, Email{Value: address, Type: e.Type, Primary: e.Primary})
		}
	}
	for _, g := range r.Groups.items {
		u.Groups = append(u.Groups, GroupRef{Value: idOf(g), Type: g.Type, Ref: g.Ref, Display: g.Display})
	}
	return u.ID, u, nil
}

// decodeGroup reads a group and its id.
func decodeGroup(b json.RawMessage) (string, Group, error) {
	var r struct {
		ID          text            `json:"id"`
		ExternalID  text            `json:"externalId"`
		DisplayName text            `json:"displayName"`
		Members     list[value]     `json:"members"`
		Meta        object[metaRow] `json:"meta"`
	}
	if err := decodeRow(b, &r); err != nil {
		return "", Group{}, err
	}
	g := Group{ID: string(r.ID), ExternalID: string(r.ExternalID), DisplayName: string(r.DisplayName),
		MembersListed: r.Members.listed, Meta: r.Meta.v.meta()}
	for _, m := range r.Members.items {
		g.Members = append(g.Members, Member{Value: idOf(m), Type: m.Type, Ref: m.Ref, Display: m.Display})
	}
	return g.ID, g, nil
}

// idOf is the id of a referenced user or group: its value, or else the segment
// after the endpoint in its reference.
func idOf(v value) string {
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
		return baton.Errorf(baton.Incomplete, "a resource is not a JSON object")
	}
	return nil
}
