package percipio_test

import (
	"errors"
	"net/http"
	"testing"

	"baton"
	"baton/connector/percipio"
	"baton/connector/rest"
)

// away is an unreachable upstream.
type away struct{}

func (away) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("nobody there") }

// FuzzCursor resumes every feed from an arbitrary cursor.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{``, `x`, `{"rows":-1}`, `{"id":"r1","start":"2026-01-01T00:00:00Z","rows":5}`, `{"attempt":3}`, `{"received":10,"distinct":9,"total":20,"first":"a","handle":"h"}`,
		`{"next":1,"absent":[0]}`, `{"next":9223372036854775807}`, `null`, `[]`, `{"absent":[-1]}`} {
		f.Add(seed)
	}
	client, err := rest.New(rest.Config{BaseURL: "https://percipio.example", Transport: away{}, RetryFor: -1})
	if err != nil {
		f.Fatal(err)
	}
	var feeds []baton.Feed
	for _, limited := range [][]string{nil, {"c1", "c2"}} {
		feeds = append(feeds, percipio.New(percipio.Config{REST: client, OrganizationID: "o", LimitedCourses: limited}).Feeds...)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, feed := range feeds {
			step, err := feed.Next(t.Context(), baton.Cursor(cursor), &sink{})
			if err == nil && step.Cursor == baton.Cursor(cursor) && !step.Done && step.Wait == 0 && !step.Restart {
				t.Errorf("feed %s stands still at %q", feed.Name, cursor)
			}
			if err != nil && baton.KindOf(err) == baton.Internal {
				t.Errorf("feed %s at %q: taken for a defect: %v", feed.Name, cursor, err)
			}
		}
	})
}
