package field

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sandbox "baton/sandbox/perplexity"
)

// TestMissingFolder uses a file in a folder that does not exist, as after a typing error. The program must
// name the folder, create nothing and send no requests.
func TestMissingFolder(t *testing.T) {
	c := newCluster(t) // for the credential of a service
	for name, tc := range map[string]struct {
		args    []string
		env     []string
		missing string
	}{
		"the file":                     {args: []string{"-f", "out/sync.c1z"}, missing: "out"},
		"the file, deeper":             {args: []string{"-f", "a/b/sync.c1z"}, missing: "a/b"},
		"the folder for pages":         {args: []string{"--c1z-temp-dir", "scratch"}, missing: "scratch"},
		"the file, with a page folder": {args: []string{"-f", "out/sync.c1z", "--c1z-temp-dir", "."}, missing: "out"},
		"the state of a service":       {env: append([]string{"BATON_C1Z_TEMP_DIR=stat"}, c.env...), missing: "stat"},
		"the state, by its variable":   {env: append([]string{"BATON_TMPDIR=stat"}, c.env...), missing: "stat"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			org := sandbox.New(sandbox.Options{})
			upstream := httptest.NewServer(org)
			t.Cleanup(upstream.Close)
			p := perplexity(t, "")
			p.env = append(append(p.env, tc.env...), "BATON_SCIM_URL="+upstream.URL+org.URLPath(), "BATON_SCIM_TOKEN="+org.Token())
			r := p.run(t, tc.args...)
			if missing := filepath.FromSlash(tc.missing); r.code != 8 || !strings.Contains(r.stderr, "the folder "+missing+" does not exist") || !strings.Contains(r.stderr, "Create it") {
				t.Errorf("it ends with %d: %s", r.code, r.stderr)
			}
			if made, err := os.ReadDir(p.dir); err != nil || len(made) > 0 {
				t.Errorf("it made %v (%v)", made, err)
			}
			if requests := org.Requests(); len(requests) > 0 {
				t.Errorf("it sent %v", requests)
			}
		})
	}
}
