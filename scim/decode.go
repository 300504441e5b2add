package scim

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/jsonscan"
)

// What is below reads what servers send in place of what the RFC says. It never fails on
// well-formed JSON: what cannot be read counts as not said, and leaves what was said
// before. Names of attributes are compared in lower case, for SCIM ignores their case.

// each calls field for every attribute of an object, with its name in lower case; it
// must read the value. Anything but an object is skipped.
func each(s *jsonscan.Scanner, field func(name []byte)) {
	if s.Kind() != '{' {
		s.Skip()
		return
	}
	for s.Object(); s.Field(); {
		field(s.Lower())
	}
}

// isObject reports whether an object comes next. Anything else is read over, so that
// what is no JSON either shows as that.
func isObject(s *jsonscan.Scanner) bool {
	if s.Empty() {
		return false
	}
	if s.Kind() != '{' {
		s.Skip()
		return false
	}
	return true
}

// common is b as a string; the texts that come again and again are not made anew.
func common(b []byte) string {
	for _, t := range [...]string{"User", "Group", "direct", "indirect", "work", "home", "true", "false"} {
		if string(b) == t {
			return t
		}
	}
	return string(b)
}

// text is a string, also when it was sent as a number or boolean.
func text(s *jsonscan.Scanner, into *string) {
	if t := s.Text(); t != nil {
		*into = common(t)
	}
}

// flag is a boolean, also as "True", "false", 1 or "0".
func flag(s *jsonscan.Scanner, into **bool) {
	var t string
	text(s, &t)
	t = strings.ToLower(strings.TrimSpace(t))
	if yes := t == "true" || t == "1"; yes || t == "false" || t == "0" {
		*into = &yes
	}
}

// number is a count, also as a string.
func number(s *jsonscan.Scanner, into *int) (said bool) {
	var t string
	text(s, &t)
	v, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
	if err == nil && v >= 0 && v <= maxRows && v == math.Trunc(v) {
		*into, said = int(v), true
	}
	return said
}

// moment is a time, with or without a zone (then UTC).
func moment(s *jsonscan.Scanner, into *time.Time) {
	var t string
	text(s, &t)
	t = strings.TrimSpace(t)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700",
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02"} {
		if at, err := time.Parse(layout, t); err == nil {
			*into = at.UTC()
			break
		}
	}
}

// list calls item for every value of a multi-valued attribute, also for a single value
// in place of the array, and reports whether the attribute was there and not null.
func list(s *jsonscan.Scanner, item func()) (listed bool) {
	switch s.Kind() {
	case 'n':
		s.Skip()
		return false
	case '[':
		for s.Array(); s.Element(); {
			if s.Kind() == 'n' {
				s.Skip()
				continue
			}
			item()
		}
	default:
		item()
	}
	return true
}

// value is one value of a multi-valued attribute (RFC 7643 section 2.4), also when it
// was sent as a bare string.
type value struct {
	Value, Type, Ref, Display string
	Primary                   *bool
}

func readValue(s *jsonscan.Scanner) (v value) {
	if s.Kind() != '{' {
		text(s, &v.Value)
		return v
	}
	for s.Object(); s.Field(); {
		switch string(s.Lower()) {
		case "value":
			text(s, &v.Value)
		case "type":
			text(s, &v.Type)
		case "$ref":
			text(s, &v.Ref)
		case "display":
			text(s, &v.Display)
		case "primary":
			flag(s, &v.Primary)
		default:
			s.Skip()
		}
	}
	return v
}

// id is the id of a referenced user or group: its value, or else the segment after the
// endpoint in its reference.
func (v value) id() string {
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

// A rowReader reads resources of one kind, one after the other.
type rowReader interface {
	// read reads an object and is its id. What belongs to a row of its own, such as a
	// member of a group, may be handed out before the end, if fresh says so.
	read(s *jsonscan.Scanner, fresh func(id string) bool) (id string, err error)
	// deliver hands out the object that was read last.
	deliver()
}

// readRow reads one resource. The error quotes nothing of it.
func readRow(s *jsonscan.Scanner, rows rowReader, fresh func(id string) bool) (string, error) {
	if !isObject(s) {
		return "", baton.Errorf(baton.Incomplete, "a resource is not a JSON object")
	}
	return rows.read(s, fresh)
}

func meta(s *jsonscan.Scanner, m *Meta) {
	each(s, func(name []byte) {
		switch string(name) {
		case "resourcetype":
			text(s, &m.ResourceType)
		case "created":
			moment(s, &m.Created)
		case "lastmodified":
			moment(s, &m.LastModified)
		case "location":
			text(s, &m.Location)
		case "version":
			text(s, &m.Version)
		default:
			s.Skip()
		}
	})
}

// userReader reads users.
type userReader struct {
	user User
	row  func(User)
}

func (r *userReader) deliver() { r.row(r.user) }

const enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"

func (r *userReader) read(s *jsonscan.Scanner, _ func(string) bool) (string, error) {
	r.user = User{}
	u := &r.user
	for s.Object(); s.Field(); {
		switch string(s.Lower()) {
		case "id":
			text(s, &u.ID)
		case "externalid":
			text(s, &u.ExternalID)
		case "username":
			text(s, &u.UserName)
		case "displayname":
			text(s, &u.DisplayName)
		case "nickname":
			text(s, &u.NickName)
		case "name":
			fullName(s, &u.Name)
		case "emails":
			list(s, func() { u.addEmail(readValue(s)) })
		case "active":
			flag(s, &u.Active)
		case "title":
			text(s, &u.Title)
		case "usertype":
			text(s, &u.UserType)
		case "preferredlanguage":
			text(s, &u.PreferredLanguage)
		case "locale":
			text(s, &u.Locale)
		case "timezone":
			text(s, &u.Timezone)
		case "groups":
			if list(s, func() {
				v := readValue(s)
				u.Groups = append(u.Groups, GroupRef{Value: v.id(), Type: v.Type, Ref: v.Ref, Display: v.Display})
			}) {
				u.GroupsListed = true
			}
		case "meta":
			meta(s, &u.Meta)
		case enterpriseSchema:
			enterprise(s, u)
		default:
			s.Skip()
		}
	}
	return u.ID, nil
}

func (u *User) addEmail(v value) {
	if address := strings.TrimSpace(v.Value); address != "" {
		u.Emails = append(u.Emails, Email{Value: address, Type: v.Type, Primary: v.Primary != nil && *v.Primary})
	}
}

func fullName(s *jsonscan.Scanner, n *Name) {
	each(s, func(name []byte) {
		switch string(name) {
		case "formatted":
			text(s, &n.Formatted)
		case "familyname":
			text(s, &n.FamilyName)
		case "givenname":
			text(s, &n.GivenName)
		case "middlename":
			text(s, &n.MiddleName)
		case "honorificprefix":
			text(s, &n.HonorificPrefix)
		case "honorificsuffix":
			text(s, &n.HonorificSuffix)
		default:
			s.Skip()
		}
	})
}

func enterprise(s *jsonscan.Scanner, u *User) {
	each(s, func(name []byte) {
		switch string(name) {
		case "employeenumber":
			text(s, &u.EmployeeNumber)
		case "department":
			text(s, &u.Department)
		case "division":
			text(s, &u.Division)
		case "organization":
			text(s, &u.Organization)
		case "costcenter":
			text(s, &u.CostCenter)
		case "manager":
			u.ManagerID = readValue(s).Value
		default:
			s.Skip()
		}
	})
}
