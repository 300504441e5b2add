package c1z

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"baton"
	"baton/internal/disk"
	"baton/wire"
)

// File is a c1z opened for reading. It shows the newest finished full sync or, if there
// is none, the newest finished one. It is not safe for concurrent use, but a function
// that is called with a row may ask for other rows.
type File struct {
	scratch *disk.Scratch
	info    fs.FileInfo // of what was unpacked
	view    view
	syncs   []Sync
}

var _ baton.Facts = (*File)(nil)

// Open unpacks the file at path into tempDir, or beside itself when tempDir is
// empty. It takes as much disk as the unpacked file until Close. Errors are of kind
// NotFound (missing or empty), Corrupt (cut short, damaged, not a c1z), Unsupported
// (v3, or beyond the limits: 10 GiB unpacked, a window of 128 MiB) or Storage.
func Open(path, tempDir string) (*File, error) { return OpenOn(disk.OS{}, path, tempDir) }

// OpenOn is Open on another file system.
func OpenOn(fsys disk.FS, path, tempDir string) (_ *File, err error) {
	if tempDir == "" {
		tempDir = filepath.Dir(path)
	}
	s, info, err := unpack(fsys, path, tempDir, defaultLimits)
	if err != nil {
		return nil, err
	}
	f := &File{scratch: s, info: info, view: view{path: path}}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if f.view.conn, err = openDatabase(s, tempDir, path); err != nil {
		return nil, err
	}
	if f.view.has, err = columnsOf(f.view.conn, "main", path); err != nil {
		return nil, err
	}
	s.Hide()
	if f.syncs, err = syncsOf(f.view.conn, "main", path, f.view.has); err != nil {
		return nil, err
	}
	shown, ok := newest(f.syncs, Full)
	if !ok {
		shown, _ = newest(f.syncs)
	}
	f.view.syncID = shown.ID
	return f, nil
}

// isStill reports whether that is what was unpacked.
func (f *File) isStill(path string, info fs.FileInfo) bool {
	return f.view.path == path && os.SameFile(f.info, info) && f.info.Size() == info.Size() && f.info.ModTime().Equal(info.ModTime())
}

// Hidden reports whether nothing is to be seen of what Open unpacked.
func (f *File) Hidden() bool { return f.scratch.Hidden() }

// Shown is the sync that the file shows; the zero Sync when it shows none.
func (f *File) Shown() Sync {
	for _, s := range f.syncs {
		if s.ID == f.view.syncID {
			return s
		}
	}
	return Sync{}
}

// At is the same file as it shows another of its finished syncs. It lives until f is
// closed and need not be closed itself. NotFound if there is no such sync.
func (f *File) At(syncID string) (*File, error) {
	for _, s := range f.syncs {
		if s.ID == syncID && !s.Ended.IsZero() {
			other := *f
			other.scratch, other.view.syncID = nil, syncID
			return &other, nil
		}
	}
	return nil, baton.Errorf(baton.NotFound, "c1z: there is no finished sync %q in %s", syncID, f.view.path).
		WithFix("Name one of those that the file holds.")
}

// Before is the newest finished full sync that ended before the one that is shown.
func (f *File) Before() (Sync, bool) {
	shown := f.Shown()
	return newest(slices.DeleteFunc(slices.Clone(f.syncs), func(s Sync) bool {
		return s.ID == shown.ID || s.Ended.After(shown.Ended) || s.Ended.Equal(shown.Ended) && s.ID > shown.ID
	}), Full)
}

// Close removes what Open unpacked.
func (f *File) Close() error {
	if f.scratch == nil {
		return nil // it is another's, see At
	}
	if f.view.conn != nil {
		if err := f.view.conn.Close(); err != nil {
			f.scratch.Close()
			return database("close "+f.view.path, err)
		}
	}
	return f.scratch.Close()
}

// Syncs lists the syncs in the file, also those that it does not show.
func (f *File) Syncs() []Sync { return slices.Clone(f.syncs) }

