package connectortest

import (
	"baton/c1z/writer"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"baton"
)

// BenchmarkFeeds reads each feed to its end and encodes the rows as for the page log. With [Kept] in front of
// the sandbox, no server runs during the measurement.
func BenchmarkFeeds(b *testing.B, feeds []baton.Feed) {
	for _, feed := range feeds {
		b.Run(feed.Name, func(b *testing.B) {
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				page := &encoded{seen: map[baton.ResourceID]bool{}}
				var step baton.Step
				var err error
				for !step.Done {
					if step, err = feed.Next(b.Context(), step.Cursor, page); err != nil {
						b.Fatal(err)
					}
				}
				rows += page.rows
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
		})
	}
}

// Kept returns an upstream that requests each response once and then repeats it, with 200 OK and without
// headers. It serves one feed at a time.
func Kept(from http.Handler) http.RoundTripper {
	return &kept{from: from, answers: map[string][]byte{}}
}

type kept struct {
	from    http.Handler
	answers map[string][]byte
}

func (k *kept) RoundTrip(r *http.Request) (*http.Response, error) {
	key := r.Method + " " + r.URL.String()
	if _, ok := k.answers[key]; !ok {
		if r.Body == nil {
			r.Body = http.NoBody
		}
		w := httptest.NewRecorder()
		k.from.ServeHTTP(w, r)
		k.answers[key] = w.Body.Bytes()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(k.answers[key]))}, nil
}

// encoded is a page that encodes its rows.
type encoded struct {
	encoder writer.Encoder
	seen    map[baton.ResourceID]bool
	rows    int
}

func (p *encoded) add(err error) {
	if err != nil {
		panic(err)
	}
	p.rows++
}

func (p *encoded) Seen(id baton.ResourceID) bool { return p.seen[id] }

func (p *encoded) Resource(r baton.Resource) {
	p.seen[baton.ResourceID{Type: r.ID.Type, ID: strings.Clone(r.ID.ID)}] = true
	p.add(p.encoder.Resource(r))
}

func (p *encoded) Entitlement(e baton.Entitlement) { p.add(p.encoder.Entitlement(e, nil)) }
func (p *encoded) Grant(g baton.Grant)             { p.add(p.encoder.Grant(g)) }
func (p *encoded) Exclude(string, string)          {}
func (p *encoded) Void()                           {}
func (p *encoded) Expect(int)                      {}
