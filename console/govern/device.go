package govern

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/store"
)

// codeLetters are the letters of codes that people type: no vowels, and no letters that look alike.
const codeLetters = "BCDFGHJKLMNPQRSTVWXZ"

// codeLength is the number of letters of a code. It is shown in two groups.
const codeLength = 8

// newTypedCode returns a code for a person to type, without a separator.
func newTypedCode() string {
	letters := make([]byte, 0, codeLength)
	for b := make([]byte, 1); len(letters) < codeLength; {
		rand.Read(b) // never fails
		if n := int(b[0]); n < 256/len(codeLetters)*len(codeLetters) {
			letters = append(letters, codeLetters[n%len(codeLetters)])
		}
	}
	return string(letters)
}

// typedCode returns the hash of a typed code, ignoring case and separators.
func typedCode(text string) store.DeviceCode {
	letters := strings.Map(func(r rune) rune {
		if strings.ContainsRune(codeLetters, r) {
			return r
		}
		return -1
	}, strings.ToUpper(text))
	return store.DeviceCode(hashToken(baton.NewSecret(letters)))
}

// NewDevice is the response to a program that requests a credential.
type NewDevice struct {
	Code  baton.Secret // with which the program asks for the decision
	Typed string       // that a person types, "BCDF-GHJK"
}

// maxDeviceName limits the names of programs, in bytes.
const maxDeviceName = 100

// StartDevice begins the request of a program for a credential of the person who uses it.
// RateLimited if too many programs wait.
func (c *Console) StartDevice(ctx context.Context, client, address string) (n NewDevice, err error) {
	if client == "" || len(client) > maxDeviceName || strings.ContainsFunc(client, func(r rune) bool { return r < ' ' || r > '~' }) {
		return n, baton.Errorf(baton.Invalid, "the client id is missing, or not printable")
	}
	secret, hash := newToken()
	typed := newTypedCode()
	err = c.store.Update(ctx, console.By{At: c.now(), Actor: console.Console, Address: address}, func(tx *store.Tx) error {
		return tx.AddDevice(store.DeviceCode(hash), typedCode(typed), console.Device{Client: client, Address: address, Expires: c.now().Add(console.DeviceLife)})
	})
	return NewDevice{Code: secret, Typed: typed[:codeLength/2] + "-" + typed[codeLength/2:]}, err
}

// Device returns the program whose code the caller typed. It needs a recent login.
func (c *Console) Device(ctx context.Context, caller Caller, typed string) (d console.Device, err error) {
	err = c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		if err := c.mayConnectDevice(tx, caller, me); err != nil {
			return err
		}
		d, err = tx.TypedDevice(typedCode(typed), c.now())
		if baton.KindOf(err) == baton.NotFound {
			err = errCode
		}
		return err
	})
	return d, err
}

// errCode is the error for a code that no waiting program shows.
var errCode = baton.Errorf(baton.Invalid, "no program shows this code").WithFix("Type it as the program shows it. A code works for ten minutes; start the program again for another one.")

// mayConnectDevice returns an error if the caller's login is not recent, or is the emergency login.
func (c *Console) mayConnectDevice(tx *store.Tx, caller Caller, me console.Person) error {
	if err := c.recent(caller); err != nil {
		return err
	}
	switch l, err := tx.BreakGlass(); {
	case err != nil && baton.KindOf(err) != baton.NotFound:
		return err
	case err == nil && l.Person == me.Canonical():
		return baton.Errorf(baton.Refused, "the login for emergencies makes no credentials").WithFix("Sign in as yourself.")
	}
	return nil
}

// CheckDevice refuses callers who cannot give a program a credential now.
func (c *Console) CheckDevice(ctx context.Context, caller Caller) error {
	return c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error { return c.mayConnectDevice(tx, caller, me) })
}

// DeviceScopes are the scopes that a program can get.
func DeviceScopes() []console.Scope {
	return []console.Scope{console.ScopeRead, console.ScopeAsk, console.ScopeDecide, console.ScopeConfigure}
}

// DecideDevice gives or refuses the program whose code the caller typed a credential with scopes.
func (c *Console) DecideDevice(ctx context.Context, caller Caller, typed string, allow bool, scopes []console.Scope) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := c.mayConnectDevice(tx, caller, me); err != nil {
			return err
		}
		state := console.DeviceRefused
		if allow {
			state = console.DeviceAllowed
			if err := console.CheckScopes(scopes, false); err != nil {
				return err
			}
			for _, s := range scopes {
				if !slices.Contains(DeviceScopes(), s) {
					return baton.Errorf(baton.Invalid, "a program cannot get the scope %s this way", s)
				}
			}
		} else {
			scopes = nil
		}
		err := tx.DecideDevice(typedCode(typed), state, scopes)
		if baton.KindOf(err) == baton.NotFound {
			err = errCode
		}
		return err
	})
}

// AnswerDevice returns the state of a program's request and, once a person has allowed it, a token
// with which the program creates its credential. The state is [console.DeviceWaiting] until then.
// NotFound if the code is unknown, expired or used.
func (c *Console) AnswerDevice(ctx context.Context, code baton.Secret, address string) (state console.DeviceState, token baton.Secret, err error) {
	hash := store.DeviceCode(hashToken(code))
	secret, tokenHash := newToken()
	err = c.store.View(ctx, func(tx *store.Tx) error {
		d, err := tx.Device(hash)
		if state = d.State; err == nil && (!c.now().Before(d.Expires) || d.State == console.DeviceAnswered) {
			err = baton.Errorf(baton.NotFound, "no program")
		}
		return err
	})
	if err != nil || state != console.DeviceAllowed {
		return state, token, err
	}
	err = c.store.Update(ctx, console.By{At: c.now(), Actor: console.Console, Address: address}, func(tx *store.Tx) error {
		return tx.AnswerDevice(hash, store.DeviceCode(tokenHash))
	})
	return state, secret, err
}

// AddDeviceClient creates the credential of an allowed program, in exchange for its token. The token
// works once.
func (c *Console) AddDeviceClient(ctx context.Context, token baton.Secret, name, request, address, source string) (m MadeClient, err error) {
	for range 10 { // numbers in client ids may collide
		if m, err = c.addDeviceClient(ctx, token, name, request, address, source); baton.KindOf(err) != baton.AlreadyExists {
			break
		}
	}
	return m, err
}

func (c *Console) addDeviceClient(ctx context.Context, token baton.Secret, name, request, address, source string) (m MadeClient, err error) {
	hash := store.DeviceCode(hashToken(token))
	var person console.ID
	err = c.store.View(ctx, func(tx *store.Tx) error {
		d, err := tx.DeviceOfToken(hash, c.now())
		person = d.Person
		return err
	})
	if err != nil {
		return m, err
	}
	by := console.By{At: c.now(), Actor: console.ByPerson(person), Request: request, Address: address, Source: source}
	err = c.store.Update(ctx, by, func(tx *store.Tx) error {
		d, err := tx.TakeDevice(hash)
		if err != nil {
			return err
		}
		me, err := tx.Person(d.Person)
		if err != nil {
			return err
		}
		if me.Status != console.PersonActive || me.MergedInto != "" {
			return baton.Errorf(baton.Unauthenticated, "%s is not active", me.Name)
		}
		m, err = c.makeClient(tx, me, NewClient{Name: name, Scopes: d.Scopes, Life: console.DeviceClientLife})
		return err
	})
	return m, err
}
