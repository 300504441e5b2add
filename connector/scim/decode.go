package scim

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/internal/jsonscan"
)

// The functions below read what servers send instead of the types of the RFC. They never fail on well-formed
// JSON: an unreadable value counts as absent and leaves the previous value. Attribute names are compared in
// lower case, because SCIM ignores their case.

// each calls field for every attribute of an object, with the attribute's name in lower case. field must read
// the value. each skips anything but an object.
func each(s *jsonscan.Scanner, field func(name []byte)) {
	if s.Kind() != '{' {
		s.Skip()
		return
	}
	for s.Object(); s.Field(); {
		field(s.Lower())
	}
}

// isObject reports whether the next value is an object. It reads over any other value, so that invalid JSON
// is reported as such.
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

// maxAttribute limits the text of one attribute in bytes. A longer one counts as absent.
const maxAttribute = 64 << 10

// text reads a string, also one sent as a number or boolean.
func text(s *jsonscan.Scanner, into *string) {
	if t := s.Text(); t != nil && len(t) <= maxAttribute {
		*into = s.Keep(t)
	}
}

var yes, no = true, false

// flag reads a boolean, also one sent as "True", "false", 1 or "0".
func flag(s *jsonscan.Scanner, into **bool) {
	switch strings.ToLower(strings.TrimSpace(string(s.Text()))) {
	case "true", "1":
		*into = &yes
	case "false", "0":
		*into = &no
	}
}

// maxNumber is larger than any real count.
const maxNumber = 1 << 40

// number reads a count, also one sent as a string.
func number(s *jsonscan.Scanner, into *int) (found bool) {
	var t string
	text(s, &t)
	v, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
	if err == nil && v >= 0 && v <= maxNumber && v == math.Trunc(v) {
		*into, found = int(v), true
	}
	return found
}

// moment reads a time. A time without a zone is UTC.
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

// list calls item for every value of a multi-valued attribute, or once for a single value in place of the
// array. It reports whether the attribute was present and not null.
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

// value is one value of a multi-valued attribute (RFC 7643 section 2.4). A bare string counts as a value,
// too.
type value struct {
	Value, Type string
	Primary     bool
}

// The parts of a value.
const (
	valueValue = iota
	valueType
	valuePrimary
)

func emailNames() *jsonscan.Names {
	return jsonscan.NewFolded([]string{valueValue: "value", valueType: "type", valuePrimary: "primary"})
}

func readValue(s *jsonscan.Scanner, names *jsonscan.Names) (v value) {
	if s.Kind() != '{' {
		text(s, &v.Value)
		return v
	}
	for s.Object(); s.Known(names); {
		switch names.Field {
		case valueValue:
			text(s, &v.Value)
		case valueType:
			text(s, &v.Type)
		case valuePrimary:
			var primary *bool
			if flag(s, &primary); primary != nil {
				v.Primary = *primary
			}
		}
	}
	return v
}

// rowReader reads resources of one type, one after the other.
type rowReader interface {
	// begin is called before a response is read, and before it is read again.
	begin()
	// read reads an object and returns its id. Rows inside it, such as the members of a group, may be
	// delivered before its end if fresh returns true for the id.
	read(s *jsonscan.Scanner, fresh func(id string) bool) (id string, err error)
	// deliver delivers the object that was read last.
	deliver()
	// named reports whether the object that was read last has the name attribute of its type.
	named() bool
}

// readRow reads one resource. Its errors quote no part of the resource.
func readRow(s *jsonscan.Scanner, rows rowReader, fresh func(id string) bool) (string, error) {
	if !isObject(s) {
		return "", baton.Errorf(baton.Incomplete, "a resource is not a JSON object")
	}
	return rows.read(s, fresh)
}

// metaNames returns the attributes of meta that this package reads.
func metaNames() *jsonscan.Names { return jsonscan.NewFolded([]string{"created"}) }

// created reads the attribute meta and stores the creation time.
func created(s *jsonscan.Scanner, names *jsonscan.Names, into *time.Time) {
	if !isObject(s) {
		return
	}
	for s.Object(); s.Known(names); {
		moment(s, into)
	}
}

// userReader reads users.
type userReader struct {
	user User
	row  func(User)

	attributes, fullName, email, meta, enterprise *jsonscan.Names
	group                                         *referenceReader
}

