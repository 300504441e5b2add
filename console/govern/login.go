package govern

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/login"
	"baton/console/store"
)

type tokenHash [sha256.Size]byte

// newToken returns a random token. Only its hash is stored.
func newToken() (baton.Secret, tokenHash) {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	s := base64.RawURLEncoding.EncodeToString(b)
	return baton.NewSecret(s), hashToken(baton.NewSecret(s))
}

func hashToken(token baton.Secret) tokenHash { return sha256.Sum256([]byte(token.Reveal())) }

// setupSetting names the setting with the hash of the setup token.
const setupSetting = "setup-token"

// NewSetupToken returns a new token for the sign-up of the first super administrator; the previous
// one ends. It is the zero secret if somebody can sign in already.
func (c *Console) NewSetupToken(ctx context.Context) (token baton.Secret, err error) {
	err = c.store.Update(ctx, console.By{At: c.now(), Actor: console.Console}, func(tx *store.Tx) error {
		token = baton.Secret{}
		done, err := tx.HasLogins()
		if err != nil || done {
			return err
		}
		secret, hash := newToken()
		token = secret
		return tx.SetSetting(setupSetting, hash[:])
	})
	return token, err
}

// NeedsSetup reports whether nobody can sign in yet.
func (c *Console) NeedsSetup(ctx context.Context) (needs bool, err error) {
	err = c.store.View(ctx, func(tx *store.Tx) error {
		has, err := tx.HasLogins()
		needs = !has
		return err
	})
	return needs, err
}

// Enrollment holds what a person enters to set up a login.
type Enrollment struct {
	Name       string // the login's
	Password   baton.Secret
	CodeSecret baton.Secret // of the authenticator that was set up
	Code       string       // a code from it, as proof
}

// check returns the login, or an error if the enrollment is invalid.
func (e Enrollment) check(person console.ID, now time.Time) (console.Login, error) {
	step, ok := login.CheckCode(e.CodeSecret, e.Code, now, 0)
	if !ok {
		return console.Login{}, baton.Errorf(baton.Invalid, "the one-time code is wrong").
			WithFix("Enter the six digits that your authenticator shows now. Check the clock of your device.")
	}
	hash, err := login.HashPassword(e.Password)
	return console.Login{Person: person, Name: e.Name, Password: hash, LastStep: step}, err
}

// SetUp creates the first super administrator. Refused if the token is wrong or somebody can sign in
// already.
func (c *Console) SetUp(ctx context.Context, token baton.Secret, name, email string, e Enrollment, address string) error {
	now := c.now()
	l, err := e.check("", now) // slow, so outside the transaction
	if err != nil {
		return err
	}
	return c.store.Update(ctx, console.By{At: now, Actor: console.Console, Address: address}, func(tx *store.Tx) error {
		done, err := tx.HasLogins()
		if err != nil {
			return err
		}
		want, err := tx.Setting(setupSetting)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return err
		}
		if have := hashToken(token); done || len(want) != len(have) || subtle.ConstantTimeCompare(want, have[:]) != 1 {
			return baton.Errorf(baton.Refused, "the setup token is wrong or was used").WithFix("The console prints one when it starts and nobody can sign in yet.")
		}
		p := console.Person{Name: name, Roles: []console.ConsoleRole{console.SuperAdministrator}}
		if email != "" {
			p.Emails = []string{email}
		}
		if l.Person, err = tx.AddPerson(p); err != nil {
			return err
		}
		return errors.Join(tx.SetLogin(l, e.CodeSecret), tx.SetSetting(setupSetting, nil))
	})
}

// Invite returns a token with which a person sets up a login, and its expiry.
func (c *Console) Invite(ctx context.Context, caller Caller, person console.ID) (token baton.Secret, expires time.Time, err error) {
	secret, hash := newToken()
	expires = c.now().Add(invitationLife)
	err = c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		return errors.Join(tx.ForgetInvitationToken(person), tx.Invite(person, hash, expires))
	})
	if err != nil {
		return baton.Secret{}, time.Time{}, err
	}
	return secret, expires, nil
}

// InviteByMail mails a person the link to set up a login, and returns the address and the link's
// expiry. If mail is not configured or the person has no address, the address is empty and nobody is
// invited.
func (c *Console) InviteByMail(ctx context.Context, caller Caller, person console.ID) (to string, expires time.Time, err error) {
	secret, hash := newToken()
	expires = c.now().Add(invitationLife)
	err = c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		to = ""
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		p, err := tx.Person(person)
		if err != nil {
			return err
		}
		settings, err := tx.MailSettings()
		if err != nil || !settings.Configured() || len(p.Emails) == 0 {
			return err
		}
		to = p.Emails[0]
		return errors.Join(tx.Invite(person, hash, expires), tx.KeepInvitationToken(person, secret))
	})
	return to, expires, err
}

const invitationLife = 72 * time.Hour

// Invited returns the person of an invitation. NotFound if it has expired or was used.
func (c *Console) Invited(ctx context.Context, token baton.Secret) (p console.Person, err error) {
	err = c.store.View(ctx, func(tx *store.Tx) error {
		p, err = tx.Invited(hashToken(token), c.now())
		return err
	})
	return p, err
}

