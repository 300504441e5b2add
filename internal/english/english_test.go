package english_test

import (
	"math"
	"testing"

	"baton/internal/english"
)

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 5000: "5,000", 123456: "123,456", 1234567: "1,234,567",
		-1: "-1", -999: "-999", -1000: "-1,000", -123456: "-123,456", math.MaxInt64: "9,223,372,036,854,775,807"} {
		if got := english.Number(n); got != want {
			t.Errorf("%d is %q instead of %q", n, got, want)
		}
		if got := english.Number64(int64(n)); got != want {
			t.Errorf("%d is %q instead of %q", n, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for _, tt := range []struct {
		n          int
		noun, want string
	}{{0, "grant", "0 grants"}, {1, "entry", "1 entry"}, {2, "entry", "2 entries"}, {5000, "account", "5,000 accounts"},
		{2, "key", "2 keys"}, {2, "class", "2 classes"}, {2, "batch", "2 batches"}} {
		if got := english.Count(tt.n, tt.noun); got != tt.want {
			t.Errorf("%d of %q is %q instead of %q", tt.n, tt.noun, got, tt.want)
		}
	}
}
