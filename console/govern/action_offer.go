package govern

import (
	"context"
	"slices"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// OfferedAction is an action of a connector that fits what a page shows.
type OfferedAction struct {
	Connector console.ID
	rpc.Action
	// Argument is the one that takes the upstream id of what the page shows, and ID that id.
	Argument, ID string
}

// AccountActions returns the actions that fit an account, for those who may run them: what
// disables an enabled account, what enables a disabled one, and others that take an account.
func (c *Console) AccountActions(ctx context.Context, caller Caller, app console.ID, key console.ResourceKey) (all []OfferedAction, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		all = nil
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil || !console.RunActions.Of(me, console.Object{App: &a}) {
			return err
		}
		m, r, err := accountNow(tx, a, key)
		if baton.KindOf(err) == baton.NotFound {
			return nil // gone
		}
		if err != nil {
			return err
		}
		has := console.HasAccount(true, r.Status)
		all, err = offered(tx, m, r, func(action rpc.Action) (string, bool) {
			verb, switches := rpcstore.ActionVerb(action)
			if switches && (verb == console.Grant) == has {
				return "", false
			}
			return argumentFor(action, r, rpcstore.AccountArguments())
		})
		return err
	})
	return all, err
}

// EntitlementActions returns the actions that fit what an entitlement is held on, such as a
// group, for those who may run them.
func (c *Console) EntitlementActions(ctx context.Context, caller Caller, app console.ID, key console.EntitlementKey) (all []OfferedAction, err error) {
	err = c.read(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		all = nil
		a, err := seeApp(tx, me, app, console.SeeAccess)
		if err != nil || !console.RunActions.Of(me, console.Object{App: &a}) {
			return err
		}
		m, err := tx.Moment(a.ID, c.now())
		if err != nil {
			return err
		}
		e, err := tx.Entitlement(m, key)
		var on store.Resource
		if err == nil {
			on, err = tx.Resource(m, e.Entitlement.Resource)
		}
		if baton.KindOf(err) == baton.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		all, err = offered(tx, m, on, func(action rpc.Action) (string, bool) {
			if _, switches := rpcstore.ActionVerb(action); switches {
				return "", false
			}
			return argumentFor(action, on, nil)
		})
		return err
	})
	return all, err
}

// argumentFor returns the argument of an action that takes the id of a resource: of an action
// of the resource's type, or one that is named after it.
func argumentFor(action rpc.Action, r store.Resource, names []string) (string, bool) {
	if action.ResourceType != "" && action.ResourceType != r.Type {
		return "", false
	}
	names = append([]string{r.Type + "_id", r.Type}, names...)
	if action.ResourceType == r.Type {
		names = append(names, "resource_id", "id")
	}
	for _, name := range names {
		if slices.ContainsFunc(action.Arguments, func(f rpc.Field) bool { return f.Name == name && f.Kind == rpc.StringField && !f.Secret }) {
			return name, true
		}
	}
	return "", false
}

// offered returns the actions of the connector that shows a resource, for which fits says so.
func offered(tx *store.Tx, m store.Moment, r store.Resource, fits func(rpc.Action) (argument string, ok bool)) (all []OfferedAction, err error) {
	for _, s := range m.Streams {
		if s.Stream != r.Stream {
			continue
		}
		offer, err := rpcstore.Actions(tx, string(s.Connector))
		if err != nil {
			return nil, err
		}
		for _, action := range offer.Actions {
			if argument, ok := fits(action); ok {
				all = append(all, OfferedAction{s.Connector, action, argument, r.ID})
			}
		}
	}
	return all, nil
}
