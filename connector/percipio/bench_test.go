package percipio_test

import (
	"testing"
	"time"

	"baton"
	"baton/connector/connectortest"
	"baton/connector/percipio"
	"baton/connector/rest"
	sandbox "baton/sandbox/percipio"
)

// BenchmarkFeeds reads each feed from responses in memory, up to the rows for the page log.
func BenchmarkFeeds(b *testing.B) {
	server := sandbox.New(sandbox.Options{Users: 2000, Courses: 200, Rows: 20_000, Token: "sk-percipio-0123456789"})
	client, err := rest.New(rest.Config{BaseURL: "https://percipio.example", Token: baton.NewSecret(server.Token()), Transport: connectortest.Kept(server)})
	if err != nil {
		b.Fatal(err)
	}
	connectortest.BenchmarkFeeds(b, percipio.New(percipio.Config{REST: client, OrganizationID: server.OrganizationID(), Lookback: 20 * 365 * 24 * time.Hour}).Feeds)
}
