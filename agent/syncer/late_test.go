package syncer_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"baton"
	"baton/agent/syncer"
	"baton/c1z/c1ztest"
	"baton/internal/disk/disktest"
)

// TestPreviousFailsLate damages the previous file in a way that shows only after all its rows were read. The
// sync is complete, and compared with the counts of the last upload.
func TestPreviousFailsLate(t *testing.T) {
	base, path := file(t), file(t)
	last := run(t, syncer.Config{Connector: tenant(), Path: base}).Upload("")
	if err := c1ztest.Rewrite(base, `drop index idx_grants_external_sync_v1;
		insert into v1_grants (resource_type_id, resource_id, entitlement_id, principal_resource_type_id, principal_resource_id, external_id, data, sync_id, discovered_at)
		select resource_type_id, resource_id, entitlement_id, principal_resource_type_id, principal_resource_id, external_id, data, sync_id, discovered_at from v1_grants limit 1;`); err != nil {
		t.Fatal(err)
	}
	held(t, syncer.Config{Connector: tenant(), Path: path, Previous: base})
	res := run(t, syncer.Config{Connector: tenant(), Path: path, Previous: base, LastUpload: &last})
	if got, want := counts(res), "[{user 3 0 0} {group 2 2 3}]"; got != want || res.Changes != nil || res.Compared != syncer.ComparedCounts {
		t.Errorf("counts %s, want %s; changes %+v, compared %d", got, want, res.Changes, res.Compared)
	}
}

// TestLockThatCannotBeReleased: the disk fails to remove the lock beside the file. This is reported as a
// storage error; the file is valid, and the next sync can run.
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
