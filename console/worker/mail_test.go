package worker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/ingest"
	"baton/console/mail"
	"baton/console/mail/mailtest"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/postgres"
	"baton/console/store/postgres/pgtest"
	"baton/console/store/rpcstore"
	"baton/console/store/sqlite"
)

var mailKeys = map[string][]byte{"k": []byte(strings.Repeat("k", store.KeySize))}

// mailDatabase opens one database any number of times.
type mailDatabase struct {
	SQLite   string // path, or
	Postgres string // address
}

func (d mailDatabase) open(ctx context.Context) (*store.Store, error) {
	keys, err := store.NewKeyring("k", mailKeys)
	if err != nil {
		return nil, err
	}
	if d.SQLite != "" {
		return sqlite.Open(ctx, sqlite.Config{Path: d.SQLite, Now: noon, NoFlush: true}, keys)
	}
	return postgres.Open(ctx, postgres.Config{URL: baton.NewSecret(d.Postgres), Now: noon, CallersClock: true}, keys)
}

// onBothDatabases runs a test on both databases.
func onBothDatabases(t *testing.T, test func(t *testing.T, d mailDatabase)) {
	t.Run("sqlite", func(t *testing.T) { test(t, mailDatabase{SQLite: filepath.Join(t.TempDir(), "console.db")}) })
	t.Run("postgres", func(t *testing.T) { test(t, mailDatabase{Postgres: pgtest.New(t).Reveal()}) })
}

var mailURL = &url.URL{Scheme: "https", Host: "console.example.com"}

// post is a console with a mail server, people, and connectors that they own.
type post struct {
	t       *testing.T
	s       *store.Store
	w       *Worker
	server  *mailtest.Server
	o       mailtest.Options
	clock   atomic.Int64
	app     console.ID
	owners  []console.ID
	ordered int // number of added connectors
}

func newPost(t *testing.T, d mailDatabase, owners int) *post {
	t.Helper()
	s, err := d.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	x := &post{t: t, s: s, server: mailtest.Start(t, mailtest.Options{})}
	x.clock.Store(noon.UnixMicro())
	x.w = x.worker(s, "one")
	x.update(func(tx *store.Tx) error {
		x.owners = nil
		for i := range owners {
			id, err := tx.AddPerson(console.Person{Name: fmt.Sprint("Owner ", i), Emails: []string{fmt.Sprintf("owner%d@example.com", i)}})
			if err != nil {
				return err
			}
			x.owners = append(x.owners, id)
		}
		x.app, err = tx.AddApp(console.App{Name: "App"})
		return err
	})
	if err := x.w.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.update(func(tx *store.Tx) error { return tx.SetMailSettings(x.server.Settings(x.o), mailtest.Secret()) })
	return x
}

func (x *post) now() time.Time        { return time.UnixMicro(x.clock.Load()).UTC() }
func (x *post) later(d time.Duration) { x.clock.Add(d.Microseconds()) }
func (x *post) sender() mail.Sender {
	return mail.Sender{Allow: mailtest.Allow, Roots: x.server.Roots, Timeout: 5 * time.Second}
}
func (x *post) received() []mailtest.Received { return x.server.Received() }

func (x *post) worker(s *store.Store, name string) *Worker {
	return New(Config{Store: s, Ingester: &ingest.Ingester{Store: s, Now: x.now, Scratch: x.t.TempDir()}, Owner: name, Now: x.now, Mail: x.sender(), URL: mailURL,
		Log: slog.New(slog.DiscardHandler), Lease: time.Hour, Poll: 20 * time.Millisecond, Grace: time.Second})
}

func (x *post) update(fn func(*store.Tx) error) {
	x.t.Helper()
	if err := x.s.Update(context.Background(), console.By{At: x.now(), Actor: console.Console}, fn); err != nil {
		x.t.Fatal(err)
	}
}

// happen adds a connector whose owners are notified.
func (x *post) happen(owners ...console.ID) (name string) {
	x.t.Helper()
	x.ordered++
	name = fmt.Sprintf("c%02d", x.ordered)
	x.update(func(tx *store.Tx) error {
		_, err := tx.AddConnector(console.Connector{App: x.app, Name: name, Owners: owners, Hosting: console.ByFile})
		return err
	})
	return name
}

