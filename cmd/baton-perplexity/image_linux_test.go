package main

import (
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rootfs = flag.String("rootfs", "", "the unpacked file system of an image, as make image-test unpacks it")

// imageUser is the user that the image names.
const imageUser = 65532

// mountImage makes a root of the image as a container engine does: nothing can be
// written but the data folder, and /proc and /etc/hosts are there.
func mountImage(t *testing.T) (root, data string) {
	t.Helper()
	if *rootfs == "" {
		t.Skip("no image: make image-test builds one and gives it with -rootfs")
	}
	if os.Geteuid() != 0 {
		t.Skip("mounting and changing the root needs root")
	}
	root, data = t.TempDir(), t.TempDir()
	mount := func(from, to, kind string, flags uintptr) {
		t.Helper()
		if err := syscall.Mount(from, to, kind, flags, ""); err != nil {
			t.Skipf("mounting is not allowed here: %s: %v", to, err)
		}
		t.Cleanup(func() { syscall.Unmount(to, syscall.MNT_DETACH) })
	}
	for _, dir := range []string{"proc", "sys", "dev"} {
		if err := os.MkdirAll(filepath.Join(*rootfs, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(*rootfs, "etc/hosts"), []byte("127.0.0.1 localhost\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(data, imageUser, imageUser); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(root); dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // the user must get in
			break
		}
	}
	mount(*rootfs, root, "", syscall.MS_BIND)
	if err := syscall.Mount("", root, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("a read-only root is not allowed here: %v", err)
	}
	mount(data, filepath.Join(root, "data"), "", syscall.MS_BIND)
	mount("proc", filepath.Join(root, "proc"), "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC)
	return root, data
}

// inImage is the image's program, as its user, with nothing of this process's
// environment.
func inImage(t *testing.T, root string, env []string, args ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	log := new(strings.Builder)
	cmd := &exec.Cmd{Path: "/baton-perplexity", Args: append([]string{"baton-perplexity"}, args...), Dir: "/data", Stdout: log, Stderr: log,
		Env:         append([]string{"BATON_C1Z_TEMP_DIR=/data", "BATON_HEALTH_CHECK=true"}, env...),
		SysProcAttr: &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: imageUser, Gid: imageUser}}}
	return cmd, log
}

// TestImage lives a life in the image: it becomes healthy, syncs, leaves nothing, and
// stops. Once more without C1, it writes a file and runs the demo.
func TestImage(t *testing.T) {
	root, data := mountImage(t)
	s := newServed(t, "page-cap=5")
	ca, err := os.ReadFile(s.c1.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "ca.pem"), ca, 0o644); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	env := []string{"BATON_HEALTH_CHECK_PORT=" + port}
	for _, v := range s.env {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "BATON_") && name != "BATON_CA_FILE" && name != "BATON_C1Z_TEMP_DIR" {
			env = append(env, v)
		}
	}
	env = append(env, "BATON_CA_FILE=/data/ca.pem")
	cmd, log := inImage(t, root, env)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	for deadline := time.Now().Add(30 * time.Second); ; {
		check, said := inImage(t, root, env, "health-check")
		err := check.Run()
		if err == nil {
			t.Logf("healthy: %s", said)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not become healthy: %v: %s\n%s", err, said, log)
		}
		<-time.After(50 * time.Millisecond)
	}
	status(t, cmd, "idle")
	r := s.result(s.sync())
	if !r.OK() || len(r.Assets) != 1 {
		t.Fatalf("%v\n%s", r, log)
	}
	status(t, cmd, "after a sync")
	stop(t, cmd, log, 0)
	if left, _ := filepath.Glob(filepath.Join(data, "*", "sync-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	once, log := inImage(t, root, []string{"BATON_SCIM_URL=" + s.origin + s.org.URLPath(), "BATON_SCIM_TOKEN=" + s.org.Token()})
	if err := once.Run(); err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	if diff := cmp.Diff(facts(t, r.Assets[0].Path), facts(t, filepath.Join(data, "sync.c1z"))); diff != "" {
		t.Errorf("the service and the command differ:\n%s", diff)
	}
	if err := os.Remove(filepath.Join(data, "sync.c1z")); err != nil {
		t.Fatal(err)
	}
	if demo, log := inImage(t, root, nil, "demo"); demo.Run() != nil {
		t.Errorf("demo: %s", log)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/passwd"), nil, 0o644); err == nil {
		t.Error("the root can be written to, so all this proves little")
	}
}

// status logs what the kernel says of a process: its memory, and that it has no rights.
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
