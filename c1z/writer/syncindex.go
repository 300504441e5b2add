package writer

import (
	"bytes"
	"encoding/binary"
	"slices"

	"baton/c1z/internal/sqlitefile"
)

// syncIndex puts the entries of the index of grants by entitlement, sync and row in order.
// The grants of an entitlement follow each other, but those of its syncs are mixed. The rows of
// the first sync are entered at once, those of the others after the last grant of the
// entitlement. Until then a row takes one or two bytes.
type syncIndex struct {
	index       *sqlitefile.Index
	columns     []int // of the index: entitlement, sync and row
	syncs       []string
	entitlement []byte
	blob        bool       // the entitlement is not stored as a text: another program wrote it
	held        []heldRows // of the entitlement, by sync; the first one has none
}

// heldRows holds ascending row numbers as differences, encoded as unsigned varints.
type heldRows struct {
	deltas []byte
	last   int64
}

// newSyncIndex makes the index for syncs, whose ids are in order.
func newSyncIndex(index *sqlitefile.Index, columns []int, syncs []string) *syncIndex {
	return &syncIndex{index: index, columns: columns, syncs: syncs, held: make([]heldRows, len(syncs))}
}

// add adds the entry of a row. A nil syncIndex adds nothing: the table has the index then.
func (x *syncIndex) add(row []sqlitefile.Value, number int64) error {
	if x == nil {
		return nil
	}
	entitlement := &row[x.columns[0]]
	if !bytes.Equal(entitlement.Bytes(), x.entitlement) || entitlement.IsBlob() != x.blob {
		if err := x.flush(); err != nil {
			return err
		}
		x.entitlement, x.blob = append(x.entitlement[:0], entitlement.Bytes()...), entitlement.IsBlob()
	}
	id := row[x.columns[1]].Bytes()
	sync := slices.IndexFunc(x.syncs, func(s string) bool { return s == string(id) })
	if sync <= 0 {
		return x.index.AddRow(number, row, x.columns)
	}
	h := &x.held[sync]
	h.deltas = binary.AppendUvarint(h.deltas, uint64(number-h.last))
	h.last = number
	return nil
}

// flush enters the rows that are held.
func (x *syncIndex) flush() error {
	if x == nil {
		return nil
	}
	entitlement := sqlitefile.TextOf(x.entitlement)
	if x.blob {
		entitlement = sqlitefile.Blob(x.entitlement)
	}
	for i := range x.held {
		h, sync := &x.held[i], sqlitefile.Text(x.syncs[i])
		number := int64(0)
		for rest := h.deltas; len(rest) > 0; {
			delta, width := binary.Uvarint(rest)
			rest = rest[width:]
			number += int64(delta)
			if err := x.index.Add(number, entitlement, sync, sqlitefile.Int(number)); err != nil {
				return err
			}
		}
		h.deltas, h.last = h.deltas[:0], 0
	}
	return nil
}
