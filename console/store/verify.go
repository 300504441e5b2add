package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// ChainFault is a fault in the chain of events.
type ChainFault struct {
	Number int64 // of the event
	Kind   ChainFaultKind
	Detail string // for display
}

// ChainFaultKind is the kind of a fault.
type ChainFaultKind string

const (
	EventEdited  ChainFaultKind = "edited"  // the event or its columns were changed
	EventRemoved ChainFaultKind = "removed" // an event between others is missing
	EventCutOff  ChainFaultKind = "cut-off" // events at the end are missing
	EventAdded   ChainFaultKind = "added"   // there are events after the recorded end
)

// ChainReport is the result of a verification.
type ChainReport struct {
	Events int64 // number of events that were read
	Erased int64 // number of those from which personal data was removed, as later events say
	Head   console.ChainHead
	Faults []ChainFault // the first maxFaults faults
}

// maxFaults limits the faults of a report.
const maxFaults = 100

// verifyPage is the number of events that are read in one transaction.
const verifyPage = 4096

// VerifyChain checks every event against its hash, its position and its columns, and the chain
// against heads that were exported and kept elsewhere. Without an exported head, somebody who can
// write to the database could have replaced the whole chain. Transactions are short. Events that are
// appended meanwhile may or may not be checked.
func (s *Store) VerifyChain(ctx context.Context, exported ...console.ChainHead) (ChainReport, error) {
	v := chainCheck{exported: exported}
	if err := s.View(ctx, func(t *Tx) (err error) {
		v.erased, err = t.erasedPayloads()
		return err
	}); err != nil {
		return v.ChainReport, baton.Errorf(baton.KindOf(err), "verify events: %w", err)
	}
	for more := true; more && len(v.Faults) < maxFaults; {
		err := s.View(ctx, func(t *Tx) (err error) {
			more, err = v.page(t)
			return err
		})
		if err != nil {
			return v.ChainReport, baton.Errorf(baton.KindOf(err), "verify events: %w", err)
		}
	}
	return v.ChainReport, nil
}

type chainCheck struct {
	ChainReport
	exported []console.ChainHead
	erased   map[int64]erasedPayload
	last     console.ChainHead // the newest event read
}

func (v *chainCheck) fault(number int64, kind ChainFaultKind, format string, args ...any) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, ChainFault{number, kind, fmt.Sprintf(format, args...)})
	}
}

// page checks the next events and, after the last, the head.
func (v *chainCheck) page(t *Tx) (more bool, err error) {
	read := 0
	err = t.e.Query(func(r engine.Row) error {
		read++
		v.event(r)
		return nil
	}, `SELECT number, epoch, payload, previous, hash, at, kind, actor, app, connector, person, account, entitlement, object FROM event
		WHERE number > $1 ORDER BY number LIMIT $2`, v.last.Number, verifyPage)
	if err != nil || read == verifyPage {
		return err == nil, err
	}
	v.Head, err = t.ChainHead()
	v.end()
	return false, err
}

func (v *chainCheck) event(r engine.Row) {
	v.Events++
	number, epoch := r.Int(0), r.Int(1)
	payload, previous, hash := r.Bytes(2), hashOf(r.Bytes(3)), hashOf(r.Bytes(4))
	for n := v.last.Number + 1; n < number && len(v.Faults) < maxFaults; n++ {
		v.fault(n, EventRemoved, "event %d is missing", n)
	}
	contiguous := number == v.last.Number+1
	if contiguous && previous != v.last.Hash {
		v.fault(v.last.Number, EventEdited, "event %d was chained to another event %d", number, v.last.Number)
	}
	if epoch < v.last.Epoch {
		v.fault(number, EventEdited, "event %d has epoch %d after epoch %d", number, epoch, v.last.Epoch)
	}
	erased, is := v.erased[number]
	is = is && erased.by > number && erased.sum == sha256.Sum256(payload)
	if is {
		v.Erased++
	}
	switch {
	// An erased event has the hash of what it was. What it is now has its hash in a later event, and
	// that it has kept the place and the hash of what it was follows from the event after it.
	case !is && !(console.Link{Epoch: epoch, Number: number, Previous: previous}).Holds(payload, hash):
		v.fault(number, EventEdited, "event %d does not have its hash", number)
	case !columnsAgree(r, payload):
		v.fault(number, EventEdited, "the columns of event %d differ from its content", number)
	}
	v.last = console.ChainHead{Epoch: epoch, Number: number, Hash: hash, At: at(r, 5)}
	for _, h := range v.exported {
		if h.Number == number && (h.Hash != hash || h.Epoch != epoch) {
			v.fault(number, EventEdited, "event %d is not the one whose hash was exported: it or one before it was replaced", number)
		}
	}
}

// columnsAgree reports whether the indexed columns of an event match its content.
func columnsAgree(r engine.Row, payload []byte) bool {
	var e console.Event
	if json.Unmarshal(payload, &e) != nil {
		return false
	}
	account := r.Null(11) && r.Null(12) && e.Account == 0 ||
		!r.Null(11) && e.Account != 0 && r.Int(11) == int64(e.Account) && r.Int(12) == int64(e.Entitlement)
	return account && at(r, 5).Equal(e.At) && r.Text(6) == e.Kind && r.Text(7) == actorText(e.Actor) &&
		r.Text(8) == string(e.App) && r.Text(9) == string(e.Connector) && r.Text(10) == string(e.Person) && r.Text(13) == e.Object
}

// end compares the newest event with the recorded head and the exported heads.
func (v *chainCheck) end() {
	for n := v.last.Number + 1; n <= v.Head.Number && len(v.Faults) < maxFaults; n++ {
		v.fault(n, EventCutOff, "event %d is missing at the end", n)
	}
	switch {
	case v.Head.Number < v.last.Number:
		v.fault(v.last.Number, EventAdded, "event %d stands after the recorded end, event %d", v.last.Number, v.Head.Number)
	case v.Head.Number == v.last.Number && v.Head.Number > 0 && !bytes.Equal(v.Head.Hash[:], v.last.Hash[:]):
		v.fault(v.last.Number, EventEdited, "event %d is not the one whose hash was recorded as the end", v.last.Number)
	}
	for _, h := range v.exported {
		for n := max(v.last.Number, v.Head.Number) + 1; n <= h.Number && len(v.Faults) < maxFaults; n++ {
			v.fault(n, EventCutOff, "event %d is missing at the end; the exported head is event %d", n, h.Number)
		}
	}
}
