package sqlitefile_test

import (
	"baton/internal/longtest"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

const syncID = "2gMEzT5oDEOdsdKBhbbsmEAUiOH"

// grants is the largest table of a big sync.
var grants = layout{
	name: "v1_grants",
	sql: `CREATE TABLE v1_grants (
  id integer primary key,
  resource_type_id text not null,
  resource_id text not null,
  entitlement_id text not null,
  principal_resource_type_id text not null,
  principal_resource_id text not null,
  external_id text not null,
  expansion blob,
  needs_expansion integer not null default 0,
  data blob not null,
  sync_id text not null,
  discovered_at datetime not null
)`,
	columns: []string{"id", "resource_type_id", "resource_id", "entitlement_id", "principal_resource_type_id",
		"principal_resource_id", "external_id", "expansion", "needs_expansion", "data", "sync_id", "discovered_at"},
	indexes: []index{
		{name: "idx_grants_external_sync_v1", columns: []int{6, 10},
			sql: `CREATE UNIQUE INDEX idx_grants_external_sync_v1 on v1_grants (external_id, sync_id)`},
		{name: "idx_grants_resource_type_id_resource_id_v1", columns: []int{1, 2},
			sql: `CREATE INDEX idx_grants_resource_type_id_resource_id_v1 on v1_grants (resource_type_id, resource_id)`},
		{name: "idx_grants_principal_id_v1", columns: []int{4, 5},
			sql: `CREATE INDEX idx_grants_principal_id_v1 on v1_grants (principal_resource_type_id, principal_resource_id)`},
		{name: "idx_grants_entitlement_id_principal_id_v1", columns: []int{3, 4, 5},
			sql: `CREATE INDEX idx_grants_entitlement_id_principal_id_v1 on v1_grants (entitlement_id, principal_resource_type_id, principal_resource_id)`},
		{name: "idx_grants_entitlement_sync_grant_v1", columns: []int{3, 10, 0},
			sql: `CREATE INDEX idx_grants_entitlement_sync_grant_v1 on v1_grants (entitlement_id, sync_id, id)`},
		{name: "idx_grants_sync_expansion_v1", columns: []int{10},
			sql:   `CREATE INDEX idx_grants_sync_expansion_v1 on v1_grants (sync_id) where expansion is not null`,
			where: func(row []any) bool { return row[7] != nil }, term: "expansion is not null"},
		{name: "idx_grants_sync_needs_expansion_v1", columns: []int{10},
			sql:   `CREATE INDEX idx_grants_sync_needs_expansion_v1 on v1_grants (sync_id) where needs_expansion = 1`,
			where: func(row []any) bool { return row[8] == int64(1) }, term: "needs_expansion = 1"},
	},
}

// grantSource generates grants: courses and users with ids like those of an upstream, in random order,
// without duplicates.
type grantSource struct {
	courses, users []string
	n              int
}

func newGrantSource(n int) *grantSource {
	g := new(grantSource)
	r := rand.New(rand.NewPCG(3, 4))
	uuid := func() string {
		a, b := r.Uint64(), r.Uint64()
		return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&(1<<48-1))
	}
	for range n / 100 {
		g.courses = append(g.courses, uuid())
	}
	for range n / 10 {
		g.users = append(g.users, uuid())
	}
	return g
}

// grant holds the values of a row and its index entries.
type grant struct {
	course, user, entitlement, external string
	data                                []byte
}

func (g *grantSource) next(into *grant) {
	const prime = 999_999_937 // larger than the number of pairs, or coprime to it
	pair := g.n * prime % (len(g.courses) * len(g.users))
	g.n++
	into.course, into.user = g.courses[pair%len(g.courses)], g.users[pair/len(g.courses)]
	into.external = "course:" + into.course + ":completed:user:" + into.user
	into.entitlement = into.external[:len("course:")+len(into.course)+len(":completed")]
	into.data = append(into.data[:0], "\x0a\x2f\x0a\x2d"...)
	into.data = append(into.data, into.entitlement...)
	into.data = append(into.data, into.external...)
}

const discovered = "2026-01-02 03:04:05.678901234"

func TestGrants(t *testing.T) {
	n := longtest.Pick(5_000, 200_000)
	s := set{layout: grants}
	source := newGrantSource(n)
	for i := range n {
		var g grant
		source.next(&g)
		row := []any{int64(i) + 1, "course", g.course, g.entitlement, "user", g.user, g.external,
			nil, int64(0), g.data, syncID, discovered}
		if i%1000 == 999 {
			row[7], row[8] = []byte{1}, int64(i/1000%2)
		}
		s.rowids, s.rows = append(s.rowids, int64(i)+1), append(s.rows, row)
	}
	laid, stored := lay(t, 4<<20, s), store(t, s)
	equal(t, laid, stored, s)
	a, err := os.Stat(laid)
	if err != nil {
		t.Fatal(err)
	}
	conn := openLibrary(t, stored)
	exec(t, conn, "vacuum")
	b, err := os.Stat(stored)
	if err != nil {
		t.Fatal(err)
	}
	if a.Size() > b.Size()+b.Size()/100 {
		t.Errorf("%d bytes laid out, %d after the library's vacuum", a.Size(), b.Size())
	}
	usable(t, laid, s)
}
