package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
)

// TestAddress checks the caller's address: only trusted proxies can set another one than the
// connection's.
func TestAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	for _, tt := range []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:80", nil, "192.0.2.1"},
		{"192.0.2.1:80", []string{"198.51.100.9"}, "192.0.2.1"}, // written by the caller
		{"10.1.1.1:80", nil, "10.1.1.1"},
		{"10.1.1.1:80", []string{"198.51.100.9"}, "198.51.100.9"},
		{"10.1.1.1:80", []string{"1.2.3.4, 198.51.100.9"}, "198.51.100.9"}, // the caller wrote the first one
		{"10.1.1.1:80", []string{"1.2.3.4", "198.51.100.9, 10.2.2.2"}, "198.51.100.9"},
		{"10.1.1.1:80", []string{"198.51.100.9:1234"}, "198.51.100.9"},
		{"10.1.1.1:80", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"10.1.1.1:80", []string{"198.51.100.9, unknown"}, "10.1.1.1"},
		{"10.1.1.1:80", []string{"198.51.100.9, unknown, 10.2.2.2"}, "10.2.2.2"},
		{"10.1.1.1:80", []string{""}, "10.1.1.1"},
		{"[::ffff:10.1.1.1]:80", []string{"::ffff:198.51.100.9"}, "198.51.100.9"},
		{"[2001:db8:1:2:3::4%eth0]:80", nil, "2001:db8:1:2::/64"},
		{"[2001:db8:ffff::1]:80", []string{"2001:db8:1:2:9::"}, "2001:db8:1:2::/64"},
		{"[2001:db8:ffff::1]:80", []string{"[2001:db8:1:2:9::]:443"}, "2001:db8:1:2::/64"},
		{"@", nil, "@"}, // a Unix socket
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = tt.remote, tt.forwarded
		if got := callerAddress(r, proxies); got != tt.want {
			t.Errorf("%s %q: %s, want %s", tt.remote, tt.forwarded, got, tt.want)
		}
	}
}

// TestThrottleBehindProxy checks that an attack through the proxy blocks the attacker and nobody
// else, and that invented addresses do not help.
func TestThrottleBehindProxy(t *testing.T) {
	f := newFixture(t)
	f.addPerson("ana")
	f.server.Config.Handler = New(Config{Console: f.govern, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	login := func(forwarded, name string) int {
		t.Helper()
		b := f.browser()
		b.forwarded = forwarded
		return b.post("/login", url.Values{"login": {name}, "password": {password("ana").Reveal()}, "code": {f.code("ana")}}).status
	}
	last := 0
	for i := range 60 {
		last = login("203.0.113."+string(rune('1'+i%9))+", 198.51.100.9", "nobody"+string(rune('a'+i)))
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the sixtieth attempt of the attack: %d", last)
	}
	if got := login("198.51.100.9", "ana"); got != http.StatusTooManyRequests {
		t.Errorf("the right password from the address of the attack: %d", got)
	}
	if got := login("198.51.100.10", "ana"); got != http.StatusSeeOther {
		t.Errorf("from another address behind the proxy: %d", got)
	}
}
