package condition

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
)

var input = Input{
	Subject: Person{ID: "p1", Name: "Ana", Email: "ana@example.com", Emails: []string{"ana@example.com", "a@example.com"}, Department: "Engineering", Manager: "p9",
		Status: "active", Roles: []string{"auditor"}, Entitlements: []string{"group:members:member", "course:safe-ai:completed"}},
	Requester:   Person{ID: "p2", Name: "Ben"},
	Entitlement: Entitlement{ID: "group:admins:member", Name: "PPLX_Admin member", Slug: "member", Resource: "PPLX_Admin", ResourceType: "group", Role: "Admin", Admin: true},
	App:         App{ID: "a1", Name: "Perplexity"},
	Request:     Request{Kind: "grant", Duration: 2 * time.Hour, Justification: "ticket OPS-1", Form: map[string]string{"ticket": "OPS-1"}},
	Now:         time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
}

func TestHolds(t *testing.T) {
	for text, want := range map[string]bool{
		"true":         true,
		"request.kind": false, // not a condition; see TestCompile
		`subject.department == "Engineering" && entitlement.admin`:                       true,
		`subject.id == requester.id`:                                                     false,
		`"course:safe-ai:completed" in subject.entitlements`:                             true,
		`subject.emails.exists(e, e.endsWith("@example.com"))`:                           true,
		`request.duration <= duration("4h") && !request.open_ended`:                      true,
		`request.duration > duration("4h")`:                                              false,
		`request.form["ticket"].matches("^OPS-[0-9]+$")`:                                 true,
		`now.getHours("UTC") >= 8 && now.getHours("UTC") < 18`:                           true,
		`entitlement.resource_type == "group" && app.name == "Perplexity"`:               true,
		`subject.roles.all(r, r in ["auditor"])`:                                         true,
		`sets.contains(subject.entitlements, ["group:members:member"])`:                  true,
		`subject.manager == "" ? false : true`:                                           true,
		`request.justification.lowerAscii().contains("ops") && "x" in request.form`:      false,
		`has(request.form.ticket) && request.form.ticket.startsWith("OPS")`:              true,
		`["a", "b"].map(x, x + "c") == ["ac", "bc"]`:                                     true,
		`entitlement.name.split(" ")[0] == "PPLX_Admin" && subject.name.size() == 3`:     true,
		`timestamp("2026-11-29T11:00:00Z") < now && now - duration("24h") < now`:         true,
		`subject.status == "active" || subject.roles.exists(r, r == "security-officer")`: true,
	} {
		c, err := Compile(text)
		if text == "request.kind" {
			if baton.KindOf(err) != baton.Invalid {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := c.Holds(input); err != nil || got != want {
			t.Errorf("%s: %t, %v; want %t", text, got, err, want)
		}
	}
}

// TestUnknown checks that an unknown result is an error and never false or true.
func TestUnknown(t *testing.T) {
	for _, text := range []string{`request.form["no such"] == ""`, `subject.entitlements[99] == "x"`, `1 / (subject.emails.size() - 2) == 0`, `int(subject.name) == 1`} {
		c, err := Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := c.Holds(input); baton.KindOf(err) != baton.Invalid || got {
			t.Errorf("%s: %t, %v", text, got, err)
		}
	}
}

func TestCompile(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"subject.departement":      "undefined field",
		"subject.department":       "string",
		`subject.department == 1`:  "no matching overload",
		"nobody.name == 'x'":       "undeclared reference",
		"true &&":                  "Syntax error",
		"request.duration":         "Duration",
		strings.Repeat("(", 200):   "",
		strings.Repeat("a", 5000):  "longer than",
		"now()":                    "undeclared reference",
		"'\xff' == 'x'":            "UTF-8",
		"subject.emails.map(e, e)": "list",
	} {
		_, err := Compile(text)
		if baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want an error with %q", text, err, want)
		}
		if err != nil && (len(err.Error()) > 400 || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%.40q: the error has %d bytes or several lines", text, len(err.Error()))
		}
	}
}

func TestPeople(t *testing.T) {
	for text, want := range map[string][]string{
		"subject.manager":                                 {"p9"},
		`["ben@example.com", subject.manager]`:            {"ben@example.com", "p9"},
		`subject.department == "Sales" ? ["a"] : ["b"]`:   {"b"},
		`subject.emails.filter(e, e.startsWith("a@"))`:    {"a@example.com"},
		`subject.department == "Sales" ? ["a", "b"] : []`: {},
	} {
		c, err := CompilePeople(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := c.People(input); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"true", "1", "[1]", "subject"} {
		if _, err := CompilePeople(text); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestCost checks that an expensive expression is stopped.
func TestCost(t *testing.T) {
	in := input
	for range 1000 {
		in.Subject.Entitlements = append(in.Subject.Entitlements, strings.Repeat("x", 100))
	}
	text := `subject.entitlements.all(a, subject.entitlements.all(b, subject.entitlements.all(c, a + b + c != "")))`
	c, err := Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Holds(in); baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), "cost") {
		t.Errorf("%v", err)
	}
}

// FuzzCondition checks that no text makes the package panic, and that every compiled text has a
// result or an error.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{"true", `subject.department == "x" && entitlement.admin`, `subject.emails.exists(e, e in requester.emails)`,
		`[1, 2].map(x, x * 2)`, `request.duration > duration("4h")`, `"a".matches("(a*)*b")`, `{"a": [subject.id]}["a"]`, `"\x00\xff".size() > 1u`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := Compile(text); err == nil {
			c.Holds(input)
		} else if baton.KindOf(err) != baton.Invalid {
			t.Errorf("%q: %v", text, err)
		}
		if c, err := CompilePeople(text); err == nil {
			if people, err := c.People(input); err == nil && len(people) > maxYielded {
				t.Errorf("%q yields %d", text, len(people))
			}
		}
	})
}
