package evidence_test

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"

	"baton/console"
	"baton/console/evidence"
	"baton/console/evidence/evidencetest"
)

// peak is a file that records the largest heap while it is written.
type peak struct {
	*os.File
	most uint64
}

func (p *peak) WriteAt(b []byte, at int64) (int, error) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	p.most = max(p.most, sample[0].Value.Uint64())
	return p.File.WriteAt(b, at)
}

// kept is a review whose hashes are calculated once, so that a benchmark measures the pack alone.
type kept struct {
	made
	review evidence.Review
	acts   []evidence.Submission
	chain  []evidence.Event
}

func (k kept) Review() (evidence.Review, error) { return k.review, nil }

func (k kept) Submissions() iter.Seq2[evidence.Submission, error] { return evidencetest.List(k.acts) }

func (k kept) Events() iter.Seq2[evidence.Event, error] { return evidencetest.List(k.chain) }

// BenchmarkBuild makes the packs of large reviews. The heap does not grow with the number of items.
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k := kept{made: made{N: n}}
			k.review, _ = k.made.Review()
			k.acts, k.chain = k.Acts(), k.Chain()
			path := filepath.Join(b.TempDir(), "pack.zip")
			for b.Loop() {
				f, err := os.Create(path)
				if err != nil {
					b.Fatal(err)
				}
				p := &peak{File: f}
				_, size, err := evidence.Build(b.Context(), p, k, key)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(p.most)/1e6, "heap-MB")
				b.ReportMetric(float64(size)/1e6, "pack-MB")
				f.Close()
			}
		})
	}
}

// BenchmarkVerify verifies the packs of large reviews.
func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, _, size := build(b, made{N: n})
			for b.Loop() {
				r, err := evidence.Verify(b.Context(), f, size, evidence.Options{Fingerprint: fingerprint, Heads: []console.ChainHead{}})
				if err != nil || len(r.Faults) > 0 {
					b.Fatal(r.Faults, err)
				}
			}
		})
	}
}
