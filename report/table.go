package report

import (
	"fmt"
	"iter"

	"baton/internal/english"
)

// table is a table of the page. Its first rows are in the HTML. If it has more, all rows are in the
// data of the page, for the script. Rows are made while they are written.
type table struct {
	ID, Caption, Lead string
	Hidden            bool // the caption is for screen readers only
	Columns           []column
	Rows              iter.Seq[[]td]
	People            *peopleRows // replaces Rows in the data
	Total, Shown      int         // number of all rows, and of those on the page
	Static            int         // number of rows in the HTML
	Empty             string
}

// Rows in the HTML, which are visible without the script and in print.
const (
	staticRows       = 50   // of a table
	staticListRows   = 20   // of the holders of one entitlement, on a page with many
	staticDetailRows = 1000 // of the holders of all entitlements
)

// column is the head of a column: its title, the class of its cells ("n" a number, "d" a
// date, "w" wide, "b" a bar, "c" an id).
type column struct{ Title, Class string }

// td is a cell.
type td struct {
	Name   string // with Sub below it
	Sub    string
	Text   string
	Code   string
	Number string
	Date   string
	Link   string
	Tags   []tag
	Bar    []segment
	Diff   []attribute
	Head   bool
}

type tag struct{ Level, Text string }

// Large reports whether the table gets a filter.
func (t table) Large() bool { return t.Shown > 12 }

// Partial reports whether the data have more rows than the HTML.
func (t table) Partial() bool { return t.Static < t.Shown }

// Cut returns a note about rows that are not on the page.
func (t table) Cut() string {
	if t.Shown >= t.Total {
		return ""
	}
	return fmt.Sprintf("The first %s of %s rows. All of them are in the CSV and JSON forms of this report.", english.Number(t.Shown), english.Number(t.Total))
}

// Paper returns a note about rows that are not in the HTML.
func (t table) Paper() string {
	switch {
	case !t.Partial():
		return ""
	case t.Static == 0:
		return english.Count(t.Total, "row") + ", which are in the CSV and JSON forms of this report."
	}
	return fmt.Sprintf("The first %s of %s rows. All of them are in the CSV and JSON forms of this report.", english.Number(t.Static), english.Number(t.Total))
}

// rows returns the rows of a table, up to the limit.
func rows[T any](t table, limit int, list []T, row func(T) []td) table {
	t.Total = len(list)
	t.Shown = min(limit, len(list))
	t.Static = min(t.Shown, staticRows)
	t.Rows = func(yield func([]td) bool) {
		for _, one := range list[:t.Shown] {
			if !yield(row(one)) {
				return
			}
		}
	}
	return t
}

// peopleRows returns the rows of a table of accounts. The data contain each account once; a row
// refers to it by number.
type peopleRows struct {
	columns []int                      // for each column of the table one of builder.people, or noPerson for a text of the row
	rows    iter.Seq2[int32, []string] // numbers of members, and the texts of the row
}

const noPerson = -1
