package baton

import "log/slog"

const redacted = "REDACTED"

// Secret is a credential. However it is printed, logged or encoded, it comes out
// as REDACTED; only Reveal gives the value, and only at the place that sends it.
type Secret struct {
	// A pointer, for package fmt calls no method of a field that is not exported, but
	// prints a pointer there as an address.
	value *string
}

// NewSecret wraps a credential.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal is the credential itself.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no credential.
func (s Secret) IsZero() bool { return s.value == nil }

// String is "REDACTED", or empty when there is no credential.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString keeps %#v from showing the value.
func (s Secret) GoString() string { return "baton.Secret(" + s.String() + ")" }

// MarshalText keeps encoders from showing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps loggers from showing the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
