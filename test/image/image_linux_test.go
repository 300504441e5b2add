package image

import (
	"errors"
	"flag"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton/c1z/c1ztest"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
	"baton/sandbox/percipio"
	"baton/sandbox/perplexity"
)

var images = flag.String("images", "", "a folder with the unpacked file system of each image, as make image-test unpacks them")

// user is the user id in the images.
const user = 65532

// image is an unpacked image, mounted as by a container engine.
type image struct {
	name, root, data string
}

// mountImage makes an image the root: only the data folder is writable, and /proc and /etc/hosts exist.
func mountImage(t *testing.T, name string) image {
	t.Helper()
	if *images == "" {
		t.Skip("no images: make image-test builds them and gives them with -images")
	}
	if os.Geteuid() != 0 {
		t.Fatal("mounting and changing the root needs root")
	}
	rootfs := filepath.Join(*images, name)
	i := image{name: name, root: t.TempDir(), data: t.TempDir()}
	mount := func(from, to, kind string, flags uintptr) {
		t.Helper()
		if err := syscall.Mount(from, to, kind, flags, ""); err != nil {
			t.Fatalf("mounting is not allowed here: %s: %v", to, err)
		}
		t.Cleanup(func() { syscall.Unmount(to, syscall.MNT_DETACH) })
	}
	for _, dir := range []string{"proc", "sys", "dev"} {
		if err := os.MkdirAll(filepath.Join(rootfs, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(rootfs, "etc/hosts"), []byte("127.0.0.1 localhost\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(i.data, user, user); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(i.root); dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // the user must get in
			break
		}
	}
	mount(rootfs, i.root, "", syscall.MS_BIND)
	mount("", i.root, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY)
	mount(i.data, filepath.Join(i.root, "data"), "", syscall.MS_BIND)
	mount("proc", filepath.Join(i.root, "proc"), "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC)
	return i
}

// command returns a command that runs the image's program as its user, with an empty environment.
func (i image) command(env []string, args ...string) (*exec.Cmd, *strings.Builder) {
	log := new(strings.Builder)
	cmd := &exec.Cmd{Path: "/" + i.name, Args: append([]string{i.name}, args...), Dir: "/data", Stdout: log, Stderr: log,
		Env:         append([]string{"BATON_C1Z_TEMP_DIR=/data", "BATON_HEALTH_CHECK=true"}, env...),
		SysProcAttr: &syscall.SysProcAttr{Chroot: i.root, Credential: &syscall.Credential{Uid: user, Gid: user}}}
	return cmd, log
}

// TestImage runs each image: it becomes healthy, syncs, leaves no files, and stops. Without C1, it writes a
// file and runs the demo.
func TestImage(t *testing.T) {
	scim := perplexity.New(perplexity.Options{Faults: []string{"page-cap=5"}})
	learning := percipio.New(percipio.Options{})
	for name, upstream := range map[string]struct {
		server   http.Handler
		settings func(origin string) []string
		accounts int
	}{
		"baton-perplexity": {scim, func(origin string) []string {
			return []string{"BATON_SCIM_URL=" + origin + scim.URLPath(), "BATON_SCIM_TOKEN=" + scim.Token()}
		}, 25},
		"baton-percipio": {learning, func(origin string) []string {
			return []string{"BATON_BASE_URL=" + origin, "BATON_ORGANIZATION_ID=" + learning.OrganizationID(), "BATON_API_TOKEN=" + learning.Token()}
		}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			i := mountImage(t, name)
			server := httptest.NewServer(upstream.server)
			t.Cleanup(server.Close)
			settings := upstream.settings(server.URL)
			uploaded := i.serve(t, settings)
			if len(uploaded) <= upstream.accounts || strings.Count(strings.Join(uploaded, "\n"), "user:") < upstream.accounts {
				t.Errorf("%d rows were uploaded, of which %d accounts should be", len(uploaded), upstream.accounts)
			}
			once, log := i.command(settings)
			if err := once.Run(); err != nil {
				t.Fatalf("%v: %s", err, log)
			}
			if diff := cmp.Diff(uploaded, facts(t, filepath.Join(i.data, "sync.c1z"))); diff != "" {
				t.Errorf("the service and the command differ:\n%s", diff)
			}
			if err := os.Remove(filepath.Join(i.data, "sync.c1z")); err != nil {
				t.Fatal(err)
			}
			if demo, log := i.command(nil, "demo"); demo.Run() != nil {
				t.Errorf("demo: %s", log)
			}
			i.bare(t)
		})
	}
}

// serve runs the image as a service until it has synced, and stops it. It returns the uploaded facts.
func (i image) serve(t *testing.T, settings []string) []string {
	t.Helper()
	c1, err := rpctest.Listen(t.Context(), rpctest.Config{Dir: t.TempDir(), Poll: 20 * time.Millisecond, Heartbeat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c1.Close() })
	id, secret, err := c1.Issue(t.Context(), i.name)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(c1.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(i.data, "ca.pem"), ca, 0o644); err != nil {
		t.Fatal(err)
	}
	env := append(slices.Clone(settings), "BATON_CLIENT_ID="+id, "BATON_CLIENT_SECRET="+secret.Reveal(), "BATON_CA_FILE=/data/ca.pem",
		"BATON_HOST_ID=pod-0", "BATON_HEALTH_CHECK_PORT="+freePort(t))
	cmd, log := i.command(env)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	i.becomesHealthy(t, env, log)
	status(t, cmd, "idle")
	task, err := c1.Enqueue(t.Context(), i.name, &batonv1.Task{TaskType: &batonv1.Task_SyncFull{SyncFull: &batonv1.Task_SyncFullTask{}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c1.Wait(t.Context(), task)
	if err != nil || !r.OK() || len(r.Assets) != 1 {
		t.Fatalf("%v %v\n%s", r, err, log)
	}
	status(t, cmd, "after a sync")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it stops with %v\n%s", err, log)
	}
	if left, _ := filepath.Glob(filepath.Join(i.data, "*", "sync-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	return facts(t, r.Assets[0].Path)
}

// becomesHealthy waits until the image's own health check succeeds.
func (i image) becomesHealthy(t *testing.T, env []string, log *strings.Builder) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		check, health := i.command(env, "health-check")
		err := check.Run()
		if err == nil {
			t.Logf("healthy: %s", health)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not become healthy: %v: %s\n%s", err, health, log)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// TestConsole runs the image of the console: it becomes healthy with a database in its folder, and stops.
func TestConsole(t *testing.T) {
	i := mountImage(t, "baton-console")
	env := []string{"BATON_CONSOLE_DATA=/data", "BATON_CONSOLE_LISTEN=:" + freePort(t), "BATON_CONSOLE_URL=https://console.example.test"}
	cmd, log := i.command(env, "serve")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	i.becomesHealthy(t, env, log)
	status(t, cmd, "idle")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it stops with %v\n%s", err, log)
	}
	if _, err := os.Stat(filepath.Join(i.data, "keys")); err != nil {
		t.Errorf("keys: %v", err)
	}
	i.bare(t)
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// bare checks that the image contains no other programs, and that nothing in it is writable.
func (i image) bare(t *testing.T) {
	t.Helper()
	var programs []string
	if err := filepath.WalkDir(filepath.Join(*images, i.name), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Mode()&0o111 != 0 {
			programs = append(programs, d.Name())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(programs, []string{i.name}) {
		t.Errorf("it holds the programs %q", programs)
	}
	shell := &exec.Cmd{Path: "/bin/sh", Args: []string{"sh"}, Dir: "/", SysProcAttr: &syscall.SysProcAttr{Chroot: i.root}}
	if err := shell.Run(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a shell: %v", err)
	}
	if err := os.WriteFile(filepath.Join(i.root, "etc/passwd"), nil, 0o644); !errors.Is(err, syscall.EROFS) {
		t.Errorf("the root can be written to, so all this proves little: %v", err)
	}
}

// status logs the kernel's view of a process: its memory, and that it has no capabilities.
func status(t *testing.T, cmd *exec.Cmd, when string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch value = strings.Join(strings.Fields(value), " "); {
		case key == "VmRSS" || key == "VmHWM":
			t.Logf("%s: %s %s", when, key, value)
		case key == "Uid" && value != "65532 65532 65532 65532", (key == "CapEff" || key == "CapPrm") && strings.Trim(value, "0") != "":
			t.Errorf("%s is %s", key, value)
		}
	}
}

// facts returns the facts in a file.
func facts(t *testing.T, path string) []string {
	t.Helper()
	rows, err := c1ztest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return rows.Facts()
}
