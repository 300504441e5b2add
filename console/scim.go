package console

import (
	"strings"
	"time"
)

// SCIMSource is an identity provider that pushes people and groups to the console by SCIM. It is a
// directory: see [DirectoryEntry].
type SCIMSource struct {
	ID      ID
	Name    string
	Stream  Stream // the key of its directory records; it has no syncs
	Created time.Time
	Creator ID
	Error   string // the last request that failed; "": none
	ErrorAt time.Time
}

// SCIMToken is a bearer token of a source. Only its hash is stored.
type SCIMToken struct {
	ID       ID
	Source   ID
	Created  time.Time
	Revoked  time.Time // zero: never
	LastUsed time.Time // to the minute; zero: never
}

// MaxSCIMTokens limits the tokens of a source that work at the same time. A second one is for the time
// in which the identity provider gets the new one.
const MaxSCIMTokens = 2

// SCIMUser is a user of a source.
type SCIMUser struct {
	Key        ResourceKey // under which its directory record is stored
	Source     ID
	ID         ID
	UserName   string // in the form of [SCIMName]
	ExternalID string
	Addresses  []string // all e-mail addresses, in the form of [SCIMName], for look-ups
	Entry      DirectoryEntry
	Document   []byte // the attributes that the source set, as JSON
	// Unsettled is set while the entry could not be fully applied to the person: the manager is not
	// known yet, or the data of somebody else is in the way.
	Unsettled bool
	Created   time.Time
	Modified  time.Time
	Ended     time.Time // when it was deleted; zero: it was not
	Version   int64
}

// SCIMGroup is a group of a source.
type SCIMGroup struct {
	ID         ID
	Source     ID
	Name       string
	ExternalID string
	Role       ConsoleRole // the role in the console that it gives its members; "": none
	Created    time.Time
	Modified   time.Time
	Version    int64
}

// SCIMName returns the form in which user names, addresses and names of groups are compared.
func SCIMName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// DueSCIM is the kind of the due rows of sources with unsettled users. They refer to the source.
const DueSCIM = "people.scim"

// ActorDirectory is the kind of an identity provider that pushes people; the ID is that of the source.
const ActorDirectory ActorKind = "directory"

// BySCIM returns the actor for a source.
func BySCIM(source ID) Actor { return Actor{Kind: ActorDirectory, ID: string(source)} }
