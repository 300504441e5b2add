package service_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/agent/service"
	"baton/agent/syncer"
	"baton/connector/rest"
	"baton/internal/pb/batonv1"
)

// record returns the path of the record of the last upload.
func (w *world) record() string {
	w.t.Helper()
	kept, err := filepath.Glob(filepath.Join(w.state, "uploaded-*.json"))
	if err != nil || len(kept) != 1 {
		w.t.Fatalf("records %q, %v", kept, err)
	}
	return kept[0]
}

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

const (
	byCounts = "so it is unknown which rows are gone"
	unknown  = "this sync is held: A previous sync was uploaded, but neither its file nor its row counts can be read"
)

// TestUploadIsRemembered uploads a sync, damages a part of the state directory, and removes the admins. The
// next process must hold its sync as long as there is any sign of an upload, and say what it was compared
// with.
func TestUploadIsRemembered(t *testing.T) {
	t.Parallel()
	noFile := func(w *world) { remove(w.t, w.base()) }
	noRecord := func(w *world) { remove(w.t, w.record()) }
	damagedFile := func(w *world) { put(w.t, w.base(), []byte("C1ZF\x00nonsense")) }
	emptyFile := func(w *world) { put(w.t, w.base(), nil) }
	cutFile := func(w *world) {
		if err := os.Truncate(w.base(), 2000); err != nil {
			w.t.Fatal(err)
		}
	}
	emptyRecord := func(w *world) { put(w.t, w.record(), nil) }
	changed := func(old, new string) func(w *world) {
		return func(w *world) {
			text, err := os.ReadFile(w.record())
			if err != nil || !bytes.Contains(text, []byte(old)) {
				w.t.Fatalf("%q is not in %s (%v)", old, text, err)
			}
			put(w.t, w.record(), bytes.Replace(text, []byte(old), []byte(new), 1))
		}
	}
	for name, tc := range map[string]struct {
		lose     []func(w *world)
		held     string
		compared float64
	}{
		"nothing is lost":                           {nil, adminsGone, 1},
		"the file is missing":                       {[]func(*world){noFile}, byCounts, 1},
		"the file is damaged":                       {[]func(*world){damagedFile}, byCounts, 1},
		"the file is empty":                         {[]func(*world){emptyFile}, byCounts, 1},
		"the file is cut short":                     {[]func(*world){cutFile}, byCounts, 1},
		"the record is missing":                     {[]func(*world){noRecord}, adminsGone, 1},
		"the record is empty":                       {[]func(*world){emptyRecord}, adminsGone, 1},
		"the record is changed":                     {[]func(*world){changed(`"grants":3`, `"grants":1`)}, adminsGone, 1},
		"the record is of another version":          {[]func(*world){changed(`"version":1`, `"version":9`)}, adminsGone, 1},
		"the record is missing, the file damaged":   {[]func(*world){noRecord, damagedFile}, unknown, 0},
		"the record is missing, the file empty":     {[]func(*world){noRecord, emptyFile}, unknown, 0},
		"the record is empty, the file missing":     {[]func(*world){emptyRecord, noFile}, unknown, 0},
		"the record is changed, the file cut short": {[]func(*world){changed(`"grants":3`, `"grants":1`), cutFile}, unknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			g := new(gauge)
			r := w.start(g.in)
			w.uploaded(w.succeed(syncTask(nil), nil))
			g.want(t, map[string]float64{"baton_uploads_remembered": 1})
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			back := w.loseAdmins()
			for _, lose := range tc.lose {
				lose(w)
			}
			r = w.start(g.in)
			for range 2 { // the sync is held every time
				answer := w.fail(syncTask(nil), 9, false, "this sync is held: ")
				if !strings.Contains(answer.Status.GetMessage(), tc.held) || len(answer.Assets) > 0 {
					t.Errorf("held, with %d uploads: %s", len(answer.Assets), answer.Status.GetMessage())
				}
			}
			g.want(t, map[string]float64{"baton_sync_held": 1, "baton_sync_compared": tc.compared, "baton_uploads_remembered": 1})
			if tc.compared > 0 {
				back()
				w.uploaded(w.succeed(syncTask(nil), nil))
			} else {
				// Without the file it is unknown whether all accounts are back.
				override := w.wantHeld("")
				back()
				w.wantHeld("")
				w.loseAdmins()
				if err := r.stop(); err != nil {
					t.Fatal(err)
				}
				w.start(g.in, func(c *service.Config) { c.Overrides = []syncer.Override{override} })
				w.uploaded(w.succeed(syncTask(nil), nil))
				back()
			}
			w.uploaded(w.succeed(syncTask(nil), nil))
			g.want(t, map[string]float64{"baton_sync_held": 0, "baton_sync_compared": 1})
			w.loseAdmins()
			w.wantHeld(adminsGone) // by rows again
		})
	}
}

