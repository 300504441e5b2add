package writer_test

import (
	"baton/c1z/internal/c1ztest"
	"baton/c1z/writer"
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
	sealed := c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if sealed.Changes != nil || sealed.Size != info.Size() || info.Mode().Perm() != 0o600 {
		t.Errorf("sealed %+v; the file has %d bytes, mode %v", sealed, info.Size(), info.Mode())
	}
	f := c1ztest.Latest(t, path)
	c1ztest.CheckSmallSync(t, f.Facts(t.Context()))

	want := []c1z.Count{{Type: "group", Resources: 1, Entitlements: 1, Grants: 2}, {Type: "user", Resources: 2}}
	if got, err := f.Counts(t.Context()); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("counts %v, %v", got, err)
	}
	types := c1ztest.All(t, f.ResourceTypes(t.Context()))
	if diff := cmp.Diff([]baton.ResourceType{c1ztest.GroupType, c1ztest.UserType}, types); diff != "" {
		t.Errorf("resource types (-want +got):\n%s", diff)
	}
	wantInfo := c1z.SyncInfo{ID: c1ztest.First, Type: c1z.Full, Started: c1ztest.Started, Ended: c1ztest.Ended(c1ztest.First)}
	if diff := cmp.Diff(wantInfo, f.SyncInfo); diff != "" {
		t.Errorf("sync (-want +got):\n%s", diff)
	}
	ann, err := f.Resource(t.Context(), baton.ResourceID{Type: "user", ID: "u1"})
	if diff := cmp.Diff(c1z.Resource{Resource: c1ztest.Account("u1", "Ann"), Annotations: []string{"UserTrait"}}, ann); err != nil || diff != "" {
		t.Errorf("resource: %v (-want +got):\n%s", err, diff)
	}
	e, err := f.Entitlement(t.Context(), "group:g1:member")
	if diff := cmp.Diff(c1z.Entitlement{ID: "group:g1:member", Resource: c1ztest.Admins.ID, ResourceName: "Admins", Slug: "member",
		DisplayName: "Admins member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, e); err != nil || diff != "" {
		t.Errorf("entitlement: %v (-want +got):\n%s", err, diff)
	}
	g, err := f.Grant(t.Context(), "group:g1:member:user:u1")
	if diff := cmp.Diff(c1z.Grant{ID: "group:g1:member:user:u1", Entitlement: "group:g1:member", Resource: c1ztest.Admins.ID,
		ResourceName: "Admins", Principal: ann.ID}, g); err != nil || diff != "" {
		t.Errorf("grant: %v (-want +got):\n%s", err, diff)
	}
	for what, err := range map[string]error{
		"resource":    errorOf(f.Resource(t.Context(), baton.ResourceID{Type: "user", ID: "nobody"})),
		"entitlement": errorOf(f.Entitlement(t.Context(), "group:g1:owner")),
		"grant":       errorOf(f.Grant(t.Context(), "group:g1:member:user:nobody")),
	} {
		if baton.KindOf(err) != baton.NotFound || !strings.Contains(err.Error(), path) || baton.FixOf(err) == "" {
			t.Errorf("unknown %s: %v", what, err)
		}
	}
}

func errorOf[T any](_ T, err error) error { return err }

func TestReviewBeforeSeal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), append(c1ztest.SmallSync(), c1ztest.Row(writer.ResourceRow(c1ztest.Account("u9", "Old")))))
	w := c1ztest.Create(t, path, c1ztest.Full(c1ztest.Second), c1ztest.SmallSync())
	c1ztest.CheckSmallSync(t, w) // the old account is not among the new rows
	if err := w.Add(c1ztest.Row(writer.ResourceRow(c1ztest.Account("u3", "Late")))); baton.KindOf(err) != baton.Internal {
		t.Errorf("a row was added after the review: %v", err)
	}
	stop := baton.Errorf(baton.Refused, "stop")
	if err := w.Resources("user", func(baton.Resource) error { return stop }); err != stop {
		t.Errorf("the caller's error came back as %v", err)
	}
	if _, err := w.Seal(context.Background(), c1ztest.Ended(c1ztest.Second)); err != nil {
		t.Fatal(err)
	}
	c1ztest.CheckSmallSync(t, c1ztest.Latest(t, path).Facts(t.Context()))
	if _, err := w.Seal(context.Background(), c1ztest.Ended(c1ztest.Second)); baton.KindOf(err) != baton.Internal {
		t.Errorf("sealed twice: %v", err)
	}
}