// The attributes of a user.
const (
	userID = iota
	userExternalID
	userUserName
	userDisplayName
	userName
	userEmails
	userActive
	userTitle
	userType
	userGroups
	userMeta
	userEnterprise
)

// The parts of a name.
const (
	nameFormatted = iota
	nameFamily
	nameGiven
	nameMiddle
)

// The attributes of the enterprise extension.
const (
	enterpriseNumber = iota
	enterpriseDepartment
)

const enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"

// newUserReader makes a reader that delivers to row, which may be nil.
func newUserReader(row func(User)) *userReader {
	return &userReader{
		row: row,
		attributes: jsonscan.NewFolded([]string{
			userID: "id", userExternalID: "externalid", userUserName: "username", userDisplayName: "displayname",
			userName: "name", userEmails: "emails", userActive: "active", userTitle: "title", userType: "usertype",
			userGroups: "groups", userMeta: "meta", userEnterprise: enterpriseSchema,
		}),
		fullName: jsonscan.NewFolded([]string{
			nameFormatted: "formatted", nameFamily: "familyname", nameGiven: "givenname", nameMiddle: "middlename",
		}),
		enterprise: jsonscan.NewFolded([]string{
			enterpriseNumber: "employeenumber", enterpriseDepartment: "department",
		}),
		email: emailNames(), group: newReferenceReader(), meta: metaNames(),
	}
}

func (r *userReader) begin() {}

func (r *userReader) deliver() { r.row(r.user) }

func (r *userReader) named() bool { return r.user.UserName != "" }

func (r *userReader) read(s *jsonscan.Scanner, _ func(string) bool) (string, error) {
	u := &r.user
	*u = User{Emails: u.Emails[:0], Groups: u.Groups[:0]}
	for s.Object(); s.Known(r.attributes); {
		switch r.attributes.Field {
		case userID:
			text(s, &u.ID)
		case userExternalID:
			text(s, &u.ExternalID)
		case userUserName:
			text(s, &u.UserName)
		case userDisplayName:
			text(s, &u.DisplayName)
		case userName:
			r.readName(s, &u.Name)
		case userEmails:
			list(s, func() { u.addEmail(readValue(s, r.email)) })
		case userActive:
			flag(s, &u.Active)
		case userTitle:
			text(s, &u.Title)
		case userType:
			text(s, &u.UserType)
		case userGroups:
			if r.group.list(s, u.addGroup) {
				u.GroupsListed = true
			}
		case userMeta:
			created(s, r.meta, &u.Created)
		case userEnterprise:
			r.readEnterprise(s, u)
		}
	}
	return u.ID, nil
}

// Limits per user, far beyond any real one.
const (
	maxEmails = 1_000
	maxGroups = 100_000
)

func (u *User) addEmail(v value) {
	if address := strings.TrimSpace(v.Value); address != "" && len(address) <= maxID && len(u.Emails) < maxEmails {
		u.Emails = append(u.Emails, Email{Value: address, Type: v.Type, Primary: v.Primary})
	}
}

func (u *User) addGroup(r reference) {
	switch {
	case len(u.Groups) < maxGroups:
		u.Groups = append(u.Groups, r.groupRef())
	case len(u.Groups) == maxGroups:
		u.Groups = append(u.Groups, GroupRef{Problem: fmt.Sprintf("there are more than %d groups", maxGroups)})
	}
}

func (r *userReader) readName(s *jsonscan.Scanner, n *Name) {
	if !isObject(s) {
		return
	}
	for s.Object(); s.Known(r.fullName); {
		switch r.fullName.Field {
		case nameFormatted:
			text(s, &n.Formatted)
		case nameFamily:
			text(s, &n.FamilyName)
		case nameGiven:
			text(s, &n.GivenName)
		case nameMiddle:
			text(s, &n.MiddleName)
		}
	}
}

func (r *userReader) readEnterprise(s *jsonscan.Scanner, u *User) {
	if !isObject(s) {
		return
	}
	for s.Object(); s.Known(r.enterprise); {
		switch r.enterprise.Field {
		case enterpriseNumber:
			text(s, &u.EmployeeNumber)
		case enterpriseDepartment:
			text(s, &u.Department)
		}
	}
}
