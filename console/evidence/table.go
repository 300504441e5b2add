package evidence

import (
	"io"
	"iter"

	"baton/console"
)

// builder writes the members of a pack.
type builder struct {
	a      archive
	src    Source // of a review
	person func(console.ID) (Person, error)
	review Review
	counts Counts
	people map[console.ID]bool // whom the pack names
	report *report
}

// json writes a member that is one value of JSON.
func (b *builder) json(name string, v any) error {
	_, err := b.a.add(name, func(w io.Writer) error {
		_, err := w.Write(append(encodeLine(v), '\n'))
		return err
	})
	return err
}

// table writes rows as lines of JSON, and the same as CSV, and counts them.
func table[T any](b *builder, name string, columns []string, rows iter.Seq2[T, error]) (n int, err error) {
	e, err := b.a.add(name+".jsonl", func(w io.Writer) error {
		for row, err := range rows {
			if err != nil {
				return err
			}
			n++
			if _, err := w.Write(append(encodeLine(row), '\n')); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		_, err = b.a.add(name+".csv", func(w io.Writer) error { return writeCSV(w, b.a.open(e), columns) })
	}
	return n, err
}

// each returns a sequence with a function applied to its values; those for which ok is false are
// left out.
func each[T, R any](seq iter.Seq2[T, error], fn func(T) (row R, ok bool)) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for v, err := range seq {
			if err != nil {
				var none R
				yield(none, err)
				return
			}
			if row, ok := fn(v); ok && !yield(row, nil) {
				return
			}
		}
	}
}

// list returns the sequence of a slice.
func list[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// name records that the pack names persons.
func (b *builder) name(ids ...console.ID) {
	for _, id := range ids {
		if id != "" {
			b.people[id] = true
		}
	}
}
