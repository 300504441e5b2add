package writer_test

import (
	"baton/c1z/internal/fixture"
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
	sealed := fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if sealed.Changes != nil || sealed.Size != info.Size() || info.Mode().Perm() != 0o600 {
		t.Errorf("sealed %+v; the file has %d bytes, mode %v", sealed, info.Size(), info.Mode())
	}
	f := fixture.Latest(t, path)
	fixture.CheckSmallSync(t, f.Facts(t.Context()))

	want := []c1z.Count{{Type: "group", Resources: 1, Entitlements: 1, Grants: 2}, {Type: "user", Resources: 2}}
	if got, err := f.Counts(t.Context()); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("counts %v, %v", got, err)
	}
	types := fixture.All(t, f.ResourceTypes(t.Context()))
	if diff := cmp.Diff([]baton.ResourceType{fixture.GroupType, fixture.UserType}, types); diff != "" {
		t.Errorf("resource types (-want +got):\n%s", diff)
	}
	wantInfo := c1z.SyncInfo{ID: fixture.First, Type: c1z.Full, Started: fixture.Started, Ended: fixture.Ended(fixture.First)}
	if diff := cmp.Diff(wantInfo, f.SyncInfo); diff != "" {
		t.Errorf("sync (-want +got):\n%s", diff)
	}
	ann, err := f.Resource(t.Context(), baton.ResourceID{Type: "user", ID: "u1"})
	if diff := cmp.Diff(c1z.Resource{Resource: fixture.Account("u1", "Ann"), Annotations: []string{"UserTrait"}}, ann); err != nil || diff != "" {
		t.Errorf("resource: %v (-want +got):\n%s", err, diff)
	}
	e, err := f.Entitlement(t.Context(), "group:g1:member")
	if diff := cmp.Diff(c1z.Entitlement{ID: "group:g1:member", Resource: fixture.Admins.ID, ResourceName: "Admins", Slug: "member",
		DisplayName: "Admins member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, e); err != nil || diff != "" {
		t.Errorf("entitlement: %v (-want +got):\n%s", err, diff)
	}
	g, err := f.Grant(t.Context(), "group:g1:member:user:u1")
	if diff := cmp.Diff(c1z.Grant{ID: "group:g1:member:user:u1", Entitlement: "group:g1:member", Resource: fixture.Admins.ID,
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
	fixture.Write(t, path, fixture.Full(fixture.First), append(fixture.SmallSync(), fixture.Row(writer.ResourceRow(fixture.Account("u9", "Old")))))
	w := fixture.Create(t, path, fixture.Full(fixture.Second), fixture.SmallSync())
	fixture.CheckSmallSync(t, w) // the removed account is not in the new sync
	if err := w.Add(fixture.Row(writer.ResourceRow(fixture.Account("u3", "Late")))); baton.KindOf(err) != baton.Internal {
		t.Errorf("a row was added after the review: %v", err)
	}
	stop := baton.Errorf(baton.Refused, "stop")
	if err := w.Resources("user", func(baton.Resource) error { return stop }); err != stop {
		t.Errorf("the caller's error came back as %v", err)
	}
	if _, err := w.Seal(context.Background(), fixture.Ended(fixture.Second)); err != nil {
		t.Fatal(err)
	}
	fixture.CheckSmallSync(t, fixture.Latest(t, path).Facts(t.Context()))
	if _, err := w.Seal(context.Background(), fixture.Ended(fixture.Second)); baton.KindOf(err) != baton.Internal {
		t.Errorf("sealed twice: %v", err)
	}
}

// TestDeterministic: the same facts give the same bytes and no changes.
func TestDeterministic(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.c1z"), filepath.Join(dir, "b.c1z")
	fixture.Write(t, a, fixture.Full(fixture.First), fixture.SmallSync())
	fixture.Write(t, b, fixture.Full(fixture.First), fixture.SmallSync())
	if fixture.Dump(t, a) != fixture.Dump(t, b) {
		t.Error("two files with the same facts differ")
	}
	sealed := fixture.Write(t, a, fixture.Full(fixture.Second), fixture.SmallSync())
	if sealed.Changes == nil || *sealed.Changes != (writer.Changes{}) {
		t.Errorf("changes %+v", sealed.Changes)
	}
}

func TestChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	rows := fixture.SmallSync()
	rows[2] = fixture.Row(writer.ResourceRow(fixture.Account("u1", "Anna")))           // renamed
	rows[3] = fixture.Row(writer.ResourceRow(fixture.Account("u3", "Cid")))            // u2 removed, u3 added
	rows[7] = fixture.Row(writer.GrantRow(fixture.Membership("u3")))                   // the same for grants
	rows = append(rows, fixture.Row(writer.ResourceRow(fixture.Account("u4", "Dee")))) // added
	opt := fixture.Full(fixture.Second)
	opt.KeepSyncs = 1 // the previous sync is compared even if it is not kept
	sealed := fixture.Write(t, path, opt, rows)
	want := writer.Changes{
		Resources: writer.Change{Created: 2, Deleted: 1, Modified: 1},
		Grants:    writer.Change{Created: 1, Deleted: 1},
	}
	if sealed.Changes == nil || *sealed.Changes != want {
		t.Errorf("changes %+v, want %+v", sealed.Changes, want)
	}
	if got := len(fixture.Open(t, path).Syncs()); got != 1 {
		t.Errorf("%d syncs in the file", got)
	}
}

func TestRepeatedRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	w := fixture.Create(t, path, fixture.Full(fixture.Second), fixture.SmallSync())
	again := fixture.Membership("u1")
	again.Metadata = baton.Profile{"since": "now"}
	for _, r := range []writer.Row{
		fixture.Row(writer.ResourceRow(fixture.Account("u1", "Annie"))), fixture.Row(writer.GrantRow(again)), fixture.Row(writer.ResourceRow(fixture.Account("u1", "Anna"))),
	} {
		if err := w.Add(r); err != nil {
			t.Errorf("%s: %v", r.ID(), err)
		}
	}
	summary, err := w.Sort(context.Background())
	if want := (c1z.Count{Type: "user", Resources: 2}); err != nil || *summary.Counts["user"] != want {
		t.Errorf("counts %+v, %v", summary.Counts["user"], err)
	}
	sealed, err := w.Seal(context.Background(), fixture.Ended(fixture.Second))
	if err != nil {
		t.Fatal(err)
	}
	if *sealed.Changes != (writer.Changes{}) {
		t.Errorf("changes %+v, want none", *sealed.Changes)
	}
	f := fixture.Latest(t, path)
	if r, err := f.Resource(t.Context(), baton.ResourceID{Type: "user", ID: "u1"}); err != nil || r.DisplayName != "Ann" {
		t.Errorf("got %q, %v: the first row does not hold", r.DisplayName, err)
	}
	if g, err := f.Grant(t.Context(), again.ID.String()); err != nil || g.Metadata["since"] != nil {
		t.Errorf("got %+v, %v: the first row does not hold", g, err)
	}
	if diff := cmp.Diff([]string{"3", "3"}, fixture.Query(t, path, `select count(*) from v1_resources group by sync_id`)); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestKeepSyncs(t *testing.T) {
	ids := func(t *testing.T, path string) (out []string) {
		for _, s := range fixture.Open(t, path).Syncs() {
			out = append(out, s.ID)
		}
		for _, table := range []string{"v1_resource_types", "v1_resources", "v1_entitlements", "v1_grants"} {
			if diff := cmp.Diff(out, fixture.Query(t, path, `select distinct sync_id from `+table+` order by id`)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", table, diff)
			}
		}
		return out
	}
	of := func(id, kind string, keep int) writer.Options {
		return writer.Options{SyncID: id, SyncType: kind, Started: fixture.Started, KeepSyncs: keep}
	}
	tests := map[string]struct {
		syncs []writer.Options
		want  []string
	}{
		"two by default":          {[]writer.Options{fixture.Full(fixture.First), fixture.Full(fixture.Second), fixture.Full(fixture.Third)}, []string{fixture.Second, fixture.Third}},
		"one":                     {[]writer.Options{fixture.Full(fixture.First), fixture.Full(fixture.Second), of(fixture.Third, c1z.Full, 1)}, []string{fixture.Third}},
		"three":                   {[]writer.Options{fixture.Full(fixture.First), fixture.Full(fixture.Second), of(fixture.Third, c1z.Full, 3)}, []string{fixture.First, fixture.Second, fixture.Third}},
		"partial beside two full": {[]writer.Options{fixture.Full(fixture.First), fixture.Full(fixture.Second), of(fixture.Third, c1z.Partial, 2)}, []string{fixture.First, fixture.Second, fixture.Third}},
		"partial superseded":      {[]writer.Options{fixture.Full(fixture.First), of(fixture.Second, c1z.Partial, 0), fixture.Full(fixture.Third)}, []string{fixture.First, fixture.Third}},
		"same id sealed again":    {[]writer.Options{fixture.Full(fixture.First), fixture.Full(fixture.Second), fixture.Full(fixture.Second)}, []string{fixture.First, fixture.Second}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sync.c1z")
			for _, opt := range test.syncs {
				fixture.Write(t, path, opt, fixture.SmallSync())
			}
			if diff := cmp.Diff(test.want, ids(t, path)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := fixture.Query(t, path, "pragma integrity_check"); got[0] != "ok" {
				t.Errorf("integrity: %s", got)
			}
		})
	}
}

func TestPartial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	partial := func(id string) writer.Options {
		return writer.Options{SyncID: id, SyncType: c1z.Partial, Started: fixture.Started}
	}
	some := []writer.Row{fixture.Row(writer.ResourceTypeRow(fixture.UserType)), fixture.Row(writer.ResourceRow(fixture.Account("u7", "Zoe")))}
	zoe := baton.ResourceID{Type: "user", ID: "u7"}

	fixture.Write(t, path, partial(fixture.First), some)
	if _, err := fixture.Latest(t, path).Resource(t.Context(), zoe); err != nil {
		t.Errorf("the only sync in the file is not shown: %v", err)
	}
	fixture.Write(t, path, fixture.Full(fixture.Second), fixture.SmallSync())
	sealed := fixture.Write(t, path, partial(fixture.Third), some)
	if sealed.Changes != nil {
		t.Errorf("a partial sync has changes: %+v", sealed.Changes)
	}
	f := fixture.Open(t, path)
	if _, err := fixture.Latest(t, path).Resource(t.Context(), zoe); baton.KindOf(err) != baton.NotFound {
		t.Errorf("the partial sync is shown beside a full one: %v", err)
	}
	syncs := f.Syncs()
	if last := syncs[len(syncs)-1]; last.Type != c1z.Partial || last.ParentID != fixture.Second {
		t.Errorf("the partial sync is %+v", last)
	}
}

func TestCreateRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	for name, opt := range map[string]writer.Options{
		"no sync id":   {SyncType: c1z.Full},
		"not a KSUID":  {SyncID: "'; drop table v1_grants; --", SyncType: c1z.Full},
		"no type":      {SyncID: fixture.First},
		"foreign type": {SyncID: fixture.First, SyncType: "partial_upserts"},
	} {
		if _, err := writer.Create(path, opt); baton.KindOf(err) != baton.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAbort: after Abort the directory is unchanged.
func TestAbort(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := fixture.Create(t, path, fixture.Full(fixture.Second), fixture.SmallSync())
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Add(fixture.SmallSync()[0]); baton.KindOf(err) != baton.Internal {
		t.Errorf("a row was added after the end: %v", err)
	}
	unchanged(t, path, before)
}

func TestCanceled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = fixture.Create(t, path, fixture.Full(fixture.Second), fixture.SmallSync()).Seal(ctx, fixture.Ended(fixture.Second))
	if baton.KindOf(err) != baton.Canceled || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	unchanged(t, path, before)
}

// unchanged checks that the file has these bytes and is alone in its directory.
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

// TestLeftOver: files that a killed process left do not affect the next sync.
func TestLeftOver(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	if err := os.WriteFile(path+".tmp", []byte("half a file"), 0o400); err != nil {
		t.Fatal(err)
	}
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	fixture.CheckSmallSync(t, fixture.Latest(t, path).Facts(t.Context()))
	if _, err := os.Stat(path + ".tmp"); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestScratchDirectory: only the result appears beside the file.
func TestScratchDirectory(t *testing.T) {
	dir, tmp := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	for _, id := range []string{fixture.First, fixture.Second} {
		opt := fixture.Full(id)
		opt.TempDir = tmp
		w := fixture.Create(t, path, opt, fixture.SmallSync())
		if names, _ := filepath.Glob(filepath.Join(dir, ".*")); len(names) > 0 {
			t.Errorf("beside the file: %v", names)
		}
		if _, err := w.Seal(context.Background(), fixture.Ended(id)); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := os.ReadDir(tmp); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// TestOlderFile: syncs of an older writer are carried over with all their columns.
func TestOlderFile(t *testing.T) {
	for _, name := range []string{"scim-v1.c1z", "percipio-v1.c1z"} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(fixture.Recorded(t, name))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "sync.c1z")
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			const all = `select external_id, data from v1_resources where sync_id <> '` + fixture.First + `' union all
				select external_id, data from v1_grants where sync_id <> '` + fixture.First + `' order by 1`
			before := fixture.Query(t, path, all)
			sealed := fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
			if diff := cmp.Diff(before, fixture.Query(t, path, all)); diff != "" || len(before) == 0 {
				t.Errorf("%d rows (-want +got):\n%s", len(before), diff)
			}
			if c := sealed.Changes; c == nil || c.Resources.Created != 3 || c.Resources.Deleted == 0 || c.Grants.Deleted == 0 {
				t.Errorf("changes %+v", c)
			}
			if got := fixture.Query(t, path, "pragma integrity_check"); got[0] != "ok" {
				t.Errorf("integrity: %s", got)
			}
		})
	}
}
