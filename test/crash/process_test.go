package crash_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// moment is the moment at which a process is killed.
type moment struct {
	kind  string
	n     int           // number of the request, or of the change of a file
	after time.Duration // since it was started
}

// The kinds of moments.
const (
	arrives  = "a request arrives"
	answered = "a request is answered"
	instant  = "an instant"
	changes  = "a file changes"
)

func (m moment) String() string {
	switch m.kind {
	case "":
		return "never"
	case instant:
		return fmt.Sprint("after ", m.after)
	}
	return fmt.Sprintf("%s, the %d.", m.kind, m.n)
}

// victim is a program with an upstream that can kill it.
type victim struct {
	t      testing.TB
	tn     *tenant
	binary string
	env    []string
	attr   *syscall.SysProcAttr
	origin string

	mu       sync.Mutex
	process  *os.Process
	at       moment
	requests int
}

func newVictim(t testing.TB, tn *tenant, binary string, env ...string) *victim {
	t.Helper()
	v := &victim{t: t, tn: tn, binary: binary}
	server := httptest.NewServer(v)
	t.Cleanup(server.Close)
	v.origin = server.URL
	v.env = append(append(tn.settings(v.origin), "PATH="+os.Getenv("PATH"), "TMPDIR="+os.TempDir()), env...)
	return v
}

// ServeHTTP serves the upstream and kills the program at the moment.
func (v *victim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	v.requests++
	n, process := v.requests, v.process
	now := func(kind string) bool { return v.at.kind == kind && v.at.n == n }
	before, after := now(arrives), now(answered)
	v.mu.Unlock()
	if before {
		process.Kill()
	}
	v.tn.handler.ServeHTTP(w, r)
	if after {
		http.NewResponseController(w).Flush()
		process.Kill()
	}
}

// process is a started program.
type process struct {
	cmd     *exec.Cmd
	stderr  bytes.Buffer
	began   time.Time
	unwatch func() int
	timer   *time.Timer
}

// start starts the program, which is killed at the moment. Changes below watched count as changes of a file.
func (v *victim) start(at moment, watched string, args ...string) *process {
	v.t.Helper()
	l, err := v.begin(at, watched, args...)
	if err != nil {
		v.t.Fatal(err)
	}
	return l
}

func (v *victim) begin(at moment, watched string, args ...string) (*process, error) {
	v.t.Helper()
	l := &process{unwatch: func() int { return 0 }}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.t.Context()), 5*time.Minute)
	v.t.Cleanup(cancel)
	l.cmd = exec.CommandContext(ctx, v.binary, args...)
	l.cmd.Dir, l.cmd.Env, l.cmd.Stderr, l.cmd.SysProcAttr = v.t.TempDir(), v.env, &l.stderr, v.attr
	var process *os.Process
	ready := make(chan struct{})
	if watched != "" {
		l.unwatch = watch(v.t, watched, func(n int) {
			if at.kind == changes && n == at.n {
				<-ready
				process.Kill()
			}
		})
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	l.began = time.Now()
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	process = l.cmd.Process
	close(ready)
	v.process, v.at, v.requests = process, at, 0
	if at.kind == instant {
		l.timer = time.AfterFunc(at.after, func() { process.Kill() })
	}
	return l, nil
}

// end waits for the process, and reports whether it was killed and its exit code.
func (l *process) end(t testing.TB) (killed bool, code int) {
	t.Helper()
	err := l.cmd.Wait()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.unwatch()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	code = l.cmd.ProcessState.ExitCode()
	return code == -1, code
}

// span holds the numbers of an undisturbed process: requests, changes of files, and time.
type span struct {
	requests, changes int
	took              time.Duration
}

// moments returns n moments of each kind, spread over the run of a process and chosen at random.
func (s span) moments(n int, r *rand.Rand) (all []moment) {
	spread := func(i, of int) int { return 1 + (i*of+r.IntN(of))/n%of }
	for i := range n {
		if s.requests > 0 {
			all = append(all, moment{kind: arrives, n: spread(i, s.requests)}, moment{kind: answered, n: spread(i, s.requests)})
		}
		if s.changes > 0 {
			all = append(all, moment{kind: changes, n: spread(i, s.changes)})
		}
		all = append(all, s.instant((float64(i)+r.Float64())/float64(n)))
	}
	return all
}

func (s span) instant(share float64) moment {
	return moment{kind: instant, after: time.Duration(share * float64(s.took))}
}

// some returns a random moment.
func (s span) some(r *rand.Rand) moment {
	all := s.moments(1, r)
	return all[r.IntN(len(all))]
}

// killCount returns how often to kill a sync before it may finish: once, or at random more often.
func killCount(r *rand.Rand) int {
	switch n := r.IntN(10); {
	case n < 5:
		return 1
	case n < 9:
		return 2
	}
	return 3
}

// tally counts the points of one kind of moment.
type tally struct {
	outcome
	again int
}

type tallies map[string]*tally