// TestNothingIsRemembered: without any sign of an upload the first sync is uploaded. The log and the metrics
// say at the start that it cannot be checked, and afterwards that it was not.
func TestNothingIsRemembered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit           func(*service.Config)
		atStart, after string
	}{
		"another replica, or an empty volume": {edit: func(c *service.Config) { c.StateDir += "/elsewhere" },
			atStart: "No earlier upload is known here, so the first sync cannot be checked", after: "No previous sync is available here"},
		"told to forget": {edit: func(c *service.Config) { c.ForgetSyncs = true }, atStart: "No sync is checked for missing rows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.start()
			w.succeed(syncTask(nil), nil)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			w.loseAdmins()
			g, l := new(gauge), new(logged)
			w.start(g.in, l.in, tc.edit)
			until(t, "it is accepted", func() bool { return strings.Contains(l.String(), "waiting for tasks") })
			if !strings.Contains(l.String(), tc.atStart) {
				t.Errorf("at the start it does not say %q: %s", tc.atStart, l)
			}
			g.want(t, map[string]float64{"baton_uploads_remembered": 0, "baton_sync_held": 0})
			w.uploaded(w.succeed(syncTask(nil), nil))
			if !strings.Contains(l.String(), tc.after) {
				t.Errorf("it does not say %q: %s", tc.after, l)
			}
			if tc.after == "" {
				if kept, _ := filepath.Glob(w.state + "/uploaded-*"); len(kept) > 0 {
					t.Errorf("it was to keep nothing, and kept %q", kept)
				}
				return
			}
			g.want(t, map[string]float64{"baton_sync_compared": 0, "baton_uploads_remembered": 1})
			admins := w.group("PPLX_Admin")
			for _, u := range w.org.State().Users[:3] {
				w.org.AddMember(admins.ID, u.ID)
			}
			w.succeed(syncTask(nil), nil)
			g.want(t, map[string]float64{"baton_sync_compared": 1})
		})
	}
}

// TestTemporaryState: a state directory that is known to end with the service is logged at the start, and has
// a metric.
func TestTemporaryState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, l := new(gauge), new(logged)
	w.start(g.in, l.in, func(c *service.Config) { c.StateIsTemporary = "it is a cloud" })
	until(t, "it is accepted", func() bool { return strings.Contains(l.String(), "waiting for tasks") })
	if !strings.Contains(l.String(), "The state directory ends with this service") || !strings.Contains(l.String(), "it is a cloud") || !strings.Contains(l.String(), "mount a volume") {
		t.Errorf("it does not say so: %s", l)
	}
	g.want(t, map[string]float64{"baton_state_temporary": 1})
}

// TestOverrideWithoutState: a pod without a volume held a sync, and its successor has the override but no
// state. The override allows the held sync; a restart with it allows nothing else.
func TestOverrideWithoutState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	w.succeed(syncTask(nil), nil)
	back := w.loseAdmins()
	override := w.wantHeld(adminsGone)
	back()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	told := func(dir string) func(*service.Config) {
		return func(c *service.Config) {
			c.StateDir = filepath.Join(w.state, dir)
			c.Overrides = []syncer.Override{override}
		}
	}
	members := w.group("PPLX_Members")
	for _, id := range members.Members {
		w.org.RemoveMember(members.ID, id)
	}
	r = w.start(told("one"))
	w.wantHeld("No previous sync is known here. The sync that the override was made for had ")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for _, id := range members.Members {
		w.org.AddMember(members.ID, id)
	}
	w.loseAdmins()
	w.start(told("two"))
	w.uploaded(w.succeed(syncTask(nil), nil))
	for _, id := range members.Members {
		w.org.RemoveMember(members.ID, id)
	}
	back()
	w.uploaded(w.succeed(syncTask(nil), nil))
	w.loseAdmins()
	w.wantHeld(adminsGone)
}

