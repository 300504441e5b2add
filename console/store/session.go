package store

import (
	"crypto/sha256"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// BeginSession stores a new session, by the SHA-256 of its token.
func (t *Tx) BeginSession(hash [sha256.Size]byte, s console.Session) error {
	p, err := t.lockPerson(s.Person)
	if err != nil {
		return err
	}
	if p.Status != console.PersonActive || p.MergedInto != "" {
		return errNotActive(p)
	}
	proved := s.Proved
	if proved.IsZero() {
		proved = time.UnixMicro(0) // unknown
	}
	err = t.insert("session", "INSERT INTO session (hash, person, began, proved, seen, address, provider) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		hash[:], s.Person, s.Began, proved, s.Seen, []byte(s.Address), null(s.Provider))
	if err != nil {
		return err
	}
	var data any
	if s.Provider != "" {
		data = map[string]any{"provider": s.Provider}
	}
	return t.event(console.Event{Kind: "session.began", Person: s.Person, Object: string(s.Person)}, data)
}

const sessionColumns = "SELECT person, began, proved, seen, address, provider, hash FROM session WHERE "

func scanSession(r engine.Row) console.Session {
	s := console.Session{Person: console.ID(r.Text(0)), Began: at(r, 1), Proved: at(r, 2), Seen: at(r, 3), Address: str(r, 4), Provider: r.Text(5)}
	copy(s.Hash[:], r.Bytes(6))
	if s.Proved.UnixMicro() == 0 {
		s.Proved = time.Time{}
	}
	return s
}

// Sessions returns the current sessions of a person, the most recently used first.
func (t *Tx) Sessions(person console.ID, now time.Time) ([]console.Session, error) {
	return list(t, scanSession, sessionColumns+"person = $1 AND began > $2 AND seen > $3 ORDER BY seen DESC, hash LIMIT 1000",
		person, now.Add(-console.SessionLife), now.Add(-console.SessionIdle))
}

// Session returns a session and its person in their current state. NotFound if the session does not
// exist or has ended, or if the person is not active.
func (t *Tx) Session(hash [sha256.Size]byte, now time.Time) (console.Session, console.Person, error) {
	s, err := get(t, scanSession, "session", sessionColumns+"hash = $1", hash[:])
	if err != nil {
		return s, console.Person{}, err
	}
	p, err := t.Person(s.Person)
	if err == nil && (s.Ended(now) || p.Status != console.PersonActive || p.MergedInto != "") {
		err = baton.Errorf(baton.NotFound, "no session")
	}
	return s, p, err
}

// seenEvery is the precision of a session's last use.
const seenEvery = time.Minute

// SeeSession records a use of a session, at most once a minute.
func (t *Tx) SeeSession(hash [sha256.Size]byte, now time.Time) error {
	_, err := t.e.Exec("UPDATE session SET seen = $2 WHERE hash = $1 AND seen <= $3", hash[:], now, now.Add(-seenEvery))
	return err
}

// ProveSession records that the person of a session authenticated again.
func (t *Tx) ProveSession(hash [sha256.Size]byte, proved, now time.Time) error {
	return t.change("session", "UPDATE session SET proved = $2, seen = $3 WHERE hash = $1", hash[:], proved, now)
}

// EndSession ends a session. It does nothing if there is none.
func (t *Tx) EndSession(hash [sha256.Size]byte) error {
	s, err := find(t, func(r engine.Row) console.ID { return console.ID(r.Text(0)) }, "SELECT person FROM session WHERE hash = $1", hash[:])
	if err != nil || s == nil {
		return err
	}
	if _, err := t.e.Exec("DELETE FROM session WHERE hash = $1", hash[:]); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "session.ended", Person: *s, Object: string(*s)}, nil)
}

// EndSessions ends all sessions of a person.
func (t *Tx) EndSessions(person console.ID) error {
	n, err := t.e.Exec("DELETE FROM session WHERE person = $1", person)
	if err != nil || n == 0 {
		return err
	}
	return t.event(console.Event{Kind: "session.ended", Person: person, Object: string(person)}, map[string]any{"all": n})
}

// ForgetSessions removes old sessions, invitations, client tokens, attempt counts and unfinished
// logins that ended some time ago, up to n of each.
func (t *Tx) ForgetSessions(now time.Time, n int) (int, error) {
	removed := 0
	for _, s := range []struct {
		table, column string
		before        time.Time
	}{
		{"session", "seen", now.Add(-console.SessionIdle)},
		{"session", "began", now.Add(-console.SessionLife)},
		{"invitation", "expires", now},
		{"client_token", "expires", now},
		{"attempt", "last", now.Add(-24 * time.Hour)},
		{"sign_in", "began", now.Add(-console.SignInLife)},
	} {
		k, err := t.e.Exec("DELETE FROM "+s.table+" WHERE hash IN (SELECT hash FROM "+s.table+" WHERE "+s.column+" <= $1 ORDER BY "+s.column+" LIMIT $2)", s.before, n)
		if err != nil {
			return removed, err
		}
		removed += int(k)
	}
	return removed, nil
}

// Attempt counts a login under a name from an address as failed. It must run before the password is
// checked, because concurrent logins do not see each other's results. [Tx.ClearAttempts] reverts it
// after a success. Refused, with the time to wait, after too many failures.
func (t *Tx) Attempt(name, address string) error {
	for _, key := range []struct {
		hash  [sha256.Size]byte
		opens func(console.Attempts) time.Time
	}{
		{attemptKey("name", console.NormalizeEmail(name)), console.Attempts.NameOpens},
		{attemptKey("address", address), console.Attempts.AddressOpens},
	} {
		// Without a row to lock, several concurrent logins would each count as the first.
		if _, err := t.e.Exec("INSERT INTO attempt (hash, failures, last) VALUES ($1, 0, $2) ON CONFLICT (hash) DO NOTHING", key.hash[:], t.by.At); err != nil {
			return err
		}
		a, err := get(t, func(r engine.Row) console.Attempts { return console.Attempts{Failures: int(r.Int(0)), Last: at(r, 1)} }, "attempts",
			"SELECT failures, last FROM attempt WHERE hash = $1 FOR UPDATE", key.hash[:])
		if err != nil {
			return err
		}
		if opens := key.opens(a); opens.After(t.by.At) {
			return baton.Errorf(baton.RateLimited, "too many failed logins").WithFix("Wait %s and try again.", opens.Sub(t.by.At).Round(time.Second)+time.Second)
		}
		if err := t.change("attempts", "UPDATE attempt SET failures = failures + 1, last = $2 WHERE hash = $1", key.hash[:], t.by.At); err != nil {
			return err
		}
	}
	return nil
}

// ClearAttempts removes the failed logins under a name, and the one that [Tx.Attempt] counted for
// the address.
func (t *Tx) ClearAttempts(name, address string) error {
	byName, byAddress := attemptKey("name", console.NormalizeEmail(name)), attemptKey("address", address)
	if _, err := t.e.Exec("DELETE FROM attempt WHERE hash = $1", byName[:]); err != nil {
		return err
	}
	_, err := t.e.Exec("UPDATE attempt SET failures = failures - 1 WHERE hash = $1 AND failures > 0", byAddress[:])
	return err
}

func attemptKey(kind, value string) [sha256.Size]byte {
	return sha256.Sum256([]byte(kind + "\x00" + value))
}
