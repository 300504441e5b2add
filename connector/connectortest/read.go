package connectortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/agent/syncer"
	"baton/c1z"
	"baton/c1z/c1ztest"
	"baton/c1z/writer"
	"baton/internal/longtest"
	"baton/wire"
)

// facts are the rows of a sync by identity.
type facts map[string]any

func (f facts) ids() string { return strings.Join(slices.Sorted(maps.Keys(f)), "\n") + "\n" }

// read opens a file and returns the facts of its newest sync.
func read(t *testing.T, path string) facts {
	t.Helper()
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	got := facts{}
	for _, rt := range rows.Types {
		got["type "+rt.ID] = rt
	}
	for _, r := range rows.Resources {
		got["resource "+r.ID.String()] = r
	}
	for _, e := range rows.Entitlements {
		got["entitlement "+e.ID] = e
	}
	for _, g := range rows.Grants {
		got["grant "+g.ID] = g
	}
	return got
}

// sync runs one sync and searches its log for secrets.
func sync(t *testing.T, up Upstream, c *baton.Connector, path string) (syncer.Result, error) {
	t.Helper()
	return syncWatched(t, up, c, path, nil)
}

func syncWatched(t *testing.T, up Upstream, c *baton.Connector, path string, watch func(syncer.Progress)) (syncer.Result, error) {
	t.Helper()
	var log bytes.Buffer
	res, err := syncer.Run(t.Context(), syncer.Config{
		Connector: c, Path: path, Progress: watch,
		Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	discreet(t, up, "the log", log.String())
	discreet(t, up, "the result", fmt.Sprintf("%+v %v", res, err))
	return res, err
}

func mustSync(t *testing.T, up Upstream, path string) (syncer.Result, facts) {
	t.Helper()
	res, err := sync(t, up, up.Connect(), path)
	if err != nil {
		t.Fatalf("sync: %v", err)
	}
	return res, read(t, path)
}

func discreet(t *testing.T, up Upstream, where, text string) {
	t.Helper()
	for _, secret := range up.Secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows a secret", where)
		}
	}
}

func target(t *testing.T) string { return filepath.Join(t.TempDir(), "sync.c1z") }

func (s Suite) description(t *testing.T) {
	up := s.Start(t)
	c := up.Connect()
	if c.Name == "" || c.DisplayName == "" || c.Description == "" || c.Origin == "" {
		t.Errorf("the connector does not say what it is: %+v", c)
	}
	discreet(t, up, "the origin", c.Origin)
	types, feeds := map[string]bool{}, map[string]bool{}
	for _, rt := range c.ResourceTypes {
		if types[rt.ID] || rt.ID == "" || rt.DisplayName == "" {
			t.Errorf("resource type %+v is not well described, or described twice", rt)
		}
		types[rt.ID] = true
	}
	for _, f := range c.Feeds {
		if feeds[f.Name] || f.Name == "" || f.Next == nil || len(f.Types) == 0 {
			t.Errorf("feed %q is not well described, or described twice", f.Name)
		}
		feeds[f.Name] = true
		for _, id := range f.Types {
			if !types[id] {
				t.Errorf("feed %q delivers the undeclared type %q", f.Name, id)
			}
		}
	}
	b, err := wire.Capabilities(c)
	if err != nil {
		t.Fatal(err)
	}
	discreet(t, up, "capabilities", string(b))
	if up.Requests() != 0 {
		t.Errorf("describing the connector made %d requests", up.Requests())
	}
	if err := c.Validate(t.Context()); err != nil {
		t.Errorf("validate: %v", err)
	}
}

func (s Suite) identities(t *testing.T) {
	up := s.Start(t)
	path := target(t)
	_, got := mustSync(t, up, path)
	if *update {
		if err := os.WriteFile(s.Identities, []byte(got.ids()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(s.Identities)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.ids()); diff != "" {
		t.Errorf("identities moved; they are a contract (-want +got):\n%s", diff)
	}
	for id, fact := range got {
		discreet(t, up, id, fmt.Sprintf("%+v", fact))
	}
	got.checkReferences(t)
}

// checkReferences finds dangling grants.
func (f facts) checkReferences(t *testing.T) {
	t.Helper()
	grants := 0
	for id, fact := range f {
		g, ok := fact.(c1z.Grant)
		if !ok {
			continue
		}
		grants++
		if f["entitlement "+g.Entitlement] == nil {
			t.Errorf("%s: there is no such entitlement", id)
		}
		if f["resource "+g.Principal.String()] == nil {
			t.Errorf("%s: there is no such principal", id)
		}
	}
	if grants == 0 {
		t.Error("the sync has no grants, so nothing was checked")
	}
}

func (s Suite) unchanged(t *testing.T) {
	up := s.Start(t)
	path := target(t)
	_, one := mustSync(t, up, path)
	res, two := mustSync(t, up, path)
	if diff := cmp.Diff(one, two); diff != "" {
		t.Errorf("two syncs of the same data differ (-first +second):\n%s", diff)
	}
	if res.Changes == nil || *res.Changes != (writer.Changes{}) {
		t.Errorf("changes of a sync without changes: %+v", res.Changes)
	}
}

// readAgain calls every feed twice at each cursor.
func (s Suite) readAgain(t *testing.T) {
	up := s.Start(t)
	c := up.Connect()
	path := target(t)
	_, want := mustSync(t, up, target(t))
	for i, f := range c.Feeds {
		c.Feeds[i].Next = func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
			if _, err := f.Next(ctx, at, blotter{p}); err != nil {
				return baton.Step{}, err
			}
			return f.Next(ctx, at, p)
		}
	}
	if _, err := sync(t, up, c, path); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Errorf("reading each page twice changes the facts (-once +twice):\n%s", diff)
	}
}

