package syncer_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/agent/syncer"
	"baton/c1z/c1ztest"
	"baton/internal/disk/disktest"
)

// change replaces a file by one whose database a script has changed.
func change(t *testing.T, path, script string) {
	t.Helper()
	const magic = "C1ZF\x00"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dec, err1 := zstd.NewReader(nil)
	enc, err2 := zstd.NewWriter(nil)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	db, err := dec.DecodeAll(b[len(magic):], nil)
	if err != nil {
		t.Fatal(err)
	}
	tmp := filepath.Join(t.TempDir(), "changed.db")
	if err := os.WriteFile(tmp, db, 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.OpenConn(tmp, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sqlitex.ExecuteScript(conn, script, nil), conn.Close()); err != nil {
		t.Fatal(err)
	}
	if db, err = os.ReadFile(tmp); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, enc.EncodeAll(db, []byte(magic)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPreviousFailsLate damages the previous file so that it shows only when all its rows have
// been read. The sync is complete, and compared with the counts of the last upload.
func TestPreviousFailsLate(t *testing.T) {
	base, path := file(t), file(t)
	last := run(t, syncer.Config{Connector: tenant(), Path: base}).Upload("")
	change(t, base, `drop index idx_grants_external_sync_v1;
		insert into v1_grants (resource_type_id, resource_id, entitlement_id, principal_resource_type_id, principal_resource_id, external_id, data, sync_id, discovered_at)
		select resource_type_id, resource_id, entitlement_id, principal_resource_type_id, principal_resource_id, external_id, data, sync_id, discovered_at from v1_grants limit 1;`)
	held(t, syncer.Config{Connector: tenant(), Path: path, Previous: base})
	res := run(t, syncer.Config{Connector: tenant(), Path: path, Previous: base, LastUpload: &last})
	if got, want := counts(res), "[{user 3 0 0} {group 2 2 3}]"; got != want || res.Changes != nil || res.Compared != syncer.ComparedCounts {
		t.Errorf("counts %s, want %s; changes %+v, compared %d", got, want, res.Changes, res.Compared)
	}
}

// TestLockThatCannotBeReleased: the lock beside the file stays where it is. That is the
// disk's doing, and is said like everything that is; the file is whole, and the next sync
// is not kept out.
func TestLockThatCannotBeReleased(t *testing.T) {
	path := file(t)
	d, err := disktest.New(filepath.Dir(path), disktest.Fault{Op: disktest.Remove, Name: "sync.c1z.lock", Nth: 1, On: true, Err: syscall.EIO})
	if err != nil {
		t.Fatal(err)
	}
	_, err = syncer.Run(t.Context(), syncer.Config{Connector: tenant(), Path: path, Disk: d})
	if err == nil || baton.KindOf(err) != baton.Storage || !strings.Contains(err.Error(), path) || baton.FixOf(err) == "" || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v (%v, fix %q)", err, baton.KindOf(err), baton.FixOf(err))
	}
	if _, err := c1ztest.Read(path); err != nil {
		t.Errorf("the file: %v", err)
	}
	if got, want := counts(run(t, syncer.Config{Connector: tenant(), Path: path})), "[{user 3 0 0} {group 2 2 3}]"; got != want {
		t.Errorf("the next sync: %s, want %s", got, want)
	}
}
