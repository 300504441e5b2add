package govern

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"baton"
	"baton/console"
	"baton/console/oidc"
	"baton/console/store"
)

// ProviderChoice is an identity provider on the login page.
type ProviderChoice struct{ Name, Label string }

func choice(p console.Provider) ProviderChoice { return ProviderChoice{p.Name, p.Label} }

// SignInProviders returns the enabled identity providers.
func (c *Console) SignInProviders(ctx context.Context) (choices []ProviderChoice, err error) {
	err = c.store.View(ctx, func(tx *store.Tx) error {
		choices = nil
		all, err := tx.Providers()
		for _, p := range all {
			if p.Enabled {
				choices = append(choices, choice(p))
			}
		}
		return err
	})
	return choices, err
}

// Proofs are the ways in which the caller can authenticate again.
type Proofs struct {
	Password  bool
	Providers []ProviderChoice
}

// Proofs returns the ways in which the caller can authenticate again.
func (c *Console) Proofs(ctx context.Context, caller Caller) (p Proofs, err error) {
	err = c.read(ctx, caller, session, func(tx *store.Tx, me console.Person) error {
		p = Proofs{}
		l, err := tx.Login(me.ID)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return err
		}
		p.Password = l.Password != ""
		identities, err := tx.Identities(me.ID)
		if err != nil {
			return err
		}
		all, err := tx.Providers()
		for _, v := range all {
			if v.Enabled && slices.ContainsFunc(identities, func(i console.Identity) bool { return i.Issuer == v.Issuer }) {
				p.Providers = append(p.Providers, choice(v))
			}
		}
		return err
	})
	return p, err
}

// Visit describes the browser and the address of a login with a provider.
type Visit struct {
	Provider string // name
	Redirect string // the console's address to which the provider redirects
	Address  string // network address of the browser
	Request  string // id of the call, as in logs
}

// errProvider is the error for an unknown or disabled provider.
var errProvider = baton.Errorf(baton.NotFound, "nobody signs in with this provider").WithFix("Go to the login page.")

// provider returns an enabled provider for package oidc.
func (c *Console) provider(tx *store.Tx, v Visit) (console.Provider, oidc.Provider, error) {
	p, err := tx.Provider(v.Provider)
	if baton.KindOf(err) == baton.NotFound || err == nil && !p.Enabled {
		err = errProvider
	}
	if err != nil {
		return p, oidc.Provider{}, err
	}
	secret, err := tx.ProviderSecret(p.Name)
	return p, asked(p, secret, v.Redirect), err
}

func asked(p console.Provider, secret baton.Secret, redirect string) oidc.Provider {
	return oidc.Provider{Label: p.Label, Issuer: p.Issuer, ClientID: p.ClientID, Secret: secret, Scopes: p.Scopes, GroupsClaim: p.GroupsClaim, Redirect: redirect}
}

// Departure is the redirect of a browser to a provider.
type Departure struct {
	Address string // of the provider
	State   string // identifies this login
	Browser baton.Secret
}

// BeginSignIn begins a login with a provider that ends at the page next. The returning browser must
// present Browser with the login's state. For a signed-in caller, it authenticates again and creates
// no session.
func (c *Console) BeginSignIn(ctx context.Context, v Visit, next string, caller *Caller) (d Departure, err error) {
	var p oidc.Provider
	err = c.store.View(ctx, func(tx *store.Tx) error {
		_, p, err = c.provider(tx, v)
		return err
	})
	if err != nil {
		return d, err
	}
	request := oidc.NewRequest(caller != nil)
	if d.Address, err = c.oidc.AuthURL(ctx, p, request); err != nil {
		return d, err
	}
	d.State = request.State
	s := console.SignIn{Provider: v.Provider, Nonce: request.Nonce, Verifier: request.Verifier, Next: next, Began: c.now(), Address: v.Address}
	if caller != nil {
		s.Session = caller.token[:]
	}
	d.Browser, s.Browser = newToken()
	err = c.store.Update(ctx, console.By{At: s.Began, Actor: console.Console, Address: v.Address, Request: v.Request}, func(tx *store.Tx) error {
		return tx.BeginSignIn(hashToken(baton.NewSecret(request.State)), s)
	})
	return d, err
}

