package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

func mailPeople(t testing.TB, s *store.Store, names ...string) (ids []console.ID) {
	t.Helper()
	update(t, s, by(0), func(tx *store.Tx) error {
		ids = nil
		for _, n := range names {
			id, err := tx.AddPerson(console.Person{Name: n, Emails: []string{n + "@example.com"}})
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids
}

// testFollower reads each event once, from the start of the reader, even if a transaction that reads
// fails.
func testFollower(t *testing.T, db Database) {
	s := open(t, db)
	mailPeople(t, s, "before")
	read := func() (kinds []string) {
		t.Helper()
		update(t, s, by(1), func(tx *store.Tx) error {
			kinds = nil
			events, err := tx.Follow("test", 2)
			for _, e := range events {
				kinds = append(kinds, e.Kind)
			}
			return err
		})
		return kinds
	}
	known := false
	behind := func(want bool) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			if got, err := tx.Behind("test"); got != want || err != nil {
				t.Errorf("behind %v, %v", got, err)
			}
			return nil
		})
		if _, readers, err := s.Waiting(ctx, at(1), nil); err != nil || slices.Contains(readers, "test") != (want && known) {
			t.Errorf("%q are behind (%v), want %v", readers, err, want)
		}
	}
	behind(true)
	if got := read(); len(got) != 0 {
		t.Errorf("a new reader reads the past: %q", got)
	}
	known = true
	behind(false)
	update(t, s, by(2), func(tx *store.Tx) error {
		for _, k := range []string{"a.b", "c.d", "e.f"} {
			tx.Append(console.Event{Kind: k})
		}
		return nil
	})
	behind(true)
	fails(t, s, by(2), "read and fail", baton.Refused, func(tx *store.Tx) error {
		if events, err := tx.Follow("test", 9); err != nil || len(events) != 3 {
			t.Errorf("%d events, %v", len(events), err)
		}
		return baton.Errorf(baton.Refused, "killed")
	})
	if got := read(); !slices.Equal(got, []string{"a.b", "c.d"}) {
		t.Errorf("read %q", got)
	}
	if got := read(); !slices.Equal(got, []string{"e.f"}) {
		t.Errorf("read %q", got)
	}
	if got := read(); len(got) != 0 {
		t.Errorf("read again: %q", got)
	}
	behind(false)
}

