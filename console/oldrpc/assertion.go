package rpc

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What an assertion is held to, beside its signature. The lifetime is what the
// platform documents for its API keys.
const (
	maxAssertionLife = 5 * time.Minute
	maxClockSkew     = time.Minute // how far in the future nbf and iat may lie
	maxNonce         = 128         // bytes
)

// assertion is a compact JWS by which a connector says who it is.
type assertion struct {
	nonce     string
	issuer    string
	subject   string
	audience  []string
	expires   time.Time
	notBefore time.Time // zero if absent
	issuedAt  time.Time // zero if absent
	signed    []byte    // header.claims, as received
	signature []byte
}

// parseAssertion takes a compact JWS apart. It proves nothing.
func parseAssertion(text string) (assertion, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return assertion{}, fmt.Errorf("%d parts, want 3", len(parts))
	}
	var header struct {
		Alg, Nonce string
		Crit       json.RawMessage
	}
	if err := decodePart(parts[0], &header); err != nil {
		return assertion{}, fmt.Errorf("header: %w", err)
	}
	if header.Alg != "EdDSA" {
		return assertion{}, fmt.Errorf("alg %q", header.Alg)
	}
	if header.Crit != nil { // extensions that must be understood, and none is
		return assertion{}, errors.New("crit")
	}
	if header.Nonce == "" || len(header.Nonce) > maxNonce {
		return assertion{}, fmt.Errorf("nonce of %d bytes", len(header.Nonce))
	}
	var claims struct {
		Iss, Sub      string
		Aud           audience
		Exp, Nbf, Iat numericDate
	}
	if err := decodePart(parts[1], &claims); err != nil {
		return assertion{}, fmt.Errorf("claims: %w", err)
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return assertion{}, fmt.Errorf("signature: %w", err)
	}
	return assertion{
		nonce: header.Nonce, issuer: claims.Iss, subject: claims.Sub, audience: claims.Aud,
		expires: claims.Exp.Time, notBefore: claims.Nbf.Time, issuedAt: claims.Iat.Time,
		signed: []byte(parts[0] + "." + parts[1]), signature: signature,
	}, nil
}

// check holds the assertion against the key and the name of the client, the host that
// it must be meant for, and the time.
func (a assertion) check(clientID string, key ed25519.PublicKey, host string, now time.Time) error {
	switch {
	case !ed25519.Verify(key, a.signed, a.signature):
		return errors.New("the signature does not fit the client's key")
	case a.issuer != clientID || a.subject != clientID:
		return fmt.Errorf("iss %q and sub %q are not the client", a.issuer, a.subject)
	case !slices.Equal(a.audience, []string{host}):
		return fmt.Errorf("aud %q, want %q", a.audience, host)
	case !now.Before(a.expires):
		return errors.New("it has expired")
	case a.expires.After(now.Add(maxAssertionLife)):
		return fmt.Errorf("it is good for more than %v", maxAssertionLife)
	case a.notBefore.After(now.Add(maxClockSkew)) || a.issuedAt.After(now.Add(maxClockSkew)):
		return errors.New("it is not good yet")
	}
	return nil
}

func decodePart(part string, into any) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// audience is a string or a list of strings.
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		*a = make(audience, 1)
		return json.Unmarshal(b, &(*a)[0])
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// numericDate is seconds since 1970, possibly with a fraction.
type numericDate struct{ time.Time }

// lastDate keeps seconds within what a duration calculation can hold: the year 9999.
const lastDate = 253402300799

func (d *numericDate) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err != nil {
		return err
	}
	if seconds < 0 || seconds > lastDate {
		return fmt.Errorf("%v is no date", seconds)
	}
	d.Time = time.Unix(int64(seconds), 0)
	return nil
}