// Return is a provider's redirect of a browser to the console.
type Return struct {
	State string
	oidc.Answer
	Problem string       // error code of the provider
	Browser baton.Secret // presented by the browser
	// Session is the token of the browser's session, if any.
	Session baton.Secret
}

// Arrival is the result of a login with a provider.
type Arrival struct {
	Token baton.Secret // of the new session
	Proof bool         // it authenticated an existing session again
	Next  string       // the page to display
}

// FinishSignIn completes a login with a provider. After an error, the result still says what the
// login was for, as far as known.
func (c *Console) FinishSignIn(ctx context.Context, v Visit, r Return) (a Arrival, err error) {
	a.Next = "/"
	now := c.now()
	var s console.SignIn
	var configured console.Provider
	var p oidc.Provider
	taken := false
	err = c.store.Update(ctx, console.By{At: now, Actor: console.Console, Address: v.Address, Request: v.Request}, func(tx *store.Tx) error {
		taken = false
		s, err = tx.TakeSignIn(hashToken(baton.NewSecret(r.State)), hashToken(r.Browser), now)
		if baton.KindOf(err) == baton.NotFound {
			return nil // the expired row is removed
		}
		if err != nil {
			return err
		}
		if taken = s.Provider == v.Provider; !taken {
			return nil
		}
		configured, p, err = c.provider(tx, v)
		return err
	})
	if err == nil && !taken {
		err = errReturn
	}
	if err != nil {
		return a, err
	}
	a.Next, a.Proof = s.Next, s.Session != nil
	if r.Problem != "" {
		return a, baton.Errorf(baton.Unauthenticated, "%s did not sign you in: %s", configured.Label, problemCode(r.Problem)).WithFix("Try again, or sign in with a password.")
	}
	id, err := c.oidc.Exchange(ctx, p, oidc.Request{State: r.State, Nonce: s.Nonce, Verifier: s.Verifier, Fresh: s.Session != nil}, r.Answer)
	switch {
	case err != nil:
	case a.Proof:
		err = c.proveIdentity(ctx, v, r, s, configured, id)
	default:
		a.Token, err = c.enter(ctx, v, configured, id)
	}
	return a, c.refusedLogin(ctx, v, configured, id, err)
}

// refusedLogin records a login that was refused, and returns its error. A login whose refusal
// cannot be recorded fails with that.
func (c *Console) refusedLogin(ctx context.Context, v Visit, p console.Provider, id oidc.Identity, err error) error {
	if err == nil || !slices.Contains([]baton.Kind{baton.Unauthenticated, baton.PermissionDenied, baton.Refused, baton.AlreadyExists}, baton.KindOf(err)) {
		return err
	}
	l := console.RefusedLogin{Provider: p.Name, Issuer: id.Issuer, Subject: id.Subject, Email: id.Email, Why: err.Error()}
	e := c.store.Update(context.WithoutCancel(ctx), console.By{At: c.now(), Actor: console.Console, Address: v.Address, Request: v.Request}, func(tx *store.Tx) error {
		l.Person = ""
		known, err := tx.Identity(id.Issuer, id.Subject)
		if err == nil {
			l.Person = known.Person
		} else if baton.KindOf(err) == baton.NotFound && id.EmailVerified {
			var person console.Person
			if person, err = tx.PersonByEmail(console.NormalizeEmail(id.Email)); err == nil {
				l.Person = person.ID
			}
		}
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return err
		}
		return tx.RefuseLogin(l)
	})
	if e != nil {
		return e
	}
	return err
}

// errReturn does not tell which part of the redirect is wrong.
var errReturn = baton.Errorf(baton.Unauthenticated, "this login was not begun in this browser, took too long or was used before").WithFix("Sign in again.")

// problemCode returns an error code of a provider (RFC 6749 section 4.1.2.1), made safe for display.
func problemCode(code string) string {
	known := []string{"access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required", "temporarily_unavailable",
		"server_error", "invalid_scope", "unauthorized_client", "invalid_request", "unsupported_response_type"}
	if slices.Contains(known, code) {
		return strings.ReplaceAll(code, "_", " ")
	}
	return "it gave another error"
}