// testFollowerConcurrency runs several readers of one name, each as a process of its own, and
// writers: each event is read once, in order.
func testFollowerConcurrency(t *testing.T, db Database) {
	one, two := open(t, db), open(t, db)
	if err := one.Update(ctx, by(0), func(tx *store.Tx) error { _, err := tx.Follow("test", 1); return err }); err != nil {
		t.Fatal(err)
	}
	const total = 60
	var mu sync.Mutex
	var read []int64
	var wg sync.WaitGroup
	for _, s := range []*store.Store{one, two} {
		wg.Go(func() {
			for i := range total / 2 {
				if err := s.Update(ctx, by(1), func(tx *store.Tx) error { tx.Append(console.Event{Kind: fmt.Sprint("x.", i)}); return nil }); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
				var got []int64
				err := s.Update(ctx, by(1), func(tx *store.Tx) error {
					got = nil
					events, err := tx.Follow("test", 7)
					for _, e := range events {
						got = append(got, e.Number)
					}
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				read = append(read, got...)
				done := len(read) >= total
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(read)
	if len(read) != total || len(slices.Compact(slices.Clone(read))) != total || read[total-1]-read[0] != total-1 {
		t.Errorf("read %v", read)
	}
}

func testMailSettings(t *testing.T, db Database) {
	s := open(t, db)
	m := console.MailSettings{Host: "smtp.example.com", Port: 587, TLS: console.MailSTARTTLS, User: "u", From: "b@example.com"}
	check := func(want console.MailSettings, password string) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.MailSettings()
			if err != nil {
				return err
			}
			secret, err := tx.MailPassword()
			if err != nil {
				return err
			}
			has, err := tx.HasMailPassword()
			if got != want || secret.Reveal() != password || has != (password != "") {
				t.Errorf("%+v, %q, %v; want %+v, %q", got, secret.Reveal(), has, want, password)
			}
			return err
		})
	}
	set := func(m console.MailSettings, password string) {
		t.Helper()
		update(t, s, by(1), func(tx *store.Tx) error { return tx.SetMailSettings(m, baton.NewSecret(password)) })
	}
	check(console.MailSettings{}, "")
	set(m, "secret")
	check(m, "secret")
	m.From = "c@example.com"
	set(m, "")
	check(m, "secret")
	m.Port = 25 // the password was not entered for this server
	set(m, "")
	check(m, "")
	set(m, "again")
	set(console.MailSettings{}, "")
	check(console.MailSettings{}, "")
	kinds := map[string]int{}
	view(t, s, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, 99)
		for _, e := range events {
			kinds[e.Kind]++
			if slices.Contains([]string{"secret", "again"}, string(e.Data)) {
				t.Errorf("an event holds the password")
			}
		}
		return err
	})
	if kinds["mail.configured"] != 5 {
		t.Errorf("events %v", kinds)
	}
}

func testNotices(t *testing.T, db Database) {
	s := open(t, db)
	ids := mailPeople(t, s, "ana", "bo")
	ana, bo := ids[0], ids[1]
	n := console.Notice{Event: 7, Person: ana, Class: console.OrdinaryNotice, Created: at(1), Subject: "A \x00\xff", Text: "B", Path: "/x", Invitation: true}
	for range 2 {
		update(t, s, by(1), func(tx *store.Tx) error { return tx.AddNotice(n) })
	}
	second := n
	second.Person, second.Subject = bo, "for bo"
	third := n
	third.Event, third.Created = 8, at(2)
	update(t, s, by(2), func(tx *store.Tx) error {
		if err := tx.AddNotice(third); err != nil {
			return err
		}
		return tx.AddNotice(second)
	})
	waiting := func(p console.ID) (all []console.Notice) {
		t.Helper()
		view(t, s, func(tx *store.Tx) (err error) {
			all, err = tx.WaitingNotices(p, 9)
			return err
		})
		return all
	}
	got := waiting(ana)
	if len(got) != 2 || got[0].Event != 7 || got[1].Event != 8 || got[0].Text != "B" || got[0].Path != "/x" || !got[0].Invitation || !got[0].Created.Equal(at(1)) || got[0].Class != console.OrdinaryNotice {
		t.Errorf("waiting %+v", got)
	}
	update(t, s, by(3), func(tx *store.Tx) error {
		if _, err := tx.AddMail(console.Mail{ID: "m", Person: ana, Subject: "S"}, got[:1]); err != nil {
			return err
		}
		return tx.RemoveNotice(got[1].ID)
	})
	fails(t, s, by(3), "the same notice in two mails", baton.NotFound, func(tx *store.Tx) error {
		_, err := tx.AddMail(console.Mail{Person: ana, Subject: "S"}, got[:1])
		return err
	})
	if left := waiting(ana); len(left) != 0 {
		t.Errorf("waiting %+v", left)
	}
	view(t, s, func(tx *store.Tx) error {
		of, err := tx.NoticesOf("m")
		if len(of) != 1 || of[0].ID != got[0].ID {
			t.Errorf("of the mail %+v", of)
		}
		return err
	})
	// A second notice of a mailed event is not added.
	update(t, s, by(4), func(tx *store.Tx) error { return tx.AddNotice(n) })
	if left := waiting(ana); len(left) != 0 {
		t.Errorf("told twice: %+v", left)
	}

	choice := func(want console.MailChoice) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			if got, err := tx.MailChoice(ana); got != want || err != nil {
				t.Errorf("choice %q, %v", got, err)
			}
			return nil
		})
	}
	choice(console.MailEach)
	update(t, s, by(5), func(tx *store.Tx) error { return tx.SetMailChoice(ana, console.MailDaily) })
	choice(console.MailDaily)
	fails(t, s, by(5), "an unknown choice", baton.Invalid, func(tx *store.Tx) error { return tx.SetMailChoice(ana, "never") })
}

