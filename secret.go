package baton

import "log/slog"

const redacted = "REDACTED"

// Secret is a credential. It prints, logs and encodes as REDACTED. Only Reveal returns the value, and only
// the code that sends it calls Reveal.
type Secret struct {
	// A pointer, because package fmt calls no methods of unexported fields, but prints a pointer there as an
	// address.
	value *string
}

// NewSecret wraps a credential.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal returns the credential itself.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no credential.
func (s Secret) IsZero() bool { return s.value == nil }

// String returns "REDACTED", or "" if there is no credential.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString prevents %#v from showing the value.
func (s Secret) GoString() string { return "baton.Secret(" + s.String() + ")" }

// MarshalText prevents encoders from showing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue prevents loggers from showing the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
