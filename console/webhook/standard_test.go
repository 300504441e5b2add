package webhook

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
)

// The message of the specification's own examples, and a secret of this test.
const (
	vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorBody   = `{"test": 2432232314}`
)

var vectorTime = time.Unix(1614265330, 0)

// TestVectors pins the bytes of signatures. The libraries of the specification for Go and Node.js
// make the same ones.
func TestVectors(t *testing.T) {
	for _, tt := range []struct {
		secrets []string
		want    string
	}{
		{[]string{vectorSecret}, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		{[]string{"whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))), vectorSecret}, "v1,+qNgyReIHqPuR060oMQ+nyzPsJZG+OFv/pI9RG/w4Ts= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	} {
		h := http.Header{}
		if err := Sign(h, vectorID, vectorTime, []byte(vectorBody), secrets(tt.secrets...)); err != nil {
			t.Fatal(err)
		}
		if got := h.Get("webhook-signature"); got != tt.want || h.Get("webhook-id") != vectorID || h.Get("webhook-timestamp") != "1614265330" {
			t.Errorf("%v", h)
		}
	}
}

func secrets(texts ...string) (all []baton.Secret) {
	for _, s := range texts {
		all = append(all, baton.NewSecret(s))
	}
	return all
}

// TestVerify verifies messages, and refuses each with something changed.
func TestVerify(t *testing.T) {
	secret, other := NewSecret(), NewSecret()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	body := []byte(`{"type":"x"}`)
	signed := func(at time.Time, by ...baton.Secret) http.Header {
		h := http.Header{}
		if err := Sign(h, "evt_1", at, body, by); err != nil {
			t.Fatal(err)
		}
		return h
	}
	with := func(name, value string) http.Header {
		h := signed(now, secret)
		h.Set(name, value)
		return h
	}
	right := signed(now, secret).Get("webhook-signature")
	for _, tt := range []struct {
		what string
		h    http.Header
		body string
		why  string // "" if it is right
	}{
		{"signed", signed(now, secret), string(body), ""},
		{"signed with two secrets", signed(now, other, secret), string(body), ""},
		{"signed 5 minutes ago", signed(now.Add(-console.HookTolerance), secret), string(body), ""},
		{"signed in 5 minutes", signed(now.Add(console.HookTolerance), secret), string(body), ""},
		{"with a signature of another scheme", with("webhook-signature", "v1a,AAAA "+right), string(body), ""},
		{"signed longer ago", signed(now.Add(-console.HookTolerance-time.Second), secret), string(body), "minutes"},
		{"signed later", signed(now.Add(console.HookTolerance+time.Second), secret), string(body), "minutes"},
		{"a changed byte", signed(now, secret), `{"type":"y"}`, "signature"},
		{"a byte more", signed(now, secret), string(body) + " ", "signature"},
		{"another id", with("webhook-id", "evt_2"), string(body), "signature"},
		{"another time", with("webhook-timestamp", "1795953601"), string(body), "signature"},
		{"the time written in another way", with("webhook-timestamp", "+1795953600"), string(body), "seconds"},
		{"no time", with("webhook-timestamp", "now"), string(body), "seconds"},
		{"another secret", signed(now, other), string(body), "signature"},
		{"only the scheme", with("webhook-signature", "v1,"), string(body), "signature"},
		{"a cut signature", with("webhook-signature", right[:20]), string(body), "signature"},
		{"no scheme", with("webhook-signature", strings.TrimPrefix(right, "v1,")), string(body), "signature"},
		{"another scheme", with("webhook-signature", "v2,"+strings.TrimPrefix(right, "v1,")), string(body), "signature"},
		{"the right signature behind many", with("webhook-signature", strings.Repeat("v1,AAAA ", 10)+right), string(body), "signature"},
		{"a long id", with("webhook-id", strings.Repeat("x", 257)), string(body), "256"},
		{"a strange id", with("webhook-id", "a b"), string(body), "ASCII"},
		{"nothing", http.Header{}, string(body), "has no"},
	} {
		s, err := Verify(tt.h, []byte(tt.body), []baton.Secret{secret}, now)
		switch {
		case tt.why == "":
			if err != nil || s.ID != "evt_1" {
				t.Errorf("%s: %+v, %v", tt.what, s, err)
			}
		case err == nil || baton.KindOf(err) != baton.Unauthenticated || !strings.Contains(err.Error(), tt.why):
			t.Errorf("%s: %v, want a refusal with %q", tt.what, err, tt.why)
		}
	}
	// Each byte of the body, of the id and of the time is signed.
	h := signed(now, secret)
	for i := range body {
		changed := []byte(string(body))
		changed[i] ^= 1
		if _, err := Verify(h, changed, []baton.Secret{secret}, now); err == nil {
			t.Errorf("byte %d of the body may change", i)
		}
	}
}

// TestDamagedSecrets checks that a secret that is too short, or none, signs nothing.
func TestDamagedSecrets(t *testing.T) {
	for _, s := range []string{"", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))} {
		if err := Sign(http.Header{}, "x", vectorTime, nil, secrets(s)); baton.KindOf(err) != baton.Corrupt {
			t.Errorf("%q signs: %v", s, err)
		}
		if _, err := Verify(http.Header{"Webhook-Id": {"x"}, "Webhook-Timestamp": {"1614265330"}, "Webhook-Signature": {"v1,AAAA"}}, nil, secrets(s), vectorTime); err == nil {
			t.Errorf("%q verifies", s)
		}
	}
	if a, b := NewSecret().Reveal(), NewSecret().Reveal(); a == b || len(a) != len("whsec_")+44 {
		t.Errorf("new secrets have %d characters", len(a))
	}
}
