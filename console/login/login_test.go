package login

import (
	"encoding/base32"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton"
)

func TestPassword(t *testing.T) {
	good := baton.NewSecret("correct horse battery")
	h, err := HashPassword(good)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := HashPassword(good); again == h {
		t.Error("two hashes of a password are equal: there is no salt")
	}
	if !CheckPassword(h, good) {
		t.Error("the password does not match its hash")
	}
	for _, bad := range []string{"", "correct horse batterY", strings.Repeat("x", maxPassword+1)} {
		if CheckPassword(h, baton.NewSecret(bad)) {
			t.Errorf("%.30q matches", bad)
		}
	}
	for _, damaged := range []string{"", "x", decoy + "A", strings.Replace(h, "argon2id", "argon2i", 1), strings.Replace(h, "v=19", "v=16", 1),
		strings.Replace(h, "m=19456", "m=99999999", 1), strings.Replace(h, "t=2", "t=0", 1), h[:len(h)-30], h + "$"} {
		if CheckPassword(damaged, good) {
			t.Errorf("the hash %q matches", damaged)
		}
	}
	for _, refused := range []string{"", "short", "eleven chrs", "\xff" + strings.Repeat("x", 20), strings.Repeat("x", maxPassword+1)} {
		if _, err := HashPassword(baton.NewSecret(refused)); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%.30q: %v, want a refusal", refused, err)
		}
	}
	if _, err := HashPassword(baton.NewSecret("zwölf Zeichn")); err != nil {
		t.Errorf("12 characters: %v", err)
	}
}

// TestCode checks the values of RFC 6238, appendix B, of which the last six digits are used.
func TestCode(t *testing.T) {
	secret := baton.NewSecret(base32.StdEncoding.EncodeToString([]byte("12345678901234567890")))
	for unix, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		got, err := Code(secret, time.Unix(unix, 0))
		if err != nil || got != want {
			t.Errorf("at %d: %s, %v; want %s", unix, got, err, want)
		}
	}
}

func TestCheckCode(t *testing.T) {
	secret := NewCodeSecret()
	now := time.Date(2026, 11, 29, 12, 0, 10, 0, time.UTC)
	given := func(after time.Duration) string {
		c, err := Code(secret, now.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for after, want := range map[time.Duration]bool{-60 * time.Second: false, -30 * time.Second: true, 0: true, 30 * time.Second: true, 60 * time.Second: false} {
		if _, ok := CheckCode(secret, given(after), now, 0); ok != want {
			t.Errorf("a code of %v: %v, want %v", after, ok, want)
		}
	}
	step, ok := CheckCode(secret, given(0)[:3]+" "+given(0)[3:], now, 0)
	if !ok {
		t.Error("a code with a space is refused")
	}
	if _, ok := CheckCode(secret, given(0), now, step); ok {
		t.Error("a code works twice")
	}
	if _, ok := CheckCode(secret, given(-30*time.Second), now, step); ok {
		t.Error("a code from before one that was used works")
	}
	if _, ok := CheckCode(secret, given(30*time.Second), now, step); !ok {
		t.Error("the next code is refused")
	}
	for _, bad := range []string{"", "12345", "1234567"} {
		if _, ok := CheckCode(secret, bad, now, 0); ok {
			t.Errorf("%q is accepted", bad)
		}
	}
	if _, ok := CheckCode(baton.NewSecret("!"), "000000", now, 0); ok {
		t.Error("a code without a secret is accepted")
	}
	if CheckCodeSecret(baton.NewSecret("JBSW Y3DP-EHPK 3PXP==")) != nil || CheckCodeSecret(baton.NewSecret("JBSWY3DP")) == nil || CheckCodeSecret(baton.NewSecret("JBSWY3DPEHPK3PX1")) == nil {
		t.Error("CheckCodeSecret")
	}
}

func TestCodeURI(t *testing.T) {
	u, err := url.Parse(CodeURI("Baton Console", "ana ortiz@example.com", baton.NewSecret("JBSWY3DPEHPK3PXP")))
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Baton Console:ana ortiz@example.com" ||
		u.Query().Get("secret") != "JBSWY3DPEHPK3PXP" || u.Query().Get("issuer") != "Baton Console" || strings.Contains(u.String(), "+") {
		t.Errorf("%s", u)
	}
}
