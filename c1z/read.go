package c1z

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"baton"
	"baton/c1z/internal/database"
	"baton/c1z/internal/schema"
	"baton/wire"
)

// Columns of the tables.
const (
	externalID      = "external_id"
	resourceTypeID  = "resource_type_id"
	resourceID      = "resource_id"
	entitlementID   = "entitlement_id"
	principalTypeID = "principal_resource_type_id"
	principalID     = "principal_resource_id"
	expansion       = "expansion"
)

// table describes a table whose rows are decoded to T.
type table[T any] struct {
	name    string
	columns []string // that may complete the message
	decode  func(*row) (T, error)
}

var (
	resourceTypes = table[baton.ResourceType]{schema.ResourceTypes, nil, func(r *row) (baton.ResourceType, error) { return wire.UnmarshalResourceType(r.data) }}
	resources     = table[Resource]{schema.Resources, nil, decodeResource}
	entitlements  = table[Entitlement]{schema.Entitlements, []string{externalID, resourceTypeID, resourceID}, decodeEntitlement}
	grants        = table[Grant]{schema.Grants, []string{externalID, entitlementID, resourceTypeID, resourceID, principalTypeID, principalID, expansion}, decodeGrant}
)

// row is a row of a table: the message, and the columns that may complete it.
type row struct {
	id      []byte // external id
	data    []byte
	columns []string     // that complete the message
	stmt    *sqlite.Stmt // has the columns from the third on; nil for a row of a plainScan
	values  [][]byte     // of the columns, in a plainScan; nil for NULL
}

// text returns the value of a column that completes the message.
func (r *row) text(column string) string {
	i := slices.Index(r.columns, column)
	if r.stmt != nil {
		return r.stmt.ColumnText(2 + i)
	}
	return string(r.values[i])
}

// isNull reports whether a column that completes the message is NULL.
func (r *row) isNull(column string) bool {
	i := slices.Index(r.columns, column)
	if r.stmt != nil {
		return r.stmt.ColumnType(2+i) == sqlite.TypeNull
	}
	return r.values[i] == nil
}

// complete sets a text that is missing in the message.
func (r *row) complete(text *string, column string) {
	if *text == "" {
		*text = r.text(column)
	}
}

// completeID sets the id of a resource that is missing in the message.
func (r *row) completeID(id *baton.ResourceID, typeColumn, column string) {
	if id.Type == "" || id.ID == "" {
		*id = baton.ResourceID{}
		r.complete(&id.Type, typeColumn)
		r.complete(&id.ID, column)
	}
}

// condition is a column and the value that it must have.
type condition struct{ column, value string }

// scan iterates over rows of a table. It shares only the connection with other scans.
type scan struct {
	ctx     context.Context
	db      *database.DB
	row     row
	stepped bool
}

// scan starts a scan of the rows of the sync in a table that meet the conditions. It returns nil if the file
// has no such table.
func (s *Sync) scan(ctx context.Context, table string, columns []string, order string, conditions ...condition) (*scan, error) {
	return s.scanAfter(ctx, table, columns, order, nil, conditions...)
}

// scanAfter is like scan, for the rows whose column id is greater than after, if that is not nil.
func (s *Sync) scanAfter(ctx context.Context, table string, columns []string, order string, after *int64, conditions ...condition) (*scan, error) {
	db := s.file.db
	if db.Conn == nil {
		return nil, baton.Errorf(baton.Internal, "c1z: %s is closed", db.Name)
	}
	if db.Columns[table] == nil {
		return nil, nil // older programs wrote no such rows
	}
	query := `select external_id, data`
	for _, c := range columns {
		query += `, ` + db.Columns.Or(table, c, absent(c))
	}
	query += ` from ` + table + ` where sync_id = ?1`
	args := []string{s.ID}
	for _, c := range conditions {
		args = append(args, c.value)
		query += fmt.Sprintf(` and %s = ?%d`, db.Columns.Or(table, c.column, `''`), len(args))
	}
	if after != nil {
		query += fmt.Sprintf(` and id > %d`, *after)
	}
	// Use a separate statement, because the caller may start other scans meanwhile.
	stmt, _, err := db.Conn.PrepareTransient(query + ` order by ` + order)
	if err != nil {
		return nil, database.Unreadable(db.Name, err)
	}
	for i, value := range args {
		stmt.BindText(i+1, value)
	}
	return &scan{ctx: ctx, db: db, row: row{stmt: stmt, columns: columns}}, nil
}

