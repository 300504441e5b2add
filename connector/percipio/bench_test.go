package percipio_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/c1z"
	"baton/connector/percipio"
	"baton/rest"
	sandbox "baton/sandbox/percipio"
)

// BenchmarkFeeds reads each feed from answers that are in memory already, up to the rows
// as they go into the page log.
func BenchmarkFeeds(b *testing.B) {
	server := sandbox.New(sandbox.Options{Users: 2000, Courses: 200, Rows: 20_000, Token: "sk-percipio-0123456789"})
	client, err := rest.New(rest.Config{BaseURL: "https://percipio.example", Token: baton.NewSecret(server.Token()), Transport: &kept{from: server, answers: map[string][]byte{}}})
	if err != nil {
		b.Fatal(err)
	}
	for _, feed := range percipio.New(percipio.Config{REST: client, OrganizationID: server.OrganizationID(), Lookback: 20 * 365 * 24 * time.Hour}).Feeds {
		b.Run(feed.Name, func(b *testing.B) {
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				page := &encoded{seen: map[baton.ResourceID]bool{}}
				var step baton.Step
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

// kept is an upstream whose answers are asked for once.
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
	encoder c1z.Encoder
	room    []byte
	seen    map[baton.ResourceID]bool
	rows    int
}

func (p *encoded) add(row c1z.Row, err error) {
	if err != nil {
		panic(err)
	}
	p.room = row.Append(p.room[:0])
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