func testOutbox(t *testing.T, db Database) {
	s := open(t, db)
	ids := mailPeople(t, s, "ana", "bo")
	var mails []console.ID
	for i := range 5 {
		update(t, s, by(i), func(tx *store.Tx) error {
			if err := tx.AddNotice(console.Notice{Event: int64(i), Person: ids[i%2], Created: at(i)}); err != nil {
				return err
			}
			n, err := tx.WaitingNotices(ids[i%2], 9)
			if err != nil {
				return err
			}
			id, err := tx.AddMail(console.Mail{Person: ids[i%2], Subject: fmt.Sprint(i)}, n)
			mails = append(mails, id)
			return err
		})
	}
	update(t, s, by(9), func(tx *store.Tx) error {
		for i, state := range []console.MailState{console.MailSent, console.MailFailed, console.MailSent} {
			m, err := tx.Mail(mails[i])
			if err != nil {
				return err
			}
			m.State, m.Ended, m.Attempts, m.Address, m.Detail = state, at(9), 2, "x@example.com", "d \xff"
			if err := tx.ChangeMail(m); err != nil {
				return err
			}
		}
		return nil
	})
	subjects := func(state console.MailState, before store.MailBefore, n int) (all []string, last store.MailBefore) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			mails, err := tx.Mails(state, before, n)
			for _, m := range mails {
				all, last = append(all, m.Subject), store.MailBefore{Created: m.Created, ID: m.ID}
			}
			return err
		})
		return all, last
	}
	first, last := subjects("", store.MailBefore{}, 3)
	rest, _ := subjects("", last, 9)
	if !slices.Equal(append(first, rest...), []string{"4", "3", "2", "1", "0"}) {
		t.Errorf("mails %q, then %q", first, rest)
	}
	if sent, _ := subjects(console.MailSent, store.MailBefore{}, 9); !slices.Equal(sent, []string{"2", "0"}) {
		t.Errorf("sent %q", sent)
	}
	view(t, s, func(tx *store.Tx) error {
		counts, err := tx.CountMails()
		if err != nil || counts[console.MailQueued] != 2 || counts[console.MailSent] != 2 || counts[console.MailFailed] != 1 {
			t.Errorf("counts %v, %v", counts, err)
		}
		m, err := tx.Mail(mails[1])
		if err != nil || m.State != console.MailFailed || m.Attempts != 2 || m.Detail != "d \xff" || m.Address != "x@example.com" || !m.Ended.Equal(at(9)) || !m.Created.Equal(at(1)) || m.Person != ids[1] {
			t.Errorf("%+v, %v", m, err)
		}
		if q, err := tx.QueuedMail(ids[0]); err != nil || q == nil || q.Subject != "4" {
			t.Errorf("queued %+v, %v", q, err)
		}
		if when, err := tx.LastMail(ids[1]); err != nil || !when.Equal(at(3)) {
			t.Errorf("last at %v, %v", when, err)
		}
		return nil
	})
	fails(t, s, by(10), "send a mail again that was sent", baton.Refused, func(tx *store.Tx) error { return tx.RetryMail(mails[0]) })
	update(t, s, by(10), func(tx *store.Tx) error { return tx.RetryMail(mails[1]) })
	view(t, s, func(tx *store.Tx) error {
		m, err := tx.Mail(mails[1])
		if err != nil || m.State != console.MailQueued || m.Attempts != 0 || !m.Ended.IsZero() {
			t.Errorf("%+v, %v", m, err)
		}
		if when, ok, err := tx.DueAt(console.DueMail, string(ids[1])); !ok || err != nil || !when.Equal(at(10)) {
			t.Errorf("due %v, %v, %v", when, ok, err)
		}
		return nil
	})
	update(t, s, by(20), func(tx *store.Tx) error {
		n, err := tx.ForgetMails(at(15), 9)
		if n != 2 {
			t.Errorf("forgot %d", n)
		}
		return err
	})
	if left, _ := subjects("", store.MailBefore{}, 9); !slices.Equal(left, []string{"1", "4", "3"}) {
		t.Errorf("left %q", left)
	}
}

// testEarlierDue only moves a row to an earlier time, and does not change a claimed one.
func testEarlierDue(t *testing.T, db Database) {
	s := open(t, db)
	set := func(minute int) {
		t.Helper()
		update(t, s, by(0), func(tx *store.Tx) error { return tx.EarlierDue("kind", "ref", at(minute)) })
	}
	claim := func(minute int) []store.Due {
		t.Helper()
		all, err := s.Claim(ctx, at(minute), "kind", "one", 5*time.Minute, 9)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	set(10)
	set(20)
	set(5)
	if got := claim(4); len(got) != 0 {
		t.Errorf("claimed %+v", got)
	}
	got := claim(5)
	if len(got) != 1 {
		t.Fatalf("claimed %+v", got)
	}
	set(1)
	update(t, s, by(6), func(tx *store.Tx) error { return tx.RetryDue(got[0], at(30)) }) // the lease holds
	set(25)
	if got = claim(25); len(got) != 1 {
		t.Fatalf("claimed %+v", got)
	}
	update(t, s, by(26), func(tx *store.Tx) error { return tx.FinishDue(got[0]) })
	set(40)
	if got = claim(40); len(got) != 1 {
		t.Errorf("claimed %+v", got)
	}
}
