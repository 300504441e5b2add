package console_test

import (
	"strings"
	"testing"
	"time"

	. "baton/console"
)

func TestConnectionState(t *testing.T) {
	applied := &Sync{Began: hours(-1)}
	seen := noon.Add(-time.Minute)
	for _, tt := range []struct {
		name     string
		c        Connection
		want     ConnectionState
		sentence string
	}{
		{"new", Connection{}, NotConnected, "No connector has called"},
		{"new, hosted", Connection{Hosted: true}, NotConnected, "not configured yet"},
		{"new and paused", Connection{Paused: true}, Paused, "resumes"},
		{"connected, nothing yet", Connection{Seen: seen}, Syncing, "about to begin"},
		{"first sync", Connection{Seen: seen, Running: true}, Syncing, "reading"},
		{"applied", Connection{Seen: seen, Applied: applied}, Connected, "29 Nov 2026 11:00 UTC"},
		{"next sync", Connection{Seen: seen, Applied: applied, Running: true}, Syncing, "11:00"},
		{"held", Connection{Seen: seen, Applied: applied, Held: &Sync{}, Running: true}, Held, "11:00"},
		{"held while offline", Connection{Seen: hours(-2), Held: &Sync{}}, Held, "waits"},
		{"offline", Connection{Seen: hours(-2), Applied: applied, Code: 2}, Offline, "since 29 Nov 2026 10:00"},
		{"just in time", Connection{Seen: noon.Add(-OfflineAfter), Applied: applied}, Connected, ""},
		{"held by itself", Connection{Seen: seen, Applied: applied, Code: 9, Problem: "half of the accounts are gone"}, HeldByConnector, "half of the accounts"},
		{"failed", Connection{Seen: seen, Code: 16, Problem: "the token is wrong"}, ConnectorError, "the token is wrong"},
		{"refused", Connection{Seen: seen, Refused: &Sync{Why: "it is damaged"}}, ConnectorError, "it is damaged"},
	} {
		got, sentence := tt.c.State(noon)
		if got != tt.want || !strings.Contains(sentence, tt.sentence) {
			t.Errorf("%s: %s, %q; want %s, %q", tt.name, got, sentence, tt.want, tt.sentence)
		}
	}
}
