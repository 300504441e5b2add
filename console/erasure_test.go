package console

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestEraserText removes names in every spelling, and leaves words that contain one.
func TestEraserText(t *testing.T) {
	x := NewEraser(Erasing{Texts: []string{"Ana Löwe", "ana", "ana@example.com", "ANA.L", "Bo", ""}})
	for in, want := range map[string]string{
		"Ana Löwe left":                     "[erased] left",
		"for ANA LÖWE, ana@example.com":     "for [erased], [erased]",
		"banana, analysis":                  "banana, analysis",
		"Ana":                               "[erased]",
		"ana.l and ana@example.com.":        "[erased] and [erased].",
		"banana ana":                        "banana [erased]",
		"Bo asked":                          "Bo asked", // too short to be told from words
		"":                                  "",
		"éana ana\x00ana":                   "éana [erased]\x00[erased]",
		"nothing":                           "nothing",
		"xana@example.com, ana@example.com": "xana@example.com, [erased]",
	} {
		if got := x.Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := NewEraser(Erasing{}).Text("ana"); got != "ana" {
		t.Errorf("without names: %q", got)
	}
}

// TestEraserPayload keeps who did what when, and nothing that names the person.
func TestEraserPayload(t *testing.T) {
	x := NewEraser(Erasing{Persons: []ID{"p1"}, Texts: []string{"Ana Löwe", "ana@example.com"}})
	payload := func(e Event) []byte {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tt := range []struct {
		what   string
		e      Event
		erased bool
	}{
		{"a name in the data", Event{Kind: "a.b", Actor: Console, Salt: "s", Data: json.RawMessage(`{"z":1,"to":["x",{"ana@example.com":"Ana L\u00f6we"}],"n":12345678901234567890}`)}, true},
		{"an address as an object", Event{Kind: "a.b", Actor: Console, Object: "ana@example.com"}, true},
		{"where the person called from", Event{Kind: "a.b", Actor: ByPerson("p1"), Address: "192.0.2.1", Source: "cone"}, true},
		{"where somebody else called from", Event{Kind: "a.b", Actor: ByPerson("p2"), Address: "192.0.2.1", Person: "p1", Data: json.RawMessage(`{"z":1,"a":2}`)}, false},
	} {
		before := payload(tt.e)
		got, err := x.Payload(before)
		if err != nil {
			t.Fatal(err)
		}
		var after Event
		if err := json.Unmarshal(got, &after); err != nil {
			t.Fatal(err)
		}
		if after.Erased != tt.erased || (string(got) != string(before)) != tt.erased {
			t.Errorf("%s: %s became %s", tt.what, before, got)
		}
		if s := strings.ToLower(string(got)); strings.Contains(s, "ana") || tt.erased && strings.Contains(s, "192.0.2") || tt.erased && after.Salt != "" {
			t.Errorf("%s: it still says %s", tt.what, got)
		}
		if after.Kind != tt.e.Kind || after.Actor != tt.e.Actor || after.Person != tt.e.Person {
			t.Errorf("%s: it does not say any more who did what: %s", tt.what, got)
		}
		if again, err := x.Payload(got); err != nil || string(again) != string(got) {
			t.Errorf("%s: erased twice it is %s, %v", tt.what, again, err)
		}
	}
	got, _ := x.Payload(payload(Event{Kind: "a.b", Actor: Console, Data: json.RawMessage(`{"n":12345678901234567890,"ana@example.com":1}`)}))
	if !strings.Contains(string(got), "12345678901234567890") {
		t.Errorf("a number changed: %s", got)
	}
	if _, err := x.Payload([]byte("{")); err == nil {
		t.Error("a damaged payload is no error")
	}
}
