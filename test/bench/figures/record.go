// Package figures holds what a benchmark measured, and shows it: as tables of a
// document, and as a plot. A record is kept beside the document, so that no figure is
// ever typed by hand and a test can hold the one against the other.
package figures

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Programs that are measured. Ours is what the others are held against.
const (
	Ours     = "ours"
	Fast     = "floor, fast"
	Decode   = "floor, decode"
	Discard  = "floor, discard"
	Official = "official"
)

// Record is everything that was measured.
type Record struct {
	Machine string  `json:"machine"`
	Cases   []*Case `json:"cases"`
	Small   *Small  `json:"small,omitempty"`
}

// Case is one upstream at one size and latency.
type Case struct {
	Upstream string        `json:"upstream"`
	Size     string        `json:"size"`  // small, medium, large
	Label    string        `json:"label"` // what that is
	Latency  time.Duration `json:"latency"`
	Rows     int           `json:"rows"`  // of the report, or memberships
	Pages    int           `json:"pages"` // the fewest requests that read it all
	Grants   int           `json:"grants"`
	Series   []*Series     `json:"series"`
}

// Series is the runs of one program, in turn with those of the others that began then.
type Series struct {
	Program string `json:"program"`
	Version string `json:"version,omitempty"`
	Began   string `json:"began"` // when the benchmark did
	Runs    []Run  `json:"runs"`
}

// Run is what one run cost.
type Run struct {
	Wall      time.Duration `json:"wall"`
	CPU       time.Duration `json:"cpu"`
	Memory    int64         `json:"memory"`
	Written   int64         `json:"written"`
	File      int64         `json:"file"`
	Requests  int64         `json:"requests"`
	Bytes     int64         `json:"bytes"`    // that the upstream sent
	Upstream  time.Duration `json:"upstream"` // CPU time of the upstream meanwhile
	Processes int           `json:"processes"`
}

// Small is what does not depend on a size.
type Small struct {
	Began  string    `json:"began"`
	Linked int       `json:"linked"` // modules that a connector links
	Idle   Dwell     `json:"idle"`
	Binary []Program `json:"binary"`
}

// Dwell is a service that has nothing to do.
type Dwell struct {
	After  time.Duration `json:"after"`
	Memory []Sized       `json:"memory"`
}

// Sized is a program and a size in bytes.
type Sized struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// Program is a binary: how large it is and how long --version takes.
type Program struct {
	Name    string          `json:"name"`
	Bytes   int64           `json:"bytes"`
	Version []time.Duration `json:"version"`
}

// Load reads a record; one that does not exist is empty.
func Load(path string) (*Record, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Record{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("figures: %s: %w", path, err)
	}
	return &r, nil
}

// Save writes the record.
func (r *Record) Save(path string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("figures: %w", err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("figures: %w", err)
	}
	return nil
}

// Add takes a case in, in place of the one that there was. The series of an official
// connector that was not run this time stays.
func (r *Record) Add(c *Case) {
	i := slices.IndexFunc(r.Cases, func(o *Case) bool {
		return o.Upstream == c.Upstream && o.Size == c.Size && o.Latency == c.Latency
	})
	if i < 0 {
		r.Cases = append(r.Cases, c)
		return
	}
	if old := r.Cases[i].series(Official); old != nil && c.series(Official) == nil {
		c.Series = append(c.Series, old)
	}
	r.Cases[i] = c
}

// Find is the case of an upstream, a size and a latency, or nil.
func (r *Record) Find(upstream, size string, latency time.Duration) *Case {
	for _, c := range r.Cases {
		if c.Upstream == upstream && c.Size == size && c.Latency == latency {
			return c
		}
	}
	return nil
}

func (c *Case) series(program string) *Series {
	if c == nil {
		return nil
	}
	for _, s := range c.Series {
		if s.Program == program {
			return s
		}
	}
	return nil
}
