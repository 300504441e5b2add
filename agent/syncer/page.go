package syncer

import (
	"encoding/binary"
	"slices"

	"baton"
)

// page encodes each row once, in the form of the file, and appends it to the page log. It
// implements baton.Page. The first error fails the page.
type page struct {
	feed     *feedRun
	before   int // resources that the feed had seen before
	excluded map[string]Exclusion
	rows     int
	expected int
	buf      []byte
	err      error
}

// appendID appends the id of a resource.
func appendID[T string | []byte](dst []byte, kind, id T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(kind)))
	return append(append(dst, kind...), id...)
}

func (p *page) Seen(id baton.ResourceID) bool {
	p.buf = appendID(p.buf[:0], id.Type, id.ID)
	_, ok := p.feed.seen.Find(p.buf)
	return ok
}

func (p *page) Resource(res baton.Resource) {
	if !p.wanted(res.ID.Type) {
		return
	}
	p.append(p.feed.rows.Resource(res))
	p.buf = appendID(p.buf[:0], res.ID.Type, res.ID.ID)
	p.feed.seen.Add(p.buf)
}

func (p *page) Entitlement(e baton.Entitlement) {
	if !p.wanted(e.ID.Resource.Type) || p.cfg().SkipEntitlementsAndGrants {
		return
	}
	var holders []baton.ResourceType
	for _, id := range e.GrantableTo {
		if t, ok := p.cfg().Connector.ResourceType(id); ok {
			holders = append(holders, t)
		}
	}
	p.append(p.feed.rows.Entitlement(e, holders))
}

func (p *page) Grant(g baton.Grant) {
	if !p.wanted(g.ID.Entitlement.Resource.Type) || p.cfg().SkipGrants || p.cfg().SkipEntitlementsAndGrants {
		return
	}
	p.append(p.feed.rows.Grant(g))
}

func (p *page) Exclude(reason, example string) {
	e, ok := p.excluded[reason]
	if !ok {
		if p.excluded == nil {
			p.excluded = map[string]Exclusion{}
		}
		e = Exclusion{Reason: reason, Example: example}
	}
	e.Count++
	p.excluded[reason] = e
}

func (p *page) Void() {
	p.feed.seen.Truncate(p.before)
	p.feed.rows.Restart()
	p.rows, p.expected, p.excluded = 0, 0, nil
	p.err = p.feed.log.Rollback()
}

func (p *page) Expect(total int) { p.expected = total }

func (p *page) cfg() *Config { return &p.feed.run.cfg }

func (p *page) wanted(resourceType string) bool {
	types := p.cfg().Types
	return len(types) == 0 || slices.Contains(types, resourceType)
}

// fresh returns the number of new resources in the page.
func (p *page) fresh() int { return p.feed.seen.Len() - p.before }

// append appends the row that was encoded last to the page log, unless encoding failed.
func (p *page) append(err error) {
	if p.err != nil {
		return
	}
	if err != nil {
		p.err = err
		return
	}
	p.err = p.feed.log.Append(p.feed.rows.Record())
	p.rows++
}
