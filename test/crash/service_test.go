package crash_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/console/rpc"
	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
)

// served is a victim in service mode, with its own control plane.
type served struct {
	*victim
	c1    *rpctest.Server
	state string
}

func newServed(t *testing.T, tn *tenant) *served {
	t.Helper()
	c1, err := rpctest.Listen(t.Context(), rpctest.Config{Dir: t.TempDir(), Poll: 20 * time.Millisecond, Heartbeat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c1.Close() })
	id, secret, err := c1.Issue(t.Context(), tn.name)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{c1: c1, state: t.TempDir()}
	s.victim = newVictim(t, tn, program(t, tn.name), "BATON_CLIENT_ID="+id, "BATON_CLIENT_SECRET="+secret.Reveal(),
		"BATON_CA_FILE="+c1.CAFile, "BATON_C1Z_TEMP_DIR="+s.state, "BATON_HOST_ID=pod-0", "BATON_PROVISIONING=true")
	return s
}

func (s *served) enqueue(work *batonv1.Task) string {
	s.t.Helper()
	id, err := s.c1.Enqueue(s.t.Context(), s.tn.name, work)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func fullSync() *batonv1.Task {
	return &batonv1.Task{TaskType: &batonv1.Task_SyncFull{SyncFull: &batonv1.Task_SyncFullTask{}}}
}

func (s *served) wait(id string) (rpctest.Result, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	return s.c1.Wait(ctx, id)
}

// stop shuts a service down, and describes what went wrong.
func (s *served) stop(l *process) string {
	l.cmd.Process.Signal(syscall.SIGTERM)
	if killed, code := l.end(s.t); killed || code != 0 {
		return fmt.Sprintf("it does not stop in order: %d\n%s", code, &l.stderr)
	}
	return ""
}

// until kills a service at the moment, or stops it if the task is done before.
func (s *served) until(at moment, id string) (killed bool, wrong string) {
	l := s.start(at, s.state)
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	go func() {
		_, err := s.c1.Wait(ctx, id)
		if err == nil {
			// A process killed at an instant may have finished its work.
			if at.kind == instant {
				<-time.After(50 * time.Millisecond)
			}
			l.cmd.Process.Signal(syscall.SIGTERM)
		}
		done <- err
	}()
	killed, code := l.end(s.t)
	cancel()
	<-done
	if !killed && code > 1 {
		return false, fmt.Sprintf("exit code %d\n%s", code, &l.stderr)
	}
	return killed, ""
}

// finished reports whether the task has ended.
func (s *served) finished(id string) bool {
	return slices.ContainsFunc(s.c1.Tasks(), func(t rpctest.Task) bool { return t.ID == id && t.State == rpc.Finished })
}

// finishes lets the task end, in an undisturbed process if necessary.
func (s *served) finishes(id string) (rpctest.Result, string) {
	if s.finished(id) {
		r, err := s.wait(id)
		if err != nil {
			s.t.Fatal(err)
		}
		if !r.OK() {
			return r, fmt.Sprintf("the task fails: %v", r.Status)
		}
		return r, ""
	}
	if err := s.c1.SetFault("redeliver=1"); err != nil {
		s.t.Fatal(err)
	}
	l := s.start(moment{}, "")
	r, err := s.wait(id)
	wrong := s.stop(l)
	if err != nil {
		wrong = fmt.Sprintf("the task does not end: %v\n%s", err, &l.stderr)
	}
	if wrong == "" && !r.OK() {
		wrong = fmt.Sprintf("the task fails: %v\n%s", r.Status, &l.stderr)
	}
	return r, wrong
}

// delivered describes what is wrong with the uploads of a task, or returns "".
func (s *served) delivered(id string, r rpctest.Result) string {
	_, want := s.tn.undisturbed(s.t)
	if len(r.Assets) != 1 {
		return fmt.Sprintf("%d files were uploaded", len(r.Assets))
	}
	content, err := os.ReadFile(r.Assets[0].Path)
	if err != nil {
		return err.Error()
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != r.Assets[0].SHA256 {
		return "the file that was uploaded is not the one that was announced"
	}
	got, err := read(r.Assets[0].Path)
	if err != nil {
		return "the file that was uploaded cannot be read: " + err.Error()
	}
	if diff := want.differs(got); diff != "" {
		return "the file that was uploaded differs: " + diff
	}
	return ""
}

// tasks kills the service during one task after another. check describes what is wrong with the end of a
// task.
func (s *served) tasks(sp span, moments []moment, r *rand.Rand, ts tallies, work func() *batonv1.Task, check func(id string, r rpctest.Result) string) {
	for _, at := range moments {
		o, died := ts[at.kind], 0
		where := fmt.Sprint(s.tn.name, " as a service, killed: ", at)
		id := s.enqueue(work())
		for range killCount(r) {
			if s.finished(id) {
				break
			}
			killed, wrong := s.until(at, id)
			if wrong != "" {
				o.divergent("%s: %s", where, wrong)
			}
			if !killed {
				break
			}
			died++
			if err := s.c1.SetFault("redeliver=1"); err != nil {
				s.t.Fatal(err)
			}
			at = sp.some(r)
			where += fmt.Sprint(", then: ", at)
		}
		result, wrong := s.finishes(id)
		if wrong == "" {
			wrong = check(id, result)
		}
		if died > 0 {
			o.points++
			point(where)
			if died > 1 {
				o.again++
			}
		}
		if wrong != "" {
			o.divergent("%s: %s", where, wrong)
		}
	}
}

// measureTask measures a service that carries out one task.
func (s *served) measureTask(id string) (span, rpctest.Result) {
	s.t.Helper()
	l := s.start(moment{}, s.state)
	r, err := s.wait(id)
	sp := span{took: time.Since(l.began), requests: s.requestCount(), changes: l.unwatch()}
	l.unwatch = func() int { return 0 }
	if wrong := s.stop(l); wrong != "" || err != nil || !r.OK() {
		s.t.Fatalf("%v %v %s\n%s", err, r, wrong, &l.stderr)
	}
	return sp, r
}

// left lists the files of an idle service.
func (s *served) left() (names []string) {
	filepath.Walk(s.state, func(path string, info os.FileInfo, err error) error {
		if err == nil && strings.Contains(path, "sync-") {
			names = append(names, path)
		}
		return nil
	})
	return names
}

// TestKilledService kills the real programs in service mode, during syncs: the upload arrives once and
// complete, with the facts of an undisturbed sync, and the task succeeds.
func TestKilledService(t *testing.T) {
	if *every {
		t.Parallel()
	}
	n := points(1, 60)
	for _, tn := range tenants(t) {
		r := rand.New(rand.NewPCG(*seed, 2))
		one := newServed(t, tn)
		sp, _ := one.measureTask(one.enqueue(fullSync()))
		for i, some := range shards(sp.moments(n, r)) {
			t.Run(fmt.Sprint(tn.name, " ", i), func(t *testing.T) {
				if *every {
					t.Parallel()
				}
				s, ts := newServed(t, tn), newTallies()
				s.tasks(sp, some, rand.New(rand.NewPCG(*seed, uint64(20+i))), ts, fullSync, s.delivered)
				// The next task removes the files that a kill in the last step has left.
				s.measureTask(s.enqueue(fullSync()))
				if left := s.left(); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
				ts.count(t, tn.name, "service, sync")
			})
		}
	}
}

// TestServiceAfterAnotherVersion: the pages of a service of another version, or of a damaged disk, once made
// every sync task fail for eight days, because a service has no --fresh.
func TestServiceAfterAnotherVersion(t *testing.T) {
	tn := perplexityTenant(t, "page-cap=5")
	s := newServed(t, tn)
	for defect, content := range map[string]string{"another version": `{"Version":99}`, "damaged": "\x00\x00\x00"} {
		id := s.enqueue(fullSync())
		if killed, wrong := s.until(moment{kind: answered, n: 4}, id); !killed || wrong != "" {
			t.Fatalf("it was not killed: %s", wrong)
		}
		headers, err := filepath.Glob(filepath.Join(s.state, "*", "*", "*", "header"))
		if err != nil || len(headers) != 1 {
			t.Fatalf("headers: %q, %v", headers, err)
		}
		writeFile(t, headers[0], []byte(content))
		r, wrong := s.finishes(id)
		if wrong == "" {
			wrong = s.delivered(id, r)
		}
		if wrong != "" {
			t.Errorf("%s: %s", defect, wrong)
		}
	}
}

// TestServiceKilledBeforeItsAnswer: a service killed between its upload and the answer once synced again, and
// uploaded a second file for the same task.
func TestServiceKilledBeforeItsAnswer(t *testing.T) {
	tn := perplexityTenant(t)
	s := newServed(t, tn)
	if err := s.c1.SetFault("finish-task-error=UNAVAILABLE:1000"); err != nil {
		t.Fatal(err)
	}
	id := s.enqueue(fullSync())
	l := s.start(moment{}, "")
	uploaded := func() bool {
		return slices.ContainsFunc(s.c1.Tasks(), func(t rpctest.Task) bool { return t.ID == id && len(t.Result.Assets) > 0 })
	}
	for !uploaded() {
		<-time.After(10 * time.Millisecond)
	}
	<-time.After(100 * time.Millisecond) // after the upload
	l.cmd.Process.Kill()
	l.end(t)
	s.c1.ClearFaults()
	r, wrong := s.finishes(id)
	if wrong == "" {
		wrong = s.delivered(id, r)
	}
	if left := s.left(); wrong == "" && len(left) > 0 {
		wrong = fmt.Sprintf("left behind: %q", left)
	}
	if wrong != "" {
		t.Error(wrong)
	}
}