// blotter is a page that discards rows.
type blotter struct{ baton.Page }

func (blotter) Resource(baton.Resource)       {}
func (blotter) Entitlement(baton.Entitlement) {}
func (blotter) Grant(baton.Grant)             {}
func (blotter) Exclude(string, string)        {}
func (blotter) Void()                         {}

var errStop = errors.New("the power went out")

// syncAndStop syncs until n pages of all feeds are committed, and then fails.
func syncAndStop(t *testing.T, up Upstream, path string, n int) (syncer.Result, error) {
	t.Helper()
	c := up.Connect()
	budget, durable := make(chan struct{}, n), make(chan struct{})
	for range n {
		budget <- struct{}{}
	}
	for i, f := range c.Feeds {
		c.Feeds[i].Next = func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
			select {
			case <-budget:
				return f.Next(ctx, at, p)
			default:
			}
			select { // the failure of one feed cancels the others
			case <-durable:
			case <-ctx.Done():
			}
			return baton.Step{}, errStop
		}
	}
	left, begun := n, map[string]bool{}
	if n == 0 {
		close(durable)
	}
	return syncWatched(t, up, c, path, func(p syncer.Progress) {
		if !begun[p.Feed] {
			begun[p.Feed] = true
			return
		}
		if left--; left == 0 {
			close(durable)
		}
	})
}

func (s Suite) resumeAtEveryPage(t *testing.T) {
	up := s.Start(t)
	res, want := mustSync(t, up, target(t))
	// The short size stops after no page, after one, in the middle, and before the last one.
	short := []int{0, 1, res.Pages / 2, res.Pages - 1}
	for n := range res.Pages {
		if !longtest.Enabled && !slices.Contains(short, n) {
			continue
		}
		path := target(t)
		if _, err := syncAndStop(t, up, path, n); !errors.Is(err, errStop) {
			t.Fatalf("stopped after %d pages: %v", n, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Fatalf("stopped after %d pages, and there is a file", n)
		}
		again, got := mustSync(t, up, path)
		if n > 0 && (!again.Resumed || again.Pages != res.Pages) {
			t.Errorf("stopped after %d of %d pages, and %d were read in all (resumed: %v)", n, res.Pages, again.Pages, again.Resumed)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("stopped after %d pages (-undisturbed +resumed):\n%s", n, diff)
		}
	}
}

// resumeTwice stops, resumes for one page, stops again, and so on to the end.
func (s Suite) resumeTwice(t *testing.T) {
	up := s.Start(t)
	res, want := mustSync(t, up, target(t))
	path := target(t)
	for range res.Pages {
		_, err := syncAndStop(t, up, path, 1)
		if err == nil {
			if diff := cmp.Diff(want, read(t, path)); diff != "" {
				t.Errorf("one page a process (-undisturbed +resumed):\n%s", diff)
			}
			return
		}
		if !errors.Is(err, errStop) {
			t.Fatal(err)
		}
	}
	t.Errorf("one page a process does not come to an end in %d processes", res.Pages)
}

func (s Suite) cancellation(t *testing.T) {
	up := s.Start(t)
	c := up.Connect()
	path := target(t)
	ctx, cancel := context.WithCancel(t.Context())
	next := c.Feeds[0].Next
	c.Feeds[0].Next = func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
		cancel()
		return next(ctx, at, p)
	}
	_, err := syncer.Run(ctx, syncer.Config{Connector: c, Path: path})
	if baton.KindOf(err) != baton.Canceled {
		t.Errorf("got %v, want an error of kind canceled", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a canceled sync wrote a file")
	}
	if _, got := mustSync(t, up, path); len(got) == 0 {
		t.Error("after a canceled sync the next one found nothing")
	}
}

func (s Suite) failureLeavesTheFile(t *testing.T) {
	up := s.Start(t)
	if up.Unavailable == nil {
		t.Skip("the upstream has no way to fail")
	}
	path := target(t)
	mustSync(t, up, path)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	up.Unavailable(true)
	_, err = sync(t, up, up.Connect(), path)
	if err == nil {
		t.Fatal("a sync of a refusing upstream succeeded")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed (%v)", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
	up.Unavailable(false)
	mustSync(t, up, path)
}

func (s Suite) targeted(t *testing.T) {
	up := s.Start(t)
	c := up.Connect()
	if c.Get == nil {
		t.Skip("the connector cannot read single resources")
	}
	path := target(t)
	_, full := mustSync(t, up, path)
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, rt := range c.ResourceTypes {
		of := rows.ResourcesOf(rt.ID)
		if len(of) == 0 {
			t.Fatalf("the sync has no %s", rt.ID)
		}
		id := of[len(of)-1].ID
		one := target(t)
		if _, err := syncer.Run(t.Context(), syncer.Config{Connector: up.Connect(), Path: one, Resources: []baton.ResourceID{id}}); err != nil {
			t.Fatalf("targeted sync of %s: %v", id, err)
		}
		for row, fact := range read(t, one) {
			if diff := cmp.Diff(full[row], fact); diff != "" {
				t.Errorf("targeted sync of %s: %s differs from the full sync:\n%s", id, row, diff)
			}
		}
	}
	missing := baton.ResourceID{Type: c.ResourceTypes[0].ID, ID: "no-such-thing"}
	_, err = syncer.Run(t.Context(), syncer.Config{Connector: c, Path: target(t), Resources: []baton.ResourceID{missing}})
	if baton.KindOf(err) != baton.NotFound {
		t.Errorf("targeted sync of what is not there: %v, want NotFound", err)
	}
}