// ResourceTypes lists the resource types of the sync.
func (f *File) ResourceTypes() ([]baton.ResourceType, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	var types []baton.ResourceType
	err := each(f.view, ResourceTypes, "", "", wire.UnmarshalResourceType, func(t baton.ResourceType) error {
		types = append(types, t)
		return nil
	})
	return types, err
}

// Resource is the resource with that id. NotFound if the sync has none.
func (f *File) Resource(id baton.ResourceID) (baton.Resource, error) {
	return find(f, Resources, "resource", id.String(), wire.UnmarshalResource)
}

// Entitlement is the entitlement with that id, "type:id:slug". NotFound if the sync
// has none.
func (f *File) Entitlement(id string) (baton.Entitlement, error) {
	return find(f, Entitlements, "entitlement", id, wire.UnmarshalEntitlement)
}

// Grant is the grant with that id, "type:id:slug:principaltype:principalid".
// NotFound if the sync has none.
func (f *File) Grant(id string) (baton.Grant, error) {
	return find(f, Grants, "grant", id, wire.UnmarshalGrant)
}

func find[T any](f *File, t Table, what, id string, decode func([]byte) (T, error)) (row T, err error) {
	if err := f.check(); err != nil {
		return row, err
	}
	row, found, err := one(f.view, t, id, decode)
	if err == nil && !found {
		err = baton.Errorf(baton.NotFound, "c1z: there is no %s %q in %s", what, id, f.view.path).
			WithFix("Check the id, or sync again if it is new.")
	}
	return row, err
}

// Resources calls fn for each resource of the type, in the order they were written.
func (f *File) Resources(resourceType string, fn func(baton.Resource) error) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.view.resources(resourceType, fn)
}

// Entitlements calls fn for each entitlement on resources of the type, in the order
// they were written.
func (f *File) Entitlements(resourceType string, fn func(baton.Entitlement) error) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.view.entitlements(resourceType, fn)
}

// Grants calls fn for each grant of the entitlement, in the order they were written.
func (f *File) Grants(e baton.EntitlementID, fn func(baton.Grant) error) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.view.grants(e, fn)
}

// EachEntitlement calls fn for each entitlement of the sync, in the order they were
// written.
func (f *File) EachEntitlement(fn func(baton.Entitlement) error) error {
	if err := f.check(); err != nil {
		return err
	}
	return each(f.view, Entitlements, "", "", wire.UnmarshalEntitlement, fn)
}

// EachResource calls fn for each resource of the sync, in the order they were written.
func (f *File) EachResource(fn func(baton.Resource) error) error {
	if err := f.check(); err != nil {
		return err
	}
	return each(f.view, Resources, "", "", wire.UnmarshalResource, fn)
}

// EachGrant calls fn for each grant of the sync, also of entitlements that it does not
// list, in the order they were written.
func (f *File) EachGrant(fn func(baton.Grant) error) error {
	if err := f.check(); err != nil {
		return err
	}
	return each(f.view, Grants, "", "", wire.UnmarshalGrant, fn)
}

// Count is how much of one resource type a sync holds. Entitlements and grants
// belong to the type of the resource that they are about.
type Count struct {
	Type                            string
	Resources, Entitlements, Grants int
}

// Counts lists the counts by resource type, for those that have any rows.
func (f *File) Counts() ([]Count, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	counts := map[string]Count{}
	for _, t := range []Table{Resources, Entitlements, Grants} {
		of, err := f.view.count(t)
		if err != nil {
			return nil, err
		}
		for name, n := range of {
			c := counts[name]
			c.Type = name
			*c.of(t) = n
			counts[name] = c
		}
	}
	var out []Count
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, counts[name])
	}
	return out, nil
}

func (c *Count) of(t Table) *int {
	switch t {
	case Resources:
		return &c.Resources
	case Entitlements:
		return &c.Entitlements
	}
	return &c.Grants
}

func (f *File) check() error {
	if f.view.syncID == "" {
		return baton.Errorf(baton.NotFound, "c1z: %s holds no finished sync", f.view.path).WithFix("Sync first.")
	}
	return nil
}