// next goes to the next row.
func (s *scan) next() (more bool, err error) {
	if err := s.ctx.Err(); err != nil {
		return false, err
	}
	if !s.stepped { // SQLite may sort before it returns the first row
		s.stepped = true
		old := s.db.Conn.SetInterrupt(s.ctx.Done())
		defer s.db.Conn.SetInterrupt(old)
	}
	if more, err = s.row.stmt.Step(); err != nil {
		if s.ctx.Err() != nil {
			return false, s.ctx.Err()
		}
		return false, database.Unreadable(s.db.Name, err)
	}
	if more {
		s.row.id = columnBytes(s.row.stmt, 0, s.row.id)
		s.row.data = columnBytes(s.row.stmt, 1, s.row.data)
	}
	return more, nil
}

func (s *scan) close() { s.row.stmt.Finalize() }

// columnBytes returns a column's value, in buf's memory if it fits.
func columnBytes(stmt *sqlite.Stmt, column int, buf []byte) []byte {
	buf = slices.Grow(buf[:0], stmt.ColumnLen(column))[:stmt.ColumnLen(column)]
	stmt.ColumnBytes(column, buf)
	return buf
}

// absent returns the value for a column that a table does not have.
func absent(column string) string {
	if column == expansion {
		return `null`
	}
	return `''`
}

// rows iterates over the rows of a sync that meet the conditions, in the order in which
// they were written. After an error there are no more.
func rows[T any](ctx context.Context, s *Sync, t table[T], conditions ...condition) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		var after *int64
		if len(conditions) == 0 {
			done, last := plainRows(ctx, s, t, yield)
			if done {
				return
			}
			after = last
		}
		scan, err := s.scanAfter(ctx, t.name, t.columns, `id`, after, conditions...)
		if err != nil {
			yield(zero, err)
			return
		}
		if scan == nil {
			return
		}
		defer scan.close()
		for {
			more, err := scan.next()
			if err != nil {
				yield(zero, err)
				return
			}
			if !more {
				return
			}
			one, err := t.decode(&scan.row)
			if err != nil {
				yield(zero, database.Damaged(s.file.db.Name, err))
				return
			}
			if !yield(one, nil) {
				return
			}
		}
	}
}

// find returns the row that meets the conditions. The error is NotFound if there is none.
func find[T any](ctx context.Context, s *Sync, t table[T], subject, id string, conditions ...condition) (one T, err error) {
	for one, err := range rows(ctx, s, t, conditions...) {
		return one, err
	}
	return one, baton.Errorf(baton.NotFound, "c1z: there is no %s %q in %s", subject, id, s.file.db.Name).
		WithFix("Check the id, or sync again if it is new.")
}

// ResourceTypes iterates over the resource types. This and the iterators below end with the
// first error, which is of kind Corrupt if the file is damaged, or that of the context.
func (s *Sync) ResourceTypes(ctx context.Context) iter.Seq2[baton.ResourceType, error] {
	return rows(ctx, s, resourceTypes)
}

// Resources iterates over all resources, in the order in which they were written.
func (s *Sync) Resources(ctx context.Context) iter.Seq2[Resource, error] {
	return rows(ctx, s, resources)
}

// ResourcesOfType iterates over the resources of a type.
func (s *Sync) ResourcesOfType(ctx context.Context, resourceType string) iter.Seq2[Resource, error] {
	return rows(ctx, s, resources, condition{resourceTypeID, resourceType})
}

// Entitlements iterates over all entitlements.
func (s *Sync) Entitlements(ctx context.Context) iter.Seq2[Entitlement, error] {
	return rows(ctx, s, entitlements)
}

// EntitlementsOn iterates over the entitlements on a resource.
func (s *Sync) EntitlementsOn(ctx context.Context, resource baton.ResourceID) iter.Seq2[Entitlement, error] {
	return rows(ctx, s, entitlements, condition{resourceTypeID, resource.Type}, condition{resourceID, resource.ID})
}