// deliver creates notices for events and sends due mails.
func (x *post) deliver() {
	x.t.Helper()
	for more := true; more; {
		var err error
		if more, err = x.w.readEvents(x.t.Context(), x.w.readers()[0]); err != nil {
			x.t.Fatal(err)
		}
	}
	for _, k := range x.w.kinds() {
		if k.name != console.DueMail {
			continue
		}
		for n := 1; n > 0; {
			var err error
			if n, err = x.w.round(x.t.Context(), x.t.Context(), k); err != nil {
				x.t.Fatal(err)
			}
		}
	}
}

// states returns the number of mails in each state.
func (x *post) states() map[console.MailState]int {
	x.t.Helper()
	var counts map[console.MailState]int
	if err := x.s.View(context.Background(), func(tx *store.Tx) (err error) {
		counts, err = tx.CountMails()
		return err
	}); err != nil {
		x.t.Fatal(err)
	}
	return counts
}

func (x *post) mails(state console.MailState) (all []console.Mail) {
	x.t.Helper()
	if err := x.s.View(context.Background(), func(tx *store.Tx) (err error) {
		all, err = tx.Mails(state, store.MailBefore{}, 100)
		return err
	}); err != nil {
		x.t.Fatal(err)
	}
	return all
}

// subjects returns the subjects of the mails to an address.
func subjects(all []mailtest.Received, to string) (list []string) {
	for _, r := range all {
		if r.To == to {
			list = append(list, header(r, "Subject"))
		}
	}
	return list
}

func header(r mailtest.Received, name string) string {
	m := regexp.MustCompile(`(?mi)^` + name + `: (.*?)\r?$`).FindStringSubmatch(r.Data)
	if m == nil {
		return ""
	}
	return m[1]
}

func (x *post) wants(what, to string, want ...string) {
	x.t.Helper()
	if got := subjects(x.received(), to); !slices.Equal(got, want) {
		x.t.Errorf("%s: %s got %q, want %q", what, to, got, want)
	}
}

// TestMailGrouped sends the first notice at once, and then at most one mail a minute.
func TestMailGrouped(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 2)
		x.happen(x.owners[0])
		x.deliver()
		x.wants("at once", "owner0@example.com", "You are an owner of the connector c01")
		x.happen(x.owners...)
		x.happen(x.owners[0])
		x.deliver()
		x.deliver()
		x.wants("within the minute", "owner0@example.com", "You are an owner of the connector c01")
		x.wants("somebody else", "owner1@example.com", "You are an owner of the connector c02")
		x.later(time.Minute)
		x.deliver()
		x.wants("after a minute", "owner0@example.com", "You are an owner of the connector c01", "You are an owner of the connector c02, and 1 more")
		x.later(time.Hour)
		x.deliver()
		if n := len(x.received()); n != 3 {
			t.Errorf("%d mails, want 3", n)
		}
		last := x.received()[2].Data
		for _, want := range []string{"https://console.example.com/connectors/", "c03", "https://console.example.com/me/mail"} {
			if !strings.Contains(strings.ReplaceAll(last, "=\r\n", ""), want) {
				t.Errorf("the mail has no %q: %s", want, last)
			}
		}
	})
}

