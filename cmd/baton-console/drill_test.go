//go:build unix

package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/installation"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres/pgtest"
	sandbox "baton/sandbox/perplexity"
)

// TestRecovery loses a console after a backup, together with what happened since, and restores it on
// another machine: another data folder, another database, the key file from where it was kept. The
// restored console is paused, shows what the first sync changes, changes nothing, and goes on when
// people have decided so.
func TestRecovery(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			var first, second baton.Secret
			if database == "postgres" {
				first, second = pgtest.New(t), pgtest.New(t)
			}
			newRecovery(t, first, second).run()
		})
	}
}

// recovery has a console, the machine on which it will be restored, and an application.
type recovery struct {
	desk
	org         *sandbox.Server
	listen      string
	old, new    machine
	certificate []string // flags of serve
	authority   string   // file
}

// machine has the settings of a console: its folder, its keys, and its database.
type machine struct {
	data, keys string
	database   baton.Secret // zero: SQLite
	flags      []string
}

func newRecovery(t *testing.T, first, second baton.Secret) *recovery {
	r := &recovery{desk: newDesk(t, people+`
apps: [{name: Perplexity, owners: [ana@example.test]}]
connectors: [{name: perplexity, app: Perplexity, product: baton-perplexity, owners: [ana@example.test], interval: 1h}]
`), org: sandbox.New(sandbox.Options{Users: 30, Groups: 3, MembersMin: 5, MembersMax: 10}), listen: freePort(t)}
	for i, m := range []*machine{&r.old, &r.new} {
		name := []string{"old", "new"}[i]
		*m = machine{data: name, keys: name + ".keys", database: []baton.Secret{first, second}[i]}
		m.flags = []string{"--data", m.data, "--keys", m.keys}
		if !m.database.IsZero() {
			r.write(name+".database", m.database.Reveal()+"\n")
			m.flags = append(m.flags, "--database-file", name+".database")
		}
	}
	// The certificate belongs to the name, on whichever machine it is.
	cert, ca, err := rpc.NewCertificate(time.Now(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	r.write("ca.pem", string(ca))
	r.write("tls.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})))
	r.write("tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	r.authority = filepath.Join(r.dir, "ca.pem")
	r.certificate = []string{"--tls-cert", "tls.crt", "--tls-key", "tls.key"}
	return r
}

// on runs a command of the console on a machine.
func (r *recovery) on(m machine, args ...string) string {
	r.t.Helper()
	return r.must(append(args, m.flags...)...)
}

// open opens the installation of a machine, like a further replica.
func (r *recovery) open(m machine) *store.Store {
	r.t.Helper()
	in, err := installation.Open(r.t.Context(), installation.Config{Data: filepath.Join(r.dir, m.data), Keys: filepath.Join(r.dir, m.keys), Database: m.database})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { in.Close() })
	return in.Store
}

// listed returns the lines of "sync list" on a machine, as fields.
func (r *recovery) listed(m machine) (all [][]string) {
	r.t.Helper()
	for line := range strings.Lines(r.on(m, "sync", "list")) {
		all = append(all, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return all
}

// await waits for a sync in a state, after the given number of syncs that have it.
func (r *recovery) await(m machine, state console.SyncState, after int) []string {
	r.t.Helper()
	var found []string
	waitUntil(r.t, func() bool {
		n := 0
		for _, s := range r.listed(m) { // the newest first
			if s[3] == string(state) {
				if n++; n == 1 {
					found = s
				}
			}
		}
		return n > after
	})
	return found
}

// ask makes an operation that puts an account into a group, and returns its ID.
func (r *recovery) ask(s *store.Store, user, group string) (id console.ID) {
	r.t.Helper()
	err := s.Update(r.t.Context(), console.By{At: time.Now(), Actor: console.Console}, func(tx *store.Tx) error {
		c, err := tx.ConnectorByName("perplexity")
		if err != nil {
			return err
		}
		m, err := tx.Moment(c.App, time.Time{})
		if err != nil {
			return err
		}
		e, err := tx.EntitlementByID(m, "group:"+group+":member")
		if err != nil {
			return err
		}
		account, err := tx.ResourceByID(m, "user", user)
		if err != nil {
			return err
		}
		o, err := tx.CreateOperation(console.Operation{App: c.App, Connector: c.ID, Account: account.Key, Entitlement: e.Key, Verb: console.Grant,
			Cause: console.Cause{Kind: console.CauseApproval, Ref: "request", Evidence: console.EvidenceDecision}}, store.Circumstances{})
		id = o.ID
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *recovery) state(s *store.Store, id console.ID) (state console.OperationState) {
	r.t.Helper()
	err := s.View(context.Background(), func(tx *store.Tx) error {
		o, err := tx.Operation(id)
		state = o.State
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return state
}

func (r *recovery) run() {
	t := r.t
	group := r.org.State().Groups[2] // it carries no role
	var outside []string
	for _, u := range r.org.State().Users {
		if u.Active && u.Managed && !slices.Contains(group.Members, u.ID) {
			outside = append(outside, u.ID)
		}
	}
	if len(outside) < 2 || len(group.Members) < 2 {
		t.Fatalf("%d members, %d others", len(group.Members), len(outside))
	}
	upstream := httptest.NewServer(r.org)
	t.Cleanup(upstream.Close)

	// The console works: one connector, one sync.
	args := append([]string{"serve", "--listen", r.listen, "--bootstrap", "console.yaml", "--env-file", "console.env"}, r.certificate...)
	p := start(t, r.dir, nil, "baton-console", append(args, r.old.flags...)...)
	p.line("console: ")
	env, err := readEnv(filepath.Join(r.dir, "console.env"))
	if err != nil {
		t.Fatal(err)
	}
	env["SSL_CERT_FILE"] = r.authority
	r.service(env, "baton-perplexity", "PERPLEXITY", []string{"BATON_SCIM_URL=" + upstream.URL + r.org.URLPath(), "BATON_SCIM_TOKEN=" + r.org.Token(), "BATON_PROVISIONING=true"})
	r.await(r.old, console.SyncApplied, 0)

	// The head is kept apart, a backup is made, the key file is in a safe.
	r.write("head.json", r.on(r.old, "audit", "head"))
	r.on(r.old, "backup", "console.backup")
	r.write(r.new.keys, read(t, filepath.Join(r.dir, r.old.keys)))

	// What happens after the backup is lost: a grant of the console's, and a change by somebody else.
	old := r.open(r.old)
	lost := r.ask(old, outside[0], group.ID)
	waitUntil(t, func() bool { return r.state(old, lost) == console.Verified })
	r.org.RemoveMember(group.ID, group.Members[0])
	if code := p.end(syscall.SIGKILL); code == 0 {
		t.Errorf("exit code %d", code)
	}

	// Another machine.
	restored := r.on(r.new, "restore", "console.backup")
	if !strings.Contains(restored, "writes, mail and webhooks are paused") || strings.Contains(restored, "enter again") {
		t.Errorf("restore: %s", restored)
	}
	if said := r.on(r.new, "audit", "verify", "--head", "head.json"); !strings.Contains(said, "sound") || !strings.Contains(said, "of epoch 2") {
		t.Errorf("audit verify: %s", said)
	}
	before := r.listed(r.new)
	writes := len(r.org.Writes())
	fresh := r.open(r.new)
	waiting := r.ask(fresh, outside[1], group.ID)
	args = append([]string{"serve", "--listen", r.listen}, r.certificate...)
	p = start(t, r.dir, nil, "baton-console", append(args, r.new.flags...)...)
	p.line("console: ")

	// The connector, which did not notice, brings the first sync. It is held.
	r.on(r.new, "sync", "now", "--connector", "perplexity", "--as", "ana@example.test")
	held := r.await(r.new, console.SyncHeld, 0)
	if !strings.Contains(strings.Join(held, " "), "restored") {
		t.Errorf("the held sync does not say why: %q", held)
	}
	var gained, gone int
	for line := range strings.Lines(r.on(r.new, "diff", before[0][0], held[0])) {
		member := strings.Contains(line, "group:"+group.ID+":member") || strings.Contains(line, "group/"+group.ID)
		switch {
		case member && strings.HasPrefix(line, "+") && strings.Contains(line, outside[0]):
			gained++
		case member && strings.HasPrefix(line, "-") && strings.Contains(line, group.Members[0]):
			gone++
		default:
			t.Errorf("the difference has more than happened since the backup: %q", line)
		}
	}
	if gained != 1 || gone != 1 {
		t.Errorf("the difference shows %d of the grant that was lost, %d of the removal by somebody else", gained, gone)
	}
	// A console that is paused changes nothing, and says so.
	if said := r.on(r.new, "doctor", "--url", "https://"+r.listen); !strings.Contains(said, "paused") {
		t.Errorf("doctor: %s", said)
	}
	if state := r.state(fresh, waiting); state != console.Queued || len(r.org.Writes()) != writes {
		t.Errorf("while paused, the operation is %s, with %d changes upstream", state, len(r.org.Writes())-writes)
	}

	// People decide: the sync shows the truth, and the other console does not run any more.
	r.on(r.new, "sync", "confirm", held[0], "--as", "ana@example.test", "--reason", "compared with the difference")
	r.await(r.new, console.SyncApplied, 1)
	if state := r.state(fresh, waiting); state != console.Queued {
		t.Errorf("before resume, the operation is %s", state)
	}
	r.on(r.new, "resume", "--as", "ana@example.test", "--reason", "the old machine is gone")
	waitUntil(t, func() bool { return r.state(fresh, waiting) == console.Verified })
	if got, _ := r.org.State().Group(group.DisplayName); !slices.Contains(got.Members, outside[0]) || !slices.Contains(got.Members, outside[1]) || slices.Contains(got.Members, group.Members[0]) {
		t.Errorf("members at the end: %v", got.Members)
	}
	if len(r.org.Writes()) != writes+1 {
		t.Errorf("%d changes upstream after the restore, want 1", len(r.org.Writes())-writes)
	}
	// The chain is whole over both epochs, for whoever kept a head of either.
	r.write("head2.json", r.on(r.new, "audit", "head"))
	for _, head := range []string{"head.json", "head2.json"} {
		if said := r.on(r.new, "audit", "verify", "--head", head); !strings.Contains(said, "sound") {
			t.Errorf("audit verify --head %s: %s", head, said)
		}
	}
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d: %s", code, p.errors())
	}
}
