package perplexity_test

import (
	"testing"
	"time"

	"baton"
	"baton/connector/connectortest"
	"baton/connector/perplexity"
	"baton/connector/rest"
	sandbox "baton/sandbox/perplexity"
)

// BenchmarkFeeds reads each feed from responses in memory, up to the rows for the page log.
func BenchmarkFeeds(b *testing.B) {
	server := sandbox.New(sandbox.Options{Users: 2000, Groups: 20, MembersMin: 500, MembersMax: 500, Token: "sk-scim-0123456789", Now: func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }})
	client, err := rest.New(rest.Config{BaseURL: "https://scim.example" + server.URLPath(), Token: baton.NewSecret(server.Token()), Transport: connectortest.Kept(server)})
	if err != nil {
		b.Fatal(err)
	}
	connectortest.BenchmarkFeeds(b, perplexity.New(perplexity.Config{REST: client}).Feeds)
}
