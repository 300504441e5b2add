package c1z_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/c1z"
)

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	sealed := write(t, path, full(first), smallSync())
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if sealed.Changes != nil || sealed.Size != info.Size() || info.Mode().Perm() != 0o600 {
		t.Errorf("sealed %+v; the file has %d bytes, mode %v", sealed, info.Size(), info.Mode())
	}
	f := open(t, path)
	checkSmallSync(t, f)

	want := []c1z.Count{{Type: "group", Resources: 1, Entitlements: 1, Grants: 2}, {Type: "user", Resources: 2}}
	if got, err := f.Counts(); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("counts %v, %v", got, err)
	}
	types, err := f.ResourceTypes()
	if diff := cmp.Diff([]baton.ResourceType{groups, userType}, types); err != nil || diff != "" {
		t.Errorf("resource types: %v (-want +got):\n%s", err, diff)
	}
	syncs := []c1z.Sync{{ID: first, Type: c1z.Full, Started: started, Ended: ended(first)}}
	if diff := cmp.Diff(syncs, f.Syncs()); diff != "" {
		t.Errorf("syncs (-want +got):\n%s", diff)
	}
	ann, err := f.Resource(baton.ResourceID{Type: "user", ID: "u1"})
	if diff := cmp.Diff(account("u1", "Ann"), ann); err != nil || diff != "" {
		t.Errorf("resource: %v (-want +got):\n%s", err, diff)
	}
	e, err := f.Entitlement("group:g1:member")
	if diff := cmp.Diff(adminsMember, e); err != nil || diff != "" {
		t.Errorf("entitlement: %v (-want +got):\n%s", err, diff)
	}
	g, err := f.Grant("group:g1:member:user:u1")
	if diff := cmp.Diff(membership("u1"), g); err != nil || diff != "" {
		t.Errorf("grant: %v (-want +got):\n%s", err, diff)
	}
	for what, err := range map[string]error{
		"resource":    errorOf(f.Resource(baton.ResourceID{Type: "user", ID: "nobody"})),
		"entitlement": errorOf(f.Entitlement("group:g1:owner")),
		"grant":       errorOf(f.Grant("group:g1:member:user:nobody")),
	} {
		if baton.KindOf(err) != baton.NotFound || !strings.Contains(err.Error(), path) || baton.FixOf(err) == "" {
			t.Errorf("unknown %s: %v", what, err)
		}
	}
}

func errorOf[T any](_ T, err error) error { return err }

