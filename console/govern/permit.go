package govern

import (
	"strings"

	"baton"
	"baton/console"
	"baton/console/store"
)

// permit says which clients, see [console.Client], may run a command or a query. What the
// client's person may is judged apart from it, by the rights. The zero value is for people
// who are signed in only: a client can neither make, widen nor prolong a client, a login or
// a role.
type permit struct {
	scopes []console.Scope // any of them is enough
	// app returns the app that it is about: to configure that one is enough, too. nil: it is
	// not about one app.
	app func(*store.Tx) (console.ID, error)
	any bool // every client may
}

// The permits.
var (
	session     = permit{}
	own         = permit{any: true} // what everybody is told about themselves
	reading     = permit{scopes: []console.Scope{console.ScopeRead, console.ScopeConfigure}}
	asking      = permit{scopes: []console.Scope{console.ScopeAsk}}
	configuring = permit{scopes: []console.Scope{console.ScopeConfigure}}
	deciding    = permit{scopes: []console.Scope{console.ScopeDecide}}
	// What is asked for and decided is read by whoever asks or decides.
	readingRequests = permit{scopes: []console.Scope{console.ScopeRead, console.ScopeAsk, console.ScopeDecide, console.ScopeConfigure}}
	commenting      = permit{scopes: []console.Scope{console.ScopeAsk, console.ScopeDecide}}
)

// in returns the permit for something about an app.
func (p permit) in(app console.ID) permit {
	p.app = func(*store.Tx) (console.ID, error) { return app, nil }
	return p
}

// at returns the permit for something about a connector, and so about its app.
func (p permit) at(connector console.ID) permit {
	p.app = func(tx *store.Tx) (console.ID, error) {
		c, err := tx.Connector(connector)
		return c.App, err
	}
	return p
}

// check refuses a client that has no scope for it: PermissionDenied.
func (p permit) check(tx *store.Tx, client *console.Client) error {
	if client == nil || p.any || client.May(p.scopes...) {
		return nil
	}
	if p.app != nil {
		for _, s := range client.Scopes {
			if s.App() == "" {
				continue
			}
			app, err := p.app(tx)
			if err != nil {
				return err
			}
			if client.May(console.ScopeConfigureApp(app)) {
				return nil
			}
		}
	}
	if len(p.scopes) == 0 {
		return errClient
	}
	var names []string
	for _, s := range p.scopes {
		names = append(names, string(s))
	}
	return baton.Errorf(baton.PermissionDenied, "this credential may not do this").WithFix("It needs the scope %s: make another credential with it.", strings.Join(names, " or "))
}

// errClient refuses what needs a person at a screen.
var errClient = baton.Errorf(baton.PermissionDenied, "credentials may not do this").WithFix("A person does it on the pages of the console.")