// TestSameSource: an upload still counts after a rotation of the credential, a change of the upstream's
// address, or a change of the part of it that is read.
func TestSameSource(t *testing.T) {
	t.Parallel()
	t.Run("another client id", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		r := w.start()
		w.succeed(syncTask(nil), nil)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		var err error
		if w.clientID, w.secret, err = w.c1.Issue(t.Context(), "perplexity"); err != nil {
			t.Fatal(err)
		}
		w.loseAdmins()
		w.start()
		w.wantHeld(adminsGone)
	})
	t.Run("another upstream", func(t *testing.T) {
		t.Parallel()
		w, other := newWorld(t), newWorld(t)
		r := w.start()
		w.succeed(syncTask(nil), nil)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		other.loseAdmins()
		w.start(func(c *service.Config) { c.Open = other.open })
		held := w.fail(syncTask(nil), 9, false, "this sync is held: ")
		for _, want := range []string{"The last upload was of " + w.upstream.URL, "this sync is of " + other.upstream.URL} {
			if !strings.Contains(held.Status.GetMessage(), want) {
				t.Errorf("it does not say %q: %s", want, held.Status.GetMessage())
			}
		}
	})
	t.Run("another connector and upstream", func(t *testing.T) {
		t.Parallel()
		w, other := newWorld(t), newWorld(t)
		r := w.start()
		w.succeed(syncTask(nil), nil)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		other.loseAdmins()
		other.state = w.state
		other.start()
		other.uploaded(other.succeed(syncTask(nil), nil))
	})
	t.Run("less is read of the same upstream", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		part := func(name string) func(*service.Config) {
			return func(c *service.Config) {
				c.Open = func(ctx context.Context, observe func(rest.Attempt)) (*baton.Connector, error) {
					connector, err := w.open(ctx, observe)
					if err == nil {
						connector.Origin += "#" + name
					}
					return connector, err
				}
			}
		}
		r := w.start(part("everything"))
		w.succeed(syncTask(nil), nil)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		w.loseAdmins()
		w.start(part("a part"))
		w.wantHeld(adminsGone)
	})
	t.Run("fewer resource types", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.start()
		w.succeed(syncTask(nil), nil)
		remove(t, w.base())
		for _, u := range w.org.State().Users {
			if u.Managed {
				w.org.RemoveUser(u.ID)
				break
			}
		}
		users := func(s *batonv1.Task_SyncFullTask) { s.SyncResourceTypeIds = []string{"user"} }
		w.fail(syncTask(users), 9, false, "this sync is held: The last upload had 25 users; this sync has 24.")
	})
}

// TestUploadOfAnEarlierProcessIsRemembered: one process seals the file, the next one uploads it and remembers
// its row counts.
func TestUploadOfAnEarlierProcessIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fault("upload-asset-error=UNAVAILABLE", "finish-task-error=UNAVAILABLE")
	r := w.start(func(c *service.Config) { c.Grace = time.Millisecond })
	id := w.enqueue(syncTask(nil))
	until(t, "the file is sealed", func() bool { return slices.ContainsFunc(files(t, w.state), sealed) })
	if err := r.stop(); baton.KindOf(err) != baton.Canceled {
		t.Errorf("it ends with %v", err)
	}
	w.c1.ClearFaults()
	w.fault("redeliver=1")
	w.start()
	w.uploaded(w.result(id))
	remove(t, w.base())
	w.loseAdmins()
	w.fail(syncTask(nil), 9, false, byCounts)
}

func sealed(path string) bool { return strings.HasSuffix(path, ".sealed") }
