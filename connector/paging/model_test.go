package paging_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"baton"
	"baton/connector/paging"
	"baton/connector/rest"
	"baton/internal/longtest"
)

// model is a server with a list and a random combination of habits.
type model struct {
	rows  []string // in order
	cap   int      // rows of a page at most
	total string   // what a page claims: true, missing, page, low, high
	past  string   // behind the end: empty, wrap, clamp, refuse
	start string   // how the server interprets the start: row, page, overlap, ignored, zero
	twice bool     // every fifth row is listed twice
	empty int      // every so many pages of the list come out empty
	short bool     // the third row is counted and not shown
	moves []string // before the request of that number: "", gone, come, swap, swaps
	limit int      // largest count that the server accepts
	mute  bool     // the refusal does not say why
	heavy int      // size limit of a page in bytes, 0 if none
	size  map[string]int
	slow  int // the largest page that arrives in time, 0 if any

	requests int
	always   map[string]bool // rows that existed during the whole list
	ever     map[string]bool
	came     int
}

var (
	totals = []string{"true", "true", "true", "missing", "page", "low", "high"}
	pasts  = []string{"empty", "empty", "empty", "wrap", "clamp", "refuse"}
	starts = []string{"row", "row", "row", "row", "page", "overlap", "ignored", "zero"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// newModel returns a random server. An honest one has limits but no faults.
func newModel(r *rand.Rand, honest bool) *model {
	m := &model{cap: 1 + r.IntN(12), total: "true", past: "empty", start: "row"}
	for i := range r.IntN(30) {
		m.rows = append(m.rows, fmt.Sprint("r", i))
	}
	chance := func(n int) bool { return r.IntN(n) == 0 }
	if chance(3) {
		m.limit, m.mute = 1+r.IntN(12), chance(2)
	}
	if chance(4) {
		m.slow = 2 + r.IntN(10)
	}
	if chance(4) {
		m.heavy, m.size, m.mute = 100, map[string]int{}, chance(2)
		for _, id := range m.rows {
			m.size[id] = r.IntN(100)
		}
	}
	if honest {
		return m
	}
	m.total, m.past, m.start = pick(r, totals), pick(r, pasts), pick(r, starts)
	m.twice, m.short = chance(4), chance(8)
	if chance(5) {
		m.empty = 1 + r.IntN(5)
	}
	if chance(2) {
		for range r.IntN(40) {
			m.moves = append(m.moves, pick(r, []string{"", "", "", "", "", "gone", "come", "swap", "swaps"}))
		}
	}
	return m
}

func (m *model) String() string {
	return fmt.Sprintf("%d rows, cap %d, total %s, past the end %s, start %s, twice %t, empty %d, short %t, limit %d (mute %t), heavy %d, slow %d, moves %q",
		len(m.rows), m.cap, m.total, m.past, m.start, m.twice, m.empty, m.short, m.limit, m.mute, m.heavy, m.slow, m.moves)
}

// look records which rows exist now.
func (m *model) look() {
	if m.always == nil {
		m.always, m.ever = map[string]bool{}, map[string]bool{}
		for _, id := range m.rows {
			m.always[id] = true
		}
	}
	for id := range m.always {
		if !slices.Contains(m.rows, id) {
			delete(m.always, id)
		}
	}
	for _, id := range m.rows {
		m.ever[id] = true
	}
}

// move changes the list near its beginning, where a change shifts the most rows.
func (m *model) move() {
	what := ""
	if m.requests < len(m.moves) {
		what = m.moves[m.requests]
	}
	if what == "gone" || what == "swap" {
		if len(m.rows) > 1 {
			m.rows = slices.Delete(slices.Clone(m.rows), 0, 1)
		}
	}
	if what == "come" {
		m.came++
		m.rows = append([]string{fmt.Sprint("new", m.came)}, m.rows...)
	}
	if what == "swap" {
		m.came++
		m.rows = append(slices.Clone(m.rows), fmt.Sprint("new", m.came))
	}
	if what == "swaps" && len(m.rows) > 3 {
		m.came++
		m.rows = append(slices.Clone(m.rows[3:]), fmt.Sprint("new", m.came), fmt.Sprint("newer", m.came), fmt.Sprint("newest", m.came))
	}
}

func refusal(status int, detail string) error {
	return baton.Errorf(baton.Invalid, "%w", &rest.StatusError{Status: status, Detail: detail, Body: []byte(detail)})
}

// page answers a request.
func (m *model) page(ask paging.Ask, page *paging.Page) error {
	m.look()
	m.move()
	m.requests++
	m.look()
	if m.limit > 0 && ask.Count > m.limit {
		if m.mute {
			return refusal(400, "")
		}
		return refusal(400, "count is too large")
	}
	list := m.rows
	if m.twice {
		list = nil
		for i, id := range m.rows {
			if list = append(list, id); i%5 == 4 {
				list = append(list, id)
			}
		}
	}
	n := min(ask.Count, m.cap)
	from := ask.Start - 1
	switch m.start {
	case "page":
		from = from / ask.Count * n
	case "overlap":
		if from > 0 && from < len(list) {
			from--
		}
	case "ignored":
		from = 0
	case "zero":
		from++
	}
	if from >= len(list) && len(list) > 0 {
		switch m.past {
		case "wrap":
			from %= len(list)
		case "clamp":
			from = max(0, len(list)-n)
		case "refuse":
			return refusal(400, "")
		}
	}
	from = min(from, len(list))
	shown := list[from:min(from+n, len(list))]
	if m.slow > 0 && len(shown) > m.slow {
		return fmt.Errorf("%w", rest.ErrSlow)
	}
	if m.empty > 0 && len(shown) > 0 && m.requests%m.empty == 0 {
		shown = nil
	}
	rows, size := 0, 0
	for i, id := range shown {
		if m.short && from+i == 2 {
			continue
		}
		if size += m.size[id]; m.heavy > 0 && size > m.heavy {
			if m.mute {
				page.Rows = 0
				return refusal(413, "")
			}
			return baton.Errorf(baton.Invalid, "%w", rest.ErrTooLarge)
		}
		page.Add(id)
		rows++
	}
	page.Total = map[string]int{"true": len(m.rows), "page": rows, "low": max(0, len(m.rows)-7), "high": len(m.rows) + 7}[m.total]
	return nil
}

// blind reports whether the server cannot be told from one with fewer rows. Package storm lists these cases.
func (m *model) blind() bool {
	moved := slices.ContainsFunc(m.moves, func(s string) bool { return s != "" })
	uncounted := m.total == "missing" || m.total == "page" || m.total == "low"
	single := m.cap == 1 || m.limit == 1 || m.heavy > 0
	return (m.short || m.start != "row" || single && uncounted) && moved ||
		uncounted && (m.start == "zero" || m.short || m.empty > 0) ||
		(m.total == "page" || m.total == "low") && m.start == "ignored" ||
		uncounted && m.start == "overlap" && m.cap == 1 && m.past != "empty" // the last row is on no page
}

// read reads the list to its end and stores the position between pages.
func (m *model) read(rows int) (found map[string]bool, err error) {
	server := &paging.Server{Rows: rows, Start: "startIndex"}
	found = map[string]bool{}
	at := paging.Position{}
	for range 2000 {
		var page *paging.Page
		var refused bool
		var status *rest.StatusError
		at, err = server.Read(context.Background(), at, true, func(ask paging.Ask) (int, error) {
			page = paging.NewPage(at, func(id string) bool { return found[id] })
			err := m.page(ask, page)
			if m.past == "refuse" && err != nil && at.Total > 0 && at.Distinct == at.Total && ask.Start > at.Received && errors.As(err, &status) && status.Status == 400 {
				refused, err = true, nil
			}
			return page.Rows, err
		})
		if err != nil {
			return nil, err
		}
		if page.Refused = refused; refused {
			page = paging.NewPage(at, nil)
			page.Refused = true
		}
		step, err := server.After(at, page)
		if err != nil {
			return nil, err
		}
		if step.Restart {
			clear(found)
		} else {
			for id := range page.Ids() {
				found[id] = true
			}
		}
		if step.Done {
			return found, nil
		}
		if at, err = paging.ParsePosition(step.Next.String()); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the list does not end")
}

// check reads a list of a random server and describes what is wrong with the result.
func check(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 0x9a61))
	honest := r.IntN(4) == 0
	m := newModel(r, honest)
	rows := 2 + r.IntN(12)
	server := fmt.Sprintf("%s, page size %d", m, rows)
	found, err := m.read(rows)
	switch {
	case err != nil && honest && m.limit == 0 && (m.heavy == 0 || !errors.Is(err, rest.ErrTooLarge)):
		return fmt.Sprintf("%s: %v", server, err)
	case err != nil && strings.Contains(err.Error(), "does not end"):
		return fmt.Sprintf("%s: %v", server, err)
	case err != nil || m.blind():
		return ""
	}
	for id := range m.always {
		if !found[id] {
			return fmt.Sprintf("%s: %s is missing", server, id)
		}
	}
	for id := range found {
		if !m.ever[id] {
			return fmt.Sprintf("%s: %s never was", server, id)
		}
	}
	return ""
}

// TestServers reads lists of many kinds of servers. Lists of honest ones are complete, and no list that is
// called complete lacks a row, unless the server cannot be told from one with fewer rows.
func TestServers(t *testing.T) {
	for seed := range uint64(longtest.Pick(10_000, 300_000)) {
		if wrong := check(seed); wrong != "" {
			t.Fatalf("seed %d: %s", seed, wrong)
		}
	}
}

func FuzzServers(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		if wrong := check(seed); wrong != "" {
			t.Error(wrong)
		}
	})
}
