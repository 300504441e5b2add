package rpc

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits of assertions. The platform documents the same lifetime for its API keys.
const (
	maxAssertionLife = 5 * time.Minute
	maxClockSkew     = time.Minute // accepted difference between the clocks of client and server
	maxAssertionID   = 128         // bytes of a nonce or a jti
)

// Assertion is a signed statement of a client that it wants a token: a compact JWS (RFC
// 7515) with the claims of RFC 7523. API clients of the platform send the same form.
type Assertion struct {
	// ID tells the assertions of a client apart: the claim jti or else the header nonce.
	ID        string
	issuer    string
	subject   string
	audience  []string
	expires   time.Time
	notBefore time.Time // zero if missing
	issuedAt  time.Time // zero if missing
	signed    []byte    // header.claims, as received
	signature []byte
}

// ParseAssertion decodes a compact JWS. It does not verify it: see [Assertion.Check].
func ParseAssertion(text string) (Assertion, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Assertion{}, fmt.Errorf("the assertion has %d parts, want 3", len(parts))
	}
	var header struct {
		Alg, Nonce string
		Crit       json.RawMessage
	}
	if err := decodePart(parts[0], &header); err != nil {
		return Assertion{}, fmt.Errorf("the header of the assertion: %w", err)
	}
	if header.Alg != "EdDSA" {
		return Assertion{}, fmt.Errorf("the assertion has alg %q, want EdDSA", header.Alg)
	}
	if header.Crit != nil {
		return Assertion{}, errors.New("the assertion demands extensions (crit), and none is known")
	}
	var claims struct {
		Iss, Sub, Jti string
		Aud           audience
		Exp, Nbf, Iat numericDate
	}
	if err := decodePart(parts[1], &claims); err != nil {
		return Assertion{}, fmt.Errorf("the claims of the assertion: %w", err)
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return Assertion{}, fmt.Errorf("the signature of the assertion: %w", err)
	}
	a := Assertion{
		issuer: claims.Iss, subject: claims.Sub, audience: claims.Aud,
		expires: claims.Exp.Time, notBefore: claims.Nbf.Time, issuedAt: claims.Iat.Time,
		signed: []byte(parts[0] + "." + parts[1]), signature: signature,
	}
	id, name := claims.Jti, "jti"
	if id == "" {
		id, name = header.Nonce, "nonce"
	}
	if id == "" || len(id) > maxAssertionID {
		return Assertion{}, fmt.Errorf("the %s of the assertion has %d bytes, want 1 to %d", name, len(id), maxAssertionID)
	}
	a.ID = name + ":" + id
	return a, nil
}

// Check returns an error unless the assertion proves that the client with this id and key requests a
// token now. hosts are the names at which the console is reached; the assertion must be addressed to
// one of them and nobody else.
func (a Assertion) Check(clientID string, key ed25519.PublicKey, hosts []string, now time.Time) error {
	switch {
	case !ed25519.Verify(key, a.signed, a.signature):
		return errors.New("the signature of the assertion does not match the client's key")
	case a.issuer != clientID || a.subject != clientID:
		return fmt.Errorf("the assertion is of iss %q and sub %q, not of the client", a.issuer, a.subject)
	case len(a.audience) != 1 || !contains(hosts, a.audience[0]):
		return fmt.Errorf("the assertion has aud %q, want one of %q", a.audience, hosts)
	case !now.Before(a.expires.Add(maxClockSkew)):
		return fmt.Errorf("the assertion expired at %v, and it is %v", a.expires.UTC(), now.UTC())
	case a.expires.After(now.Add(maxAssertionLife + maxClockSkew)):
		return fmt.Errorf("the assertion expires at %v, more than %v from now (%v)", a.expires.UTC(), maxAssertionLife, now.UTC())
	case a.notBefore.After(now.Add(maxClockSkew)):
		return fmt.Errorf("the assertion is good from %v only, and it is %v", a.notBefore.UTC(), now.UTC())
	case a.notBefore.IsZero() && a.issuedAt.After(now.Add(maxClockSkew)): // with nbf, the client itself says how far its clock may be ahead
		return fmt.Errorf("the assertion was issued at %v, and it is %v", a.issuedAt.UTC(), now.UTC())
	case !a.issuedAt.IsZero() && now.After(a.issuedAt.Add(maxAssertionLife+maxClockSkew)):
		return fmt.Errorf("the assertion was issued at %v, more than %v before now (%v)", a.issuedAt.UTC(), maxAssertionLife, now.UTC())
	}
	return nil
}

// RememberUntil returns when the assertion has surely expired, so that its ID may be
// forgotten.
func (a Assertion) RememberUntil() time.Time { return a.expires.Add(maxClockSkew) }

// contains reports whether hosts contains a name, ignoring case.
func contains(hosts []string, name string) bool {
	for _, h := range hosts {
		if strings.EqualFold(hostname(h), name) {
			return true
		}
	}
	return false
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

// numericDate is a number of seconds since 1970, possibly with a fraction.
type numericDate struct{ time.Time }

// lastDate is the end of the year 9999. Later times would overflow calculations with durations.
const lastDate = 253402300799

func (d *numericDate) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err != nil {
		return err
	}
	if seconds < 0 || seconds > lastDate {
		return fmt.Errorf("%v is not a time", seconds)
	}
	d.Time = time.Unix(int64(seconds), 0)
	return nil
}
