package c1z

import (
	"bytes"
	"io"

	"baton"
	"baton/wire"
)

// Resources calls fn for each resource of the type in the new sync, with its id, name and
// status only: a review reads them all. No rows can be added afterwards.
func (w *Writer) Resources(resourceType string, fn func(baton.Resource) error) error {
	return w.each(Resources, resourceType, func(r Row) error {
		if string(r.part(0)) != resourceType {
			return nil // its type and a part of its id, joined, look like the type
		}
		res, err := wire.OutlineResource(r.data)
		if err != nil {
			return err
		}
		return fn(res)
	})
}

// Grants calls fn for each grant of the entitlement in the new sync, with its id only. No
// rows can be added afterwards.
func (w *Writer) Grants(e baton.EntitlementID, fn func(baton.Grant) error) error {
	return w.each(Grants, e.String(), func(r Row) error {
		if r.ends[2] != len(e.String()) {
			return nil
		}
		return fn(baton.Grant{ID: baton.GrantID{Entitlement: e, Principal: r.Principal()}})
	})
}

// each calls fn with the rows whose id begins with this and a colon.
func (w *Writer) each(t Table, begin string, fn func(Row) error) error {
	if _, err := w.Settle(w.ctx); err != nil {
		return err
	}
	place := appendPlace(nil, t, append([]byte(begin), ':'))
	place = place[:len(place)-2] // it goes on
	// One cursor serves call after call; a call from within fn finds none, and makes one.
	c := w.cursor
	if w.cursor = nil; c == nil {
		c = w.list.From(place)
	} else {
		c.Seek(place)
	}
	defer func() { w.cursor = c }()
	for {
		key, err := c.Next()
		if err == io.EOF || err == nil && !bytes.HasPrefix(key, place) {
			return nil
		}
		if err != nil {
			return storage("read the sorted rows of", w.path, err)
		}
		r, _, err := parseKey(key)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
}
