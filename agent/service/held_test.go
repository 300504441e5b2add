package service_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/agent/service"
	"baton/agent/syncer"
	"baton/internal/pb/batonv1"
)

// gauge reads the metrics of a service.
type gauge struct {
	mu   sync.Mutex
	read func() []service.Reading
}

func (g *gauge) in(c *service.Config) {
	c.Measured = func(read func() []service.Reading) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.read = read
	}
}

// value returns the only reading with the name, or -1.
func (g *gauge) value(name string) float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.read() {
		if r.Name == name {
			return r.Value
		}
	}
	return -1
}

// sum returns the sum of the readings with the name and a label's value.
func (g *gauge) sum(name, label string) (sum float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.read() {
		if r.Name == name && slices.Contains(r.Labels, label) {
			sum += r.Value
		}
	}
	return sum
}

func (g *gauge) want(t *testing.T, values map[string]float64) {
	t.Helper()
	for name, want := range values {
		if got := g.value(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// logged collects the log of a service.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) in(c *service.Config) { c.Log = slog.New(slog.NewTextHandler(l, nil)) }

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// loseAdmins ends every membership in the Admin group, and returns a function that restores them.
func (w *world) loseAdmins() (back func()) {
	w.t.Helper()
	g := w.group("PPLX_Admin")
	if len(g.Members) == 0 {
		w.t.Fatal("there are no admins to lose")
	}
	for _, id := range g.Members {
		w.org.RemoveMember(g.ID, id)
	}
	return func() {
		for _, id := range g.Members {
			w.org.AddMember(g.ID, id)
		}
	}
}

// wantHeld runs a sync task that must be held, and returns its override.
func (w *world) wantHeld(text string) syncer.Override {
	w.t.Helper()
	r := w.fail(syncTask(nil), 9, false, "this sync is held: "+text)
	if len(r.Assets) > 0 {
		w.t.Errorf("it was uploaded all the same: %v", r.Assets)
	}
	m := regexp.MustCompile(`BATON_ALLOW_HELD`).FindString(r.Status.GetMessage())
	code := regexp.MustCompile(`--allow-held ([\w-]+)`).FindStringSubmatch(r.Status.GetMessage())
	if m == "" || code == nil {
		w.t.Fatalf("it does not say how to let it through: %s", r.Status.GetMessage())
	}
	list, err := syncer.ParseOverrides(code[1])
	if err != nil || len(list) != 1 {
		w.t.Fatal(list, err)
	}
	return list[0]
}

const adminsGone = "This sync has 0 enabled accounts that are certain to be Admin, fewer than 1; the previous sync had "

// TestHeld removes the admins: the sync is held, also by the next process. With its override it is uploaded,
// and the next loss is held again.
func TestHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := new(gauge)
	r := w.start(g.in)
	w.uploaded(w.succeed(syncTask(nil), nil))
	g.want(t, map[string]float64{"baton_sync_held": 0, "baton_syncs_held_total": -1, "baton_sync_compared": 0})
	w.uploaded(w.succeed(syncTask(nil), nil))
	g.want(t, map[string]float64{"baton_sync_held": 0, "baton_sync_compared": 1})
	last := g.value("baton_last_successful_sync_timestamp_seconds")

	back := w.loseAdmins()
	w.wantHeld(adminsGone)
	g.want(t, map[string]float64{"baton_sync_held": 1, "baton_syncs_held_total": 1, "baton_sync_compared": 1, "baton_last_successful_sync_timestamp_seconds": last})
	if err := r.stop(); err != nil {
		t.Error(err)
	}

	r = w.start(g.in)
	override := w.wantHeld(adminsGone)
	g.want(t, map[string]float64{"baton_sync_held": 1, "baton_last_successful_sync_timestamp_seconds": last})
	if err := r.stop(); err != nil {
		t.Error(err)
	}

	told := func(c *service.Config) { c.Overrides = []syncer.Override{override} }
	w.start(g.in, told)
	w.uploaded(w.succeed(syncTask(nil), nil))
	g.want(t, map[string]float64{"baton_sync_held": 0, "baton_sync_compared": 1})
	back()
	w.uploaded(w.succeed(syncTask(nil), nil))
	w.loseAdmins()
	w.wantHeld(adminsGone) // although the override is still set
	g.want(t, map[string]float64{"baton_sync_held": 1, "baton_syncs_held_total": 1})
}

// TestHeldIsNotSticky: after a held sync, everything is read again, and the sync is uploaded once the
// upstream shows all accounts.
func TestHeldIsNotSticky(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.succeed(syncTask(nil), nil)
	back := w.loseAdmins()
	w.wantHeld(adminsGone)
	back()
	f := w.uploaded(w.succeed(syncTask(nil), nil))
	if _, grants := w.count(f, "group"); grants == 0 {
		t.Error("the sync has no grants")
	}
}

// base returns the file that the next sync is compared with.
func (w *world) base() string {
	w.t.Helper()
	kept, err := filepath.Glob(filepath.Join(w.state, "uploaded-*.c1z"))
	if err != nil || len(kept) != 1 {
		w.t.Fatalf("kept %q, %v", kept, err)
	}
	return kept[0]
}

// leftovers lists the files in a state directory except the kept one.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	return slices.DeleteFunc(files(t, dir), func(path string) bool {
		return filepath.Dir(path) == dir && strings.HasPrefix(filepath.Base(path), "uploaded-")
	})
}

