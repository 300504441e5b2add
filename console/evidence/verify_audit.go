package evidence

import (
	"bytes"
	"encoding/json"
	"strings"

	"baton"
	"baton/console"
)

// isAudit reports whether the archive has the manifest of an audit report.
func (o *opened) isAudit() (bool, error) {
	text, err := o.read(manifestName, maxManifest)
	return strings.HasPrefix(string(text), `{"format":"`+AuditFormat+`"`), err
}

// auditManifest reads the manifest of an audit report, and sets what it has in common with that of a
// pack.
func (v *verification) auditManifest(b []byte) error {
	m := AuditManifest{}
	if err := strictly(b, &m); err != nil {
		return err
	}
	if !bytes.Equal(m.encode(), b) {
		return baton.Errorf(baton.Corrupt, "it is not in its canonical form")
	}
	v.Audit = &m
	v.Manifest = Manifest{Format: m.Format, Key: m.Key, AsOf: m.AsOf, Chain: m.Chain, Members: m.Members}
	return nil
}

// auditRows checks the rows of an audit report: that records and events agree, that everybody who is
// named is explained, and the counts.
func (v *verification) auditRows() error {
	if v.Audit == nil {
		return nil
	}
	v.name(v.Audit.By)
	var c AuditCounts
	for _, step := range []func() error{
		func() error {
			return rows(v, "applications.jsonl", func(a AuditedApp) error {
				c.Applications++
				v.name(a.Owners...)
				return nil
			})
		},
		func() error {
			return rows(v, "administrators.jsonl", func(a Administrator) error {
				c.Administrators++
				v.name(a.Person)
				return nil
			})
		},
		func() error {
			return rows(v, "console-roles.jsonl", func(r ConsoleRole) error {
				c.Roles++
				v.name(r.Person)
				return nil
			})
		},
		func() error {
			return rows(v, "leavers.jsonl", func(l Leaver) error {
				c.Leavers++
				v.name(l.Person)
				return nil
			})
		},
		func() error {
			return rows(v, "reciprocal.jsonl", func(r Reciprocal) error {
				c.Reciprocal++
				v.name(r.First, r.Second)
				return nil
			})
		},
		func() error {
			return rows(v, "records.jsonl", func(r Record) error { c.Records++; return v.record(r) })
		},
		v.people,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if len(v.recorded) > 0 {
		v.fault("records.jsonl", "does not have event %d", v.recorded[0].number)
	}
	if c.Events, c.Disclosed = v.counts.Events, v.counts.Disclosed; c != v.Audit.Counts {
		v.fault(manifestName, "counts %+v, and the members have %+v", v.Audit.Counts, c)
	}
	return nil
}

// recordedEvent is a disclosed event of an audit report that is in a section.
type recordedEvent struct {
	number int64
	event  console.Event
}

// recordEvent keeps a disclosed event of an audit report, to compare the records with.
func (v *verification) recordEvent(l eventLine, kind string) {
	if v.Audit == nil || SectionOf(kind) == "" {
		return
	}
	var e console.Event
	if json.Unmarshal(l.Event, &e) == nil {
		v.recorded = append(v.recorded, recordedEvent{l.Number, e})
	}
}

// RecordOf returns the record of an event that is in a section.
func RecordOf(number int64, e console.Event) Record {
	return Record{Section: SectionOf(e.Kind), Event: number, At: utc(e.At), Kind: e.Kind, What: console.EventWords(e.Kind), Actor: e.Actor, OnBehalfOf: e.OnBehalfOf, Login: e.Login, Person: e.Person, App: e.App,
		Object: e.Object, Data: e.Data}
}

// record checks a record against its event.
func (v *verification) record(r Record) error {
	v.name(r.Person, r.Actor.Person(), r.OnBehalfOf)
	if len(v.recorded) == 0 || v.recorded[0].number != r.Event {
		return wrong("event %d is not in its place, or is not in the chain with its content", r.Event)
	}
	e := v.recorded[0].event
	v.recorded = v.recorded[1:]
	want := RecordOf(r.Event, e)
	want.What = r.What // its words can be those of another version
	if !bytes.Equal(encodeLine(want), encodeLine(r)) {
		return wrong("the record of event %d does not say what the event says", r.Event)
	}
	return nil
}
