package login

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"

	"baton"
)

// One-time codes of common authenticators (RFC 6238): SHA-1, 30 seconds, six digits.
const (
	codePeriod = 30 * time.Second
	codeDigits = 6
	codeSecret = 20 // bytes: the output of SHA-1 (RFC 4226, section 4, R6)
	// codeSlack is how many periods a code may be early or late (RFC 6238, section 5.2).
	codeSlack = 1
)

// NewCodeSecret returns a new secret for one-time codes, in base32.
func NewCodeSecret() baton.Secret {
	b := make([]byte, codeSecret)
	rand.Read(b) // never fails
	return baton.NewSecret(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// decodeSecret decodes base32, with or without padding, spaces and capitals.
func decodeSecret(secret baton.Secret) ([]byte, error) {
	s := strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "=", "").Replace(secret.Reveal()))
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(s)
	if err != nil || len(b) < 10 {
		return nil, baton.Errorf(baton.Invalid, "the secret of the one-time codes is not at least 16 characters of base32")
	}
	return b, nil
}

// CheckCodeSecret returns an error if a secret for one-time codes is invalid.
func CheckCodeSecret(secret baton.Secret) error {
	_, err := decodeSecret(secret)
	return err
}

// Code returns the one-time code of a time.
func Code(secret baton.Secret, at time.Time) (string, error) {
	key, err := decodeSecret(secret)
	if err != nil {
		return "", err
	}
	return code(key, step(at)), nil
}

func step(at time.Time) int64 { return at.Unix() / int64(codePeriod/time.Second) }

// code returns the code of a step (RFC 4226, section 5.3).
func code(key []byte, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	h := hmac.New(sha1.New, key)
	h.Write(counter[:])
	sum := h.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", codeDigits, n%1_000_000)
}

// CheckCode returns the step of a one-time code, and false if the code is not valid around now.
// Steps up to lastStep are not accepted; the caller stores the accepted step.
func CheckCode(secret baton.Secret, given string, now time.Time, lastStep int64) (int64, bool) {
	key, err := decodeSecret(secret)
	if err != nil {
		return 0, false
	}
	given = strings.ReplaceAll(given, " ", "")
	found := int64(0)
	for s := step(now) - codeSlack; s <= step(now)+codeSlack; s++ {
		if s > lastStep && subtle.ConstantTimeCompare([]byte(given), []byte(code(key, s))) == 1 {
			found = s
		}
	}
	return found, found != 0
}

// CodeURI returns the URI with which authenticators import a secret. They display account.
func CodeURI(issuer, account string, secret baton.Secret) string {
	q := url.Values{"secret": {secret.Reveal()}, "issuer": {issuer}}
	return "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}
