package storm

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// The permitted outcomes.
const (
	Right   = "right facts"
	Held    = "held"
	Failed  = "clear failure"
	Blind   = "right facts, as far as the server lets anybody see"
	Done    = "done, once"
	Already = "already done"
	Planned = "planned only"
	Refused = "refused"
	Unsure  = "failure that says that it may have happened"
	Alarmed = "alarm about what the server did to others"
)

// Tally counts the outcomes of runs, and which operations each fault affected.
type Tally struct {
	mu       sync.Mutex
	outcomes map[[2]string]int            // operation, outcome
	kinds    map[[2]string]int            // operation, kind of error
	met      map[string]map[[2]string]int // fault ─▶ operation, outcome
	requests int
}

// NewTally returns an empty Tally.
func NewTally() *Tally {
	return &Tally{outcomes: map[[2]string]int{}, kinds: map[[2]string]int{}, met: map[string]map[[2]string]int{}}
}

func (t *Tally) count(operation, outcome, kind string, met []string, requests int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcomes[[2]string{operation, outcome}]++
	if kind != "" {
		t.kinds[[2]string{operation, kind}]++
	}
	for _, name := range met {
		if t.met[name] == nil {
			t.met[name] = map[[2]string]int{}
		}
		t.met[name][[2]string{operation, outcome}]++
	}
	t.requests += requests
}

// Met returns how often the upstream's fault affected an operation whose name has the prefix.
func (t *Tally) Met(upstream, fault, operation string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for key, times := range t.met[upstream+" "+fault] {
		if strings.HasPrefix(key[0], operation) {
			n += times
		}
	}
	return n
}

// Runs returns the number of operations with that outcome; "" means any.
func (t *Tally) Runs(operation, outcome string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for key, times := range t.outcomes {
		if strings.HasPrefix(key[0], operation) && (outcome == "" || key[1] == outcome) {
			n += times
		}
	}
	return n
}

// Print writes the tables of docs/reliability.md.
func (t *Tally) Print(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(w, "| operation | outcome | runs |\n|---|---|---:|\n")
	for _, key := range sortedKeys(t.outcomes) {
		fmt.Fprintf(w, "| %s | %s | %d |\n", key[0], key[1], t.outcomes[key])
	}
	fmt.Fprintf(w, "\n| operation | kind of error | runs |\n|---|---|---:|\n")
	for _, key := range sortedKeys(t.kinds) {
		fmt.Fprintf(w, "| %s | %s | %d |\n", key[0], key[1], t.kinds[key])
	}
	pairs, meetings := 0, 0
	operations := map[string]map[string]bool{}
	for fault, by := range t.met {
		for key, n := range by {
			if operations[key[0]] == nil {
				operations[key[0]] = map[string]bool{}
			}
			if !operations[key[0]][fault] {
				pairs++
			}
			operations[key[0]][fault] = true
			meetings += n
		}
	}
	fmt.Fprintf(w, "\n%d pairs of fault and operation, met %d times; %d requests.\n\n| operation | faults met |\n|---|---:|\n", pairs, meetings, t.requests)
	for _, op := range slices.Sorted(maps.Keys(operations)) {
		fmt.Fprintf(w, "| %s | %d |\n", op, len(operations[op]))
	}
}

// Matrix writes one line for each pair of fault and operation, with the outcomes.
func (t *Tally) Matrix(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, fault := range slices.Sorted(maps.Keys(t.met)) {
		byOperation := map[string][]string{}
		for _, key := range sortedKeys(t.met[fault]) {
			byOperation[key[0]] = append(byOperation[key[0]], fmt.Sprintf("%s %d", key[1], t.met[fault][key]))
		}
		for _, op := range slices.Sorted(maps.Keys(byOperation)) {
			fmt.Fprintf(w, "%s × %s: %s\n", fault, op, strings.Join(byOperation[op], ", "))
		}
	}
}

func sortedKeys(m map[[2]string]int) [][2]string {
	return slices.SortedFunc(maps.Keys(m), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
}
