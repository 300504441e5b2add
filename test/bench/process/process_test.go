//go:build linux

package process_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"baton/test/bench/process"
)

// TestMain lets the test binary act as the measured command, which executes its arguments in order.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "be" {
		be(os.Args[2:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// held keeps the memory that the step hold allocates.
var held [][]byte

func be(steps []string) {
	for len(steps) > 0 {
		n, _ := strconv.Atoi(steps[1])
		switch steps[0] {
		case "burn": // argument: milliseconds of CPU time
			burn(time.Duration(n) * time.Millisecond)
		case "hold": // argument: MB, kept from now on
			more := make([]byte, n<<20)
			for i := range more {
				more[i] = byte(i)
			}
			held = append(held, more)
		case "write": // argument: MB
			f, err := os.Create(filepath.Join(os.TempDir(), "written"))
			if err != nil {
				os.Exit(3)
			}
			f.Write(make([]byte, n<<20))
			f.Sync()
			f.Close()
		case "abandon": // start a process for the remaining steps, and end when it says so
			cmd := exec.Command(os.Args[0], append([]string{"be"}, steps[2:]...)...)
			out, err := cmd.StdoutPipe()
			if err != nil || cmd.Start() != nil {
				os.Exit(3)
			}
			io.ReadFull(out, make([]byte, 1))
			return
		case "tell":
			os.Stdout.WriteString("x")
		case "fail":
			os.Exit(n)
		}
		steps = steps[2:]
	}
}

// burn computes until the process has used that much more CPU time.
func burn(d time.Duration) {
	used := func() time.Duration { return process.Used() }
	for begin, x := used(), 1; used()-begin < d; {
		for range 100_000 {
			x = x*3 + 1
		}
	}
}

func measure(t *testing.T, steps ...string) process.Usage {
	t.Helper()
	u, err := process.Run(t.Context(), process.Command{Path: os.Args[0], Args: append([]string{"be"}, steps...), Env: []string{"TMPDIR=" + t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOneProcess(t *testing.T) {
	u := measure(t, "burn", "100", "hold", "80", "write", "5")
	if u.Processes != 1 || u.CPU < 100*time.Millisecond || u.Wall < u.CPU/8 {
		t.Errorf("%+v", u)
	}
	if u.Memory < 80<<20 || u.Memory > shadow*160<<20 {
		t.Errorf("it holds %d MB", u.Memory>>20)
	}
}

// TestOrphan is the case that needs the subreaper: the parent ends first, so it does not account for the
// child.
func TestOrphan(t *testing.T) {
	u := measure(t, "hold", "20", "abandon", "0", "burn", "100", "hold", "90", "tell", "0", "burn", "1000000")
	if u.Processes < 2 || u.CPU < 100*time.Millisecond {
		t.Errorf("%+v", u)
	}
	if u.Memory < 90<<20 {
		t.Errorf("it holds %d MB", u.Memory>>20)
	}
}

func TestFailure(t *testing.T) {
	u, err := process.Run(t.Context(), process.Command{Path: os.Args[0], Args: []string{"be", "burn", "50", "fail", "7"}})
	if err == nil || u.CPU < 50*time.Millisecond {
		t.Errorf("%v %+v", err, u)
	}
	if _, err := process.Run(t.Context(), process.Command{Path: "/no/such/command"}); err == nil {
		t.Error("a command that does not exist runs")
	}
}

func TestResident(t *testing.T) {
	cmd := exec.Command(os.Args[0], "be", "tell", "0", "burn", "1000000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	n, err := process.Resident(cmd.Process.Pid)
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil || n < 100<<10 || n > shadow*100<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n, err := process.Resident(cmd.Process.Pid); err == nil {
		t.Errorf("a process that has ended holds %d bytes", n)
	}
}
