package docs

import (
	"os"
	"testing"

	"baton/test/bench/figures"
)

// TestPerformanceIsAsMeasured compares the tables of performance.md and its plot with the record. make bench
// writes them; they are never edited by hand.
func TestPerformanceIsAsMeasured(t *testing.T) {
	record, err := figures.Load("performance.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Cases) == 0 || record.Small == nil {
		t.Fatal("nothing is recorded")
	}
	if *update {
		if err := record.Publish("performance.md", "performance.svg"); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile("performance.md")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := record.Fill(string(page)); err != nil || text != string(page) {
		t.Errorf("performance.md differs from performance.json (%v); run with -update", err)
	}
	plot, err := os.ReadFile("performance.svg")
	if err != nil {
		t.Fatal(err)
	}
	if string(plot) != record.Plot() {
		t.Error("performance.svg differs from performance.json; run with -update")
	}
}
