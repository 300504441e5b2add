package writer

import (
	"bytes"
	"io"

	"baton"
	"baton/c1z/internal/database"
	"baton/internal/extsort"
)

// Resources calls fn for each resource of the type in the new sync, with only its id, name and
// status. No rows can be added afterwards.
func (w *Writer) Resources(resourceType string, fn func(baton.Resource) error) error {
	if _, err := w.Sort(w.ctx); err != nil {
		return err
	}
	place := appendIdentity(nil, Resources, append([]byte(resourceType), ':'))
	begin := place[:len(place)-2] // without the end of the id
	return w.read(&w.cursor, w.list, begin, func(key []byte) error {
		s, err := parseKey(key)
		if err != nil {
			return err
		}
		if string(s.row.part(0)) != resourceType {
			return nil // type "a" with id "b:c" has the same prefix as type "a:b"
		}
		return fn(baton.Resource{ID: baton.ResourceID{Type: resourceType, ID: string(s.row.part(1))},
			DisplayName: string(s.name), Status: s.status})
	})
}

// Grants calls fn for each grant of the entitlement in the new sync, with only its id. No rows
// can be added afterwards.
func (w *Writer) Grants(e baton.EntitlementID, fn func(baton.Grant) error) error {
	if _, err := w.Sort(w.ctx); err != nil {
		return err
	}
	n, ok := w.grants.find(e)
	if !ok {
		return nil
	}
	var holder baton.ResourceID // reused: most principals have the same type
	return w.read(&w.grantCursor, w.grants.sorted, w.grants.appendBegin(nil, n), func(key []byte) error {
		v, _, err := w.grants.parse(key)
		if err != nil || v.entitlement != n {
			return err
		}
		id, kind := w.grants.principal(v.principal)
		if holder.Type != string(id[:kind]) {
			holder.Type = string(id[:kind])
		}
		holder.ID = string(id[kind+1:])
		return fn(baton.Grant{ID: baton.GrantID{Entitlement: e, Principal: holder}})
	})
}

// read calls fn with the keys of a list that have the prefix. Successive calls share a cursor. A
// call from within fn gets one of its own.
func (w *Writer) read(cursor **extsort.Cursor, list *extsort.List, begin []byte, fn func(key []byte) error) error {
	c := *cursor
	if *cursor = nil; c == nil {
		c = list.From(begin)
	} else {
		c.Seek(begin)
	}
	defer func() { *cursor = c }()
	for {
		key, err := c.Next()
		if err == io.EOF || err == nil && !bytes.HasPrefix(key, begin) {
			return nil
		}
		if err != nil {
			return database.Storage("read the sorted rows of", w.path, err)
		}
		if err := fn(key); err != nil {
			return err
		}
	}
}
