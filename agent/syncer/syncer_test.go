package syncer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton"
	"baton/agent/syncer"
	"baton/c1z"
	"baton/c1z/c1ztest"
	"baton/c1z/writer"
)

// scriptedPage is one scripted page: its rows, and the step that Next returns.
type scriptedPage struct {
	users   []string
	groups  map[string][]string // group ─▶ members
	exclude string
	restart bool
	wait    time.Duration
	err     error
}

// script is a feed that plays its pages in order; the cursor is the page's number.
func script(name string, types []string, leaves ...scriptedPage) baton.Feed {
	return baton.Feed{Name: name, Types: types, Next: func(_ context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
		i := 0
		if at != "" {
			fmt.Sscan(string(at), &i)
		}
		l := leaves[i]
		for _, u := range l.users {
			id := baton.ResourceID{Type: "user", ID: u}
			if !p.Seen(id) {
				p.Resource(baton.Resource{ID: id, DisplayName: u, User: &baton.User{}})
			}
		}
		for g, members := range l.groups {
			e := baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: g}, Slug: "member"}
			p.Resource(baton.Resource{ID: e.Resource, DisplayName: g, Group: &baton.Group{}})
			p.Entitlement(baton.Entitlement{ID: e, DisplayName: g + " member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}})
			for _, m := range members {
				p.Grant(baton.Grant{ID: baton.GrantID{Entitlement: e, Principal: baton.ResourceID{Type: "user", ID: m}}, ResourceName: g})
			}
		}
		if l.exclude != "" {
			p.Exclude(l.exclude, "somebody")
		}
		return baton.Step{Cursor: baton.Cursor(fmt.Sprint(i + 1)), Done: i+1 == len(leaves), Restart: l.restart, Wait: l.wait}, l.err
	}}
}

func connector(feeds ...baton.Feed) *baton.Connector {
	return &baton.Connector{
		Name: "baton-test", Origin: "https://upstream.example",
		ResourceTypes: []baton.ResourceType{
			{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}, NoEntitlements: true},
			{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}},
		},
		Feeds: feeds,
	}
}

var (
	userTypes  = []string{"user"}
	groupTypes = []string{"group"}
)

// tenant is a small upstream in two feeds.
func tenant() *baton.Connector {
	return connector(
		script("users", userTypes, scriptedPage{users: []string{"ann", "bob"}}, scriptedPage{users: []string{"bob", "cid"}}),
		script("groups", groupTypes, scriptedPage{groups: map[string][]string{"g1": {"ann", "bob"}}}, scriptedPage{groups: map[string][]string{"g2": {"cid"}}}),
	)
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "sync.c1z") }