// proveIdentity records that the person of a session authenticated again.
func (c *Console) proveIdentity(ctx context.Context, v Visit, r Return, s console.SignIn, p console.Provider, id oidc.Identity) error {
	caller, err := c.Authenticate(ctx, r.Session, v.Request, v.Address)
	if err != nil {
		return err
	}
	if caller.token != tokenHash(s.Session) {
		return errReturn
	}
	now := c.now()
	if id.Proved.IsZero() || !now.Before(id.Proved.Add(console.StepUp)) {
		return baton.Errorf(baton.PermissionDenied, "%s does not say that you proved there just now who you are", p.Label).
			WithFix("Confirm with a password and a one-time code, if you have them, or ask a Super Administrator: the provider must send auth_time when it is asked for max_age=0.")
	}
	return c.store.Update(ctx, c.by(caller), func(tx *store.Tx) error {
		known, err := tx.Identity(id.Issuer, id.Subject)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return err
		}
		if err != nil || known.Person != caller.Person.ID {
			return baton.Errorf(baton.PermissionDenied, "you signed in at %s as somebody else", p.Label).WithFix("Sign in there as yourself.")
		}
		return tx.ProveSession(caller.token, id.Proved, now)
	})
}

// enter begins a session for an identity.
func (c *Console) enter(ctx context.Context, v Visit, p console.Provider, id oidc.Identity) (token baton.Secret, err error) {
	now := c.now()
	token, hash := newToken()
	err = c.store.Update(ctx, console.By{At: now, Actor: console.Console, Address: v.Address, Request: v.Request}, func(tx *store.Tx) error {
		// The provider may have changed in the meantime.
		current, err := tx.Provider(p.Name)
		if baton.KindOf(err) == baton.NotFound || err == nil && (!current.Enabled || current.Issuer != p.Issuer) {
			err = errProvider
		}
		if err != nil {
			return err
		}
		person, err := bind(tx, current, id)
		if err != nil {
			return err
		}
		if current.GroupsClaim != "" && id.GroupsKnown {
			if _, err := tx.MapRoles(person, current.Name, current.RolesOf(id.Groups)); err != nil {
				return err
			}
		}
		return tx.BeginSession(hash, console.Session{Person: person, Began: now, Proved: id.Proved, Seen: now, Address: v.Address, Provider: p.Name})
	})
	if err != nil {
		return baton.Secret{}, err
	}
	return token, nil
}

// bind returns the person of an identity. Only the first login uses the e-mail address.
func bind(tx *store.Tx, p console.Provider, id oidc.Identity) (console.ID, error) {
	known, err := tx.Identity(id.Issuer, id.Subject)
	if err == nil {
		return known.Person, tx.SeeIdentity(id.Issuer, id.Subject, id.Email)
	}
	if baton.KindOf(err) != baton.NotFound {
		return "", err
	}
	email := console.NormalizeEmail(id.Email)
	if email == "" || !id.EmailVerified {
		return "", baton.Errorf(baton.PermissionDenied, "%s does not say that your e-mail address is verified", p.Label).
			WithFix("The first login needs it. Ask who administers %s.", p.Label)
	}
	person, err := tx.PersonByEmail(email)
	switch {
	case baton.KindOf(err) == baton.NotFound && p.AddPeople:
		person = console.Person{Name: personName(id), Emails: []string{email}}
		if person.ID, err = tx.AddPerson(person); err != nil {
			return "", err
		}
	case baton.KindOf(err) == baton.NotFound:
		return "", baton.Errorf(baton.PermissionDenied, "nobody in this console has the e-mail address %s", email).WithFix("Ask a Super Administrator to add you.")
	case err != nil:
		return "", err
	}
	return person.ID, tx.BindIdentity(console.Identity{Issuer: id.Issuer, Subject: id.Subject, Person: person.ID, Email: id.Email})
}

// personName returns the name of a new person.
func personName(id oidc.Identity) string {
	name := strings.TrimSpace(strings.ToValidUTF8(id.Name, "\ufffd"))
	if name == "" {
		name = id.Email
	}
	if utf8.RuneCountInString(name) > maxName {
		name = string([]rune(name)[:maxName])
	}
	return name
}

// RemoveIdentity removes a person's identity at an issuer. The next login there uses the e-mail
// address again.
func (c *Console) RemoveIdentity(ctx context.Context, caller Caller, person console.ID, issuer, subject string) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		if err := c.recent(caller); err != nil {
			return err
		}
		return tx.RemoveIdentity(person, issuer, subject)
	})
}
