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
		{"new", Connection{}, NotConnected, "no credential works: Settings, Edit, Rotate"},
		{"new, with a credential", Connection{Credentials: 1}, NotConnected, "Start the connector"},
		{"new, hosted", Connection{Hosted: true}, NotConnected, "not configured yet"},
		{"new and paused", Connection{Paused: true}, Paused, "resumes"},
		{"connected, nothing yet", Connection{Seen: seen}, Syncing, "about to begin"},
		{"first sync", Connection{Seen: seen, Running: true}, Syncing, "reading"},
		{"applied", Connection{Seen: seen, Applied: applied}, Connected, "29 Nov 2026 11:00 UTC"},
		{"next sync", Connection{Seen: seen, Applied: applied, Running: true}, Syncing, "11:00"},
		{"held", Connection{Seen: seen, Applied: applied, Held: &Sync{}, Running: true}, Held, "11:00"},
		{"held while offline", Connection{Seen: hours(-2), Held: &Sync{}}, Held, "waits"},
		{"offline", Connection{Seen: hours(-2), Applied: applied, Code: 2}, Offline, "since 29 Nov 2026 10:00"},
		{"offline, with hosts", Connection{Seen: hours(-2), Hosts: []ConnectionHost{{"a", "example.com/baton-percipio", "v1.2.0", hours(-2)}, {"b", "", "", hours(-3)}}}, Offline,
			"since 29 Nov 2026 10:00 UTC. The last was a (baton-percipio v1.2.0)."},
		{"offline, and says nothing of itself", Connection{Seen: hours(-2), Hosts: []ConnectionHost{{"a", "", "", hours(-2)}}}, Offline, "The last was a."},
		{"one host", Connection{Seen: seen, Applied: applied, Hosts: []ConnectionHost{{"a", "", "v1", seen}, {"gone", "", "v0", hours(-1)}}}, Connected, "It runs on a (v1)."},
		{"two hosts", Connection{Seen: seen, Applied: applied, Hosts: []ConnectionHost{{"a", "", "v1", seen.Add(-1)}, {"b", "", "v2", seen}}}, Connected, "It runs on a (v1) and b (v2)."},
		{"more hosts", Connection{Seen: seen, Applied: applied, Hosts: []ConnectionHost{{Name: "a", Seen: seen}, {Name: "b", Seen: seen}, {Name: "c", Seen: seen}, {Name: "d", Seen: seen}}}, Connected,
			"It runs on a, b and 2 more."},
		{"inside the console", Connection{Hosted: true, Seen: seen, Applied: applied, Hosts: []ConnectionHost{{Name: "replica", Seen: seen}}}, Connected, "UTC counts."},
		{"files, none yet", Connection{Files: true}, NotConnected, "Upload a file"},
		{"files", Connection{Files: true, Applied: applied}, Connected, "People upload its files. The data of 29 Nov 2026 11:00 UTC counts."},
		{"a file that was refused", Connection{Files: true, Applied: applied, Refused: &Sync{Why: "it is damaged."}}, ConnectorError, "it is damaged. The data"},
		{"a file that is held", Connection{Files: true, Held: &Sync{}}, Held, "waits"},
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

// TestNews checks that people are notified once of each problem, and once of its end.
func TestNews(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	sync := func(minutes int) *Sync { return &Sync{Began: at(minutes), Applied: at(minutes)} }
	for name, tt := range map[string]struct {
		c       Connection
		told    ConnectionState // ten minutes ago
		watched int
		want    ConnectionState // "": no news
	}{
		"fine":                                {Connection{Seen: now, Applied: sync(-5)}, "", -60, ""},
		"fails":                               {Connection{Seen: now, Code: 14, Applied: sync(-5)}, "", -60, ConnectorError},
		"fails again":                         {Connection{Seen: now, Code: 14, Applied: sync(-20)}, ConnectorError, -60, ""},
		"fails, and tries again":              {Connection{Seen: now, Code: 14, Running: true}, ConnectorError, -60, ""},
		"done, and not applied yet":           {Connection{Seen: now, Applied: sync(-20)}, ConnectorError, -60, ""},
		"fine after an error":                 {Connection{Seen: now, Applied: sync(-5)}, ConnectorError, -60, Recovered},
		"another problem":                     {Connection{Seen: now, Code: 9}, ConnectorError, -60, HeldByConnector},
		"held":                                {Connection{Seen: now, Held: sync(-1)}, Recovered, -60, Held},
		"held longer":                         {Connection{Seen: now, Held: sync(-1)}, Held, -60, ""},
		"discarded":                           {Connection{Seen: now, Applied: sync(-50)}, Held, -60, Recovered},
		"away":                                {Connection{Seen: at(-6)}, "", -60, Offline},
		"away, and the console was away, too": {Connection{Seen: at(-60)}, "", -1, ""},
		"back":                                {Connection{Seen: now, Applied: sync(-50)}, Offline, -60, Recovered},
		"back, and syncs":                     {Connection{Seen: now, Running: true}, Offline, -60, Recovered},
		"paused":                              {Connection{Paused: true, Seen: at(-60), Code: 14}, ConnectorError, -60, ""},
		"never connected":                     {Connection{}, "", -60, ""},
		"recovered":                           {Connection{Seen: now, Applied: sync(-5)}, Recovered, -60, ""},
	} {
		state, sentence, ok := tt.c.News(ToldState{tt.told, at(-10)}, at(tt.watched), now)
		if !ok {
			state = ""
		}
		if state != tt.want || sentence == "" {
			t.Errorf("%s: %q, %q, want %q", name, state, sentence, tt.want)
		}
	}
}
