package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"io"
	"iter"
	"strconv"

	"baton"
	"baton/console"
)

// eventLine is a line of events.jsonl. The hash of an event follows from its digest, its place and
// the hash of the event before. A disclosed event has its bytes, too. Of an erased event only the
// hash is known, because its digest went with the data.
type eventLine struct {
	Number int64
	Epoch  int64
	Digest *console.Hash
	Hash   *console.Hash // of an erased event
	Event  []byte        // the stored bytes; nil if they are withheld
}

func (l eventLine) encode() []byte {
	b := strconv.AppendInt([]byte(`{"number":`), l.Number, 10)
	b = strconv.AppendInt(append(b, `,"epoch":`...), l.Epoch, 10)
	if l.Digest != nil {
		b = append(append(append(b, `,"digest":"`...), l.Digest.String()...), '"')
	}
	if l.Hash != nil {
		b = append(append(append(b, `,"hash":"`...), l.Hash.String()...), '"')
	}
	if l.Event != nil {
		b = append(append(b, `,"event":`...), l.Event...)
	}
	return append(b, '}')
}

// decodeEvent reads a line. Other bytes than those of encode are refused.
func decodeEvent(line []byte) (l eventLine, err error) {
	var raw struct {
		Number int64           `json:"number"`
		Epoch  int64           `json:"epoch"`
		Digest *console.Hash   `json:"digest"`
		Hash   *console.Hash   `json:"hash"`
		Event  json.RawMessage `json:"event"`
	}
	if err := strictly(line, &raw); err != nil {
		return l, err
	}
	l = eventLine{raw.Number, raw.Epoch, raw.Digest, raw.Hash, raw.Event}
	if !bytes.Equal(l.encode(), line) || (l.Digest == nil) == (l.Hash == nil) || l.Hash != nil && l.Event == nil {
		return l, baton.Errorf(baton.Corrupt, "it is not in its canonical form")
	}
	return l, nil
}

// events writes the chain up to the newest event, and the signed head.
func (b *builder) events(chain iter.Seq2[Event, error], head console.ChainHead, key ed25519.PrivateKey) (c Chain, err error) {
	last, hash := int64(0), console.Hash{}
	_, err = b.a.add("events.jsonl", func(w io.Writer) error {
		for e, err := range chain {
			if err != nil {
				return err
			}
			if b.counts.Events == 0 {
				c.First, c.Previous = e.Number, e.Previous
			} else if e.Number != last+1 || e.Previous != hash {
				return baton.Errorf(baton.Corrupt, "event %d does not follow event %d", e.Number, last).WithFix("Run baton-console audit verify.")
			}
			b.counts.Events++
			last, hash = e.Number, e.Hash
			line := eventLine{Number: e.Number, Epoch: e.Epoch}
			digest := console.Hash(sha256.Sum256(e.Payload))
			if console.HashDigest(e.Link, digest) == e.Hash {
				line.Digest = &digest
			} else {
				line.Hash = &e.Hash
			}
			if e.Disclosed || line.Hash != nil {
				b.counts.Disclosed++
				line.Event = e.Payload
			}
			if _, err := w.Write(append(line.encode(), '\n')); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	if head.Number != last || head.Hash != hash {
		return c, baton.Errorf(baton.Corrupt, "event %d is the newest of the chain, and event %d its head", last, head.Number).WithFix("Run baton-console audit verify.")
	}
	c.Epoch, c.Last, c.Hash = head.Epoch, last, hash
	return c, b.json("head.json", head.Sign(key))
}
