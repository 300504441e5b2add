// Package fault has the faults of sandboxes: a table of named faults, and the set of active ones.
package fault

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is a named difference from a faultless server: a variant of real servers, or a failure. It is
// switched on by its name. If Value is not empty, "name=value" overrides the default.
type Fault struct {
	Name        string `json:"name"`
	Value       string `json:"value,omitempty"`   // kind of value: N, a duration, a URL, a choice
	Default     string `json:"default,omitempty"` // the value if none is given
	Description string `json:"description"`
}

// Row returns a fault for a table.
func Row(name, value, byDefault, description string) Fault {
	return Fault{Name: name, Value: value, Default: byDefault, Description: description}
}

// The kinds of values. Any other text is a choice: its parts are separated by bars, and a value may join
// several of them with plus signs.
const (
	Count       = "N"             // above 0
	CountOrZero = "N (0 for all)" // the fault defines what 0 means
	Rows        = "ROWS/TIMES"    // TIMES is 1 if omitted; 0 means always
	Duration    = "DURATION"      // in the form of time.ParseDuration, not negative
	URL         = "URL"
)

// Set holds the active faults with their counters. It is not safe for concurrent use, not even for reading,
// because reads are counted.
type Set map[string]*setting

type setting struct {
	value    string
	n, times int
	wait     time.Duration
	hits     int
	met      int
}

// Parse parses "name" and "name=value" by the table. The error names a fault that does not exist or has an
// invalid value.
func Parse(table []Fault, names []string) (Set, error) {
	set := Set{}
	for _, given := range names {
		name, value, hasValue := strings.Cut(strings.TrimSpace(given), "=")
		i := slices.IndexFunc(table, func(f Fault) bool { return f.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no fault %q", name)
		}
		f := table[i]
		if hasValue && f.Value == "" {
			return nil, fmt.Errorf("the fault %s takes no value", name)
		}
		if !hasValue {
			value = f.Default
		}
		s := &setting{value: value}
		if err := s.parse(f.Value); err != nil {
			return nil, fmt.Errorf("the fault %s needs %s for its value: %w", name, f.Value, err)
		}
		set[name] = s
	}
	return set, nil
}

func (s *setting) parse(kind string) error {
	var err error
	switch kind {
	case "":
	case Count, CountOrZero:
		s.n, err = strconv.Atoi(s.value)
		if err == nil && (s.n < 0 || s.n == 0 && kind == Count) {
			err = errors.New("it must be positive")
		}
	case Rows:
		rows, times, ok := strings.Cut(s.value, "/")
		if s.times = 1; ok {
			s.times, err = strconv.Atoi(times)
		}
		n, bad := strconv.Atoi(rows)
		s.n, err = n, errors.Join(err, bad)
		if err == nil && (s.n < 0 || s.times < 0) {
			err = errors.New("neither may be negative")
		}
	case Duration:
		if s.wait, err = time.ParseDuration(s.value); err == nil && s.wait < 0 {
			err = errors.New("it must not be negative")
		}
	case URL:
		if u, bad := url.Parse(s.value); bad != nil || u.Scheme == "" {
			err = errors.New("it is none")
		}
	default:
		for _, chosen := range strings.Split(s.value, "+") {
			if !slices.Contains(strings.Split(kind, "|"), chosen) {
				err = fmt.Errorf("%q is none", chosen)
			}
		}
	}
	return err
}

// Names returns the active faults with their values, sorted.
func (f Set) Names() []string {
	names := []string{}
	for name, s := range f {
		if s.value != "" {
			name += "=" + s.value
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Has reports whether the fault is active. Unlike On, it does not count.
func (f Set) Has(name string) bool { return f[name] != nil }

// Met returns how many answers each active fault has affected, without those that affected none.
func (f Set) Met() map[string]int {
	met := map[string]int{}
	for name, s := range f {
		if s.met > 0 {
			met[name] = s.met
		}
	}
	return met
}

func (f Set) meet(name string) *setting {
	s := f[name]
	if s != nil {
		s.met++
	}
	return s
}

// On reports whether the fault is active, and counts it as met.
func (f Set) On(name string) bool { return f.meet(name) != nil }

// Value returns the value of an active fault as written, else "".
func (f Set) Value(name string) string {
	if s := f.meet(name); s != nil {
		return s.value
	}
	return ""
}

// Chosen reports whether the fault is active and the choice is among its values.
func (f Set) Chosen(name, choice string) bool {
	s := f[name]
	if s == nil || !slices.Contains(strings.Split(s.value, "+"), choice) {
		return false
	}
	s.met++
	return true
}

// Number returns the number of an active fault, else 0.
func (f Set) Number(name string) int {
	if s := f.meet(name); s != nil {
		return s.n
	}
	return 0
}

// Wait returns the duration of an active fault, else 0.
func (f Set) Wait(name string) time.Duration {
	if s := f.meet(name); s != nil {
		return s.wait
	}
	return 0
}

// Every returns true on every Nth call.
func (f Set) Every(name string) bool {
	s := f[name]
	if s == nil {
		return false
	}
	s.hits++
	if s.hits%s.n != 0 {
		return false
	}
	s.met++
	return true
}

// First returns true on the first N calls, or always if N is 0.
func (f Set) First(name string) bool {
	s := f[name]
	return s != nil && s.within(s.n)
}

// Past returns true after the first N calls.
func (f Set) Past(name string) bool {
	s := f[name]
	if s == nil || s.n > 0 && s.hits < s.n {
		if s != nil {
			s.hits++
		}
		return false
	}
	s.met++
	return true
}

// Cut returns the number of rows after which an answer ends early, or -1. It counts the answers.
func (f Set) Cut(name string) int {
	if s := f[name]; s != nil && s.within(s.times) {
		return s.n
	}
	return -1
}

func (s *setting) within(limit int) bool {
	if limit > 0 && s.hits >= limit {
		return false
	}
	s.hits++
	s.met++
	return true
}
