package facts_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton"
	"baton/c1z"
	"baton/c1z/facts"
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
)

func factsOf(t *testing.T, path string) string {
	t.Helper()
	var out bytes.Buffer
	if err := facts.WriteFile(t.Context(), &out, fixture.Open(t, path), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestRecorded reads files of official programs of several releases, and compares their facts with the output
// of the official programs. Files of another storage engine are refused, and the error names the engine.
func TestRecorded(t *testing.T) {
	for _, dir := range []string{"c1z-forms", "c1z-v3"} {
		files, err := filepath.Glob(filepath.Join(fixture.Recorded(t, dir), "*.c1z"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s (%v)", dir, err)
		}
		for _, path := range files {
			t.Run(filepath.Base(path), func(t *testing.T) { recorded(t, path) })
		}
	}
}

func recorded(t *testing.T, path string) {
	head := make([]byte, 4)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Read(head); err != nil {
		t.Fatal(err)
	}
	if string(head) == "C1Z3" {
		_, err := c1z.Open(t.Context(), path)
		var engine *c1z.EngineError
		if !errors.As(err, &engine) || engine.Version != 3 || !strings.HasPrefix(engine.Engine, "pebble") || baton.KindOf(err) != baton.Unsupported {
			t.Errorf("%v (%+v)", err, engine)
		}
		return
	}
	name, _ := strings.CutSuffix(strings.TrimSuffix(path, ".c1z"), ".v1")
	checkGrantRows(t, path)
	want, err := os.ReadFile(name + ".facts")
	if err != nil {
		t.Fatal(err)
	}
	text := string(want)
	if strings.HasSuffix(name, "odd") {
		// The facts are those of the converted file, which keeps the content of the column expansion among
		// the annotations.
		text = strings.Replace(text, "\tGrantExpandable\t", "\t\t", 1)
	}
	if diff := cmp.Diff(text, factsOf(t, path)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// slim replaces the messages of grants by messages with only an id.
const slim = `update v1_grants set data = cast(x'1a' || char(length(external_id)) || external_id as blob)`

// TestForms writes one sync in the forms of other programs, existing or possible. Its facts are always the
// same.
func TestForms(t *testing.T) {
	want := "sync\t" + fixture.First + "\tfull\tfinished\n" +
		"entitlement\tgroup:g1:member\tgroup/g1\tAdmins member\tmember\tASSIGNMENT\tuser\n" +
		"grant\tgroup:g1:member:user:u1\tgroup:g1:member\tgroup/g1\tuser/u1\t\t\n" +
		"grant\tgroup:g1:member:user:u2\tgroup:g1:member\tgroup/g1\tuser/u2\tGrantMetadata\t\n" +
		"resource\tgroup/g1\tAdmins\torg/o1\tGroupTrait\n" +
		"resource\tuser/u1\tAnn\t\tUserTrait\n" +
		"resource\tuser/u2\tBob\t\tUserTrait\n" +
		"type\tgroup\tGroup\tGROUP\n" +
		"type\tuser\tUser\tUSER\n"
	withoutMetadata := strings.Replace(want, "GrantMetadata", "", 1)
	without := func(prefix string) string {
		var kept strings.Builder
		for line := range strings.Lines(want) {
			if !strings.HasPrefix(line, prefix) {
				kept.WriteString(line)
			}
		}
		return kept.String()
	}
	oldRuns := []string{`create table old as select id, sync_id, started_at, ended_at, sync_token from v1_sync_runs`, `drop table v1_sync_runs`, `alter table old rename to v1_sync_runs`}
	otherSync := func(columns, values string) string {
		return `insert into v1_sync_runs (sync_id, started_at, sync_token` + columns + `) values ('` + fixture.Second + `', '2024-03-02 10:00:00', ''` + values + `)`
	}
	for name, test := range map[string]struct {
		script []string
		want   string
	}{
		"as it is":               {nil, want},
		"no types of syncs":      {oldRuns, want},
		"no indexes":             {[]string{`drop index idx_grants_external_sync_v1`, `drop index idx_sync_runs_sync_id_v1`, `drop index idx_resources_parent_resource_id_v1`}, want},
		"more indexes":           {[]string{`create index more on v1_grants (sync_id, discovered_at desc)`, `create unique index most on v1_grants (external_id collate nocase, sync_id) where sync_id > ''`}, want},
		"more tables":            {[]string{`create table v1_sessions (k text primary key, v blob) without rowid`, `insert into v1_sessions values ('a', x'00')`}, want},
		"a view and a trigger":   {[]string{`create view all_grants as select * from v1_grants`, `create trigger t after insert on v1_grants begin delete from v1_grants; end`}, want},
		"more columns":           {[]string{`alter table v1_grants add column more text not null default 'x'`, `alter table v1_sync_runs add column etag blob`}, want},
		"columns in front":       {[]string{`create table g as select 7 as extra, data, sync_id, external_id, entitlement_id, resource_type_id, resource_id, principal_resource_id, principal_resource_type_id, id from v1_grants`, `drop table v1_grants`, `alter table g rename to v1_grants`}, want},
		"no principal columns":   {[]string{`drop index idx_grants_principal_id_v1`, `drop index idx_grants_entitlement_id_principal_id_v1`, `alter table v1_grants drop column principal_resource_type_id`, `alter table v1_grants drop column principal_resource_id`}, want},
		"no expansion":           {[]string{`drop index idx_grants_sync_expansion_v1`, `drop index idx_grants_sync_needs_expansion_v1`, `alter table v1_grants drop column expansion`, `alter table v1_grants drop column needs_expansion`}, want},
		"no assets, no sessions": {[]string{`drop table v1_assets`, `drop table v1_connector_sessions`}, want},
		"no entitlements":        {[]string{`drop table v1_entitlements`}, without("entitlement\t")},
		"no grants":              {[]string{`drop table v1_grants`}, without("grant\t")},
		"small pages":            {[]string{`pragma page_size = 512`, `vacuum`}, want},
		"large pages":            {[]string{`pragma page_size = 65536`, `vacuum`}, want},
		"auto vacuum":            {[]string{`pragma auto_vacuum = full`, `vacuum`}, want},
		"a free list":            {[]string{`create table big as select zeroblob(100000) as b`, `drop table big`}, want},
		"text for data":          {[]string{`update v1_grants set data = cast(data as text)`}, want},
		"rows after a gap":       {[]string{`update v1_grants set id = id + 1000000`}, want},
		"an unfinished sync":     {[]string{otherSync("", "")}, want},
		"an empty end":           {[]string{otherSync(", ended_at", ", ''")}, want},
		"an unfinished partial":  {[]string{otherSync(", sync_type", ", 'partial'")}, want},
		"no type of a sync":      {append(oldRuns, `alter table v1_sync_runs add column sync_type text`), want},
		"times with a zone":      {[]string{`update v1_sync_runs set started_at = '2024-03-01T10:00:00Z', ended_at = '2024-03-01 13:00:00.5 +0200 CEST m=+4.5'`}, want},
		"times as numbers":       {[]string{`update v1_sync_runs set started_at = 1709287200, ended_at = 1709290800.5`}, want},
		"slim grants":            {[]string{slim}, withoutMetadata},
		"empty messages":         {[]string{`update v1_grants set data = x''`}, withoutMetadata},
		"overflow": {[]string{`update v1_grants set expansion = zeroblob(20000), data = cast(data || x'c23ea09c01' || cast(printf('%.*c', 20000, 'y') as blob) as blob)`,
			`update v1_resources set data = cast(data || x'c23ea09c01' || cast(printf('%.*c', 20000, 'y') as blob) as blob)`}, want},
		"free ids": {[]string{
			`update v1_entitlements set external_id = 'ent', data = cast(replace(cast(data as text), char(18, 15) || 'group:g1:member', char(18, 3) || 'ent') as blob)`,
			`update v1_grants set entitlement_id = 'ent', external_id = 'grant' || id`, `update v1_grants set data = x''`},
			strings.NewReplacer("\tgroup:g1:member\t", "\tent\t", "group:g1:member:user:u1", "grant1", "group:g1:member:user:u2", "grant2").Replace(withoutMetadata)},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sync.c1z")
			fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
			if err := os.WriteFile(path, fixture.Contain(t, fixture.Edited(t, path, test.script...)), 0o600); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, factsOf(t, path)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkGrantRows(t, path)
			if name == "columns in front" || name == "no principal columns" {
				return // a later sync needs all columns that each release has written
			}
			// A later sync keeps the rows unchanged.
			fixture.Write(t, path, fixture.Full(fixture.Second), fixture.SmallSync())
			s, err := fixture.Open(t, path).Sync(fixture.First)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := facts.Write(t.Context(), &out, s.SyncInfo, s, ""); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("carried over (-want +got):\n%s", diff)
			}
		})
	}
}

// checkGrantRows compares the undecoded grants of every sync in a file with the decoded ones.
func checkGrantRows(t *testing.T, path string) {
	t.Helper()
	for _, s := range fixture.Open(t, path).Syncs() {
		grants := fixture.All(t, s.Grants(t.Context()))
		n := 0
		for row, err := range s.GrantRows(t.Context()) {
			if err != nil || n == len(grants) {
				t.Fatalf("row %d of %d: %v", n, len(grants), err)
			}
			g := grants[n]
			n++
			if string(row.Entitlement) != g.Entitlement || string(row.PrincipalType) != g.Principal.Type || string(row.PrincipalID) != g.Principal.ID {
				t.Errorf("row %d connects %q and %q:%q, decoded it is %+v", n, row.Entitlement, row.PrincipalType, row.PrincipalID, g)
			}
			if row.Plain && (g.Expandable || len(g.Annotations)+len(g.Sources)+len(g.Metadata) > 0) {
				t.Errorf("row %d is plain, decoded it is %+v", n, g)
			}
			whole, err := row.Grant()
			if diff := cmp.Diff(g, whole); diff != "" || err != nil {
				t.Errorf("row %d: %v (-grant +row):\n%s", n, err, diff)
			}
		}
		if n != len(grants) {
			t.Errorf("%d rows of %d grants", n, len(grants))
		}
	}
}

// TestStated reads the row counts that a writer recorded.
func TestStated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	want := c1z.Totals{Resources: 3, Entitlements: 1, Grants: 2}
	if got, ok, err := fixture.Latest(t, path).Stated(t.Context()); got != want || !ok || err != nil {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	for _, script := range []string{`update v1_sync_runs set stats = null`, `update v1_sync_runs set stats = 'none'`, `alter table v1_sync_runs drop column stats`} {
		file := filepath.Join(t.TempDir(), "sync.c1z")
		if err := os.WriteFile(file, fixture.Contain(t, fixture.Edited(t, path, script)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := fixture.Latest(t, file).Stated(t.Context()); got != (c1z.Totals{}) || ok || err != nil {
			t.Errorf("%s: %+v, %v, %v", script, got, ok, err)
		}
	}
}

// TestExpandable reads the column into which official writers move the annotation.
func TestExpandable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	const expand = `update v1_grants set expansion = x'0a03656e74' where external_id like '%u1'`
	for name, script := range map[string][]string{"scanned": {expand}, "by the library": {expand, `pragma page_size = 512`, `vacuum`}} {
		file := filepath.Join(t.TempDir(), "sync.c1z")
		if err := os.WriteFile(file, fixture.Contain(t, fixture.Edited(t, path, script...)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, g := range fixture.All(t, fixture.Latest(t, file).Grants(t.Context())) {
			if want := g.Principal.ID == "u1"; g.Expandable != want {
				t.Errorf("%s: %s is expandable: %v", name, g.ID, g.Expandable)
			}
		}
		checkGrantRows(t, file)
	}
}

// TestWriteFileChooses: of all types, the finished sync that ended last is printed.
func TestWriteFileChooses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	partial := writer.Options{SyncID: fixture.Second, SyncType: c1z.Partial, Started: fixture.Started}
	fixture.Write(t, path, partial, fixture.SmallSync()[:3])
	if got, _, _ := strings.Cut(factsOf(t, path), "\n"); got != "sync\t"+fixture.Second+"\tpartial\tfinished" {
		t.Errorf("%q", got)
	}
	for _, test := range []struct{ unfinish, want string }{
		{fixture.Second, fixture.First + "\tfull\tfinished"},
		{fixture.First, fixture.Second + "\tpartial\tunfinished"},
	} {
		fixture.Edit(t, path, fixture.Database(t, path), `update v1_sync_runs set ended_at = null where sync_id = '`+test.unfinish+`'`)
		if got, _, _ := strings.Cut(factsOf(t, path), "\n"); got != "sync\t"+test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	fixture.Edit(t, path, fixture.Database(t, path), `delete from v1_sync_runs`)
	err := facts.WriteFile(t.Context(), new(bytes.Buffer), fixture.Open(t, path), "")
	if baton.KindOf(err) != baton.NotFound {
		t.Errorf("%v", err)
	}
}

// odd is a sync with rows that this project does not write.
type odd struct{ fail error }

func one[T any](v T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { yield(v, nil) }
}

func (odd) ResourceTypes(context.Context) iter.Seq2[baton.ResourceType, error] {
	return one(baton.ResourceType{ID: "app", Traits: []baton.Trait{3, 99, 1}})
}

func (odd) Resources(context.Context) iter.Seq2[c1z.Resource, error] {
	return one(c1z.Resource{Resource: baton.Resource{ID: baton.ResourceID{Type: "user", ID: "tab\tline\n"}, DisplayName: "\\ \x00 é \""}})
}

func (odd) Entitlements(context.Context) iter.Seq2[c1z.Entitlement, error] {
	return one(c1z.Entitlement{ID: "nul\x00ent\x01", Purpose: 7, GrantableTo: []string{"z", "a"}})
}

func (o odd) Grants(context.Context) iter.Seq2[c1z.Grant, error] {
	return func(yield func(c1z.Grant, error) bool) {
		if yield(c1z.Grant{ID: "g\"", Sources: []string{"b", "a"}, Annotations: []string{"Z", "A", "Z"}}, nil) {
			yield(c1z.Grant{}, o.fail)
		}
	}
}

// TestQuote quotes characters that would break lines and fields, and nothing else.
func TestQuote(t *testing.T) {
	var out bytes.Buffer
	if err := facts.Write(t.Context(), &out, c1z.SyncInfo{ID: "id", Type: c1z.Partial}, odd{}, ""); err != nil {
		t.Fatal(err)
	}
	want := "sync\tid\tpartial\tunfinished\n" +
		"entitlement\tnul\\x00ent\\x01\t\t\t\t7\ta,z\n" +
		"grant\t\t\t\t\t\t\n" +
		"grant\tg\"\t\t\t\tA,Z,Z\ta,b\n" +
		"resource\tuser/tab\\tline\\n\t\\\\ \\x00 é \\\"\t\t\n" +
		"type\tapp\t\t99,ROLE,USER\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	failed := errors.New("no more")
	if err := facts.Write(t.Context(), &out, c1z.SyncInfo{}, odd{failed}, ""); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
}

var _ facts.Rows = (*c1z.Sync)(nil)
