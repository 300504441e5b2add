package console

import (
	"slices"
	"strings"
)

// Person is a human or a service that has access, decides about it, or both. Accounts are matched to
// persons.
type Person struct {
	ID         ID
	MergedInto ID // the person that this one was merged into; "" if it was not
	Name       string
	Emails     []string // normalized by [NormalizeEmail]; the primary one first
	Status     PersonStatus
	Manager    ID // "": unknown
	Department string
	Roles      []ConsoleRole
	// Service marks a person that is not human: it acts through clients and has no login.
	Service bool
	Version int64 // counts changes, for optimistic locking
}

// Canonical returns the identity for comparisons: merged persons are one person.
func (p Person) Canonical() ID {
	if p.MergedInto != "" {
		return p.MergedInto
	}
	return p.ID
}

// PersonStatus is whether a person works at the company.
type PersonStatus string

const (
	PersonActive   PersonStatus = "active"
	PersonDisabled PersonStatus = "disabled"
	PersonGone     PersonStatus = "gone" // absent from the directory
)

// ConsoleRole is a role in the console itself. Everybody has the rights of a user. The owners of an
// app or a connector have further rights on it without a role.
type ConsoleRole string

const (
	Helpdesk               ConsoleRole = "helpdesk"
	ConnectorAdministrator ConsoleRole = "connector-administrator"
	CampaignAdministrator  ConsoleRole = "campaign-administrator"
	Auditor                ConsoleRole = "auditor"
	SecurityOfficer        ConsoleRole = "security-officer"
	SuperAdministrator     ConsoleRole = "super-administrator"
)

// ConsoleRoles lists the roles that a person can be given.
func ConsoleRoles() []ConsoleRole {
	return []ConsoleRole{Helpdesk, ConnectorAdministrator, CampaignAdministrator, Auditor, SecurityOfficer, SuperAdministrator}
}

// NormalizeEmail returns the form in which addresses are stored and looked up: trimmed and in lower
// case. Persons are never compared by it.
func NormalizeEmail(address string) string {
	return strings.ToLower(strings.TrimSpace(address))
}

// DueMatch is the kind of the due rows of apps whose accounts must be matched to people. They refer
// to the app, or to [MatchAll].
const DueMatch = "match"

// MatchAll stands for every app.
const MatchAll = "all"

// DirectoryEntry holds a directory's data about a person.
type DirectoryEntry struct {
	Name       string       `json:"name,omitempty"`
	Emails     []string     `json:"emails,omitempty"`  // normalized; the primary one first
	Manager    string       `json:"manager,omitempty"` // an e-mail address, or the id of an account of the directory
	Department string       `json:"department,omitempty"`
	Status     PersonStatus `json:"status,omitempty"`
}

// Equal reports whether two entries have the same content.
func (e DirectoryEntry) Equal(o DirectoryEntry) bool {
	return e.Name == o.Name && e.Manager == o.Manager && e.Department == o.Department && e.Status == o.Status && slices.Equal(e.Emails, o.Emails)
}

// DueDirectory is the kind of the due rows of directories with a newer sync whose people were not
// updated yet. They refer to the connector.
const DueDirectory = "people.directory"
