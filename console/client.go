package console

import (
	"slices"
	"strings"
	"time"

	"baton"
)

// Client is a credential with which a program calls the REST interface. It acts for the person who
// created it, or as a service, which is a person without a login. It never has more rights than that
// person. The private key is not stored.
type Client struct {
	ID        ID
	ClientID  string // <name>-<5 digits>@<host>[:<port>]/pcc, or …/spc for a service
	Name      string // chosen by its creator
	Person    ID     // the person it acts as
	Service   bool
	Scopes    []Scope
	PublicKey []byte // Ed25519
	Creator   ID
	Created   time.Time
	Expires   time.Time
	Revoked   time.Time // zero: never
	LastUsed  time.Time // when a token was last issued for it; zero: never
}

// The suffixes of client ids of personal clients and of services.
const (
	PersonalClient = "pcc"
	ServiceClient  = "spc"
)

// MaxClientLife is the longest validity of a client.
const MaxClientLife = 366 * 24 * time.Hour

// Good reports whether the client is valid: tokens are issued for it and accepted.
func (c Client) Good(now time.Time) bool { return c.Revoked.IsZero() && now.Before(c.Expires) }

// Scope is a part of the person's rights that a client has too.
type Scope string

const (
	ScopeRead      Scope = "read"      // see what the person sees
	ScopeAsk       Scope = "ask"       // request access, and give it back
	ScopeConfigure Scope = "configure" // change apps and connectors, and see what the person sees
	ScopeDecide    Scope = "decide"    // approve, deny and judge held syncs, except where administrators are concerned
)

// ScopeConfigureApp returns the scope to configure and see a single app.
func ScopeConfigureApp(app ID) Scope { return ScopeConfigure + ":" + Scope(app) }

// App returns the app that the scope is limited to; "" if it has no limit.
func (s Scope) App() ID {
	app, _ := strings.CutPrefix(string(s), string(ScopeConfigure)+":")
	if app == string(s) {
		return ""
	}
	return ID(app)
}

// May reports whether the client has one of the scopes.
func (c Client) May(scopes ...Scope) bool {
	return slices.ContainsFunc(scopes, func(s Scope) bool { return slices.Contains(c.Scopes, s) })
}

// CheckScopes returns an error, Invalid, if a client cannot have these scopes.
func CheckScopes(scopes []Scope, service bool) error {
	if len(scopes) == 0 {
		return baton.Errorf(baton.Invalid, "the credential has no scope").WithFix("Choose at least one.")
	}
	for i, s := range scopes {
		known := slices.Contains([]Scope{ScopeRead, ScopeAsk, ScopeConfigure, ScopeDecide}, s) || s.App().Valid()
		switch {
		case !known:
			return baton.Errorf(baton.Invalid, "there is no scope %q", s)
		case slices.Contains(scopes[:i], s):
			return baton.Errorf(baton.Invalid, "the scope %s is given twice", s)
		case service && s == ScopeDecide:
			return baton.Errorf(baton.Invalid, "a service does not decide").WithFix("Decisions are made by people, also through credentials of their own.")
		}
	}
	return nil
}
