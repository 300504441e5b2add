package paging_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/agent/syncer"
	"baton/connector/percipio"
	"baton/connector/perplexity"
	"baton/connector/rest"
	"baton/internal/longtest"
	sandboxpercipio "baton/sandbox/percipio"
	sandboxperplexity "baton/sandbox/perplexity"
)

// serve starts a server and returns a client of it and a counter of requests by the last part of the path.
func serve(t *testing.T, handler http.Handler, path, token string) (*rest.Client, *counter) {
	t.Helper()
	c := &counter{counts: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.add(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	client, err := rest.New(rest.Config{BaseURL: server.URL + path, Token: baton.NewSecret(token)})
	if err != nil {
		t.Fatal(err)
	}
	return client, c
}

type counter struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *counter) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[name]++
}

// TestRequests counts the requests for the lists of a whole sync, at the sizes of test/bench. Each list takes
// one request per page, adjusted for the overlapping rows, and one more to prove its end.
func TestRequests(t *testing.T) {
	for _, size := range []struct {
		name                   string
		users, groups, courses int
		perplexity, percipio   map[string]int // requests by list
		pages                  int            // of 100 rows, that the lists of Perplexity fill
	}{
		{"small", 1_000, 20, 200, map[string]int{"Users": 12, "Groups": 2}, map[string]int{"users": 2, "catalog-content": 3}, 11},
		{"medium", 10_000, 100, 2_000, map[string]int{"Users": 102, "Groups": 2}, map[string]int{"users": 12, "catalog-content": 5}, 101},
		{"large", 100_000, 1_000, 10_000, map[string]int{"Users": 1_012, "Groups": 12}, map[string]int{"users": 102, "catalog-content": 13}, 1_010},
	} {
		t.Run(size.name, func(t *testing.T) {
			if size.name != "small" {
				longtest.Only(t)
			}
			perplexityServer := sandboxperplexity.New(sandboxperplexity.Options{Users: size.users, Groups: size.groups, MembersMin: 3, MembersMax: 3, Token: "sk-scim-0123456789"})
			if err := perplexityServer.SetFaults("page-cap=100"); err != nil {
				t.Fatal(err)
			}
			rc, counts := serve(t, perplexityServer, perplexityServer.URLPath(), perplexityServer.Token())
			run(t, perplexity.New(perplexity.Config{REST: rc, MinAdmins: 1}))
			compare(t, counts.counts, size.perplexity)
			if all := counts.counts["Users"] + counts.counts["Groups"]; size.name == "large" && all > size.pages*102/100 {
				t.Errorf("%d requests for %d pages are more than 2 %% too many", all, size.pages)
			}
			percipioServer := sandboxpercipio.New(sandboxpercipio.Options{Users: size.users, Courses: size.courses, Rows: 1_000, Token: "sk-percipio-0123456789"})
			rc, counts = serve(t, percipioServer, "", percipioServer.Token())
			run(t, percipio.New(percipio.Config{REST: rc, Token: baton.NewSecret(percipioServer.Token()), OrganizationID: percipioServer.OrganizationID(), Lookback: 20 * 365 * 24 * time.Hour}))
			compare(t, counts.counts, size.percipio)
		})
	}
}

func run(t *testing.T, c *baton.Connector) {
	t.Helper()
	if _, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: filepath.Join(t.TempDir(), "sync.c1z")}); err != nil {
		t.Fatal(err)
	}
}

func compare(t *testing.T, counts, want map[string]int) {
	t.Helper()
	for list, n := range want {
		if counts[list] > n {
			t.Errorf("%d requests for %s, want %d", counts[list], list, n)
		} else if counts[list] < n {
			t.Logf("%d requests for %s, %d less than before: lower the number", counts[list], list, n-counts[list])
		}
	}
}
