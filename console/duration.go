package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"baton"
)

// Duration is a length of time as people write it: "90m", "1.5h", "2w3d".
type Duration time.Duration

var units = []struct {
	name string
	long string
	d    time.Duration
}{{"w", "week", 7 * 24 * time.Hour}, {"d", "day", 24 * time.Hour}, {"h", "hour", time.Hour}, {"m", "minute", time.Minute}, {"s", "second", time.Second}}

// String returns the duration in whole units, "2d12h". Fractions of a second are dropped.
func (d Duration) String() string {
	var b strings.Builder
	for _, u := range units {
		if n := time.Duration(d) / u.d; n > 0 && u.name != "w" {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
			d -= Duration(n * u.d)
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

// Words returns the duration for people: "2 days 12 hours".
func (d Duration) Words() string {
	var words []string
	for _, u := range units[1:] {
		if n := time.Duration(d) / u.d; n > 0 {
			word := strconv.FormatInt(int64(n), 10) + " " + u.long
			if n > 1 {
				word += "s"
			}
			words = append(words, word)
			d -= Duration(n * u.d)
		}
	}
	if len(words) == 0 {
		return "no time"
	}
	return strings.Join(words, " ")
}

// MarshalText implements [encoding.TextMarshaler]; the text is that of [Duration.String].
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// maxDuration is about ten years.
const maxDuration = 3660 * 24 * time.Hour

// ParseDuration parses numbers with the units w, d, h, m and s, such as "2w3d". "" and "0s" are
// zero; every other duration must be positive.
func ParseDuration(text string) (Duration, error) {
	rest, sum := strings.ToLower(strings.ReplaceAll(text, " ", "")), float64(0)
	for rest != "" {
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if end < 1 {
			return 0, noDuration(text)
		}
		n, err := strconv.ParseFloat(rest[:end], 64)
		if err != nil {
			return 0, noDuration(text)
		}
		unit := time.Duration(0)
		for _, u := range units {
			if rest[end:end+1] == u.name {
				unit = u.d
			}
		}
		if unit == 0 {
			return 0, noDuration(text)
		}
		sum, rest = sum+n*float64(unit), rest[end+1:]
		if sum > float64(maxDuration) {
			return 0, baton.Errorf(baton.Invalid, "%q is longer than %s", text, Duration(maxDuration).Words())
		}
	}
	return Duration(time.Duration(sum).Round(time.Second)), nil
}

func noDuration(text string) error {
	return baton.Errorf(baton.Invalid, "%q is no duration", text).WithFix("%s", fmt.Sprintf("Write it as %s or %s.", "90m", "2d12h"))
}