func run(t *testing.T, cfg syncer.Config) syncer.Result {
	t.Helper()
	res, err := syncer.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func counts(res syncer.Result) string { return fmt.Sprint(res.Counts) }

func TestSync(t *testing.T) {
	path := file(t)
	res := run(t, syncer.Config{Connector: tenant(), Path: path})
	if got, want := counts(res), "[{user 3 0 0} {group 2 2 3}]"; got != want {
		t.Errorf("counts %s, want %s", got, want)
	}
	if res.Pages != 4 || res.Resumed || res.Changes != nil || res.SyncType != c1z.Full || len(res.SyncID) != 27 {
		t.Errorf("result %+v", res)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(rows.Grants, func(g c1z.Grant) bool { return g.ID == "group:g1:member:user:bob" && g.ResourceName == "g1" }) {
		t.Errorf("grants %+v", rows.Grants)
	}
}

func TestChangesSinceThePreviousSync(t *testing.T) {
	path := file(t)
	run(t, syncer.Config{Connector: tenant(), Path: path})
	res := run(t, syncer.Config{Connector: tenant(), Path: path})
	if res.Changes == nil || *res.Changes != (writer.Changes{}) {
		t.Errorf("unchanged data: %+v", res.Changes)
	}
	less := connector(
		script("users", userTypes, scriptedPage{users: []string{"ann", "dan"}}),
		script("groups", groupTypes, scriptedPage{groups: map[string][]string{"g1": {"ann"}}}),
	)
	res = run(t, syncer.Config{Connector: less, Path: path})
	if c := res.Changes; c == nil || c.Resources.Created != 1 || c.Resources.Deleted != 3 || c.Grants.Deleted != 2 {
		t.Errorf("changes %+v", c)
	}
}

func TestDanglingGrantsAreCounted(t *testing.T) {
	c := connector(
		script("users", userTypes, scriptedPage{users: []string{"ann"}, exclude: "not wanted"}),
		script("groups", groupTypes, scriptedPage{groups: map[string][]string{"g1": {"ann", "zoe"}}, exclude: "not wanted"}),
	)
	res := run(t, syncer.Config{Connector: c, Path: file(t)})
	if got, want := counts(res), "[{user 1 0 0} {group 1 1 1}]"; got != want {
		t.Errorf("counts %s, want %s", got, want)
	}
	var got []string
	for _, e := range res.Excluded {
		got = append(got, fmt.Sprintf("%d %s: %s", e.Count, e.Reason, e.Example))
	}
	want := []string{"2 not wanted: somebody", "1 grant to an account that the upstream does not list: group:g1:member:user:zoe"}
	if !slices.Equal(got, want) {
		t.Errorf("excluded %q, want %q", got, want)
	}
}

// TestHighestRankHolds: the highest rank is kept, whatever the page and order of the grants.
func TestHighestRankHolds(t *testing.T) {
	grant := func(p baton.Page, course, slug, user string) {
		e := baton.EntitlementID{Resource: baton.ResourceID{Type: "course", ID: course}, Slug: slug}
		p.Grant(baton.Grant{ID: baton.GrantID{Entitlement: e, Principal: baton.ResourceID{Type: "user", ID: user}}})
	}
	courses := baton.Feed{Name: "courses", Types: []string{"course"}, Next: func(_ context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
		switch at {
		case "":
			for _, id := range []string{"c1", "c2"} {
				course := baton.ResourceID{Type: "course", ID: id}
				p.Resource(baton.Resource{ID: course, DisplayName: id})
				for _, slug := range []string{"completed", "in_progress"} {
					p.Entitlement(baton.Entitlement{ID: baton.EntitlementID{Resource: course, Slug: slug}, DisplayName: slug, GrantableTo: []string{"user"}})
				}
			}
			grant(p, "c1", "completed", "ann")
			grant(p, "c1", "in_progress", "bob")
			return baton.Step{Cursor: "2"}, nil
		default:
			grant(p, "c1", "in_progress", "ann")
			grant(p, "c1", "completed", "bob")
			grant(p, "c2", "in_progress", "ann")
			return baton.Step{Cursor: "end", Done: true}, nil
		}
	}}
	c := connector(script("users", userTypes, scriptedPage{users: []string{"ann", "bob"}}), courses)
	c.ResourceTypes = []baton.ResourceType{c.ResourceTypes[0], {ID: "course", DisplayName: "Course", Ranks: []string{"completed", "in_progress"}}}
	path := file(t)
	for range 2 { // the second time with the rows of the first sync in the file
		res := run(t, syncer.Config{Connector: c, Path: path})
		if got, want := counts(res), "[{user 2 0 0} {course 2 4 3}]"; got != want {
			t.Errorf("counts %s, want %s", got, want)
		}
		if len(res.Excluded) != 1 || res.Excluded[0].Count != 2 {
			t.Errorf("excluded %+v", res.Excluded)
		}
	}
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{
		"course:c1:completed:user:ann": true, "course:c1:completed:user:bob": true, "course:c2:in_progress:user:ann": true,
		"course:c1:in_progress:user:ann": false, "course:c1:in_progress:user:bob": false,
	} {
		if got := slices.Contains(rows.IDs(), id); got != want {
			t.Errorf("%s is there: %v, want %v", id, got, want)
		}
	}
}

func TestRestartVoidsWhatTheFeedDelivered(t *testing.T) {
	c := connector(
		script("users", userTypes, scriptedPage{users: []string{"gone"}}, scriptedPage{users: []string{"gone too"}, restart: true}, scriptedPage{users: []string{"ann"}}),
		script("groups", groupTypes, scriptedPage{groups: map[string][]string{"g1": {"ann"}}}),
	)
	res := run(t, syncer.Config{Connector: c, Path: file(t)})
	if got, want := counts(res), "[{user 1 0 0} {group 1 1 1}]"; got != want {
		t.Errorf("counts %s, want %s", got, want)
	}
}

// TestVoidDropsWhatThePageHasSoFar: rows of an interrupted response do not remain in the file, in the seen
// ids or in the counts. Rows of earlier pages do.
func TestVoidDropsWhatThePageHasSoFar(t *testing.T) {
	c := tenant()
	broken := script("users", userTypes, scriptedPage{}, scriptedPage{users: []string{"eve", "bob"}, groups: map[string][]string{"ghosts": {"eve"}}, exclude: "a ghost"})
	whole := script("users", userTypes, scriptedPage{users: []string{"ann"}}, scriptedPage{users: []string{"bob", "cid"}})
	next := whole.Next
	whole.Next = func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
		ann := baton.ResourceID{Type: "user", ID: "ann"}
		if at == "1" {
			p.Expect(99)
			for range 10_000 { // more than the page log buffers
				if _, err := broken.Next(ctx, at, p); err != nil {
					t.Error(err)
				}
			}
			if p.Void(); p.Seen(baton.ResourceID{Type: "user", ID: "bob"}) || !p.Seen(ann) {
				t.Error("what was seen is not what it was before the page")
			}
		}
		return next(ctx, at, p)
	}
	c.Feeds[0] = whole
	res := run(t, syncer.Config{Connector: c, Path: file(t)})
	if want := "[{user 3 0 0} {group 2 2 3}]"; counts(res) != want || len(res.Excluded) != 0 {
		t.Errorf("%s, excluded %+v; want %s", counts(res), res.Excluded, want)
	}
}

// TestGrantsAfterADrop: the first grant after dropped rows must not be encoded relative to them, in the same
// page or in the first page of another pass.
func TestGrantsAfterADrop(t *testing.T) {
	users := script("users", userTypes, scriptedPage{users: []string{"ann", "bob"}})
	pages := script("groups", groupTypes, scriptedPage{groups: map[string][]string{"g1": {"ann"}}, restart: true}, scriptedPage{}, scriptedPage{}, scriptedPage{groups: map[string][]string{"g1": nil, "g2": nil}})
	next := pages.Next
	pages.Next = func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
		grant := func(group, user string) {
			p.Grant(baton.Grant{ResourceName: group, ID: baton.GrantID{Principal: baton.ResourceID{Type: "user", ID: user},
				Entitlement: baton.EntitlementID{Resource: baton.ResourceID{Type: "group", ID: group}, Slug: "member"}}})
		}
		switch at {
		case "1":
			grant("g1", "ann")
		case "2":
			grant("g2", "nobody")
			p.Void()
			grant("g2", "bob")
		}
		return next(ctx, at, p)
	}
	path := file(t)
	res := run(t, syncer.Config{Connector: connector(users, pages), Path: path})
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range rows.Grants {
		got = append(got, g.ID)
	}
	want := []string{"group:g1:member:user:ann", "group:g2:member:user:bob"}
	if !slices.Equal(got, want) || len(res.Excluded) > 0 {
		t.Errorf("%q, excluded %+v; want %q", got, res.Excluded, want)
	}
}

