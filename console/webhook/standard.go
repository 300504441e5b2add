// Package webhook posts events to addresses outside of the console, and verifies what others post to
// it, both signed as the Standard Webhooks specification describes it
// (https://www.standardwebhooks.com). It also writes sentences to channels of chats. The package
// works on values and reads no database.
package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
)

// The headers of a signed message.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

const (
	secretPrefix    = "whsec_"
	signaturePrefix = "v1,"
	// The lengths of secrets that the specification allows, in bytes, and that of new ones.
	minSecret, newSecret, maxSecret = 24, 32, 64
	// maxSignatures limits the signatures of a message that are compared.
	maxSignatures = 10
)

// NewSecret returns a new random secret.
func NewSecret() baton.Secret {
	b := make([]byte, newSecret)
	rand.Read(b) // never fails
	return baton.NewSecret(secretPrefix + base64.StdEncoding.EncodeToString(b))
}

// key returns the bytes of a secret.
func key(secret baton.Secret) ([]byte, error) {
	text, ok := strings.CutPrefix(secret.Reveal(), secretPrefix)
	b, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(b) < minSecret || len(b) > maxSecret {
		return nil, baton.Errorf(baton.Corrupt, "the secret of the webhook is damaged").WithFix("Rotate it.")
	}
	return b, nil
}

// mac returns the HMAC-SHA256 of a message: id.timestamp.body.
func mac(key []byte, id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + timestamp + "."))
	h.Write(body)
	return h.Sum(nil)
}

// Sign sets the headers of a message: one signature for each secret.
func Sign(h http.Header, id string, at time.Time, body []byte, secrets []baton.Secret) error {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, s := range secrets {
		k, err := key(s)
		if err != nil {
			return err
		}
		signatures = append(signatures, signaturePrefix+base64.StdEncoding.EncodeToString(mac(k, id, timestamp, body)))
	}
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, timestamp)
	h.Set(HeaderSignature, strings.Join(signatures, " "))
	return nil
}

// Signed is a message whose signature is right.
type Signed struct {
	ID   string
	Sent time.Time
}

// Verify checks a message against the secrets of its receiver, one of which must have signed it. The
// error is Unauthenticated.
func Verify(h http.Header, body []byte, secrets []baton.Secret, now time.Time) (s Signed, err error) {
	refused := func(why string) error { return baton.Errorf(baton.Unauthenticated, "%s", why) }
	id, timestamp := h.Get(HeaderID), h.Get(HeaderTimestamp)
	if id == "" || timestamp == "" || h.Get(HeaderSignature) == "" {
		return s, refused("the message has no " + HeaderID + ", " + HeaderTimestamp + " or " + HeaderSignature)
	}
	if len(id) > console.MaxHookSender || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return s, refused("the " + HeaderID + " is longer than 256 characters, or not printable ASCII")
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || timestamp != strconv.FormatInt(seconds, 10) {
		return s, refused("the " + HeaderTimestamp + " is no number of seconds")
	}
	s = Signed{ID: id, Sent: time.Unix(seconds, 0)}
	right := false
	for i, text := range strings.Fields(h.Get(HeaderSignature)) {
		if i == maxSignatures {
			break
		}
		encoded, ok := strings.CutPrefix(text, signaturePrefix)
		if !ok {
			continue // of another scheme
		}
		given, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		for _, secret := range secrets {
			k, err := key(secret)
			if err != nil {
				return s, err
			}
			if hmac.Equal(given, mac(k, id, timestamp, body)) {
				right = true
			}
		}
	}
	if !right {
		return s, refused("no signature is right")
	}
	// Only whoever has the secret learns what is wrong with the time.
	if d := now.Sub(s.Sent); d > console.HookTolerance || d < -console.HookTolerance {
		return s, refused("the " + HeaderTimestamp + " is more than 5 minutes away from the console's clock")
	}
	return s, nil
}