// TestMailChoices sends each notice, a daily mail or nothing, as people chose, but security notices
// always.
func TestMailChoices(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 3)
		x.update(func(tx *store.Tx) error {
			if err := tx.SetMailChoice(x.owners[1], console.MailDaily); err != nil {
				return err
			}
			return tx.SetMailChoice(x.owners[2], console.MailNone)
		})
		x.deliver()
		x.happen(x.owners...)
		x.happen(x.owners[1])
		x.deliver()
		x.wants("each", "owner0@example.com", "You are an owner of the connector c01")
		x.wants("daily, before the hour", "owner1@example.com")
		x.update(func(tx *store.Tx) error { return tx.SetRoles(x.owners[2], []console.ConsoleRole{console.Auditor}) })
		x.update(func(tx *store.Tx) error { return tx.SetRoles(x.owners[1], []console.ConsoleRole{console.Auditor}) })
		x.deliver()
		x.wants("security, with none", "owner2@example.com", "Your roles in the console changed")
		x.wants("security, with daily", "owner1@example.com", "Your roles in the console changed")
		x.later(19*time.Hour - time.Second) // 6:59:59
		x.deliver()
		x.wants("daily, too early", "owner1@example.com", "Your roles in the console changed")
		x.later(time.Second)
		x.deliver()
		x.wants("daily", "owner1@example.com", "Your roles in the console changed", "You are an owner of the connector c01, and 1 more")
		x.wants("none", "owner2@example.com", "Your roles in the console changed")
	})
}

// TestMailHeldBack sends nothing while mail is paused or not configured, nothing to people who are
// not active, and nothing about earlier events.
func TestMailHeldBack(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 2)
		x.update(func(tx *store.Tx) error { return tx.SetPauses(console.Pauses{Mail: true}) })
		x.happen(x.owners...)
		x.deliver()
		x.later(time.Hour)
		x.deliver()
		if n := x.server.Asked("connect"); n != 0 {
			t.Errorf("%d connections while mail is paused", n)
		}
		x.update(func(tx *store.Tx) error {
			p, err := tx.Person(x.owners[1])
			if err != nil {
				return err
			}
			p.Status = console.PersonDisabled
			return tx.ChangePerson(p)
		})
		x.update(func(tx *store.Tx) error { return tx.SetPauses(console.Pauses{}) })
		x.later(time.Hour)
		x.deliver()
		x.wants("resumed", "owner0@example.com", "You are an owner of the connector c01")
		x.wants("disabled meanwhile", "owner1@example.com")
		x.happen(x.owners...)
		x.later(time.Hour)
		x.deliver()
		x.wants("disabled", "owner1@example.com")

		x.update(func(tx *store.Tx) error { return tx.SetMailSettings(console.MailSettings{}, baton.Secret{}) })
		x.happen(x.owners[0])
		x.deliver()
		x.update(func(tx *store.Tx) error { return tx.SetMailSettings(x.server.Settings(x.o), mailtest.Secret()) })
		x.later(time.Hour)
		x.deliver()
		x.wants("while it was not set up", "owner0@example.com", "You are an owner of the connector c01", "You are an owner of the connector c02")
		if s := x.states(); s[console.MailQueued] != 0 {
			t.Errorf("mails %v", s)
		}
	})
}