// Grants iterates over all grants, also those of entitlements and to principals that the
// sync does not list.
func (s *Sync) Grants(ctx context.Context) iter.Seq2[Grant, error] { return rows(ctx, s, grants) }

// GrantsOf iterates over the grants of an entitlement, by its id.
func (s *Sync) GrantsOf(ctx context.Context, entitlement string) iter.Seq2[Grant, error] {
	return rows(ctx, s, grants, condition{entitlementID, entitlement})
}

// GrantsTo iterates over the grants that a principal holds.
func (s *Sync) GrantsTo(ctx context.Context, principal baton.ResourceID) iter.Seq2[Grant, error] {
	return rows(ctx, s, grants, condition{principalTypeID, principal.Type}, condition{principalID, principal.ID})
}

// Resource returns the resource with that id. The error is NotFound if there is none.
func (s *Sync) Resource(ctx context.Context, id baton.ResourceID) (Resource, error) {
	return find(ctx, s, resources, "resource", id.String(), condition{externalID, id.String()}, condition{resourceTypeID, id.Type})
}

// Entitlement returns the entitlement with that id. The error is NotFound if there is none.
func (s *Sync) Entitlement(ctx context.Context, id string) (Entitlement, error) {
	return find(ctx, s, entitlements, "entitlement", id, condition{externalID, id})
}

// Grant returns the grant with that id. The error is NotFound if there is none.
func (s *Sync) Grant(ctx context.Context, id string) (Grant, error) {
	return find(ctx, s, grants, "grant", id, condition{externalID, id})
}

// Count holds the numbers of rows of one resource type. An entitlement or a grant belongs to the type of its
// resource.
type Count struct {
	Type                            string
	Resources, Entitlements, Grants int
}

// Counts lists the counts of the types that have any rows, by type.
func (s *Sync) Counts(ctx context.Context) ([]Count, error) {
	counts := map[string]*Count{}
	for table, field := range map[string]func(*Count) *int{
		schema.Resources:    func(c *Count) *int { return &c.Resources },
		schema.Entitlements: func(c *Count) *int { return &c.Entitlements },
		schema.Grants:       func(c *Count) *int { return &c.Grants },
	} {
		err := s.count(ctx, table, func(resourceType string, n int) {
			if counts[resourceType] == nil {
				counts[resourceType] = &Count{Type: resourceType}
			}
			*field(counts[resourceType]) = n
		})
		if err != nil {
			return nil, err
		}
	}
	var out []Count
	for _, resourceType := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, *counts[resourceType])
	}
	return out, nil
}

// count counts the rows of a table by resource type.
func (s *Sync) count(ctx context.Context, table string, fn func(resourceType string, n int)) error {
	db := s.file.db
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case db.Conn == nil:
		return baton.Errorf(baton.Internal, "c1z: %s is closed", db.Name)
	case db.Columns[table] == nil:
		return nil
	}
	old := db.Conn.SetInterrupt(ctx.Done())
	defer db.Conn.SetInterrupt(old)
	err := sqlitex.ExecuteTransient(db.Conn, `select resource_type_id, count(*) from `+table+`
		where sync_id = ?1 group by resource_type_id`, &sqlitex.ExecOptions{
		Args: []any{s.ID},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			fn(stmt.ColumnText(0), stmt.ColumnInt(1))
			return nil
		},
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return database.Unreadable(db.Name, err)
}

// Facts returns the sync in the form for the functions of a connector, whose entitlements have ids of the
// form "type:id:slug".
func (s *Sync) Facts(ctx context.Context) baton.Facts { return facts{s, ctx} }

type facts struct {
	sync *Sync
	ctx  context.Context
}

func (f facts) Resources(resourceType string, fn func(baton.Resource) error) error {
	for r, err := range f.sync.ResourcesOfType(f.ctx, resourceType) {
		if err == nil {
			err = fn(r.Resource)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f facts) Grants(e baton.EntitlementID, fn func(baton.Grant) error) error {
	for g, err := range f.sync.GrantsOf(f.ctx, e.String()) {
		if err == nil {
			err = fn(baton.Grant{ID: baton.GrantID{Entitlement: e, Principal: g.Principal}, ResourceName: g.ResourceName, Metadata: g.Metadata})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
