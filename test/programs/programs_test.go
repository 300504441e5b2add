package programs_test

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"baton/test/programs"
)

// TestBuild: concurrent builds end in the same working binaries.
func TestBuild(t *testing.T) {
	var wg sync.WaitGroup
	var dirs [2]string
	for i := range dirs {
		wg.Go(func() {
			dir, remove, err := programs.Build()
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(remove)
			dirs[i] = dir
		})
	}
	wg.Wait()
	for _, dir := range dirs {
		for _, name := range []string{"baton-perplexity", "baton-percipio"} {
			if out, err := exec.Command(filepath.Join(dir, name), "capabilities").CombinedOutput(); err != nil || len(out) < 100 {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
}
