package condition

import (
	"strings"
	"testing"

	"baton"
)

// TestValue yields the values of fields of new accounts.
func TestValue(t *testing.T) {
	for text, want := range map[string]string{
		`subject.name`:                           "Ana",
		`subject.email.split("@")[0]`:            "ana",
		`subject.name + " (" + app.name + ")"`:   "Ana (Perplexity)",
		`subject.emails`:                         "ana@example.com\na@example.com",
		`subject.department == "Engineering"`:    "true",
		`subject.name.size()`:                    "3",
		`subject.department == "" ? "none" : ""`: "",
	} {
		c, err := CompileValue(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := c.Value(OfPerson(input.Subject, input.App)); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "subject", "subject.nothing", "now", "1.5", strings.Repeat("1+", 3000) + "1", "[1, 2]"} {
		if _, err := CompileValue(text); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%.20s: %v", text, err)
		}
	}
	c, err := CompileValue(`subject.email.split("@")[7]`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Value(OfPerson(input.Subject, input.App)); baton.KindOf(err) != baton.Invalid {
		t.Errorf("a part that is not there: %q, %v", got, err)
	}
	if c, err = CompileValue(`subject.name + subject.name`); err != nil {
		t.Fatal(err)
	}
	long := input.Subject
	long.Name = strings.Repeat("x", 3000)
	if _, err := c.Value(OfPerson(long, input.App)); baton.KindOf(err) != baton.Invalid {
		t.Errorf("a long value: %v", err)
	}
}
