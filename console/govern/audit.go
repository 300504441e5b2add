package govern

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// AuditFilter selects events of the audit log. Empty fields select all.
type AuditFilter struct {
	App       console.ID `json:"app,omitempty"`
	Connector console.ID `json:"connector,omitempty"`
	Person    console.ID `json:"person,omitempty"` // the actor, or the person it is about
	Kind      string     `json:"kind,omitempty"`   // a kind or its noun: "sync.applied", "sync"
	Source    string     `json:"source,omitempty"` // what a client says it is, or the part before the first colon: "cone:task:approve", "cone"
	From      time.Time  `json:"from,omitzero"`
	Until     time.Time  `json:"until,omitzero"` // exclusive
}

func (f AuditFilter) takes(e store.Event) bool {
	noun, _, _ := strings.Cut(e.Kind, ".")
	program, _, _ := strings.Cut(e.Source, ":")
	return (f.Kind == "" || f.Kind == e.Kind || f.Kind == noun) &&
		(f.Source == "" || f.Source == e.Source || f.Source == program) &&
		(f.App == "" || f.App == e.App) &&
		(f.Connector == "" || f.Connector == e.Connector) &&
		(f.Person == "" || f.Person == e.Person || f.Person == e.Actor.Person())
}

// AuditRow is an event with the names of its objects. A name is "" if the event has no such object,
// or if the object is gone.
type AuditRow struct {
	store.Event
	ByName, ForName, PersonName, AppName, ConnectorName string
}

// AuditPage is a page of the audit log, newest first.
type AuditPage struct {
	Rows []AuditRow
	// Before is where the next page begins; 0 at the end. A page can be short or empty before the
	// end, because the number of events examined for it is limited.
	Before int64
	Looked int
	All    bool // the caller may read every event
	Head   console.ChainHead
}

// auditLook is the number of events that are examined for one page.
const auditLook = 5000

// Audit returns up to n events that the caller may read, newest first, before the given one; 0
// starts with the newest.
func (c *Console) Audit(ctx context.Context, caller Caller, f AuditFilter, before int64, n int) (p AuditPage, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) (err error) {
		if p.Head, err = tx.ChainHead(); err != nil {
			return err
		}
		r := newAuditReader(tx, me)
		p.All = r.all
		first, err := r.bounds(f, &before)
		if err != nil {
			return err
		}
		for p.Looked < auditLook {
			page, err := tx.EventsBefore(r.narrow(f), before, store.PageSize)
			if err != nil {
				return err
			}
			for _, e := range page {
				if before = e.Number; before <= first {
					return nil
				}
				p.Looked++
				row, err := r.row(f, e)
				if err != nil {
					return err
				}
				if row == nil {
					continue
				}
				if p.Rows = append(p.Rows, *row); len(p.Rows) == n {
					p.Before = before
					return nil
				}
			}
			if len(page) < store.PageSize {
				return nil
			}
		}
		p.Before = before
		return nil
	})
	return p, err
}

// auditReader reads the events that a person may read.
type auditReader struct {
	tx         *store.Tx
	me         console.Person
	all        bool
	people     map[console.ID]string
	apps       map[console.ID]*console.App
	connectors map[console.ID]*console.Connector
}

func newAuditReader(tx *store.Tx, me console.Person) *auditReader {
	return &auditReader{tx: tx, me: me, all: console.SeesAllEvents(me), people: map[console.ID]string{},
		apps: map[console.ID]*console.App{}, connectors: map[console.ID]*console.Connector{}}
}

// bounds returns the number of the last event before the filter's start, and lowers before to its
// end.
func (r *auditReader) bounds(f AuditFilter, before *int64) (first int64, err error) {
	if !f.Until.IsZero() {
		last, err := r.tx.EventAt(f.Until.Add(-time.Microsecond))
		if err != nil {
			return 0, err
		}
		if *before == 0 || *before > last+1 {
			*before = last + 1
		}
	}
	if !f.From.IsZero() {
		first, err = r.tx.EventAt(f.From.Add(-time.Microsecond))
	}
	return first, err
}

// narrow returns the store's filter for the query.
func (r *auditReader) narrow(f AuditFilter) store.EventFilter {
	s := store.EventFilter{App: f.App, Connector: f.Connector, Own: f.Person}
	if s == (store.EventFilter{}) && !r.all && !r.wide() {
		s.Own = r.me.Canonical()
	}
	return s
}

// wide reports whether a role lets the person read events of others. For owners, the filter finds
// the events of their app.
func (r *auditReader) wide() bool {
	return console.SeeConnectors.Of(r.me, console.Object{})
}

