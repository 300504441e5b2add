package c1z_test

import (
	"baton/c1z/internal/fixture"
	"baton/c1z/writer"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"baton"
	"baton/c1z"
	"baton/internal/disk/disktest"
	"baton/internal/longtest"
)

// rootOf is the page that a table begins at.
func rootOf(t testing.TB, path, table string) uint32 {
	t.Helper()
	var root uint32
	if _, err := fmt.Sscan(fixture.Query(t, path, `select rootpage from sqlite_schema where name = '`+table+`'`)[0], &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// bomb makes a database in which a table has a tree of ten levels whose branches share
// their children: a few pages on disk, and 300 to the power of ten rows.
func bomb(t testing.TB, path, table string) []byte {
	t.Helper()
	const size, levels, fan = 4096, 10, 300
	root := rootOf(t, path, table)
	db := fixture.Database(t, path)
	if got := binary.BigEndian.Uint16(db[16:]); got != size || root < 2 {
		t.Fatalf("pages of %d bytes, root %d", got, root)
	}
	leaf := append([]byte(nil), db[(root-1)*size:root*size]...)
	db = append(db, leaf...)
	for range levels {
		child := uint32(len(db) / size)
		branch := make([]byte, size)
		branch[0] = 5
		binary.BigEndian.PutUint16(branch[3:], fan)
		binary.BigEndian.PutUint32(branch[8:], child)
		for i := range fan {
			cell := size - (i+1)*6
			binary.BigEndian.PutUint16(branch[12+2*i:], uint16(cell))
			binary.BigEndian.PutUint32(branch[cell:], child)
			branch[cell+4] = 127
		}
		binary.BigEndian.PutUint16(branch[5:], size-fan*6)
		db = append(db, branch...)
	}
	copy(db[(root-1)*size:], db[len(db)-size:])
	binary.BigEndian.PutUint32(db[28:], uint32(len(db)/size))
	return db
}

// TestTreeOfSharedBranches: a small file whose rows nobody could
// count is refused, whichever table it is.
func TestTreeOfSharedBranches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	for _, table := range []string{"v1_grants", "v1_resources", "v1_sync_runs"} {
		file := filepath.Join(t.TempDir(), "bomb.c1z")
		if err := os.WriteFile(file, fixture.Contain(t, bomb(t, path, table)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := c1z.Open(t.Context(), file)
		if baton.KindOf(err) != baton.Corrupt || !strings.Contains(err.Error(), "two branches share a page") {
			t.Errorf("%s: %v", table, err)
		}
		opt := fixture.Full(fixture.Second)
		if _, err := writer.Create(file, opt); baton.KindOf(err) != baton.Corrupt {
			t.Errorf("%s, as the file before: %v", table, err)
		}
	}
}

// TestFarPointers: a tree that leads out of the file, or in circles, is refused.
func TestFarPointers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	root := rootOf(t, path, "v1_grants")
	for name, change := range map[string]func(db []byte){
		"beyond the end": func(db []byte) { binary.BigEndian.PutUint32(db[(root-1)*4096+8:], 1<<30) },
		"page 0":         func(db []byte) { binary.BigEndian.PutUint32(db[(root-1)*4096+8:], 0) },
		"itself":         func(db []byte) { binary.BigEndian.PutUint32(db[(root-1)*4096+8:], root) },
		"too many cells": func(db []byte) { binary.BigEndian.PutUint16(db[(root-1)*4096+3:], 0xffff) },
		"page size":      func(db []byte) { binary.BigEndian.PutUint16(db[16:], 12345) },
	} {
		t.Run(name, func(t *testing.T) {
			db := bomb(t, path, "v1_grants")
			change(db)
			tryOpen(t, fixture.Contain(t, db))
			file := filepath.Join(t.TempDir(), "bad.c1z")
			if err := os.WriteFile(file, fixture.Contain(t, db), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := c1z.Open(t.Context(), file); baton.KindOf(err) != baton.Corrupt {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestTablesThatAreNone: what only looks like a table is not asked: its answers could
// be endless.
func TestTablesThatAreNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	for name, script := range map[string][]string{
		"a view without an end": {`drop table v1_grants`, `create view v1_grants as with recursive n(i) as (select 1 union all select i + 1 from n)
			select i as id, 'x' as external_id, 'group:g1:fixture.Member' as entitlement_id, 'group' as resource_type_id, x'00' as data, (select sync_id from v1_sync_runs) as sync_id from n`},
		"a column that is computed": {`drop table v1_grants`, `create table v1_grants (id integer primary key, external_id text, entitlement_id text, resource_type_id text, sync_id text,
			data blob generated always as (zeroblob(900000000)))`, `insert into v1_grants (external_id, entitlement_id, resource_type_id, sync_id) select 'x', 'group:g1:fixture.Member', 'group', sync_id from v1_sync_runs`},
		"an enormous value": {`update v1_grants set data = zeroblob(300000000)`},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "an enormous value" {
				longtest.Only(t)
			}
			tryOpen(t, fixture.Contain(t, fixture.Edited(t, path, script...)))
		})
	}
}

// TestTreesOnABadDisk: a disk that cannot be read is not a file that is damaged.
func TestTreesOnABadDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sync.c1z")
	fixture.Write(t, path, fixture.Full(fixture.First), fixture.SmallSync())
	for n := 1; ; n++ {
		fsys, err := disktest.New(dir, disktest.Fault{Op: disktest.Read, Name: ".c1z-*", Nth: n, Err: syscall.EIO})
		if err != nil {
			t.Fatal(err)
		}
		opt := fixture.Full(fixture.Second)
		opt.Disk = fsys
		w, err := writer.Create(path, opt)
		if err == nil {
			w.Abort()
			if n < 5 {
				t.Errorf("only %d reads", n)
			}
			break
		}
		if baton.KindOf(err) != baton.Storage {
			t.Errorf("read %d: %v (%v)", n, err, baton.KindOf(err))
		}
	}
}
