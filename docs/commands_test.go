//go:build unix

package docs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	percipiosandbox "baton/sandbox/percipio"
	perplexitysandbox "baton/sandbox/perplexity"
	"baton/test/programs"
)

// TestCommandsRun runs every block of shell commands in the README and in the documents like a reader: from
// top to bottom of a page, in one shell, with the built programs on the path and the sandboxes as upstreams.
// Placeholders such as an address or an id are replaced.
//
// A block that cannot run here has the line <!-- not run: REASON --> before it.
func TestCommandsRun(t *testing.T) {
	bin, remove, err := programs.Build()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var run []block
		for _, b := range blocks(string(text)) {
			if b.notRun == "" {
				run = append(run, b)
			}
		}
		if len(run) > 0 {
			t.Run(filepath.Base(page), func(t *testing.T) {
				t.Parallel()
				r := newReader(t, bin)
				if page == "sandbox.md" {
					r.env = slices.DeleteFunc(r.env, func(v string) bool { return strings.HasPrefix(v, "BATON_") }) // the page sets its own
				}
				runBlocks(t, r, run)
			})
		}
	}
}

// block is a block of shell commands.
type block struct {
	line   int
	text   string
	notRun string // reason, if it cannot run
}

var notRun = regexp.MustCompile(`^<!-- not run: (.+) -->$`)

// blocks finds the shell blocks of a page.
func blocks(page string) (found []block) {
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		if strings.TrimSpace(lines[i]) != "```sh" {
			continue
		}
		b := block{line: i + 2}
		if i > 0 {
			if m := notRun.FindStringSubmatch(strings.TrimSpace(lines[i-1])); m != nil {
				b.notRun = m[1]
			}
		}
		for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
			b.text += lines[i] + "\n"
		}
		found = append(found, b)
	}
	return found
}

// reader has an organisation of each kind and the built programs.
type reader struct {
	dir string
	env []string
	own *strings.Replacer // replaces placeholders
}

func newReader(t *testing.T, bin string) reader {
	perplexity, percipio := perplexitysandbox.New(perplexitysandbox.Options{}), percipiosandbox.New(percipiosandbox.Options{})
	scim, rest := httptest.NewServer(perplexity), httptest.NewServer(percipio)
	t.Cleanup(scim.Close)
	t.Cleanup(rest.Close)
	dir := t.TempDir()
	secret := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	state := perplexity.State()
	members, _ := state.Group("PPLX_Members")
	admins, _ := state.Group("PPLX_Admin")
	newcomer := slices.IndexFunc(state.Users, func(u perplexitysandbox.UserState) bool {
		return u.Active && u.Managed && !slices.Contains(members.Members, u.ID) && !slices.Contains(admins.Members, u.ID)
	})
	if newcomer < 0 {
		t.Fatal("everybody in the sandbox has a role already")
	}
	_, domain, _ := strings.Cut(state.Users[newcomer].UserName, "@") // a verified domain
	for _, name := range []string{"baton-perplexity", "baton-percipio"} {
		if err := os.Symlink(filepath.Join(bin, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return reader{
		dir: dir,
		env: append(slices.DeleteFunc(os.Environ(), func(v string) bool {
			return strings.HasPrefix(v, "BATON_") || strings.HasPrefix(v, "PATH=") || strings.HasPrefix(v, "TMPDIR=")
		}),
			"PATH="+bin+":"+os.Getenv("PATH"), "BATON_LOG_FORMAT=console", "TMPDIR="+t.TempDir(), // the default state directory of connectors is in it
			"BATON_SCIM_URL="+scim.URL+perplexity.URLPath(), "BATON_SCIM_TOKEN_FILE="+secret("scim", perplexity.Token()),
			"BATON_BASE_URL="+rest.URL, "BATON_ORGANIZATION_ID="+percipio.OrganizationID(), "BATON_API_TOKEN_FILE="+secret("percipio", percipio.Token())),
		own: strings.NewReplacer(
			"https://...", scim.URL+perplexity.URLPath(),
			"/run/secrets/scim-token", filepath.Join(dir, "scim"), "/run/secrets/percipio-token", filepath.Join(dir, "percipio"),
			"12345678-90ab-cdef-1234-567890abcdef", percipio.OrganizationID(),
			"group:GROUP:", "group:"+members.ID+":", "group:ADMINS:", "group:"+admins.ID+":", "user:USER", "user:"+state.Users[newcomer].ID,
			"principal USER", "principal "+state.Users[newcomer].ID, `"USER"`, `"`+state.Users[newcomer].ID+`"`,
			"jane@example.com", "jane@"+domain,
			"127.0.0.1:8080", freePort(t), "127.0.0.1:8081", freePort(t),
			"go build -o bin/ ./cmd/...", "mkdir -p bin && ln -sf ../baton-perplexity ../baton-percipio bin/ && ln -sf \"$(command -v baton-console)\" bin/", // built already
			"go run ./cmd/baton-console demo --env-file demo.env", "baton-console demo --env-file demo.env &", // beside the other blocks, as in a terminal of its own
			"go run ./cmd/baton-console demo ", "baton-console demo --once ", // it serves until it is stopped
			"go run ./cmd/", "", "go test ./...", ":", // this test is one of them
		),
	}
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// runBlocks runs the blocks in one shell that stops at the first command that fails.
func runBlocks(t *testing.T, r reader, run []block) {
	var script strings.Builder
	fmt.Fprintln(&script, "set -e")
	for _, b := range run {
		fmt.Fprintf(&script, "echo '== the block at line %d' >&2\n%s", b.line, r.own.Replace(b.text))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script.String())
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.dir, r.env, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // background processes keep the output open
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		<-ctx.Done()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}()
	err := cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	if err != nil && err != exec.ErrWaitDelay {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestBlocksAreFound: a failing block is detected.
func TestBlocksAreFound(t *testing.T) {
	page := "text\n```sh\nexit 7\n```\n<!-- not run: needs a cluster -->\n```sh\nkubectl\n```\n```yaml\na: b\n```\n"
	got := blocks(page)
	if len(got) != 2 || got[0].text != "exit 7\n" || got[0].line != 3 || got[0].notRun != "" || got[1].notRun != "needs a cluster" {
		t.Errorf("got %+v", got)
	}
}