// checkSmallSync reads one row while it is reading others, as a review does.
func checkSmallSync(t *testing.T, facts baton.Facts) {
	t.Helper()
	var got []string
	err := facts.Resources("group", func(r baton.Resource) error {
		return facts.Grants(baton.EntitlementID{Resource: r.ID, Slug: "member"}, func(g baton.Grant) error {
			return facts.Resources("user", func(u baton.Resource) error {
				if u.ID == g.ID.Principal {
					got = append(got, r.DisplayName+" "+u.DisplayName)
				}
				return nil
			})
		})
	})
	if diff := cmp.Diff([]string{"Admins Ann", "Admins Bob"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestReviewBeforeSeal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	write(t, path, full(first), append(smallSync(), row(c1z.ResourceRow(account("u9", "Old")))))
	w := create(t, path, full(second), smallSync())
	checkSmallSync(t, w) // the old account is not among the new rows
	if err := w.Add(row(c1z.ResourceRow(account("u3", "Late")))); baton.KindOf(err) != baton.Internal {
		t.Errorf("a row was added after the review: %v", err)
	}
	stop := baton.Errorf(baton.Refused, "stop")
	if err := w.Resources("user", func(baton.Resource) error { return stop }); err != stop {
		t.Errorf("the caller's error came back as %v", err)
	}
	if _, err := w.Seal(context.Background(), ended(second)); err != nil {
		t.Fatal(err)
	}
	checkSmallSync(t, open(t, path))
	if _, err := w.Seal(context.Background(), ended(second)); baton.KindOf(err) != baton.Internal {
		t.Errorf("sealed twice: %v", err)
	}
}

// TestDeterministic: the same facts are the same bytes and no change.
func TestDeterministic(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.c1z"), filepath.Join(dir, "b.c1z")
	write(t, a, full(first), smallSync())
	write(t, b, full(first), smallSync())
	if dump(t, a) != dump(t, b) {
		t.Error("two files with the same facts differ")
	}
	sealed := write(t, a, full(second), smallSync())
	if sealed.Changes == nil || *sealed.Changes != (c1z.Changes{}) {
		t.Errorf("changes %+v", sealed.Changes)
	}
}

func TestChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	write(t, path, full(first), smallSync())
	rows := smallSync()
	rows[2] = row(c1z.ResourceRow(account("u1", "Anna")))           // renamed
	rows[3] = row(c1z.ResourceRow(account("u3", "Cid")))            // u2 left, u3 came
	rows[7] = row(c1z.GrantRow(membership("u3")))                   // likewise
	rows = append(rows, row(c1z.ResourceRow(account("u4", "Dee")))) // came
	opt := full(second)
	opt.KeepSyncs = 1 // compared also when the sync before is not kept
	sealed := write(t, path, opt, rows)
	want := c1z.Changes{
		Resources: c1z.Change{Created: 2, Deleted: 1, Modified: 1},
		Grants:    c1z.Change{Created: 1, Deleted: 1},
	}
	if sealed.Changes == nil || *sealed.Changes != want {
		t.Errorf("changes %+v, want %+v", sealed.Changes, want)
	}
	if got := len(open(t, path).Syncs()); got != 1 {
		t.Errorf("%d syncs in the file", got)
	}
}

func TestRepeatedRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	write(t, path, full(first), smallSync())
	w := create(t, path, full(second), smallSync())
	again := membership("u1")
	again.Metadata = baton.Profile{"since": "now"}
	for _, r := range []c1z.Row{
		row(c1z.ResourceRow(account("u1", "Annie"))), row(c1z.GrantRow(again)), row(c1z.ResourceRow(account("u1", "Anna"))),
	} {
		if err := w.Add(r); err != nil {
			t.Errorf("%s: %v", r.ID(), err)
		}
	}
	settled, err := w.Settle(context.Background())
	if want := (c1z.Count{Type: "user", Resources: 2}); err != nil || *settled.Counts["user"] != want {
		t.Errorf("counts %+v, %v", settled.Counts["user"], err)
	}
	sealed, err := w.Seal(context.Background(), ended(second))
	if err != nil {
		t.Fatal(err)
	}
	if *sealed.Changes != (c1z.Changes{}) {
		t.Errorf("changes %+v, want none", *sealed.Changes)
	}
	f := open(t, path)
	if r, err := f.Resource(baton.ResourceID{Type: "user", ID: "u1"}); err != nil || r.DisplayName != "Ann" {
		t.Errorf("got %q, %v: the first row does not hold", r.DisplayName, err)
	}
	if g, err := f.Grant(again.ID.String()); err != nil || g.Metadata["since"] != nil {
		t.Errorf("got %+v, %v: the first row does not hold", g, err)
	}
	if diff := cmp.Diff([]string{"3", "3"}, query(t, path, `select count(*) from v1_resources group by sync_id`)); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestKeepSyncs(t *testing.T) {
	ids := func(t *testing.T, path string) (out []string) {
		for _, s := range open(t, path).Syncs() {
			out = append(out, s.ID)
		}
		for _, table := range []string{"v1_resource_types", "v1_resources", "v1_entitlements", "v1_grants"} {
			if diff := cmp.Diff(out, query(t, path, `select distinct sync_id from `+table+` order by id`)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", table, diff)
			}
		}
		return out
	}
	of := func(id, kind string, keep int) c1z.Options {
		return c1z.Options{SyncID: id, SyncType: kind, Started: started, KeepSyncs: keep}
	}
	tests := map[string]struct {
		syncs []c1z.Options
		want  []string
	}{
		"two by default":          {[]c1z.Options{full(first), full(second), full(third)}, []string{second, third}},
		"one":                     {[]c1z.Options{full(first), full(second), of(third, c1z.Full, 1)}, []string{third}},
		"three":                   {[]c1z.Options{full(first), full(second), of(third, c1z.Full, 3)}, []string{first, second, third}},
		"partial beside two full": {[]c1z.Options{full(first), full(second), of(third, c1z.Partial, 2)}, []string{first, second, third}},
		"partial superseded":      {[]c1z.Options{full(first), of(second, c1z.Partial, 0), full(third)}, []string{first, third}},
		"same id sealed again":    {[]c1z.Options{full(first), full(second), full(second)}, []string{first, second}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sync.c1z")
			for _, opt := range test.syncs {
				write(t, path, opt, smallSync())
			}
			if diff := cmp.Diff(test.want, ids(t, path)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := query(t, path, "pragma integrity_check"); got[0] != "ok" {
				t.Errorf("integrity: %s", got)
			}
		})
	}
}

func TestPartial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	partial := func(id string) c1z.Options {
		return c1z.Options{SyncID: id, SyncType: c1z.Partial, Started: started}
	}
	some := []c1z.Row{row(c1z.ResourceTypeRow(userType)), row(c1z.ResourceRow(account("u7", "Zoe")))}
	zoe := baton.ResourceID{Type: "user", ID: "u7"}

	write(t, path, partial(first), some)
	if _, err := open(t, path).Resource(zoe); err != nil {
		t.Errorf("with nothing else in the file, a partial sync is what it shows: %v", err)
	}
	write(t, path, full(second), smallSync())
	sealed := write(t, path, partial(third), some)
	if sealed.Changes != nil {
		t.Errorf("a partial sync has changes: %+v", sealed.Changes)
	}
	f := open(t, path)
	if _, err := f.Resource(zoe); baton.KindOf(err) != baton.NotFound {
		t.Errorf("the partial sync is shown beside a full one: %v", err)
	}
	syncs := f.Syncs()
	if last := syncs[len(syncs)-1]; last.Type != c1z.Partial || last.ParentID != second {
		t.Errorf("the partial sync is %+v", last)
	}
}

func TestCreateRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	for name, opt := range map[string]c1z.Options{
		"no sync id":   {SyncType: c1z.Full},
		"not a KSUID":  {SyncID: "'; drop table v1_grants; --", SyncType: c1z.Full},
		"no type":      {SyncID: first},
		"foreign type": {SyncID: first, SyncType: "partial_upserts"},
	} {
		if _, err := c1z.Create(path, opt); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAbort: whoever gives up leaves the directory as it was.
func TestAbort(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	write(t, path, full(first), smallSync())
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := create(t, path, full(second), smallSync())
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Add(smallSync()[0]); baton.KindOf(err) != baton.Internal {
		t.Errorf("a row was added after the end: %v", err)
	}
	unchanged(t, path, before)
}

func TestCanceled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	write(t, path, full(first), smallSync())
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = create(t, path, full(second), smallSync()).Seal(ctx, ended(second))
	if baton.KindOf(err) != baton.Canceled || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	unchanged(t, path, before)
}

// unchanged: the file has these bytes and is alone in its directory.
func unchanged(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != string(want) {
		t.Errorf("the file was touched (%v)", err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// TestLeftOver: what a killed process left beside the file does no harm.
func TestLeftOver(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	if err := os.WriteFile(path+".tmp", []byte("half a file"), 0o400); err != nil {
		t.Fatal(err)
	}
	write(t, path, full(first), smallSync())
	checkSmallSync(t, open(t, path))
	if _, err := os.Stat(path + ".tmp"); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestScratchDirectory: nothing but the result appears beside the file.
func TestScratchDirectory(t *testing.T) {
	dir, tmp := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	for _, id := range []string{first, second} {
		opt := full(id)
		opt.TempDir = tmp
		w := create(t, path, opt, smallSync())
		if names, _ := filepath.Glob(filepath.Join(dir, ".*")); len(names) > 0 {
			t.Errorf("beside the file: %v", names)
		}
		if _, err := w.Seal(context.Background(), ended(id)); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := os.ReadDir(tmp); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// TestOlderFile: syncs of an older writer are carried over, with what they have.
func TestOlderFile(t *testing.T) {
	for _, name := range []string{"scim-v1.c1z", "percipio-v1.c1z"} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(recorded(t, name))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "sync.c1z")
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			const all = `select external_id, data from v1_resources where sync_id <> '` + first + `' union all
				select external_id, data from v1_grants where sync_id <> '` + first + `' order by 1`
			before := query(t, path, all)
			sealed := write(t, path, full(first), smallSync())
			if diff := cmp.Diff(before, query(t, path, all)); diff != "" || len(before) == 0 {
				t.Errorf("%d rows (-want +got):\n%s", len(before), diff)
			}
			if c := sealed.Changes; c == nil || c.Resources.Created != 3 || c.Resources.Deleted == 0 || c.Grants.Deleted == 0 {
				t.Errorf("changes %+v", c)
			}
			if got := query(t, path, "pragma integrity_check"); got[0] != "ok" {
				t.Errorf("integrity: %s", got)
			}
		})
	}
}
