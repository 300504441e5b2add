package console

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"baton"
)

// SignedHead is the head of the chain, signed by the console. Kept where nobody who can write to the
// database can reach it, it proves later that nothing before it was altered, and that the console
// said so.
type SignedHead struct {
	ChainHead
	Key       []byte `json:"key,omitempty"` // Ed25519 public key
	Signature []byte `json:"signature,omitempty"`
}

// headVersion separates these signatures from all others.
const headVersion = "baton console head 1\n"

func (h ChainHead) signed() []byte {
	b := append([]byte(headVersion), h.Hash[:]...)
	for _, n := range []int64{h.Epoch, h.Number, h.At.UnixMicro()} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// Sign returns the head with a signature.
func (h ChainHead) Sign(key ed25519.PrivateKey) SignedHead {
	return SignedHead{ChainHead: h, Key: key.Public().(ed25519.PublicKey), Signature: ed25519.Sign(key, h.signed())}
}

// Verify returns an error unless the head is signed with its key. Whose key that is, its fingerprint
// says.
func (s SignedHead) Verify() error {
	if len(s.Key) != ed25519.PublicKeySize || !ed25519.Verify(s.Key, s.signed(), s.Signature) {
		return baton.Errorf(baton.Corrupt, "the signature of the head of event %d is wrong", s.Number).WithFix("The file was altered, or did not come from a console.")
	}
	return nil
}

// Fingerprint returns the fingerprint of a public key, SHA256: and its hash in hex.
func Fingerprint(key []byte) string {
	sum := sha256.Sum256(key)
	return "SHA256:" + strings.ToUpper(hex.EncodeToString(sum[:]))
}

// AuditExport says where events, and heads of their chain, go by themselves.
type AuditExport struct {
	// Syslog is a server of RFC 5424 messages over TCP; "" for none.
	Syslog SyslogServer `json:"syslog"`
	// HeadMails are the addresses that get a signed head each day, and HeadURL is the address that
	// it is put to; "{number}" in it becomes the number of its event.
	HeadMails []string `json:"head_mails,omitempty"`
	HeadURL   string   `json:"head_url,omitempty"`
}

// SyslogServer is a server that takes events.
type SyslogServer struct {
	Host  string `json:"host,omitempty"`
	Port  int    `json:"port,omitempty"`
	Plain bool   `json:"plain,omitempty"` // without TLS; only in the operator's own network
}

// HeadTargets returns where heads go: the refs of due rows of [DueHead].
func (x AuditExport) HeadTargets() (all []string) {
	if x.Syslog.Host != "" {
		all = append(all, HeadToSyslog)
	}
	if x.HeadURL != "" {
		all = append(all, HeadToURL)
	}
	for _, m := range x.HeadMails {
		all = append(all, HeadToMail+m)
	}
	return all
}

// The kinds of the due rows of what leaves the machine by itself. That of events refers to
// "syslog", those of heads to where they go.
const (
	DueSyslog = "audit.syslog"
	DueHead   = "audit.head"

	HeadToSyslog = "syslog"
	HeadToURL    = "url"
	HeadToMail   = "mail:"
)

// HeadEvery is how often a signed head leaves the machine.
const HeadEvery = 24 * time.Hour
