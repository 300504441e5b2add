package baton_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"baton"
)

// TestSecretCannotBePrinted tries every way of printing values, including nested ones and those where fmt
// cannot call methods.
func TestSecretCannotBePrinted(t *testing.T) {
	const value = "sk-0123456789"
	secret := baton.NewSecret(value)
	type hidden struct{ token baton.Secret }
	type open struct{ Token baton.Secret }
	values := []any{secret, &secret, hidden{secret}, &hidden{secret}, open{secret}, []baton.Secret{secret},
		map[string]any{"a": hidden{secret}}, struct{ inner *hidden }{&hidden{secret}}}
	var printed bytes.Buffer
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		printed.Write(b)
		slog.New(slog.NewTextHandler(&printed, nil)).Info("log", "value", v)
		slog.New(slog.NewJSONHandler(&printed, nil)).Info("log", "value", v)
	}
	for _, form := range []string{value, fmt.Sprintf("%x", value)} {
		if strings.Contains(printed.String(), form) {
			t.Errorf("it shows as %s:\n%s", form, printed.String())
		}
	}
	if secret.Reveal() != value || secret.IsZero() || secret.String() != "REDACTED" {
		t.Errorf("%q, zero %v, %q", secret.Reveal(), secret.IsZero(), secret)
	}
	var none baton.Secret
	if none.Reveal() != "" || !none.IsZero() || none.String() != "" || !baton.NewSecret("").IsZero() {
		t.Error("no secret is something")
	}
}