// TestMailFaults retries temporary failures, and gives up when the server refuses.
func TestMailFaults(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 2)
		refuse := func(step, to string, err error) {
			x.server.Fault(func(s, argument string) error {
				if s == step && (to == "" || strings.Contains(argument, to)) {
					return err
				}
				return nil
			})
		}
		// The server refuses one recipient: the other one gets the mail.
		refuse("rcpt", "owner0", mailtest.Answer(550, "no such user"))
		x.happen(x.owners...)
		x.deliver()
		x.wants("another recipient", "owner1@example.com", "You are an owner of the connector c01")
		failed := x.mails(console.MailFailed)
		if len(failed) != 1 || !strings.Contains(failed[0].Detail, "no such user") || failed[0].Address != "owner0@example.com" {
			t.Fatalf("failed %+v", failed)
		}
		asked := x.server.Asked("connect")
		x.later(24 * time.Hour)
		x.deliver()
		if x.server.Asked("connect") != asked {
			t.Error("a mail that was refused for good was tried again")
		}
		// A person sends it again.
		refuse("", "", nil)
		x.update(func(tx *store.Tx) error { return tx.RetryMail(failed[0].ID) })
		x.deliver()
		x.wants("again", "owner0@example.com", "You are an owner of the connector c01")

		// Temporary refusals and a connection that breaks in DATA: retried with the same Message-ID.
		for i, fault := range []struct {
			step string
			err  error
		}{{"rcpt", mailtest.Answer(451, "come back")}, {"data", mailtest.ErrDie}, {"accepted", mailtest.ErrDie}, {"mail", mailtest.Answer(550, "not your domain")}, {"auth", mailtest.Answer(535, "no")}} {
			x.later(time.Hour)
			refuse(fault.step, "", fault.err)
			name := x.happen(x.owners[0])
			before := len(x.received())
			x.deliver()
			queued := x.mails(console.MailQueued)
			if len(queued) != 1 || queued[0].Attempts != 1 || queued[0].Detail == "" {
				t.Errorf("%s: queued %+v", fault.step, queued)
				continue
			}
			x.later(30 * time.Second)
			x.deliver()
			refuse("", "", nil)
			x.later(30 * time.Second)
			x.deliver()
			got := x.received()[before:]
			if len(got) == 0 || !strings.Contains(header(got[len(got)-1], "Subject"), name) || header(got[0], "Message-Id") != "<"+string(queued[0].ID)+"@example.com>" {
				t.Errorf("%d: %s: received %+v", i, fault.step, got)
			}
			if fault.step == "accepted" && (len(got) != 2 || header(got[0], "Message-Id") != header(got[1], "Message-Id")) {
				t.Errorf("an answer was lost: received %+v", got)
			}
		}

		// A server that is down gets one attempt at a time, and mails are given up after a while.
		x.later(time.Hour)
		refuse("connect", "", mailtest.ErrDie)
		x.happen(x.owners...)
		asked = x.server.Asked("connect")
		x.deliver()
		if n := x.server.Asked("connect") - asked; n != 1 {
			t.Errorf("a server that is down was asked %d times at once", n)
		}
		tries := 0
		for range 100 {
			x.later(time.Hour)
			before := x.server.Asked("connect")
			x.deliver()
			tries += x.server.Asked("connect") - before
		}
		if s := x.states(); s[console.MailQueued] != 0 || s[console.MailFailed] != 2 {
			t.Errorf("after four days: %v", s)
		}
		if tries < 40 || tries > 160 {
			t.Errorf("%d attempts in four days", tries)
		}
	})
}

// TestMailReplicas lets two replicas send: everybody gets every notice once.
func TestMailReplicas(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 5)
		second, err := d.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var wg sync.WaitGroup
		for i, s := range []*store.Store{x.s, second} {
			w := x.worker(s, fmt.Sprint("replica ", i))
			wg.Go(func() { w.Run(ctx) })
		}
		const events = 12
		for range events {
			x.happen(x.owners...)
			x.later(31 * time.Second)
		}
		deadline := time.Now().Add(60 * time.Second)
		for told(x.received()) < events*5 && time.Now().Before(deadline) {
			x.later(10 * time.Second)
			time.Sleep(20 * time.Millisecond) // for the processes
		}
		stop()
		wg.Wait()
		checkTold(t, x.received(), x.owners, events)
	})
}

var toldLine = regexp.MustCompile(`added the connector (c\d\d)`)

// told returns the number of notices in the texts of mails.
func told(all []mailtest.Received) (n int) {
	for _, r := range all {
		n += len(toldLine.FindAllString(text(r), -1))
	}
	return n
}

// text returns the text of a mail, without its HTML.
func text(r mailtest.Received) string {
	plain, _, _ := strings.Cut(strings.ReplaceAll(r.Data, "=\r\n", ""), "text/html")
	return plain
}

// checkTold checks that every owner was notified of every connector in exactly one mail. Copies with
// the same Message-ID are one mail.
func checkTold(t *testing.T, all []mailtest.Received, owners []console.ID, events int) {
	t.Helper()
	seen := map[string]string{} // recipient and connector → Message-ID
	for _, r := range all {
		id := header(r, "Message-Id")
		for _, m := range toldLine.FindAllStringSubmatch(text(r), -1) {
			key := r.To + " " + m[1]
			if other := seen[key]; other != "" && other != id {
				t.Errorf("%s was told in two mails, %s and %s", key, other, id)
			}
			seen[key] = id
		}
	}
	if len(seen) != len(owners)*events {
		t.Errorf("%d of %d things were told", len(seen), len(owners)*events)
	}
}