// TestDeterministic: the same facts are the same bytes and no change.
func TestDeterministic(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.c1z"), filepath.Join(dir, "b.c1z")
	c1ztest.Write(t, a, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
	c1ztest.Write(t, b, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
	if c1ztest.Dump(t, a) != c1ztest.Dump(t, b) {
		t.Error("two files with the same facts differ")
	}
	sealed := c1ztest.Write(t, a, c1ztest.Full(c1ztest.Second), c1ztest.SmallSync())
	if sealed.Changes == nil || *sealed.Changes != (writer.Changes{}) {
		t.Errorf("changes %+v", sealed.Changes)
	}
}

func TestChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
	rows := c1ztest.SmallSync()
	rows[2] = c1ztest.Row(writer.ResourceRow(c1ztest.Account("u1", "Anna")))           // renamed
	rows[3] = c1ztest.Row(writer.ResourceRow(c1ztest.Account("u3", "Cid")))            // u2 left, u3 came
	rows[7] = c1ztest.Row(writer.GrantRow(c1ztest.Membership("u3")))                   // likewise
	rows = append(rows, c1ztest.Row(writer.ResourceRow(c1ztest.Account("u4", "Dee")))) // came
	opt := c1ztest.Full(c1ztest.Second)
	opt.KeepSyncs = 1 // compared also when the sync before is not kept
	sealed := c1ztest.Write(t, path, opt, rows)
	want := writer.Changes{
		Resources: writer.Change{Created: 2, Deleted: 1, Modified: 1},
		Grants:    writer.Change{Created: 1, Deleted: 1},
	}
	if sealed.Changes == nil || *sealed.Changes != want {
		t.Errorf("changes %+v, want %+v", sealed.Changes, want)
	}
	if got := len(c1ztest.Open(t, path).Syncs()); got != 1 {
		t.Errorf("%d syncs in the file", got)
	}
}

func TestRepeatedRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
	w := c1ztest.Create(t, path, c1ztest.Full(c1ztest.Second), c1ztest.SmallSync())
	again := c1ztest.Membership("u1")
	again.Metadata = baton.Profile{"since": "now"}
	for _, r := range []writer.Row{
		c1ztest.Row(writer.ResourceRow(c1ztest.Account("u1", "Annie"))), c1ztest.Row(writer.GrantRow(again)), c1ztest.Row(writer.ResourceRow(c1ztest.Account("u1", "Anna"))),
	} {
		if err := w.Add(r); err != nil {
			t.Errorf("%s: %v", r.ID(), err)
		}
	}
	summary, err := w.Sort(context.Background())
	if want := (c1z.Count{Type: "user", Resources: 2}); err != nil || *summary.Counts["user"] != want {
		t.Errorf("counts %+v, %v", summary.Counts["user"], err)
	}
	sealed, err := w.Seal(context.Background(), c1ztest.Ended(c1ztest.Second))
	if err != nil {
		t.Fatal(err)
	}
	if *sealed.Changes != (writer.Changes{}) {
		t.Errorf("changes %+v, want none", *sealed.Changes)
	}
	f := c1ztest.Latest(t, path)
	if r, err := f.Resource(t.Context(), baton.ResourceID{Type: "user", ID: "u1"}); err != nil || r.DisplayName != "Ann" {
		t.Errorf("got %q, %v: the first row does not hold", r.DisplayName, err)
	}
	if g, err := f.Grant(t.Context(), again.ID.String()); err != nil || g.Metadata["since"] != nil {
		t.Errorf("got %+v, %v: the first row does not hold", g, err)
	}
	if diff := cmp.Diff([]string{"3", "3"}, c1ztest.Query(t, path, `select count(*) from v1_resources group by sync_id`)); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestKeepSyncs(t *testing.T) {
	ids := func(t *testing.T, path string) (out []string) {
		for _, s := range c1ztest.Open(t, path).Syncs() {
			out = append(out, s.ID)
		}
		for _, table := range []string{"v1_resource_types", "v1_resources", "v1_entitlements", "v1_grants"} {
			if diff := cmp.Diff(out, c1ztest.Query(t, path, `select distinct sync_id from `+table+` order by id`)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", table, diff)
			}
		}
		return out
	}
	of := func(id, kind string, keep int) writer.Options {
		return writer.Options{SyncID: id, SyncType: kind, Started: c1ztest.Started, KeepSyncs: keep}
	}
	tests := map[string]struct {
		syncs []writer.Options
		want  []string
	}{
		"two by default":          {[]writer.Options{c1ztest.Full(c1ztest.First), c1ztest.Full(c1ztest.Second), c1ztest.Full(c1ztest.Third)}, []string{c1ztest.Second, c1ztest.Third}},
		"one":                     {[]writer.Options{c1ztest.Full(c1ztest.First), c1ztest.Full(c1ztest.Second), of(c1ztest.Third, c1z.Full, 1)}, []string{c1ztest.Third}},
		"three":                   {[]writer.Options{c1ztest.Full(c1ztest.First), c1ztest.Full(c1ztest.Second), of(c1ztest.Third, c1z.Full, 3)}, []string{c1ztest.First, c1ztest.Second, c1ztest.Third}},
		"partial beside two full": {[]writer.Options{c1ztest.Full(c1ztest.First), c1ztest.Full(c1ztest.Second), of(c1ztest.Third, c1z.Partial, 2)}, []string{c1ztest.First, c1ztest.Second, c1ztest.Third}},
		"partial superseded":      {[]writer.Options{c1ztest.Full(c1ztest.First), of(c1ztest.Second, c1z.Partial, 0), c1ztest.Full(c1ztest.Third)}, []string{c1ztest.First, c1ztest.Third}},
		"same id sealed again":    {[]writer.Options{c1ztest.Full(c1ztest.First), c1ztest.Full(c1ztest.Second), c1ztest.Full(c1ztest.Second)}, []string{c1ztest.First, c1ztest.Second}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sync.c1z")
			for _, opt := range test.syncs {
				c1ztest.Write(t, path, opt, c1ztest.SmallSync())
			}
			if diff := cmp.Diff(test.want, ids(t, path)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := c1ztest.Query(t, path, "pragma integrity_check"); got[0] != "ok" {
				t.Errorf("integrity: %s", got)
			}
		})
	}
}

func TestPartial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	partial := func(id string) writer.Options {
		return writer.Options{SyncID: id, SyncType: c1z.Partial, Started: c1ztest.Started}
	}
	some := []writer.Row{c1ztest.Row(writer.ResourceTypeRow(c1ztest.UserType)), c1ztest.Row(writer.ResourceRow(c1ztest.Account("u7", "Zoe")))}
	zoe := baton.ResourceID{Type: "user", ID: "u7"}

	c1ztest.Write(t, path, partial(c1ztest.First), some)
	if _, err := c1ztest.Latest(t, path).Resource(t.Context(), zoe); err != nil {
		t.Errorf("with nothing else in the file, a partial sync is what it shows: %v", err)
	}
	c1ztest.Write(t, path, c1ztest.Full(c1ztest.Second), c1ztest.SmallSync())
	sealed := c1ztest.Write(t, path, partial(c1ztest.Third), some)
	if sealed.Changes != nil {
		t.Errorf("a partial sync has changes: %+v", sealed.Changes)
	}
	f := c1ztest.Open(t, path)
	if _, err := c1ztest.Latest(t, path).Resource(t.Context(), zoe); baton.KindOf(err) != baton.NotFound {
		t.Errorf("the partial sync is shown beside a full one: %v", err)
	}
	syncs := f.Syncs()
	if last := syncs[len(syncs)-1]; last.Type != c1z.Partial || last.ParentID != c1ztest.Second {
		t.Errorf("the partial sync is %+v", last)
	}
}

func TestCreateRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	for name, opt := range map[string]writer.Options{
		"no sync id":   {SyncType: c1z.Full},
		"not a KSUID":  {SyncID: "'; drop table v1_grants; --", SyncType: c1z.Full},
		"no type":      {SyncID: c1ztest.First},
		"foreign type": {SyncID: c1ztest.First, SyncType: "partial_upserts"},
	} {
		if _, err := writer.Create(path, opt); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAbort: whoever gives up leaves the directory as it was.
func TestAbort(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := c1ztest.Create(t, path, c1ztest.Full(c1ztest.Second), c1ztest.SmallSync())
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Add(c1ztest.SmallSync()[0]); baton.KindOf(err) != baton.Internal {
		t.Errorf("a row was added after the end: %v", err)
	}
	unchanged(t, path, before)
}

func TestCanceled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = c1ztest.Create(t, path, c1ztest.Full(c1ztest.Second), c1ztest.SmallSync()).Seal(ctx, c1ztest.Ended(c1ztest.Second))
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
	c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
	c1ztest.CheckSmallSync(t, c1ztest.Latest(t, path).Facts(t.Context()))
	if _, err := os.Stat(path + ".tmp"); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestScratchDirectory: nothing but the result appears beside the file.
func TestScratchDirectory(t *testing.T) {
	dir, tmp := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	for _, id := range []string{c1ztest.First, c1ztest.Second} {
		opt := c1ztest.Full(id)
		opt.TempDir = tmp
		w := c1ztest.Create(t, path, opt, c1ztest.SmallSync())
		if names, _ := filepath.Glob(filepath.Join(dir, ".*")); len(names) > 0 {
			t.Errorf("beside the file: %v", names)
		}
		if _, err := w.Seal(context.Background(), c1ztest.Ended(id)); err != nil {
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
			b, err := os.ReadFile(c1ztest.Recorded(t, name))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "sync.c1z")
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			const all = `select external_id, data from v1_resources where sync_id <> '` + c1ztest.First + `' union all
				select external_id, data from v1_grants where sync_id <> '` + c1ztest.First + `' order by 1`
			before := c1ztest.Query(t, path, all)
			sealed := c1ztest.Write(t, path, c1ztest.Full(c1ztest.First), c1ztest.SmallSync())
			if diff := cmp.Diff(before, c1ztest.Query(t, path, all)); diff != "" || len(before) == 0 {
				t.Errorf("%d rows (-want +got):\n%s", len(before), diff)
			}
			if c := sealed.Changes; c == nil || c.Resources.Created != 3 || c.Resources.Deleted == 0 || c.Grants.Deleted == 0 {
				t.Errorf("changes %+v", c)
			}
			if got := c1ztest.Query(t, path, "pragma integrity_check"); got[0] != "ok" {
				t.Errorf("integrity: %s", got)
			}
		})
	}
}
