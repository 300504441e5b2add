package console

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/segmentio/ksuid"
)

// ID names a row that the console created: 27 letters and digits (a KSUID). IDs sort by
// the second of their creation.
type ID string

// NewID returns a new ID for a row created at a time.
func NewID(at time.Time) ID {
	var payload [16]byte
	rand.Read(payload[:]) // never fails
	id, err := ksuid.FromParts(at, payload[:])
	if err != nil {
		panic(fmt.Sprintf("console: new id: %v", err)) // only for a payload of another size
	}
	return ID(id.String())
}

// Time returns the second in which the row was created; zero if the ID is not valid.
func (id ID) Time() time.Time {
	k, err := ksuid.Parse(string(id))
	if err != nil {
		return time.Time{}
	}
	return k.Time().UTC()
}

// Valid reports whether the ID has the form of a KSUID.
func (id ID) Valid() bool {
	_, err := ksuid.Parse(string(id))
	return err == nil
}

// ResourceKey numbers a resource, and so an account, within one installation.
type ResourceKey int64

// EntitlementKey numbers an entitlement within one installation.
type EntitlementKey int64

// AccountItself is a built-in entitlement of every app: having an account. Granting it creates or
// enables the account; revoking it disables the account.
const AccountItself EntitlementKey = 0

// SyncNumber numbers the syncs whose rows were written, in the order of writing. Rows of a connector
// with a number above its head are not visible.
type SyncNumber int64

// Never is the closing sync of a row that is still open.
const Never SyncNumber = 1<<63 - 1