// TestWhatIsKept: the last uploaded file is kept, unreadable for others. A held sync, an upload that C1
// rejected, or a partial sync does not replace it.
func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(func(c *service.Config) { c.SyncResourceTypes = nil })
	kept := func() string {
		t.Helper()
		info, err := os.Stat(w.base())
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("mode %v, %v", info.Mode(), err)
		}
		b, err := os.ReadFile(w.base())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	r := w.succeed(syncTask(nil), nil)
	first := kept()
	if sent, err := os.ReadFile(r.Assets[0].Path); err != nil || string(sent) != first {
		t.Errorf("the kept file is not the uploaded one (%v)", err)
	}
	back := w.loseAdmins()
	w.wantHeld(adminsGone)
	back()
	group := w.group("PPLX_Admin")
	w.succeed(syncTask(func(s *batonv1.Task_SyncFullTask) { s.SkipEntitlementsAndGrants = true }), nil)
	w.succeed(syncTask(func(s *batonv1.Task_SyncFullTask) {
		s.TargetedSyncResources = append(s.TargetedSyncResources, entitlementOf(group).Resource)
	}), nil)
	if kept() != first {
		t.Error("the kept file was replaced")
	}
	w.succeed(syncTask(nil), nil)
	if kept() == first {
		t.Error("the kept file is not the last sync")
	}
}

// TestOldBases: files that no sync has been compared with for a long time are removed; a younger one gives
// the time of the last sync.
func TestOldBases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, young := filepath.Join(w.state, "uploaded-0000.c1z"), filepath.Join(w.state, "uploaded-1111.c1z")
	when := time.Now().Add(-10 * 24 * time.Hour).Truncate(time.Second)
	for path, at := range map[string]time.Time{old: when.Add(-100 * 24 * time.Hour), young: when} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	g := new(gauge)
	w.start(g.in)
	until(t, "it said hello", func() bool { return len(w.c1.Hellos()) == 1 })
	if left := files(t, w.state); len(left) != 1 || left[0] != young {
		t.Errorf("left: %q", left)
	}
	g.want(t, map[string]float64{"baton_last_successful_sync_timestamp_seconds": float64(when.Unix())})
}

// TestStateOfSomebodyElse: a state directory that is a link, as another user might create in /tmp, is
// refused.
func TestStateOfSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := filepath.Join(t.TempDir(), "state")
	if err := os.Symlink(w.state, link); err != nil {
		t.Skip(err)
	}
	err := w.start(func(c *service.Config) { c.StateDir = link }).end()
	if baton.KindOf(err) != baton.Storage || !strings.Contains(err.Error(), "is no folder but a link") || !strings.Contains(baton.FixOf(err), "use another place") {
		t.Errorf("it ends with %v (fix: %s)", err, baton.FixOf(err))
	}
}
