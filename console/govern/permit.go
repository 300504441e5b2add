package govern

import (
	"strings"

	"baton"
	"baton/console"
	"baton/console/store"
)

// permit defines which clients ([console.Client]) may run a command or a query. The rights of the
// client's person are checked separately. The zero value permits only people who are signed in, so
// no client can create, extend or prolong a client, a login or a role.
type permit struct {
	scopes []console.Scope // any of them is enough
	// app returns the app that the call is about; the scope to configure that app is then enough.
	// nil: it is not about one app.
	app func(*store.Tx) (console.ID, error)
	any bool // every client is permitted
}

var (
	session     = permit{}
	own         = permit{any: true} // everybody's own data
	reading     = permit{scopes: []console.Scope{console.ScopeRead, console.ScopeConfigure}}
	asking      = permit{scopes: []console.Scope{console.ScopeAsk}}
	configuring = permit{scopes: []console.Scope{console.ScopeConfigure}}
	deciding    = permit{scopes: []console.Scope{console.ScopeDecide}}
	// Whoever files or decides requests may read them.
	readingRequests = permit{scopes: []console.Scope{console.ScopeRead, console.ScopeAsk, console.ScopeDecide, console.ScopeConfigure}}
	commenting      = permit{scopes: []console.Scope{console.ScopeAsk, console.ScopeDecide}}
)

// in returns the permit for an app.
func (p permit) in(app console.ID) permit {
	p.app = func(*store.Tx) (console.ID, error) { return app, nil }
	return p
}

// at returns the permit for a connector, which is that for its app.
func (p permit) at(connector console.ID) permit {
	p.app = func(tx *store.Tx) (console.ID, error) {
		c, err := tx.Connector(connector)
		return c.App, err
	}
	return p
}

// on returns the permit for a plan, which is that for its app if there is only one.
func (p permit) on(plan console.ID) permit {
	p.app = func(tx *store.Tx) (console.ID, error) {
		apps, err := tx.PlanApps(plan)
		if err != nil || len(apps) != 1 {
			return "", err
		}
		return apps[0], nil
	}
	return p
}

// check returns a PermissionDenied error if a client lacks the scope.
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
			if app != "" && client.May(console.ScopeConfigureApp(app)) {
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

// errClient refuses commands that need a person at a screen.
var errClient = baton.Errorf(baton.PermissionDenied, "credentials may not do this").WithFix("A person does it on the pages of the console.")