// Accept sets up the login of a person who was invited.
func (c *Console) Accept(ctx context.Context, token baton.Secret, e Enrollment, address string) error {
	now := c.now()
	l, err := e.check("", now)
	if err != nil {
		return err
	}
	invited, err := c.Invited(ctx, token)
	if err != nil {
		return err
	}
	by := console.By{At: now, Actor: console.ByPerson(invited.ID), Address: address}
	return c.store.Update(ctx, by, func(tx *store.Tx) error {
		p, err := tx.Invited(hashToken(token), now) // it may have been used in the meantime
		if err != nil {
			return err
		}
		l.Person = p.ID
		return tx.SetLogin(l, e.CodeSecret)
	})
}

// errLogin does not tell whether the name, the password or the code is wrong.
var errLogin = baton.Errorf(baton.Unauthenticated, "login name, password or one-time code is wrong").
	WithFix("Check all three. Each code works once: wait for the next one.")

// SignIn begins a session and returns its token. Unauthenticated if name, password and code do not
// match; RateLimited after too many failures.
func (c *Console) SignIn(ctx context.Context, name string, password baton.Secret, code, address string) (baton.Secret, error) {
	now := c.now()
	l, step, err := c.prove(ctx, name, password, code, address, now)
	if err != nil {
		return baton.Secret{}, err
	}
	token, hash := newToken()
	err = c.store.Update(ctx, console.By{At: now, Actor: console.ByPerson(l.Person), Address: address}, func(tx *store.Tx) error {
		if err := errors.Join(tx.UseStep(l.Person, step), tx.ClearAttempts(name, address)); err != nil {
			return err
		}
		if l.BreakGlass {
			if err := tx.UseBreakGlass(l.Person); err != nil {
				return err
			}
		}
		return tx.BeginSession(hash, console.Session{Person: l.Person, Began: now, Proved: now, Seen: now, Address: address})
	})
	if baton.KindOf(err) == baton.Refused { // the code was used in the meantime, or the person is not active
		err = errLogin
	}
	if err != nil {
		return baton.Secret{}, err
	}
	return token, nil
}

// prove checks name, password and code. The attempt counts as failed until the caller clears it.
func (c *Console) prove(ctx context.Context, name string, password baton.Secret, code, address string, now time.Time) (console.Login, int64, error) {
	var l console.Login
	var secret baton.Secret
	err := c.store.Update(ctx, console.By{At: now, Actor: console.Console, Address: address}, func(tx *store.Tx) (err error) {
		l, secret = console.Login{}, baton.Secret{}
		if err := tx.Attempt(name, address); err != nil {
			return err
		}
		if l, err = tx.LoginByName(name); err == nil {
			secret, err = tx.CodeSecret(l.Person)
		}
		if baton.KindOf(err) == baton.NotFound {
			err = nil
		}
		return err
	})
	if err != nil {
		return l, 0, err
	}
	// Both checks always run, so that the response time reveals nothing.
	passwordOK := login.CheckPassword(l.Password, password)
	step, codeOK := login.CheckCode(secret, code, now, l.LastStep)
	if !passwordOK || !codeOK {
		return l, 0, errLogin
	}
	return l, step, nil
}

// StepUp authenticates the caller again, for sensitive commands.
func (c *Console) StepUp(ctx context.Context, caller Caller, password baton.Secret, code string) error {
	var name string
	err := c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		l, err := tx.Login(me.ID)
		name = l.Name
		return err
	})
	if baton.KindOf(err) == baton.NotFound {
		err = baton.Errorf(baton.Refused, "you have no password").WithFix("Confirm with the provider that you sign in with.")
	}
	if err != nil {
		return err
	}
	now := c.now()
	l, step, err := c.prove(ctx, name, password, code, caller.Address, now)
	if err != nil {
		return err
	}
	return c.store.Update(ctx, c.by(caller), func(tx *store.Tx) error {
		return errors.Join(tx.UseStep(l.Person, step), tx.ClearAttempts(name, caller.Address), tx.ProveSession(caller.token, now, now))
	})
}

// Authenticate returns the caller of a session's token. Unauthenticated if the session has ended.
func (c *Console) Authenticate(ctx context.Context, token baton.Secret, request, address string) (Caller, error) {
	caller := Caller{Request: request, Address: address, token: hashToken(token)}
	now := c.now()
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		if caller.Session, caller.Person, err = tx.Session(caller.token, now); err != nil {
			return err
		}
		caller.BreakGlass, err = tx.BreakGlassUse(now)
		return err
	})
	if baton.KindOf(err) == baton.NotFound {
		err = baton.Errorf(baton.Unauthenticated, "you are not signed in")
	}
	if err != nil || now.Sub(caller.Session.Seen) < time.Minute {
		return caller, err
	}
	return caller, c.store.Update(ctx, c.by(caller), func(tx *store.Tx) error { return tx.SeeSession(caller.token, now) })
}

// SignOut ends the caller's session.
func (c *Console) SignOut(ctx context.Context, caller Caller) error {
	return c.store.Update(ctx, c.by(caller), func(tx *store.Tx) error { return tx.EndSession(caller.token) })
}

// Forget removes ended sessions, invitations and counts of attempts, up to n of each.
func (c *Console) Forget(ctx context.Context, n int) (removed int, err error) {
	err = c.store.Update(ctx, console.By{At: c.now(), Actor: console.Console}, func(tx *store.Tx) error {
		removed, err = tx.ForgetSessions(c.now(), n)
		return err
	})
	return removed, err
}

// LoginNameOf proposes the login name of a person: the primary e-mail address.
func LoginNameOf(p console.Person) string {
	if len(p.Emails) > 0 {
		return p.Emails[0]
	}
	return strings.ToLower(strings.Join(strings.Fields(p.Name), "."))
}