func TestEmptyIsAFailedRead(t *testing.T) {
	for name, c := range map[string]*baton.Connector{
		"no users": connector(script("users", userTypes, scriptedPage{}), script("groups", groupTypes, scriptedPage{groups: map[string][]string{"g1": nil}})),
		"no members anywhere": connector(
			script("users", userTypes, scriptedPage{users: []string{"ann"}}), script("groups", groupTypes, scriptedPage{groups: map[string][]string{"g1": nil, "g2": nil}})),
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			_, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: path})
			if baton.KindOf(err) != baton.Incomplete || baton.FixOf(err) == "" {
				t.Fatalf("got %v, want Incomplete with a fix", err)
			}
			// The next run must not resume the refused read.
			if res := run(t, syncer.Config{Connector: tenant(), Path: path}); res.Resumed {
				t.Error("the next run resumed the empty read")
			}
			run(t, syncer.Config{Connector: c, Path: file(t), AllowEmpty: true})
		})
	}
}

// TestIncompleteListIsReadAnew: if the next run resumed at the end of an incomplete list, the list would stay
// incomplete.
func TestIncompleteListIsReadAnew(t *testing.T) {
	path := file(t)
	short := tenant()
	short.Feeds[0] = script("users", userTypes, scriptedPage{users: []string{"ann"}}, scriptedPage{err: baton.Errorf(baton.Incomplete, "1 of 3 rows")})
	if _, err := syncer.Run(t.Context(), syncer.Config{Connector: short, Path: path}); baton.KindOf(err) != baton.Incomplete {
		t.Fatalf("got %v", err)
	}
	res := run(t, syncer.Config{Connector: tenant(), Path: path})
	if got, want := counts(res), "[{user 3 0 0} {group 2 2 3}]"; got != want {
		t.Errorf("counts %s, want %s", got, want)
	}
}