// TestStates notifies the owners of a connector once of a problem, and once of its end.
func TestStates(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 1)
		var c console.Connector
		x.update(func(tx *store.Tx) error {
			id, err := tx.AddConnector(console.Connector{App: x.app, Name: "c", Owners: x.owners, Interval: time.Hour})
			if err == nil {
				c, err = tx.Connector(id)
			}
			return err
		})
		tasks := rpcstore.New(x.s)
		look := func() {
			t.Helper()
			for range 2 {
				x.later(31 * time.Second)
				rows, err := x.s.Claim(t.Context(), x.now(), console.DueStates, "test", time.Minute, 1)
				if err != nil || len(rows) != 1 {
					t.Fatalf("%v, %v", rows, err)
				}
				if err := x.w.states(t.Context(), rows[0]); err != nil {
					t.Fatal(err)
				}
			}
			x.deliver()
			x.later(time.Minute)
			x.deliver()
		}
		sync := func(r rpc.Result) {
			t.Helper()
			x.update(func(tx *store.Tx) error { return x.w.queueSync(tx, c) })
			l, err := tasks.Lease(t.Context(), x.now(), rpc.LeaseRequest{Connector: string(c.ID), Host: "host", Max: 1})
			if err != nil || len(l.Tasks) != 1 {
				t.Fatalf("%+v, %v", l, err)
			}
			if _, err := tasks.Finish(t.Context(), x.now(), rpc.Holder{Connector: string(c.ID), Host: "host", Task: l.Tasks[0].ID}, r); err != nil {
				t.Fatal(err)
			}
		}
		added := "You are an owner of the connector c"
		look()
		x.wants("not connected", "owner0@example.com", added)
		if err := tasks.Hello(t.Context(), x.now(), string(c.ID), rpc.Hello{Host: "host"}); err != nil {
			t.Fatal(err)
		}
		sync(rpc.Result{Code: 14, Message: "the upstream is down"})
		look()
		x.wants("error", "owner0@example.com", added, "Connector c: Error")
		sync(rpc.Result{Code: 14, Message: "the upstream is still down"})
		look()
		x.wants("the same error", "owner0@example.com", added, "Connector c: Error")
		sync(rpc.Result{Code: 9, Message: "much is gone"})
		look()
		x.wants("another problem", "owner0@example.com", added, "Connector c: Error", "Connector c: Held by the connector")
		if err := x.s.View(t.Context(), func(tx *store.Tx) error {
			events, err := tx.Events(store.EventFilter{Connector: c.ID}, 0, 100)
			n := 0
			for _, e := range events {
				if e.Kind == "connector.state-changed" {
					n++
				}
			}
			if n != 2 {
				t.Errorf("%d events", n)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		// The console was away for an hour, so silent hosts are not news.
		sync(rpc.Result{Code: 14, Message: "down"})
		look()
		x.later(time.Hour)
		look()
		if got := subjects(x.received(), "owner0@example.com"); slices.Contains(got, "Connector c: Offline") {
			t.Errorf("told that it was offline, and only the console was: %q", got)
		}
	})
}

// TestCredentialEnds notifies once, two weeks before the last credential of a connector expires.
func TestCredentialEnds(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 1)
		x.happen(x.owners...)
		var c console.Connector
		x.update(func(tx *store.Tx) (err error) {
			c, err = tx.ConnectorByName("c01")
			return err
		})
		var ids []string
		add := func(expires time.Time) {
			t.Helper()
			cr, _, err := rpc.NewCredential(string(c.ID), "c01", "console.example.com", x.now())
			if err != nil {
				t.Fatal(err)
			}
			cr.Expires = expires
			ids = append(ids, cr.ClientID)
			x.update(func(tx *store.Tx) error { return rpcstore.AddCredential(tx, cr) })
		}
		count := func() (n int) {
			t.Helper()
			x.update(func(tx *store.Tx) error { return x.w.endingCredentials(tx) })
			x.deliver()
			for _, s := range subjects(x.received(), "owner0@example.com") {
				if strings.Contains(s, "credentials end") {
					n++
				}
			}
			return n
		}
		add(noon.Add(30 * 24 * time.Hour))
		if n := count(); n != 0 {
			t.Errorf("told %d times, a month before", n)
		}
		x.later(17 * 24 * time.Hour)
		for range 2 {
			if n := count(); n != 1 {
				t.Errorf("told %d times", n)
			}
			x.later(time.Hour)
		}
		add(time.Time{})
		x.update(func(tx *store.Tx) error { return rpcstore.ExpireCredential(tx, ids[0], x.now().Add(time.Hour)) })
		if n := count(); n != 1 {
			t.Errorf("told %d times, although another credential works", n)
		}
	})
}

