package store

import (
	"crypto/sha256"
	"errors"
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// codeSecret names the secret of a person's one-time codes.
const codeSecret = "one-time-codes"

// personOwner is the owner under which a person's secrets are sealed.
func personOwner(person console.ID) string { return "person/" + string(person) }

// SetLogin sets a person's login and ends the person's sessions and invitations. A zero code secret
// keeps the existing one. AlreadyExists if the name is taken.
func (t *Tx) SetLogin(l console.Login, code baton.Secret) error {
	p, err := t.lockPerson(l.Person)
	if err != nil {
		return err
	}
	if p.Service {
		return errService
	}
	l.Name = console.NormalizeEmail(l.Name)
	if err := need("the login name", l.Name); err != nil {
		return err
	}
	err = t.insert("login "+quote(l.Name), `INSERT INTO login (person, name, password, last_step, break_glass) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (person) DO UPDATE SET name = excluded.name, password = excluded.password, last_step = excluded.last_step, break_glass = excluded.break_glass`,
		l.Person, []byte(l.Name), l.Password, l.LastStep, l.BreakGlass)
	if err != nil {
		return err
	}
	if !code.IsZero() {
		if err := t.SetSecret(personOwner(l.Person), codeSecret, code); err != nil {
			return err
		}
	}
	if err := t.endLogin(l.Person); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "login.set", Person: l.Person, Object: string(l.Person)}, map[string]any{"name": l.Name, "break_glass": l.BreakGlass})
}

// EndAccess ends every way in which a person who is no longer active could still reach the console.
// New ways to sign in, or to act for a person, must be ended here too, and only here.
func (t *Tx) EndAccess(person console.ID) error {
	return errors.Join(t.endLogin(person), t.revokeClients(person), t.endDelegations(person))
}

var errService = baton.Errorf(baton.Refused, "a service has no login")

func (t *Tx) endLogin(person console.ID) error {
	for _, table := range []string{"session", "invitation"} {
		if _, err := t.e.Exec("DELETE FROM "+table+" WHERE person = $1", person); err != nil {
			return err
		}
	}
	return t.ForgetInvitationToken(person)
}

// CodeSecret returns the secret of a person's one-time codes. NotFound if none is set.
func (t *Tx) CodeSecret(person console.ID) (baton.Secret, error) {
	return t.Secret(personOwner(person), codeSecret)
}

const loginColumns = "SELECT person, name, password, last_step, break_glass FROM login WHERE "

func scanLogin(r engine.Row) console.Login {
	return console.Login{Person: console.ID(r.Text(0)), Name: str(r, 1), Password: r.Text(2), LastStep: r.Int(3), BreakGlass: r.Bool(4)}
}

// Login returns the login of a person. NotFound if the person has none.
func (t *Tx) Login(person console.ID) (console.Login, error) {
	return get(t, scanLogin, "login", loginColumns+"person = $1", person)
}

func (t *Tx) LoginByName(name string) (console.Login, error) {
	return get(t, scanLogin, "login", loginColumns+"name = $1", []byte(console.NormalizeEmail(name)))
}

// HasLogins reports whether the console is set up: somebody can sign in with a password, or a super
// administrator with a provider.
func (t *Tx) HasLogins() (bool, error) {
	n, err := get(t, func(r engine.Row) int64 { return r.Int(0) }, "login", `SELECT (SELECT count(*) FROM login WHERE password <> '') +
		(SELECT count(*) FROM identity i JOIN provider v ON v.issuer = i.issuer JOIN person_role r ON r.person = i.person WHERE r.role = $1 AND v.enabled)`,
		console.SuperAdministrator)
	return n > 0, err
}

// UseStep records that the one-time code of a time step was accepted. Refused if that step or a
// later one was used before.
func (t *Tx) UseStep(person console.ID, step int64) error {
	n, err := t.e.Exec("UPDATE login SET last_step = $2 WHERE person = $1 AND last_step < $2", person, step)
	if err == nil && n == 0 {
		err = baton.Errorf(baton.Refused, "the one-time code was used before").WithFix("Wait for the next one.")
	}
	return err
}

// Invite stores an invitation link with which a person sets up the login, by the SHA-256 of its
// token. Earlier invitations of the person end.
func (t *Tx) Invite(person console.ID, hash [sha256.Size]byte, expires time.Time) error {
	p, err := t.lockPerson(person)
	if err != nil {
		return err
	}
	if p.Status != console.PersonActive || p.MergedInto != "" {
		return errNotActive(p)
	}
	if err := t.keepBreakGlass(person); err != nil {
		return err
	}
	if p.Service {
		return errService
	}
	if _, err := t.e.Exec("DELETE FROM invitation WHERE person = $1", person); err != nil {
		return err
	}
	if err := t.insert("invitation", "INSERT INTO invitation (hash, person, expires) VALUES ($1, $2, $3)", hash[:], person, expires); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "login.invited", Person: person, Object: string(person)}, map[string]any{"expires": expires})
}

// Invited returns the person who was invited with a token. NotFound if the invitation does not exist
// or has expired.
func (t *Tx) Invited(hash [sha256.Size]byte, now time.Time) (console.Person, error) {
	return t.person("SELECT "+personColumns+` FROM person WHERE status = $3 AND merged_into IS NULL
		AND id = (SELECT person FROM invitation WHERE hash = $1 AND expires > $2)`, hash[:], now, console.PersonActive)
}
