package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"

	"baton/console"
)

// chain calculates the hash of every event, and compares the chain with heads from outside.
func (v *verification) chain() error {
	v.digests = map[int64]string{}
	c := chainCheck{verification: v, previous: v.Chain.Previous, next: v.Chain.First, erased: map[int64]console.Hash{}, listed: map[int64]console.Hash{}}
	e := v.opened.find("events.jsonl")
	if e == nil {
		v.fault("events.jsonl", "is missing")
		return nil
	}
	if err := v.lines(*e, c.line); err != nil {
		return err
	}
	for number, sum := range c.erased {
		if c.listed[number] != sum {
			v.eventFault(number, "does not have its hash, and no later event says that data was erased from it")
		}
	}
	v.Erased += len(c.erased)
	last := console.ChainHead{Epoch: c.epoch, Number: c.next - 1, Hash: c.previous}
	if last.Number != v.Chain.Last || last.Hash != v.Chain.Hash || last.Epoch != v.Chain.Epoch {
		v.eventFault(max(last.Number, 1), "is the last of the chain, and has not the number, the epoch and the hash that the manifest has for it")
	}
	for _, h := range v.options.Heads {
		c.outside(h)
	}
	return nil
}

// chainCheck is the state of the verification of a chain.
type chainCheck struct {
	*verification
	previous console.Hash
	next     int64
	epoch    int64
	erased   map[int64]console.Hash // SHA-256 of what erased events are now
	listed   map[int64]console.Hash // what events of erasures say
}

func (c *chainCheck) line(line []byte) error {
	l, err := decodeEvent(line)
	if err != nil {
		return err
	}
	if l.Number != c.next || l.Epoch < c.epoch || l.Epoch < 1 {
		c.eventFault(c.next, "is missing, or in another place: event %d of epoch %d is there", l.Number, l.Epoch)
		return wrong("the chain is broken")
	}
	link := console.Link{Epoch: l.Epoch, Number: l.Number, Previous: c.previous}
	sum := console.Hash(sha256.Sum256(l.Event))
	switch {
	case l.Hash != nil:
		c.previous = *l.Hash
		c.erased[l.Number] = sum
	case l.Event != nil && sum != *l.Digest:
		c.eventFault(l.Number, "was altered: it does not have its digest")
		fallthrough
	default:
		c.previous = console.HashDigest(link, *l.Digest)
	}
	c.next, c.epoch = l.Number+1, l.Epoch
	c.counts.Events++
	for _, h := range c.options.Heads {
		if h.Number == l.Number {
			if h.Hash != c.previous || h.Epoch != l.Epoch {
				c.eventFault(l.Number, "is not the one whose head was kept: it, or one before it, was replaced")
			} else {
				c.Heads++
			}
		}
	}
	if l.Event == nil {
		c.Withheld++
		return nil
	}
	c.counts.Disclosed++
	return c.content(l)
}

// content reads what a disclosed event says.
func (c *chainCheck) content(l eventLine) error {
	var e struct {
		Kind string          `json:"kind"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(l.Event, &e); err != nil {
		c.eventFault(l.Number, "cannot be read: %v", err)
		return nil
	}
	c.recordEvent(l, e.Kind)
	switch e.Kind {
	case "review.submitted":
		var data struct {
			Digest string `json:"digest"`
		}
		if json.Unmarshal(e.Data, &data) == nil {
			c.digests[l.Number] = data.Digest
		}
	case console.PayloadsErased:
		var data struct {
			Events []struct {
				Number  int64        `json:"number"`
				Payload console.Hash `json:"payload"`
			} `json:"events"`
		}
		if json.Unmarshal(e.Data, &data) == nil && l.Hash == nil {
			for _, x := range data.Events {
				if x.Number < l.Number {
					c.listed[x.Number] = x.Payload
				}
			}
		}
	}
	return nil
}

// outside compares the chain with a head that it does not reach.
func (c *chainCheck) outside(h console.ChainHead) {
	switch {
	case h.Number >= c.next:
		c.eventFault(c.next, "is missing: the chain was cut off, or the pack is older than the head, which is event %d", h.Number)
	case h.Number < c.Chain.First-1:
		c.fault("events.jsonl", "the head is event %d, and the pack begins with event %d: a head of a later time is needed", h.Number, c.Chain.First)
	case h.Number == c.Chain.First-1 && h.Hash != c.Chain.Previous:
		c.eventFault(c.Chain.First, "does not follow the event whose head was kept")
	case h.Number == c.Chain.First-1:
		c.Heads++
	}
}

// head checks the signed head in the pack.
func (v *verification) head() error {
	var h console.SignedHead
	if err := v.document("head.json", &h); err != nil || v.opened.find("head.json") == nil {
		return err
	}
	key, err := v.opened.read(keyName, maxDocument)
	if err != nil {
		return err
	}
	switch public := decodeKey(key); {
	case h.Verify() != nil || !bytes.Equal(h.Key, public):
		v.fault("head.json", "is not signed with the key of the pack")
	case h.Number != v.Chain.Last || h.Hash != v.Chain.Hash || h.Epoch != v.Chain.Epoch || !h.At.Equal(v.AsOf):
		v.fault("head.json", "is not the end of the chain in the manifest")
	}
	return nil
}