// TestClientEnds tells once, two weeks before a client ends, or in the last quarter of a
// shorter life.
func TestClientEnds(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 1)
		x.happen(x.owners...)
		for name, life := range map[string]time.Duration{"year": 365 * 24 * time.Hour, "day": 24 * time.Hour, "revoked": 365 * 24 * time.Hour} {
			x.update(func(tx *store.Tx) error {
				id, err := tx.AddClient(console.Client{ClientID: name + "@h/pcc", Name: name, Person: x.owners[0], Creator: x.owners[0], PublicKey: make([]byte, 32),
					Expires: noon.Add(life), Scopes: []console.Scope{console.ScopeRead}})
				if err == nil && name == "revoked" {
					err = tx.RevokeClient(id)
				}
				return err
			})
		}
		told := func() (all []string) {
			t.Helper()
			x.update(func(tx *store.Tx) error { return x.w.endingClients(tx) })
			x.deliver()
			for _, s := range subjects(x.received(), "owner0@example.com") {
				if strings.Contains(s, "API credential") {
					all = append(all, s)
				}
			}
			return all
		}
		if all := told(); len(all) != 0 {
			t.Errorf("told %q at once", all)
		}
		for _, tt := range []struct {
			later time.Duration
			want  string
		}{{18 * time.Hour, "day"}, {time.Hour, "day"}, {349 * 24 * time.Hour, "day"}, {2 * 24 * time.Hour, "day year"}, {time.Hour, "day year"}, {20 * 24 * time.Hour, "day year"}} {
			x.later(tt.later)
			all := told()
			names := ""
			for _, name := range []string{"day", "year", "revoked"} {
				for _, s := range all {
					if strings.Contains(s, "API credential "+name+" ends") {
						names += " " + name
					}
				}
			}
			if strings.TrimSpace(names) != tt.want {
				t.Errorf("after %s: told %q, want %q", tt.later, all, tt.want)
			}
		}
	})
}

// TestMailInvitation mails the link of an invitation once, but not an expired one.
func TestMailInvitation(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, d mailDatabase) {
		x := newPost(t, d, 1)
		invite := func(token string) {
			x.update(func(tx *store.Tx) error {
				if err := tx.Invite(x.owners[0], sha256.Sum256([]byte(token)), x.now().Add(72*time.Hour)); err != nil {
					return err
				}
				return tx.KeepInvitationToken(x.owners[0], baton.NewSecret(token))
			})
		}
		invite("the-token")
		x.deliver()
		x.wants("invited", "owner0@example.com", "Set up your login")
		if got := text(x.received()[0]); !strings.Contains(got, "https://console.example.com/invitation/the-token") {
			t.Errorf("the mail has no link: %s", got)
		}
		kept := func() bool {
			t.Helper()
			err := x.s.View(t.Context(), func(tx *store.Tx) error { _, err := tx.InvitationToken(x.owners[0]); return err })
			return err == nil
		}
		if kept() {
			t.Error("the link is kept after it was mailed")
		}
		x.later(time.Hour)
		invite("another")
		x.update(func(tx *store.Tx) error {
			return tx.SetLogin(console.Login{Person: x.owners[0], Name: "o", Password: "x"}, baton.NewSecret("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))
		})
		if kept() {
			t.Error("the link is kept after the login was set up")
		}
		x.deliver()
		x.wants("used before it was sent", "owner0@example.com", "Set up your login", "Your login was set up")
	})
}
