package webhook

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"baton/console"
)

// TestBody pins the bytes of messages.
func TestBody(t *testing.T) {
	base := &url.URL{Scheme: "https", Host: "console.example.com"}
	at := time.Date(2026, 11, 29, 12, 0, 0, 344522000, time.UTC)
	hash := console.HashEvent(console.Link{Epoch: 1, Number: 7}, []byte("x"))
	id := ID(hash)
	if len(id) != len("evt_")+32 {
		t.Errorf("the id %q", id)
	}
	for _, tt := range []struct {
		e    console.Event
		want string
	}{
		{console.Event{Kind: "request.granted", At: at, Actor: console.ByPerson("ana"), App: "app1", Person: "bo", Account: 7, Object: "r1", Address: "192.0.2.1", Data: []byte(`{"what":"Admin","why":"secret"}`)},
			`{"type":"request.granted","timestamp":"2026-11-29T12:00:00.344522Z","data":{"id":"ID","number":7,"actor":{"kind":"person","id":"ana"},"app":"app1","person":"bo","account":"7","entitlement":"0","object":"r1",` +
				`"links":{"page":"https://console.example.com/requests/r1","audit":"https://console.example.com/audit?before=8","api":"https://console.example.com/api/v1/apps/app1"}}}`},
		{console.Event{Kind: "sync.applied", At: at.Truncate(time.Second), Actor: console.Console, App: "app1", Connector: "c1", Object: "s1"},
			`{"type":"sync.applied","timestamp":"2026-11-29T12:00:00Z","data":{"id":"ID","number":7,"actor":{"kind":"system"},"app":"app1","connector":"c1","object":"s1",` +
				`"links":{"page":"https://console.example.com/connectors/c1","audit":"https://console.example.com/audit?before=8","api":"https://console.example.com/api/v1/syncs/s1"}}}`},
		{console.Event{Kind: "console.paused", At: at, Actor: console.Console},
			`{"type":"console.paused","timestamp":"2026-11-29T12:00:00.344522Z","data":{"id":"ID","number":7,"actor":{"kind":"system"},"links":{"audit":"https://console.example.com/audit?before=8"}}}`},
	} {
		b, err := Body(base, 7, hash, tt.e)
		if want := strings.ReplaceAll(tt.want, `"ID"`, `"`+id+`"`); err != nil || string(b) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", tt.e.Kind, err, b, want)
		}
	}
}

// TestPage checks where links lead.
func TestPage(t *testing.T) {
	for _, tt := range []struct {
		e    console.Event
		want string
	}{
		{console.Event{Kind: "operation.failed", App: "a", Object: "o"}, "/applications/a/operations/o"},
		{console.Event{Kind: "access.overdue", App: "a", Connector: "c", Account: 3, Entitlement: 4}, "/applications/a/accounts/3/entitlements/4"},
		{console.Event{Kind: "webhook.stopped", Object: "w"}, "/settings/webhooks/w"},
		{console.Event{Kind: "webhook.received", Object: "h"}, "/settings/hooks/h"},
		{console.Event{Kind: "hook.rotated", Object: "h"}, "/settings/hooks/h"},
		{console.Event{Kind: "webhook.removed", Object: "w"}, ""},
		{console.Event{Kind: "hook.removed", Object: "h"}, ""},
		{console.Event{Kind: "app.changed", App: "a"}, "/applications/a"},
		{console.Event{Kind: "session.began", Person: "p"}, "/people/p"},
		{console.Event{Kind: "request.filed", Object: "a/../b"}, "/requests/a%2F..%2Fb"},
		{console.Event{Kind: "keys.rotated"}, ""},
	} {
		if got := Page(tt.e); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.e.Kind, got, tt.want)
		}
	}
}

// TestChat checks that names do not become markup of a chat.
func TestChat(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"Ana", "Ana"},
		{"<!channel>", "&lt;!\u200bchannel&gt;"},
		{"<https://evil.example|Approve>", "&lt;https:\u200b//evil.\u200bexample|\u200bApprove&gt;"},
		{"<@U123> & co", "&lt;@\u200bU123&gt; &amp; co"},
		{"@channel @here", "@\u200bchannel @\u200bhere"},
		{"[Approve](https://evil.example)", "[\u200bApprove]\u200b(https:\u200b//evil.\u200bexample)"},
		{"![x](//evil.example/x.png)", "!\u200b[\u200bx]\u200b(//evil.\u200bexample/x.\u200bpng)"},
		{"www.evil.example", "www.\u200bevil.\u200bexample"},
		{"*bold* _it_ ~no~ `code`", "*\u200bbold*\u200b _\u200bit_\u200b ~\u200bno~\u200b `\u200bcode`\u200b"},
		{":tada: # head", ":\u200btada: #\u200b head"},
		{"&lt;!channel&gt;", "&amp;lt;!\u200bchannel&amp;gt;"},
		{"two\nlines\r\n> quoted", "two lines  &gt; quoted"},
		{"The end. Next", "The end. Next"},
	} {
		if got := Plain(tt.name); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.name, got, tt.want)
		}
	}
	b, err := ChatBody("Granted: <b>", "A sync shows it.", "https://console.example.com/requests/r1")
	if want := `{"text":"Granted: \u0026lt;b\u0026gt;\nA sync shows it.\nhttps://console.example.com/requests/r1"}`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}