func newTallies() tallies {
	return tallies{arrives: {}, answered: {}, changes: {}, instant: {}}
}

func (ts tallies) count(t *testing.T, connector, mode string) {
	for _, kind := range []string{arrives, answered, changes, instant} {
		if o := ts[kind]; o.points > 0 {
			o.report(t)
			summed("kills", []string{connector, mode, kind}, o.points, o.again, o.replaced, o.points-len(o.wrong), len(o.wrong))
		}
	}
}

// oneShot kills one-shot syncs, one at each moment, and sometimes those that resume. The last one may finish.
// The first sync that ends by itself is the last.
func (v *victim) oneShot(s span, moments []moment, r *rand.Rand, ts tallies) {
	_, want := v.tn.undisturbed(v.t)
	for i, at := range moments {
		dir := v.t.TempDir()
		path := filepath.Join(dir, "sync.c1z")
		if i%2 == 0 {
			old, _ := v.tn.undisturbed(v.t)
			writeFile(v.t, path, old)
		}
		o, where, left := ts[at.kind], fmt.Sprint(v.tn.name, ", killed: ", at), killCount(r)
		died := 0
		for {
			l := v.start(at, dir, "--file", path)
			killed, code := l.end(v.t)
			if !killed {
				if code != 0 {
					o.divergent("%s: exit code %d: %s", where, code, &l.stderr)
				}
				break
			}
			died++
			if bad := v.checkFile(path, i%2 == 0, o); bad != "" {
				o.divergent("%s: %s", where, bad)
			}
			if at = (moment{}); died < left {
				at = s.some(r)
			}
			where += fmt.Sprint(", then: ", at)
		}
		if bad := ended(path, want); bad != "" {
			o.divergent("%s: %s", where, bad)
		}
		if died > 0 {
			o.points++
			point(where)
		}
		if died > 1 {
			o.again++
		}
		os.RemoveAll(dir)
	}
}

// checkFile checks the file after a kill: it is the previous one, or a complete new one.
func (v *victim) checkFile(path string, before bool, o *tally) string {
	old, want := v.tn.undisturbed(v.t)
	now, err := os.ReadFile(path)
	switch {
	case err != nil && !before, err == nil && before && bytes.Equal(now, old):
		return ""
	case err != nil:
		return "the file from before is gone: " + err.Error()
	}
	o.replaced++
	got, err := read(path)
	if err != nil {
		return "the file is neither the old one nor a new one: " + err.Error()
	}
	if diff := want.differs(got); diff != "" {
		return "a short file: " + diff
	}
	return ""
}

// measure runs an undisturbed one-shot sync.
func (v *victim) measure() span {
	v.t.Helper()
	var s span
	for range 3 {
		dir := v.t.TempDir()
		l := v.start(moment{}, dir, "--file", filepath.Join(dir, "sync.c1z"))
		err := l.cmd.Wait()
		s.took = max(s.took, time.Since(l.began))
		if err != nil {
			v.t.Fatalf("%v\n%s", err, &l.stderr)
		}
		s.changes = l.unwatch()
	}
	s.requests = v.requestCount()
	return s
}

// requestCount returns the number of requests since the last start.
func (v *victim) requestCount() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.requests
}

// points returns the number of moments of each kind, for a short run and for a long one.
func points(short, whole int) int {
	if *many > 0 {
		return *many
	}
	if *every {
		return whole
	}
	return short
}

// shards distributes moments, so that a long run waits for several processes at a time.
func shards(moments []moment) [][]moment {
	n := 1
	if *every {
		n = 3
	}
	all := make([][]moment, n)
	for i, m := range moments {
		all[i%n] = append(all[i%n], m)
	}
	return all
}

// TestKilledOneShot kills the real programs in one-shot mode.
func TestKilledOneShot(t *testing.T) {
	if *every {
		t.Parallel()
	}
	n := points(1, 100)
	for _, tn := range tenants(t) {
		r := rand.New(rand.NewPCG(*seed, 1))
		s := newVictim(t, tn, program(t, tn.name)).measure()
		if s.requests < 6 {
			t.Fatalf("%+v: too short a life to be worth ending", s)
		}
		moments := s.moments(n, r)
		if *every { // every boundary of a page, at any rate
			for k := range s.requests {
				moments = append(moments, moment{kind: arrives, n: k + 1}, moment{kind: answered, n: k + 1})
			}
			for k := range s.changes {
				moments = append(moments, moment{kind: changes, n: k + 1})
			}
		}
		for i, some := range shards(moments) {
			t.Run(fmt.Sprint(tn.name, " ", i), func(t *testing.T) {
				if *every {
					t.Parallel()
				}
				ts := newTallies()
				v := newVictim(t, tn, program(t, tn.name))
				v.oneShot(s, some, rand.New(rand.NewPCG(*seed, uint64(10+i))), ts)
				ts.count(t, tn.name, "one-shot")
			})
		}
	}
}