// row returns an event if it matches the filter and the person may read it.
func (r *auditReader) row(f AuditFilter, e store.Event) (*AuditRow, error) {
	if !f.takes(e) {
		return nil, nil
	}
	app, err := lookUp(r.apps, e.App, func() (a console.App, err error) { return r.tx.App(e.App) })
	if err != nil {
		return nil, err
	}
	con, err := lookUp(r.connectors, e.Connector, func() (console.Connector, error) { return r.tx.Connector(e.Connector) })
	if err != nil {
		return nil, err
	}
	if con != nil && app == nil {
		if app, err = lookUp(r.apps, con.App, func() (console.App, error) { return r.tx.App(con.App) }); err != nil {
			return nil, err
		}
	}
	if !console.MayReadEvent(r.me, e.Event, app, con) {
		return nil, nil
	}
	row := &AuditRow{Event: e}
	if e.App != "" && app != nil {
		row.AppName = app.Name
	}
	if con != nil {
		row.ConnectorName = con.Name
	}
	for _, p := range []struct {
		id   console.ID
		name *string
	}{{e.Actor.Person(), &row.ByName}, {e.OnBehalfOf, &row.ForName}, {e.Person, &row.PersonName}} {
		if *p.name, err = r.name(p.id); err != nil {
			return nil, err
		}
	}
	if !r.all && e.Actor.Person() != r.me.Canonical() {
		row.Address, row.Request = "", "" // the address of another person
	}
	return row, nil
}

func (r *auditReader) name(person console.ID) (string, error) {
	if name, ok := r.people[person]; ok || person == "" {
		return name, nil
	}
	p, err := r.tx.Person(person)
	if err != nil && baton.KindOf(err) != baton.NotFound {
		return "", err
	}
	r.people[person] = p.Name
	return p.Name, nil
}

// lookUp returns an object by ID, from the cache if possible; nil if the ID is empty or the object
// is gone.
func lookUp[T any](known map[console.ID]*T, id console.ID, read func() (T, error)) (*T, error) {
	if v, ok := known[id]; ok || id == "" {
		return v, nil
	}
	v, err := read()
	switch {
	case baton.KindOf(err) == baton.NotFound:
		known[id] = nil
	case err != nil:
		return nil, err
	default:
		known[id] = &v
	}
	return known[id], nil
}

// AuditLine is a line of an export.
type AuditLine struct {
	Number   int64           `json:"number"`
	Epoch    int64           `json:"epoch"`
	Previous console.Hash    `json:"previous"`
	Hash     console.Hash    `json:"hash"`
	Event    json.RawMessage `json:"event"` // the bytes that the hash covers
}

// ExportAudit calls a function for each event of a filter, oldest first, with the stored bytes. The
// export is recorded as an event. It needs the right to read all events.
func (c *Console) ExportAudit(ctx context.Context, caller Caller, f AuditFilter, write func(AuditLine) error) error {
	var after, last int64
	err := c.change(ctx, caller, reading, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeAudit.Check(me, console.Object{}); err != nil {
			return err
		}
		head, err := tx.ChainHead()
		if err != nil {
			return err
		}
		last = head.Number + 1
		if after, err = newAuditReader(tx, me).bounds(f, &last); err != nil {
			return err
		}
		what, err := json.Marshal(f)
		tx.Append(console.Event{Kind: "audit.exported", Data: what})
		return err
	})
	for more := true; err == nil && more; {
		var page []store.Event
		err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) (err error) {
			page, err = tx.Events(store.EventFilter{App: f.App, Connector: f.Connector, Own: f.Person}, after, store.PageSize)
			return err
		})
		more = len(page) == store.PageSize
		for _, e := range page {
			if after = e.Number; after >= last {
				return nil
			}
			if !f.takes(e) {
				continue
			}
			if err := write(AuditLine{e.Number, e.Epoch, e.Previous, e.Hash, e.Payload}); err != nil {
				return err
			}
		}
	}
	return err
}

// ChainHead returns the position of the last event, to be kept outside the console, and records that
// as the event after it. It needs the right to read all events.
func (c *Console) ChainHead(ctx context.Context, caller Caller) (head console.ChainHead, err error) {
	err = c.change(ctx, caller, reading, func(tx *store.Tx, me console.Person) (err error) {
		if err := console.SeeAudit.Check(me, console.Object{}); err != nil {
			return err
		}
		if head, err = tx.ChainHead(); err != nil {
			return err
		}
		return exported(tx, console.Event{Kind: "audit.head-downloaded"}, map[string]any{"epoch": head.Epoch, "number": head.Number, "hash": head.Hash.String()})
	})
	return head, err
}

// CheckChain checks every event against its hash and position, and the chain against heads that were
// kept elsewhere. It needs the right to read all events.
func (c *Console) CheckChain(ctx context.Context, caller Caller, kept ...console.ChainHead) (store.ChainReport, error) {
	err := c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		return console.SeeAudit.Check(me, console.Object{})
	})
	if err != nil {
		return store.ChainReport{}, err
	}
	return c.store.VerifyChain(ctx, kept...)
}
