package browser

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	password   = "a password for the tests"
	codeSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

// code returns the one-time code of now.
func code(t *testing.T) string {
	t.Helper()
	return codeOf(t, codeSecret)
}

// codeOf returns the one-time code of a secret, of now (RFC 6238).
func codeOf(t *testing.T, secret string) string {
	t.Helper()
	key, err := base32.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	var step [8]byte
	binary.BigEndian.PutUint64(step[:], uint64(time.Now().Unix()/30))
	mac := hmac.New(sha1.New, key)
	mac.Write(step[:])
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
}

// built is the folder of the programs of the tree, which the tests share.
var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "baton-browser-"); err != nil {
		log.Fatal(err)
	}
	status := m.Run()
	os.RemoveAll(built)
	os.Exit(status)
}

var build = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", built+"/", "./cmd/...")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// programs builds the programs of the tree, once, and returns their folder.
func programs(t *testing.T) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return built
}

// start runs a program until the test ends, and returns the first line of its standard
// output that has a prefix, without it.
func start(t *testing.T, prefix, dir, program string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, program), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = t.TempDir()
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s %s: %v\n%s", program, strings.Join(args, " "), cmd.ProcessState, messages.String())
		}
	})
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), prefix); ok {
				select {
				case found <- text:
				default:
				}
			}
		}
		close(found)
	}()
	if prefix == "" {
		return ""
	}
	select {
	case text, ok := <-found:
		if !ok {
			t.Fatalf("%s ended: %s", program, messages.String())
		}
		return text
	case <-time.After(patience):
		t.Fatalf("%s does not print %q: %s", program, prefix, messages.String())
		return ""
	}
}

// sandbox starts a connector's sandbox and returns the settings that reach it.
func sandbox(t *testing.T, dir, program string) map[string]string {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, program), "sandbox")
	ctx, stop := context.WithCancel(context.Background())
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGTERM) })
	t.Cleanup(func() { stop(); cmd.Wait() })
	values := map[string]string{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "=")
		if !ok {
			continue
		}
		values[name] = strings.Trim(value, `'"`)
		if len(values) == map[string]int{"baton-perplexity": 2, "baton-percipio": 3}[program] {
			go func() {
				for lines.Scan() {
				}
			}()
			return values
		}
	}
	t.Fatalf("%s sandbox ended", program)
	return nil
}

// TestGuides follows both installation guides in a browser: the hosted way for Percipio, the
// self-hosted one for Perplexity. Every page on the way is checked.
func TestGuides(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	work := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(work, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("password", password+"\n")
	bootstrap := write("console.yaml", `
people:
- {email: root@example.com, name: Rosa Root, roles: [super-administrator], password_file: password, totp_secret: `+codeSecret+`}
- {email: ana@example.com, name: Ana Ortiz, roles: [connector-administrator, auditor], login: ana, password_file: password, totp_secret: `+codeSecret+`}
- {email: ben@example.com, name: Ben Weiss, manager: ana@example.com}
`)
	env := filepath.Join(work, "console.env")
	origin := start(t, "console: ", dir, "baton-console", nil, "serve", "--data", filepath.Join(work, "data"), "--listen", "127.0.0.1:0",
		"--allow-network", "127.0.0.0/8", "--bootstrap", bootstrap, "--env-file", env)
	b := newBrowser(t, origin)

	// Sign in, also wrongly.
	b.open("/")
	b.fill("Login name", "ana")
	b.fill("Password", "a wrong password")
	b.fill("One-time code", code(t))
	b.click("button", "Sign in")
	b.has("Login name, password or one-time code is wrong.")
	b.fill("Password", password)
	b.fill("One-time code", code(t))
	b.click("button", "Sign in")
	b.has("Home", "Ana Ortiz", "Connector Administrator")

	// The hosted way.
	percipio := sandbox(t, dir, "baton-percipio")
	b.click("link", "Connectors")
	b.click("link", "Add connector")
	b.fill("Search connectors", "Slack")
	b.click("button", "Search")
	b.has("No connector is called")
	b.fill("Search connectors", "Percipio")
	b.click("button", "Search")
	b.click("link", "Add")
	b.has("Set up a new Percipio connector", "Cloud-hosted", "Set the owner for this connector")
	b.click("radio", "Create a new managed app")
	b.click("button", "Next")
	b.has("Not connected")
	b.click("link", "Edit")
	b.fill("Organization ID", percipio["BATON_ORGANIZATION_ID"])
	b.fill("API Token", "wrong")
	b.toggle("Advanced")
	b.fill("API URL", percipio["BATON_BASE_URL"])
	b.click("button", "Save")
	b.click("button", "Test")
	b.has("What the test found", "Failed")
	b.click("link", "Edit")
	b.fill("API Token", percipio["BATON_API_TOKEN"])
	b.click("button", "Save")
	b.click("link", "Syncs")
	b.shows("Connected")
	b.shows("Applied")
	b.click("link", "Hosts")
	b.click("link", "Log")
	b.has("sync_full", "Done")
	b.click("link", "Applications")
	b.click("link", "Percipio")
	b.click("link", "Entitlements")
	b.click("link", "Accounts")

	// The self-hosted way.
	perplexity := sandbox(t, dir, "baton-perplexity")
	b.click("link", "Connectors")
	b.click("link", "Add connector")
	b.fill("Search connectors", "Baton")
	b.click("button", "Search")
	b.click("link", "Add")
	b.fill("Name", "Perplexity")
	b.click("radio", "Create a new managed app")
	b.fill("Name of the new app", "Perplexity")
	b.click("button", "Next")
	b.click("link", "Edit")
	b.click("button", "Rotate")
	b.has("The secret is shown once.")
	var credentials []string
	if err := b.eval(`[...document.querySelectorAll("dd code")].map((e) => e.innerText)`, &credentials); err != nil || len(credentials) != 2 {
		t.Fatalf("credentials %q, %v", credentials, err)
	}
	variables, err := os.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	service := []string{"BATON_CLIENT_ID=" + credentials[0], "BATON_CLIENT_SECRET=" + credentials[1], "BATON_PROVISIONING=true"}
	for name, value := range perplexity {
		service = append(service, name+"="+value)
	}
	for line := range strings.Lines(string(variables)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "SSL_CERT_FILE=") {
			service = append(service, strings.ReplaceAll(line, "'", ""))
		}
	}
	start(t, "", dir, "baton-perplexity", service)
	b.click("link", "Syncs")
	b.shows("Connected")
	b.shows("Applied")
	b.click("link", "Applications")
	b.click("link", "Perplexity")
	b.click("link", "Entitlements")
	b.click("link", "PPLX_Admin member")
	b.has("Who holds PPLX_Admin member", "There when first looked", "Seen in the sync")
	b.click("link", "Accounts")
	var first string
	if err := b.eval(`document.querySelector("td a").innerText.trim()`, &first); err != nil {
		t.Fatal(err)
	}
	b.click("link", first)
	b.has("Holds", "Upstream id")

	// People, and what a person may not see or do.
	b.click("link", "People")
	b.click("link", "Ben Weiss")
	b.open("/people/new")
	b.has("You may not add, invite, change and disable people.", "Super Administrator")
	b.open("/nothing")
	b.click("link", "Go to the start page")
	b.click("button", "Sign out")
	b.has("Sign in")
}