// interrupt leaves a sync that has read some of its pages.
func interrupt(t *testing.T, path string) {
	t.Helper()
	broken := tenant()
	broken.Feeds[0] = script("users", userTypes, scriptedPage{users: []string{"ann", "bob"}}, scriptedPage{err: errors.New("gone")})
	if _, err := syncer.Run(t.Context(), syncer.Config{Connector: broken, Path: path}); err == nil {
		t.Fatal("the broken sync succeeded")
	}
}

func TestInterruptedSyncIsResumedOnlyIfItIsTheSame(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*syncer.Config)
		want   bool
	}{
		"same":           {func(*syncer.Config) {}, true},
		"another tenant": {func(c *syncer.Config) { c.Connector.Origin = "https://other.example" }, false},
		"other types":    {func(c *syncer.Config) { c.Types = userTypes }, false},
		"without grants": {func(c *syncer.Config) { c.SkipEntitlementsAndGrants = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			interrupt(t, path)
			cfg := syncer.Config{Connector: tenant(), Path: path}
			tc.change(&cfg)
			if res := run(t, cfg); res.Resumed != tc.want {
				t.Errorf("resumed is %v, want %v", res.Resumed, tc.want)
			}
		})
	}
	t.Run("another version", func(t *testing.T) {
		path := file(t)
		interrupt(t, path)
		header := filepath.Join(path+".pages", "header")
		b, err := os.ReadFile(header)
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(header, bytes.Replace(b, fmt.Appendf(nil, `"Version":%d`, syncer.HeaderVersion), []byte(`"Version":9`), 1), 0o600)
		_, err = syncer.Run(t.Context(), syncer.Config{Connector: tenant(), Path: path})
		if baton.KindOf(err) != baton.Corrupt || !strings.Contains(err.Error(), "format 9") {
			t.Errorf("got %v, want it refused by its format", err)
		}
		// That version can still finish it. This program once deleted it.
		if b, err := os.ReadFile(header); !bytes.Contains(b, []byte(`"Version":9`)) {
			t.Errorf("what was refused is gone: %q, %v", b, err)
		}
		if err := syncer.Discard(path, ""); err != nil {
			t.Fatal(err)
		}
		run(t, syncer.Config{Connector: tenant(), Path: path})
	})
	t.Run("older than a week", func(t *testing.T) {
		path := file(t)
		interrupt(t, path)
		header := filepath.Join(path+".pages", "header")
		b, err := os.ReadFile(header)
		if err != nil {
			t.Fatal(err)
		}
		year := []byte(time.Now().UTC().Format(`"2006-`))
		line, _, _ := bytes.Cut(bytes.Replace(b, year, []byte(`"2001-`), 1), []byte("\n"))
		os.WriteFile(header, checked(line), 0o600)
		if res := run(t, syncer.Config{Connector: tenant(), Path: path}); res.Resumed {
			t.Error("a sync of another year was resumed")
		}
	})
}

