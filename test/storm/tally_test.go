package storm

import (
	"strings"
	"testing"
)

// TestTally checks the sums in the printed tables.
func TestTally(t *testing.T) {
	tally := NewTally()
	tally.count("sync of perplexity", Right, "", []string{"perplexity page-cap", "perplexity stall"}, 3)
	tally.count("sync of perplexity", Failed, "incomplete", []string{"perplexity stall"}, 2)
	tally.count("grant", Done, "", []string{"perplexity stall"}, 5)
	if met, runs, failed := tally.Met("perplexity", "stall", "sync"), tally.Runs("", ""), tally.Runs("sync", Failed); met != 2 || runs != 3 || failed != 1 {
		t.Errorf("met %d times, %d runs, %d failed", met, runs, failed)
	}
	var printed, matrix strings.Builder
	tally.Print(&printed)
	tally.Matrix(&matrix)
	for _, want := range []string{
		"| sync of perplexity | right facts | 1 |\n", "| grant | done, once | 1 |\n", "| sync of perplexity | incomplete | 1 |\n",
		"\n3 pairs of fault and operation, met 4 times; 10 requests.\n", "| sync of perplexity | 2 |\n",
	} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &printed)
		}
	}
	if want := "perplexity stall × grant: done, once 1\n" +
		"perplexity stall × sync of perplexity: clear failure 1, right facts 1\n"; !strings.HasSuffix(matrix.String(), want) {
		t.Errorf("the matrix is\n%s", &matrix)
	}
}
