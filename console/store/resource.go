package store

import (
	"crypto/sha256"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// The lists in table lookup.
const (
	listAccounts     = 1  // by sort key
	listResources    = 2  // resources that are not accounts, by sort key
	listEntitlements = 3  // by sort key
	listEmails       = 4  // accounts by normalized e-mail address
	listLogins       = 5  // accounts by login, case-insensitive
	listApps         = 6  // resources that are applications, by sort key
	listDisabled     = 7  // disabled and deleted accounts, by sort key
	listMachines     = 8  // service and system accounts, by sort key
	listWords        = 9  // accounts by the further words of their names
	listTerms        = 10 // entitlements by the further words of their names
)

// Resource is a version of a resource: unchanged from one sync until another.
type Resource struct {
	console.Resource
	Stream      console.Stream
	From, Until console.SyncNumber // of this version; [console.Never] while it is current
}

// ResourceAfter is a place in a list of resources: after the last row of the previous page. The zero
// value is the beginning.
type ResourceAfter struct {
	Sort []byte // [console.SortKey] of the name
	Key  console.ResourceKey
}

// After returns the place after a resource.
func (r Resource) After() ResourceAfter {
	return ResourceAfter{Sort: nameKey(r.Name, r.ID), Key: r.Key}
}

// nameKey returns the sort key of a row: its name, or its id if it has none.
func nameKey(name, id string) []byte {
	if key := console.SortKey(name); len(key) > 0 {
		return key
	}
	return console.SortKey(id)
}

// resourceDetail is the part of a version that is not queried.
type resourceDetail struct {
	Description string   `json:"description,omitempty"`
	Profile     []byte   `json:"profile,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`
	Emails      []string `json:"emails,omitempty"`
	GivenName   string   `json:"given_name,omitempty"`
	FamilyName  string   `json:"family_name,omitempty"`
	EmployeeIDs []string `json:"employee_ids,omitempty"`
	Manager     string   `json:"manager,omitempty"`
	Department  string   `json:"department,omitempty"`
	App         bool     `json:"app,omitempty"`
}

// resourceColumns are the columns of a version v of a resource r. The volatile attributes x are
// those of the head h.
const resourceColumns = `r.key, r.stream, r.type, r.id, r.incarnation, v.opened, v.closed, v.name, v.parent, v.status, v.created,
	v.account, v.kind, v.login, v.detail, CASE WHEN x.sync <= h.head THEN x.last_login ELSE x.before END`

const resourceTables = ` JOIN resource r ON r.key = v.resource JOIN head h ON h.stream = r.stream LEFT JOIN volatile x ON x.resource = v.resource `

func scanResource(r engine.Row) Resource {
	res := Resource{
		Resource: console.Resource{Key: console.ResourceKey(r.Int(0)), Type: str(r, 2), ID: str(r, 3), Incarnation: int(r.Int(4)),
			Name: str(r, 7), Parent: console.ResourceKey(r.Int(8)), Status: console.Status(r.Int(9)), Created: at(r, 10)},
		Stream: console.Stream(r.Int(1)), From: console.SyncNumber(r.Int(5)), Until: console.SyncNumber(r.Int(6)),
	}
	var d resourceDetail
	decode(r.Bytes(14), &d)
	res.Description, res.Profile, res.App = d.Description, d.Profile, d.App
	if r.Bool(11) {
		res.Account = &console.Account{Kind: console.AccountKind(r.Int(12)), Login: str(r, 13), Aliases: d.Aliases, Emails: d.Emails,
			GivenName: d.GivenName, FamilyName: d.FamilyName, EmployeeIDs: d.EmployeeIDs, Manager: d.Manager, Department: d.Department, LastLogin: at(r, 15)}
	}
	return res
}

func detailOf(r console.Resource) []byte {
	d := resourceDetail{Description: r.Description, Profile: r.Profile, App: r.App}
	if a := r.Account; a != nil {
		d.Aliases, d.Emails, d.GivenName, d.FamilyName, d.EmployeeIDs, d.Manager, d.Department = a.Aliases, a.Emails, a.GivenName, a.FamilyName, a.EmployeeIDs, a.Manager, a.Department
	}
	return encode(d)
}

// maxLookup limits the values of lookups, in bytes. PostgreSQL cannot index values longer than about
// 2,700 bytes.
const maxLookup = 256

// loginKey returns the value for looking up a login or an e-mail address. A very long one is
// shortened and ends with its hash.
func loginKey(login string) []byte {
	key := []byte(console.NormalizeEmail(login))
	if len(key) <= maxLookup {
		return key
	}
	sum := sha256.Sum256(key)
	return append(key[:maxLookup-len(sum)], sum[:]...)
}

// Resource returns a resource at a moment. NotFound if the moment does not show it.
func (t *Tx) Resource(m Moment, key console.ResourceKey) (Resource, error) {
	for _, s := range m.Streams {
		r, err := find(t, scanResource, "SELECT "+resourceColumns+" FROM resource_version v"+resourceTables+
			"WHERE v.resource = $1 AND r.stream = $2 AND v.opened <= $3 AND v.closed > $3", key, s.Stream, s.Sync)
		if err != nil {
			return Resource{}, err
		}
		if r != nil {
			return *r, nil
		}
	}
	return Resource{}, baton.Errorf(baton.NotFound, "no resource")
}

// ResourceByID returns the resource with a type and id at a moment. NotFound if the moment
// does not show it.
func (t *Tx) ResourceByID(m Moment, typ, id string) (Resource, error) {
	for _, s := range m.Streams {
		r, err := find(t, scanResource, "SELECT "+resourceColumns+" FROM resource_version v"+resourceTables+
			"WHERE r.stream = $1 AND r.type = $2 AND r.id = $3 AND v.opened <= $4 AND v.closed > $4", s.Stream, []byte(typ), []byte(id), s.Sync)
		if err != nil {
			return Resource{}, err
		}
		if r != nil {
			return *r, nil
		}
	}
	return Resource{}, baton.Errorf(baton.NotFound, "no resource")
}

// AppOfResource returns the app whose connector has ever shown a resource.
func (t *Tx) AppOfResource(key console.ResourceKey) (console.ID, error) {
	return get(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "resource",
		"SELECT c.app FROM resource r JOIN connector c ON c.stream = r.stream WHERE r.key = $1", key)
}

// ResourceVersions returns all versions of a resource in applied syncs, oldest first.
func (t *Tx) ResourceVersions(key console.ResourceKey) ([]Resource, error) {
	return list(t, scanResource, "SELECT "+resourceColumns+" FROM resource_version v"+resourceTables+
		"WHERE v.resource = $1 AND v.opened <= h.head ORDER BY v.opened", key)
}

// Resources returns up to n resources at a moment that are not accounts, ordered by name.
func (t *Tx) Resources(m Moment, after ResourceAfter, n int) ([]Resource, error) {
	return t.resources(m, listResources, after, n)
}

func (t *Tx) resources(m Moment, which int, after ResourceAfter, n int) ([]Resource, error) {
	n, err := limit(n)
	if err != nil {
		return nil, err
	}
	var all []Resource
	for _, s := range m.Streams {
		part, err := list(t, scanResource, "SELECT "+resourceColumns+" FROM lookup l JOIN resource_version v ON v.resource = l.key AND v.opened = l.opened"+resourceTables+
			"WHERE l.stream = $1 AND l.list = $2 AND (l.value, l.key) > ($3, $4) AND l.opened <= $5 AND v.closed > $5 ORDER BY l.value, l.key LIMIT $6",
			s.Stream, which, bytesOf(after.Sort), after.Key, s.Sync, n)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return firstByName(all, n), nil
}

func (t *Tx) resourcesByValue(m Moment, which int, value []byte) ([]Resource, error) {
	var all []Resource
	for _, s := range m.Streams {
		part, err := list(t, scanResource, "SELECT "+resourceColumns+" FROM lookup l JOIN resource_version v ON v.resource = l.key AND v.opened = l.opened"+resourceTables+
			"WHERE l.stream = $1 AND l.list = $2 AND l.value = $3 AND l.opened <= $4 AND v.closed > $4 ORDER BY l.key", s.Stream, which, value, s.Sync)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

// firstByName sorts rows of several streams by name and returns the first n.
func firstByName(all []Resource, n int) []Resource {
	sortByPlace(all, Resource.After, comparePlace)
	return all[:min(n, len(all))]
}

// ResourceTypes returns the types of all resources that a stream has ever shown.
func (t *Tx) ResourceTypes(stream console.Stream) (all []string, err error) {
	for last := []byte{}; ; {
		next, err := find(t, func(r engine.Row) []byte { return r.Bytes(0) }, "SELECT type FROM resource WHERE stream = $1 AND type > $2 ORDER BY type LIMIT 1", stream, last)
		if err != nil || next == nil {
			return all, err
		}
		all, last = append(all, string(*next)), *next
	}
}
