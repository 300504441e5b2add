// Package figures holds the results of the benchmark and formats them as tables of a document and
// as a plot. The record is kept beside the document, so no figure is typed by hand and a test can
// compare the two.
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

// The measured programs. The others are compared with Ours. Steady is ours, too: a sync into a file that
// already holds two syncs, like every scheduled sync from the third one on.
const (
	Ours     = "ours"
	Steady   = "ours, steady"
	Fast     = "floor, fast"
	Decode   = "floor, decode"
	Discard  = "floor, discard"
	Official = "official"
)

// Record holds all results.
type Record struct {
	Machine string  `json:"machine"`
	Cases   []*Case `json:"cases"`
	Small   *Small  `json:"small,omitempty"`
}

// Case holds the results for an upstream, a size and a latency.
type Case struct {
	Upstream string        `json:"upstream"`
	Size     string        `json:"size"`  // small, medium, large
	Label    string        `json:"label"` // the size in words
	Latency  time.Duration `json:"latency"`
	Rows     int           `json:"rows"`  // rows of the report, or memberships
	Pages    int           `json:"pages"` // the number of requests that are necessary
	Grants   int           `json:"grants"`
	Series   []*Series     `json:"series"`
}

// Series holds the runs of a program. Programs with the same Began took turns.
type Series struct {
	Program string `json:"program"`
	Version string `json:"version,omitempty"`
	Began   string `json:"began"` // start of the benchmark
	Runs    []Run  `json:"runs"`
}

// Run holds the cost of one run.
type Run struct {
	Wall      time.Duration `json:"wall"`
	CPU       time.Duration `json:"cpu"`
	Memory    int64         `json:"memory"`
	Written   int64         `json:"written"`
	File      int64         `json:"file"`
	Requests  int64         `json:"requests"`
	Bytes     int64         `json:"bytes"`    // sent by the upstream
	Upstream  time.Duration `json:"upstream"` // CPU time of the upstream meanwhile
	Processes int           `json:"processes"`
}

// Small holds results that do not depend on a size.
type Small struct {
	Began  string    `json:"began"`
	Linked int       `json:"linked"` // modules that a connector links
	Idle   Dwell     `json:"idle"`
	Binary []Program `json:"binary"`
}

// Dwell holds the memory of idle services.
type Dwell struct {
	After  time.Duration `json:"after"`
	Memory []Sized       `json:"memory"`
}

// Sized is a program and a size in bytes.
type Sized struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// Program holds the size of a binary, and how long --version takes.
type Program struct {
	Name    string          `json:"name"`
	Bytes   int64           `json:"bytes"`
	Version []time.Duration `json:"version"`
}

// Load reads a record. If the file does not exist, the record is empty.
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

// Add adds a case, or replaces the one that the record has. If the official connector was not run,
// its old series stays.
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

// Find returns the case of an upstream, a size and a latency, or nil.
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