// TestPeople adds somebody as a super administrator, who then signs up.
func TestPeople(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	setup := ""
	origin := start(t, "setup token: ", dir, "baton-console", nil, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:18443")
	setup, origin = origin, "https://127.0.0.1:18443"
	b := newBrowser(t, origin)
	b.open("/setup?token=" + setup)
	enroll := func(login string) {
		t.Helper()
		b.fill("Login name", login)
		b.fill("Password", password)
		if err := b.eval(`document.querySelector("[name=code-secret]").value = `+quote(codeSecret), nil); err != nil {
			t.Fatal(err)
		}
		b.fill("Code", code(t))
		b.click("button", "Set up")
	}
	b.fill("Your name", "Rosa Root")
	b.fill("E-mail address", "root@example.com")
	enroll("rosa")
	b.fill("Login name", "rosa")
	b.fill("Password", password)
	b.until("there is a code that was not used", `true`)
	next := code(t)
	for used := next; next == used; time.Sleep(time.Second) {
		next = code(t)
	}
	b.fill("One-time code", next)
	b.click("button", "Sign in")
	b.click("link", "Sign-in")
	b.has("There is no provider yet.", "There is none")
	b.click("link", "Add a provider")
	b.fill("Name in addresses", "okta")
	b.fill("Label", "Okta")
	b.fill("Issuer", "https://login.example.com")
	b.fill("Client ID", "console")
	b.fill("Claim with the groups", "groups")
	b.fill("Group 1", "Auditors")
	b.click("button", "Save")
	b.has("has no role.")
	b.pick("Role 1", "Auditor")
	b.click("button", "Save")
	b.has("Redirect URI", origin+"/login/okta/callback")
	b.click("link", "Sign-in")
	b.click("button", "Make it")
	b.has("Print this page, seal it, and lock it away.")
	b.click("link", "Done")
	b.has("Sealed away")
	b.click("link", "Your sessions")
	b.has("This one")
	b.click("link", "People")
	b.click("link", "Add a person")
	b.fill("Name", "Ben Weiss")
	b.fill("E-mail address", "ben@example.com")
	b.click("checkbox", "Auditor")
	b.click("button", "Add")
	b.has("Ben Weiss")
	b.click("button", "Invite to set up a login")
	b.has("It works once")
	var link string
	if err := b.eval(`document.querySelector(".notice code").innerText`, &link); err != nil {
		t.Fatal(err)
	}
	b.click("button", "Sign out")
	b.has("Sign in with Okta")
	b.open(strings.TrimPrefix(link, origin))
	b.has("Welcome, Ben Weiss.")
	enroll("ben")
	b.has("Sign in")
}

// TestDemo looks at the demo as its owner of applications: what changed past the console is
// unexplained, who left still has access, and a request waits for a decision. It makes the pictures
// of the README.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	start(t, "Everything is there.", dir, "baton-console", nil, "demo", "--env-file", file)
	const owner = "owns both applications"
	b := newBrowser(t, envFile(t, file)["CONSOLE_URL"])
	b.as(owner)
	b.has("My access", "Perplexity", "Percipio")
	b.shows("nexplained change")
	b.document("console-home", 1180, 720, "body")
	b.click("link", "Applications")
	b.click("link", "Perplexity")
	b.click("link", "Entitlements")
	b.click("link", "PPLX_Admin member")
	b.shows("Unexplained")
	b.document("console", 1180, 760, "main h1")
	b.open("/applications")
	b.click("link", "Perplexity")
	b.click("link", "Accounts")
	b.run("choose a filter", chromedp.SetValue(chromedp.CSS("#filter"), "disabled"))
	b.click("button", "Show")
	b.shows("Disabled")
	b.click("link", "Changes")
	b.shows("Unexplained", "Gained")
	b.document("console-changes", 1180, 720, "body")
	b.as("has access, and sees only their own")
	b.open("/request")
	b.press("Engineering member", "Ask")
	b.fill("Justification", "the on-call week begins on Monday")
	b.click("button", "Send")
	b.as(owner)
	b.open("/approvals")
	b.has("asks for Engineering member", "the on-call week begins on Monday")
	b.document("console-approval", 390, 920, "article")
}
