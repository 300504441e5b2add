package fault

import "testing"

func TestLatin1(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":"plain"}`: `{"a":"plain"}`,
		`"Jörg"`:        "\"J\xf6rg\"",
		`"Đặng ÿ 🙂"`:    `"\u0110\u1eb7ng ` + "\xff" + ` \ud83d\ude42"`,
	} {
		if got, changed := Latin1([]byte(text)); string(got) != want || changed != (want != text) {
			t.Errorf("%s: %q, %t", text, got, changed)
		}
	}
}
