package console

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Event records one change of state, for timelines, audit, notifications and automations. It names
// persons by ID only, so that erasing a person leaves the chain intact.
type Event struct {
	Kind        string          `json:"kind"` // noun.verb, for example "sync.applied"
	At          time.Time       `json:"at"`
	Actor       Actor           `json:"actor"`
	OnBehalfOf  ID              `json:"on_behalf_of,omitempty"`
	Client      ID              `json:"client,omitempty"` // the credential that was used
	Login       string          `json:"login,omitempty"`  // how the person had signed in: "password", or the name of an identity provider
	Request     string          `json:"request,omitempty"`
	Address     string          `json:"address,omitempty"`
	Source      string          `json:"source,omitempty"` // the program that a client says it is, for example "cone:task:approve"
	App         ID              `json:"app,omitempty"`
	Connector   ID              `json:"connector,omitempty"`
	Person      ID              `json:"person,omitempty"` // the person it is about
	Account     ResourceKey     `json:"account,omitempty"`
	Entitlement EntitlementKey  `json:"entitlement,omitempty"`
	Object      string          `json:"object,omitempty"` // id of the row that changed
	Data        json.RawMessage `json:"data,omitempty"`
	// Salt is random, so that nobody can find out erased or withheld data by comparing the hashes of
	// guesses. It is erased with the data.
	Salt string `json:"salt,omitempty"`
	// Erased means that personal data was removed from the event. Its hash is that of the event as it
	// was.
	Erased bool `json:"erased,omitempty"`
}

// Link is the position of an event in the chain.
type Link struct {
	Epoch    int64 // counts restores of the database, from 1
	Number   int64 // counts events across epochs, from 1
	Previous Hash  // hash of the previous event; zero for the first
}

// Hash is the SHA-256 of an event and its link.
type Hash [sha256.Size]byte

// String returns the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements [encoding.TextMarshaler], in hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler], in hex.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) {
		return fmt.Errorf("%q is no hash", text)
	}
	copy(h[:], b)
	return nil
}

// These prefixes keep the hashes distinct from hashes of other data, and of each other.
const (
	chainVersion  = "baton console event 2\n"
	chainVersion1 = "baton console event 1\n"
)

// HashEvent returns the hash of an event's stored bytes at its position in the chain.
func HashEvent(l Link, payload []byte) Hash { return HashDigest(l, sha256.Sum256(payload)) }

// HashDigest returns the hash of an event from the SHA-256 of its stored bytes. Evidence contains
// only this digest of an event that its reader may not see, and its place in the chain can be checked
// all the same.
func HashDigest(l Link, digest Hash) Hash { return l.hash(chainVersion, digest[:]) }

// Holds reports whether an event with these stored bytes has a hash at this position. Events of
// earlier versions have a hash of the bytes themselves.
func (l Link) Holds(payload []byte, h Hash) bool {
	return HashEvent(l, payload) == h || l.hash(chainVersion1, payload) == h
}

func (l Link) hash(version string, content []byte) (sum Hash) {
	h := sha256.New()
	h.Write([]byte(version))
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], uint64(l.Epoch))
	binary.BigEndian.PutUint64(n[8:], uint64(l.Number))
	h.Write(n[:])
	h.Write(l.Previous[:])
	h.Write(content)
	h.Sum(sum[:0])
	return sum
}

// ChainHead is the last event of a chain. A copy that is kept elsewhere proves later that nothing
// before it was changed.
type ChainHead struct {
	Epoch  int64     `json:"epoch"`
	Number int64     `json:"number"`
	Hash   Hash      `json:"hash"`
	At     time.Time `json:"at"`
}
