package paging

import (
	"encoding/json"
	"strings"

	"baton"
)

// Position is the state of a partly read list. It is small enough to be stored with every page and complete
// enough for another process to continue. The zero Position is the start.
type Position struct {
	Pages    int    `json:"pages,omitempty"`    // read in this pass
	Received int    `json:"received,omitempty"` // place of the last row
	Distinct int    `json:"distinct,omitempty"` // rows, each once
	Total    int    `json:"total,omitempty"`    // as the first page claimed, 0 if it did not
	Opening  int    `json:"opening,omitempty"`  // rows of the first page
	Most     int    `json:"most,omitempty"`     // rows of the largest page
	First    string `json:"first,omitempty"`    // id of the very first row
	Last     string `json:"last,omitempty"`     // id of the last row so far
	Aligned  bool   `json:"aligned,omitempty"`  // the next page begins behind the last row, and not with it
	Edge     bool   `json:"edge,omitempty"`     // a page that began with the last row had nothing else
	Odd      bool   `json:"odd,omitempty"`      // some places repeated a known row
	Proof    int    `json:"proof,omitempty"`    // the place to request next, to check that Before is still there
	Before   string `json:"before,omitempty"`   // id of the row there
	Final    bool   `json:"final,omitempty"`    // if it is still there, the list is complete
	Behind   int    `json:"behind,omitempty"`   // places of known rows since the last new one
	LastNew  string `json:"lastNew,omitempty"`  // id of that one
	Check    bool   `json:"check,omitempty"`    // next: check whether the server honours the start of a page
	Cursor   string `json:"cursor,omitempty"`
	Handle   string `json:"handle,omitempty"`
	Barren   int    `json:"barren,omitempty"`   // pages without a new row, in a row
	Empty    int    `json:"empty,omitempty"`    // empty pages where one with a known row was expected
	Restarts int    `json:"restarts,omitempty"` // abandoned passes
	Sorted   bool   `json:"sorted,omitempty"`   // request sorted rows, because the server's own order changed
	Limit    int    `json:"limit,omitempty"`    // page size limit, 0 if unknown
	Count    int    `json:"count,omitempty"`    // reduced page size after large or slow pages, else 0
	Good     int    `json:"good,omitempty"`     // successful pages of that size
	Formal   bool   `json:"formal,omitempty"`   // used by the client: a page had the form of its protocol
}

const (
	maxPages    = 100_000
	maxRows     = 1 << 40 // larger than any list; prevents overflow of places
	maxRestarts = 3
	maxBarren   = 10 // pages of a cursor without a new row
	maxEmpty    = 3  // empty pages where one with a known row was expected
	maxRepeats  = 3  // pages of known rows at the possible end
)

// ParsePosition parses the output of String. The error is Corrupt for anything else.
func ParsePosition(s string) (Position, error) {
	var p Position
	if s == "" {
		return p, nil
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields()
	err := d.Decode(&p)
	within := func(n, limit int) bool { return 0 <= n && n <= limit }
	sane := within(p.Pages, maxPages) && within(p.Received, maxRows) && within(p.Distinct, p.Received) && within(p.Total, maxRows) &&
		within(p.Opening, maxRows) && within(p.Most, maxRows) && within(p.Proof, p.Received) && within(p.Behind, p.Received) && within(p.Barren, maxBarren) && within(p.Empty, maxEmpty) && within(p.Restarts, maxRestarts) &&
		within(p.Limit, maxRows) && within(p.Count, maxRows) && within(p.Good, goodPages)
	if err != nil || d.More() || !sane {
		return Position{}, baton.Errorf(baton.Corrupt, "not a position in a list").WithFix("Run with --fresh to start over.")
	}
	return p, nil
}

// String returns the position as JSON, or "" at the start.
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	b, _ := json.Marshal(p) // strings, integers and booleans only
	return string(b)
}

// counted reports whether there is a total that the rows do not contradict.
func (p Position) counted() bool { return p.Total > 0 && p.Distinct <= p.Total }

// complete reports whether as many rows were read as such a total claims.
func (p Position) complete() bool { return p.counted() && p.Distinct == p.Total }

// overlaps reports whether the page of count rows at p is requested from the last row on.
func (p Position) overlaps(count int) bool {
	return p.Pages > 0 && p.Last != "" && p.Cursor == "" && !p.Aligned && !p.Check && p.Proof == 0 && !p.single(count)
}

// single reports whether pages have only one row.
func (p Position) single(count int) bool { return count == 1 || p.Most == 1 }

// start returns the place where the page of count rows at p begins.
func (p Position) start(count int) int {
	switch {
	case p.Check:
		return 2
	case p.Proof > 0:
		return p.Proof
	case p.overlaps(count):
		return p.Received
	}
	return p.Received + 1
}
