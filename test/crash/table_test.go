package crash_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/test/programs"
)

// heads holds the tables that a long run prints, in this order.
var heads = []struct{ name, head string }{
	{"kills", "connector | mode | killed | points | of those twice or more | after the new file | equal | divergent"},
	{"disk faults", "operation that fails, once and for good, of both connectors | points | clear error | absorbed | too late, with the new file in place | divergent"},
	{"crashes", "connector | what the crash spares | different states | with the new file | divergent"},
	{"torn", "connector | damage | points | refused by name | divergent"},
}

var table struct {
	sync.Mutex
	rows map[string][]string
}

// counted adds a row to a table.
func counted(name string, cells ...any) {
	table.Lock()
	defer table.Unlock()
	if table.rows == nil {
		table.rows = map[string][]string{}
	}
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = fmt.Sprint(c)
	}
	table.rows[name] = append(table.rows[name], "| "+strings.Join(text, " | ")+" |")
}

// summed adds counts to the row of a table that begins with these cells.
func summed(name string, cells []string, counts ...int) {
	begin := "| " + strings.Join(cells, " | ") + " |"
	table.Lock()
	i := slices.IndexFunc(table.rows[name], func(r string) bool { return strings.HasPrefix(r, begin) })
	if i >= 0 {
		for j, cell := range strings.Split(strings.Trim(table.rows[name][i][len(begin):], " |"), " | ") {
			n, _ := strconv.Atoi(cell)
			counts[j] += n
		}
		table.rows[name] = slices.Delete(table.rows[name], i, i+1)
	}
	table.Unlock()
	row := make([]any, 0, len(cells)+len(counts))
	for _, c := range cells {
		row = append(row, c)
	}
	for _, n := range counts {
		row = append(row, n)
	}
	counted(name, row...)
}

// underWay counts the points of a long run so far.
var underWay struct {
	sync.Mutex
	began, printed time.Time
	points         int
}

// point counts a point of a long run, and sometimes prints the progress.
func point(where string) {
	if !*every {
		return
	}
	underWay.Lock()
	defer underWay.Unlock()
	now := time.Now()
	if underWay.began.IsZero() {
		underWay.began = now
	}
	underWay.points++
	if now.Sub(underWay.printed) < 15*time.Second {
		return
	}
	underWay.printed = now
	fmt.Printf("%s: %d points; %s\n", now.Sub(underWay.began).Round(time.Second), underWay.points, where)
}

// printTables prints the tables in the form of docs/reliability.md.
func printTables() {
	for _, h := range heads {
		if len(table.rows[h.name]) == 0 {
			continue
		}
		columns := strings.Count(h.head, "|") + 1
		fmt.Printf("\n%s:\n\n| %s |\n|%s\n", h.name, h.head, strings.Repeat("---|", columns))
		for _, r := range slices.Sorted(slices.Values(table.rows[h.name])) {
			fmt.Println(r)
		}
	}
}

// TestMain prints the counts of a long run, and lets the test binary act as the program with a planted
// defect.
func TestMain(m *testing.M) {
	if defect := os.Getenv("PLANTED"); defect != "" {
		os.Exit(planted(defect))
	}
	code := m.Run()
	if *every {
		printTables()
	}
	cleanBinaries()
	os.Exit(code)
}

// binaries holds the programs.
var binaries struct {
	once   sync.Once
	dir    string
	remove func()
	err    error
}

// program returns the path of a connector's program.
func program(t testing.TB, name string) string {
	t.Helper()
	binaries.once.Do(func() {
		binaries.dir, binaries.remove, binaries.err = programs.Build()
	})
	if binaries.err != nil {
		t.Fatal(binaries.err)
	}
	return binaries.dir + string(os.PathSeparator) + "baton-" + name
}

func cleanBinaries() {
	if binaries.remove != nil {
		binaries.remove()
	}
}
