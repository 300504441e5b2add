package browser

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
)

// TestSite makes the site of the documents, and looks at pages of it: with axe-core in both themes and
// widths, and at where the navigation leads.
func TestSite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command("go", "run", ".", "site", "-out", dir)
	cmd.Dir = "../../release"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	b := newBrowser(t, server.URL)
	b.open("/index.html") // with pictures
	b.has("What it is.")
	b.quick = true
	b.click("link", "Timed access in five steps")
	b.has("Step 5: Look at the proof")
	b.click("link", "platform.md")
	b.quick = false
	b.open("/docs/platform.html") // with tables and commands
	b.has("Backup and restore")
	var broken []string
	b.open0("/index.html")
	if err := b.eval(`[...document.images].filter((i) => !i.complete || !i.naturalWidth).map((i) => i.src)`, &broken); err != nil || len(broken) > 0 {
		t.Errorf("pictures that are not there: %q (%v)", broken, err)
	}
}
