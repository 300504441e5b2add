package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"time"

	"baton"
	"baton/console"
)

// Format names the format of packs. A signed manifest begins with it, so that its signature fits
// nothing else that the key signs.
const Format = "baton evidence pack 1"

// The members with a meaning of their own. The manifest lists all members but itself and its
// signature, which are the last two.
const (
	manifestName  = "manifest.json"
	signatureName = "manifest.sig"
	keyName       = "key.pem"
)

// Manifest lists the members of a pack with their hashes. Its signature covers all of them.
type Manifest struct {
	Format   string                `json:"format"`
	Key      string                `json:"key"` // fingerprint
	Campaign console.ID            `json:"campaign"`
	Name     string                `json:"name"`
	State    console.CampaignState `json:"state"`
	AsOf     time.Time             `json:"as_of"` // when the last event happened
	Chain    Chain                 `json:"chain"`
	Counts   Counts                `json:"counts"`
	Members  []Member              `json:"members"`
}

// Chain is the part of the chain of events that is in a pack.
type Chain struct {
	First    int64        `json:"first"`    // number of the first event
	Previous console.Hash `json:"previous"` // hash of the event before
	Epoch    int64        `json:"epoch"`    // of the last event
	Last     int64        `json:"last"`
	Hash     console.Hash `json:"hash"` // of the last event
}

// Counts are the numbers of rows in a pack.
type Counts struct {
	Items        int `json:"items"`
	Assignments  int `json:"assignments"`
	Submissions  int `json:"submissions"`
	Decisions    int `json:"decisions"`
	Decided      int `json:"decided"`    // items with a decision
	Unanswered   int `json:"unanswered"` // items without one
	Removals     int `json:"removals"`   // items whose outcome ends the access
	Verified     int `json:"verified"`   // removals that a later sync shows
	NotEffective int `json:"not_effective"`
	Operations   int `json:"operations"`
	Events       int `json:"events"`
	Disclosed    int `json:"disclosed"` // events with their content
}

// Member is a member of a pack in its manifest.
type Member struct {
	Name   string       `json:"name"`
	Size   int64        `json:"size"`
	SHA256 console.Hash `json:"sha256"`
}

// encode returns the bytes of a manifest: one line for each field and for each member, so that line
// tools can read it.
func (m Manifest) encode() []byte {
	members := m.Members
	m.Members = []Member{}
	return encodeMembers(m, members)
}

// encodeMembers returns the bytes of a manifest whose last field is an empty list of members, with
// members in that list.
func encodeMembers(manifest any, members []Member) []byte {
	head, ok := bytes.CutSuffix(encodeLine(manifest), []byte(`[]}`))
	if !ok {
		panic("evidence: members are not the last field")
	}
	var b bytes.Buffer
	b.Write(head)
	b.WriteString("[\n")
	for i, x := range members {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.Write(encodeLine(x))
	}
	b.WriteString("\n]}\n")
	return b.Bytes()
}

// decodeManifest reads a manifest. Other bytes than those of encode are refused.
func decodeManifest(b []byte) (m Manifest, err error) {
	if err := strictly(b, &m); err != nil {
		return m, err
	}
	if m.Format != Format {
		return m, baton.Errorf(baton.Unsupported, "the format %q is not known", m.Format).WithFix("Use a newer baton-console.")
	}
	if !bytes.Equal(m.encode(), b) {
		return m, baton.Errorf(baton.Corrupt, "it is not in its canonical form")
	}
	return m, nil
}

// encodeKey returns the content of the member with the public key.
func encodeKey(key ed25519.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err) // cannot happen for a key of this type
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// decodeKey returns the public key in a member; nil if the member has another form.
func decodeKey(b []byte) ed25519.PublicKey {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(ed25519.PublicKey)
	if err != nil || !ok || !slices.Equal(encodeKey(key), b) {
		return nil
	}
	return key
}

// encodeLine returns the canonical JSON of a value, without a line feed.
func encodeLine(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // cannot happen: rows hold plain values
	}
	return b
}

// strictly decodes JSON of known fields only, with nothing after it.
func strictly(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return baton.Errorf(baton.Corrupt, "%w", err)
	}
	if d.More() {
		return baton.Errorf(baton.Corrupt, "something follows it")
	}
	return nil
}

// canonically decodes a line of JSON, and refuses any other form of it than the canonical one. So a
// line cannot mean different things to different readers.
func canonically(b []byte, v any) error {
	if err := strictly(b, v); err != nil {
		return err
	}
	if !bytes.Equal(encodeLine(v), b) {
		return baton.Errorf(baton.Corrupt, "it is not in its canonical form")
	}
	return nil
}