// TestSealTwice: a process that dies between the rename and the removal of the page log seals the same sync
// again.
func TestSealTwice(t *testing.T) {
	path := file(t)
	c := tenant()
	copied := filepath.Join(t.TempDir(), "pages")
	c.Review = func(baton.Facts) ([]baton.Note, error) {
		return nil, os.CopyFS(copied, os.DirFS(path+".pages"))
	}
	first := run(t, syncer.Config{Connector: c, Path: path})
	if err := os.CopyFS(path+".pages", os.DirFS(copied)); err != nil {
		t.Fatal(err)
	}
	again := run(t, syncer.Config{Connector: tenant(), Path: path})
	if !again.Resumed || again.SyncID != first.SyncID {
		t.Errorf("sync %s was followed by %s", first.SyncID, again.SyncID)
	}
	f, err := c1z.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n := len(f.Syncs()); n != 1 {
		t.Errorf("the file holds %d syncs", n)
	}
}

func TestForeignFileIsNotTouched(t *testing.T) {
	path := file(t)
	if err := os.WriteFile(path, []byte("my thesis"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := tenant()
	c.Feeds[0].Next = func(context.Context, baton.Cursor, baton.Page) (baton.Step, error) {
		t.Error("the upstream was read")
		return baton.Step{}, errors.New("no")
	}
	_, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: path})
	if baton.KindOf(err) != baton.Corrupt || baton.FixOf(err) == "" {
		t.Errorf("got %v, want Corrupt with a fix", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "my thesis" {
		t.Errorf("the file is now %q", b)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOneProcessAFile(t *testing.T) {
	path := file(t)
	c := tenant()
	next := c.Feeds[0].Next
	c.Feeds[0].Next = func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
		if _, err := syncer.Run(ctx, syncer.Config{Connector: tenant(), Path: path}); baton.KindOf(err) != baton.Refused {
			t.Errorf("a second sync of the same file: %v, want Refused", err)
		}
		return next(ctx, at, p)
	}
	run(t, syncer.Config{Connector: c, Path: path})
}

// TestOneProcessAFileWherever: two syncs of the same file with different scratch directories must exclude
// each other. They once both wrote to it, and one could publish the other's partial file.
func TestOneProcessAFileWherever(t *testing.T) {
	path := file(t)
	c := tenant()
	next := c.Feeds[0].Next
	c.Feeds[0].Next = func(ctx context.Context, at baton.Cursor, p baton.Page) (baton.Step, error) {
		for _, scratch := range []string{"", t.TempDir()} {
			_, err := syncer.Run(ctx, syncer.Config{Connector: tenant(), Path: path, TempDir: scratch})
			if baton.KindOf(err) != baton.Refused || !strings.Contains(err.Error(), path) {
				t.Errorf("a second sync of the same file: %v, want Refused", err)
			}
		}
		return next(ctx, at, p)
	}
	run(t, syncer.Config{Connector: c, Path: path, TempDir: t.TempDir()})
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestStandingStillIsAnError(t *testing.T) {
	c := tenant()
	c.Feeds[0].Next = func(context.Context, baton.Cursor, baton.Page) (baton.Step, error) {
		return baton.Step{Cursor: ""}, nil
	}
	if _, err := syncer.Run(t.Context(), syncer.Config{Connector: c, Path: file(t)}); baton.KindOf(err) != baton.Internal {
		t.Errorf("got %v", err)
	}
}

func TestLimits(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg    syncer.Config
		counts string
		kind   string
	}{
		"types":                  {syncer.Config{Types: userTypes}, "[{user 3 0 0}]", c1z.Full},
		"groups keep holders":    {syncer.Config{Types: groupTypes}, "[{group 2 2 3}]", c1z.Full},
		"no grants":              {syncer.Config{SkipGrants: true}, "[{user 3 0 0} {group 2 2 0}]", c1z.Full},
		"no entitlements either": {syncer.Config{SkipEntitlementsAndGrants: true}, "[{user 3 0 0} {group 2 0 0}]", c1z.ResourcesOnly},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cfg.Connector, tc.cfg.Path = tenant(), file(t)
			res := run(t, tc.cfg)
			if counts(res) != tc.counts || res.SyncType != tc.kind {
				t.Errorf("%s of type %s, want %s of type %s", counts(res), res.SyncType, tc.counts, tc.kind)
			}
		})
	}
	_, err := syncer.Run(t.Context(), syncer.Config{Connector: tenant(), Path: file(t), Types: []string{"planet"}})
	if baton.KindOf(err) != baton.Invalid {
		t.Errorf("an unknown type: %v", err)
	}
}

// TestWaiting: the wait of a feed uses the clock only, and a cancellation ends it.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := tenant()
		c.Feeds[0] = script("users", userTypes, scriptedPage{wait: time.Hour}, scriptedPage{wait: time.Hour}, scriptedPage{users: []string{"ann", "bob", "cid"}})
		var waits []time.Duration
		start := time.Now()
		run(t, syncer.Config{Connector: c, Path: file(t), Progress: func(p syncer.Progress) {
			if p.Waiting > 0 {
				waits = append(waits, p.Waiting)
			}
		}})
		if got := time.Since(start); got != 2*time.Hour || len(waits) != 2 {
			t.Errorf("waited %v, %v", got, waits)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := syncer.Run(ctx, syncer.Config{Connector: c, Path: file(t)}); baton.KindOf(err) != baton.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	})
}

