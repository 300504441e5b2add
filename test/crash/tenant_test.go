package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"baton"
	"baton/agent/syncer"
	"baton/c1z/c1ztest"
	"baton/connector/percipio"
	"baton/connector/perplexity"
	"baton/connector/rest"
	"baton/internal/disk"
	sandboxpercipio "baton/sandbox/percipio"
	sandboxperplexity "baton/sandbox/perplexity"
)

var (
	every = flag.Bool("every", false, "every point instead of some of each kind")
	many  = flag.Int("points", 0, "how many moments of each kind to kill at, instead of the usual number")
	seed  = flag.Uint64("seed", 1, "decides what is left to chance")
)

// tenant is an upstream with constant content.
type tenant struct {
	name     string
	handler  http.Handler
	settings func(origin string) []string // environment of the program
	connect  func() *baton.Connector      // in this process
	org      *sandboxperplexity.Server    // for changes; nil for Percipio

	once    sync.Once // guards the results of an undisturbed sync
	content []byte
	want    facts
}

// tenants returns small tenants, with several pages in each list.
func tenants(t testing.TB) []*tenant {
	t.Helper()
	return []*tenant{perplexityTenant(t, "page-cap=5"), percipioTenant(t, "page-cap=8")}
}

func perplexityTenant(t testing.TB, faults ...string) *tenant {
	org := sandboxperplexity.New(sandboxperplexity.Options{Faults: faults, Token: "sk-scim-0123456789"})
	return &tenant{
		name: "perplexity", handler: org, org: org,
		settings: func(origin string) []string {
			return []string{"BATON_SCIM_URL=" + origin + org.URLPath(), "BATON_SCIM_TOKEN=" + org.Token()}
		},
		connect: func() *baton.Connector {
			return perplexity.New(perplexity.Config{REST: client(t, org, org.URLPath(), org.Token())})
		},
	}
}

func percipioTenant(t testing.TB, faults ...string) *tenant {
	org := sandboxpercipio.New(sandboxpercipio.Options{Users: 20, Courses: 30, Rows: 300, Token: "sandbox-token-0123456789"})
	if err := org.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
	return &tenant{
		name: "percipio", handler: org,
		settings: func(origin string) []string {
			return []string{"BATON_BASE_URL=" + origin, "BATON_ORGANIZATION_ID=" + org.OrganizationID(), "BATON_API_TOKEN=" + org.Token()}
		},
		connect: func() *baton.Connector {
			return percipio.New(percipio.Config{REST: client(t, org, "", org.Token()), OrganizationID: org.OrganizationID()})
		},
	}
}

// client returns a client that reaches a server without a network.
func client(t testing.TB, server http.Handler, path, token string) *rest.Client {
	t.Helper()
	c, err := rest.New(rest.Config{BaseURL: "http://localhost" + path, Token: baton.NewSecret(token), Transport: inProcess{server}, RetryFor: -1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody // a server never sees nil
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// sync runs one sync in this process.
func (tn *tenant) sync(ctx context.Context, path string, fsys disk.FS) (syncer.Result, error) {
	return syncer.Run(ctx, syncer.Config{Connector: tn.connect(), Path: path, Disk: fsys, Log: slog.New(slog.DiscardHandler)})
}

// facts holds all rows of the newest sync in a file, by identity.
type facts map[string]string

func (f facts) add(kind, id string, row any) error {
	b, err := json.Marshal(row)
	if _, twice := f[kind+" "+id]; twice {
		return errors.New("there are two of " + kind + " " + id)
	}
	f[kind+" "+id] = string(b)
	return err
}

// read returns the facts in a file.
func read(path string) (facts, error) {
	rows, err := c1ztest.Read(path)
	if err != nil {
		return nil, err
	}
	all := facts{}
	for _, rt := range rows.Types {
		err = errors.Join(err, all.add("type", rt.ID, rt))
	}
	for _, r := range rows.Resources {
		err = errors.Join(err, all.add("resource", r.ID.String(), r))
	}
	for _, e := range rows.Entitlements {
		err = errors.Join(err, all.add("entitlement", e.ID, e))
	}
	for _, g := range rows.Grants {
		err = errors.Join(err, all.add("grant", g.ID, g))
	}
	return all, err
}

// differs describes how got differs from want, or returns "".
func (want facts) differs(got facts) string {
	var out []string
	for id, row := range want {
		switch other, ok := got[id]; {
		case !ok:
			out = append(out, "without "+id)
		case other != row:
			out = append(out, id+" is "+other+" instead of "+row)
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			out = append(out, "with "+id)
		}
	}
	if len(out) > 3 {
		out = append(out[:3], "and more")
	}
	return strings.Join(out, "; ")
}

// undisturbed returns the file of an undisturbed sync and its facts.
func (tn *tenant) undisturbed(t testing.TB) (content []byte, want facts) {
	t.Helper()
	tn.once.Do(func() {
		path := filepath.Join(t.TempDir(), "sync.c1z")
		if _, err := tn.sync(t.Context(), path, nil); err != nil {
			t.Fatal(err)
		}
		tn.content, tn.want = mustRead(t, path), mustFacts(t, path)
	})
	return tn.content, tn.want
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustFacts(t testing.TB, path string) facts {
	t.Helper()
	f, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// ends runs an undisturbed sync in the folder of path, and describes what is wrong with the result, or
// returns "".
func (tn *tenant) ends(ctx context.Context, path string, want facts) string {
	if _, err := tn.sync(ctx, path, nil); err != nil {
		return "the next sync fails: " + err.Error()
	}
	return ended(path, want)
}

// ended describes what is wrong with the files of a finished sync, or returns "".
func ended(path string, want facts) string {
	got, err := read(path)
	if err != nil {
		return "the file cannot be read: " + err.Error()
	}
	if diff := want.differs(got); diff != "" {
		return "the file differs: " + diff
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err.Error()
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			return "left behind: " + e.Name()
		}
	}
	return ""
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if content == nil {
		return
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