// TestStoppedByASignal: the cause set by signal.NotifyContext is not a baton error, but is still reported as
// a cancellation.
func TestStoppedByASignal(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	c := tenant()
	c.Feeds[0].Next = func(ctx context.Context, _ baton.Cursor, _ baton.Page) (baton.Step, error) {
		cancel(errors.New("terminated signal received"))
		<-ctx.Done()
		return baton.Step{}, ctx.Err()
	}
	if _, err := syncer.Run(ctx, syncer.Config{Connector: c, Path: file(t)}); baton.KindOf(err) != baton.Canceled {
		t.Errorf("got %v (%v), want a cancellation", err, baton.KindOf(err))
	}
}

func TestLogsResumeAndDrop(t *testing.T) {
	path := file(t)
	broken := tenant()
	broken.Feeds[0] = script("users", userTypes, scriptedPage{users: []string{"ann"}}, scriptedPage{err: errors.New("gone")})
	if _, err := syncer.Run(t.Context(), syncer.Config{Connector: broken, Path: path}); err == nil {
		t.Fatal("the broken sync succeeded")
	}
	var log bytes.Buffer
	other := tenant()
	other.Origin = "https://other.example"
	run(t, syncer.Config{Connector: other, Path: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "it read https://upstream.example") {
		t.Errorf("the log does not say why the interrupted sync was dropped:\n%s", log.String())
	}
}

// TestLogsOtherSettings: the part of an origin after the address holds settings. The log calls them settings
// and does not show them.
func TestLogsOtherSettings(t *testing.T) {
	path := file(t)
	broken := tenant()
	broken.Origin += "#all"
	broken.Feeds[0] = script("users", userTypes, scriptedPage{users: []string{"ann"}}, scriptedPage{err: errors.New("gone")})
	if _, err := syncer.Run(t.Context(), syncer.Config{Connector: broken, Path: path}); err == nil {
		t.Fatal("the broken sync succeeded")
	}
	var log bytes.Buffer
	other := tenant()
	other.Origin += "#some"
	run(t, syncer.Config{Connector: other, Path: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "its settings were different") || strings.Contains(log.String(), "#all") {
		t.Errorf("the log does not say why the interrupted sync was dropped:\n%s", log.String())
	}
}
